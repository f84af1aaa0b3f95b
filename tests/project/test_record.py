"""Recording again: the requests stay, the answers are today's, without what differs at each run."""

from pathlib import Path

import pytest

from scripts.record import Recording, load, run, save, shape_of
from tests.v2_server import Reply, v2_server

ID = "8c9e6679-7425-40de-944b-e07fc1f90ae7"


def asking(tmp_path: Path, *paths: str) -> Path:
    """Return a file of recordings with old answers."""
    file = tmp_path / "server.jsonl"
    save(file, [Recording(path, "GET", path, 200, body="old") for path in paths])
    return file


def test_new_answers_replace_the_old_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status, the headers that matter and the body are kept, and what changed is named."""
    file = asking(tmp_path, "/v2", "/v2/models/a")
    with v2_server() as server:
        assert run([server.url, str(file)]) == 0
    metadata, model = load(file)
    assert (metadata.name, metadata.status) == ("/v2", 200)
    assert metadata.headers == {"content-type": "application/json"}
    assert '"scripted"' in metadata.body
    assert (model.status, model.body) == (404, '{"error": "Model a not found"}')
    assert "2 answers, 2 of them new /v2, /v2/models/a" in capsys.readouterr().out


def test_recorded_twice_is_the_same(tmp_path: Path) -> None:
    """Ids, addresses, times of day and counters of nanoseconds are no news."""
    file = asking(tmp_path, "/v2/models/a/ready")
    with v2_server() as server:
        server.replies["/v2/models/a/ready"] = Reply(
            body=f'{{"id":"{ID}","at":"http://{server.url[7:]}/","ns":12,"t":"[12:34:56]"}}'.encode()
        )
        assert run([server.url, str(file)]) == 0
    assert load(file)[0].body == (
        '{"id":"00000000-0000-4000-8000-000000000000","at":"http://server.example/","ns":0,'
        '"t":"[00:00:00]"}'
    )


def test_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    """An answer that is no text travels through the file whole."""
    file = asking(tmp_path, "/v2/models/a/ready")
    body = bytes(range(256))
    with v2_server() as server:
        server.replies["/v2/models/a/ready"] = Reply(body=body)
        run([server.url, str(file)])
    assert load(file)[0].answer == body
    assert load(file)[0].body == ""


def test_no_server_leaves_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, and the old answers stay."""
    file = asking(tmp_path, "/v2")
    with v2_server() as server:
        url = server.url
    assert run([url, str(file)]) == 1
    assert "did not answer" in capsys.readouterr().err
    assert load(file)[0].body == "old"


def test_the_form_of_a_value() -> None:
    """Two answers are alike when their keys and kinds are, however many there are."""
    one = {"a": [1, 2.5, 3], "b": None}
    assert shape_of(one) == {"a": ["int", "float"], "b": "NoneType"}
    assert shape_of(one) == shape_of({"a": [7, 0.1], "b": None})
    assert shape_of(one) != shape_of({"a": [7, 0.1]})
