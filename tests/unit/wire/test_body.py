"""JSON or binary: by the server's profile, the values, and what pays."""

from typing import Any

import numpy as np
import pytest

from kserve_client.errors import InputError
from kserve_client.servers import PROFILES, ServerName
from kserve_client.tensors import InferRequest, Tensor
from kserve_client.wire.body import depends_on_server, head_of, read_body, write_body

SMALL = InferRequest((Tensor.of("x", [1.5], datatype="FP32"),))
LARGE = InferRequest((Tensor.of("x", np.zeros((64, 32), np.float32)),))
TEXTS = InferRequest((*LARGE.inputs, Tensor.of("t", ["a"])))
SPEAKERS: list[ServerName] = ["kserve", "triton", "ovms"]


def one(datatype: str, *values: Any) -> InferRequest:
    return InferRequest((Tensor.of("x", list(values), datatype=datatype),))


@pytest.mark.parametrize("server", PROFILES)
def test_a_small_request_is_json_everywhere(server: ServerName) -> None:
    """A head alone costs as much."""
    written = write_body(SMALL, PROFILES[server])
    assert written.data == b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1.5]}]}'
    assert written.headers == {"Content-Type": "application/json"}


@pytest.mark.parametrize("server", SPEAKERS)
def test_a_large_one_is_binary_where_the_server_speaks_it(server: ServerName) -> None:
    """With the headers that KServe and Triton need."""
    written = write_body(LARGE, PROFILES[server])
    assert written.head_bytes is not None
    assert written.headers == {
        "Content-Type": "application/octet-stream",
        "Accept": "*/*",
        "Inference-Header-Content-Length": str(written.head_bytes),
    }
    assert len(written.data) == written.head_bytes + 64 * 32 * 4


@pytest.mark.parametrize("server", ["generic", "mlserver"])
def test_a_large_one_is_json_where_it_does_not(server: ServerName) -> None:
    """MLServer answers binary with 500."""
    assert write_body(LARGE, PROFILES[server]).head_bytes is None


def test_a_table_with_texts_stays_json() -> None:
    """There JSON is the faster form."""
    assert write_body(TEXTS, PROFILES["kserve"]).head_bytes is None


@pytest.mark.parametrize(("choice", "is_binary"), [(True, True), (False, False)])
def test_the_caller_may_choose(choice: bool, is_binary: bool) -> None:
    """Whatever the profile says."""
    written = write_body(LARGE, PROFILES["kserve"], use_binary=choice)
    assert (written.head_bytes is not None) is is_binary


@pytest.mark.parametrize(
    "request_",
    [one("FP16", 1.0), one("BF16", 1.0), one("FP64", np.inf), one("FP64", np.nan)],
)
def test_what_json_carries_badly_travels_binary(request_: InferRequest) -> None:
    """Half floats, NaN and infinity."""
    assert depends_on_server(request_)
    assert write_body(request_, PROFILES["kserve"]).head_bytes is not None


@pytest.mark.parametrize("datatype", ["INT64", "UINT64", "FP64"])
def test_ovms_gets_64_bits_in_binary(datatype: str) -> None:
    """Its JSON reads 32-bit integers, and doubles as floats."""
    assert write_body(one(datatype, 1), PROFILES["ovms"]).head_bytes is not None
    assert write_body(one("INT32", 1), PROFILES["ovms"]).head_bytes is None


def test_nan_is_null_for_mlserver_and_a_token_for_triton() -> None:
    """Each reads only the one."""
    nan = one("FP32", 1.5, np.nan)
    assert b'"data":[1.5,null]' in write_body(nan, PROFILES["mlserver"]).data
    assert b'"data":[1.5,NaN]' in write_body(nan, PROFILES["triton"], use_binary=False).data


def test_infinity_is_refused_where_nothing_carries_it() -> None:
    """It would come out as NaN."""
    with pytest.raises(InputError, match="infinity has no form in JSON"):
        write_body(one("FP32", np.inf), PROFILES["mlserver"])
    written = write_body(one("FP32", -np.inf), PROFILES["triton"], use_binary=False)
    assert b'"data":[-Infinity]' in written.data


def test_bf16_needs_a_server_that_speaks_binary() -> None:
    """The message says what to do."""
    with pytest.raises(InputError, match="send FP32, or name the server"):
        write_body(one("BF16", 1.0), PROFILES["generic"])


def test_fp16_in_json_goes_to_mlserver_and_to_who_says_nothing() -> None:
    """KServe and Triton refuse it, as does OVMS."""
    assert b'"datatype":"FP16"' in write_body(one("FP16", 1.5), PROFILES["mlserver"]).data
    assert b'"datatype":"FP16"' in write_body(one("FP16", 1.5), PROFILES["generic"]).data
    for server in SPEAKERS:
        with pytest.raises(InputError, match="no FP16 in JSON"):
            write_body(one("FP16", 1.5), PROFILES[server], use_binary=False)


def test_only_what_matters_asks_the_server() -> None:
    """A small request of plain numbers is JSON anyway; one with wide integers is not, for OVMS."""
    assert not depends_on_server(SMALL)
    assert depends_on_server(LARGE)
    assert not depends_on_server(one("INT64", -(2**31), 2**31 - 1))
    assert depends_on_server(one("INT64", 2**31))
    assert depends_on_server(one("INT64", -(2**31) - 1))
    assert depends_on_server(one("UINT64", 2**63))
    assert not depends_on_server(InferRequest((Tensor.of("x", [], datatype="INT64"),)))


def test_what_the_caller_asks_for_need_not_be_asked() -> None:
    """Binary is the same everywhere; JSON is not for NaN and half floats, which Triton and others read differently."""
    for request_ in (SMALL, LARGE, one("FP32", np.nan), one("INT64", 2**40)):
        assert not depends_on_server(request_, use_binary=True)
    assert not depends_on_server(LARGE, use_binary=False)
    assert not depends_on_server(one("INT64", 2**40), use_binary=False)
    assert depends_on_server(one("FP32", np.nan), use_binary=False)
    assert depends_on_server(one("FP16", 1.0), use_binary=False)


def test_an_answer_is_read_by_its_headers() -> None:
    """A binary answer of KServe has no content type, only the length of its head."""
    head = b'{"outputs":[{"name":"y","datatype":"INT8","shape":[1],"parameters":{"binary_data_size":1}}]}'
    headers = {"Inference-Header-Content-Length": str(len(head))}
    assert read_body(head + b"\x07", headers).output("y").data.tolist() == [7]
    assert head_of(head + b"\x07", headers) == head
    plain = b'{"outputs":[{"name":"y","datatype":"INT8","shape":[1],"data":[7]}]}'
    assert read_body(plain, {}).output("y").data.tolist() == [7]
    assert head_of(plain, {}) == plain
