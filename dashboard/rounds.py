"""Checks of models, made beside the pages that show them: nobody waits long for one that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from dashboard.jobs.ending import close_at_end
from kserve_client.health import Ladder
from kserve_client.health.probes import CHECKS_AT_ONCE

Key = TypeVar("Key", bound=Hashable)
FRESH = timedelta(seconds=3)
# What is older says too little of how a model is.
OLDEST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Look:
    """The last check of a model, None where there is none of late; whether another is under way."""

    ladder: Ladder | None
    is_checking: bool = False


@dataclass(frozen=True, slots=True)
class _Begun:
    """A check that is under way, since `at_s` of the monotonic clock."""

    future: Future[Ladder]
    at_s: float

    def wait(self, longest_s: float) -> None:
        """Wait until it is over, or `longest_s` after it began."""
        wait([self.future], max(self.at_s + longest_s - time.monotonic(), 0))


class Rounds:
    """The last check of each model; another one is made when somebody looks. For many threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(CHECKS_AT_ONCE, thread_name_prefix="check")
        self._last: dict[Hashable, Ladder] = {}
        self._begun: dict[Hashable, _Begun] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        close_at_end(self)

    def close(self) -> None:
        """Begin no check any more. Those that are under way end by their own time-outs."""
        with self._lock:
            self._is_closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def look(
        self, checks: Mapping[Key, Callable[[], Ladder]], *, longest_s: float
    ) -> dict[Key, Look]:
        """Return what is known, at most three seconds old where that is found in `longest_s`.

        What takes longer goes on beside, and is known at a later look. Raises what a check raised.
        """
        with self._lock:
            begun = [self._begin(key, check) for key, check in checks.items()]
        for one in begun:
            if one is not None:
                one.wait(longest_s)
        with self._lock:
            return {key: self._look(key) for key in checks}

    def _begin(self, key: Hashable, check: Callable[[], Ladder]) -> _Begun | None:
        last = self._look(key)
        is_wanted = not last.is_checking and not _is_within(FRESH, last.ladder)
        if is_wanted and not self._is_closed:
            self._begun[key] = _Begun(self._pool.submit(check), time.monotonic())
        return self._begun.get(key)

    def _look(self, key: Hashable) -> Look:
        if key in self._begun and self._begun[key].future.done():
            future = self._begun.pop(key).future
            if not future.cancelled():
                self._last[key] = future.result()
        last = self._last.get(key)
        return Look(last if _is_within(OLDEST, last) else None, key in self._begun)


def _is_within(longest: timedelta, ladder: Ladder | None) -> bool:
    """Whether a check is no older; one of the future was made before the clock was set back."""
    return ladder is not None and timedelta() <= datetime.now(UTC) - ladder.checked_at <= longest
