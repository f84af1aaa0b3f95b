"""Many calls at once: threads that share a client, and tasks of one asyncio loop.

Runs in the environment of every side: the standard library only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import data


class Threads:
    """`count` threads, kept from one measurement to the next, each of which makes a few calls in turn."""

    def __init__(self, count: int, call: Callable[[], Any]) -> None:
        self._count = count
        self._call = call
        self._pool = ThreadPoolExecutor(count)
        self.inferences = count * data.turns()

    def __call__(self) -> list[Any]:
        """Make all calls; the labels they were answered with."""
        return [
            label for some in self._pool.map(self._in_turn, range(self._count)) for label in some
        ]

    def _in_turn(self, _: int) -> list[Any]:
        return [self._call() for _ in range(data.turns())]


class Tasks:
    """The same with tasks. `call` makes one call on the loop given to it."""

    def __init__(
        self, count: int, call: Callable[[], Awaitable[Any]], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._count = count
        self._call = call
        self._loop = loop
        self.inferences = count * data.turns()

    def __call__(self) -> list[Any]:
        """Make all calls; the labels they were answered with."""
        return self._loop.run_until_complete(self._all())

    async def _all(self) -> list[Any]:
        found = await asyncio.gather(*(self._in_turn() for _ in range(self._count)))
        return [label for some in found for label in some]

    async def _in_turn(self) -> list[Any]:
        return [await self._call() for _ in range(data.turns())]
