"""What the model servers of the demo and the tests share: started, waited for, stopped."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from scripts.processes import LOOPBACK, Child, answers, free_ports, wait_until

READY_S = 120.0
# What a server's program begins with. Python else looks at all that an import has made, again and again:
# a sixth of the processor time of a start.
SOONER = "import gc; gc.set_threshold(50_000)"
# What `python -m MODULE` does, with that before it.
MODULE = f"{SOONER}; import runpy, sys; runpy.run_module(sys.argv.pop(1), None, '__main__', True)"


class ModelServer(ABC):
    """A server of the models of one folder, on loopback only.

    As a context manager it waits until the server is ready, and stops it at the end. A test that
    kills the server uses `stop()` and `start()`; the port stays the same.
    """

    name: ClassVar[str]

    def __init__(self, python: Path, models: Path, log: Path, *, port: int | None = None) -> None:
        """Describe the server; nothing starts yet.

        `python` belongs to the environment of the server. Without a `port`, a free one is taken.
        """
        self.python = python
        self.models = models
        self.log = log
        self.port = port or free_ports(1)[0]
        self.child: Child | None = None

    @abstractmethod
    def launched(self) -> Child:
        """Start the process."""

    @property
    def ready_paths(self) -> list[str]:
        """Return what must answer below /v2 before the server is ready."""
        return ["health/ready"]

    @property
    def url(self) -> str:
        """Return the base URL of the data plane, without /v2."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> Child:
        """Start the server without waiting for it."""
        self.child = self.launched()
        return self.child

    def is_ready(self) -> bool:
        """Return whether the server says that it is ready."""
        return all(answers(f"{self.url}/v2/{path}") for path in self.ready_paths)

    def wait_until_ready(self, others: Sequence[Child] = (), timeout_s: float = READY_S) -> None:
        """Wait for the server; raise ScriptError if it, or one of `others`, ends instead."""
        assert self.child is not None, "start() comes first"
        wait_until(
            self.is_ready,
            [self.child, *others],
            what=f"{self.name} at {self.url}",
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
