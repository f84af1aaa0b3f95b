"""How far a run lies from the usual rows: small tables, worked out on paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kserve_client.scoring.drift import Bin, Drift, DriftWatch, psi
from kserve_client.scoring.mapping import Mapping, Origin
from kserve_client.scoring.rows import Rows
from kserve_client.signature import Reference, Signature


def only(**settings: Any) -> Signature:
    feature = {"name": "a", **settings}
    return Signature.model_validate({"layout": "columns", "features": [feature]})


def drift(signature: Signature, cells: Any, *, decimal: Any = ".", size: int = 1000) -> Drift:
    watch = DriftWatch(signature, Mapping.by_name(signature, ["a"]), decimal)
    column = cells if isinstance(cells, pa.Array) else pa.array(cells, pa.string())
    for at in range(0, len(column), size):
        watch.add(Rows(at, pa.RecordBatch.from_pydict({"a": column.slice(at, size)})))
    (found,) = watch.found()
    return found


# 0 to 4 in four bins of a quarter each.
EVEN = only(
    reference={
        "rows": 400,
        "quantiles": [0, 0.2, 1, 2, 3, 3.8, 4],
        "histogram": [100, 100, 100, 100],
    }
)
ISLANDS = only(
    kind="category",
    choices=["Biscoe", "Dream", "Torgersen"],
    reference={"rows": 1000, "missing": 250, "counts": {"Biscoe": 500, "Dream": 500}},
)


def test_psi_by_hand() -> None:
    """Shares of 1/2 and 1/2 that become 3/4 and 1/4: (1/4)·ln(3/2) + (−1/4)·ln(1/2) = ln(3)/4."""
    assert psi(np.array([50.0, 50.0]), np.array([75, 25])) == pytest.approx(0.2746531)


def test_an_empty_bin_counts_as_half_a_row() -> None:
    """Of 10 usual rows 5 and 5, of 10 now none and 10: 0.45·ln(10) + 0.5·ln(2)."""
    assert psi(np.array([5.0, 5.0]), np.array([0, 10])) == pytest.approx(1.3827368)


def test_a_bin_that_nobody_uses_counts_nothing() -> None:
    """Nor does one row in a million that the few usual rows could not show."""
    assert psi(np.array([10.0, 0.0]), np.array([1000, 0])) == 0
    assert psi(np.array([10.0, 0.0]), np.array([999_999, 1])) == pytest.approx(0, abs=1e-9)


def test_numbers_in_the_bins_of_the_histogram() -> None:
    """400 rows in shares of 0.1, 0.2, 0.3 and 0.4 instead of a quarter each.

    PSI = −0.15·ln(0.4) − 0.05·ln(0.8) + 0.05·ln(1.2) + 0.15·ln(1.6) = 0.2282; KS = 0.5 − 0.3.
    """
    cells = ["0.5"] * 40 + ["1"] * 80 + ["2.99"] * 120 + ["4"] * 160
    found = drift(EVEN, cells)
    assert found.bins == (
        Bin("below 1", 0.25, 0.1),
        Bin("1 to 2", 0.25, 0.2),
        Bin("2 to 3", 0.25, 0.3),
        Bin("above 3", 0.25, 0.4),
    )
    assert found.psi == pytest.approx(0.2282, abs=1e-4)
    assert found.ks == pytest.approx(0.2)
    assert found.shift == "moderate"
    assert found.words == (
        "a moderate shift (PSI 0.23, KS 0.20); below 1: 10% of the rows, usually 25%"
    )


def test_the_outer_bins_are_open() -> None:
    """Numbers beyond the sample are in its last bins."""
    found = drift(EVEN, ["-100"] * 300 + ["1e300"] * 100)
    assert [b.now for b in found.bins] == [0.75, 0, 0, 0.25]
    assert found.shift == "large"


def test_small_bins_are_joined() -> None:
    """Each holds at least 5 % of the usual rows, so that one row makes no shift."""
    signature = only(
        reference={
            "rows": 100,
            "quantiles": [0, 0, 1, 2, 3, 4, 6],
            "histogram": [2, 48, 3, 45, 1, 1],
        }
    )
    found = drift(signature, ["0", "2", "5.9"])
    assert [(b.words, b.usual) for b in found.bins] == [
        ("below 2", 0.5),
        ("above 2", 0.5),
    ]


def test_quantiles_without_a_histogram() -> None:
    """Their shares are known: 5, 20, 25, 25, 20 and 5 %, and nothing above the greatest."""
    signature = only(reference={"rows": 100, "quantiles": [0, 1, 2, 3, 4, 5, 6]})
    found = drift(
        signature, ["1"] * 5 + ["2"] * 20 + ["3"] * 25 + ["4"] * 25 + ["5"] * 20 + ["6"] * 5
    )
    assert [round(b.usual, 2) for b in found.bins] == [0.05, 0.2, 0.25, 0.25, 0.2, 0.05, 0]
    assert found.psi == pytest.approx(0)
    assert found.ks == pytest.approx(0)


def test_equal_quantiles_are_one_edge() -> None:
    """Half of the rows are 0: the bin up to 0 has 50 % of them."""
    signature = only(reference={"rows": 100, "quantiles": [0, 0, 0, 0, 1, 1, 1]})
    found = drift(signature, ["0"] * 50 + ["1"] * 50)
    assert [(b.usual, b.now) for b in found.bins] == [(0.5, 0.5), (0.5, 0.5), (0, 0)]


def test_a_constant_of_the_sample() -> None:
    """What is below, equal and above it."""
    signature = only(reference={"rows": 100, "quantiles": [5, 5, 5, 5, 5, 5, 5]})
    found = drift(signature, ["5"] * 80 + ["4.999999"] * 10 + ["5.1"] * 10)
    assert [(b.usual, b.now) for b in found.bins] == [(0, 0.1), (1, 0.8), (0, 0.1)]
    assert [b.words for b in found.bins] == ["below 5", "5", "above 5"]


def test_categories_by_hand() -> None:
    """500 and 500 that become 750 and 250: ln(3)/4 = 0.27; categories have no order, so no KS."""
    found = drift(ISLANDS, ["Biscoe"] * 750 + [" Dream"] * 250)
    assert found.psi == pytest.approx(0.2746531)
    assert found.ks is None
    assert (found.rows, found.usual_rows, found.shift) == (1000, 1000, "large")
    assert found.words == (
        "a large shift (PSI 0.27); Biscoe: 75% of the rows, usually 50%; "
        "without a value: 0%, usually 20%"
    )


def test_a_choice_that_the_sample_does_not_have() -> None:
    """It is counted under other values; what is no choice at all is not sent, so not counted."""
    found = drift(ISLANDS, ["Biscoe", "Dream", "Torgersen", "Torgersen", "Gough", "", None])
    assert [(b.words, b.now) for b in found.bins] == [
        ("Biscoe", 0.25),
        ("Dream", 0.25),
        ("other values", 0.5),
    ]
    assert found.missing == pytest.approx(2 / 6)
    assert found.usual_missing == 0.2


@pytest.mark.parametrize(
    ("settings", "cells", "shares"),
    [
        ({"kind": "boolean"}, ["yes", "0", "True", "no"], {"true": 0.5, "false": 0.5}),
        ({"kind": "boolean"}, pa.array([True, None, False]), {"true": 0.5, "false": 0.5}),
        (
            {"kind": "category", "choices": [1, {"value": 2, "label": "two"}], "datatype": "INT8"},
            ["1", "two", "1", " 1 "],
            {"1": 0.75, "2": 0.25},
        ),
    ],
)
def test_values_are_named_as_the_sample_names_them(
    settings: dict[str, Any], cells: Any, shares: dict[str, float]
) -> None:
    """true, not yes; a value, not its label."""
    signature = only(**settings, reference={"rows": 8, "counts": dict.fromkeys(shares, 4)})
    found = drift(signature, cells)
    if not isinstance(cells, list):
        cells = cells.to_pylist()
    assert {b.words: b.now for b in found.bins} == shares


def test_few_rows_tell_nothing() -> None:
    """A PSI that chance alone would give is no shift."""
    found = drift(EVEN, ["0.5"] * 4 + ["1.5"] * 3 + ["2.5", "3.5", "3.5"])
    assert found.psi is not None
    assert found.psi > 0.1
    assert found.shift == "unknown"
    assert found.words.startswith("too few rows to tell")


def test_the_bound_of_chance_by_the_table() -> None:
    """Chi-squared with 3 degrees of freedom passes 11.34 once in a hundred times."""
    assert drift(EVEN, ["1"] * 400).chance == pytest.approx(11.34 / 200, rel=0.01)


def test_no_rows() -> None:
    """There is nothing to compare, and no number stands for it."""
    found = drift(EVEN, ["", "abc"])
    assert (found.rows, found.psi, found.ks, found.shift) == (0, None, None, "unknown")
    assert found.missing == 1


def test_converted_numbers_and_decimal_commas() -> None:
    """What is compared is what is sent, in the unit of the feature."""
    mapping = Mapping(origins={"a": Origin(column="inches", factor=2)})
    watch = DriftWatch(EVEN, mapping, ",")
    watch.add(Rows(0, pa.RecordBatch.from_pydict({"inches": ["0,25", "1,75"]})))
    assert [b.now for b in watch.found()[0].bins] == [0.5, 0, 0, 0.5]


def test_results_with_a_reference() -> None:
    """Labels and values of the answer can be watched as well; rows without an answer don't count."""
    references = {
        "prediction": Reference(rows=4, counts={"setosa": 2, "virginica": 2}),
        "value": Reference(rows=100, quantiles=(0, 1, 2, 3, 4, 5, 6)),
        "absent": Reference(rows=1, counts={"a": 1}),
    }
    watch = DriftWatch(only(), Mapping.by_name(only(), ["a"]), results=references)
    rows = Rows(0, pa.RecordBatch.from_pydict({"a": ["1", "2", "3"]}))
    watch.add(
        rows,
        pa.RecordBatch.from_pydict(
            {"prediction": ["setosa", None, "other"], "value": pa.array([0.5, None, 2.5])}
        ),
    )
    watch.add(rows)
    labels, values, absent = watch.found()
    assert [(b.words, b.now) for b in labels.bins] == [
        ("setosa", 0.5),
        ("virginica", 0),
        ("other values", 0.5),
    ]
    assert values.rows == 2
    assert absent.rows == 0


def test_what_has_no_reference_is_not_watched() -> None:
    """Nor is a constant."""
    assert DriftWatch(only(), Mapping.by_name(only(), ["a"])).found() == ()
    constant = Mapping(origins={"a": Origin(constant=1.0)})
    assert DriftWatch(EVEN, constant).found() == ()


@given(st.lists(st.floats(-1, 5).map(str), max_size=30), st.integers(1, 7))
def test_any_batches(cells: list[str], size: int) -> None:
    """However they come, the drift is the same."""
    assert drift(EVEN, cells, size=size) == drift(EVEN, cells) if cells else True
