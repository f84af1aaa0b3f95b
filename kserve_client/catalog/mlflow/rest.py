"""MLflow's REST API as far as it is needed here: reading, and nothing else.

Seen on MLflow 3.17.2: an unknown model or version is 404, an unknown alias 400, both with
{"error_code", "message"}; a missing file is 404 where the server reads its files itself, 500 where
they lie in S3; a Host header that the server does not know is 403 with a plain text.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from kserve_client.catalog.mlflow.answers import Plain, object_in
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    AccessError,
    InvalidAnswerError,
    KServeClientError,
    NotFoundError,
    NotReadyError,
    ServerError,
)
from kserve_client.transport import Answer, Transport, refusal, server_message
from kserve_client.wire.json import parse_value

API = "/api/2.0/mlflow"
RETRIES = 1
LARGEST_ANSWER_BYTES = 5_000_000
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


class UnknownError(NotFoundError):
    """MLflow answers, and knows no such model, version, alias or file."""


class Rest:
    """Asks one MLflow tracking server. May be shared between threads."""

    def __init__(self, endpoint: Endpoint, transport: Transport | None = None) -> None:
        self.endpoint = endpoint
        self._transport = transport or Transport(endpoint, retries=RETRIES)

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def get(self, path: str, /, **query: str) -> Plain:
        """The JSON object that a path of the API answers with.

        Raises UnknownError for what MLflow does not know, AccessError when it does not let us in,
        InvalidAnswerError when the answer is not MLflow's.
        """
        answer = self._answer(f"{API}/{path}", query, LARGEST_ANSWER_BYTES)
        try:
            found = parse_value(answer.body)
        except InvalidAnswerError:
            found = None
        if not isinstance(found, dict):
            raise self._strange(answer.body)
        return found

    def part(self, answer: Plain, key: str) -> Plain:
        """The object of an answer that must be there. Raises InvalidAnswerError."""
        found = object_in(answer, key)
        if not found:
            raise self._strange(b"")
        return found

    def _strange(self, body: bytes) -> InvalidAnswerError:
        return InvalidAnswerError(
            f"{self.endpoint.name} does not answer like MLflow: check that its URL is that of the "
            "tracking server",
            body=body[:2000].decode(errors="replace"),
        )

    def file(self, path: str, limit_bytes: int, /, **query: str) -> bytes:
        """The bytes of a file of a model. Raises UnknownError when there is none."""
        return self._answer(path, query, limit_bytes).body

    def page(self, *path: str) -> str:
        """The address of a page of MLflow's user interface."""
        return f"{self.endpoint.url}/#/{'/'.join(map(_quoted, path))}"

    def _answer(self, path: str, query: Mapping[str, str], limit_bytes: int) -> Answer:
        asked = f"{path}?{'&'.join(f'{name}={_quoted(query[name])}' for name in query)}"
        answer = self._transport.exchange("GET", asked if query else path, limit_bytes=limit_bytes)
        if not answer.is_ok:
            raise _refusal(answer, self.endpoint)
        return answer


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def _refusal(answer: Answer, endpoint: Endpoint) -> KServeClientError:
    """The error for an answer outside 2xx, with advice that fits MLflow."""
    said = server_message(answer)
    if answer.status == HTTPStatus.FORBIDDEN and "Host header" in said:
        host = endpoint.host or urlsplit(endpoint.url).netloc
        advice = f"it does not know the host name {host}: start it with --allowed-hosts {host}"
        return _error(AccessError, answer, endpoint, said, advice)
    if answer.status in (401, 403) or 300 <= answer.status < 400:
        return refusal(answer, f"MLflow at {endpoint.name}")
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return _error(NotReadyError, answer, endpoint, said, "it may be starting")
    if _error_code(answer) in UNKNOWN:
        return _error(UnknownError, answer, endpoint, said, "")
    if answer.status == HTTPStatus.NOT_FOUND:
        advice = "there is no MLflow: check that the URL is that of its tracking server"
        return _error(NotFoundError, answer, endpoint, said, advice)
    return _error(ServerError, answer, endpoint, said, "")


def _error(
    kind: type[ServerError], answer: Answer, endpoint: Endpoint, said: str, advice: str
) -> ServerError:
    parts = [f"MLflow at {endpoint.name}: {answer.status}", said.rstrip(" ."), advice]
    return kind(
        ": ".join(part for part in parts if part),
        status=answer.status,
        server_message=said,
        body=answer.body[:2000].decode(errors="replace"),
        attempts=answer.attempts,
    )


def _error_code(answer: Answer) -> str:
    try:
        said = parse_value(answer.body)
    except InvalidAnswerError:
        return ""
    return str(said.get("error_code", "")) if isinstance(said, dict) else ""
