"""Gathering: fewer, larger chunks that say the same."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kserve_client.scoring import gathering
from kserve_client.scoring.gathering import gathered
from kserve_client.scoring.rows import Rows, Scored

Told = tuple[int, str, int | None, str, str, str]


def chunk(start: int, size: int, kind: int) -> Scored:
    """Of kind 0 without results, of kind 1 with some, of kind 2 with results of other columns."""
    cells = pa.record_batch({"n": pa.array([str(start + at) for at in range(size)])})
    name = "prediction" if kind == 1 else "other"
    results = pa.record_batch({name: pa.array(range(size))}) if kind else None
    problems = {at: "ragged" for at in range(size) if (start + at) % 5 == 0}
    errors = {at: f"error {start + at}" for at in range(size) if (start + at) % 5 == 0}
    skipped = {at: "dropped" for at in range(size) if (start + at) % 5 == 1}
    return Scored(Rows(start, cells, problems), results, errors, skipped)


def told(chunks: list[Scored]) -> list[Told]:
    return [
        (
            one.rows.start + at,
            one.rows.cells.column(0)[at].as_py(),
            None if one.results is None else one.results.column(0)[at].as_py(),
            one.rows.problems.get(at, ""),
            one.errors.get(at, ""),
            one.skipped.get(at, ""),
        )
        for one in chunks
        for at in range(len(one))
    ]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2)), max_size=12), st.integers(1, 30))
def test_nothing_changes_but_the_number_of_chunks(
    sizes: list[tuple[int, int]], enough: int
) -> None:
    """Each row with its cell, result and error; never more chunks than before."""
    chunks, start = [], 0
    for size, kind in sizes:
        chunks.append(chunk(start, size, kind))
        start += size
    before = gathering.ENOUGH_ROWS
    gathering.ENOUGH_ROWS = enough
    try:
        found = list(gathered(chunks))
    finally:
        gathering.ENOUGH_ROWS = before
    assert told(found) == told(chunks)
    assert len(found) <= len(chunks)


def test_small_chunks_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred of ten rows each are written at once, when they come at once."""
    monkeypatch.setattr(gathering, "LONGEST_S", math.inf)
    assert [len(one) for one in gathered(chunk(at * 10, 10, 1) for at in range(100))] == [1000]


def test_slow_chunks_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came is written within a quarter of a second and a chunk."""
    monkeypatch.setattr(gathering, "LONGEST_S", 0.0)
    assert len(list(gathered(chunk(at * 10, 10, 1) for at in range(5)))) == 5
