from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from kserve_client.auth import BearerAuth
from kserve_client.catalog import annotations as read_annotations
from kserve_client.catalog.facts import Source
from kserve_client.catalog.inference_services import (
    Condition,
    InferenceService,
    TrafficTarget,
    read_inference_service,
)
from kserve_client.catalog.models_file import Kubernetes, parse_models_file
from kserve_client.errors import ConfigurationError, InvalidAnswerError
from tests.unit.catalog import crds, objects

FLOWERS = Kubernetes(namespaces=("flowers",))
INSIDE = Kubernetes(namespaces=("flowers",), address="internal")


def read(name: str) -> InferenceService:
    """Read one of the objects in the folder."""
    return read_inference_service(objects.load(name))


def annotated(form: str | dict[str, Any], **more: Any) -> InferenceService:
    """Read an object with a form annotation; a mapping is written as JSON."""
    text = form if isinstance(form, str) else json.dumps(form)
    annotations = {"kserve-client/form": text, **more}
    metadata = {"namespace": "ns", "name": "m", "annotations": annotations}
    return read_inference_service({"metadata": metadata})


# What an object says


def test_standard_mode() -> None:
    """Address, readiness, runtime and storage of a model that is served by a Deployment."""
    iris = read("standard")
    assert (iris.key, iris.deployment_mode, iris.state) == ("flowers/iris", "Standard", "ready")
    assert iris.url == "https://iris-flowers.example.org"
    assert iris.internal_url == "http://iris-predictor.flowers.svc.cluster.local"
    assert (iris.model_format, iris.protocol) == ("sklearn", "v2")
    assert (iris.runtime, iris.storage_uri) == ("kserve-sklearnserver", "s3://models/iris/3")
    assert iris.created == datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
    assert (iris.has_transformer, iris.has_explainer, iris.traffic) == (False, False, ())
    assert iris.readiness == "ready"
    assert iris.notes == ()


def test_knative_mode_with_a_canary() -> None:
    """Which revision gets which share, and where each answers alone."""
    penguins = read("knative_canary")
    assert (penguins.deployment_mode, penguins.canary_percent) == ("Knative", 10)
    assert penguins.traffic == (
        TrafficTarget(
            "penguins-predictor-00002",
            10,
            "latest",
            "http://latest-penguins-predictor.flowers.example.org",
            is_latest=True,
            is_ready=True,
            storage_uri="gs://models/penguins/8",
        ),
        TrafficTarget(
            "penguins-predictor-00001",
            90,
            "prev",
            "http://prev-penguins-predictor.flowers.example.org",
        ),
    )
    assert penguins.latest_ready_revision == "penguins-predictor-00002"
    assert penguins.latest_created_revision == "penguins-predictor-00002"
    assert penguins.previous_revision == "penguins-predictor-00001"
    assert penguins.internal_url == "http://penguins.flowers.svc.cluster.local"
    assert penguins.draft().about["traffic"] == (
        "penguins-predictor-00002 10 %, penguins-predictor-00001 90 %"
    )


def test_a_model_that_is_not_ready_says_why() -> None:
    """The conditions that are causes, not those that repeat them, and KServe's own words."""
    broken = read("not_ready")
    assert (broken.is_ready, broken.state) == (False, "not ready")
    assert broken.readiness == (
        'not ready. PredictorConfigurationReady: RevisionFailed: Revision "broken-predictor-00001" '
        "failed with message: Initial scale was never achieved. PredictorReady: RevisionMissing: "
        'Configuration "broken-predictor" does not have any ready Revision. '
        "ModelLoadFailed: RuntimeError, failed to fetch model"
    )
    assert broken.model_format == "xgboost 2"


def test_credentials_stay_out_of_the_storage_uri() -> None:
    """User, password and the signature of a signed address."""
    assert read("not_ready").storage_uri == "https://store.example.org/broken.bin"
    assert "secret" not in repr(read("not_ready"))


def test_an_old_style_predictor() -> None:
    """Its framework is the name of the field; addresses lose the path of the model."""
    prices = read("old_style")
    assert (prices.model_format, prices.protocol) == ("sklearn", "v1")
    assert prices.storage_uri == "gs://models/prices"
    assert prices.url == "http://prices.houses.example.org"
    assert prices.internal_url == "http://prices.houses.svc.cluster.local"


def test_the_name_on_the_server_may_be_another() -> None:
    """Where an argument of the server says so, as two words or one; a template says nothing."""
    assert read("old_style").served_name == "house-prices"
    assert read("transformer").served_name == "faces"
    one_word = objects.load("old_style")
    one_word["spec"]["predictor"]["sklearn"]["args"] = ["--model_name=p"]
    assert read_inference_service(one_word).served_name == "p"
    assert read("standard").served_name == "iris"


def test_scaled_to_zero() -> None:
    """Ready, allowed to sleep, and without a copy of the model."""
    prices = read("old_style")
    assert (prices.is_ready, prices.state) == (True, "scaled to zero")
    assert prices.readiness == "scaled to zero: the next request wakes it and takes longer"


@pytest.mark.parametrize(
    ("least", "copies"), [(1, {"failedCopies": 0}), (0, {"failedCopies": 0, "totalCopies": 1})]
)
def test_awake(least: int, copies: dict[str, int]) -> None:
    """Not allowed to sleep, or with a copy."""
    value = objects.load("old_style")
    value["spec"]["predictor"]["minReplicas"] = least
    value["status"]["modelStatus"]["copies"] = copies
    assert read_inference_service(value).state == "ready"


def test_containers_of_ones_own_with_transformer_and_explainer() -> None:
    """The transformer is what answers; protocol and storage come from the environment."""
    faces = read("transformer")
    assert (faces.has_transformer, faces.has_explainer) == (True, True)
    assert faces.internal_url == "http://faces-transformer.pictures.svc.cluster.local:8080"
    assert (faces.model_format, faces.protocol) == ("", "grpc-v2")
    assert (faces.storage_uri, faces.deployment_mode) == ("pvc://faces/7", "Standard")
    assert faces.notes == (
        "its protocol is grpc-v2; this client asks by REST, so it may get no answer",
    )


def test_starting() -> None:
    """KServe does not know yet, and says what it waits for."""
    faces = read("transformer")
    assert faces.state == "starting"
    assert faces.readiness == (
        "starting. IngressReady: ParentStatusNotAvailable: Transformer HttpRouteNotReady"
    )
    assert Condition("TransformerReady", "True") in faces.conditions


def test_without_a_status() -> None:
    """The address within the cluster is known already: that of the Service that KServe makes."""
    fresh = read("new")
    assert (fresh.state, fresh.url) == ("unknown", "")
    assert fresh.internal_url == "http://fresh-predictor.flowers.svc.cluster.local"
    assert fresh.readiness == "unknown: KServe has not written a status yet"
    assert fresh.created is None


def test_stopped_with_canaries_of_standard_mode() -> None:
    """The rest of the traffic goes to the stable part."""
    digits = read("standard_canary")
    assert (digits.state, digits.is_ready) == ("stopped", False)
    assert digits.readiness == "stopped by the annotation serving.kserve.io/stop"
    assert digits.traffic == (
        TrafficTarget("stable", 75, storage_uri="s3://models/digits/1"),
        TrafficTarget(
            "canary-0", 25, is_latest=True, is_ready=True, storage_uri="s3://models/digits/2"
        ),
    )


def test_a_canary_that_is_not_ready_says_why() -> None:
    """With its name, its files without their credentials, and what KServe says of the failure."""
    value = objects.load("standard_canary")
    predictor = value["spec"]["canary"][0]["predictor"]
    predictor["name"] = "challenger"
    predictor["model"]["storageUri"] = "https://user:secret@models.example.org/2?key=secret"
    failure = {"reason": "ModelLoadFailed", "message": "no space left"}
    value["status"]["canaryStatuses"] = [
        {
            "name": "challenger",
            "ready": False,
            "trafficPercent": 25,
            "modelStatus": {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": failure},
        }
    ]
    value["status"]["conditions"].append({"type": "PredictorReady", "status": "True"})
    stable, canary = read_inference_service(value).traffic
    assert stable == TrafficTarget("stable", 75, is_ready=True, storage_uri="s3://models/digits/1")
    assert canary == TrafficTarget(
        "challenger",
        25,
        is_latest=True,
        is_ready=False,
        failure="ModelLoadFailed: no space left",
        storage_uri="https://models.example.org/2",
    )


def test_the_newest_revision_that_is_not_ready() -> None:
    """Knative: the definition is that of the newest one; of the others nobody says it any more."""
    value = objects.load("knative_canary")
    value["status"]["components"]["predictor"]["latestReadyRevision"] = "penguins-predictor-00001"
    newest, before = read_inference_service(value).traffic
    assert (newest.is_ready, newest.storage_uri) == (False, "gs://models/penguins/8")
    assert (before.is_ready, before.storage_uri) == (None, "")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://iris.example.org",
        "https://user:secret@iris.example.org",
        "https://iris.example.org?token=secret",
        "https://iris.example.org#x",
        "https://iris.example.org:port",
        "https://[iris",
        "https://iris.example.org/a b",
        "https://",
        "javascript:alert(1)",
        "//iris.example.org",
    ],
)
def test_an_address_that_is_no_plain_http_address_is_left_out(url: str) -> None:
    """And told, without repeating what it holds."""
    value = objects.load("standard")
    value["status"]["url"] = url
    iris = read_inference_service(value)
    assert iris.url == ""
    assert iris.notes == (
        "status.url of InferenceService flowers/iris is no http address and was left out",
    )


@pytest.mark.parametrize("value", [None, [], {}, {"metadata": {"name": "m"}}, {"metadata": "x"}])
def test_an_object_without_a_name_is_none(value: Any) -> None:
    """Nothing can be said of it."""
    with pytest.raises(InvalidAnswerError, match="without name or namespace"):
        read_inference_service(value)


@pytest.mark.parametrize("garbage", [None, 7, "x", [], ["x"], {"x": 1}, [{"x": [1]}], True])
def test_garbage_anywhere_is_left_out(garbage: Any) -> None:
    """Each field of an object in turn holds something else; nothing is raised."""

    def spoil(value: Any) -> None:
        for name in list(value):
            if isinstance(value[name], dict) and name != "metadata":
                spoil(value[name])
            before, value[name] = value[name], garbage
            if not (name == "metadata" and spoilt is value):
                read_inference_service(spoilt).draft()
            value[name] = before

    for name in objects.NAMES:
        spoilt = objects.load(name)
        spoil(spoilt)


def test_a_message_about_a_storage_tells_no_credentials() -> None:
    """A signed address has its key in the query; whoever opens the page would read it."""
    signed = "https://me:s3cret@acc.blob.test/m/model.bin?sv=1&sig=s3cret"
    value = objects.load("standard")
    failed = {"type": "Ready", "status": "False", "message": f"can't load '{signed}', twice"}
    value["status"]["conditions"] = [failed]
    value["status"]["modelStatus"] = {"lastFailureInfo": {"reason": "Bad", "message": signed}}
    service = read_inference_service(value)
    assert service.conditions[0].message == "can't load 'https://acc.blob.test/m/model.bin', twice"
    assert service.failure == "Bad: https://acc.blob.test/m/model.bin"


def test_each_of_several_storages_tells_no_credentials() -> None:
    """Not the first alone."""
    value = objects.load("standard")
    uris = [{"uri": "s3://one/a"}, {"uri": "https://me:s3cret@two.test/b?sig=s3cret"}]
    predictor = {"model": {"modelFormat": {"name": "sklearn"}}, "storageUris": uris}
    value["spec"] = {"predictor": predictor}
    assert read_inference_service(value).storage_uri == "s3://one/a, https://two.test/b"


def test_long_texts_are_cut() -> None:
    """A message of a megabyte does not travel on."""
    value = objects.load("standard")
    value["status"]["conditions"] = [{"type": "Ready", "status": "False", "message": "x" * 10**6}]
    assert len(read_inference_service(value).readiness) < 1100


# Where to send requests


def test_endpoints_have_the_address_and_the_way_in_of_the_settings() -> None:
    """From outside, or from within the cluster."""
    way_in = {"auth": {"env": "TOKEN"}, "read_timeout_s": 7}
    outside = Kubernetes(namespaces=("flowers",), endpoint=way_in)
    endpoint = read("standard").endpoint(outside)
    assert endpoint.url == "https://iris-flowers.example.org"
    assert (endpoint.title, endpoint.read_timeout_s) == ("flowers/iris", 7)
    assert isinstance(endpoint.auth, BearerAuth)
    within = read("standard").endpoint(INSIDE)
    assert within.url == "http://iris-predictor.flowers.svc.cluster.local"


def test_a_gateway_gets_the_name_as_host() -> None:
    """Where DNS does not know it; a path of the address stays."""
    settings = Kubernetes(namespaces=("flowers",), gateway="http://10.0.0.7:8080/")
    value = objects.load("standard")
    value["status"]["url"] = "https://models.example.org/serving/flowers/iris"
    endpoint = read_inference_service(value).endpoint(settings)
    assert endpoint.url == "http://10.0.0.7:8080/serving/flowers/iris"
    assert endpoint.host == "models.example.org"


def test_without_an_address_it_says_how_the_model_is() -> None:
    """The reason is more use than a broken address."""
    with pytest.raises(ConfigurationError, match=r"flowers/fresh has no external address yet; it"):
        read("new").endpoint(FLOWERS)


def test_settings_that_do_not_fit_the_address() -> None:
    """TLS settings for an address without TLS are refused, as in a models file."""
    settings = Kubernetes(namespaces=("f",), address="internal", endpoint={"verify": False})
    with pytest.raises(ConfigurationError, match=r"does not fit http://iris-predictor.*need a URL"):
        read("standard").endpoint(settings)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "name namespaces, or set all_namespaces"),
        ({"namespaces": ("a",), "all_namespaces": True}, "name namespaces, or set"),
        ({"namespaces": ("a",), "endpoint": {"url": "http://x"}}, "url comes from"),
        ({"namespaces": ("a",), "endpoint": {"host": "x"}}, "host comes from"),
        ({"namespaces": ("a",), "gateway": "ftp://x"}, "http://host"),
        ({"namespaces": ("a",), "gateway": "http://x", "address": "internal"}, "from outside"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    given: dict[str, Any], problem: str
) -> None:
    """With what to write instead."""
    with pytest.raises(ValueError, match=problem):
        Kubernetes(**given)


# Annotations


def test_a_form_annotation_becomes_a_draft() -> None:
    """Features in their order, each with what is written and nothing else."""
    draft = read("standard").draft()
    assert draft.source == Source("Kubernetes", "InferenceService flowers/iris")
    assert draft.features == (
        {"name": "sepal length", "unit": "cm", "min": 4, "max": 8, "step": 0.1},
        {"name": "sepal width", "unit": "cm", "min": 2, "max": 4.5, "step": 0.1},
    )
    (output,) = draft.outputs
    assert output["labels"] == ("setosa", "versicolor", "virginica")
    assert dict(draft.tensors) == {"input": "input-0"}
    assert draft.examples == {"A setosa": {"sepal length": 5.1, "sepal width": 3.5}}
    assert {name: draft.about[name] for name in ("title", "owner", "framework", "readiness")} == {
        "title": "Iris species",
        "owner": "Flower team",
        "framework": "sklearn",
        "readiness": "ready",
    }
    assert draft.about["links"][0].url == "https://wiki.example.org/iris"
    assert draft.notes == ()


def test_a_draft_says_only_what_the_object_says() -> None:
    """No annotation, no title; no status, no traffic."""
    draft = read("new").draft()
    assert set(draft.about) == {"framework", "storage_uri", "readiness"}
    assert (draft.features, draft.outputs, draft.examples) == ((), (), {})


def test_an_entry_as_a_models_file_would_have_it() -> None:
    """For those who know models by the file alone."""
    entry = read("standard").entry
    assert (entry.title, entry.inference_service) == ("Iris species", "flowers/iris")
    assert (entry.mlflow, entry.endpoint, entry.model_name) == ("models:/iris@champion", None, None)
    assert entry.examples[0].expect == "setosa"


def test_mistakes_of_an_annotation_become_notes() -> None:
    """Each with annotation, line, field and problem; what is right stays."""
    digits = read("standard_canary")
    form = "annotation kserve-client/form of InferenceService pictures/digits"
    settings = "title, description, owner, links, model_name, model_version, signature, examples"
    wanted = "models:/NAME@ALIAS, models:/NAME/VERSION or models:/m-…"
    assert digits.notes == (
        f"{form}, line 2: endpoint: is no setting here; there are {settings}",
        f"{form}, line 5: signature.features.0.shap: is no setting here; did you mean shape?",
        f"{form}, line 8: examples.0.row.pixels: an annotation holds values, no files",
        f"annotation kserve-client/mlflow of InferenceService pictures/digits: must be {wanted}",
        "status.url of InferenceService pictures/digits is no http address and was left out",
    )
    assert digits.draft().about["title"] == "Digits"
    assert (digits.mlflow, digits.draft().features) == (None, ())
    assert digits.draft().notes == digits.notes


@pytest.mark.parametrize(
    ("form", "note"),
    [
        ("title: [", "not valid YAML"),
        ("- title: x", "is no mapping of title, description"),
        ("", "is no mapping of title"),
        ("title: " + "x" * 100_000, "is longer than 100000 characters"),
        ("title: &a x\nowner: *a", "aliases"),
        ("title: x\ntitle: y", "line 2: title: this key stands twice"),
        ("title: 7", "title: must be a text"),
        ("links: [{title: x, url: 'javascript:alert(1)'}]", "links.0.url"),
        ("model_name: ''", "model_name: String should have at least 1 character"),
        ("examples: [{name: x, row: {a: {b: 1}}}]", "holds values, no files"),
        ("signature: {features: [{name: a, min: .nan}]}", "features.0.min"),
        ("signature: {features: [{name: a}, {name: a}]}", "more than one feature is named a"),
        ("auth: {env: TOKEN}", "auth: is no setting here"),
        ("sample: /etc/passwd", "sample: is no setting here"),
        ("1: x", "1: is no setting here"),
        ("[[" * 5000, "not valid YAML"),
        ("!!python/object/apply:os.system [id]", "not valid YAML"),
    ],
)
def test_a_form_that_is_wrong_is_left_out_with_a_note(form: str, note: str) -> None:
    """Nothing of it is in the draft, and nothing is raised."""
    found = annotated(form)
    assert len(found.notes) == 1, found.notes
    assert found.notes[0].startswith("annotation kserve-client/form of InferenceService ns/m")
    assert note in found.notes[0]
    assert set(found.draft().about) == {"readiness"}
    assert found.draft().features == ()


def test_a_bomb_of_aliases_does_not_go_off() -> None:
    """Nine lists of nine of the one before would be a billion values."""
    lines = ["a0: &a0 [x]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)
    ]
    assert "aliases" in annotated("\n".join(lines)).notes[0]


@pytest.mark.parametrize(
    "form", ["title: !" + "x" * 90_000, "[" * 90_000, f"examples: {[1] * 30_000}"]
)
def test_a_long_mistake_is_told_shortly(form: str) -> None:
    """And found in a few seconds, once: the next object with the same annotation costs nothing."""
    assert len(annotated(form).notes[0]) <= 501
    read_before = read_annotations._read_form.cache_info().misses
    annotated(form)
    assert read_annotations._read_form.cache_info().misses == read_before


def test_a_form_may_be_json() -> None:
    """Indented with tabs too, which YAML does not take."""
    form = {"title": "Mine\tand yours", "signature": {"outputs": [{"name": "o", "kind": "value"}]}}
    found = annotated(json.dumps(form, indent="\t"))
    assert found.notes == ()
    assert found.draft().about["title"] == "Mine\tand yours"
    assert found.draft().outputs == ({"name": "o", "kind": "value"},)


def test_a_form_may_name_the_model_on_its_server() -> None:
    """That wins over what the arguments of the server say."""
    value = objects.load("old_style")
    value["metadata"]["annotations"] = {"kserve-client/form": "model_name: mine"}
    assert read_inference_service(value).served_name == "mine"


@pytest.mark.parametrize(
    "reference",
    ["models:/iris@champion", "models:/iris/3", "models:/m-0123456789abcdef0123456789abcdef"],
)
def test_a_reference_to_mlflow(reference: str) -> None:
    """In the forms that MLflow itself writes."""
    found = annotated("title: x", **{"kserve-client/mlflow": reference})
    assert (found.mlflow, found.notes) == (reference, ())


@pytest.mark.parametrize("reference", ["http://host/x", "models:/iris", "runs:/1/model", 7, ""])
def test_a_reference_that_is_none(reference: Any) -> None:
    """No host of an annotation is ever asked."""
    found = annotated("title: x", **{"kserve-client/mlflow": reference})
    assert found.mlflow is None
    assert "must be models:/NAME@ALIAS" in found.notes[0]


# The documentation


def documented() -> list[dict[str, Any]]:
    """The YAML documents in docs/kubernetes.md."""
    text = (Path(__file__).resolve().parents[3] / "docs" / "kubernetes.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    return [document for block in blocks for document in yaml.safe_load_all(block)]


def test_the_documented_models_files_are_valid() -> None:
    """Each example can be copied."""
    files = [one for one in documented() if "version" in one]
    parsed = [parse_models_file(yaml.safe_dump(one), source="docs", folder=Path()) for one in files]
    assert [one.kubernetes.namespaces for one in parsed if one.kubernetes] == [
        ("flowers", "houses"),
        ("flowers",),
    ]


def test_the_documented_annotations_are_read() -> None:
    """Without a note."""
    (value,) = [one for one in documented() if one.get("kind") == "InferenceService"]
    iris = read_inference_service(value)
    assert iris.notes == ()
    assert (iris.mlflow, len(iris.draft().features)) == ("models:/iris@champion", 2)


def test_the_documented_role_allows_what_is_asked_and_no_more() -> None:
    """Reading InferenceServices."""
    (role,) = [one for one in documented() if one.get("kind") == "Role"]
    assert role["rules"] == [
        {
            "apiGroups": ["serving.kserve.io"],
            "resources": ["inferenceservices"],
            "verbs": ["get", "list", "watch"],
        }
    ]


def test_each_setting_is_documented() -> None:
    """With the words of its name."""
    text = (Path(__file__).resolve().parents[3] / "docs" / "kubernetes.md").read_text()
    assert [name for name in Kubernetes.model_fields if f"| `{name}` |" not in text] == []


# The objects themselves


@pytest.mark.parametrize("kind", ["full", "minimal"])
def test_the_objects_are_valid_under_the_real_definition(kind: str) -> None:
    """So that these tests hold something real. KSERVE_CLIENT_CRDS names a folder of definitions."""
    path = definition(kind)
    schema = crds.load_schema(path, "v1beta1")
    found = {name: crds.problems(objects.load(name), schema) for name in objects.NAMES}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value["spec"]["predictor"]["model"].update(storageURI="x"),
        lambda value: value["status"].update(url=7),
        lambda value: value["spec"].pop("predictor"),
    ],
)
def test_the_real_definition_refuses_what_is_wrong(spoil: Callable[[Any], None]) -> None:
    """A field that it does not know, another type, a field that lacks."""
    schema = crds.load_schema(definition("full"), "v1beta1")
    value = objects.load("standard")
    spoil(value)
    assert len(crds.problems(value, schema)) == 1


def definition(kind: str) -> Path:
    """The file of the InferenceService's definition; skip where there is none."""
    folder = os.environ.get("KSERVE_CLIENT_CRDS")
    if not folder:
        pytest.skip(
            "KSERVE_CLIENT_CRDS names no folder of CustomResourceDefinitions; the live tests hold types"
        )
    return Path(folder) / "kserve" / kind / "serving.kserve.io_inferenceservices.yaml"
