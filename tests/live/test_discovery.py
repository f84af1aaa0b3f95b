"""A model found in a cluster answers: the stand-in of its API, and a real MLServer behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kserve_client import Catalog
from scripts.demo_models import EXAMPLES
from scripts.mlserver import MLServer
from tests.kubernetes_api import KubernetesAPI, kubernetes_api, write_kubeconfig
from tests.unit.catalog import objects

SETOSA = {"sepal length": 5.1, "sepal width": 3.5, "petal length": 1.4, "petal width": 0.2}


@pytest.fixture
def cluster(mlserver: MLServer) -> Iterator[KubernetesAPI]:
    """Run the API of a cluster whose InferenceService iris is the MLServer of the demo."""
    iris = objects.load("standard")
    entry = yaml.safe_load((EXAMPLES / "models.yaml").read_text())["models"]["iris"]
    iris["metadata"]["annotations"] = {
        "kserve-client/form": json.dumps({name: entry[name] for name in ("title", "signature")})
    }
    iris["status"]["url"] = mlserver.url
    with kubernetes_api() as api:
        api.put(iris)
        yield api


def catalog_of(cluster: KubernetesAPI, folder: Path, **settings: str) -> Catalog:
    """The catalog of a models file that names the cluster alone."""
    kubeconfig = write_kubeconfig(folder / "kubeconfig", cluster)
    kubernetes = {"namespaces": ["flowers"], "kubeconfig": str(kubeconfig), **settings}
    (folder / "models.yaml").write_text(yaml.safe_dump({"version": 1, "kubernetes": kubernetes}))
    return Catalog.load(folder / "models.yaml")


def test_a_model_of_the_cluster_predicts(cluster: KubernetesAPI, tmp_path: Path) -> None:
    """With the address of its status and the form of its annotation; the file says nothing of it."""
    catalog = catalog_of(cluster, tmp_path)
    assert [*catalog] == ["flowers/iris"]
    assert catalog.title("flowers/iris") == "Iris species"
    assert catalog.model("flowers/iris").predict(SETOSA)[0].label == "Iris setosa"


def test_a_model_behind_a_gateway_predicts(
    cluster: KubernetesAPI, mlserver: MLServer, tmp_path: Path
) -> None:
    """The request goes to the gateway, though DNS does not know the model's name."""
    iris = cluster.page("flowers", {})["items"][0]
    iris["status"]["url"] = "http://iris-flowers.example.invalid"
    cluster.put(iris)
    catalog = catalog_of(cluster, tmp_path, gateway=mlserver.url)
    assert catalog.model("flowers/iris").predict(SETOSA)[0].label == "Iris setosa"
    assert catalog.endpoint("flowers/iris").host == "iris-flowers.example.invalid"
