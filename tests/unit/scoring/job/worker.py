"""A process that works on a job until it is killed. Imported by the processes that tests start."""

from __future__ import annotations

import random
from multiprocessing.connection import Connection
from pathlib import Path

from kserve_client.scoring.job import Job
from kserve_client.scoring.job.spans import UNKNOWN_END
from tests.unit.scoring.job.chunks import FACTS, chunk

TOTAL = 700
# Rows that fail the first time; every second of them fails the second time as well.
BAD = range(0, TOTAL, 7)
BAD_TWICE = range(0, TOTAL, 14)


def work(directory: Path, seed: int, said: Connection) -> None:
    """Do what is left of the job, in any order, and say after each group how many rows are saved."""
    rng = random.Random(seed)
    is_new = not (directory / "manifest.json").exists()
    with Job.create(directory, FACTS) if is_new else Job.open(directory) as job:
        said.send(("open", job.counts.done))
        left = [
            cut
            for gap in job.remaining()
            for cut in _cuts(gap.start, min(gap.stop, UNKNOWN_END, TOTAL), rng)
        ]
        rng.shuffle(left)
        for start, stop in left:
            job.record(chunk(start, stop, failed=BAD))
            if rng.random() < 0.3:
                job.flush()
                said.send(("saved", job.counts.done))
        if job.counts.total_rows is None:
            job.source_ended(TOTAL)
        _retry(job, rng, said)
        job.update("finished")
    said.send(("finished", TOTAL))


def _retry(job: Job, rng: random.Random, said: Connection) -> None:
    for rows in job.failed_rows():
        if rows.start not in BAD_TWICE:
            job.replace(chunk(rows.start, rows.stop, word="again"))
            if rng.random() < 0.7:
                job.flush()
                said.send(("saved", job.counts.done))


def _cuts(start: int, stop: int, rng: random.Random) -> list[tuple[int, int]]:
    cuts = []
    while start < stop:
        end = min(start + rng.randint(1, 40), stop)
        cuts.append((start, end))
        start = end
    return cuts


def hold(directory: Path, said: Connection) -> None:
    """Open a job, say so, and keep it until something is sent."""
    with Job.open(directory):
        said.send("open")
        said.recv()
