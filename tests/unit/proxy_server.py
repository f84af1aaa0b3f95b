"""A small proxy on loopback: it forwards plain requests and opens tunnels (CONNECT)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """The running proxy. `lines` holds the first line of each request, `proofs` its proxy credentials."""

    port: int
    scheme: str = "http"
    lines: list[str] = field(default_factory=list)
    proofs: list[str] = field(default_factory=list)
    # Where names lead: there is no DNS in a test.
    hosts: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """What the proxy variables hold."""
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextmanager
def proxy_server(
    *, password: str | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Proxy]:
    """Run a proxy until the block ends; `password` is the value of Proxy-Authorization it wants."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(listener.getsockname()[1], scheme="https" if tls else "http")

    def serve(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            spoken = tls.wrap_socket(client, server_side=True) if tls else client
            with spoken:
                _serve(spoken, proxy, password)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield proxy
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(timeout=2)


def _serve(client: socket.socket, proxy: Proxy, password: str | None) -> None:
    """One connection: a tunnel, or one forwarded request, whose answer ends it."""
    with contextlib.suppress(OSError):
        head, _, body = _until_blank_line(client).partition(b"\r\n\r\n")
        first, *headers = head.decode().split("\r\n")
        known = {key.lower(): value for key, _, value in (h.partition(": ") for h in headers)}
        proxy.lines.append(first)
        proxy.proofs.append(known.get("proxy-authorization", ""))
        if password is not None and known.get("proxy-authorization") != password:
            client.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
            )
            return
        method, target, _ = first.split(" ")
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            with socket.create_connection(proxy.hosts.get(host, (host, int(port)))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                _pump(client, server)
            return
        parts = urlsplit(target)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        where = proxy.hosts.get(parts.hostname or "", (parts.hostname or "", parts.port or 80))
        kept = [h for h in headers if not h.lower().startswith(("proxy-", "connection:"))]
        lines = [f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]
        with socket.create_connection(where) as server:
            server.sendall("\r\n".join(lines).encode() + body)
            _pump(client, server)


def _until_blank_line(client: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        more = client.recv(65536)
        if not more:
            return received
        received += more
    return received


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Both ways, until one side has enough."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join(timeout=5)
