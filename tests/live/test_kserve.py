"""Every public method of the client against KServe's own model server, 0.21.0.

Each docstring says the fact of the server that the test holds; a newer KServe that changes one fails here.
"""

from __future__ import annotations

import gzip
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kserve_client import (
    AccessError,
    ConfigurationError,
    ConnectError,
    Endpoint,
    InferenceClient,
    InferRequest,
    InferResponse,
    InputError,
    Model,
    NotFoundError,
    NotReadyError,
    RequestedOutput,
    ServerError,
    Signature,
    Tensor,
    tracing,
)
from kserve_client.datatypes import DATATYPES
from kserve_client.events import CallEvent
from kserve_client.transport import Transport
from scripts import record
from scripts.kserve_server import KServeServer
from tests import needs
from tests.live.relay import relay_to
from tests.unit.conformance.recordings import RECORDED
from tests.unit.conformance.schema import check_request, validator

LABELS = ["Iris setosa", "Iris versicolor", "Iris virginica"]
FEATURES = ["sepal length", "sepal width", "petal length", "petal width"]
GUIDE = Tensor.of("input-0", [[4.0, 3.9, 2.3, 0.6]], datatype="FP32")
TWO = Tensor.of("input-0", [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]], datatype="FP32")
BARE = Signature.model_validate(
    {
        "features": [{"name": name} for name in FEATURES],
        "outputs": [{"name": "output-0", "kind": "label", "labels": LABELS}],
    }
)
FLOWERS = Signature.model_validate(
    {
        "features": [{"name": name} for name in FEATURES],
        "outputs": [
            {"name": "predict", "kind": "label", "labels": LABELS},
            {"name": "predict_proba", "kind": "probabilities"},
        ],
    }
)
BIRDS = Signature.model_validate(
    {
        "layout": "columns",
        "features": [
            {"name": "island", "kind": "category", "choices": ["Biscoe", "Dream", "Torgersen"]},
            {"name": "mass", "required": False},
            {"name": "year", "kind": "integer"},
        ],
        "outputs": [
            {"name": "predict", "kind": "label", "labels": ["Adelie", "Chinstrap", "Gentoo"]}
        ],
    }
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KServeServer]:
    """Run the server; it trains its models first."""
    python, folder = needs.kserve_python(), tmp_path_factory.mktemp("kserve")
    with KServeServer(
        python, folder / "models", folder / "kserve.log", program="tests.live.kserve_program"
    ) as running:
        yield running


@pytest.fixture
def client(server: KServeServer) -> Iterator[InferenceClient]:
    """Return a client that asks once, so that a 503 is an answer at once."""
    endpoint = Endpoint(url=server.url)
    with InferenceClient(endpoint, transport=Transport(endpoint, retries=0)) as made:
        yield made


def rows(count: int) -> list[dict[str, float]]:
    """Return flowers, one like the other three after it."""
    kinds = [[5.1, 3.5, 1.4, 0.2], [5.7, 2.8, 4.1, 1.3], [7.2, 3.6, 6.1, 2.5]]
    return [dict(zip(FEATURES, kinds[at % 3], strict=True)) for at in range(count)]


def echo(client: InferenceClient, *tensors: Tensor, **how: Any) -> InferResponse:
    return client.infer("echo", tensors, **how)


# Server and models


def test_the_server_says_who_it_is(client: InferenceClient) -> None:
    """Its name is kserve; it admits to the repository extension and is silent of the binary one."""
    said = client.server_metadata()
    assert (said.name, said.version) == ("kserve", "0.21.0")
    assert said.extensions == ["model_repository_extension"]
    assert client.profile.name == "kserve"
    assert client.profile.has_binary


def test_the_server_is_live_and_ready(client: InferenceClient) -> None:
    """Ready means the server: one of its models is not."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert not client.is_model_ready("waiting")


def test_which_models_are_ready(client: InferenceClient) -> None:
    """200 for a model that is, 503 for one that is not, 404 for one that is unknown, 501 for a version."""
    assert client.is_model_ready("iris")
    assert Model(client, "flowers").is_ready()
    assert not client.is_model_ready("waiting")
    assert not client.is_model_ready("nobody")
    assert not client.is_model_ready("iris", "v1")


def test_the_metadata_of_a_bare_model(client: InferenceClient) -> None:
    """The runtime for scikit-learn says nothing of a model but its name; versions are null."""
    said = client.model_metadata("iris")
    assert (said.name, said.platform, said.versions) == ("iris", "", [])
    assert (said.inputs, said.outputs, said.parameters) == ([], [], {})
    with pytest.raises(ConfigurationError, match="does not say what it takes"):
        Model(client, "iris").predict(rows(1))


def test_the_metadata_of_a_described_model(client: InferenceClient) -> None:
    """A model that overrides get_input_types is described, without parameters."""
    said = Model(client, "flowers").metadata()
    assert [(t.name, t.datatype, t.shape) for t in said.inputs] == [("input-0", "FP32", [-1, 4])]
    assert [(t.name, t.datatype, t.shape) for t in said.outputs] == [
        ("predict", "INT64", [-1]),
        ("predict_proba", "FP64", [-1, 3]),
    ]


def test_metadata_of_models_that_are_not_there(client: InferenceClient) -> None:
    """An unknown model is a 404 in the server's words; one that is not ready has metadata."""
    with pytest.raises(NotFoundError) as caught:
        client.model_metadata("nobody")
    assert caught.value.server_message == "Model with name nobody does not exist."
    assert client.model_metadata("waiting").name == "waiting"


def test_versions(client: InferenceClient) -> None:
    """KServe has no versions: 501 for each of their paths, which is not tried again."""
    for call in (
        lambda: client.model_metadata("iris", "v1"),
        lambda: client.infer("iris", [TWO], model_version="v1"),
    ):
        with pytest.raises(ServerError) as caught:
            call()
        assert (caught.value.status, caught.value.attempts) == (501, 1)
        assert caught.value.server_message == "Model versioning not supported yet."
    assert not client.profile.has_versions


def test_a_slash_too_many(client: InferenceClient) -> None:
    """`/v2/` is a redirect to `/v2`, which the client never needs and does not follow."""
    with pytest.raises(AccessError) as caught:
        client.transport.send("GET", "/v2/")
    assert caught.value.status == 307
    assert caught.value.location.endswith("/v2")


# Inference


def test_the_request_of_the_guide(client: InferenceClient) -> None:
    """One tensor, flat, to the byte; the answer is output-0 of shape [rows], with a new id and nulls."""
    exchange = client.exchange("iris", [GUIDE])
    assert exchange.request_body == (
        b'{"inputs":[{"name":"input-0","shape":[1,4],"datatype":"FP32","data":[4.0,3.9,2.3,0.6]}]}'
    )
    (output,) = exchange.response.outputs
    assert (output.name, output.datatype, output.data.tolist()) == ("output-0", "INT64", [0])
    assert exchange.response.model_name == "iris"
    assert exchange.response.model_version is None
    assert re.fullmatch("[0-9a-f-]{36}", exchange.response.id or "")
    assert b'"parameters":null' in exchange.response_body
    assert b'"model_version":null' in exchange.response_body
    assert validator("response").is_valid(json.loads(exchange.response_body))


def test_the_label_of_the_guide(client: InferenceClient) -> None:
    """The number becomes the word of the signature."""
    row = dict(zip(FEATURES, [4.0, 3.9, 2.3, 0.6], strict=True))
    prediction = Model(client, "iris", signature=BARE).predict(row)[0]
    assert prediction.label == "Iris setosa"


def test_an_id_comes_back(client: InferenceClient) -> None:
    """An id that is given is the answer's, and parameters are not the model's business."""
    request = InferRequest((TWO,), id="request 1", parameters={"note": "a", "n": 1, "x": 0.5})
    assert client.infer("iris", request).id == "request 1"
    echoed = client.infer("echo", request)
    assert dict(echoed.parameters) == {"note": "a", "n": 1, "x": 0.5}


def test_a_trace_and_a_request_id_travel(server: KServeServer) -> None:
    """They reach the model, whose answer names them, and the request's own id comes back."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with relay_to(server.url) as relay, InferenceClient(relay.url, token="t0ken") as traced:
        with tracing(parent, "vendor=1"):
            answer = traced.exchange("echo", InferRequest((TWO,), id="request 1"))
        with pytest.raises(NotFoundError) as refused:
            traced.model_metadata("nobody", token="another")
    assert answer.response.id == "request 1"
    told = answer.response.parameters
    assert (told["traceparent"], told["x-request-id"]) == (
        parent,
        relay.seen[0].headers["x-request-id"],
    )
    sent = [
        (seen.headers.get("traceparent"), seen.headers.get("tracestate")) for seen in relay.seen
    ]
    assert sent == [(parent, "vendor=1"), (None, None)]
    ids = [seen.headers["x-request-id"] for seen in relay.seen]
    assert len({uuid.UUID(one) for one in ids}) == 2
    assert refused.value.request_id == ids[1]
    assert [s.headers["authorization"] for s in relay.seen] == ["Bearer t0ken", "Bearer another"]


def test_the_outputs_that_are_asked_for(client: InferenceClient) -> None:
    """A described model gives what is named, in that order; a bare one refuses every name but output-0."""
    asked = tuple(RequestedOutput(name) for name in ("predict_proba", "predict"))
    got = client.infer("flowers", InferRequest((TWO,), asked))
    assert [t.name for t in got.outputs] == ["predict_proba", "predict"]
    assert got.output("predict").data.tolist() == [0, 2]
    assert got.output("predict_proba").data.sum(axis=1) == pytest.approx([1.0, 1.0])
    with pytest.raises(ServerError) as caught:
        client.infer("iris", InferRequest((TWO,), asked[:1]))
    assert caught.value.status == 400
    assert caught.value.server_message == (
        "Unexpected inference output 'predict_proba' for model 'iris'"
    )


def test_probabilities_by_class(client: InferenceClient) -> None:
    """Label and probabilities of a described model, as words."""
    predictions = Model(client, "flowers", signature=FLOWERS).predict(rows(3))
    assert [p.label for p in predictions] == LABELS
    assert list(predictions[0].probabilities or {}) == LABELS
    assert predictions[0].confidence == pytest.approx(1.0, abs=0.1)


def test_a_frame_goes_in_and_comes_out(client: InferenceClient) -> None:
    """A DataFrame with its columns in any order: the client sends them in the order of the training."""
    table = pd.DataFrame(rows(6))[FEATURES[::-1]]
    frame = Model(client, "flowers", signature=FLOWERS).predict(table).to_frame()
    assert frame["prediction"].tolist() == LABELS * 2
    assert frame.filter(like="probability").sum(axis=1).tolist() == pytest.approx([1.0] * 6)


def test_mixed_columns(client: InferenceClient) -> None:
    """With content_type pd each input is a column, texts among them; a missing number is NaN there."""
    model = Model(client, "birds", signature=BIRDS)
    given = [
        {"island": "Biscoe", "mass": 4000.5, "year": 2008},
        {"island": "Torgersen", "mass": None, "year": 2008},
        {"island": "Dream", "mass": 4000, "year": 2008},
    ]
    exchange = model.exchange(given)
    assert [p.label for p in exchange.predictions] == ["Gentoo", "Adelie", "Chinstrap"]
    sent = check_request(exchange.exchange.request_json)
    assert sent["parameters"]["content_type"] == "pd"
    assert [t["shape"] for t in sent["inputs"]] == [[3, 1]] * 3
    as_json = client.exchange("birds", model.build(given), use_binary=False)
    assert b'"data":[4000.5,null,4000.0]' in as_json.request_body
    assert as_json.response.output("predict").data.tolist() == [2, 0, 1]


def test_mixed_columns_by_metadata_alone(client: InferenceClient) -> None:
    """KServe's metadata can't say content_type; several columns travel as pd all the same.

    Without it KServe reads the first input, and silently leaves the others.
    """
    model = Model(client, "birds")
    assert model.signature.content_type == "pd"
    assert [f.kind for f in model.signature.features] == ["text", "number", "integer"]
    answer = model.predict([{"island": "Biscoe", "mass": 4000.0, "year": 2008}])
    assert answer[0].raw["predict"].tolist() == 2


def test_inputs_that_are_left_aside(client: InferenceClient) -> None:
    """Without content_type pd, KServe answers for the first input alone, and says 200."""
    second = Tensor.of("more", [["anything"], ["at all"]])
    got = client.infer("iris", [TWO, second])
    assert got.outputs[0].data.tolist() == [0, 2]


def test_columns_in_another_order(client: InferenceClient) -> None:
    """A model fitted on arrays takes columns as they come: another order is another answer, and no error."""
    columns = [
        Tensor.of(name, TWO.data[:, [at]]) for at, name in reversed(list(enumerate(FEATURES)))
    ]
    request = InferRequest(tuple(columns), parameters={"content_type": "pd"})
    assert client.infer("iris", request).outputs[0].data.tolist() != [0, 2]
    request = InferRequest(tuple(reversed(columns)), parameters={"content_type": "pd"})
    assert client.infer("iris", request).outputs[0].data.tolist() == [0, 2]


def test_a_name_that_must_be_quoted(client: InferenceClient) -> None:
    """A space, a percent sign and a letter beyond ASCII arrive as they are."""
    assert client.is_model_ready("a 50% ü")
    assert client.model_metadata("a 50% ü").name == "a 50% ü"
    assert client.infer("a 50% ü", [TWO]).model_name == "a 50% ü"
    # The server reads %2F as a slash before it looks for a route, so no such model can be reached.
    with pytest.raises(NotFoundError):
        client.model_metadata("team/iris")


def test_many_rows(client: InferenceClient) -> None:
    """Rows keep their order; from 8 kB on they travel binary, and the answer is the same as in JSON."""
    model = Model(client, "flowers", signature=FLOWERS)
    exchange = model.exchange(rows(900))
    assert exchange.exchange.request_headers["Content-Type"] == "application/octet-stream"
    assert [p.label for p in exchange.predictions] == LABELS * 300
    as_json = client.infer("flowers", model.build(rows(900)), use_binary=False)
    for name in ("predict", "predict_proba"):
        binary, plain = (r.output(name).data for r in (exchange.exchange.response, as_json))
        assert np.array_equal(binary, plain)


# Datatypes


LIMITS = {
    name: [row.minimum, row.maximum] for name, row in DATATYPES.items() if row.family == "integer"
}
VALUES: dict[str, list[Any]] = {
    **LIMITS,
    "BOOL": [True, False],
    "FP32": [0.1, -3.4e38],
    "FP64": [0.1, 1.7e308],
    "BYTES": ["ü, 中", ""],
}


@pytest.mark.parametrize("use_binary", [False, True], ids=["json", "binary"])
@pytest.mark.parametrize("wire", VALUES)
def test_every_datatype_comes_back(client: InferenceClient, wire: str, use_binary: bool) -> None:
    """64-bit integers to the last digit, floats to the last bit, texts to the last letter."""
    sent = Tensor.of("x", VALUES[wire], datatype=wire)
    (got,) = echo(client, sent, use_binary=use_binary).outputs
    assert (got.datatype, got.shape) == (wire, (2,))
    texts = [e.decode() if isinstance(e, bytes) else e for e in got.data.tolist()]
    assert texts == sent.data.tolist()


def test_integers_that_no_float_has(client: InferenceClient) -> None:
    """2**53 + 1 is the first one."""
    for use_binary in (False, True):
        (got,) = echo(client, Tensor.of("x", [2**53 + 1]), use_binary=use_binary).outputs
        assert got.data.tolist() == [2**53 + 1]


def test_half_precision(client: InferenceClient) -> None:
    """FP16 is a 400 in JSON, in the server's words; the client sends and gets it binary by itself."""
    sent = Tensor.of("x", [0.5, -65504.0], datatype="FP16")
    with pytest.raises(InputError, match="kserve takes no FP16 in JSON"):
        echo(client, sent, use_binary=False)
    body = b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP16","data":[0.5]}]}'
    with pytest.raises(ServerError, match="FP16 data via JSON is not supported") as caught:
        client.transport.send(
            "POST", "/v2/models/echo/infer", body=body, headers={"Content-Type": "application/json"}
        )
    assert caught.value.status == 400
    (got,) = echo(client, sent).outputs
    assert got.datatype == "FP16"
    assert got.data.dtype == np.float16
    assert got.data.tolist() == [0.5, -65504.0]


def test_brain_floats(client: InferenceClient) -> None:
    """KServe has no BF16, in no form: the error is the server's."""
    with pytest.raises(ServerError, match="invalid datatype"):
        echo(client, Tensor.of("x", [0.5], datatype="BF16"))


def test_no_numbers(client: InferenceClient) -> None:
    """In JSON NaN travels as null and comes back as null, so does infinity; binary keeps all three."""
    values = [1.0, np.nan, np.inf, -np.inf]
    sent = Tensor.of("x", np.array(values))
    (got,) = echo(client, sent).outputs
    assert got.data.tobytes() == sent.data.tobytes()
    answer = client.exchange("echo", [Tensor.of("x", np.array(values[:2]))], use_binary=False)
    assert b'"data":[1.0,null]' in answer.request_body
    assert b'"data":[1.0,null]' in answer.response_body
    with pytest.raises(InputError, match="infinity has no form in JSON"):
        echo(client, sent, use_binary=False)


@pytest.mark.parametrize("use_binary", [False, True], ids=["json", "binary"])
def test_shapes(client: InferenceClient, use_binary: bool) -> None:
    """Three dimensions and several tensors come back row-major, as they were sent."""
    sent = [
        Tensor.of("a", np.arange(24, dtype=np.int32).reshape(2, 3, 4)),
        Tensor.of("b", np.arange(6, dtype=np.float32).reshape(3, 2).T),
        Tensor.of("c", [["x"], ["y"]]),
    ]
    got = echo(client, *sent, use_binary=use_binary)
    assert [t.name for t in got.outputs] == ["a", "b", "c"]
    assert np.array_equal(got.output("a").data, sent[0].data)
    assert np.array_equal(got.output("b").data, sent[1].data)
    assert got.output("c").shape == (2, 1)


# The binary extension


def test_a_binary_answer(client: InferenceClient) -> None:
    """It has no content type; a header says where its JSON ends, and its arrays are views of its bytes."""
    exchange = client.exchange("iris", [TWO], use_binary=True)
    headers = {name.lower(): value for name, value in exchange.response_headers.items()}
    assert "content-type" not in headers
    assert headers["inference-header-content-length"] == str(len(exchange.response_json))
    (output,) = exchange.response.outputs
    assert output.data.tolist() == [0, 2]
    assert not output.data.flags.writeable


def test_binary_outputs_are_asked_for_one_by_one(client: InferenceClient) -> None:
    """KServe ignores binary_data_output where outputs are listed (kserve/kserve#5907): each one says it."""
    asked = (RequestedOutput("predict_proba"),)
    exchange = client.exchange("flowers", InferRequest((TWO,), asked), use_binary=True)
    assert json.loads(exchange.request_json)["outputs"] == [
        {"name": "predict_proba", "parameters": {"binary_data": True}}
    ]
    assert exchange.response.outputs[0].data.shape == (2, 3)
    assert exchange.response_json != exchange.response_body
    # What the server does with the parameter of the request alone: the answer is JSON.
    request = InferRequest((TWO,), asked, parameters={"binary_data_output": True})
    plain = client.exchange("flowers", request, use_binary=False)
    assert plain.response_json == plain.response_body


def test_one_output_binary_and_one_in_json(client: InferenceClient) -> None:
    """A JSON request may ask for one output in binary; both are read from the one answer."""
    request = InferRequest(
        (TWO,),
        (RequestedOutput("predict", {"binary_data": True}), RequestedOutput("predict_proba")),
    )
    exchange = client.exchange("flowers", request, use_binary=False)
    assert exchange.response.output("predict").data.tolist() == [0, 2]
    assert exchange.response.output("predict_proba").data.shape == (2, 3)
    head = json.loads(exchange.response_json)
    assert ["data" in output for output in head["outputs"]] == [False, True]


def test_a_gzipped_body(client: InferenceClient) -> None:
    """KServe does not unpack a request: 400, so the client never packs one for it."""
    assert not client.profile.has_request_gzip
    body = b'{"inputs":[]}'
    with pytest.raises(ServerError) as caught:
        client.transport.send(
            "POST",
            "/v2/models/iris/infer",
            body=gzip.compress(body),
            headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        )
    assert caught.value.status == 400


def test_large_requests_are_not_packed(server: KServeServer) -> None:
    """Where `compress` is wished, the profile still says that KServe can't unpack."""
    many = Tensor.of("input-0", np.tile(TWO.data, (5000, 1)))
    with InferenceClient(Endpoint(url=server.url, compress=True)) as wishing:
        got = wishing.infer("iris", [many], use_binary=False)
    assert got.outputs[0].data.tolist() == [0, 2] * 5000


def test_an_event_for_each_call(server: KServeServer) -> None:
    """Good or refused, with the model, the status, the bytes and the attempts."""
    events: list[CallEvent] = []
    with InferenceClient(Endpoint(url=server.url), on_event=events.append) as told:
        body = told.exchange("iris", [TWO]).request_body
        with pytest.raises(NotReadyError):
            told.infer("waiting", [TWO])
    good, bad = (event for event in events if event.method == "POST")
    assert (good.model, good.outcome, good.status, good.attempts) == ("iris", "ok", 200, 1)
    assert good.sent_bytes == len(body)
    assert (bad.model, bad.outcome, bad.status, bad.attempts) == ("waiting", "refused", 503, 3)


# Errors


def test_an_unknown_model(client: InferenceClient) -> None:
    """404 with the reason under "error"."""
    with pytest.raises(NotFoundError) as caught:
        client.infer("nobody", [TWO])
    assert caught.value.server_message == "Model with name nobody does not exist."


def test_a_model_that_is_not_ready(client: InferenceClient, server: KServeServer) -> None:
    """503 with the reason; a client with its usual retries asks three times in all."""
    with pytest.raises(NotReadyError) as caught:
        client.infer("waiting", [TWO])
    assert caught.value.server_message == "Model with name waiting is not ready."
    with InferenceClient(server.url) as patient, pytest.raises(NotReadyError) as caught:
        patient.infer("waiting", [TWO])
    assert caught.value.attempts == 3


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (
            Tensor.of("input-0", [[1.0, 2.0]], datatype="FP32"),
            "X has 2 features, but StandardScaler is expecting 4 features as input.",
        ),
        (Tensor.of("input-0", [["a", "b", "c", "d"]]), "could not convert string to float: 'a'"),
        (Tensor.of("input-0", [1.0, 2.0, 3.0, 4.0]), "Expected 2D array, got 1D array instead:"),
    ],
    ids=["too few columns", "texts", "one dimension"],
)
def test_input_that_does_not_fit(client: InferenceClient, tensor: Tensor, words: str) -> None:
    """What a model says of its input is a 500 with its reason, and is not tried again."""
    with pytest.raises(ServerError) as caught:
        client.infer("iris", [tensor])
    assert type(caught.value) is ServerError
    assert (caught.value.status, caught.value.attempts) == (500, 1)
    assert caught.value.server_message.startswith(words)


def test_a_missing_value_in_a_model_that_takes_none(client: InferenceClient) -> None:
    """NaN arrives as NaN; the model says so."""
    tensor = Tensor.of("input-0", [[5.1, np.nan, 1.4, 0.2]], datatype="FP32")
    for use_binary in (False, True):
        with pytest.raises(ServerError, match="Input X contains NaN"):
            client.infer("iris", [tensor], use_binary=use_binary)


def test_texts_as_classes(client: InferenceClient) -> None:
    """Texts that are objects are BYTES; numpy's own are a 500 over V2 (kserve/kserve#6204), and V1 has both."""
    (output,) = client.infer("named", [TWO]).outputs
    assert (output.datatype, output.data.tolist()) == ("BYTES", [LABELS[0], LABELS[2]])
    with pytest.raises(ServerError, match="decoding str is not supported"):
        client.infer("fixed", [TWO])
    for name in ("named", "fixed"):
        assert client.predict_v1(name, TWO.data.astype(np.float64)) == [LABELS[0], LABELS[2]]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{}", "body.InferenceRequest.inputs: Field required"),
        (b'{"inputs": [', "body.12: JSON decode error"),
        (b'{"id": 1, "inputs": []}', "body.InferenceRequest.id: Input should be a valid string"),
        (
            b'{"inputs": [], "parameters": {"a": null}}',
            "body.InferenceRequest.parameters.a.float: Input should be a valid number",
        ),
    ],
)
def test_a_body_that_is_not_v2(client: InferenceClient, body: bytes, words: str) -> None:
    """422 with FastAPI's list of what is wrong where: an id must be a text, a parameter no null."""
    with pytest.raises(ServerError) as caught:
        client.transport.send(
            "POST", "/v2/models/iris/infer", body=body, headers={"Content-Type": "application/json"}
        )
    assert caught.value.status == 422
    assert caught.value.server_message.startswith(words)


def test_a_body_without_a_content_type(client: InferenceClient) -> None:
    """Even JSON needs its content type, which the client always sends."""
    body = client.exchange("iris", [TWO]).request_body
    with pytest.raises(ServerError) as caught:
        client.transport.send("POST", "/v2/models/iris/infer", body=body)
    assert caught.value.status in (400, 422)


def test_a_call_after_an_error(client: InferenceClient) -> None:
    """KServe keeps the connection after a 500: twenty times the next call is good at the first attempt."""
    bad = Tensor.of("input-0", [[1.0, 2.0]], datatype="FP32")
    for _ in range(20):
        with pytest.raises(ServerError):
            client.infer("iris", [bad])
        assert client.exchange("iris", [TWO]).attempts == 1


# Repository


def test_the_index(client: InferenceClient) -> None:
    """KServe has no index (404): its list of models stands in, names alone, ready or not."""
    assert not client.profile.has_index
    listed = client.repository_index()
    names = {model.name for model in listed}
    known = ["birds", "echo", "explained", "fixed", "flowers", "iris", "named", "waiting"]
    assert names == {*known, "a 50% ü"}
    assert {(model.version, model.state, model.reason) for model in listed} == {("", "", "")}


def test_the_index_of_ready_models(client: InferenceClient) -> None:
    """The list can't be narrowed by the server, so the client asks each model."""
    names = {model.name for model in client.repository_index(ready=True)}
    assert "iris" in names
    assert "waiting" not in names


def test_a_model_goes_and_comes_back(client: InferenceClient) -> None:
    """Unloaded, it is a 404 and gone from the list, while the server stays ready; loaded, it answers."""
    name = "a 50% ü"
    client.unload_model(name)
    try:
        assert not client.is_model_ready(name)
        assert client.is_server_ready()
        assert name not in {model.name for model in client.repository_index()}
        with pytest.raises(NotFoundError):
            client.infer(name, [TWO])
    finally:
        client.load_model(name)
    assert client.infer(name, [TWO]).outputs[0].data.tolist() == [0, 2]


def test_models_that_cannot_be_loaded(client: InferenceClient) -> None:
    """Loading an unknown model is a 503, like one that is not ready; unloading it is a 404."""
    for name in ("nobody", "waiting"):
        with pytest.raises(NotReadyError, match=f"Model with name {name} is not ready"):
            client.load_model(name)
    with pytest.raises(NotFoundError):
        client.unload_model("nobody")


def test_statistics(client: InferenceClient) -> None:
    """KServe has none: 404."""
    assert not client.profile.has_statistics
    with pytest.raises(NotFoundError):
        client.model_statistics("iris")
    with pytest.raises(NotFoundError):
        client.model_statistics()


# V1


def test_predictions_over_v1(client: InferenceClient) -> None:
    """The same models answer V1: rows in, a list of predictions out."""
    assert client.predict_v1("iris", TWO.data) == [0, 2]
    assert client.predict_v1("iris", [[5.1, 3.5, 1.4, 0.2]]) == [0]
    assert client.predict_v1("explained", [[1, 2], [3, 4]]) == [3, 7]


def test_explanations_over_v1(client: InferenceClient) -> None:
    """What an explainer says is its own affair, and comes as it is; a model without one is a 501."""
    said = client.explain_v1("explained", [[1, 5], [3, 4]])
    assert said == {"explanations": [{"largest": 5}, {"largest": 4}]}
    with pytest.raises(ServerError, match="Could not find explainer_host") as caught:
        client.explain_v1("iris", [[5.1, 3.5, 1.4, 0.2]])
    assert caught.value.status == 501


def test_errors_over_v1(client: InferenceClient) -> None:
    """The same statuses and words as over V2."""
    with pytest.raises(NotFoundError, match="Model with name nobody does not exist"):
        client.predict_v1("nobody", [[1]])
    with pytest.raises(NotReadyError, match="Model with name waiting is not ready"):
        client.predict_v1("waiting", [[1]])
    with pytest.raises(ServerError, match="X has 1 features"):
        client.predict_v1("iris", [[1]])


# What was recorded


LASTING = [
    pytest.param(model, recording, id=f"{model} {recording.name}")
    for model, kept in (("iris", "kserve-0.21.0-bare"), ("flowers", "kserve-0.21.0-described"))
    for recording in RECORDED[kept]
    # Those of a server with one model, which is gone in the end.
    if not re.search("unload|load_after|models_list|v1_models", recording.name)
]


@pytest.mark.parametrize(("model", "recording"), LASTING)
def test_the_server_still_says_what_was_recorded(
    server: KServeServer, model: str, recording: record.Recording
) -> None:
    """Status and form of every recorded answer; a new version that differs shows up here first."""
    path = recording.path.replace("/iris", f"/{model}")
    question = replace(recording, path=path)
    now = record.ask(question, server.url)
    assert now.status == recording.status
    assert now.headers.get("content-type") == recording.headers.get("content-type")
    if recording.headers.get("content-type") == "application/json":
        assert record.shape_of(json.loads(now.body)) == record.shape_of(json.loads(recording.body))


# The server goes and comes back


@pytest.mark.slow
def test_a_stopped_server_and_its_way_back(server: KServeServer, client: InferenceClient) -> None:
    """While it is stopped nothing connects; the same client works after its start."""
    assert client.infer("iris", [TWO]).outputs[0].data.tolist() == [0, 2]
    server.stop()
    try:
        with pytest.raises(ConnectError, match="nothing listens on 127"):
            client.infer("iris", [TWO])
        with pytest.raises(ConnectError):
            client.is_server_live()
    finally:
        server.start()
        server.wait_until_ready()
    assert client.infer("iris", [TWO]).outputs[0].data.tolist() == [0, 2]
