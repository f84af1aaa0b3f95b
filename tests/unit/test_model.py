from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import requests
import responses
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client import Catalog, Endpoint, InferenceClient, Model, Predictions, Signature
from kserve_client.errors import ConfigurationError, InputError, InvalidAnswerError, RowsError
from tests.unit.recorded_answers import recorded

URL = "https://iris-classifier-kserve.example.org"
GUIDE = f"""
version: 1
endpoints:
  cluster:
    url: {URL}
    host: iris-classifier-kserve.example.org
models:
  iris:
    title: Iris species
    endpoint: cluster
    model_name: iris-classifier
    signature:
      layout: tensor
      input: input-0
      datatype: FP32
      features:
        - {{name: sepal length, min: 4, max: 8, step: 0.1}}
        - {{name: sepal width}}
        - {{name: petal length}}
        - {{name: petal width}}
      outputs:
        - {{name: output-0, kind: label, requested: false,
            labels: {{0: Iris-Setosa, 1: Iris-Versicolor, 2: Iris-Virginica}}}}
"""
GUIDE_ANSWER = (
    b'{"model_name":"iris-classifier","outputs":'
    b'[{"name":"output-0","datatype":"INT64","shape":[1],"data":[0]}]}'
)
METADATA = b'{"name":"triton","inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}]}'
ROW = {"sepal length": 4.0, "sepal width": 3.9, "petal length": 2.3, "petal width": 0.6}
INFER = f"{URL}/v2/models/iris-classifier/infer"


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """The guide's model, from a models file."""
    file = tmp_path / "models.yaml"
    file.write_text(GUIDE)
    return Catalog.load(file).model("iris")


def test_the_guides_prediction_from_end_to_end(model: Model) -> None:
    """The guide's row goes out byte for byte, and its answer comes back as Iris-Setosa."""
    with responses.RequestsMock() as mock:
        mock.post(INFER, body=GUIDE_ANSWER, content_type="application/json")
        predictions = model.predict(ROW)
        request = mock.calls[-1].request
    assert request.body == (
        b'{"inputs":[{"name":"input-0","shape":[1,4],"datatype":"FP32","data":[4.0,3.9,2.3,0.6]}]}'
    )
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Host"] == "iris-classifier-kserve.example.org"
    assert [prediction.label for prediction in predictions] == ["Iris-Setosa"]
    assert predictions[0].headline == "Iris-Setosa"


def test_many_rows_in_any_form(model: Model) -> None:
    """Mappings, a frame of texts with another order of columns, an array, a table of Arrow's."""
    kept = json.loads(recorded("kserve-0.21.0/infer_fp32_flat").body)
    second = dict.fromkeys(ROW, 1.5)
    frame = pd.DataFrame([ROW, second]).astype(str)[list(ROW)[::-1]]
    array = pd.DataFrame([ROW, second]).to_numpy()
    for rows in ([ROW, second], frame, array, pa.Table.from_pandas(frame)):
        with responses.RequestsMock() as mock:
            mock.post(INFER, json=kept)
            labels = [prediction.label for prediction in model.predict(rows)]
            body = json.loads(mock.calls[-1].request.body or "")
        assert labels == ["Iris-Setosa", "Iris-Virginica"]
        assert body["inputs"][0]["data"] == [4.0, 3.9, 2.3, 0.6, 1.5, 1.5, 1.5, 1.5]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([], InputError),
        ({**ROW, "sepal length": "x"}, RowsError),
        ({"sepal length": 1}, InputError),
        ({**ROW, "colour": "red"}, InputError),
        (None, InputError),
    ],
)
def test_nothing_is_sent_for_rows_that_do_not_fit(
    model: Model, rows: object, kind: type[InputError]
) -> None:
    """The error comes before the wire."""
    with responses.RequestsMock() as mock:
        with pytest.raises(kind):
            model.predict(rows)
        # The metadata alone, for what the models file leaves open.
        assert [call.request.method for call in mock.calls] == ["GET"]


@settings(max_examples=40)
@given(st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=30), st.booleans())
def test_one_row_in_one_row_out(numbers: list[int], is_frame: bool) -> None:
    """In order, whatever the rows hold and however they come: a server that gives each row back shows it."""

    def back(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        data = json.loads(request.body or b"")["inputs"][0]["data"]
        output = {"name": "y", "datatype": "INT64", "shape": [len(data)], "data": data}
        return 200, {}, json.dumps({"outputs": [output]}).encode()

    signature = Signature.model_validate(
        {
            "datatype": "INT64",
            "features": [{"name": "a", "kind": "integer"}],
            "outputs": [{"name": "y", "kind": "value"}],
        }
    )
    model = Model(InferenceClient(Endpoint(url=URL, server="mlserver")), "m", signature=signature)
    rows = pd.DataFrame({"a": numbers}) if is_frame else [{"a": number} for number in numbers]
    with responses.RequestsMock() as mock:
        mock.add_callback("POST", f"{URL}/v2/models/m/infer", back)
        found = model.predict(rows)
    assert [int(prediction.value or 0) for prediction in found] == numbers
    assert len(found.to_frame()) == len(numbers)


def asked_for_two(model: Model, rows: object) -> Predictions:
    """What a server says of two rows: Iris-Setosa, Iris-Virginica."""
    with responses.RequestsMock() as mock:
        mock.post(INFER, json=json.loads(recorded("kserve-0.21.0/infer_fp32_flat").body))
        return model.predict(rows)


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([215, 7]),
        pd.Index(["b", "a"], name="id"),
        pd.RangeIndex(5, 7),
        pd.MultiIndex.from_tuples([("x", 2), ("x", 1)], names=["plant", "flower"]),
        pd.Index([3, 3]),
    ],
)
def test_predictions_of_a_frame_have_its_index(model: Model, index: pd.Index[Any]) -> None:
    """Each lands on its own row, whatever a split or a shuffle made of the labels."""
    frame = pd.DataFrame([ROW, dict.fromkeys(ROW, 1.5)], index=index)
    found = asked_for_two(model, frame).to_frame()
    pd.testing.assert_index_equal(found.index, index)
    frame["found"] = found["prediction"]
    assert frame["found"].tolist() == ["Iris-Setosa", "Iris-Virginica"]


def test_predictions_of_a_shuffled_frame_can_be_joined(model: Model) -> None:
    """By label, not by position."""
    frame = pd.DataFrame([dict.fromkeys(ROW, 1.5), ROW]).iloc[::-1]
    joined = frame.join(asked_for_two(model, frame).to_frame())
    assert joined["prediction"].to_dict() == {1: "Iris-Setosa", 0: "Iris-Virginica"}


def test_predictions_of_rows_without_labels_are_numbered(model: Model) -> None:
    """From 0, as a new DataFrame is."""
    rows = [ROW, dict.fromkeys(ROW, 1.5)]
    for form in (rows, pd.DataFrame(rows).to_numpy(), pd.DataFrame(rows), iter(rows)):
        found = asked_for_two(model, form).to_frame()
        pd.testing.assert_index_equal(found.index, pd.RangeIndex(2))


@pytest.mark.parametrize(("name", "labels"), [(None, [0]), (7, [7]), ("b", ["b"])])
def test_the_prediction_of_a_series_has_its_name(
    model: Model, name: object, labels: list[object]
) -> None:
    """`frame.iloc[3]` has the label of its row."""
    with responses.RequestsMock() as mock:
        mock.post(INFER, body=GUIDE_ANSWER)
        found = model.predict(pd.Series(ROW, name=name)).to_frame()
    assert found.index.tolist() == labels
    assert found["prediction"].tolist() == ["Iris-Setosa"]


def test_a_shifted_answer_is_no_answer(model: Model) -> None:
    """Two answers for one row."""
    with responses.RequestsMock() as mock:
        mock.post(INFER, body=GUIDE_ANSWER.replace(b"[1]", b"[2]").replace(b"[0]", b"[0,1]"))
        with pytest.raises(InvalidAnswerError, match="2 rows for the 1"):
            model.predict(ROW)


def test_an_exchange_shows_request_and_answer(model: Model) -> None:
    """For people who want to see them."""
    with responses.RequestsMock() as mock:
        mock.post(INFER, body=GUIDE_ANSWER)
        found = model.exchange(ROW)
    assert found.predictions[0].label == "Iris-Setosa"
    assert found.exchange.response_body == GUIDE_ANSWER
    assert found.exchange.path == "/v2/models/iris-classifier/infer"


def test_a_version_is_asked_for_everywhere() -> None:
    """Ready, metadata and infer go to the same version."""
    client = InferenceClient("http://m")
    signature = Signature.model_validate({"features": [{"name": "a"}]})
    model = Model(client, "iris", version="v2", signature=signature)
    with responses.RequestsMock() as mock:
        base = "http://m/v2/models/iris/versions/v2"
        mock.get(f"{base}/ready")
        mock.get(base, json={"name": "iris"})
        mock.post(f"{base}/infer", json={"outputs": []})
        assert model.is_ready()
        assert model.metadata().name == "iris"
        model.infer(model.build({"a": 1}))


def test_metadata_gives_a_signature_once() -> None:
    """A model without a signature asks its server, and remembers."""
    kept = recorded("triton-2.51/model_metadata")
    model = Model(InferenceClient("http://m"), "iris")
    with responses.RequestsMock() as mock:
        mock.get("http://m/v2/models/iris", body=kept.body)
        assert len(model.signature.features) == 4
        assert model.signature is model.signature
        assert len(mock.calls) == 1


def test_triton_without_a_signature() -> None:
    """Metadata is enough for a prediction."""
    model = Model(InferenceClient("http://m"), "iris")
    with responses.RequestsMock() as mock:
        mock.get("http://m/v2/models/iris", body=recorded("triton-2.51/model_metadata").body)
        mock.post("http://m/v2/models/iris/infer", body=recorded("triton-2.51/infer").body)
        found = model.predict(pd.DataFrame([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]).to_numpy())
    assert found.columns()["prediction"] == [0, 2]


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "iris", "inputs": []},
        {"inputs": [{"name": "x", "datatype": "FP8", "shape": [-1, 4]}]},
    ],
)
def test_a_model_that_does_not_say_what_it_takes(metadata: dict[str, object]) -> None:
    """The message says where to write it down."""
    model = Model(InferenceClient("http://m"), "iris")
    with responses.RequestsMock() as mock:
        mock.get("http://m/v2/models/iris", json=metadata)
        with pytest.raises(ConfigurationError, match="signature in the models file"):
            model.predict({"a": 1})


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_model_of_a_catalog_can_go_to_another_process(
    model: Model, copied: Callable[[Model], Model]
) -> None:
    """With its signature: the catalog that knows it stays behind."""
    there = copied(model)
    assert there.build(ROW).inputs[0].data.tolist() == model.build(ROW).inputs[0].data.tolist()
    assert (there.name, there.version) == ("iris-classifier", None)
    assert there.client.endpoint == model.client.endpoint
    assert there.signature == model.signature


def test_a_model_that_nothing_describes_is_not_asked_to_be_copied() -> None:
    """Its server may be away; the copy asks for metadata as the model would."""
    model = Model(InferenceClient(URL), "triton", version="3")
    there = pickle.loads(pickle.dumps(model))
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2/models/triton/versions/3", json=json.loads(METADATA))
        assert [feature.name for feature in there.signature.features] == ["x[0]", "x[1]"]


def test_a_repr_names_model_and_endpoint_only() -> None:
    """No token in it."""
    model = Model(InferenceClient("http://m", token="s3cret"), "iris")
    assert repr(model) == "Model('iris' on http://m)"
