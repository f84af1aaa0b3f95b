"""Every object of every example is one that Kubernetes takes, and they fit each other."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.engines import CHART, EXAMPLES, Engines, Object, Rendered, values_of
from tests.unit.catalog.crds import load_schema, problems
from tests.unit.documents.pages import DOCS, blocks

# The oldest that Chart.yaml allows, one between, and the newest whose schemas there are.
KUBERNETES = ("1.27", "1.32", "1.37")
# Where the CRDs lie below KSERVE_CLIENT_CRDS.
CRDS = {
    "HTTPRoute": ("gateway-api/standard/gateway.networking.k8s.io_httproutes.yaml", "v1"),
    "ServiceMonitor": (
        "prometheus-operator/monitoring.coreos.com_servicemonitors.yaml",
        "v1",
    ),
    "PrometheusRule": (
        "prometheus-operator/monitoring.coreos.com_prometheusrules.yaml",
        "v1",
    ),
}
EXPERIMENTAL = "gateway-api/experimental/gateway.networking.k8s.io_httproutes.yaml"
# Kinds of others whose CRD is not at hand; tests/chart/test_gateway.py shows that Traefik reads it.
NO_CRD = {"TraefikService"}
# RFC 1123, what the API holds names to.
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_object_is_as_kubernetes_says(
    helm: Engines, examples: dict[str, Rendered], name: str, version: str
) -> None:
    """No unknown field, no wrong type, nothing left out, by the schemas of the API itself."""
    for one in examples[name].objects:
        found = helm.ask("validate", value=one, version=version)
        if found is None:
            assert one["kind"] in {*CRDS, *NO_CRD}
        else:
            assert found == [], one


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_object_of_others_is_as_their_crd_says(
    helm: Engines, examples: dict[str, Rendered], name: str
) -> None:
    """Fields by the schema, rules in CEL, from the definitions that KSERVE_CLIENT_CRDS names."""
    folder = crds()
    for one in examples[name].objects:
        if one["kind"] in CRDS:
            path, version = CRDS[one["kind"]]
            if is_experimental(one):
                path = EXPERIMENTAL
            assert problems(one, load_schema(folder / path, version)) == []
            assert helm.ask("rules", value=one, crd=str(folder / path), version=version) == []


def crds() -> Path:
    folder = os.environ.get("KSERVE_CLIENT_CRDS")
    if not folder:
        pytest.skip("KSERVE_CLIENT_CRDS names no folder of CustomResourceDefinitions")
    return Path(folder)


def is_experimental(one: Object) -> bool:
    return any("sessionPersistence" in rule for rule in one["spec"].get("rules", []))


def test_a_wrong_route_would_be_seen(helm: Engines, examples: dict[str, Rendered]) -> None:
    """The checks above find a misspelt field, and a Service without its port."""
    folder = crds()
    path, version = CRDS["HTTPRoute"]
    route = json.loads(json.dumps(examples["session-persistence"].one("HTTPRoute")))
    assert problems(route, load_schema(folder / path, version)) != []  # of the other channel
    del route["spec"]["rules"][-1]["backendRefs"][0]["port"]
    broken = helm.ask("rules", value=route, crd=str(folder / EXPERIMENTAL), version="v1")
    assert broken == [".spec.rules[1].backendRefs[0]: Must have port for Service reference"]


@pytest.mark.parametrize("engine", ["v3", "v4"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_other_engines_render_the_same(
    helm: Engines, examples: dict[str, Rendered], name: str, engine: str
) -> None:
    """Helm 3 and a later Helm 4 give the same objects as the one that all other tests use."""
    assert key_of(helm.template(values_of(name), engine)) == key_of(examples[name].objects)


def key_of(objects: tuple[Object, ...]) -> dict[tuple[str, str, str], Object]:
    """Helm sorts by kind, so the order is its own."""
    keyed = {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one
        for one in objects
    }
    assert len(keyed) == len(objects)
    return keyed


@pytest.mark.parametrize("name", EXAMPLES)
def test_lint_has_nothing_to_say(helm: Engines, name: str) -> None:
    """But that an icon would be nice, which needs an address to fetch it from."""
    said = helm.ask("lint", chart=str(CHART), values=values_of(name))
    assert [one["error"] for one in said] == ["icon is recommended"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_selectors_find_the_pods(examples: dict[str, Rendered], name: str) -> None:
    """Service, policies and Deployment select the labels that the pods have; a test pod has others."""
    release = examples[name]
    labels = release.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        release.one("Deployment")["spec"]["selector"]["matchLabels"],
        release.one("Service")["spec"]["selector"],
        *(one["spec"]["podSelector"]["matchLabels"] for one in release.all("NetworkPolicy")),
        *(one["spec"]["selector"]["matchLabels"] for one in release.all("PodDisruptionBudget")),
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        for pod in release.all("Pod"):
            assert not selector.items() <= pod["metadata"]["labels"].items()
    for monitor in release.all("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= release.one("Service")["metadata"]["labels"].items()


@pytest.mark.parametrize("name", EXAMPLES)
def test_ports_lead_to_the_container(examples: dict[str, Rendered], name: str) -> None:
    """Each port by name or number is one that the next one listens on."""
    release = examples[name]
    (port,) = release.container()["ports"]
    assert (port["name"], port["containerPort"]) == ("http", 8501)
    (service,) = release.one("Service")["spec"]["ports"]
    assert service["targetPort"] == "http"
    for route in release.all("HTTPRoute"):
        for backend in backends(route):
            if backend.get("kind", "Service") == "Service":
                assert backend["name"] == release.one("Service")["metadata"]["name"]
                assert backend["port"] == service["port"]
            else:
                (inner,) = release.one("TraefikService")["spec"]["weighted"]["services"]
                assert backend["name"] == release.one("TraefikService")["metadata"]["name"]
                assert inner["name"] == release.one("Service")["metadata"]["name"]
                assert inner["port"] == service["port"]
    for monitor in release.all("ServiceMonitor"):
        assert [one["port"] for one in monitor["spec"]["endpoints"]] == [service["name"]]


def backends(route: Object) -> list[Any]:
    return [one for rule in route["spec"]["rules"] for one in rule.get("backendRefs", [])]


@pytest.mark.parametrize("name", EXAMPLES)
def test_names_are_names(examples: dict[str, Rendered], name: str) -> None:
    """As the API takes them, and what refers to an object refers to one that is there."""
    release = examples[name]
    for one in release.objects:
        assert NAME.fullmatch(one["metadata"]["name"])
        assert len(one["metadata"]["name"]) <= 63
    pod = release.one("Deployment")["spec"]["template"]["spec"]
    ours = {one["metadata"]["name"] for one in release.all("ConfigMap")}
    mounts = {one["name"] for one in release.container()["volumeMounts"]}
    assert mounts == {one["name"] for one in pod["volumes"]}
    for source in release.container()["envFrom"]:
        if "configMapRef" in source:
            assert source["configMapRef"]["name"] in ours
    for account in release.all("ServiceAccount"):
        assert account["metadata"]["name"] == pod["serviceAccountName"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_pods_are_restricted(examples: dict[str, Rendered], name: str) -> None:
    """They fit the Pod Security Standard "restricted", and have nothing to write to but volumes."""
    release = examples[name]
    specs = [release.one("Deployment")["spec"]["template"]["spec"]]
    specs += [one["spec"] for one in release.all("Pod")]
    for spec in specs:
        assert_restricted(spec)
        for container in spec["containers"]:
            assert container["imagePullPolicy"] in ("IfNotPresent", "Always")


def assert_restricted(spec: Object) -> None:
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_the_cron_job_of_the_page_fits_the_release(
    helm: Engines, examples: dict[str, Rendered]
) -> None:
    """An object that Kubernetes takes, as restricted as ours, with the names that the chart makes."""
    (job,) = (
        yaml.safe_load(one.text) for one in blocks(DOCS / "install.md") if one.language == "yaml"
    )
    for version in KUBERNETES:
        assert helm.ask("validate", value=job, version=version) == []
    spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert_restricted(spec)
    release = examples["one-with-volume"]
    pod = release.one("Deployment")["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == pod["serviceAccountName"]
    assert spec["volumes"][0] in pod["volumes"]
    (container,) = spec["containers"]
    assert container["volumeMounts"][0] in release.container()["volumeMounts"]
    assert container["image"] == release.container()["image"]
    (models,) = container["env"]
    assert models["value"] == release.settings()[models["name"]]
    entrypoint = (CHART.parents[1] / "scripts" / "entrypoint.sh").read_text()
    assert f"{container['args'][0]})" in entrypoint


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_object_says_whose_it_is(examples: dict[str, Rendered], name: str) -> None:
    """By the labels that Helm and Kubernetes recommend; those that select never change."""
    for one in examples[name].objects:
        if one["metadata"]["name"].endswith("-more"):
            continue  # an extra object is its owner's own
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/version"] == "0.1.0"
        assert labels["helm.sh/chart"] == "kserve-client-0.1.0"
        assert labels["app.kubernetes.io/name"] == "kserve-client"
        assert labels["app.kubernetes.io/instance"] == "dash"
    selector = examples[name].one("Deployment")["spec"]["selector"]["matchLabels"]
    assert selector == {
        "app.kubernetes.io/name": "kserve-client",
        "app.kubernetes.io/instance": "dash",
        "app.kubernetes.io/component": "dashboard",
    }
