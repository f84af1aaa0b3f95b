"""Snippets against the real MLServer: bash and Python get the answer that the client got."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kserve_client import Catalog, Endpoint, InferResponse, snippets
from kserve_client.wire.json import parse_response
from scripts.demo_models import EXAMPLES
from tests import needs

MODELS = list(yaml.safe_load((EXAMPLES / "models.yaml").read_text())["models"])


def said(response: InferResponse) -> list[Any]:
    """The outputs as plain values; ids differ from answer to answer."""
    return [(t.name, t.datatype, t.shape, t.data.tolist()) for t in response.outputs]


def in_bash(text: str) -> bytes:
    needs.require(shutil.which("curl"), "there is no curl on the PATH")
    variables = os.environ | {"no_proxy": "127.0.0.1"}
    ran = subprocess.run(
        ["bash", "-c", text], capture_output=True, check=False, timeout=60, env=variables
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def in_python(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, "snippet", "exec"), names)
    return names


@pytest.mark.parametrize("name", MODELS)
def test_every_model_answers_its_snippets(
    catalog: Catalog, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers, a mixed table with a gap, pictures in and out: four ways, one answer."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    row = dict(catalog.entry(name).examples[0].row)
    row.pop("body_mass_g" if name == "penguins" else "", None)
    exchange = catalog.model(name).exchange(row).exchange
    call = snippets.Call.of(catalog.endpoint(name), exchange)
    expected = said(exchange.response)
    assert said(parse_response(in_bash(snippets.curl(call)))) == expected
    ours = in_python(snippets.python_client(call))
    assert said(ours["response"]) == expected
    theirs = in_python(snippets.python_requests(call))["response"]
    assert said(parse_response(theirs.content)) == expected
    assert "Content-Encoding" not in theirs.headers


def test_a_large_request_is_read_from_its_file(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10,000 irises do not fit in a line."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    row = dict(catalog.entry("iris").examples[0].row)
    exchange = catalog.model("iris").exchange([row] * 10_000).exchange
    call = snippets.Call.of(catalog.endpoint("iris"), exchange)
    assert call.body_file == "request.json"
    (tmp_path / call.body_file).write_bytes(call.body)
    with contextlib.chdir(tmp_path):
        answer = parse_response(in_bash(snippets.curl(call)))
        ours = in_python(snippets.python_client(call))["response"]
    assert answer.output("predict").shape == (10_000, 1)
    assert said(answer) == said(ours) == said(exchange.response)


def test_a_question_without_a_body(catalog: Catalog) -> None:
    """The metadata of a model, by curl."""
    endpoint: Endpoint = catalog.endpoint("iris")
    call = snippets.Call(endpoint, "/v2/models/iris", method="GET")
    assert json.loads(in_bash(snippets.curl(call)))["name"] == "iris"
