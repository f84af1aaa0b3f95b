"""Batch jobs from their start to their end, in this process."""

from __future__ import annotations

import errno
import io
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from dashboard.jobs import Jobs, StorageTroubleError, UnknownJobError
from dashboard.jobs import card as cards
from dashboard.jobs.card import Card
from dashboard.jobs.shelf import Seen
from dashboard.jobs.work import Work
from kserve_client.errors import ConfigurationError, InputError
from kserve_client.model import Model
from kserve_client.scoring import ScoreOptions, WriteOptions
from kserve_client.scoring.job import Counts
from kserve_client.scoring.job.lock import is_held
from kserve_client.scoring.job.store import LocalStore
from tests.dashboard.batch_jobs import (
    ME,
    OTHER,
    SMALL,
    doubled,
    expected,
    jobs_in,
    model_of,
    paused_by,
    result,
    seen,
    start,
    table,
    until,
    until_done,
    until_state,
    upload,
)
from tests.v2_server import Json, Reply, V2Server

SERVED = {"double": doubled}


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    found = jobs_in(tmp_path)
    yield found
    found.close()


class Gate:
    """A model that answers only while the gate is open."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.asked = threading.Event()

    def __call__(self, request: Json) -> Json | Reply:
        """Answer once the gate is open."""
        self.asked.set()
        self.opened.wait(60)
        return doubled(request)


@pytest.fixture
def gate(server: V2Server) -> Iterator[Gate]:
    found = server.models["double"] = Gate()
    yield found
    found.opened.set()


def test_a_job_runs_to_its_end(jobs: Jobs, model: Model) -> None:
    """The result has every row; the view has its counts, names and times; the upload is the job's."""
    spooled = upload(jobs, table(100, first=20))
    job_id = jobs.start(model, "double", spooled, SMALL, ME)
    until_state(jobs, job_id, "finished")
    until(lambda: not seen(jobs, job_id).is_here)  # its thread ends a moment later
    view = seen(jobs, job_id)
    assert (view.counts.total_rows, view.counts.ok, view.counts.failed) == (100, 100, 0)
    assert (view.rows_total, view.progress, view.is_here) == (100, None, False)
    assert (view.model_name, view.input_name, view.owner) == ("double", "numbers.csv", ME)
    assert view.figures.requests == 10
    assert view.finished is not None
    assert view.finished >= view.created
    assert result(jobs, job_id) == expected(100, first=20)
    assert jobs.spooled(spooled.id, ME) is None
    with pytest.raises(InputError, match="the upload is not there any more; choose the file again"):
        jobs.start(model, "double", spooled, SMALL, ME)
    assert len(jobs.mine(ME)) == 1


def test_a_job_that_ends_while_somebody_looks_is_not_without_a_process(
    jobs: Jobs, model: Model, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of it is older than its end: it is finished, not left by everybody."""
    job_id = start(jobs, model, table(10))
    until_state(jobs, job_id, "running")
    running = jobs._shelf.get(job_id)
    assert running is not None
    older = [replace(running, silence_s=None)]
    gate.opened.set()
    until_state(jobs, job_id, "finished")
    until(lambda: not seen(jobs, job_id).is_here)
    monkeypatch.setattr(jobs._shelf, "all", lambda: older)
    assert [view.state for view in jobs.mine(ME)] == ["finished"]


def test_a_run_is_seen_while_it_is_under_way(jobs: Jobs, server: V2Server, model: Model) -> None:
    """Progress, counts and the last failures come as they happen; the rows done are there."""
    server.models["double"] = paused_by(doubled, 0.02)
    job_id = start(jobs, model, table(2000))
    until_done(jobs, job_id, 40)
    view = seen(jobs, job_id)
    assert (view.state, view.is_here, view.rows_total) == ("running", True, 2000)
    assert view.progress is not None
    assert view.progress.chunk_rows == 10
    assert (view.counts.failed, view.finished) == (1, None)
    assert jobs.recent_errors(job_id, ME) == [(14, "400: unlucky")]
    with jobs.results(job_id, ME) as saved:
        until(lambda: saved.counts.done >= 40)
        (chunk, *_) = saved.scored(0, 10, is_partial=True)
    assert chunk.rows.cells.column(0).to_pylist() == [str(number) for number in range(10)]
    with pytest.raises(InputError, match="the job is under way; wait until it is done, or cancel"):
        jobs.download(job_id, ME, WriteOptions())
    with pytest.raises(InputError, match="the job is under way; cancel it before you delete it"):
        jobs.delete(job_id, ME)


def test_only_the_last_twenty_failures_are_kept(jobs: Jobs, server: V2Server, model: Model) -> None:
    """The newest failures stay, with the numbers of their rows, also when the job is over."""
    cells = ["x" if number % 2 else str(number + 20) for number in range(100)]
    job_id = start(jobs, model, ("a\n" + "\n".join(cells) + "\n").encode())
    assert until_state(jobs, job_id, "finished").counts.failed == 50
    found = jobs.recent_errors(job_id, ME)
    assert [row for row, _ in found] == list(range(62, 102, 2))
    assert all("x" in why for _, why in found)


def test_jobs_wait_in_order(tmp_path: Path, model: Model, gate: Gate) -> None:
    """So many run at once, the others wait and say how many are ahead; a cancelled one leaves."""
    jobs = jobs_in(tmp_path, jobs_at_once=1)
    ids = [start(jobs, model, table(10, first=20 + 10 * number)) for number in range(4)]
    gate.asked.wait(30)
    views = [seen(jobs, job_id) for job_id in ids]
    assert [view.state for view in views] == ["running", "waiting", "waiting", "waiting"]
    assert [view.ahead for view in views] == [0, 0, 1, 2]
    with pytest.raises(InputError, match="no row of this job is done yet"):
        jobs.results(ids[1], ME)
    jobs.cancel(ids[1], ME)
    assert [seen(jobs, job_id).state for job_id in ids[:2]] == ["running", "cancelled"]
    jobs.delete(ids[2], ME)
    gate.opened.set()
    until_state(jobs, ids[3], "finished")
    assert [view.id for view in jobs.mine(ME)] == [ids[3], ids[1], ids[0]]
    jobs.resume(ids[1], ME)
    until_state(jobs, ids[1], "finished")
    assert result(jobs, ids[1]) == expected(10, first=30)
    jobs.close()


def test_a_paused_job_gives_its_place_to_another(tmp_path: Path, server: V2Server) -> None:
    """While it is paused nothing of it is sent and the next job runs; then it goes on to the end."""
    server.models["double"] = paused_by(doubled, 0.02)
    model = model_of(server)
    jobs = jobs_in(tmp_path, jobs_at_once=1)
    first = start(jobs, model, table(300, first=20))
    second = start(jobs, model, table(20, first=20))
    until_done(jobs, first, 20)
    jobs.pause(first, ME)
    assert seen(jobs, first).state == "paused"
    until_state(jobs, second, "finished")
    done = seen(jobs, first).counts.done
    third = start(jobs, model, table(50, first=20))
    until_state(jobs, third, "finished")
    assert seen(jobs, first).counts.done == done < 300
    jobs.go_on(first, ME)
    until_state(jobs, first, "finished")
    assert result(jobs, first) == expected(300, first=20)
    jobs.close()


def test_a_waiting_job_can_be_paused(tmp_path: Path, model: Model, gate: Gate) -> None:
    """Paused before its turn, it lets others by and runs when it may go on."""
    jobs = jobs_in(tmp_path, jobs_at_once=1)
    start(jobs, model, table(10, first=20))
    second = start(jobs, model, table(10, first=20))
    third = start(jobs, model, table(10, first=20))
    jobs.pause(second, ME)
    gate.opened.set()
    until_state(jobs, third, "finished")
    assert seen(jobs, second).state == "paused"
    jobs.go_on(second, ME)
    until_state(jobs, second, "finished")
    jobs.close()


def test_a_cancelled_job_keeps_what_is_done_and_can_be_resumed(
    jobs: Jobs, server: V2Server, model: Model
) -> None:
    """The download of a cancelled job has its rows; resumed, no row is sent twice."""
    server.models["double"] = paused_by(doubled, 0.02)
    job_id = start(jobs, model, table(300, first=20))
    until_done(jobs, job_id, 30)
    jobs.cancel(job_id, ME)
    view = until_state(jobs, job_id, "cancelled")
    assert view.can_resume
    assert result(jobs, job_id) == expected(view.counts.done, first=20)
    assert view.counts.done == 10 * len(server.inferences) < 300
    server.models["double"] = doubled
    jobs.resume(job_id, ME)
    assert until_state(jobs, job_id, "finished").counts.ok == 300
    assert len(server.inferences) == 30
    assert result(jobs, job_id) == expected(300, first=20)


def test_a_job_can_be_resumed_before_its_thread_is_over(
    jobs: Jobs, model: Model, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the note of its end and the end of its thread, the wish is not lost."""
    let_go = Work.let_go

    def let_go_late(work: Work) -> None:
        time.sleep(0.2)
        let_go(work)

    monkeypatch.setattr(Work, "let_go", let_go_late)
    job_id = start(jobs, model, table(60, first=20))
    assert gate.asked.wait(30)
    jobs.cancel(job_id, ME)
    gate.opened.set()
    until_state(jobs, job_id, "cancelled")
    jobs.resume(job_id, ME)
    assert until_state(jobs, job_id, "finished", "cancelled").state == "finished"


def test_a_paused_job_can_be_cancelled(jobs: Jobs, server: V2Server, model: Model) -> None:
    """Cancel works on a job that is paused in the middle."""
    server.models["double"] = paused_by(doubled, 0.02)
    job_id = start(jobs, model, table(300))
    until_done(jobs, job_id, 10)
    jobs.pause(job_id, ME)
    jobs.cancel(job_id, ME)
    assert until_state(jobs, job_id, "cancelled").counts.done < 300


def test_failed_rows_are_retried(jobs: Jobs, server: V2Server, model: Model) -> None:
    """Only they are sent again; the files that were made of the old results are not given any more."""
    job_id = start(jobs, model, table(30))
    view = until_state(jobs, job_id, "finished")
    assert (view.counts.failed, view.can_retry, view.can_resume) == (1, True, False)
    assert b"\n13,row 13,,failed,400: unlucky\n" in result(jobs, job_id)
    server.models["double"] = lambda request: (
        doubled(request)
        if 13.0 not in (data := request["inputs"][0]["data"])
        else {
            "outputs": [{"name": "y", "datatype": "FP64", "shape": [1, 1], "data": [2 * data[0]]}]
        }
    )
    asked = len(server.inferences)
    jobs.retry(job_id, ME)
    until(lambda: seen(jobs, job_id).counts.failed == 0 and seen(jobs, job_id).is_over)
    assert seen(jobs, job_id).is_retry
    assert len(server.inferences) == asked + 1
    assert result(jobs, job_id) == expected(30)


def test_what_is_wrong_with_a_table_ends_the_job(jobs: Jobs, model: Model) -> None:
    """A table without the column of a feature is told as the reason, and nothing was sent."""
    job_id = start(jobs, model, b"b\n1\n")
    view = until_state(jobs, job_id, "stopped")
    assert "'a'" in view.reason
    with pytest.raises(InputError, match="no row of this job is done yet"):
        jobs.download(job_id, ME, WriteOptions())


def test_a_doubt_that_the_check_did_not_see_says_where_to_settle_it(
    jobs: Jobs, model: Model
) -> None:
    """In words of the page: the options of the command line are no help there."""
    view = until_state(jobs, start(jobs, model, b"a;b\n1.200;1\n"), "stopped")
    assert view.reason == (
        "a: a number such as '1.200' (first in row 1) may be 1.2 or 1200, and nothing in the column "
        "shows which; begin anew and choose the decimal sign under Read it differently"
    )


def test_a_model_that_is_not_there_stops_the_job(tmp_path: Path) -> None:
    """Nobody answers: the job stops with the reason; once the model is there it can be resumed."""
    server = V2Server(models={"double": doubled})
    jobs = jobs_in(tmp_path)
    options = ScoreOptions(chunk_rows=10, patience_s=0.1)
    job_id = start(jobs, model_of(server), table(30, first=20), options)
    view = until_state(jobs, job_id, "stopped")
    assert "no answer for 0.1 s" in view.reason
    server.start()
    jobs.resume(job_id, ME)
    assert until_state(jobs, job_id, "finished").reason == ""
    assert result(jobs, job_id) == expected(30, first=20)
    jobs.close()
    server.stop()


def test_a_bug_ends_the_job_and_is_logged(
    jobs: Jobs, model: Model, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of our own is a reason in plain words, and a traceback in the log."""
    monkeypatch.setattr("dashboard.jobs.work.run_job", lambda *_, **__: 1 / 0)
    view = until_state(jobs, start(jobs, model, table(3)), "stopped")
    assert view.reason == "a fault of the dashboard, which its log describes"
    assert "ZeroDivisionError" in caplog.text


def test_options_hold_for_a_job_and_its_resumption(jobs: Jobs, server: V2Server) -> None:
    """Limit, chunk size and the most failures are those that were chosen, before and after a stop."""
    server.models["double"] = paused_by(doubled, 0.02)
    options = ScoreOptions(chunk_rows=7, concurrency=1, limit=210, max_failures=0)
    job_id = start(jobs, model_of(server), table(1000, first=20), options)
    until_done(jobs, job_id, 7)
    jobs.cancel(job_id, ME)
    assert until_state(jobs, job_id, "cancelled").counts.done < 210
    jobs.resume(job_id, ME)
    assert until_state(jobs, job_id, "finished").counts.total_rows == 210
    assert {len(one["inputs"][0]["data"]) for one in server.inferences} == {7}
    unlucky = start(jobs, model_of(server), table(100), options)
    for _ in range(2):
        view = until_state(jobs, unlucky, "stopped")
        assert view.reason == "1 rows failed, and 0 were allowed"
        jobs.resume(unlucky, ME)


def test_a_job_belongs_to_its_owner(jobs: Jobs, model: Model) -> None:
    """For others, and for ids that are none, it is as if there were no job at all."""
    job_id = start(jobs, model, table(3))
    until_state(jobs, job_id, "finished")
    assert jobs.mine(OTHER) == []
    for asked in (job_id, "not-there-0123", "../../etc/passwd", "", None):
        assert jobs.get(asked, OTHER) is None
    calls = [jobs.pause, jobs.go_on, jobs.cancel, jobs.resume, jobs.retry, jobs.delete]
    calls += [jobs.recent_errors, jobs.results]  # type: ignore[list-item]
    for call in calls:
        for asked in (job_id, "not-there-0123", "../../etc/passwd"):
            with pytest.raises(UnknownJobError, match="there is no such job"):
                call(asked, OTHER)
    with pytest.raises(UnknownJobError):
        jobs.download(job_id, OTHER, WriteOptions())
    assert seen(jobs, job_id).state == "finished"


def test_a_deleted_job_leaves_nothing(jobs: Jobs, model: Model, tmp_path: Path) -> None:
    """Upload, results, files made of them: all is gone."""
    job_id = start(jobs, model, table(30))
    until_state(jobs, job_id, "finished")
    result(jobs, job_id)
    jobs.delete(job_id, ME)
    assert jobs.get(job_id, ME) is None
    assert jobs.mine(ME) == []
    for name in ("jobs", "cards", "uploads"):
        assert list((tmp_path / name).iterdir()) == []


def test_each_form_is_written_once(jobs: Jobs, model: Model) -> None:
    """The same form is the same file; another form another one, with the end of its kind."""
    job_id = start(jobs, model, table(30))
    until_state(jobs, job_id, "finished")
    forms = [
        WriteOptions(),
        WriteOptions(format="parquet"),
        WriteOptions(format="json-lines", compression="gzip"),
        WriteOptions(only="errors"),
    ]
    paths = [jobs.download(job_id, ME, form) for form in forms]
    assert [path.name.partition(".")[2] for path in paths] == ["csv", "parquet", "jsonl.gz", "csv"]
    made = [path.stat().st_mtime_ns for path in paths]
    assert [jobs.download(job_id, ME, form) for form in forms] == paths
    assert [path.stat().st_mtime_ns for path in paths] == made
    assert paths[3].read_bytes() == (
        b"a,note,prediction,state,error\n13,row 13,,failed,400: unlucky\n"
    )


def test_a_job_reads_within_the_limits_of_the_settings(tmp_path: Path, model: Model) -> None:
    """A table with more rows or columns than the settings allow ends the job with that reason."""
    jobs = jobs_in(tmp_path, largest_rows=5, largest_columns=3)
    assert (jobs.reading().limits.rows, jobs.reading().limits.columns) == (5, 3)
    long = until_state(jobs, start(jobs, model, table(6)), "stopped")
    assert long.reason == "the table has 6 rows; at most 5 are read"
    wide = until_state(jobs, start(jobs, model, b"a,b,c,d\n1,2,3,4\n"), "stopped")
    assert "4 columns" in wide.reason
    jobs.close()


def test_closing_does_not_wait_for_the_server(tmp_path: Path, model: Model, gate: Gate) -> None:
    """With a request under way that nobody answers, the job is let go and another process has it."""
    jobs = jobs_in(tmp_path)
    job_id = start(jobs, model, table(30, first=20))
    gate.asked.wait(30)
    jobs.close()  # while the gate is still closed
    with pytest.raises(ConfigurationError, match="the dashboard is ending"):
        jobs.start(model, "double", upload(jobs, table(3)), SMALL, ME)
    after = jobs_in(tmp_path)
    waits = seen(after, job_id)
    assert (waits.state, waits.reason) == (
        "waiting",
        "waits for a process of the dashboard to take it up",
    )
    gate.opened.set()
    after.recover(lambda _: model)
    until_state(after, job_id, "finished")
    assert result(after, job_id) == expected(30, first=20)
    after.close()


def test_a_job_of_a_killed_process_shows_what_is_done_at_once(
    tmp_path: Path, server: V2Server, model: Model
) -> None:
    """Its card knew of no row; the job itself did, before any new row is answered."""
    server.models["double"] = paused_by(doubled, 0.05)
    jobs = jobs_in(tmp_path)
    job_id = start(jobs, model, table(200, first=20))
    until_done(jobs, job_id, 10)
    jobs.close()
    card = cards.read(jobs._root.cards, job_id)
    assert card.counts.done
    card.model_copy(update={"counts": Counts()}).write(jobs._root.cards)
    gate = server.models["double"] = Gate()
    after = jobs_in(tmp_path)
    after.recover(lambda _: model)
    assert gate.asked.wait(30)
    assert seen(after, job_id).counts.done >= card.counts.done
    gate.opened.set()
    until_state(after, job_id, "finished")
    assert result(after, job_id) == expected(200, first=20)
    after.close()


def test_a_job_that_ends_its_processes_is_stopped(tmp_path: Path, model: Model, gate: Gate) -> None:
    """After three of them at the same row; who resumes it has another three."""
    jobs = jobs_in(tmp_path)
    job_id = start(jobs, model, table(30, first=20))
    assert gate.asked.wait(30)
    jobs.close()
    for lost in (0, 1):
        killed(jobs, job_id)
        gate.asked.clear()
        after = jobs_in(tmp_path)
        after.recover(lambda _: model)
        assert gate.asked.wait(30)
        assert cards.read(jobs._root.cards, job_id).lost == lost + 1
        after.close()
    killed(jobs, job_id)
    last = jobs_in(tmp_path)
    last.recover(lambda _: model)
    view = until_state(last, job_id, "stopped")
    assert not view.is_here
    assert view.reason == (
        "three processes of the dashboard ended while they had it, at the same row; its table may "
        "need more memory than there is"
    )
    until(lambda: not is_held(LocalStore(tmp_path / "jobs" / job_id / "job")))
    gate.opened.set()
    last.resume(job_id, ME)
    until_state(last, job_id, "finished")
    assert cards.read(jobs._root.cards, job_id).lost == 0
    last.close()


def killed(jobs: Jobs, job_id: str) -> None:
    """Leave the card as a process leaves it that is killed while it runs the job."""
    card = cards.read(jobs._root.cards, job_id)
    card.model_copy(update={"state": "running", "is_left": False}).write(jobs._root.cards)


def test_processes_that_end_at_other_rows_are_no_fault_of_the_job() -> None:
    """New rows, or better ones in a retry, begin the count anew."""
    begun = Card(id="A" * 16, owner=ME, model_name="m", input_name="t", state="running", lost=2)
    assert begun.lost_again().state == "stopped"
    further = begun.model_copy(update={"counts": Counts(ok=5)}).lost_again()
    assert (further.state, further.lost, further.lost_at) == ("waiting", 1, 5)
    again = further.model_copy(update={"task": "retry", "counts": Counts(ok=6, failed=1)})
    assert (again.lost_again().lost, again.lost_again().lost_at) == (1, 6)


def test_a_process_that_only_could_not_note_an_end_is_not_missed(
    tmp_path: Path, server: V2Server, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lives: what it takes up again it did not lose, nor when the first try of that fails."""
    gate = server.models["double"] = Gate()
    jobs = jobs_in(tmp_path)
    job_id = start(jobs, model, table(30, first=20))
    assert gate.asked.wait(30)
    with monkeypatch.context() as patched:
        patched.setattr(Card, "write", full)
        gate.opened.set()
        until(lambda: not jobs._line.all())
        with pytest.raises(OSError, match="No space left"):
            jobs._take_up(job_id, ("running",))
    jobs.recover(lambda _: model)
    until_state(jobs, job_id, "finished")
    assert cards.read(jobs._root.cards, job_id).lost == 0
    jobs.close()


def test_what_waits_or_is_paused_outlives_the_process(
    tmp_path: Path, server: V2Server, model: Model
) -> None:
    """A new process runs on what ran or waited, in order, and leaves what is paused until it may."""
    server.models["double"] = paused_by(doubled, 0.02)
    jobs = jobs_in(tmp_path, jobs_at_once=1)
    first = start(jobs, model, table(200, first=20))
    until_done(jobs, first, 10)
    jobs.pause(first, ME)
    second = start(jobs, model, table(200, first=20))
    third = start(jobs, model, table(20, first=20))
    until_done(jobs, second, 10)
    jobs.close()
    after = jobs_in(tmp_path)
    after.recover(lambda _: model)
    until_state(after, third, "finished")
    assert until_state(after, second, "finished").counts.ok == 200
    assert (seen(after, first).state, seen(after, first).is_here) == ("paused", False)
    after.go_on(first, ME)
    until_state(after, first, "finished")
    assert result(after, first) == result(after, second) == expected(200, first=20)
    after.close()


def test_a_job_whose_model_is_gone_is_stopped(tmp_path: Path, model: Model, gate: Gate) -> None:
    """The reason names the model; when the catalog has it again the job can be resumed."""
    jobs = jobs_in(tmp_path)
    job_id = start(jobs, model, table(30, first=20))
    gate.asked.wait(30)
    jobs.close()
    gate.opened.set()

    def gone(name: str) -> Model:
        raise ConfigurationError(f"no model {name!r} is in the models file")

    after = jobs_in(tmp_path)
    after.recover(gone)
    view = until_state(after, job_id, "stopped")
    assert view.reason == "no model 'double' is in the models file"
    after.close()
    again = jobs_in(tmp_path)
    again.recover(lambda _: model)
    again.resume(job_id, ME)
    until_state(again, job_id, "finished")
    again.close()


def test_one_process_at_a_time_has_a_job(tmp_path: Path, model: Model, gate: Gate) -> None:
    """A second process sees a running job, can't take it up, and says so when it is asked to."""
    jobs, beside = jobs_in(tmp_path), jobs_in(tmp_path)
    beside.recover(lambda _: model)
    job_id = start(jobs, model, table(30, first=20))
    gate.asked.wait(30)
    view = seen(beside, job_id)
    assert (view.state, view.is_here) == ("running", False)
    with pytest.raises(InputError, match="another process of the dashboard has this job"):
        beside.pause(job_id, ME)
    with pytest.raises(InputError, match="another process of the dashboard has this job"):
        beside.cancel(job_id, ME)
    with pytest.raises(InputError, match="the job is under way"):
        beside.delete(job_id, ME)
    gate.opened.set()
    until_state(jobs, job_id, "finished")
    until_state(beside, job_id, "finished")
    assert result(beside, job_id) == expected(30, first=20)
    for one in (jobs, beside):
        one.close()


def test_jobs_that_another_process_leaves_are_taken_up(
    tmp_path: Path, model: Model, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a rolling update the new process is there before the old one ends, and looks again."""
    monkeypatch.setattr("dashboard.jobs.jobs.LOOK_S", 0.05)
    monkeypatch.setattr("dashboard.jobs.shelf.LOOK_S", 0.05)
    old, new = jobs_in(tmp_path), jobs_in(tmp_path)
    job_id = start(old, model, table(30, first=20))
    gate.asked.wait(30)
    new.recover(lambda _: model)
    old.close()
    gate.opened.set()
    until_state(new, job_id, "finished")
    assert result(new, job_id) == expected(30, first=20)
    new.close()


def test_one_job_that_can_not_be_taken_up_leaves_the_others(
    tmp_path: Path,
    model: Model,
    gate: Gate,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault in one job is logged; the job after it is taken up all the same."""
    old = jobs_in(tmp_path)
    first, second = (start(old, model, table(30, first=20)) for _ in range(2))
    gate.asked.wait(30)
    old.close()
    gate.opened.set()
    write = Card.write
    monkeypatch.setattr(
        Card, "write", lambda card, to: full() if card.id == first else write(card, to)
    )
    new = jobs_in(tmp_path)
    new.recover(lambda _: model)
    until_state(new, second, "finished")
    assert first in caplog.text
    new.close()


def test_looking_for_jobs_goes_on_after_a_fault(
    tmp_path: Path,
    model: Model,
    gate: Gate,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bug in one round is logged with its traceback, and the next round finds the job."""
    monkeypatch.setattr("dashboard.jobs.jobs.LOOK_S", 0.05)
    old = jobs_in(tmp_path)
    job_id = start(old, model, table(30, first=20))
    gate.asked.wait(30)
    old.close()
    gate.opened.set()
    new = jobs_in(tmp_path)
    find_all, faults = new._shelf.all, [ZeroDivisionError("a bug")]

    def faulty() -> list[Seen]:
        if faults:
            raise faults.pop()
        return find_all()

    monkeypatch.setattr(new._shelf, "all", faulty)
    new.recover(lambda _: model)
    until_state(new, job_id, "finished")
    assert "ZeroDivisionError: a bug" in caplog.text
    new.close()


def test_folders_that_are_no_jobs_are_left_alone(tmp_path: Path, model: Model, gate: Gate) -> None:
    """A copy that somebody laid beside the jobs, under a name that is no id, is no job."""
    old = jobs_in(tmp_path)
    job_id = start(old, model, table(30, first=20))
    gate.asked.wait(30)
    old.close()
    gate.opened.set()
    copy = tmp_path / "jobs" / "a copy of a job"
    shutil.copytree(tmp_path / "jobs" / job_id, copy)
    cards = tmp_path / "cards"
    shutil.copy(cards / f"{job_id}.json", cards / "a copy of a card.json")
    new = jobs_in(tmp_path)
    new.recover(lambda _: model)
    until_state(new, job_id, "finished")
    assert [view.id for view in new.mine(ME)] == [job_id]
    assert (copy / "table.csv").exists()
    assert (cards / "a copy of a card.json").exists()
    new.close()


def test_a_full_disk_keeps_no_lock(
    tmp_path: Path, model: Model, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A waiting job whose end can't be noted is let go of: another process can have it.

    Who asked for it is told in words.
    """
    jobs = jobs_in(tmp_path, jobs_at_once=1)
    start(jobs, model, table(30, first=20))
    waiting = start(jobs, model, table(30, first=20))
    with monkeypatch.context() as patched:
        patched.setattr(Card, "write", full)
        with pytest.raises(StorageTroubleError, match=r"can't be written: No space left on device"):
            jobs.cancel(waiting, ME)
    assert not is_held(LocalStore(tmp_path / "jobs" / waiting / "job"))
    assert seen(jobs, waiting).reason == "waits for a process of the dashboard to take it up"
    gate.opened.set()
    jobs.close()


def full(*_: object) -> NoReturn:
    """Stand in for a write to a disk that is full."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_changed_model_is_refused(tmp_path: Path, server: V2Server, gate: Gate) -> None:
    """A job does not go on with another model: its result would be of two."""
    server.models["other"] = doubled
    jobs = jobs_in(tmp_path)
    job_id = start(jobs, model_of(server), table(30, first=20))
    gate.asked.wait(30)
    jobs.close()
    gate.opened.set()
    after = jobs_in(tmp_path)
    after.recover(lambda _: model_of(server, "other"))
    view = until_state(after, job_id, "stopped")
    assert "the model was 'double', is 'other'" in view.reason
    after.close()


def test_a_damaged_card_is_listed_and_can_be_deleted(tmp_path: Path) -> None:
    """Where nobody logs in, a job whose card can't be read is shown as that."""
    jobs = jobs_in(tmp_path)
    (tmp_path / "cards" / "AAAAAAAAAAAAAAAA.json").write_text("{")
    (view,) = jobs.mine("")
    assert (view.state, view.is_over, view.can_resume) == ("damaged", True, False)
    jobs.delete(view.id, "")
    assert jobs.mine("") == []
    jobs.close()


def test_a_damaged_card_does_not_grow_old(tmp_path: Path) -> None:
    """Its job may be well: it stays with its results, however it is looked at, until it is deleted."""
    jobs = jobs_in(tmp_path, jobs_kept_days=0.5)
    (tmp_path / "cards" / "AAAAAAAAAAAAAAAA.json").write_text("{")
    view = jobs.get("AAAAAAAAAAAAAAAA", "")
    assert view is not None
    assert abs(view.created.timestamp() - time.time()) < 3600
    os.utime(tmp_path / "cards" / "AAAAAAAAAAAAAAAA.json", (1e9, 1e9))
    jobs._sweep()
    assert len(jobs.mine("")) == 1
    jobs.close()


def test_streams_that_are_no_table_end_the_job(jobs: Jobs, model: Model) -> None:
    """An empty upload is told in words."""
    spooled = jobs.spool(io.BytesIO(b""), "empty.csv", ME)
    job_id = jobs.start(model, "double", spooled, SMALL, ME)
    assert "empty" in until_state(jobs, job_id, "stopped").reason
