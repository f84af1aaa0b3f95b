import argparse
import io
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import responses

from kserve_client.cli import main, predict
from kserve_client.cli.arguments import build_parser
from kserve_client.cli.console import table
from tests.kubernetes_api import KubernetesAPI, kubernetes_api, write_kubeconfig
from tests.unit.command_line import Ran, Run, without_proxies
from tests.unit.scripted_model import (
    INFER_URL,
    MODELS_FILE,
    URL,
    ScriptedModel,
    predicted,
    problem,
    serve,
)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "command-line.md"
PICTURE_MODEL = """
  pictures:
    endpoint: test
    signature:
      input: image
      features: [{name: image, kind: image, image: {width: 2, height: 1}}]
      outputs: [{name: predict, kind: label, labels: [dark, light]}]
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
    models_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run the command line with the models file in its variable."""
    monkeypatch.setenv("KSERVE_CLIENT_MODELS", str(models_file))

    def run(*words: str | Path) -> Ran:
        status = main([str(word) for word in words])
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture
def model(mock: responses.RequestsMock) -> ScriptedModel:
    return serve(mock, ScriptedModel())


@pytest.fixture
def table_file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("id,x\n7,0\n8,bad\n9,2\n")
    return path


def plain(status: int) -> Callable[[requests.PreparedRequest], tuple[int, dict[str, str], str]]:
    """A server that answers everything with one status."""
    return lambda _: (status, {}, "")


# Documentation


def _commands() -> dict[str, argparse.ArgumentParser]:
    actions = build_parser()._actions
    (commands,) = (a.choices for a in actions if isinstance(a, argparse._SubParsersAction))
    return commands  # type: ignore[return-value]


def test_there_are_the_commands_people_were_promised() -> None:
    """The command line has the nine commands."""
    assert list(_commands()) == [
        "models",
        "metadata",
        "describe",
        "health",
        "doctor",
        "predict",
        "score",
        "jobs",
        "job",
    ]


@pytest.mark.parametrize("name", _commands())
def test_every_command_and_option_is_documented(name: str) -> None:
    """The page has a section per command, and in it each of its options and arguments."""
    _, _, section = PAGE.read_text().partition(f"\n## {name}\n")
    section = section.partition("\n## ")[0]
    assert section, f"no section ## {name}"
    shared = {"-h", "--help", "--models", "--json"}
    for action in _commands()[name]._actions:
        for word in action.option_strings or [str(action.metavar)]:
            if word not in shared:
                assert f"`{word}" in section, f"{word} is not documented under ## {name}"


def test_options_of_all_commands_and_exit_statuses_are_documented() -> None:
    """What holds for every command stands before the first one."""
    before = PAGE.read_text().partition("\n## models\n")[0]
    for word in ("--models", "--json", "--version", "--help", "KSERVE_CLIENT_MODELS"):
        assert f"`{word}" in before
    for status in (0, 1, 2, 3, 130, 141):
        assert f"| {status} |" in before


# models


def test_models_lists_what_the_file_names(run: Run) -> None:
    """Each model has a line; nothing is asked of any server."""
    ran = run("models")
    assert ran.status == 0
    assert ran.out.splitlines() == [
        "MODEL   TITLE   ENDPOINT           FEATURES  ANSWER",
        "naming  Naming  http://model.test         1  label",
    ]


def test_models_as_json(run: Run) -> None:
    """Programs get the same with every detail."""
    (model,) = run("models", "--json").json["models"]
    assert model["name"] == "naming"
    assert model["endpoint"] == {"name": "test", "title": "Test server", "url": URL}
    assert model["signature"]["features"] == [{"name": "x", "min": 0.0, "max": 2.0}]
    assert model["examples"] == ["A one"]


def test_models_of_a_cluster_that_is_away(run: Run, models_file: Path, tmp_path: Path) -> None:
    """One model that has nowhere to go hides none of the others."""
    (tmp_path / "config").write_text("no kubeconfig")
    cluster = f"kubernetes: {{namespaces: [flowers], kubeconfig: {tmp_path / 'config'}}}\n"
    entry = "  iris: {inference_service: flowers/iris}\n"
    models_file.write_text(cluster + models_file.read_text().rstrip() + "\n" + entry)
    ran = run("models")
    assert ran.status == 1
    assert ran.out.splitlines()[1:] == [
        "naming  Naming  http://model.test  1              label",
        "iris    iris    –                  as others say  –",
    ]
    assert "can't be used" in ran.err
    told = run("models", "--json").json
    assert [model["name"] for model in told["models"]] == ["naming", "iris"]
    assert told["models"][1]["endpoint"] is None
    assert len(told["problems"]) == 1


@pytest.fixture
def cluster(models_file: Path, tmp_path: Path) -> Iterator[KubernetesAPI]:
    """A models file that names a cluster without models, and nothing else."""
    with kubernetes_api() as api:
        kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", api)
        settings = f"{{namespaces: [flowers], kubeconfig: {kubeconfig}}}"
        models_file.write_text(f"kubernetes: {settings}\n")
        yield api


def _away(api: KubernetesAPI, tmp_path: Path) -> None:
    api.url = "http://127.0.0.1:1"
    write_kubeconfig(tmp_path / "kubeconfig", api)


def _without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)


@pytest.mark.parametrize("command", ["models", "health"])
def test_a_cluster_that_could_not_be_asked_is_not_one_without_models(
    run: Run,
    cluster: KubernetesAPI,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """No answer is status 3, a refusal 1, a library that is missing 2; each says why."""
    cluster.allowed = set()
    refused = run(command)
    _away(cluster, tmp_path)
    away = run(command)
    _without_library(monkeypatch)
    unasked = run(command, "--json")
    assert (refused.status, away.status, unasked.status) == (1, 3, 2)
    assert refused.out == away.out == "No models are known: not all of the cluster could be seen.\n"
    assert "no permission to list InferenceServices in namespace flowers" in refused.err
    assert "no connection to the Kubernetes API at http://127.0.0.1:1" in away.err
    assert unasked.json["models"] == []
    (problem,) = unasked.json["problems"]
    assert "pip install" in problem
    assert unasked.err == f"kserve-client: {problem}\n"


def test_a_cluster_without_models_says_so(run: Run, cluster: KubernetesAPI) -> None:
    """To list nothing is well; to check nothing is no sign of health."""
    assert run("models") == Ran(0, "The cluster shows none.\n", "")
    ran = run("health")
    assert ran == Ran(2, "The cluster shows none.\n", "kserve-client: there is no model to check\n")
    assert run("health", "--json").json == {"models": [], "problems": []}


def test_a_model_of_a_cluster_that_is_away_has_the_reason_of_the_cluster(
    run: Run, cluster: KubernetesAPI, models_file: Path, tmp_path: Path
) -> None:
    """Whether the models file names it or not: it may be there, so it is not called unknown."""
    _away(cluster, tmp_path)
    unnamed = run("health", "flowers/iris")
    assert unnamed.status == 3
    assert "model 'flowers/iris' can't be seen: no connection to the Kube" in unnamed.err
    models_file.write_text(
        models_file.read_text() + "models: {iris: {inference_service: flowers/iris}}\n"
    )
    assert run("health", "iris").status == 3
    assert run("predict", "iris", "--input", "[1]").status == 3
    unknown = run("health", "irsi")
    assert unknown.status == 2
    assert "no model 'irsi' in the catalog; there is iris" in unknown.err


@pytest.mark.parametrize("words", [["--models", "{}", "models"], ["models", "--models", "{}"]])
def test_models_file_may_be_named_before_and_after_the_command(
    run: Run, tmp_path: Path, words: list[str]
) -> None:
    """A named file wins over the environment variable, wherever it stands."""
    other = tmp_path / "other.yaml"
    other.write_text("version: 1\nendpoints: {}\nmodels: {}\n")
    ran = run(*[word.format(other) for word in words])
    assert ran == Ran(0, "The models file names no models.\n", "")


def test_schema_needs_no_models_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema is about models files, so none is needed."""
    monkeypatch.delenv("KSERVE_CLIENT_MODELS")
    ran = run("models", "--schema")
    assert ran.status == 0
    assert ran.json["title"] == "Models file of kserve-client"


# metadata


def test_metadata_shows_server_and_model(run: Run, mock: responses.RequestsMock) -> None:
    """What the server says of itself and of the model stands together."""
    mock.get(f"{URL}/v2", json={"name": "mlserver", "version": "1.7.1", "extensions": []})
    inputs = [{"name": "x", "datatype": "FP64", "shape": [-1, 1]}]
    mock.get(f"{URL}/v2/models/naming", json={"name": "naming", "platform": "p", "inputs": inputs})
    ran = run("metadata", "naming")
    assert ran.status == 0
    assert "Server      mlserver 1.7.1\n" in ran.out
    assert "input  x     FP64      [-1, 1]\n" in ran.out
    told = run("metadata", "naming", "--json").json
    assert told["server"]["name"] == "mlserver"
    assert told["model"]["inputs"][0]["shape"] == [-1, 1]


def test_metadata_of_a_model_the_server_does_not_know(
    run: Run, mock: responses.RequestsMock
) -> None:
    """A refusal is status 1 and one line with the server's own words."""
    mock.get(f"{URL}/v2", json={"name": "mlserver"})
    mock.get(f"{URL}/v2/models/naming", status=404, json={"error": "Model naming not found"})
    ran = run("metadata", "naming", "--json")
    assert ran.status == 1
    assert ran.json["error"]["kind"] == "NotFoundError"
    assert ran.json["error"]["status"] == 404
    assert ran.json["error"]["server_message"] == "Model naming not found"
    assert ran.err.count("\n") == 1


# health


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and ports that answer without a network; the HTTP steps go through `responses`."""
    answer = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [answer])
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: socket.socket())


def _health(mock: responses.RequestsMock, status: int) -> None:
    for path in ("health/live", "health/ready", "models/naming/ready"):
        mock.add_callback(responses.GET, f"{URL}/v2/{path}", callback=plain(status))


@pytest.mark.usefixtures("reachable", "model")
def test_health_of_models_that_are_well(run: Run, mock: responses.RequestsMock) -> None:
    """All ready is status 0; a named model shows its steps."""
    _health(mock, 200)
    ran = run("health")
    assert ran.status == 0
    assert re.search(r"^naming  ready +\d+ ms  Naming answers\.$", ran.out, re.MULTILINE)
    assert "STEP" not in ran.out
    named = run("health", "naming").out
    assert "DNS             ok" in named
    assert "the example 'A one' gave one, as expected" in named
    assert "Test inference" not in run("health", "naming", "--no-inference").out


@pytest.mark.usefixtures("reachable", "model")
@pytest.mark.parametrize(
    ("expected", "is_expected"), [(", expect: one", True), (", expect: two", False), ("", None)]
)
def test_health_says_whether_the_answer_was_expected(
    run: Run,
    mock: responses.RequestsMock,
    models_file: Path,
    expected: str,
    is_expected: bool | None,
) -> None:
    """Programs need not read the sentence; another answer is no failure."""
    models_file.write_text(MODELS_FILE.replace(", expect: one", expected))
    _health(mock, 200)
    ran = run("health", "--json")
    assert ran.status == 0
    assert ran.json["models"][0]["is_expected"] is is_expected
    assert run("health", "--json", "--no-inference").json["models"][0]["is_expected"] is None


@pytest.mark.usefixtures("reachable", "model")
def test_health_is_not_well_while_the_cluster_is_away(
    run: Run,
    mock: responses.RequestsMock,
    cluster: KubernetesAPI,
    models_file: Path,
) -> None:
    """The models of the file are checked; that others are not seen is status 1, and said."""
    _health(mock, 200)
    models_file.write_text(models_file.read_text() + MODELS_FILE)
    ran = run("health")  # no port answers but that of the model
    assert ran.status == 1
    assert "Naming answers." in ran.out
    assert "no connection to the Kubernetes API at " in ran.err
    named = run("health", "naming")
    assert (named.status, named.err) == (0, "")


@pytest.mark.parametrize("command", ["health", "metadata", "describe", "doctor"])
@pytest.mark.usefixtures("reachable")
def test_a_token_that_is_not_there_is_a_setting_to_mend(
    run: Run, models_file: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Nothing was asked, so nobody shall wait for an answer."""
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    text = MODELS_FILE.partition("    signature:")[0]
    models_file.write_text(text.replace("title: Test server", "auth: {env: NO_SUCH_TOKEN}"))
    ran = run(command, "naming")
    assert ran.status == 2
    assert "NO_SUCH_TOKEN" in ran.out + ran.err


def test_health_of_a_missing_token_beside_a_server_that_is_down(
    run: Run, models_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting alone would never make it well."""
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        models_file.write_text(
            "endpoints:\n"
            f"  locked: {{url: 'http://127.0.0.1:{port}', auth: {{env: NO_SUCH_TOKEN}}}}\n"
            "  gone: {url: 'http://127.0.0.1:1'}\n"
            "models: {locked: {endpoint: locked}, gone: {endpoint: gone}}\n"
        )
        assert (run("health").status, run("health", "gone").status) == (2, 3)


@pytest.mark.usefixtures("reachable")
def test_health_of_a_model_that_is_not_ready(run: Run, mock: responses.RequestsMock) -> None:
    """An endpoint that answers, but not well, is status 1."""
    _health(mock, 503)
    ran = run("health", "naming")
    assert ran.status == 1
    assert "Server live     failed" in ran.out
    assert "See it from outside: curl -sS -i -m 5 http://model.test/v2/health/live" in ran.out
    (told,) = run("health", "--json").json["models"]
    assert told["state"] == "not ready"
    assert told["latency_ms"] is None
    states = [rung["state"] for rung in told["rungs"]]
    assert states == ["ok", "ok", "failed", "unreached", "unreached", "unreached"]


def test_health_when_nothing_answers(run: Run, models_file: Path) -> None:
    """No answer from any endpoint is status 3."""
    models_file.write_text(MODELS_FILE.replace(URL, "http://127.0.0.1:1"))
    ran = run("health")
    assert ran.status == 3
    assert "Naming is down: nothing listens on 127.0.0.1:1;" in ran.out


# predict


def test_ctrl_c_is_told_to_programs_too(run: Run, mock: responses.RequestsMock) -> None:
    """In JSON as any other end, in one line to people."""

    def interrupt(_number: int, _rows: list[float]) -> None:
        raise KeyboardInterrupt

    serve(mock, ScriptedModel(interrupt))
    ran = run("predict", "naming", "--input", "[1]", "--json")
    assert ran.json == {
        "error": {"kind": "KeyboardInterrupt", "message": "interrupted", "exit_status": 130}
    }
    told = Ran(130, "", "kserve-client: interrupted\n")
    assert (ran.status, ran.err) == (told.status, told.err)
    assert run("predict", "naming", "--input", "[1]") == told


def test_predict_one_row(run: Run, model: ScriptedModel) -> None:
    """One row gives its answer in words."""
    assert run("predict", "naming", "--input", '{"x": 2}') == Ran(0, "two\n", "")
    assert model.sent == [[2.0]]


@pytest.mark.parametrize("given", ['[{"x": 2}, {"x": 0}]', "[[2], [0]]"])
def test_predict_several_rows(run: Run, model: ScriptedModel, given: str) -> None:
    """Rows are objects, or lists in the order of the features."""
    ran = run("predict", "naming", "--input", given)
    assert ran.out.splitlines() == ["ROW  PREDICTION", "  1  two", "  2  zero"]
    assert run("predict", "naming", "--json", "--input", given).json == {
        "model": "naming",
        "rows": [{"row": 1, "prediction": "two"}, {"row": 2, "prediction": "zero"}],
        "ok": 2,
        "failed": 0,
    }


def test_predict_one_row_given_as_a_list(run: Run, model: ScriptedModel) -> None:
    """A plain list is one row."""
    assert run("predict", "naming", "--input", "[1]").out == "one\n"


def test_predict_reads_standard_input_and_files(
    run: Run, model: ScriptedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` is standard input, `@file` a file, as with curl."""
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"x": 1}'))
    assert run("predict", "naming", "--input", "-").out == "one\n"
    rows = tmp_path / "rows.json"
    rows.write_text('{"x": 2}')
    assert run("predict", "naming", "--input", f"@{rows}").out == "two\n"


def test_predict_shows_probabilities_in_order(
    run: Run, mock: responses.RequestsMock, models_file: Path
) -> None:
    """The likeliest class comes first."""
    models_file.write_text(MODELS_FILE.replace("kind: label", "kind: probabilities"))
    output = {"name": "predict", "shape": [1, 3], "datatype": "FP64", "data": [0.2, 0.1, 0.7]}
    mock.post(INFER_URL, json={"outputs": [output]})
    assert run("predict", "naming", "--input", "[1]").out.splitlines() == [
        "two",
        "",
        "CLASS  PROBABILITY",
        "two          0.700",
        "zero         0.200",
        "one          0.100",
    ]


def test_predict_sends_the_picture_that_a_value_names(
    run: Run, mock: responses.RequestsMock, models_file: Path, tmp_path: Path
) -> None:
    """`@picture.png` stands for the bytes of the file."""
    image = pytest.importorskip("PIL.Image")
    picture = tmp_path / "picture.png"
    image.frombytes("L", (2, 1), b"\x00\xff").save(picture)
    models_file.write_text(MODELS_FILE + PICTURE_MODEL)
    mock.post(f"{URL}/v2/models/pictures/infer", body=predicted([1])[2])
    ran = run("predict", "pictures", "--input", json.dumps({"image": f"@{picture}"}))
    assert ran.out == "light\n"
    sent = json.loads(mock.calls[-1].request.body or b"")
    assert sent["inputs"][0]["data"] == [0.0, 1.0]


def test_predict_reads_a_table(run: Run, model: ScriptedModel, table_file: Path) -> None:
    """Each row has its answer or its error; one error is status 1."""
    ran = run("predict", "naming", "--file", table_file)
    assert ran.status == 1
    assert ran.out.splitlines() == [
        "ROW  prediction  ERROR",
        "  1  zero        –",
        "  2  –           x: 'bad' is not a number",
        "  3  two         –",
    ]
    assert ran.err == (
        "kserve-client: 1 of 3 rows failed; the first is row 2: x: 'bad' is not a number\n"
    )
    told = run("predict", "naming", "--json", "--file", table_file).json
    assert told["rows"][1] == {"row": 2, "prediction": None, "error": "x: 'bad' is not a number"}
    assert (told["ok"], told["failed"]) == (2, 1)


def test_predict_asks_for_the_decimal_sign_and_takes_it(
    run: Run, model: ScriptedModel, tmp_path: Path
) -> None:
    """What the error names can be given."""
    rows = tmp_path / "rows.tsv"
    rows.write_text("a\tx\nb\t1.000\n")
    ran = run("predict", "naming", "--file", rows)
    assert (ran.status, model.sent) == (2, [])
    assert "--decimal . or --decimal ," in ran.err
    assert run("predict", "naming", "--file", rows, "--decimal", ".").status == 0
    assert model.sent == [[1.0]]


def test_predict_says_what_is_out_of_range(run: Run, model: ScriptedModel) -> None:
    """The row is answered all the same; one line on standard error says why to doubt it."""
    ran = run("predict", "naming", "--input", '{"x": 51}')
    assert ran.status == 0
    assert ran.err == "kserve-client: x is outside its usual range, 0 to 2: 51\n"
    ran = run("predict", "naming", "--input", '[{"x": 1}, {"x": "-3"}, {"x": 51.5}]', "--json")
    assert ran.json["ok"] == 3
    assert ran.err == (
        "kserve-client: x is outside its usual range, 0 to 2, in 2 of 3 rows; the first is row 2: "
        "-3\n"
    )
    assert run("predict", "naming", "--input", "[[0], [2]]").err == ""


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            "x\n1\n51\n2\n",
            "x is outside its usual range, 0 to 2, in 1 of 3 rows; the first is row 2: 51",
        ),
        (
            "x;y\n1,5;a\n9,5;b\n",
            "x is outside its usual range, 0 to 2, in 1 of 2 rows; the first is row 2: 9.5",
        ),
        ("x\n99\n", "x is outside its usual range, 0 to 2: 99"),
        (
            '{"x": 1}\n{"x": -7}\n',
            "x is outside its usual range, 0 to 2, in 1 of 2 rows; the first is row 2: -7",
        ),
    ],
)
def test_predict_a_table_says_what_is_out_of_range(
    run: Run, model: ScriptedModel, tmp_path: Path, table: str, words: str
) -> None:
    """In whatever way the file writes its numbers."""
    rows = tmp_path / ("rows.jsonl" if table.startswith("{") else "rows.csv")
    rows.write_text(table)
    ran = run("predict", "naming", "--file", rows)
    assert (ran.status, ran.err) == (0, f"kserve-client: {words}\n")


def test_predict_keeps_a_sensitive_number_to_itself(
    run: Run, model: ScriptedModel, models_file: Path
) -> None:
    """That it is out of range, and nothing of the number."""
    text = MODELS_FILE.replace("{name: x, ", "{name: x, unit: mg, sensitive: true, ")
    models_file.write_text(text.replace("max: 2}", "}"))
    ran = run("predict", "naming", "--input", '{"x": -51}')
    assert ran.err == "kserve-client: x is outside its usual range, 0 mg and above\n"


def test_predict_a_table_when_nothing_answers(
    run: Run, mock: responses.RequestsMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer at all is status 3, with the reason."""
    monkeypatch.setattr(predict, "PATIENCE_S", 0.0)
    mock.post(INFER_URL, body=requests.ReadTimeout())
    rows = tmp_path / "rows.csv"
    rows.write_text("x\n1\n")
    ran = run("predict", "naming", "--file", rows)
    assert ran.status == 3
    assert "no answer from Test server" in ran.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "naming", "--input", "{"], "--input is not JSON: Expecting property name"),
        (["predict", "naming", "--input", "[]"], "--input holds no rows"),
        (["predict", "naming", "--input", "[[1, 2]]"], "a row is an object, or a list of 1 values"),
        (["predict", "naming", "--input", '{"y": 1}'], "no feature 'y'"),
        (["predict", "naming", "--input", '{"x": "bad"}'], "row 1, x: 'bad' is not a number"),
        (["predict", "naming", "--file", "/no/such.csv"], "/no/such.csv: No such file"),
        (["predict", "nope", "--input", "[1]"], "no model 'nope' in the catalog; there is naming"),
        (["predict", "naming"], "one of the arguments --input --file is required"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        ([], "the following arguments are required: COMMAND"),
        (["models", "--models", "/no/such.yaml"], "/no/such.yaml: there is no such file"),
    ],
)
def test_mistake_of_the_caller_is_status_2_and_one_line(
    run: Run, model: ScriptedModel, words: list[str], message: str
) -> None:
    """Nothing is sent; one line on standard error says what is wrong; --json says it too."""
    ran = run(*words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("kserve-client: ")
    assert message in ran.err
    assert ran.err.count("\n") == 1
    told = run(*words, "--json")
    assert told.status == 2
    assert message in told.json["error"]["message"]
    assert told.json["error"]["exit_status"] == 2
    assert model.sent == []


def test_no_models_file_is_a_mistake_of_the_caller(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a models file there is nothing to do, and it says how to give one."""
    monkeypatch.delenv("KSERVE_CLIENT_MODELS")
    ran = run("health")
    assert ran.status == 2
    assert ran.err == (
        "kserve-client: no models file: give --models FILE or set KSERVE_CLIENT_MODELS\n"
    )


def test_wrong_models_file_names_line_and_field(run: Run, models_file: Path) -> None:
    """The error of a models file can be found by a program, too."""
    models_file.write_text(MODELS_FILE.replace("endpoint: test", "endpoint: tset"))
    ran = run("models", "--json")
    assert ran.status == 2
    assert ran.json["error"]["field"] == "models.naming.endpoint"
    assert ran.json["error"]["line"] == 9


def test_no_answer_is_status_3(run: Run, mock: responses.RequestsMock) -> None:
    """A server that does not answer is told from one that refuses."""
    mock.post(INFER_URL, body=requests.ReadTimeout())
    assert run("predict", "naming", "--input", "[1]").status == 3


def test_refusal_is_status_1(run: Run, mock: responses.RequestsMock) -> None:
    """A server that refuses is told from one that does not answer."""
    serve(mock, ScriptedModel(lambda *_: problem(500, "no")))
    ran = run("predict", "naming", "--input", "[1]")
    assert ran.status == 1
    assert "500 Internal Server Error: no" in ran.err


# Console


def test_table_is_aligned_with_numbers_to_the_right() -> None:
    """Numbers stand under each other, nothing is a dash, line ends become blanks."""
    assert table(("A", "NUMBER"), [("x\ny", 1000), (None, 2)]).splitlines() == [
        "A    NUMBER",
        "x y    1000",
        "–         2",
    ]


# The process


def _process(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kserve_client", *words]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )


def test_version_and_help_of_the_module() -> None:
    """`python -m kserve_client` is the command line, under its own name."""
    version = _process("--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert re.fullmatch(r"kserve-client \d+\.\d+\.\d+\n", version.stdout)
    assert _process("--help").stdout.startswith("usage: kserve-client ")


def test_closed_pipe_is_no_traceback(models_file: Path) -> None:
    """`kserve-client models | head -0` ends quietly."""
    command = [sys.executable, "-m", "kserve_client", "models", "--models", str(models_file)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")


def test_command_line_loads_nothing_heavy() -> None:
    """It starts without pandas, Pillow, pyarrow or Streamlit."""
    code = (
        "import sys; from kserve_client.cli import main; main(['models', '--schema']); "
        "print({'pandas', 'PIL', 'pyarrow', 'streamlit'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stderr == "set()\n"
