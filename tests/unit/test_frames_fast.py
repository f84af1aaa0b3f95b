"""Whole columns at once: the same cells, cell by cell, are the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client import frames
from kserve_client.frames import encode, request_of, table_of
from kserve_client.signature import Signature


def signature(**of_feature: Any) -> Signature:
    feature = {"name": "a", **of_feature}
    return Signature.model_validate({"layout": "columns", "features": [feature], "outputs": []})


ISLAND = signature(kind="category", choices=["Biscoe", "Dream"])
MAYBE = signature(kind="category", choices=["Biscoe", "Dream"], required=False, missing="unknown")
NUMBERED = signature(kind="category", choices=[{"value": 1, "label": "one"}, 2], datatype="INT8")
TEXT = signature(kind="text")
FLAG = signature(kind="boolean")
FLAG_AS_NUMBER = signature(kind="boolean", datatype="INT8")
WHOLE = signature(kind="integer", datatype="INT16")
WHOLE_AS_FLOAT = signature(kind="integer", datatype="FP32")
DAY = signature(kind="date")
ALL = [ISLAND, MAYBE, NUMBERED, TEXT, FLAG, FLAG_AS_NUMBER, WHOLE, WHOLE_AS_FLOAT, DAY]

cells = st.one_of(
    st.sampled_from(["Biscoe", "Dream", " Dream ", "one", "1", "2", "true", "no", "2026-11-22"]),
    st.sampled_from(["", " ", "\t", "\u00a0", "nan", "None", "\ud800", "a\nb", "\n", "é", "\x1c"]),
    st.sampled_from([None, float("nan"), True, 1, 1.0, 2**53 + 1, -0.0, b"Dream", b"\xff"]),
    st.integers(-40000, 40000),
    st.text(max_size=3),
)


def outcome(schema: Signature, column: Any) -> tuple[Any, ...]:
    """The tensor, or what is wrong with which row."""
    encoded = encode(schema, {"a": column})
    data = encoded.inputs[0].data
    typed = [(type(value), value) for value in data.ravel().tolist()]
    return data.dtype, data.shape, typed, encoded.rows.tolist(), encoded.issues


def judged(schema: Signature, column: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    with monkeypatch.context() as patch:
        patch.setattr(frames, "_fast_column", lambda *_: None)
        return outcome(schema, column)


@settings(deadline=None, max_examples=300)
@given(schema=st.sampled_from(ALL), column=st.lists(cells, max_size=6))
def test_lists_and_arrays_of_objects(schema: Signature, column: list[Any]) -> None:
    """Quick and slow come to the same tensor and the same complaints."""
    array = np.empty(len(column), dtype=object)
    array[:] = column
    with pytest.MonkeyPatch.context() as patch:
        for form in (column, array):
            assert outcome(schema, form) == judged(schema, form, patch)


@settings(deadline=None, max_examples=200)
@given(
    schema=st.sampled_from(ALL),
    column=st.lists(st.sampled_from(["Biscoe", "1", "true", "2026-11-22", "", " ", None, "x"])),
    dtype=st.sampled_from(["str", "string", "category", "object"]),
)
def test_columns_of_pandas(schema: Signature, column: list[Any], dtype: str) -> None:
    """However pandas keeps its texts."""
    frame = pd.DataFrame({"a": pd.Series(column, dtype=dtype)})
    table = table_of(frame, schema)
    with pytest.MonkeyPatch.context() as patch:
        assert outcome(schema, table["a"]) == judged(schema, list(frame["a"]), patch)


@pytest.mark.parametrize("blank", ["", " ", "\t\t", "\n", "\x1c", "\u00a0", "\u3000"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_blank_text_is_found_wherever_it_stands(blank: str, at: int) -> None:
    """A required text may not be missing."""
    column = ["a b", "c\nd", "é" if not blank.isascii() else "e"]
    column[at] = blank
    encoded = encode(TEXT, {"a": column})
    assert [(issue.row, issue.problem) for issue in encoded.issues] == [(at, "is missing")]


@pytest.mark.parametrize(
    ("schema", "column", "wire", "values"),
    [
        (ISLAND, pd.Series(["Dream", "Biscoe", "Dream"]), "BYTES", ["Dream", "Biscoe", "Dream"]),
        (MAYBE, pd.Series(["Dream", None]), "BYTES", ["Dream", "unknown"]),
        (NUMBERED, pd.Categorical([2, 1, 2]), "INT8", [2, 1, 2]),
        (NUMBERED, pd.Series(["one", "2"]), "INT8", [1, 2]),
        (FLAG, np.array([True, False]), "BOOL", [True, False]),
        (WHOLE, pd.Series(["7", "-1"]), "INT16", [7, -1]),
        (TEXT, pd.Series(["a", " b"]), "BYTES", ["a", " b"]),
    ],
)
def test_columns_as_people_have_them(
    schema: Signature, column: Any, wire: str, values: list[Any]
) -> None:
    """Texts, categories and booleans of a DataFrame."""
    tensor = request_of(schema, pd.DataFrame({"a": column})).inputs[0]
    assert tensor.datatype == wire
    assert tensor.data.ravel().tolist() == values


def test_a_table_of_objects_is_not_shared() -> None:
    """Who changes his table after building a request does not change the request's texts."""
    frame = pd.DataFrame({"a": np.array(["x", "y"], dtype=object)})
    tensor = request_of(TEXT, frame).inputs[0]
    frame.loc[0, "a"] = "z"
    assert tensor.data.ravel().tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("datatype", "cell"), [("FP16", 65510.0), ("FP32", 3.4028235677973366e38), ("FP32", 1e39)]
)
def test_what_is_beyond_a_datatype_is_refused_in_a_column_of_good_numbers(
    datatype: str, cell: float
) -> None:
    """Also where rounding would bring it back to the largest number."""
    encoded = encode(signature(kind="number", datatype=datatype), {"a": np.array([1.0, cell])})
    assert [issue.row for issue in encoded.issues] == [1]
    assert "is too large" in encoded.issues[0].problem
