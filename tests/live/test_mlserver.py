"""Methods of the client that tests/live/test_models.py does not need, against MLServer 1.7.1.

Each docstring says the fact of the server that the test holds.
"""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterator

import numpy as np
import pytest

from kserve_client import (
    Endpoint,
    InferenceClient,
    InferRequest,
    NotFoundError,
    RequestedOutput,
    ServerError,
    Tensor,
    tracing,
)
from kserve_client.events import CallEvent
from scripts.mlserver import MLServer
from tests.live.relay import relay_to

TWO = Tensor.of("input-0", [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]], datatype="FP32")
MODELS = ["denoise", "digits", "iris", "penguin_mass", "penguins"]


@pytest.fixture
def client(mlserver: MLServer) -> Iterator[InferenceClient]:
    """Return a client of the demo's server."""
    with InferenceClient(mlserver.url) as made:
        yield made


def test_the_server_is_known(client: InferenceClient) -> None:
    """Its name is mlserver; it speaks no binary, and admits to no extension."""
    assert client.profile.name == "mlserver"
    assert not client.profile.has_binary
    assert client.server_metadata().extensions == []


def test_the_index(client: InferenceClient) -> None:
    """All models with version and state; the body must be JSON, which the client sends."""
    listed = {model.name: model for model in client.repository_index()}
    assert sorted(listed) == MODELS
    assert {(m.version, m.state, m.reason) for m in listed.values()} == {("v1", "READY", "")}


def test_a_model_goes_and_comes_back(client: InferenceClient) -> None:
    """Unloaded it is a 404, UNAVAILABLE in the index and not among the ready ones; loaded, it answers."""
    client.unload_model("penguin_mass")
    try:
        assert not client.is_model_ready("penguin_mass")
        assert client.is_server_ready()
        states = {model.name: model.state for model in client.repository_index()}
        assert states["penguin_mass"] == "UNAVAILABLE"
        ready = [model.name for model in client.repository_index(ready=True)]
        assert sorted(ready) == [name for name in MODELS if name != "penguin_mass"]
        with pytest.raises(NotFoundError):
            client.model_metadata("penguin_mass")
    finally:
        client.load_model("penguin_mass")
    assert client.is_model_ready("penguin_mass")


def test_unknown_models_in_the_repository(client: InferenceClient) -> None:
    """404 for both, in the server's words."""
    for call in (client.load_model, client.unload_model):
        with pytest.raises(NotFoundError) as caught:
            call("nobody")
        assert caught.value.server_message == "Model nobody not found"


def test_what_mlserver_has_not(client: InferenceClient) -> None:
    """No statistics and no V1: 404 for each."""
    with pytest.raises(NotFoundError):
        client.model_statistics("iris")
    with pytest.raises(NotFoundError):
        client.predict_v1("iris", [[5.1, 3.5, 1.4, 0.2]])
    with pytest.raises(NotFoundError):
        client.explain_v1("iris", [[5.1, 3.5, 1.4, 0.2]])


def test_versions(client: InferenceClient) -> None:
    """A version that its settings name has paths of its own, and is in the answer."""
    assert client.is_model_ready("iris", "v1")
    assert client.model_metadata("iris", "v1").name == "iris"
    assert client.infer("iris", [TWO], model_version="v1").model_version == "v1"


def test_both_outputs_at_once(client: InferenceClient) -> None:
    """Labels as [rows, 1] and probabilities, in one answer."""
    asked = (RequestedOutput("predict"), RequestedOutput("predict_proba"))
    got = client.infer("iris", InferRequest((TWO,), asked, id="request 1"))
    assert got.id == "request 1"
    assert got.output("predict").data.tolist() == [[0], [2]]
    assert got.output("predict_proba").data.shape == (2, 3)


def test_a_trace_and_a_request_id_travel(mlserver: MLServer) -> None:
    """MLServer answers as without them, takes any token, and gives the request's own id back."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with relay_to(mlserver.url) as relay, InferenceClient(relay.url, token="t0ken") as traced:
        with tracing(parent, "vendor=1"):
            answer = traced.exchange("iris", InferRequest((TWO,), id="request 1"))
        with pytest.raises(NotFoundError) as refused:
            traced.model_metadata("nobody", token="another")
    assert answer.response.id == "request 1"
    assert answer.response.output("predict").data.tolist() == [[0], [2]]
    sent = [
        (seen.headers.get("traceparent"), seen.headers.get("tracestate")) for seen in relay.seen
    ]
    assert sent == [(parent, "vendor=1"), (None, None)]
    ids = [seen.headers["x-request-id"] for seen in relay.seen]
    assert len({uuid.UUID(one) for one in ids}) == 2
    assert refused.value.request_id == ids[1]
    assert [s.headers["authorization"] for s in relay.seen] == ["Bearer t0ken", "Bearer another"]


def test_binary_is_refused(client: InferenceClient) -> None:
    """A binary body is a 500, so many rows travel as JSON here, unless somebody insists."""
    many = Tensor.of("input-0", np.tile(TWO.data, (1000, 1)))
    exchange = client.exchange("iris", [many])
    assert exchange.request_headers["Content-Type"] == "application/json"
    assert exchange.response.outputs[0].shape == (2000, 1)
    with pytest.raises(ServerError) as caught:
        client.infer("iris", [many], use_binary=True)
    assert caught.value.status == 500


def test_half_precision_in_json(client: InferenceClient) -> None:
    """MLServer, and no other, reads FP16 from JSON."""
    half = Tensor.of("input-0", TWO.data.astype(np.float16))
    assert client.infer("iris", [half]).outputs[0].data.tolist() == [[0], [2]]


def test_a_gzipped_body(client: InferenceClient) -> None:
    """It unpacks a request."""
    assert client.profile.has_request_gzip
    body = gzip.compress(client.exchange("iris", [TWO]).request_body)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = client.transport.send("POST", "/v2/models/iris/infer", body=body, headers=headers)
    assert answer.status == 200


def test_large_requests_are_packed_where_that_is_wished(mlserver: MLServer) -> None:
    """With `compress` a large request travels gzipped: MLServer is known to take it."""
    many = Tensor.of("input-0", np.tile(TWO.data, (5000, 1)))
    events: list[CallEvent] = []
    endpoint = Endpoint(url=mlserver.url, compress=True)
    with InferenceClient(endpoint, on_event=events.append) as packing:
        exchange = packing.exchange("iris", [many])
    assert exchange.response.outputs[0].shape == (10_000, 1)
    assert events[-1].sent_bytes < len(exchange.request_body) / 2


def test_answers_come_unpacked(client: InferenceClient) -> None:
    """MLServer gzips whenever it may; the client does not let it."""
    headers = {name.lower() for name in client.exchange("iris", [TWO]).response_headers}
    assert "content-encoding" not in headers


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{}", 422, "body.inputs: Field required"),
        (b'{"id":1,"inputs":[]}', 422, "body.id: Input should be a valid string"),
        (
            b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[NaN]}]}',
            422,
            "JSON decode error",
        ),
    ],
)
def test_a_body_that_is_not_v2(
    client: InferenceClient, body: bytes, status: int, words: str
) -> None:
    """422 with FastAPI's list of what is wrong where; a bare NaN is no JSON."""
    with pytest.raises(ServerError) as caught:
        client.transport.send(
            "POST", "/v2/models/iris/infer", body=body, headers={"Content-Type": "application/json"}
        )
    assert caught.value.status == status
    assert words in caught.value.server_message
