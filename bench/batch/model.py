"""The model that all sides ask: a real MLServer, and how our side is told of it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.batch.table import COLUMNS
from bench.processes import ROOT
from scripts.mlserver import MLServer
from scripts.processes import LOOPBACK, free_ports

NAME = "iris"
_MODELS_FILE = """\
version: 1
endpoints:
  bench: {{url: "{url}"}}
models:
  iris:
    endpoint: bench
    signature:
      layout: tensor
      input: input-0
      datatype: FP64
      features: [{features}]
      outputs: [{{name: predict, kind: label}}]
"""


class BenchServer(MLServer):
    """A MLServer whose port of gRPC is known; one of the sides uses it."""

    def __init__(self, python: Path, models: Path, log: Path) -> None:
        super().__init__(python, models, log)
        self.grpc_port = free_ports(1)[0]

    def _variables(self) -> dict[str, str]:
        return super()._variables() | {"MLSERVER_GRPC_PORT": str(self.grpc_port)}

    @property
    def grpc_address(self) -> str:
        """Host and port of the gRPC service."""
        return f"{LOOPBACK}:{self.grpc_port}"

    @property
    def pid(self) -> int:
        """Its one process."""
        assert self.child is not None, "start() comes first"
        return self.child.process.pid


@contextlib.contextmanager
def running(python: Path, place: Path) -> Iterator[BenchServer]:
    """Train the model, serve it, and stop with the block; everything lies in `place`."""
    folder = place / "models"
    command = [str(python), "-m", "bench.batch.training", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 - a Python that the caller named
    with BenchServer(python, folder, place / "server" / "mlserver.log") as server:
        yield server


def write_models_file(path: Path, url: str) -> Path:
    """Write what our side is told of the model at `url`: four features, and the class as its only output."""
    features = ", ".join(f"{{name: {column}}}" for column in COLUMNS)
    path.write_text(_MODELS_FILE.format(url=url, features=features))
    return path
