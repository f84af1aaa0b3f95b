"""How long a storage may keep somebody waiting, and what is said then; real ones: tests/live/test_jobs_s3.py."""

from __future__ import annotations

import errno
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from kserve_client.scoring import ReadOptions, file_systems
from kserve_client.scoring.file_systems import is_away, words_of
from kserve_client.scoring.job.store import StorageError, UrlStore
from kserve_client.scoring.sinks.target import NotWrittenError, opened_target
from kserve_client.scoring.sources import NotReadError
from kserve_client.scoring.sources.location import opened_file

S3 = frozenset({"s3"})
WITHOUT = """
import sys
sys.modules["aiobotocore"] = None
from kserve_client.scoring import file_systems
print(sorted(file_systems._impatient({"key": "k"})))
"""


def test_nobody_waits_for_longer_than_half_a_minute() -> None:
    """For a storage that says nothing, and for one that takes nothing, which aiohttp asks twice."""
    silent_s = file_systems.ATTEMPTS * file_systems.SILENT_S
    untaken_s = file_systems.ATTEMPTS * 2 * file_systems.UNTAKEN_S
    assert max(silent_s, untaken_s) <= 25


def test_it_can_be_imported_without_the_extra() -> None:
    """The image holds all our modules compiled, whatever extras it has."""
    said = subprocess.check_output([sys.executable, "-c", WITHOUT], text=True)
    assert said == "['config_kwargs', 'key']\n"


def test_what_a_caller_says_counts_more() -> None:
    """Who sets a time-out of the storage has it; the others stay ours."""
    pytest.importorskip("s3fs")
    given = {"key": "k", "secret": "s", "config_kwargs": {"read_timeout": 90}}
    system, path = file_systems.open_file_system("s3://bucket/a.csv", given)
    assert path == "bucket/a.csv"
    assert system.config_kwargs["read_timeout"] == 90
    assert system.config_kwargs["connect_timeout"] == 3
    assert (system.key, system.retries) == ("k", 2)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has it")
def test_a_connection_that_takes_nothing_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody listens and never reads: what can't be sent raises, instead of waiting."""
    monkeypatch.setattr(file_systems, "UNTAKEN_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        made = file_systems.impatient_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", address))
        with closing(made):
            made.connect(address)
            with pytest.raises(TimeoutError, match="Connection timed out"):
                made.sendall(b"x" * 50_000_000)


# Storages that hang


class Hanging(BaseHTTPRequestHandler):
    """Tells the size of an object where `has_head`, gives its beginning, and then nothing more."""

    protocol_version = "HTTP/1.1"
    has_head = False
    asked: ClassVar[list[str]] = []
    over = threading.Event()

    def do_HEAD(self) -> None:
        """Say how large it is."""
        self.asked.append(self.command)
        if self.has_head:
            self._begin()
        else:
            self._hang()

    def do_GET(self) -> None:
        """Give the beginning."""
        self.asked.append(self.command)
        self._begin()
        self.wfile.write(b"a\n1\n")
        self._hang()

    def do_PUT(self) -> None:
        """Take nothing."""
        self.asked.append(self.command)
        self._hang()

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "3000000")
        self.send_header("ETag", '"a"')
        self.send_header("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT")
        self.end_headers()

    def _hang(self) -> None:
        self.over.wait()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hanging(monkeypatch: pytest.MonkeyPatch, *, has_head: bool) -> Iterator[list[str]]:
    """Run one where s3fs looks for it; gives the methods it was asked by."""
    s3fs = pytest.importorskip("s3fs")
    asked: list[str] = []
    over = threading.Event()
    kind = type("Kind", (Hanging,), {"has_head": has_head, "asked": asked, "over": over})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        # The size of an object has to come within it.
        monkeypatch.setattr(file_systems, "SILENT_S", 2 if has_head else 0.5)
        monkeypatch.setattr(file_systems, "UNTAKEN_S", 1)
        s3fs.S3FileSystem.clear_instance_cache()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield asked
        finally:
            over.set()
            server.shutdown()
            s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(
    ("has_head", "asked"), [(False, ["HEAD"] * 2), (True, ["HEAD", "GET", "GET"])]
)
def test_a_table_that_does_not_come_is_given_up(
    has_head: bool, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither who says nothing nor who stops in the middle is asked more than twice."""
    with (
        hanging(monkeypatch, has_head=has_head) as requests,
        pytest.raises(NotReadError, match=r"s3://b/a\.csv can't be read: the storage does not"),
        opened_file("s3://b/a.csv", ReadOptions(schemes=S3)) as raw,
    ):
        raw.file.read(100)
    assert requests == asked


def test_a_file_of_a_job_that_stops_in_the_middle_may_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job waits for a storage that is away, and is stopped by any other error."""
    with hanging(monkeypatch, has_head=True), pytest.raises(StorageError) as caught:
        UrlStore("s3://b/job", {}).download("a.csv", tmp_path / "a.csv")
    assert is_away(caught.value)


@pytest.mark.parametrize("size_bytes", [4, 20_000_000], ids=["not answered", "not taken"])
def test_a_result_that_does_not_go_is_given_up(
    size_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage is asked a few times, and not once more to tidy up."""
    with (
        hanging(monkeypatch, has_head=False) as requests,
        pytest.raises(NotWrittenError, match=r"s3://b/a\.csv can't be written: the storage does"),
        opened_target("s3://b/a.csv", is_text=True, schemes=S3) as out,
    ):
        out.write(b"x" * size_bytes)
    assert set(requests) == {"PUT"}
    assert len(requests) <= 4


# What is said of it


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("hunter2"),
        TimeoutError("hunter2"),
        OSError(errno.EBUSY, "hunter2"),
        StorageError("s3://b", "EndpointConnectionError"),
        NotReadError("hunter2", "ReadTimeoutError"),
    ],
)
def test_a_storage_that_is_away_is_told_with_what_to_do(error: Exception) -> None:
    """By its kind and never by its words, which may hold keys."""
    assert is_away(error)
    said = words_of(error)
    assert said.startswith("the storage does not answer (")
    assert said.endswith("(for s3: AWS_ENDPOINT_URL), then try again")
    assert "hunter2" not in said


def test_what_a_worker_raises_arrives() -> None:
    """A storage that is away from a worker of a cluster is so for the coordinator, too."""
    error = pickle.loads(pickle.dumps(StorageError("s3://b", "ReadTimeoutError")))
    assert is_away(error)
    assert str(error).startswith("s3://b: the storage does not answer (ReadTimeoutError)")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError("hunter2"), "PermissionError"),
        (StorageError("s3://b", "NoCredentialsError"), "NoCredentialsError"),
        (NotWrittenError("hunter2", "SSLError"), "SSLError"),
    ],
)
def test_a_storage_that_refuses_is_not_away(error: Exception, words: str) -> None:
    """Its kind is all that is told."""
    assert not is_away(error)
    assert words_of(error) == words
