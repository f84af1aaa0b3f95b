"""The notebook in a JupyterHub: a user's server, a kernel, each cell over the websocket."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from scripts.pipeline.hub import JupyterHub
from scripts.pipeline.road import Road
from scripts.problem import ScriptError
from tests import needs
from tests.pipeline.conftest import Went

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def hub(went: Went, tmp_path_factory: pytest.TempPathFactory) -> JupyterHub:
    """Return a hub that does not run yet."""
    folder = tmp_path_factory.mktemp("hub")
    return JupyterHub(
        needs.jupyterhub_python(),
        folder / "hub",
        folder / "hub.log",
        kernel=went.road.pythons.tools,
        given={"GREETING": "from the hub"},
    )


def notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of code cells."""
    made = [
        {"cell_type": "code", "id": f"c{at}", "metadata": {}, "outputs": [], "source": text}
        | {"execution_count": None}
        for at, text in enumerate(cells)
    ]
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_cells_run_and_a_failed_one_is_told(hub: JupyterHub, went: Went, tmp_path: Path) -> None:
    """In the environment of the road, with its variables; the second run stops at the error."""
    good = notebook(
        tmp_path / "good.ipynb", "import os, sys", "print(sys.executable, os.environ['GREETING'])"
    )
    bad = notebook(tmp_path / "bad.ipynb", "1 / 0", "print('never')")
    with hub:
        hub.run(good, tmp_path / "out.ipynb")
        with pytest.raises(ScriptError, match="a cell failed with ZeroDivisionError"):
            hub.run(bad, tmp_path / "out-bad.ipynb")
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    assert cells[1]["outputs"][0]["text"] == f"{went.road.pythons.tools} from the hub\n"
    assert json.loads((tmp_path / "out-bad.ipynb").read_text())["cells"][1]["outputs"] == []
    assert hub.token not in hub.log.read_text()


def test_the_training_notebook_runs_there(went: Went, tmp_path: Path) -> None:
    """A user of the hub logs and registers a model, under a name of its own here."""
    pythons = dataclasses.replace(went.road.pythons, jupyterhub=needs.jupyterhub_python())
    road = Road(tmp_path, pythons)
    road.train(went.mlflow, MODEL="from-the-hub")
    version = went.mlflow.version("from-the-hub", "champion")
    assert version is not None
    assert version.number == "1"
    executed = json.loads((tmp_path / "notebook.ipynb").read_text())["cells"]
    assert executed[-1]["outputs"][0]["text"].strip() == version.path
