"""What pipeline.sh says and leaves where it can't begin, or is stopped before its end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.pipeline.__main__ import forget
from scripts.pipeline.stages import StageError, Stages
from scripts.problem import ScriptError
from tests import needs
from tests.servers import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
COMMAND = str(ROOT / "scripts" / "pipeline.sh")
WAIT_S = 120.0


@pytest.fixture
def variables() -> dict[str, str]:
    """Return an environment in which nothing is installed anew."""
    needs.kserve_python()
    return os.environ | {"KSERVE_CLIENT_ENVS": str(needs.pipeline_python().parents[2])}


def said(variables: dict[str, str], *options: str | Path) -> str:
    """Run it, which fails; return what it wrote to standard error."""
    command = [COMMAND, *map(str, options)]
    ended = subprocess.run(
        command, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 1
    return ended.stderr


def test_a_port_that_is_taken(variables: dict[str, str], tmp_path: Path) -> None:
    """Told before anything is started, with the option that helps."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = said(variables, "--folder", tmp_path, "--port", str(port))
    assert told == (
        f"Port {port}, meant for the dashboard, is taken by another program: stop that one, or "
        "choose another port with --port.\n"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"road.lock"}


def test_a_folder_where_nothing_can_be_written(variables: dict[str, str], tmp_path: Path) -> None:
    """Told with the system's own reason."""
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "road"
    assert said(variables, "--check", "--folder", folder) == (
        f"Nothing can be written in {folder} (Not a directory): choose another folder with "
        "--folder.\n"
    )


def test_a_folder_with_other_things_is_left_alone(
    variables: dict[str, str], tmp_path: Path
) -> None:
    """--fresh removes what lies in a road's folder, so nobody else's may become one by mistake."""
    kept = tmp_path / "logs" / "of last year.txt"
    kept.parent.mkdir()
    kept.touch()
    assert said(variables, "--check", "--fresh", "--folder", tmp_path) == (
        f"{tmp_path} holds files that are not of a road, and --fresh would remove them: choose an "
        "empty or a new folder with --folder.\n"
    )
    assert kept.is_file()


def test_fresh_forgets_all_but_what_is_installed(tmp_path: Path) -> None:
    """Jobs of the dashboard, the executed notebook and the data of either store are gone."""
    for name in ("envs", "jobs", "rclone", "mlflow"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    for name in ("road.lock", "models.yaml", "notebook.ipynb", "store", "thesis.txt"):
        (tmp_path / name).touch()
    forget(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["envs", "road.lock", "thesis.txt"]
    assert (tmp_path / "envs" / "file").is_file()


def test_a_folder_of_somebody_else_names_the_stage(
    variables: dict[str, str], tmp_path: Path
) -> None:
    """The store has no place for its data: the stage, the system's reason and what to look at."""
    (tmp_path / "road.lock").touch()
    (tmp_path / "store").touch()
    told = said(variables, "--check", "--folder", tmp_path)
    assert told.startswith("Stage S3 store: [Errno 17] File exists: ")
    assert "What to do: read logs/store.log in the folder of the road; a full disk" in told


def test_a_full_disk_is_told_with_what_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before the advice of the stage; a disk with room is not told of."""
    usage = shutil.disk_usage(tmp_path)
    for free, words in (
        (1_600_000, f"make room, {tmp_path} has 2 MB left on its disk; else "),
        (10**9, ""),
    ):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        with pytest.raises(StageError) as caught, Stages(tmp_path).stage("MLflow", "read the log."):
            raise ScriptError("MLflow ended by itself.")
        assert str(caught.value) == (
            f"Stage MLflow: MLflow ended by itself.\nWhat to do: {words}read the log."
        )


def left(folder: Path) -> list[str]:
    """The commands of processes that have to do with a folder: by a word, a variable or where they run."""
    found = []
    for home in Path("/proc").glob("[0-9]*"):
        try:
            command = (home / "cmdline").read_bytes()
            words = command + (home / "environ").read_bytes() + bytes((home / "cwd").readlink())
        except OSError:
            continue
        if bytes(folder) in words and home.name != str(os.getpid()):
            found.append(command.replace(b"\0", b" ").decode())
    return found


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def with_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which each road after the first one goes on with the database of MLflow."""
    return tmp_path_factory.mktemp("stopped")


@pytest.mark.parametrize(
    ("options", "stage", "program"),
    [
        ((), "S3 store", "mlflow server"),
        ((), "MLflow", "ipykernel_launcher"),
        (("--jupyterhub",), "MLflow", "ipykernel_launcher"),
    ],
)
def test_ctrl_c_leaves_nothing_running(
    variables: dict[str, str],
    tmp_path: Path,
    with_mlflow: Path,
    options: tuple[str, ...],
    stage: str,
    program: str,
) -> None:
    """Stopped while a program of the stage after `stage` runs: all of them end, and no success is told."""
    if options:
        needs.jupyterhub_python()
    folder = with_mlflow if stage == "MLflow" else tmp_path
    command = [COMMAND, "--check", "--folder", str(folder), *options]
    road = subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert road.stdout is not None
    with road:
        assert any(line.startswith(stage) for line in road.stdout)
        wait_for(lambda: any(program in one for one in left(folder)))
        # As a terminal does: to all of its foreground.
        os.killpg(road.pid, signal.SIGINT)
        assert "Stopping the road" in road.stdout.read()
    assert road.returncode == 128 + signal.SIGINT
    wait_for(lambda: left(folder) == [])
