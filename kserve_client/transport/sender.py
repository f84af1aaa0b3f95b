"""Transport: sends requests to one endpoint.

It may be shared between threads: it sends through one `requests` adapter, whose pools are thread-safe,
and keeps no cookies and follows no redirects, so there is no session state to share.
"""

from __future__ import annotations

import gzip
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Self, TypeVar, Unpack
from urllib.parse import unquote

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from kserve_client.auth import OidcAuth, bearer_headers
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    ConfigurationError,
    ConnectError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerError,
    ServerError,
)
from kserve_client.events import CallEvent, OnEvent, Outcome
from kserve_client.transport.answer import Answer, refusal
from kserve_client.transport.call import Call, Options, Request
from kserve_client.transport.connections import (
    Adapter,
    answer_deadline,
    fresh_connection_wanted,
)
from kserve_client.transport.failures import (
    ReusedConnectionDroppedError,
    failure,
    lost,
    too_large,
    too_late,
)
from kserve_client.transport.retries import (
    DEFAULT_RETRIES,
    RETRIED_STATUSES,
    next_pause_s,
    pauses_of,
)
from kserve_client.transport.secrecy import hide, secrets_of, without_in_answer
from kserve_client.transport.tls import warn_when_unchecked
from kserve_client.transport.tokens import Token, TokenSource, token_source
from kserve_client.transport.tracing import trace_headers

USER_AGENT = "kserve-client"
REQUEST_ID = "X-Request-ID"
# Below this a request is one or two packets either way (measured: bench/).
GZIP_FROM_BYTES = 2048
GZIP_LEVEL = 1
_READ_BYTES = 1 << 16
_HEADER_NAME = re.compile(r"[!#-'*+.^_`|~0-9A-Za-z-]+")
# RFC 9110 without its obsolete line folding; other letters can't be written by http.client.
_HEADER_TEXT = re.compile(r"([!-~\x80-\xff]([ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?")
_log = logging.getLogger("kserve_client.transport")

T = TypeVar("T")


class Transport:
    """Sends requests to one endpoint. `pool_connections` is how many idle connections are kept.

    `retries` is how often a request may be sent again: after a connection that could not be made,
    and after 429, 502, 503 and 504, with growing pauses or the server's own Retry-After, inside the
    endpoint's deadline. Beside these, a request on a reused connection that the server had already
    closed is sent again once, at once: MLServer 1.7.1 closes connections silently after each 500.
    A 401 to a kept token of an OIDC provider is answered once, with a new token. Nothing else is
    repeated: 500 is what KServe and MLServer say for bad input.

    `on_event` is called with a CallEvent after each call, in its thread; what it raises is logged.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        retries: int = DEFAULT_RETRIES,
        pool_connections: int = 64,
        on_event: OnEvent | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._settings = {
            "retries": retries,
            "pool_connections": pool_connections,
            "on_event": on_event,
        }
        self._retries = retries
        self._on_event = on_event
        self._adapter = Adapter(endpoint, pool_maxsize=pool_connections)
        self._address = lru_cache(maxsize=256)(self._adapter.address_of)
        self._headers = _standing_headers(endpoint)
        warn_when_unchecked(endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process it begins anew: neither connections nor tokens go there."""
        return _made_again, (self.endpoint, self._settings)

    def close(self) -> None:
        """Close the pooled connections."""
        self._adapter.close()

    def send(self, method: str, path: str, **options: Unpack[Options]) -> Answer:
        """Send a request and return its 2xx answer.

        Raises ServerError for any other status, NoAnswerError when no whole answer came.
        """
        return self.ask(method, path, _taken_as_it_is, **options)[0]

    def ask(
        self, method: str, path: str, read: Callable[[Answer], T], **options: Unpack[Options]
    ) -> tuple[Answer, T]:
        """Send a request and return its 2xx answer with what `read` makes of it.

        An InvalidAnswerError of `read` belongs to the call: its event says so.
        """
        call = self._begin(method, path, options)
        try:
            answer = self._answer(call)
            if not answer.is_ok:
                raise refusal(answer, call.what)
            found = read(answer)
        except KServeClientError as error:
            self._failed(call, error)
            raise
        self._tell(call, "ok")
        return answer, found

    def exchange(self, method: str, path: str, **options: Unpack[Options]) -> Answer:
        """Send a request and return its answer, whatever the status.

        Raises NoAnswerError when no whole answer came within the time-outs and the deadline.
        """
        call = self._begin(method, path, options)
        try:
            answer = self._answer(call)
        except KServeClientError as error:
            self._failed(call, error)
            raise
        self._tell(call, "ok" if answer.is_ok else "refused")
        return answer

    def _begin(self, method: str, path: str, options: Options) -> Call:
        endpoint, started = self.endpoint, time.monotonic()
        wait_s = options.get("read_timeout_s")
        wait_s = endpoint.read_timeout_s if wait_s is None else wait_s
        if wait_s <= 0:
            raise ConfigurationError(f"read_timeout_s is {wait_s:g}: nothing answers in no time")
        retries = options.get("retries")
        request, tokens = self._prepare(method, path, options)
        return Call(
            endpoint,
            method,
            path,
            request,
            request.headers[REQUEST_ID],
            self._retries if retries is None else retries,
            wait_s,
            started,
            started + endpoint.deadline_s,
            tokens,
            options.get("limit_bytes"),
        )

    def _prepare(
        self, method: str, path: str, options: Options
    ) -> tuple[Request, TokenSource | None]:
        """The request, and the provider of the token that it still lacks, if it lacks one."""
        given, body = options.get("headers") or {}, options.get("body")
        headers: CaseInsensitiveDict[str] = self._headers.copy()
        added = {REQUEST_ID: str(uuid.uuid4()), **trace_headers()}
        proof, tokens = self._proof(options.get("token"), given)
        if body is not None and options.get("compress") and len(body) >= GZIP_FROM_BYTES:
            body = gzip.compress(body, GZIP_LEVEL, mtime=0)
            added["Content-Encoding"] = "gzip"
        for more in (added, proof, given):
            self._check(more)
            headers.update(more)
        if body is not None or method not in ("GET", "HEAD"):
            headers["Content-Length"] = str(len(body or b""))
        try:
            return Request.of(method, self._address(path), headers, body), tokens
        except requests.RequestException as error:
            raise ConfigurationError(f"{self.endpoint.name}: {error}") from None

    def _check(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            if not (_HEADER_TEXT.fullmatch(value) and _HEADER_NAME.fullmatch(name)):
                # Without the value, which may hold a token.
                raise ConfigurationError(
                    f"{self.endpoint.name}: the header {name} is no header text"
                )

    def _proof(
        self, token: str | None, given: Mapping[str, str]
    ) -> tuple[Mapping[str, str], TokenSource | None]:
        """The headers that prove who asks, or the provider of a token that does."""
        auth = self.endpoint.auth
        if token is not None:
            return bearer_headers(token), None
        if auth is None or any(name.lower() == auth.header_name.lower() for name in given):
            return {}, None
        if isinstance(auth, OidcAuth):
            return {}, token_source(auth)
        return auth.headers(), None

    def _answer(self, call: Call) -> Answer:
        """The answer of the first attempt that needs no other."""
        if call.tokens is None:
            return self._sent(call)
        token = call.tokens.token(call.left_s)
        _carry(call, token)
        answer = self._sent(call)
        if answer.status != 401 or token.fetched >= call.started:
            return answer
        # A kept token may have been withdrawn before its end: try a new one, once.
        _carry(call, call.tokens.replaced(token.text, call.left_s))
        return self._sent(call)

    def _sent(self, call: Call) -> Answer:
        pauses = pauses_of(call.retries)
        while True:
            found = self._attempt(call)
            answer = found if isinstance(found, Answer) else None
            if answer is not None and answer.status not in RETRIED_STATUSES:
                return answer
            pause_s = next_pause_s(pauses, answer)
            if pause_s is None or time.monotonic() + pause_s >= call.deadline:
                if isinstance(found, Answer):
                    return found
                raise found
            _log.debug("%s is sent again in %.2f s", call.what, pause_s)
            time.sleep(pause_s)

    def _attempt(self, call: Call) -> Answer | ConnectError:
        try:
            return self._once(call)
        except ConnectError as error:
            return error
        except ReusedConnectionDroppedError:
            if call.is_replayed:
                raise lost(call) from None
            call.is_replayed = call.wants_new_connection = True
            return self._attempt(call)

    def _once(self, call: Call) -> Answer:
        call.attempts += 1
        started = time.monotonic()
        left_s = call.left_s
        wait_s = min(call.wait_s, left_s)
        wanted = fresh_connection_wanted.set(call.wants_new_connection)
        deadline = answer_deadline.set(call.deadline)
        call.wants_new_connection = False
        try:
            response = self._adapter.send(
                call.request,
                stream=True,
                timeout=(min(self.endpoint.connect_timeout_s, left_s), wait_s),
            )
            body = _read(response, call)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise failure(error, call, wait_s) from error
        finally:
            fresh_connection_wanted.reset(wanted)
            answer_deadline.reset(deadline)
        call.status = response.status_code
        elapsed_ms = (time.monotonic() - started) * 1000
        answer = Answer(
            call.status, response.headers, body, elapsed_ms, call.attempts, call.request_id
        )
        return answer if answer.is_ok else without_in_answer(_secrets_of(call), answer)

    def _failed(self, call: Call, error: KServeClientError) -> None:
        hide(_secrets_of(call), error)
        self._tell(call, _outcome_of(error, call.request_id))

    def _tell(self, call: Call, outcome: Outcome | None) -> None:
        if outcome is None or not (self._on_event or _log.isEnabledFor(logging.DEBUG)):
            return
        event = _event(call, outcome)
        _log.debug(
            "%s: %s %s in %.1f ms, %d attempts, %d bytes sent, %d received, request id %s",
            call.what,
            event.outcome,
            event.status or "",
            event.elapsed_ms,
            event.attempts,
            event.sent_bytes,
            event.received_bytes,
            event.request_id,
        )
        if self._on_event:
            try:
                self._on_event(event)
            except Exception:  # noqa: BLE001 - a call is worth more than its measurement
                _log.exception("the hook for events failed")


def _carry(call: Call, token: Token) -> None:
    call.request.headers.update(bearer_headers(token.text, "the provider's answer"))


def _secrets_of(call: Call) -> tuple[str, ...]:
    return secrets_of(call.request.headers)


def _made_again(endpoint: Endpoint, settings: dict[str, Any]) -> Transport:
    return Transport(endpoint, **settings)


def _taken_as_it_is(_: Answer) -> None:
    """An answer that nobody reads."""


def _standing_headers(endpoint: Endpoint) -> CaseInsensitiveDict[str]:
    headers = CaseInsensitiveDict({"User-Agent": USER_AGENT, "Accept": "application/json"})
    # MLServer gzips whenever it may, at eight times the cost (measured, answer of 10 000 rows).
    headers["Accept-Encoding"] = "identity"
    if endpoint.host:
        headers["Host"] = endpoint.host
    return headers


def _read(response: requests.Response, call: Call) -> bytes:
    call.sent_bytes += len(call.request.body or b"")
    try:
        return b"".join(_chunks(response, call))
    finally:
        call.received_bytes += response.raw.tell()


def _chunks(response: requests.Response, call: Call) -> Iterator[bytes]:
    """What has come, as it comes: `iter_content` waits for whole blocks.

    The connections to a SOCKS proxy are not ours and bound each wait alone: so look at the clock.
    """
    come_bytes = 0
    while chunk := response.raw.read1(_READ_BYTES, decode_content=True):
        come_bytes += len(chunk)
        if call.limit_bytes is not None and come_bytes > call.limit_bytes:
            response.close()
            raise too_large(call)
        if time.monotonic() >= call.deadline:
            response.close()
            raise too_late(call)
        yield chunk


def _outcome_of(error: KServeClientError, request_id: str) -> Outcome | None:
    """What a call that ended in an error was; None for our own mistakes, which never left."""
    if isinstance(error, ServerError | NoAnswerError | InvalidAnswerError):
        error.request_id = request_id
    if isinstance(error, ServerError):
        return "refused"
    if isinstance(error, NoAnswerError):
        return "no answer"
    return "invalid" if isinstance(error, InvalidAnswerError) else None


def _event(call: Call, outcome: Outcome) -> CallEvent:
    return CallEvent(
        call.endpoint.url,
        call.method,
        call.path,
        _model_in(call.path),
        outcome,
        None if outcome == "no answer" else call.status,
        (time.monotonic() - call.started) * 1000,
        call.attempts,
        call.sent_bytes,
        call.received_bytes,
        call.request_id,
    )


def _model_in(path: str) -> str:
    """The name in `/v2/models/M/…`, `/v1/models/M:predict` and `/v2/repository/models/M/load`."""
    found = re.match(r"/v[12]/(?:repository/)?models/([^/:?]+)", path)
    return unquote(found[1]) if found else ""
