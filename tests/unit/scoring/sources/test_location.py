import builtins
import errno
import io
import os
import pickle
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest

from kserve_client import InputError
from kserve_client.scoring.sources import (
    NotReadError,
    ReadOptions,
    fingerprint,
    is_rewindable,
    label,
    opened,
    preview,
)
from kserve_client.scoring.sources.location import told
from tests.unit.fault_server import Wire, fault_server

MEMORY = ReadOptions(schemes=frozenset({"memory"}))
SECRET_URL = "s3://key:secret@store/bucket/x.csv?token=hidden#part"


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/tables", recursive=True)


def refused(location: Any, options: ReadOptions = MEMORY) -> str:
    with pytest.raises(InputError) as caught, opened(location, options):
        pass
    return str(caught.value)


def test_path_stream_and_url_are_read_alike(memory: Any, tmp_path: Path) -> None:
    """The same table from a path, a path as text, a stream and a URL."""
    data = b"a,b\n1,2\n"
    (tmp_path / "x.csv").write_bytes(data)
    memory.pipe("/tables/x.csv", data)
    for location in (
        tmp_path / "x.csv",
        str(tmp_path / "x.csv"),
        io.BytesIO(data),
        "memory://tables/x.csv",
    ):
        assert preview(location, MEMORY).first_rows == (("1", "2"),)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["a"], "not a list"),
        (None, "not a NoneType"),
        (io.StringIO("a\n1\n"), "not a StringIO"),
        (pd.DataFrame({"a": [1]}), "not a DataFrame; save the DataFrame first, with to_parquet"),
    ],
)
def test_what_is_no_location_is_told(given: Any, told: str) -> None:
    """Before anything is asked of it, and whoever asks first."""
    words = f"a table is a path, a binary stream or a URL, {told}"
    assert refused(given) == words
    with pytest.raises(InputError, match=words):
        is_rewindable(given)


def test_stream_that_was_read_before_is_read_from_its_start() -> None:
    """An upload that somebody looked at first still has all its rows, and stays open."""
    stream = io.BytesIO(b"a\n1\n2\n")
    stream.read()
    assert preview(stream).first_rows == (("1",), ("2",))
    assert not stream.closed


def test_pipe_is_read_once() -> None:
    """Standard input is read as it comes, and has no fingerprint."""
    read, write = os.pipe()
    os.write(write, b"a\n1\n2\n")
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        assert not is_rewindable(stream)
        with pytest.raises(InputError, match="can be read once only"):
            fingerprint(stream)
        assert preview(stream).first_rows == (("1",), ("2",))


def test_what_can_be_read_twice_is_known(tmp_path: Path) -> None:
    """Regular files, URLs and streams that seek can be read twice, pipes can't."""
    os.mkfifo(tmp_path / "pipe")
    assert is_rewindable(tmp_path / "not-yet.csv")
    assert is_rewindable("memory://x.csv")
    assert is_rewindable(io.BytesIO())
    assert not is_rewindable(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("url", "schemes", "message"),
    [
        ("https://host/x.csv", (), "https:// is not allowed here: only paths of files are"),
        (
            "file:///etc/passwd",
            ("s3", "memory"),
            "file:// is not allowed here: paths and memory://, s3:// are",
        ),
        ("HTTPS://host/x.csv", ("s3",), "https:// is not allowed here: paths and s3:// are"),
        ("memory://a::file:///etc/passwd", ("memory",), "is no URL of one file"),
        ("simplecache::memory://a", ("memory",), "is no URL of one file"),
        ("://x", ("memory",), "is no URL of one file"),
        ("memory://no/such.csv", ("memory",), "memory://no/such.csv: there is no such file"),
        ("nonsense://a/b", ("nonsense",), "nonsense://a/b can't be read: ValueError"),
    ],
)
def test_url_that_is_not_allowed_or_not_there_is_refused(
    url: str, schemes: tuple[str, ...], message: str
) -> None:
    """Only URLs of one file, of a kind that is allowed, are opened."""
    assert message in refused(url, ReadOptions(schemes=frozenset(schemes)))


def test_file_that_is_not_there_is_the_system_error(tmp_path: Path) -> None:
    """A path that can't be opened raises what opening raises."""
    with pytest.raises(FileNotFoundError), opened(tmp_path / "no.csv"):
        pass


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fsspec the error says what to install."""
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("fsspec"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert refused("memory://x.csv") == (
        "reading memory:// needs fsspec and its part for memory; for s3: pip install s3fs"
    )


def test_no_message_holds_a_secret(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither users, passwords, queries nor what a file system says come into a message."""
    assert label(SECRET_URL) == "s3://store/bucket/x.csv"

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError("denied for key:secret?token=hidden")

    memory.pipe("/tables/x.csv", b"a\n1\n")
    options = ReadOptions(
        schemes=frozenset({"memory"}), storage_options={"key": "secret", "token": "hidden"}
    )
    url = "memory://tables/x.csv?token=hidden"
    monkeypatch.setattr(type(memory), "_open", fail)
    monkeypatch.setattr(type(memory), "info", fail)
    messages = [refused(url, options), refused(SECRET_URL, ReadOptions()), repr(options)]
    with pytest.raises(InputError) as caught:
        fingerprint(url, options)
    messages.append(str(caught.value))
    assert messages[0] == "memory://tables/x.csv can't be read: OSError"
    assert not [text for text in messages if "secret" in text or "hidden" in text]


class CountingStream(io.BytesIO):
    """Counts the bytes that are read of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Bytes, counted."""
        data = super().read(size)
        self.taken += len(data)
        return data


@pytest.mark.parametrize("line", [b"1,2\n", b'{"a": 1}\n'])
def test_preview_reads_only_the_start(line: bytes) -> None:
    """The first rows of a large file cost a few megabytes of reading."""
    stream = CountingStream(b"a,b\n" * (line == b"1,2\n") + line * 5_000_000)
    assert len(preview(stream, first_rows=3).first_rows) == 3
    assert stream.taken < 4_000_000


class ConnectTimeoutError(Exception):
    """As botocore names one."""


def test_what_may_pass_is_told_from_what_does_not(memory: Any) -> None:
    """A refused connection has its kind, also after a journey to another process; a lost file not."""
    with pytest.raises(NotReadError) as caught, told("memory://tables/x.csv"):
        raise ConnectTimeoutError("with the key hunter2")
    found = pickle.loads(pickle.dumps(caught.value))
    assert (str(found), found.kind, found.errno) == (
        (
            "memory://tables/x.csv can't be read: the storage does not answer (ConnectTimeoutError); "
            "check that it runs and the address it is asked at (for s3: AWS_ENDPOINT_URL), then try "
            "again"
        ),
        "ConnectTimeoutError",
        None,
    )
    with pytest.raises(NotReadError) as caught, told("memory://tables/x.csv"):
        raise OSError(errno.EBUSY, "slow down")
    assert caught.value.errno == errno.EBUSY
    memory.pipe("/tables/y.csv", b"")
    assert refused("memory://tables/x.csv") == "memory://tables/x.csv: there is no such file"


def test_a_web_server_that_refuses_the_connection_may_be_there_later() -> None:
    """Nobody said that the file is not there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotReadError, match=r"does not answer \(ClientConnectorError\)"):
        preview(f"http://127.0.0.1:{port}/x.csv", ReadOptions(schemes=frozenset({"http"})))


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, ": there is no such file"),
        (403, ": reading it is not permitted"),
        (503, " can't be read, status 503: ClientResponseError"),
    ],
)
def test_the_status_of_a_web_server_is_told(status: int, message: str) -> None:
    """Each is another fault, and only one of them is a name that is wrong."""

    def refuses(wire: Wire) -> None:
        while True:
            wire.answer(status)

    with fault_server(refuses) as server:
        url = f"{server.url}/x.csv"
        assert refused(url, ReadOptions(schemes=frozenset({"http"}))) == f"{url}{message}"
