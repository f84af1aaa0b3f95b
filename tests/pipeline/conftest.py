"""The road, gone once: by its own command from nothing, then a second time with everything kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kserve_client import Endpoint
from kserve_client.catalog.mlflow import Registry
from scripts.pipeline.registry import BucketMLflow, Version
from scripts.pipeline.road import Pythons, Road
from scripts.pipeline.store import Bucket
from tests import needs
from tests.servers import ROOT

COMMAND_S = 560


@dataclass(frozen=True)
class Went:
    """A road that is open to its end.

    `registered` are the versions of the registry and their aliases, `executed` the notebook, both as
    they were then: other tests add to them.
    """

    road: Road
    bucket: Bucket
    mlflow: BucketMLflow
    version: Version
    registered: list[tuple[str, tuple[str, ...]]]
    executed: str


@pytest.fixture(scope="session")
def pythons() -> Pythons:
    """Return the Pythons that the road needs; the dashboard's own is the one of the tests."""
    return Pythons(needs.pipeline_python(), needs.kserve_python(), Path(sys.executable))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the road lies."""
    return tmp_path_factory.mktemp("road")


@pytest.fixture(scope="session")
def checked(pythons: Pythons, folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what `scripts/pipeline.sh --check` said, on a folder in which nothing was."""
    assert pythons.tools.is_file()
    envs = pythons.tools.parents[2]
    return subprocess.run(
        [str(ROOT / "scripts" / "pipeline.sh"), "--check", "--folder", str(folder)],
        env=os.environ | {"KSERVE_CLIENT_ENVS": str(envs)},
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )


@pytest.fixture(scope="session")
def went(
    checked: subprocess.CompletedProcess[str], pythons: Pythons, folder: Path
) -> Iterator[Went]:
    """Go the road again, on what the command left, and keep it open."""
    assert checked.returncode == 0, checked.stderr
    road = Road(folder, pythons)
    try:
        version = road.travel()
        assert road.bucket is not None
        assert road.mlflow is not None
        with Registry(Endpoint(url=road.mlflow.url)) as registry:
            registered = [(one.version, one.aliases) for one in registry.versions(road.model)]
        executed = (folder / "notebook.ipynb").read_text()
        yield Went(road, road.bucket, road.mlflow, version, registered, executed)
    finally:
        road.stop()
