"""The pooled connections to one endpoint, straight or through the proxy of the environment."""

from __future__ import annotations

import http.client
import io
import math
import ssl
import threading
import time
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from requests.utils import (
    get_environ_proxies,
    select_proxy,
    urldefragauth,
)
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import parse_url

from kserve_client.endpoint import Endpoint
from kserve_client.transport.call import Address, Request
from kserve_client.transport.forks import begin_anew_in_children
from kserve_client.transport.tls import proxy_context, stamp_of, tls_context

# Whether the next request of this thread must not take a kept connection.
fresh_connection_wanted: ContextVar[bool] = ContextVar("fresh", default=False)
# When the answer to the next request of this thread has to be whole, on the monotonic clock.
answer_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)
_DROPPED = (
    http.client.RemoteDisconnected,
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    ssl.SSLEOFError,
)


class Adapter(HTTPAdapter):
    """The adapter of `requests` for one endpoint.

    It finds pool, proxy and TLS settings once instead of for each request, and leaves the rest as it
    is; `send` above all, so that tests can put their own answers in its place.
    """

    poolmanager: PoolManager

    def __init__(self, endpoint: Endpoint, *, pool_maxsize: int) -> None:
        super().__init__(pool_maxsize=pool_maxsize)
        self._endpoint = endpoint
        self._pool_size = pool_maxsize
        self._proxy = select_proxy(endpoint.url, get_environ_proxies(endpoint.url))
        self._lock = threading.Lock()
        self._pool: HTTPConnectionPool | None = None
        self._stamp: tuple[int, ...] = ()
        begin_anew_in_children(self)

    def address_of(self, path: str) -> Address:
        """The URL of a path below the endpoint's. Raises what `requests` raises for a wrong one."""
        request = requests.PreparedRequest()
        request.prepare_url(self._endpoint.url + path, None)
        url = str(request.url)
        is_forwarded = (
            self._proxy and not self._endpoint.is_tls and not self._proxy.startswith("socks")
        )
        return Address(url, urldefragauth(url) if is_forwarded else request.path_url)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        """The pool of the endpoint; a new one when a file of its TLS settings was replaced."""
        stamp = stamp_of(self._endpoint)
        if self._pool is None or stamp != self._stamp:
            with self._lock:
                if self._pool is None or stamp != self._stamp:
                    self._pool, self._stamp = self._made(), stamp
        return self._pool

    def _made(self) -> HTTPConnectionPool:
        parts = parse_url(self._endpoint.url)
        settings: dict[str, Any] = {}
        if self._endpoint.is_tls:
            settings["ssl_context"] = tls_context(self._endpoint)
            settings["server_hostname"] = self._endpoint.checked_name
        pool: HTTPConnectionPool = self._manager().connection_from_host(
            parts.host, port=parts.port, scheme=parts.scheme, pool_kwargs=settings
        )
        return pool

    def _manager(self) -> Any:
        if not self._proxy:
            self.poolmanager.pool_classes_by_scheme = _POOLS
            return self.poolmanager
        proxy = self._proxy if "://" in self._proxy else f"http://{self._proxy}"
        if not parse_url(proxy).host:
            raise requests.exceptions.InvalidProxyURL("the proxy of the environment has no host")
        scheme = urlsplit(proxy).scheme.lower()
        more = {"proxy_ssl_context": proxy_context(self._endpoint)} if scheme == "https" else {}
        manager = self.proxy_manager_for(proxy, **more)
        if not scheme.startswith("socks"):  # which has pools of its own, that know the way
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def close(self) -> None:
        """Close the idle connections; a later request begins anew."""
        super().close()
        self._pool = None

    def begin_anew(self) -> None:
        """Drop the parent's connections in a forked child: on these each would read the other's answers.

        That closes them here without a word to the server; in the parent they go on.
        """
        idle = self._pool and self._pool.pool
        if idle and idle.mutex.locked():  # by a thread of the parent; the drop would wait for it
            idle.mutex.release()
        self._lock, self._pool, self.proxy_manager = threading.Lock(), None, {}
        self.init_poolmanager(DEFAULT_POOLSIZE, self._pool_size)

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Leave the pool as it is: its TLS context says all of it."""

    def request_url(self, request: requests.PreparedRequest, _: Any) -> str:
        """What stands in the first line of the request."""
        return request.target if isinstance(request, Request) else super().request_url(request, {})

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """The answer without cookies, history and a guess at its encoding, which nobody asks for."""
        response = requests.Response()
        response.status_code = resp.status
        response.headers = resp.headers
        response.raw = resp
        response.url = str(req.url)
        response.request = req
        return response


class _TimedBytes(io.RawIOBase):
    """The bytes of an answer; no wait for one exceeds the socket's time-out or what is left.

    All that is read comes through here: heads, the lines between chunks, bodies, and what a proxy
    says before.
    """

    def __init__(self, file: Any, sock: Any) -> None:
        self._file = file
        self._sock = sock
        self._wait_s = sock.gettimeout() or math.inf
        self._deadline = answer_deadline.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        self._sock.settimeout(_bounded(self._wait_s, self._deadline))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


def _bounded(wait_s: float, deadline: float) -> float | None:
    """A time-out that ends with the deadline at the latest; None is for ever."""
    wait_s = min(wait_s, deadline - time.monotonic())
    if wait_s <= 0:
        raise TimeoutError("the deadline is over")
    return wait_s if wait_s < math.inf else None


class _Lines:
    """Reads the head of an answer, and remembers its last line."""

    last: bytes = b""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def readline(self, limit: int) -> bytes:
        self.last = self._file.readline(limit)
        return self.last


class _Answer(http.client.HTTPResponse):
    """An answer that ends in time, with a whole head: Python takes a cut one for fewer headers."""

    fp: Any

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedBytes(self.fp.detach(), sock))

    def begin(self) -> None:
        file = self.fp
        self.fp = lines = _Lines(file)
        super().begin()
        if self.fp is lines:
            self.fp = file
        if not lines.last:
            raise http.client.IncompleteRead(b"")


class _WatchedConnection:
    """Marks the exception of a connection that had already given an answer and was then dropped."""

    response_class: Any = _Answer
    answers = 0
    sock: Any

    def connect(self) -> None:
        self.answers = 0
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> None:
        try:
            if self.sock is None:
                self.connect()
            # A long body may take what is left, and not only as long as a connection may.
            self.timeout = _bounded(math.inf, answer_deadline.get())
            super().request(*args, **kwargs)  # type: ignore[misc]
        except _DROPPED as error:
            self._mark(error)
            raise

    def getresponse(self) -> Any:
        try:
            response = super().getresponse()  # type: ignore[misc]
        except _DROPPED as error:
            self._mark(error)
            raise
        self.answers += 1
        return response

    def _mark(self, error: Any) -> None:
        error.on_reused_connection = self.answers > 0


class _PlainConnection(_WatchedConnection, HTTPConnection):
    pass


class _TLSConnection(_WatchedConnection, HTTPSConnection):
    pass


class _WatchedPool:
    """Gives a replay a new connection: the other idle ones are probably dead too."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)  # type: ignore[misc]
        if fresh_connection_wanted.get():
            connection.close()  # it connects again when it is used
        return connection


class _PlainPool(_WatchedPool, HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(_WatchedPool, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection

    def _validate_conn(self, conn: Any) -> None:
        """Connect before the request, without urllib3's warning: ours is said once per endpoint."""
        if conn.is_closed:
            conn.connect()


_POOLS = {"http": _PlainPool, "https": _TLSPool}
