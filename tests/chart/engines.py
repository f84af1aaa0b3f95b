"""Asks the program in the charts' environment: real Helm engines, Kubernetes' schemas, rules in CEL."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "kserve-client"
PROGRAM = Path(__file__).with_name("chart_program.py")
Object = dict[str, Any]
Values = dict[str, Any]


class RefusedError(Exception):
    """Helm refused the values; the message is what a person reads."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of a release in the order of their templates, and its notes."""

    objects: tuple[Object, ...]
    notes: str

    def all(self, kind: str) -> list[Object]:
        """The objects of a kind."""
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind: str) -> Object:
        """The only object of a kind, the pod of `helm test` aside."""
        (found,) = self.all(kind)
        return found

    def settings(self) -> dict[str, str]:
        """The variables of the dashboard."""
        (found,) = (
            one for one in self.all("ConfigMap") if one["metadata"]["name"].endswith("-settings")
        )
        return dict(found["data"])

    def container(self) -> Object:
        """The container of the dashboard."""
        (found,) = self.one("Deployment")["spec"]["template"]["spec"]["containers"]
        return dict(found)

    def variables(self, secret: Mapping[str, str]) -> dict[str, str]:
        """The settings, and what the pod takes from the Secret of the object storage."""
        referred = {
            one["name"]: secret[one["valueFrom"]["secretKeyRef"]["key"]]
            for one in self.container()["env"]
            if one["name"].startswith("AWS_")
        }
        return self.settings() | referred


class Engines:
    """The running program."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lock = threading.Lock()

    def ask(self, question: str, **more: Any) -> Any:
        """Put one question, wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"ask": question, **more}) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def render(self, values: Values, *, name: str = "dash", chart: Path = CHART) -> Rendered:
        """Render with Helm 4. Raises RefusedError."""
        files = self.ask(
            "render", chart=str(chart), values=values, name=name, namespace="dashboards"
        )
        if "refused" in files:
            raise RefusedError(files["refused"])
        notes = "".join(text for path, text in files.items() if path.endswith("NOTES.txt"))
        return Rendered(
            tuple(
                one
                for path in sorted(files)
                if path.endswith(".yaml")
                for one in yaml.safe_load_all(files[path])
                if one
            ),
            notes,
        )

    def template(self, values: Values, helm_version: str) -> tuple[Object, ...]:
        """Render with another engine, v3 or v4. Raises RefusedError."""
        answer = self.ask(
            "template",
            chart=str(CHART),
            values=values,
            name="dash",
            namespace="dashboards",
            kube_version="1.30.0",
            helm_version=helm_version,
        )
        if "refused" in answer:
            raise RefusedError(answer["refused"])
        return tuple(one for one in yaml.safe_load_all(answer["text"]) if one)


@contextmanager
def engines(python: Path) -> Iterator[Engines]:
    """Run the program until the block ends."""
    with subprocess.Popen(
        [python, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Engines(process)
        finally:
            process.terminate()


def values_of(name: str) -> Values:
    """The values of an example in charts/kserve-client/ci."""
    found: Values = yaml.safe_load((CHART / "ci" / f"{name}.yaml").read_text())
    return found


EXAMPLES = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
