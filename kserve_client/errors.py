"""The one tree of errors. Each branch says whose fault it was, so that a caller knows what to do.

    KServeClientError
    ├── ConfigurationError          our settings: an address, a token source, a certificate
    │   └── CatalogError            the models file, with the line and the field
    ├── InputError                  the caller's data, found before anything was sent
    │   └── RowsError               … with every row and column that is wrong
    ├── NoAnswerError               nothing (whole) came back
    │   ├── ConnectError            no connection: the name, the address, the port
    │   ├── TLSError                a connection, but no trust
    │   ├── NoAnswerInTimeError     no answer within the time-out or the deadline
    │   └── ConnectionLostError     the connection ended before the answer did
    ├── ServerError                 the server said no: status, its own words
    │   ├── AccessError             401, 403, or a redirect to a login page
    │   ├── NotFoundError           404: no such model, version or path
    │   └── NotReadyError           503: the server or the model is not ready
    └── InvalidAnswerError          the server said yes, but the answer is not V2
        └── NoSuchOutputError       … or lacks the output that was looked for

A message says what happened, where, and what to try. It never holds a token; excerpts of bodies are
cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

EXCERPT_CHARACTERS = 500
ISSUES_IN_A_MESSAGE = 5


class KServeClientError(Exception):
    """Root of everything this package raises on purpose. Pickle keeps it whole."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), str(self), self.__dict__)


def _restored(
    kind: type[KServeClientError], message: str, state: dict[str, Any]
) -> KServeClientError:
    """Pickle would call the class with the message alone, and most of these need more."""
    error = kind.__new__(kind, message)
    error.__dict__.update(state)
    return error


class ConfigurationError(KServeClientError):
    """Our own settings are wrong; no request can mend that."""


class CatalogError(ConfigurationError):
    """The models file is wrong.

    `line` counts from 1; `field` is a dotted path such as `models.iris.endpoint`.
    """

    def __init__(
        self, problem: str, *, source: str, line: int | None = None, field: str | None = None
    ) -> None:
        self.problem = problem
        self.source = source
        self.line = line
        self.field = field
        where = source if line is None else f"{source}, line {line}"
        super().__init__(f"{where}: {field}: {problem}" if field else f"{where}: {problem}")


class InputError(KServeClientError):
    """The caller's data can't be sent as it is. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class RowIssue:
    """What is wrong with one row.

    `row` counts from 0; `column` is None when the row as a whole is wrong. `label` is the row's in
    the index of a DataFrame that is not numbered from 0; else None.
    """

    row: int
    column: str | None
    problem: str
    label: Any = None

    def __str__(self) -> str:
        where = f"row {self.row + 1}"
        if self.label is not None:
            where += f" (index {self.label})"
        return (
            f"{where}: {self.problem}"
            if self.column is None
            else f"{where}, {self.column}: {self.problem}"
        )


class RowsError(InputError):
    """Some rows are wrong; `issues` names each of them, so that the others can still be sent."""

    def __init__(self, issues: Iterable[RowIssue]) -> None:
        self.issues = tuple(issues)
        shown = "; ".join(str(issue) for issue in self.issues[:ISSUES_IN_A_MESSAGE])
        rest = len(self.issues) - ISSUES_IN_A_MESSAGE
        super().__init__(f"{shown}; and {rest} more" if rest > 0 else shown)


class NoAnswerError(KServeClientError):
    """Nothing whole came back.

    `attempts` counts the requests that were tried, at least 1; `request_id` is the X-Request-ID that
    went with them.
    """

    request_id: str = ""

    def __init__(self, message: str, *, attempts: int = 1) -> None:
        self.attempts = attempts
        super().__init__(message)


class ConnectError(NoAnswerError):
    """No connection: unknown name, refused, unreachable, or time ran out before it stood."""


class TLSError(NoAnswerError):
    """The certificate of the server, or ours, was not accepted."""


class NoAnswerInTimeError(NoAnswerError):
    """The server did not answer within the time-out or the deadline."""


class ConnectionLostError(NoAnswerError):
    """The connection ended before the answer was whole."""


class ServerError(KServeClientError):
    """The server answered with a status outside 2xx.

    `status` is the HTTP status, `server_message` what the server said of it ("" when it said
    nothing), `body` the first 500 characters of the answer, `attempts` the number of requests that
    were tried, `request_id` the X-Request-ID that went with them: look for it in the server's log.
    `retry_after_s` is how long the server asks to wait, None when it does not say.
    """

    request_id: str = ""
    retry_after_s: float | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int,
        server_message: str = "",
        body: str = "",
        attempts: int = 1,
    ) -> None:
        self.status = status
        self.server_message = server_message
        self.body = body[:EXCERPT_CHARACTERS]
        self.attempts = attempts
        super().__init__(message)


class AccessError(ServerError):
    """The server, or a gateway before it, did not let us in.

    `location` is where a redirect points, without user, query and fragment; "" when it was none.
    """

    location: str = ""


class NotFoundError(ServerError):
    """The server knows no such model, version or path."""


class NotReadyError(ServerError):
    """The server or the model can't answer now."""


class InvalidAnswerError(KServeClientError):
    """A 2xx answer that is not what the protocol says. `body` is its first 500 characters."""

    request_id: str = ""

    def __init__(self, message: str, *, body: str = "") -> None:
        self.body = body[:EXCERPT_CHARACTERS]
        super().__init__(message)


class NoSuchOutputError(InvalidAnswerError, KeyError):
    """The answer has no output of that name. It is a KeyError, too: outputs are looked up by name."""

    # That of KeyError would put the message in quotes.
    __str__ = Exception.__str__


def first_problem(error: ValidationError) -> str:
    """What pydantic says of the first wrong value, without the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    return first["msg"].removeprefix("Value error, ")
