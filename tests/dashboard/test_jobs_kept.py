"""Where batch jobs are kept, who may read them, and when they go. The settings that say so."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.jobs import card as cards
from dashboard.jobs.card import Card
from dashboard.jobs.folder import Folder, default_root
from dashboard.jobs.keeping import obsolete
from dashboard.settings import Settings
from kserve_client.client import InferenceClient
from kserve_client.errors import ConfigurationError
from kserve_client.model import Model
from kserve_client.scoring import ReadOptions, ScoreOptions, WriteOptions
from kserve_client.scoring.job.store import LocalStore
from tests.dashboard.batch_jobs import (
    ME,
    SIGNATURE,
    doubled,
    jobs_in,
    model_of,
    paused_by,
    result,
    start,
    table,
    until,
    until_done,
    until_state,
)
from tests.servers import ROOT
from tests.v2_server import V2Server

SERVED = {"double": doubled}
NOW = datetime.now(UTC)


def card(name: str, days: float, owner: str = "me", **more: object) -> Card:
    """A job that was made so many days ago, and ended half a day later."""
    made = NOW - timedelta(days=days)
    over = {"state": "finished", "finished": made + timedelta(days=0.5)} | more
    return Card(id=name, owner=owner, model_name="m", input_name="x.csv", created=made, **over)


def test_the_oldest_jobs_of_each_owner_go() -> None:
    """Beyond so many per owner, or older than so many days since the end; one that runs never."""
    found = [
        card("new", 0.6),
        card("second", 1),
        card("third", 2),
        card("theirs", 2, "them"),
        card("old", 10.6, "them"),
        card("ended lately", 10.4, "they"),
        card("stopped", 20, "they", state="stopped"),
        card("running", 20, state="running", finished=None),
        card("paused", 20, state="paused", finished=None),
        card("waiting", 20, state="waiting", finished=None),
    ]
    gone = [one.id for one in obsolete(found, kept=2, kept_days=10)]
    assert gone == ["third", "old", "stopped"]


def test_a_new_job_makes_the_oldest_go(tmp_path: Path, model: Model) -> None:
    """With its upload and its results, from the list and from the disk; a running one stays."""
    jobs = jobs_in(tmp_path, jobs_kept=1)
    first = start(jobs, model, table(3))
    until_state(jobs, first, "finished")
    result(jobs, first)
    second = start(jobs, model, table(3))
    until_state(jobs, second, "finished")
    third = start(jobs, model, table(3))
    until_state(jobs, third, "finished")
    until(lambda: first not in [view.id for view in jobs.mine(ME)])
    assert not (tmp_path / "jobs" / first).exists()
    assert third in [view.id for view in jobs.mine(ME)]
    jobs.close()


def test_what_broke_off_before_it_was_a_job_goes_after_a_day(tmp_path: Path, model: Model) -> None:
    """A folder without a card is removed once it is old."""
    jobs = jobs_in(tmp_path)
    for name, days in (("old-old-old", 1.1), ("young-young", 0.9)):
        folder = tmp_path / "jobs" / name
        folder.mkdir()
        then = time.time() - days * 24 * 3600
        os.utime(folder, (then, then))
    until_state(jobs, start(jobs, model, table(3)), "finished")
    until(lambda: not (tmp_path / "jobs" / "old-old-old").exists())
    assert (tmp_path / "jobs" / "young-young").exists()
    jobs.close()


def test_nobody_takes_a_job_that_is_half_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock goes with all the rest at once, or not at all."""
    root = Folder(tmp_path)
    root.near("A" * 16)
    held = root.hold("A" * 16)
    remove, tried = shutil.rmtree, list[Path]()

    def slowly(path: Path, *, ignore_errors: bool) -> None:
        tried.append(path)
        (path / "job" / "lock").unlink()
        with pytest.raises(FileNotFoundError):
            root.hold("A" * 16)
        remove(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", slowly)
    root.remove("A" * 16)
    held.release()
    assert len(tried) == 1
    assert list((tmp_path / "jobs").iterdir()) == []
    root.remove("A" * 16)


def test_only_the_user_may_look(tmp_path: Path, server: V2Server) -> None:
    """Each folder of a job is closed to others, and what the dashboard writes into it as well."""
    server.models["double"] = paused_by(doubled, 0.02)
    jobs = jobs_in(tmp_path / "data")
    job_id = start(jobs, model_of(server), table(50, first=20))
    until_done(jobs, job_id, 10)
    jobs.cancel(job_id, ME)
    until_state(jobs, job_id, "cancelled")
    made = jobs.download(job_id, ME, WriteOptions())
    folder = tmp_path / "data" / "jobs" / job_id
    data = tmp_path / "data"
    for path in (data, folder.parent, folder, data / "uploads", data / "cards"):
        assert oct(path.stat().st_mode & 0o777) == "0o700"
    for path in (data / "cards" / f"{job_id}.json", folder / "table.csv", made):
        assert oct(path.stat().st_mode & 0o777) == "0o600"
    jobs.close()


def test_no_secret_is_kept(tmp_path: Path, server: V2Server) -> None:
    """No file of a job has the token of its endpoint or the keys of a storage."""
    jobs = jobs_in(tmp_path)
    client = InferenceClient(server.url, token="sesame")
    options = ScoreOptions(
        chunk_rows=10, concurrency=1, reading=ReadOptions(storage_options={"key": "sesame"})
    )
    model = Model(client, "double", signature=SIGNATURE)
    job_id = start(jobs, model, table(3), options)
    until_state(jobs, job_id, "finished")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path.name for path in files if b"sesame" in path.read_bytes()] == []
    jobs.close()


def test_the_card_says_what_is_needed_to_go_on(tmp_path: Path, model: Model) -> None:
    """The model by its name in the catalog, the table, the owner, the options."""
    jobs = jobs_in(tmp_path)
    job_id = start(jobs, model, table(3))
    until_state(jobs, job_id, "finished")
    found = cards.read(LocalStore(tmp_path / "cards"), job_id)
    assert (found.model_name, found.file, found.source, found.owner) == (
        "double",
        "table.csv",
        "",
        ME,
    )
    assert (found.options.chunk_rows, found.options.concurrency) == (10, 1)
    jobs.close()


def test_a_folder_that_can_not_be_written_is_one_clear_sentence(tmp_path: Path) -> None:
    """It says which folder, why, and which setting names another."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        jobs_in(tmp_path / "file" / "data")
    assert str(caught.value) == (
        f"the folder for batch jobs can't be written: {tmp_path}/file/data (Not a directory). "
        "Name another one in KSERVE_CLIENT_JOBS_FOLDER"
    )


def test_the_folder_is_the_users_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """XDG_DATA_HOME is heeded; else it is what the platform has."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_root() == tmp_path / "kserve-client"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert default_root() == tmp_path / ".local" / "share" / "kserve-client"
    monkeypatch.setattr("sys.platform", "darwin")
    assert default_root() == tmp_path / "Library" / "Application Support" / "kserve-client"


@pytest.mark.parametrize("name", [*Settings.model_fields])
def test_every_setting_is_documented(name: str) -> None:
    """The table of settings in docs/dashboard.md has a line for it."""
    text = (ROOT / "docs" / "dashboard.md").read_text()
    assert f"| `KSERVE_CLIENT_{name.upper()}` |" in text
