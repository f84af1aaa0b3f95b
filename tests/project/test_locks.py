import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)(\[[a-z,-]+\])?==[^ ]+")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted_by(listing: str) -> list[str]:
    lines = (ROOT / "requirements" / listing).read_text().splitlines()
    found = [NAME.match(line) for line in lines]
    return [normal(match.group()) for match in found if match]


def dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["images"]
    found = [NAME.match(line) for line in lines]
    return [normal(match.group()) for match in found if match]


def requirements_of(lock: str) -> list[str]:
    """Return each requirement of a lock file with its continuation lines."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


def locked_by(lock: str) -> set[str]:
    pins = [PIN.match(line) for line in requirements_of(lock)]
    return {normal(match.group(1)) for match in pins if match}


def pins_of(lock: str) -> dict[str, set[str]]:
    """Return the versions of each package; there are two where it depends on the Python."""
    pins: dict[str, set[str]] = {}
    for line in requirements_of(lock):
        name, version = line.split("--hash")[0].split("==", 1)
        pins.setdefault(name, set()).add(version.strip())
    return pins


@pytest.mark.parametrize(
    ("listing", "lock"),
    [
        ("dashboard.in", "requirements.txt"),
        ("dev.in", "requirements/dev.txt"),
        ("mlserver.in", "requirements/mlserver.txt"),
        ("kserve.in", "requirements/kserve.txt"),
        ("mlflow.in", "requirements/mlflow.txt"),
        ("pipeline.in", "requirements/pipeline.txt"),
        ("jupyterhub.in", "requirements/jupyterhub.txt"),
        ("chart.in", "requirements/chart.txt"),
        ("chart-mcp.in", "requirements/chart-mcp.txt"),
        ("image-kubernetes.in", "requirements/image-kubernetes.txt"),
        ("image-s3.in", "requirements/image-s3.txt"),
        ("image-dask.in", "requirements/image-dask.txt"),
    ],
)
def test_every_wanted_package_is_locked(listing: str, lock: str) -> None:
    """A line added to a list without running scripts/lock.sh is noticed."""
    assert wanted_by(listing)
    assert set(wanted_by(listing)) <= locked_by(lock)


def test_every_dependency_of_the_package_is_locked() -> None:
    """The dashboard's lock file holds what the client needs."""
    assert set(dependencies()) <= locked_by("requirements.txt")


@pytest.mark.parametrize(
    "lock",
    [
        "requirements.txt",
        "requirements/dev.txt",
        "requirements/mlserver.txt",
        "requirements/kserve.txt",
        "requirements/mlflow.txt",
        "requirements/pipeline.txt",
        "requirements/jupyterhub.txt",
        "requirements/chart.txt",
        "requirements/chart-mcp.txt",
        "requirements/image-kubernetes.txt",
        "requirements/image-s3.txt",
        "requirements/image-dask.txt",
    ],
)
def test_every_locked_line_is_a_pin_with_a_hash(lock: str) -> None:
    """A lock file names exact versions and what their files hash to, and no package index."""
    lines = requirements_of(lock)
    assert lines
    assert [line for line in lines if not PIN.match(line)] == []
    assert [line for line in lines if "--hash=sha256:" not in line] == []
    assert "://" not in (ROOT / lock).read_text()


def test_the_tools_and_the_dashboard_agree() -> None:
    """Both lock files are installed into one environment, so no package has two versions."""
    dashboard, tools = (pins_of(lock) for lock in ("requirements.txt", "requirements/dev.txt"))
    assert {name: tools[name] for name in dashboard.keys() & tools.keys()} == {
        name: dashboard[name] for name in dashboard.keys() & tools.keys()
    }


@pytest.mark.parametrize("extra", ["kubernetes", "s3", "dask"])
def test_an_extra_of_the_image_changes_nothing_of_the_core(extra: str) -> None:
    """It is installed on top of requirements.txt, so what both hold has one version."""
    core, more = (pins_of(lock) for lock in ("requirements.txt", f"requirements/image-{extra}.txt"))
    both = core.keys() & more.keys()
    assert both
    # A condition may stand behind a version: which Pythons need the package at all.
    versions = {name: {one.split(" ;")[0] for one in more[name]} for name in both}
    assert versions == {name: {one.split(" ;")[0] for one in core[name]} for name in both}
