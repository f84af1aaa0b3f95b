"""Goes the road: scripts/pipeline.sh finds a Python and runs this with it."""

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from scripts import dashboard
from scripts.environment import ROOT, describe, environments_folder, make
from scripts.pipeline import options
from scripts.pipeline.options import FOLDER, Options
from scripts.pipeline.registry import Version
from scripts.pipeline.road import Pythons, Road
from scripts.pipeline.stores import DATA
from scripts.problem import ScriptError
from scripts.processes import LOOPBACK, Interrupted, exit_status, fail_if_ended, is_taken

WATCH_S = 0.5
# Held while a road runs; a folder that has it is a road's.
LOCK = "road.lock"
MADE = (*DATA.values(), "mlflow", "fetched", "kserve", "mlserver", "logs", "jobs", "jupyterhub")
MADE += ("models.yaml", "notebook.ipynb", "served.json")


def make_environments(*, with_jupyterhub: bool) -> Pythons:
    """Return the Pythons, installed once for all folders of roads."""
    parent = environments_folder() if os.environ.get("KSERVE_CLIENT_ENVS") else FOLDER / "envs"
    names = ["pipeline", "kserve", *(["jupyterhub"] if with_jupyterhub else [])]
    locks = {name: [ROOT / "requirements" / f"{name}.txt"] for name in names}
    locks["dashboard"] = [ROOT / "requirements.txt"]
    made = {name: make(describe(name, lock, parent)) for name, lock in locks.items()}
    return Pythons(made["pipeline"], made["kserve"], made["dashboard"], made.get("jupyterhub"))


def go(wanted: Options) -> int:
    """Go the road, to its end and back with --check, else until somebody stops it."""
    with _only_road_here(wanted.folder):
        if not wanted.is_check and is_taken(wanted.port):
            raise ScriptError(
                f"Port {wanted.port}, meant for the dashboard, is taken by another program: stop "
                "that one, or choose another port with --port."
            )
        if wanted.is_fresh:
            forget(wanted.folder)
        pythons = make_environments(with_jupyterhub=wanted.is_jupyterhub)
        road = Road(wanted.folder, pythons, s3=wanted.s3)
        # Installing is not part of the road.
        road.stages.began = time.monotonic()
        try:
            version = road.travel(is_fresh_training=wanted.is_train or wanted.is_jupyterhub)
            print(f"{'in all':20} {road.stages.total_s:5.1f} s", flush=True)
            if wanted.is_check:
                return 0
            _open_dashboard(road, wanted.port)
            return _kept_open(road, _welcome(road, version, wanted.port))
        except Interrupted as stop:
            # Before it was open nothing was shown that the road works: whoever asked must not go on.
            print("\nStopping the road", flush=True)
            return 128 + stop.number
        finally:
            road.stop()


def _kept_open(road: Road, welcome: str) -> int:
    """Keep it open until somebody stops it; raises ScriptError when a part of it ends."""
    print(welcome, flush=True)
    try:
        _watch(road)
    except Interrupted as stop:
        print("\nStopping the road", flush=True)
        # The way it is meant to end, so it is no failure.
        return 0 if stop.number == signal.SIGINT else 128 + stop.number


def forget(folder: Path) -> None:
    """Remove all that a road made in its folder, and nothing else that lies there."""
    for name in MADE:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _found(folder: Path) -> list[Path]:
    """Return what a road, or somebody else, has put there; environments are of all roads."""
    return [path for path in folder.iterdir() if path.name != "envs"]


def _open_dashboard(road: Road, port: int) -> None:
    with road.stages.stage("dashboard", f"read {road.logs / 'dashboard.log'}.") as found:
        log = road.logs / "dashboard.log"
        child = dashboard.start(
            road.pythons.dashboard, port, road.models_file, log, KSERVE_CLIENT_BADGE="road"
        )
        road.children.append(child)
        dashboard.wait_for(road.children, port)
        found.append(f"http://{LOOPBACK}:{port}")


def _watch(road: Road) -> NoReturn:
    """Watch until it ends: raise Interrupted at Ctrl-C, ScriptError when a part of it ends."""
    while True:
        time.sleep(WATCH_S)
        fail_if_ended(road.children)


def _welcome(road: Road, version: Version, port: int) -> str:
    model = road.model
    return f"""
The road is open: {version.name} version {version.number} is served.

  Dashboard  http://{LOOPBACK}:{port}
  KServe     {road.kserve.url} ({model})
  MLServer   {road.mlserver.url} ({", ".join(road.mlserver.model_names)})
  MLflow     {road.mlflow.url if road.mlflow else ""}
  S3         {road.store.url} ({road.store.title})
  Files      {road.folder}

Ask it as the guide does:

  curl -s -H "Content-Type: application/json" -d @deploy/input_1.json \\
      {road.kserve.url}/v2/models/{model}/infer

Press Ctrl-C to stop it.
"""


def _lock_file(folder: Path) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if _found(folder) and not (folder / LOCK).exists():
            raise ScriptError(
                f"{folder} holds files that are not of a road, and --fresh would remove them: "
                "choose an empty or a new folder with --folder."
            )
        return (folder / LOCK).open("w")
    except OSError as error:
        raise ScriptError(
            f"Nothing can be written in {folder} ({error.strerror}): choose another folder with "
            "--folder."
        ) from None


@contextlib.contextmanager
def _only_road_here(folder: Path) -> Iterator[None]:
    """Hold the folder; two roads would write the same store."""
    with _lock_file(folder) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ScriptError(
                f"The road already runs in {folder}: stop it first with Ctrl-C, or choose another "
                "folder with --folder."
            ) from None
        yield


def run(arguments: Sequence[str]) -> int:
    """Go the road; return the exit status."""
    wanted = options.parse(arguments)
    return exit_status(lambda: go(wanted), "The road")


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
