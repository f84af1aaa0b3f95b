from __future__ import annotations

import sys
from pathlib import Path

import pytest
from streamlit import net_util
from streamlit.web.server import server_util

from scripts import serve
from scripts.processes import LOOPBACK, Child, free_ports
from tests import batch_page
from tests.dashboard.batch_jobs import (
    doubled,
    jobs_in,
    model_of,
    result,
    start,
    until_done,
    until_state,
)
from tests.servers import ROOT, dashboard_variables
from tests.v2_server import v2_server


def test_an_origin_from_elsewhere_is_refused_without_a_look_outside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Streamlit would ask an outside host for our address; nothing is asked, and the answer is no."""

    def asked(url: str, timeout: float = 5) -> str | None:
        raise AssertionError(f"{url} was asked")

    monkeypatch.setattr(net_util, "_make_blocking_http_get", asked)
    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)  # put back later
    with pytest.raises(AssertionError, match="was asked"):
        server_util.is_url_from_allowed_origins("http://elsewhere.example.org")
    serve.never_ask_outside()
    assert not server_util.is_url_from_allowed_origins("http://elsewhere.example.org")
    assert server_util.is_url_from_allowed_origins("http://localhost:8501")


def test_the_app_is_where_it_is_looked_for() -> None:
    """The script that Streamlit runs."""
    assert serve.APP.name == "app.py"
    assert serve.APP.is_file()


@pytest.mark.slow
def test_a_job_goes_on_before_anybody_opens_a_page(tmp_path: Path) -> None:
    """A process ends in the middle of one; the next one does the rest, and nobody looks."""
    with v2_server(double=batch_page.PACED) as server:
        batch_page.write_models_file(tmp_path / "models.yaml", server)
        jobs = jobs_in(tmp_path / "jobs")
        job_id = start(jobs, model_of(server), batch_page.TABLE)
        until_done(jobs, job_id, 1)
        jobs.close()
        server.models["double"] = doubled
        variables = {
            "KSERVE_CLIENT_JOBS_FOLDER": str(tmp_path / "jobs"),
            "STREAMLIT_SERVER_ADDRESS": LOOPBACK,
            "STREAMLIT_SERVER_PORT": str(free_ports(1)[0]),
        }
        serving = Child(
            "The dashboard",
            [sys.executable, "-m", "scripts.serve"],
            tmp_path / "log",
            cwd=ROOT,
            env=dashboard_variables(tmp_path / "models.yaml", **variables),
        )
        try:
            until_state(jobs, job_id, "finished")
        finally:
            serving.stop()
        assert result(jobs, job_id) == batch_page.RESULT
        assert "ScriptRunContext" not in serving.log.read_text()
