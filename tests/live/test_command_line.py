"""The command line as a process of its own, against the real server."""

import csv
import fcntl
import gzip
import json
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq
import pytest

from scripts.mlserver import MLServer
from scripts.processes import LOOPBACK, free_ports
from tests.project.alive import naps
from tests.servers import ROOT, dashboard_variables

HEADER = ["sepal length", "sepal width", "petal length", "petal width"]
ROW = '{"sepal length": 5.1, "sepal width": 3.5, "petal length": 1.4, "petal width": 0.2}'


def run(
    models: Path | None, *words: str | Path, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kserve_client", *map(str, words)],
        cwd=ROOT,
        env=dashboard_variables(models),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def parsed(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the JSON on standard output."""
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_a_prediction_in_words_and_as_json(demo_models_file: Path) -> None:
    """The label is the first line; --json holds it too."""
    said = run(demo_models_file, "predict", "iris", "--input", ROW)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines()[0] == "Iris setosa"
    said = run(demo_models_file, "predict", "iris", "--input", ROW, "--json")
    assert said.returncode == 0
    assert parsed(said)["rows"][0]["prediction"] == "Iris setosa"


def test_a_picture_from_a_file(demo_models_file: Path) -> None:
    """`@five.png` stands for the picture."""
    picture = demo_models_file.parent / "data" / "five.png"
    said = run(
        demo_models_file, "predict", "digits", "--input", json.dumps({"image": f"@{picture}"})
    )
    assert said.stdout.splitlines()[0] == "5"


def test_health_metadata_and_models(demo_models_file: Path) -> None:
    """All well is 0, and each speaks JSON."""
    for words in (["health"], ["health", "iris"], ["metadata", "penguin_mass"], ["models"]):
        said = run(demo_models_file, *words, "--json")
        assert said.returncode == 0, said.stderr
        assert parsed(said)


def test_a_file_is_scored(demo_models_file: Path, tmp_path: Path) -> None:
    """Every row comes back with its prediction, and a summary as JSON."""
    source = demo_models_file.parent / "data" / "iris-150.csv"
    said = run(demo_models_file, "score", "iris", source, tmp_path / "out.csv", "--json")
    assert said.returncode == 0, said.stderr
    assert (parsed(said)["rows"], parsed(said)["failed"]) == (150, 0)
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 150


def test_a_failed_row_is_status_1(demo_models_file: Path, tmp_path: Path) -> None:
    """One bad row of two: both come back, and the status tells."""
    source = tmp_path / "rows.csv"
    header = "sepal length,sepal width,petal length,petal width"
    source.write_text(f"{header}\n5.1,3.5,1.4,0.2\n5.1,x,1.4,0.2\n")
    said = run(demo_models_file, "score", "iris", source, tmp_path / "out.csv", "--json")
    assert said.returncode == 1
    assert parsed(said)["failed"] == 1
    assert "1 of 2 rows failed" in said.stderr


@pytest.fixture(scope="session")
def iris(demo_models_file: Path) -> Path:
    """The sample of the iris model, 150 rows."""
    return demo_models_file.parent / "data" / "iris-150.csv"


@pytest.fixture(scope="session")
def answers(
    demo_models_file: Path, iris: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Any]:
    """What the model says of the sample."""
    out = tmp_path_factory.mktemp("answers") / "out.csv"
    assert run(demo_models_file, "score", "iris", iris, out, "--columns", "none").returncode == 0
    found: list[Any] = pa_csv.read_csv(out).column("prediction").to_pylist()
    assert len(found) == 150
    return found


def write_gzip(table: pa.Table, path: Path) -> None:
    plain = pa.BufferOutputStream()
    pa_csv.write_csv(table, plain)
    path.write_bytes(gzip.compress(plain.getvalue().to_pybytes()))


def write_json_lines(table: pa.Table, path: Path) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in table.to_pylist()))


def read_gzip(path: Path) -> pa.Table:
    return pa_csv.read_csv(pa.BufferReader(gzip.decompress(path.read_bytes())))


@pytest.mark.parametrize(
    ("name", "write", "read"),
    [
        ("rows.parquet", pq.write_table, pq.read_table),
        ("rows.jsonl", write_json_lines, pa_json.read_json),
        ("rows.csv.gz", write_gzip, read_gzip),
    ],
)
def test_a_table_of_any_format_is_scored(
    demo_models_file: Path,
    iris: Path,
    answers: list[Any],
    tmp_path: Path,
    name: str,
    write: Callable[[pa.Table, Path], None],
    read: Callable[[Path], pa.Table],
) -> None:
    """The same rows give the same answers, and come back in the format they came in."""
    write(pa_csv.read_csv(iris), tmp_path / name)
    said = run(demo_models_file, "score", "iris", tmp_path / name, tmp_path / f"out-{name}")
    assert said.returncode == 0, said.stderr
    found = read(tmp_path / f"out-{name}")
    assert found.column("prediction").to_pylist() == answers
    assert set(found.column("state").to_pylist()) == {"ok"}


def test_a_filter_in_a_pipe(demo_models_file: Path, iris: Path, answers: list[Any]) -> None:
    """Rows from standard input go to standard output, and nothing else does."""
    said = run(demo_models_file, "score", "iris", "-", "-", stdin=iris.read_text())
    assert said.returncode == 0, said.stderr
    rows = list(csv.DictReader(said.stdout.splitlines()))
    assert [row["prediction"] for row in rows] == answers
    assert said.stderr.startswith("150 rows in ")


def test_a_file_of_a_german_spreadsheet_under_other_names(
    demo_models_file: Path, tmp_path: Path
) -> None:
    """Windows-1252, semicolons, decimal commas; columns are mapped, and a width is constant."""
    source = tmp_path / "blüten.csv"
    text = "Länge;Breite;Blüte\r\n5,1;3,5;1,4\r\n7,2;3,6;6,1\r\n"
    source.write_bytes(text.encode("windows-1252"))
    mapped = [
        f"--map={feature}={column}"
        for feature, column in zip(HEADER, ("Länge", "Breite", "Blüte"), strict=False)
    ]
    words: list[str | Path] = ["score", "iris", source, tmp_path / "out.csv", *mapped]
    said = run(
        demo_models_file, *words, "--constant", "petal width=0.2", "--encoding", "windows-1252"
    )
    assert said.returncode == 0, said.stderr
    lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith("5,1;3,5;1,4;Iris setosa;")
    assert len(lines) == 3


def test_rows_that_failed_have_a_file_of_their_own(demo_models_file: Path, tmp_path: Path) -> None:
    """--errors gets them, and only them, with the reason."""
    source = tmp_path / "rows.csv"
    source.write_text(f"{','.join(HEADER)}\n5.1,3.5,1.4,0.2\n5.1,x,1.4,0.2\n")
    bad = tmp_path / "bad.csv"
    said = run(demo_models_file, "score", "iris", source, tmp_path / "out.csv", "--errors", bad)
    assert said.returncode == 1
    (row,) = csv.DictReader(bad.read_text().splitlines())
    assert (row["sepal width"], row["state"]) == ("x", "failed")
    assert row["error"] == "sepal width: 'x' is not a number"


def many_rows(iris: Path, path: Path, count: int) -> Path:
    """A larger table of the sample's rows, each with its number."""
    header, *lines = iris.read_text().splitlines()
    rows = (f"{lines[at % len(lines)]},{at}\n" for at in range(count))
    path.write_text(f"{header},number\n{''.join(rows)}")
    return path


def started(models: Path, *words: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kserve_client", *map(str, words)],
        cwd=ROOT,
        env=dashboard_variables(models),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_rows(job: Path) -> None:
    """Wait until some part of a job is kept."""
    wait_until(lambda: any(job.glob("parts/*.arrow")))


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


SLOWLY = ("--chunk-rows", "20", "--concurrency", "1")


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_result(
    demo_models_file: Path, iris: Path, tmp_path: Path
) -> None:
    """SIGKILL, twice, then --resume: byte for byte what a run without a fault writes."""
    source = many_rows(iris, tmp_path / "rows.csv", 30_000)
    job = tmp_path / "job"

    def words(out: str, *more: str | Path) -> list[str | Path]:
        return ["score", "iris", source, tmp_path / out, *more]

    again = ("--job", job, "--resume")
    for _ in range(2):
        with started(demo_models_file, *words("a.csv", *again, *SLOWLY)) as process:
            wait_for_rows(job)
            time.sleep(0.5)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "a.csv").exists()
        shown = parsed(run(demo_models_file, "job", job, "--json"))
        assert shown["state"] == "stopped"
        assert 0 < shown["counts"]["ok"] < 30_000
    said = run(demo_models_file, *words("a.csv", *again, "--json"))
    assert said.returncode == 0, said.stderr
    assert (parsed(said)["rows"], parsed(said)["ok"]) == (30_000, 30_000)
    assert parsed(said)["rows_before"] >= shown["counts"]["ok"]
    assert run(demo_models_file, *words("a.parquet", *again)).returncode == 0
    for suffix in ("csv", "parquet"):
        assert run(demo_models_file, *words(f"b.{suffix}")).returncode == 0
        resumed, whole = (tmp_path / f"{name}.{suffix}" for name in "ab")
        assert resumed.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_ctrl_c_once_ends_with_a_whole_file(
    demo_models_file: Path, iris: Path, tmp_path: Path
) -> None:
    """What was predicted and what was not sent make up all rows; status 130."""
    source = many_rows(iris, tmp_path / "rows.csv", 30_000)
    with started(
        demo_models_file, "score", "iris", source, tmp_path / "out.csv", *SLOWLY
    ) as process:
        wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob(".out.csv.*.part")))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    states = pa_csv.read_csv(tmp_path / "out.csv").column("state").value_counts().to_pylist()
    assert {one["values"] for one in states} == {"ok", "skipped"}
    assert sum(one["counts"] for one in states) == 30_000


@pytest.mark.slow
def test_ctrl_c_twice_ends_at_once(demo_models_file: Path, tmp_path: Path) -> None:
    """Even where the process waits for rows that never come; nothing is left behind."""
    with started(demo_models_file, "score", "iris", "-", tmp_path / "out.csv") as process:
        assert process.stdin is not None
        process.stdin.write("sepal length")
        process.stdin.flush()
        wait_until(lambda: unread_bytes(process.stdin) == 0)
        before = naps(process.pid)
        process.send_signal(signal.SIGINT)
        # One that is still to be handled is not counted twice: it has to wait for rows again.
        wait_until(lambda: naps(process.pid) > before)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    assert list(tmp_path.iterdir()) == []


def unread_bytes(pipe: Any) -> int:
    """How much of what was written to a pipe nobody has taken yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "nobody", "--input", ROW],
        ["predict", "iris", "--input", '{"sepal": 1}'],
        ["predict", "iris"],
        ["score", "iris", "/nowhere/rows.csv", "out.csv"],
        ["score", "iris", "examples/models.yaml", "out.csv"],
    ],
    ids=["unknown model", "unknown feature", "no input", "no file", "wrong columns"],
)
def test_a_wrong_command_is_status_2(demo_models_file: Path, words: list[str]) -> None:
    """One line on standard error, no traceback, and JSON for programs."""
    said = run(demo_models_file, *words, "--json")
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert parsed(said)["error"]["exit_status"] == 2


def test_no_models_file_is_status_2() -> None:
    """The variable to set is named."""
    said = run(None, "models")
    assert said.returncode == 2
    assert "KSERVE_CLIENT_MODELS" in said.stderr


@pytest.mark.slow
def test_nothing_answered_is_status_3(
    mlserver: MLServer, demo_models_file: Path, iris: Path, tmp_path: Path
) -> None:
    """Prediction, health and scoring where nobody listens; the result file is whole all the same."""
    nobody = f"http://{LOOPBACK}:{free_ports(1)[0]}"
    models = demo_models_file.with_name("nobody.yaml")
    models.write_text(demo_models_file.read_text().replace(mlserver.url, nobody))
    for words in (
        ["predict", "iris", "--input", ROW],
        ["health"],
        ["score", "iris", iris, tmp_path / "out.csv", "--wait", "1"],
    ):
        said = run(models, *words, "--json")
        assert said.returncode == 3, said.stderr
        assert "Traceback" not in said.stderr
        assert parsed(said)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 151
