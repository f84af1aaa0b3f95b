"""What Argo CD is told: the order, the same charts as by hand, and what it leaves alone."""

from __future__ import annotations

import yaml

from scripts import deploy
from tests.deploy.objects import Object, object_of, objects_of
from tests.servers import ROOT


def test_argo_cd_goes_in_order_and_to_files_that_are_there() -> None:
    """What is needed first has a lower wave; every path and values file is one of deploy/."""
    waves = {}
    for one in objects_of("argocd/applications.yaml"):
        name = one["metadata"]["name"]
        waves[name] = int(one["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for path in paths_of(one["spec"]):
            there = deploy.DEPLOY / path.removeprefix("rendered").lstrip("/")
            assert there.exists() or (ROOT / path).exists(), f"{name}: {path}"
    order = [
        "ml-namespaces",
        "kserve-crd",
        "kserve",
        "kserve-runtimes",
        "ml-models",
        "kserve-client",
    ]
    assert [waves[name] for name in order] == sorted({waves[name] for name in order})
    assert waves["sealed-secrets"] < waves["ml-secrets"] < waves["mlflow"]


def paths_of(spec: dict[str, object]) -> list[str]:
    """The paths in repositories that an Application names."""
    found: list[str] = []
    for source in yaml.safe_load(yaml.safe_dump(spec.get("sources") or [spec["source"]])):
        found += [source["path"]] if "path" in source else []
        files = source.get("helm", {}).get("valueFiles", [])
        found += [file.removeprefix("$values/") for file in files]
    return found


def test_the_project_allows_what_the_applications_use() -> None:
    """Repositories and namespaces of all Applications are in the AppProject."""
    project = object_of("argocd/project.yaml", "AppProject")["spec"]
    allowed = {one["namespace"] for one in project["destinations"]}
    for one in objects_of("argocd/applications.yaml"):
        sources = one["spec"].get("sources") or [one["spec"]["source"]]
        assert {source["repoURL"] for source in sources} <= set(project["sourceRepos"])
        assert one["spec"]["destination"]["namespace"] in allowed


APPLICATIONS = {one["metadata"]["name"]: one for one in objects_of("argocd/applications.yaml")}


def ignored(name: str) -> list[Object]:
    """The differences that an Application leaves alone, when it compares and when it syncs."""
    spec = APPLICATIONS[name]["spec"]
    assert "RespectIgnoreDifferences=true" in spec["syncPolicy"]["syncOptions"]
    found: list[Object] = spec["ignoreDifferences"]
    return found


def test_namespaces_and_definitions_outlive_their_applications() -> None:
    """With them everything of the cluster that lies in them would go."""
    for one in objects_of("namespaces.yaml"):
        options = one["metadata"]["annotations"]["argocd.argoproj.io/sync-options"]
        assert options.split(",") == ["Prune=false", "Delete=false"]
    assert "finalizers" not in APPLICATIONS["kserve-crd"]["metadata"]
    assert all(
        "finalizers" in one["metadata"]
        for name, one in APPLICATIONS.items()
        if name != "kserve-crd"
    )


def test_every_namespace_is_made() -> None:
    """Those where something goes, and the Gateway's; kube-system is there."""
    made = [one["metadata"]["name"] for one in objects_of("namespaces.yaml")]
    assert len(made) == len(set(made))
    used = {one["spec"]["destination"]["namespace"] for one in APPLICATIONS.values()}
    assert set(made) == used - {"kube-system"}


def test_what_cert_manager_writes_is_left_alone() -> None:
    """The authority in KServe's webhooks."""
    assert ignored("kserve") == [
        {
            "group": "admissionregistration.k8s.io",
            "kind": kind,
            "jqPathExpressions": [".webhooks[]?.clientConfig.caBundle"],
        }
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    ]


def test_what_a_hook_makes_is_not_told_to_be_left_alone() -> None:
    """MLflow's key: Argo CD compares no hook, and makes it anew at each sync whatever stands here."""
    assert "ignoreDifferences" not in APPLICATIONS["mlflow"]["spec"]


def test_keys_that_a_chart_draws_anew_are_left_alone() -> None:
    """Of the hub's secret its three keys, for its settings lie there too."""
    secret, deployments = ignored("jupyterhub")
    assert (secret["kind"], secret["name"]) == ("Secret", "hub")
    assert secret["jsonPointers"] == [
        f"/data/hub.config.{key}"
        for key in (
            "ConfigurableHTTPProxy.auth_token",
            "CryptKeeper.keys",
            "JupyterHub.cookie_secret",
        )
    ]
    assert deployments["kind"] == "Deployment"
    assert {one.rpartition("/")[2] for one in deployments["jsonPointers"]} == {
        "checksum~1secret",
        "checksum~1auth-token",
    }
