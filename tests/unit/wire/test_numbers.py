from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client.datatypes import DATATYPES
from kserve_client.errors import InvalidAnswerError
from kserve_client.wire import numbers
from kserve_client.wire.json import json_output, parse_object, parse_response, response_of
from kserve_client.wire.numbers import parse_numbers
from tests.needs import require


@pytest.fixture(autouse=True)
def _every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small bodies go the fast way too."""
    monkeypatch.setattr(numbers, "FROM_BYTES", 0)


@pytest.fixture(autouse=True, scope="module")
def _needs_simdjson() -> None:
    require(numbers._simdjson(), "pysimdjson is not installed")


def body(*outputs: str, more: str = "") -> bytes:
    return f'{{"model_name":"m",{more}"outputs":[{",".join(outputs)}]}}'.encode()


def output(data: str, wire: str = "FP64", shape: str = "[2]", name: str = "a") -> str:
    return f'{{"name":"{name}","datatype":"{wire}","shape":{shape},"data":{data}}}'


def fast(answer: bytes) -> Any:
    """What the fast way hands on: it must have taken the numbers."""
    read = parse_numbers(answer)
    assert read is not None
    return read["outputs"][0]["data"]


def verdict(answer: bytes, *, slowly: bool) -> Any:
    """Everything that can be seen of an answer, or why it was refused."""
    try:
        read = (
            response_of(parse_object(answer), answer, json_output)
            if slowly
            else parse_response(answer)
        )
    except InvalidAnswerError as error:
        return str(error)
    outputs = [(t.name, t.datatype, t.shape, dict(t.parameters)) for t in read.outputs]
    values = [t.data.tobytes() if t.data.dtype != object else t.data.tolist() for t in read.outputs]
    return outputs, values, read.model_name, read.model_version, read.id, dict(read.parameters)


@pytest.mark.parametrize(
    ("data", "wire", "values", "dtype"),
    [
        ("[0.1,-2]", "FP64", [0.1, -2.0], np.float64),
        ("[0.1,-2]", "FP32", [0.1, -2.0], np.float64),
        ("[9007199254740993,-9223372036854775808]", "INT64", [2**53 + 1, -(2**63)], np.int64),
        ("[1,-1]", "INT8", [1, -1], np.int64),
        ("[18446744073709551615,0]", "UINT64", [2**64 - 1, 0], np.uint64),
    ],
)
def test_numbers_never_become_python_objects(
    data: str, wire: str, values: list[float], dtype: type
) -> None:
    """Flat numbers are one array of the widest of their kind, digit by digit."""
    read = fast(body(output(data, wire)))
    assert isinstance(read, np.ndarray)
    assert read.dtype == dtype
    assert read.tolist() == values


@pytest.mark.parametrize(
    "answer",
    [
        body(output("[null,1.5]")),
        body(output("[1,[2]]")),
        body(output("[[1],[2]]", shape="[2,1]")),
        body(output("[[1,2],[3]]", shape="[3]")),
        body(output("[true,false]", "BOOL")),
        body(output("[1,true]")),
        body(output("[1,2.0]", "INT64")),
        body(output("[1,-2]", "UINT8")),
        body(output("[1,300]", "UINT8")),
        body(output("[1,9223372036854775808]", "INT64")),
        body(output("[1,18446744073709551616]", "UINT64")),
        body(output("[1,18446744073709551616]")),
        body(output("[-9223372036854775809]")),
        body(output("[-9223372036854775809]", "INT64")),
        body(output("[" * 2000 + "]" * 2000)),
        body(output("[1,1e400]")),
        body(output("[1,1e39]", "FP32")),
        body(output("[1,70000]", "FP16")),
        body(output("[NaN,-Infinity]")),
        body(output("[1,2,3]")),
        body(output('["a","b"]', "BYTES")),
        body(output('["a[",1]')),
        body(output("[]", shape="[0,4]")),
        body(output("[1,2]", "FP128")),
        body(output("[1,2]", shape="2")),
        body(output('{"a":1}')),
        body(output("[1,2]"), output("[1,2]")),
        body(output("[1,2]"), output("[3,4]", name="b")),
        body(output("[1,2]"), more='"parameters":{"a":["[",{"b":null}]},"id":null,'),
        body("1"),
        body(),
        b'{"outputs":{"a":1}}',
        b'{"outputs":[{"name":"a","datatype":"FP64","shape":[1],"shape":[2],"data":[1],"data":[1,2]}]}',
        b'{"outputs":1,"outputs":[]}',
        b'{"x\\u0000":[1],"outputs":[]}',
        b"[1]",
        b"",
        b'{"outputs":[',
        b'\xef\xbb\xbf{"outputs":[]}',
        b'{"id":"\xff","outputs":[]}',
        b'{"id":"\\ud800","outputs":[]}',
    ],
)
def test_both_ways_agree_on_strange_answers(answer: bytes) -> None:
    """With simdjson or without, the same tensors or the same refusal."""
    assert verdict(answer, slowly=False) == verdict(answer, slowly=True)


numbers_of_all_kinds = st.one_of(
    st.floats(width=64),
    st.integers(-(2**65), 2**65),
    st.integers(-300, 300),
    st.none(),
    st.booleans(),
    st.text(max_size=3),
)


def nested(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.one_of(values, st.lists(values, max_size=3)), max_size=4)


@settings(deadline=None)
@given(
    wire=st.sampled_from(sorted(DATATYPES)),
    data=st.one_of(
        st.lists(st.floats(width=32)),
        st.lists(st.floats(allow_nan=False, allow_infinity=False)),
        st.lists(st.integers(-(2**63), 2**64 - 1)),
        st.lists(st.integers(0, 255)),
        nested(numbers_of_all_kinds),
    ),
    shape=st.none() | st.lists(st.integers(0, 3), max_size=2),
)
def test_both_ways_agree(wire: str, data: list[Any], shape: list[int] | None) -> None:
    """For whatever a server may send."""
    length = shape if shape is not None else [len(data)]
    written = {"name": "a", "datatype": wire, "shape": length, "data": data}
    answer = json.dumps({"model_name": "m", "outputs": [written]}).encode()
    assert verdict(answer, slowly=False) == verdict(answer, slowly=True)


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_digit_counts(values: list[float]) -> None:
    """A double that was written with the digits it needs comes back as itself."""
    read = (
        parse_response(body(output(json.dumps(values), shape=f"[{len(values)}]"))).outputs[0].data
    )
    assert read.tolist() == values
    assert [math.copysign(1, value) for value in read] == [math.copysign(1, v) for v in values]


def test_a_small_answer_is_not_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is not even asked for."""
    monkeypatch.setattr(numbers, "FROM_BYTES", 4096)
    monkeypatch.setattr(numbers, "_simdjson", lambda: pytest.fail("asked for"))
    assert parse_numbers(body(output("[1,2]"))) is None


def test_without_simdjson_orjson_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is an extra; nothing but time is lost without it."""
    monkeypatch.setitem(sys.modules, "simdjson", None)
    monkeypatch.setattr(numbers, "_simdjson", numbers._simdjson.__wrapped__)
    assert parse_numbers(body(output("[1,2]"))) is None
    assert parse_response(body(output("[1,2]"))).outputs[0].data.tolist() == [1, 2]
