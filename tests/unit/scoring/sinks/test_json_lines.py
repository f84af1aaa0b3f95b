import json
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kserve_client.scoring.sinks import WriteOptions
from tests.unit.scoring.sinks.tables import scored, written

JSON_LINES = WriteOptions(format="json-lines")


def test_each_row_is_an_object() -> None:
    """Texts stay text, results have their type."""
    chunk = scored(
        {"a": ["007", "x"]},
        {"prediction": [0.5, None], "n": [2**53 + 1, None], "is": [True, None]},
        errors={1: 'said "no"'},
    )
    assert written([chunk], JSON_LINES) == (
        b'{"a":"007","prediction":0.5,"n":9007199254740993,"is":true,"state":"ok","error":""}\n'
        b'{"a":"x","prediction":null,"n":null,"is":null,"state":"failed",'
        b'"error":"said \\"no\\""}\n'
    )


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1.0, math.nan, -math.inf, None, 1e22], [b"1.0", b"null", b"null", b"null", b"1e+22"]),
        ([[1, None], None], [b"[1,null]", b"null"]),
        ([{"b": "x"}], [b'{"b":"x"}']),
        ([Decimal("1.50")], [b"1.50"]),
        (["null", None, 'a"\\\n\x1f'], [b'"null"', b"null", b'"a\\"\\\\\\n\\u001f"']),
        (pa.array([0], pa.timestamp("s")), [b'"1970-01-01T00:00:00"']),
        (pa.array([1, None], pa.duration("s")), [b'"0 days 00:00:01"', b"null"]),
        (pa.array(["x"]).dictionary_encode(), [b'"x"']),
        (pa.nulls(1), [b"null"]),
    ],
)
def test_each_type_has_a_form(column: Any, expected: list[bytes]) -> None:
    """Numbers, lists and objects are themselves, what JSON has no form for is null or text."""
    data = written([scored({"a": column}, {"prediction": [1] * len(expected)})], JSON_LINES)
    assert data.splitlines() == [
        b'{"a":' + value + b',"prediction":1,"state":"ok","error":""}' for value in expected
    ]


def test_no_column_of_the_source_need_be_kept() -> None:
    """Without columns of the source an object begins with the first result."""
    options = WriteOptions(format="json-lines", columns=())
    assert written([scored({"a": ["1"]}, {"prediction": [2]})], options) == (
        b'{"prediction":2,"state":"ok","error":""}\n'
    )


TEXTS = st.text(st.sampled_from('a"\\\n\x00\x7f\u2028é😀') | st.characters(codec="utf-8"))


@given(TEXTS, st.lists(st.tuples(st.none() | TEXTS, st.none() | st.integers(0, 9)), min_size=1))
def test_values_read_back_as_they_were(
    name: str, rows: list[tuple[str | None, int | None]]
) -> None:
    """Whatever a text or the name of a column holds, JSON gives it back."""
    texts, numbers = map(list, zip(*rows, strict=True))
    key = name + " "
    results = {"prediction": pa.array(numbers, pa.int64())}
    data = written([scored({key: pa.array(texts, pa.string())}, results)], JSON_LINES)
    assert [json.loads(line) for line in data.split(b"\n")[:-1]] == [
        {key: text, "prediction": number, "state": "ok", "error": ""} for text, number in rows
    ]
