"""Crew: threads that do what comes, as many as were ever needed at once.

Not a ThreadPoolExecutor: at its end Python waits for the threads of one, and a request that hangs
would hold a process for minutes that was asked to end.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from typing import Any

_numbers = itertools.count(1)


class Crew:
    """Runs calls in daemon threads. Used from one thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._size = 0

    def run(self, call: Callable[[], Any], *, at_once: int) -> None:
        """Run a call, which must not raise; `at_once` is how many are under way with it."""
        self._calls.put(call)
        while self._size < at_once:
            self._size += 1
            name = f"{self._name}-{next(_numbers)}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def end(self) -> None:
        """Let each thread end when it has done what it does."""
        for _ in range(self._size):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # what it holds is no longer needed
