"""A DataFrame as a table: every row once, in order, each cell as it was."""

import io
from datetime import date
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kserve_client import InputError
from kserve_client.scoring.sources import count_rows, location_of, opened
from tests.unit.polars_frame import PolarsFrame


def read(frame: pd.DataFrame) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    with opened(location_of(frame)) as source:
        chunks = list(source.read())
    assert [chunk.start for chunk in chunks] == [0, *(chunk.stop for chunk in chunks[:-1])]
    return source.columns, [row for chunk in chunks for row in chunk.cells.to_pylist()]


def test_cells_keep_their_types() -> None:
    """Numbers, texts, dates, categories and what is missing."""
    frame = pd.DataFrame(
        {
            "number": [0.5, np.nan],
            "whole": [2**53 + 1, -1],
            "text": ["a", None],
            "day": [date(2026, 11, 22), None],
            "kind": pd.Categorical(["x", None]),
            7: [True, False],
        }
    )
    assert read(frame) == (
        ("number", "whole", "text", "day", "kind", "7"),
        [
            {
                "number": 0.5,
                "whole": 2**53 + 1,
                "text": "a",
                "day": date(2026, 11, 22),
                "kind": "x",
                "7": True,
            },
            {"number": None, "whole": -1, "text": None, "day": None, "kind": None, "7": False},
        ],
    )


def test_periods_and_intervals_are_the_texts_of_pandas() -> None:
    """Arrow has only their numbers, and can't read them as categories."""
    months = pd.PeriodIndex(["2026-01", None], freq="M")
    spans = pd.arrays.IntervalArray.from_arrays([0.0, np.nan], [1.0, np.nan])
    frame = pd.DataFrame(
        {
            "month": months,
            "months": pd.Categorical(months),
            "span": spans,
            "cut": pd.cut([17, np.nan], [0, 18, 99], right=False),
        }
    )
    names = ("month", "months", "span", "cut")
    rows = [("2026-01", "2026-01", "(0.0, 1.0]", "[0, 18)"), (None, None, None, None)]
    before = frame.copy()
    assert read(frame) == (names, [dict(zip(names, row, strict=True)) for row in rows])
    pd.testing.assert_frame_equal(frame, before)


def test_rows_keep_their_order_and_lose_their_index() -> None:
    """A shuffled frame of more rows than one batch holds."""
    order = np.random.default_rng(0).permutation(70_000)
    frame = pd.DataFrame({"x": range(70_000)}).iloc[order]
    columns, rows = read(frame)
    assert columns == ("x",)
    assert [row["x"] for row in rows] == order.tolist()
    assert count_rows(location_of(frame)) == 70_000


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (pd.DataFrame({"good": [1, 2], "mixed": [1, "DE99 SECRET"]}), "'mixed' (object)"),
        (pd.DataFrame({"mixed": [{"a": 1}, 5]}), "'mixed' (object)"),
        (pd.DataFrame({"mixed": [object()]}), "'mixed' (object)"),
        (pd.DataFrame({"long": [2**70]}), "'long' (object)"),
        (pd.DataFrame({"cut": pd.Series(["\ud800 SECRET"], dtype=object)}), "'cut' (object)"),
        (pd.DataFrame({7: [1 + 1j]}), "7 (complex128)"),
        (pd.DataFrame({"few": pd.arrays.SparseArray([1, 0])}), "'few' (Sparse[int64, 0])"),
    ],
)
def test_a_column_that_arrow_has_no_type_for_is_told(frame: pd.DataFrame, told: str) -> None:
    """No Arrow error leaves: the message names the column and the way out, and no cell."""
    with pytest.raises(InputError) as caught:
        location_of(frame)
    assert str(caught.value) == (
        f"the column {told} of the DataFrame can't be read as values of one type; turn it into "
        "text, e.g. frame[name].astype(str), or leave it out"
    )


def test_two_columns_of_one_name_are_told() -> None:
    """By that name, once."""
    frame = pd.DataFrame([[1, 2, 3]], columns=["b", "a", "a"])
    with pytest.raises(InputError, match=r"^two columns of the DataFrame are called 'a': rename"):
        location_of(frame)


def test_categories_of_views_can_be_read() -> None:
    """As Polars has its categories: with texts that Arrow can't take out of them."""
    words = pa.array(["a", "b"], pa.string_view())
    kinds = pa.DictionaryArray.from_arrays(pa.array([1, None, 0], pa.uint32()), words)
    frame: Any = PolarsFrame(pa.table({"x": kinds}))
    with opened(location_of(frame)) as source:
        (chunk,) = source.read()
    assert chunk.cells["x"].dictionary_decode().to_pylist() == ["b", None, "a"]


def test_a_frame_that_arrow_can_not_read_is_told() -> None:
    """Whatever it promises."""

    class Broken:
        columns: ClassVar = ["x"]

        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            raise TypeError("SECRET")

    broken: Any = Broken()
    with pytest.raises(InputError, match="the Broken can't become a table of Arrow's"):
        location_of(broken)


def test_what_is_no_frame_stays_what_it_is() -> None:
    """A Series is no table, nor is a column of Arrow's."""
    series, stream = pd.Series([1]), io.BytesIO()
    given: list[Any] = [series, stream, "rows.csv", pa.array([1]), pa.chunked_array([[1]])]
    assert all(location_of(one) is one for one in given)


VIEWS = pa.array(["a", None], pa.string_view())


@pytest.mark.parametrize(
    "table",
    [
        PolarsFrame(pa.table({"x": [2**53 + 1, None], "word": VIEWS})),
        pa.table({"x": [2**53 + 1, None], "word": ["a", None]}),
        pa.record_batch({"x": [2**53 + 1, None], "word": ["a", None]}),
    ],
    ids=lambda table: type(table).__name__,
)
def test_other_tables_in_memory_are_read_as_they_are(table: Any) -> None:
    """Those of Arrow's, and whatever can become one."""
    assert read(table) == (
        ("x", "word"),
        [{"x": 2**53 + 1, "word": "a"}, {"x": None, "word": None}],
    )
