"""Cutting: every wanted row is in one chunk, in order, whatever the batches and the sizes asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kserve_client.errors import InputError
from kserve_client.scoring.cutter import Cutter
from kserve_client.scoring.rows import Rows


def batches(sizes: list[int]) -> Iterator[Rows]:
    """Rows whose only cell is their number; every third is a problem."""
    start = 0
    for size in sizes:
        cells = pa.record_batch({"n": pa.array([str(start + at) for at in range(size)])})
        problems = {at: f"row {start + at}" for at in range(size) if (start + at) % 3 == 0}
        yield Rows(start, cells, problems)
        start += size


def cut(cutter: Cutter, sizes: Iterator[int]) -> list[Rows]:
    found = []
    try:
        while (rows := cutter.take(next(sizes))) is not None:
            found.append(rows)
    finally:
        cutter.close()
    return found


def forever(sizes: list[int]) -> Iterator[int]:
    while True:
        yield from sizes


@given(
    st.lists(st.integers(0, 20), max_size=8),
    st.lists(st.integers(1, 15), min_size=1, max_size=5),
    st.sets(st.integers(0, 120), max_size=10),
    st.none() | st.integers(0, 100),
)
def test_each_row_that_is_wanted_comes_once(
    sizes: list[int], wanted: list[int], cuts: set[int], limit: int | None
) -> None:
    """In order, none of those that are done, none beyond the limit, each with its cell and problem."""
    ends = sorted(cuts)
    done = list(zip(ends[::2], ends[1::2], strict=False))
    found = cut(Cutter(batches(sizes), done=done, limit=limit), forever(wanted))
    total = sum(sizes) if limit is None else min(limit, sum(sizes))
    expected = [n for n in range(total) if not any(a <= n < b for a, b in done)]
    assert [n for rows in found for n in range(rows.start, rows.stop)] == expected
    cells = [cell for rows in found for cell in rows.cells.column(0).to_pylist()]
    assert cells == [str(n) for n in expected]
    told = [(rows.start + at, why) for rows in found for at, why in rows.problems.items()]
    assert sorted(told) == [(n, f"row {n}") for n in expected if n % 3 == 0]


def test_chunks_are_as_large_as_asked_for() -> None:
    """They run across batches, and only the last one is smaller."""
    found = cut(Cutter(batches([5, 5, 5])), forever([4]))
    assert [len(rows) for rows in found] == [4, 4, 4, 3]


def test_a_source_that_breaks_off_says_so_once_its_rows_are_out() -> None:
    """What was read before is given first."""

    def broken() -> Iterator[Rows]:
        yield from batches([3])
        raise InputError("line 5: a quote is opened in this row and never closed")

    cutter = Cutter(broken())
    rows = cutter.take(3)
    assert rows is not None
    assert len(rows) == 3
    with pytest.raises(InputError, match="line 5"):
        cutter.take(3)
    cutter.close()
