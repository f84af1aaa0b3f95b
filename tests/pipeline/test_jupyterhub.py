"""The notebook in a JupyterHub: a user's server, a kernel, each cell over the websocket."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.pipeline.hub import JupyterHub
from scripts.pipeline.road import Road
from scripts.problem import ScriptError
from tests import needs
from tests.pipeline.conftest import Went

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterHub]:
    """Run a hub whose kernels are those of the road and see one variable."""
    folder = tmp_path_factory.mktemp("hub")
    with JupyterHub(
        needs.jupyterhub_python(),
        folder / "hub",
        folder / "hub.log",
        kernel=needs.pipeline_python(),
        given={"GREETING": "from the hub"},
    ) as running:
        yield running


def notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of code cells."""
    made = [
        {"cell_type": "code", "id": f"c{at}", "metadata": {}, "outputs": [], "source": text}
        | {"execution_count": None}
        for at, text in enumerate(cells)
    ]
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_cells_run_with_the_variables_of_the_road(hub: JupyterHub, tmp_path: Path) -> None:
    """In the environment of the road's tools; what each cell printed is kept."""
    good = notebook(
        tmp_path / "good.ipynb", "import os, sys", "print(sys.executable, os.environ['GREETING'])"
    )
    hub.run(good, tmp_path / "out.ipynb")
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    assert [cell["execution_count"] for cell in cells] == [1, 2]
    assert cells[1]["outputs"][0]["text"] == f"{needs.pipeline_python()} from the hub\n"
    assert hub.token not in hub.log.read_text()


def test_a_failed_cell_ends_it(hub: JupyterHub, tmp_path: Path) -> None:
    """The error is told, and the cells after it do not run.

    The user's server is a second one here, on another port, of which Traefik learns with a delay.
    """
    bad = notebook(tmp_path / "bad.ipynb", "1 / 0", "print('never')")
    with pytest.raises(ScriptError, match="a cell failed with ZeroDivisionError"):
        hub.run(bad, tmp_path / "out.ipynb")
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    assert cells[1]["outputs"] == []


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
