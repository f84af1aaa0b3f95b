"""Cutter: a stream of rows, cut into chunks of the size that is wanted at the moment."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa

from kserve_client.scoring.rows import Rows

Span = tuple[int, int]


class Cutter:
    """Takes chunks from the rows of a source; the next ones are read ahead in a thread.

    Rows in `done` (spans of row numbers, the end excluded, in order) are passed over; `limit` is
    the number of rows after which the source ends.
    """

    def __init__(
        self, rows: Iterable[Rows], *, done: Sequence[Span] = (), limit: int | None = None
    ) -> None:
        self.rows_seen = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read")
        self._left = _wanted(self._counted(rows, limit), done)
        self._next: Future[Rows | None] | None = self._pool.submit(next, self._left, None)
        self._held: Rows | None = None

    def close(self) -> None:
        """Read nothing any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def take(self, count: int) -> Rows | None:
        """At most so many consecutive rows, fewer before a gap and at the end; None at the end."""
        first = self._head()
        if first is None:
            return None
        if len(first) >= count:
            return self._cut(first, count)
        pieces = [self._cut(first, len(first))]
        wanted = count - len(first)
        while wanted and (more := self._head()) is not None and more.start == pieces[-1].stop:
            pieces.append(self._cut(more, min(wanted, len(more))))
            wanted -= len(pieces[-1])
        return _joined(pieces)

    def _counted(self, rows: Iterable[Rows], limit: int | None) -> Iterator[Rows]:
        """Every row up to the limit; `rows_seen` is how many the source had, once it is at its end."""
        for batch in rows:
            whole = batch
            if limit is not None and batch.stop > limit:
                whole = batch.slice(0, max(limit - batch.start, 0))
            self.rows_seen = max(self.rows_seen, whole.stop)
            yield whole
            if limit is not None and batch.stop >= limit:
                return

    def _head(self) -> Rows | None:
        while self._held is None and self._next is not None:
            self._held = self._next.result()
            if self._held is None:
                self._next = None
                return None
            self._next = self._pool.submit(next, self._left, None)
            self._held = self._held if len(self._held) else None
        return self._held

    def _cut(self, rows: Rows, count: int) -> Rows:
        taken = rows if count == len(rows) else rows.slice(0, count)
        self._held = None if count == len(rows) else rows.slice(count, len(rows) - count)
        return taken


def _joined(pieces: Sequence[Rows]) -> Rows:
    if len(pieces) == 1:
        return pieces[0]
    start = pieces[0].start
    problems = {
        piece.start - start + at: why for piece in pieces for at, why in piece.problems.items()
    }
    return Rows(start, pa.concat_batches([piece.cells for piece in pieces]), problems)


def _wanted(rows: Iterable[Rows], done: Sequence[Span]) -> Iterator[Rows]:
    stops = [stop for _, stop in done]
    for batch in rows:
        yield from _without(batch, done, bisect.bisect_right(stops, batch.start))


def _without(rows: Rows, done: Sequence[Span], at: int) -> Iterator[Rows]:
    """The stretches of rows that are in no span of `done`, from its position `at` on."""
    start = rows.start
    while start < rows.stop:
        begin, end = done[at] if at < len(done) else (rows.stop, rows.stop)
        if begin > start:
            stop = min(begin, rows.stop)
            yield rows.slice(start - rows.start, stop - start)
        start, at = max(end, start), at + 1
