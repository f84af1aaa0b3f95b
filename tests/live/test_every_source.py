"""One model with everything: all five sources, each real, make one form and one prediction.

MLflow logged it, MLServer serves the very file that MLflow keeps, a cluster (the stand-in of its
API) says where, the models file adds words, and a CSV the distributions.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from dashboard.settings import settings
from kserve_client import Catalog
from kserve_client.catalog import Description
from kserve_client.catalog.mlflow import Registry
from kserve_client.cli import main
from kserve_client.endpoint import Endpoint
from scripts.mlserver import MLServer
from tests import needs
from tests.kubernetes_api import KubernetesAPI, kubernetes_api, write_kubeconfig
from tests.live.logged_models import Logged
from tests.servers import ROOT
from tests.unit.catalog import objects

COLUMNS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
SETOSA = dict(zip(COLUMNS, [5.1, 3.5, 1.4, 0.2], strict=True))
VIRGINICA = dict(zip(COLUMNS, [7.2, 3.6, 6.1, 2.5], strict=True))
SAMPLE = f"{','.join(COLUMNS)},species\n5.1,3.5,1.4,0.2,0\n5.8,2.7,4.1,1.0,1\n7.2,3.6,6.1,2.5,2\n"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(logged: Logged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLServer]:
    """Run a MLServer on the file that MLflow keeps of version 1."""
    with Registry(Endpoint(url=logged.server.url)) as registry:
        first = next(one for one in registry.versions("iris") if one.version == "1")
    folder = tmp_path_factory.mktemp("served")
    home = folder / "models" / "iris"
    home.mkdir(parents=True)
    shutil.copy(logged.pickle_of(first.model_id), home / "model.pkl")
    said = {
        "name": "iris",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "platform": "sklearn",
        "inputs": [{"name": name, "datatype": "FP64", "shape": [-1, 1]} for name in COLUMNS],
        "outputs": [{"name": "predict", "datatype": "INT64", "shape": [-1, 1]}],
        "parameters": {"uri": "./model.pkl"},
    }
    (home / "model-settings.json").write_text(json.dumps(said))
    with MLServer(needs.mlserver_python(), folder / "models", folder / "mlserver.log") as running:
        yield running


@pytest.fixture(scope="module")
def cluster(server: MLServer) -> Iterator[KubernetesAPI]:
    """Run the API of a cluster that names the MLflow model and adds a help text."""
    iris = objects.load("standard")
    form = {"signature": {"features": [{"name": COLUMNS[0], "help": "The leaf that hangs down."}]}}
    iris["metadata"]["annotations"] = {
        "kserve-client/mlflow": "models:/iris/1",
        "kserve-client/form": json.dumps(form),
    }
    iris["status"]["url"] = server.url
    with kubernetes_api() as api:
        api.put(iris)
        yield api


@pytest.fixture
def models_file(cluster: KubernetesAPI, logged: Logged, tmp_path: Path) -> Path:
    """Write a models file that refers to all of them."""
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", cluster)
    (tmp_path / "rows.csv").write_text(SAMPLE)
    features = [{"name": COLUMNS[1], "title": "Width of the sepals"}]
    content = {
        "version": 1,
        "mlflow": {"url": logged.server.url},
        "kubernetes": {"namespaces": ["flowers"], "kubeconfig": str(kubeconfig)},
        "models": {
            "iris": {
                "inference_service": "iris",
                "owner": "Botany",
                "signature": {"features": features},
                "sample": {"file": "rows.csv", "leave_out": ["species"], "fills_gaps": True},
            }
        },
    }
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def source(description: Description, *path: str) -> str:
    (found,) = [f for f in description.facts if (*f.of, f.setting) == path]
    return found.source.kind


def test_each_fact_has_its_source(models_file: Path) -> None:
    """All five say something, and nothing of it is lost."""
    found = Catalog.load(models_file).describe("iris")
    assert found.failures == ()
    assert source(found, "tensors", "layout") == "MLflow"
    assert source(found, "about", "platform") == "server metadata"
    assert source(found, "features", COLUMNS[0], "unit") == "MLflow"
    assert source(found, "features", COLUMNS[0], "max") == "MLflow"
    assert source(found, "features", COLUMNS[0], "help") == "Kubernetes"
    assert source(found, "features", COLUMNS[1], "title") == "models file"
    assert source(found, "features", COLUMNS[0], "reference") == "sample"
    assert source(found, "outputs", "output-0", "labels") == "MLflow"
    assert found.about("owner") == "Botany"
    assert found.about("metrics")["accuracy"] > 0.9
    assert found.signature is not None
    first = found.signature.features[0]
    assert (first.title, first.unit, first.min, first.max, first.step) == (
        "Sepal length",
        "cm",
        4,
        8,
        0.1,
    )
    assert first.reference is not None
    assert first.reference.rows == 3


def test_it_predicts_in_words(models_file: Path) -> None:
    """The labels come from MLflow, the columns in the order of the training."""
    model = Catalog.load(models_file).model("iris")
    labels = [prediction.label for prediction in model.predict([SETOSA, VIRGINICA])]
    assert labels == ["Iris setosa", "Iris virginica"]


def test_the_command_line_knows_it(models_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the key of the models file."""
    asked = ["--models", str(models_file)]
    assert main([*asked, "predict", "iris", "--input", json.dumps(SETOSA)]) == 0
    assert capsys.readouterr().out.startswith("Iris setosa")
    assert main([*asked, "describe", "iris", "--json"]) == 0
    said = {
        fact["source"].partition(":")[0] for fact in json.loads(capsys.readouterr().out)["facts"]
    }
    assert said == {"server metadata", "MLflow", "Kubernetes", "models file", "sample"}


def test_the_dashboard_builds_its_form(models_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sliders with the ranges of MLflow, titles of the file, and an answer in words."""
    monkeypatch.setenv("KSERVE_CLIENT_MODELS", str(models_file))
    settings.cache_clear()
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.run()
    app.switch_page("pages/predict.py").run()
    assert not app.exception
    labels = [slider.label for slider in app.slider]
    assert labels[0].startswith("Sepal length (cm)")
    assert labels[1].startswith("Width of the sepals (cm)")
    assert (app.slider[0].min, app.slider[0].max) == (4.0, 8.0)
    assert any(
        "Iris" in block.value for block in [*app.title, *app.header, *app.markdown, *app.subheader]
    )
