"""A copy of this checkout to run its scripts in, so that no test touches a demo that runs here."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = (".git", ".demo", ".*_cache", "__pycache__", "tests", ".venv*", "venv")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the working tree without anything that scripts made."""
    copy = tmp_path_factory.mktemp("checkout") / "kserve-client"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return copy


@pytest.fixture
def variables() -> dict[str, str]:
    """Return the environment for a script, with virtual environments from the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    envs = os.environ.get("KSERVE_CLIENT_ENVS") or str(cache / "kserve-client" / "envs")
    return os.environ | {"KSERVE_CLIENT_ENVS": envs}
