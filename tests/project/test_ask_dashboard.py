from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts import ask_dashboard

PAGES = {
    "/dash/_stcore/health": b"ok",
    "/dash/": b"<!doctype html><html></html>",
    "/other/_stcore/health": b"ok",
    "/other/": b"{}",
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Give the page of the path."""
        found = PAGES.get(self.path)
        self.send_response(404 if found is None else 200)
        self.end_headers()
        self.wfile.write(found or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Run a server with a dashboard below /dash, and something else below /other."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_well_dashboard_is_status_0(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    """With a URL it is asked for its page too; a slash at the end changes nothing."""
    for end in ("", "/"):
        assert ask_dashboard.run([f"http://127.0.0.1:{port}/dash{end}"]) == 0
    assert "is well" in capsys.readouterr().out


def test_the_one_in_this_container_is_found_by_its_settings(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Port and base path are those that Streamlit reads."""
    monkeypatch.setenv("STREAMLIT_SERVER_PORT", str(port))
    monkeypatch.setenv("STREAMLIT_SERVER_BASE_URL_PATH", "dash")
    assert ask_dashboard.run([]) == 0
    monkeypatch.setenv("STREAMLIT_SERVER_BASE_URL_PATH", "elsewhere")
    assert ask_dashboard.run([]) == 1


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://127.0.0.1:8501"),
        ({"STREAMLIT_SERVER_BASE_URL_PATH": ""}, "http://127.0.0.1:8501"),
        ({"STREAMLIT_SERVER_BASE_URL_PATH": "/ml/dash/"}, "http://127.0.0.1:8501/ml/dash"),
        ({"STREAMLIT_SERVER_PORT": "80"}, "http://127.0.0.1:80"),
    ],
)
def test_the_address_is_that_of_the_settings(variables: dict[str, str], url: str) -> None:
    """Slashes around the path are Streamlit's to ignore, and ours."""
    assert ask_dashboard.own_url(variables) == url


def test_what_is_wrong_is_one_sentence(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody there, nothing below the path, something else there."""
    for url, said in (
        ("http://127.0.0.1:9", "refused"),
        (f"http://127.0.0.1:{port}", "404"),
        (f"http://127.0.0.1:{port}/other", "is no dashboard"),
        ("no address", "is not well"),
    ):
        assert ask_dashboard.run([url]) == 1
        told = capsys.readouterr().out
        assert said in told
        assert told.count("\n") == 1
