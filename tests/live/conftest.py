"""The demo's models on the real MLServer, through our own catalog."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kserve_client import Catalog
from scripts.mlflow_server import MLflowServer
from scripts.mlserver import MLServer
from tests import needs
from tests.live.logged_models import Logged
from tests.servers import ROOT


@pytest.fixture(scope="session")
def catalog(demo_models_file: Path) -> Catalog:
    """Return the catalog of the demo."""
    return Catalog.load(demo_models_file)


@pytest.fixture
def stoppable(mlserver: MLServer) -> Iterator[MLServer]:
    """Return the server for a test that stops it; it runs again afterwards."""
    yield mlserver
    if mlserver.child is None or not mlserver.is_ready():
        mlserver.stop()
        mlserver.start()
        mlserver.wait_until_ready()


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    """Run MLflow and log the models: half a minute or more, most of it MLflow's own client."""
    python, folder = needs.mlflow_python(), tmp_path_factory.mktemp("mlflow")
    training = Path(__file__).with_name("mlflow_training.py")
    with MLflowServer(python, folder / "mlflow", folder / "mlflow.log") as server:
        example = folder / "example.py"
        page = (ROOT / "docs/mlflow.md").read_text(encoding="utf-8")
        example.write_text(
            re.findall(r"```python mlflow\n(import mlflow.*?)```", page, re.DOTALL)[0]
        )
        yield Logged(server, json.loads(server.run(training, example).splitlines()[-1]))
