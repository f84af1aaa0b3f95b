"""The command line as a process of its own, against the real server."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.mlserver import MLServer
from tests.servers import ROOT, dashboard_variables

ROW = '{"sepal length": 5.1, "sepal width": 3.5, "petal length": 1.4, "petal width": 0.2}'


def run(models: Path | None, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kserve_client", *map(str, words)],
        cwd=ROOT,
        env=dashboard_variables(models),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def parsed(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the JSON on standard output."""
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_a_prediction_in_words_and_as_json(demo_models_file: Path) -> None:
    """The label is the first line; --json holds it too."""
    said = run(demo_models_file, "predict", "iris", "--input", ROW)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines()[0] == "Iris setosa"
    said = run(demo_models_file, "predict", "iris", "--input", ROW, "--json")
    assert said.returncode == 0
    assert parsed(said)["rows"][0]["prediction"] == "Iris setosa"


def test_a_picture_from_a_file(demo_models_file: Path) -> None:
    """`@five.png` stands for the picture."""
    picture = demo_models_file.parent / "data" / "five.png"
    said = run(
        demo_models_file, "predict", "digits", "--input", json.dumps({"image": f"@{picture}"})
    )
    assert said.stdout.splitlines()[0] == "5"


def test_health_metadata_and_models(demo_models_file: Path) -> None:
    """All well is 0, and each speaks JSON."""
    for words in (["health"], ["health", "iris"], ["metadata", "penguin_mass"], ["models"]):
        said = run(demo_models_file, *words, "--json")
        assert said.returncode == 0, said.stderr
        assert parsed(said)


def test_a_file_is_scored(demo_models_file: Path, tmp_path: Path) -> None:
    """Every row comes back with its prediction, and a summary as JSON."""
    source = demo_models_file.parent / "data" / "iris-150.csv"
    said = run(demo_models_file, "score", "iris", source, tmp_path / "out.csv", "--json")
    assert said.returncode == 0, said.stderr
    assert (parsed(said)["rows"], parsed(said)["failed"]) == (150, 0)
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 150


def test_a_failed_row_is_status_1(demo_models_file: Path, tmp_path: Path) -> None:
    """One bad row of two: both come back, and the status tells."""
    source = tmp_path / "rows.csv"
    header = "sepal length,sepal width,petal length,petal width"
    source.write_text(f"{header}\n5.1,3.5,1.4,0.2\n5.1,x,1.4,0.2\n")
    said = run(demo_models_file, "score", "iris", source, tmp_path / "out.csv", "--json")
    assert said.returncode == 1
    assert parsed(said)["failed"] == 1
    assert "1 of 2 rows failed" in said.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "nobody", "--input", ROW],
        ["predict", "iris", "--input", '{"sepal": 1}'],
        ["predict", "iris"],
        ["score", "iris", "/nowhere/rows.csv", "out.csv"],
    ],
    ids=["unknown model", "unknown feature", "no input", "no file"],
)
def test_a_wrong_command_is_status_2(demo_models_file: Path, words: list[str]) -> None:
    """One line on standard error, no traceback, and JSON for programs."""
    said = run(demo_models_file, *words, "--json")
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert parsed(said)["error"]["exit_status"] == 2


def test_no_models_file_is_status_2() -> None:
    """The variable to set is named."""
    said = run(None, "models")
    assert said.returncode == 2
    assert "KSERVE_CLIENT_MODELS" in said.stderr


@pytest.mark.slow
def test_nothing_answered_is_status_3(
    stoppable: MLServer, demo_models_file: Path, tmp_path: Path
) -> None:
    """Prediction, health and scoring of a stopped server; the result file is whole all the same."""
    stoppable.stop()
    source = demo_models_file.parent / "data" / "iris-150.csv"
    for words in (
        ["predict", "iris", "--input", ROW],
        ["health"],
        ["score", "iris", source, tmp_path / "out.csv"],
    ):
        said = run(demo_models_file, *words, "--json")
        assert said.returncode == 3, said.stderr
        assert "Traceback" not in said.stderr
        assert parsed(said)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 151
