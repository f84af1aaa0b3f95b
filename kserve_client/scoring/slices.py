"""Slices: a table cut into tasks for a cluster, none larger than a worker does in some seconds."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from kserve_client.scoring.sources import Partition
from kserve_client.scoring.task import Slice

# What the first tasks have; a slow model takes a minute for them.
FIRST_ROWS = 10_000
LEAST_ROWS = 100
MOST_GROWTH = 10


class Slices:
    """Gives the rows of `gaps` (in order) as slices of partitions, as these are found.

    The partitions are looked for in a thread of their own: a text has to be read through for that.
    Rows from `limit` on are left out. `total_rows` is known once the last partition is found.
    """

    def __init__(
        self, partitions: Iterable[Partition], gaps: Sequence[range], limit: int | None = None
    ) -> None:
        self.total_rows: int | None = None
        self._gaps = deque(gaps)
        self._limit = limit
        self._found: queue.SimpleQueue[Partition | None] = queue.SimpleQueue()
        self._left: deque[Slice] = deque()
        self._again: deque[Slice] = deque()
        self._is_scanned = self._is_closed = False
        self._error: Exception | None = None
        thread = threading.Thread(
            target=self._scan, args=(partitions,), name="partitions", daemon=True
        )
        thread.start()

    @property
    def is_over(self) -> bool:
        """Whether every row was taken; never so of a table that can't be read to its end."""
        return self._is_scanned and self._error is None and not (self._left or self._again)

    def close(self) -> None:
        """Look for no more partitions."""
        self._is_closed = True

    def take(self, most_rows: int) -> Slice | None:
        """The next rows, at most so many; None while no more are known, and at the end.

        Raises what looking for partitions raised, after the slices before.
        """
        if self._again:
            return self._again.popleft()
        self._fetch()
        if not self._left:
            if self._is_scanned and self._error is not None:
                raise self._error
            return None
        first = self._left.popleft()
        # Two halves rather than one whole and a crumb.
        if len(first) <= most_rows * 3 // 2:
            return first
        middle = first.start + most_rows
        self._left.appendleft(Slice(first.partition, middle, first.stop))
        return Slice(first.partition, first.start, middle)

    def put_back(self, piece: Slice) -> None:
        """Have rows taken again, before others."""
        self._again.append(piece)

    def _fetch(self) -> None:
        while not self._left and not self._is_scanned:
            try:
                partition = self._found.get_nowait()
            except queue.Empty:
                return
            if partition is None:
                self._is_scanned = True
            else:
                self._left.extend(self._wanted(partition))

    def _wanted(self, partition: Partition) -> Iterator[Slice]:
        """What of a partition lies in the gaps; partitions come in order."""
        stop = partition.stop if self._limit is None else min(partition.stop, self._limit)
        while self._gaps and self._gaps[0].start < stop:
            gap = self._gaps[0]
            start, end = max(gap.start, partition.start), min(gap.stop, stop)
            if start < end:
                yield Slice(partition, start, end)
            if gap.stop > stop:
                return
            self._gaps.popleft()

    def _scan(self, partitions: Iterable[Partition]) -> None:
        stop = 0
        try:
            for partition in partitions:
                self._found.put(partition)
                stop = partition.stop
                if self._is_closed or (self._limit is not None and stop >= self._limit):
                    break
            self.total_rows = stop if self._limit is None else min(stop, self._limit)
        except Exception as error:  # noqa: BLE001 - raised by `take`
            self._error = error
        self._found.put(None)


class TaskSize:
    """How many rows the next task gets, so that one takes about `task_s` seconds."""

    def __init__(self, task_s: float, first_rows: int = FIRST_ROWS) -> None:
        self.rows = first_rows
        self._task_s = task_s

    def took(self, rows: int, elapsed_s: float) -> None:
        """Learn from a task; it may be much larger than the one before, but not at once."""
        if rows:
            fitting = int(rows * self._task_s / max(elapsed_s, 1e-3))
            self.rows = max(min(fitting, MOST_GROWTH * rows), LEAST_ROWS)
