"""Every request that can be made of a signature and its rows, or of tensors, is V2."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kserve_client.datatypes import DATATYPES
from kserve_client.frames import request_of
from kserve_client.servers import PROFILES, ServerProfile
from kserve_client.signature import Signature
from kserve_client.tensors import InferRequest, RequestedOutput, Tensor
from kserve_client.wire.body import write_body
from tests.unit.conformance.recordings import RECORDED, kind_of
from tests.unit.conformance.schema import (
    REQUEST,
    SCHEMA,
    check_body,
    check_request,
    check_size,
    validator,
)

PROFILE = st.sampled_from(list(PROFILES.values()))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
# What stands for a missing value in a cell is no text, and no choice that a file could tell apart.
WORDS = NAMES.filter(lambda text: text.strip() != "")
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)

# Requests of tensors


def arrays(wire: str) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    """Arrays of up to three dimensions, empty ones and scalars among them."""
    row = DATATYPES[wire]
    elements: st.SearchStrategy[Any]
    if row.family == "boolean":
        elements = st.booleans()
    elif row.family == "integer":
        elements = st.integers(row.minimum, row.maximum)
    elif row.family == "bytes":
        elements = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
    else:
        elements = st.floats(width=16, allow_infinity=False)
    return st.lists(st.integers(0, 3), max_size=3).flatmap(
        lambda shape: st.lists(
            elements, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))
        ).map(lambda flat: np.array(flat, dtype=row.dtype).reshape(shape))
    )


PARAMETERS = st.dictionaries(
    NAMES, st.text(max_size=3) | st.booleans() | st.integers(-(2**63), 2**63) | FLOATS, max_size=2
).map(lambda found: {k: v for k, v in found.items() if not k.startswith("binary_data")})


@st.composite
def requests(draw: st.DrawFn, wires: list[str]) -> InferRequest:
    """Requests of one to three tensors, with all that is optional."""
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    tensors = []
    for name in names:
        wire = draw(st.sampled_from(wires))
        tensors.append(Tensor(name, wire, draw(arrays(wire)), draw(PARAMETERS)))
    outputs = draw(st.lists(NAMES, max_size=2, unique=True))
    return InferRequest(
        tuple(tensors),
        tuple(RequestedOutput(name, draw(PARAMETERS)) for name in outputs),
        id=draw(st.none() | NAMES),
        parameters=draw(PARAMETERS),
    )


@settings(deadline=None, max_examples=30)
@given(requests([name for name in DATATYPES if name not in ("BF16", "FP16")]))
def test_requests_in_json(request: InferRequest) -> None:
    """Whatever the tensors, the JSON has the form of the protocol's text and flat data of the right size."""
    body = check_body(write_body(request, PROFILES["generic"], use_binary=False))
    assert [t["name"] for t in body["inputs"]] == [t.name for t in request.inputs]
    assert [tuple(t["shape"]) for t in body["inputs"]] == [t.shape for t in request.inputs]
    assert ("id" in body, "outputs" in body) == (request.id is not None, bool(request.outputs))


@settings(deadline=None, max_examples=30)
@given(requests(list(DATATYPES)), PROFILE.filter(lambda profile: profile.has_binary))
def test_requests_in_binary(request: InferRequest, profile: ServerProfile) -> None:
    """The head has the same form, each tensor its size in bytes, and the body is as long as they say."""
    body = check_body(write_body(request, profile, use_binary=True))
    assert all("data" not in tensor for tensor in body["inputs"])


@settings(deadline=None, max_examples=30)
@given(requests(["INT64", "FP32", "FP64", "BYTES", "BOOL"]), PROFILE)
def test_requests_for_each_server(request: InferRequest, profile: ServerProfile) -> None:
    """Left to itself, the client writes what each server reads: NaN as null, or binary, never as a token."""
    body = write_body(request, profile)
    check_body(body)
    head = body.data if body.head_bytes is None else body.data[: body.head_bytes]
    json.loads(head, parse_constant=pytest.fail)


# Requests of signatures


@st.composite
def columns(draw: st.DrawFn) -> tuple[dict[str, Any], st.SearchStrategy[Any]]:
    """One feature as the models file writes it, and cells that fit it."""
    kind = draw(st.sampled_from(["number", "integer", "category", "boolean", "text", "date"]))
    if kind == "number":
        may_lack = draw(st.booleans())
        wire = draw(st.sampled_from(["FP32", "FP64"]))
        cells = FLOATS | st.none() if may_lack else FLOATS
        return {"kind": kind, "datatype": wire, "required": not may_lack}, cells
    if kind == "integer":
        wire = draw(st.sampled_from(["INT8", "INT32", "INT64", "UINT8", "UINT64", "FP64"]))
        row = DATATYPES[wire]
        low, high = (-(2**53), 2**53) if row.minimum is None else (row.minimum, row.maximum)
        return {"kind": kind, "datatype": wire}, st.integers(low, high)
    if kind == "category":
        choices = draw(
            st.lists(st.sampled_from(["a", "b", "None", "NA", "ü", "1"]), min_size=1, unique=True)
        )
        return {"kind": kind, "choices": choices}, st.sampled_from(choices)
    if kind == "text":
        return {"kind": kind, "required": False, "missing": "?"}, WORDS | st.none()
    return {"kind": kind}, st.booleans() if kind == "boolean" else st.dates()


@st.composite
def tables(draw: st.DrawFn) -> tuple[Signature, list[dict[str, Any]]]:
    """A signature of columns, and one to four rows for it."""
    names = draw(st.lists(WORDS, min_size=1, max_size=4, unique_by=lambda name: name.strip()))
    found = {name: draw(columns()) for name in names}
    outputs = [{"name": name} for name in draw(st.lists(NAMES, max_size=2, unique=True))]
    signature = Signature.model_validate(
        {
            "layout": "columns",
            "features": [{"name": name, **feature} for name, (feature, _) in found.items()],
            "outputs": outputs,
        }
    )
    row = st.fixed_dictionaries({name: cells for name, (_, cells) in found.items()})
    return signature, draw(st.lists(row, min_size=1, max_size=4))


@settings(deadline=None, max_examples=30)
@given(tables(), PROFILE)
def test_columns(table: tuple[Signature, list[dict[str, Any]]], profile: ServerProfile) -> None:
    """One input per feature, [rows, 1], in the order of the signature; texts say that they are texts."""
    signature, rows = table
    body = check_body(write_body(request_of(signature, rows), profile))
    assert body["parameters"]["content_type"] == "pd"
    assert [t["name"] for t in body["inputs"]] == [f.name for f in signature.features]
    assert all(tensor["shape"] == [len(rows), 1] for tensor in body["inputs"])
    texts = [t for t in body["inputs"] if t["datatype"] == "BYTES"]
    assert all(tensor["parameters"]["content_type"] == "str" for tensor in texts)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(["FP32", "FP64", "INT64", "INT16"]),
    st.integers(1, 5).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(-(2**15), 2**15 - 1), min_size=width, max_size=width),
            min_size=1,
            max_size=4,
        )
    ),
)
def test_one_tensor(wire: str, rows: list[list[int]]) -> None:
    """All features are the columns of one tensor, [rows, features], row by row."""
    kind = "number" if wire.startswith("FP") else "integer"
    names = [f"f{at}" for at in range(len(rows[0]))]
    signature = Signature.model_validate(
        {"datatype": wire, "features": [{"name": name, "kind": kind} for name in names]}
    )
    request = request_of(signature, [dict(zip(names, row, strict=True)) for row in rows])
    (tensor,) = check_body(write_body(request, PROFILES["generic"]))["inputs"]
    assert (tensor["name"], tensor["shape"]) == ("input-0", [len(rows), len(names)])
    assert tensor["data"] == [value for row in rows for value in row]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(1, 3))
def test_blocks(shape: list[int], count: int) -> None:
    """A feature that is a tensor itself: the rows stand before its shape."""
    signature = Signature.model_validate(
        {"input": "x", "features": [{"name": "x", "kind": "tensor", "shape": shape}]}
    )
    request = request_of(signature, [{"x": np.zeros(shape)}] * count)
    (tensor,) = check_body(write_body(request, PROFILES["mlserver"]))["inputs"]
    assert tensor["shape"] == [count, *shape]


# The schema


def test_the_schema_is_one() -> None:
    """It is a JSON Schema itself, and says where it comes from."""
    Draft202012Validator.check_schema(SCHEMA)
    assert "inference_rest.md" in SCHEMA["$comment"]


def test_the_request_of_the_guide() -> None:
    """What the guide sends with curl, nested, is V2."""
    guide = {
        "inputs": [
            {
                "name": "input-0",
                "shape": [1, 4],
                "datatype": "FP32",
                "data": [[4.0, 3.9, 2.3, 0.6]],
            }
        ]
    }
    assert REQUEST.is_valid(guide)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"inputs": []},
        {"inputs": [{"name": "", "shape": [1], "datatype": "FP32", "data": [1]}]},
        {"inputs": [{"name": "a", "shape": [-1], "datatype": "FP32", "data": [1]}]},
        {"inputs": [{"name": "a", "shape": [1.5], "datatype": "FP32", "data": [1]}]},
        {"inputs": [{"name": "a", "shape": 1, "datatype": "FP32", "data": [1]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "FP99", "data": [1]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "FP32"}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": 1}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": ["1"]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": [1e39]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "BF16", "data": [1]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "INT8", "data": [128]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "UINT8", "data": [-1]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "INT64", "data": [1.5]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "INT64", "data": [None]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "INT64", "data": [[[None]]]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "BOOL", "data": [1]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "BYTES", "data": [None]}]},
        {"inputs": [{"name": "a", "shape": [1], "datatype": "BYTES", "data": ["a"], "x": 1}]},
        {
            "inputs": [
                {
                    "name": "a",
                    "shape": [1],
                    "datatype": "FP32",
                    "data": [1],
                    "parameters": {"binary_data_size": 4},
                }
            ]
        },
        {
            "id": 1,
            "inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": [1]}],
        },
        {
            "parameters": {"headers": ["a"]},
            "inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": [1]}],
        },
        {
            "outputs": ["predict"],
            "inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": [1]}],
        },
    ],
)
def test_the_schema_refuses(broken: dict[str, Any]) -> None:
    """A schema that lets everything through would hold nothing."""
    assert not REQUEST.is_valid(broken)


def test_the_size_law_refuses() -> None:
    """So would a law of sizes."""
    tensor = {"name": "a", "shape": [2], "datatype": "INT64", "data": [1]}
    with pytest.raises(AssertionError):
        check_size(tensor)
    with pytest.raises(AssertionError):
        check_size(tensor | {"data": [1, True]})
    with pytest.raises(AssertionError):
        check_size(tensor | {"data": [1, 2.0]})


def test_recorded_requests() -> None:
    """What was sent when the answers were recorded is V2 where the server took it, a few stubborn ones aside.

    The answer was 200 all the same: no inputs at all; a model's server that reads neither null nor
    names; a NaN that is no JSON.
    """
    lenient = {"err_no_inputs", "err_nan", "err_unknown_datatype"}
    for recordings in RECORDED.values():
        for recording in recordings:
            name = recording.name.rsplit("/", 1)[-1]
            is_taken = kind_of(recording) == "infer" and recording.status == 200
            if is_taken and name not in lenient and not recording.request_base64:
                problems = list(REQUEST.iter_errors(json.loads(recording.question)))
                assert (name, problems) == (name, []) or name.startswith("err_")


def test_recorded_answers() -> None:
    """Every answer of an inference that a server gave has the form that the schema says."""
    answer, seen = validator("response"), 0
    for recordings in RECORDED.values():
        for recording in recordings:
            is_json = recording.headers.get("content-type", "").startswith("application/json")
            if kind_of(recording) == "infer" and recording.status == 200 and is_json:
                problems = [e.message for e in answer.iter_errors(json.loads(recording.body))]
                assert problems == [], recording.name
                seen += 1
    assert seen > 100


def test_a_repository_request() -> None:
    """The bodies of index, load and unload."""
    known = validator("repository_request")
    assert known.is_valid({})
    assert known.is_valid({"ready": True})
    assert known.is_valid({"parameters": {"config": "{}"}})
    assert not known.is_valid({"parameters": {"config": {}}})


def test_check_request_reads_bytes() -> None:
    """The check that all unit tests go through fails for a request that is none."""
    with pytest.raises(AssertionError, match="is not valid under any"):
        check_request(b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP32"}]}')
