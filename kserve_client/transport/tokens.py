"""Tokens of an OIDC provider: fetched by client credentials, kept, and renewed before they end.

Source: RFC 6749 (2.3.1, 4.4, 5), OpenID Connect Discovery 1.0 (4). A token is kept in memory alone,
once for all transports with the same settings.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

from kserve_client.auth import OidcAuth, basic_headers, is_safe_url
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerError,
    ServerError,
)
from kserve_client.transport.answer import Answer, refusal
from kserve_client.transport.forks import begin_anew_in_children
from kserve_client.transport.secrecy import without_in_answer

if TYPE_CHECKING:
    from kserve_client.transport.sender import Transport

DISCOVERY_PATH = "/.well-known/openid-configuration"
ASSUMED_LIFE_S = 300.0  # of a token whose life the provider does not name
EARLY_S = 60.0
EARLY_SHARE = 0.2
NEXT_TRY_S = 5.0
LONGEST_WAIT_S = 20.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """A token and its times, in seconds of the monotonic clock."""

    text: str = field(repr=False)
    fetched: float
    stale: float
    ends: float

    @classmethod
    def living(cls, text: str, now: float, life_s: float) -> Token:
        """A token that is renewed a minute before its end, or after 80 % of a short life."""
        return cls(text, now, now + life_s - min(EARLY_S, EARLY_SHARE * life_s), now + life_s)


class _Flight(Future[Token]):
    """A token on its way: one thread fetches it for at most `wait_s`, others wait for it too."""

    def __init__(self, wait_s: float) -> None:
        super().__init__()
        self.wait_s = wait_s
        self._ends = time.monotonic() + wait_s
        self._is_late = False

    def fail(self, error: BaseException) -> None:
        """Tell those who wait."""
        self._is_late = time.monotonic() >= self._ends
        is_told = isinstance(error, KServeClientError)
        self.set_exception(error if is_told else NoAnswerError("no token: interrupted"))

    def was_too_short_for(self, left_s: float) -> bool:
        """Whether its time ran out, and one who has `left_s` can give the provider more.

        One who can't has no reason to ask: else all who wait would, one after the other.
        """
        return self._is_late and min(left_s, LONGEST_WAIT_S) > self.wait_s


class TokenSource:
    """Gives the current token of one client; may be shared between threads.

    Only one thread fetches at a time. Where the kept token is still good the others go on with it,
    otherwise they wait for the one that fetches and share what it gets. Where only its time was too
    short, one that has more left than it had fetches again.
    """

    def __init__(self, auth: OidcAuth) -> None:
        self._auth = auth
        self._lock = threading.Lock()
        self._kept: Token | None = None
        self._flight: _Flight | None = None
        self._token_url = auth.token_url
        begin_anew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked child the thread that fetches is not there; a kept token is as good as before."""
        self._lock, self._flight = threading.Lock(), None

    def token(self, wait_s: float) -> Token:
        """A token that is good now; waits for it at most `wait_s`.

        Raises AccessError when the provider refuses, NoAnswerError when it does not answer,
        ConfigurationError when the client's secret can't be had.
        """
        kept, now = self._kept, time.monotonic()
        if kept is not None and now < kept.stale:
            return kept
        if kept is None or now >= kept.ends:
            return self._fetched(wait_s)
        return self._renewed_early(kept, wait_s)

    def _renewed_early(self, kept: Token, wait_s: float) -> Token:
        """The old token is still good: nobody waits for another thread, or fails with the provider."""
        if self._flight is not None:
            return kept
        try:
            return self._fetched(wait_s)
        except KServeClientError as error:
            _log.warning("the token could not be renewed, the old one is used: %s", error)
            later = min(time.monotonic() + NEXT_TRY_S, kept.ends)
            self._kept = Token(kept.text, kept.fetched, later, kept.ends)
            return kept

    def replaced(self, refused: str, wait_s: float) -> Token:
        """A token other than the one that a server just refused."""
        with self._lock:
            if self._kept is not None and self._kept.text == refused:
                self._kept = None
        return self.token(wait_s)

    def _fetched(self, wait_s: float) -> Token:
        deadline = time.monotonic() + wait_s
        while True:
            left_s = deadline - time.monotonic()
            with self._lock:
                kept, flight = self._kept, self._flight
                if kept is not None and time.monotonic() < kept.stale:
                    return kept  # another thread was faster
                is_ours = flight is None
                if flight is None:
                    flight = self._flight = _Flight(min(left_s, LONGEST_WAIT_S))
            if is_ours:
                return self._fetch_into(flight)
            try:
                return _waited(flight, left_s)
            except NoAnswerError:
                if not flight.was_too_short_for(deadline - time.monotonic()):
                    raise

    def _fetch_into(self, flight: _Flight) -> Token:
        try:
            token = self._fetch(flight.wait_s)
        except BaseException as error:
            with self._lock:
                self._flight = None
            flight.fail(error)
            raise
        with self._lock:
            self._kept, self._flight = token, None
        flight.set_result(token)
        return token

    def _fetch(self, wait_s: float) -> Token:
        auth = self._auth
        client_id, secret = auth.client_id_place.read(), auth.place.read()
        form = {"grant_type": "client_credentials", "scope": auth.scope, "audience": auth.audience}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if auth.client_auth == "basic":  # each part encoded as in a form: RFC 6749, 2.3.1
            headers |= basic_headers(quote_plus(client_id), quote_plus(secret))
        else:
            form |= {"client_id": client_id, "client_secret": secret}
        body = urlencode({name: value for name, value in form.items() if value is not None})
        url = self._found_token_url(wait_s)
        now = time.monotonic()
        answer = self._ask("POST", url, wait_s, body=body.encode(), headers=headers)
        if not answer.is_ok:
            raise _refused(without_in_answer((secret,), answer), url)
        return _token_of(answer, url, now)

    def _found_token_url(self, wait_s: float) -> str:
        if self._token_url is None:
            self._token_url = self._discovered(wait_s)
        return self._token_url

    def _discovered(self, wait_s: float) -> str:
        """The token endpoint in the provider's own words, on its own host and no less safe."""
        issuer = self._auth.issuer or ""
        url = issuer.rstrip("/") + DISCOVERY_PATH
        answer = self._ask("GET", url, wait_s)
        if not answer.is_ok:
            raise refusal(answer, f"GET {url}")
        told = _object(answer, url)
        if str(told.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
            raise ConfigurationError(f"{url} is of another issuer than {issuer}")
        found = str(told.get("token_endpoint", ""))
        if urlsplit(found).hostname != urlsplit(issuer).hostname:
            raise ConfigurationError(
                f"{url} names a token endpoint on another host: write it as token_url if you trust it"
            )
        if urlsplit(issuer).scheme == "https" and not found.startswith("https:"):
            raise ConfigurationError(f"{url} names a token endpoint without https")
        return found

    def _ask(self, method: str, url: str, wait_s: float, **options: Any) -> Answer:
        """Without redirects, so that the secret goes to nobody else."""
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        try:
            with self._transport(f"{parts.scheme}://{parts.netloc}", wait_s) as transport:
                return transport.exchange(method, path, **options)
        except NoAnswerError as error:
            # Not its own kind: a caller would take it for the endpoint's.
            raise NoAnswerError(f"no token: {error}", attempts=error.attempts) from None

    def _transport(self, url: str, wait_s: float) -> Transport:
        from kserve_client.transport.sender import Transport

        known = {"url": url, "title": "the token endpoint", "ca_file": self._auth.ca_file}
        if not (self._auth.allow_http or is_safe_url(url)):
            raise ConfigurationError(f"the client's secret would travel over plain http to {url}")
        return Transport(Endpoint.model_validate({**known, "deadline_s": max(wait_s, 0.001)}))


@lru_cache(maxsize=256)
def token_source(auth: OidcAuth) -> TokenSource:
    """The one source of tokens for these settings: health checks and clients share its token."""
    return TokenSource(auth)


def _waited(flight: _Flight, wait_s: float) -> Token:
    try:
        return flight.result(timeout=wait_s)
    except TimeoutError:
        raise NoAnswerError(f"no token within {wait_s:g} s, nor a refusal") from None
    except KServeClientError as error:
        raise copy(error) from None  # each call writes its own request id on it


def _refused(answer: Answer, url: str) -> KServeClientError:
    """The provider's own words, cut."""
    error = refusal(answer, f"POST {url}")
    if answer.status not in (400, 401, 403) or not isinstance(error, ServerError):
        return error
    said = f": {error.server_message[:200]}" if error.server_message else ""
    return AccessError(
        f"the token endpoint {url} refused our client{said}. Check client id, secret and scope",
        status=answer.status,
        server_message=error.server_message[:200],
        attempts=answer.attempts,
    )


def _token_of(answer: Answer, url: str, now: float) -> Token:
    told = _object(answer, url)
    text, kind = told.get("access_token"), str(told.get("token_type", "bearer"))
    if not isinstance(text, str) or not text or kind.lower() != "bearer":
        raise InvalidAnswerError(f"the token endpoint {url} gave no bearer token")
    return Token.living(text, now, _life_s(told.get("expires_in")))


def _life_s(told: Any) -> float:
    """Some providers write the number as a text."""
    try:
        life_s = float(told)
    except (TypeError, ValueError):
        return ASSUMED_LIFE_S
    return life_s if 0 < life_s < float("inf") else ASSUMED_LIFE_S


def _object(answer: Answer, url: str) -> dict[str, Any]:
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise InvalidAnswerError(f"{url} did not answer with a JSON object")
    return told
