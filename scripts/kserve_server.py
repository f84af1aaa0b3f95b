"""Starts and stops KServe's own model server, for tests."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from scripts.environment import ROOT
from scripts.processes import LOOPBACK, Child, answers, free_ports, wait_until

READY_S = 120.0
PROGRAM = "examples.kserve_model"


class KServeServer:
    """A KServe ModelServer that serves the models of one folder, on loopback only.

    As a context manager it waits until the server answers, and stops it at the end. A test that
    kills the server uses `stop()` and `start()`; the port stays the same.
    """

    def __init__(
        self,
        python: Path,
        models: Path,
        log: Path,
        *,
        program: str = PROGRAM,
        port: int | None = None,
    ) -> None:
        """Describe the server; nothing starts yet.

        `python` belongs to the environment of requirements/kserve.txt, `program` is the module that
        serves `models`. Without a `port`, a free one is taken.
        """
        self.python = python
        self.models = models
        self.log = log
        self.program = program
        self.port = port or free_ports(1)[0]
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Return the base URL of the data plane, without /v2."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> Child:
        """Start the server without waiting for it."""
        command: list[str | Path] = [self.python, "-m", self.program, self.models]
        command += ["--host", LOOPBACK, "--http_port", str(self.port), "--enable_grpc", "false"]
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        self.child = Child("KServe", command, self.log, cwd=ROOT, env=environment)
        return self.child

    def is_ready(self) -> bool:
        """Return whether the server says that it is ready.

        It has read its models by then: KServe listens after it has them.
        """
        return answers(f"{self.url}/v2/health/ready")

    def wait_until_ready(self, others: Sequence[Child] = (), timeout_s: float = READY_S) -> None:
        """Wait for the server; raise ScriptError if it, or one of `others`, ends instead."""
        assert self.child is not None, "start() comes first"
        wait_until(
            self.is_ready,
            [self.child, *others],
            what=f"KServe at {self.url}",
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
