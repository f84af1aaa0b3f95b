"""Starts and stops KServe's own model server, for tests."""

import os
from pathlib import Path
from typing import ClassVar

from scripts.environment import ROOT
from scripts.model_server import MODULE, ModelServer
from scripts.processes import LOOPBACK, Child

PROGRAM = "examples.kserve_model"


class KServeServer(ModelServer):
    """A KServe ModelServer; its Python is of the environment of requirements/kserve.txt.

    It has read its models when it says that it is ready: KServe listens after it has them.
    """

    name: ClassVar[str] = "KServe"

    def __init__(
        self,
        python: Path,
        models: Path,
        log: Path,
        *,
        program: str = PROGRAM,
        port: int | None = None,
    ) -> None:
        """Describe the server; `program` is the module that serves `models`."""
        super().__init__(python, models, log, port=port)
        self.program = program

    def launched(self) -> Child:
        """Start the process."""
        command: list[str | Path] = [self.python, "-c", MODULE, self.program, self.models]
        command += ["--host", LOOPBACK, "--http_port", str(self.port), "--enable_grpc", "false"]
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        return Child(self.name, command, self.log, cwd=ROOT, env=environment)
