"""Starts and stops a real MLServer, for the demo and for tests."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from scripts.processes import LOOPBACK, Child, answers, free_ports, wait_until

READY_S = 120.0
# What mlserver's own console script does; a script's first line breaks when its path is long.
START = "from mlserver.cli import main; main()"


class MLServer:
    """A MLServer that serves the models of one folder, on loopback only.

    As a context manager it waits until every model is ready, and stops the server at the end. A
    test that kills the server uses `stop()` and `start()`; the port stays the same.
    """

    def __init__(self, python: Path, models: Path, log: Path, *, port: int | None = None) -> None:
        """Describe the server; nothing starts yet.

        `python` belongs to the environment of requirements/mlserver.txt. Without a `port`, a free
        one is taken.
        """
        self.python = python
        self.models = models
        self.log = log
        self.port = port or free_ports(1)[0]
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Return the base URL of the data plane, without /v2."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def model_names(self) -> list[str]:
        """Return the models of the folder, by name."""
        return sorted(path.parent.name for path in self.models.glob("*/model-settings.json"))

    def start(self) -> Child:
        """Start the server without waiting for it."""
        command: list[str | Path] = [self.python, "-c", START, "start", self.models]
        self.child = Child("MLServer", command, self.log, cwd=self.models, env=self._variables())
        return self.child

    def is_ready(self) -> bool:
        """Return whether the server and each of its models say that they are ready."""
        paths = ["health/ready", *(f"models/{name}/ready" for name in self.model_names)]
        return all(answers(f"{self.url}/v2/{path}") for path in paths)

    def wait_until_ready(self, others: Sequence[Child] = (), timeout_s: float = READY_S) -> None:
        """Wait for the server; raise ScriptError if it, or one of `others`, ends instead."""
        assert self.child is not None, "start() comes first"
        wait_until(
            self.is_ready,
            [self.child, *others],
            what=f"MLServer at {self.url}",
            timeout_s=timeout_s,
        )

    def stop(self) -> None:
        """Stop the server if it runs."""
        if self.child is not None:
            self.child.stop()
            self.child = None

    def __enter__(self) -> Self:
        """Start the server and wait until it is ready."""
        self.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()

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
