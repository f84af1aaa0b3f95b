"""Large batch jobs on a Dask cluster whose workers are threads of this process; small ones are not."""

from __future__ import annotations

import gzip
import io
import logging
import sys
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dashboard.jobs import Jobs
from dashboard.jobs import card as cards
from dashboard.jobs.places import Places
from kserve_client.model import Model
from kserve_client.scoring import DaskCluster, ReadOptions
from kserve_client.scoring.job import InputFacts
from kserve_client.scoring.job.store import LocalStore
from scripts.processes import LOOPBACK, free_ports
from tests import needs
from tests.dashboard.batch_jobs import (
    ME,
    SMALL,
    doubled,
    expected,
    jobs_in,
    paused_by,
    result,
    seen,
    start,
    table,
    until,
    until_done,
    until_state,
)
from tests.dashboard.storage import opened
from tests.v2_server import Json, V2Server, tensor

if TYPE_CHECKING:
    from dashboard.jobs import JobView

SERVED = {"double": doubled}
ROWS = 1000
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Two workers with a thread each."""
    needs.require(find_spec("distributed") is not None, "the extra dask is not installed")
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host=LOOPBACK,
        dashboard_address=None,
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a task be of about 50 rows, so that a small table takes several."""
    small = partial(DaskCluster, first_rows=50, partition_bytes=700)
    monkeypatch.setattr("dashboard.jobs.places.DaskCluster", small)


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no row be sent by a run of this process itself."""
    for name in ("run_job", "retry_failed"):
        monkeypatch.setattr(f"dashboard.jobs.work.{name}", None)


@pytest.fixture
def jobs(tmp_path: Path, scheduler: str) -> Iterator[Jobs]:
    """Jobs that all go to the cluster, in tasks of some rows."""
    found = jobs_in(tmp_path / "there", dask_scheduler=scheduler, dask_from_mb=0)
    yield found
    found.close()


def done_here(folder: Path, model: Model, data: bytes) -> tuple[bytes, JobView]:
    """Return what comes of a table without a cluster."""
    alone = jobs_in(folder)
    job_id = start(alone, model, data)
    view = until_state(alone, job_id, "finished")
    found = result(alone, job_id)
    alone.close()
    return found, view


def rows_sent(server: V2Server) -> int:
    return sum(len(one["inputs"][0]["data"]) for one in server.inferences)


def is_quiet(server: V2Server) -> bool:
    """Whether nobody asks the server for a while."""
    before = len(server.inferences)
    time.sleep(0.5)
    return before == len(server.inferences)


# Without a cluster, first: what hides a package must not do so while a cluster runs.


def test_without_dask_the_job_says_what_to_install(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job stops with the packages to install; that of a small table does not need it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    jobs = jobs_in(tmp_path, dask_scheduler=f"tcp://{LOOPBACK}:1", dask_from_mb=0)
    view = until_state(jobs, start(jobs, model, table(3)), "stopped")
    assert view.reason == "scoring on a cluster needs Dask: pip install dask distributed"
    assert (view.can_resume, view.where) == (True, "cluster")
    jobs.close()
    jobs = jobs_in(tmp_path, dask_scheduler=f"tcp://{LOOPBACK}:1", dask_from_mb=1)
    assert until_state(jobs, start(jobs, model, table(3)), "finished").where == "here"
    jobs.close()


def test_a_scheduler_that_is_away_stops_the_job(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason names it; with the setting gone, the job is resumed in the dashboard."""
    monkeypatch.setattr("kserve_client.scoring.on_dask.CONNECT_S", 0.3)
    nobody = f"tcp://{LOOPBACK}:{free_ports(1)[0]}"
    jobs = jobs_in(tmp_path, dask_scheduler=nobody, dask_from_mb=0)
    job_id = start(jobs, model, table(30, first=20))
    view = until_state(jobs, job_id, "stopped")
    assert view.reason.startswith(f"no Dask scheduler answers at {nobody}: ")
    assert (view.can_resume, view.where, view.counts.done) == (True, "cluster", 0)
    jobs.close()
    after = jobs_in(tmp_path)
    after.recover(lambda _: model)
    after.resume(job_id, ME)
    assert until_state(after, job_id, "finished").where == "here"
    assert result(after, job_id) == expected(30, first=20)
    after.close()


@pytest.mark.parametrize(
    ("size_bytes", "where"),
    [(2 * MEGABYTE, "cluster"), (2 * MEGABYTE - 1, "here"), (None, "here")],
)
def test_the_size_of_the_table_decides(tmp_path: Path, size_bytes: int | None, where: str) -> None:
    """From so many megabytes on it goes to the cluster; a table of unknown size stays."""
    (tmp_path / "a.csv").write_bytes(table(3))
    about = InputFacts(name="a.csv", fingerprint={"size_bytes": size_bytes})
    found = Places("tcp://dask:8786", 2).first(about, tmp_path / "a.csv", ReadOptions())
    assert found == where


def test_no_scheduler_no_cluster(tmp_path: Path) -> None:
    """However large the table is, and wherever its job was before."""
    (tmp_path / "a.csv").write_bytes(table(3))
    about = InputFacts(name="a.csv", fingerprint={"size_bytes": 1 << 50})
    nobody = Places("", 0)
    assert nobody.first(about, tmp_path / "a.csv", ReadOptions()) == "here"
    assert [nobody.next(before) for before in ("cluster", "here", None)] == ["here"] * 3
    somebody = Places("tcp://dask:8786", 0)
    assert [somebody.next(before) for before in ("cluster", "here", None)] == [
        "cluster",
        "here",
        "here",
    ]


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.csv.gz", gzip.compress(table(3))), ("a.csv", table(3).decode().encode("utf-16"))],
    ids=["packed", "utf-16"],
)
def test_what_workers_can_not_divide_stays_here(
    tmp_path: Path, model: Model, name: str, data: bytes
) -> None:
    """A packed table, or one in UTF-16, is scored as it would be without a cluster."""
    jobs = jobs_in(tmp_path, dask_scheduler=f"tcp://{LOOPBACK}:1", dask_from_mb=0)
    spooled = jobs.spool(io.BytesIO(data), name, ME)
    job_id = jobs.start(model, "double", spooled, SMALL, ME)
    view = until_state(jobs, job_id, "finished")
    assert (view.where, view.counts.ok) == ("here", 3)
    jobs.close()


# With one.


@pytest.mark.usefixtures("small_tasks")
def test_a_large_job_has_the_same_result(
    tmp_path: Path, jobs: Jobs, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte as without a cluster, with the same counts and the same last failures."""
    data = table(ROWS)
    wanted, alone = done_here(tmp_path / "here", model, data)
    assert b"\n13,row 13,,failed,400: unlucky\n" in wanted
    monkeypatch.setattr("dashboard.jobs.work.run_job", None)
    job_id = start(jobs, model, data)
    view = until_state(jobs, job_id, "finished", "stopped")
    assert (view.reason, view.where, alone.where) == ("", "cluster", "here")
    assert (view.counts, view.rows_total) == (alone.counts, ROWS)
    assert view.figures.requests >= ROWS / 10
    assert jobs.recent_errors(job_id, ME) == [(14, "400: unlucky")]
    assert result(jobs, job_id) == wanted


@pytest.mark.usefixtures("small_tasks", "nothing_here")
def test_a_large_job_behind_a_url_has_the_same_result(
    scheduler: str, server: V2Server, model: Model
) -> None:
    """Its workers read the upload and write the parts where the jobs lie; no folder is shared."""
    opened()
    url = "shop://bucket/team"
    jobs = jobs_in(url, dask_scheduler=scheduler, dask_from_mb=0)
    job_id = start(jobs, model, table(ROWS, first=20))
    view = until_state(jobs, job_id, "finished", "stopped")
    assert (view.reason, view.where) == ("", "cluster")
    assert result(jobs, job_id) == expected(ROWS, first=20)
    assert rows_sent(server) == ROWS
    jobs.close()


@pytest.mark.usefixtures("small_tasks", "nothing_here")
def test_a_job_on_the_cluster_is_cancelled_and_resumed(
    jobs: Jobs, server: V2Server, model: Model
) -> None:
    """Progress is seen; it is cancelled while it is paused; resumed, no row is sent twice."""
    server.models["double"] = paused_by(doubled, 0.05)
    job_id = start(jobs, model, table(ROWS, first=20))
    until_done(jobs, job_id, 50)
    view = seen(jobs, job_id)
    assert (view.state, view.where, view.is_here) == ("running", "cluster", True)
    assert view.progress is not None
    jobs.pause(job_id, ME)
    assert seen(jobs, job_id).state == "paused"
    jobs.cancel(job_id, ME)
    view = until_state(jobs, job_id, "cancelled")
    assert 50 <= view.counts.done == rows_sent(server) < ROWS
    server.models["double"] = doubled
    jobs.resume(job_id, ME)
    assert until_state(jobs, job_id, "finished", "stopped").reason == ""
    assert result(jobs, job_id) == expected(ROWS, first=20)
    assert rows_sent(server) == ROWS


@pytest.mark.usefixtures("small_tasks", "nothing_here")
def test_a_paused_job_goes_on_on_the_cluster(jobs: Jobs, server: V2Server, model: Model) -> None:
    """While it is paused only tasks under way come to their end; then it goes on to its own."""
    server.models["double"] = paused_by(doubled, 0.02)
    job_id = start(jobs, model, table(ROWS, first=20))
    until_done(jobs, job_id, 50)
    jobs.pause(job_id, ME)

    until(lambda: is_quiet(server))
    assert rows_sent(server) < ROWS
    jobs.go_on(job_id, ME)
    assert until_state(jobs, job_id, "finished", "stopped").reason == ""
    assert result(jobs, job_id) == expected(ROWS, first=20)


@pytest.mark.usefixtures("small_tasks", "nothing_here")
def test_the_next_process_goes_on_with_the_cluster(
    tmp_path: Path, scheduler: str, server: V2Server, model: Model
) -> None:
    """The place is in the card: it counts, though by its size the job would begin elsewhere now."""
    server.models["double"] = paused_by(doubled, 0.05)
    jobs = jobs_in(tmp_path, dask_scheduler=scheduler, dask_from_mb=0)
    job_id = start(jobs, model, table(ROWS, first=20))
    until_done(jobs, job_id, 50)
    jobs.close()
    card = cards.read(LocalStore(tmp_path / "cards"), job_id)
    assert (card.state, card.where) == ("running", "cluster")
    server.models["double"] = doubled
    after = jobs_in(tmp_path, dask_scheduler=scheduler, dask_from_mb=1)
    after.recover(lambda _: model)
    view = until_state(after, job_id, "finished", "stopped")
    assert (view.reason, view.where) == ("", "cluster")
    assert result(after, job_id) == expected(ROWS, first=20)
    after.close()


@pytest.mark.usefixtures("nothing_here")
def test_failed_rows_are_sent_again_by_the_cluster(
    tmp_path: Path, scheduler: str, server: V2Server, model: Model
) -> None:
    """Though the table is gone by now: the rows are in the job."""
    offered = tmp_path / "offered"
    offered.mkdir()
    (offered / "numbers.csv").write_bytes(table(30))
    settings: dict[str, Any] = {"dask_scheduler": scheduler, "dask_from_mb": 0}
    jobs = jobs_in(tmp_path / "jobs", sources=str(offered), **settings)
    job_id = jobs.start(model, "double", jobs.source("offered/numbers.csv"), SMALL, ME)
    view = until_state(jobs, job_id, "finished", "stopped")
    assert (view.reason, view.counts.failed) == ("", 1)
    (offered / "numbers.csv").unlink()
    server.models["double"] = twice
    jobs.retry(job_id, ME)
    until(lambda: seen(jobs, job_id).is_retry and seen(jobs, job_id).is_over)
    view = seen(jobs, job_id)
    assert (view.reason, view.where, view.counts.failed) == ("", "cluster", 0)
    assert result(jobs, job_id) == expected(30)
    jobs.close()


def twice(request: Json) -> Json:
    """Answer twice each number, the unlucky one as well."""
    (given,) = request["inputs"]
    return {"outputs": [tensor("y", "FP64", given["shape"], [2 * a for a in given["data"]])]}
