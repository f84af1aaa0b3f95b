"""A job on a real Dask cluster of processes, some of which are killed: the result does not show it."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kserve_client.cli import main
from kserve_client.scoring import Progress, Summary, facts_of, score, score_on_dask, write_results
from kserve_client.scoring.job import Job, SavedJob
from tests import needs
from tests.live.dask_coordinator import OPTIONS, cluster_at, model_at, work
from tests.unit.scripted_model import MODELS_FILE, URL
from tests.v2_server import Json, Reply, V2Server, tensor, v2_server

if TYPE_CHECKING:
    from distributed import LocalCluster

pytestmark = pytest.mark.slow
ROWS = 4_000
BAD = 666
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two processes with a thread each; killed ones are started again."""
    needs.require(find_spec("distributed") is not None, "the extra dask is not installed")
    import dask.config
    from distributed import LocalCluster

    # On a busy machine a process takes longer than 15 s to start again, and would be given up.
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "120s"}),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=":0",
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster


def named(body: Json) -> Json | Reply:
    """Slow enough that a kill hits somebody at work."""
    rows = body["inputs"][0]["data"]
    if BAD in rows:
        return Reply(400, {"error": "666 is refused"})
    time.sleep(0.02)
    return {
        "id": body.get("id"),
        "outputs": [tensor("predict", "INT64", [len(rows), 1], [int(row) for row in rows])],
    }


@pytest.fixture(scope="module")
def server() -> Iterator[V2Server]:
    with v2_server(naming=named) as server:
        yield server


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("table") / "in.csv"
    lines = [f"{at:05d},{BAD if at % 1499 == 7 else at % 3}\n" for at in range(ROWS)]
    place.write_text("id,x\n" + "".join(lines))
    return place


@pytest.fixture(scope="module")
def alone(server: V2Server, table: Path) -> bytes:
    """The result of one machine."""
    place = table.with_name("alone.csv")
    summary = score(model_at(server.url), table, place, OPTIONS)
    assert (summary.ok, summary.failed) == (ROWS - 3, 3)
    return place.read_bytes()


def begun(place: Path, table: Path, server: V2Server) -> Job:
    return Job.create(place, facts_of(model_at(server.url), table, OPTIONS))


def result_of(place: Path) -> bytes:
    with SavedJob.open(place) as job:
        assert job.manifest.state == "finished"
        write_results(job, place.with_suffix(".csv"))
        kept = {part.name for part in job._ledger.parts()}
    assert kept == {path.name for path in (place / "parts").iterdir()}
    return place.with_suffix(".csv").read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_gives_the_same(
    tmp_path: Path,
    cluster: LocalCluster,
    server: V2Server,
    table: Path,
    alone: bytes,
    workers: int,
) -> None:
    """As one machine does, byte for byte; tests/unit/scoring/test_on_dask.py has four."""
    cluster.scale(workers)
    with cluster.get_client() as client:
        until(lambda: len(client.nthreads()) == workers)
    with begun(tmp_path / "job", table, server) as job:
        there = cluster_at(cluster.scheduler_address)
        summary = score_on_dask(job, model_at(server.url), table, OPTIONS, cluster=there)
    assert (summary.rows, summary.failed, summary.is_complete) == (ROWS, 3, True)
    assert result_of(tmp_path / "job") == alone


def test_the_command_line_hands_a_job_to_the_cluster(
    tmp_path: Path, cluster: LocalCluster, server: V2Server, table: Path, alone: bytes
) -> None:
    """And writes the result of one machine; status 1 says that three rows failed."""
    models = tmp_path / "models.yaml"
    models.write_text(MODELS_FILE.replace(URL, server.url))
    place, out = tmp_path / "job", tmp_path / "out.csv"
    words = ["--models", models, "score", "naming", table, out, "--job", place]
    words += ["--engine", "dask", "--scheduler", cluster.scheduler_address]
    assert main([str(word) for word in words]) == 1
    assert out.read_bytes() == alone
    assert result_of(place) == alone


def test_a_killed_worker_changes_nothing(
    tmp_path: Path, cluster: LocalCluster, server: V2Server, table: Path, alone: bytes
) -> None:
    """Its tasks are done by others, twice in a row."""
    with cluster.get_client() as client:
        pids = list(client.run(os.getpid).values())
    doomed = [(ROWS // 4, pids[0]), (ROWS // 2, pids[1])]

    def kill(progress: Progress) -> None:
        if doomed and progress.rows_done > doomed[0][0]:
            os.kill(doomed.pop(0)[1], signal.SIGKILL)

    with begun(tmp_path / "job", table, server) as job:
        there = cluster_at(cluster.scheduler_address)
        summary: Summary = score_on_dask(
            job, model_at(server.url), table, OPTIONS, cluster=there, on_progress=kill
        )
    assert doomed == []
    assert (summary.rows, summary.failed, summary.is_complete) == (ROWS, 3, True)
    assert result_of(tmp_path / "job") == alone


def test_a_killed_coordinator_is_gone_on_with(
    tmp_path: Path, cluster: LocalCluster, server: V2Server, table: Path, alone: bytes
) -> None:
    """The workers let go of its tasks, and what was recorded is not done again."""
    place = tmp_path / "job"
    begun(place, table, server).close()
    processes = multiprocessing.get_context("spawn")
    arguments: Any = (place, table, server.url, cluster.scheduler_address)
    coordinator = processes.Process(target=work, args=arguments)
    coordinator.start()
    until(lambda: recorded(place) > 0 or not coordinator.is_alive())
    coordinator.kill()
    coordinator.join()
    done = recorded(place)
    assert 0 < done < ROWS
    with Job.open(place) as job:
        there = cluster_at(cluster.scheduler_address)
        summary = score_on_dask(job, model_at(server.url), table, OPTIONS, cluster=there)
    assert (summary.rows_before, summary.is_complete) == (done, True)
    assert result_of(place) == alone
    with cluster.get_client() as client:
        until(lambda: not any(client.processing().values()))


def recorded(place: Path) -> int:
    with SavedJob.open(place) as job:
        return job.counts.done


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
