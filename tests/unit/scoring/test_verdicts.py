"""Columns judged at once: `encode`, cell by cell, is the judge of the judge."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client.decimals import ungrouped
from kserve_client.frames import encode
from kserve_client.scoring.cells import misread_decimals
from kserve_client.scoring.verdicts import MISSING, OK, UNREAD, WRONG, Judge
from kserve_client.signature import Signature


def signature(**of_feature: Any) -> Signature:
    feature = {"name": "a", **of_feature}
    return Signature.model_validate({"layout": "columns", "features": [feature]})


NUMBER = signature()
HALF = signature(datatype="FP16")
MAYBE = signature(required=False)
WHOLE = signature(kind="integer", datatype="INT16")
LARGE = signature(kind="integer", datatype="UINT64")
WHOLE_AS_FLOAT = signature(kind="integer", datatype="FP32", required=False)
ISLAND = signature(kind="category", choices=["Biscoe", "Dream", "NA"])
NUMBERED = signature(kind="category", choices=[{"value": 1, "label": "one"}, 2], datatype="INT8")
FLAG = signature(kind="boolean")
DAY = signature(kind="date", required=False)
TEXT = signature(kind="text")
BLOCK = signature(kind="tensor", shape=[2], datatype="FP32")
ALL = [
    NUMBER,
    HALF,
    MAYBE,
    WHOLE,
    LARGE,
    WHOLE_AS_FLOAT,
    ISLAND,
    NUMBERED,
    FLAG,
    DAY,
    TEXT,
    BLOCK,
]

texts = st.one_of(
    st.sampled_from(["5.1", "-3", "+4", " 5 ", "1e3", "5.", ".5", "1_0", "0x10", "1e400", "7.0"]),
    st.sampled_from(["", " ", "nan", "NA", "n/a", "None", "inf", "-Infinity", "\xa0", "\x1c", "٣"]),
    st.sampled_from(
        ["5,1", "1,000", "1.000", "1.000,5", "1.00,5", "abc", "Biscoe", " Dream ", "one", "1"]
    ),
    st.sampled_from(["true", "no", "1.0", "2026-11-22", "2026-11-22T00:00:00", "[1, 2]", "[1]"]),
    st.sampled_from(["70000", "40000", "16777217", "9007199254740993", "18446744073709551615"]),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
)


def refused(schema: Signature, cells: list[Any]) -> list[bool]:
    """Whether `encode` refuses each cell, alone: its neighbours have no say."""
    return [bool(encode(schema, {"a": [cell]}).issues) for cell in cells]


def judged(schema: Signature, column: pa.Array, decimal: Literal[".", ","] = ".") -> list[bool]:
    feature = schema.features[0]
    judge = Judge(feature, schema.datatype_of(feature), decimal)
    states = judge.of(column).states.tolist()
    return [s == WRONG or (s == MISSING and judge.refuses_missing) for s in states]


@settings(deadline=None, max_examples=400)
@given(schema=st.sampled_from(ALL), cells=st.lists(st.none() | texts, max_size=8))
def test_texts(schema: Signature, cells: list[str | None]) -> None:
    """What `encode` refuses of a column of text is exactly what is counted as missing or wrong."""
    assert judged(schema, pa.array(cells, pa.string())) == refused(schema, cells)


@settings(deadline=None, max_examples=200)
@given(schema=st.sampled_from([NUMBER, HALF, WHOLE, LARGE]), cells=st.lists(texts, max_size=8))
def test_texts_with_decimal_commas(schema: Signature, cells: list[str]) -> None:
    """With commas for points, `encode` and the step before it refuse the same cells."""
    column = pa.array(cells, pa.string())
    misread = misread_decimals(column, schema.features[0], ",")
    with_points = refused(schema, [ungrouped(cell).replace(",", ".") for cell in cells])
    expected = [bad or at in misread for at, bad in enumerate(with_points)]
    assert judged(schema, column, ",") == expected


typed = st.one_of(
    st.lists(st.none() | st.floats(), max_size=6).map(lambda c: pa.array(c, pa.float64())),
    st.lists(st.none() | st.floats(width=16), max_size=6).map(lambda c: pa.array(c, pa.float32())),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=6).map(
        lambda c: pa.array(c, pa.int64())
    ),
    st.lists(st.none() | st.integers(0, 2**64 - 1), max_size=6).map(
        lambda c: pa.array(c, pa.uint64())
    ),
    st.lists(st.none() | st.booleans(), max_size=6).map(lambda c: pa.array(c, pa.bool_())),
)


@settings(deadline=None, max_examples=400)
@given(schema=st.sampled_from([s for s in ALL if s is not BLOCK]), column=typed)
def test_columns_with_a_type(schema: Signature, column: pa.Array) -> None:
    """So it is for the columns of a Parquet file."""
    assert judged(schema, column) == refused(schema, column.to_pylist())


@pytest.mark.parametrize(
    ("schema", "column"),
    [
        (DAY, pa.array([date(2026, 11, 22), None])),
        (DAY, pa.array([datetime(2026, 11, 22), datetime(2026, 11, 22, 10)])),  # noqa: DTZ001
        (NUMBER, pa.array([Decimal("5.1"), None])),
        (WHOLE, pa.array([Decimal("5.0"), Decimal("5.1")])),
        (ISLAND, pa.array(["Dream", "x", None]).dictionary_encode()),
        (BLOCK, pa.array([[1.0, 2.0], [1.0], None])),
        (TEXT, pa.array([b"ok", b"\xff"])),
    ],
)
def test_other_types(schema: Signature, column: pa.Array) -> None:
    """Dates, decimals, lists, bytes and dictionaries are read as `encode` reads them."""
    assert judged(schema, column) == refused(schema, column.to_pylist())


def test_the_states_and_numbers_by_hand() -> None:
    """Each cell has a state, and those that are numbers are there as numbers."""
    feature = NUMBER.features[0]
    found = Judge(feature, NUMBER.datatype_of(feature)).of(pa.array(["1.5", "", " 2 ", "x", "5,1"]))
    assert found.states.tolist() == [OK, MISSING, OK, WRONG, WRONG]
    assert found.numbers is not None
    assert found.numbers[[0, 2]].tolist() == [1.5, 2.0]


def test_only_the_first_pictures_are_read() -> None:
    """Beyond the number that is to be read a block is neither right nor wrong."""
    feature = BLOCK.features[0]
    judge = Judge(feature, BLOCK.datatype_of(feature), blocks=2)
    assert judge.of(pa.array(["[1,2]", "[1]", "[1]", ""])).states.tolist() == [
        OK,
        WRONG,
        UNREAD,
        MISSING,
    ]


def test_a_sensitive_value_is_not_told() -> None:
    """The reason does not hold what is in the cell."""
    schema = signature(sensitive=True)
    judge = Judge(schema.features[0], schema.datatype_of(schema.features[0]), ",")
    assert judge.problem("secret") == "the value is not a number"
    assert judge.problem("1.0").startswith("the value has a point")
