"""A table cut into tasks: every wanted row once, in pieces of the size that is wanted."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kserve_client import InputError
from kserve_client.scoring.job import UNKNOWN_END
from kserve_client.scoring.slices import Slices, TaskSize
from kserve_client.scoring.sources import Partition
from kserve_client.scoring.task import Slice

FIRST, SECOND = Partition(0, 100, 10, 500), Partition(100, 150, 500, 700)
ALL = [range(UNKNOWN_END)]


def taken(slices: Slices, most_rows: int = 1000) -> Iterator[tuple[int, int]]:
    """All slices, as their rows."""
    deadline = time.monotonic() + 30
    while not slices.is_over and time.monotonic() < deadline:
        piece = slices.take(most_rows)
        if piece is None:
            time.sleep(0.001)
        else:
            yield piece.start, piece.stop


def test_partitions_are_cut_to_the_wanted_size() -> None:
    """A rest of less than half the size goes with the piece before it."""
    slices = Slices([FIRST, SECOND], ALL)
    assert list(taken(slices, 40)) == [(0, 40), (40, 100), (100, 150)]
    assert slices.total_rows == 150


def test_rows_that_are_done_are_left_out() -> None:
    """Gaps reach over partitions, and partitions over gaps."""
    gaps = [range(10, 20), range(90, 110), range(149, UNKNOWN_END)]
    slices = Slices([FIRST, SECOND], gaps)
    assert list(taken(slices)) == [(10, 20), (90, 100), (100, 110), (149, 150)]


def test_a_limit_ends_the_table() -> None:
    """Partitions behind it are not even looked for."""

    def partitions() -> Iterator[Partition]:
        yield FIRST
        yield SECOND
        raise AssertionError("nobody asked")

    slices = Slices(partitions(), ALL, limit=120)
    assert list(taken(slices)) == [(0, 100), (100, 120)]
    assert slices.total_rows == 120


def test_what_is_put_back_comes_again() -> None:
    """Before what is new, and the table is not over until then."""
    slices = Slices([FIRST], ALL)
    assert list(taken(slices)) == [(0, 100)]
    again = Slice(FIRST, 30, 60, tries=1)
    slices.put_back(again)
    assert not slices.is_over
    assert slices.take(1) == again
    assert slices.is_over


def test_an_unreadable_rest_is_told_after_what_was_read() -> None:
    """The rows before it are done first."""

    def partitions() -> Iterator[Partition]:
        yield FIRST
        raise InputError("line 101 has no end")

    slices = Slices(partitions(), ALL)
    pieces = taken(slices)
    assert next(pieces) == (0, 100)
    with pytest.raises(InputError, match="line 101"):
        next(pieces)
    assert (slices.total_rows, slices.is_over) == (None, False)


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=8),
    st.lists(st.integers(1, 20), max_size=12),
    st.integers(1, 40),
)
def test_every_wanted_row_is_in_one_slice(
    sizes: list[int], spans: list[int], most_rows: int
) -> None:
    """Whatever the partitions and the gaps are."""
    partitions, stop = [], 0
    for size in sizes:
        partitions.append(Partition(stop, stop + size, stop, stop + size))
        stop += size
    gaps, at = [], 0
    for number, span in enumerate(spans):
        if number % 2:
            gaps.append(range(at, at + span))
        at += span
    wanted = [row for gap in gaps for row in gap if row < stop]
    found = [row for a, b in taken(Slices(partitions, gaps), most_rows) for row in range(a, b)]
    assert found == wanted


def test_tasks_grow_to_the_wanted_time() -> None:
    """At most tenfold at once, and never to a few rows."""
    size = TaskSize(20.0, 1000)
    size.took(1000, 0.1)
    assert size.rows == 10_000
    size.took(10_000, 2.0)
    assert size.rows == 100_000
    size.took(100_000, 80.0)
    assert size.rows == 25_000
    size.took(100, 90.0)
    assert size.rows == 100
