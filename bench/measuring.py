"""Runs all sides in turn and puts what they took side by side."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench import importing, server
from bench.figures import FIGURES, IMPORT_LIMITS, OPERATIONS, SCALINGS, TITLES
from bench.processes import ALL, BY_HAND, OWN, Process, SideError, started

# How long the server of the threads takes for an answer, as a small model on a busy machine does.
WAIT_S = 0.05
Samples = dict[str, list[dict[str, float]]]


@dataclass
class Results:
    """What one run found. `samples[operation][side]` holds one sample a round, in the order of the rounds."""

    name: str
    rounds: int
    is_quick: bool
    samples: dict[str, Samples] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    importing: dict[str, Any] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)

    def median_ms(self, operation: str, side: str, key: str = "cpu_ms") -> float:
        """Median over the rounds."""
        return median(sample[key] for sample in self.samples[operation][side])

    def ratio(self, operation: str, side: str, other: str) -> float | None:
        """How many times as long a side takes: the median of the rounds' own ratios. None if not measured.

        Sides of one round run within a second of each other, so a machine that is busy for a while
        slows both.
        """
        there = self.samples.get(operation, {})
        if side not in there or other not in there:
            return None
        pairs = zip(there[side], there[other], strict=True)
        return median(one["cpu_ms"] / two["cpu_ms"] for one, two in pairs)

    def shortfalls(self) -> list[str]:
        """Every figure that is not reached, or was not measured, as a sentence."""
        found = [f"{one}: the sides don't agree on the result" for one in self.differing]
        for figure in FIGURES:
            if figure.operation not in OPERATIONS[self.name]:
                continue
            what = f"{TITLES[figure.operation]}: {figure.side.name} / {figure.other.name}"
            ratio = self.ratio(figure.operation, figure.side.name, figure.other.name)
            if ratio is None:
                found.append(f"{what} was not measured")
            elif not figure.holds(ratio):
                found.append(f"{what} is {ratio:.2f}, not {figure.limit}")
        return found + self._scaling_shortfalls() + self._import_shortfalls()

    def scaling(self, count: int, side: str) -> float:
        """The calls of a second with `count` at once, as a part of `count` times those one by one."""
        alone, together = (
            self.median_ms(f"at_once_{calls}", side, "wall_ms") for calls in (1, count)
        )
        return alone / (count * together)

    def _scaling_shortfalls(self) -> list[str]:
        if self.name != "threads":
            return []
        parts = [(scaling, self.scaling(scaling.count, OWN.name)) for scaling in SCALINGS]
        return [
            f"{TITLES[scaling.operation]}: {part:.2f} of linear, not >= {scaling.least:g}"
            for scaling, part in parts
            if part < scaling.least
        ]

    def _import_shortfalls(self) -> list[str]:
        if not self.importing:
            return []
        measured = [(limit, self.importing[limit.key]) for limit in IMPORT_LIMITS]
        found = [
            f"{limit.name} is {value:.2f} {limit.unit}, not < {limit.most:g}"
            for limit, value in measured
            if value >= limit.most
        ]
        return [*found, *(["importing it loads pandas"] if self.importing["has_pandas"] else [])]

    def as_json(self) -> dict[str, Any]:
        """All of it, for other programs: medians, ratios to the floor, and every figure."""
        return {
            "benchmark": self.name,
            "rounds": self.rounds,
            "is_quick": self.is_quick,
            "processor": processor(),
            "versions": self.versions,
            "operations": {one: self._operation(one) for one in self.samples},
            "import": self.importing,
            "figures": self._figures(),
            "shortfalls": self.shortfalls(),
        }

    def _operation(self, operation: str) -> dict[str, Any]:
        return {
            side: {
                "cpu_ms": self.median_ms(operation, side),
                "wall_ms": self.median_ms(operation, side, "wall_ms"),
                "to_floor": self.ratio(operation, side, BY_HAND.name),
            }
            for side in self.samples[operation]
        }

    def _figures(self) -> list[dict[str, Any]]:
        return [
            {
                "operation": figure.operation,
                "side": figure.side.name,
                "other": figure.other.name,
                "ratio": self.ratio(figure.operation, figure.side.name, figure.other.name),
                "limit": figure.limit,
            }
            for figure in FIGURES
            if figure.operation in OPERATIONS[self.name]
        ]


def processor() -> str:
    """The processor's name and how many of them this process may use."""
    names = [
        line.split(":", 1)[1].strip()
        for line in _lines(Path("/proc/cpuinfo"))
        if line.startswith("model name")
    ]
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{names[0] if names else platform.processor() or platform.machine()}, {count} of them"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:  # not Linux
        return []


def measure(name: str, *, rounds: int, is_quick: bool) -> Results:
    """Run a benchmark. Raises SideError when a side breaks down."""
    results = Results(name, rounds, is_quick)
    variables = {"BENCH_QUICK": "1" if is_quick else "0"}
    if name == "codec":
        _run(results, variables)
        return results
    with server.running(WAIT_S if name == "threads" else 0.0) as url:
        _run(results, {**variables, "BENCH_URL": url})
    if name == "client":
        results.importing = importing.measure(rounds)
    return results


def _run(results: Results, variables: dict[str, str]) -> None:
    with started(ALL, variables) as processes:
        results.versions = {one.side.name: one.greeting["versions"] for one in processes}
        for operation in OPERATIONS[results.name]:
            able = [process for process in processes if process.can(operation)]
            _prove(results, operation, able)
            results.samples[operation] = _in_turn(operation, able, results)


def _prove(results: Results, operation: str, able: Sequence[Process]) -> None:
    proofs = {process.ask(operation=operation, proof=True)["proof"] for process in able}
    if len(proofs) > 1:
        results.differing.append(TITLES[operation])


def _in_turn(operation: str, able: Sequence[Process], results: Results) -> Samples:
    least_s = 0.002 if results.is_quick else 0.02
    samples: Samples = {process.side.name: [] for process in able}
    for at in range(results.rounds + 1):
        for process in able:
            sample = process.ask(operation=operation, least_s=least_s)
            if at:  # the first round warms up
                samples[process.side.name].append(sample)
    return samples


__all__ = ["Results", "SideError", "measure", "processor"]
