"""A proxy that answers some requests with 503 itself: `python -m bench.batch.faulty_proxy HOST PORT EVERY`.

One inference of EVERY is not handed on, so that a run can be compared with one that EVERY 0 leaves alone. It
counts rather than draws, so each run with as many requests meets as many faults.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from functools import partial

from bench.batch.messages import answer, is_infer, message, serve

UNAVAILABLE = answer("503 Service Unavailable", b'{"error":"no healthy upstream"}')


class Faults:
    """Which inferences are not handed on: one of `every`, the first of them half way; none when `every` is 0."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._numbers = itertools.count()

    def is_next(self) -> bool:
        """Count one more inference, and say whether it is one of them."""
        number = next(self._numbers)
        return self._every > 0 and number % self._every == self._every // 2


async def _connection(
    upstream: tuple[str, int],
    faults: Faults,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Hand on the requests of one connection over one other connection."""
    from_server, to_server = await asyncio.open_connection(*upstream)
    try:
        while True:
            head, body = await message(reader)
            if is_infer(head) and faults.is_next():
                writer.write(UNAVAILABLE)
                continue
            to_server.writelines((head, body))
            writer.writelines(await message(from_server))
    finally:
        to_server.close()


if __name__ == "__main__":
    host, port, every = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    asyncio.run(serve(partial(_connection, (host, port), Faults(every))))
