"""One place for names: what is changed in deploy/names.env is changed wherever it stands."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from scripts import deploy
from scripts.problem import ScriptError
from tests.deploy.objects import FILES, MANIFESTS, NAMES, object_of, objects_of, values_of
from tests.servers import ROOT

# Names that no rendered text may hold once they are others; the rest are words of the language too.
TELLING = [
    "BUCKET",
    "REGION",
    "ACCOUNT_ID",
    "MLFLOW_POLICY",
    "MLFLOW_SECRET",
    "KSERVE_USER",
    "KSERVE_POLICY",
    "KSERVE_SECRET",
    "SERVICE_ACCOUNT",
    "DASHBOARD_NAMESPACE",
    "DOMAIN",
    "GATEWAY",
    "CERTIFICATE_SECRET",
    "MODEL",
    "MODEL_PATH",
    "CANARY_PATH",
    "GITOPS_REPOSITORY",
    "CLIENT_REPOSITORY",
]


@pytest.mark.parametrize("name", TELLING)
def test_another_name_leaves_no_trace_of_the_old(name: str) -> None:
    """Nothing is written twice by hand."""
    changed = NAMES | {name: "another"}
    if name == "REGION":  # the provider's address is a name of its own
        changed["OIDC_PROVIDER"] = "oidc.example.org/id/1"
    assert "another" in "".join(deploy.rendered(changed).values())
    left = [path for path, text in deploy.rendered(changed).items() if NAMES[name] in text]
    assert left == []


def test_every_name_is_used() -> None:
    """A name that stands in no file would be changed in vain."""
    text = "".join(path.read_text() for path in deploy.DEPLOY.rglob("*") if path.is_file())
    assert [name for name in NAMES if f"${{{name}}}" not in text] == []


def test_the_secret_of_the_account_is_the_one_that_is_sealed() -> None:
    """Service account, seal.sh, MLflow's values and the InferenceServices name the same things."""
    account = object_of("models/service-account.yaml", "ServiceAccount")
    assert account["secrets"] == [{"name": NAMES["KSERVE_SECRET"]}]
    sealed = [line for line in FILES["secrets/seal.sh"].splitlines() if line.startswith("seal ")]
    assert [line.split()[1:3] for line in sealed] == [
        [NAMES["MLFLOW_SECRET"], NAMES["MLFLOW_NAMESPACE"]],
        [NAMES["KSERVE_SECRET"], NAMES["NAMESPACE"]],
    ]
    assert values_of("mlflow/values.yaml")["extraSecretNamesForEnvFrom"] == [NAMES["MLFLOW_SECRET"]]
    for name in MANIFESTS:
        for one in objects_of(name):
            if one["kind"] == "InferenceService":
                predictor = one["spec"]["predictor"]
                assert predictor["serviceAccountName"] == account["metadata"]["name"]
                assert one["metadata"]["namespace"] == account["metadata"]["namespace"]


def test_models_lie_where_mlflow_puts_them() -> None:
    """The storageUri begins with the bucket and path of MLflow's values, and the policy covers it."""
    s3 = values_of("mlflow/values.yaml")["artifactRoot"]["s3"]
    uri = object_of("models/inferenceservice.yaml", "InferenceService")["spec"]["predictor"][
        "model"
    ]["storageUri"]
    assert uri.startswith(f"s3://{s3['bucket']}/{s3['path']}/")
    policy = json.loads(FILES["s3/kserve-policy.json"])
    (readable,) = [
        one["Resource"] for one in policy["Statement"] if one["Action"] == "s3:GetObject"
    ]
    assert readable == f"arn:aws:s3:::{s3['bucket']}/{s3['path']}/*"


def test_the_variants_stand_in_for_what_they_name() -> None:
    """Each has the name and namespace of the object it replaces."""
    for variant, original, kind in (
        ("inferenceservice-canary", "inferenceservice", "InferenceService"),
        ("service-account-irsa", "service-account", "ServiceAccount"),
    ):
        one = object_of(f"variants/{variant}.yaml", kind)["metadata"]
        other = object_of(f"models/{original}.yaml", kind)["metadata"]
        assert (one["name"], one["namespace"]) == (other["name"], other["namespace"])


def test_a_role_is_for_one_service_account_alone() -> None:
    """The trust of IRSA names audience and subject, without a wildcard."""
    (statement,) = json.loads(FILES["s3/kserve-trust-policy.json"])["Statement"]
    provider = NAMES["OIDC_PROVIDER"]
    assert statement["Condition"] == {
        "StringEquals": {
            f"{provider}:aud": "sts.amazonaws.com",
            f"{provider}:sub": "system:serviceaccount:kserve:sa-s3-access",
        }
    }
    account = object_of("variants/service-account-irsa.yaml", "ServiceAccount")
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].endswith(
        f":role/{NAMES['KSERVE_ROLE']}"
    )


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["BUCKET=a b"], "the command line: 'a b' has letters that no name"),
        (["BUKET=x"], "deploy/names.env has no BUKET."),
        (["BUCKET"], "the command line: 'BUCKET' is no NAME=VALUE."),
    ],
)
def test_a_wrong_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """In one sentence, and nothing is written."""
    assert deploy.run([str(tmp_path / "out"), *arguments]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_that_wants_what_is_not_there() -> None:
    """The name that lacks is told."""
    with pytest.raises(ScriptError, match=r"a\.yaml wants NOBODY"):
        deploy.render("x: ${NOBODY}", {}, "a.yaml")
    assert deploy.render("$A $(b) ${c:-d} ${A}", {"A": "1"}) == "$A $(b) ${c:-d} 1"


def test_the_command_writes_all_of_it(tmp_path: Path) -> None:
    """By the shell, with a name given; scripts stay executable and are valid."""
    command = [str(ROOT / "scripts" / "deploy.sh"), str(tmp_path), "BUCKET=mine"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said == f"{len(FILES)} files in {tmp_path}\n"
    assert "s3://mine/mlflow/" in (tmp_path / "models/inferenceservice.yaml").read_text()
    for script in tmp_path.rglob("*.sh"):
        subprocess.run(["bash", "-n", script], check=True, timeout=10)
        assert script.stat().st_mode & 0o100
