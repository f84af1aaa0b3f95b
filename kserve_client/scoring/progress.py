"""How far a run is, and what became of its rows."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from kserve_client.errors import KServeClientError
from kserve_client.scoring.outside import Outside
from kserve_client.scoring.rows import Scored
from kserve_client.scoring.run import Figures

RATE_WINDOW_S = 10.0


class Paced(Protocol):
    """How large chunks are and how many are under way."""

    @property
    def chunk_rows(self) -> int:
        """Rows of a chunk."""
        ...

    @property
    def concurrency(self) -> int:
        """Chunks at a time."""
        ...


class Running(Protocol):
    """What is told of a run, in this process or on a cluster."""

    stopped: str
    has_too_many_failures: bool
    first_failure: KServeClientError | None
    figures: Figures

    @property
    def pace(self) -> Paced:
        """How fast it goes."""
        ...

    @property
    def is_answered(self) -> bool:
        """Whether the server ever dealt with a request."""
        ...

    @property
    def is_waiting(self) -> bool:
        """Whether the model gives no answer."""
        ...

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody ended it."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    `rows_total` is None where nobody can say, `eta_s` too. `rows_per_s` is that of the last ten
    seconds. `last_error` is that of the last row that failed. `is_waiting`: the model does not answer.
    """

    rows_done: int
    rows_total: int | None
    ok: int
    failed: int
    skipped: int
    elapsed_s: float
    rows_per_s: float
    chunk_rows: int
    concurrency: int
    is_waiting: bool = False
    last_error: str = ""

    @property
    def eta_s(self) -> float | None:
        """Seconds until the end at the rate of now."""
        if self.rows_total is None or not self.rows_per_s:
            return None
        return max(self.rows_total - self.rows_done, 0) / self.rows_per_s

    @property
    def share(self) -> float | None:
        """How much of it is done, 0..1."""
        if self.rows_total is None:
            return None
        return min(self.rows_done / self.rows_total, 1.0) if self.rows_total else 1.0


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the rows: rows = ok + failed + skipped.

    `skipped` rows were not sent: left out by choice, or the run ended before. `first_error` is the
    error of the first row that failed, with its number from 1. `is_answered` is False when rows were
    sent and the server never answered. `stopped` says why the run ended before its end, "" when it
    did not, and `has_too_many_failures`, that `max_failures` was the reason; `is_complete`, whether
    every row of the source is dealt with. Of a job only this run is timed: `rows_before` of its rows
    were done already. `outside` says of each feature in how many rows of this run it is out of range.
    """

    rows: int
    ok: int
    failed: int
    skipped: int
    elapsed_s: float
    cancelled: bool = False
    first_error: str = ""
    is_answered: bool = True
    stopped: str = ""
    has_too_many_failures: bool = False
    is_complete: bool = True
    requests: int = 0
    retried: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    rows_before: int = 0
    outside: tuple[Outside, ...] = ()

    @property
    def rows_per_s(self) -> float:
        """Rows per second over the whole run."""
        return (self.rows - self.rows_before) / self.elapsed_s if self.elapsed_s else 0.0


@dataclass(slots=True)
class Tally:
    """Counts chunks as they are done, in any order.

    The counts begin with the `rows_before` that earlier runs of a job have done.
    """

    rows_total: int | None = None
    rows_before: int = 0
    ok: int = 0
    failed: int = 0
    skipped: int = 0
    last_error: str = ""
    started: float = field(default_factory=time.monotonic)
    _first: tuple[int, str] | None = None
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, chunk: Scored) -> None:
        """Count a chunk."""
        if chunk.errors:
            at = min(chunk.errors)
            self.note(chunk.rows.start + at, chunk.errors[at], chunk.errors[max(chunk.errors)])
        self.count(chunk.ok, chunk.failed, len(chunk.skipped))

    def count(self, ok: int, failed: int, skipped: int) -> None:
        """Count rows by what became of them."""
        self.ok += ok
        self.failed += failed
        self.skipped += skipped
        self._recent.append((time.monotonic(), ok + failed + skipped))
        self._forget()

    def note(self, number: int, error: str, last_error: str) -> None:
        """Note the first error of some rows, with the number of its row from 0, and the last."""
        self.last_error = last_error
        if self._first is None or number < self._first[0]:
            self._first = (number, error)

    @property
    def rows(self) -> int:
        """Rows that are dealt with."""
        return self.ok + self.failed + self.skipped

    @property
    def first_error(self) -> str:
        """The error of the first row that failed, with its number from 1."""
        return "" if self._first is None else f"row {self._first[0] + 1}: {self._first[1]}"

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.started

    def progress(self, run: Running) -> Progress:
        """How far it is."""
        return Progress(
            self.rows,
            self.rows_total,
            self.ok,
            self.failed,
            self.skipped,
            self.elapsed_s,
            self._rate(),
            run.pace.chunk_rows,
            run.pace.concurrency,
            run.is_waiting,
            self.last_error,
        )

    def _forget(self) -> None:
        while self._recent and self._recent[0][0] < time.monotonic() - RATE_WINDOW_S:
            self._recent.popleft()

    def _rate(self) -> float:
        self._forget()
        if not self._recent:
            return 0.0
        since = min(max(self.elapsed_s, 1e-6), RATE_WINDOW_S)
        return sum(rows for _, rows in self._recent) / since

    def summary(self, run: Running, *, is_complete: bool = True) -> Summary:
        """What became of the rows."""
        seen = np.array(run.figures.latencies_s) * 1000
        p50, p95 = np.percentile(seen, (50, 95)).tolist() if len(seen) else (None, None)
        return Summary(
            rows=self.rows,
            ok=self.ok,
            failed=self.failed,
            skipped=self.skipped,
            elapsed_s=self.elapsed_s,
            cancelled=run.is_cancelled,
            first_error=self.first_error,
            is_answered=run.is_answered or run.first_failure is None,
            stopped=run.stopped,
            has_too_many_failures=run.has_too_many_failures,
            is_complete=is_complete,
            requests=run.figures.requests,
            retried=run.figures.retried,
            sent_bytes=run.figures.sent_bytes,
            received_bytes=run.figures.received_bytes,
            p50_ms=p50,
            p95_ms=p95,
            rows_before=self.rows_before,
            outside=tuple(one for _, one in sorted(run.figures.outside.items())),
        )
