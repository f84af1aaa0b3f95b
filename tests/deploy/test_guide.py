"""The guide's steps name commands and files that are there."""

from __future__ import annotations

import re
import shlex

import pytest

from scripts import deploy
from tests.deploy.objects import FILES, MANIFESTS, NAMES, object_of, objects_of, values_of
from tests.servers import ROOT

GUIDE = (ROOT / "docs" / "guide" / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    for line in block.splitlines()
]
PROGRAMS = {
    ".",
    "bash",
    "cp",
    "docker",
    "kubectl",
    "./scripts/deploy.sh",
    "./scripts/image.sh",
    "./scripts/pipeline.sh",
}
# What an operator has in the environment, and where a sentence tells of it.
BY_HAND = {"DATABASE_USER", "DATABASE_PASSWORD", "MLFLOW_TRACKING_URI"}


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
        assert name in NAMES or name in BY_HAND, name
    assert all(name in FILES["secrets/seal.sh"] for name in BY_HAND if "DATABASE" in name)
    assert "MLFLOW_TRACKING_URI" in FILES["jupyterhub/values.yaml"]
    for name in ("ALIAS", "ALGORITHM"):
        assert f'os.environ.get(\\"{name}\\"' in notebook


def test_what_is_said_of_a_version_of_kserve_is_said_of_ours() -> None:
    """Its server's scikit-learn is another one in the next version."""
    number = NAMES["KSERVE_VERSION"].removeprefix("v")
    said = re.findall(r"KServe (\d+\.\d+)|kserve/tree/v(\d+\.\d+\.\d+)", GUIDE)
    assert (number.rpartition(".")[0], "") in said
    assert ("", number) in said
    assert all(number.startswith(one or whole) for one, whole in said)


def test_a_class_for_the_volumes_of_the_hub_is_asked_for() -> None:
    """Its values name none, so that the cluster's default is taken."""
    values = values_of("jupyterhub/values.yaml")
    assert "hub" not in values
    assert "storage" not in values["singleuser"]
    (needs,) = re.findall(r"^## What you need\n(.*?)^## ", GUIDE, re.DOTALL | re.MULTILINE)
    assert "StorageClass that is marked as the default" in needs


def test_no_command_has_a_name_of_its_own() -> None:
    """Namespaces, versions and addresses stand in names.env, which the scripts take them from."""
    words = {word for command in COMMANDS for word in shlex.split(command)}
    assert not any(word in ("-n", "--namespace", "--version") for word in words)
    assert not any(name in word for word in words for name in ("http", "oci:", ".org"))
    assert {"$IMAGE:$IMAGE_TAG"} <= words


@pytest.mark.parametrize(
    "system", ["sealed-secrets", "mlflow", "kserve", "jupyterhub", "dashboard"]
)
def test_each_system_is_installed_in_a_step(system: str) -> None:
    """By install.sh, which knows it."""
    assert f"bash out/install.sh {system}" in COMMANDS
    assert re.search(rf"^{system}\)", FILES["install.sh"], re.MULTILINE)


def test_the_model_is_served_after_it_was_made() -> None:
    """Each command stands where what it needs is there."""
    order = [
        "bash out/s3/create.sh",
        "kubectl apply -f out/namespaces.yaml",
        "bash out/install.sh sealed-secrets",
        "bash out/secrets/seal.sh",
        "kubectl apply -f out/secrets/",
        "bash out/install.sh mlflow",
        "bash out/install.sh kserve",
        "bash out/install.sh jupyterhub",
        "kubectl apply -f out/models/",
        "bash out/ask.sh",
        "bash out/install.sh dashboard",
    ]
    assert [command for command in COMMANDS if command in order] == order


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
    top = {name.split("/")[0] for name in FILES}
    assert [name for name in top if name not in words] == []


def test_no_page_of_ours_is_written_out() -> None:
    """Its links lead nowhere in the repository that Argo CD watches."""
    assert [name for name in FILES if name.endswith(".md")] == []


def test_runtimes_are_told_of() -> None:
    """Each that an InferenceService names, and the one of one's own."""
    told = (deploy.DEPLOY / "README.md").read_text(encoding="utf-8")
    named = {
        one["spec"]["predictor"]["model"]["runtime"]
        for name in MANIFESTS
        for one in objects_of(name)
        if one["kind"] == "InferenceService"
    }
    own = {object_of("variants/serving-runtime-mlflow.yaml", "ServingRuntime")["metadata"]["name"]}
    rows = re.findall(r"^\| `([a-z-]+)` \| `[a-z]+`", told, re.MULTILINE)
    assert named | own == set(rows)
