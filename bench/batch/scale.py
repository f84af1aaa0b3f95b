"""How long a table takes on a cluster, by simulation: `python -m bench.batch.scale [ROWS]`.

The figures of `Measured` were measured on one machine with two cores; everything else is arithmetic.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Iterator
from dataclasses import dataclass

ROWS = 1_000_000_000


@dataclass(frozen=True)
class Measured:
    """What one part of the way does.

    `replica_rows_per_s`: an MLServer replica with a small forest, the client on the same two cores.
    `worker_rows_per_s`: a thread of a worker when the model answers at once. `scan_bytes_per_s`: the
    coordinator numbering the rows of a CSV. `task_s`: all that a task costs beside its rows, here
    taken as if the coordinator alone did it. `row_bytes`, `part_bytes`: a row of four numbers as CSV,
    and in a part.
    """

    replica_rows_per_s: float = 300_000
    worker_rows_per_s: float = 700_000
    scan_bytes_per_s: float = 500e6
    task_s: float = 0.033
    row_bytes: float = 16
    part_bytes: float = 43


@dataclass(frozen=True)
class Plan:
    """A cluster: replicas of the model, threads of workers, rows of a task (the source is text or not)."""

    replicas: int
    threads: int
    task_rows: int = 1_000_000
    is_text: bool = True


PLANS = (Plan(1, 2), Plan(10, 8), Plan(100, 60), Plan(100, 60, is_text=False), Plan(1000, 600))


def seconds(rows: int, plan: Plan, measured: Measured) -> float:
    """The time a run takes: tasks appear as they are found, and free threads take them in order."""
    share = plan.replicas * measured.replica_rows_per_s / plan.threads
    rate = min(measured.worker_rows_per_s, share)
    found_s = plan.task_rows * measured.row_bytes / measured.scan_bytes_per_s * plan.is_text
    free = [0.0] * plan.threads
    recorded = 0.0
    for number, task_rows in enumerate(_tasks(rows, plan.task_rows)):
        begins = max(heapq.heappop(free), found_s * (number + 1))
        ends = begins + task_rows / rate
        heapq.heappush(free, ends)
        recorded = max(recorded, begins) + measured.task_s
    return max(*free, recorded)


def _tasks(rows: int, task_rows: int) -> Iterator[int]:
    for start in range(0, rows, task_rows):
        yield min(task_rows, rows - start)


def limits(rows: int, plan: Plan, measured: Measured) -> dict[str, float]:
    """How long each part alone would take, in seconds: the largest one is what limits."""
    tasks = -(-rows // plan.task_rows)
    return {
        "the model": rows / (plan.replicas * measured.replica_rows_per_s),
        "the workers": rows / (plan.threads * measured.worker_rows_per_s),
        "finding the rows": rows * measured.row_bytes / measured.scan_bytes_per_s * plan.is_text,
        "the coordinator": tasks * measured.task_s,
    }


def lines(rows: int = ROWS, measured: Measured = Measured()) -> Iterator[str]:
    """The table of docs/scale.md."""
    yield "| replicas | worker threads | source | time | what limits | storage, in and out |"
    yield "|---|---|---|---|---|---|"
    for plan in PLANS:
        took_s = seconds(rows, plan, measured)
        alone = limits(rows, plan, measured)
        source = "CSV" if plan.is_text else "Parquet"
        moved = rows * (measured.row_bytes + measured.part_bytes) / took_s / 1e6
        yield (
            f"| {plan.replicas:,} | {plan.threads:,} | {source} | {_time(took_s)} "
            f"| {max(alone, key=alone.__getitem__)} | {moved:,.0f} MB/s |"
        )


def _time(took_s: float) -> str:
    return f"{took_s / 60:.0f} min" if took_s >= 120 else f"{took_s:.0f} s"


if __name__ == "__main__":
    for line in lines(int(float(sys.argv[1])) if len(sys.argv) > 1 else ROWS):
        print(line)  # noqa: T201 - a command line prints
