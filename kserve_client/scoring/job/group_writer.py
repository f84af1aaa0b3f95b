"""Writes things in groups from a thread of its own, so that nobody waits for a disk or a storage.

A sync of a file takes milliseconds, a put to S3 tens of them; chunks are done every few. So what
comes within a fraction of a second is written together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
# A publication may take a twentieth of the time: after one of p seconds, the next waits 19 p.
_PUBLISHING_SHARE = 0.05


class GroupWriter(Generic[T]):
    """Calls `write` with what was added since the last time, then `publish`.

    A group begins at most every `interval_s` seconds, or when `most_bytes` wait. When `write` fails,
    nothing of the group counts as written: the error is raised by the next call of `add`, and `flush`
    tries again. When `publish` fails, the next one is to make good for it.
    """

    def __init__(
        self,
        write: Callable[[list[T]], None],
        publish: Callable[[], None],
        *,
        interval_s: float,
        most_bytes: int,
    ) -> None:
        self._write, self._publish = write, publish
        self._interval_s, self._most_bytes = interval_s, most_bytes
        self._changed = threading.Condition()
        self._items: list[T] = []
        self._bytes = 0
        self._next_at = 0.0
        self._is_busy = self._is_unpublished = self._is_urgent = self._is_closed = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="job-writer", daemon=True)
        self._thread.start()

    def add(self, item: T, size_bytes: int) -> None:
        """Have an item written soon. Waits while too much is waiting already."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or self._bytes < self._most_bytes)
            self._raise_failure()
            self._items.append(item)
            self._bytes += size_bytes
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all is written and published. Raises what `write` or `publish` did."""
        with self._changed:
            self._failure = None
            self._is_urgent = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._failure or self._is_idle)
            self._is_urgent = False
            self._raise_failure()

    def close(self) -> None:
        """Flush, and end the thread whatever comes of that."""
        if self._is_closed:
            return
        try:
            self.flush()
        finally:
            with self._changed:
                self._is_closed = True
                self._changed.notify_all()
            self._thread.join()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    @property
    def _is_idle(self) -> bool:
        return not (self._items or self._is_busy or self._is_unpublished)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._is_due() and not self._is_closed:
                    self._changed.wait(self._wait_s())
                if self._is_closed:
                    return
                group, self._items, self._bytes = self._items, [], 0
                self._is_busy = True
            self._deal_with(group)

    def _is_due(self) -> bool:
        if self._failure is not None or not (self._items or self._is_unpublished):
            return False
        is_time = time.monotonic() >= self._next_at
        return self._is_urgent or is_time or self._bytes >= self._most_bytes

    def _wait_s(self) -> float | None:
        if self._failure is not None or not (self._items or self._is_unpublished):
            return None
        return max(self._next_at - time.monotonic(), 0.0)

    def _deal_with(self, group: list[T]) -> None:
        failure: Exception | None = None
        left = group
        spent_s = 0.0
        try:
            if group:
                self._write(group)
            left = []
            self._is_unpublished = True
            began = time.monotonic()
            self._publish()
            spent_s = time.monotonic() - began
            self._is_unpublished = False
        except Exception as error:  # noqa: BLE001 - raised where somebody waits for it
            failure = error
        with self._changed:
            self._items = left + self._items
            self._failure = failure
            self._is_busy = False
            pause_s = spent_s * (1 / _PUBLISHING_SHARE - 1)
            self._next_at = time.monotonic() + max(self._interval_s, pause_s)
            self._changed.notify_all()
