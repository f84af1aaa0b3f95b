"""Every object of deploy/ is one that a cluster takes, by its real definition."""

from __future__ import annotations

import copy
import os
from functools import cache
from pathlib import Path

import pytest
import yaml

from kserve_client.catalog.inference_services import read_inference_service
from scripts import deploy
from tests.chart.engines import Engines
from tests.deploy.objects import EVERY_OBJECT, FILES, MANIFESTS, NAMES, Object, object_of, values_of
from tests.unit.catalog.crds import load_schema, problems

KUBERNETES = ("1.27", "1.32", "1.37")
CRDS = {
    "InferenceService": ("kserve/full/serving.kserve.io_inferenceservices.yaml", "v1beta1"),
    "Gateway": ("gateway-api/standard/gateway.networking.k8s.io_gateways.yaml", "v1"),
    "Application": ("argo-cd/application-crd.yaml", "v1alpha1"),
    "AppProject": ("argo-cd/appproject-crd.yaml", "v1alpha1"),
    "SealedSecret": ("sealed-secrets/bitnami.com_sealedsecrets.yaml", "v1alpha1"),
}
SEALED = {
    "apiVersion": "bitnami.com/v1alpha1",
    "kind": "SealedSecret",
    "metadata": {"name": "kserve-aws-credentials", "namespace": "kserve"},
    "spec": {
        "encryptedData": {"AWS_ACCESS_KEY_ID": "AgBx", "AWS_SECRET_ACCESS_KEY": "AgBy"},
        "template": {"metadata": {"name": "kserve-aws-credentials", "namespace": "kserve"}},
    },
}


def definition(kind: str) -> Path:
    """Return the file of a CustomResourceDefinition."""
    path = Path(os.environ.get("KSERVE_CLIENT_CRDS", ""), CRDS[kind][0])
    if not os.environ.get("KSERVE_CLIENT_CRDS") or not path.is_file():
        pytest.skip("KSERVE_CLIENT_CRDS names no folder with the definitions")
    return path


@cache
def schema_of(path: Path, version: str) -> Object:
    """Return a schema, read once: KServe's has two megabytes."""
    return load_schema(path, version)


def told(helm: Engines, value: Object) -> list[str]:
    """What a cluster would say against an object: schema and rules."""
    kind = value["kind"]
    if kind not in CRDS:
        found = [helm.ask("validate", value=value, version=version) for version in KUBERNETES]
        assert None not in found, f"{kind} is neither Kubernetes' own nor of a definition here"
        return [problem for problems_ in found for problem in problems_]
    path, version = definition(kind), CRDS[kind][1]
    broken = helm.ask("rules", value=value, crd=str(path), version=version)
    return [*problems(value, schema_of(path, version)), *broken]


@pytest.mark.parametrize(
    ("name", "value"),
    EVERY_OBJECT,
    ids=[f"{name}-{one['kind']}-{one['metadata']['name']}" for name, one in EVERY_OBJECT],
)
def test_every_object_is_taken(helm: Engines, name: str, value: Object) -> None:
    """No unknown field, no wrong type, no broken rule."""
    assert told(helm, value) == [], name


def test_a_sealed_secret_of_the_script_is_taken(helm: Engines) -> None:
    """What kubeseal writes has this form; the key to write it is that of a cluster."""
    assert told(helm, SEALED) == []
    assert told(helm, SEALED | {"spec": {"encryptedDate": {}}}) != []


@pytest.mark.parametrize(
    ("name", "kind", "path"),
    [
        (
            "models/inferenceservice.yaml",
            "InferenceService",
            ("spec", "predictor", "model", "storageURI"),
        ),
        ("gateway/gateway.yaml", "Gateway", ("spec", "listener")),
        ("argocd/project.yaml", "AppProject", ("spec", "sourceRepo")),
    ],
)
def test_a_mistake_would_be_seen(
    helm: Engines, name: str, kind: str, path: tuple[str, ...]
) -> None:
    """A field that there is not is told: the check above can fail."""
    value = copy.deepcopy(object_of(name, kind))
    at = value
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = "x"
    assert told(helm, value) != []


def test_a_broken_rule_would_be_seen(helm: Engines) -> None:
    """Two listeners of one port and name are refused by a rule, not by the schema."""
    gateway = copy.deepcopy(object_of("gateway/gateway.yaml", "Gateway"))
    gateway["spec"]["listeners"] *= 2
    assert any("unique" in problem.lower() for problem in told(helm, gateway))


def test_our_chart_takes_its_values(helm: Engines) -> None:
    """The dashboard's values render; its Role sees the namespace of the models and no more."""
    rendered = helm.render(values_of("dashboard/values.yaml"))
    assert [one["metadata"]["namespace"] for one in rendered.all("Role")] == [NAMES["NAMESPACE"]]
    (route,) = rendered.all("HTTPRoute")
    assert route["spec"]["hostnames"] == ["dashboard.models.example.org"]


def test_the_dashboard_reads_every_inference_service() -> None:
    """Discovery takes from each what it says: protocol, framework, runtime, files, MLflow model."""
    services = {
        name: read_inference_service(object_of(name, "InferenceService"))
        for name in MANIFESTS
        if "inferenceservice" in name
    }
    assert {name: one.notes for name, one in services.items() if one.notes} == {}
    assert {name: (one.model_format, one.mlflow) for name, one in services.items()} == {
        "models/inferenceservice.yaml": ("sklearn", "models:/iris-classifier@champion"),
        "variants/inferenceservice-canary.yaml": ("sklearn", "models:/iris-classifier@champion"),
        "variants/inferenceservice-mlserver.yaml": ("mlflow 2", "models:/iris-classifier@champion"),
    }
    assert {one.protocol for one in services.values()} == {"v2"}
    assert {one.deployment_mode for one in services.values()} == {"Standard"}


def test_the_files_are_there_for_every_kind_of_the_guide() -> None:
    """What issue and guide name is in deploy/."""
    kinds = {one["kind"] for _, one in EVERY_OBJECT}
    assert kinds >= {
        "Namespace",
        "ServiceAccount",
        "InferenceService",
        "Gateway",
        "Application",
        "AppProject",
    }
    assert {"s3/mlflow-policy.json", "s3/kserve-policy.json", "mlflow/values.yaml"} <= set(FILES)
    assert deploy.NAMES.is_file()
    assert (
        yaml.safe_load(FILES["kserve/values.yaml"])["kserve"]["controller"]["deploymentMode"]
        == "Standard"
    )
