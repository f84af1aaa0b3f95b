"""Discovery with the chart's own Role as the only permission there is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kserve_client.catalog.cluster import Cluster
from kserve_client.catalog.models_file import Kubernetes
from kserve_client.errors import AccessError
from tests.chart.engines import Object, Rendered
from tests.kubernetes_api import KubernetesAPI, kubernetes_api, write_kubeconfig
from tests.unit.catalog import objects

# What an account may do: verb and namespace, "" for the whole cluster.
Permissions = set[tuple[str, str]]


def permissions(release: Rendered) -> Permissions:
    """What the account of the pods may do with InferenceServices, by the bindings of the release."""
    pod = release.one("Deployment")["spec"]["template"]["spec"]
    account = {
        "kind": "ServiceAccount",
        "name": pod["serviceAccountName"],
        "namespace": "dashboards",
    }
    bound = [*release.all("RoleBinding"), *release.all("ClusterRoleBinding")]
    return {
        (verb, binding["metadata"].get("namespace", ""))
        for binding in bound
        if account in binding["subjects"]
        for verb in verbs(role_of(binding, release))
    }


def role_of(binding: Object, release: Rendered) -> Object:
    reference = binding["roleRef"]
    (found,) = (
        one
        for one in release.all(reference["kind"])
        if one["metadata"]["name"] == reference["name"]
        and one["metadata"].get("namespace") == binding["metadata"].get("namespace")
    )
    return found


def verbs(role: Object) -> list[str]:
    (rule,) = role["rules"]
    assert (rule["apiGroups"], rule["resources"]) == (["serving.kserve.io"], ["inferenceservices"])
    return list(rule["verbs"])


def settings(release: Rendered, kubeconfig: Path) -> Kubernetes:
    """The part `kubernetes` of the models file of the release, asked from outside of the cluster."""
    (text,) = (
        one["data"]["models.yaml"]
        for one in release.all("ConfigMap")
        if one["metadata"]["name"].endswith("-models")
    )
    given = yaml.safe_load(text)["kubernetes"]
    given.pop("endpoint", None)  # its token is in a Secret that nobody has here
    return Kubernetes.model_validate({**given, "kubeconfig": str(kubeconfig)})


@pytest.fixture
def api() -> Iterator[KubernetesAPI]:
    """Run an API with InferenceServices in the namespaces flowers and houses."""
    with kubernetes_api() as running:
        for name in ("standard", "knative_canary", "old_style"):
            running.put(objects.load(name))
        yield running


@pytest.mark.parametrize(
    ("example", "allowed"),
    [
        (
            "sub-path-traefik",
            {(v, n) for v in ("get", "list", "watch") for n in ("flowers", "houses")},
        ),
        ("one-with-volume", {("get", ""), ("list", ""), ("watch", "")}),
    ],
)
def test_the_role_is_enough(
    examples: dict[str, Rendered],
    example: str,
    allowed: Permissions,
    api: KubernetesAPI,
    tmp_path: Path,
) -> None:
    """All is seen and followed, and nothing was asked that the Role does not say."""
    release = examples[example]
    assert permissions(release) == allowed
    api.allowed = allowed
    known = settings(release, write_kubeconfig(tmp_path / "kubeconfig", api))
    listed = Cluster(known).list()
    assert listed.problems == ()
    assert len(listed.services) == 3
    places = {place for _, place in allowed}
    with Cluster(known).watch() as watching:
        assert len(watching.found(wait_s=10).services) == 3
        deadline = time.monotonic() + 10
        while api.watching < len(places) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert api.watching == len(places)
    assert {(one.verb, one.namespace) for one in api.asked} <= allowed


def test_another_namespace_is_out_of_reach(
    examples: dict[str, Rendered], api: KubernetesAPI, tmp_path: Path
) -> None:
    """Without its Role a namespace is a problem that is told; the others are seen all the same."""
    release = examples["session-persistence"]
    api.allowed = permissions(release)
    assert {place for _, place in api.allowed} == {"flowers"}
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", api)
    both = Kubernetes(namespaces=("flowers", "houses"), kubeconfig=str(kubeconfig))
    listed = Cluster(both).list()
    assert {one.namespace for one in listed.services.values()} == {"flowers"}
    (problem,) = listed.problems
    assert problem.namespace == "houses"
    assert isinstance(problem.error, AccessError)
