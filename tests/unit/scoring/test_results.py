import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kserve_client import InputError
from kserve_client.scoring.results import ResultSchema, table
from kserve_client.scoring.rows import Scored
from tests.unit.scoring.sinks.tables import scored

FIRST = scored({"a": ["1", "2"]}, {"prediction": ["x", "y"], "score": [0.5, 1.5]})


def schema_of(results: dict[str, Any], *, columns: tuple[str, ...] = ("a",)) -> ResultSchema:
    cells = {name: ["1"] * len(next(iter(results.values()))) for name in columns}
    return ResultSchema.of(scored(cells, results))


def fitted(first: list[Any] | pa.Array, later: list[Any] | pa.Array) -> Scored:
    """Later values of a column under the type of the first ones."""
    return schema_of({"prediction": first}).fit(
        scored({"a": ["1"] * len(later)}, {"prediction": later})
    )


def values(found: Scored) -> list[Any]:
    assert found.results is not None
    values: list[Any] = found.results.column(0).to_pylist()
    return values


def test_table_has_source_results_state_and_error_in_this_order() -> None:
    """A table holds the cells of the source, the results, the state and the reason."""
    found = table(
        scored(
            {"a": ["1", "2", "3"], "b": ["x", "y", "z"]},
            {"prediction": pa.array([0.5, None, None])},
            errors={1: "500: no"},
            skipped={2: "a duplicate"},
        ),
        ResultSchema(("a", "b"), pa.schema([("prediction", pa.float64())])),
    )
    assert found.to_pydict() == {
        "a": ["1", "2", "3"],
        "b": ["x", "y", "z"],
        "prediction": [0.5, None, None],
        "state": ["ok", "failed", "skipped"],
        "error": ["", "500: no", "a duplicate"],
    }


def test_columns_are_kept_in_the_order_they_are_asked_for() -> None:
    """Chosen columns come in the order of the choice, the others not at all."""
    chunk = scored({"a": ["1"], "b": ["2"], "c": ["3"]}, {"prediction": ["x"]})
    found = table(chunk, ResultSchema.of(chunk), ["c", "a"])
    assert found.schema.names == ["c", "a", "prediction", "state", "error"]
    assert found.column(0).to_pylist() == ["3"]


def test_no_column_of_the_source_need_be_kept() -> None:
    """Without any column of the source, results and states are left."""
    found = table(FIRST, ResultSchema.of(FIRST), [])
    assert found.schema.names == ["prediction", "score", "state", "error"]
    assert found.num_rows == 2


def test_column_that_is_not_there_is_refused() -> None:
    """A column to keep that the source lacks is named beside those it has."""
    with pytest.raises(InputError, match="no column 'z' to keep; the table has a"):
        table(FIRST, ResultSchema.of(FIRST), ["a", "z"])


def test_rows_without_results_have_null() -> None:
    """A chunk of which no row was predicted has null in the result columns of the others."""
    failed = scored({"a": ["3"]}, None, errors={0: "no"})
    found = table(failed, ResultSchema.of(FIRST))
    assert found.to_pylist() == [
        {"a": "3", "prediction": None, "score": None, "state": "failed", "error": "no"}
    ]
    assert found.schema.types[1:3] == [pa.string(), pa.float64()]


def test_names_of_the_source_are_never_taken() -> None:
    """Results, state and error get a number where the source has their name, blanks aside."""
    columns = ("prediction", " prediction_2 ", "state", "error")
    assert schema_of({"prediction": ["x"], "score": [1.0]}, columns=columns).added == (
        "prediction_3",
        "score",
        "state_2",
        "error_2",
    )


def test_result_that_is_named_state_comes_before_our_own() -> None:
    """A result named as our own columns keeps its name."""
    assert schema_of({"state": ["x"], "error": ["y"]}).added == (
        "state",
        "error",
        "state_2",
        "error_2",
    )


def test_text_of_a_server_that_is_no_unicode_is_escaped() -> None:
    """Half a surrogate pair in a reason becomes its escape."""
    found = table(scored({"a": ["1"]}, None, errors={0: "bad \ud800"}), ResultSchema.of(FIRST))
    assert found.column(4).to_pylist() == ["bad \\ud800"]


def test_schema_survives_json() -> None:
    """A schema comes back from JSON as it was, nested types and text of unknown type included."""
    schema = schema_of(
        {"state": [None], "vector": pa.array([[1.0]], pa.list_(pa.float32()))}, columns=("a", "é")
    )
    text = json.dumps(schema.to_json())
    assert ResultSchema.from_json(json.loads(text)) == schema
    assert json.loads(text)["added"] == {
        "state": "string",
        "vector": "list<item: float>",
        "state_2": "string",
        "error": "string",
    }


def test_rows_that_fit_are_left_alone() -> None:
    """Results of the known columns and types are not touched."""
    assert ResultSchema.of(FIRST).fit(FIRST) is FIRST


def test_other_columns_are_an_error_of_their_rows() -> None:
    """An answer with other columns than the first is no result; other errors stay."""
    later = scored(
        {"a": ["1", "2", "3"]},
        {"label": pa.array(["x", None, None])},
        errors={1: "no"},
        skipped={2: "dropped"},
    )
    found = ResultSchema.of(FIRST).fit(later)
    assert found.results is None
    assert found.errors == {
        0: "the answer has other columns than the first one: label instead of prediction, score",
        1: "no",
    }
    assert found.skipped == {2: "dropped"}
    assert (found.ok, found.failed) == (0, 2)


def test_surplus_column_is_an_error_as_well() -> None:
    """One column more makes other columns."""
    found = schema_of({"prediction": [1]}).fit(
        scored({"a": ["1"]}, {"prediction": [2], "prediction_1": [3]})
    )
    assert found.errors == {
        0: "the answer has other columns than the first one: prediction, prediction_1 "
        "instead of prediction"
    }


def test_columns_in_another_order_find_their_place() -> None:
    """The order of the columns of an answer does not matter: names do."""
    found = ResultSchema.of(FIRST).fit(scored({"a": ["3"]}, {"score": [2.5], "prediction": ["z"]}))
    assert found.results is not None
    assert found.results.to_pydict() == {"prediction": ["z"], "score": [2.5]}
    assert found.errors == {}


@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [
        ([0.5], [1, 2], [1.0, 2.0]),
        ([1], [2.0, 3.0], [2, 3]),
        (pa.array([1], pa.int8()), pa.array([127], pa.int64()), [127]),
        (pa.array([0.5], pa.float32()), pa.array([0.25, float("inf")]), [0.25, float("inf")]),
        (["x"], pa.array(["y"]).dictionary_encode(), ["y"]),
        (["x"], pa.array(["y"], pa.large_string()), ["y"]),
        ([[1.5]], [[1, 2]], [[1.0, 2.0]]),
        ([1.5], pa.nulls(1), [None]),
    ],
)
def test_other_types_of_the_same_kind_are_cast(first: Any, later: Any, expected: list[Any]) -> None:
    """Values that lose nothing in the type of the first ones take it."""
    found = fitted(first, later)
    assert values(found) == expected
    assert found.errors == {}


def test_nan_stays_nan() -> None:
    """NaN in another width is no loss."""
    found = fitted(pa.array([0.5]), pa.array([float("nan"), 0.5], pa.float32()))
    assert found.errors == {}
    assert [value == value for value in values(found)] == [False, True]  # noqa: PLR0124


@pytest.mark.parametrize(
    ("first", "later", "message"),
    [
        (
            ["x"],
            [1.5],
            "the answer has other types than the first one: prediction is double, not string",
        ),
        ([1.5], ["1.5"], "prediction is string, not double"),
        ([True], [1], "prediction is int64, not bool"),
        ([1], [True], "prediction is bool, not int64"),
        ([1.5], [[1.5]], "prediction is list<item: double>, not double"),
    ],
)
def test_another_kind_is_an_error_of_its_rows(first: Any, later: Any, message: str) -> None:
    """Text is no number, a number is no truth value, a list is neither."""
    found = fitted(first, later)
    assert found.results is None
    assert message in found.errors[0]


def test_values_that_would_change_fail_alone() -> None:
    """Of numbers in another type, those fail that would not come back the same."""
    found = fitted([1], [1.0, 1.5, float("nan"), 2.0**63, 4.0])
    assert values(found) == [1, None, None, None, 4]
    assert found.errors == {
        1: "the answer has other types than the first one: prediction is 1.5 (double), not int64",
        2: "the answer has other types than the first one: prediction is nan (double), not int64",
        3: "the answer has other types than the first one: prediction is 9.223372036854776e+18 "
        "(double), not int64",
    }


def test_integers_beyond_the_digits_of_a_float_are_not_rounded() -> None:
    """2**53 + 1 does not become 2**53."""
    found = fitted([0.5], [2**53 + 1, 2**53])
    assert list(found.errors) == [0]
    assert values(found) == [None, 2.0**53]


def test_all_results_of_a_row_with_an_error_are_null() -> None:
    """A row that fails for one of its columns has nothing in the others."""
    first = scored({"a": ["1"]}, {"n": [1], "label": ["x"]})
    found = ResultSchema.of(first).fit(
        scored({"a": ["1", "2"]}, {"n": [1.5, 2.0], "label": ["y", "z"]})
    )
    assert found.results is not None
    assert found.results.to_pydict() == {"n": [None, 2], "label": [None, "z"]}


def test_column_that_was_null_first_takes_anything_as_text() -> None:
    """A result that was null in all of the first rows has no type yet: it is text."""
    assert values(fitted([None], ["x"])) == ["x"]
    found = fitted([None], [3, 4])
    assert (values(found), found.errors) == (["3", "4"], {})


def test_schema_needs_a_result() -> None:
    """Rows without any result fix no columns."""
    with pytest.raises(ValueError, match="no row has a result"):
        ResultSchema.of(scored({"a": ["1"]}, None, errors={0: "no"}))


NUMBERS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8),
    st.lists(st.floats(), min_size=1, max_size=8),
)


@given(NUMBERS, NUMBERS)
def test_every_row_has_its_own_value_or_an_error(first: list[Any], later: list[Any]) -> None:
    """Whatever the types, no number becomes another one."""
    found = fitted(first, later)
    kept = [None] * len(later) if found.results is None else values(found)
    for at, (was, came) in enumerate(zip(later, kept, strict=True)):
        assert (at in found.errors) == (came is None)
        assert came is None or came == was or (was != was and came != came)  # noqa: PLR0124
