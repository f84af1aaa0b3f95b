from __future__ import annotations

from pathlib import Path

import pytest

from kserve_client.errors import ConfigurationError, InputError
from kserve_client.scoring.job import (
    Job,
    SavedJob,
    check_job_id,
    delete_job,
    job_directory,
    jobs,
    lock,
    new_job_id,
)
from kserve_client.scoring.job.lock import FileLock
from kserve_client.scoring.job.store import LocalStore
from tests.unit.scoring.job.chunks import FACTS, chunk, finished


def made(root: Path, job_id: str) -> Path:
    with Job.create(root / job_id, FACTS, job_id=job_id) as job:
        job.record(chunk(0, 3, failed=[1]))
    return root / job_id


def test_ids_are_long_and_different() -> None:
    """They are what keeps one person's job from another."""
    ids = {new_job_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(one) for one in ids} == {16}
    assert all(check_job_id(one) for one in ids)


@pytest.mark.parametrize(
    "job_id",
    ["", ".", "..", "../../etc", "a/b/c/d/e", "abcdefg\n", "/etc/passwd", "a" * 65, "a\0bcdefgh"],
)
def test_an_id_is_no_path(tmp_path: Path, job_id: str) -> None:
    """Nothing leads out of the root, and the message does not repeat it."""
    with pytest.raises(InputError, match="that is no id of a job"):
        job_directory(tmp_path, job_id)
    with pytest.raises(InputError, match="no id"):
        Job.create(tmp_path / "job", FACTS, job_id=job_id or "/")


def test_the_directory_of_a_job() -> None:
    """Below a path, or below a URL."""
    assert job_directory(Path("jobs"), "abcdefgh") == Path("jobs/abcdefgh")
    assert job_directory("s3://bucket/jobs/", "abcdefgh") == "s3://bucket/jobs/abcdefgh"


def test_jobs_are_listed_with_what_they_saved(tmp_path: Path) -> None:
    """While they run too; what is no job is left out."""
    made(tmp_path, "aaaaaaaa")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "somebody").mkdir()
    with Job.create(tmp_path / "bbbbbbbb", FACTS, job_id="bbbbbbbb") as job:
        job.update("running")
        job.record(chunk(0, 2))
        job.flush()
        found = {summary.job_id: summary for summary in jobs(tmp_path)}
    assert found.keys() == {"aaaaaaaa", "bbbbbbbb"}
    running, other = found["bbbbbbbb"], found["aaaaaaaa"]
    assert (running.state, running.is_running, running.counts.ok) == ("running", True, 2)
    assert (other.state, other.is_running, other.counts.failed) == ("created", False, 1)
    assert running.manifest is not None
    assert running.manifest.facts.input.name == "flowers.csv"


def test_a_root_that_is_not_there_holds_no_jobs(tmp_path: Path) -> None:
    """Nobody has begun one yet."""
    assert jobs(tmp_path / "none") == []


def test_a_job_whose_process_died_is_listed_as_stopped(tmp_path: Path) -> None:
    """With the reason in words."""
    with Job.create(tmp_path / "aaaaaaaa", FACTS, job_id="aaaaaaaa") as job:
        job.update("running")
    (found,) = jobs(tmp_path)
    assert (found.state, found.reason) == (
        "stopped",
        "the process that ran it ended before it was done",
    )


@pytest.mark.parametrize("gone", ["manifest.json", "ledger.sqlite"])
def test_a_half_removed_job_is_listed_and_can_be_removed(tmp_path: Path, gone: str) -> None:
    """So that what is left of it does not fill the disk unseen."""
    directory = made(tmp_path, "aaaaaaaa")
    (directory / gone).unlink()
    (found,) = jobs(tmp_path)
    assert (found.job_id, found.state, found.manifest) == ("aaaaaaaa", "damaged", None)
    assert gone in found.reason
    delete_job(directory)
    assert not directory.exists()


def test_a_job_is_removed_whole(tmp_path: Path) -> None:
    """By whoever works on it or reads it, when nobody else works on it."""
    directory = made(tmp_path, "aaaaaaaa")
    with Job.open(directory) as job:
        with pytest.raises(ConfigurationError, match="in use"):
            delete_job(directory)
        finished(job, 3)
        job.delete()
    assert not directory.exists()
    with SavedJob.open(made(tmp_path, "bbbbbbbb")) as saved:
        saved.delete()
    assert list(tmp_path.iterdir()) == []


def test_who_begins_a_job_while_one_is_removed_has_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the moment after the lock was given back."""
    directory = made(tmp_path, "aaaaaaaa")
    release, begun = FileLock.release, list[Job]()

    def release_and_begin(held: FileLock) -> None:
        release(held)
        monkeypatch.undo()
        begun.append(Job.create(directory, FACTS))

    monkeypatch.setattr(FileLock, "release", release_and_begin)
    delete_job(directory)
    with begun[0] as job:
        job.record(chunk(0, 3))
        with pytest.raises(ConfigurationError, match="in use"):
            Job.open(directory)


def test_a_lock_that_was_removed_while_somebody_waited_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited for it takes the one that lies there by then."""
    store = LocalStore(tmp_path)
    first = FileLock(store)
    take = lock._is_taken

    def removed_meanwhile(descriptor: int, kind: int) -> bool:
        monkeypatch.undo()
        store.remove("lock")
        first.release()
        return take(descriptor, kind)

    monkeypatch.setattr(lock, "_is_taken", removed_meanwhile)
    second = FileLock(store)
    with pytest.raises(ConfigurationError, match="in use"):
        FileLock(store)
    second.release()


def test_files_that_are_not_of_the_job_stay(tmp_path: Path) -> None:
    """A person's file in the directory is nobody else's to remove."""
    directory = made(tmp_path, "aaaaaaaa")
    (directory / "result.csv").write_text("a,b")
    (directory / "parts" / "mine.txt").write_text("mine")
    (directory / "parts" / "mine.arrow").write_text("mine")
    (directory / "manifest.json.mine.tmp").write_text("mine")
    (directory / "manifest.json.0123abcd.tmp").write_text("left by a crash")
    delete_job(directory)
    left = sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))
    assert left == [
        "manifest.json.mine.tmp",
        "parts",
        "parts/mine.arrow",
        "parts/mine.txt",
        "result.csv",
    ]


def test_a_directory_that_holds_no_job_is_left_alone(tmp_path: Path) -> None:
    """Removing is for jobs."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigurationError, match="there is no job"):
        delete_job(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("manifest.json", '{"name": "a site", "version": "1.0"}'),
        ("manifest.json", '{"format_version": 2}'),
        ("manifest.json", "[]"),
        ("lock", "held by another program"),
        ("parts/table.arrow", "mine"),
        ("ledger.sqlite", ""),
        ("ledger.sqlite", "the accounts of somebody"),
        ("lease.json", '{"tenant": "somebody"}'),
    ],
)
def test_files_of_another_program_are_no_job(tmp_path: Path, name: str, text: str) -> None:
    """Though they are named like those of a job: not listed, not removed."""
    directory = tmp_path / "somebody"
    (directory / "parts").mkdir(parents=True)
    (directory / name).write_text(text)
    assert jobs(tmp_path) == []
    with pytest.raises(ConfigurationError, match="there is no job"):
        delete_job(directory)
    assert (directory / name).read_text() == text


def test_a_ledger_of_another_program_outlives_a_job_beside_it(tmp_path: Path) -> None:
    """By what is in it, not by its name; with its journal."""
    directory = made(tmp_path, "aaaaaaaa")
    theirs = {"ledger.sqlite": "the accounts of somebody", "ledger.sqlite-journal": "and theirs"}
    for name, text in theirs.items():
        (directory / name).write_text(text)
    delete_job(directory)
    assert {path.name: path.read_text() for path in directory.iterdir()} == theirs


def test_the_journal_of_a_ledger_goes_with_it(tmp_path: Path) -> None:
    """A killed process left it."""
    directory = made(tmp_path, "aaaaaaaa")
    (directory / "ledger.sqlite-journal").write_bytes(b"")
    delete_job(directory)
    assert not directory.exists()


@pytest.mark.parametrize("kept", ["manifest.json", "ledger.sqlite", "parts"])
def test_one_thing_of_a_job_is_enough_to_remove_it(tmp_path: Path, kept: str) -> None:
    """Removing may have been broken off anywhere."""
    directory = made(tmp_path, "aaaaaaaa")
    for path in directory.rglob("*"):
        if path.is_file() and kept not in (path.name, path.parent.name):
            path.unlink()
    assert [found.job_id for found in jobs(tmp_path)] == ["aaaaaaaa"]
    delete_job(directory)
    assert not directory.exists()
