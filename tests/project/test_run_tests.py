from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scripts import run_tests

ROOT = Path(run_tests.__file__).parents[1]
ONCE = """
from pathlib import Path

def test_unsteady():
    been = Path("been")
    assert been.exists() or been.touch()
"""
ALWAYS = """
import pytest

def test_steady(): pass

@pytest.mark.parametrize("at", range({count}))
def test_broken(at): assert False
"""
UNPREPARED = """
import pytest
from pathlib import Path

@pytest.fixture
def server():
    been = Path("been")
    assert been.exists() or been.touch()

def test_server(server): pass
"""


def run(folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "scripts.run_tests", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "--numprocesses", "2", "test_it.py", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_test_that_passes_alone_is_named(tmp_path: Path) -> None:
    """It refuses nothing, but nobody can overlook it."""
    done = run(tmp_path, ONCE)
    assert done.returncode == 0, done.stdout
    assert "1 failed" in done.stdout
    end = done.stdout.splitlines()[-2:]
    assert end == [
        "Failed beside the others, passed alone; find out why:",
        "  test_it.py::test_unsteady",
    ]


def test_a_test_whose_preparation_failed_is_run_again(tmp_path: Path) -> None:
    """A server that did not come up in time is one of them."""
    done = run(tmp_path, UNPREPARED)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("\n  test_it.py::test_server\n")


def test_a_test_that_fails_alone_has_failed(tmp_path: Path) -> None:
    """One that fails twice is the result, and only the failed ones are run twice."""
    done = run(tmp_path, ALWAYS.format(count=1))
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "collected 1 item" in done.stdout
    assert "passed alone" not in done.stdout


def test_many_failures_are_no_accident(tmp_path: Path) -> None:
    """More than five are not tried again."""
    done = run(tmp_path, ALWAYS.format(count=run_tests.FEW + 1))
    assert done.returncode == 1
    assert "Once more" not in done.stdout


def test_the_status_of_pytest_stays(tmp_path: Path) -> None:
    """No test at all and a wrong option are told as pytest tells them."""
    assert run(tmp_path, "def test_steady(): pass").returncode == 0
    assert run(tmp_path, "").returncode == 5
    assert run(tmp_path, "", "--no-such-option").returncode == 4
