"""How each side is started."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.batch.model import NAME, BenchServer
from bench.batch.table import first_rows
from scripts.mlserver import START

Command = list[str | Path]
_SIDES = "bench.batch.sides"
REPLAY_SOCKETS = (1, 2, 4)


@dataclass(frozen=True)
class Mode:
    """A way to run tritonclient: what it speaks, rows of a request, and how many clients of what kind."""

    transport: str
    chunk_rows: int
    pool: str
    count: int

    def __str__(self) -> str:
        return f"{self.transport}, {self.count} {self.pool}, {self.chunk_rows:,} rows a request"


HTTP_MODES = (
    Mode("json", 1_000, "threads", 4),
    Mode("json", 1_000, "processes", 2),
    Mode("json", 10_000, "processes", 2),
    Mode("binary", 10_000, "threads", 2),
)
GRPC_MODES = (
    Mode("grpc", 10_000, "threads", 2),
    Mode("grpc", 10_000, "threads", 4),
    Mode("grpc", 1_000, "threads", 4),
)


@dataclass(frozen=True)
class Programs:
    """The commands of all sides against one server. `models` is the models file that names it."""

    server: BenchServer
    models: Path
    table: Path

    def command_line(self, target: Path, *more: str | Path) -> Command:
        """`kserve-client score` with its defaults."""
        return score_command(self.models, self.table, target, *more)

    def library(self, target: Path) -> Command:
        """The same from Python."""
        return library(self.models, self.table, target)

    def replay(self, rows: int, sockets: int) -> Command:
        """The limit."""
        address = ("127.0.0.1", str(self.server.port))
        return [*_side(sys.executable, "replay"), *address, self.table, str(rows), str(sockets)]

    def requests_loop(self, target: Path, rows: int) -> Command:
        """A thousand rows in each request, one request after the other."""
        side = _side(sys.executable, "requests_loop")
        return [*side, self.server.url, self.table, target, str(rows), "1000"]

    def triton(self, target: Path, rows: int, mode: Mode) -> Command:
        """Triton's client, which comes with MLServer."""
        is_grpc = mode.transport == "grpc"
        address = self.server.grpc_address if is_grpc else self.server.url.removeprefix("http://")
        words = (str(rows), str(mode.chunk_rows), mode.transport, mode.pool, str(mode.count))
        return [*_side(self.server.python, "triton"), address, self.table, target, *words]

    def infer(self, source: Path, target: Path) -> Command:
        """`mlserver infer` with its defaults; `source` has a request in each line."""
        address = ["-u", self.server.url.removeprefix("http://"), "-m", NAME]
        return [self.server.python, "-c", START, "infer", *address, "-i", source, "-o", target]


def score_command(models: Path, table: Path, target: Path, *more: str | Path) -> Command:
    """`kserve-client score` as a person starts it."""
    start: Command = [sys.executable, "-m", "kserve_client", "score"]
    return [*start, "--models", models, *more, NAME, table, target]


def library(models: Path, table: Path, target: Path, *numbers: int) -> Command:
    """The public call of `kserve_client.scoring`, with rows of a chunk and chunks at a time, or its defaults."""
    return [*_side(sys.executable, "own"), models, table, target, *map(str, numbers)]


def write_requests(table: Path, rows: int, target: Path) -> None:
    """Write the first rows as `mlserver infer` wants them: a request in each line, with one row."""
    with target.open("w") as file:
        for row in first_rows(table, rows).tolist():
            tensor = {"name": "input-0", "shape": [1, 4], "datatype": "FP64", "data": row}
            file.write(json.dumps({"inputs": [tensor]}) + "\n")


def infer_labels(answers: Path) -> Sequence[str]:
    """The classes that `mlserver infer` wrote, in the order of the rows; its own order is another one."""
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    lines.sort(key=lambda line: int(line["parameters"]["batch_index"]))
    return [str(line["outputs"][0]["data"][0]) for line in lines]


def _side(python: str | Path, name: str) -> Command:
    return [python, "-m", f"{_SIDES}.{name}"]
