"""The demo's models on the real MLServer, through our own catalog."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kserve_client import Catalog
from scripts.mlserver import MLServer


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
