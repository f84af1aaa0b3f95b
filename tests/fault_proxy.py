"""A proxy on loopback between a client and a real server, which does to inferences what a policy says.

It keeps connections on both sides and hands bytes on unread; only the faults that change an answer
read its JSON. Requests that are no inferences pass. Each connection has its thread.
"""

from __future__ import annotations

import json
import random
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from http import HTTPStatus
from io import BufferedReader
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
PATIENCE_S = 60.0
Json = dict[str, Any]


class Kind(StrEnum):
    """What may happen to an inference."""

    PASS = "pass"
    # Answered here; the server is not asked.
    BUSY = "503"
    TOO_MANY = "429"
    BAD_GATEWAY = "502 in HTML"
    # The connection ends: before the server has the request, halfway into it, when the server has
    # answered but nothing is handed on, halfway into the answer.
    CUT_BEFORE = "cut before the server"
    CUT_WITHIN = "cut within the request"
    CUT_AFTER = "cut after the server"
    CUT_ANSWER = "cut within the answer"
    # The answer is another one: a row less, in all consistent; a value less than the shape says.
    FEWER_ROWS = "a row less"
    FEWER_VALUES = "a value less"
    OTHER_ID = "another id"


@dataclass(frozen=True)
class Fault:
    """What happens to one inference, after `delay_s`.

    `retry_after` is the header of a BUSY or TOO_MANY. A cut is a FIN, or a RST when `resets`.
    """

    kind: Kind = Kind.PASS
    delay_s: float = 0.0
    retry_after: str | None = None
    resets: bool = False


Policy = Callable[[int], Fault]
PASS = Fault()


def always(fault: Fault = PASS) -> Policy:
    """Do the same to each inference."""
    return lambda number: fault


def scripted(*faults: Fault, then: Fault = PASS) -> Policy:
    """Do these one after the other; `then` to all further inferences."""
    return lambda number: faults[number] if number < len(faults) else then


def drawn(seed: int, shares: Mapping[Fault, float]) -> Policy:
    """Draw a fault for each inference by its number; what is lacking to 1.0 passes."""
    faults, weights = [*shares, PASS], [*shares.values(), 1.0 - sum(shares.values())]

    def draw(number: int) -> Fault:
        return random.Random(f"{seed} {number}").choices(faults, weights)[0]

    return draw


@dataclass(frozen=True)
class Message:
    """A request or an answer as it came: the first line, the other lines of the head, the body."""

    first: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header's value, "" where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def closes(self) -> bool:
        """Whether the connection ends after it."""
        return self.header("connection").lower() == "close"

    @property
    def wire(self) -> bytes:
        """It as it travels."""
        lines = [self.first, *(f"{key}: {value}" for key, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body

    def with_body(self, body: bytes) -> Message:
        """Return it with another body, and the length of that."""
        kept = [h for h in self.headers if h[0].lower() not in {"content-length", FRAMING}]
        return replace(self, headers=(*kept, ("Content-Length", str(len(body)))), body=body)


FRAMING = "transfer-encoding"


@dataclass
class FaultProxy:
    """The running proxy: `counts` says what it did to inferences, `unfit` how often it could not.

    A fault that changes an answer is unfit for one that is no JSON with outputs; that one passes.
    `policy` may be replaced at any time; inferences are numbered from 0. What happens to those whose
    body holds one of `poisons` stands there instead.
    """

    target: str
    policy: Policy
    port: int = 0
    counts: Counter[Kind] = field(default_factory=Counter)
    inferences: int = 0
    unfit: int = 0
    poisons: Mapping[bytes, Fault] = field(default_factory=dict)
    connections: int = 0
    _listener: socket.socket | None = None
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its base URL, to be used instead of the server's."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Listen; on the same port each time."""
        self._ended = threading.Event()
        self._listener = socket.create_server((LOOPBACK, self.port), backlog=256)
        self.port = self._listener.getsockname()[1]
        accept = threading.Thread(
            target=self._accept, args=(self._listener, self._ended), daemon=True
        )
        accept.start()

    def stop(self) -> None:
        """Close the port and every connection, in the middle of whatever they do."""
        self._ended.set()
        with self._lock:
            sockets, self._open = self._open, set()
        for each in [*sockets, *([self._listener] if self._listener else [])]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        if self._listener:
            self._listener.close()
            self._listener = None

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Refuse connections until the block ends, as a server that is away."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def next_fault(self, body: bytes) -> Fault:
        """Draw what happens to the next inference, and count it."""
        poison = next((fault for mark, fault in self.poisons.items() if mark in body), None)
        with self._lock:
            number = self.inferences
            self.inferences += 1
            fault = poison or self.policy(number)
            self.counts[fault.kind] += 1
        return fault

    def miss(self) -> None:
        """Count a fault that did not fit."""
        with self._lock:
            self.unfit += 1

    def track(self, one: socket.socket, ended: threading.Event) -> None:
        """Remember a socket, to be shut when the proxy stops; at once if it has already."""
        with self._lock:
            self._open.add(one)
        if ended.is_set():
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def forget(self, *sockets: socket.socket) -> None:
        """Drop sockets that are closed."""
        with self._lock:
            self._open -= set(sockets)

    def _accept(self, listener: socket.socket, ended: threading.Event) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client, ended), daemon=True).start()

    def _serve(self, client: socket.socket, ended: threading.Event) -> None:
        line = _Line(self, client, ended)
        with suppress(OSError, ValueError), closing(line):
            while line.exchange():
                pass


class _Line:
    """One connection of a client and the one to the server that goes with it."""

    def __init__(self, proxy: FaultProxy, client: socket.socket, ended: threading.Event) -> None:
        self._proxy = proxy
        self._ended = ended
        self._client = self._ready(client)
        self._from_client = client.makefile("rb")
        self._server: socket.socket | None = None
        self._from_server: BufferedReader | None = None

    def _ready(self, one: socket.socket) -> socket.socket:
        one.settimeout(PATIENCE_S)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._proxy.track(one, self._ended)
        return one

    def close(self) -> None:
        """Close both sides."""
        self._drop_server()
        self._proxy.forget(self._client)
        self._from_client.close()
        self._client.close()

    def exchange(self) -> bool:
        """Serve one request; False when the connection has come to its end."""
        request = _read(self._from_client)
        if request is None:
            return False
        is_inference = request.first.split(" ")[1].partition("?")[0].endswith("/infer")
        fault = self._proxy.next_fault(request.body) if is_inference else PASS
        if fault.delay_s and self._ended.wait(fault.delay_s):
            return False
        return self._act(fault, request) and not request.closes

    def _act(self, fault: Fault, request: Message) -> bool:
        if fault.kind in ANSWERED_HERE:
            self._client.sendall(_answer_here(fault).wire)
            return True
        if fault.kind in {Kind.CUT_BEFORE, Kind.CUT_WITHIN}:
            if fault.kind is Kind.CUT_WITHIN:
                self._ask_half(request)
            return self._cut(fault)
        answer = self._ask(request)
        if fault.kind is Kind.CUT_AFTER:
            return self._cut(fault)
        if fault.kind is Kind.CUT_ANSWER:
            self._client.sendall(answer.wire[: -len(answer.body) // 2 or None])
            return self._cut(fault)
        answer = self._changed(fault, answer)
        self._client.sendall(answer.wire)
        return not answer.closes

    def _changed(self, fault: Fault, answer: Message) -> Message:
        if fault.kind is Kind.PASS:
            return answer
        body = _changed_body(fault.kind, answer)
        if body is None:
            self._proxy.miss()
            return answer
        return answer.with_body(body)

    def _cut(self, fault: Fault) -> bool:
        if fault.resets:
            linger = struct.pack("ii", 1, 0)
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False

    def _ask(self, request: Message) -> Message:
        server, reader = self._connected()
        server.sendall(request.wire)
        method = request.first.split(" ")[0]
        answer = _read(reader, is_answer=True, has_body=method != "HEAD")
        if answer is None:
            raise ConnectionError("the server closed the connection without an answer")
        if answer.closes:
            self._drop_server()
        return answer

    def _ask_half(self, request: Message) -> None:
        server, _ = self._connected()
        wire = request.wire
        server.sendall(wire[: len(wire) - len(request.body) // 2 - 1])
        self._drop_server()

    def _connected(self) -> tuple[socket.socket, BufferedReader]:
        """The connection to the server; a new one when the server has closed the old one."""
        if self._server and select.select([self._server], [], [], 0)[0]:
            self._drop_server()
        if self._server is None or self._from_server is None:
            target = urlsplit(self._proxy.target)
            where = (target.hostname or LOOPBACK, target.port or 80)
            self._server = self._ready(socket.create_connection(where, PATIENCE_S))
            self._from_server = self._server.makefile("rb")
        return self._server, self._from_server

    def _drop_server(self) -> None:
        if self._server and self._from_server:
            self._proxy.forget(self._server)
            self._from_server.close()
            self._server.close()
        self._server = self._from_server = None


ANSWERED_HERE = {
    Kind.BUSY: (503, "text/plain", b"the proxy says: busy"),
    Kind.TOO_MANY: (429, "application/json", b'{"error": "the proxy says: too many requests"}'),
    Kind.BAD_GATEWAY: (502, "text/html", b"<html><h1>502 Bad Gateway</h1></html>"),
}


def _answer_here(fault: Fault) -> Message:
    status, kind, body = ANSWERED_HERE[fault.kind]
    headers = [("Content-Type", kind)]
    if fault.retry_after is not None:
        headers.append(("Retry-After", fault.retry_after))
    first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    return Message(first, tuple(headers), b"").with_body(body)


def _read(
    reader: BufferedReader, *, is_answer: bool = False, has_body: bool = True
) -> Message | None:
    """Read one message whole; None where the stream ends instead."""
    first = reader.readline().decode("latin-1").rstrip("\r\n")
    if not first:
        return None
    lines = iter(lambda: reader.readline().decode("latin-1").rstrip("\r\n"), "")
    headers = tuple((key, value.strip()) for key, _, value in (x.partition(":") for x in lines))
    message = Message(first, headers, b"")
    has_body = has_body and not (is_answer and first.split(" ")[1] in {"204", "304"})
    return _with_body(reader, message, is_answer=is_answer) if has_body else message


def _with_body(reader: BufferedReader, head: Message, *, is_answer: bool) -> Message:
    length = head.header("content-length")
    if head.header(FRAMING).lower() == "chunked":
        return head.with_body(b"".join(_chunks(reader)))
    if length:
        body = reader.read(int(length))
        if len(body) < int(length):
            raise ConnectionError("the body ended early")
        return replace(head, body=body)
    if is_answer:
        whole = head.with_body(reader.read())
        return replace(whole, headers=(*whole.headers, ("Connection", "close")))
    return head


def _chunks(reader: BufferedReader) -> Iterator[bytes]:
    while size := int(reader.readline().partition(b";")[0], 16):
        yield reader.read(size)
        reader.readline()
    while reader.readline().strip():
        pass


def _changed_body(kind: Kind, answer: Message) -> bytes | None:
    """The body of an answer after a fault; None where it has no outputs to change."""
    if answer.first.split(" ")[1] != "200" or answer.header("inference-header-content-length"):
        return None
    with suppress(ValueError, KeyError, TypeError, IndexError):
        content: Json = json.loads(answer.body)
        CHANGES[kind](content)
        return json.dumps(content).encode()
    return None


def _drop_row(content: Json) -> None:
    for output in content["outputs"]:
        rows, data = output["shape"][0], output["data"]
        output["shape"][0] = rows - 1
        del data[len(data) - len(data) // rows :]


def _drop_value(content: Json) -> None:
    del content["outputs"][0]["data"][-1]


def _rename(content: Json) -> None:
    content["id"] = f"not-{content.get('id')}"


CHANGES: dict[Kind, Callable[[Json], None]] = {
    Kind.FEWER_ROWS: _drop_row,
    Kind.FEWER_VALUES: _drop_value,
    Kind.OTHER_ID: _rename,
}


@contextmanager
def fault_proxy(target: str, policy: Policy | None = None) -> Iterator[FaultProxy]:
    """Run a proxy before the server at `target`, a base URL, until the block ends."""
    proxy = FaultProxy(target, policy or always())
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
