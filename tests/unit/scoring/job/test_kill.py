"""A job is killed again and again, and ends as if nothing had been."""

from __future__ import annotations

import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from pathlib import Path

import pytest

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job import Job, SavedJob
from tests.unit.scoring.job.chunks import (
    FACTS,
    Line,
    chunk,
    failed_line,
    lines,
    ok_line,
    partial_results,
)
from tests.unit.scoring.job.worker import BAD, BAD_TWICE, TOTAL, hold, work

KILLS = 8
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def processes() -> SpawnContext:
    """Processes that share nothing with this one, whatever other tests left in it."""
    return multiprocessing.get_context("spawn")


def expected(number: int) -> Line:
    if number in BAD_TWICE:
        return failed_line(number)
    return ok_line(number, "again" if number in BAD else "p")


def said_by(end: Connection) -> int:
    """The most rows that a process has said are saved."""
    most = 0
    try:
        while end.poll(0):
            most = max(most, end.recv()[1])
    except EOFError:
        pass
    return most


def run_for(processes: SpawnContext, directory: Path, seed: int, seconds: float) -> int:
    """Have a process work, kill it, and give back what it said was saved."""
    ours, theirs = processes.Pipe(duplex=False)
    process = processes.Process(target=work, args=(directory, seed, theirs))
    process.start()
    theirs.close()
    ours.poll(30)  # it has opened the job, or died
    time.sleep(seconds)
    process.kill()
    process.join()
    return said_by(ours)


def check_between(directory: Path, said: int) -> int:
    """What was said to be saved is; what is there reads whole, while nobody works on it."""
    with SavedJob.open(directory) as saved:
        done = saved.counts.done
        assert done >= said
        assert not saved.is_running()
        found = [row for batch in partial_results(saved) for row in batch.to_pylist()]
        numbers = [int(row["a"]) for row in found]
        assert len(numbers) == done
        assert numbers == sorted(set(numbers))
        return done


def test_kill_9_at_any_moment(tmp_path: Path, processes: SpawnContext) -> None:
    """Every row comes out once, in order, with the right outcome; nothing saved is ever undone."""
    directory = tmp_path / "job"
    rng = random.Random(11)
    done = 0
    for kill in range(KILLS):
        said = run_for(processes, directory, kill, rng.uniform(0, 0.15))
        if not (directory / "manifest.json").exists():
            continue
        now_done = check_between(directory, said)
        assert now_done >= done
        done = now_done
    ours, theirs = processes.Pipe(duplex=False)
    process = processes.Process(target=work, args=(directory, 99, theirs))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert said_by(ours) == TOTAL
    with SavedJob.open(directory) as saved:
        assert saved.manifest.state == "finished"
        assert lines(saved) == [expected(number) for number in range(TOTAL)]
        named = {part.name for part in saved._ledger.parts()}
    assert named == {path.name for path in (directory / "parts").iterdir()}


def test_one_process_at_a_time(tmp_path: Path, processes: SpawnContext) -> None:
    """The second is told who is at work; readers are not kept away; a kill frees the job."""
    directory = tmp_path / "job"
    with Job.create(directory, FACTS) as job:
        job.record(chunk(0, 2))
    ours, theirs = processes.Pipe()
    process = processes.Process(target=hold, args=(directory, theirs))
    process.start()
    assert ours.recv() == "open"
    with SavedJob.open(directory) as saved:
        assert saved.is_running()
        assert saved.counts.ok == 2
        for act in (lambda: Job.open(directory), saved.delete):
            with pytest.raises(ConfigurationError, match=f"in use by process {process.pid} on"):
                act()
    process.kill()
    process.join()
    with Job.open(directory) as job:
        assert job.counts.ok == 2
