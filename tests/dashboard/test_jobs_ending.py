"""A dashboard is ended in the middle of a job, as Kubernetes and a crash do it; the next one goes on.

These run a real Streamlit process: when it tells whom that it ends is its own affair, and ours to
get along with.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.jobs import Jobs
from dashboard.jobs import card as cards
from kserve_client.model import Model
from kserve_client.scoring import ScoreOptions
from kserve_client.scoring.job import SavedJob
from kserve_client.scoring.job.lock import is_held
from kserve_client.scoring.job.store import LocalStore
from tests.dashboard.batch_jobs import (
    ME,
    MODELS,
    doubled,
    jobs_in,
    paused_by,
    result,
    start,
    table,
    until,
    until_done,
    until_state,
)
from tests.servers import ROOT, Dashboard, start_dashboard, wait_for
from tests.v2_server import V2Server

SERVED = {"double": doubled}
ROWS = 900
OPTIONS = ScoreOptions(chunk_rows=5, concurrency=2)
# What app.py and its pages do with jobs, and nothing else.
APP = """
import streamlit as st
from dashboard import gateway
for view in gateway.jobs().mine("me@example.org"):
    st.text(f"{view.state}, here: {view.is_here}")
"""


class Home:
    """A folder with an app, a models file and jobs, and the processes that run the app one by one."""

    def __init__(self, root: Path, server: V2Server) -> None:
        self.root, self.folder = root, root / "data"
        self.models = root / "models.yaml"
        self.models.write_text(MODELS.replace("URL", server.url))
        (root / "app.py").write_text(APP)
        self.running: list[Dashboard] = []

    def begin(self) -> Dashboard:
        """Start a process, and open its page once."""
        log = self.root / f"log-{len(self.running)}.txt"
        names = {"PYTHONPATH": str(ROOT), "KSERVE_CLIENT_JOBS_FOLDER": str(self.folder)}
        found = start_dashboard(self.models, log, root=self.root, **names)
        self.running.append(found)
        wait_for(found)
        assert "here" in found.interact().text
        return found


@pytest.fixture
def home(tmp_path: Path, server: V2Server) -> Iterator[Home]:
    found = Home(tmp_path, server)
    yield found
    for dashboard in found.running:
        dashboard.child.stop()


def done(jobs: Jobs, job_id: str) -> int:
    """Return how many rows of a job are on the disk."""
    with jobs.results(job_id, ME) as saved:
        return saved.counts.done


def uninterrupted(folder: Path, model: Model) -> bytes:
    jobs = jobs_in(folder)
    job_id = start(jobs, model, table(ROWS), OPTIONS)
    until_state(jobs, job_id, "finished")
    found = result(jobs, job_id)
    jobs.close()
    return found


@pytest.mark.slow
def test_a_job_outlives_its_processes(home: Home, server: V2Server, model: Model) -> None:
    """SIGTERM, then SIGKILL, then a third process: the result is that of an uninterrupted run."""
    wanted = uninterrupted(home.root / "once", model)
    assert wanted.count(b"\n") == ROWS + 1
    assert b"13,row 13,,failed,400: unlucky" in wanted
    # All of it would take 18 s, so that much is left when each of them is ended.
    server.models["double"] = paused_by(doubled, 0.2)
    jobs = jobs_in(home.folder)
    job_id = start(jobs, model, table(ROWS), OPTIONS)
    until_done(jobs, job_id, 10)
    jobs.close()
    folder = home.folder / "jobs" / job_id
    counts = [done(jobs, job_id)]

    for end in (signal.SIGTERM, signal.SIGKILL):
        dashboard = home.begin()
        until(lambda: done(jobs, job_id) > counts[-1] + 50)
        assert is_held(LocalStore(folder / "job"))
        dashboard.child.signal(end)
        dashboard.child.process.wait(30)
        assert not is_held(LocalStore(folder / "job"))
        assert cards.read(LocalStore(home.folder / "cards"), job_id).state == "running"
        assert "Traceback" not in dashboard.log
        counts.append(done(jobs, job_id))

    assert counts == sorted(counts)
    assert counts[-1] < ROWS
    server.models["double"] = doubled
    dashboard = home.begin()
    view = until_state(jobs, job_id, "finished")
    assert (view.counts.ok, view.counts.failed) == (ROWS - 1, 1)
    assert result(jobs, job_id) == wanted
    assert "missing ScriptRunContext" not in dashboard.log
    with SavedJob.open(folder / "job") as saved:
        parts = {part.name for part in saved._ledger.parts()}
    assert parts == {path.name for path in (folder / "job" / "parts").iterdir()}
