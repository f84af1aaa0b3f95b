"""Columns of a source as cells for `encode`: the same as if each cell were read alone."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kserve_client.frames import encode
from kserve_client.scoring.cells import as_written, cells_of, misread_decimals
from kserve_client.signature import Signature

Decimal = Literal[".", ","]


def signature(**of_feature: Any) -> Signature:
    feature = {"name": "a", **of_feature}
    return Signature.model_validate({"layout": "columns", "features": [feature], "outputs": []})


def outcome(of: Signature, cells: Any, count: int) -> tuple[Any, Any]:
    """What travels, and which rows do not."""
    encoded = encode(of, {"a": cells}, count)
    return encoded.inputs[0].data.tolist(), [(i.row, i.problem) for i in encoded.issues]


NUMBER = signature(kind="number", datatype="FP64")
LACKING = signature(kind="number", datatype="FP64", required=False)
WHOLE = signature(kind="integer", datatype="INT64")
CHOICE = signature(kind="category", choices=["a", "b", "0x1"])
FLAG = signature(kind="boolean")
TEXT = signature(kind="text")
texts = st.one_of(
    st.sampled_from(["5.1", " 5.1", "1e3", "-0", "007", "9007199254740993", "9223372036854775808"]),
    st.sampled_from(["", " ", "NA", "null", "nan", "inf", "-Infinity", "1_000", "0x10", "1e400"]),
    st.sampled_from(["a", "b", " b ", "0x1", "true", "Yes", "1.0", "+5", "5.", ".5", "1,5", "٣"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
)


@given(st.sampled_from([NUMBER, LACKING, WHOLE, CHOICE, FLAG, TEXT]), st.lists(texts, max_size=6))
def test_texts_are_read_as_each_alone(of: Signature, column: list[str]) -> None:
    """Whatever else is in their column."""
    feature = of.features[0]
    found = outcome(of, cells_of(pa.array(column, pa.string()), feature), len(column))
    assert repr(found) == repr(outcome(of, column, len(column)))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1.5, None, 2.5]), [1.5, np.nan, 2.5]),
        (pa.array([1, 2, 3], pa.int16()), [1.0, 2.0, 3.0]),
        (pa.array([1, None, 3]), [1.0, np.nan, 3.0]),
        (pa.array(["1.5", "", "x"]).dictionary_encode(), [1.5, np.nan, None]),
    ],
)
def test_typed_columns_of_a_file_are_read(column: pa.Array, expected: list[Any]) -> None:
    """Null is a missing value; texts in a dictionary are texts."""
    feature = LACKING.features[0]
    encoded = encode(LACKING, {"a": cells_of(column, feature)}, len(column))
    good = [value for value in expected if value is not None]
    np.testing.assert_array_equal(encoded.inputs[0].data[:, 0], good)
    assert encoded.rows.tolist() == [at for at, value in enumerate(expected) if value is not None]


def test_decimal_commas_become_points() -> None:
    """In a file that writes its decimals so."""
    found = cells_of(pa.array(["1,5", "-0,25", "3"]), NUMBER.features[0], ",")
    np.testing.assert_array_equal(np.asarray(found), [1.5, -0.25, 3.0])


def test_points_part_thousands_in_a_file_of_commas() -> None:
    """In groups of three digits, after at most three that don't begin with a zero."""
    column = pa.array(["1.999,76", "-1.234.567", " 12.000 ", "1,5", None])
    found = cells_of(column, NUMBER.features[0], ",")
    np.testing.assert_array_equal(np.asarray(found), [1999.76, -1234567, 12000, 1.5, np.nan])
    assert misread_decimals(column, NUMBER.features[0], ",") == {}
    whole = signature(kind="integer", datatype="INT64").features[0]
    assert list(cells_of(pa.array(["1.200"]), whole, ",")) == [1200]


@pytest.mark.parametrize("cell", ["1.20", "0.500", "1234.567", "1.200e3", ".5", "1.\xa0"])
def test_a_decimal_point_in_a_file_of_commas_is_told(cell: str) -> None:
    """And of a sensitive feature without the value."""
    column = pa.array(["1,5", cell, "k.A."])
    told = misread_decimals(column, NUMBER.features[0], ",")
    assert told == {1: f"{cell!r} has a point, and this file writes decimals with a comma"}
    assert misread_decimals(column, NUMBER.features[0], ".") == {}
    secret = signature(kind="number", datatype="FP64", sensitive=True).features[0]
    assert cell not in misread_decimals(column, secret, ",")[1]


def test_a_problem_quotes_the_cell_of_the_file() -> None:
    """`encode` gets points for commas; what it says names what stands in the file."""
    assert as_written("'3.5' is not a whole number", "3,5", ",") == "'3,5' is not a whole number"
    told = as_written("'1200.5' is not a whole number", "1.200,5", ",")
    assert told == "'1.200,5' is not a whole number"
    assert as_written("'k.A.' is not a number", "k.A.", ",") == "'k.A.' is not a number"
    assert as_written("'3,5' is not a number", "3,5", ".") == "'3,5' is not a number"
    assert as_written("is missing", None, ",") == "is missing"
