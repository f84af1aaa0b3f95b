"""The one place where failures of the Kubernetes library become ours."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import orjson
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from kserve_client.errors import (
    AccessError,
    ConnectError,
    ConnectionLostError,
    KServeClientError,
    NoAnswerInTimeError,
    NotFoundError,
    NotReadyError,
    ServerError,
    TLSError,
)

EXCERPT_CHARACTERS = 300
ROLE_ADVICE = (
    "Our account needs a Role with get, list and watch on inferenceservices in serving.kserve.io: "
    "see docs/kubernetes.md"
)
NO_KSERVE = (
    "the cluster knows no InferenceServices: KServe (serving.kserve.io/v1beta1) is not installed"
)


def call_failure(error: Exception, *, verb: str, where: str, host: str) -> KServeClientError:
    """Say why a call failed; `error` is an ApiException, or one of urllib3 or the system.

    `verb` is list or watch, `where` such as "namespace models", `host` the address of the API.
    """
    status = getattr(error, "status", None)
    if isinstance(status, int) and status:
        return _refused(status, getattr(error, "body", None), verb=verb, where=where, host=host)
    # With status 0 the library repeats what the TLS library said.
    if status == 0:
        words = str(getattr(error, "reason", "")).replace("\n", ": ")
        return _untrusted(host, words)
    return transport_failure(error, host)


def transport_failure(error: Exception, host: str) -> KServeClientError:
    """Say why there was no whole answer."""
    causes = tuple(_causes(error))
    if _any(causes, SSLError, ssl.SSLError):
        return _untrusted(host, str(causes[-1]))
    if _any(causes, ConnectTimeoutError, NewConnectionError, ProxyError, ConnectionRefusedError):
        return ConnectError(f"no connection to the Kubernetes API at {host}: {_words(causes[-1])}")
    if _any(causes, ReadTimeoutError, TimeoutError):
        return NoAnswerInTimeError(f"the Kubernetes API at {host} did not answer in time")
    return ConnectionLostError(
        f"the connection to the Kubernetes API at {host} ended: {_words(causes[-1])}"
    )


def status_failure(value: Any, *, where: str, host: str) -> ServerError:
    """Say what an ERROR event of a watch holds: a Status object."""
    code = value.get("code") if isinstance(value, dict) else None
    status = code if isinstance(code, int) else 500
    return _refused(status, orjson.dumps(value, default=str), verb="watch", where=where, host=host)


def _refused(status: int, body: Any, *, verb: str, where: str, host: str) -> ServerError:
    said = _said(body)
    details: Any = {"status": status, "server_message": said}
    told = f": {said}" if said else ""
    if status == 401:
        return AccessError(
            f"the Kubernetes API at {host} did not accept our token; it may have expired{told}",
            **details,
        )
    if status == 403:
        nobody = " It took us for nobody: no token was sent." if "system:anonymous" in said else ""
        return AccessError(
            f"no permission to {verb} InferenceServices in {where}{told}.{nobody} {ROLE_ADVICE}",
            **details,
        )
    if status == 404:
        return NotFoundError(NO_KSERVE, **details)
    if 300 <= status < 400:
        return AccessError(
            f"{host} redirects elsewhere: it is no Kubernetes API, or a login stands before it",
            **details,
        )
    kind = NotReadyError if status in (429, 503) else ServerError
    return kind(f"the Kubernetes API at {host} answered {status}{told}", **details)


def _said(body: Any) -> str:
    """The message of a Status object, else the text as it is."""
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        return ""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return " ".join(body.decode(errors="replace").split())[:EXCERPT_CHARACTERS]
    message = value.get("message") if isinstance(value, dict) else None
    return message[:EXCERPT_CHARACTERS] if isinstance(message, str) else ""


def _untrusted(host: str, words: str) -> TLSError:
    return TLSError(
        f"no trust between us and the Kubernetes API at {host}: {words[:EXCERPT_CHARACTERS]}. "
        "Check the certificate authority of the kubeconfig or the service account"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it stands for, the outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        inner = getattr(current, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((one for one in current.args if isinstance(one, BaseException)), None)
        current = inner or current.__cause__


def _any(causes: tuple[BaseException, ...], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _words(error: BaseException) -> str:
    text = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    if isinstance(error, HTTPError):
        text = text.rpartition(">: ")[2] or text  # urllib3 writes the repr of the connection first
    return text[:EXCERPT_CHARACTERS] or type(error).__name__
