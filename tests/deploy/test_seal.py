"""What secrets/seal.sh hands to kubeseal; the sealing itself needs a cluster's key and kubeseal."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
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
}
# Keeps what it is given beside itself, and writes what is no secret.
KUBESEAL = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >>"$here/arguments"
cat >>"$here/given"
echo "---" >>"$here/given"
echo "sealed: true"
"""


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """Run the script with the real kubectl and a kubeseal that only writes down; return the folder."""
    kubectl = needs.allowed(shutil.which("kubectl"), "there is no kubectl on the PATH")
    deploy.write(tmp_path / "out", deploy.read_names())
    shims = tmp_path / "bin"
    shims.mkdir()
    (shims / "kubeseal").write_text(KUBESEAL)
    (shims / "kubeseal").chmod(0o755)
    path = f"{shims}:{Path(kubectl).parent}:{os.environ['PATH']}"
    # No cluster is asked: there is none to be found.
    variables = os.environ | KEYS | {"PATH": path, "KUBECONFIG": os.devnull}
    script = tmp_path / "out" / "secrets" / "seal.sh"
    subprocess.run(["bash", script], env=variables, check=True, timeout=60, capture_output=True)
    return tmp_path


def given(folder: Path) -> list[Object]:
    """The objects that kubeseal got."""
    text = (folder / "bin" / "given").read_text()
    return [one for one in yaml.safe_load_all(text) if one]


def test_each_secret_holds_its_key(sealed: Path) -> None:
    """By the names that MLflow and KServe's webhook read, in the namespace of who reads it."""
    found = [
        (
            one["kind"],
            one["metadata"]["name"],
            one["metadata"]["namespace"],
            {name: base64.b64decode(value).decode() for name, value in one["data"].items()},
        )
        for one in given(sealed)
    ]
    assert found == [
        (
            "Secret",
            NAMES[f"{whose}_SECRET"],
            NAMES[namespace],
            {
                "AWS_ACCESS_KEY_ID": KEYS[f"{whose}_ACCESS_KEY_ID"],
                "AWS_SECRET_ACCESS_KEY": KEYS[f"{whose}_SECRET_ACCESS_KEY"],
            },
        )
        for whose, namespace in (("MLFLOW", "MLFLOW_NAMESPACE"), ("KSERVE", "NAMESPACE"))
    ]


def test_no_key_is_written_or_said(sealed: Path) -> None:
    """Only what kubeseal printed is in a file, and no command line had a key."""
    written = sorted(path.name for path in (sealed / "out" / "secrets").glob("*.yaml"))
    assert written == ["kserve-aws-credentials-kserve.yaml", "mlops-aws-credentials-mlflow.yaml"]
    for path in (sealed / "out" / "secrets").glob("*.yaml"):
        assert path.read_text() == "sealed: true\n"
    said = (sealed / "bin" / "arguments").read_text()
    assert said == "--controller-namespace kube-system --format yaml\n" * 2
