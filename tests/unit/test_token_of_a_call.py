"""A person's own token goes with one call, through every public method that makes one."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from kserve_client.client import InferenceClient
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError, KServeClientError, NotFoundError
from kserve_client.events import CallEvent
from kserve_client.model import Model
from kserve_client.snippets import Call, curl, json_text, python_client, python_requests
from kserve_client.tensors import InferRequest, Tensor
from tests.unit.fault_server import FaultServer, Wire, fault_server, http

ROW = [Tensor.of("a", [[1.5]], datatype="FP32")]
ANSWER = {
    "name": "iris",
    "inputs": [{"name": "a", "datatype": "FP32", "shape": [-1, 1]}],
    "outputs": [{"name": "b", "datatype": "FP32", "shape": [1, 1], "data": [2.5]}],
    "models": ["iris"],
    "model_stats": [],
    "predictions": [],
}
OF_CLIENT: dict[str, Callable[[InferenceClient, str | None], Any]] = {
    "exchange": lambda c, token: c.exchange("iris", ROW, token=token),
    "explain_v1": lambda c, token: c.explain_v1("iris", [[1]], token=token),
    "infer": lambda c, token: c.infer("iris", ROW, token=token),
    "is_model_ready": lambda c, token: c.is_model_ready("iris", token=token),
    "is_server_live": lambda c, token: c.is_server_live(token=token),
    "is_server_ready": lambda c, token: c.is_server_ready(token=token),
    "load_model": lambda c, token: c.load_model("iris", token=token),
    "model_metadata": lambda c, token: c.model_metadata("iris", token=token),
    "model_statistics": lambda c, token: c.model_statistics("iris", token=token),
    "predict_v1": lambda c, token: c.predict_v1("iris", [[1]], token=token),
    "repository_index": lambda c, token: c.repository_index(ready=True, token=token),
    "server_metadata": lambda c, token: c.server_metadata(token=token),
    "unload_model": lambda c, token: c.unload_model("iris", token=token),
}
OF_MODEL: dict[str, Callable[[Model, str | None], Any]] = {
    "build": lambda m, token: m.build({"a": 1.5}, token=token),
    "exchange": lambda m, token: m.exchange({"a": 1.5}, token=token),
    "infer": lambda m, token: m.infer(InferRequest(tuple(ROW)), token=token),
    "is_ready": lambda m, token: m.is_ready(token=token),
    "metadata": lambda m, token: m.metadata(token=token),
    "predict": lambda m, token: m.predict({"a": 1.5}, token=token),
}
# How many requests a call makes where that is not one.
REQUESTS = {"repository_index": 3, "predict": 2, "model.exchange": 2}


def answers(wire: Wire) -> None:
    """Answer like a server without an index of its repository."""
    while (request := wire.read()) is not None:
        has_none = request.target == "/v2/repository/index"
        wire.write(http(404 if has_none else 200, json.dumps(ANSWER).encode()))


def public_methods(kind: type) -> set[str]:
    """Every public function of a class, not its properties."""
    return {n for n, _ in inspect.getmembers(kind, inspect.isfunction) if not n.startswith("_")}


def sent_tokens(server: FaultServer) -> list[str | None]:
    return [request.headers.get("authorization") for request in server.seen]


@pytest.mark.parametrize("name", OF_CLIENT)
def test_each_call_of_the_client_takes_a_token(name: str) -> None:
    """It goes with every request of that call, instead of the endpoint's, and with no later one."""
    with fault_server(answers) as server:
        client = InferenceClient(server.url, token="ours-ours")
        OF_CLIENT[name](client, "mine-mine")
        OF_CLIENT[name](client, None)
    count = REQUESTS.get(name, 1)
    assert sent_tokens(server) == ["Bearer mine-mine"] * count + ["Bearer ours-ours"] * count


@pytest.mark.parametrize("name", OF_MODEL)
def test_each_call_of_a_model_takes_a_token(name: str) -> None:
    """The question for its signature included."""
    with fault_server(answers) as server:
        model = Model(InferenceClient(server.url, token="ours-ours"), "iris")
        OF_MODEL[name](model, "mine-mine")
    count = REQUESTS.get(name, REQUESTS.get(f"model.{name}", 1))
    assert sent_tokens(server) == ["Bearer mine-mine"] * count


def test_no_method_is_forgotten() -> None:
    """A method that is new in either class has to appear above, unless it asks nobody."""
    assert public_methods(InferenceClient) == {*OF_CLIENT, "close"}
    assert public_methods(Model) == set(OF_MODEL)


@pytest.mark.parametrize("name", OF_CLIENT)
def test_a_token_that_is_no_header_text_is_refused(name: str) -> None:
    """Before anything is sent, and without being repeated."""
    with fault_server(answers) as server:
        with pytest.raises(ConfigurationError, match="the bearer token in this call") as caught:
            OF_CLIENT[name](InferenceClient(server.url), "s3cret\r\nX-Admin: 1")
        assert server.seen == []
    assert "s3cret" not in f"{caught.value!r}"


@pytest.mark.parametrize("name", OF_CLIENT)
def test_a_token_shows_nowhere(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a repr, the log or an event, nor in the error for a server that repeats what it was sent."""
    caplog.set_level(logging.DEBUG)
    told: list[CallEvent] = []

    def repeats(wire: Wire) -> None:
        while (request := wire.read()) is not None:
            wire.write(http(401, json.dumps({"error": request.headers["authorization"]}).encode()))

    with fault_server(repeats) as server:
        client = InferenceClient(server.url, on_event=told.append)
        with pytest.raises(KServeClientError) as caught:
            OF_CLIENT[name](client, "s3cret-token")
        assert server.seen[0].headers["authorization"] == "Bearer s3cret-token"
    shown = f"{client!r} {vars(client)} {told} {caplog.text} {caught.value!r} {vars(caught.value)}"
    assert "s3cret" not in shown
    assert "Bearer [secret]" in str(caught.value)


def test_a_token_is_in_no_snippet() -> None:
    """What a person takes away of a call knows of the endpoint's auth alone."""
    with fault_server(answers) as server:
        endpoint = Endpoint(url=server.url)
        exchange = InferenceClient(endpoint).exchange("iris", ROW, token="s3cret-token")
    call = Call.of(endpoint, exchange)
    written = [write(call) for write in (curl, python_client, python_requests)]
    assert "s3cret" not in f"{written} {json_text(call.body)} {exchange!r}"


def test_a_signature_that_one_person_may_not_see_is_asked_for_again() -> None:
    """A refusal is not kept, an answer is."""

    def script(wire: Wire) -> None:
        while (request := wire.read()) is not None:
            is_known = request.headers.get("authorization") == "Bearer known-one"
            wire.write(http(200 if is_known else 404, json.dumps(ANSWER).encode()))

    with fault_server(script) as server:
        model = Model(InferenceClient(server.url), "iris")
        with pytest.raises(NotFoundError):
            model.predict({"a": 1.5}, token="stranger")
        assert model.predict({"a": 1.5}, token="known-one").to_frame().shape == (1, 1)
        model.predict({"a": 1.5}, token="known-one")
    assert [request.target for request in server.seen] == [
        "/v2/models/iris",
        "/v2/models/iris",
        "/v2/models/iris/infer",
        "/v2/models/iris/infer",
    ]
