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
from tests.chart.engines import CHART, Engines
from tests.deploy.objects import EVERY_OBJECT, FILES, MANIFESTS, NAMES, Object, object_of, values_of
from tests.unit.catalog.crds import load_schema, problems

KUBERNETES = ("1.27", "1.32", "1.37")
CRDS = {
    "InferenceService": ("kserve/full/serving.kserve.io_inferenceservices.yaml", "v1beta1"),
    "ServingRuntime": ("kserve/full/serving.kserve.io_servingruntimes.yaml", "v1alpha1"),
    "Gateway": ("gateway-api/standard/gateway.networking.k8s.io_gateways.yaml", "v1"),
    "Application": ("argo-cd/application-crd.yaml", "v1alpha1"),
    "AppProject": ("argo-cd/appproject-crd.yaml", "v1alpha1"),
    "SealedSecret": ("sealed-secrets/bitnami.com_sealedsecrets.yaml", "v1alpha1"),
}
# Checked by hand, below: its definition is not among those here.
BY_HAND = {"Certificate"}
OBJECTS = [(name, one) for name, one in EVERY_OBJECT if one["kind"] not in BY_HAND]
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
    OBJECTS,
    ids=[f"{name}-{one['kind']}-{one['metadata']['name']}" for name, one in OBJECTS],
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


def test_the_certificate_is_the_gateways() -> None:
    """Fields as cert-manager's definition has them; the secret, names and namespace of the Gateway."""
    certificate = object_of("gateway/certificate.yaml", "Certificate")
    gateway = object_of("gateway/gateway.yaml", "Gateway")
    (listener,) = gateway["spec"]["listeners"]
    (secret,) = listener["tls"]["certificateRefs"]
    assert certificate["apiVersion"] == "cert-manager.io/v1"
    assert certificate["metadata"]["namespace"] == gateway["metadata"]["namespace"]
    assert certificate["spec"] == {
        "secretName": secret["name"],
        "dnsNames": [listener["hostname"]],
        "issuerRef": {
            "group": "cert-manager.io",
            "kind": "ClusterIssuer",
            "name": NAMES["CERTIFICATE_ISSUER"],
        },
    }
    assert listener["port"] == int(NAMES["GATEWAY_PORT"])


def test_our_chart_takes_its_values(helm: Engines) -> None:
    """The dashboard's values render; its Role sees the namespace of the models and no more."""
    rendered = helm.render(values_of("dashboard/values.yaml"), name="kserve-client")
    assert [one["metadata"]["namespace"] for one in rendered.all("Role")] == [NAMES["NAMESPACE"]]
    assert rendered.all("HTTPRoute") == []
    assert rendered.container()["image"] == f"{NAMES['IMAGE']}:{NAMES['IMAGE_TAG']}"
    service = rendered.one("Service")
    assert service["metadata"]["name"] == "kserve-client"
    assert [port["port"] for port in service["spec"]["ports"]] == [80]


def test_the_dashboards_route_may_be_switched_on(helm: Engines) -> None:
    """It hangs on the Gateway and has a name below the domain."""
    values = copy.deepcopy(values_of("dashboard/values.yaml"))
    values["httpRoute"]["enabled"] = True
    (route,) = helm.render(values).all("HTTPRoute")
    assert route["spec"]["hostnames"] == ["dashboard.models.example.org"]
    (parent,) = route["spec"]["parentRefs"]
    assert parent["name"] == object_of("gateway/gateway.yaml", "Gateway")["metadata"]["name"]


def test_the_image_is_of_the_chart() -> None:
    """The tag to build and push is the version that the chart was made for."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert NAMES["IMAGE_TAG"] == chart["appVersion"]


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
        "ServingRuntime",
        "Gateway",
        "Certificate",
        "Application",
        "AppProject",
    }
    assert {"s3/mlflow-policy.json", "s3/kserve-policy.json", "mlflow/values.yaml"} <= set(FILES)
    assert deploy.NAMES.is_file()
    assert (
        yaml.safe_load(FILES["kserve/values.yaml"])["kserve"]["controller"]["deploymentMode"]
        == "Standard"
    )
