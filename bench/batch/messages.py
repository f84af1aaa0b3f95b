"""The least of HTTP that the benchmark's own servers need: whole messages with a length, connections kept alive."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Awaitable, Callable

LOOPBACK = "127.0.0.1"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


async def message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read a request or an answer: its head with the empty line, its body. Raises IncompleteReadError at the end."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head, await reader.readexactly(int(length[1]) if length else 0)


def answer(status: str, body: bytes) -> bytes:
    """An answer in JSON; `status` is a number with its words."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def is_infer(head: bytes) -> bool:
    """Whether a request asks for an inference."""
    line = head.partition(b"\r\n")[0]
    return line.startswith(b"POST ") and b"/infer " in line


async def serve(each_connection: Serve) -> None:
    """Serve on a free port of this machine, and print the port, until the process ends."""

    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await each_connection(reader, writer)
        writer.close()

    server = await asyncio.start_server(until_closed, LOOPBACK, 0, backlog=256)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()
