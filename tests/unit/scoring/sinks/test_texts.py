import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kserve_client.scoring.sinks.texts import as_text, bytes_among, rows_with

MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["007", "", None, "é"], ["007", "", None, "é"]),
        (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
        (pa.array(["a", "b"], pa.string_view()), ["a", "b"]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        ([1, None, -(2**63)], ["1", None, "-9223372036854775808"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (
            [1.0, 0.1, 1e-7, 1e22, -0.0, 5e-324],
            ["1.0", "0.1", "1e-7", "1e+22", "-0.0", "5e-324"],
        ),
        ([math.nan, math.inf, -math.inf, None], ["nan", "inf", "-inf", None]),
        (pa.array([0.1, 16777216.0], pa.float32()), ["0.1", "16777216.0"]),
        (pa.array(np.array([0.1, 1], np.float16)), ["0.099975586", "1.0"]),
        (pa.array([], pa.float64()), []),
        ([True, False, None], ["true", "false", None]),
        ([Decimal("1.50"), None], ["1.50", None]),
        (pa.nulls(2), [None, None]),
        ([dt.date(2026, 1, 2)], ["2026-01-02"]),
        ([dt.time(1, 2, 3)], ["01:02:03.000000"]),
        (pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("s")), ["2026-01-02T03:04:05"]),
        (pa.array([MOMENT], pa.timestamp("s", "Asia/Tokyo")), ["2026-01-02T03:04:05Z"]),
        (
            pa.array([90, None, -1, 2**62], pa.duration("s")),
            ["0 days 00:01:30", None, "-1 days +23:59:59", "53375995583650 days 07:45:04"],
        ),
        (pa.array([1, 2_500_000], pa.duration("us")).slice(1), ["0 days 00:00:02.500000"]),
        (pa.array([1], pa.duration("ns")), ["0 days 00:00:00.000000001"]),
        ([b"text", b"\xff\x00", None], ["text", "\\xff\x00", None]),
        (pa.array([b'a"', None], pa.binary(2)), ['a"', None]),
        (pa.array([b'a"'], pa.binary_view()), ['a"']),
        (pa.array([b"\x01" * 16, None], pa.uuid()), ["01010101-0101-0101-0101-010101010101", None]),
        (
            pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["x", None])),
            ["x", "x", None],
        ),
        ([[1, None], None, []], ["[1,null]", None, "[]"]),
        ([[0.5, math.nan]], ["[0.5,null]"]),
        ([{"a": 1, "b": [b"x"], "c": Decimal("0.10")}], ['{"a":1,"b":["x"],"c":"0.10"}']),
        ([[MOMENT, dt.timedelta(seconds=2)]][:0], []),
        (pa.array([[dt.timedelta(seconds=2)]]), ['["0 days 00:00:02"]']),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), ['[["k",1]]']),
    ],
)
def test_each_type_has_a_text(column: Any, expected: list[str | None]) -> None:
    """Each type of column has one form as text, and null stays null."""
    array = column if isinstance(column, pa.Array) else pa.array(column)
    assert as_text(array).to_pylist() == expected


@pytest.mark.parametrize(
    ("counts", "kind", "expected"),
    [
        # A cycle of 146 097 days is 400 years.
        ([0, 146_097 * 2_500, None], pa.date32(), ["1970-01-01", "1001970-01-01", None]),
        ([-146_097 * 2_500], pa.date32(), ["-998030-01-01"]),
        ([146_097 * 25_000 * 86_400_000], pa.date64(), ["10001970-01-01"]),
        ([146_097 * 25_000 * 86_400, None], pa.timestamp("s"), ["10001970-01-01T00:00:00", None]),
        (
            [146_097 * 25_000 * 86_400_000 + 1],
            pa.timestamp("ms", "Asia/Tokyo"),
            ["10001970-01-01T00:00:00.001Z"],
        ),
    ],
)
def test_a_date_beyond_what_arrow_writes_is_written(
    counts: list[int | None], kind: pa.DataType, expected: list[str | None]
) -> None:
    """Arrow itself stops at the year 32767 and writes words instead."""
    assert as_text(pa.array(counts, kind)).to_pylist() == expected


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
def test_part_of_a_column_is_only_that_part(kind: pa.DataType) -> None:
    """A slice of a column gives the texts of the slice."""
    column = pa.array([1.5, None, 2.5, math.nan, 3.5], kind).slice(1, 3)
    assert as_text(column).to_pylist() == [None, "2.5", "nan"]


def test_decimal_comma_is_for_numbers_only() -> None:
    """Floats and decimals take the decimal sign of the file; texts and integers stay."""
    assert as_text(pa.array([1234.5]), ",").to_pylist() == ["1234,5"]
    assert as_text(pa.array([Decimal("0.10")]), ",").to_pylist() == ["0,10"]
    assert as_text(pa.array(["1.5"]), ",").to_pylist() == ["1.5"]
    assert as_text(pa.array([[1.5]]), ",").to_pylist() == ["[1.5]"]


@given(st.lists(st.none() | st.floats()))
def test_floats_read_back_as_the_same(numbers: list[float | None]) -> None:
    """The text of a float is that float again, to the last bit; so it is for nothing else."""
    texts = as_text(pa.array(numbers, pa.float64())).to_pylist()
    assert [None if text is None else repr(float(text)) for text in texts] == [
        None if number is None else repr(number) for number in numbers
    ]


@given(st.lists(st.text('a,"é'), max_size=6), st.integers(0, 3))
def test_rows_with_marks_are_found(texts: list[str], start: int) -> None:
    """Rows are found by the bytes in their texts, empty ones and slices included."""
    column = pa.array(texts, pa.string()).slice(start)
    found = rows_with(column, bytes_among(',"')).tolist()
    assert found == [at for at, text in enumerate(texts[start:]) if "," in text or '"' in text]
