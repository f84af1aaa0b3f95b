from __future__ import annotations

import contextlib
import json
import math
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from kserve_client.datatypes import DATATYPES
from kserve_client.errors import InputError, InvalidAnswerError
from kserve_client.tensors import InferRequest, InferResponse, RequestedOutput, Tensor
from kserve_client.wire.json import build_request, parse_object, parse_response, parse_value
from tests.unit.recorded_answers import recorded

GUIDE_ROW = Tensor.of("input-0", [[4.0, 3.9, 2.3, 0.6]], datatype="FP32")


def one(tensor: Tensor, **options: Any) -> bytes:
    return build_request(InferRequest((tensor,)), **options)


def answer(output: str) -> InferResponse:
    return parse_response(f'{{"outputs":[{output}]}}'.encode())


# Requests


def test_the_guides_request_to_the_byte() -> None:
    """The request that the guide sends with curl, flat, as the protocol prefers."""
    assert one(GUIDE_ROW) == (
        b'{"inputs":[{"name":"input-0","shape":[1,4],"datatype":"FP32","data":[4.0,3.9,2.3,0.6]}]}'
    )


def test_the_guides_request_nested_to_the_byte() -> None:
    """The same in the nested form that the guide prints."""
    assert one(GUIDE_ROW, nested=True) == (
        b'{"inputs":[{"name":"input-0","shape":[1,4],"datatype":"FP32",'
        b'"data":[[4.0,3.9,2.3,0.6]]}]}'
    )


def test_the_guides_answer() -> None:
    """The answer that the guide prints."""
    response = parse_response(
        b'{"model_name":"iris-classifier","outputs":'
        b'[{"name":"output-0","datatype":"INT64","shape":[1],"data":[0]}]}'
    )
    assert response.model_name == "iris-classifier"
    assert response.output("output-0").data.tolist() == [0]
    assert response.output("output-0").data.dtype == np.int64


def test_every_field_of_a_request() -> None:
    """Id, parameters of request, input and output, and requested outputs, in the protocol's order."""
    tensor = Tensor.of("a", ["x"], datatype="BYTES", parameters={"content_type": "str"})
    outputs = (RequestedOutput("p"), RequestedOutput("q", {"classification": 2}))
    request = InferRequest((tensor,), outputs, "7", {"content_type": "pd"})
    assert json.loads(build_request(request)) == {
        "id": "7",
        "parameters": {"content_type": "pd"},
        "inputs": [
            {
                "name": "a",
                "shape": [1],
                "datatype": "BYTES",
                "data": ["x"],
                "parameters": {"content_type": "str"},
            }
        ],
        "outputs": [{"name": "p"}, {"name": "q", "parameters": {"classification": 2}}],
    }


def test_what_is_not_asked_for_is_left_away() -> None:
    """No nulls and no empty objects: KServe refuses some of them."""
    assert json.loads(one(GUIDE_ROW)).keys() == {"inputs"}


@pytest.mark.parametrize(
    ("data", "wire", "written"),
    [
        (
            [2**53 + 1, 2**63 - 1, -(2**63)],
            "INT64",
            b"[9007199254740993,9223372036854775807,-9223372036854775808]",
        ),
        ([2**64 - 1], "UINT64", b"[18446744073709551615]"),
        ([0.1, 1e-7, 16777217], "FP32", b"[0.1,1e-7,16777216.0]"),
        ([0.1], "FP64", b"[0.1]"),
        ([0.1], "FP16", b"[0.099975586]"),
        ([math.nan, 1], "FP32", b"[null,1.0]"),
        ([True, False], "BOOL", b"[true,false]"),
        (["a", b"b", "\u00e9"], "BYTES", '["a","b","\u00e9"]'.encode()),
        ([], "FP32", b"[]"),
    ],
)
def test_numbers_are_written_exactly_and_short(data: list[Any], wire: str, written: bytes) -> None:
    """Integers digit by digit, floats with the fewest digits that mean them, NaN as null."""
    assert b'"data":' + written in one(Tensor.of("x", data, datatype=wire))


def test_row_major_whatever_the_memory_order() -> None:
    """A transposed or sliced array is written as it reads."""
    transposed = Tensor.of("x", np.array([[1, 2], [3, 4]]).T)
    assert b'"data":[1,3,2,4]' in one(transposed)
    assert b'"data":[[1,3],[2,4]]' in one(transposed, nested=True)
    assert b'"data":[0,2]' in one(Tensor.of("x", np.arange(4)[::2]))


@pytest.mark.parametrize("nested", [True, False])
def test_no_rows_have_their_shape(nested: bool) -> None:
    """An empty tensor is written as one."""
    assert b'"shape":[0,4],"datatype":"FP64","data":[]' in one(
        Tensor.of("x", np.zeros((0, 4))), nested=nested
    )


@pytest.mark.parametrize(
    ("tensor", "match"),
    [
        (Tensor.of("x", [math.inf]), "infinity"),
        (Tensor.of("x", [-math.inf], datatype="FP16"), "infinity"),
        (Tensor.of("x", [b"\xff"]), "base64"),
        (Tensor.of("x", ["\ud800"]), "no form in JSON"),
    ],
)
def test_what_json_cannot_carry_is_refused(tensor: Tensor, match: str) -> None:
    """It would arrive as something else."""
    with pytest.raises(InputError, match=match):
        one(tensor)


@pytest.mark.parametrize("parameter", [2**70, {1}, "\ud800"])
def test_a_parameter_without_a_form_in_json_is_refused(parameter: Any) -> None:
    """With our own error."""
    with pytest.raises(InputError, match="no form in JSON"):
        build_request(InferRequest((GUIDE_ROW,), parameters={"a": parameter}))


# Answers


@pytest.mark.parametrize(
    ("output", "values"),
    [
        ('{"name":"a","datatype":"INT64","shape":[2],"data":[0,2]}', [0, 2]),
        ('{"name":"a","datatype":"INT64","shape":[2,1],"data":[0,2]}', [[0], [2]]),
        # Seen: omle-server 0.2.1 writes whole numbers so; JSON has one kind of number.
        ('{"name":"a","datatype":"INT64","shape":[3],"data":[0.0,2,-3.0]}', [0, 2, -3]),
        ('{"name":"a","datatype":"INT64","shape":[2,1],"data":[[0],[2]]}', [[0], [2]]),
        ('{"name":"a","datatype":"FP32","shape":[2],"data":[1,2.5]}', [1.0, 2.5]),
        ('{"name":"a","datatype":"BOOL","shape":[1],"data":[true]}', [True]),
        ('{"name":"a","datatype":"BYTES","shape":[1],"data":["setosa"]}', ["setosa"]),
        ('{"name":"a","datatype":"FP64","shape":[0],"data":[]}', []),
        ('{"name":"a","datatype":"FP64","shape":[],"data":[1]}', 1.0),
        ('{"name":"a","datatype":"FP64","shape":[1,0],"data":[[]]}', [[]]),
        ('{"name":"a","datatype":"UINT64","shape":[1],"data":[18446744073709551615]}', [2**64 - 1]),
        ('{"name":"a","datatype":"INT64","shape":[1],"data":[-9223372036854775808]}', [-(2**63)]),
    ],
)
def test_reads_values_by_datatype_and_shape(output: str, values: Any) -> None:
    """Flat and nested, as the shape says."""
    assert answer(output).output("a").data.tolist() == values


@pytest.mark.parametrize("wire", ["FP16", "FP32", "FP64"])
def test_reads_all_forms_of_no_number(wire: str) -> None:
    """MLServer and KServe write null, Triton the bare words."""
    text = f'{{"name":"a","datatype":"{wire}","shape":[4],"data":[null,NaN,Infinity,-Infinity]}}'
    data = answer(text).output("a").data
    assert np.isnan(data[:2]).all()
    assert data[2:].tolist() == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("name", "output", "values"),
    [
        ("kserve-0.21.0/infer_fp32_flat", "output-0", [0, 2]),
        ("mlserver-1.7.1/infer_fp32_flat", "predict", [[0], [2]]),
        ("mlserver-1.7.1/infer_out_both", "predict", [[0], [2]]),
        ("mlserver-1.7.1-mixed/iris-str_fp32", "predict", [["setosa"], ["virginica"]]),
        ("mlserver-1.7.1-mixed/mixed_pd_str", "predict", [["no"], ["yes"]]),
        ("triton-2.51/infer", "predict", [0, 2]),
    ],
)
def test_reads_what_real_servers_send(name: str, output: str, values: list[Any]) -> None:
    """KServe, MLServer and Triton, with all their differences."""
    assert parse_response(recorded(name).body).output(output).data.tolist() == values


def test_nulls_of_kserve_are_nothing() -> None:
    """KServe sends null for version, parameters and id."""
    response = parse_response(recorded("kserve-0.21.0/infer_fp32_flat").body)
    assert response.model_version is None
    assert response.parameters == {}
    assert response.outputs[0].parameters == {}
    assert response.id == "req-1"


def test_an_answer_needs_outputs_alone() -> None:
    """The protocol's own example has no model_name."""
    response = parse_response(b'{"outputs":[]}')
    assert (response.model_name, response.model_version, response.id) == (None, None, None)


def test_a_number_for_a_version_is_a_text() -> None:
    """Some servers write 1 for "1"."""
    assert parse_response(b'{"model_version":1,"outputs":[]}').model_version == "1"


def test_a_name_that_is_none_is_left_away() -> None:
    """However deep its objects lie in each other."""
    for name in ("[1]", '{"a":' * 900 + "1" + "}" * 900):
        response = parse_response(b'{"model_name":%s,"outputs":[]}' % name.encode())
        assert response.model_name is None


def test_half_a_surrogate_pair_is_no_text() -> None:
    """It could be neither shown nor written to a file; whole pairs stay what they are."""
    texts = r'["\ud800", "a\uDFFFb", "\ud83d\ude00", "é", "\\ud800"]'
    output = f'{{"name":"\\ud800","datatype":"BYTES","shape":[5],"data":{texts}}}'
    read = answer(output).outputs[0]
    assert read.name == "\ufffd"
    assert read.data.tolist() == ["\ufffd", "a\ufffdb", "\U0001f600", "é", r"\ud800"]


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ('{"datatype":"FP32","shape":[1],"data":[1]}', "no name"),
        ('{"name":5,"datatype":"FP32","shape":[1],"data":[1]}', "no name"),
        ("5", "no name"),
        ('{"name":"","datatype":"FP32","shape":[1],"data":[1]}', "an empty name"),
        ('{"name":"a","datatype":"FP8","shape":[1],"data":[1]}', "unknown datatype 'FP8'"),
        ('{"name":"a","datatype":["FP32"],"shape":[1],"data":[1]}', "unknown datatype"),
        ('{"name":"a","shape":[1],"data":[1]}', "unknown datatype None"),
        ('{"name":"a","datatype":"FP32","data":[1]}', "no valid shape"),
        ('{"name":"a","datatype":"FP32","shape":[-1],"data":[1]}', "no valid shape"),
        ('{"name":"a","datatype":"FP32","shape":[1.0],"data":[1]}', "no valid shape"),
        ('{"name":"a","datatype":"FP32","shape":[true],"data":[1]}', "no valid shape"),
        ('{"name":"a","datatype":"FP32","shape":[1]}', "no data"),
        ('{"name":"a","datatype":"FP32","shape":[1],"data":1}', "no data"),
        ('{"name":"a","datatype":"FP32","shape":[2],"data":[1]}', "1 values for shape"),
        ('{"name":"a","datatype":"FP32","shape":[1],"data":[1,2]}', "2 values for shape"),
        ('{"name":"a","datatype":"FP32","shape":[4294967296,4294967296],"data":[]}', "0 values"),
        (
            '{"name":"a","datatype":"FP32","shape":[0,9223372036854775807],"data":[]}',
            "no valid shape",
        ),
        ('{"name":"a","datatype":"FP32","shape":[0,1e9],"data":[]}', "no valid shape"),
        (
            '{"name":"a","datatype":"FP32","shape":[' + "1," * 69 + '1],"data":[1]}',
            "no valid shape",
        ),
        ('{"name":"a","datatype":"FP32","shape":[2,2],"data":[[1,2,3],[4]]}', "unequal length"),
        ('{"name":"a","datatype":"FP32","shape":[2],"data":[[1],2]}', "unequal length"),
        ('{"name":"a","datatype":"FP32","shape":[2],"data":[1,[2]]}', "holds list"),
        ('{"name":"a","datatype":"FP32","shape":[1],"data":["1"]}', "holds str"),
        ('{"name":"a","datatype":"FP32","shape":[1],"data":[true]}', "holds bool"),
        ('{"name":"a","datatype":"INT64","shape":[2],"data":[1,1.5]}', "holds float"),
        ('{"name":"a","datatype":"INT64","shape":[1],"data":[9007199254740992.0]}', "holds float"),
        ('{"name":"a","datatype":"INT64","shape":[1],"data":[NaN]}', "holds float"),
        ('{"name":"a","datatype":"UINT8","shape":[1],"data":[256.0]}', "outside UINT8"),
        ('{"name":"a","datatype":"INT64","shape":[1],"data":[null]}', "holds NoneType"),
        ('{"name":"a","datatype":"INT64","shape":[1],"data":[true]}', "holds bool"),
        ('{"name":"a","datatype":"BOOL","shape":[1],"data":[1]}', "holds int"),
        ('{"name":"a","datatype":"BYTES","shape":[1],"data":[1]}', "holds int"),
        ('{"name":"a","datatype":"BYTES","shape":[1],"data":[null]}', "holds NoneType"),
        ('{"name":"a","datatype":"UINT8","shape":[1],"data":[256]}', "outside UINT8"),
        (
            '{"name":"a","datatype":"INT64","shape":[1],"data":[9223372036854775808]}',
            "outside INT64",
        ),
        ('{"name":"a","datatype":"FP32","shape":[1],"data":[1e39]}', "outside FP32"),
        ('{"name":"a","datatype":"FP16","shape":[1],"data":[70000]}', "outside FP16"),
        *(
            (
                f'{{"name":"a","datatype":"{wire}","shape":[1],"data":[1{"0" * 400}]}}',
                f"outside {wire}",
            )
            for wire in ("FP64", "FP32", "FP16", "BF16")
        ),
        (
            ",".join(['{"name":"a","datatype":"BOOL","shape":[0],"data":[]}'] * 2),
            "same name",
        ),
    ],
)
def test_what_would_change_a_value_is_refused(output: str, why: str) -> None:
    """A shifted or bent answer is no answer."""
    with pytest.raises(InvalidAnswerError, match=why):
        answer(output)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "its body is empty"),
        (b"<html>login</html>", "it is not JSON"),
        (b'{"outputs":', "it is not JSON"),
        (b"[1]", "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
        (b"{}", "no list of outputs"),
        (b'{"outputs":null}', "no list of outputs"),
        (b'{"outputs":{}}', "no list of outputs"),
        (b"\xff", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
    ],
)
def test_what_is_no_answer_is_refused(body: bytes, why: str) -> None:
    """With the beginning of the body, for people."""
    with pytest.raises(InvalidAnswerError, match=why) as caught:
        parse_response(body)
    assert caught.value.body == body[:500].decode(errors="replace")


def test_a_huge_number_is_infinity() -> None:
    """1e400 is JSON, and too large for any float."""
    assert parse_value(b"1e400") == math.inf
    assert parse_object(b'{"a":NaN}').keys() == {"a"}


# Properties

_FLOATS = {"FP16": 16, "FP32": 32, "FP64": 64, "BF16": 32}


def tensors(wire: str) -> st.SearchStrategy[Tensor]:
    row = DATATYPES[wire]
    elements: st.SearchStrategy[Any]
    if row.family == "integer":
        elements = st.integers(row.minimum, row.maximum)
    elif row.family == "float":
        elements = st.floats(width=_FLOATS[wire], allow_infinity=False)  # type: ignore[arg-type]
    elif row.family == "boolean":
        elements = st.booleans()
    else:
        elements = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    shapes = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
    return shapes.flatmap(
        lambda shape: st.lists(elements, min_size=math.prod(shape), max_size=math.prod(shape)).map(
            lambda data: Tensor.of("x", cast("Any", data), datatype=wire, shape=shape)
        )
    )


@pytest.mark.parametrize("wire", [name for name in DATATYPES if name != "BF16"])
@given(data=st.data())
def test_decoding_undoes_encoding(wire: str, data: st.DataObject) -> None:
    """Whatever is sent as an input would come back the same as an output, flat and nested."""
    tensor = data.draw(tensors(wire))
    for nested in (False, True):
        body = json.loads(one(tensor, nested=nested))
        if nested and not tensor.shape:
            continue
        written = body["inputs"][0]
        back = parse_response(json.dumps({"outputs": [written]}).encode()).output("x")
        assert back.datatype == tensor.datatype
        np.testing.assert_array_equal(back.data, tensor.data)
        assert back.shape == tensor.shape


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    """Anything is an answer, or an InvalidAnswerError."""
    with contextlib.suppress(InvalidAnswerError):
        parse_response(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {
            "name": JSON | st.just("a"),
            "datatype": JSON | st.sampled_from(sorted(DATATYPES)),
            "shape": JSON | st.lists(st.integers(-1, 3), max_size=3),
            "data": JSON | st.lists(st.integers(-1, 300) | st.none() | st.booleans(), max_size=4),
        }
    )
)
def test_no_output_breaks_the_reader(output: dict[str, Any]) -> None:
    """Any JSON in any field is a tensor of its shape, or an InvalidAnswerError."""
    try:
        tensor = parse_response(json.dumps({"outputs": [output]}).encode()).outputs[0]
    except InvalidAnswerError:
        return
    assert list(tensor.shape) == output["shape"]
