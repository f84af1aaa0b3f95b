"""One place for names: what is changed in deploy/names.env is changed wherever it stands."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

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
    "DATABASE_HOST",
    "DATABASE_SECRET",
    "SERVICE_ACCOUNT",
    "DASHBOARD_NAMESPACE",
    "DOMAIN",
    "GATEWAY",
    "CERTIFICATE_SECRET",
    "CERTIFICATE_ISSUER",
    "IMAGE",
    "MODEL",
    "MODEL_PATH",
    "CANARY_PATH",
    "GITOPS_REPOSITORY",
    "CLIENT_REPOSITORY",
    "SEALED_SECRETS_CHARTS",
    "MLFLOW_CHARTS",
    "MLFLOW_CHART_VERSION",
    "KSERVE_CHARTS",
    "KSERVE_VERSION",
    "JUPYTERHUB_CHARTS",
    "MLSERVER_VERSION",
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
    lines = [line.strip() for line in FILES["secrets/seal.sh"].splitlines()]
    assert [line.split()[1:3] for line in lines if line.startswith("seal ")] == [
        [NAMES["MLFLOW_SECRET"], NAMES["MLFLOW_NAMESPACE"]],
        [NAMES["DATABASE_SECRET"], NAMES["MLFLOW_NAMESPACE"]],
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


def test_names_that_must_not_be_the_same() -> None:
    """Traefik's chart makes a Gateway of its own; KServe's controller has its namespace to itself."""
    assert NAMES["GATEWAY"] != "traefik-gateway"
    assert NAMES["NAMESPACE"] != NAMES["KSERVE_NAMESPACE"]


def test_a_role_is_for_one_service_account_alone() -> None:
    """The trust of IRSA names audience and subject, without a wildcard."""
    (statement,) = json.loads(FILES["s3/kserve-trust-policy.json"])["Statement"]
    provider = NAMES["OIDC_PROVIDER"]
    assert statement["Condition"] == {
        "StringEquals": {
            f"{provider}:aud": "sts.amazonaws.com",
            f"{provider}:sub": "system:serviceaccount:models:sa-s3-access",
        }
    }
    account = object_of("variants/service-account-irsa.yaml", "ServiceAccount")
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].endswith(
        f":role/{NAMES['KSERVE_ROLE']}"
    )


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
