"""A server on loopback that does, connection by connection, what real servers won't do on request.

Each accepted connection plays the next script of the list, the last one for all further connections. A script
gets a `Wire`: it reads requests and writes any bytes it likes, slowly, cut, or not at all.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Script = Callable[["Wire"], object]


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire. `connection` counts from 0."""

    connection: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """One accepted connection."""

    socket: socket.socket
    number: int
    seen: list[Seen]

    def read(self) -> Seen | None:
        """Read one request; None when the client has gone."""
        head = b""
        while b"\r\n\r\n" not in head:
            received = self.socket.recv(65536)
            if not received:
                return None
            head += received
        head, _, body = head.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines)}
        parts, lacking = [body], int(headers.get("content-length", 0)) - len(body)
        while lacking > 0 and (received := self.socket.recv(65536)):
            parts.append(received)
            lacking -= len(received)
        body = b"".join(parts)
        method, target, _ = first.split(" ")
        request = Seen(self.number, method, target, headers, body)
        self.seen.append(request)
        return request

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.socket.sendall(data)

    def drip(self, data: bytes, *, pause_s: float) -> None:
        """Write byte by byte, with a pause before each."""
        for at in range(len(data)):
            time.sleep(pause_s)
            self.write(data[at : at + 1])

    def answer(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        """Read a request and answer it whole, keeping the connection."""
        if self.read() is not None:
            self.write(http(status, body, **headers))

    def reset(self) -> None:
        """End the connection as a crashed process does (RST)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def http(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """Write an HTTP/1.1 answer; header names are given with underscores."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class FaultServer:
    """The running server. `seen` holds every request, `connections` counts those accepted."""

    port: int
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextlib.contextmanager
def fault_server(*scripts: Script, tls: ssl.SSLContext | None = None) -> Iterator[FaultServer]:
    """Run the scripts, one a connection, until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = FaultServer(listener.getsockname()[1], scheme="https" if tls else "http")
    threads: list[threading.Thread] = []

    def play(connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.settimeout(10)
            wrapped = tls.wrap_socket(connection, server_side=True) if tls else connection
            with contextlib.closing(wrapped):
                scripts[min(number, len(scripts) - 1)](Wire(wrapped, number, server.seen))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                thread = threading.Thread(
                    target=play, args=(connection, server.connections), daemon=True
                )
                server.connections += 1
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(timeout=2)
