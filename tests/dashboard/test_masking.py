"""What is sensitive is taken out of a row, a request and an error, however it travelled."""

import json
from typing import Any

import pytest

from dashboard.masking import masked_error, masked_exchange, masked_row
from kserve_client.client import Exchange
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConnectError, NotReadyError, ServerError
from kserve_client.frames import request_of
from kserve_client.servers import PROFILES
from kserve_client.signature import Signature
from kserve_client.snippets import Call, curl, python_client, python_requests
from kserve_client.tensors import InferResponse
from kserve_client.wire.body import write_body


def signature(*features: dict[str, Any], **more: Any) -> Signature:
    return Signature.model_validate({"features": features, **more})


COLUMNS = signature(
    {"name": "age", "sensitive": True},
    {"name": "scan", "kind": "tensor", "shape": [2, 2], "sensitive": True},
    {"name": "dose"},
    layout="columns",
)
ROW = {"age": 731975.25, "scan": [[731.5, 2.0], [3.0, 4.0]], "dose": 4.0}


def exchange(form: Signature, row: dict[str, Any], *, use_binary: bool) -> Exchange:
    """Return the exchange of a row as it would have been sent."""
    body = write_body(request_of(form, [row]), PROFILES["generic"], use_binary=use_binary)
    return Exchange(
        "/v2/models/m/infer", body.headers, body.data, {}, b"{}", InferResponse(()), 1, 1
    )


def test_a_json_request_keeps_only_what_is_not_sensitive() -> None:
    """Name, shape and datatype stay; the values are named placeholders."""
    masked = masked_exchange(COLUMNS, exchange(COLUMNS, ROW, use_binary=False))
    inputs = json.loads(masked.request_body)["inputs"]
    assert [tensor["data"] for tensor in inputs] == [["<age: hidden>"], ["<scan: hidden>"], [4.0]]
    assert [tensor["shape"] for tensor in inputs] == [[1, 1], [1, 2, 2], [1, 1]]


def test_a_binary_request_keeps_only_what_is_not_sensitive() -> None:
    """The bytes of a sensitive tensor are gone, the length of the head is right, the others stay."""
    sent = exchange(COLUMNS, ROW, use_binary=True)
    masked = masked_exchange(COLUMNS, sent)
    head = json.loads(masked.request_json)
    assert [tensor.get("data") for tensor in head["inputs"]] == [
        ["<age: hidden>"],
        ["<scan: hidden>"],
        None,
    ]
    assert masked.request_body.removeprefix(masked.request_json) == sent.request_body[-8:]
    assert sent.request_body[:-8].count(b"\x00") > masked.request_body[:-8].count(b"\x00")


def test_columns_of_a_tensor_are_hidden_one_by_one() -> None:
    """In JSON the others stay; in binary nobody can take them apart by eye, so all go."""
    form = signature({"name": "age", "sensitive": True}, {"name": "dose"})
    row = {"age": 7.0, "dose": 4.0}
    as_json = masked_exchange(form, exchange(form, row, use_binary=False))
    assert json.loads(as_json.request_body)["inputs"][0]["data"] == ["<age: hidden>", 4.0]
    as_binary = masked_exchange(form, exchange(form, row, use_binary=True))
    assert as_binary.request_body == as_binary.request_json
    assert json.loads(as_binary.request_body)["inputs"][0]["data"] == ["<age: hidden>"]


@pytest.mark.parametrize("use_binary", [False, True])
def test_snippets_can_be_written_from_it(use_binary: bool) -> None:
    """Curl and both scripts name the placeholder and nothing else."""
    masked = masked_exchange(COLUMNS, exchange(COLUMNS, ROW, use_binary=use_binary))
    call = Call.of(Endpoint(url="http://model.test"), masked)
    for text in (curl(call), python_client(call), python_requests(call)):
        assert "731" not in text
    assert "731" not in repr(call.body)


def test_without_sensitive_features_nothing_changes() -> None:
    """The very same exchange, row and error."""
    form = signature({"name": "dose"})
    sent = exchange(form, {"dose": 1.0}, use_binary=False)
    error = ServerError("no: 1.0", status=400, server_message="1.0")
    assert masked_exchange(form, sent) is sent
    assert masked_row(form, {"dose": 1.0}) == {"dose": 1.0}
    assert masked_error(form, error) is error


def test_a_row_can_be_compared_but_not_read() -> None:
    """Equal rows stay equal, others differ; a missing value may be seen to be missing."""
    masked = masked_row(COLUMNS, ROW)
    assert masked == masked_row(COLUMNS, dict(ROW))
    assert masked != masked_row(COLUMNS, ROW | {"age": 731975.5})
    assert masked["dose"] == 4.0
    assert "731" not in str(masked["scan"])
    assert masked_row(COLUMNS, {"age": None}) == {"age": None}


def test_an_error_keeps_its_kind_but_not_the_words() -> None:
    """What a page says of it stays: the class, the status, the request's id."""
    error = NotReadyError(
        "m at http://x: 503, can't read 731975.25",
        status=503,
        server_message="can't read 731975.25",
        body='{"error": "can\'t read 731975.25"}',
    )
    error.request_id = "r1"
    masked = masked_error(COLUMNS, error)
    assert isinstance(masked, NotReadyError)
    assert "731975" not in f"{masked} {masked.server_message} {masked.body} {masked.args}"
    assert str(masked).startswith("m at http://x: 503, ")
    assert (masked.status, masked.request_id) == (503, "r1")


def test_an_error_without_words_of_the_server_stays() -> None:
    """Nobody answered, so nobody repeated anything."""
    error = ConnectError("nothing listens")
    assert masked_error(COLUMNS, error) is error
