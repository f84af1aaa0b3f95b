from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import responses

from kserve_client.client import InferenceClient, model_path
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    InputError,
    InvalidAnswerError,
    NotFoundError,
    NotReadyError,
    ServerError,
)
from kserve_client.tensors import InferRequest, RequestedOutput, Tensor
from tests.unit.recorded_answers import recorded

URL = "http://model.test"
ROW = Tensor.of("input-0", [[5.1, 3.5, 1.4, 0.2]], datatype="FP32")


def client(**settings: Any) -> InferenceClient:
    return InferenceClient(Endpoint(url=URL, **settings))


def replay(mock: responses.RequestsMock, name: str) -> None:
    """Answer the recorded request as it was answered then."""
    kept = recorded(name)
    mock.add(
        kept.method, URL + kept.path, kept.body, status=kept.status, content_type=kept.content_type
    )


# Addresses


@pytest.mark.parametrize(
    ("name", "version", "path"),
    [
        ("iris", None, "/v2/models/iris"),
        ("iris", "v1", "/v2/models/iris/versions/v1"),
        ("a b", None, "/v2/models/a%20b"),
        ("team/iris", "1/2", "/v2/models/team%2Firis/versions/1%2F2"),
        ("ir\u00efs?x#y", None, "/v2/models/ir%C3%AFs%3Fx%23y"),
        ("100%", None, "/v2/models/100%25"),
        ("..a", None, "/v2/models/..a"),
    ],
)
def test_names_are_quoted(name: str, version: str | None, path: str) -> None:
    """A name is one segment of the path, whatever is in it."""
    assert model_path(name, version) == path


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_is_no_segment_is_refused(name: str) -> None:
    """Dots would climb to another path, however they are quoted."""
    with pytest.raises(ConfigurationError):
        model_path(name)
    with pytest.raises(ConfigurationError):
        model_path("iris", name)


@pytest.mark.parametrize("name", ["team/iris", "a b", "100%"])
def test_quoted_names_stay_quoted_on_the_wire(name: str) -> None:
    """The HTTP library does not undo it."""
    with responses.RequestsMock() as mock:
        mock.get(URL + model_path(name) + "/ready")
        client().is_model_ready(name)
        assert mock.calls[0].request.url == URL + model_path(name) + "/ready"


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda c: c.is_server_live(), "/v2/health/live"),
        (lambda c: c.is_server_ready(), "/v2/health/ready"),
        (lambda c: c.is_model_ready("iris"), "/v2/models/iris/ready"),
        (lambda c: c.is_model_ready("iris", "v1"), "/v2/models/iris/versions/v1/ready"),
        (lambda c: c.server_metadata(), "/v2"),
        (lambda c: c.model_metadata("iris"), "/v2/models/iris"),
        (lambda c: c.model_metadata("iris", "v1"), "/v2/models/iris/versions/v1"),
        (lambda c: c.model_statistics(), "/v2/models/stats"),
        (lambda c: c.model_statistics("iris"), "/v2/models/iris/stats"),
        (lambda c: c.model_statistics("iris", "v1"), "/v2/models/iris/versions/v1/stats"),
    ],
)
def test_each_question_has_its_path(call: Any, path: str) -> None:
    """GET, without a body, and without a slash at the end, which servers redirect."""
    with responses.RequestsMock() as mock:
        mock.get(URL + path, json={"model_stats": []})
        call(client())
        request = mock.calls[0].request
    assert (request.method, request.url, request.body) == ("GET", URL + path, None)
    assert "Content-Type" not in request.headers


@pytest.mark.parametrize(
    ("call", "path", "body"),
    [
        (lambda c: c.repository_index(), "/v2/repository/index", b"{}"),
        (lambda c: c.repository_index(ready=True), "/v2/repository/index", b'{"ready":true}'),
        (lambda c: c.load_model("a b"), "/v2/repository/models/a%20b/load", b"{}"),
        (
            lambda c: c.load_model("iris", {"config": "{}"}),
            "/v2/repository/models/iris/load",
            b'{"parameters":{"config":"{}"}}',
        ),
        (
            lambda c: c.unload_model("iris", {"unload_dependents": True}),
            "/v2/repository/models/iris/unload",
            b'{"parameters":{"unload_dependents":true}}',
        ),
        (
            lambda c: c.predict_v1("iris", np.array([[1.5, 2]]), signature_name="s"),
            "/v1/models/iris:predict",
            b'{"signature_name":"s","instances":[[1.5,2.0]]}',
        ),
        (
            lambda c: c.explain_v1("iris", iter([{"b64": "AA=="}])),
            "/v1/models/iris:explain",
            b'{"instances":[{"b64":"AA=="}]}',
        ),
    ],
)
def test_each_command_has_its_path_and_body(call: Any, path: str, body: bytes) -> None:
    """POST, always with a JSON body, which MLServer wants."""
    answer = b"[]" if path.endswith("index") else b'{"predictions":[1]}'
    with responses.RequestsMock() as mock:
        mock.post(URL + path, body=answer)
        call(client())
        request = mock.calls[0].request
    assert (request.url, request.body) == (URL + path, body)
    assert request.headers["Content-Type"] == "application/json"


def test_v1_answers() -> None:
    """Predictions as a list, an explanation as it is."""
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/v1/models/iris:predict", json={"predictions": [[0.5], None]})
        mock.post(f"{URL}/v1/models/iris:explain", json={"explanations": {"a": 1}})
        assert client().predict_v1("iris", [[1], [2]]) == [[0.5], None]
        assert client().explain_v1("iris", [[1]]) == {"explanations": {"a": 1}}


def test_instances_without_a_form_in_json_are_the_callers() -> None:
    """Nothing is sent."""
    with pytest.raises(InputError, match="the instances have no form in JSON"):
        client().predict_v1("iris", [object()])


@pytest.mark.parametrize(
    ("call", "path", "body", "why"),
    [
        (
            lambda c: c.predict_v1("a", []),
            "POST /v1/models/a:predict",
            b"{}",
            "no list of predictions",
        ),
        (lambda c: c.explain_v1("a", []), "POST /v1/models/a:explain", b"[]", "not a JSON object"),
        (lambda c: c.model_statistics(), "GET /v2/models/stats", b"{}", "no list of model_stats"),
        (lambda c: c.repository_index(), "POST /v2/repository/index", b"{}", "it is no list"),
        (
            lambda c: c.repository_index(),
            "POST /v2/repository/index",
            b"[{}]",
            "name: Field required",
        ),
    ],
)
def test_an_answer_that_is_none_names_its_request(
    call: Any, path: str, body: bytes, why: str
) -> None:
    """And keeps its body."""
    method, _, way = path.partition(" ")
    with responses.RequestsMock() as mock:
        mock.add(method, URL + way, body)
        with pytest.raises(InvalidAnswerError, match=f"^{path} on {URL}: .*{why}") as caught:
            call(client())
    assert caught.value.body == body.decode()


@pytest.mark.parametrize("status", [404, 405, 501])
def test_without_an_index_the_models_are_listed(status: int) -> None:
    """Any other refusal is told."""
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/v2/repository/index", status=status)
        mock.get(f"{URL}/v2/models", json={"models": ["iris"]})
        assert [model.name for model in client().repository_index()] == ["iris"]
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/v2/repository/index", status=500)
        with pytest.raises(ServerError):
            client().repository_index()


def test_a_base_url_with_a_path_is_kept() -> None:
    """A gateway may serve models below a prefix."""
    with responses.RequestsMock() as mock:
        mock.get("http://gateway/team/v2", json={})
        InferenceClient("http://gateway/team/").server_metadata()


# Health


@pytest.mark.parametrize(
    ("name", "is_ready"),
    [
        ("kserve-0.21.0/health_live", True),
        ("mlserver-1.7.1/health_live", True),
        ("kserve-0.21.0/model_ready", True),
        ("mlserver-1.7.1/model_ready", True),
        ("triton-2.51/unloaded_ready", False),
        ("kserve-0.21.0-not-ready/notready_model_ready", False),
    ],
)
def test_health_is_judged_by_status(name: str, is_ready: bool) -> None:
    """Bodies differ: empty from MLServer, JSON from KServe, an error text from Triton."""
    kept = recorded(name)
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2/models/iris/ready", body=kept.body, status=kept.status)
        assert client().is_model_ready("iris") is is_ready


@pytest.mark.parametrize("body", ["", '{"live": false}', "<html>"])
def test_the_body_of_a_health_answer_says_nothing(body: str) -> None:
    """Only the status counts."""
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2/health/live", body=body)
        assert client().is_server_live()


@pytest.mark.parametrize("status", [400, 404, 429, 500, 502, 503])
def test_not_ready_is_no_error_and_not_asked_again(status: int) -> None:
    """One question, one answer."""
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2/health/ready", status=status)
        assert not client().is_server_ready()
        assert len(mock.calls) == 1


@pytest.mark.parametrize("status", [302, 401, 403])
def test_no_right_to_ask_is_an_error(status: int) -> None:
    """That says nothing of the server's health."""
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2/health/ready", status=status, headers={"Location": "/login?t=s3cret"})
        with pytest.raises(AccessError) as caught:
            client().is_server_ready()
    assert "s3cret" not in str(caught.value)


# Metadata


def test_server_metadata_of_real_servers() -> None:
    """KServe names an extension, MLServer none."""
    with responses.RequestsMock() as mock:
        replay(mock, "kserve-0.21.0/server_metadata")
        found = client().server_metadata()
    assert (found.name, found.version) == ("kserve", "0.21.0")
    assert found.extensions == ["model_repository_extension"]


def test_empty_metadata_of_kserve() -> None:
    """KServe sends null for versions."""
    with responses.RequestsMock() as mock:
        replay(mock, "kserve-0.21.0/model_metadata")
        found = client().model_metadata("iris")
    assert (found.name, found.versions, found.inputs, found.outputs) == ("iris", [], [], [])


def test_full_metadata_of_triton() -> None:
    """Names, datatypes and shapes, -1 for what varies."""
    with responses.RequestsMock() as mock:
        replay(mock, "triton-2.51/model_metadata")
        found = client().model_metadata("iris")
    assert found.versions == ["1"]
    assert [(t.name, t.datatype, t.shape) for t in found.inputs] == [("input-0", "FP32", [-1, 4])]
    assert [t.name for t in found.outputs] == ["predict", "predict_proba"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": None, "versions": None, "platform": None, "inputs": None, "outputs": None},
        {"versions": [1, 2], "more": {"of": "it"}},
        {"inputs": [{"name": "a", "datatype": "FP32", "shape": [1], "parameters": None}]},
    ],
)
def test_metadata_may_lack_anything(body: dict[str, Any]) -> None:
    """What is null or missing is empty."""
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2/models/iris", json=body)
        client().model_metadata("iris")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "its body is empty"),
        (b"[]", "not a JSON object"),
        (b"<html>please log in</html>", "not JSON"),
        (b'{"inputs": [{"name": "a"}]}', "inputs.0.datatype"),
        (b'{"inputs": 5}', "inputs"),
    ],
)
def test_metadata_that_is_none(body: bytes, why: str) -> None:
    """The message names request and endpoint, the error keeps the body."""
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2/models/iris", body=body)
        with pytest.raises(
            InvalidAnswerError, match=f"GET /v2/models/iris on {URL}: .*{why}"
        ) as caught:
            client().model_metadata("iris")
    assert caught.value.body == body.decode()


# Inference


OF_EVERY_CALL = ("User-Agent", "Content-Length", "X-Request-ID")


def test_an_inference_on_the_wire() -> None:
    """Method, address, headers and body."""
    with responses.RequestsMock() as mock:
        replay(mock, "kserve-0.21.0/infer_fp32_flat")
        response = client(host="iris.test", auth={"value": "t0ken"}).infer(
            "iris", InferRequest((ROW,), (RequestedOutput("output-0"),))
        )
        request = mock.calls[0].request
    assert (request.method, request.url) == ("POST", f"{URL}/v2/models/iris/infer")
    sent = {k: v for k, v in request.headers.items() if k not in OF_EVERY_CALL}
    assert sent == {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Authorization": "Bearer t0ken",
        "Content-Type": "application/json",
        "Host": "iris.test",
    }
    assert request.body == (
        b'{"inputs":[{"name":"input-0","shape":[1,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2]}],'
        b'"outputs":[{"name":"output-0"}]}'
    )
    assert response.output("output-0").data.tolist() == [0, 2]


def test_tensors_alone_are_a_request() -> None:
    """Nobody needs an InferRequest for that."""
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/v2/models/iris/versions/v1/infer", json={"outputs": []})
        client().infer("iris", [ROW], model_version="v1", headers={"X-Request-Id": "7"})
        request = mock.calls[0].request
    assert list(json.loads(request.body or "")) == ["inputs"]
    assert request.headers["X-Request-Id"] == "7"


def test_an_exchange_shows_what_travelled() -> None:
    """Both bodies, the path and the time."""
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/v2/models/iris/infer", body=b'{"outputs": []}')
        exchange = client().exchange("iris", [ROW])
    assert exchange.path == "/v2/models/iris/infer"
    assert exchange.request_body.startswith(b'{"inputs"')
    assert exchange.response_body == b'{"outputs": []}'
    assert exchange.elapsed_ms > 0
    assert exchange.attempts == 1


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        (
            "kserve-0.21.0/err_wrong_columns",
            ServerError,
            "X has 3 features, but StandardScaler is expecting 4 features as input.",
        ),
        (
            "mlserver-1.7.1-debug/err_wrong_columns",
            ServerError,
            "ValueError: X has 3 features, but StandardScaler is expecting 4 features as input.",
        ),
        ("mlserver-1.7.1-plain/err_wrong_columns", ServerError, "Internal Server Error"),
        (
            "kserve-0.21.0/err_unknown_model_infer",
            NotFoundError,
            "Model with name nope does not exist.",
        ),
        ("mlserver-1.7.1/err_unknown_model_infer", NotFoundError, "Model nope not found"),
        (
            "triton-2.51/unloaded_infer",
            NotFoundError,
            "Request for unknown model: 'iris' has no available versions",
        ),
        ("kserve-0.21.0/infer_version", ServerError, "Model versioning not supported yet."),
        ("kserve-0.21.0/err_malformed_json", ServerError, "body.21: JSON decode error"),
    ],
)
def test_refusals_of_real_servers(name: str, kind: type[ServerError], said: str) -> None:
    """Each keeps its status and the server's own words."""
    kept = recorded(name)
    with responses.RequestsMock() as mock:
        replay(mock, name)
        with pytest.raises(ServerError) as caught:
            client().transport.send("POST", kept.path, body=b"{}")
    assert type(caught.value) is kind
    assert caught.value.status == kept.status
    assert caught.value.server_message == said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": [{"loc": ["body", 21], "msg": "too short"}]}, "body.21: too short"),
        ({"detail": [{"loc": [{"a": 1}], "msg": "odd"}]}, "odd"),
        ({"error": {"message": "no such row"}}, "no such row"),
        ('{"error":' * 900 + "1" + "}" * 900, ""),
    ],
)
def test_what_a_refusal_says_is_found(body: Any, said: str) -> None:
    """In FastAPI's lists, in gateways' objects; however deep a hostile one is."""
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2", body=body if isinstance(body, str) else json.dumps(body), status=400)
        with pytest.raises(ServerError) as caught:
            client().server_metadata()
    assert caught.value.server_message == said


def test_a_model_that_wakes_up_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """503, then the answer."""
    monkeypatch.setattr("kserve_client.transport.retries.FIRST_PAUSE_S", 0.001)
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/v2/models/slow/infer", json={"error": "not ready"}, status=503)
        mock.post(f"{URL}/v2/models/slow/infer", json={"outputs": []})
        assert client().exchange("slow", [ROW]).attempts == 2


def test_a_model_that_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its retries the server's words are told."""
    monkeypatch.setattr("kserve_client.transport.retries.FIRST_PAUSE_S", 0.001)
    with responses.RequestsMock() as mock:
        replay(mock, "kserve-0.21.0-not-ready/notready_infer")
        with pytest.raises(NotReadyError, match="Model with name slow is not ready"):
            client().infer("slow", [ROW])


def test_an_answer_that_is_not_v2_names_its_request() -> None:
    """The message says whose answer it was."""
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/v2/models/iris/infer", body=b"<html>log in</html>")
        with pytest.raises(
            InvalidAnswerError, match=f"POST /v2/models/iris/infer on {URL}"
        ) as caught:
            client().infer("iris", [ROW])
    assert caught.value.body == "<html>log in</html>"


# Making one


def test_a_url_and_a_token_are_enough() -> None:
    """For a notebook."""
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2", json={})
        with InferenceClient(URL, token="t0ken") as made:
            made.server_metadata()
        assert mock.calls[0].request.headers["Authorization"] == "Bearer t0ken"


def test_a_token_replaces_that_of_the_endpoint() -> None:
    """One call, one person."""
    endpoint = Endpoint.model_validate({"url": URL, "auth": {"value": "theirs"}})
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2", json={})
        InferenceClient(endpoint, token="mine").server_metadata()
        assert mock.calls[0].request.headers["Authorization"] == "Bearer mine"


@pytest.mark.parametrize("url", ["localhost:8080", "http://me:s3cret@host", "http://host/v2"])
def test_a_wrong_url_is_our_configuration(url: str) -> None:
    """Not a validation error of pydantic."""
    with pytest.raises(ConfigurationError, match="the URL of the endpoint is wrong") as caught:
        InferenceClient(url, token="t0ken")
    assert "s3cret" not in str(caught.value)


def test_a_token_is_never_shown() -> None:
    """Neither by the client nor by the error of a refusal."""
    made = InferenceClient(URL, token="t0ken")
    assert "t0ken" not in f"{made!r} {made.endpoint!r}"
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2", status=401)
        with pytest.raises(AccessError) as caught:
            made.server_metadata()
    assert "t0ken" not in f"{caught.value} {caught.value!r} {caught.value.body}"


def test_a_list_of_models_is_narrowed_by_asking() -> None:
    """KServe 0.21.0 has no index, and lists models that are not ready: each one is asked."""
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/v2/repository/index", json={"detail": "Not Found"}, status=404)
        mock.get(f"{URL}/v2/models", json={"models": ["iris", "slow"]})
        mock.get(f"{URL}/v2/models/iris/ready", json={"name": "iris", "ready": True})
        mock.get(f"{URL}/v2/models/slow/ready", json={"error": "not ready"}, status=503)
        assert [model.name for model in client().repository_index(ready=True)] == ["iris"]


@pytest.mark.parametrize(("said", "is_taken"), [("mine", True), (None, True), ("other", False)])
def test_an_answer_to_another_request_is_refused(said: str | None, is_taken: bool) -> None:
    """By its id, where the request has one and the server says one."""
    output = {"name": "y", "datatype": "FP32", "shape": [1], "data": [0.5]}
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/v2/models/iris/infer", json={"id": said, "outputs": [output]})
        request = InferRequest((ROW,), id="mine")
        if is_taken:
            assert client().infer("iris", request).output("y").data.tolist() == [0.5]
            return
        with pytest.raises(InvalidAnswerError, match="it is not its answer"):
            client().infer("iris", request)


def test_a_call_may_say_how_often_it_is_repeated() -> None:
    """With no retries a busy server is told at once, with the time it asks for."""
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/v2/models/iris/infer", status=503, headers={"Retry-After": "7"})
        with pytest.raises(NotReadyError) as caught:
            client().exchange("iris", [ROW], retries=0)
        assert len(mock.calls) == 1
    assert caught.value.retry_after_s == 7.0


def test_a_client_and_an_exchange_show_what_they_are() -> None:
    """Where it asks and how much travelled; no token, no header, no data."""
    assert repr(client(auth={"value": "s3cret"})) == "InferenceClient(http://model.test)"
    output = {"name": "y", "datatype": "FP32", "shape": [1], "data": [0.5]}
    with responses.RequestsMock() as mock:
        mock.post(f"{URL}/v2/models/iris/infer", json={"outputs": [output]})
        exchange = client().exchange("iris", [ROW])
    assert re.fullmatch(
        r"Exchange\(POST /v2/models/iris/infer: \d+ bytes sent, \d+ bytes came in \d+ ms, "
        r"InferResponse\(Tensor\('y', FP32, shape=\[1\]\)\)\)",
        repr(exchange),
    )
