"""Runs all sides in turn on one server, and what else the figures ask for."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from itertools import islice
from pathlib import Path
from statistics import median

from bench.batch import cluster, model, table
from bench.batch.figures import (
    AT_ONCE,
    COMMAND,
    FULL,
    INFER,
    LIBRARY,
    LIMIT,
    QUICK,
    REQUESTS,
    TRITON_GRPC,
    TRITON_HTTP,
    WITH_JOB,
    WORKERS,
    Sizes,
)
from bench.batch.programs import (
    GRPC_MODES,
    HTTP_MODES,
    REPLAY_SOCKETS,
    Command,
    Mode,
    Programs,
    infer_labels,
    library,
    score_command,
    write_requests,
)
from bench.batch.results import Batch, Sample
from bench.batch.running import run
from bench.measuring import processor
from bench.processes import MLSERVER_PYTHON, SideError, listening

WAIT_S = 0.2
WAIT_CHUNK_ROWS = 100
FAULT_ROUNDS = 3
_TAKEN = re.compile(r"Time taken: ([\d.]+) seconds")
_PACKAGES = ("pyarrow", "numpy", "orjson", "requests", "pandas")
_SERVER_PACKAGES = ("mlserver", "tritonclient", "grpcio")


@dataclass(frozen=True)
class Bench:
    """One run of the benchmark: its results so far, how much to measure, where its files lie."""

    results: Batch
    sizes: Sizes
    programs: Programs
    place: Path

    @property
    def pid(self) -> int:
        """The server's process."""
        return self.programs.server.pid

    @property
    def target(self) -> Path:
        """The file that sides write, one after the other."""
        return self.place / "scored.csv"

    def turn(self, side: str, command: Command, rows: int, *, by_own_clock: bool = True) -> None:
        """Run a side once and keep what it took."""
        with self.results.noting(side):
            ran = run(command, server_pid=self.pid)
            self.results.add(side, Sample.of(ran, rows, by_own_clock=by_own_clock))


def measure(*, rounds: int, is_quick: bool) -> Batch:
    """Run it all, in about five minutes. Raises SideError when there is no environment for the server."""
    python, sizes = os.environ.get(MLSERVER_PYTHON), QUICK if is_quick else FULL
    if not python:
        raise SideError(f"{MLSERVER_PYTHON} names no Python")
    results = Batch(rounds, is_quick, processor(), versions=_versions(python))
    results.load.append(os.getloadavg()[0])
    with tempfile.TemporaryDirectory(prefix="bench-batch-") as folder:
        place = Path(folder)
        with model.running(Path(python), place) as server:
            models = model.write_models_file(place / "models.yaml", server.url)
            programs = Programs(server, models, place / "table.csv")
            bench = Bench(results, sizes, programs, place)
            for step in (_speed, _memory, _faults):
                step(bench)
        _at_once(results, sizes, place)
    results.load.append(os.getloadavg()[0])
    return results


def _versions(server_python: str) -> dict[str, str]:
    own = {name: metadata.version(name) for name in _PACKAGES}
    listed = ", ".join(f"{name}=m.version({name!r})" for name in _SERVER_PACKAGES)
    program = f"import json, importlib.metadata as m; print(json.dumps(dict({listed})))"
    return own | run([server_python, "-c", program]).said


def _speed(bench: Bench) -> None:
    """Every side in every round, on the same table."""
    sizes, results = bench.sizes, bench.results
    table.write(bench.programs.table, sizes.rows)
    write_requests(bench.programs.table, sizes.infer_rows, bench.place / "requests.jsonl")
    modes = {TRITON_HTTP: HTTP_MODES, TRITON_GRPC: GRPC_MODES}
    best = {side: _best(bench, side, of) for side, of in modes.items()}
    known = _Agreement(bench)
    for number in range(results.rounds):
        _limit(bench)
        _own(bench, known, number)
        _peers(bench, known, best)
    _ratios(results)


def _best(bench: Bench, side: str, modes: Sequence[Mode]) -> Mode | None:
    """Try all modes once, on fewer rows; what the server refuses is noted."""
    took: dict[Mode, float] = {}
    rows = bench.sizes.peer_rows // 2
    for mode in modes[: bench.sizes.modes]:
        try:
            took[mode] = run(bench.programs.triton(bench.target, rows, mode)).own_s
        except SideError as error:
            bench.results.notes.append(f"{side}, {mode}: {str(error).split(' / ')[-1]}")
    best = min(took, key=took.__getitem__, default=None)
    bench.results.modes[side] = str(best)
    return best


def _limit(bench: Bench) -> None:
    for sockets in REPLAY_SOCKETS:
        rows = bench.sizes.rows
        bench.turn(f"{LIMIT}, {sockets}", bench.programs.replay(rows, sockets), rows)


def _own(bench: Bench, known: _Agreement, number: int) -> None:
    """Our side by the whole wall, its start included; the library by its own clock as the others."""
    programs, rows, target = bench.programs, bench.sizes.rows, bench.target
    bench.turn(COMMAND, programs.command_line(target), rows, by_own_clock=False)
    known.check(COMMAND, rows)
    job = bench.place / f"job-{number}"
    bench.turn(WITH_JOB, programs.command_line(target, "--job", job), rows, by_own_clock=False)
    known.check(WITH_JOB, rows)
    bench.turn(LIBRARY, programs.library(target), rows)
    known.check(LIBRARY, rows)


def _peers(bench: Bench, known: _Agreement, best: dict[str, Mode | None]) -> None:
    programs, rows, target = bench.programs, bench.sizes.peer_rows, bench.target
    bench.turn(REQUESTS, programs.requests_loop(target, rows), rows)
    known.check(REQUESTS, rows)
    for side, mode in best.items():
        if mode is not None:
            bench.turn(side, programs.triton(target, rows, mode), rows)
            known.check(side, rows)
    _infer(bench, known)


def _infer(bench: Bench, known: _Agreement) -> None:
    """`mlserver infer`, by its own words: seconds without its start."""
    rows, target = bench.sizes.infer_rows, bench.place / "answers.jsonl"
    with bench.results.noting(INFER):
        ran = run(
            bench.programs.infer(bench.place / "requests.jsonl", target), server_pid=bench.pid
        )
        taken = _TAKEN.search(ran.words)
        seconds = float(taken[1]) if taken else ran.wall_s
        bench.results.add(INFER, Sample(rows, seconds, ran.cpu_s, ran.server_cpu_s))
        known.compare(INFER, infer_labels(target), rows)


class _Agreement:
    """That all sides find the same classes: whoever is fast at something else fails."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._labels: Sequence[str] = ()

    def check(self, side: str, rows: int) -> None:
        """Compare what a side just wrote with what was written first, and remove it."""
        target = self._bench.target
        if target.exists():
            self.compare(side, _predictions(target), rows)
            target.unlink()

    def compare(self, side: str, labels: Sequence[str], rows: int) -> None:
        """Compare the labels of so many rows with those known so far."""
        common = min(len(self._labels), rows)
        problem = ""
        if len(labels) != rows:
            problem = f"{side} wrote {len(labels):,} rows for {rows:,}"
        elif list(islice(labels, common)) != list(islice(self._labels, common)):
            problem = f"{side} found other classes than the sides before it"
        if problem and problem not in self._bench.results.problems:
            self._bench.results.problems.append(problem)
        if rows > len(self._labels):
            self._labels = labels


def _predictions(scored: Path) -> list[str]:
    """The column `prediction` of a file without quotes."""
    with scored.open() as file:
        at = next(file).rstrip("\n").split(",").index("prediction")
        return [line.rstrip("\n").split(",", at + 1)[at] for line in file]


def _ratios(results: Batch) -> None:
    limit = results.fastest([f"{LIMIT}, {sockets}" for sockets in REPLAY_SOCKETS])
    triton = results.fastest([TRITON_HTTP, TRITON_GRPC])
    # Neither the limit nor tritonclient starts a Python on its clock.
    for key, other in {"to_limit": limit, "to_triton": triton}.items():
        _set(results, key, results.ratio(LIBRARY, other) if other else None)
    for key, other in {"to_infer": INFER, "to_requests": REQUESTS}.items():
        _set(results, key, results.ratio(COMMAND, other))
    results.modes[LIMIT] = str(limit)


def _set(results: Batch, key: str, value: float | None) -> None:
    if value is not None:
        results.values[key] = value


def _memory(bench: Bench) -> None:
    """The peak of the command line for some rows, and for ten times as many."""
    programs, results = bench.programs, bench.results
    with results.noting("peak memory"):
        for rows in bench.sizes.memory_rows:
            longer = replace(programs, table=bench.place / f"{rows}.csv")
            table.write(longer.table, rows)
            results.peaks_mib[rows] = run(longer.command_line(bench.target)).peak_mib
            longer.table.unlink()
            bench.target.unlink()
        few, many = bench.sizes.memory_rows
        results.values["memory_growth"] = results.peaks_mib[many] / results.peaks_mib[few]
        results.values["memory_mib"] = results.peaks_mib[many]


def _faults(bench: Bench) -> None:
    """The same run through a proxy that answers some requests with 503, and through one that answers none so."""
    kinds = {"no faults": 0, "faults": bench.sizes.fault_every}
    rounds = 1 if bench.results.is_quick else FAULT_ROUNDS
    with bench.results.noting("through a proxy"):
        digests = {
            _faulty(bench, kind, every) for _ in range(rounds) for kind, every in kinds.items()
        }
        pairs = zip(*(bench.results.through_proxy[kind] for kind in kinds), strict=True)
        ratios = [faulty.rows_per_s / good.rows_per_s for good, faulty in pairs]
        bench.results.values["with_faults"] = median(ratios)
        bench.results.values["same_with_faults"] = float(len(digests) == 1)


def _faulty(bench: Bench, kind: str, every: int) -> str:
    """Run once through a proxy of its own; the digest of the result."""
    upstream = ("127.0.0.1", str(bench.programs.server.port), str(every))
    with listening("bench.batch.faulty_proxy", *upstream) as url:
        models = model.write_models_file(bench.place / "proxy.yaml", url)
        ran = run(score_command(models, bench.programs.table, bench.target))
    sample = Sample.of(ran, bench.sizes.rows, by_own_clock=False)
    bench.results.through_proxy.setdefault(kind, []).append(sample)
    digest = hashlib.sha256(bench.target.read_bytes()).hexdigest()
    bench.target.unlink()
    return digest


def _at_once(results: Batch, sizes: Sizes, place: Path) -> None:
    """A server that takes as long for each request: twice as many at once are twice as many answers."""
    with listening("bench.batch.waiting_server", str(WAIT_S)) as url:
        models = model.write_models_file(place / "waiting.yaml", url)
        for count in AT_ONCE:
            with results.noting(f"{count} requests at once"):
                results.at_once[count] = _waited(models, place, count, sizes.turns)
        for count in WORKERS:
            with results.noting(f"{count} Dask workers"):
                results.workers[count] = cluster.sample(models, count, sizes.worker_turns, place)
    _scaling(results.at_once, "at_once", results)
    _scaling(results.workers, "workers", results)


def _waited(models: Path, place: Path, count: int, turns: int) -> Sample:
    rows = count * turns * WAIT_CHUNK_ROWS
    source = place / "waiting.csv"
    table.write(source, rows)
    ran = run(library(models, source, place / "scored.csv", WAIT_CHUNK_ROWS, count))
    return Sample.of(ran, rows, by_own_clock=True)


def _scaling(samples: Mapping[int, Sample], name: str, results: Batch) -> None:
    alone = samples.get(1)
    for count, found in samples.items():
        if alone and count > 1:
            results.values[f"{name}_{count}"] = found.rows_per_s / (count * alone.rows_per_s)
