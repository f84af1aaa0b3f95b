"""Scattered rows: together on their way, each at its own place before and after."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kserve_client.scoring.cutter import Cutter
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.scattered import Scattered


def runs_of(numbers: list[int]) -> list[Rows]:
    """Runs of these numbers; a cell is its number."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [
        Rows(run[0], pa.record_batch({"n": pa.array(run)}), {0: f"problem {run[0]}"})
        for run in runs
    ]


@given(st.sets(st.integers(0, 60)), st.integers(1, 9))
def test_each_row_comes_back_at_its_own_number(numbers: set[int], size: int) -> None:
    """With its cell, its problem, its result and its error."""
    wanted = sorted(numbers)
    scattered = Scattered(runs_of(wanted))
    cutter = Cutter(scattered.packed())
    found: dict[int, tuple[int, int, str, str]] = {}
    while (rows := cutter.take(size)) is not None:
        cells = rows.cells.column(0).to_pylist()
        results = pa.record_batch({"twice": pa.array([2 * n for n in cells])})
        errors = {at: f"error {n}" for at, n in enumerate(cells) if n % 3 == 0}
        skipped = {at: f"skipped {n}" for at, n in enumerate(cells) if n % 3 == 1}
        for piece in scattered.unpacked(Scored(rows, results, errors, skipped)):
            assert piece.results is not None
            for at in range(len(piece)):
                why = piece.errors.get(at) or piece.skipped.get(at, "")
                found[piece.rows.start + at] = (
                    piece.rows.cells.column(0)[at].as_py(),
                    piece.results.column(0)[at].as_py(),
                    why,
                    piece.rows.problems.get(at, ""),
                )
    cutter.close()
    starts = {run.start for run in runs_of(wanted)}
    words = ("error", "skipped")
    assert found == {
        n: (
            n,
            2 * n,
            f"{words[n % 3]} {n}" if n % 3 < 2 else "",
            f"problem {n}" if n in starts else "",
        )
        for n in wanted
    }


def test_single_rows_share_a_request() -> None:
    """A hundred rows far from each other are one chunk."""
    cutter = Cutter(Scattered(runs_of(list(range(0, 1000, 10)))).packed())
    rows = cutter.take(1000)
    cutter.close()
    assert rows is not None
    assert len(rows) == 100
