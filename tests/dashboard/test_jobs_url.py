"""Batch jobs behind a URL: two replicas and no disk between them, over a storage in memory."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import orjson
import pytest

from dashboard.jobs import Jobs, StorageTroubleError, UnknownJobError
from dashboard.jobs import card as cards
from dashboard.jobs.bucket import Bucket
from dashboard.settings import Settings
from kserve_client.errors import ConfigurationError, InputError
from kserve_client.model import Model
from kserve_client.scoring import WriteOptions
from kserve_client.scoring.job.lock import Lease
from kserve_client.scoring.job.store import StorageError, UrlStore
from tests.dashboard.batch_jobs import (
    ME,
    OTHER,
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
    upload,
)
from tests.dashboard.storage import File, Storage, opened
from tests.v2_server import V2Server

SERVED = {"double": doubled}
URL = "shop://bucket/team"


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.jobs.shelf.LOOK_S", 0.05)


@pytest.fixture
def storage() -> type[Storage]:
    return opened()


@pytest.fixture
def first(storage: type[Storage]) -> Iterator[Jobs]:
    assert storage.error is None
    with closing(jobs_in(URL)) as found:
        yield found


@pytest.fixture
def second(storage: type[Storage]) -> Iterator[Jobs]:
    assert storage.error is None
    with closing(jobs_in(URL)) as found:
        yield found


def names(storage: type[Storage]) -> list[str]:
    return sorted(name.removeprefix("/bucket/team/") for name in storage.store)


# What two replicas share.


def test_a_job_of_one_replica_is_there_in_the_other(
    first: Jobs, second: Jobs, model: Model, storage: type[Storage]
) -> None:
    """In the list, with its rows and last failures; deleted there, it is gone here, with all it had."""
    job_id = start(first, model, table(100))
    until_state(first, job_id, "finished")
    until(lambda: [view.state for view in second.mine(ME)] == ["finished"])
    assert second.mine(OTHER) == []
    wanted = expected(100).replace(b"13,row 13,26.0,ok,", b"13,row 13,,failed,400: unlucky")
    assert result(second, job_id) == result(first, job_id) == wanted
    assert second.recent_errors(job_id, ME) == [(14, "400: unlucky")]
    second.delete(job_id, ME)
    until(lambda: first.get(job_id, ME) is None)
    assert names(storage) == []


def test_an_upload_is_there_in_the_other_replica(
    first: Jobs, second: Jobs, model: Model, storage: type[Storage]
) -> None:
    """Its file is fetched; a job takes it once, whoever begins it, and it moves nowhere."""
    spooled = upload(first, table(30, first=20), "Patients of Dr. Jones.csv")
    assert names(storage) == [f"jobs/{spooled.id}/table.csv", f"uploads/{spooled.id}.json"]
    assert second.spooled(spooled.id, OTHER) is None
    there = second.spooled(spooled.id, ME)
    assert there is not None
    assert there.path.read_bytes() == spooled.path.read_bytes() == table(30, first=20)
    assert oct(there.path.parent.stat().st_mode & 0o777) == "0o700"
    job_id = second.start(model, "double", there, SMALL, ME)
    assert not there.path.exists()
    with pytest.raises(InputError, match="the upload is not there any more"):
        first.start(model, "double", spooled, SMALL, ME)
    until_state(second, job_id, "finished")
    assert result(second, job_id) == expected(30, first=20)
    assert f"jobs/{spooled.id}/table.csv" in names(storage)
    assert [name for name in names(storage) if "uploads" in name or "Jones" in name] == []


def test_an_upload_that_is_just_being_taken_is_not_gone(
    first: Jobs, second: Jobs, model: Model
) -> None:
    """Who presses Start once more is told so, and keeps it; a moment later it may be begun."""
    spooled = upload(first, table(30))
    held = second._root.hold(spooled.id)
    with pytest.raises(InputError, match="a job is just being begun with this upload"):
        first.start(model, "double", spooled, SMALL, ME)
    held.release()
    assert first.spooled(spooled.id, ME) is not None
    until_state(first, first.start(model, "double", spooled, SMALL, ME), "finished")


def test_half_an_upload_does_not_stay_near(
    first: Jobs, second: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full gets no fuller by every try to fetch one."""
    spooled = upload(first, table(3))

    def full(_: object, name: str, path: Path) -> NoReturn:
        path.write_bytes(name.encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(UrlStore, "download", full)
    with pytest.raises(StorageTroubleError):
        second.spooled(spooled.id, ME)
    assert list(second._root.near(spooled.id).iterdir()) == []


def test_an_upload_that_is_discarded_leaves_nothing(first: Jobs, storage: type[Storage]) -> None:
    """Neither in the storage nor on this machine."""
    spooled = upload(first, table(3))
    first.discard(spooled)
    first.discard(spooled)
    assert names(storage) == []
    assert not spooled.path.exists()


def test_only_the_replica_that_has_a_job_may_end_it(
    first: Jobs, second: Jobs, server: V2Server, model: Model
) -> None:
    """The other sees it run, and says so when it is asked; what is paused there stays so."""
    server.models["double"] = paused_by(doubled, 0.05)
    job_id = start(first, model, table(5000, first=20))
    until_done(first, job_id, 10)
    until_seen(second, job_id)
    until_state(second, job_id, "running")
    assert not seen(second, job_id).is_here
    for ask in (second.pause, second.cancel):
        with pytest.raises(InputError, match="another process of the dashboard has this job"):
            ask(job_id, ME)
    with pytest.raises(InputError, match="the job is under way"):
        second.delete(job_id, ME)
    first.pause(job_id, ME)
    until_state(second, job_id, "paused")
    first.cancel(job_id, ME)
    until_state(second, job_id, "cancelled")


def test_a_replica_that_ends_hands_over_at_once(
    first: Jobs, second: Jobs, server: V2Server, model: Model
) -> None:
    """What ran and what waited goes on in the other, long before a silence would count."""
    server.models["double"] = paused_by(doubled, 0.02)
    old = jobs_in(URL, jobs_at_once=1)
    running = start(old, model, table(300, first=20))
    waiting = start(old, model, table(50, first=20))
    until_done(old, running, 20)
    begun = time.monotonic()
    old.close()
    assert time.monotonic() - begun < 10
    second.recover(lambda _: model)
    until_seen(second, waiting)
    for job_id, rows in ((running, 300), (waiting, 50)):
        until_state(second, job_id, "finished")
        assert result(first, job_id) == expected(rows, first=20)


def until_seen(jobs: Jobs, job_id: str) -> None:
    until(lambda: jobs.get(job_id, ME) is not None)


def test_a_replica_that_is_silent_loses_its_jobs(
    storage: type[Storage], server: V2Server, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other takes over; the silent one writes no more when it comes back."""
    assert storage.error is None
    monkeypatch.setattr(Lease, "renew", lambda _: None)
    server.models["double"] = paused_by(doubled, 0.1)
    silent, second = (jobs_in(URL, taken_over_s=3.0) for _ in range(2))
    job_id = start(silent, model, table(600, first=20))
    until_done(silent, job_id, 20)
    until_seen(second, job_id)
    until(lambda: not seen(silent, job_id).is_here)
    server.models["double"] = doubled
    second.recover(lambda _: model)
    until_state(second, job_id, "finished")
    assert result(second, job_id) == expected(600, first=20)
    until_state(silent, job_id, "finished")
    for jobs in (silent, second):
        jobs.close()


def test_a_silence_is_told_while_it_lasts(
    first: Jobs, second: Jobs, server: V2Server, model: Model, storage: type[Storage]
) -> None:
    """How long it was, and when another process takes the job up; before that it is as it was."""
    server.models["double"] = paused_by(doubled, 0.1)
    job_id = start(first, model, table(2000, first=20))
    until_done(first, job_id, 10)
    until_seen(second, job_id)
    until_state(second, job_id, "running")
    name = f"/bucket/team/jobs/{job_id}/job/lease.json"
    second._root.heard_every_s = 20.0
    lease = orjson.loads(storage().cat_file(name))
    storage().pipe_file(name, orjson.dumps(lease | {"renewed": time.time() - 70}))
    second._shelf.forget(job_id)
    until_seen(second, job_id)
    view = seen(second, job_id)
    assert (view.state, view.is_here) == ("waiting", False)
    assert re.fullmatch(
        r"nothing was heard for 7\d s of the process that has it; after 120 s another one takes it up",
        view.reason,
    )
    first.cancel(job_id, ME)


def test_limits_hold_for_all_replicas(model: Model, storage: type[Storage]) -> None:
    """The oldest job of its owner goes, wherever it was begun, with its upload and its rows."""
    with closing(jobs_in(URL, jobs_kept=1)) as one, closing(jobs_in(URL, jobs_kept=1)) as two:
        old = start(one, model, table(3))
        until_state(one, old, "finished")
        until_seen(two, old)
        new = start(two, model, table(3))
        until_state(two, new, "finished")
        until(lambda: [view.id for view in two.mine(ME)] == [new])
        until(lambda: [view.id for view in one.mine(ME)] == [new])
    assert [name for name in names(storage) if old in name] == []


def test_what_broke_off_goes_after_a_day(
    first: Jobs, model: Model, storage: type[Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files without a card and an upload that nobody used; younger ones stay."""
    spooled = upload(first, table(3))
    storage().pipe_file(f"{URL}/jobs/left-over/table.csv", b"a\n")
    now_s = time.time()
    job_id = start(first, model, table(3))
    until_state(first, job_id, "finished")
    until(lambda: first._swept_s is not None)
    assert {"jobs/left-over/table.csv", f"uploads/{spooled.id}.json"} <= {*names(storage)}
    monkeypatch.setattr("dashboard.jobs.uploads.time.time", lambda: now_s + 25 * 3600)
    first._swept_s = None
    until(lambda: not first._line.all())
    first._sweep()
    assert first._swept_s is not None
    assert {name.split("/")[1][:9] for name in names(storage)} <= {job_id[:9]}
    assert not spooled.path.exists()


# What a look costs.


def test_a_list_at_rest_costs_one_listing(
    first: Jobs, model: Model, storage: type[Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many jobs there are and however often the page asks; a changed card is one read."""
    ids = [start(first, model, table(3)) for _ in range(5)]
    for job_id in ids:
        until_state(first, job_id, "finished")
    until(lambda: not first._line.all())
    monkeypatch.setattr("dashboard.jobs.shelf.LOOK_S", 1000.0)
    until(lambda: "batch-look" not in {one.name for one in threading.enumerate()})
    first._shelf.look()
    first._shelf.look()
    storage.calls.clear()
    for _ in range(200):
        assert len(first.mine(ME)) == 5
        assert first.get(ids[0], ME) is not None
    assert storage.calls.total() == 0
    first._shelf.look()
    assert storage.calls == {"list": 1}
    card = seen(first, ids[0])
    name = f"/bucket/team/cards/{card.id}.json"
    storage().pipe_file(name, storage().cat_file(name) + b"\n")
    storage.calls.clear()
    first._shelf.look()
    assert storage.calls == {"list": 1, "get": 1}


def test_a_job_elsewhere_is_asked_for_seldom(
    first: Jobs, second: Jobs, server: V2Server, model: Model, storage: type[Storage]
) -> None:
    """Its lease is read once in the time in which it is renewed, not at each look."""
    server.models["double"] = paused_by(doubled, 0.1)
    job_id = start(first, model, table(500, first=20))
    until_done(first, job_id, 10)
    first.pause(job_id, ME)
    until_seen(second, job_id)
    until_state(second, job_id, "paused")
    assert "lease.json" not in read_by_looks(storage, second)
    second._root.heard_every_s = 0.0
    until(lambda: "lease.json" in read_by_looks(storage, second))


def read_by_looks(storage: type[Storage], jobs: Jobs) -> set[str]:
    """Return the names of what ten looks of a replica read."""
    found: set[str] = set()
    me, read = threading.get_ident(), storage.cat_file

    def noted(self: Storage, path: str, *given: Any, **named: Any) -> Any:
        if threading.get_ident() == me:
            found.add(path.rpartition("/")[2])
        return read(self, path, *given, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(storage, "cat_file", noted)
        for _ in range(10):
            jobs._shelf.look()
    return found


# A storage that says no.


def test_a_storage_that_is_away_comes_back(
    first: Jobs, model: Model, storage: type[Storage]
) -> None:
    """The last list stays in sight, with the reason; what needs the storage says so in words."""
    job_id = start(first, model, table(3))
    until_state(first, job_id, "finished")
    spooled = upload(first, table(3))
    storage.error = StorageError(URL, "EndpointConnectionError")
    until(lambda: first.mine(ME) != [] and first.problem() != "")
    assert first.problem() == (
        f"the jobs in {URL} can't be read: it does not answer (EndpointConnectionError)"
    )
    assert [view.id for view in first.mine(ME)] == [job_id]
    away = r"does not answer \(EndpointConnectionError\)"
    for ask in (
        lambda: upload(first, table(3)),
        lambda: first.spooled(spooled.id, ME),
        lambda: first.start(model, "double", spooled, SMALL, ME),
        lambda: first.results(job_id, ME),
        lambda: first.delete(job_id, ME),
    ):
        with pytest.raises(StorageTroubleError, match=away):
            ask()
    first.discard(spooled)
    storage.error = None
    until(lambda: first.mine(ME) != [] and first.problem() == "")
    assert first.spooled(spooled.id, ME) == spooled
    again = first.start(model, "double", spooled, SMALL, ME)
    until_state(first, again, "finished")


def test_a_job_whose_storage_was_away_goes_on_by_itself(
    first: Jobs, server: V2Server, model: Model, storage: type[Storage]
) -> None:
    """Nobody has to resume it, and the result is that of an uninterrupted run."""
    server.models["double"] = paused_by(doubled, 0.02)
    with closing(jobs_in(URL, taken_over_s=2.0)) as jobs:
        jobs.recover(lambda _: model)
        job_id = start(jobs, model, table(2000, first=20))
        until_done(jobs, job_id, 20)
        storage.error = StorageError(URL, "ReadTimeoutError")
        until(lambda: not seen(jobs, job_id).is_here)
        assert seen(jobs, job_id).state in ("waiting", "running")
        server.models["double"] = doubled
        storage.error = None
        until_state(jobs, job_id, "finished", "stopped")
        until_state(first, job_id, "finished")
        assert result(first, job_id) == expected(2000, first=20)


def test_a_storage_that_refuses_stops_the_job(
    first: Jobs, server: V2Server, model: Model, storage: type[Storage], monkeypatch: Any
) -> None:
    """What no waiting mends is told as the reason, and the job can be resumed."""
    server.models["double"] = paused_by(doubled, 0.02)
    job_id = start(first, model, table(1000, first=20))
    until_done(first, job_id, 20)
    put = storage.pipe_file

    def refused(self: Storage, path: str, *given: Any, **named: Any) -> None:
        if "/parts/" in path:
            raise PermissionError(errno.EACCES, "Access Denied for key AKIA123")
        put(self, path, *given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(storage, "pipe_file", refused)
        view = until_state(first, job_id, "stopped")
    assert view.reason == (
        f"{URL} said no: the keys of the dashboard do not permit that, or are wrong "
        "(PermissionError)"
    )
    server.models["double"] = doubled
    first.resume(job_id, ME)
    until_state(first, job_id, "finished")
    assert result(first, job_id) == expected(1000, first=20)


def test_a_storage_that_is_silent_at_the_start(
    storage: type[Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look is waited for a while only, and told; the dashboard is there meanwhile."""
    monkeypatch.setattr("dashboard.jobs.shelf.FIRST_LOOK_S", 0.05)
    answering = threading.Event()
    monkeypatch.setattr(Bucket, "check", lambda _: answering.wait(60))
    with closing(jobs_in(URL)) as jobs:
        assert jobs.mine(ME) == []
        assert jobs.problem() == f"the jobs in {URL} can't be read: no answer yet"
        answering.set()
        until(lambda: jobs.mine(ME) == [] and jobs.problem() == "")
    assert storage.error is None


def fails_for(storage: type[Storage], job_id: str) -> Callable[..., None]:
    """Return a `pipe_file` that refuses the card of one job."""
    put = storage.pipe_file

    def refused(self: Storage, path: str, *given: Any, **named: Any) -> None:
        if path.endswith(f"cards/{job_id}.json"):
            raise StorageError(URL, "ReadTimeoutError")
        put(self, path, *given, **named)

    return refused


def test_a_slow_storage_keeps_no_page_waiting(
    first: Jobs, server: V2Server, model: Model, storage: type[Storage], monkeypatch: Any
) -> None:
    """While the card of one job is put, the list is shown and another job is paused and goes on."""
    server.models["double"] = paused_by(doubled, 0.02)
    slow, other = (start(first, model, table(3000, first=20)) for _ in range(2))
    for job_id in (slow, other):
        until_done(first, job_id, 10)
    free, put = threading.Event(), storage.pipe_file

    def held(self: Storage, path: str, *given: Any, **named: Any) -> None:
        if path.endswith(f"cards/{slow}.json"):
            free.wait(60)
        put(self, path, *given, **named)

    monkeypatch.setattr(storage, "pipe_file", held)
    begun_s = time.monotonic()
    pausing = threading.Thread(target=first.pause, args=(slow, ME))
    pausing.start()
    until_state(first, slow, "paused")
    assert len(first.mine(ME)) == 2
    first.pause(other, ME)
    first.go_on(other, ME)
    assert seen(first, other).state == "running"
    assert time.monotonic() - begun_s < 30
    free.set()
    pausing.join(30)
    assert cards.read(first._root.cards, slow).state == "paused"
    until(lambda: cards.read(first._root.cards, other).state == "running")
    for job_id in (slow, other):
        first.cancel(job_id, ME)


def test_a_wish_is_followed_though_it_can_not_be_written(
    server: V2Server, model: Model, storage: type[Storage]
) -> None:
    """Who paused a job, or let it go on, is told so; the job and those behind it wait for nothing."""
    assert storage.error is None
    server.models["double"] = paused_by(doubled, 0.02)
    with closing(jobs_in(URL, jobs_at_once=1)) as jobs, pytest.MonkeyPatch.context() as patched:
        first = start(jobs, model, table(300, first=20))
        behind = start(jobs, model, table(20, first=20))
        until_done(jobs, first, 10)
        patched.setattr(storage, "pipe_file", fails_for(storage, first))
        with pytest.raises(StorageTroubleError, match="does not answer"):
            jobs.pause(first, ME)
        until_state(jobs, behind, "finished")
        assert seen(jobs, first).state == "paused"
        with pytest.raises(StorageTroubleError, match="does not answer"):
            jobs.go_on(first, ME)
        patched.undo()
        until_state(jobs, first, "finished")
        assert result(jobs, first) == expected(300, first=20)


class EndpointConnectionError(Exception):
    """What botocore raises, which is no OSError."""


def test_a_table_that_could_not_be_read_once_is_read_again(
    model: Model, storage: type[Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost connection to the storage stops no job: its upload lies there like all else of it."""
    errors = [EndpointConnectionError("with the key AKIA123")]
    read = File.read

    def once(self: File, *given: Any) -> bytes:
        if self.size > 1000 and errors:
            raise errors.pop()
        return read(self, *given)

    monkeypatch.setattr(File, "read", once)
    with closing(jobs_in(URL, taken_over_s=2.0)) as jobs:
        assert storage.error is None
        jobs.recover(lambda _: model)
        job_id = start(jobs, model, table(300, first=20))
        view = until_state(jobs, job_id, "finished", "stopped")
        assert (errors, view.state, view.reason) == ([], "finished", "")
        assert result(jobs, job_id) == expected(300, first=20)


def test_a_job_that_another_replica_deletes_meanwhile_is_told(
    first: Jobs, model: Model, storage: type[Storage]
) -> None:
    """Whoever resumes it learns that there is none; nothing is said of the storage."""
    job_id = start(first, model, table(3))
    until_state(first, job_id, "finished")
    until(lambda: not first._line.all())
    storage().rm_file(f"/bucket/team/cards/{job_id}.json")
    with pytest.raises(UnknownJobError):
        first._take_up(job_id, ("finished",))
    with pytest.raises(UnknownJobError):
        first._cancel_here(job_id)
    assert first._root.silence_s(job_id) is None


def test_a_log_holds_no_words_of_a_storage(
    first: Jobs, storage: type[Storage], caplog: pytest.LogCaptureFixture
) -> None:
    """They may hold keys: the kind of what went wrong is enough."""
    storage.error = PermissionError(errno.EACCES, "Access Denied for key AKIA123")
    first._take_up_one("AAAAAAAAAAAAAAAA")
    storage.error = None
    assert "the keys of the dashboard do not permit that" in caplog.text
    assert "AKIA123" not in caplog.text


# What lies on this machine meanwhile.


def test_results_on_this_machine_go_after_an_hour(
    first: Jobs, model: Model, storage: type[Storage]
) -> None:
    """Younger ones stay; who asks for one that is gone gets it again."""
    assert storage.error is None
    job_id = start(first, model, table(3))
    until_state(first, job_id, "finished")
    old, young = (
        first.download(job_id, ME, WriteOptions(format=form)) for form in ("csv", "arrow")
    )
    hour_ago_s = time.time() - 3700
    os.utime(old, (hour_ago_s, hour_ago_s))
    first._root.tidy()
    assert (old.exists(), young.exists()) == (False, True)
    assert result(first, job_id, WriteOptions(format="csv")) == expected(3)


def test_what_a_killed_process_left_on_this_machine_goes(
    storage: type[Storage], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """At the next start; the folders of a process that lives, and of other programs, stay."""
    assert storage.error is None
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    living = Bucket(URL, 120.0)
    kept = living.near("AAAAAAAAAAAAAAAA").parent
    for name, file in (("dead", "lock"), ("other", "a file"), ("begun", "lock")):
        (tmp_path / f"kserve-client-{name}").mkdir()
        (tmp_path / f"kserve-client-{name}" / file).touch()
    for lock in (kept / "lock", tmp_path / "kserve-client-dead" / "lock"):
        os.utime(lock, (1e9, 1e9))
    again = Bucket(URL, 120.0).near("AAAAAAAAAAAAAAAA").parent
    left = {path.name for path in tmp_path.iterdir()}
    assert left >= {kept.name, "kserve-client-other", "kserve-client-begun"}
    assert "kserve-client-dead" not in left
    assert again != kept


def test_an_upload_that_could_not_be_kept_leaves_no_copy(
    first: Jobs, storage: type[Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not on this machine either, though the storage does not answer when it is to be removed."""
    scratch = first._root.near("AAAAAAAAAAAAAAAA").parent
    first._root.check()

    def away(*_: object) -> NoReturn:
        storage.error = StorageError(URL, "EndpointConnectionError")
        raise storage.error

    monkeypatch.setattr(Bucket, "keep", away)
    with pytest.raises(StorageTroubleError):
        upload(first, table(3))
    assert [*scratch.rglob("table.csv")] == []


class Answer(Exception):  # noqa: N818 - as botocore's ClientError, which holds the answer
    """What a library raises for an answer of S3."""

    def __init__(self, code: str) -> None:
        super().__init__("with the key AKIA123")
        self.response = {"Error": {"Code": code}}


def answered(error: OSError, code: str) -> OSError:
    """Return what s3fs makes of it."""
    error.__cause__ = Answer(code)
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StorageError(URL, "NoCredentialsError"), "there are no keys; set AWS_ACCESS_KEY_ID"),
        (StorageError(URL, "ConnectTimeoutError"), "it does not answer (ConnectTimeoutError)"),
        (StorageError(URL, "SSLError"), "its certificate is not trusted"),
        (StorageError(URL, "ParamValidationError"), "no name of a bucket: bucket"),
        (StorageError(URL, "Surprise"), "Surprise"),
        (PermissionError("key AKIA123"), "the keys of the dashboard do not permit that"),
        (answered(PermissionError("AKIA123"), "ExpiredToken"), "the keys of the dashboard do not"),
        (
            answered(PermissionError("AKIA123"), "RequestTimeTooSkewed"),
            "the clock of this machine is wrong",
        ),
        (
            answered(OSError(errno.EINVAL, "AKIA123"), "AuthorizationHeaderMalformed"),
            "Invalid argument (AuthorizationHeaderMalformed)",
        ),
        (answered(OSError(errno.EINVAL, ""), "key AKIA123"), "Invalid argument (OSError)"),
        (answered(FileNotFoundError("bucket"), "NoSuchBucket"), "there is no bucket bucket"),
        (FileNotFoundError("bucket/x"), "a file of it is gone"),
        (OSError(errno.EBUSY, "Slow down AKIA123"), "it does not answer (OSError)"),
        (OSError(errno.EINVAL, "AKIA123"), "Invalid argument (OSError)"),
        (TimeoutError(), "it does not answer (TimeoutError)"),
    ],
)
def test_what_a_storage_says_is_put_in_words(
    storage: type[Storage], error: OSError, words: str
) -> None:
    """By its kind: the words of a library may hold keys."""
    assert storage.error is None
    found = Bucket(URL, 120.0).words(error)
    assert found.startswith(words)
    assert "AKIA123" not in found


# The setting.


@pytest.mark.parametrize(
    "url",
    [
        "s3://me:hunter2@bucket/x",
        "s3://hunter2@bucket/x",
        "s3://bucket/x?token=hunter2",
        "s3://bucket/x.zip::ftp://me:hunter2@host/x",
        "zip::s3://me:hunter2@bucket/x",
    ],
)
def test_a_url_with_a_secret_is_refused(url: str) -> None:
    """In a sentence that says where keys belong, and does not repeat them."""
    with pytest.raises(ConfigurationError) as caught:
        jobs_in(url)
    assert str(caught.value) == (
        "KSERVE_CLIENT_JOBS_FOLDER must hold no user, password or query, only a URL such as "
        "s3://bucket/prefix; keys belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )


def test_a_name_may_hold_an_at_sign(storage: type[Storage]) -> None:
    """Only what stands before a bucket is a user."""
    assert storage.error is None
    assert Bucket("shop://bucket/team@x", 120.0).where == "shop://bucket/team@x"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3:///prefix", "is no URL of a place in a bucket: s3:///prefix; write it as s3://bucket"),
        ("zip::s3://bucket/x.zip", "is no URL of a place in a bucket: zip::s3://bucket/x.zip"),
        ("nope://bucket/x", "a job can't lie at nope://bucket/x"),
    ],
)
def test_a_url_that_can_not_be_used_is_told(url: str, words: str) -> None:
    """Before anything is asked of a network."""
    with pytest.raises(ConfigurationError, match=words):
        jobs_in(url)


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no s3fs learns what to install."""
    registry = pytest.importorskip("fsspec.registry")
    monkeypatch.delitem(registry._registry, "s3", raising=False)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ConfigurationError, match=r"s3:// needs .*; for s3: pip install s3fs"):
        jobs_in("s3://bucket/x")


def test_a_url_stays_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the environment as in a program; a folder is a folder, also as a URL of one."""
    monkeypatch.setenv("KSERVE_CLIENT_JOBS_FOLDER", "s3://bucket/prefix")
    assert Settings().jobs_folder == "s3://bucket/prefix"
    monkeypatch.setenv("KSERVE_CLIENT_JOBS_FOLDER", str(tmp_path))
    assert Settings().jobs_folder == tmp_path
    with closing(jobs_in(f"file://{tmp_path}/a%20folder")) as jobs:
        jobs.spool(io.BytesIO(b"a\n"), "a.csv", ME)
    assert (tmp_path / "a folder" / "uploads").is_dir()
