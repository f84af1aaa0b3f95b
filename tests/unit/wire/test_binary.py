"""The binary tensor extension: bytes by hand, cut bytes, and round trips."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from kserve_client.datatypes import DATATYPES
from kserve_client.errors import InputError, InvalidAnswerError
from kserve_client.tensors import InferRequest, RequestedOutput, Tensor
from kserve_client.wire.binary import blob_of, build_request, parse_response


def body(head: bytes, *blobs: bytes) -> tuple[bytes, int]:
    return head + b"".join(blobs), len(head)


def output(datatype: str, shape: list[int], size: int) -> bytes:
    head = (
        '{"outputs":[{"name":"y","datatype":"%s","shape":%s,"parameters":{"binary_data_size":%d}}]}'
    )
    return (head % (datatype, shape, size)).encode()


def test_a_request_is_a_head_and_the_elements_as_they_lie_in_memory() -> None:
    """KServe 0.21.0 was recorded taking just these bytes."""
    tensor = Tensor.of("input-0", [[5.1, 3.5]], datatype="FP32")
    sent, head_bytes = build_request(InferRequest((tensor,)))
    assert sent[:head_bytes] == (
        b'{"parameters":{"binary_data_output":true},"inputs":[{"name":"input-0","shape":[1,2],'
        b'"datatype":"FP32","parameters":{"binary_data_size":8}}]}'
    )
    assert sent[head_bytes:] == bytes.fromhex("3333a340 00006040")


def test_each_listed_output_asks_for_binary_itself() -> None:
    """KServe ignores binary_data_output when outputs are listed (kserve#5907)."""
    tensor = Tensor.of("x", [1], datatype="INT8")
    asked = RequestedOutput("scores", {"classification": 3})
    sent, head_bytes = build_request(InferRequest((tensor,), (asked,), id="7"))
    assert sent[:head_bytes] == (
        b'{"id":"7","inputs":[{"name":"x","shape":[1],"datatype":"INT8",'
        b'"parameters":{"binary_data_size":1}}],'
        b'"outputs":[{"name":"scores","parameters":{"classification":3,"binary_data":true}}]}'
    )


def test_the_answer_may_be_asked_for_in_json() -> None:
    """Then nothing is said of outputs."""
    sent, head_bytes = build_request(
        InferRequest((Tensor.of("x", [1], datatype="INT8"),), (RequestedOutput("y"),)),
        binary_output=False,
    )
    assert sent[:head_bytes].endswith(b'"outputs":[{"name":"y"}]}')


@pytest.mark.parametrize(
    ("datatype", "data", "blob"),
    [
        ("BOOL", [True, False], "0100"),
        ("INT16", [-2, 258], "feff 0201"),
        ("UINT64", [2**64 - 1], "ffffffffffffffff"),
        ("FP16", [1.5], "003e"),
        ("FP64", [-2.0], "00000000000000c0"),
        ("BF16", [1.0, -2.5, 3.140625], "803f 20c0 4940"),
        ("BYTES", ["ab", "ü", b"\x00"], "02000000 6162 02000000 c3bc 01000000 00"),
        ("BYTES", [], ""),
    ],
)
def test_elements_as_bytes(datatype: str, data: list[Any], blob: str) -> None:
    """Little-endian; a text carries its length."""
    assert bytes(blob_of(Tensor.of("x", data, datatype=datatype))) == bytes.fromhex(blob)


def test_bf16_rounds_to_the_nearest_and_keeps_nan_and_infinity() -> None:
    """Ties go to even: 1 + 2**-8 lies between two bfloat16 and becomes 1."""
    data = [1 + 2**-8, 1 + 3 * 2**-8, math.inf, -math.inf, math.nan]
    blob = blob_of(Tensor.of("x", data, datatype="BF16"))
    assert bytes(blob) == bytes.fromhex("803f 823f 807f 80ff c07f")


def test_a_parameter_without_a_json_form_is_refused() -> None:
    """Before anything is sent."""
    tensor = Tensor.of("x", [1], datatype="INT8")
    with pytest.raises(InputError, match="no form in JSON"):
        build_request(InferRequest((tensor,), parameters={"big": 2**64}))


def test_numbers_are_read_without_a_copy() -> None:
    """The array looks into the answer's own bytes."""
    raw, head_bytes = body(output("FP32", [2], 8), np.array([1.5, -2], np.float32).tobytes())
    found = parse_response(raw, head_bytes).output("y").data
    assert found.tolist() == [1.5, -2.0]
    assert not found.flags.owndata
    assert not found.flags.writeable


def test_json_and_binary_outputs_may_be_mixed() -> None:
    """A tensor with data has no bytes behind the head."""
    head = (
        b'{"model_name":"m","model_version":null,"outputs":['
        b'{"name":"a","datatype":"INT8","shape":[2],"data":[1,2]},'
        b'{"name":"b","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}},'
        b'{"name":"c","datatype":"BOOL","shape":[1,2],"parameters":{"binary_data_size":2}}]}'
    )
    found = parse_response(*body(head, b"\x02\x00\x00\x00hi", b"\x01\x00"))
    assert found.output("a").data.tolist() == [1, 2]
    assert found.output("b").data.tolist() == [b"hi"]
    assert found.output("c").data.tolist() == [[True, False]]


def test_nan_and_infinity_survive_in_binary() -> None:
    """That is what JSON can't do."""
    numbers = np.array([np.nan, np.inf, -np.inf])
    found = parse_response(*body(output("FP64", [3], 24), numbers.tobytes()))
    np.testing.assert_array_equal(found.output("y").data, numbers)


@pytest.mark.parametrize(
    ("raw", "head_bytes", "why"),
    [
        (b"{}", 0, "its head has 0 bytes"),
        (b"{}", 3, "its head has 3 bytes"),
        (*body(b'{"outputs":'), "not JSON"),
        (*body(output("FP32", [2], 8), b"1234"), "is cut: 4 of 8 bytes"),
        (*body(output("FP32", [2], 8), b"123456789"), "1 bytes belong to no output"),
        (*body(output("FP32", [3], 8), b"12345678"), "8 bytes for shape"),
        (*body(output("FP32", [2], 7), b"1234567"), "7 bytes for shape"),
        (*body(output("BYTES", [1], 3), b"\x01\x00\x00"), "cut inside a length"),
        (*body(output("BYTES", [1], 5), b"\x02\x00\x00\x00a"), "cut inside an element"),
        (*body(output("BYTES", [2], 5), b"\x01\x00\x00\x00a"), "5 bytes for shape"),
        (*body(output("FP8", [1], 1), b"1"), "unknown datatype"),
        (*body(b'{"outputs":[{"name":"y","datatype":"INT8","shape":[1]}]}'), "neither data nor"),
        (*body(b'{"outputs":[7]}'), "has no name"),
    ],
)
def test_bytes_that_would_be_read_wrong_are_refused(raw: bytes, head_bytes: int, why: str) -> None:
    """A cut or shifted answer is no answer."""
    with pytest.raises(InvalidAnswerError, match=why):
        parse_response(raw, head_bytes)


def arrays(datatype: str) -> st.SearchStrategy[Tensor]:
    row = DATATYPES[datatype]
    shapes = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    if row.family == "bytes":
        texts = st.binary(max_size=6)
        return shapes.flatmap(
            lambda shape: st.lists(texts, min_size=math.prod(shape), max_size=math.prod(shape)).map(
                lambda data: Tensor.of("y", data, datatype="BYTES", shape=shape)
            )
        )
    return npst.arrays(row.dtype, shapes).map(lambda data: Tensor.of("y", data, datatype=datatype))


@pytest.mark.parametrize("datatype", [name for name in DATATYPES if name != "BF16"])
@given(data=st.data())
def test_decoding_undoes_encoding(datatype: str, data: st.DataObject) -> None:
    """For every datatype and shape, to the bit."""
    tensor = data.draw(arrays(datatype))
    blob = bytes(blob_of(tensor))
    head = output(datatype, list(tensor.shape), len(blob))
    found = parse_response(*body(head, blob)).output("y")
    assert found.shape == tensor.shape
    assert found.data.dtype == tensor.data.dtype
    if datatype == "BYTES":
        assert found.data.tolist() == tensor.data.tolist()
    else:
        assert found.data.tobytes() == tensor.data.tobytes()


@given(npst.arrays(np.float32, 5, elements=st.floats(width=32, allow_nan=False)))
def test_bf16_is_within_half_a_step(numbers: np.ndarray[Any, Any]) -> None:
    """A bfloat16 has eight bits of mantissa; going out and back changes nothing more."""
    blob = bytes(blob_of(Tensor.of("y", numbers, datatype="BF16")))
    found = parse_response(*body(output("BF16", [5], 10), blob)).output("y").data
    fits = np.isfinite(found)
    np.testing.assert_allclose(found[fits], numbers[fits], rtol=2**-8, atol=1e-40)
    again = bytes(blob_of(Tensor.of("y", found, datatype="BF16")))
    assert again == blob
