"""The process of one side: `python -m bench.worker SIDE`. Reads one JSON command a line, answers with one.

`{"operation": …, "least_s": …}` is answered with the mean time of as many calls as fill `least_s`;
`{"operation": …, "proof": true}` with the digest of one result.
"""

from __future__ import annotations

import gc
import importlib
import json
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any, TextIO

from bench import data

WITHOUT_SIMDJSON = "without_simdjson"


class Side:
    """The operations of a side, each prepared when it is first asked for."""

    def __init__(self, name: str) -> None:
        module = importlib.import_module(f"bench.sides.{name}")
        self.prepare: dict[str, Callable[[], Callable[[], Any]]] = module.operations()
        self.packages: tuple[str, ...] = module.PACKAGES
        self._ready: dict[str, tuple[Callable[[], Any], int]] = {}

    def greeting(self) -> dict[str, Any]:
        """What the side is made of and what it can do."""
        return {"operations": sorted(self.prepare), "versions": dict(self._versions())}

    def _versions(self) -> Any:
        yield "python", platform.python_version()
        for package in self.packages:
            try:
                yield package, metadata.version(package)
            except metadata.PackageNotFoundError:  # run from its source, or optional
                continue

    def proof(self, operation: str) -> str:
        """Digest of one result."""
        call, _ = self._prepared(operation, 0.0)
        return data.proof(operation, call())

    def sample(self, operation: str, least_s: float) -> dict[str, float]:
        """Mean time of one call in milliseconds: of the processor, all threads, and of the clock.

        An operation of many inferences says how many in `inferences`: the time is that of one of them.
        """
        call, calls = self._prepared(operation, least_s)
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(calls):
            call()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        count = calls * getattr(call, "inferences", 1)
        return {"cpu_ms": cpu * 1000 / count, "wall_ms": wall * 1000 / count, "calls": count}

    def _prepared(self, operation: str, least_s: float) -> tuple[Callable[[], Any], int]:
        if operation not in self._ready:
            call = self.prepare[operation]()
            call()  # loads what is loaded late, opens the connection
            started = time.perf_counter()
            call()
            took_s = max(time.perf_counter() - started, 1e-7)
            self._ready[operation] = call, max(1, round(least_s / took_s))
        return self._ready[operation]


def serve(side: Side, commands: TextIO, answers: TextIO) -> None:
    """Answer commands until there are no more."""
    _write(answers, side.greeting())
    for line in commands:
        command = json.loads(line)
        operation = command["operation"]
        if command.get("proof"):
            _write(answers, {"proof": side.proof(operation)})
        else:
            _write(answers, side.sample(operation, command["least_s"]))


def _write(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def run(arguments: list[str]) -> None:
    """Become a side. Whatever its libraries print goes to the standard error."""
    name, *options = arguments
    if WITHOUT_SIMDJSON in options:
        sys.modules["simdjson"] = None  # type: ignore[assignment]
    answers, sys.stdout = sys.stdout, sys.stderr
    serve(Side(name), sys.stdin, answers)


if __name__ == "__main__":
    run(sys.argv[1:])
