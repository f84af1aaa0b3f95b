"""The one place where the exceptions of `requests` and `urllib3` become ours."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from kserve_client.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    InvalidAnswerError,
    NoAnswerError,
    NoAnswerInTimeError,
    TLSError,
)
from kserve_client.transport.call import Call
from kserve_client.transport.unreached import unreached

_NO_CONNECTION = (NewConnectionError, ProxyError, requests.ConnectionError)


class ReusedConnectionDroppedError(Exception):
    """A kept-alive connection was closed by the server before the first byte of its next answer."""


def failure(error: Exception, call: Call, wait_s: float) -> Exception:
    """Say in our words why an attempt failed; `wait_s` is how long it waited for the next byte."""
    where, causes = call.endpoint.name, list(_causes(error))
    if _any(causes, requests.exceptions.SSLError, SSLError):
        return _untrusted(error, call)
    if _is_connect_timeout(causes):
        return _no_connection_in_time(call)
    if _any(causes, requests.Timeout, ReadTimeoutError, TimeoutError):
        return too_late(call) if _is_over(call) else _too_slow(wait_s, call)
    if _any(causes, requests.exceptions.ContentDecodingError, DecodeError):
        return InvalidAnswerError(f"the answer of {where} is not in the encoding it names")
    if _any(causes, ProtocolError, requests.exceptions.ChunkedEncodingError):
        return _broken(causes, call)
    if _any(causes, *_NO_CONNECTION):
        return _no_connection(error, causes, call)
    if _any(causes, ValueError):  # InvalidURL, InvalidSchema, LocationParseError, …
        return ConfigurationError(f"{where}: {_reason(error)}")
    return NoAnswerError(f"no answer from {where}: {_reason(error)}", attempts=call.attempts)


def _is_over(call: Call) -> bool:
    return time.monotonic() >= call.deadline


def too_late(call: Call) -> NoAnswerInTimeError:
    """The deadline of the call is over."""
    return NoAnswerInTimeError(
        f"no whole answer from {call.endpoint.name} within the deadline of "
        f"{call.endpoint.deadline_s:g} s. Try again, or raise deadline_s",
        attempts=call.attempts,
    )


def too_large(call: Call) -> InvalidAnswerError:
    """The answer is longer than anybody here reads."""
    return InvalidAnswerError(f"{call.what}: the answer is larger than {call.limit_bytes:,} bytes")


def lost(call: Call) -> ConnectionLostError:
    """The connection ended too early."""
    return ConnectionLostError(
        f"{call.endpoint.name} closed the connection before its answer was whole. "
        "The server may have restarted: try again",
        attempts=call.attempts,
    )


def _no_connection(error: Exception, causes: Iterable[Exception], call: Call) -> ConnectError:
    """The same words that Health has; what the system said is the cause of the error."""
    refused = next((cause for cause in causes if isinstance(cause, NewConnectionError)), None)
    if refused is None or not isinstance(refused.__cause__, OSError | UnicodeError):
        return ConnectError(
            f"no connection to {call.endpoint.name}: {_reason(error)}. Check the address and that "
            "the server runs",
            attempts=call.attempts,
        )
    host, where = _first_hop(refused.conn, call)
    return ConnectError(str(unreached(refused.__cause__, host, where)), attempts=call.attempts)


def _first_hop(connection: Any, call: Call) -> tuple[str, str]:
    """The host that was to be reached, and it with its port; both with whose they are."""
    # A connection without a proxy is to our own host, though it may have another spelling there:
    # xn--… for an international name.
    proxied, title = bool(connection.proxy), call.endpoint.title
    host = str(connection.host if proxied else urlsplit(call.endpoint.url).hostname)
    where = f"[{host}]:{connection.port}" if ":" in host else f"{host}:{connection.port}"
    if proxied:
        before = f" before {title}" if title else ""
        return f"{host} (the proxy{before})", f"the proxy {where}{before}"
    return (f"{host} ({title})", f"{where} ({title})") if title else (host, where)


def _no_connection_in_time(call: Call) -> ConnectError:
    """Of the deadline there may have been less than a connection may take."""
    endpoint = call.endpoint
    deadline = f"the deadline of {endpoint.deadline_s:g} s"
    limit = deadline if _is_over(call) else f"{endpoint.connect_timeout_s:g} s"
    return ConnectError(
        f"no connection to {endpoint.name} within {limit}. Check the address and that a "
        "firewall or network policy lets it through",
        attempts=call.attempts,
    )


def _too_slow(wait_s: float, call: Call) -> NoAnswerInTimeError:
    return NoAnswerInTimeError(
        f"no answer from {call.endpoint.name} within {wait_s:g} s. The model may be slow or "
        "waking up: try again, or raise read_timeout_s",
        attempts=call.attempts,
    )


def _untrusted(error: Exception, call: Call) -> TLSError:
    reason = _reason(error)
    advice = "Check the certificate, or name its authority with ca_file"
    if "alert" in reason.lower() or "ALERT" in reason:
        # The other side ended the handshake: it is our certificate that it does not like.
        advice = "The server may want a certificate of ours: name one with client_cert_file"
    return TLSError(
        f"no trusted connection to {call.endpoint.name}: {reason}. {advice}",
        attempts=call.attempts,
    )


def _broken(causes: list[Exception], call: Call) -> Exception:
    """A connection stood, and then something went wrong with it."""
    if any(getattr(cause, "on_reused_connection", False) for cause in causes):
        return ReusedConnectionDroppedError()
    strange = _any(causes, http.client.BadStatusLine, http.client.LineTooLong)
    if strange and not _any(causes, http.client.RemoteDisconnected):
        return InvalidAnswerError(f"{call.endpoint.name} answers, but not in HTTP")
    return lost(call)


def _is_connect_timeout(causes: Iterable[Exception]) -> bool:
    """For old callers' sake urllib3 makes every failed connection a child of its time-out."""
    kinds = requests.exceptions.ConnectTimeout, ConnectTimeoutError
    return any(isinstance(c, kinds) and not isinstance(c, NewConnectionError) for c in causes)


def _any(causes: Iterable[Exception], *kinds: type[Exception]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _causes(error: Any) -> Iterator[Exception]:
    """The chain that requests and urllib3 wrap around the first exception."""
    while isinstance(error, Exception):
        yield error
        inner = [
            value for value in (getattr(error, "reason", None), *error.args) if value is not error
        ]
        error = next((value for value in inner if isinstance(value, Exception)), None)


def _reason(error: Exception) -> str:
    """The innermost cause, without object addresses and pool descriptions."""
    last = list(_causes(error))[-1]
    text = str(last.args[-1]) if last.args else type(last).__name__
    return re.sub(r"^<[^>]*>: |^[\w.]+\(.*?\): ", "", text)
