"""A real MLflow 3.17.2 on loopback: models logged by its own client, described over plain REST.

`iris` 1 is logged by the example of docs/mlflow.md as it stands there; see mlflow_training.py for the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from kserve_client.catalog.facts import Draft
from kserve_client.catalog.merging import merge
from kserve_client.catalog.mlflow import Registry
from kserve_client.endpoint import Endpoint
from kserve_client.errors import AccessError, ConfigurationError, NoAnswerError
from kserve_client.signature import Signature
from scripts import record, record_mlflow
from scripts.mlflow_server import MLflowServer
from tests.live.logged_models import Logged

ROOT = Path(__file__).resolve().parents[2]
RECORDED = record.load(ROOT / "tests/recorded/mlflow-3.17.2/answers.jsonl")
CENTIMETRES = {"unit": "cm", "step": 0.1, "kind": "number", "datatype": "FP64", "required": True}
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def registry(logged: Logged) -> Iterator[Registry]:
    with Registry(Endpoint(url=logged.server.url)) as made:
        yield made


def signature_of(draft: Draft) -> Signature:
    """What the draft alone makes a form of."""
    description = merge([draft])
    assert description.signature is not None
    return description.signature


def move_alias(server: MLflowServer, version: str) -> None:
    asked = {"name": "iris", "alias": "champion", "version": version}
    url = f"{server.url}/api/2.0/mlflow/registered-models/alias"
    assert requests.post(url, json=asked, timeout=30).status_code == 200


def test_the_example_of_the_page_makes_a_whole_form(registry: Registry) -> None:
    """Names, units, ranges, where the form starts, labels: all by one call of log_model."""
    draft = registry.describe("models:/iris@champion")
    assert str(draft.source) == "MLflow: iris version 1"
    assert draft.notes == ()
    assert draft.tensors == {"layout": "columns", "content_type": "pd"}
    assert draft.features == (
        {
            **CENTIMETRES,
            "name": "sepal length (cm)",
            "title": "Sepal length",
            "min": 4,
            "max": 8,
            "default": 5.1,
        },
        {
            **CENTIMETRES,
            "name": "sepal width (cm)",
            "title": "Sepal width",
            "min": 2,
            "max": 4.5,
            "default": 3.5,
        },
        {
            **CENTIMETRES,
            "name": "petal length (cm)",
            "title": "Petal length",
            "min": 1,
            "max": 7,
            "default": 1.4,
        },
        {
            **CENTIMETRES,
            "name": "petal width (cm)",
            "title": "Petal width",
            "min": 0.1,
            "max": 2.5,
            "default": 0.2,
        },
    )
    assert draft.outputs == (
        {
            "name": "output-0",
            "requested": False,
            "kind": "label",
            "labels": ["Iris setosa", "Iris versicolor", "Iris virginica"],
        },
    )
    assert draft.examples["Input example"] == {
        "sepal length (cm)": 5.1,
        "sepal width (cm)": 3.5,
        "petal length (cm)": 1.4,
        "petal width (cm)": 0.2,
    }
    assert [f.label for f in signature_of(draft).features] == [
        "Sepal length",
        "Sepal width",
        "Petal length",
        "Petal width",
    ]


def test_what_is_known_beside_the_form(registry: Registry, logged: Logged) -> None:
    """Who made it, when, with what, how good it is, and where MLflow shows it."""
    about = registry.describe("models:/iris/1").about
    assert about["title"] == "Iris species"
    assert about["owner"] == "Flower team"
    assert about["description"] == (
        "Which of three irises it is, judged by four measurements of the flower."
    )
    assert about["framework"].startswith("scikit-learn 1.")
    assert about["params_count"] == 1
    assert 0.95 < about["metrics"]["accuracy"] < 1
    assert about["version"] == "1"
    assert about["aliases"] == ["champion"]
    assert about["mlflow_version"] == "3.17.2"
    age = datetime.now(UTC) - datetime.fromisoformat(about["created"])
    assert timedelta() < age < timedelta(minutes=10)
    links = {link["title"]: link["url"] for link in about["links"]}
    assert links["MLflow: iris version 1"] == f"{logged.server.url}/#/models/iris/versions/1"
    assert f"/models/{about['model_id']}" in links["MLflow: logged model"]
    assert links["MLflow: run"].endswith(f"/runs/{about['run_id']}")


def test_a_table_of_mixed_columns(registry: Registry) -> None:
    """Each type has its kind; the column with gaps may be empty; widely used words are understood."""
    draft = registry.describe("models:/penguins/1")
    assert draft.features == (
        {
            "name": "island",
            "kind": "text",
            "datatype": "BYTES",
            "required": True,
            "default": "Biscoe",
        },
        {
            "name": "mass",
            "kind": "number",
            "datatype": "FP64",
            "required": False,
            "min": 2500,
            "max": 6500,
            "default": 5000.0,
        },
        {"name": "year", "kind": "integer", "datatype": "INT64", "required": True, "default": 2007},
        {
            "name": "tagged",
            "kind": "boolean",
            "datatype": "BOOL",
            "required": True,
            "default": True,
        },
    )
    assert draft.outputs[0]["labels"] == ["Adelie", "Chinstrap", "Gentoo"]
    assert draft.about["description"] == "Trained on forty birds."
    assert draft.about["owner"] == "Bird team"
    assert draft.about["tags"] == {"owner": "Bird team", "season": "2009"}
    assert draft.about["metrics"] == {"accuracy": 1.0, "log_loss": 0.25}
    assert draft.about["params_count"] == 2
    assert draft.notes == ()
    assert signature_of(draft).feature("mass").required is False


def test_a_tensor_without_names(registry: Registry) -> None:
    """Four numbers of one tensor, in the datatype of the signature."""
    draft = registry.describe("models:/iris/2")
    assert draft.names_features is False
    assert draft.tensors == {"layout": "tensor", "input": "input-0", "datatype": "FP32"}
    assert [(f["name"], f["default"]) for f in draft.features] == [
        ("input-0[0]", 5.1),
        ("input-0[1]", 3.5),
        ("input-0[2]", 1.4),
        ("input-0[3]", 0.2),
    ]


def test_a_logged_model_that_says_nothing(registry: Registry, logged: Logged) -> None:
    """Its own id is enough to find it; without a signature there is no form, and that is said."""
    draft = registry.describe(f"models:/{logged.ids['bare']}")
    assert draft.features == ()
    assert draft.about["framework"].startswith("scikit-learn")
    assert "no signature" in " ".join(draft.notes)


def test_a_registered_model_by_the_id_of_its_logged_model(
    registry: Registry, logged: Logged
) -> None:
    """The form is the same, without what the registry knows."""
    draft = registry.describe(f"models:/{logged.ids['birds']}")
    assert [f["name"] for f in draft.features] == ["island", "mass", "year", "tagged"]
    assert "description" not in draft.about


def test_an_alias_that_moves(registry: Registry, logged: Logged) -> None:
    """The next look finds the other version."""
    try:
        move_alias(logged.server, "2")
        assert str(registry.describe("models:/iris@champion").source) == "MLflow: iris version 2"
        assert [(v.version, v.aliases) for v in registry.versions("iris")] == [
            ("2", ("champion",)),
            ("1", ()),
        ]
    finally:
        move_alias(logged.server, "1")
    assert str(registry.describe("models:/iris@champion").source) == "MLflow: iris version 1"


def test_the_versions_of_a_model(registry: Registry, logged: Logged) -> None:
    """The newest first, each with its run and its logged model."""
    newest, oldest = registry.versions("iris")
    assert (newest.name, newest.version, newest.model_id) == ("iris", "2", logged.ids["array"])
    assert oldest.aliases == ("champion",)
    assert newest.source == f"models:/{logged.ids['array']}"
    assert len(newest.run_id) == 32
    assert oldest.created is not None
    assert newest.created is not None
    assert oldest.created < newest.created


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("models:/iris@winner", "iris has no alias winner; there is champion (version 1)"),
        ("models:/iris/9", "iris has no version 9; there is 2, 1"),
        ("models:/penguin/1", "no registered model penguin; did you mean penguins?"),
        ("models:/tulips@x", "no registered model tulips; there is iris, penguins"),
        (f"models:/m-{0:032d}", f"has no logged model m-{0:032d}"),
    ],
)
def test_what_is_not_there(registry: Registry, reference: str, words: str) -> None:
    """The error names what there is instead."""
    with pytest.raises(ConfigurationError) as caught:
        registry.describe(reference)
    assert words in str(caught.value)


def test_a_name_that_the_server_does_not_know(logged: Logged) -> None:
    """MLflow refuses a foreign Host header; the error says how to allow it."""
    endpoint = Endpoint(url=logged.server.url, host="mlflow.example.org")
    with Registry(endpoint) as registry, pytest.raises(AccessError) as caught:
        registry.describe("models:/iris/1")
    assert "--allowed-hosts mlflow.example.org" in str(caught.value)


@pytest.mark.parametrize("recording", RECORDED, ids=lambda recording: recording.name)
def test_mlflow_still_says_what_was_recorded(logged: Logged, recording: record.Recording) -> None:
    """Status and form of every answer that the unit tests rest on."""
    url = logged.server.url
    now = record_mlflow.ask(recording, url, record_mlflow.ids_at(url))
    assert now.status == recording.status
    assert now.headers.get("content-type") == recording.headers.get("content-type")
    assert _form(now.body) == _form(recording.body)


def _form(body: str) -> Any:
    """What does not change from one logging to the next."""
    try:
        return record.shape_of(json.loads(body))
    except ValueError:
        return re.sub(r"[\d.]+", "0", body)


def test_a_server_that_stopped(logged: Logged) -> None:
    """No answer is an error of its own, not an empty form. The last test: the server stays away."""
    with Registry(Endpoint(url=logged.server.url)) as registry:
        assert registry.describe("models:/iris/1").features
        logged.server.stop()
        with pytest.raises(NoAnswerError):
            registry.describe("models:/iris/1")
