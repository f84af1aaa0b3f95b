"""Asking an endpoint within bounds, and keeping what was sent and seen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from kserve_client.auth import OidcAuth, bearer_headers
from kserve_client.doctor.findings import skipped
from kserve_client.doctor.report import Asked
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError, KServeClientError, NoAnswerError
from kserve_client.transport import Answer, Transport, shown_address
from kserve_client.transport.secrecy import secrets_of, without
from kserve_client.transport.tokens import token_source
from kserve_client.wire import binary
from kserve_client.wire.body import head_of

LONGEST_WAIT_S = 20.0
BUDGET_S = 60.0
SILENCES = 2
SENT_CHARACTERS = 400
SEEN_CHARACTERS = 800
WITHHELD = "withheld: the model has sensitive features"
HEADERS_SHOWN = (
    "content-type",
    "content-encoding",
    binary.HEAD_LENGTH.lower(),
    "location",
    "retry-after",
    "server",
)


class Asker:
    """Sends each request once, and waits at most 20 s for its answer, or the endpoint's own time-out.

    After 60 s, or two requests in a row without any answer, it asks nothing more: what would ask
    ends as skipped. `asked` holds the requests since it was last emptied, `refusals` those that were
    answered outside 2xx, with the whole body of the answer.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint.hastened(LONGEST_WAIT_S)
        self.asked: list[Asked] = []
        self.refusals: list[tuple[Asked, str]] = []
        self._transport = Transport(self.endpoint, retries=0)
        self._started = time.monotonic()
        self._silences = 0
        self._closed = ""

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first request could be sent."""
        return time.monotonic() - self._started

    def give_up(self, why: str) -> None:
        """Ask nothing more."""
        self._closed = self._closed or why

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        is_private: bool = False,
    ) -> Answer:
        """Send a request and return its answer, whatever the status. Raises NoAnswerError.

        Of a private one the body is not kept, nor that of the answer, which may repeat it.
        """
        self.check_open()
        sent = WITHHELD if is_private else _shown_sent(body or b"", headers)
        asked = Asked(method, path, sent)
        try:
            answer = self._transport.exchange(method, path, body=body, headers=headers, retries=0)
        except KServeClientError as error:
            is_unasked = isinstance(error, ConfigurationError)
            self.asked.append(replace(asked, problem=str(error), is_unasked=is_unasked))
            self._hear_nothing(error)
            raise
        self._silences = 0
        self.asked.append(self._answered(asked, answer, is_private=is_private))
        return answer

    def check_open(self) -> None:
        """End the check when nothing more is asked."""
        if self.elapsed_s > BUDGET_S:
            self.give_up(f"the {BUDGET_S:.0f} s for all checks were used up")
        if self._closed:
            raise skipped(self._closed)

    def _hear_nothing(self, error: KServeClientError) -> None:
        self._silences += 1
        if isinstance(error, ConfigurationError):
            self.give_up("the settings of the endpoint allow no request")
        elif isinstance(error, NoAnswerError) and self._silences >= SILENCES:
            self.give_up("the server does not answer")

    def _answered(self, asked: Asked, answer: Answer, *, is_private: bool) -> Asked:
        body = self._without_secret(answer.body)
        seen = _shown_body(body, answer.headers, SEEN_CHARACTERS)
        asked = replace(
            asked,
            status=answer.status,
            headers=_shown_headers(answer.headers),
            seen=WITHHELD if is_private and seen else seen,
            elapsed_ms=answer.elapsed_ms,
        )
        if not answer.is_ok:
            self.refusals.append((asked, body.decode(errors="replace")))
        return asked

    def _without_secret(self, body: bytes) -> bytes:
        """A server may repeat what proves who asks; the transport hides that in refusals alone."""
        auth = self.endpoint.auth
        if auth is None:
            return body
        if isinstance(auth, OidcAuth):
            proof = bearer_headers(token_source(auth).token(LONGEST_WAIT_S).text)
        else:
            proof = auth.headers()
        # Of a binary answer the head alone is shown; latin-1 keeps every byte.
        return without(secrets_of(proof), body.decode("latin-1")).encode("latin-1")


def _shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    found = {name: headers[name] for name in HEADERS_SHOWN if headers.get(name)}
    if "location" in found:  # its query may hold a secret
        found["location"] = shown_address(found["location"])
    return found


def _shown_sent(body: bytes, headers: Mapping[str, str]) -> str:
    if "Content-Encoding" in headers:
        return f"{len(body):,} bytes, compressed"
    return _shown_body(body, headers, SENT_CHARACTERS)


def _shown_body(body: bytes, headers: Mapping[str, str], most: int) -> str:
    """The JSON of a body, or its text, on one line; nothing that a terminal would obey."""
    head = head_of(body, headers)
    text = " ".join(head.decode(errors="replace").split())
    text = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    shown = text if len(text) <= most else f"{text[:most]} … ({len(text):,} characters)"
    rest = len(body) - len(head)
    return f"{shown} … and {rest:,} bytes of numbers" if rest else shown
