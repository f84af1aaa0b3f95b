import io
import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import IO, Any

import pytest

from kserve_client import ConfigurationError, InputError
from kserve_client.scoring.rows import Scored
from kserve_client.scoring.sinks import WriteOptions, are_different, opened
from kserve_client.scoring.sinks.target import Target
from tests.unit.scoring.sinks.tables import CSV, scored

ROW = scored({"a": ["1"]}, {"prediction": ["é"]})
BYTES = "a,prediction,state,error\n1,é,ok,\n".encode()
ROOT = Path(__file__).resolve().parents[4]
FORMATS = ["csv", "json-lines", "parquet", "arrow"]


class StoppedError(Exception):
    """Something goes wrong in the middle."""


def write(location: Target, row: Scored = ROW, **options: Any) -> None:
    with opened(location, WriteOptions(**options), CSV, ["a"]) as sink:
        sink.write(row)


def stop(location: Target, **options: Any) -> None:
    """Write a row, and stop with an error."""

    def run() -> None:
        with opened(location, WriteOptions(**options), CSV, ["a"]) as sink:
            sink.write(ROW)
            raise StoppedError

    with pytest.raises(StoppedError):
        run()


# Paths


@pytest.mark.parametrize("kind", [str, Path])
def test_path_may_be_text(kind: type[str | Path], tmp_path: Path) -> None:
    """A path is a path, as text or as an object."""
    write(kind(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_bytes() == BYTES


def test_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    """While rows are written the old file stays; then the new one takes its place."""
    path = tmp_path / "out.csv"
    path.write_text("before")
    with opened(path, WriteOptions(), CSV, ["a"]) as sink:
        sink.write(ROW)
        assert path.read_text() == "before"
    assert path.read_bytes() == BYTES
    assert [one.name for one in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl.gz", "out.parquet", "out.arrow"])
def test_nothing_is_left_of_a_run_that_stops(name: str, tmp_path: Path) -> None:
    """An error leaves neither the file nor a part of it, whatever the format."""
    stop(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_file_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    """A new file has the rights that any new file has, an old one keeps its own."""
    before = os.umask(0o027)
    try:
        write(tmp_path / "new.csv")
        (tmp_path / "old.csv").touch(0o600)
        write(tmp_path / "old.csv")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"new.csv": 0o640, "old.csv": 0o600}


def test_link_stays_a_link(tmp_path: Path) -> None:
    """What a link points to is replaced, not the link."""
    (tmp_path / "link.csv").symlink_to(tmp_path / "out.csv")
    write(tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "out.csv").read_bytes() == BYTES


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A missing folder is told before any row is taken."""
    with pytest.raises(FileNotFoundError, match=r"there is no such folder.*missing"):
        write(tmp_path / "missing" / "out.csv")


def test_folder_is_no_file(tmp_path: Path) -> None:
    """A folder can't be written to."""
    with pytest.raises(IsADirectoryError, match="this is a folder, not a file"):
        write(tmp_path)


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 100 KB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("format_", FORMATS)
def test_full_disk_is_told_and_leaves_nothing(format_: Any, tmp_path: Path) -> None:
    """When no more fits onto the disk, the error passes and the part is removed."""
    many = {"a": [os.urandom(50).hex() for _ in range(70_000)]}
    rows = scored(many, {"prediction": range(70_000)})
    with pytest.raises(OSError, match="File too large"):
        write(tmp_path / "out", rows, format=format_)
    assert not list(tmp_path.iterdir())


def test_device_is_written_to_and_stays() -> None:
    """A device is no file to replace; a full one says so."""
    write("/dev/null", format="parquet")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(OSError, match="No space left"):
        write("/dev/full")


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_pipe_is_written_to(format_: Any, tmp_path: Path) -> None:
    """A named pipe takes the bytes as they come, those of Parquet as well."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe, format=format_)
    reader.join(30)
    plain = io.BytesIO()
    write(plain, format=format_)
    assert read == [plain.getvalue()]


# Streams


def test_binary_stream_stays_open() -> None:
    """A stream is flushed, and belongs to who gave it."""
    stream = io.BytesIO()
    write(stream)
    assert stream.getvalue() == BYTES


def test_text_stream_takes_text() -> None:
    """A text stream without bytes below it takes CSV, cut characters and all."""
    stream = io.StringIO(newline="")
    write(stream)
    assert stream.getvalue() == BYTES.decode()


@pytest.mark.parametrize("options", [{"format": "parquet"}, {"compression": "gzip"}])
def test_text_stream_takes_no_bytes(options: dict[str, Any]) -> None:
    """What is no text can't be written to a text stream."""
    with pytest.raises(ConfigurationError, match="no text"):
        write(io.StringIO(), **options)


def test_text_stream_over_bytes_gives_them_away() -> None:
    """The bytes below a text stream are written to, behind what it still held."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1", newline="\r\n")
    stream.write("before ")
    write(stream)
    assert raw.getvalue() == b"before " + BYTES


def test_standard_output_takes_the_table() -> None:
    """The standard output is a text stream over bytes; a pipe can't tell where it is."""
    program = (
        "import sys\n"
        "from tests.unit.scoring.sinks.test_target import write\n"
        "write(sys.stdout, format='parquet')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT
    )
    plain = io.BytesIO()
    write(plain, format="parquet")
    assert done.stdout == plain.getvalue()


def test_closed_pipe_is_told() -> None:
    """When nobody reads a pipe any more, the error passes."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    stream: IO[bytes]
    with os.fdopen(write_end, "wb", buffering=0) as stream, pytest.raises(BrokenPipeError):
        write(stream)


# URLs


@pytest.fixture
def memory() -> Iterator[Any]:
    """The file system of memory:// URLs, empty before and after."""
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_url_takes_the_table(memory: Any) -> None:
    """A URL of an allowed kind is written to."""
    write("memory://folder/out.csv", schemes=frozenset({"memory"}))
    assert memory.cat("/folder/out.csv") == BYTES


def test_url_of_a_run_that_stops_has_nothing(memory: Any) -> None:
    """An error leaves no object behind."""
    stop("memory://out.csv", schemes=frozenset({"memory"}))
    assert memory.find("/") == []


def test_buffered_object_is_put_at_the_end_only(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are put when they are closed, as on S3, are discarded instead after an error."""
    put, discarded = buffered_objects(memory, monkeypatch)
    write("memory://out.csv", schemes=frozenset({"memory"}))
    assert (put, discarded) == ([BYTES], [])
    stop("memory://out.csv", schemes=frozenset({"memory"}))
    assert (put, discarded) == ([BYTES], ["/out.csv"])


def buffered_objects(memory: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[list[bytes], list[str]]:
    """Let the file system open files of fsspec's buffered kind; what they put, and what they drop."""
    from fsspec.spec import AbstractBufferedFile  # type: ignore[import-untyped, unused-ignore]

    put: list[bytes] = []
    discarded: list[str] = []

    class Buffered(AbstractBufferedFile):  # type: ignore[misc, unused-ignore]
        def _upload_chunk(self, *, final: bool = False) -> bool:
            put.append(self.buffer.getvalue())
            return True

        def discard(self) -> None:
            discarded.append(self.path)

    monkeypatch.setattr(
        type(memory), "_open", lambda self, path, mode="rb", **_: Buffered(self, path, mode)
    )
    return put, discarded


def test_url_of_this_machine_is_written_as_its_path_is(tmp_path: Path) -> None:
    """What was there stays until the new file is whole."""
    path = tmp_path / "out.csv"
    path.write_text("before")
    stop(f"file://{path}", schemes=frozenset({"file"}))
    assert path.read_text() == "before"
    write(f"file://{path}", schemes=frozenset({"file"}))
    assert path.read_bytes() == BYTES


def test_names_of_one_file_are_known(tmp_path: Path) -> None:
    """A file has many names: links of both kinds, ways through other folders, URLs. /dev/null takes all."""
    path, link, hard = (tmp_path / name for name in ("a.csv", "link.csv", "hard.csv"))
    path.touch()
    link.symlink_to(path)
    hard.hardlink_to(path)
    names: list[Path | str] = [path, link, hard]
    names += [f"{tmp_path}/x/../a.csv", f"file://{path}", f"local://{link}"]
    for one, other in combinations(names, 2):
        assert not are_different(one, other), (one, other)
    assert not are_different(tmp_path / "new.csv", f"file://{tmp_path}/new.csv")
    assert not are_different("s3://a/b", "s3://a/b")
    assert are_different(os.devnull, Path(os.devnull))


def test_different_files_and_streams_are_known(tmp_path: Path) -> None:
    """Files with the same contents are two, and streams and what is not asked for don't count."""
    stream = io.BytesIO()
    places = (tmp_path / "a", f"{tmp_path}/b", "s3://x/a", "file:///no/c", stream, stream, None)
    assert are_different(*places, None)


def test_url_must_be_allowed() -> None:
    """URLs are refused unless their kind is allowed, before anything is opened."""
    with pytest.raises(InputError, match="s3:// is not allowed here"):
        write("s3://bucket/out.csv", schemes=frozenset({"memory"}))


def test_secrets_of_a_url_stay_secret(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file system says of a failure may hold keys; it is not told."""

    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError("key hush is not known")

    monkeypatch.setattr(type(memory), "_open", fail)
    with pytest.raises(InputError, match=r"out.csv can't be written: PermissionError") as caught:
        write("memory://me:hush@host/out.csv?key=hush", schemes=frozenset({"memory"}))
    assert "hush" not in str(caught.value)
