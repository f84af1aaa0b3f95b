"""Starts and stops a real MLServer, for the demo and for tests."""

import os
from pathlib import Path
from typing import ClassVar

from scripts.model_server import SOONER, ModelServer
from scripts.processes import LOOPBACK, Child, free_ports

# What mlserver's own console script does; a script's first line breaks when its path is long.
START = f"{SOONER}; from mlserver.cli import main; main()"


class MLServer(ModelServer):
    """A MLServer; its Python is of the environment of requirements/mlserver.txt."""

    name: ClassVar[str] = "MLServer"

    @property
    def model_names(self) -> list[str]:
        """Return the models of the folder, by name."""
        return sorted(path.parent.name for path in self.models.glob("*/model-settings.json"))

    @property
    def ready_paths(self) -> list[str]:
        """Return the paths of the server and of each model, which load one by one."""
        return ["health/ready", *(f"models/{name}/ready" for name in self.model_names)]

    def launched(self) -> Child:
        """Start the process."""
        command: list[str | Path] = [self.python, "-c", START, "start", self.models]
        return Child(self.name, command, self.log, cwd=self.models, env=self._variables())

    def _variables(self) -> dict[str, str]:
        """Return the environment: ours, without settings that a person made for another server."""
        grpc, metrics = free_ports(2)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MLSERVER_")}
        return inherited | {
            "MLSERVER_HOST": LOOPBACK,
            "MLSERVER_HTTP_PORT": str(self.port),
            "MLSERVER_GRPC_PORT": str(grpc),
            "MLSERVER_METRICS_PORT": str(metrics),
            # One process is enough here and starts in half the time.
            "MLSERVER_PARALLEL_WORKERS": "0",
            # The default sends tracebacks to the client.
            "MLSERVER_DEBUG": "false",
            "MLSERVER_ENVIRONMENTS_DIR": str(self.log.parent),
            "MLSERVER_METRICS_DIR": str(self.log.parent),
            "PYTHONUNBUFFERED": "1",
        }
