"""Numbers out of range: which rows have them, in what was sent."""

from typing import Any

import numpy as np
import pytest

from kserve_client.frames import encode
from kserve_client.scoring.outside import Outside, add_outside, outside
from kserve_client.signature import Signature

RANGES: list[dict[str, Any]] = [
    {"name": "length", "min": 0.1, "max": 8, "unit": "cm", "required": False},
    {"name": "note"},
    {"name": "count", "max": 3, "sensitive": True},
]
ROWS = {
    "length": [0.1, 0.09, 8.0, 51.3, float("nan"), -1.0],
    "note": [9e9] * 6,
    "count": [1, 2, 3, 1, 4, 5],
}


def signature(**given: object) -> Signature:
    outputs = [{"name": "predict", "kind": "value"}]
    return Signature.model_validate({"features": RANGES, "outputs": outputs, **given})


def found(signature: Signature, *, failed: tuple[int, ...] = ()) -> dict[int, Outside]:
    table = {name: np.array(cells) for name, cells in ROWS.items()}
    inputs = encode(signature, table).inputs
    return outside(signature, inputs, np.arange(100, 106), failed)


@pytest.mark.parametrize(
    "given",
    [
        {"input": "x", "datatype": "FP64"},
        {"input": "x", "datatype": "FP32"},
        {"layout": "columns"},
        {"layout": "columns", "features": [one | {"datatype": "FP32"} for one in RANGES]},
    ],
    ids=["one tensor", "short floats", "columns", "short columns"],
)
def test_each_feature_has_its_rows_and_the_first_number(given: dict[str, object]) -> None:
    """The ends of a range are in it, as short floats too; what is missing is nowhere."""
    assert found(signature(**given)) == {
        0: Outside("length", "0.1 to 8 cm", 3, 102, 0.09),
        2: Outside("count", "up to 3", 2, 105, None),
    }


def test_rows_that_failed_do_not_count() -> None:
    """They have no answer that could be doubted."""
    told = found(signature(input="x", datatype="FP64"), failed=(101, 104, 105))
    assert told == {0: Outside("length", "0.1 to 8 cm", 1, 104, 51.3)}


def test_a_range_beyond_a_short_float_holds_all_of_them() -> None:
    """Nothing is warned of, and nothing is outside."""
    features = [{"name": "x", "max": 1e6, "datatype": "FP16"}]
    one = signature(layout="columns", features=features)
    inputs = encode(one, {"x": np.array([65504.0])}).inputs
    assert outside(one, inputs, np.arange(1)) == {}


def test_what_was_found_in_two_places_is_one() -> None:
    """Rows are added up; the first is the first of both, whichever came first."""
    first = Outside("x", "up to 2", 2, 7, 3.0)
    second = Outside("x", "up to 2", 5, 40, 9.0)
    for one, other in ((first, second), (second, first)):
        both = {0: one}
        add_outside(both, {0: other, 1: first})
        assert both == {0: Outside("x", "up to 2", 7, 7, 3.0), 1: first}


def test_words_are_one_line() -> None:
    """Of a single row no number of it; of a sensitive feature none of its own."""
    told = Outside("x", "0 to 2 cm", 1200, 7, 51.25)
    assert told.words(5000) == (
        "x is outside its usual range, 0 to 2 cm, in 1,200 of 5,000 rows; the first is row 7: 51.25"
    )
    assert Outside("x", "up to 2", 1, 1, None).words(1) == "x is outside its usual range, up to 2"
