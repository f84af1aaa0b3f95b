"""What one run of the benchmark of whole tables found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench.batch.figures import WANTED
from bench.batch.running import Ran
from bench.processes import SideError


@dataclass(frozen=True)
class Sample:
    """One turn of one side: so many rows in so many seconds, of the clock and of the processor."""

    rows: int
    seconds: float
    cpu_s: float = 0.0
    server_cpu_s: float = 0.0

    @property
    def rows_per_s(self) -> float:
        """Rows per second of the clock."""
        return self.rows / self.seconds

    @classmethod
    def of(cls, ran: Ran, rows: int, *, by_own_clock: bool) -> Sample:
        """A program's run; its own clock leaves out its start."""
        seconds = ran.own_s if by_own_clock else ran.wall_s
        return cls(rows, seconds, ran.cpu_s, ran.server_cpu_s)


@dataclass
class Batch:
    """Everything measured. `samples[side]` holds one sample a round; `values` has the figures by their keys.

    `modes` says how a side was run where it can be run in several ways, `peaks_mib` the most memory by rows,
    `load` how many programs wanted a processor at the start and at the end, and `problems` what went wrong.
    """

    rounds: int
    is_quick: bool
    processor: str
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    peaks_mib: dict[int, float] = field(default_factory=dict)
    at_once: dict[int, Sample] = field(default_factory=dict)
    workers: dict[int, Sample] = field(default_factory=dict)
    through_proxy: dict[str, list[Sample]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    load: list[float] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """Go on when a side breaks down: what it was to show is not measured then, and that is said."""
        try:
            yield
        except SideError as error:
            sentence = f"{what}: {error}"
            if sentence not in self.problems:
                self.problems.append(sentence)

    def add(self, side: str, sample: Sample) -> None:
        """Keep a sample of this round."""
        self.samples.setdefault(side, []).append(sample)

    def rows_per_s(self, side: str) -> float:
        """Median over the rounds."""
        return median(sample.rows_per_s for sample in self.samples[side])

    def ratio(self, side: str, other: str) -> float | None:
        """How many times the rows of the other: the median of the rounds' own ratios. None if not measured."""
        mine, theirs = self.samples.get(side, []), self.samples.get(other, [])
        if not mine or len(mine) != len(theirs):
            return None
        pairs = zip(mine, theirs, strict=True)
        return median(one.rows_per_s / two.rows_per_s for one, two in pairs)

    def fastest(self, sides: list[str]) -> str | None:
        """Which of the sides had the most rows per second, None when none was measured."""
        there = [side for side in sides if side in self.samples]
        return max(there, key=self.rows_per_s, default=None)

    def shortfalls(self) -> list[str]:
        """Every figure that is not reached, or was not measured, as a sentence."""
        found = list(self.problems)
        for wanted in WANTED:
            value = self.values.get(wanted.key)
            if value is None:
                found.append(f"{wanted.title} was not measured")
            elif not wanted.holds(value):
                found.append(f"{wanted.title} is {value:.4g}, not {wanted.limit}")
        return found

    def as_json(self) -> dict[str, Any]:
        """All of it, for other programs."""
        medians = {side: self.rows_per_s(side) for side in self.samples}
        return {
            "benchmark": "batch",
            **asdict(self),
            "rows_per_s": medians,
            "figures": [
                {"figure": one.title, "value": self.values.get(one.key), "limit": one.limit}
                for one in WANTED
            ],
            "shortfalls": self.shortfalls(),
        }
