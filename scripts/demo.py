"""The demo: a real MLServer with small models, and the dashboard on them.

scripts/demo.sh finds a Python and runs this with it; nothing need be installed before.
"""

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from scripts import dashboard, demo_models, options
from scripts.environment import ROOT, describe, make
from scripts.mlserver import MLServer
from scripts.options import Options
from scripts.problem import ScriptError
from scripts.processes import (
    LOOPBACK,
    Child,
    Interrupted,
    exit_status,
    fail_if_ended,
    free_ports,
    is_taken,
    stop_all,
)

DEMO = ROOT / ".demo"
LOGS = DEMO / "logs"
WATCH_S = 0.5


def make_environments() -> tuple[Path, Path]:
    """Return the Python of the dashboard and the one of MLServer, installed once."""
    parent = Path(os.environ.get("KSERVE_CLIENT_ENVS") or DEMO / "envs").expanduser().absolute()
    ours = describe("dashboard", [ROOT / "requirements.txt"], parent)
    mlserver = describe("mlserver", [demo_models.LOCK], parent)
    return make(ours), make(mlserver)


def run_demo(wanted: Options) -> int:
    """Run the server and the dashboard until somebody stops them."""
    with _only_demo_here():
        wanted.require_free_ports()
        dashboard_python, mlserver_python = make_environments()
        demo_models.train_once(DEMO, mlserver_python)
        server = MLServer(
            mlserver_python, DEMO / "mlserver", LOGS / "mlserver.log", port=wanted.server_port
        )
        models_file = DEMO / "models.yaml"
        demo_models.write_models_file(models_file, server.url)
        # Installing may have taken minutes, so somebody may have come first.
        wanted.require_free_ports()
        children: list[Child] = []
        try:
            print("Starting MLServer and the dashboard", flush=True)
            children.append(server.start())
            log = LOGS / "dashboard.log"
            children.append(
                dashboard.start(
                    dashboard_python, wanted.port, models_file, log, KSERVE_CLIENT_BADGE="demo"
                )
            )
            server.wait_until_ready(children)
            # Last, since it looks at the models, and the first look should find them all.
            dashboard.wait_for(children, wanted.port)
            print(_welcome(server, wanted.port), flush=True)
            _watch(*children)
        except Interrupted as stop:
            print("\nStopping the demo", flush=True)
            # The way the demo is meant to end, so it is no failure.
            return 0 if stop.number == signal.SIGINT else 128 + stop.number
        finally:
            stop_all(children)


def run_check(wanted: Options) -> int:
    """Ask each model for its examples, without a dashboard; beside a running demo too."""
    dashboard_python, mlserver_python = make_environments()
    demo_models.train_once(DEMO, mlserver_python)
    port = free_ports(1)[0] if is_taken(wanted.server_port) else wanted.server_port
    # Files of its own, so that a running demo keeps its address.
    models_file = DEMO / f"check-{os.getpid()}.yaml"
    log = LOGS / "check-mlserver.log"
    try:
        with MLServer(mlserver_python, DEMO / "mlserver", log, port=port) as server:
            demo_models.write_models_file(models_file, server.url)
            return _ask_models(dashboard_python, models_file)
    finally:
        models_file.unlink(missing_ok=True)


def _ask_models(python: Path, models_file: Path) -> int:
    command: list[str | Path] = [python, "-m", "scripts.ask_models", models_file]
    child = Child("The check", command, LOGS / "check.log", cwd=ROOT)
    status = child.wait()
    print(child.log.read_text(), end="", flush=True)
    return status


def _watch(server: Child, dashboard: Child) -> NoReturn:
    """Watch until it ends: raise Interrupted at Ctrl-C, ScriptError when the dashboard ends.

    A model server that ends is what the dashboard is there to explain, so the demo goes on.
    """
    is_told = False
    while True:
        time.sleep(WATCH_S)
        fail_if_ended([dashboard])
        if not server.is_running and not is_told:
            print("MLServer ended by itself; the dashboard's page Health shows it.", flush=True)
            is_told = True


def _welcome(server: MLServer, port: int) -> str:
    folder = DEMO.relative_to(ROOT)
    return f"""
The demo is running.

  Dashboard     http://{LOOPBACK}:{port}
  Model server  {server.url} (MLServer with {", ".join(server.model_names)})
  Models file   {folder}/models.yaml
  Samples       {folder}/data (tables for Batch, pictures for Predict)
  Logs          {folder}/logs

Press Ctrl-C to stop it.
"""


@contextlib.contextmanager
def _only_demo_here() -> Iterator[None]:
    """Hold the demo's folder; two demos would write the same models file."""
    DEMO.mkdir(exist_ok=True)
    with (DEMO / "demo.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ScriptError(
                "A demo already runs from this folder: use that one, or stop it first with Ctrl-C."
            ) from None
        yield


def run(arguments: Sequence[str]) -> int:
    """Run the demo or its check; return the exit status."""
    wanted = options.parse(arguments)
    return exit_status(
        lambda: run_check(wanted) if wanted.is_check else run_demo(wanted), "The demo"
    )


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
