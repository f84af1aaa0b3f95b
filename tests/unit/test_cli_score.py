"""The commands `score`, `jobs` and `job`, with a scripted model."""

import csv
import gzip
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
import responses

from kserve_client.cli import jobs, main
from kserve_client.cli.progress import ProgressLine, duration
from kserve_client.scoring import Progress, file_systems
from tests.unit.command_line import Ran, Run, without_proxies
from tests.unit.scripted_model import INFER_URL, MODELS_FILE, ScriptedModel, problem, serve

REPOSITORY = Path(__file__).resolve().parents[2]
TWO_FEATURES = """
  pair:
    endpoint: test
    signature:
      input: pair
      datatype: FP64
      features: [{name: left}, {name: right}]
      outputs: [{name: predict, kind: label, labels: [zero, one, two]}]
"""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)


@pytest.fixture
def models_file(tmp_path: Path) -> Path:
    path = tmp_path / "models.yaml"
    path.write_text(MODELS_FILE)
    return path


@pytest.fixture
def run(
    models_file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Run:
    """Run the command line in the folder of the test."""
    monkeypatch.setenv("KSERVE_CLIENT_MODELS", str(models_file))
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> Ran:
        status = main([str(word) for word in words])
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture
def model(mock: responses.RequestsMock) -> ScriptedModel:
    return serve(mock, ScriptedModel())


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("id,x\n7,0\n8,bad\n9,2\n")
    return path


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Ten rows without a fault."""
    path = tmp_path / "good.csv"
    path.write_text("x\n" + "0\n1\n" * 5)
    return path


# Rows in, rows out


def test_every_row_is_written(run: Run, model: ScriptedModel, rows: Path) -> None:
    """Some failed rows are status 1; the file holds them all."""
    ran = run("score", "naming", rows, "out.csv", "--chunk-rows", "2", "--concurrency", "1")
    assert ran.status == 1
    assert re.fullmatch(
        r"3 rows in \d+\.\d s \(\d+ rows/s\): 2 predicted, 1 failed; written to out\.csv\n", ran.out
    )
    assert ran.err == (
        "kserve-client: 1 of 3 rows failed; the first is row 2: x: 'bad' is not a number\n"
    )
    assert Path("out.csv").read_text() == (
        "id,x,prediction,state,error\n"
        "7,0,zero,ok,\n"
        "8,bad,,failed,x: 'bad' is not a number\n"
        "9,2,two,ok,\n"
    )
    assert model.sent == [[0.0], [2.0]]


def test_the_summary_as_json(run: Run, model: ScriptedModel, rows: Path) -> None:
    """Programs get the counts, the figures and the exit status."""
    told = run("score", "naming", rows, "out.csv", "--json").json
    assert (told["rows"], told["ok"], told["failed"], told["skipped"]) == (3, 2, 1, 0)
    assert (told["output"], told["job"], told["exit_status"]) == ("out.csv", None, 1)
    assert told["first_error"] == "row 2: x: 'bad' is not a number"


def test_quiet_says_only_what_went_wrong(run: Run, model: ScriptedModel, rows: Path) -> None:
    """--quiet leaves out the summary; with --json it is there all the same."""
    assert run("score", "naming", rows, "out.csv", "--quiet").out == ""
    assert run("score", "naming", rows, "out.csv", "--quiet", "--json").json["ok"] == 2


def test_from_standard_input_to_standard_output(
    run: Run, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` and `-` make it a filter: only rows on standard output, the summary on standard error."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x\n1\n2\n")))
    ran = run("score", "naming", "-", "-", "--json")
    assert ran.status == 0
    assert ran.out.splitlines() == ["x,prediction,state,error", "1,one,ok,", "2,two,ok,"]
    assert json.loads(ran.err)["ok"] == 2


def test_failed_rows_in_a_file_of_their_own(run: Run, model: ScriptedModel, rows: Path) -> None:
    """--errors gets the rows that are not ok, and no others."""
    ran = run("score", "naming", rows, "out.csv", "--errors", "bad.csv")
    assert ran.out.endswith("; written to out.csv and bad.csv\n")
    assert Path("bad.csv").read_text().splitlines() == [
        "id,x,prediction,state,error",
        "8,bad,,failed,x: 'bad' is not a number",
    ]


@pytest.mark.parametrize(
    ("words", "header", "row"),
    [
        (["--columns", "id"], "id,prediction,state,error", "7,zero,ok,"),
        (["--columns", "x,id"], "x,id,prediction,state,error", "0,7,zero,ok,"),
        (["--columns", "none"], "prediction,state,error", "zero,ok,"),
    ],
)
def test_columns_to_keep(
    run: Run, model: ScriptedModel, rows: Path, words: list[str], header: str, row: str
) -> None:
    """--columns chooses columns of the input; the results are always there."""
    run("score", "naming", rows, "out.csv", *words)
    assert Path("out.csv").read_text().splitlines()[:2] == [header, row]


def test_only_the_first_rows(run: Run, model: ScriptedModel, good: Path) -> None:
    """--limit reads no further."""
    assert run("score", "naming", good, "out.csv", "--limit", "3", "--json").json["rows"] == 3
    assert sum(map(len, model.sent)) == 3


def test_the_name_of_the_output_says_its_format(run: Run, model: ScriptedModel, good: Path) -> None:
    """Parquet, packed CSV, JSON Lines; --output-format where the name says nothing."""
    run("score", "naming", good, "out.parquet")
    assert pq.read_table("out.parquet").column("prediction").to_pylist() == ["zero", "one"] * 5
    run("score", "naming", good, "out.csv.gz")
    assert gzip.decompress(Path("out.csv.gz").read_bytes()).startswith(
        b"x,prediction,state,error\n"
    )
    run("score", "naming", good, "out", "--output-format", "json-lines")
    first = Path("out").read_text().splitlines()[0]
    assert json.loads(first) == {"x": "0", "prediction": "zero", "state": "ok", "error": ""}


def test_how_the_input_is_written_may_be_said(run: Run, model: ScriptedModel) -> None:
    """--format, --delimiter, --encoding and --decimal go before what the file looks like."""
    Path("odd").write_bytes("Größe\tx\nklein\t1,0\n".encode("windows-1252"))
    words = ["--format", "csv", "--delimiter", "tab", "--encoding", "windows-1252"]
    assert run("score", "naming", "odd", "out.csv", *words, "--decimal", ",").status == 0
    assert Path("out.csv").read_text().splitlines()[1] == "klein\t1,0\tone\tok\t"
    ran = run("score", "naming", "odd", "out.csv", *words, "--decimal", ".")
    assert ran.status == 1
    assert "'1,0' is not a number" in ran.err


def test_formulas_are_quoted_where_that_is_wished(run: Run, model: ScriptedModel) -> None:
    """A cell that a spreadsheet would run stays as it is, or gets an apostrophe."""
    Path("rows.csv").write_text("note,x\n=1+1,1\n")
    run("score", "naming", "rows.csv", "out.csv")
    assert Path("out.csv").read_text().splitlines()[1] == "=1+1,1,one,ok,"
    run("score", "naming", "rows.csv", "out.csv", "--formulas", "quote")
    assert Path("out.csv").read_text().splitlines()[1] == "'=1+1,1,one,ok,"


def test_urls_that_are_allowed(run: Run, model: ScriptedModel) -> None:
    """Input, output, errors and the job may lie on any storage that fsspec knows."""
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe("/cli/rows.csv", b"x\n1\nbad\n")
    words = ["memory://cli/rows.csv", "memory://cli/out.csv", "--errors", "memory://cli/bad.csv"]
    ran = run("score", "naming", *words, "--job", "memory://cli/job", "--allow-url", "memory")
    assert ran.status == 1
    assert ran.out.endswith("written to memory://cli/out.csv and memory://cli/bad.csv\n")
    header = b"x,prediction,state,error\n"
    bad = b"bad,,failed,x: 'bad' is not a number\n"
    assert memory.cat("/cli/out.csv") == header + b"1,one,ok,\n" + bad
    assert memory.cat("/cli/bad.csv") == header + bad
    assert run("jobs", "memory://cli").out.splitlines()[1].split()[:2] == ["job", "finished"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s3://b/in.csv", "out.csv"], "s3://b/in.csv can't be read"),
        (["good.csv", "s3://b/out.csv"], "s3://b/out.csv can't be written"),
        (["good.csv", "out.csv", "--job", "s3://b/job"], "s3://b/job"),
    ],
    ids=["input", "output", "job"],
)
def test_a_storage_that_never_answers_is_status_3(
    run: Run,
    model: ScriptedModel,
    good: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    """Whatever of the run lies there: it is given up soon, in one line that says what to do."""
    s3fs = pytest.importorskip("s3fs")
    assert good.exists()
    monkeypatch.setattr(file_systems, "SILENT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        s3fs.S3FileSystem.clear_instance_cache()
        ran = run("score", "naming", *words, "--allow-url", "s3", "--quiet")
        s3fs.S3FileSystem.clear_instance_cache()
    assert ran.status == 3
    assert ran.err == (
        f"kserve-client: {said}: the storage does not answer (ReadTimeoutError); check that it runs "
        "and the address it is asked at (for s3: AWS_ENDPOINT_URL), then try again\n"
    )
    assert not Path("out.csv").exists()


# Out of range

MILLIMETRES = "x\n1\n51\nbad\n0\n49.5\n2\n"
OUTSIDE = "x is outside its usual range, 0 to 2, in 2 of {} rows; the first is row 2: 51"


@pytest.mark.parametrize("words", [[], ["--quiet"], ["--job", "job"], ["--chunk-rows", "1"]])
def test_numbers_out_of_range_are_told(run: Run, model: ScriptedModel, words: list[str]) -> None:
    """They are predicted as any other; one line on standard error says why to doubt it."""
    Path("rows.csv").write_text(MILLIMETRES.replace("bad\n", ""))
    ran = run("score", "naming", "rows.csv", "out.csv", *words)
    assert (ran.status, ran.err.splitlines()[-1]) == (0, f"kserve-client: {OUTSIDE.format(5)}")
    assert run("score", "naming", "rows.csv", "-", "--limit", "1", "--quiet").err == ""


def test_numbers_out_of_range_as_json(run: Run, model: ScriptedModel, models_file: Path) -> None:
    """A program gets them by feature; the number of a sensitive one stays where it is."""
    Path("rows.csv").write_text(MILLIMETRES)
    found = run("score", "naming", "rows.csv", "out.csv", "--json").json["outside"]
    told = {"feature": "x", "range": "0 to 2", "rows": 2, "first_row": 2, "number": 51.0}
    assert found == [told]
    models_file.write_text(MODELS_FILE.replace("{name: x,", "{name: x, sensitive: true,"))
    ran = run("score", "naming", "rows.csv", "out.csv", "--json")
    assert ran.json["outside"] == [told | {"number": None}]
    assert "51" not in ran.err


def test_numbers_out_of_range_of_one_run_of_a_job(run: Run, mock: responses.RequestsMock) -> None:
    """Rows that were predicted before are told before; a retry names rows by their own number."""
    is_ill = True

    def fault(_number: int, rows: list[float]) -> Any:
        return problem(500, "ill") if is_ill and 49.5 in rows else None

    serve(mock, ScriptedModel(fault))
    Path("rows.csv").write_text(MILLIMETRES)
    words = ["score", "naming", "rows.csv", "out.csv", "--job", "job", "--json"]
    assert [one["first_row"] for one in run(*words).json["outside"]] == [2]
    assert run(*words, "--resume").json["outside"] == []
    is_ill = False
    again = run(*words, "--retry-failed")
    assert [(one["rows"], one["first_row"]) for one in again.json["outside"]] == [(1, 5)]
    assert "in 1 of 2 rows; the first is row 5: 49.5" in again.err


def test_numbers_out_of_range_of_a_run_and_its_retry(
    run: Run, mock: responses.RequestsMock
) -> None:
    """A job that is gone on with and tried again tells what was found in both."""
    ill = {51.0, 49.5}

    def fault(_number: int, rows: list[float]) -> Any:
        return problem(500, "ill") if ill & set(rows) else None

    serve(mock, ScriptedModel(fault))
    Path("rows.csv").write_text("x\n1\n51\n2\n0\n77\n2\n49.5\n")
    words = ["score", "naming", "rows.csv", "out.csv", "--job", "job", "--json"]
    words += ["--chunk-rows", "1", "--concurrency", "1", "--max-failures"]
    assert run(*words, "0").json["is_complete"] is False  # ends at row 2
    ill.remove(51.0)
    again = run(*words, "5", "--retry-failed")
    assert (again.json["ok"], again.json["failed"], again.json["rows_before"]) == (6, 1, 1)
    assert [(one["rows"], one["first_row"]) for one in again.json["outside"]] == [(2, 2)]
    assert "in 2 of 6 rows; the first is row 2: 51" in again.err


# Where features come from


def sums(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
    """A model of two columns: the class is their sum."""
    (tensor,) = json.loads(request.body or b"")["inputs"]
    numbers = tensor["data"]
    classes = [int(a + b) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
    output = {"name": "predict", "shape": [len(classes), 1], "datatype": "INT64", "data": classes}
    return 200, {}, json.dumps({"model_name": "pair", "outputs": [output]})


@pytest.fixture
def pair(mock: responses.RequestsMock, models_file: Path) -> None:
    models_file.write_text(MODELS_FILE + TWO_FEATURES)
    url = INFER_URL.replace("naming", "pair")
    mock.add_callback(responses.POST, url, callback=sums)


@pytest.mark.parametrize(
    ("words", "prediction"),
    [
        (["--map", "left=Links", "--map", "right=Rechts"], "one"),
        (["--map", "left=Links", "--constant", "right=2"], "two"),
        (["--map", "left=Rechts", "--map", "right=Rechts"], "two"),
    ],
    ids=["columns", "constant", "one column for both"],
)
@pytest.mark.parametrize("place", ["file", "pipe"])
@pytest.mark.usefixtures("pair")
def test_features_are_read_from_where_it_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: list[str], prediction: str, place: str
) -> None:
    """--map names a column, --constant a value; a pipe, too, is read so."""
    text = b"Links,Rechts\n0,1\n"
    Path("rows.csv").write_bytes(text)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    source = "rows.csv" if place == "file" else "-"
    assert run("score", "pair", source, "out.csv", *words).status == 0
    assert Path("out.csv").read_text().splitlines()[1] == f"0,1,{prediction},ok,"


@pytest.mark.usefixtures("pair")
def test_features_that_are_not_mapped_keep_the_column_of_their_name(run: Run) -> None:
    """One --map changes one feature."""
    Path("rows.csv").write_text("right,Links\n2,0\n")
    run("score", "pair", "rows.csv", "out.csv", "--map", "left=Links")
    assert Path("out.csv").read_text().splitlines()[1] == "2,0,two,ok,"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--map", "left=links"], "which the table does not have; did you mean 'Links'?"),
        (["--map", "lft=Links"], "no feature 'lft'; did you mean 'left'?"),
        (["--map", "left"], "'left' has not the form FEATURE=…"),
        (["--map", "left=Links"], "column missing: 'right'"),
        (["--constant", "left=x", "--map", "right=Links"], "the constant of left: 'x' is not a"),
        (["--map", "left=Links", "--constant", "left=1"], "'left' has more than one --map or"),
    ],
)
@pytest.mark.usefixtures("pair")
def test_what_can_not_be_mapped_is_status_2(run: Run, words: list[str], message: str) -> None:
    """Nothing is written; the message names the feature or the column."""
    Path("rows.csv").write_text("Links,Rechts\n0,1\n")
    ran = run("score", "pair", "rows.csv", "out.csv", *words)
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert message in ran.err
    assert not Path("out.csv").exists()


# Names of results


@pytest.mark.parametrize(
    "name",
    [
        "out.xlsx",
        "out.json",
        "out.csv.bz2",
        "OUT.XLS",
        "out.xlsx.gz",
        "out.v1.2",
        "memory://cli/out.xlsx?v=.csv",
    ],
)
@pytest.mark.parametrize("places", [["{}"], ["out.csv", "--errors", "{}"], ["{}", "--job", "job"]])
def test_a_result_that_promises_another_format_is_refused(
    run: Run, model: ScriptedModel, good: Path, name: str, places: list[str]
) -> None:
    """Before anything runs: CSV in a file called .xlsx opens nowhere."""
    words = [place.format(name) for place in places]
    ran = run("score", "naming", good, *words, "--allow-url", "memory")
    assert (ran.status, ran.out, model.sent) == (2, "", [])
    assert "Write .csv, .jsonl, .parquet or .arrow" in ran.err
    assert "or name the format with --output-format" in ran.err
    assert not any(Path(place).exists() for place in ("out.csv", "job", name))


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("out.CSV", b"x,prediction"),
        ("out.tsv", b"x\tprediction"),
        ("out.jsonl", b'{"x"'),
        ("out.ndjson", b'{"x"'),
        ("out.parquet", b"PAR1"),
        ("out.arrow", b"ARROW1"),
        ("out.csv.gz", b"\x1f\x8b"),
        ("out.jsonl.zst", b"\x28\xb5\x2f\xfd"),
        ("out.gz", b"\x1f\x8b"),
        ("out", b"x,prediction"),
        ("v1.2/out", b"x,prediction"),
    ],
)
def test_a_result_is_what_its_name_says(
    run: Run, model: ScriptedModel, good: Path, name: str, begins: bytes
) -> None:
    """And what INPUT is where the name says nothing."""
    Path(name).parent.mkdir(exist_ok=True)
    assert run("score", "naming", good, name).status == 0
    assert Path(name).read_bytes().startswith(begins)


@pytest.mark.parametrize("name", ["out.today", "out.v1.2", "out.2026-11-23.gz"])
@pytest.mark.parametrize("job", [[], ["--job", "job"]])
def test_a_format_that_is_asked_for_needs_no_name(
    run: Run, model: ScriptedModel, good: Path, name: str, job: list[str]
) -> None:
    """With --output-format a name may end as it likes; only what says how it is packed still counts."""
    words = [name, "--errors", f"bad.{name}", "--output-format", "csv", *job]
    assert run("score", "naming", good, *words).status == 0
    for written in (name, f"bad.{name}"):
        data = Path(written).read_bytes()
        text = gzip.decompress(data) if name.endswith(".gz") else data
        assert text.startswith(b"x,prediction")


# Mistakes


@pytest.mark.parametrize("scheme", ["file", "local"])
@pytest.mark.parametrize("words", [["{}"], ["out.csv", "--errors", "{}"], ["{}", "--job", "job"]])
def test_an_input_is_never_its_own_result(
    run: Run, model: ScriptedModel, good: Path, scheme: str, words: list[str]
) -> None:
    """Nor under the name that a URL gives it."""
    before = good.read_bytes()
    named = [word.format(f"{scheme}://{good}") for word in words]
    ran = run("score", "naming", good, *named, "--allow-url", scheme)
    assert (ran.status, good.read_bytes(), model.sent) == (2, before, [])
    assert "have to be different files" in ran.err


@pytest.mark.parametrize("job", [[], ["--job", "job"]])
def test_a_column_that_cannot_be_written_is_named_before_the_run(
    run: Run, model: ScriptedModel, tmp_path: Path, job: list[str]
) -> None:
    """CSV has no form for Arrow's intervals; without that column all is well."""
    source = tmp_path / "in.arrow"
    spans = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    with pa.ipc.new_file(source, pa.schema([("x", pa.float64()), ("span", spans.type)])) as file:
        file.write_table(pa.table({"x": [1.0], "span": spans}))
    ran = run("score", "naming", source, "out.csv", *job)
    assert (ran.status, ran.err.count("\n"), model.sent) == (2, 1, [])
    assert "the column 'span' (month_day_nano_interval) can't be written" in ran.err
    assert not Path("job").exists()
    assert run("score", "naming", source, "out.csv", *job, "--columns", "x").status == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "b", "--chunk-rows", "0"], "'0' is not a whole number above 0"),
        (["a", "b", "--concurrency", "many"], "'many' is not a whole number above 0"),
        (["a", "b", "--limit", "-1"], "'-1' is not a whole number above 0"),
        (["a", "b", "--max-failures", "x"], "'x' is not a whole number"),
        (["a", "b", "--wait", "nan"], "'nan' is no number of seconds"),
        (["a", "b", "--delimiter", "::"], "'::' is not one character"),
        (["a", "b", "--format", "xlsx"], "invalid choice: 'xlsx'"),
        (["a", "b", "--resume"], "need the directory of the job: --job DIR"),
        (["a", "b", "--retry-failed"], "need the directory of the job: --job DIR"),
        (["good.csv", "./good.csv"], "have to be different files"),
        (["good.csv", "b", "--errors", "b"], "have to be different files"),
        (["-", "-", "--errors", "-"], "only one of OUTPUT and --errors"),
        (["s3://a/b.csv", "b"], "s3://a/b.csv: add --allow-url s3 to use such URLs"),
        (["good.csv", "b", "--job", "s3://a/b"], "s3://a/b: add --allow-url s3 to use such URLs"),
        (["no.csv", "b"], "no.csv: No such file"),
        (["good.csv", "no/b"], "no: there is no such folder"),
        (["good.csv", "b", "--columns", "y"], "there is no column 'y' to keep"),
        (["good.csv", "b.csv", "--encoding", "utf-9"], "utf-9"),
    ],
)
def test_mistake_of_the_caller_is_status_2_and_one_line(
    run: Run, model: ScriptedModel, good: Path, words: list[str], message: str
) -> None:
    """Nothing is sent or written; --json says it too."""
    ran = run("score", "naming", *words)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert message in ran.err
    told = run("score", "naming", *words, "--json").json
    assert message in told["error"]["message"]
    assert model.sent == []
    assert not Path("b").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["good.csv", "no/b"], "no: there is no such folder"),
        (["good.csv", "b", "--columns", "y"], "there is no column 'y' to keep"),
        (["good.csv", "b", "--errors", "no/b"], "no: there is no such folder"),
        (["-", "b"], "can be read only once, so a job can't resume it"),
    ],
)
def test_a_job_finds_out_first_what_its_result_would_fail_for(
    run: Run,
    model: ScriptedModel,
    good: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    """Not after hours of sending; no directory is made."""
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        ran = run("score", "naming", *words, "--job", "job")
    assert ran.status == 2
    assert message in ran.err
    assert model.sent == []
    assert not Path("job").exists()


# A model that is away, a run that ends early


def test_when_nothing_answers_every_row_comes_out(
    run: Run, mock: responses.RequestsMock, rows: Path
) -> None:
    """Status 3; the rows say why they were not sent."""
    mock.post(INFER_URL, body=requests.ReadTimeout())
    ran = run("score", "naming", rows, "out.csv", "--wait", "0")
    assert ran.status == 3
    assert "ended early: no answer from Test server" in ran.err
    assert "; 3 rows not sent" in ran.err
    assert len(Path("out.csv").read_text().splitlines()) == 4


def test_too_many_failures_end_the_run(run: Run, model: ScriptedModel) -> None:
    """--max-failures rows may fail; with one more nothing more is sent."""
    Path("rows.csv").write_text("x\n" + "bad\n" * 3 + "1\n" * 40)
    pace = ["--chunk-rows", "1", "--concurrency", "1"]
    ran = run("score", "naming", "rows.csv", "out.csv", "--max-failures", "2", *pace)
    assert ran.status == 1
    assert "ended early: 3 rows failed, and 2 were allowed" in ran.err
    assert model.sent == []
    assert run("score", "naming", "rows.csv", "out.csv", "--max-failures", "3", *pace).status == 1
    assert len(model.sent) == 40


def test_the_failures_of_a_job_count_over_its_runs(run: Run, model: ScriptedModel) -> None:
    """--resume does not allow as many anew; a larger number lets it go on."""
    Path("rows.csv").write_text("x\n" + "bad\n" * 3 + "1\n" * 40)
    words = ["score", "naming", "rows.csv", "out.csv", "--job", "run", "--resume", "--quiet"]
    words += ["--chunk-rows", "1", "--concurrency", "1", "--max-failures"]
    for _ in range(2):
        ran = run(*words, "2")
        assert ran.status == 1
        told = "3 rows failed, and 2 were allowed; raise --max-failures, or use --retry-failed"
        assert f"ended early: {told}\n" in ran.err
        assert model.sent == []
    assert run(*words, "3").status == 1
    assert len(model.sent) == 40
    assert len(Path("out.csv").read_text().splitlines()) == 44


def test_a_job_whose_last_row_is_one_failure_too_many_is_done(
    run: Run, model: ScriptedModel
) -> None:
    """There is nothing to stop: the results are written, by a resumed run as well."""
    Path("rows.csv").write_text("x\n" + "1\n" * 9 + "bad\n")
    words = ["score", "naming", "rows.csv", "out.csv", "--job", "run", "--resume", "--quiet"]
    words += ["--chunk-rows", "5", "--concurrency", "1", "--max-failures", "0"]
    for _ in range(2):
        ran = run(*words)
        assert (ran.status, "ended early" in ran.err) == (1, False)
        assert len(Path("out.csv").read_text().splitlines()) == 11
        Path("out.csv").unlink()


SCORE_ALONE = """
import json, sys
import responses
from kserve_client.cli import main
from tests.unit.scripted_model import ScriptedModel, serve

with responses.RequestsMock() as mock:
    serve(mock, ScriptedModel())
    assert main(sys.argv[1:]) == 0
print(json.dumps(sorted(sys.modules)))
"""
# A second or more together. What Arrow imports by itself when it is given a Python value is pandas.
NOT_FOR_CSV = {
    "pandas",
    "pyarrow.parquet",
    "distributed",
    "kserve_client.doctor",
    "kserve_client.health",
    "kserve_client.snippets",
    "kserve_client.scoring.on_dask",
    "kserve_client.scoring.batches",
}


@pytest.mark.parametrize(
    "words",
    [
        ["out.csv"],
        ["out.csv", "--errors", "bad.csv"],
        ["out.csv", "--job", "run"],
        ["out.jsonl"],
        ["out.arrow"],
    ],
    ids=" ".join,
)
def test_a_run_loads_no_more_than_it_needs(
    words: list[str], models_file: Path, tmp_path: Path
) -> None:
    """The start is most of a short run; what a table does not need stays on the disk."""
    (tmp_path / "rows.csv").write_text("id,x\n" + "é,1\n" * 300)
    command = [sys.executable, "-c", SCORE_ALONE, "--models", str(models_file), "score", "naming"]
    done = subprocess.run(
        [*command, "rows.csv", *words, "--quiet"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    loaded = set(json.loads(done.stdout))
    assert "pyarrow" in loaded
    assert not NOT_FOR_CSV & loaded
    assert ("kserve_client.scoring.job" in loaded) == ("--job" in words)
    assert len((tmp_path / words[0]).read_bytes()) > 300


def interrupting(at: int) -> Callable[[int, list[float]], None]:
    """Ctrl-C while a request is answered."""

    def interrupt(number: int, _rows: list[float]) -> None:
        if number == at:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)

    return interrupt


def test_ctrl_c_leaves_a_whole_file(run: Run, mock: responses.RequestsMock, tmp_path: Path) -> None:
    """What was predicted is written, the rest says it was not sent; status 130."""
    serve(mock, ScriptedModel(interrupting(2)))
    source = tmp_path / "rows.csv"
    source.write_text("x\n" + "1\n" * 30)
    before = signal.getsignal(signal.SIGINT)  # ignored, where the tests run in the background
    ran = run("score", "naming", source, "out.csv", "--chunk-rows", "1", "--concurrency", "1")
    lines = Path("out.csv").read_text().splitlines()
    assert ran.status == 130
    assert len(lines) == 31
    assert lines[1] == "1,one,ok,"
    assert lines[-1] == "1,,skipped,not sent: cancelled"
    assert "ended early: cancelled" in ran.err
    assert signal.getsignal(signal.SIGINT) is before


# Jobs

ONE_BY_ONE = ("--chunk-rows", "1", "--concurrency", "1")


def test_ctrl_c_leaves_a_job_that_goes_on(
    run: Run, mock: responses.RequestsMock, good: Path
) -> None:
    """Each row is sent once in the two runs together, and the result is that of one run."""
    model = serve(mock, ScriptedModel(interrupting(2)))
    words = ["score", "naming", good, "out.csv", "--job", "job", *ONE_BY_ONE]
    ran = run(*words)
    assert ran.status == 130
    assert "; kept in the job job, nothing is written yet" in ran.out
    assert "the same command with --resume goes on" in ran.err
    assert not Path("out.csv").exists()
    assert json.loads(run("job", "job", "--json").out)["state"] == "cancelled"
    told = run(*words, "--resume", "--json").json
    assert (told["exit_status"], told["rows"], told["ok"]) == (0, 10, 10)
    assert told["job"]["state"] == "finished"
    assert len(model.sent) == 10
    resumed = Path("out.csv").read_bytes()
    assert run("score", "naming", good, "out.csv").status == 0
    assert Path("out.csv").read_bytes() == resumed


def test_rows_whose_part_was_lost_are_done_again(
    run: Run, mock: responses.RequestsMock, good: Path
) -> None:
    """And no others, though the job was finished."""
    model = serve(mock, ScriptedModel(interrupting(2)))
    words = ["score", "naming", good, "out.csv", "--job", "job", *ONE_BY_ONE]
    run(*words)
    first = min(Path("job/parts").iterdir())
    assert run(*words, "--resume").status == 0
    whole = Path("out.csv").read_bytes()
    first.unlink()
    model.sent.clear()
    assert run(*words, "--resume").status == 0
    assert 1 <= len(model.sent) <= 4
    assert Path("out.csv").read_bytes() == whole


def test_a_job_gives_the_result_of_a_run_without_one(
    run: Run, model: ScriptedModel, rows: Path
) -> None:
    """Byte for byte, the errors too; status 1 and the first error are the same."""
    direct = run("score", "naming", rows, "a.csv", "--errors", "a-bad.csv")
    ran = run("score", "naming", rows, "b.csv", "--errors", "b-bad.csv", "--job", "job")
    assert (ran.status, ran.err) == (direct.status, direct.err)
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    assert Path("a-bad.csv").read_bytes() == Path("b-bad.csv").read_bytes()


def test_a_job_that_is_there_is_not_gone_on_with_unasked(
    run: Run, model: ScriptedModel, good: Path
) -> None:
    """The message says what to do; with --resume the finished job only writes its result again."""
    words = ["score", "naming", good, "out.csv", "--job", "job"]
    assert run(*words).status == 0
    ran = run(*words)
    assert ran.status == 2
    assert ran.err == (
        "kserve-client: there is a job in job already: add --resume to go on with it, or choose "
        "another directory\n"
    )
    sent, result = len(model.sent), Path("out.csv").read_bytes()
    Path("out.csv").unlink()
    assert run(*words, "--resume").status == 0
    assert Path("out.csv").read_bytes() == result
    assert len(model.sent) == sent


def test_resume_begins_a_job_that_is_not_there(run: Run, model: ScriptedModel, good: Path) -> None:
    """So that the same command may be run until it is done."""
    assert run("score", "naming", good, "out.csv", "--job", "job", "--resume").status == 0
    assert run("job", "job").out.splitlines()[1] == "State    finished"


def test_a_directory_of_other_files_is_no_place_for_a_job(
    run: Run, model: ScriptedModel, good: Path
) -> None:
    """Whatever is in it stays, and the run does not begin."""
    Path("job").mkdir()
    Path("job/letter.txt").write_text("Dear")
    ran = run("score", "naming", good, "out.csv", "--job", "job", "--resume")
    assert ran.status == 2
    assert "job is not empty ('letter.txt' is in it)" in ran.err
    assert model.sent == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--limit", "4"], "the limit of rows was None, is 4"),
        (["--constant", "x=1"], "the options of mapping have changed"),
        (["--delimiter", ","], "the options of reading have changed (delimiter was not set, is"),
    ],
)
def test_a_job_goes_on_only_with_the_same_options(
    run: Run, model: ScriptedModel, good: Path, words: list[str], message: str
) -> None:
    """What decides the result may not change between two runs of a job."""
    run("score", "naming", good, "out.csv", "--job", "job")
    ran = run("score", "naming", good, "out.csv", "--job", "job", "--resume", *words)
    assert ran.status == 2
    assert message in ran.err


def test_a_job_in_doubt_goes_on_with_the_sign_it_had(run: Run, model: ScriptedModel) -> None:
    """What the error names works, and the other sign is refused: rows were read already."""
    long = "b" * 60_000
    Path("rows.tsv").write_text("a\tx\n" + f"{long}\t1\n" * 30 + "b\t1.200\n")
    words = ["score", "naming", "rows.tsv", "out.csv", "--job", "job", "--resume"]
    ran = run(*words)
    assert ran.status == 2
    assert "--decimal . or --decimal ," in ran.err
    assert "decimal was '.', is ','" in run(*words, "--decimal", ",").err
    assert run(*words, "--decimal", ".").status == 0
    assert Path("out.csv").read_text().splitlines()[-1] == "b\t1.200\tone\tok\t"


def test_a_job_refuses_another_input_and_another_model(
    run: Run, model: ScriptedModel, good: Path, models_file: Path
) -> None:
    """The reason is named, and what to do about it."""
    words = ["score", "naming", good, "out.csv", "--job", "job", "--resume"]
    run(*words)
    good.write_text("x\n" + "0\n2\n" * 5)
    ran = run(*words)
    assert ran.status == 2
    assert "the job in job can't go on: the input has changed" in ran.err
    assert "Undo the change or start a new job" in ran.err
    good.write_text("x\n" + "0\n1\n" * 5)
    models_file.write_text(MODELS_FILE.replace("labels: [zero, one", "labels: [nought, one"))
    ran = run(*words)
    assert ran.status == 2
    assert "output 'predict' of the signature has changed" in ran.err


def test_only_what_failed_is_tried_again(run: Run, mock: responses.RequestsMock) -> None:
    """--retry-failed sends one row of three, and the result is whole then."""
    is_ill = True

    def fault(_number: int, rows: list[float]) -> Any:
        return problem(500, "ill") if is_ill and 2.0 in rows else None

    model = serve(mock, ScriptedModel(fault))
    Path("rows.csv").write_text("x\n0\n2\n1\n")
    words = ["score", "naming", "rows.csv", "out.csv", "--job", "job"]
    ran = run(*words)
    assert ran.status == 1
    assert "the first is row 2: 500: ill" in ran.err
    is_ill = False
    model.sent.clear()
    ran = run(*words, "--resume")
    assert (ran.status, model.sent) == (1, [])
    assert "the first is row 2: 500: ill" in ran.err
    ran = run(*words, "--retry-failed")
    assert (ran.status, model.sent, ran.err) == (0, [[2.0]], "")
    assert Path("out.csv").read_text().splitlines()[2] == "2,two,ok,"


def test_there_is_nothing_to_try_again_without_a_job(
    run: Run, model: ScriptedModel, good: Path
) -> None:
    """--retry-failed begins nothing."""
    ran = run("score", "naming", good, "out.csv", "--job", "job", "--retry-failed")
    assert ran.status == 2
    assert "there is no job in job" in ran.err


def test_a_model_that_is_away_leaves_a_job_that_goes_on(
    run: Run, mock: responses.RequestsMock, good: Path
) -> None:
    """Nothing is counted as skipped: the rows are sent when the model is back."""
    is_away = True

    def fault(number: int, _rows: list[float]) -> Any:
        return problem(404, "gone") if is_away and number >= 4 else None

    model = serve(mock, ScriptedModel(fault))
    words = ["score", "naming", good, "out.csv", "--job", "job", "--wait", "0", *ONE_BY_ONE]
    ran = run(*words, "--json")
    told = ran.json
    assert (told["exit_status"], told["rows"], told["skipped"]) == (1, 4, 0)
    assert not told["is_complete"]
    assert "404" in told["stopped"]
    is_away = False
    model.sent.clear()
    assert run(*words, "--resume").status == 0
    assert len(model.sent) == 6


def test_a_folder_of_jobs_that_is_not_there_is_status_2(run: Run, tmp_path: Path) -> None:
    """Who mistyped its name is not told that it is empty; an empty one is named in full."""
    assert run("jobs", "runs") == Ran(2, "", "kserve-client: runs: no such folder\n")
    (tmp_path / "file").touch()
    assert run("jobs", "file").status == 2
    (tmp_path / "runs").mkdir()
    assert run("jobs", "runs") == Ran(0, f"There are no jobs in {tmp_path}/runs\n", "")
    assert run("jobs") == Ran(0, f"There are no jobs in {tmp_path}\n", "")


def test_jobs_are_listed_shown_and_removed(run: Run, model: ScriptedModel, rows: Path) -> None:
    """No models file is needed for it."""
    Path("runs").mkdir()
    run("score", "naming", rows, "out.csv", "--job", "runs/june")
    lines = run("jobs", "runs").out.splitlines()
    assert lines[0].split() == list(jobs.HEADER)
    assert lines[1].split()[:8] == ["june", "finished", "naming", "rows.csv", *"3210"]
    (listed,) = run("jobs", "runs", "--json").json["jobs"]
    assert listed["counts"] == {"total_rows": 3, "ok": 2, "failed": 1, "skipped": 0}
    shown = run("job", "runs/june").out.splitlines()
    assert "Model    naming on http://model.test" in shown
    assert "Rows     3 of 3: 2 ok, 1 failed, 0 skipped" in shown
    assert "Results  prediction" in shown
    assert run("job", "runs/june", "--json").json["counts"]["failed"] == 1
    assert run("job", "runs/june", "--delete").out == "The job in runs/june is removed.\n"
    assert not Path("runs/june").exists()
    ran = run("job", "runs/june")
    assert ran.status == 2
    assert "there is no job in runs/june" in ran.err


def test_a_damaged_job_is_listed_with_its_reason(
    run: Run, model: ScriptedModel, good: Path
) -> None:
    """It can be removed all the same."""
    run("score", "naming", good, "out.csv", "--job", "runs/june")
    run("score", "naming", good, "out.csv", "--job", "june")
    Path("june/manifest.json").write_text("{")
    ran = run("jobs", ".")
    assert ran.status == 0
    assert re.search(
        r"^june +damaged +the manifest of the job in june is dam", ran.out, re.MULTILINE
    )
    assert run("job", "june", "--delete").status == 0


# Progress


def progress(**given: Any) -> Progress:
    """How far a run is: 500 of 1,000 rows, at 100 a second."""
    usual = {
        "rows_done": 500,
        "rows_total": 1000,
        "ok": 500,
        "failed": 0,
        "skipped": 0,
        "elapsed_s": 5.0,
        "rows_per_s": 100.0,
        "chunk_rows": 50,
        "concurrency": 4,
    }
    return Progress(**usual | given)


def shown(capsys: pytest.CaptureFixture[str], *steps: Progress, **given: Any) -> str:
    """What a line shows of some steps, then of its end."""
    line = ProgressLine(**{"is_ending": lambda: False} | given)
    for step in steps:
        line.show(step)
    line.end()
    return capsys.readouterr().err


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six seconds pass between two looks at the clock."""
    now = iter(range(0, 10_000, 6))
    monkeypatch.setattr("kserve_client.cli.progress.time.monotonic", lambda: next(now))


def make_terminal(monkeypatch: pytest.MonkeyPatch, *, columns: int) -> None:
    """Let standard error, as the test captures it, be a terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))


def test_a_log_gets_no_line_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A short run leaves a log alone."""
    assert shown(capsys, progress(), progress()) == ""


@pytest.mark.usefixtures("later")
def test_a_log_gets_a_plain_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """No control characters; what there is nothing to say of is left out."""
    assert shown(capsys, progress(failed=2), progress(rows_total=None, rows_per_s=0.0)) == (
        "50 %, 500 of 1,000 rows, 2 failed, 100 rows/s, 5 s left, 4 × 50 rows at a time\n"
        "500 rows, 0 rows/s, 4 × 50 rows at a time\n"
    )


@pytest.mark.usefixtures("later")
def test_waiting_and_stopping_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A run in which nothing happens says why."""
    waiting = shown(capsys, progress(is_waiting=True, rows_per_s=0.0))
    assert waiting.startswith("50 %, 500 of 1,000 rows, waiting for the model, 0 rows/s")
    ending = shown(capsys, progress(), is_ending=lambda: True)
    assert ending.startswith("50 %, 500 of 1,000 rows, stopping (Ctrl-C again ends at once), ")


@pytest.mark.usefixtures("later")
def test_a_terminal_gets_a_bar_that_is_written_over(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, cleared away at the end."""
    make_terminal(monkeypatch, columns=120)
    assert shown(capsys, progress()) == (
        "\r\x1b[K[##########----------] 50 %, 500 of 1,000 rows, 100 rows/s, 5 s left, "
        "4 × 50 rows at a time\r\x1b[K"
    )


@pytest.mark.usefixtures("later")
def test_a_narrow_terminal_gets_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that wraps could not be written over."""
    make_terminal(monkeypatch, columns=40)
    assert shown(capsys, progress()) == ("\r\x1b[K[##########----------] 50 %, 500 of 1,0\r\x1b[K")


def test_progress_is_told_while_nothing_is_done(
    run: Run, mock: responses.RequestsMock, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that takes its time does not look like a program that hangs."""
    monkeypatch.setattr("kserve_client.cli.progress.PLAIN_LINE_EVERY_S", 0.2)
    # Its package names the function as the module.
    monkeypatch.setattr(sys.modules["kserve_client.scoring.calls"], "IDLE_S", 0.2)
    serve(mock, ScriptedModel(lambda *_: time.sleep(1.5)))
    ran = run("score", "naming", good, "out.csv")
    assert "0 %, 0 of 10 rows, 0 rows/s" in ran.err
    for word in ("--quiet", "--json"):
        assert run("score", "naming", good, "out.csv", word).err == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (80, "1 min 20 s"), (7500, "2 h 5 min")],
)
def test_times_in_words(seconds: float, words: str) -> None:
    """Two units are enough."""
    assert duration(seconds) == words


def test_cells_of_any_kind_survive_the_way_to_standard_output(
    run: Run, model: ScriptedModel
) -> None:
    """Line ends within cells and letters of any script."""
    Path("rows.csv").write_bytes('note,x\r\n"a\nb",1\r\nß€漢,2\r\n'.encode())
    ran = run("score", "naming", "rows.csv", "-")
    assert list(csv.reader(io.StringIO(ran.out, newline="")))[1:] == [
        ["a\nb", "1", "one", "ok", ""],
        ["ß€漢", "2", "two", "ok", ""],
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--engine", "dask"], "--engine dask --scheduler tcp://HOST:PORT, both of them"),
        (["--scheduler", "tcp://h:1"], "--engine dask --scheduler tcp://HOST:PORT, both of them"),
        (["--engine", "dask", "--scheduler", "tcp://h:1"], "--job DIR"),
    ],
)
def test_a_cluster_is_named_whole(
    run: Run, model: ScriptedModel, good: Path, given: list[str], told: str
) -> None:
    """What is missing is said before anything is sent."""
    ran = run("score", "naming", good, "-", *given)
    assert ran.status == 2
    assert told in ran.err
    assert model.sent == []
