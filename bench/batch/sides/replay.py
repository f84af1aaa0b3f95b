"""The limit: one request, encoded before the clock starts, again and again.

`python -m bench.batch.sides.replay HOST PORT INPUT ROWS SOCKETS`.

Each of SOCKETS threads has a connection, which it keeps, and reads no more of an answer than its length. Whoever
reads a table, encodes it, decodes answers and writes a table on the same two cores can't be faster.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson

from bench.batch.table import first_rows

REQUEST_ROWS = 10_000
_HEAD = (
    "POST /v2/models/iris/infer HTTP/1.1\r\nhost: localhost\r\n"
    "content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def request(source: Path) -> bytes:
    """The request with the first rows of the table."""
    table = first_rows(source, REQUEST_ROWS)
    data = {
        "name": "input-0",
        "shape": list(table.shape),
        "datatype": "FP64",
        "data": table.ravel(),
    }
    body = orjson.dumps({"inputs": [data]}, option=orjson.OPT_SERIALIZE_NUMPY)
    return _HEAD.format(length=len(body)).encode() + body


class Connection:
    """A connection that sends the same and looks at the status and length of what comes back."""

    def __init__(self, address: tuple[str, int], what: bytes) -> None:
        self._what = what
        self._buffer = memoryview(bytearray(1 << 20))
        self._socket = socket.create_connection(address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, times: int) -> None:
        """Send and wait, so many times. Raises OSError when an answer is not a good one."""
        for _ in range(times):
            self._socket.sendall(self._what)
            self._skip_answer()

    def _skip_answer(self) -> None:
        head, length = b"", None
        while length is None:
            head += self._received()
            start, end, _ = head.partition(b"\r\n\r\n")
            length = _LENGTH.search(start) if end else None
        if not head.startswith(b"HTTP/1.1 200"):
            raise OSError(f"not answered: {head[:300]!r}")
        left = len(start) + len(end) + int(length[1]) - len(head)
        while left > 0:
            left -= len(self._received())

    def _received(self) -> memoryview:
        count = self._socket.recv_into(self._buffer)
        if not count:
            raise OSError("the server closed the connection")
        return self._buffer[:count]


def run(arguments: list[str]) -> None:
    """Print the seconds of so many rows, without the time to connect."""
    host, port, source, rows, sockets = arguments
    count, what = int(sockets), request(Path(source))
    connections = [Connection((host, int(port)), what) for _ in range(count)]
    times = max(1, int(rows) // REQUEST_ROWS // count)
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda one: one.ask(1), connections))
        started = time.perf_counter()
        list(pool.map(lambda one: one.ask(times), connections))
        took_s = time.perf_counter() - started
    said = {"own_s": took_s, "rows": times * count * REQUEST_ROWS}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    run(sys.argv[1:])
