"""What the health checks of this process saw, kept in memory: the last few minutes per model."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from kserve_client.health import Ladder

SAMPLES = 240


@dataclass(frozen=True, slots=True)
class Sample:
    """One ready check of a model: what its step "Model ready" took, None when it did not say so."""

    at: datetime
    latency_ms: float | None

    @property
    def is_ready(self) -> bool:
        """Whether the model said that it is ready."""
        return self.latency_ms is not None


class Monitor:
    """Samples per model, the newest last. May be shared between threads."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[Sample]] = {}
        self._lock = threading.Lock()

    def observe(self, ladder: Ladder) -> None:
        """Remember what a check saw."""
        with self._lock:
            kept = self._samples.setdefault(ladder.model, deque(maxlen=SAMPLES))
            kept.append(Sample(ladder.checked_at, ladder.latency_ms))

    def samples(self, model: str) -> tuple[Sample, ...]:
        """What was seen of a model."""
        with self._lock:
            return tuple(self._samples.get(model, ()))
