"""The files that mend what was found, as they are written."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from kserve_client.doctor import Fix, Report
from tests.unit.doctor.ideal_server import Reply, Request, ideal_server
from tests.unit.doctor.patients import COLUMNS, SUMS, examined

EMPTY: dict[str, Any] = {"platform": "", "versions": [], "inputs": [], "outputs": []}
INPUTS = [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
OUTPUTS = [
    {"name": "total", "datatype": "FP64", "shape": [-1]},
    {"name": "double", "datatype": "FP64", "shape": [-1, 2]},
]


def served_by(server: str, described: str = SUMS, *, name: str = "sums") -> Report:
    """The report on a model without metadata, of a server that calls itself so."""
    told = {"name": server, "version": "1", "extensions": []}

    def instead(request: Request) -> Reply | None:
        if request.path == "/v2" and request.method == "GET":
            return Reply(body=told)
        is_model = request.path == f"/v2/models/{name}"
        return Reply(body={"name": name, **EMPTY}) if is_model else None

    with ideal_server(instead=instead) as running:
        return examined(running.url, described, name=name)


def fix_of(report: Report, key: str = "model-metadata") -> Fix:
    fix = report.result(key).fix
    assert fix is not None
    return fix


def test_mlserver_gets_fields_of_its_settings() -> None:
    """Inputs as they are sent, outputs as they came; the number of rows varies."""
    fix = fix_of(served_by("mlserver"))
    assert (fix.file_name, fix.language) == ("model-settings.json", "json")
    assert json.loads(fix.content) == {
        "name": "sums",
        "versions": ["1"],
        "inputs": INPUTS,
        "outputs": OUTPUTS,
    }
    assert '"shape": [-1, 2]' in fix.content


def test_columns_are_inputs_of_their_own() -> None:
    """Each is [-1, 1], as the client sends it."""
    found = json.loads(fix_of(served_by("mlserver", COLUMNS, name="columns")).content)
    assert found["inputs"] == [
        {"name": "a", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "b", "datatype": "FP64", "shape": [-1, 1]},
    ]


def test_kserve_gets_the_methods_of_its_model() -> None:
    """They stand in a class as they are, and give the same."""
    fix = fix_of(served_by("kserve"))
    assert (fix.file_name, fix.language) == ("model_types.py", "python")
    space: dict[str, Any] = {}
    exec(f"class Pasted:\n{fix.content}", space)
    pasted = space["Pasted"]()
    assert asyncio.run(pasted.get_input_types()) == INPUTS
    assert asyncio.run(pasted.get_output_types()) == OUTPUTS


def test_other_servers_get_the_answer_to_give() -> None:
    """Whatever file theirs is made of."""
    fix = fix_of(served_by("acme"))
    assert "GET /v2/models/sums should answer this" in fix.what
    assert json.loads(fix.content) == {
        "name": "sums",
        "versions": [],
        "platform": "",
        "inputs": INPUTS,
        "outputs": OUTPUTS,
    }


@pytest.mark.parametrize("server", ["mlserver", "kserve", "acme"])
def test_every_file_is_of_its_language(server: str) -> None:
    """JSON, Python and YAML that can be read."""
    readers: dict[str, Callable[[str], object]] = {
        "json": json.loads,
        "python": _parsed_python,
        "yaml": yaml.safe_load,
        "": str,
    }
    fixes = [result.fix for result in served_by(server).results if result.fix]
    assert fixes
    for fix in fixes:
        assert bool(fix.content) == bool(fix.file_name) == bool(fix.language)
        readers[fix.language](fix.content)


def _parsed_python(content: str) -> None:
    """Methods to paste have the indentation of their class."""
    is_class_body = content.startswith("# Methods")
    ast.parse(f"class Pasted:\n{content}" if is_class_body else content)


@pytest.mark.parametrize(
    ("server", "file_name", "words"),
    [
        ("mlserver", "checked_runtime.py", "raise InferenceError(str(error))"),
        ("kserve", "checked_model.py", 'INPUTS = ["x"]'),
    ],
)
def test_wrong_input_is_refused_by_code(server: str, file_name: str, words: str) -> None:
    """No setting does it: a class around the model's own."""
    told = {"name": server, "version": "1", "extensions": []}

    def instead(request: Request) -> Reply | None:
        if request.path == "/v2":
            return Reply(body=told)
        is_wrong = request.is_infer and b"[2, 2]" in request.body and b"30" not in request.body
        return Reply(500, b"Internal Server Error", {}) if is_wrong else None

    with ideal_server(instead=instead) as running:
        fix = fix_of(examined(running.url), "wrong-shape")
    assert fix.file_name == file_name
    assert words in fix.content
    ast.parse(fix.content)


def test_a_leak_is_closed_by_a_setting_of_mlserver() -> None:
    """Its debug is on when nobody says otherwise."""
    told = {"name": "mlserver", "version": "1", "extensions": []}
    leak = Reply(500, b'Traceback (most recent call last):\n  File "/opt/x.py", line 1', {})

    def instead(request: Request) -> Reply | None:
        if request.path == "/v2":
            return Reply(body=told)
        return leak if request.body == b'{"inputs": [' else None

    with ideal_server(instead=instead) as running:
        fix = fix_of(examined(running.url), "no-leak")
    assert (fix.file_name, fix.content) == ("settings.json", '{\n  "debug": false\n}\n')


def test_mlflow_on_mlserver_is_mended_in_the_catalog() -> None:
    """Its runtime writes its own metadata over the file, so the names are taken as they come.

    Seen: the metadata says output-0, the answer output-1.
    """
    server = {"name": "mlserver", "version": "1.7.1", "extensions": []}
    outputs = [{"name": "output-0", "datatype": "INT64", "shape": [-1]}]
    model = {"name": "sums", "inputs": INPUTS, "outputs": outputs}
    replies = {"/v2": server, "/v2/models/sums": model | {"parameters": {"content_type": "pd"}}}

    def instead(request: Request) -> Reply | None:
        found = replies.get(request.path)
        return Reply(body=found) if found else None

    with ideal_server(instead=instead) as running:
        fix = fix_of(examined(running.url), "metadata-matches")
    assert "MLflow runtime" in fix.what
    assert yaml.safe_load(fix.content) == {
        "models": {
            "sums": {
                "signature": {
                    "outputs": [
                        {"name": "total", "requested": False},
                        {"name": "double", "requested": False},
                    ]
                }
            }
        }
    }
