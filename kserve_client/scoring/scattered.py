"""Scattered rows, sent as if they followed each other, and told by their own numbers again."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping

from kserve_client.scoring.rows import Rows, Scored


class Scattered:
    """Runs of rows with gaps between them, such as those of a job that failed.

    A chunk holds rows that follow each other; of single rows each would be a request. `packed` gives
    them numbers from 0 without gaps, `unpacked` gives back the numbers they have.
    """

    def __init__(self, runs: Iterable[Rows]) -> None:
        self._runs = runs
        self._packed_starts: list[int] = []
        self._starts: list[int] = []

    def packed(self) -> Iterator[Rows]:
        """The rows, numbered without gaps."""
        count = 0
        for run in self._runs:
            self._packed_starts.append(count)
            self._starts.append(run.start)
            yield Rows(count, run.cells, run.problems)
            count += len(run)

    def unpacked(self, chunk: Scored) -> Iterator[Scored]:
        """What became of packed rows, a piece for each run."""
        at = bisect.bisect_right(self._packed_starts, chunk.rows.start) - 1
        first = 0
        while first < len(chunk):
            end = self._end_of(at) - chunk.rows.start
            last = min(end, len(chunk))
            gap = self._starts[at] - self._packed_starts[at]
            yield _piece(chunk, first, last, gap)
            first, at = last, at + 1

    def number(self, packed: int) -> int:
        """The number that a packed row has."""
        at = bisect.bisect_right(self._packed_starts, packed) - 1
        return packed - self._packed_starts[at] + self._starts[at]

    def _end_of(self, at: int) -> int:
        """The packed number after the last one of a run; of the newest it is not known yet."""
        ends = self._packed_starts
        return ends[at + 1] if at + 1 < len(ends) else 1 << 62


def _piece(chunk: Scored, first: int, last: int, gap: int) -> Scored:
    rows = chunk.rows.slice(first, last - first)
    rows = Rows(rows.start + gap, rows.cells, rows.problems)
    results = None if chunk.results is None else chunk.results.slice(first, last - first)
    return Scored(
        rows, results, _moved(chunk.errors, first, last), _moved(chunk.skipped, first, last)
    )


def _moved(told: Mapping[int, str], first: int, last: int) -> dict[int, str]:
    return {at - first: why for at, why in told.items() if first <= at < last}
