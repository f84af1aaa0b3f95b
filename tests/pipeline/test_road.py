"""What each stage of the road made, from the notebook to an answer."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.pipeline import programs
from tests import needs
from tests.pipeline.conftest import Went
from tests.servers import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
# MLflow's own files of a model of scikit-learn with an input example.
FILES = {
    "MLmodel",
    "conda.yaml",
    "input_example.json",
    "model.pkl",
    "python_env.yaml",
    "requirements.txt",
    "serving_input_example.json",
}
STAGES = [
    "S3 store",
    "MLflow",
    "notebook",
    "registry",
    "storage initializer",
    "servers",
    "form",
    "prediction",
    "in all",
]


def test_the_command_goes_to_a_prediction_and_tells_each_stage(
    checked: subprocess.CompletedProcess[str],
) -> None:
    """One line a stage, with its seconds; the last one is the guide's request and its answer."""
    assert (checked.returncode, checked.stderr) == (0, checked.stderr), checked.stderr
    lines = checked.stdout.splitlines()
    told = [re.fullmatch(r"(.{20}) +(\d+\.\d) s(?:  (.*))?", line) for line in lines]
    found = [match for match in told if match]
    assert [match[1].strip() for match in found] == STAGES
    assert found[-2][3] == "input_1.json gives [0]"


def test_what_was_made_is_kept(went: Went) -> None:
    """The second start trains nothing: the registry has the one version of the first."""
    assert went.registered == [("1", ("champion",))]
    assert went.version.number == "1"


def test_the_notebook_is_kept_with_its_outputs(went: Went) -> None:
    """Every cell ran, and the last one tells the path for deploy/names.env."""
    cells = json.loads(went.executed)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert "".join(code[-1]["outputs"][0]["text"]).strip() == went.version.path


def objects(went: Went) -> list[str]:
    variables = went.road.store.variables(went.bucket.mlflow, "ca-central-1")
    said = programs.call(
        went.road.pythons.tools,
        "scripts.pipeline.in_store",
        "names",
        went.bucket.name,
        f"{went.bucket.prefix}/",
        variables=variables,
    )
    found: list[str] = json.loads(said)
    return found


def test_the_files_lie_in_the_bucket(went: Went) -> None:
    """Below {prefix}/{experiment}/models/m-…/artifacts, as the guide says."""
    folder = f"mlflow/1/models/{went.version.model_id}/artifacts/"
    names = objects(went)
    assert {name.removeprefix(folder) for name in names if name.startswith(folder)} == FILES
    assert re.fullmatch(r"m-[0-9a-f]{32}", went.version.model_id)


def test_the_storage_initializer_fetched_them(went: Went) -> None:
    """All of them; none is empty."""
    fetched = went.road.folder / "fetched" / went.version.model_id
    assert {path.name for path in fetched.iterdir()} == FILES
    assert all(path.stat().st_size for path in fetched.iterdir())
    assert (
        went.version.storage_uri(went.bucket)
        == f"s3://example-ml-models/mlflow/{went.version.path}"
    )


@pytest.fixture(scope="module")
def forms(went: Went) -> dict[str, Any]:
    """Return what the dashboard's catalog makes of the models file."""
    return went.road.open_forms()


MODELS = ["iris-classifier", "iris-classifier-mlflow", "iris-classifier-sklearn"]


def test_the_models_file_says_nothing_of_the_form(went: Went) -> None:
    """Where the models answer, and which model of MLflow each is."""
    text = went.road.models_file.read_text()
    assert "signature" not in text
    assert text.count("mlflow: 'models:/iris-classifier@champion'") == len(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_mlflow_builds_the_form(forms: dict[str, Any], name: str) -> None:
    """Title, units and ranges are those of the notebook, for each of the three servers."""
    assert forms[name]["title"] == "Iris species"
    assert forms[name]["version"] == "1"
    assert forms[name]["fields"] == [
        "Sepal length 4 to 8 cm",
        "Sepal width 2 to 4.5 cm",
        "Petal length 1 to 7 cm",
        "Petal width 0.1 to 2.5 cm",
    ]


@pytest.mark.parametrize("name", MODELS)
def test_every_server_answers_in_words(forms: dict[str, Any], name: str) -> None:
    """The names of the classes come from MLflow; the first row of the example is a versicolor."""
    assert forms[name]["answer"] == "Iris versicolor"


def test_curl_asks_as_the_guide_does(went: Went) -> None:
    """The guide's file, header and path; its answer too."""
    curl = needs.require(shutil.which("curl"), "there is no curl on the PATH")
    url = f"{went.road.kserve.url}/v2/models/iris-classifier/infer"
    command = [curl, "-sS", "-X", "POST", "-H", "Host: iris-classifier-kserve.models.example.org"]
    command += ["-H", "Content-Type: application/json", "-d", f"@{ROOT}/deploy/input_1.json", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    answer = json.loads(said.stdout)
    assert answer["model_name"] == "iris-classifier"
    (output,) = answer["outputs"]
    assert {key: output[key] for key in ("name", "shape", "datatype", "data")} == {
        "name": "output-0",
        "shape": [1],
        "datatype": "INT64",
        "data": [0],
    }


def test_no_key_is_written_to_a_log(went: Went) -> None:
    """Keys travel by the environment and by pipes."""
    secrets = [went.bucket.mlflow.secret, went.bucket.kserve.secret]
    logs = [path for path in Path(went.road.logs).iterdir() if path.is_file()]
    assert {path.name for path in logs} >= {"store.log", "mlflow.log", "kserve.log", "mlserver.log"}
    for log in logs:
        text = log.read_text(errors="replace")
        assert not any(secret in text for secret in secrets), log.name
    assert went.bucket.mlflow.secret not in repr(went.bucket)
