"""What a test needs from the machine: a reason to skip on a laptop, to fail under CI=true."""

import os
import shutil
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")


def require(found: T | None, reason: str) -> T:
    """Return what was found. Otherwise skip the test with the reason; under CI=true fail it."""
    if found:
        return found
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{reason}; nothing may be missing under CI=true")
    pytest.skip(reason)


def allowed(found: T | None, reason: str) -> T:
    """Return what was found. Otherwise skip the test with the reason, under CI=true too.

    For what a machine may forbid, such as starting a Docker Engine: no script of ours changes that.
    """
    if found:
        return found
    pytest.skip(reason)


def _python(variable: str, what: str) -> Path:
    found = os.environ.get(variable)
    return Path(require(found, f"{variable} names no Python with {what}: use scripts/test.sh"))


def mlserver_python() -> Path:
    """Return the Python of the environment that holds MLServer."""
    return _python("KSERVE_CLIENT_MLSERVER_PYTHON", "MLServer")


def kserve_python() -> Path:
    """Return the Python of the environment that holds KServe's model server."""
    return _python("KSERVE_CLIENT_KSERVE_PYTHON", "KServe")


def mlflow_python() -> Path:
    """Return the Python of the environment that holds MLflow."""
    return _python("KSERVE_CLIENT_MLFLOW_PYTHON", "MLflow")


def chart_python() -> Path:
    """Return the Python of the environment that holds Helm, Traefik and what checks charts."""
    return _python("KSERVE_CLIENT_CHART_PYTHON", "Helm")


def pipeline_python() -> Path:
    """Return the Python of the environment that holds the tools of the road."""
    return _python("KSERVE_CLIENT_PIPELINE_PYTHON", "them")


def jupyterhub_python() -> Path:
    """Return the Python of the environment that holds JupyterHub."""
    return _python("KSERVE_CLIENT_JUPYTERHUB_PYTHON", "JupyterHub")


def chromium() -> str:
    """Return the path of Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    return require(found, "there is no chromium on the PATH")
