import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kserve_client.cli import main
from tests.unit.doctor.ideal_server import IdealServer, Reply, Request, ideal_server, refused
from tests.unit.doctor.patients import SUMS


@dataclass
class Ran:
    status: int
    out: str
    err: str


@pytest.fixture
def server() -> Iterator[IdealServer]:
    with ideal_server() as running:
        yield running


@pytest.fixture
def models_file(server: IdealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "models.yaml"
    text = f"endpoints: {{test: {{url: '{server.url}'}}}}\nmodels:\n  sums:\n    title: Sums\n"
    path.write_text(f"{text}    endpoint: test{SUMS}")
    monkeypatch.setenv("KSERVE_CLIENT_MODELS", str(path))
    return path


@pytest.fixture
def run(models_file: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> Ran:
        status = main(["doctor", *words])
        return Ran(status, *capsys.readouterr())

    return run


def no_metadata(request: Request) -> Reply | None:
    """A model that says nothing of itself, and breaks on two kinds of wrong input."""
    if request.path == "/v2/models/sums":
        return Reply(body={"name": "sums", "inputs": [], "outputs": []})
    if request.path == "/v2" and request.method == "GET":
        return Reply(body={"name": "mlserver", "version": "1.7.1", "extensions": []})
    is_wrong = b"null" in request.body or (b"[2, 2]" in request.body and b"30" not in request.body)
    return Reply(500, b"Internal Server Error", {}) if is_wrong else None


def test_a_model_that_is_well_is_status_0(run: Any) -> None:
    """Grade, one line per check, the skipped ones with their reason, and nothing to mend."""
    ran = run("sums")
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("Sums · http://127.0.0.1:")
    assert lines[0].endswith(" · ideal 1.0")
    assert lines[1] == "Grade A, 100 of 100. Sums speaks V2 as it should."
    assert lines[3].split() == ["CHECK", "VERDICT", "FOUND"]
    assert "Request id         pass     the id of the request comes back" in lines
    assert lines[-2:] == [
        "Skipped",
        "  Column order: the model takes one tensor, which has no order of inputs",
    ]


def test_a_model_with_gaps_is_status_1(run: Any, server: IdealServer) -> None:
    """Each gap with why, sent, seen and fix; a file that mends two is written once."""
    server.instead = no_metadata
    ran = run("sums")
    assert ran.status == 1
    _, _, mending = ran.out.partition("\nModel metadata (fail)\n")
    assert mending.startswith("  Why   Without it nobody can build a request")
    assert "  Sent  GET /v2/models/sums\n  Seen  200 OK (application/json) {" in mending
    assert "        model-settings.json:\n          {\n" in mending
    assert ran.out.count("class CheckedModel") == 1
    assert ran.out.count("checked_runtime.py: the same as above") == 1


def test_warnings_alone_are_status_0(run: Any, server: IdealServer) -> None:
    """Nothing failed."""
    server.instead = lambda r: refused(400) if "such" in r.path and "models" in r.path else None
    ran = run("sums")
    assert ran.status == 0
    assert "Unknown model (warn)" in ran.out


def test_the_report_as_json_is_whole(run: Any, server: IdealServer) -> None:
    """Grade, counts, and each check with what was sent, seen and would mend it."""
    server.instead = no_metadata
    ran = run("sums", "--json")
    told = json.loads(ran.out)
    assert ran.status == 1
    assert (told["model"], told["grade"], told["server"]) == ("sums", "B", "mlserver 1.7.1")
    assert sum(told["counts"].values()) == len(told["checks"]) == 21
    found = next(check for check in told["checks"] if check["key"] == "model-metadata")
    assert (found["verdict"], found["is_must"]) == ("fail", False)
    assert found["asked"][0]["path"] == "/v2/models/sums"
    assert found["asked"][0]["status"] == 200
    assert json.loads(found["fix"]["content"])["inputs"][0]["name"] == "x"


def test_fix_prints_the_file_alone(run: Any, server: IdealServer) -> None:
    """It can go straight into a file; what to do with it goes to standard error."""
    server.instead = no_metadata
    ran = run("sums", "--fix")
    assert ran.status == 0
    assert json.loads(ran.out)["outputs"][0] == {
        "name": "total",
        "datatype": "FP64",
        "shape": [-1],
    }
    assert ran.err.startswith("kserve-client: model-settings.json: Put these fields into")


def test_fix_as_json(run: Any, server: IdealServer) -> None:
    """Programs get the name of the file beside its content."""
    server.instead = no_metadata
    told = json.loads(run("sums", "--fix", "--json").out)
    assert (told["file_name"], told["language"]) == ("model-settings.json", "json")


def test_fix_of_metadata_that_is_complete(run: Any) -> None:
    """Nothing is printed, and that is well."""
    ran = run("sums", "--fix")
    assert (ran.status, ran.out) == (0, "")
    assert "nothing to fix" in ran.err


def test_fix_that_can_not_be_written(run: Any, server: IdealServer) -> None:
    """Without an answer of the model there is no file; the status says that something fails."""
    server.instead = lambda r: refused(500) if r.is_infer else no_metadata(r)
    ran = run("sums", "--fix")
    assert (ran.status, ran.out) == (1, "")
    assert "Describe the model's features" in ran.err


def test_no_answer_is_status_3(run: Any, models_file: Path, server: IdealServer) -> None:
    """A server that is off has no grade: a sentence, and where to look; --fix says it too."""
    models_file.write_text(models_file.read_text().replace(server.url, "http://127.0.0.1:1"))
    ran = run("sums")
    assert ran.status == 3
    assert ran.out == (
        "Sums · http://127.0.0.1:1\n"
        "Sums could not be judged: nothing listens on 127.0.0.1:1; start the server, or correct "
        "its URL.\n"
        "See which step fails: kserve-client health sums\n"
    )
    told = json.loads(run("sums", "--json").out)
    assert (told["grade"], told["score"], told["counts"]["fail"]) == (None, None, 2)
    assert run("sums", "--fix").status == 3


def test_an_unknown_model_is_status_2(run: Any) -> None:
    """One line, naming the models there are."""
    ran = run("other")
    assert ran.status == 2
    assert "no model 'other' in the catalog; there is sums" in ran.err
