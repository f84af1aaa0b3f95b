"""Replicas of the dashboard that share a bucket of a real S3 store, and no disk."""

from __future__ import annotations

import io
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from dashboard.jobs import Jobs, StorageTroubleError
from dashboard.jobs.bucket import Bucket
from kserve_client.model import Model
from kserve_client.scoring import ScoreOptions, file_systems
from kserve_client.scoring.job.store import UrlStore
from scripts.pipeline.seaweedfs import ADMIN, SeaweedFS
from scripts.processes import LOOPBACK, Child, free_ports
from tests.dashboard.batch_jobs import (
    ME,
    MODELS,
    doubled,
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
from tests.object_store import object_store, variables_of
from tests.servers import ROOT, start_dashboard, wait_for
from tests.v2_server import V2Server, v2_server

BUCKET = "jobs"
ROWS = 900
OPTIONS = ScoreOptions(chunk_rows=5, concurrency=2)
TAKEN_OVER_S = 10.0
# What app.py and its pages do with jobs, and nothing else.
APP = """
import streamlit as st
from dashboard import gateway
gateway.jobs().mine("me@example.org")
st.text("the jobs are here")
"""
# A replica without pages; the model is at the URL it is given.
TAKER = """
import sys, time
from dashboard.jobs import Jobs
from dashboard.settings import Settings
from tests.dashboard.batch_jobs import SIGNATURE, InferenceClient, Model
jobs = Jobs(Settings())
jobs.recover(lambda name: Model(InferenceClient(sys.argv[1]), name, signature=SIGNATURE))
time.sleep(600)
"""
Variables = dict[str, str]
Replica = Callable[..., Jobs]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    with object_store(tmp_path_factory.mktemp("s3"), BUCKET) as found:
        yield found


@pytest.fixture
def server() -> Iterator[V2Server]:
    with v2_server(double=doubled) as running:
        yield running


@pytest.fixture
def model(server: V2Server) -> Model:
    return model_of(server)


@pytest.fixture
def variables(store: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> Variables:
    """What the environment of a replica holds, in this process as well."""
    found = variables_of(store)
    enter(monkeypatch, found)
    return found


def enter(monkeypatch: pytest.MonkeyPatch, variables: Variables) -> None:
    """Make it the environment; what a library remembers of the one before is forgotten."""
    s3fs = pytest.importorskip("s3fs")

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A place of its own in the bucket for each test."""
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture
def replica(root: str, variables: Variables) -> Iterator[Replica]:
    """Return a function that makes another replica."""
    assert variables
    found: list[Jobs] = []

    def made(**settings: Any) -> Jobs:
        found.append(jobs_in(root, taken_over_s=TAKEN_OVER_S, **settings))
        return found[-1]

    yield made
    for jobs in found:
        jobs.close()


def objects(root: str) -> dict[str, bytes]:
    """Return all objects below a URL by their name."""
    s3fs = pytest.importorskip("s3fs")

    system = s3fs.S3FileSystem()
    system.invalidate_cache()
    found = system.find(root, detail=True)
    # SeaweedFS lists an empty folder for a while, as if it were a file.
    paths = [path for path, about in found.items() if about["size"]]
    return {path.partition("/")[2]: system.cat_file(path) for path in paths}


def in_a_folder(folder: Path, model: Model, data: bytes) -> bytes:
    """Return what an uninterrupted run in a folder makes of a table."""
    with closing(jobs_in(folder)) as jobs:
        job_id = start(jobs, model, data, OPTIONS)
        until_state(jobs, job_id, "finished")
        return result(jobs, job_id)


def until_seen(jobs: Jobs, job_id: str) -> None:
    until(lambda: jobs.get(job_id, ME) is not None)


@pytest.mark.slow
def test_what_one_replica_begins_the_other_has(
    replica: Replica, model: Model, root: str, tmp_path: Path
) -> None:
    """Uploads, lists, results, the last failures, deletion: nothing hangs on who took the file."""
    data = table(ROWS)
    wanted = in_a_folder(tmp_path, model, data)
    first, second = replica(), replica()
    spooled = upload(first, data, "flowers.csv")
    there = second.spooled(spooled.id, ME)
    assert there is not None
    assert (there.name, there.size_bytes) == ("flowers.csv", len(data))
    assert there.path != spooled.path
    assert there.path.read_bytes() == data
    job_id = second.start(model, "double", there, OPTIONS, ME)
    until_seen(first, job_id)
    assert [view.input_name for view in first.mine(ME)] == ["flowers.csv"]
    view = until_state(first, job_id, "finished", "stopped")
    assert (view.reason, view.counts.ok, view.counts.failed) == ("", ROWS - 1, 1)
    assert result(first, job_id) == result(second, job_id) == wanted
    assert first.recent_errors(job_id, ME) == [(14, "400: unlucky")]
    secret = ADMIN[1].encode()
    assert [name for name, held in objects(root).items() if secret in held] == []
    first.delete(job_id, ME)
    assert objects(root) == {}
    until(lambda: second.get(job_id, ME) is None)


class Home:
    """Processes of replicas: of a whole dashboard, and of nothing but its jobs."""

    def __init__(self, folder: Path, url: str, server: V2Server, variables: Variables) -> None:
        own = {
            "PYTHONPATH": str(ROOT),
            "KSERVE_CLIENT_JOBS_FOLDER": url,
            "KSERVE_CLIENT_JOBS_TAKEN_OVER_S": str(TAKEN_OVER_S),
        }
        self.folder, self.server, self.variables = folder, server, variables | own
        self.running: list[Child] = []

    def dashboard(self) -> Child:
        """Start a dashboard, and open its page once."""
        models, log = self.folder / "models.yaml", self.folder / "dashboard.txt"
        models.write_text(MODELS.replace("URL", self.server.url))
        (self.folder / "app.py").write_text(APP)
        found = start_dashboard(models, log, root=self.folder, **self.variables)
        self.running.append(found.child)
        wait_for(found)
        assert "the jobs are here" in found.interact().text
        return found.child

    def jobs(self) -> Child:
        """Start a process that takes up jobs as a dashboard does."""
        command: list[str | Path] = [sys.executable, "-c", TAKER, self.server.url]
        log = self.folder / "jobs.txt"
        self.running.append(Child("The replica", command, log, cwd=ROOT, env=self.variables))
        return self.running[-1]


@pytest.fixture
def home(tmp_path: Path, root: str, server: V2Server, variables: Variables) -> Iterator[Home]:
    found = Home(tmp_path, root, server, variables)
    yield found
    for child in found.running:
        child.stop()


@pytest.mark.slow
def test_a_job_outlives_its_replicas(
    replica: Replica, home: Home, server: V2Server, model: Model, root: str, tmp_path: Path
) -> None:
    """After SIGTERM another one has it at once, after SIGKILL once the silence was long enough.

    The result is that of an uninterrupted run in a folder, and every part counts once.
    """
    wanted = in_a_folder(tmp_path / "folder", model, table(ROWS))
    # All of it would take 18 s, so that much is left when each of them is ended.
    server.models["double"] = paused_by(doubled, 0.2)
    watching, first = replica(), replica()
    job_id = start(first, model, table(ROWS), OPTIONS)
    until_done(first, job_id, 10)
    first.close()
    lock = Bucket(root, TAKEN_OVER_S)
    counts = [0]
    for begin, end in ((home.dashboard, signal.SIGTERM), (home.jobs, signal.SIGKILL)):
        child = begin()
        until(lambda: done(watching, job_id) > counts[-1] + 50)
        assert seen(watching, job_id).state == "running"
        child.signal(end)
        child.process.wait(30)
        assert (lock.silence_s(job_id) is None) == (end == signal.SIGTERM)
        said = child.log.read_text()
        assert "Traceback" not in said
        assert ADMIN[1] not in said
        counts.append(done(watching, job_id))
    assert counts == sorted(counts)
    assert counts[-1] < ROWS
    until(lambda: seen(watching, job_id).state == "waiting")
    server.models["double"] = doubled
    watching.recover(lambda _: model)
    view = until_state(watching, job_id, "finished", "stopped")
    assert (view.reason, view.counts.ok, view.counts.failed) == ("", ROWS - 1, 1)
    assert result(watching, job_id) == wanted
    with watching.results(job_id, ME) as saved:
        parts = {part.name for part in saved._ledger.parts()}
    names = [name for name in objects(root) if "/parts/" in name]
    assert {name.rpartition("/")[2] for name in names} == parts


def done(jobs: Jobs, job_id: str) -> int:
    """Return how many rows of a job are saved."""
    with jobs.results(job_id, ME) as saved:
        return saved.counts.done


@pytest.mark.slow
def test_a_store_that_is_away_for_a_while(
    replica: Replica, store: SeaweedFS, server: V2Server, model: Model, tmp_path: Path
) -> None:
    """The page says so and is quick; then the list is there again, and the job goes on by itself."""
    wanted = in_a_folder(tmp_path, model, table(ROWS))
    server.models["double"] = paused_by(doubled, 0.05)
    jobs = replica()
    jobs.recover(lambda _: model)
    over = start(jobs, model, table(3))
    until_state(jobs, over, "finished")
    job_id = start(jobs, model, table(ROWS), OPTIONS)
    until_done(jobs, job_id, 20)
    saved = done(jobs, job_id)
    store.stop()
    until(lambda: jobs.mine(ME) != [] and jobs.problem() != "")
    assert jobs.problem() == (
        f"the jobs in {jobs._root.where} can't be read: it does not answer "
        "(EndpointConnectionError)"
    )
    begun = time.monotonic()
    assert {view.id for view in jobs.mine(ME)} == {over, job_id}
    assert time.monotonic() - begun < 20
    with pytest.raises(StorageTroubleError, match=r"could not be kept in .*: it does not answer"):
        upload(jobs, table(3))
    with pytest.raises(StorageTroubleError, match="can't be read: it does not answer"):
        jobs.results(over, ME)
    until(lambda: not seen(jobs, job_id).is_here)
    assert seen(jobs, job_id).state in ("waiting", "running")
    server.models["double"] = doubled
    store.start()
    store.wait_until_ready()
    until(lambda: jobs.mine(ME) != [] and jobs.problem() == "")
    assert saved <= done(jobs, job_id) < ROWS
    view = until_state(jobs, job_id, "finished", "stopped")
    assert (view.reason, view.counts.ok, view.counts.failed) == ("", ROWS - 1, 1)
    assert result(jobs, job_id) == wanted


@pytest.mark.parametrize(
    ("place", "changes", "words"),
    [
        ("jobs/x", {"AWS_SECRET_ACCESS_KEY": "hunter2"}, "the keys of the dashboard do not permit"),
        ("jobs/x", {"AWS_ACCESS_KEY_ID": "hunter2"}, "the keys of the dashboard do not permit"),
        ("no-bucket/x", {}, "there is no bucket no-bucket"),
        ("Bad_Bucket!/x", {}, "no name of a bucket"),
        ("jobs/x", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "there are no keys"),
        ("jobs/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:PORT"}, "it does not answer"),
    ],
)
def test_what_is_wrong_is_told(
    place: str,
    changes: Variables,
    words: str,
    variables: Variables,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In one sentence that names the place and no key; nothing fails or hangs, and nothing is lost."""
    caplog.set_level(logging.INFO)
    port = str(free_ports(1)[0])
    enter(monkeypatch, variables | {k: v.replace("PORT", port) for k, v in changes.items()})
    with closing(jobs_in(f"s3://{place}")) as jobs:
        begun = time.monotonic()
        assert jobs.mine(ME) == []
        until(lambda: jobs.mine(ME) == [] and words in jobs.problem())
        assert time.monotonic() - begun < 20
        assert jobs.problem().startswith(f"the jobs in s3://{place} can't be read: {words}")
        with pytest.raises(StorageTroubleError) as refused:
            jobs.spool(io.BytesIO(b"a\n1\n"), "a.csv", ME)
    told = f"{jobs.problem()} {refused.value} {caplog.text}"
    assert "hunter2" not in told
    assert ADMIN[1] not in told


def test_a_storage_that_never_answers_keeps_no_page_waiting(
    variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that takes connections and says nothing: the first look waits, the others do not."""
    with socket.create_server((LOOPBACK, 0)) as silent:
        url = f"http://{LOOPBACK}:{port_of(silent)}"
        enter(monkeypatch, variables | {"AWS_ENDPOINT_URL": url})
        with closing(jobs_in(f"s3://{BUCKET}/x")) as jobs:
            for first_look_s in (0.5, 60.0, 60.0):
                monkeypatch.setattr("dashboard.jobs.shelf.FIRST_LOOK_S", first_look_s)
                begun = time.monotonic()
                assert jobs.mine(ME) == []
                assert time.monotonic() - begun < 10
            assert "no answer yet" in jobs.problem()


def test_an_object_is_put_over_the_one_that_is_known_only(root: str, variables: Variables) -> None:
    """The store keeps to If-Match: what somebody else put, or removed, meanwhile stays so."""
    assert variables
    mine, theirs = UrlStore(root, {}), UrlStore(root, {})
    assert mine.tag("a") == ""
    mine.put_over("a", b"1", "")
    known = mine.tag("a")
    mine.put_over("a", b"2", known)
    with pytest.raises(FileExistsError):
        mine.put_over("a", b"3", known)
    assert theirs.read("a") == b"2"
    theirs.remove("a")
    with pytest.raises(FileExistsError):
        mine.put_over("a", b"3", known)
    assert objects(root) == {}
    theirs.put("a", b"4")
    mine.put_over("a", b"5", mine.tag("a"))
    assert theirs.read("a") == b"5"


def test_an_upload_to_a_storage_that_never_answers(
    variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked twice and then given up, in words; nothing is asked once more to tidy up."""
    monkeypatch.setattr(file_systems, "SILENT_S", 1)
    with socket.create_server((LOOPBACK, 0)) as silent:
        enter(monkeypatch, variables | {"AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port_of(silent)}"})
        with (
            closing(jobs_in(f"s3://{BUCKET}/given-up")) as jobs,
            pytest.raises(StorageTroubleError, match=r"does not answer \(ReadTimeoutError\)"),
        ):
            upload(jobs, table(3))
        assert requests_of(silent, b"/given-up/") == 2


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def requests_of(server: socket.socket, path: bytes) -> int:
    """How many with this in their path wait to be accepted; a look of the test before may be late."""
    server.settimeout(0.2)
    count = 0
    with suppress(TimeoutError):
        while True:
            end, _ = server.accept()
            with closing(end):
                end.settimeout(0.2)
                count += path in end.recv(4096).partition(b"\r\n")[0]
    return count


@pytest.mark.slow
def test_an_upload_to_a_storage_that_stops_in_the_middle(
    replica: Replica, store: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes no more bytes, nor says whether it would: given up, and the rest is not tried."""
    monkeypatch.setattr(file_systems, "SILENT_S", 1)
    monkeypatch.setattr(file_systems, "UNTAKEN_S", 1)
    s3fs = pytest.importorskip("s3fs")
    asked: list[str] = []
    call = s3fs.core.S3File._call_s3

    def counted(file: Any, method: str, *more: Any, **how: Any) -> Any:
        asked.append(method)
        if method == "upload_part":
            assert store.child is not None
            store.child.signal(signal.SIGSTOP)
        return call(file, method, *more, **how)

    monkeypatch.setattr(s3fs.core.S3File, "_call_s3", counted)
    assert store.child is not None
    try:
        with pytest.raises(StorageTroubleError, match="does not answer"):
            upload(replica(), table(2_000_000))
    finally:
        store.child.signal(signal.SIGCONT)
    assert asked.count("upload_part") == 1
