from __future__ import annotations

import base64
import io
import json
import math
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kserve_client.errors import InputError, RowsError
from kserve_client.frames import (
    build_request,
    check_columns,
    encode,
    missing_columns,
    request_of,
    table_of,
)
from kserve_client.signature import Signature
from kserve_client.wire.json import build_request as written
from tests.unit.polars_frame import PolarsFrame

IRIS = Signature.model_validate(
    {
        "features": [{"name": name} for name in ("sl", "sw", "pl", "pw")],
        "outputs": [
            {"name": "predict", "kind": "label"},
            {"name": "proba", "kind": "probabilities", "requested": False},
        ],
    }
)
PENGUINS = Signature.model_validate(
    {
        "layout": "columns",
        "features": [
            {"name": "island", "kind": "category", "choices": ["Biscoe", "Dream"]},
            {"name": "bill_length_mm", "required": False},
            {
                "name": "sex",
                "kind": "category",
                "choices": [{"value": "f", "label": "female"}, {"value": "m", "label": "male"}],
                "required": False,
                "missing": "unknown",
            },
            {"name": "year", "kind": "integer", "datatype": "INT64"},
        ],
    }
)
PICTURE = {"width": 2, "height": 2, "low": 0, "high": 16}


def column(**feature: Any) -> Signature:
    """A model that takes one column `a`."""
    return Signature.model_validate({"layout": "columns", "features": [{"name": "a", **feature}]})


def read(cells: Any, **feature: Any) -> list[Any]:
    """Return what one column of cells becomes; the text of the problem for those that can't be read."""
    signature = column(**feature)
    encoded = encode(signature, {"a": cells})
    problems = {issue.row: issue.problem for issue in encoded.issues}
    values = iter(encoded.inputs[0].data.tolist())
    whole = not signature.features[0].is_scalar
    return [
        problems[row] if row in problems else (next(values) if whole else next(values)[0])
        for row in range(len(cells))
    ]


# Tables


def test_one_row_is_a_mapping() -> None:
    """As a form gives it."""
    assert table_of({"sl": 1, "pw": 2}, IRIS) == {"sl": [1], "pw": [2]}


def test_rows_are_mappings() -> None:
    """What a row does not have is None."""
    rows = [{"sl": 1}, {"sw": 2}]
    assert table_of(rows, IRIS) == {"sl": [1, None], "sw": [None, 2]}
    assert table_of(iter(rows), IRIS) == table_of(rows, IRIS)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("sll", "did you mean 'sl'"), ("colour", "the model takes sl, sw, pl, pw"), (5, "takes sl")],
)
def test_a_mistyped_name_of_a_row_is_refused(name: Any, hint: str) -> None:
    """It would be taken and thrown away."""
    with pytest.raises(InputError, match=hint):
        table_of([{"sl": 1}, {name: 2}], IRIS)


@pytest.mark.parametrize("rows", ["abcd", [1, 2], 5, None, [None], b"ab", [5.1, 3.5, 1.4, 0.2]])
def test_what_is_no_rows(rows: Any) -> None:
    """The message says what rows are."""
    with pytest.raises(InputError, match="rows are mappings"):
        table_of(rows, IRIS)


@pytest.mark.parametrize(
    "rows",
    [
        [[5, 3.5, 1.25, 0.5], [6, 3, 5, 2]],
        ((5, 3.5, 1.25, 0.5), (6, 3, np.float32(5), np.int64(2))),
    ],
)
def test_lists_of_numbers_are_rows(rows: Any) -> None:
    """As scikit-learn takes them, in the order of the signature."""
    assert request_of(IRIS, rows).inputs[0].data.tolist() == [[5, 3.5, 1.25, 0.5], [6, 3, 5, 2]]


def test_whole_numbers_of_lists_stay_exact() -> None:
    """None becomes a float because another is one."""
    features = [{"name": "a", "kind": "integer"}, {"name": "b"}]
    signature = Signature.model_validate({"layout": "columns", "features": features})
    first, second = request_of(signature, [[2**53 + 1, 0.5]]).inputs
    assert (first.data.tolist(), second.data.tolist()) == ([[2**53 + 1]], [[0.5]])


class Flower(NamedTuple):
    """Its numbers have names, which may have another order."""

    pw: float
    pl: float
    sw: float
    sl: float


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 2, 3]],
        [[1, 2, 3, 4, 5]],
        [[1, 2, 3, 4], [1, 2, 3]],
        [[1, 2, 3, "4"]],
        [[1, 2, 3, None]],
        [[1, 2, 3, True]],
        [[1, 2, 3, 4], {"sl": 1}],
        [Flower(1, 2, 3, 4)],
    ],
)
def test_lists_that_do_not_fit_are_refused(rows: Any) -> None:
    """The message says which array it takes."""
    with pytest.raises(InputError, match=r"np\.array\(…\) of shape \[rows, 4\]"):
        table_of(rows, IRIS)


def test_lists_are_no_pictures() -> None:
    """The message names the array of them."""
    signature = Signature.model_validate(
        {"features": [{"name": "image", "kind": "image", "image": PICTURE}]}
    )
    with pytest.raises(InputError, match=r"np\.array\(…\) of shape \[rows, 2, 2\]"):
        table_of([[16]], signature)


def test_a_frame_may_have_more_columns() -> None:
    """They are left alone."""
    frame = pd.DataFrame({"sl": [1.5], "note": ["x"], "sw": 2, "pl": 3, "pw": 4})
    assert encode(IRIS, table_of(frame, IRIS)).inputs[0].data.tolist() == [[1.5, 2, 3, 4]]


@pytest.mark.parametrize("names", [["sl", "sl"], ["note", "note"], [1, "1"]])
def test_a_frame_with_a_name_twice_is_refused(names: list[Any]) -> None:
    """Nobody knows which column is meant."""
    with pytest.raises(InputError, match="more than one column"):
        table_of(pd.DataFrame([[1, 2]], columns=names), IRIS)


CELLS = pa.table(
    {
        "island": pa.DictionaryArray.from_arrays(
            pa.array([1, 0, 1], pa.uint32()), pa.array(["Biscoe", "Dream"], pa.string_view())
        ),
        "bill_length_mm": pa.array([39.5, None, 40], pa.float32()),
        "sex": pa.array(["female", None, "m"], pa.string_view()),
        "year": pa.array([2**53 + 1, 2007, 2008]),
        "note": pa.array([[1], [], None]),
    }
)


@pytest.mark.parametrize(
    "table",
    [PolarsFrame(CELLS), CELLS, pa.concat_tables([CELLS[:1], CELLS[1:]]), CELLS.to_batches()[0]],
    ids=["Polars", "table", "chunks", "record batch"],
)
def test_other_tables_are_read_as_they_are(table: Any) -> None:
    """Those of Arrow's, and whatever can become one: integers exact, gaps as such, more columns left alone."""
    request = request_of(PENGUINS, table)
    assert [tensor.data.ravel().tolist() for tensor in request.inputs] == [
        ["Dream", "Biscoe", "Dream"],
        [39.5, pytest.approx(math.nan, nan_ok=True), 40],
        ["f", "unknown", "m"],
        [2**53 + 1, 2007, 2008],
    ]


INTEGER = {"kind": "integer", "datatype": "INT64", "required": False, "missing": -1}
BERLIN = pa.timestamp("us", "Europe/Berlin")


@pytest.mark.parametrize(
    ("cells", "feature", "found"),
    [
        (pa.array([2**63 - 1, None]), INTEGER, [[2**63 - 1], [-1]]),
        (pa.array([True, False]), {"kind": "boolean"}, [[True], [False]]),
        (
            pa.array([True, None]),
            {"kind": "boolean", "required": False, "missing": False},
            [[True], [False]],
        ),
        (pa.array([date(2026, 7, 1)]), {"kind": "date"}, [["2026-07-01"]]),
        (
            pa.array([datetime(2026, 6, 30, 22, tzinfo=UTC)], BERLIN),
            {"kind": "date"},
            [["2026-07-01"]],
        ),
        (pa.array([Decimal("1.50")]), {"kind": "text"}, [["1.50"]]),
        (pa.array(["a"], pa.large_string()), {"kind": "text"}, [["a"]]),
        (pa.array([b"a"], pa.binary_view()), {"kind": "text"}, [["a"]]),
        (
            pa.array([[1, 2]]),
            {"kind": "tensor", "datatype": "INT64", "shape": [2]},
            [[1, 2]],
        ),
    ],
)
def test_each_type_of_arrow_is_read_exactly(
    cells: pa.Array, feature: dict[str, Any], found: list[Any]
) -> None:
    """No integer goes through a float, and no zone is lost."""
    request = request_of(column(**feature), pa.table({"a": cells}))
    assert request.inputs[0].data.tolist() == found


def test_what_is_wrong_with_another_table_is_told() -> None:
    """In the words for a table: a column that is missing, one that stands twice, a bad cell, no rows."""
    signature = column(kind="integer", datatype="INT64")
    with pytest.raises(InputError, match=r"^column missing: 'a'; the table has 'b'$"):
        request_of(signature, pa.table({"b": [1]}))
    with pytest.raises(InputError, match="the table has more than one column 'b'"):
        request_of(signature, pa.table([[1], [2], [3]], ["b", "a", "b"]))
    with pytest.raises(RowsError, match=r"^row 2, a: '0\.5' is not a whole number"):
        request_of(signature, pa.table({"a": [1.0, 0.5]}))
    with pytest.raises(InputError, match="there are no rows"):
        request_of(signature, pa.table({"a": pa.array([], pa.int64())}))


def test_a_series_is_one_row() -> None:
    """`frame.iloc[0]` goes in as it is."""
    frame = pd.DataFrame({"sl": [1.0], "sw": 2, "pl": 3, "pw": 4})
    assert encode(IRIS, table_of(frame.iloc[0], IRIS)).inputs[0].data.tolist() == [[1, 2, 3, 4]]


def test_an_array_has_the_features_as_columns() -> None:
    """In the order of the signature."""
    encoded = encode(IRIS, table_of(np.arange(8).reshape(2, 4), IRIS))
    assert encoded.inputs[0].data.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize("shape", [(4,), (2, 3), (1, 2, 4)])
def test_an_array_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    """One row is no matrix."""
    with pytest.raises(InputError, match=r"\[rows, 4\]"):
        table_of(np.zeros(shape), IRIS)


@pytest.mark.parametrize("shape", [(3, 4), (3, 2, 2)])
def test_an_array_of_pictures(shape: tuple[int, ...]) -> None:
    """A model that takes one picture takes an array of them, flat or not."""
    signature = Signature.model_validate(
        {"features": [{"name": "image", "kind": "image", "image": PICTURE, "shape": [4]}]}
    )
    encoded = encode(signature, table_of(np.ones(shape), signature))
    assert encoded.inputs[0].shape == (3, 4)


# Columns that are missing


def test_required_columns_must_be_there() -> None:
    """Near misses are named, whatever their case and their separators."""
    assert missing_columns(PENGUINS, ["island"]) == ["year"]
    with pytest.raises(InputError, match=r"column missing: 'year' \(is it 'Year '\?\)"):
        check_columns(PENGUINS, ["island", "Year "])
    with pytest.raises(InputError, match=r"columns missing: 'sl', 'sw'.*the table has 'pl', 'pw'"):
        check_columns(IRIS, ["pl", "pw"])
    with pytest.raises(InputError, match="no columns"):
        check_columns(IRIS, [])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"sl": 1.0}, "features missing: 'sw', 'pl', 'pw'; the row has 'sl'"),
        ([{"sl": 1.0}], "features missing: 'sw', 'pl', 'pw'; the row has 'sl'"),
        (pd.Series({"sl": 1.0}), "features missing: 'sw', 'pl', 'pw'; the row has 'sl'"),
        ([{"sl": 1.0}] * 2, "features missing: 'sw', 'pl', 'pw'; the rows have 'sl'"),
        (iter([{"sl": 1.0}] * 2), "features missing: 'sw', 'pl', 'pw'; the rows have 'sl'"),
        (pd.DataFrame({"sl": [1.0]}), "columns missing: 'sw', 'pl', 'pw'; the table has 'sl'"),
        (
            {},
            (
                "none of the features of this model is there; it needs 'sl', 'sw', 'pl', 'pw', the "
                "row has no features"
            ),
        ),
    ],
)
def test_what_is_missing_is_told_in_the_words_of_who_asked(rows: Any, words: str) -> None:
    """Who sends a row has no table, and it has no columns."""
    with pytest.raises(InputError) as caught:
        request_of(IRIS, rows)
    assert str(caught.value) == words


def test_a_near_miss_is_no_column_that_is_in_use() -> None:
    """`sw` is itself, not a mistyped `sl`."""
    with pytest.raises(InputError) as caught:
        check_columns(IRIS, ["sw", "pl", "pw"])
    assert "is it" not in str(caught.value)


@pytest.mark.parametrize("name", ["Bill length mm", "bill_lenght_mm", "BILL_LENGTH_MM"])
def test_a_mistyped_optional_column_is_refused(name: str) -> None:
    """Otherwise every row would be sent without it."""
    with pytest.raises(InputError, match=f"'{name}' is no feature: is it 'bill_length_mm'"):
        check_columns(PENGUINS, ["island", "year", name])


def test_an_optional_column_may_be_absent() -> None:
    """Each row has what stands for a missing value."""
    encoded = encode(PENGUINS, {"island": ["Dream"], "year": [2008], "notes": ["x"]})
    assert [t.data.tolist() for t in encoded.inputs[2:]] == [[["unknown"]], [[2008]]]
    assert math.isnan(encoded.inputs[1].data[0, 0])


def test_columns_of_unequal_length_are_refused() -> None:
    """Rows would shift."""
    with pytest.raises(InputError, match="unequal length: 1, 2"):
        encode(IRIS, {"sl": [1, 2], "sw": [1], "pl": [1], "pw": [1]})
    with pytest.raises(InputError, match="unequal length: 1, 3"):
        encode(column(), {"a": [1]}, count=3)


def test_no_rows_are_no_request() -> None:
    """An empty list and an empty frame."""
    empty = pd.DataFrame({"sl": [], "sw": [], "pl": [], "pw": []})
    no_rows: list[Any] = [[], empty, np.zeros((0, 4))]
    for rows in no_rows:
        with pytest.raises(InputError, match="there are no rows"):
            request_of(IRIS, rows)
        encoded = encode(IRIS, table_of(rows, IRIS))
        assert encoded.inputs[0].shape == (0, 4)
        assert encoded.issues == ()


def test_a_table_without_columns_has_as_many_rows_as_told() -> None:
    """When every feature is optional."""
    assert encode(column(required=False), {}, count=2).inputs[0].shape == (2, 1)


# Numbers


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (5, 5.0),
        ("5", 5.0),
        (" 5.25 ", 5.25),
        ("1e3", 1000.0),
        ("-0.5", -0.5),
        (np.float32(0.5), 0.5),
        (np.int8(5), 5.0),
        (Decimal("1.5"), 1.5),
        ("x", "'x' is not a number"),
        ("1,5", "'1,5' is not a number; write a point, not a comma"),
        (True, "True is not a number"),
        (np.True_, "True is not a number"),
        ("inf", "'inf' is not a finite number"),
        (math.inf, "'inf' is not a finite number"),
        ("1e999", "'1e999' is not a finite number"),
        (10**400, None),
        ([1], "'[1]' is not a number"),
        ([1, 2], "'[1, 2]' is not a number"),
        ({}, "'{}' is not a number"),
        (1j, "'1j' is not a number"),
        (date(2026, 11, 22), "'2026-11-22' is not a number"),
        ("", "is missing"),
        ("  ", "is missing"),
        ("NA", "is missing"),
        ("nan", "is missing"),
        ("NULL", "is missing"),
        (None, "is missing"),
        (math.nan, "is missing"),
        (np.float32("nan"), "is missing"),
        (pd.NA, "is missing"),
        (pd.NaT, "is missing"),
    ],
)
@pytest.mark.parametrize("beside", [[], [1.5], ["2"], [None]])
def test_numbers(cell: Any, number: float | str | None, beside: list[Any]) -> None:
    """Read the same alone, beside numbers, texts and gaps."""
    found = read([cell, *beside], required=True)[0]
    assert found == number or (number is None and "is not a number" in found)


def test_a_long_cell_is_cut_in_the_message() -> None:
    """A whole file may stand in one cell."""
    assert read(["x" * 1000])[0] == repr("x" * 37 + "\u2026") + " is not a number"


def test_a_number_too_large_for_its_datatype() -> None:
    """It would arrive as infinity."""
    assert read(["1e39", 1e39, 1.0], datatype="FP32")[:2] == [
        "'1e39' is too large for FP32",
        "'1e+39' is too large for FP32",
    ]
    assert read([70000.0], datatype="FP16") == ["'70000.0' is too large for FP16"]


def test_optional_numbers_become_nan_or_what_stands_for_missing() -> None:
    """NaN travels as null."""
    assert np.isnan(read(["", None, pd.NA, "NA"], required=False)).all()
    assert read(["", 2.0, math.nan], required=False, missing=-1) == [-1, 2, -1]
    assert read(np.array([math.nan, 2.0]), required=False, missing=-1) == [-1, 2]
    assert read(np.array([math.inf]), required=False) == ["'inf' is not a finite number"]


@pytest.mark.parametrize(
    "cells",
    [
        np.array([1.0, 2.0]),
        np.array([1, 2], dtype=np.uint8),
        np.array(["1", "2"]),
        np.array(["1", 2], dtype=object),
        pd.array([1, 2], dtype="Int64"),
        pd.array(["1", "2"], dtype="string"),
        pd.array(["1", "2"], dtype="category"),
        pd.array([1.0, 2.0], dtype="Float32"),
        ("1", 2),
    ],
)
def test_columns_of_all_kinds(cells: Any) -> None:
    """Arrays of numpy and of pandas are read as the cells they hold."""
    assert read(cells) == [1, 2]


# Whole numbers


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (5, 5),
        ("5", 5),
        (" 5 ", 5),
        ("+5", 5),
        ("-5", -5),
        ("5.0", 5),
        ("1e3", 1000),
        (5.0, 5),
        (np.int16(5), 5),
        (Decimal(5), 5),
        (2**53 + 1, 2**53 + 1),
        ("9007199254740993", 2**53 + 1),
        ("9007199254740993.0", 2**53 + 1),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        ("9223372036854775807", 2**63 - 1),
        (5.5, "'5.5' is not a whole number"),
        ("5.5", "'5.5' is not a whole number"),
        ("x", "'x' is not a whole number"),
        ("1,5", "'1,5' is not a whole number"),
        ("\u00b2", "'\u00b2' is not a whole number"),
        ("--5", "'--5' is not a whole number"),
        (True, "'True' is not a whole number"),
        (math.inf, "'inf' is not a whole number"),
        ("inf", "'inf' is not a whole number"),
        ("1e999999999", "'1e999999999' is not a whole number"),
        ("9" * 5000, None),
        ([5], "'[5]' is not a whole number"),
        ("", "is missing"),
        (math.nan, "is missing"),
    ],
)
def test_whole_numbers(cell: Any, number: int | str | None) -> None:
    """Exact to the last digit; a spreadsheet's 5.0 is 5."""
    found = read([cell], kind="integer")[0]
    assert found == number or (number is None and isinstance(found, str))


def test_whole_numbers_outside_their_datatype() -> None:
    """Nothing wraps around."""
    assert read([255, 256, -1], kind="integer", datatype="UINT8") == [
        255,
        "256 is outside UINT8 (0 to 255)",
        "-1 is outside UINT8 (0 to 255)",
    ]
    assert read([2**64 - 1, 2**64], kind="integer", datatype="UINT64") == [
        2**64 - 1,
        "18446744073709551616 is outside UINT64 (0 to 18446744073709551615)",
    ]
    assert read(np.array([1, 300]), kind="integer", datatype="UINT8") == [
        1,
        "300 is outside UINT8 (0 to 255)",
    ]


def test_numbers_of_thousands_of_digits_break_nothing() -> None:
    """Python itself refuses to write them."""
    assert read([10**5000], kind="integer")[0].startswith("the number is outside INT64")
    assert read([10**5000]) == ["'\u2026' is not a number"]


def test_whole_numbers_in_floats_are_exact_or_refused() -> None:
    """FP32 has no 16777217."""
    assert read([16777216, 16777217, 10**400], kind="integer", datatype="FP32") == [
        16777216,
        "16777217 has no exact form in FP32",
        "the number has no exact form in FP32",
    ]
    assert read([2**60, 2**60 + 1], kind="integer", datatype="FP64") == [
        2**60,
        f"{2**60 + 1} has no exact form in FP64",
    ]


def test_a_missing_whole_number_needs_something_instead() -> None:
    """INT64 has no NaN."""
    assert read([None, 1], kind="integer", required=False) == [
        "is missing, and the signature names nothing to send instead",
        1,
    ]
    assert read([None, 1], kind="integer", required=False, missing=0) == [0, 1]


# Categories, truth, text, dates


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("f", "f"),
        ("female", "f"),
        (" male ", "m"),
        (b"m", "m"),
        (np.str_("m"), "m"),
        ("Female", "'Female' is not one of female, male"),
        ("x", "'x' is not one of female, male"),
        ("", "is missing"),
        (None, "is missing"),
    ],
)
def test_categories_by_value_and_label(cell: Any, value: str) -> None:
    """The model gets the value; people may write either."""
    choices = [{"value": "f", "label": "female"}, {"value": "m", "label": "male"}]
    assert read([cell], kind="category", choices=choices) == [value]


@pytest.mark.parametrize(
    ("cell", "value"), [(1, "1"), (1.0, "1"), ("1", "1"), ("1.5", "1.5"), (2.5, "2.5")]
)
def test_numbers_as_categories(cell: Any, value: str) -> None:
    """A gap in its column makes pandas write 1.0 for 1."""
    found = read([cell], kind="category", choices=[1, 1.5, 2.5])
    assert found == [value]


def test_categories_as_numbers() -> None:
    """A choice may travel as a number."""
    choices = [{"value": 0, "label": "no"}, {"value": 1, "label": "yes"}]
    assert read(["yes", 0], kind="category", choices=choices, datatype="INT32") == [1, 0]


@pytest.mark.parametrize("word", ["None", "NA", "null"])
def test_a_choice_may_be_a_word_for_missing(word: str) -> None:
    """The answer "None" stands in many questionnaires."""
    assert read([word, "x"], kind="category", choices=[word, "x"]) == [word, "x"]


@pytest.mark.parametrize(
    "cells",
    [
        pd.array(["f", None], dtype="category"),
        pd.array(["f", pd.NA], dtype="string"),
        np.array(["f", None], dtype=object),
        ["f", math.nan],
        ["f", ""],
    ],
)
def test_missing_categories(cells: Any) -> None:
    """What the signature names is sent instead, though it is no choice."""
    found = read(cells, kind="category", choices=["f"], required=False, missing="unknown")
    assert found == ["f", "unknown"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (True, True),
        (np.False_, False),
        ("true", True),
        ("FALSE", False),
        (" yes ", True),
        ("n", False),
        (1, True),
        (0.0, False),
        ("1.0", True),
        ("Ja", True),
        ("j", True),
        ("WAHR", True),
        ("Nein", False),
        ("FALSCH", False),
        ("maybe", "'maybe' is neither true nor false"),
        (2, "'2' is neither true nor false"),
        (None, "is missing"),
    ],
)
def test_truth(cell: Any, value: Any) -> None:
    """The words of spreadsheets and databases."""
    assert read([cell], kind="boolean") == [value]


def test_truth_in_pandas() -> None:
    """Nullable booleans too."""
    cells = pd.array([True, None], dtype="boolean")
    assert read(cells, kind="boolean", required=False, missing=False) == [True, False]
    assert read(cells, kind="boolean", datatype="FP32", required=False)[0] == 1.0


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("NA", "NA"),
        (" a ", " a "),
        ("", "is missing"),
        (" ", "is missing"),
        (5, "5"),
        (b"\xc3\xa9", "\u00e9"),
        (b"\xff", "is not UTF-8 text"),
        ("\ud800", "is not UTF-8 text"),
        (None, "is missing"),
        (pd.NA, "is missing"),
    ],
)
def test_text(cell: Any, value: str) -> None:
    """As it stands: "NA" is Namibia."""
    assert read([cell], kind="text") == [value]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("2026-11-22", "2026-11-22"),
        (" 2026-11-22 ", "2026-11-22"),
        (date(2026, 11, 22), "2026-11-22"),
        (datetime(2026, 11, 22, tzinfo=UTC), "2026-11-22"),
        (pd.Timestamp("2026-11-22"), "2026-11-22"),
        (np.datetime64("2026-11-22"), "2026-11-22"),
        ("2026-11-22 00:00:00", "2026-11-22"),
        ("2026-11-22T10:30", "'2026-11-22T10:30' has a time of day; the model takes dates"),
        ("22.11.2026", "2026-11-22"),
        ("1.4.2022", "2022-04-01"),
        ("01.05.2023 00:00", "2023-05-01"),
        ("01.05.2023 10:30", "'01.05.2023 10:30' has a time of day; the model takes dates"),
        ("31.02.2026", "'31.02.2026' is not a date such as 2026-11-22"),
        ("22.11.26", "'22.11.26' is not a date such as 2026-11-22"),
        ("22/11/2026", "'22/11/2026' is not a date such as 2026-11-22"),
        ("2026-02-30", "'2026-02-30' is not a date such as 2026-11-22"),
        (46348, "'46348' is not a date such as 2026-11-22"),
        (np.datetime64("NaT"), "is missing"),
        (pd.NaT, "is missing"),
    ],
)
def test_dates(cell: Any, value: str) -> None:
    """A spreadsheet's midnight is a date; an hour would be lost."""
    assert read([cell], kind="date") == [value]


def test_dates_in_pandas() -> None:
    """A datetime64 column with a gap."""
    cells = pd.array(["2026-11-22", None], dtype="datetime64[s]")
    assert read(cells, kind="date") == ["2026-11-22", "is missing"]


# Pictures and blocks


def png(level: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (2, 2), level).save(out, "PNG")
    return out.getvalue()


WHITE = png(255)
LEVELS = "outside the 0 to 16 of its pixels: give the picture's bytes, or scale its numbers"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (WHITE, [[16, 16], [16, 16]]),
        (bytearray(WHITE), [[16, 16], [16, 16]]),
        (base64.b64encode(WHITE).decode(), [[16, 16], [16, 16]]),
        ("data:image/png;base64," + base64.b64encode(WHITE).decode(), [[16, 16], [16, 16]]),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        ([1, 2, 3, 4], [[1, 2], [3, 4]]),
        ("[1, 2, 3, 4]", [[1, 2], [3, 4]]),
        (" [[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        (np.arange(4.0), [[0, 1], [2, 3]]),
        (pd.Series([1, 2, 3, 4]), [[1, 2], [3, 4]]),
        ([-1e-9, 16.001, 0, 0], [[-1e-9, 16.001], [0, 0]]),
        (np.array([math.nan, 16, 0, 0]), [[math.nan, 16], [0, 0]]),
        ([0, 255, 0, 0], f"holds 255, {LEVELS}"),
        (np.array([[0, 17], [0, 0]], dtype=np.uint8), f"holds 17, {LEVELS}"),
        ("[0, -0.5, 0, 0]", f"holds -0.5, {LEVELS}"),
        ([1, 2, 3], "has 3 values, not the 4 of [2, 2]"),
        ([[1], [2, 3]], "nested lists of unequal length"),
        (["a", "b", "c", "d"], "FP32 takes numbers, not 'a'"),
        ([math.inf, 1, 2, 3], "holds infinity, which has no form in JSON"),
        ([1e39, 1, 2, 3], "a value is too large for FP32"),
        ("[1, 2", "is not a JSON list of numbers"),
        ("[" * 100_000, "is not a JSON list of numbers"),
        (b"text", "it is not a picture (PNG, JPEG, \u2026)"),
        ("text", "it is not a picture (PNG, JPEG, \u2026)"),
        ("a/path.png", "it is neither a picture nor base64 of one"),
        ({"a": 1}, None),
        (5, "has 1 values, not the 4 of [2, 2]"),
        (None, "is missing"),
    ],
)
def test_pictures(cell: Any, value: Any) -> None:
    """A file in any form, or its numbers in any form."""
    found = read([cell], kind="image", image=PICTURE)[0]
    if value is None or isinstance(value, str):
        assert found == value or (value is None and isinstance(found, str))
    else:
        assert np.array_equal(found, np.float32(value), equal_nan=True)


@pytest.mark.parametrize("said", [{"low": 0}, {"high": 1}])
def test_numbers_of_a_picture_are_checked_where_its_levels_are_said(said: dict[str, Any]) -> None:
    """Standardised numbers are right for a model whose levels nobody said."""
    numbers, size = [-1.7, 2.5, 0, 0], {"width": 2, "height": 2}
    (found,) = read([numbers], kind="image", image=size)
    assert np.array_equal(found, np.array([[-1.7, 2.5], [0, 0]], np.float32))
    told = "outside the 0 to 1 of its pixels: give the picture's bytes, or scale its numbers"
    assert read([numbers], kind="image", image=size | said) == [f"holds -1.7, {told}"]


def test_pictures_as_whole_numbers() -> None:
    """Rounded, for models that take bytes."""
    spec = {**PICTURE, "high": 255}
    assert read([png(128)], kind="image", image=spec, datatype="UINT8") == [[[128] * 2] * 2]
    assert read([[256, 0, 0, 0]], kind="image", image=spec, datatype="UINT8") == [
        "256 is outside UINT8 (0 to 255)"
    ]


def test_a_path_or_a_picture_of_pillows_is_a_picture(tmp_path: Path) -> None:
    """Its numbers are scaled like those of a file; the name of a file as text stays text."""
    file = tmp_path / "white.png"
    file.write_bytes(WHITE)
    cells = [file, Image.new("RGB", (9, 9), "white"), Image.open(file), str(file)]
    white = [[16, 16], [16, 16]]
    told = "it is neither a picture nor base64 of one"
    assert read(cells, kind="image", image=PICTURE) == [white, white, white, told]
    frame = pd.DataFrame({"a": cells[:3]})
    table = table_of(frame, column(kind="image", image=PICTURE))
    assert read(table["a"], kind="image", image=PICTURE) == [white] * 3


def test_a_path_without_a_file_is_told(tmp_path: Path) -> None:
    """Which file, and why."""
    file = tmp_path / "gone.png"
    told = f"the file {file} can't be read: No such file or directory"
    assert read([file], kind="image", image=PICTURE) == [told]
    assert read([Path("a.npy")], kind="tensor", shape=[2]) == ["'a.npy' is not a list of numbers"]


def test_rounded_pictures_are_not_outside() -> None:
    """A picture's own numbers may be rounded past an end; those of half precision are."""
    spec = {"width": 2, "height": 2, "low": 0.4, "high": 254.6}
    assert read([png(255)], kind="image", image=spec, datatype="UINT8") == [[[255] * 2] * 2]
    third = {"width": 2, "height": 2, "low": 0, "high": 1 / 3}
    given = [[1 / 3] * 4, png(255)]
    assert (
        read(given, kind="image", image=third, datatype="FP16") == [[[0.333251953125] * 2] * 2] * 2
    )


def test_blocks() -> None:
    """Numbers, whole numbers to the last digit, texts."""
    assert read([[1, 2]], kind="tensor", shape=[2]) == [[1, 2]]
    exact = [2**53 + 1, -1]
    assert (
        read([exact, json.dumps(exact)], kind="tensor", shape=[2], datatype="INT64") == [exact] * 2
    )
    assert read([["a", "b\0"]], kind="tensor", shape=[2], datatype="BYTES") == [["a", "b\0"]]
    assert read(["text"], kind="tensor", shape=[2]) == ["'text' is not a list of numbers"]


def test_gaps_in_a_block_are_nan() -> None:
    """As they are in a number."""
    assert math.isnan(read([[1, None]], kind="tensor", shape=[2])[0][1])
    assert np.isnan(read([None], kind="tensor", shape=[2], required=False)[0]).all()


# Requests


def test_a_tensor_of_features_in_their_order() -> None:
    """Whatever the order of the table."""
    request = request_of(IRIS, {"pw": 4, "pl": 3, "sw": 2, "sl": 1})
    assert written(request) == (
        b'{"inputs":[{"name":"input-0","shape":[1,4],"datatype":"FP32","data":[1.0,2.0,3.0,4.0]}],'
        b'"outputs":[{"name":"predict"}]}'
    )


def test_columns_each_with_its_datatype() -> None:
    """Texts carry their content type, or MLServer would hand bytes to the model; gaps are null."""
    rows = [{"island": "Dream", "sex": "male", "year": "2008"}, {"island": "Biscoe", "year": 2009}]
    assert json.loads(written(request_of(PENGUINS, rows))) == {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {
                "name": "island",
                "shape": [2, 1],
                "datatype": "BYTES",
                "data": ["Dream", "Biscoe"],
                "parameters": {"content_type": "str"},
            },
            {
                "name": "bill_length_mm",
                "shape": [2, 1],
                "datatype": "FP64",
                "data": [None, None],
            },
            {
                "name": "sex",
                "shape": [2, 1],
                "datatype": "BYTES",
                "data": ["m", "unknown"],
                "parameters": {"content_type": "str"},
            },
            {"name": "year", "shape": [2, 1], "datatype": "INT64", "data": [2008, 2009]},
        ],
    }


@pytest.mark.parametrize("content_type", ["pd", None])
def test_a_text_that_is_said_to_be_something_else_is_sent_as_that(content_type: str | None) -> None:
    """MLServer makes moments of a datetime, and no model of MLflow's takes a str for one."""
    moment = {"name": "a", "kind": "date", "content_type": "datetime"}
    signature = Signature.model_validate(
        {"layout": "columns", "content_type": content_type, "features": [moment]}
    )
    (tensor,) = request_of(signature, {"a": "02.01.2026"}).inputs
    assert tensor.parameters == {"content_type": "datetime"}
    assert tensor.data.tolist() == [["2026-01-02"]]


def test_without_pd_texts_have_no_content_type() -> None:
    """Other servers may not know the parameter."""
    signature = Signature.model_validate(
        {"layout": "columns", "content_type": None, "features": [{"name": "a", "kind": "text"}]}
    )
    assert json.loads(written(request_of(signature, {"a": "x"}))) == {
        "inputs": [{"name": "a", "shape": [1, 1], "datatype": "BYTES", "data": ["x"]}]
    }


def test_every_bad_cell_is_named() -> None:
    """Row and column, in the order of the rows."""
    rows = [{"sl": "x", "sw": 1, "pl": 1, "pw": ""}, {"sl": 1, "sw": 1, "pl": 1, "pw": 1}]
    with pytest.raises(RowsError) as caught:
        request_of(IRIS, rows)
    assert str(caught.value) == "row 1, sl: 'x' is not a number; row 1, pw: is missing"


@pytest.mark.parametrize(
    ("labels", "where"),
    [
        ([0, 1], "row 2"),
        ([215, 7], "row 2 (index 7)"),
        ([1, 0], "row 2 (index 0)"),
        (["a", "b"], "row 2 (index b)"),
        (pd.array([0, None], "Int64"), "row 2 (index <NA>)"),
        ([("x", 1), ("x", 2)], "row 2 (index ('x', 2))"),
        (pd.to_datetime(["2026-11-22", "2026-11-23"]), "row 2 (index 2026-11-23 00:00:00)"),
    ],
)
def test_a_bad_row_of_a_frame_has_its_label(labels: Any, where: str) -> None:
    """Where the index is more than the position."""
    frame = pd.DataFrame({"sl": ["1", "x"], "sw": 2, "pl": 3, "pw": 4}, index=pd.Index(labels))
    with pytest.raises(RowsError) as caught:
        request_of(IRIS, frame)
    assert str(caught.value) == f"{where}, sl: 'x' is not a number"


def test_a_bad_series_has_its_name() -> None:
    """For people and for programs."""
    series = pd.Series({"sl": "x", "sw": 2, "pl": 3, "pw": 4}, name=215)
    with pytest.raises(RowsError, match=r"row 1 \(index 215\), sl") as caught:
        request_of(IRIS, series)
    assert (caught.value.issues[0].row, caught.value.issues[0].label) == (0, 215)


def test_good_rows_are_kept_with_their_positions() -> None:
    """The others can be told and left out."""
    table = {
        name: ["1", "x", "3"] if name == "sw" else ["0"] * 3 for name in ("sl", "sw", "pl", "pw")
    }
    encoded = encode(IRIS, table)
    assert encoded.rows.tolist() == [0, 2]
    assert [(i.row, i.column) for i in encoded.issues] == [(1, "sw")]
    request = build_request(IRIS, encoded.inputs)
    assert request.inputs[0].data.tolist() == [[0, 1, 0, 0], [0, 3, 0, 0]]


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["", "NA", "1", "1.5", "x", "true", "2026-11-22", "[1, 2]", b"\xff", pd.NA]),
    st.lists(st.floats() | st.text(max_size=1) | st.none(), max_size=3),
)
FEATURES: list[dict[str, Any]] = [
    {"kind": "number"},
    {"kind": "number", "datatype": "FP16", "required": False},
    {"kind": "integer", "datatype": "INT8"},
    {"kind": "integer", "datatype": "FP32", "required": False},
    {"kind": "category", "choices": ["x", "1", "NA"], "required": False, "missing": "?"},
    {"kind": "category", "choices": [1, 2], "datatype": "FP32", "required": False},
    {"kind": "boolean"},
    {"kind": "text"},
    {"kind": "date", "required": False, "missing": "1970-01-01"},
    {"kind": "tensor", "shape": [2]},
    {"kind": "tensor", "shape": [2], "datatype": "INT64"},
    {"kind": "image", "image": {"width": 2, "height": 1}, "required": False},
]


@given(
    st.lists(st.sampled_from(FEATURES), min_size=1, max_size=3),
    st.integers(0, 4),
    st.data(),
)
def test_each_row_is_encoded_or_has_an_issue(
    features: list[dict[str, Any]], count: int, data: st.DataObject
) -> None:
    """Never both, never neither; and what is encoded can be written."""
    named = [{**feature, "name": str(at)} for at, feature in enumerate(features)]
    signature = Signature.model_validate({"layout": "columns", "features": named})
    cells = st.lists(CELLS, min_size=count, max_size=count)
    table = {feature["name"]: data.draw(cells) for feature in named}
    encoded = encode(signature, table)
    bad = {issue.row for issue in encoded.issues}
    assert sorted([*encoded.rows.tolist(), *bad]) == list(range(count))
    assert all(tensor.shape[0] == count - len(bad) for tensor in encoded.inputs)
    written(build_request(signature, encoded.inputs))


def test_a_large_table_of_texts_is_quick() -> None:
    """100,000 rows of four CSV columns; the limit is generous, for busy machines."""
    texts = [f"{at / 7:.4f}" for at in range(100_000)]
    started = time.perf_counter()
    encoded = encode(IRIS, dict.fromkeys(("sl", "sw", "pl", "pw"), texts))
    assert time.perf_counter() - started < 10
    assert len(encoded.rows) == 100_000


# Gaps, masks, and what is no number

BIG = 2**62 + 1  # no float has it


@pytest.mark.parametrize("dtype", ["Int64", "int64[pyarrow]", "category", "object"])
@pytest.mark.parametrize(
    ("kind", "missing", "sent"),
    [
        ("integer", -1, [BIG, -1]),
        ("text", "?", ["4611686018427387905", "?"]),
        ("category", "?", ["4611686018427387905", "?"]),
    ],
)
def test_a_gap_leaves_the_integers_of_its_column_alone(
    dtype: str, kind: str, missing: Any, sent: list[Any]
) -> None:
    """Whatever pandas keeps them in: what is sent for the others is what it is without the gap."""
    choices = {"choices": [BIG, 5]} if kind == "category" else {}
    signature = column(kind=kind, required=False, missing=missing, **choices)
    cells: Any = pd.Series([BIG, None], dtype=object)
    frame = pd.DataFrame({"a": cells.astype(dtype)})
    assert request_of(signature, frame).inputs[0].data.ravel().tolist() == sent


def test_what_a_mask_hides_is_missing() -> None:
    """The numbers under the mask of an array are nobody's."""
    signature = Signature.model_validate(
        {
            "datatype": "INT64",
            "features": [
                {"name": "a", "kind": "integer", "required": False, "missing": -1},
                {"name": "b", "kind": "integer"},
            ],
        }
    )
    rows = np.ma.masked_greater(np.array([[9, 1], [2, 3]]), 5)
    assert request_of(signature, rows).inputs[0].data.tolist() == [[-1, 1], [2, 3]]
    with pytest.raises(RowsError, match=r"^row 1, b: is missing$"):
        request_of(signature, rows[:, ::-1])
    with pytest.raises(RowsError, match=r"^row 1, b: is missing$"):
        request_of(signature, {"a": 1, "b": rows[0, 0]})
    floats = column(kind="number", required=False)
    sent = request_of(floats, np.ma.masked_greater([[9.5], [2.5]], 5)).inputs[0].data
    assert np.isnan(sent).tolist() == [[True], [False]]


@pytest.mark.parametrize(
    "cell",
    [
        np.complex128(1 + 2j),
        np.complex64(1 + 2j),
        1 + 2j,
        np.timedelta64(1, "s"),
        np.timedelta64(1, "ns"),
        np.datetime64("2026-01-02", "ns"),
    ],
)
@pytest.mark.parametrize("kind", ["number", "integer"])
def test_what_numpy_alone_takes_for_a_number_is_refused(cell: Any, kind: str) -> None:
    """Nothing of it is thrown away, alone, beside others, or in a column of its kind."""
    signature = column(kind=kind)
    for rows in ({"a": cell}, [{"a": cell}, {"a": 1}], pd.DataFrame({"a": [cell]})):
        with pytest.raises(RowsError, match=r"^row 1, a: .* is not a (whole )?number$"):
            request_of(signature, rows)


def test_a_duration_that_is_none_is_missing() -> None:
    """NaT of numpy, as that of pandas."""
    signature = column(kind="text", required=False, missing="?")
    assert read([np.timedelta64("NaT")], kind="text") == ["is missing"]
    assert request_of(signature, {"a": np.timedelta64("NaT")}).inputs[0].data.tolist() == [["?"]]


@pytest.mark.parametrize(
    ("cell", "dtypes", "text"),
    [
        (
            datetime(2026, 1, 2),  # noqa: DTZ001 - a column without a zone
            ["datetime64[s]", "datetime64[ns]", "timestamp[us][pyarrow]", "object"],
            "2026-01-02 00:00:00",
        ),
        (
            datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001 - the same
            ["datetime64[us]", "datetime64[ns]", "timestamp[us][pyarrow]", "object"],
            "2026-01-02 03:04:05.000006",
        ),
        (
            timedelta(seconds=1),
            ["timedelta64[s]", "timedelta64[ns]", "duration[us][pyarrow]", "object"],
            "0 days 00:00:01",
        ),
    ],
)
def test_a_time_is_one_text_in_every_column(cell: Any, dtypes: list[str], text: str) -> None:
    """And in a mapping, as Python, numpy or pandas has it."""
    signature = column(kind="text")
    cells: Any = pd.Series([cell])
    frames = [pd.DataFrame({"a": cells.astype(dtype)}) for dtype in dtypes]
    for rows in (*frames, {"a": cell}, {"a": cells.to_numpy()[0]}, {"a": cells[0]}):
        assert request_of(signature, rows).inputs[0].data.tolist() == [[text]]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (np.datetime64("2026-01-02"), "2026-01-02"),
        (np.datetime64("300000-01-01T00:00:00"), "300000-01-01 00:00:00"),
        (np.timedelta64(1, "Y"), "1 years"),
    ],
)
def test_times_that_pandas_has_no_word_for(cell: Any, text: str) -> None:
    """A day stays a day, and a year is no number of days."""
    assert read([cell], kind="text") == [text]
