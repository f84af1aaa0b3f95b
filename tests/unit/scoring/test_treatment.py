"""What is done about cells that can't, or should not, be sent."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from kserve_client.errors import InputError
from kserve_client.scoring.treatment import Treatment, mended, usual_value
from kserve_client.signature import Feature, Signature

SIGNATURE = Signature.model_validate(
    {
        "layout": "columns",
        "features": [
            {
                "name": "x",
                "min": 0,
                "max": 10,
                "unit": "cm",
                "reference": {"rows": 5, "quantiles": [0, 1, 2, 3.5, 4, 5, 6]},
            },
            {"name": "n", "kind": "integer", "min": 0, "max": 10, "datatype": "INT16"},
            {
                "name": "island",
                "kind": "category",
                "choices": ["Biscoe", "Dream", {"value": "T", "label": "Torger sen"}],
                "reference": {"rows": 5, "counts": {"Biscoe": 1, "Dream": 4}},
            },
            {"name": "day", "kind": "date", "default": "2026-11-22"},
            {"name": "pin", "sensitive": True, "max": 5},
            {"name": "note", "kind": "text"},
            {"name": "photo", "kind": "tensor", "shape": [2]},
        ],
    }
)


def applied(name: str, actions: Any, column: Any, decimal: Any = ".", fill: Any = None) -> Any:
    fills = {} if fill is None else {name: fill}
    treatment = Treatment.of(SIGNATURE, {name: actions}, fills)
    array = column if isinstance(column, pa.Array) else pa.array(column)
    found, dropped = treatment.apply(SIGNATURE.feature(name), array, decimal)
    return found.to_pylist(), dropped


def test_without_a_treatment_nothing_is_touched() -> None:
    """The very column goes on, so that a run without one loses no time."""
    column = pa.array(["", "x"])
    found, dropped = Treatment().apply(SIGNATURE.feature("x"), column)
    assert found is column
    assert dropped == {}


def test_sending_all_is_no_treatment() -> None:
    """Nothing is kept of a choice that changes nothing."""
    assert Treatment.of(SIGNATURE, {"x": {"missing": "send", "wrong": "send"}}) == Treatment()


def test_rows_are_left_out_with_their_reason() -> None:
    """Each trouble has its own words; the cells are not changed."""
    actions = {"missing": "drop", "wrong": "drop", "range": "drop"}
    cells = ["1", "", "abc", "11", "-0.5", "10"]
    assert applied("x", actions, cells) == (
        cells,
        {
            1: "left out: x is missing",
            2: "left out: x: 'abc' is not a number",
            3: "left out: x: 11 is outside 0 to 10 cm",
            4: "left out: x: -0.5 is outside 0 to 10 cm",
        },
    )


def test_only_what_is_to_be_left_out_is() -> None:
    """The other troubles are sent, to be refused in their own words."""
    assert applied("x", {"range": "drop"}, ["", "abc", "11"])[1].keys() == {2}


def test_a_sensitive_value_is_not_in_the_reason() -> None:
    """Neither when it is wrong nor when it is out of range."""
    assert applied("pin", {"wrong": "drop", "range": "drop"}, ["hunter2", "6"])[1] == {
        0: "left out: pin: the value is not a number",
        1: "left out: pin: the value is outside up to 5",
    }


def test_a_point_beside_decimal_commas_is_left_out() -> None:
    """It counts as wrong, since nobody can say what it means."""
    cells, dropped = applied("x", {"wrong": "drop"}, ["1,5", "1.5"], ",")
    assert cells == ["1,5", "1.5"]
    assert dropped == {
        1: "left out: x: '1.5' has a point, and this file writes decimals with a comma"
    }


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (pa.array(["1", "", None, "NA"]), ["1", "3.5", "3.5", "3.5"]),
        (pa.array([1.0, None, float("nan")]), [1.0, 3.5, 3.5]),
        (pa.array([1, None], pa.int64()), [1.0, 3.5]),
        (pa.array(["1", ""]).dictionary_encode(), ["1", "3.5"]),
    ],
)
def test_the_median_stands_in(column: pa.Array, found: list[Any]) -> None:
    """A missing number is filled, in a column of any type."""
    assert applied("x", {"missing": "fix"}, column) == (found, {})


def test_a_value_of_ones_own_stands_in() -> None:
    """With the decimal sign of the file."""
    assert applied("x", {"missing": "fix"}, ["", "2,5"], ",", fill=1.25) == (["1,25", "2,5"], {})


def test_the_commonest_choice_and_the_default_stand_in() -> None:
    """Of a category by its reference, of a date by its default, typed or not."""
    assert applied("island", {"missing": "fix"}, ["", "Biscoe"])[0] == ["Dream", "Biscoe"]
    assert applied("day", {"missing": "fix"}, ["", "2026-01-01"])[0] == ["2026-11-22", "2026-01-01"]
    column = pa.array([None, date(2026, 1, 1)])
    assert applied("day", {"missing": "fix"}, column)[0] == [date(2026, 11, 22), date(2026, 1, 1)]


def test_numbers_are_taken_to_the_nearer_end() -> None:
    """What lies within stays byte for byte as it was."""
    assert applied("x", {"range": "fix"}, ["-3", "007", "11", "abc"])[0] == [
        "0.0",
        "007",
        "10.0",
        "abc",
    ]
    assert applied("n", {"range": "fix"}, ["-3", "11"])[0] == ["0", "10"]
    assert applied("n", {"range": "fix"}, pa.array([-3, 5, 11], pa.int8()))[0] == [0, 5, 10]


def test_a_decimal_comma_is_read() -> None:
    """Only where the whole cell is such a number."""
    cells = ["1,5", " -2,25 ", "3.5", "1,2,3", "a,5"]
    found, dropped = applied("x", {"wrong": "fix"}, cells)
    assert found == ["1.5", " -2.25 ", "3.5", "1,2,3", "a,5"]
    assert dropped == {}


def test_a_number_that_was_mended_may_be_out_of_range() -> None:
    """One fix after the other."""
    assert applied("x", {"wrong": "fix", "range": "drop"}, ["99,5"]) == (
        ["99.5"],
        {0: "left out: x: 99.5 is outside 0 to 10 cm"},
    )


def test_a_choice_is_known_by_its_letters() -> None:
    """Case, blanks and marks; by its label too. What is a choice already stays as it is."""
    cells = ["dream", "BISCOE ", "torger-sen", " Dream ", "Gough", "", None]
    assert applied("island", {"wrong": "fix"}, cells)[0] == [
        "Dream",
        "Biscoe",
        "T",
        " Dream ",
        "Gough",
        "",
        None,
    ]


def test_choices_that_differ_in_case_alone_are_not_guessed() -> None:
    """Two of the same letters are nobody's guess."""
    feature = Feature(name="a", kind="category", choices=("ab", "AB"))  # type: ignore[arg-type]
    assert mended(feature, pa.array(["Ab", "ab"]), ".").to_pylist() == ["Ab", "ab"]


@pytest.mark.parametrize(
    ("actions", "fills", "words"),
    [
        ({"y": {"wrong": "drop"}}, {}, "no feature 'y'"),
        ({}, {"y": 1}, "no feature 'y'"),
        ({"day": {"wrong": "fix"}}, {}, "day: what is wrong can't be fixed"),
        ({"note": {"range": "fix"}}, {}, "note: what is out of range can't be fixed"),
        ({"photo": {"missing": "fix"}}, {}, "photo: what is missing can't be fixed"),
        ({"note": {"missing": "fix"}}, {}, "note: say what to send for a missing value"),
        (
            {"n": {"missing": "fix"}},
            {"n": 1.5},
            "n: what stands for a missing value: '1.5' is not a whole number",
        ),
    ],
)
def test_what_can_not_be_done(actions: Any, fills: Any, words: str) -> None:
    """A treatment that can't work is not made."""
    with pytest.raises(InputError, match=words):
        Treatment.of(SIGNATURE, actions, fills)


def test_json_and_back() -> None:
    """A manifest keeps it whole, and it does the same after."""
    treatment = Treatment.of(SIGNATURE, {"x": {"missing": "fix", "range": "drop"}})
    again = Treatment.model_validate_json(treatment.model_dump_json())
    assert again == treatment
    assert again.apply(SIGNATURE.feature("x"), pa.array(["", "11"]))[1].keys() == {1}


def test_the_usual_value() -> None:
    """The middle of the sample, else the default, else nothing."""
    assert usual_value(SIGNATURE.feature("x")) == (3.5, "the median of the sample")
    assert usual_value(SIGNATURE.feature("island")) == ("Dream", "the commonest of the sample")
    assert usual_value(SIGNATURE.feature("day")) == ("2026-11-22", "where the form starts")
    assert usual_value(SIGNATURE.feature("n")) is None


@pytest.mark.parametrize(
    ("action", "column", "dropped"),
    [
        ("fix", ["-3", "5", "10.0"], {}),
        ("drop", ["-3", "5", "11"], {2: "left out: x: 11 is outside up to 10"}),
    ],
)
def test_the_range_is_that_of_when_it_was_chosen(
    action: Any, column: list[str], dropped: dict[int, str]
) -> None:
    """A slider that is moved later does not change what is sent in the midst of a job."""
    chosen = Signature(features=(Feature(name="x", max=10),))
    kept = Treatment.of(chosen, {"x": {"range": action}}).model_dump(mode="json")
    treatment = Treatment.model_validate(kept)
    moved = Feature(name="x", min=0, max=4)
    found, left_out = treatment.apply(moved, pa.array(["-3", "5", "11"]))
    assert (found.to_pylist(), left_out) == (column, dropped)


def test_a_range_that_was_not_there_leaves_nothing_out() -> None:
    """Who chose to leave out what is out of range had none to look at."""
    treatment = Treatment.of(Signature(features=(Feature(name="x"),)), {"x": {"range": "drop"}})
    column = pa.array(["-3"])
    assert treatment.apply(Feature(name="x", min=0), column) == (column, {})
