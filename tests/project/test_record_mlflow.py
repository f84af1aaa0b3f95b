"""Recording MLflow: ids of a logging are replaced by those of the file, and back."""

from pathlib import Path

import pytest

from scripts.record import Recording, load, save
from scripts.record_mlflow import MODEL_IDS, RUN_IDS, run
from tests.v2_server import Reply, V2Server, v2_server

TODAY = ("a" * 32, "b" * 32, "c" * 32)


def version_path(name: str, version: str) -> str:
    return f"/api/2.0/mlflow/model-versions/get?name={name}&version={version}"


def with_models(server: V2Server) -> None:
    versions = (("iris", "1"), ("iris", "2"), ("penguins", "1"))
    for (name, version), today in zip(versions, TODAY, strict=True):
        told = {"source": f"models:/m-{today}", "run_id": today[::-1]}
        server.replies[version_path(name, version)] = Reply(body={"model_version": told})


def test_ids_and_times_of_the_logging_are_not_kept(tmp_path: Path) -> None:
    """The file asks by its own ids, the server by today's; people and times are nobody and never."""
    file = tmp_path / "answers.jsonl"
    path = "/api/2.0/mlflow/logged-models/{}"
    save(file, [Recording("logged", "GET", path.format(MODEL_IDS[1]), 0)])
    with v2_server() as server:
        with_models(server)
        body = (
            f'{{"id": "m-{TODAY[1]}", "run_id": "{TODAY[1]}", "start_time": 17, "user_id": "me"}}'
        )
        server.replies[path.format(f"m-{TODAY[1]}")] = Reply(body=body.encode())
        assert run([server.url, str(file)]) == 0
    (recorded,) = load(file)
    assert recorded.path == path.format(MODEL_IDS[1])
    assert recorded.body == (
        f'{{"id": "{MODEL_IDS[1]}", "run_id": "{RUN_IDS[1]}", "start_time": 1795353600000, '
        '"user_id": "someone"}'
    )


def test_a_server_without_the_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, and the file stays."""
    file = tmp_path / "answers.jsonl"
    save(file, [Recording("health", "GET", "/health", 200, body="old")])
    with v2_server() as server:
        assert run([server.url, str(file)]) == 1
    assert "has no version 1 of iris" in capsys.readouterr().err
    assert load(file)[0].body == "old"
