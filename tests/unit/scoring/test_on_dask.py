"""A job on a Dask cluster whose workers are threads of this process: the same result as without."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest
import requests
import responses

from kserve_client import ConfigurationError, InputError, Model, Signature
from kserve_client.scoring import (
    DaskCluster,
    Progress,
    ScoreOptions,
    Summary,
    Wishes,
    WriteOptions,
    blame,
    facts_of,
    on_dask,
    retry_failed,
    retry_on_dask,
    run_job,
    score,
    score_on_dask,
    task,
    write_results,
)
from kserve_client.scoring.job import Job
from tests import needs
from tests.unit.scripted_model import (
    SIGNATURE,
    Reply,
    ScriptedModel,
    answer,
    open_model,
    predicted,
    problem,
    serve,
)

ROWS = 600
BAD = {3, 250, 251, 599}
OPTIONS: dict[str, Any] = {"chunk_rows": 20, "concurrency": 2, "patience_s": 0.3}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Four workers with a thread each."""
    needs.require("distributed" in _installed(), "the extra dask is not installed")
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=4,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster.scheduler_address


def _installed() -> set[str]:
    from importlib.util import find_spec

    return {"distributed"} if find_spec("distributed") else set()


@dataclass(frozen=True)
class Desk:
    """A table, a folder for jobs, and a cluster that gets small tasks."""

    folder: Path
    scheduler: str

    @property
    def table(self) -> Path:
        """The table as CSV."""
        return self.folder / "in.csv"

    def cluster(self, **given: Any) -> DaskCluster:
        """The cluster; partitions of about 70 rows."""
        return DaskCluster(self.scheduler, **{"partition_bytes": 700, "first_rows": 50} | given)

    def begun(self, source: Path, name: str = "job", **given: Any) -> Job:
        """A new job."""
        return Job.create(self.folder / name, facts_of(open_model(), source, options(**given)))

    def score(self, job: Job, source: Path, **given: Any) -> Summary:
        """Do what is left of a job."""
        names = ("token", "wishes", "on_progress")
        rest = {name: given.pop(name) for name in names if name in given}
        cluster = given.pop("cluster", self.cluster())
        return score_on_dask(job, open_model(), source, options(**given), cluster=cluster, **rest)


def options(**given: Any) -> ScoreOptions:
    return ScoreOptions(**OPTIONS | given)


@pytest.fixture
def desk(tmp_path: Path, scheduler: str) -> Desk:
    lines = [f"{at:04d},{666 if at in BAD else at % 3}\n" for at in range(ROWS)]
    (tmp_path / "in.csv").write_text("id,x\n" + "".join(lines))
    return Desk(tmp_path, scheduler)


def as_json_lines(table: Path) -> Path:
    place = table.with_suffix(".jsonl")
    lines = [line.split(",") for line in table.read_text().splitlines()[1:]]
    place.write_text("".join(f'{{"id":"{name}","x":{x}}}\n' for name, x in lines))
    return place


def as_parquet(table: Path) -> Path:
    place = table.with_suffix(".parquet")
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(table), place, row_group_size=70)
    return place


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_the_result_is_that_of_one_machine(
    mock: responses.RequestsMock, desk: Desk, kind: str
) -> None:
    """Byte for byte, in every format, bad rows included; and no part lies there unnamed."""
    serve(mock, ScriptedModel())
    source = {"csv": desk.table, "jsonl": as_json_lines(desk.table)}.get(kind)
    source = source or as_parquet(desk.table)
    alone, there = desk.folder / f"alone.{kind}", desk.folder / f"there.{kind}"
    score(open_model(), source, alone, options())
    with desk.begun(source) as job:
        summary = desk.score(job, source)
        write_results(job, there)
        assert job.manifest.state == "finished"
        assert len({part.name for part in job._ledger.parts()}) == len(
            list((desk.folder / "job/parts").iterdir())
        )
    assert there.read_bytes() == alone.read_bytes()
    assert (summary.rows, summary.ok, summary.failed) == (ROWS, ROWS - 4, 4)
    assert summary.first_error == "row 4: 400: 666 is refused"
    assert summary.is_complete


def test_a_limit_is_kept(mock: responses.RequestsMock, desk: Desk) -> None:
    """Only the first rows are sent, and the job is whole with them."""
    model = serve(mock, ScriptedModel())
    with desk.begun(desk.table, limit=130) as job:
        summary = desk.score(job, desk.table, limit=130)
    assert (summary.rows, summary.is_complete) == (130, True)
    assert max(map(len, model.sent)) <= 20


def test_numbers_out_of_range_are_told(mock: responses.RequestsMock, desk: Desk) -> None:
    """What the workers found in their slices is added up."""
    serve(mock, ScriptedModel())
    feature = {"name": "x", "kind": "number", "max": 1}
    signature = Signature.model_validate(SIGNATURE | {"features": [feature]})
    model = Model(open_model().client, "naming", signature=signature)
    chosen = options(limit=300)
    with Job.create(desk.folder / "job", facts_of(model, desk.table, chosen)) as job:
        summary = score_on_dask(job, model, desk.table, chosen, cluster=desk.cluster())
    (told,) = summary.outside
    # Row 252 of the hundred that hold a two is refused.
    assert (told.rows, told.first_row, told.number) == (99, 3, 2.0)


def test_a_stopped_job_goes_on_on_either_side(mock: responses.RequestsMock, desk: Desk) -> None:
    """Begun on the cluster, gone on with here, ended on the cluster: nothing twice, nothing lost."""
    is_away = True

    def away(number: int, _: list[float]) -> Reply | None:
        return problem(503, "no replicas") if is_away and number >= 9 else None

    serve(mock, ScriptedModel(away))
    with desk.begun(desk.table) as job:
        first = desk.score(job, desk.table)
        assert "no replicas" in first.stopped
        assert 0 < first.rows < ROWS
        assert (job.manifest.state, job.counts.failed) == ("stopped", job.counts.failed)
    is_away = False
    wishes = Wishes()

    def end(progress: Progress) -> None:
        if progress.rows_done > first.rows:
            wishes.cancel.set()

    with Job.open(desk.folder / "job") as job:
        run_job(job, open_model(), desk.table, options(), wishes=wishes, on_progress=end)
    with Job.open(desk.folder / "job") as job:
        last = desk.score(job, desk.table)
        write_results(job, desk.folder / "there.csv")
    score(open_model(), desk.table, desk.folder / "alone.csv", options())
    assert (desk.folder / "there.csv").read_bytes() == (desk.folder / "alone.csv").read_bytes()
    assert (last.rows, last.is_complete) == (ROWS, True)
    assert last.rows_before > first.rows


def test_failed_rows_are_retried_by_the_workers(mock: responses.RequestsMock, desk: Desk) -> None:
    """Only they are sent; the result is that of a retry on one machine."""
    is_ill = True

    def ill(_: int, rows: list[float]) -> Reply | None:
        return problem(400, "no twos today") if is_ill and 2.0 in rows else None

    model = serve(mock, ScriptedModel(ill))
    for name in ("here", "there"):
        is_ill = True
        with desk.begun(desk.table, name) as job:
            desk.score(job, desk.table)
            is_ill = False
            model.sent.clear()
            if name == "here":
                retry_failed(job, open_model(), options())
            else:
                retry_on_dask(job, open_model(), options(), cluster=desk.cluster())
            assert {row for rows in model.sent for row in rows} == {2.0, 666.0}
            assert (job.counts.ok, job.counts.failed) == (ROWS - 4, 4)
            write_results(job, desk.folder / f"{name}.csv")
    here, there = ((desk.folder / f"{name}.csv").read_bytes() for name in ("here", "there"))
    assert here == there


def test_results_that_are_slow_to_come(
    mock: responses.RequestsMock, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask fetches those of one moment by one request: no waiter may end it for the others."""
    from distributed import Client

    fetch, fetched = Client._gather_remote, []

    async def slow(self: Client, direct: bool, local_worker: bool) -> dict[str, Any]:
        fetched.append(self)
        await asyncio.sleep(5 * on_dask.LOOK_S)
        found: dict[str, Any] = await fetch(self, direct, local_worker)
        return found

    serve(mock, ScriptedModel())
    with desk.begun(desk.table) as job:
        run_job(job, open_model(), desk.table, options())
        monkeypatch.setattr(on_dask, "LOOK_S", 0.05)
        monkeypatch.setattr(Client, "_gather_remote", slow)
        many = options(concurrency=8, chunk_rows=1)
        summary = retry_on_dask(job, open_model(), many, cluster=desk.cluster())
        assert summary.stopped == ""
        assert (job.counts.ok, job.counts.failed) == (ROWS - 4, 4)
    assert fetched


def test_a_person_may_cancel(mock: responses.RequestsMock, desk: Desk) -> None:
    """Tasks under way end with what they have, and it is kept."""
    serve(mock, ScriptedModel())
    wishes = Wishes()

    def end(progress: Progress) -> None:
        if progress.rows_done:
            wishes.cancel.set()

    with desk.begun(desk.table) as job:
        summary = desk.score(job, desk.table, wishes=wishes, on_progress=end)
        assert (summary.stopped, summary.cancelled) == ("cancelled", True)
        assert 0 < summary.rows < ROWS
        assert job.manifest.state == "cancelled"


def test_too_many_failures_end_it(mock: responses.RequestsMock, desk: Desk) -> None:
    """All tasks together may have so many."""
    serve(mock, ScriptedModel())
    desk.table.write_text("id,x\n" + "1,1\n1,666\n" * 300)
    with desk.begun(desk.table) as job:
        summary = desk.score(job, desk.table, max_failures=10)
    assert summary.stopped.endswith("rows failed, and 10 were allowed")
    assert summary.failed > 10
    assert summary.rows < ROWS


def test_what_failed_before_a_resume_counts(mock: responses.RequestsMock, desk: Desk) -> None:
    """A job that had too many failures sends nothing more before more are allowed."""
    model = serve(mock, ScriptedModel())
    desk.table.write_text("id,x\n" + "1,1\n1,666\n" * 300)
    with desk.begun(desk.table) as job:
        first = desk.score(job, desk.table, max_failures=10)
        model.sent.clear()
        again = desk.score(job, desk.table, max_failures=10)
        assert model.sent == []
        assert again.stopped == f"{first.failed} rows failed, and 10 were allowed"
        assert again.has_too_many_failures
        last = desk.score(job, desk.table, max_failures=299)
        assert (last.ok, last.failed, last.stopped) == (300, 300, "")
        # Whatever is allowed, nothing is left to stop.
        done = desk.score(job, desk.table, max_failures=10)
    assert (done.ok, done.failed, done.stopped) == (300, 300, "")


def test_a_row_without_an_answer_fails_alone_though_nothing_else_is_left(
    mock: responses.RequestsMock, desk: Desk
) -> None:
    """Also when the coordinator was resumed and its workers have seen no other row."""
    poison = 777.0
    desk.table.write_text("id,x\n" + "1,1\n" * 99 + "1,777\n")

    def dies(_: int, rows: list[float]) -> Exception | None:
        return requests.exceptions.ChunkedEncodingError("cut") if poison in rows else None

    model = serve(mock, ScriptedModel(dies))
    wishes = Wishes()

    def enough(progress: Progress) -> None:
        if progress.ok == 99:
            wishes.cancel.set()

    slow = options(chunk_rows=33, patience_s=600)
    with desk.begun(desk.table) as job:
        run_job(job, open_model(), desk.table, slow, wishes=wishes, on_progress=enough)
    with Job.open(desk.folder / "job") as job:
        assert (job.counts.ok, job.counts.failed) == (99, 0)
        model.sent.clear()
        summary = desk.score(job, desk.table)
        write_results(job, desk.folder / "out.csv")
    assert (summary.ok, summary.failed, summary.stopped) == (99, 1, "")
    assert {tuple(rows) for rows in model.sent} == {(1.0,), (poison,)}
    last = (desk.folder / "out.csv").read_text().splitlines()[-1]
    assert last.startswith('1,777,,failed,"no answer to this row, while others were answered: ')


def test_a_model_that_refuses_all_ends_it(mock: responses.RequestsMock, desk: Desk) -> None:
    """The fault is hardly that of the rows, and they are not counted as failed."""
    serve(mock, ScriptedModel(lambda _, __: problem(400, "no such input")))
    with desk.begun(desk.table) as job:
        summary = desk.score(job, desk.table, cluster=desk.cluster(first_rows=200))
    assert "refused each of the first" in summary.stopped
    assert (summary.ok, summary.is_complete) == (0, False)


def test_refused_rows_alone_do_not_end_it(mock: responses.RequestsMock, desk: Desk) -> None:
    """A partition of nothing else is judged by what the model said to others."""
    serve(mock, ScriptedModel())
    desk.table.write_text("id,x\n" + "1,666\n" * 150 + "1,1\n" * 450)
    cluster = desk.cluster(partition_bytes=10**6, first_rows=150)
    with desk.begun(desk.table) as job:
        summary = desk.score(job, desk.table, cluster=cluster)
    assert (summary.ok, summary.failed, summary.stopped) == (450, 150, "")


def test_access_denied_ends_it_at_once(mock: responses.RequestsMock, desk: Desk) -> None:
    """With the server's words; nothing is a row's fault."""
    serve(mock, ScriptedModel(lambda _, __: problem(403, "not for you")))
    with desk.begun(desk.table) as job:
        summary = desk.score(job, desk.table)
    assert "403" in summary.stopped
    assert (summary.rows, summary.failed) == (0, 0)


def test_a_token_travels_and_is_in_no_name(
    mock: responses.RequestsMock, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Workers send it; keys of tasks, logs and the files of the job do not hold it."""
    model = serve(mock, ScriptedModel())
    with caplog.at_level(logging.DEBUG), desk.begun(desk.table) as job:
        desk.score(job, desk.table, token="secret-of-a-call")
    assert len(model.sent) >= ROWS // 20
    sent = {call.request.headers["Authorization"] for call in mock.calls}
    assert sent == {"Bearer secret-of-a-call"}
    files = [path for path in (desk.folder / "job").rglob("*") if path.is_file()]
    assert not [path for path in files if b"secret-of-a-call" in path.read_bytes()]
    assert "secret-of-a-call" not in caplog.text


def test_other_versions_on_the_workers(
    mock: responses.RequestsMock, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Are told before a row is sent, and the job says why it stopped."""
    model = serve(mock, ScriptedModel())
    mine = iter([(("Python", "2.7"),)])
    here = task.versions()
    monkeypatch.setattr(task, "versions", lambda: next(mine, here))
    with desk.begun(desk.table) as job:
        with pytest.raises(ConfigurationError, match=r"has Python 3\.\d+ instead of 2\.7"):
            desk.score(job, desk.table)
        assert job.manifest.state == "stopped"
        assert "instead of 2.7" in job.manifest.reason
    assert model.sent == []


def test_nobody_at_the_address(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is our configuration's fault."""
    monkeypatch.setattr(on_dask, "CONNECT_S", 0.5)
    with (
        desk.begun(desk.table) as job,
        pytest.raises(
            ConfigurationError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9:"
        ),
    ):
        desk.score(job, desk.table, cluster=DaskCluster("tcp://127.0.0.1:9"))


def test_something_silent_at_the_address(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the connection and never says a word."""
    monkeypatch.setattr(on_dask, "CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent, desk.begun(desk.table) as job:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match="no Dask scheduler answers at tcp://127"):
            desk.score(job, desk.table, cluster=DaskCluster(address))


def test_a_cluster_without_workers(mock: responses.RequestsMock, desk: Desk) -> None:
    """Is waited for as long as for a model, then the job stops and can go on."""
    from distributed import LocalCluster

    serve(mock, ScriptedModel())
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        empty.get_client() as client,
        desk.begun(desk.table) as job,
    ):
        summary = desk.score(job, desk.table, cluster=DaskCluster(client))
    assert summary.stopped == "the Dask cluster has no workers, for 0.3 s"
    assert summary.rows == 0


def never() -> Any:
    """The answer of a scheduler that is frozen."""
    return asyncio.Event().wait()


def test_a_scheduler_that_does_not_answer(
    mock: responses.RequestsMock, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is waited for somewhat longer than one without workers, in a run and in a retry."""
    from distributed import Client, LocalCluster

    serve(mock, ScriptedModel())
    monkeypatch.setattr(on_dask, "CONNECT_S", 2.0)
    monkeypatch.setattr(Client, "nthreads", lambda _: never())
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        empty.get_client() as client,
        desk.begun(desk.table) as job,
    ):
        there = DaskCluster(client)
        summary = desk.score(job, desk.table, cluster=there)
        assert summary.stopped == "the Dask scheduler does not answer, for 2.3 s"
        assert job.manifest.state == "stopped"
        run_job(job, open_model(), desk.table, options())
        summary = retry_on_dask(job, open_model(), options(), cluster=there)
        assert summary.stopped == "the Dask scheduler does not answer, for 2.3 s"
        assert job.counts.failed == 4


def test_a_person_may_cancel_though_the_scheduler_does_not_answer(
    mock: responses.RequestsMock, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits for its words."""
    from distributed import Client

    serve(mock, ScriptedModel())
    wishes = Wishes()
    monkeypatch.setattr(Client, "nthreads", lambda _: never())
    with desk.begun(desk.table, patience_s=600) as job:
        threading.Timer(0.5, wishes.cancel.set).start()
        summary = desk.score(job, desk.table, patience_s=600, wishes=wishes)
    assert (summary.stopped, summary.cancelled) == ("cancelled", True)


def test_a_retry_on_a_cluster_without_workers(
    mock: responses.RequestsMock, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ends as well: after the patience, once, or at once when somebody cancels it."""
    from distributed import LocalCluster

    serve(mock, ScriptedModel())
    # A second patience would begin with another try.
    monkeypatch.setattr(blame, "FIRST_PAUSE_S", 600.0)
    monkeypatch.setattr(blame, "LONGEST_PAUSE_S", 600.0)
    wishes = Wishes()
    wishes_end = threading.Timer(0.5, wishes.cancel.set)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        empty.get_client() as client,
        desk.begun(desk.table) as job,
    ):
        run_job(job, open_model(), desk.table, options())
        there = DaskCluster(client)
        summary = retry_on_dask(job, open_model(), options(), cluster=there)
        assert summary.stopped == "the Dask cluster has no workers, for 0.3 s"
        wishes_end.start()
        patient = options(patience_s=600)
        summary = retry_on_dask(job, open_model(), patient, cluster=there, wishes=wishes)
        assert (summary.stopped, summary.cancelled) == ("cancelled", True)
        assert (job.counts.ok, job.counts.failed) == (ROWS - 4, 4)


def test_a_retry_whose_scheduler_goes_away(mock: responses.RequestsMock, desk: Desk) -> None:
    """Stops with a sentence, and the rows are still those that failed."""
    from distributed import LocalCluster

    serve(mock, ScriptedModel())
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        desk.begun(desk.table) as job,
    ):
        client = empty.get_client()
        run_job(job, open_model(), desk.table, options())
        threading.Timer(0.5, client.close).start()
        patient = options(patience_s=600)
        summary = retry_on_dask(job, open_model(), patient, cluster=DaskCluster(client))
        assert summary.stopped == "the connection to the Dask scheduler was lost"
        assert job.counts.failed == 4


def test_the_version_is_held_on_to(mock: responses.RequestsMock, desk: Desk) -> None:
    """The first that answered is noted while it goes on; a resumed job takes no other."""
    version = "1"

    def say(number: int, rows: list[float]) -> Reply:
        if version == "1" and number >= 9:
            return problem(503, "no replicas")
        status, headers, body = answer(rows)
        return status, headers, json.dumps(json.loads(body) | {"model_version": version})

    serve(mock, ScriptedModel(say))
    with desk.begun(desk.table) as job:
        first = desk.score(job, desk.table)
        assert 0 < first.rows < ROWS
        assert job.manifest.facts.model.answered_version == "1"
        version = "2"
        with pytest.raises(ConfigurationError, match="version 2, and answered as 1 when"):
            desk.score(job, desk.table)
        assert job.counts.done == first.rows


def test_a_retry_holds_on_to_the_version(mock: responses.RequestsMock, desk: Desk) -> None:
    """Rows of one result come from one version, whichever of them are sent again."""
    version = "1"

    def say(_: int, rows: list[float]) -> Reply:
        status, headers, body = answer(rows) if version == "1" else predicted([0] * len(rows))
        return status, headers, json.dumps(json.loads(body) | {"model_version": version})

    serve(mock, ScriptedModel(say))
    with desk.begun(desk.table) as job:
        desk.score(job, desk.table)
        version = "2"
        with pytest.raises(ConfigurationError, match="version 2, and answered as 1 when"):
            retry_on_dask(job, open_model(), options(), cluster=desk.cluster())
        assert (job.counts.ok, job.counts.failed) == (ROWS - 4, 4)


def test_a_relative_path_of_text(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Means the same table on workers that stand in another folder."""
    monkeypatch.chdir(desk.folder)
    with Job.create(desk.folder / "job", facts_of(open_model(), "in.csv", options())) as job:
        spec = on_dask._spec(job, open_model(), "in.csv", options(), None)
        assert spec.source == desk.table


def test_a_stream_is_no_source(desk: Desk) -> None:
    """Other machines can't read it."""
    with (
        desk.begun(desk.table) as job,
        desk.table.open("rb") as stream,
        pytest.raises(InputError, match="can't be read by other machines"),
    ):
        score_on_dask(job, open_model(), stream, options(), cluster=desk.cluster())


def test_a_packed_table_is_refused(desk: Desk) -> None:
    """It can't be read from the middle; the words say what to do."""
    import gzip

    packed = desk.folder / "in.csv.gz"
    packed.write_bytes(gzip.compress(desk.table.read_bytes()))
    with desk.begun(packed) as job, pytest.raises(InputError, match="unpack it"):
        desk.score(job, packed)


def test_without_dask(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        desk.begun(desk.table) as job,
        pytest.raises(ConfigurationError, match="pip install dask distributed"),
    ):
        desk.score(job, desk.table)


def test_written_as_one_machine_would(mock: responses.RequestsMock, desk: Desk) -> None:
    """Options of writing are those of any job."""
    serve(mock, ScriptedModel())
    with desk.begun(desk.table) as job:
        desk.score(job, desk.table)
        write_results(job, desk.folder / "out.csv", WriteOptions(only="errors"))
    assert (desk.folder / "out.csv").read_text().splitlines()[:2] == [
        "id,x,prediction,state,error",
        "0003,666,,failed,400: 666 is refused",
    ]
