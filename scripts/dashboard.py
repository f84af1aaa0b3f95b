"""Starts the dashboard on a models file, for the demo and the road."""

import os
from collections.abc import Sequence
from pathlib import Path

from scripts.environment import ROOT
from scripts.processes import LOOPBACK, Child, answers, wait_until

READY_S = 60.0


def start(python: Path, port: int, models_file: Path, log: Path, **variables: str) -> Child:
    """Start the dashboard without waiting; `python` is of the environment of requirements.txt."""
    command: list[str | Path] = [python, "-m", "streamlit", "run", ROOT / "app.py"]
    command += ["--server.address", LOOPBACK, "--server.port", str(port)]
    command += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    command += ["--server.scriptHealthCheckEnabled", "true"]
    own = {
        "KSERVE_CLIENT_MODELS": str(models_file),
        # Not the folder of a person's own jobs.
        "KSERVE_CLIENT_JOBS_FOLDER": str(models_file.parent / "jobs"),
    }
    environment = os.environ | own | variables
    return Child("The dashboard", command, log, cwd=ROOT, env=environment)


def wait_for(children: Sequence[Child], port: int) -> None:
    """Wait until the dashboard answers; raise ScriptError if one of the children ends instead."""
    # This one runs app.py once, so that the first person does not wait for its imports.
    health = f"http://{LOOPBACK}:{port}/_stcore/script-health-check"
    wait_until(lambda: answers(health), children, what="The dashboard", timeout_s=READY_S)
