"""What the client makes of answers that real servers gave: the right thing, or the right error in their words."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import responses

from kserve_client import (
    AccessError,
    InferenceClient,
    InferResponse,
    NotFoundError,
    NotReadyError,
    ServerError,
    Tensor,
)
from kserve_client.endpoint import Endpoint
from kserve_client.signature import from_metadata
from kserve_client.transport import Transport
from scripts.record import Recording
from tests.unit.conformance.recordings import RECORDED, URL, kind_of, model_of, one, replay

ROW = Tensor.of("input-0", [[5.1, 3.5, 1.4, 0.2]], datatype="FP32")
# Status → class, exactly: an error that is more than the status tells would send people astray.
ERRORS = {
    307: AccessError,
    400: ServerError,
    404: NotFoundError,
    405: ServerError,
    422: ServerError,
    500: ServerError,
    501: ServerError,
    503: NotReadyError,
}
HEALTH = ("server live", "server ready", "model ready")
NO_INDEX = (404, 405, 501)
DTYPES = {"INT64": "int64", "FP32": "float32", "FP64": "float64", "BYTES": "object"}
CASES = [
    pytest.param(server, recording, id=f"{server} {recording.name}")
    for server, recordings in RECORDED.items()
    for recording in recordings
]


@pytest.fixture(scope="module")
def client() -> Iterator[InferenceClient]:
    """Return a client that asks once, so that a 503 is an answer at once."""
    endpoint = Endpoint(url=URL)
    with InferenceClient(endpoint, transport=Transport(endpoint, retries=0)) as made:
        yield made


def call(client: InferenceClient, recording: Recording) -> Any:
    """Ask for what was recorded, by the method of the client that is meant for it."""
    kind = kind_of(recording)
    if kind == "other":
        return client.transport.send(recording.method, recording.path)
    plain: dict[str, Callable[[], Any]] = {
        "server metadata": client.server_metadata,
        "server live": client.is_server_live,
        "server ready": client.is_server_ready,
        "index": client.repository_index,
    }
    if kind in plain:
        return plain[kind]()
    name, version = model_of(recording)
    of_a_model: dict[str, Callable[[], Any]] = {
        "model metadata": lambda: client.model_metadata(name, version),
        "model ready": lambda: client.is_model_ready(name, version),
        "infer": lambda: client.infer(name, [ROW], model_version=version),
        "load": lambda: client.load_model(name),
        "unload": lambda: client.unload_model(name),
        "statistics": lambda: client.model_statistics(name, version),
        "v1 predict": lambda: client.predict_v1(name, [[5.1, 3.5, 1.4, 0.2]]),
    }
    return of_a_model[kind]()


def asked(client: InferenceClient, recording: Recording) -> Any:
    """Ask for one recorded answer, and for nothing else."""
    with responses.RequestsMock() as mock:
        replay(mock, recording)
        return call(client, recording)


def refused(client: InferenceClient, recording: Recording) -> ServerError:
    """Ask for a recorded answer that is an error."""
    with pytest.raises(ServerError) as caught:
        asked(client, recording)
    return caught.value


# The rule


@pytest.mark.parametrize(("server", "recording"), CASES)
def test_every_recorded_answer(client: InferenceClient, server: str, recording: Recording) -> None:
    """Health is the status; 2xx is read whole; any other status is its error, in the server's words."""
    kind = kind_of(recording)
    if kind in HEALTH:
        assert asked(client, recording) is (recording.status < 300)
    elif kind == "index" and recording.status in NO_INDEX:
        check_fallback(client, server, recording)
    elif recording.status < 300:
        check_content(kind, asked(client, recording), recording)
    else:
        check_refusal(refused(client, recording), recording)


def check_refusal(error: ServerError, recording: Recording) -> None:
    assert type(error) is ERRORS[recording.status]
    assert error.status == recording.status
    for words in words_of(recording):
        # Cut at 500 characters.
        assert words[:400] in error.server_message
        assert words[:400].rstrip(" .") in str(error)
    if not words_of(recording):
        assert error.server_message == ""
    assert "<" not in error.server_message or recording.status != 404
    assert f"{recording.method} {recording.path} on {URL}: {recording.status}" in str(error)


def words_of(recording: Recording) -> list[str]:
    """What the server said: its `error`, each `msg` of its `detail`, or the last line of a text."""
    if "html" in recording.headers.get("content-type", "") or recording.status == 307:
        return []
    if not recording.body.startswith("{"):
        return recording.body.strip().splitlines()[-1:]
    said = json.loads(recording.body)
    detail = said.get("detail", [])
    if "error" in said:
        return [said["error"]]
    return [detail] if isinstance(detail, str) else [item["msg"] for item in detail]


def check_fallback(client: InferenceClient, server: str, recording: Recording) -> None:
    """A server without an index is asked for its list of models, as it was recorded."""
    folder = recording.name.rpartition("repository_index")[0]
    listed = one(server, f"{folder}models_list")
    with responses.RequestsMock() as mock:
        replay(mock, recording)
        replay(mock, listed)
        if listed.status < 300:
            found = [model.name for model in client.repository_index()]
            assert found == json.loads(listed.body)["models"]
        else:
            with pytest.raises(NotFoundError, match="GET /v2/models on"):
                client.repository_index()


def check_content(kind: str, got: Any, recording: Recording) -> None:
    if kind == "infer":
        check_inference(got, recording)
    elif kind in ("load", "unload"):
        assert got is None
    elif kind == "other":
        assert got.body == recording.answer
    elif kind == "v1 predict":
        assert got == json.loads(recording.body)["predictions"]
    elif kind == "statistics":
        assert got == json.loads(recording.body)["model_stats"]
    elif kind == "index":
        assert [m.model_dump() for m in got] == [
            {"reason": "", **entry} for entry in json.loads(recording.body)
        ]
    else:
        # Null and missing are empty; everything that was said is there, word for word.
        told = {k: v for k, v in json.loads(recording.body).items() if v is not None}
        read = got.model_dump()
        for key in ("inputs", "outputs"):
            told[key] = [{"parameters": {}, **t} for t in told.get(key, [])]
        assert {**read, "inputs": read.get("inputs", []), "outputs": read.get("outputs", [])} == {
            **{k: v for k, v in read.items() if v in ([], {})},
            **told,
        }


def check_inference(got: InferResponse, recording: Recording) -> None:
    length = int(recording.headers.get("inference-header-content-length", len(recording.answer)))
    said = json.loads(recording.answer[:length])
    assert (got.model_name, got.model_version, got.id, dict(got.parameters)) == (
        said["model_name"],
        said.get("model_version"),
        said.get("id"),
        said.get("parameters") or {},
    )
    assert len(got.outputs) == len(said["outputs"])
    blob = recording.answer[length:]
    for tensor, output in zip(got.outputs, said["outputs"], strict=True):
        assert (tensor.name, tensor.datatype) == (output["name"], output["datatype"])
        assert list(tensor.shape) == output["shape"]
        assert tensor.data.dtype == np.dtype(DTYPES[tensor.datatype])
        assert tensor.data.size == math.prod(output["shape"])
        expected, blob = values_of(output, blob)
        assert tensor.data.ravel().tolist() == expected
    assert not blob


def values_of(output: dict[str, Any], blob: bytes) -> tuple[list[Any], bytes]:
    """The elements of an output, from its JSON or from the bytes behind it, and what is left of these."""
    dtype = np.dtype(DTYPES[output["datatype"]])
    size = (output.get("parameters") or {}).get("binary_data_size")
    if size is not None:
        return np.frombuffer(blob[:size], dtype).tolist(), blob[size:]
    return np.array(output["data"], dtype=dtype).ravel().tolist(), blob


# By hand


def test_nothing_recorded_is_left_out() -> None:
    """So many answers per kind, from nine servers; a file that is lost or an unknown path is noticed."""
    kinds = Counter(kind_of(recording) for all_ in RECORDED.values() for recording in all_)
    assert sum(kinds.values()) >= 561
    assert kinds["infer"] >= 360
    others = {r.path for all_ in RECORDED.values() for r in all_ if kind_of(r) == "other"}
    # /v2/models is asked by the index alone; the rest has no method, or is asked with the wrong verb.
    assert others == {
        "/v1/models",
        "/v1/models/iris",
        "/v1/models/slow",
        "/v2/",
        "/v2/models",
        "/v2/models/iris/config",
        "/v2/models/iris/infer",
        "/v2/models/iris-mlflow/infer",
        "/v2/repository/index",
        "/v2/whatever",
    }


@pytest.mark.parametrize(
    ("server", "name", "words"),
    [
        # MLServer 1.7.1 with debug: a whole traceback, its last line is the reason.
        (
            "mlserver-1.7.1",
            "errors_debug_true_workers_0/err_wrong_columns",
            "ValueError: X has 3 features, but StandardScaler is expecting 4 features as input.",
        ),
        # The same without debug says nothing at all, with a worker it says it in JSON.
        (
            "mlserver-1.7.1",
            "errors_debug_false_workers_0/err_wrong_columns",
            "Internal Server Error",
        ),
        (
            "mlserver-1.7.1",
            "errors_debug_false_workers_1/err_wrong_columns",
            "builtins.ValueError: X has 3 features, but StandardScaler is expecting 4 features as input.",
        ),
        # FastAPI's list: where, and what.
        (
            "kserve-0.21.0-bare",
            "err_empty_object",
            "body.InferenceRequest.inputs: Field required; body.bytes: Input should be a valid bytes",
        ),
        ("mlserver-1.7.1", "iris/err_malformed_json", "body.21: JSON decode error"),
        ("mlserver-1.7.1", "iris/err_unknown_model_infer", "Model nope not found"),
        ("kserve-0.21.0-bare", "infer_version", "Model versioning not supported yet."),
        ("kserve-0.21.0-not-ready", "notready_infer", "Model with name slow is not ready."),
        # kserve/kserve#6204: texts as classes, from a model that is right otherwise.
        (
            "kserve-0.21.0-sklearnserver",
            "strings_and_mixed/iris-str_fp32",
            "decoding str is not supported",
        ),
        # JSON under the name of text/plain.
        (
            "triton-2.51",
            "unloaded_infer",
            "Request for unknown model: 'iris' has no available versions",
        ),
        # A page says nothing that helps.
        ("omle-server-0.2.1", "iris/err_unknown_path", ""),
        (
            "aissemble-1.1.0",
            "err_no_inputs",
            "Failed to validate InferenceResponse InferenceRequest does not contain any inputs",
        ),
    ],
)
def test_the_words_of_the_server(
    client: InferenceClient, server: str, name: str, words: str
) -> None:
    """The reason, and nothing else of the body."""
    assert refused(client, one(server, name)).server_message == words


@pytest.mark.parametrize(
    ("server", "name", "expected"),
    [
        ("kserve-0.21.0-bare", "infer_fp32_flat", {"output-0": [0, 2]}),
        # MLServer says [n, 1] where KServe says [n].
        ("mlserver-1.7.1", "iris/infer_fp32_flat", {"predict": [[0], [2]]}),
        (
            "mlserver-1.7.1",
            "strings_and_mixed/iris-str_fp32",
            {"predict": [["setosa"], ["virginica"]]},
        ),
        # The MLflow runtime's metadata says output-0.
        ("mlserver-1.7.1", "iris-mlflow/pd_columns", {"output-1": [[0], [2]]}),
        # Columns in another order than the model was trained with: a wrong answer, and no error.
        ("kserve-0.21.0-sklearnserver", "pd_columns_reordered", {"output-0": [2, 2]}),
        # The binary extension, answered without a content type.
        ("kserve-0.21.0-bare", "infer_binary_extension", {"output-0": [0, 2]}),
        # Triton's classification extension: value:index[:label].
        (
            "triton-2.51",
            "infer_classification",
            {"predict_proba": ["0.984703:0:setosa", "0.961011:5"]},
        ),
        # INT64 written as 0.0 and 2.0: JSON knows one kind of number, and these are whole.
        ("omle-server-0.2.1", "iris/x_fp64_1", {"y_pred": [[0]]}),
        ("omle-server-0.2.1", "iris/x_fp64_2", {"y_pred": [[0], [2]]}),
        # A server that knows no model, and says 200.
        ("aissemble-1.1.0", "err_unknown_model_infer", {}),
    ],
)
def test_the_answers_of_models(
    client: InferenceClient, server: str, name: str, expected: dict[str, Any]
) -> None:
    """Values, shapes and names as a person reads them in the body."""
    got = asked(client, one(server, name))
    assert isinstance(got, InferResponse)
    read = {t.name: t.data.tolist() for t in got.outputs if t.name != "y_prob"}
    assert read == expected


def test_binary_probabilities(client: InferenceClient) -> None:
    """Two rows of three classes, as they lie in the bytes behind the head."""
    got = asked(client, one("kserve-0.21.0-sklearnserver-proba", "infer_binary_extension"))
    (tensor,) = got.outputs
    assert (tensor.datatype, tensor.shape) == ("FP64", (2, 3))
    assert tensor.data.tolist() == [
        [0.9847031709514064, 0.015296767010838062, 6.203775569621556e-08],
        [3.8517247689225904e-05, 0.038950016468604166, 0.9610114662837066],
    ]


@pytest.mark.parametrize(
    ("server", "name", "is_ready"),
    [
        # An empty body, and one that says "live" of ready (the mistake of the protocol's own text).
        ("mlserver-1.7.1", "iris/model_ready", True),
        ("aissemble-1.1.0", "health_ready", True),
        # The server says ready while its only model is not, or is gone.
        ("kserve-0.21.0-not-ready", "notready_health_ready", True),
        ("kserve-0.21.0-bare", "unloaded_health_ready", True),
        # Not ready is 503, 404 or 400.
        ("kserve-0.21.0-not-ready", "notready_model_ready", False),
        ("kserve-0.21.0-bare", "unloaded_model_ready", False),
        ("triton-2.51", "unloaded_ready", False),
        # A model may be ready and its version 501.
        ("kserve-0.21.0-bare", "model_version_ready", False),
    ],
)
def test_ready_or_not(client: InferenceClient, server: str, name: str, is_ready: bool) -> None:
    """The status alone decides."""
    assert asked(client, one(server, name)) is is_ready


@pytest.mark.parametrize(
    ("server", "name", "said"),
    [
        ("kserve-0.21.0-bare", "server_metadata", "kserve"),
        ("kserve-0.21.0-sklearnserver", "server_metadata", "kserve"),
        ("mlserver-1.7.1", "iris/server_metadata", "mlserver"),
        ("triton-2.51", "server_metadata", "triton"),
        ("omle-server-0.2.1", "iris/server_metadata", "generic"),
        ("aissemble-1.1.0", "server_metadata", "generic"),
    ],
)
def test_servers_are_known_by_name(server: str, name: str, said: str) -> None:
    """What `GET v2` says picks the profile; a stranger gets plain JSON."""
    with responses.RequestsMock() as mock:
        replay(mock, one(server, name))
        assert InferenceClient(URL).profile.name == said


def test_a_slash_too_many(client: InferenceClient) -> None:
    """MLServer and KServe redirect `/v2/`; the client asks without, and does not follow."""
    error = refused(client, one("kserve-0.21.0-bare", "server_metadata_slash"))
    assert isinstance(error, AccessError)
    assert error.location == "http://server.example/v2"


@pytest.mark.parametrize(
    ("server", "name", "columns"),
    [
        ("kserve-0.21.0-described", "model_metadata", [f"input-0[{at}]" for at in range(4)]),
        ("omle-server-0.2.1", "iris/model_metadata", [f"X[{at}]" for at in range(4)]),
        (
            "mlserver-1.7.1",
            "iris-mlflow/model_metadata",
            ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"],
        ),
        (
            "mlserver-1.7.1",
            "strings_and_mixed/meta_mixed-mlflow",
            ["age", "job", "owner", "income"],
        ),
    ],
)
def test_a_signature_from_metadata(
    client: InferenceClient, server: str, name: str, columns: list[str]
) -> None:
    """Where a server describes its model, its features are known without a models file."""
    signature = from_metadata(asked(client, one(server, name)))
    assert signature is not None
    assert [feature.name for feature in signature.features] == columns


@pytest.mark.parametrize("server", ["kserve-0.21.0-bare", "kserve-0.21.0-sklearnserver"])
def test_no_signature_from_empty_metadata(client: InferenceClient, server: str) -> None:
    """KServe's sklearnserver says nothing of its model."""
    assert from_metadata(asked(client, one(server, "model_metadata"))) is None


def test_states_of_a_repository(client: InferenceClient) -> None:
    """An unloaded model is still listed: UNAVAILABLE on MLServer, UNLOADING on Triton."""
    listed = asked(client, one("mlserver-1.7.1", "lifecycle/unloaded_repository_index"))
    assert {m.name: m.state for m in listed}["iris-lgb"] == "UNAVAILABLE"
    (only,) = asked(client, one("triton-2.51", "unloaded_index"))
    assert (only.name, only.version, only.state, only.reason) == ("iris", "1", "UNLOADING", "")


def test_a_model_that_is_gone_for_good(client: InferenceClient) -> None:
    """KServe's sklearnserver unloads its only model, and can't load it again."""
    error = refused(client, one("kserve-0.21.0-bare", "repository_load_after"))
    assert isinstance(error, NotReadyError)


# The recordings themselves


@pytest.mark.parametrize("server", RECORDED)
def test_recordings_hold_nothing_of_a_machine(server: str) -> None:
    """No address, no path of the recorder's machine; recorded again, they would be written the same."""
    for recording in RECORDED[server]:
        again = recording.answered(recording.status, recording.headers, recording.answer)
        assert again == recording
        for telling in ("/home/", "/root/", "/tmp/", "127.0.0.1:", "localhost:"):
            assert telling not in recording.body, recording.name
