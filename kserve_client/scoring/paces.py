"""Paces: what threads of one process learnt about how fast to go, kept from one task to the next."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from kserve_client.scoring.options import ScoreOptions
from kserve_client.scoring.pace import Pace


class Paces:
    """Lends a pace to one thread at a time, with what it learnt before."""

    def __init__(self, options: ScoreOptions) -> None:
        self._options = options
        self._free: list[Pace] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def lent(self) -> Iterator[Pace]:
        """A pace that no other thread has now."""
        with self._lock:
            found = self._free.pop() if self._free else None
        pace = found or Pace(self._options.chunk_rows, self._options.concurrency)
        try:
            yield pace
        finally:
            with self._lock:
                self._free.append(pace)
