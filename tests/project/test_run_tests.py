from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scripts import run_tests

ROOT = Path(run_tests.__file__).parents[1]
UNSTEADY = """
import pytest
from pathlib import Path

def is_second(name):
    been = Path(name)
    return been.exists() or been.touch()

@pytest.fixture
def server():
    assert is_second("server")

def test_page(): assert is_second("page")

def test_answer(server): pass
"""
BROKEN = """
import pytest

def test_steady(): pass

@pytest.mark.parametrize("at", range({count}))
def test_broken(at): assert False
"""


def run(folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text)
    # Each plugin that is installed here would be loaded in each of these processes.
    alone = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-p xdist -p no:cacheprovider",
    }
    return subprocess.run(
        [sys.executable, "-m", "scripts.run_tests", "test_it.py", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **alone},
        capture_output=True,
        text=True,
        check=False,
    )


def test_tests_that_pass_alone_are_named(tmp_path: Path) -> None:
    """They refuse nothing, be it that a server was not up in time, but nobody can overlook them."""
    done = run(tmp_path, UNSTEADY, "--numprocesses", "1")
    assert done.returncode == 0, done.stdout
    assert "1 failed, 1 error" in done.stdout
    assert done.stdout.endswith(
        "\nFailed beside the others, passed alone; find out why:\n"
        "  test_it.py::test_page\n"
        "  test_it.py::test_answer\n"
    )


def test_a_test_that_fails_alone_has_failed(tmp_path: Path) -> None:
    """What fails twice is the result, and only that is run twice."""
    done = run(tmp_path, BROKEN.format(count=1))
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "collected 1 item" in done.stdout
    assert "passed alone" not in done.stdout


def test_many_failures_are_no_accident(tmp_path: Path) -> None:
    """More than five are not tried again."""
    done = run(tmp_path, BROKEN.format(count=run_tests.FEW + 1))
    assert done.returncode == 1
    assert "Once more" not in done.stdout


def test_the_status_of_pytest_stays(tmp_path: Path) -> None:
    """That there is no test at all is told as pytest tells it."""
    assert run(tmp_path, "").returncode == 5
