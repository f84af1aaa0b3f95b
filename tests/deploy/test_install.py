"""What install.sh and forward.sh ask of Helm and kubectl, and that Argo CD is told the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.objects import NAMES, Object, objects_of
from tests.deploy.shims import Shims

SYSTEMS = ["sealed-secrets", "mlflow", "kserve", "jupyterhub", "dashboard"]
# Argo CD: its folder in Git stands for out/.
VALUES = f"$values/{NAMES['GITOPS_PATH']}/"


@dataclass(frozen=True)
class Release:
    """A release as both ways describe it: by hand with Helm, by an Application."""

    name: str
    charts: str
    chart: str
    version: str
    namespace: str
    values: tuple[str, ...]
    parameters: tuple[str, ...]


@pytest.fixture
def shims(tmp_path: Path) -> Shims:
    """Helm and kubectl that only write down."""
    return Shims(tmp_path, "helm", "kubectl")


def by_hand(call: list[str], out: Path) -> Release:
    """Read a call of Helm: `helm upgrade --install RELEASE CHART OPTIONS`."""
    options: dict[str, list[str]] = {}
    words = iter(call[5:])
    for word in words:
        options.setdefault(word, []).extend([] if word == "--wait" else [next(words)])
    charts, _, chart = call[4].removeprefix("oci://").rpartition("/")
    return Release(
        name=call[3],
        charts=options.get("--repo", [charts])[0],
        chart=chart,
        version=options.get("--version", [""])[0],
        namespace=options["--namespace"][0],
        values=tuple(
            str(Path(one).resolve().relative_to(out.resolve()))
            for one in options.get("--values", [])
        ),
        parameters=tuple(options.get("--set", [])),
    )


def by_argo_cd(application: Object) -> Release | None:
    """Read an Application; None for one that applies files as they are."""
    spec = application["spec"]
    source = (spec.get("sources") or [spec["source"]])[0]
    helm = source.get("helm", {})
    if "chart" not in source and not helm:
        return None
    own = source["repoURL"] == NAMES["CLIENT_REPOSITORY"]
    return Release(
        name=application["metadata"]["name"],
        charts=str(Path(source["path"]).parent) if own else source["repoURL"],
        chart=Path(source["path"]).name if own else source["chart"],
        # Ours has the version that the repository is at.
        version="" if own else source["targetRevision"],
        namespace=spec["destination"]["namespace"],
        values=tuple(one.removeprefix(VALUES) for one in helm.get("valueFiles", [])),
        parameters=tuple(f"{one['name']}={one['value']}" for one in helm.get("parameters", [])),
    )


def test_argo_cd_installs_what_the_script_installs(shims: Shims) -> None:
    """The same releases, charts, versions, namespaces, values and parameters."""
    for system in SYSTEMS:
        assert shims.run("install.sh", system) == (0, "")
    installed = {by_hand(call, shims.out) for call in shims.calls()}
    told = {by_argo_cd(one) for one in objects_of("argocd/applications.yaml")} - {None}
    assert installed == told
    assert {one.name for one in installed} == {
        "sealed-secrets",
        "mlflow",
        "kserve-crd",
        "kserve",
        "kserve-runtimes",
        "jupyterhub",
        "kserve-client",
    }


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_release_is_waited_for_and_has_a_version(shims: Shims, system: str) -> None:
    """What comes next needs it ready; only our own chart has the version of this repository."""
    shims.run("install.sh", system)
    calls = shims.calls()
    assert calls
    for call in calls:
        assert call[:3] == ["helm", "upgrade", "--install"]
        assert "--wait" in call
        assert ("--version" in call) == (call[4] != "charts/kserve-client")


def test_kserve_comes_in_order_and_a_failure_ends_it(shims: Shims) -> None:
    """Definitions, controller, runtimes; no runtime where the webhook is not up."""
    status, said = shims.run("install.sh", "kserve", answers={"kserve-resources": "timed out"})
    assert (status, said) == (1, "timed out\n")
    assert [call[3] for call in shims.calls()] == ["kserve-crd", "kserve"]


def test_sealed_secrets_is_where_kubeseal_looks(shims: Shims) -> None:
    """From the place that the charts moved to in June 2026, by the name that is kubeseal's default."""
    shims.run("install.sh", "sealed-secrets")
    (call,) = shims.calls()
    release = by_hand(call, shims.out)
    assert release.charts == "https://bitnami.github.io/sealed-secrets"
    assert release.namespace == "kube-system"
    assert release.parameters == ("fullnameOverride=sealed-secrets-controller",)


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ("mlflow", [NAMES["MLFLOW_NAMESPACE"], "service/mlflow", "5000:80"]),
        ("jupyterhub", [NAMES["JUPYTERHUB_NAMESPACE"], "service/proxy-public", "8000:80"]),
        ("dashboard", [NAMES["DASHBOARD_NAMESPACE"], "service/kserve-client", "8501:80"]),
    ],
)
def test_a_page_is_brought_here(shims: Shims, system: str, words: list[str]) -> None:
    """By kubectl, from the Service that the chart makes."""
    assert shims.run("forward.sh", system) == (0, "")
    assert shims.calls() == [["kubectl", "port-forward", "--namespace", *words]]


@pytest.mark.parametrize("script", ["install.sh", "forward.sh"])
@pytest.mark.parametrize("arguments", [(), ("istio",)])
def test_an_unknown_system_is_refused(
    shims: Shims, script: str, arguments: tuple[str, ...]
) -> None:
    """With the names that there are; nothing is called."""
    status, said = shims.run(script, *arguments)
    assert (status, shims.calls()) == (2, [])
    assert said.startswith(f"{script} ")
    assert "mlflow | " in said
