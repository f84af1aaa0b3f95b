"""What secrets/seal.sh hands to kubeseal; the sealing itself needs a cluster's key and kubeseal."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from scripts import deploy
from tests import needs
from tests.deploy.objects import NAMES, Object

KEYS = {
    "MLFLOW_ACCESS_KEY_ID": "AKIAMLFLOW",
    "MLFLOW_SECRET_ACCESS_KEY": "writes/+=$ `'\"",
    "KSERVE_ACCESS_KEY_ID": "AKIAKSERVE",
    "KSERVE_SECRET_ACCESS_KEY": "reads",
    "DATABASE_USER": "mlflow",
    "DATABASE_PASSWORD": "p@ss'word",
}
# Keeps what it is given beside itself, and writes what is no secret.
KUBESEAL = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >>"$here/arguments"
cat >>"$here/given"
echo "---" >>"$here/given"
echo "sealed: true"
"""


def run(
    folder: Path, keys: Mapping[str, str], kubeseal: str = KUBESEAL
) -> subprocess.CompletedProcess[str]:
    """Run the script with the real kubectl and a kubeseal that only writes down."""
    kubectl = needs.allowed(shutil.which("kubectl"), "there is no kubectl on the PATH")
    deploy.write(folder / "out", deploy.read_names())
    shims = folder / "bin"
    shims.mkdir(exist_ok=True)
    (shims / "kubeseal").write_text(kubeseal)
    (shims / "kubeseal").chmod(0o755)
    path = f"{shims}:{Path(kubectl).parent}:{os.environ['PATH']}"
    # No cluster is asked: there is none to be found.
    variables = {**os.environ, **keys, "PATH": path, "KUBECONFIG": os.devnull}
    script = folder / "out" / "secrets" / "seal.sh"
    return subprocess.run(
        ["bash", script], env=variables, check=False, timeout=60, capture_output=True, text=True
    )


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """Run it with all keys; return the folder."""
    assert run(tmp_path, KEYS).returncode == 0
    return tmp_path


def given(folder: Path) -> list[Object]:
    """The objects that kubeseal got."""
    text = (folder / "bin" / "given").read_text()
    return [one for one in yaml.safe_load_all(text) if one]


def written(folder: Path) -> list[str]:
    """The sealed files."""
    return sorted(path.name for path in (folder / "out" / "secrets").glob("*.yaml"))


def key_of(whose: str) -> dict[str, str]:
    """What MLflow and KServe's webhook read of a secret."""
    return {
        "AWS_ACCESS_KEY_ID": KEYS[f"{whose}_ACCESS_KEY_ID"],
        "AWS_SECRET_ACCESS_KEY": KEYS[f"{whose}_SECRET_ACCESS_KEY"],
    }


def test_each_secret_holds_its_key(sealed: Path) -> None:
    """By the names that its readers know, in the namespace of who reads it."""
    found = [
        (
            one["kind"],
            one["metadata"]["name"],
            one["metadata"]["namespace"],
            {name: base64.b64decode(value).decode() for name, value in one["data"].items()},
        )
        for one in given(sealed)
    ]
    mlflow, models = NAMES["MLFLOW_NAMESPACE"], NAMES["NAMESPACE"]
    database = {"username": KEYS["DATABASE_USER"], "password": KEYS["DATABASE_PASSWORD"]}
    assert found == [
        ("Secret", NAMES["MLFLOW_SECRET"], mlflow, key_of("MLFLOW")),
        # The keys that MLflow's chart takes unless its values say others.
        ("Secret", NAMES["DATABASE_SECRET"], mlflow, database),
        ("Secret", NAMES["KSERVE_SECRET"], models, key_of("KSERVE")),
    ]


def test_no_key_is_written_or_said(sealed: Path) -> None:
    """Only what kubeseal printed is in a file, and no command line had a key."""
    assert written(sealed) == [
        "kserve-aws-credentials-models.yaml",
        "mlflow-database-mlflow.yaml",
        "mlops-aws-credentials-mlflow.yaml",
    ]
    for path in (sealed / "out" / "secrets").glob("*.yaml"):
        assert path.read_text() == "sealed: true\n"
    said = (sealed / "bin" / "arguments").read_text()
    assert said == "--controller-namespace kube-system --format yaml\n" * 3


def test_a_kubeseal_that_fails_leaves_the_old_file(sealed: Path) -> None:
    """Its controller may not answer; what was sealed before is still good, and Argo CD reads it."""
    done = run(sealed, KEYS, "#!/bin/sh\necho 'no controller' >&2\nexit 1\n")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no controller\n")
    for path in (sealed / "out" / "secrets").glob("*.yaml"):
        assert path.read_text() == "sealed: true\n"


def test_with_irsa_kserve_has_no_secret(tmp_path: Path) -> None:
    """Its key is not there; the others are sealed, and what is left out is told."""
    keys = {name: key for name, key in KEYS.items() if not name.startswith("KSERVE")}
    done = run(tmp_path, keys)
    assert done.returncode == 0
    assert "kserve-aws-credentials is left out" in done.stderr
    assert written(tmp_path) == ["mlflow-database-mlflow.yaml", "mlops-aws-credentials-mlflow.yaml"]


@pytest.mark.parametrize("name", [name for name in KEYS if name != "KSERVE_ACCESS_KEY_ID"])
def test_a_key_that_lacks_is_told(tmp_path: Path, name: str) -> None:
    """By its name; half a key is none."""
    done = run(tmp_path, {other: key for other, key in KEYS.items() if other != name})
    assert done.returncode != 0
    assert name in done.stderr
