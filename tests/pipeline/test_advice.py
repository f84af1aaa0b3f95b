"""What a stage says of a MLflow or a store that lost what it had; no server of the road runs here."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from scripts.pipeline.registry import BucketMLflow, Version
from scripts.pipeline.road import Pythons, Road
from scripts.pipeline.stages import StageError
from scripts.pipeline.store import Bucket, Key
from scripts.problem import ScriptError

BUCKET = Bucket("models", "mlflow", Key("writer", "w"), Key("reader", "r"))
VERSION = Version("iris-classifier", "1", "m-1", "1/models/m-1/artifacts")
ANSWERS = {
    # MLflow 3.17.2 on a file that is no database.
    "registered-models/search": "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>",
    "json": '{"error_code": "INTERNAL_ERROR", "message": "no such table\\n[SQL: SELECT 1]"}',
    "text": "Internal\nServer\nError",
    "list": "[1]",
    "empty": "",
}


class Broken(BaseHTTPRequestHandler):
    """A MLflow that is up and fails whenever it is asked for something."""

    def do_GET(self) -> None:
        """Answer 500."""
        path = self.path.partition("?")[0].removeprefix("/api/2.0/mlflow/")
        self.send_response(500)
        self.end_headers()
        self.wfile.write(ANSWERS[path].encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def road(tmp_path: Path) -> Road:
    """Return a road whose programs all fail with the storage initializer's words."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No model found in mlflow/1.' >&2\nexit 1\n")
    python.chmod(0o755)
    return Road(tmp_path, Pythons(*[python] * 3))


@pytest.fixture
def broken(road: Road, monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketMLflow]:
    """Run a broken MLflow, which says of itself that it is up."""
    mlflow = road.described_mlflow()
    mlflow.models.mkdir()
    monkeypatch.setattr(mlflow, "wait_until_ready", lambda _: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        mlflow.port = server.server_port
        Thread(target=server.serve_forever, daemon=True).start()
        yield mlflow
        server.shutdown()


def test_a_broken_database_is_told_before_anybody_works_with_it(
    road: Road, broken: BucketMLflow
) -> None:
    """In one line, with the log and with what begins anew; it does not count as whole."""
    with pytest.raises(StageError) as caught:
        road.wait_for_mlflow(broken)
    problem, advice = str(caught.value).splitlines()
    assert problem == "Stage MLflow: MLflow answered 500 to registered-models/search."
    assert "read logs/mlflow.log" in advice
    assert "--fresh begins with an empty database." in advice
    assert not broken.has_database


@pytest.mark.parametrize(
    ("path", "reason"),
    [("json", ": no such table"), ("text", ": Internal"), ("list", ": [1]"), ("empty", "")],
)
def test_an_error_of_mlflow_is_told_in_one_line(
    broken: BucketMLflow, path: str, reason: str
) -> None:
    """The first line of its message, or of whatever else it sends."""
    with pytest.raises(ScriptError) as caught:
        broken.asked(path)
    assert str(caught.value) == f"MLflow answered 500 to {path}{reason}"


def test_files_that_the_store_lost_are_made_anew(road: Road) -> None:
    """Before what can be wrong in a cluster alone."""
    with pytest.raises(StageError) as caught:
        road.fetch(BUCKET, VERSION)
    assert str(caught.value).startswith(
        "Stage storage initializer: No model found in mlflow/1.\n"
        "What to do: --train makes the files anew where the store has lost them; else check "
    )
