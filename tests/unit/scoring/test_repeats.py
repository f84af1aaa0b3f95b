"""Rows that occur again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client.scoring.repeats import Repeated, Repeats


def added(repeats: Repeats, *batches: list[list[Any]]) -> Repeats:
    """Batches of columns, one after the other."""
    start = 0
    for columns in batches:
        count = len(columns[0])
        repeats.add([pa.array(column) for column in columns], np.arange(start, start + count))
        start += count
    return repeats


def test_rows_are_found_across_batches() -> None:
    """Each with the first row that it repeats."""
    repeats = added(Repeats(), [["a", "b", "a"], [1, 1, 1]], [["b", "a", "a"], [1, 2, 1]])
    assert repeats.found() == Repeated(3, ((2, 0), (3, 1), (5, 0)))


def test_nothing_is_repeated_in_nothing() -> None:
    """No rows, no columns."""
    repeats = added(Repeats(), [[]])
    repeats.add([], np.arange(2))
    assert repeats.found() == Repeated(0)


def test_cells_don_t_flow_together() -> None:
    """ab, c is not a, bc; an empty cell is not a missing one."""
    repeats = added(Repeats(), [["ab", "a", "", None], ["c", "bc", "x", "x"]])
    assert repeats.found().rows == 0


def test_any_type() -> None:
    """Lists, bytes, dictionaries and nulls alike."""
    lists = pa.array([[1], [1], None])
    coded = pa.array(["a", "a", "b"]).dictionary_encode()
    repeats = Repeats()
    repeats.add([lists, coded, pa.array([b"\xff", b"\xff", None])], np.arange(3))
    assert repeats.found() == Repeated(1, ((1, 0),))


def test_only_so_many_are_named() -> None:
    """The first ones, though all are counted."""
    found = added(Repeats(), [["a"] * 10]).found(most_pairs=2)
    assert found == Repeated(9, ((1, 0), (2, 0)))


@settings(deadline=None)
@given(st.lists(st.integers(0, 5).map(str), max_size=30), st.integers(1, 7))
def test_any_batches(cells: list[str], size: int) -> None:
    """However they come, the rows beyond the first of each kind are counted."""
    batches = [[cells[i : i + size]] for i in range(0, len(cells), size)]
    assert added(Repeats(), *batches).found().rows == len(cells) - len(set(cells))


def test_beyond_what_is_kept_it_is_an_estimate() -> None:
    """Memory stays bounded; of 20,000 rows in pairs about 10,000 are repeats."""
    cells = [str(i // 2) for i in range(20_000)]
    repeats = added(Repeats(most_kept=4_000), [cells[:10_001]], [cells[10_001:]])
    found = repeats.found()
    assert not found.is_exact
    assert 8_500 < found.rows < 11_500
    assert all(row == first + 1 for row, first in found.pairs)
    assert sum(map(len, repeats._hashes)) <= 4_000
