"""The server of the benchmarks that make calls, in a process of its own: `python -m bench.server WAIT_S`.

It prints its port, and answers every request after so many seconds, over kept-alive connections, with what
MLServer 1.7.1 answers for one row of iris, so that what is measured is the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from functools import partial

from bench.processes import listening

LOOPBACK = "127.0.0.1"
_PROBABILITIES = [0.9766, 0.0234, 0.0000001]
_OUTPUTS = [
    {"name": "predict", "shape": [1, 1], "datatype": "INT64", "data": [0]},
    {"name": "predict_proba", "shape": [1, 3], "datatype": "FP64", "data": _PROBABILITIES},
]
_BODY = json.dumps(
    {
        "model_name": "iris",
        "model_version": "v1",
        "id": "f70965e6-3427-4f4e-9edf-2fe28d0c53e8",
        "parameters": {},
        "outputs": _OUTPUTS,
    },
    separators=(",", ":"),
).encode()
_HEAD = (
    "HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 13:12:54 GMT\r\nserver: uvicorn\r\n"
    f"content-length: {len(_BODY)}\r\ncontent-type: application/json\r\n\r\n"
).encode()


async def _answer(
    wait_s: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(length[1]) if length else 0)
            if wait_s:
                await asyncio.sleep(wait_s)
            writer.write(_HEAD + _BODY)
    writer.close()


async def _serve(wait_s: float) -> None:
    server = await asyncio.start_server(partial(_answer, wait_s), LOOPBACK, 0, backlog=256)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def running(wait_s: float = 0.0) -> contextlib.AbstractContextManager[str]:
    """Start the server, which waits before each answer; give its URL, end it with the block."""
    return listening("bench.server", str(wait_s))


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
