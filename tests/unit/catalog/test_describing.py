from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from kserve_client import Catalog, ConfigurationError
from kserve_client.catalog import Description, Draft, Source, catalog
from kserve_client.catalog.describing import entry_draft, metadata_draft
from kserve_client.catalog.models_file import Entry, parse_models_file
from kserve_client.client import ModelMetadata
from kserve_client.errors import AccessError, NotFoundError
from kserve_client.signature import Feature, Output, Signature

URL = "http://server"
ENDPOINT = f"endpoints: {{demo: {{url: {URL}}}}}\n"
COLUMNS: dict[str, Any] = {
    "name": "house",
    "platform": "sklearn",
    "inputs": [
        {"name": "area", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "town", "datatype": "BYTES", "shape": [-1, 1]},
    ],
    "outputs": [{"name": "price", "datatype": "FP64", "shape": [-1]}],
}
EMPTY = {"name": "house", "inputs": [], "outputs": []}
SAMPLE = "area,town\n50,Ulm\n70,Ulm\n90,Bonn\n110,Bonn\n"


@pytest.fixture
def server() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def open_catalog(text: str, folder: Path = Path()) -> Catalog:
    content = parse_models_file(ENDPOINT + text, source="m.yaml", folder=folder)
    return Catalog(content, folder=folder)


def said(mock: responses.RequestsMock, body: Any = None, status: int = 200) -> None:
    mock.get(f"{URL}/v2/models/house", json=COLUMNS if body is None else body, status=status)


def sources(description: Description, feature: str) -> dict[str, str]:
    return {
        fact.setting: fact.source.kind
        for fact in description.facts
        if fact.of == ("features", feature)
    }


def test_a_little_in_the_file_makes_a_form_of_the_metadata(server: responses.RequestsMock) -> None:
    """One range is written; the rest of the form is what the server says."""
    said(server)
    models = open_catalog(
        "models: {house: {endpoint: demo, signature: {features: [{name: area, min: 20, max: 200}]}}}"
    )
    found = models.describe("house")
    assert found.signature == Signature(
        layout="columns",
        features=(
            Feature(name="area", kind="number", datatype="FP64", min=20, max=200),
            Feature(name="town", kind="text", datatype="BYTES"),
        ),
        outputs=(Output(name="price", requested=False),),
    )
    assert sources(found, "area") == {
        "kind": "server metadata",
        "datatype": "server metadata",
        "min": "models file",
        "max": "models file",
    }
    assert models.model("house").signature == found.signature


def test_a_complete_file_asks_for_no_other_columns(server: responses.RequestsMock) -> None:
    """`complete: true` is the way to leave a column of the metadata out."""
    said(server)
    models = open_catalog(
        "models: {house: {endpoint: demo, signature: {complete: true, features: [{name: area}]}}}"
    )
    assert [feature.name for feature in models.model("house").signature.features] == ["area"]


def test_labels_alone_in_the_file(server: responses.RequestsMock) -> None:
    """What goes in, the server says."""
    said(server)
    models = open_catalog(
        "models: {house: {endpoint: demo, signature: {outputs: "
        "[{name: price, kind: value, unit: EUR}]}}}"
    )
    signature = models.model("house").signature
    assert [feature.name for feature in signature.features] == ["area", "town"]
    assert signature.outputs == (Output(name="price", kind="value", unit="EUR"),)


@pytest.mark.parametrize("levels", ["", ", low: 0", ", high: 1"])
def test_what_the_file_says_of_a_picture_and_what_not(
    levels: str, server: responses.RequestsMock
) -> None:
    """Levels that were said stay said beside the metadata, and no others become so."""
    inputs = [{"name": "area", "datatype": "FP32", "shape": [-1, 2, 2]}]
    said(server, COLUMNS | {"inputs": inputs})
    models = open_catalog(
        "models: {house: {endpoint: demo, signature: {features: "
        f"[{{name: area, kind: image, image: {{width: 2, height: 2{levels}}}}}]}}}}}}"
    )
    (feature,) = models.model("house").signature.features
    assert feature.image is not None
    assert feature.image.says_levels is bool(levels)


def test_a_server_that_is_down_leaves_what_the_file_says(server: responses.RequestsMock) -> None:
    """The failure is told beside it, after one try."""
    models = open_catalog("models: {house: {endpoint: demo, signature: {features: [{name: a}]}}}")
    found = models.describe("house")
    assert found.signature == Signature(features=(Feature(name="a"),))
    (failure,) = found.failures
    assert failure.source == Source("server metadata")
    assert "no connection" in str(failure.error)
    assert len(server.calls) == 1


def test_why_a_model_says_nothing_is_the_error_of_the_source_that_failed(
    server: responses.RequestsMock,
) -> None:
    """Not that its features should be described, when it is a token that lacks."""
    said(server, {"error": "no token"}, 401)
    model = open_catalog("models: {house: {endpoint: demo}}").model("house")
    with pytest.raises(AccessError, match="no token"):
        model.predict({"area": 1})


def test_empty_metadata_and_nothing_else(server: responses.RequestsMock) -> None:
    """What to do is said."""
    said(server, EMPTY)
    model = open_catalog("models: {house: {endpoint: demo}}").model("house")
    with pytest.raises(ConfigurationError, match="Describe its features"):
        model.predict({"area": 1})


def test_empty_metadata_and_a_sample(server: responses.RequestsMock, tmp_path: Path) -> None:
    """A CSV of usual rows is enough for a form."""
    said(server, EMPTY)
    (tmp_path / "houses.csv").write_text(SAMPLE)
    models = open_catalog("models: {house: {endpoint: demo, sample: houses.csv}}", tmp_path)
    found = models.describe("house")
    assert found.signature is not None
    assert found.signature.layout == "columns"
    area, town = found.signature.features
    assert (area.kind, area.min, area.max) == ("integer", 50, 110)
    assert [choice.value for choice in town.choices] == ["Bonn", "Ulm"]
    assert set(sources(found, "town").values()) == {"sample"}


def test_a_sample_makes_a_category_of_a_text_that_the_metadata_knows(
    server: responses.RequestsMock, tmp_path: Path
) -> None:
    """BYTES says text, the rows say which."""
    said(server)
    (tmp_path / "houses.csv").write_text(SAMPLE)
    models = open_catalog("models: {house: {endpoint: demo, sample: houses.csv}}", tmp_path)
    area, town = models.model("house").signature.features
    assert (area.kind, area.datatype, area.max) == ("number", "FP64", 110)
    assert (town.kind, town.datatype) == ("category", "BYTES")


@pytest.mark.parametrize(("fills_gaps", "greatest"), [("false", 110), ("true", 500)])
def test_a_sample_wins_over_the_file_unless_it_fills_gaps(
    server: responses.RequestsMock, tmp_path: Path, fills_gaps: str, greatest: float
) -> None:
    """Later sources win; the file may keep the last word."""
    said(server)
    (tmp_path / "houses.csv").write_text(SAMPLE)
    models = open_catalog(
        "models: {house: {endpoint: demo, "
        f"sample: {{file: houses.csv, leave_out: [town], fills_gaps: {fills_gaps}}}, "
        "signature: {features: [{name: area, max: 500}]}}}",
        tmp_path,
    )
    area = models.model("house").signature.features[0]
    assert (area.min, area.max) == (50, greatest)


def test_a_sample_that_changed_is_read_again(
    server: responses.RequestsMock, tmp_path: Path
) -> None:
    """And one that did not is not."""
    said(server)
    file = tmp_path / "houses.csv"
    file.write_text(SAMPLE)
    models = open_catalog("models: {house: {endpoint: demo, sample: houses.csv}}", tmp_path)
    assert models.model("house").signature.features[0].max == 110
    file.write_text(SAMPLE.replace("110", "1200"))
    assert models.model("house").signature.features[0].max == 1200
    file.unlink()
    found = models.describe("house")
    assert [failure.source.kind for failure in found.failures] == ["sample"]
    assert found.signature is not None


def test_mlflow_that_can_not_be_reached_leaves_the_rest(server: responses.RequestsMock) -> None:
    """The form is there, with the reason why it could be better."""
    said(server)
    models = open_catalog(
        "mlflow: {url: http://mlflow}\n"
        "models: {house: {endpoint: demo, mlflow: models:/house@champion}}"
    )
    found = models.describe("house")
    assert found.signature is not None
    assert [str(failure.source) for failure in found.failures] == ["MLflow: models:/house@champion"]


def test_a_source_that_hangs_is_not_waited_for(
    server: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each source has a few seconds, whatever the endpoint's own patience."""
    said(server)
    monkeypatch.setattr(catalog, "LONGEST_ASK_S", 1.5)
    models = open_catalog("models: {house: {endpoint: demo}}")
    models.describe("house")
    sent: Any = server.calls[0].request
    assert all(0 < one_s <= 1.5 for one_s in sent.req_kwargs["timeout"])
    assert models.endpoint("house").read_timeout_s == 60


def test_a_token_of_a_person_asks_for_the_metadata(server: responses.RequestsMock) -> None:
    """As it does for the prediction."""
    said(server)
    open_catalog("models: {house: {endpoint: demo}}").describe("house", token="t0ken")
    assert server.calls[0].request.headers["Authorization"] == "Bearer t0ken"


def test_an_unknown_model_on_the_server_is_a_failure(server: responses.RequestsMock) -> None:
    """The name on the server is asked for."""
    server.get(f"{URL}/v2/models/house-2/versions/7", json={"error": "no model"}, status=404)
    models = open_catalog(
        "models: {house: {endpoint: demo, model_name: house-2, model_version: '7'}}"
    )
    (failure,) = models.describe("house").failures
    assert isinstance(failure.error, NotFoundError)


def test_examples_of_other_sources_follow_those_of_the_file() -> None:
    """By their names; what they lack of the signature is left to the form."""
    models = open_catalog(
        "models: {house: {endpoint: demo, signature: {features: [{name: a}]}, "
        "examples: [{name: Small, row: {a: 1}, expect: 5}]}}"
    )
    description = Description(
        signature=None,
        examples=(
            ("Small", {"a": 2}, Source("MLflow")),
            ("Input example", {"a": 3}, Source("MLflow")),
        ),
    )
    found = models.examples("house", description)
    assert [(one.name, one.row, one.expect) for one in found] == [
        ("Small", {"a": 1}, 5),
        ("Input example", {"a": 3}, None),
    ]


def test_a_source_that_takes_long_is_left_out(
    server: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer of MLflow may come in time, and all together still take half a minute."""
    monkeypatch.setattr("kserve_client.catalog.describing.LONGEST_WAIT_S", 3.0)
    said(server)
    is_over = threading.Event()

    def slow(_: Any, reference: str) -> Draft:
        is_over.wait(60)
        return Draft(Source("MLflow", reference))

    monkeypatch.setattr("kserve_client.catalog.mlflow.Registry.describe", slow)
    models = open_catalog(
        "mlflow: {url: http://mlflow}\nmodels: {house: {endpoint: demo, mlflow: 'models:/h@a'}}"
    )
    found = models.describe("house")
    assert found.signature is not None
    (failure,) = found.failures
    assert str(failure.error) == "it takes longer than 3 s"
    is_over.set()
    eventually(lambda: not models.describe("house").failures)


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Drafts


def test_a_draft_says_only_what_was_written() -> None:
    """Defaults are nobody's fact."""
    entry = Entry.model_validate(
        {
            "endpoint": "demo",
            "owner": "Ann",
            "signature": {"features": [{"name": "a", "max": 2}], "datatype": "FP64"},
            "examples": [{"name": "x", "row": {"a": 1}}],
        }
    )
    draft = entry_draft(entry, Source("models file"))
    assert draft.features == ({"name": "a", "max": 2.0},)
    assert draft.tensors == {"datatype": "FP64"}
    assert draft.about == {"owner": "Ann"}
    assert draft.examples == {"x": {"a": 1}}


@pytest.mark.parametrize(
    ("shape", "is_named", "names"),
    [
        ([-1, 2], False, ["x[0]", "x[1]"]),
        ([-1, 1], True, ["x"]),
        ([-1, 2, 2], True, ["x"]),
    ],
)
def test_metadata_of_one_tensor_knows_no_names(
    shape: list[int], is_named: bool, names: list[str]
) -> None:
    """They are made of positions, and give way to real ones."""
    metadata = ModelMetadata.model_validate(
        {"name": "m", "inputs": [{"name": "x", "datatype": "FP32", "shape": shape}]}
    )
    draft = metadata_draft(metadata)
    assert [feature["name"] for feature in draft.features] == names
    assert draft.names_features is is_named


def test_metadata_that_can_not_be_sent_says_so() -> None:
    """FP8 is no datatype of this client."""
    metadata = ModelMetadata.model_validate(
        {"name": "m", "inputs": [{"name": "x", "datatype": "FP8", "shape": [-1]}]}
    )
    with pytest.raises(ConfigurationError, match=re.escape("unknown datatype")):
        metadata_draft(metadata)
