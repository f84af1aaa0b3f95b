"""A job behind a URL, in fsspec's storage in memory."""

from __future__ import annotations

import errno
import hashlib
import pickle
import secrets
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job import Job, PartWriter, SavedJob, delete_job, jobs
from kserve_client.scoring.job.lock import Lease, acquire, is_held, silence_s
from kserve_client.scoring.job.store import Data, LocalStore, UrlStore, store_at
from tests.unit.scoring.job.chunks import (
    FACTS,
    chunk,
    failed_line,
    finished,
    lines,
    ok_line,
    partial_results,
)


@pytest.fixture
def url() -> Iterator[str]:
    """A folder of its own, with a blank and an umlaut."""
    root = f"memory://{secrets.token_hex(4)} ü"
    yield root
    storage = fsspec.filesystem("memory")
    if storage.exists(root):
        storage.rm(root, recursive=True)


def files(url: str) -> list[str]:
    found = fsspec.filesystem("memory").find(url)
    return sorted(name.partition("ü/")[2] for name in found)


def test_a_remote_job_goes_the_same_way(url: str) -> None:
    """Record, go on, retry, read: as in a folder, and nothing stays beside."""
    with Job.create(f"{url}/job", FACTS) as job:
        job.record(chunk(0, 3, failed=[1]))
    with Job.open(f"{url}/job") as job:
        assert job.remaining()[0].start == 3
        job.record(chunk(3, 5))
        finished(job, 5)
        job.replace(chunk(1, 2, word="again"))
        job.flush()
    with SavedJob.open(f"{url}/job") as saved:
        assert lines(saved) == [ok_line(0), ok_line(1, "again"), *map(ok_line, (2, 3, 4))]
        assert (saved.state, saved.is_running()) == ("finished", False)
    names = files(f"{url}/job")
    assert len([name for name in names if name.startswith("job/parts/")]) == 2
    assert len(names) == 4  # and the manifest and the ledger: no lease


class Broken(UrlStore):
    """A storage that refuses the ledger."""

    def put(self, name: str, data: Data) -> None:
        """Take everything else."""
        if name == "ledger.sqlite":
            raise OSError("503 Slow down")
        super().put(name, data)


def test_saved_is_what_the_put_ledger_holds(url: str) -> None:
    """Parts alone are not; the next flush makes good for a put that failed."""
    job = Job.create(f"{url}/job", FACTS)
    job.record(chunk(0, 2))
    job.flush()
    whole = job._store
    job._store = Broken(f"{url}/job", {})
    job.record(chunk(2, 4))
    with pytest.raises(OSError, match="Slow down"):
        job.flush()
    assert job.counts.ok == 2
    with SavedJob.open(f"{url}/job") as saved:
        assert saved.counts.ok == 2
    job._store = whole
    job.flush()
    assert job.counts.ok == 4
    with SavedJob.open(f"{url}/job") as saved:
        assert [batch.num_rows for batch in partial_results(saved)] == [2, 2]
    job.close()


class Lagging(UrlStore):
    """A storage whose listing is behind: it shows the first part only."""

    def sizes(self, folder: str) -> dict[str, int]:
        """What was there some time ago."""
        return dict(sorted(super().sizes(folder).items())[:1])


def test_tidying_forgets_no_row(url: str) -> None:
    """Also when the listing lacks a part; only parts that do not count go."""
    with Job.create(f"{url}/job", FACTS) as job:
        job.record(chunk(2, 4))
        job.flush()
        job.record(chunk(4, 6))
        twin = job.part_writer().write([chunk(0, 2)])
        job._store = Lagging(f"{url}/job", {})
        job.tidy()
        job.record(chunk(0, 2))
        finished(job, 6)
        assert lines(job) == [ok_line(n) for n in range(6)]
    assert f"job/{twin.part.path}" not in files(url)


class Talkative:
    """A storage library that raises errors of its own, with all it knows."""

    def cat_file(self, path: str) -> bytes:
        """Refuse."""
        raise RuntimeError(f"{path}: key AKIA123 with secret hunter2 was refused")


def test_words_of_a_storage_library_are_not_repeated(url: str) -> None:
    """They may hold keys: the kind of the error is told, also in the traceback."""
    store = UrlStore(f"{url}/job", {})
    store._fs = Talkative()
    with pytest.raises(OSError, match="RuntimeError") as error:
        store.read("manifest.json")
    told = "".join(traceback.format_exception(error.value))
    assert "hunter2" not in told
    assert str(error.value) == f"{store.where}: RuntimeError"


def test_a_reader_keeps_up_with_a_retry(url: str) -> None:
    """Its ledger is a copy; a part that was replaced since is looked up anew."""
    with Job.create(f"{url}/job", FACTS) as job:
        job.record(chunk(0, 2, failed=[1]))
        finished(job, 2)
        with SavedJob.open(f"{url}/job") as saved:
            job.replace(chunk(1, 2))
            job.flush()
            assert lines(saved) == [ok_line(0), ok_line(1)]


def test_workers_write_and_the_coordinator_records(url: str) -> None:
    """A part travels as its line; a task that runs twice makes one part."""
    with Job.create(f"{url}/job", FACTS) as job:
        writer = pickle.loads(pickle.dumps(job.part_writer()))
        assert isinstance(writer, PartWriter)
        chunks = [chunk(0, 2), chunk(2, 4, failed=[3])]
        first, second = (
            pickle.loads(pickle.dumps(writer.write(chunks, tries=3))) for _ in range(2)
        )
        other = writer.write([chunk(4, 6)])
        lost = writer.write([chunk(6, 8)])
        assert job.record_part(other)
        assert job.record_part(first)
        assert not job.record_part(first)
        assert not job.record_part(second)
        job.record(chunk(6, 8))
        finished(job, 8)
        assert lines(job) == [
            ok_line(0), ok_line(1), ok_line(2), failed_line(3), *map(ok_line, range(4, 8)),
        ]  # fmt: skip
        with pytest.raises(ValueError, match="recorded already"):
            job.record_part(writer.write([chunk(5, 9)]))
    with Job.open(f"{url}/job") as job:
        assert job.counts.ok == 7
    assert f"job/parts/{lost.part.name}" not in files(f"{url}/job")
    assert len([name for name in files(f"{url}/job") if "/parts/" in name]) == 3


def test_a_part_of_a_worker_is_checked(url: str) -> None:
    """Chunks with a gap between them, or without rows, are no part."""
    with Job.create(f"{url}/job", FACTS) as job:
        writer = job.part_writer()
        for chunks in ([], [chunk(0, 0)], [chunk(0, 2), chunk(3, 4)]):
            with pytest.raises(ValueError, match="part"):
                writer.write(chunks)


def test_workers_may_disagree_on_the_columns(url: str) -> None:
    """The part that is recorded first decides; what does not fit is an error of its rows."""
    other = chunk(2, 3)
    assert other.results is not None
    renamed = replace(other, results=other.results.rename_columns(["label"]))
    with Job.create(f"{url}/job", FACTS) as job:
        writer = job.part_writer()
        first, second = writer.write([chunk(0, 2)]), writer.write([renamed, chunk(3, 4)])
        assert job.record_part(first)
        assert job.record_part(second)
        finished(job, 4)
        assert lines(job)[:2] == [ok_line(0), ok_line(1)]
        # The second worker knew no better than to hold row 3 against its own first answer.
        assert [line[3:] for line in lines(job)[2:]] == [
            (
                "failed",
                "the answer has other columns than the first one: label instead of prediction",
            ),
            (
                "failed",
                "the answer has other columns than the first one: prediction instead of label",
            ),
        ]
    assert len([name for name in files(f"{url}/job") if "/parts/" in name]) == 2


def test_storage_options_show_nowhere() -> None:
    """They are keys."""
    writer = PartWriter("s3://bucket/job", {"secret": "hunter2"})
    assert "hunter2" not in repr(writer)


def test_only_one_holds_the_lease(url: str) -> None:
    """The second is told who does; released, it is free."""
    store = store_at(f"{url}/job")
    held = acquire(store)
    assert is_held(store)
    with pytest.raises(ConfigurationError, match="in use by process"):
        acquire(store)
    held.release()
    held.release()
    assert not is_held(store)
    acquire(store).release()


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now_s = time.time()

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


def lease(url: str, clock: Clock) -> Lease:
    store = store_at(f"{url}/job")
    assert isinstance(store, UrlStore)
    return Lease(store, stale_s=100, renew_s=1000, settle_s=0, clock=clock)


def test_a_lease_of_a_dead_process_can_be_taken_over(url: str) -> None:
    """Not a second too early; the one that lost it learns so, and takes nothing away."""
    clock = Clock()
    dead = lease(url, clock)
    clock.now_s += 100
    with pytest.raises(ConfigurationError, match="in use by"):
        lease(url, clock)
    clock.now_s += 1
    with pytest.raises(ConfigurationError, match="silent for too long"):
        dead.check()
    taker = lease(url, clock)
    taker.check()
    dead.renew()
    with pytest.raises(ConfigurationError, match="another process may have taken over"):
        dead.check()
    dead.release()
    taker.check()
    assert files(url) == ["job/lease.json"]
    taker.release()
    assert files(url) == []


def test_a_lease_that_is_renewed_stays(url: str) -> None:
    """However long the job takes."""
    clock = Clock()
    held = lease(url, clock)
    for _ in range(3):
        clock.now_s += 90
        held.renew()
        held.check()
    with pytest.raises(ConfigurationError, match="in use by"):
        lease(url, clock)
    held.release()


def test_a_lease_says_how_long_it_holds(url: str) -> None:
    """Whoever looks keeps to what the holder said, and learns how long the holder was silent."""
    store = store_at(f"{url}/job")
    assert silence_s(store) is None
    clock = Clock()
    clock.now_s -= 50
    held = lease(url, clock)
    assert 50 <= (silence_s(store) or 0) < 80
    clock.now_s -= 60
    held.renew()
    assert silence_s(store) is None
    acquire(store, stale_s=9).release()
    held.release()


def test_a_first_try_whose_answer_was_lost(url: str) -> None:
    """The second try of the library finds the lease there, and it is our own."""

    class Twice(UrlStore):
        def put_if_absent(self, name: str, data: Data) -> None:
            super().put_if_absent(name, data)
            super().put_if_absent(name, data)

    held = Lease(Twice(f"{url}/job", {}), settle_s=0)
    held.check()
    held.release()


def test_a_storage_that_refuses_in_words_of_its_own(url: str) -> None:
    """A conditional put that fails because somebody was first says so, whatever the library said."""
    store = UrlStore(f"{url}/job", {})
    pipe = store._fs.pipe_file

    class Refusing:
        def __getattr__(self, name: str) -> object:
            return getattr(fsspec.filesystem("memory"), name)

        def pipe_file(self, path: str, value: bytes, mode: str = "overwrite") -> None:
            if mode == "create":
                raise OSError(errno.EINVAL, "At least one of the pre-conditions did not hold")
            pipe(path, value)

    store._fs = Refusing()
    with pytest.raises(OSError, match="pre-conditions"):
        store.put_if_absent("a", b"1")
    store.put("a", b"1")
    with pytest.raises(FileExistsError):
        store.put_if_absent("a", b"2")


def test_a_holder_lends_its_lock(url: str) -> None:
    """Who has a directory already begins and opens the job in it, and keeps the lock after."""
    held = acquire(store_at(f"{url}/job"))
    with pytest.raises(ConfigurationError, match="in use by"):
        Job.create(f"{url}/job", FACTS)
    with Job.create(f"{url}/job", FACTS, held=held) as job:
        job.record(chunk(0, 2))
    with Job.open(f"{url}/job", held=held) as job:
        assert job.counts.ok == 2
    assert is_held(store_at(f"{url}/job"))
    held.release()
    assert not is_held(store_at(f"{url}/job"))


def test_files_of_a_storage_by_their_state(url: str) -> None:
    """A mark changes with the content; many are read at once, files go up and down, all is cleared."""
    store = store_at(url)
    assert isinstance(store, UrlStore)
    assert (store.marks("x"), store.read_all([])) == ({}, {})
    for name, data in (("x/a", b"1"), ("x/b", b"2"), ("x/deep/c", b"3")):
        store.put(name, data)
    before = store.marks("x")
    assert {*before} == {"a", "b"}
    assert 0 <= time.time() - before["a"].changed_s < 60
    store.put("x/a", b"4")
    after = store.marks("x")
    assert (after["a"] == before["a"], after["b"] == before["b"]) == (False, True)
    assert store.read_all(["x/a", "x/none", "x/b"]) == {"x/a": b"4", "x/b": b"2"}
    store.clear()
    assert files(url) == []
    store.clear()


def test_a_file_goes_up_and_down(url: str, tmp_path: Path) -> None:
    """As it is; what is not there raises."""
    store = UrlStore(url, {})
    (tmp_path / "up").write_bytes(b"1" * 1000)
    store.upload("deep/file", tmp_path / "up")
    store.download("deep/file", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == b"1" * 1000
    with pytest.raises(FileNotFoundError):
        store.download("deep/none", tmp_path / "none")


def test_files_of_a_folder_by_their_state(tmp_path: Path) -> None:
    """The same of a folder; new files are for their user alone where that is asked for."""
    store = LocalStore(tmp_path, mode=0o600)
    store.put("x/a", b"1")
    store.put("x/b", b"2")
    before = store.marks("x")
    assert oct((tmp_path / "x" / "a").stat().st_mode & 0o777) == "0o600"
    store.put("x/a", b"3")
    after = store.marks("x")
    assert (after["a"] == before["a"], after["b"] == before["b"]) == (False, True)
    assert store.marks("none") == {}
    assert store.read_all(["x/a", "x/none"]) == {"x/a": b"3"}


def test_who_lost_the_lease_writes_no_more(url: str) -> None:
    """Neither rows nor the manifest, which are the other one's by now."""
    job = Job.create(f"{url}/job", FACTS)
    job.record(chunk(0, 2))
    job.flush()
    storage = fsspec.filesystem("memory")
    storage.pipe_file(f"{url}/job/lease.json", b'{"token": "another", "renewed": 9e12}')
    held = job._held
    assert isinstance(held, Lease)
    held.renew()
    job.record(chunk(2, 4))
    with pytest.raises(ConfigurationError, match="taken over"):
        job.flush()
    with pytest.raises(ConfigurationError, match="taken over"):
        job.close()
    with SavedJob.open(f"{url}/job") as saved:
        assert saved.counts.ok == 2
    assert b"another" in storage.cat_file(f"{url}/job/lease.json")


class Plain(UrlStore):
    """A storage that knows no conditional put, as many that speak S3."""

    def put_if_absent(self, name: str, data: Data) -> None:
        """Refuse."""
        raise OSError("501 A header you provided implies functionality that is not implemented")


def test_a_storage_without_conditional_puts(url: str) -> None:
    """The lease is put all the same, and looked at again."""
    held = Lease(Plain(f"{url}/job", {}), settle_s=0)
    with pytest.raises(ConfigurationError, match="in use by process"):
        acquire(store_at(f"{url}/job"))
    held.release()
    assert files(url) == []


class Answer(Exception):  # noqa: N818 - as botocore's ClientError, which holds the answer
    """What a library raises for an answer of S3."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


class Conditional:
    """The storage in memory, which keeps to If-Match as S3 does.

    `meanwhile` is called once, when a put of `name` is on its way.
    """

    def __init__(self, name: str, meanwhile: Callable[[], object]) -> None:
        self._memory = fsspec.filesystem("memory")
        self._name, self._meanwhile = name, [meanwhile]

    def __getattr__(self, name: str) -> object:
        return getattr(self._memory, name)

    def info(self, path: str) -> dict[str, Any]:
        """Tell the tag, too."""
        found: dict[str, Any] = self._memory.info(path)
        return found | {"ETag": hashlib.md5(self._memory.cat_file(path)).hexdigest()}

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **how: str) -> None:
        """Put, if what is there has the tag."""
        if path.endswith(self._name) and self._meanwhile:
            self._meanwhile.pop()()
        tag = how.get("IfMatch")
        if tag and tag != self.info(path)["ETag"]:
            raise OSError(errno.EINVAL, "did not hold") from Answer("PreconditionFailed")
        self._memory.pipe_file(path, value, mode=mode)


def taken_over(url: str) -> None:
    """Another process has the job for as long as it takes to finish it with 6 rows."""
    fsspec.filesystem("memory").rm_file(f"{url}/job/lease.json")
    with Job.open(f"{url}/job") as other:
        other.record(chunk(other.remaining()[0].start, 6))
        finished(other, 6)


@pytest.mark.parametrize("name", ["ledger.sqlite", "manifest.json"])
def test_who_slept_in_the_middle_of_a_put_spoils_nothing(url: str, name: str) -> None:
    """What another process finished meanwhile stays as it is."""
    job = Job.create(f"{url}/job", FACTS)
    job.record(chunk(0, 2))
    job.flush()
    assert isinstance(job._store, UrlStore)
    job._store._fs = Conditional(name, lambda: taken_over(url))
    job.record(chunk(2, 4))
    with pytest.raises(ConfigurationError, match="another process may have taken over"):
        job.update("stopped")
    with pytest.raises(ConfigurationError, match="another process may have taken over"):
        job.close()
    with SavedJob.open(f"{url}/job") as saved:
        assert lines(saved) == [ok_line(number) for number in range(6)]
        assert (saved.state, saved.manifest.counts.ok) == ("finished", 6)


def test_a_put_whose_answer_was_lost_is_no_lost_job(url: str) -> None:
    """The second try of the library is refused, since the first one came through."""
    job = Job.create(f"{url}/job", FACTS)
    storage = fsspec.filesystem("memory")
    ledger = f"{url}/job/ledger.sqlite"
    assert isinstance(job._store, UrlStore)
    job._store._fs = Conditional(
        "ledger.sqlite", lambda: storage.pipe_file(ledger, job._ledger.dump())
    )
    with job:
        job.record(chunk(0, 2))
        finished(job, 2)
    with SavedJob.open(f"{url}/job") as saved:
        assert (saved.state, saved.counts.ok) == ("finished", 2)


def test_a_storage_that_does_not_know_the_condition(url: str) -> None:
    """It says 501, and gets the object without one; what it does not answer is tried later."""
    store = UrlStore(url, {})
    store.put("a", b"1")

    def says(error: OSError, code: str) -> Conditional:
        def raises() -> None:
            raise error from Answer(code)

        return Conditional("a", raises)

    store._fs = says(OSError(errno.EBUSY, "Slow down"), "SlowDown")
    with pytest.raises(OSError, match="Slow down"):
        store.put_over("a", b"2", store.tag("a"))
    assert store.read("a") == b"1"
    store._fs = says(OSError(errno.ENOSYS, "A header"), "NotImplemented")
    store.put_over("a", b"2", store.tag("a"))
    assert store.read("a") == b"2"


@pytest.mark.parametrize("knows_conditions", [True, False])
def test_a_renewal_that_comes_too_late_is_none(url: str, knows_conditions: bool) -> None:
    """Whoever took the job over meanwhile keeps it; where that was put over, nobody has it."""
    clock = Clock()
    sleeper = lease(url, clock)
    takers: list[Lease] = []

    def sleep() -> None:
        clock.now_s += 101
        takers.append(lease(url, clock))

    storage = Conditional("lease.json", sleep)
    if not knows_conditions:
        storage.info = storage._memory.info  # type: ignore[method-assign]
    sleeper._store._fs = storage
    with suppress(FileExistsError):
        sleeper.renew()
    sleeper.renew()
    with pytest.raises(ConfigurationError, match="taken over"):
        sleeper.look()
    if knows_conditions:
        takers[0].look()
    else:
        with pytest.raises(ConfigurationError, match="taken over"):
            takers[0].look()


def test_a_lease_that_can_not_be_read_back_is_taken_away(url: str) -> None:
    """Nobody would renew it, and everybody would wait."""

    class Hiccup(UrlStore):
        reads = 0

        def read(self, name: str) -> bytes:
            self.reads += 1
            if self.reads == 2:
                raise ConnectionError("reset")
            return super().read(name)

    with pytest.raises(ConnectionError):
        Lease(Hiccup(f"{url}/job", {}), settle_s=0)
    assert files(url) == []


def test_a_damaged_lease_is_none(url: str) -> None:
    """Half a line in it keeps nobody away for ever."""
    fsspec.filesystem("memory").pipe_file(f"{url}/job/lease.json", b'{"tok')
    store = store_at(f"{url}/job")
    assert not is_held(store)


def test_remote_jobs_are_listed_and_removed(url: str) -> None:
    """With the counts of the manifest."""
    with Job.create(f"{url}/aaaaaaaa", FACTS, job_id="aaaaaaaa") as job:
        job.record(chunk(0, 2))
    (found,) = jobs(url)
    assert (found.job_id, found.counts.ok, found.is_running) == ("aaaaaaaa", 2, False)
    delete_job(f"{url}/aaaaaaaa")
    assert jobs(url) == []
    assert files(url) == []


def test_a_damaged_remote_ledger_is_told(url: str) -> None:
    """As in a folder."""
    Job.create(f"{url}/job", FACTS).close()
    storage = fsspec.filesystem("memory")
    for data in (b"", b"not a database" * 500):
        storage.pipe_file(f"{url}/job/ledger.sqlite", data)
        with pytest.raises(ConfigurationError, match=r"ledger of the job in .* is damaged"):
            Job.open(f"{url}/job")
    storage.rm(f"{url}/job/ledger.sqlite")
    with pytest.raises(ConfigurationError, match="has no ledger"):
        Job.open(f"{url}/job")


def test_a_url_that_nothing_can_open() -> None:
    """The scheme is named, the password is not."""
    with pytest.raises(ConfigurationError, match="can't lie at nope://host/job") as error:
        Job.create("nope://me:hunter2@host/job", FACTS)
    assert "hunter2" not in str(error.value)


WITHOUT_FSSPEC = """
import sys
sys.modules["fsspec"] = None
from kserve_client.scoring.job import SavedJob
try:
    SavedJob.open("s3://bucket/job")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_the_package_is_named_where_it_is_missing() -> None:
    """Who has no fsspec learns what to install."""
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_FSSPEC],
        cwd=root, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith("ConfigurationError a job at s3:// needs")
    assert "for s3: pip install s3fs" in done.stdout
