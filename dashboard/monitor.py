"""What the health checks of this process saw, kept in memory: the last few minutes per model."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from kserve_client.health import Ladder

SAMPLES = 240


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a model. `latency_ms` is None when it did not answer."""

    at: datetime
    is_ready: bool
    latency_ms: float | None


class Monitor:
    """Samples per model, the newest last. May be shared between threads."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[Sample]] = {}
        self._lock = threading.Lock()

    def observe(self, ladders: Iterable[Ladder]) -> None:
        """Remember what these checks saw."""
        with self._lock:
            for ladder in ladders:
                kept = self._samples.setdefault(ladder.model, deque(maxlen=SAMPLES))
                latency_ms = ladder.latency_ms if ladder.is_ready else None
                kept.append(Sample(ladder.checked_at, ladder.is_ready, latency_ms))

    def samples(self, model: str) -> tuple[Sample, ...]:
        """What was seen of a model."""
        with self._lock:
            return tuple(self._samples.get(model, ()))
