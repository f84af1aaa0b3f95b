"""Which row numbers are taken, as few spans."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

# What `remaining` says for "up to the end", while nobody knows where that is.
UNKNOWN_END = (1 << 63) - 1


class Spans:
    """Spans of rows that don't overlap; those that touch are one."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in spans:
            self.add(start, stop)

    @property
    def end(self) -> int:
        """The row after the last one that is taken."""
        return self._stops[-1] if self._stops else 0

    def add(self, start: int, stop: int) -> None:
        """Take rows. Raises ValueError when one of them is taken already."""
        if not 0 <= start < stop:
            raise ValueError(f"rows {start} to {stop} are none")
        if self.touches(start, stop):
            raise ValueError(f"some of the rows {start} to {stop} are recorded already")
        at = bisect_right(self._starts, start)
        joins_left = at > 0 and self._stops[at - 1] == start
        joins_right = at < len(self._starts) and self._starts[at] == stop
        first = at - 1 if joins_left else at
        last = at + 1 if joins_right else at
        start = self._starts[first] if joins_left else start
        stop = self._stops[at] if joins_right else stop
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def touches(self, start: int, stop: int) -> bool:
        """Whether one of these rows is taken."""
        at = bisect_right(self._starts, start)
        is_in_left = at > 0 and self._stops[at - 1] > start
        return is_in_left or (at < len(self._starts) and self._starts[at] < stop)

    def covers(self, start: int, stop: int) -> bool:
        """Whether all of these rows are taken."""
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and self._stops[at] >= stop

    def gaps(self, total: int | None) -> list[range]:
        """The rows that are not taken; without a total the last span ends at `UNKNOWN_END`."""
        starts = [0, *self._stops]
        stops = [*self._starts, UNKNOWN_END if total is None else total]
        return [range(a, b) for a, b in zip(starts, stops, strict=True) if a < b]
