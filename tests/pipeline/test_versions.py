"""A second version beside the first: the registry, both forms, a canary, and the alias that moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from streamlit.testing.v1 import AppTest

from dashboard.settings import settings
from kserve_client import Catalog, Endpoint
from kserve_client.catalog.mlflow import Registry
from scripts import deploy
from scripts.kserve_server import KServeServer
from scripts.pipeline import serving
from scripts.pipeline.registry import Version
from tests.dashboard.reading import plain
from tests.kubernetes_api import kubernetes_api, write_kubeconfig
from tests.pipeline.conftest import Went
from tests.servers import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SETOSA = {
    "sepal length (cm)": 5.1,
    "sepal width (cm)": 3.5,
    "petal length (cm)": 1.4,
    "petal width (cm)": 0.2,
}


@dataclass(frozen=True)
class Two:
    """Two versions that are served, and a models file on a cluster that knows of both."""

    went: Went
    challenger: Version
    canary: KServeServer
    models_file: Path


@pytest.fixture(scope="module")
def two(went: Went, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Run the notebook with another algorithm, serve what it logged, and tell the cluster."""
    road, folder = went.road, tmp_path_factory.mktemp("two")
    road.train(went.mlflow, ALGORITHM="random forest", ALIAS="challenger")
    challenger = road.champion(went.mlflow, went.bucket, alias="challenger")
    serving.lay_out_kserve(folder / "kserve", road.fetch(went.bucket, challenger), road.model)
    canary = KServeServer(road.pythons.kserve, folder / "kserve", folder / "kserve.log")
    with canary, kubernetes_api() as api:
        api.put(canaried(went, challenger))
        kubeconfig = write_kubeconfig(folder / "kubeconfig", api)
        content = {
            "version": 1,
            "mlflow": {"url": went.mlflow.url},
            "kubernetes": {"namespaces": ["kserve"], "kubeconfig": str(kubeconfig)},
            "endpoints": {"canary": {"url": canary.url}},
            "models": {
                "challenger": {
                    "endpoint": "canary",
                    "model_name": road.model,
                    "mlflow": f"models:/{road.model}@challenger",
                }
            },
        }
        models_file = folder / "models.yaml"
        models_file.write_text(yaml.safe_dump(content))
        yield Two(went, challenger, canary, models_file)


def canaried(went: Went, challenger: Version) -> dict[str, Any]:
    """The InferenceService of deploy/ with a canary, and the status that KServe 0.20 gives it."""
    names = deploy.read_names() | {
        "NAMESPACE": "kserve",
        "MODEL_PATH": went.version.path,
        "CANARY_PATH": challenger.path,
    }
    text = deploy.rendered(names)["variants/inferenceservice-canary.yaml"]
    found: dict[str, Any] = yaml.safe_load(text)
    ready = [
        {"type": kind, "status": "True"} for kind in ("PredictorReady", "CanaryReady", "Ready")
    ]
    found["status"] = {
        "deploymentMode": "Standard",
        "clusterServingRuntimeName": "kserve-sklearnserver",
        "url": went.road.kserve.url,
        "canaryStatuses": [{"name": "challenger", "ready": True, "trafficPercent": 10}],
        "conditions": ready,
        "modelStatus": {
            "transitionStatus": "UpToDate",
            "copies": {"failedCopies": 0, "totalCopies": 10},
        },
    }
    return found


def test_the_registry_has_both(two: Two) -> None:
    """Each with its alias, and each with files of its own."""
    with Registry(Endpoint(url=two.went.mlflow.url)) as registry:
        versions = registry.versions("iris-classifier")
    assert [(one.version, one.aliases) for one in versions] == [
        ("2", ("challenger",)),
        ("1", ("champion",)),
    ]
    assert two.challenger.path != two.went.version.path


def test_both_are_in_the_catalog_side_by_side(two: Two) -> None:
    """The one that discovery found and the one of the file: a form each, of its own version."""
    catalog = Catalog.load(two.models_file)
    assert sorted(catalog) == ["challenger", "kserve/iris-classifier"]
    found = {name: catalog.describe(name) for name in catalog}
    assert {name: one.about("version") for name, one in found.items()} == {
        "challenger": "2",
        "kserve/iris-classifier": "1",
    }
    for name, one in found.items():
        assert [feature.unit for feature in one.signature.features] == ["cm"] * 4  # type: ignore[union-attr]
        assert catalog.model(name, one).predict(SETOSA)[0].label == "Iris setosa"


def test_the_canary_is_told_as_kserve_reports_it(two: Two) -> None:
    """Nine requests in ten go to the stable predictor."""
    service = Catalog.load(two.models_file).service("kserve/iris-classifier")
    assert service is not None
    assert [str(target) for target in service.traffic] == ["stable 90 %", "challenger 10 %"]
    assert service.state == "ready"
    assert service.storage_uri == two.went.version.storage_uri(two.went.bucket)


def test_the_details_page_shows_the_split(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a line at the top and as a table: who gets which share, of which version, and is it ready."""
    monkeypatch.setenv("KSERVE_CLIENT_MODELS", str(two.models_file))
    settings.cache_clear()
    app = details()
    # The cluster is watched beside the pages: the first look may come before the first answer.
    deadline = time.monotonic() + 60
    while not (tables := splits(app)) and time.monotonic() < deadline:
        app = details()
    assert not app.exception
    (split,) = tables
    shown = [[plain(cell) for cell in row] for row in split.to_numpy().tolist()]
    assert list(split.columns) == ["Requests", "Revision", "State", "Serves"]
    assert shown == [
        ["90 %", "stable", "ready", "version 1, champion"],
        ["10 %", "challenger canary", "ready", "version 2, challenger"],
    ]
    line = next(one.value for one in app.markdown if "Requests: " in one.value)
    assert plain(line) == (
        "Requests: 90 % stable (version 1, champion) · "
        "10 % challenger (version 2, challenger)  ready"
    )


def details() -> AppTest:
    """Open the page of the model that discovery found."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["m"] = "kserve/iris-classifier"
    return app.switch_page("pages/model.py").run()


def splits(app: AppTest) -> list[Any]:
    """Return the tables of revisions that a page shows."""
    return [table.value for table in app.table if "Revision" in table.value.columns]


def test_the_alias_moves_the_form(two: Two) -> None:
    """Whoever asks for the champion gets version 2 then; nothing is deployed for it."""
    url = f"{two.went.mlflow.url}/api/2.0/mlflow/registered-models/alias"
    try:
        given = {"name": "iris-classifier", "alias": "champion", "version": "2"}
        requests.post(url, json=given, timeout=30).raise_for_status()
        described = Catalog.load(two.models_file).describe("kserve/iris-classifier")
        assert described.about("version") == "2"
    finally:
        requests.post(url, json=given | {"version": "1"}, timeout=30).raise_for_status()
    assert Catalog.load(two.models_file).describe("kserve/iris-classifier").about("version") == "1"
