"""The notebook in a JupyterHub: a user's server, a kernel, each cell over the websocket."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from scripts.pipeline.road import Road
from tests import needs
from tests.pipeline.conftest import Went

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


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
