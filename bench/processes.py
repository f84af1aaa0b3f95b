"""The sides of a benchmark as running processes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.worker import WITHOUT_SIMDJSON

# numpy's threads would wait for each other on a busy machine; no operation here needs them.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ROOT = Path(__file__).resolve().parent.parent
MLSERVER_PYTHON = "KSERVE_CLIENT_MLSERVER_PYTHON"
KSERVE_PYTHON = "KSERVE_CLIENT_KSERVE_PYTHON"


@dataclass(frozen=True)
class Side:
    """A side: the name in the table, its module in bench/sides, and the variable that names its Python.

    Without a variable it runs in the environment of the benchmark itself.
    """

    name: str
    module: str
    variable: str | None = None
    options: tuple[str, ...] = ()

    @property
    def python(self) -> str | None:
        """The Python of its environment, None where there is none."""
        return sys.executable if self.variable is None else os.environ.get(self.variable)


OWN = Side("kserve_client", "own")
PLAIN = Side("kserve_client without simdjson", "own", options=(WITHOUT_SIMDJSON,))
BY_HAND = Side("by hand", "by_hand")
KSERVE_SDK = Side("KServe SDK", "kserve_sdk", KSERVE_PYTHON)
TRITON = Side("tritonclient", "triton", MLSERVER_PYTHON)
MLSERVER = Side("MLServer codecs", "mlserver_codecs", MLSERVER_PYTHON)
MLSERVER_TEXTS = Side("MLServer codecs, use_bytes=False", "mlserver_texts", MLSERVER_PYTHON)
AIOHTTP = Side("asyncio with aiohttp, by hand", "aiohttp_tasks", MLSERVER_PYTHON)
HTTPX = Side("asyncio with httpx, by hand", "httpx_tasks", KSERVE_PYTHON)
ALL = (OWN, BY_HAND, PLAIN, KSERVE_SDK, TRITON, MLSERVER, MLSERVER_TEXTS, AIOHTTP, HTTPX)


def inherited() -> dict[str, str]:
    """Few variables, and always the same: `requests` looks through all of them in each call."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ}


class SideError(Exception):
    """A side that did not start or stopped answering; the message has its last words."""


class Process:
    """A side at work. As a context manager it ends with the block."""

    def __init__(self, side: Side, variables: Mapping[str, str]) -> None:
        assert side.python is not None
        self.side = side
        command = [side.python, "-m", "bench.worker", side.module, *side.options]
        self._child = subprocess.Popen(  # noqa: S603 - a Python that the caller named
            command,
            cwd=ROOT,
            env={**inherited(), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.greeting: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.greeting = self._read()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.communicate()

    def can(self, operation: str) -> bool:
        """Whether this side does that."""
        return operation in self.greeting["operations"]

    def ask(self, **command: Any) -> dict[str, Any]:
        """Give a command and wait for its answer. Raises SideError when the process ended."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(json.dumps(command) + "\n")
            self._child.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        line = self._child.stdout.readline()
        if not line:
            words = self._child.stderr.read().strip().splitlines()[-3:]
            raise SideError(f"{self.side.name} stopped: {' / '.join(words)}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def listening(module: str, *arguments: str) -> Iterator[str]:
    """Run a server of the benchmark's own, which prints its port; give its URL, end it with the block."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603 - ourselves
        assert child.stdout is not None
        try:
            yield f"http://127.0.0.1:{child.stdout.readline().strip()}"
        finally:
            child.kill()


@contextlib.contextmanager
def started(sides: Sequence[Side], variables: Mapping[str, str]) -> Iterator[list[Process]]:
    """Start the sides that have an environment, all on one thread each, and end them with the block."""
    with contextlib.ExitStack() as stack:
        there = [side for side in sides if side.python]
        yield [stack.enter_context(Process(side, {**ONE_THREAD, **variables})) for side in there]
