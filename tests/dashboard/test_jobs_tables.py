"""Where the tables of batch jobs come from: uploads on the disk, and what the settings offer."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboard.jobs import Jobs, NamedSource, Spooled, StorageTroubleError
from kserve_client.errors import InputError
from kserve_client.model import Model
from tests.dashboard.batch_jobs import (
    ME,
    OTHER,
    SMALL,
    doubled,
    expected,
    jobs_in,
    result,
    table,
    until_state,
    upload,
)

SERVED = {"double": doubled}
DAY_S = 24 * 3600


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    found = jobs_in(tmp_path / "data", largest_upload_mb=1)
    yield found
    found.close()


class Pieces(io.BytesIO):
    """A stream that notes how much was read at a time."""

    most = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read on."""
        found = super().read(size)
        self.most = max(self.most, len(found))
        return found


def assert_nothing_stays(folder: Path) -> None:
    for name in ("jobs", "cards", "uploads"):
        assert list((folder / name).iterdir()) == []


# Uploads.


def test_an_upload_lies_on_the_disk_under_no_name_of_its_owner(jobs: Jobs, tmp_path: Path) -> None:
    """Its bytes are there, readable for us alone; what is kept of the name is how to read it."""
    spooled = upload(jobs, b"a\n1\n", "Patients of Dr. Jones.CSV.GZ")
    assert (spooled.name, spooled.size_bytes) == ("Patients of Dr. Jones.CSV.GZ", 4)
    assert spooled.path.read_bytes() == b"a\n1\n"
    assert spooled.path == tmp_path / "data" / "jobs" / spooled.id / "table.csv.gz"
    assert jobs.spooled(spooled.id, ME) == spooled
    assert not [path for path in tmp_path.rglob("*") if "Jones" in path.name]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in files}
    assert modes == {"table.csv.gz": "0o600", f"{spooled.id}.json": "0o600"}


@pytest.mark.parametrize("name", ["../../x.csv", "/etc/x.csv", "x.exe", "", ".csv", "a\0.csv"])
def test_no_name_leads_out_of_the_folder(jobs: Jobs, tmp_path: Path, name: str) -> None:
    """Whatever a file is called, it lies in its own folder."""
    spooled = upload(jobs, b"a\n", name)
    assert spooled.path.parent == tmp_path / "data" / "jobs" / spooled.id
    assert spooled.path.name in ("table", "table.csv")


def test_a_large_upload_travels_in_pieces(jobs: Jobs) -> None:
    """No more than a megabyte of it is in memory."""
    stream = Pieces(b"x" * 900_000)
    assert jobs.spool(stream, "x.csv", ME).size_bytes == 900_000
    stream = Pieces(b"x" * 1_048_576)
    jobs.spool(stream, "x.csv", ME)
    assert stream.most <= 1_048_576


def test_an_upload_beyond_the_setting_is_refused(jobs: Jobs, tmp_path: Path) -> None:
    """One byte too many: the refusal says the limit and what to do, and nothing stays."""
    with pytest.raises(
        InputError, match=r"x\.csv is larger than the 1 MB that the dashboard takes"
    ):
        upload(jobs, b"x" * 1_048_577, "x.csv")
    assert_nothing_stays(tmp_path / "data")


def test_an_upload_that_breaks_off_leaves_nothing(jobs: Jobs, tmp_path: Path) -> None:
    """When its stream fails, what was copied is removed."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(StorageTroubleError, match=r"not be kept in .*: Connection reset by peer"):
        jobs.spool(Broken(), "x.csv", ME)
    assert_nothing_stays(tmp_path / "data")


def test_an_upload_belongs_to_its_owner(jobs: Jobs, model: Model) -> None:
    """Others neither see it nor begin a job with it, though they know its id."""
    spooled = upload(jobs, table(3))
    stolen = Spooled(spooled.id, spooled.path, spooled.name, spooled.size_bytes, OTHER)
    assert jobs.spooled(spooled.id, OTHER) is None
    assert jobs.spooled("../uploads", ME) is None
    with pytest.raises(InputError, match="the upload is not there any more"):
        jobs.start(model, "double", stolen, SMALL, OTHER)
    jobs.discard(stolen)
    assert jobs.spooled(spooled.id, ME) == spooled
    jobs.discard(spooled)
    jobs.discard(spooled)
    assert jobs.spooled(spooled.id, ME) is None


def test_an_upload_that_nobody_used_goes_after_a_day(jobs: Jobs, tmp_path: Path) -> None:
    """The next upload sweeps it away; a younger one stays."""
    old, young = upload(jobs, b"a\n"), upload(jobs, b"a\n")
    for spooled, days in ((old, 1.01), (young, 0.99)):
        then = time.time() - days * DAY_S
        os.utime(tmp_path / "data" / "uploads" / f"{spooled.id}.json", (then, then))
    upload(jobs, b"a\n")
    assert jobs.spooled(old.id, ME) is None
    assert not old.path.exists()
    assert jobs.spooled(young.id, ME) == young


# What the settings offer.


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.csv").write_bytes(table(30, first=20))
    (folder / "deep" / "b.parquet").write_bytes(b"1234")
    (folder / "notes.docx").write_bytes(b"")
    (folder / ".hidden.csv").write_bytes(b"a\n")
    os.utime(folder / "a.csv", (1_700_000_000, 1_700_000_000))
    return folder


def test_tables_of_the_folders_are_offered(tmp_path: Path, incoming: Path) -> None:
    """Each file that is named like a table, with its size and time; folders of one name differ."""
    twin = tmp_path / "more" / "incoming"
    twin.mkdir(parents=True)
    (twin / "a.csv").write_bytes(b"a\n1\n")
    jobs = jobs_in(tmp_path / "data", sources=f"{incoming}, {twin}")
    moment = datetime.fromtimestamp(1_700_000_000, UTC)
    assert jobs.sources()[0] == NamedSource(
        "incoming/a.csv", incoming / "a.csv", len(table(30, first=20)), moment
    )
    assert [source.name for source in jobs.sources()] == [
        "incoming/a.csv",
        "incoming/deep/b.parquet",
        "incoming_2/a.csv",
    ]
    assert jobs.source("incoming_2/a.csv").location == twin / "a.csv"
    assert jobs.source_problems() == []
    jobs.close()


@pytest.mark.parametrize(
    "name",
    [
        "incoming/../secret.csv",
        "incoming/deep/../a.csv",
        "../incoming/a.csv",
        "/etc/passwd",
        "incoming/link.csv",
        "incoming/folder/secret.csv",
        "incoming/.hidden.csv",
        "incoming/a.csv\0",
        "s3://bucket/a.csv",
        "",
    ],
)
def test_nothing_else_can_be_named(tmp_path: Path, incoming: Path, name: str) -> None:
    """Paths, links that lead out, URLs: what is not in the list is refused."""
    (tmp_path / "secret.csv").write_bytes(b"a\n1\n")
    (incoming / "link.csv").symlink_to(tmp_path / "secret.csv")
    (incoming / "folder").symlink_to(tmp_path)
    jobs = jobs_in(tmp_path / "data", sources=str(incoming))
    with pytest.raises(InputError, match="the dashboard offers no such table"):
        jobs.source(name)
    jobs.close()


def test_a_job_takes_only_the_place_that_the_name_stands_for(
    tmp_path: Path, incoming: Path, model: Model
) -> None:
    """An offered table is scored where it lies; a forged location is never read."""
    (tmp_path / "secret.csv").write_bytes(table(5))
    jobs = jobs_in(tmp_path / "data", sources=str(incoming))
    forged = NamedSource("incoming/a.csv", tmp_path / "secret.csv", None, None)
    job_id = jobs.start(model, "double", forged, SMALL, ME)
    until_state(jobs, job_id, "finished")
    assert result(jobs, job_id) == expected(30, first=20)
    with pytest.raises(InputError, match="the dashboard offers no such table"):
        jobs.start(model, "double", NamedSource("x.csv", incoming, None, None), SMALL, ME)
    jobs.close()


def test_a_table_that_changed_is_not_resumed(tmp_path: Path, incoming: Path, model: Model) -> None:
    """A file that was written anew meanwhile is another one; its failed rows can be retried."""
    (incoming / "a.csv").write_bytes(table(30))
    jobs = jobs_in(tmp_path / "data", sources=str(incoming), largest_rows=29)
    job_id = jobs.start(model, "double", jobs.source("incoming/a.csv"), SMALL, ME)
    assert "30 rows" in until_state(jobs, job_id, "stopped").reason
    jobs.close()
    jobs = jobs_in(tmp_path / "data", sources=str(incoming))
    jobs.recover(lambda _: model)
    (incoming / "a.csv").write_bytes(table(31))
    jobs.resume(job_id, ME)
    view = until_state(jobs, job_id, "stopped")
    assert "the input has changed" in view.reason
    jobs.close()


def test_what_can_not_be_listed_is_told(tmp_path: Path, incoming: Path) -> None:
    """A folder that is missing hides no other one, and is named in words."""
    jobs = jobs_in(tmp_path / "data", sources=f"{tmp_path}/none,{incoming}")
    assert len(jobs.sources()) == 2
    assert jobs.source_problems() == [f"{tmp_path}/none can't be read: No such file or directory"]
    jobs.close()


def test_objects_below_a_prefix_are_offered_and_scored(tmp_path: Path, model: Model) -> None:
    """A store behind a URL is listed by fsspec; only its kind of URL may be opened."""
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/incoming/deep/a.csv", table(30, first=20))
    store.pipe("/bucket/incoming/readme.md", b"")
    store.pipe("/bucket/other/a.csv", b"a\n")
    jobs = jobs_in(tmp_path / "data", sources="memory://bucket/incoming/")
    assert jobs.reading().schemes == {"memory"}
    (source,) = jobs.sources()
    assert (source.name, source.location) == (
        "incoming/deep/a.csv",
        "memory://bucket/incoming/deep/a.csv",
    )
    assert source.size_bytes == len(table(30, first=20))
    job_id = jobs.start(model, "double", source, SMALL, ME)
    until_state(jobs, job_id, "finished")
    assert result(jobs, job_id) == expected(30, first=20)
    jobs.close()
    store.rm("/bucket", recursive=True)
