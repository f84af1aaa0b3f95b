"""What is wrong with a sensitive cell is told without the cell."""

from typing import Any

import pytest

from kserve_client.errors import RowsError
from kserve_client.frames import read_cell, request_of
from kserve_client.signature import Signature

BAD: list[tuple[dict[str, Any], Any, str]] = [
    ({}, "12,5 secret", "the value is not a number; write a point, not a comma"),
    ({}, True, "the value is not a number"),
    ({}, "inf", "the value is not a finite number"),
    ({"datatype": "FP32"}, 1e300, "the value is too large for FP32"),
    ({"kind": "integer"}, "1.5", "the value is not a whole number"),
    (
        {"kind": "integer", "datatype": "UINT8"},
        731,
        "the value is outside UINT8 (0 to 255)",
    ),
    ({"kind": "integer", "datatype": "FP32"}, 2**24 + 1, "the value has no exact form in FP32"),
    ({"kind": "boolean"}, "secret", "the value is neither true nor false"),
    ({"kind": "date"}, "secret", "the value is not a date such as 2026-11-22"),
    (
        {"kind": "date"},
        "2026-11-22T10:00",
        "the value has a time of day; the model takes dates",
    ),
    ({"kind": "category", "choices": ["a", "b"]}, "secret", "the value is not one of a, b"),
    ({"kind": "tensor", "shape": [2]}, ["secret", 1], "the value can't be read"),
    ({"kind": "tensor", "shape": [2]}, "secret", "the value is not a list of numbers"),
    (
        {"kind": "image", "image": {"width": 1, "height": 1, "high": 1}},
        [73],
        (
            "holds numbers outside the 0 to 1 of its pixels: give the picture's bytes, or scale "
            "its numbers"
        ),
    ),
    ({"kind": "text"}, None, "is missing"),
]


@pytest.mark.parametrize(("feature", "cell", "words"), BAD)
def test_an_error_names_the_column_alone(feature: dict[str, Any], cell: Any, words: str) -> None:
    """Each way in which a cell can be wrong: row, column and what is wrong, never the cell."""
    signature = Signature.model_validate(
        {"layout": "columns", "features": [{"name": "x", "sensitive": True, **feature}]}
    )
    with pytest.raises(RowsError) as told:
        request_of(signature, [{"x": cell}])
    assert str(told.value) == f"row 1, x: {words}"


def test_others_are_told_with_the_cell() -> None:
    """What is not sensitive helps to find the mistake."""
    signature = Signature.model_validate({"features": [{"name": "x"}]})
    feature = signature.features[0]
    with pytest.raises(RowsError, match="row 1, x: 'abc' is not a number"):
        read_cell(feature, signature.datatype_of(feature), "abc")


def test_a_cell_is_read_as_it_would_travel() -> None:
    """The value itself; a missing one by its replacement."""
    signature = Signature.model_validate(
        {
            "layout": "columns",
            "features": [
                {"name": "n", "kind": "integer", "required": False, "missing": -1},
                {"name": "d", "kind": "date"},
            ],
        }
    )
    number, day = signature.features
    assert read_cell(number, signature.datatype_of(number), "9007199254740993") == 2**53 + 1
    assert read_cell(number, signature.datatype_of(number), None) == -1
    assert read_cell(day, signature.datatype_of(day), " 2026-11-22 ") == "2026-11-22"
