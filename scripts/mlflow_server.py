"""Starts and stops a real MLflow tracking server, for tests, and logs models in it."""

import os
from pathlib import Path
from typing import ClassVar

from scripts.model_server import ModelServer
from scripts.problem import ScriptError
from scripts.processes import LOOPBACK, Child, answers

# What a server and a client of MLflow on this machine need not do, and must not ask a proxy for.
SETTINGS = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "NO_PROXY": LOOPBACK,
    "no_proxy": LOOPBACK,
    "PYTHONUNBUFFERED": "1",
}


class MLflowServer(ModelServer):
    """A MLflow; its Python is of the environment of requirements/mlflow.txt.

    `models` is the folder of its database and its artifacts. It has one worker and runs no jobs:
    with what it starts by itself it takes twice as long and a dozen processes.
    """

    name: ClassVar[str] = "MLflow"

    @property
    def artifacts(self) -> str:
        """Return where the server keeps the files of the models."""
        return str(self.models / "artifacts")

    def variables(self) -> dict[str, str]:
        """Return the environment of the server."""
        return variables()

    def launched(self) -> Child:
        """Start the process."""
        self.models.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [self.python, "-m", "mlflow", "server"]
        command += ["--host", LOOPBACK, "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.models}/mlflow.db"]
        command += ["--artifacts-destination", self.artifacts]
        return Child(self.name, command, self.log, cwd=self.models, env=self.variables())

    def is_ready(self) -> bool:
        """Return whether the server answers."""
        return answers(f"{self.url}/health")

    def run(self, program: Path, *arguments: str | Path) -> str:
        """Run a program with MLflow's own client, as a notebook would; return what it printed.

        Raises ScriptError with the end of its log when it fails.
        """
        log = self.log.with_name(f"{program.stem}.log")
        environment = variables() | {"MLFLOW_TRACKING_URI": self.url}
        command: list[str | Path] = [self.python, program, *arguments]
        # From a folder outside of any repository, which MLflow would note at the run.
        child = Child(program.name, command, log, cwd=self.models, env=environment)
        if child.wait() != 0:
            raise ScriptError(f"{program.name} failed; the end of {log}:\n{child.last_lines()}")
        return log.read_text(errors="replace")


def variables() -> dict[str, str]:
    """Return the environment: ours, without settings that a person made for another server."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    return inherited | SETTINGS
