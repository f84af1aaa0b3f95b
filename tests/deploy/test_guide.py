"""The guide's steps name commands and files that are there."""

from __future__ import annotations

import re
import shlex

import pytest

from scripts import deploy
from tests.deploy.objects import FILES, NAMES
from tests.servers import ROOT

GUIDE = (ROOT / "docs" / "guide" / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    for line in block.splitlines()
]
PROGRAMS = {"bash", "helm", "kubectl", "./scripts/deploy.sh", "./scripts/pipeline.sh"}


def test_there_is_a_command_for_each_step() -> None:
    """Eleven steps, and one for Argo CD."""
    steps = re.findall(r"^## (\d+)\. ", GUIDE, re.MULTILINE)
    assert steps == [str(number) for number in range(1, 12)]
    assert {shlex.split(command)[0] for command in COMMANDS} == PROGRAMS


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_names_is_there(command: str) -> None:
    """A file of out/ is one that deploy.sh writes; a script or chart is one of this repository."""
    for word in shlex.split(command):
        if word.startswith("out/"):
            path = word.removeprefix("out/")
            made_later = word == "out/secrets/"
            assert made_later or any(name == path or name.startswith(path) for name in FILES), word
        if word.startswith(("./scripts/", "charts/")):
            assert (ROOT / word).exists(), word


def test_files_beside_the_commands_are_there_too() -> None:
    """Those that sentences and tables name."""
    for path in re.findall(r"`out/([^`]+)`", GUIDE):
        assert any(name.startswith(path) for name in FILES), path
    for path in re.findall(r"`(deploy/[^`]+)`", GUIDE):
        assert (ROOT / path).exists(), path


def test_names_in_sentences_are_names() -> None:
    """What the reader is told to set stands in names.env, or is read by the notebook."""
    notebook = (ROOT / "examples" / "train_iris.ipynb").read_text(encoding="utf-8")
    for name in set(re.findall(r"`([A-Z]+_[A-Z_]+)`", GUIDE)):
        is_of_mlflow = name == "MLFLOW_TRACKING_URI" or name in FILES["mlflow/values.yaml"]
        assert name in NAMES or is_of_mlflow, name
    for name in ("ALIAS", "ALGORITHM"):
        assert f'os.environ.get(\\"{name}\\"' in notebook


def test_namespaces_and_versions_are_those_of_the_names() -> None:
    """Commands are written out with the names as they come."""
    said = {word for command in COMMANDS for word in shlex.split(command)}
    assert {NAMES["NAMESPACE"], NAMES["MLFLOW_NAMESPACE"], NAMES["DASHBOARD_NAMESPACE"]} <= said
    assert NAMES["KSERVE_VERSION"] in said


def test_the_request_is_the_one_of_the_guide() -> None:
    """Line by line; the guide's page has lost what stands before each of them."""
    lines = (deploy.DEPLOY / "input_1.json").read_text(encoding="utf-8").splitlines()
    assert [line.strip() for line in lines] == [
        "{",
        '"inputs": [',
        "{",
        '"name": "input-0",',
        '"shape": [1, 4],',
        '"datatype": "FP32",',
        '"data": [',
        "[4.0, 3.9, 2.3, 0.6]",
        "]",
        "}",
        "]",
        "}",
    ]


def test_every_file_is_told_of() -> None:
    """What lies in deploy/ stands in its README or in the guide."""
    words = (deploy.DEPLOY / "README.md").read_text(encoding="utf-8") + GUIDE
    top = {name.split("/")[0] for name in FILES} - {"README.md"}
    assert [name for name in top if name not in words] == []
