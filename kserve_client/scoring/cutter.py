"""Cutter: a stream of rows, cut into chunks of the size that is wanted at the moment."""

from __future__ import annotations

import bisect
import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from kserve_client.scoring.rows import Rows

Span = tuple[int, int]
# How long a chunk waits to become as large as it may.
FILL_S = 0.5
# How long the end of a run waits for a read that is under way.
GRACE_S = 2.0


class Cutter:
    """Takes chunks from the rows of a source; the next ones are read ahead in a thread.

    Rows in `done` (spans of row numbers, the end excluded, in order) are passed over; `limit` is
    the number of rows after which the source ends.
    """

    def __init__(
        self, rows: Iterable[Rows], *, done: Sequence[Span] = (), limit: int | None = None
    ) -> None:
        self.rows_seen = 0
        self._held: Rows | None = None
        self._is_over = False
        self._ahead = _Ahead(_wanted(self._counted(rows, limit), done))

    def close(self) -> None:
        """Read nothing any more."""
        self._ahead.close()

    @property
    def is_ready(self) -> bool:
        """Whether `take` has something to say without waiting for the source."""
        return self._held is not None or self._is_over or self._ahead.is_ready

    def take(self, count: int) -> Rows | None:
        """At most so many consecutive rows; None at the end.

        They are fewer before a gap, at the end, and when the source has no more for half a second.
        """
        first = self._head(None)
        if first is None:
            return None
        if len(first) >= count:
            return self._cut(first, count)
        pieces = [self._cut(first, len(first))]
        wanted = count - len(first)
        while wanted and (more := self._head(FILL_S)) is not None and more.start == pieces[-1].stop:
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

    def _head(self, longest_s: float | None) -> Rows | None:
        if self._held is None and not self._is_over:
            try:
                self._held = self._ahead.take(longest_s)
                self._is_over = self._held is None
            except queue.Empty:
                return None
            except Exception:
                self._is_over = True
                raise
        return self._held

    def _cut(self, rows: Rows, count: int) -> Rows:
        taken = rows if count == len(rows) else rows.slice(0, count)
        self._held = None if count == len(rows) else rows.slice(count, len(rows) - count)
        return taken


class _Ahead:
    """Reads the next rows while the last ones are dealt with.

    In a daemon thread: a read that hangs must not hold a process that was asked to end.
    """

    def __init__(self, rows: Iterator[Rows]) -> None:
        self._rows = rows
        self._read: queue.Queue[Rows | Exception | None] = queue.Queue(1)
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="read", daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        return not self._read.empty()

    def take(self, longest_s: float | None) -> Rows | None:
        """The next rows, None at the end. Raises queue.Empty when there are none yet."""
        found = self._read.get(timeout=longest_s)
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        self._is_closed.set()
        with contextlib.suppress(queue.Empty):
            self._read.get_nowait()  # lets a thread that waits to put see that nobody takes
        self._thread.join(GRACE_S)

    def _work(self) -> None:
        try:
            for rows in self._rows:
                if len(rows) and not self._put(rows):
                    return
            self._put(None)
        except Exception as error:  # noqa: BLE001 - raised where the rows are taken
            self._put(error)

    def _put(self, found: Rows | Exception | None) -> bool:
        while not self._is_closed.is_set():
            with contextlib.suppress(queue.Full):
                self._read.put(found, timeout=FILL_S)
                return True
        return False


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
