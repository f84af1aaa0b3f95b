"""The registry, against what MLflow 3.17.2 once answered."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses

from kserve_client.catalog.mlflow import ModelVersion, Reference, Registry, by_logged_model
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    ConnectError,
    InvalidAnswerError,
    NotFoundError,
    NotReadyError,
    ServerError,
)
from kserve_client.transport import Transport
from tests.unit.catalog.recorded_mlflow import (
    API,
    FILES,
    FILES_BY_VERSION,
    MODEL,
    RECORDED,
    URL,
    asked,
    play,
    recorded_mlflow,
    say,
)

SEPAL = {
    "name": "sepal length (cm)",
    "kind": "number",
    "datatype": "FP64",
    "required": True,
    "title": "Sepal length",
    "unit": "cm",
    "min": 4,
    "max": 8,
    "step": 0.1,
    "default": 5.1,
}


# References


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("models:/iris@champion", Reference(name="iris", alias="champion")),
        ("models:/a b/12", Reference(name="a b", version="12")),
        (f"models:/{MODEL}", Reference(model_id=MODEL)),
    ],
)
def test_the_ways_to_name_a_model(text: str, reference: Reference) -> None:
    """By alias, by version, by the id of the logged model; written back as it was."""
    assert Reference.parse(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "iris",
        "models:/iris",
        "models:/iris/latest",
        "models:/iris/Production",
        "models:/../1/2",
        "models:/m-123",
        "models:/iris@",
        "models:/iris/1\n",
        "runs:/0123/model",
        "",
    ],
)
def test_what_names_no_model(text: str) -> None:
    """The error says what would."""
    with pytest.raises(ConfigurationError, match="write models:/NAME@ALIAS"):
        Reference.parse(text)


# Describing


def test_a_version_by_its_alias() -> None:
    """The signature, the author's words in the metadata, and the input example become one draft."""
    with recorded_mlflow() as (registry, _):
        draft = registry.describe("models:/iris@champion")
    assert str(draft.source) == "MLflow: iris version 1"
    assert draft.tensors == {"layout": "columns", "content_type": "pd"}
    assert draft.names_features
    assert draft.features[0] == SEPAL
    assert [f["name"] for f in draft.features] == [
        "sepal length (cm)",
        "sepal width (cm)",
        "petal length (cm)",
        "petal width (cm)",
    ]
    assert draft.outputs == (
        {
            "name": "output-0",
            "requested": False,
            "kind": "label",
            "labels": ["Iris setosa", "Iris versicolor", "Iris virginica"],
        },
    )
    assert [*draft.examples] == ["Input example", "Input example 2"]
    assert draft.examples["Input example 2"] == {
        "sepal length (cm)": 4.9,
        "sepal width (cm)": 3.0,
        "petal length (cm)": 1.4,
        "petal width (cm)": 0.2,
    }
    assert draft.notes == ()


def test_what_is_known_beside_the_form() -> None:
    """Simple values by name, and links into MLflow; nothing that is not there."""
    with recorded_mlflow() as (registry, _):
        about = dict(registry.describe("models:/iris@champion").about)
    assert about.pop("metrics") == {"accuracy": pytest.approx(0.973, abs=0.001)}
    assert about.pop("framework").startswith("scikit-learn 1.")
    assert about == {
        "title": "Iris species",
        "description": "Which of three irises it is, judged by four measurements of the flower.",
        "owner": "Flower team",
        "params_count": 1,
        "created": "2026-11-22T13:20:00+00:00",
        "user": "someone",
        "version": "1",
        "aliases": ["champion"],
        "run_id": f"{1:032d}",
        "model_id": MODEL,
        "mlflow_version": "3.17.2",
        "links": [
            {"title": "MLflow: iris version 1", "url": f"{URL}/#/models/iris/versions/1"},
            {"title": "MLflow: logged model", "url": f"{URL}/#/experiments/1/models/{MODEL}"},
            {"title": "MLflow: run", "url": f"{URL}/#/experiments/1/runs/{1:032d}"},
        ],
    }


def test_a_logged_model() -> None:
    """Nobody needs to register it: the registry is not asked."""
    with recorded_mlflow() as (registry, mock):
        draft = registry.describe(f"models:/{MODEL}")
        assert not [url for url in asked(mock) if "registered-models" in url or "versions" in url]
    assert str(draft.source) == f"MLflow: {MODEL}"
    assert draft.features[0] == SEPAL
    assert "version" not in draft.about
    assert draft.about["metrics"]["accuracy"] > 0.9


def test_a_tensor_without_names() -> None:
    """Numbers by position, as V2 metadata names them; float32 as it was written."""
    with recorded_mlflow() as (registry, _):
        draft = registry.describe("models:/iris/2")
    assert not draft.names_features
    assert draft.tensors == {"layout": "tensor", "input": "input-0", "datatype": "FP32"}
    assert draft.features[0] == {"name": "input-0[0]", "kind": "number", "default": 5.1}
    assert draft.outputs == ({"name": "output-0", "requested": False},)
    assert draft.examples["Input example"] == {
        "input-0[0]": 5.1,
        "input-0[1]": 3.5,
        "input-0[2]": 1.4,
        "input-0[3]": 0.2,
    }


def test_what_the_registry_says_wins() -> None:
    """Description, owner and tags of the version: they can be corrected after the training."""
    with recorded_mlflow() as (registry, _):
        about = registry.describe("models:/penguins/1").about
    assert about["description"] == "Trained on forty birds."
    assert about["owner"] == "Bird team"
    assert about["tags"] == {"owner": "Bird team", "season": "2009"}


def test_the_registered_models_description_stands_in() -> None:
    """Where neither the version nor the author says anything."""
    version = json.loads(RECORDED["version-described"].body)
    version["model_version"]["description"] = ""
    with recorded_mlflow() as (registry, mock):
        say(mock, f"{API}/model-versions/get?name=penguins&version=1", version)
        about = registry.describe("models:/penguins/1").about
    assert about["description"] == "Which of three penguins it is."


def test_a_version_from_before_mlflow_3() -> None:
    """Its files lie at a run, there is no logged model: they come by the version, metrics by the run."""
    version = json.loads(RECORDED["version"].body)
    version["model_version"]["source"] = f"mlflow-artifacts:/1/{1:032d}/artifacts/model"
    with recorded_mlflow() as (registry, mock):
        say(mock, f"{API}/model-versions/get?name=iris&version=1", version)
        example = RECORDED["example-iris"]
        play(mock, example, f"{FILES_BY_VERSION}input_example.json&name=iris&version=1")
        draft = registry.describe("models:/iris/1")
        assert not [url for url in asked(mock) if "logged-models" in url]
    assert draft.features[0] == SEPAL
    assert draft.about["metrics"]["accuracy"] > 0.9
    assert "model_id" not in draft.about


# What can't be read


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_file_is_looked_for_in_two_places(status: int) -> None:
    """Where the logged model may not be read, the version may: permissions differ."""
    with recorded_mlflow() as (registry, mock):
        for name in ("MLmodel", "input_example.json", "serving_input_example.json"):
            say(mock, f"{FILES}{name}", {"message": "no"}, status)
        example = RECORDED["example-iris"]
        play(mock, example, f"{FILES_BY_VERSION}input_example.json&name=iris&version=1")
        draft = registry.describe("models:/iris/1")
    assert draft.features[0] == SEPAL
    assert draft.notes == ()


def test_without_the_file_the_rest_stays() -> None:
    """What the registry knows is shown, and a note says why there is no form."""
    with recorded_mlflow() as (registry, mock):
        for url in (f"{FILES}MLmodel", f"{FILES_BY_VERSION}MLmodel&name=iris&version=1"):
            say(mock, url, {"error_code": "INTERNAL_ERROR", "message": "no such bucket"}, 500)
        draft = registry.describe("models:/iris/1")
    assert (draft.features, draft.outputs, draft.tensors) == ((), (), {})
    assert draft.about["version"] == "1"
    (note,) = draft.notes
    assert note.startswith("without its MLmodel file the form is not known: MLflow at")
    assert "no such bucket" in note


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"a: [", "not valid YAML"),
        (b"- 1", "no mapping"),
        (b"x" * 1_000_001, "larger than 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_none(body: bytes, words: str) -> None:
    """Too large, no YAML, no mapping: a note, and no form."""
    with recorded_mlflow() as (registry, mock):
        say(mock, f"{FILES}MLmodel", body)
        draft = registry.describe("models:/iris/1")
    assert draft.features == ()
    assert words in " ".join(draft.notes)


def test_the_serving_example_stands_in() -> None:
    """Where the input example is not there, the one for scoring servers is."""
    with recorded_mlflow() as (registry, mock):
        unknown = {"error_code": "RESOURCE_DOES_NOT_EXIST"}
        say(mock, f"{FILES}input_example.json", unknown, 404)
        say(mock, f"{FILES_BY_VERSION}input_example.json&name=iris&version=1", unknown, 404)
        draft = registry.describe("models:/iris/1")
    assert draft.examples["Input example"]["sepal length (cm)"] == 5.1
    assert draft.notes == ()


def test_an_example_that_is_not_there() -> None:
    """The form is there without it, and a note says so."""
    with recorded_mlflow() as (registry, mock):
        for name in ("input_example.json", "serving_input_example.json"):
            say(mock, f"{FILES}{name}", {"message": "gone"}, 500)
            say(mock, f"{FILES_BY_VERSION}{name}&name=iris&version=1", {"message": "gone"}, 500)
        draft = registry.describe("models:/iris/1")
    assert draft.examples == {}
    assert "default" not in draft.features[0]
    assert "its input example can't be read" in draft.notes[0]


def test_what_is_good_to_have_may_be_missing() -> None:
    """Run, logged model and registered model: each one that can't be read is a note."""
    with recorded_mlflow() as (registry, mock):
        for path in (f"runs/get?run_id={1:032d}", f"logged-models/{MODEL}"):
            say(mock, f"{API}/{path}", {"error_code": "PERMISSION_DENIED"}, 403)
        say(mock, f"{API}/registered-models/get?name=iris", b"<html>", 200)
        draft = registry.describe("models:/iris/1")
    assert draft.features[0] == SEPAL
    assert "metrics" not in draft.about
    starts = [note.split(" can't")[0] for note in draft.notes]
    assert starts == ["its registered model", "its logged model", "its run"]


# What is not there


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "models:/iris@winner",
            "MLflow at http://mlflow.test: the model iris has no alias winner; there is champion (version 1)",
        ),
        (
            "models:/iris/9",
            "MLflow at http://mlflow.test: the model iris has no version 9; there is 2, 1",
        ),
        (
            "models:/tulips@champion",
            "MLflow at http://mlflow.test has no registered model tulips; there is iris, penguins",
        ),
        (
            f"models:/m-{9:032d}",
            f"MLflow at http://mlflow.test has no logged model m-{9:032d}",
        ),
    ],
)
def test_what_is_not_there(reference: str, message: str) -> None:
    """The error says what there is instead."""
    with recorded_mlflow() as (registry, _), pytest.raises(ConfigurationError) as caught:
        registry.describe(reference)
    assert str(caught.value) == message


def test_a_name_with_a_slip() -> None:
    """The nearest name is offered."""
    unknown = RECORDED["registered-model-unknown"]
    with recorded_mlflow() as (registry, mock):
        play(mock, unknown, f"{API}/registered-models/get?name=pengiuns")
        with pytest.raises(ConfigurationError) as caught:
            registry.versions("pengiuns")
    assert str(caught.value).endswith("no registered model pengiuns; did you mean penguins?")


# Versions


def test_the_versions_of_a_model() -> None:
    """The newest first, with their aliases, runs, logged models and times."""
    with recorded_mlflow() as (registry, _):
        newest, oldest = registry.versions("iris")
    assert (newest.version, newest.aliases, newest.run_id) == ("2", (), f"{2:032d}")
    assert (oldest.version, oldest.aliases, oldest.model_id) == ("1", ("champion",), MODEL)
    assert oldest.source == f"models:/{MODEL}"
    assert oldest.created == datetime(2026, 11, 22, 13, 20, tzinfo=UTC)


def test_versions_come_in_pages() -> None:
    """All pages are asked for, and versions of other names are left out."""
    searched = f"{API}/model-versions/search?filter=name%3D%22iris%22&max_results=200"
    with recorded_mlflow() as (registry, mock):
        one, two = ({"name": "iris", "version": v} for v in ("9", "10"))
        strange = {"name": "Iris", "version": "11"}
        say(mock, searched, {"model_versions": [one, strange], "next_page_token": "a&b"})
        say(mock, f"{searched}&page_token=a%26b", {"model_versions": [two]})
        found = registry.versions("iris")
    assert [version.version for version in found] == ["10", "9"]
    assert found[0].created is None


@pytest.mark.parametrize(
    ("name", "filter_"),
    [("it's", 'name="it\'s"'), ('say "a"', "name='say \"a\"'"), ("x' OR '1", "name=\"x' OR '1\"")],
)
def test_quotes_in_a_name(name: str, filter_: str) -> None:
    """MLflow's filter has two kinds of quotes: the name stands in the other one."""
    with recorded_mlflow() as (registry, mock):
        mock.get(f"{API}/registered-models/get", json={"registered_model": {"name": name}})
        mock.get(f"{API}/model-versions/search", json={})
        assert registry.versions(name) == ()
        request: Any = mock.calls[-1].request
    assert request.params["filter"] == filter_


def test_both_quotes_in_a_name() -> None:
    """Such a name can't be asked for, rather than asked for in part."""
    with recorded_mlflow() as (registry, mock):
        mock.get(f"{API}/registered-models/get", json={"registered_model": {}})
        with pytest.raises(ConfigurationError, match="can't be asked for the versions of"):
            registry.versions("""it's "a" """)


# On the wire


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a b&c=d", "a%20b%26c%3Dd"),
        ("50%2F?#", "50%252F%3F%23"),
        ("ü", "%C3%BC"),
        ("x\r\nHost: evil", "x%0D%0AHost%3A%20evil"),
        ("..", ".."),
    ],
)
def test_hostile_names_stay_names(name: str, written: str) -> None:
    """Whatever a name holds, it is the value of one parameter of the request."""
    with recorded_mlflow() as (registry, mock):
        mock.get(f"{API}/model-versions/get", json=json.loads(RECORDED["version"].body))
        mock.get(f"{API}/registered-models/get", json={})
        registry.describe(f"models:/{name}/1")
        assert asked(mock)[0] == f"{API}/model-versions/get?name={written}&version=1"


def test_a_server_below_a_path() -> None:
    """The path of its URL comes before each path that is asked, and in the links."""
    with recorded_mlflow(url=f"{URL}/tracking") as (registry, mock):
        for name in (
            "version",
            "registered-model",
            "logged-model-iris",
            "run-iris",
            "mlmodel-iris",
            "example-iris",
        ):
            play(mock, RECORDED[name], f"{URL}/tracking{RECORDED[name].path}")
        draft = registry.describe("models:/iris/1")
        assert all(url.startswith(f"{URL}/tracking/") for url in asked(mock))
    assert draft.about["links"][0]["url"] == f"{URL}/tracking/#/models/iris/versions/1"


def test_the_token_goes_to_mlflow_and_nowhere_else() -> None:
    """It stands in each request, and in no error and no note that repeats an answer."""
    with recorded_mlflow(auth={"value": "geheim-123"}) as (registry, mock):
        for name in ("MLmodel", "input_example.json"):
            say(mock, f"{FILES}{name}", {"message": "you sent Bearer geheim-123"}, 500)
        say(mock, f"{FILES_BY_VERSION}MLmodel&name=iris&version=1", "geheim-123", 500)
        draft = registry.describe("models:/iris/1")
        sent = {call.request.headers["Authorization"] for call in mock.calls}
    assert sent == {"Bearer geheim-123"}
    assert draft.notes
    assert "geheim-123" not in repr(draft)


def test_a_redirect_is_not_followed() -> None:
    """Neither to a login page nor to another host: the error says where it points."""
    with recorded_mlflow() as (registry, mock):
        url = f"{API}/model-versions/get?name=iris&version=1"
        mock.upsert("GET", url, status=302, headers={"Location": "https://evil.test/x?token=1"})
        with pytest.raises(AccessError, match=r"It points to https://evil\.test/x"):
            registry.describe("models:/iris/1")
        assert len(mock.calls) == 1


def test_a_redirect_of_a_file_is_not_followed() -> None:
    """A server that sends its files from elsewhere gives none."""
    with recorded_mlflow() as (registry, mock):
        for url in (f"{FILES}MLmodel", f"{FILES_BY_VERSION}MLmodel&name=iris&version=1"):
            mock.upsert("GET", url, status=307, headers={"Location": "http://10.0.0.1/latest"})
        draft = registry.describe("models:/iris/1")
        assert all(url.startswith(URL) for url in asked(mock))
    assert draft.features == ()


def test_a_host_that_mlflow_does_not_know() -> None:
    """Its protection against DNS rebinding, in words that tell the way out."""
    with recorded_mlflow(host="models.example.org") as (registry, mock):
        url = f"{API}/registered-models/get?name=iris"
        play(mock, RECORDED["foreign-host"], url)
        with pytest.raises(AccessError) as caught:
            registry.versions("iris")
    assert caught.value.status == 403
    assert str(caught.value).endswith(
        "it does not know the host name models.example.org: "
        "start it with --allowed-hosts models.example.org"
    )


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, "You are not authenticated.", AccessError, "Check the token"),
        (403, '{"error_code": "PERMISSION_DENIED"}', AccessError, "403"),
        (404, "<html>nothing</html>", NotFoundError, "check that the URL is that of its tracking"),
        (503, "", NotReadyError, "it may be starting"),
        (500, '{"error_code":"INTERNAL_ERROR","message":"boom"}', ServerError, "500: boom"),
        (200, "<html>login</html>", InvalidAnswerError, "does not answer like MLflow"),
        (200, "[]", InvalidAnswerError, "does not answer like MLflow"),
        (200, "{}", InvalidAnswerError, "does not answer like MLflow"),
        (200, '{"model_version": 5}', InvalidAnswerError, "does not answer like MLflow"),
    ],
)
def test_a_server_that_says_no(status: int, body: str, kind: type[Exception], words: str) -> None:
    """Whose fault it was, in the words of this client; no advice that is meant for inference."""
    with recorded_mlflow() as (registry, mock):
        say(mock, f"{API}/model-versions/get?name=iris&version=1", body, status)
        with pytest.raises(kind, match=words) as caught:
            registry.describe("models:/iris/1")
    assert "inputs" not in str(caught.value)


def test_a_server_that_is_not_there() -> None:
    """No connection is an error, not an empty draft."""
    endpoint = Endpoint(url=URL)
    with (
        responses.RequestsMock() as mock,
        Registry(endpoint, transport=Transport(endpoint, retries=0)) as registry,
    ):
        mock.get(f"{API}/model-versions/get", body=requests.ConnectionError("refused"))
        with pytest.raises(ConnectError):
            registry.describe("models:/iris/1")


def test_a_logged_model_that_is_two_versions() -> None:
    """The newest one is named, but an alias says more than a number."""
    third, second, first = (ModelVersion("iris", str(n), model_id=MODEL) for n in (3, 2, 1))
    champion = replace(second, aliases=("champion",))
    assert by_logged_model([third, second, first]) == {MODEL: third}
    assert by_logged_model([third, champion, first]) == {MODEL: champion}
    assert by_logged_model([ModelVersion("iris", "1")]) == {}
