"""Who runs and who waits: so many jobs at once, the others in the order they came."""

from __future__ import annotations

import threading
from collections import deque

from dashboard.jobs.work import Work


class Line:
    """The jobs of this process that are not over. May be shared between threads.

    Every page asks it, so nothing is written while its lock is held: a storage may take its time.

    A paused job gives its place to another one; when it goes on, it is the next to get a place.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._lock = threading.RLock()
        self._known: dict[str, Work] = {}
        self._running: set[Work] = set()
        self._waiting: deque[Work] = deque()

    def get(self, job_id: str) -> Work | None:
        """A job of this process; None when it has no such job, or it is over."""
        with self._lock:
            return self._known.get(job_id)

    def all(self) -> list[Work]:
        """Every job of this process that is not over."""
        with self._lock:
            return list(self._known.values())

    def ahead(self, work: Work) -> int:
        """How many jobs come before one that waits."""
        with self._lock:
            return self._waiting.index(work) if work in self._waiting else 0

    def join(self, work: Work) -> None:
        """Let a job run when its turn comes."""
        with self._lock:
            self._known[work.card.id] = work
            self._waiting.append(work)
            self._next()

    def pause(self, work: Work) -> None:
        """Keep a job from running (on)."""
        with self._lock:
            if not self._has(work):
                return
            self._step_out(work)
            self._next()
        work.pause()

    def go_on(self, work: Work) -> None:
        """Let a paused job be the next."""
        with self._lock:
            is_paused = self._has(work) and work.card.state == "paused"
        if not is_paused:
            return
        try:
            work.go_on()
        finally:
            with self._lock:
                if self._has(work):
                    self._waiting.appendleft(work)
                    self._next()

    def drop(self, work: Work) -> bool:
        """Forget a job that has not begun; False when it has."""
        with self._lock:
            if work.is_begun:
                return False
            self.leave(work)
            return True

    def leave(self, work: Work) -> None:
        """The job is over."""
        with self._lock:
            # Its owner may have resumed it already: then another one stands in its place.
            if self._has(work):
                del self._known[work.card.id]
            self._step_out(work)
            self._next()

    def close(self) -> list[Work]:
        """Let nobody run any more; return those that were known."""
        with self._lock:
            self._at_once = 0
            self._waiting.clear()
            return list(self._known.values())

    def _has(self, work: Work) -> bool:
        return self._known.get(work.card.id) is work

    def _step_out(self, work: Work) -> None:
        self._running.discard(work)
        if work in self._waiting:
            self._waiting.remove(work)

    def _next(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            work = self._waiting.popleft()
            self._running.add(work)
            work.go()
