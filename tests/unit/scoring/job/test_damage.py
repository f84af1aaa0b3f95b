"""What a crash, a disk or a person leaves of a job."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job import Job, SavedJob
from kserve_client.scoring.job.store import Data, LocalStore
from tests.unit.scoring.job.chunks import FACTS, chunk, finished, lines, ok_line

REPOSITORY = Path(__file__).resolve().parents[4]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A job of two parts, rows 0 to 4 and 4 to 8, all done."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 4))
        job.flush()
        job.record(chunk(4, 8))
        finished(job, 8)
    return tmp_path / "job"


def parts(directory: Path) -> list[Path]:
    return sorted((directory / "parts").iterdir())


def check_mended(directory: Path, *, check_parts: bool = False) -> None:
    """Rows 4 to 8 are to be done again; then the result is whole."""
    with Job.open(directory, check_parts=check_parts) as job:
        assert job.remaining() == [range(4, 8)]
        assert (job.counts.ok, job.counts.total_rows) == (4, 8)
        job.record(chunk(4, 8))
        finished(job, 8)
        assert lines(job) == [ok_line(n) for n in range(8)]
    assert len(parts(directory)) == 2


def test_a_line_without_its_part_is_done_again(directory: Path) -> None:
    """A part that somebody removed."""
    parts(directory)[1].unlink()
    check_mended(directory)


@pytest.mark.parametrize("keep", [0, 1, 100])
def test_a_torn_part_is_done_again(directory: Path, keep: int) -> None:
    """A part that is shorter than what was written."""
    path = parts(directory)[1]
    path.write_bytes(path.read_bytes()[:keep])
    check_mended(directory)


def flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("at", [0, 700, -20])
def test_a_part_with_other_bytes_is_found_out(directory: Path, at: int) -> None:
    """The result is not made of it; opened with check_parts, its rows are done again."""
    flipped(parts(directory)[1], at)
    with (
        SavedJob.open(directory) as saved,
        pytest.raises(ConfigurationError, match=r"damaged \(rows 5 to 8\).* check_parts"),
    ):
        list(saved.results())
    check_mended(directory, check_parts=True)


def test_a_part_without_a_line_is_removed(directory: Path) -> None:
    """What was written before a crash and not noted; other files stay."""
    left = directory / "parts" / "000000000008-000000000010-0123abcd.arrow"
    left.write_bytes(parts(directory)[0].read_bytes())
    note = directory / "parts" / "note.txt"
    note.write_text("mine")
    table = directory / "parts" / "table.arrow"
    table.write_text("mine too")
    with Job.open(directory) as job:
        assert lines(job) == [ok_line(n) for n in range(8)]
    assert not left.exists()
    assert note.exists()
    assert table.exists()


def test_a_reader_says_that_a_part_is_gone(directory: Path) -> None:
    """No row is left out in silence."""
    parts(directory)[0].unlink()
    with SavedJob.open(directory) as saved, pytest.raises(ConfigurationError, match="rows 1 to 4"):
        list(saved.results())


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:6000])


def overwritten(path: Path) -> None:
    path.write_bytes(b"not a database, " * 500)


def scribbled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x55" * (len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [emptied, halved, overwritten, scribbled])
def test_a_damaged_ledger_is_told(directory: Path, damage: Callable[[Path], None]) -> None:
    """It is not taken for an empty one, which would remove all parts."""
    damage(directory / "ledger.sqlite")
    with pytest.raises(ConfigurationError, match=r"the ledger of the job in .* is damaged"):
        Job.open(directory)
    with (
        pytest.raises(ConfigurationError, match=r"the ledger of the job in .* is damaged"),
        SavedJob.open(directory) as saved,
    ):
        list(saved.results())
    assert len(parts(directory)) == 2


def test_a_ledger_that_is_gone_is_told(directory: Path) -> None:
    """Without it nobody knows which parts count."""
    (directory / "ledger.sqlite").unlink()
    for kind in (Job, SavedJob):
        with pytest.raises(ConfigurationError, match="has no ledger"):
            kind.open(directory)


@pytest.mark.parametrize("kind", [Job, SavedJob])
def test_a_ledger_that_sqlite_can_not_open_is_told(
    directory: Path, kind: type[SavedJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words of this package, not as an error of SQLite."""

    def refuse(*_arguments: object, **_options: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(
        ConfigurationError,
        match=r"the ledger of the job in .* is damaged, or may not be read \(unable to open",
    ):
        kind.open(directory)


def test_a_newer_ledger_is_refused(directory: Path) -> None:
    """Its lines may mean something else."""
    with sqlite3.connect(directory / "ledger.sqlite") as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(ConfigurationError, match="newer version"):
        Job.open(directory)


def test_overlapping_lines_are_damage(directory: Path) -> None:
    """The ledger never writes them; a row that is there twice must not be."""
    with sqlite3.connect(directory / "ledger.sqlite") as connection:
        connection.execute("UPDATE parts SET stop = 5, ok = 5 WHERE start = 0")
    connection.close()
    with pytest.raises(ConfigurationError, match="some rows are in it twice"):
        Job.open(directory)


class FullDisk(LocalStore):
    """A disk that takes no more parts after some."""

    def __init__(self, path: Path, room: int) -> None:
        super().__init__(path)
        self.room = room

    def add(self, name: str, data: Data) -> None:
        """Take a part while there is room."""
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device", name)
        self.room -= 1
        super().add(name, data)


def test_a_full_disk_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    """The OSError comes through; with room again, the rows that waited are saved."""
    with Job.create(tmp_path / "job", FACTS) as job:
        disk = FullDisk(tmp_path / "job", room=1)
        job._store = disk
        job.record(chunk(0, 2))
        job.flush()
        job.record(chunk(2, 4))
        with pytest.raises(OSError, match="No space left") as error:
            job.flush()
        assert error.value.errno == errno.ENOSPC
        assert job.counts.ok == 2
        with pytest.raises(OSError, match="No space left"):
            job.record(chunk(4, 6))
        disk.room = 9
        job.flush()
        job.record(chunk(4, 6))
        finished(job, 6)
        assert lines(job) == [ok_line(n) for n in range(6)]


def test_a_job_on_a_full_disk_can_go_on_later(tmp_path: Path) -> None:
    """Closing says what could not be saved; opening again gives it back to be done."""
    job = Job.create(tmp_path / "job", FACTS)
    job._store = FullDisk(tmp_path / "job", room=1)
    job.record(chunk(0, 2))
    job.flush()
    job.record(chunk(2, 4))
    with pytest.raises(OSError, match="No space left"):
        job.close()
    with Job.open(tmp_path / "job") as again:
        assert again.remaining()[0].start == 2
        again.record(chunk(2, 4))
        finished(again, 4)
        assert lines(again) == [ok_line(n) for n in range(4)]


TOO_LARGE = """
import resource, sys
from pathlib import Path
from kserve_client.scoring.job import Job
from tests.unit.scoring.job.chunks import FACTS, chunk
job = Job.create(Path(sys.argv[1]), FACTS)
job.record(chunk(0, 10)); job.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))
job.record(chunk(10, 10_000))
try:
    job.flush()
except OSError as error:
    print(type(error).__name__, job.counts.ok, len(list(Path(sys.argv[1], "parts").iterdir())))
"""


def run(program: str, *arguments: str, before: tuple[str, ...] = ()) -> str:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [*before, sys.executable, "-c", program, *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_that_can_grow_no_more(tmp_path: Path) -> None:
    """A real limit of the system: half a part is removed, what was saved stays."""
    assert run(TOO_LARGE, str(tmp_path / "job")) == "OSError 10 1\n"
    with SavedJob.open(tmp_path / "job") as saved:
        assert saved.counts.ok == 10


READ_ONLY = """
import sys
from pathlib import Path
from kserve_client.scoring.job import Job, SavedJob, delete_job
from tests.unit.scoring.job.chunks import FACTS, chunk, lines
with SavedJob.open(Path(sys.argv[1])) as saved:
    print(len(lines(saved)), saved.state, saved.is_running())
for act in (Job.open, delete_job):
    try:
        act(Path(sys.argv[1]))
    except OSError as error:
        print(type(error).__name__)
"""


def test_a_read_only_directory_can_be_read(directory: Path) -> None:
    """Reading leaves no trace; work on it is refused by the system, in its words."""
    for path in (*directory.rglob("*"), directory):
        path.chmod(0o555 if path.is_dir() else 0o444)
    # Root may write everywhere, unless it gives that up.
    plain = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
    try:
        told = run(READ_ONLY, str(directory), before=plain).split("\n")
    finally:
        for path in (directory, *directory.rglob("*")):
            path.chmod(0o755)
    assert told == ["8 finished False", "PermissionError", "PermissionError", ""]
