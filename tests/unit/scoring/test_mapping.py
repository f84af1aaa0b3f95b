"""Which column feeds which feature."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from kserve_client.errors import InputError
from kserve_client.scoring.mapping import Mapping, Origin, suggest
from kserve_client.scoring.rows import Rows
from kserve_client.signature import Signature

IRIS = Signature.model_validate(
    {
        "features": [
            {"name": "petal_length", "unit": "cm"},
            {"name": "petal_width", "title": "Width of the petal", "unit": "cm"},
        ]
    }
)
MIXED = Signature.model_validate(
    {
        "layout": "columns",
        "features": [
            {"name": "x"},
            {"name": "n", "kind": "integer", "required": False, "missing": 0},
            {"name": "island", "kind": "category", "choices": ["Biscoe", "Dream"]},
            {"name": "flag", "kind": "boolean", "required": False, "missing": False},
            {"name": "photo", "kind": "tensor", "shape": [2], "required": False},
        ],
    }
)


def batch(**columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def reasons(signature: Signature, columns: list[str], rows: Rows | None = None) -> dict[str, Any]:
    found = suggest(signature, columns, rows)
    return {name: (origin.column, origin.reason) for name, origin in found.origins.items()}


# Suggestions


def test_the_same_name() -> None:
    """A column of the very name is taken, whatever else there is."""
    assert reasons(IRIS, ["Petal Length", "petal_length", "petal_width"]) == {
        "petal_length": ("petal_length", "exact"),
        "petal_width": ("petal_width", "exact"),
    }


@pytest.mark.parametrize(
    ("column", "feature"),
    [
        ("Petal Length", "petal_length"),
        ("petalLength", "petal_length"),
        ("PETAL-LENGTH (cm)", "petal_length"),
        ("width of the petal", "petal_width"),
        ("Width of the petal [cm]", "petal_width"),
    ],
)
def test_the_same_letters(column: str, feature: str) -> None:
    """Case, blanks, marks, the title and the unit make no difference."""
    assert reasons(IRIS, [column]) == {feature: (column, "same letters")}


def test_another_unit_is_for_a_person_to_see() -> None:
    """Inches are not centimetres: the column is only suggested."""
    found = suggest(IRIS, ["petal length (in)", "petal_width"])
    assert found.of("petal_length") == Origin(column="petal length (in)", reason="similar")
    assert found.unsure == ("petal_length",)


def test_what_looks_alike_is_suggested() -> None:
    """A mistyped name is found, and marked."""
    assert reasons(IRIS, ["petal_lenght", "petal_wdth"]) == {
        "petal_length": ("petal_lenght", "similar"),
        "petal_width": ("petal_wdth", "similar"),
    }


def test_two_that_look_as_alike_are_not() -> None:
    """Where no column is clearly the likeliest nothing is suggested."""
    assert reasons(IRIS, ["petal_length_1", "petal_length_2", "petal_width"]) == {
        "petal_width": ("petal_width", "exact")
    }


def test_two_of_the_same_letters_are_not_taken() -> None:
    """Nobody knows which one was meant."""
    assert reasons(IRIS, ["Petal_Length", "PETAL_LENGTH", "petal_width"]) == {
        "petal_width": ("petal_width", "exact")
    }


def test_no_column_is_suggested_twice() -> None:
    """Two features that a column resembles don't get it both."""
    twins = Signature.model_validate({"features": [{"name": "value_a"}, {"name": "value_b"}]})
    assert reasons(twins, ["value_"]) == {}


def test_a_name_that_stands_twice_is_not_taken() -> None:
    """A column that can't be named can't be mapped."""
    assert reasons(IRIS, ["petal_length", "petal_length"]) == {}


def test_cells_that_do_not_fit_speak_against_a_likeness() -> None:
    """A column of words does not become a number for its name."""
    rows = Rows(0, batch(petal_wdth=["wide", "narrow"]))
    assert reasons(IRIS, ["petal_wdth"], rows) == {}
    rows = Rows(0, batch(petal_wdth=["1.5", "narrow"]))
    assert reasons(IRIS, ["petal_wdth"], rows) == {"petal_width": ("petal_wdth", "similar")}


def test_many_columns_are_compared_by_letters_alone() -> None:
    """Likeness of each with each would take minutes; it is left out where there are too many."""
    wide = Signature.model_validate({"features": [{"name": f"f{i}"} for i in range(500)]})
    found = suggest(wide, [f"F {i}" for i in range(20_000)])
    assert len(found.origins) == 500
    assert found.unsure == ()


# By name, and checks


def test_by_name_takes_what_is_there() -> None:
    """The command line reads each feature from its own column, optional ones when they are there."""
    found = Mapping.by_name(MIXED, ["island", "x", "more"])
    assert found.origins == {
        "x": Origin(column="x", reason="exact"),
        "island": Origin(column="island", reason="exact"),
    }


def test_by_name_refuses_what_is_mistyped() -> None:
    """Nothing is taken for its likeness without a word."""
    with pytest.raises(InputError, match="'petal_width' \\(is it 'petal_wdth'\\?\\)"):
        Mapping.by_name(IRIS, ["petal_length", "petal_wdth"])


def test_by_name_refuses_a_name_that_stands_twice() -> None:
    """Which of the two was meant nobody can say."""
    with pytest.raises(InputError, match="more than one column 'petal_width'"):
        Mapping.by_name(IRIS, ["petal_length", "petal_width", "petal_width"])


def told(mapping: Mapping, signature: Signature, columns: list[str]) -> str:
    with pytest.raises(InputError) as caught:
        mapping.check(signature, columns)
    return str(caught.value)


def test_a_required_feature_without_a_column() -> None:
    """It says which, and what it may be called."""
    mapping = Mapping(origins={"petal_length": Origin(column="petal_length")})
    assert told(mapping, IRIS, ["petal_length", "Petal Wdth"]) == (
        "no column for 'petal_width' (is it 'Petal Wdth'?); "
        "the table has 'petal_length', 'Petal Wdth'"
    )


def test_an_optional_feature_that_has_no_stand_in() -> None:
    """Every row would be refused, so the run does not begin."""
    signature = Signature.model_validate(
        {"layout": "columns", "features": [{"name": "n", "kind": "integer", "required": False}]}
    )
    assert told(Mapping(), signature, ["a"]) == "no column for 'n'; the table has 'a'"


MAPPED = {"x": Origin(column="x"), "island": Origin(column="island")}


@pytest.mark.parametrize(
    ("origins", "words"),
    [
        ({"islnd": Origin(column="x")}, "no feature 'islnd'; did you mean 'island'?"),
        (
            {"x": Origin(column="X1")},
            "'x' is to be read from the column 'X1', which the table does not have",
        ),
        (
            {"n": Origin(column="x")},
            (
                "the column 'x' would be read as 'x' and as 'n'; say so when that is meant, "
                "or choose another column"
            ),
        ),
        (
            {"island": Origin(column="island", factor=2)},
            "island is of kind category: only numbers have a factor and an offset",
        ),
        ({"photo": Origin(constant="[1, 2]")}, "photo is of kind tensor, which has no constant"),
        (
            {"island": Origin(constant="Torgersen")},
            "the constant of island: 'Torgersen' is not one of Biscoe, Dream",
        ),
        ({"n": Origin(constant=1.5)}, "the constant of n: '1.5' is not a whole number"),
        ({"x": Origin(constant="")}, "the constant of x is empty; name no constant instead"),
    ],
)
def test_what_can_not_be_read_so(origins: dict[str, Origin], words: str) -> None:
    """Each mistake is named in one sentence."""
    assert told(Mapping(origins={**MAPPED, **origins}), MIXED, ["x", "island"]) == words


def test_a_sensitive_constant_is_not_told() -> None:
    """The message does not repeat it."""
    signature = Signature.model_validate({"features": [{"name": "pin", "sensitive": True}]})
    mapping = Mapping(origins={"pin": Origin(constant="hunter2")})
    assert told(mapping, signature, []) == "the constant of pin: the value is not a number"


def test_one_column_for_two_features_when_it_is_said() -> None:
    """What is said explicitly is done."""
    origins = {"petal_length": Origin(column="size"), "petal_width": Origin(column="size")}
    Mapping(origins=origins, shared=("size",)).check(IRIS, ["size"])


@pytest.mark.parametrize(
    "given",
    [{"column": "a", "constant": 1}, {"factor": 2.0}, {"column": "a", "factor": 0}, {"colum": "a"}],
)
def test_an_origin_that_makes_no_sense(given: dict[str, Any]) -> None:
    """It can't be made."""
    with pytest.raises(ValidationError):
        Origin.model_validate(given)


def test_json_and_back() -> None:
    """A manifest keeps it whole."""
    mapping = Mapping(
        origins={
            "x": Origin(column="inches", factor=2.54, reason="similar"),
            "flag": Origin(constant=True, reason="constant"),
        },
        shared=("inches",),
    )
    assert Mapping.model_validate_json(mapping.model_dump_json()) == mapping


# Columns


def cells(feature: str, origin: Origin, decimal: Any = ".", **columns: Any) -> pa.Array | None:
    found = batch(**columns) if columns else batch(other=["a", "b"])
    return Mapping(origins={feature: origin}).column(MIXED.feature(feature), found, None, decimal)


def test_a_column_as_it_is() -> None:
    """Without a conversion nothing is copied or changed."""
    column = pa.array(["007", " 1"])
    found = cells("x", Origin(column="a"), a=column)
    assert found is not None
    assert found.buffers()[2].address == column.buffers()[2].address


def test_the_names_of_the_source_count() -> None:
    """A batch may be named otherwise than the source."""
    mapping = Mapping(origins={"x": Origin(column="b")})
    found = mapping.column(MIXED.feature("x"), batch(c0=["1"], c1=["2"]), ["a", "b"])
    assert found is not None
    assert found.to_pylist() == ["2"]


def test_a_feature_without_values() -> None:
    """It has no column at all."""
    assert cells("x", Origin()) is None
    assert Mapping().column(MIXED.feature("x"), batch(x=["1"])) is None


@pytest.mark.parametrize(
    ("feature", "constant", "column"),
    [
        ("x", 1.5, pa.array([1.5, 1.5])),
        ("x", "1.5", pa.array([1.5, 1.5])),
        ("n", 2**63, pa.array([2**63] * 2, pa.uint64())),
        ("n", "7", pa.array([7, 7])),
        ("island", "Dream", pa.array(["Dream", "Dream"])),
        ("flag", "yes", pa.array([True, True])),
    ],
)
def test_a_constant_in_each_row(feature: str, constant: Any, column: pa.Array) -> None:
    """It has the type of its kind, whatever the decimal sign of the file."""
    found = cells(feature, Origin(constant=constant), ",")
    assert found is not None
    assert found.equals(column)


def test_inches_become_centimetres() -> None:
    """Numbers are converted, missing ones stay missing."""
    found = cells("x", Origin(column="a", factor=2.54), a=["1", " 10 ", "", None, "NA"])
    assert found is not None
    assert found.to_pylist() == [2.54, 25.4, None, None, None]


def test_degrees_have_an_offset() -> None:
    """Fahrenheit to kelvin: factor first, then offset; typed columns too."""
    origin = Origin(column="a", factor=0.5, offset=100)
    found = cells("x", origin, a=pa.array([10, None, -4], pa.int32()))
    assert found is not None
    assert found.to_pylist() == [105.0, None, 98.0]


def test_what_is_no_number_is_not_converted() -> None:
    """It stays as it was written, and so will be refused under its own name."""
    found = cells("x", Origin(column="a", factor=2), a=["1.5", "abc", ""])
    assert found is not None
    assert found.to_pylist() == ["3", "abc", ""]


def test_decimal_commas_are_converted() -> None:
    """In the manner of the file; a point beside them is no number."""
    found = cells("x", Origin(column="a", factor=2), ",", a=["1,25", "1.000", "1.25"])
    assert found is not None
    assert found.to_pylist() == ["2,5", "2000", "1.25"]


def test_integers_are_converted_exactly() -> None:
    """No float comes between: 2^53 + 1 survives, and a fraction is left to be refused."""
    origin = Origin(column="a", factor=10, offset=0.5)
    found = cells("n", origin, a=["9007199254740993", "x", "", "1.05", None])
    assert found is not None
    assert [v and v.rstrip("0") for v in found.to_pylist()] == [
        "90071992547409930.5",
        "x",
        "",
        "11.",
        None,
    ]
