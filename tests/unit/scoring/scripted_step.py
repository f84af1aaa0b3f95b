"""A step that does as a test says, and a run of it over rows that are their own numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from kserve_client.scoring.cutter import Cutter
from kserve_client.scoring.pace import Pace
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.run import Run, RunOptions
from kserve_client.scoring.step import Answered

RESULT = pa.schema([("prediction", pa.int64())])


def table(count: int, size: int = 7) -> Iterator[Rows]:
    for start in range(0, count, size):
        numbers = list(range(start, min(start + size, count)))
        yield Rows(start, pa.record_batch({"n": pa.array(list(map(str, numbers)))}))


def ok(rows: Rows) -> Answered:
    """The prediction of a row is twice its number."""
    numbers = [2 * int(cell) for cell in rows.cells.column(0).to_pylist()]
    results = pa.record_batch([pa.array(numbers)], schema=RESULT)
    return Answered(Scored(rows, results), requests=1, elapsed_s=0.001, body_bytes=100)


@dataclass
class Scripted:
    """A step that does as it is told, by the row the chunk begins with."""

    does: Callable[[Rows], Answered]
    seen: list[tuple[int, int]] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, rows: Rows, halted: Callable[[], str]) -> Answered:
        """Note the chunk and do with it as told."""
        del halted
        with self._lock:
            self.seen.append((rows.start, rows.stop))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.does(rows)
        finally:
            with self._lock:
                self._at_once -= 1


def run_of(
    does: Callable[[Rows], Answered],
    *,
    count: int = 50,
    chunk_rows: int = 4,
    concurrency: int = 3,
    size: int = 7,
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    **events: threading.Event,
) -> tuple[Run, Scripted]:
    step = Scripted(does)
    rows = Cutter(table(count, size))
    run = Run(step, rows, Pace(chunk_rows, concurrency), options, **events)
    return run, step


def numbers(scored: list[Scored]) -> list[int]:
    return [n for chunk in scored for n in range(chunk.rows.start, chunk.rows.stop)]


def predictions(scored: list[Scored]) -> list[int]:
    return [n for chunk in scored if chunk.results for n in chunk.results.column(0).to_pylist()]
