"""The doctor on real servers, and proof that its fixes mend what it found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kserve_client import Catalog
from kserve_client.doctor import Fix, Report, examine
from scripts import demo_models
from scripts.kserve_server import KServeServer
from scripts.mlserver import MLServer
from tests import needs

# A KServe program around the one of the demo, with what the doctor printed pasted in.
PROGRAM = """
from examples import kserve_model
from examples.kserve_model import BareModel

{pasted}


class Repository(kserve_model.Repository):
    def model_of(self, name, home):
        return {kind}(name, home)


kserve_model.serve(Repository)
"""
IRIS = """
endpoints: {test: {url: "URL"}}
models:
  iris:
    endpoint: test
    signature:
      features:
        - {name: sepal length}
        - {name: sepal width}
        - {name: petal length}
        - {name: petal width}
    examples:
      - {name: Setosa, row: {sepal length: 5.1, sepal width: 3.5, petal length: 1.4, petal width: 0.2}}
      - {name: Virginica, row: {sepal length: 7.2, sepal width: 3.6, petal length: 6.1, petal width: 2.5}}
"""


def verdicts(report: Report, *others: str) -> dict[str, str]:
    """The checks that did not end with these verdicts, with theirs."""
    return {r.key: r.verdict for r in report.results if r.verdict not in others}


def fix_of(report: Report, key: str) -> Fix:
    """The fix of a check."""
    fix = report.result(key).fix
    assert fix is not None
    return fix


def test_the_models_of_the_demo_on_mlserver(catalog: Catalog) -> None:
    """What MLServer 1.7.1 does otherwise than the protocol says, model by model, and nothing else."""
    usual = {
        "model-metadata": "fail",  # empty without model-settings.json
        "versions": "warn",  # versions: [] though v1 answers
        "malformed-json": "warn",  # FastAPI's detail
        "wrong-shape": "fail",  # 500 in plain text
        "input-names": "warn",  # any name is taken
        "missing-numbers": "warn",  # 500
    }
    reports = {name: examine(catalog, name) for name in catalog}
    found = {name: verdicts(report, "pass", "skipped") for name, report in reports.items()}
    described = {key: verdict for key, verdict in usual.items() if key != "model-metadata"}
    with_gaps = {key: verdict for key, verdict in usual.items() if key != "missing-numbers"}
    assert found == {
        "iris": usual,
        "penguin_mass": described,
        "penguins": with_gaps,
        "digits": usual,
        "denoise": usual,
    }
    assert {report.grade for report in reports.values()} == {"B"}
    assert reports["penguins"].result("column-order").verdict == "pass"
    assert reports["penguins"].result("wrong-shape").finding.endswith("200 OK, not refused")


@pytest.fixture
def own_folder(demo_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of two models of the demo that a test may change."""
    for name in ("iris", "penguins"):
        shutil.copytree(demo_folder / "mlserver" / name, tmp_path / "models" / name)
    return tmp_path / "models"


def put_into_settings(home: Path, fields: dict[str, Any]) -> None:
    """Put fields into the model-settings.json of a model."""
    path = home / "model-settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def demo_catalog(folder: Path, url: str, demo_folder: Path) -> Catalog:
    """The catalog of the demo for a server of ours."""
    shutil.copytree(demo_folder / "data", folder / "data", dirs_exist_ok=True)
    demo_models.write_models_file(folder / "models.yaml", url)
    return Catalog.load(folder / "models.yaml")


@pytest.mark.slow
def test_the_fixes_mend_models_on_mlserver(
    own_folder: Path, demo_folder: Path, tmp_path: Path
) -> None:
    """Written beside the models, they turn every check that they are for into a pass.

    MLServer 1.7.1 reads inputs, outputs and versions from model-settings.json, and a class beside it.
    """
    server = MLServer(needs.mlserver_python(), own_folder, tmp_path / "mlserver.log")
    with server:
        catalog = demo_catalog(tmp_path, server.url, demo_folder)
        for name in ("iris", "penguins"):
            report = examine(catalog, name)
            home, code = own_folder / name, fix_of(report, "wrong-shape")
            put_into_settings(home, json.loads(fix_of(report, "model-metadata").content))
            (home / code.file_name).write_text(code.content)
            put_into_settings(home, {"implementation": "checked_runtime.CheckedModel"})
        server.stop()
        server.start()
        server.wait_until_ready()
        for name in ("iris", "penguins"):
            report = examine(catalog, name)
            assert verdicts(report, "pass", "skipped") == {"malformed-json": "warn"}, name
            assert report.grade == "A"
            assert report.result("metadata-matches").verdict == "pass"


@pytest.mark.slow
def test_the_fix_of_a_leak_mends_mlserver(
    own_folder: Path, demo_folder: Path, tmp_path: Path
) -> None:
    """Its debug, on by default, sends tracebacks; settings.json turns it off."""
    server = _Untold(needs.mlserver_python(), own_folder, tmp_path / "mlserver.log")
    with server:
        catalog = demo_catalog(tmp_path, server.url, demo_folder)
        report = examine(catalog, "iris")
        assert report.result("no-leak").verdict == "fail"
        fix = fix_of(report, "no-leak")
        (own_folder / fix.file_name).write_text(fix.content)
        server.stop()
        server.start()
        server.wait_until_ready()
        assert examine(catalog, "iris").result("no-leak").verdict == "pass"


class _Untold(MLServer):
    """A MLServer that nobody told about debugging."""

    def _variables(self) -> dict[str, str]:
        known = super()._variables()
        return {name: value for name, value in known.items() if name != "MLSERVER_DEBUG"}


@pytest.fixture
def kserve(
    demo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, str], Catalog]]:
    """Return a function that serves iris with KServe, by code and the name of its class."""
    shutil.copytree(demo_folder / "mlserver" / "iris", tmp_path / "models" / "iris")
    (tmp_path / "models" / "iris" / "model-settings.json").unlink()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    running: list[KServeServer] = []

    def serve(pasted: str, kind: str) -> Catalog:
        program = f"served_{kind.lower()}"
        (tmp_path / f"{program}.py").write_text(PROGRAM.format(pasted=pasted, kind=kind))
        for before in running:
            before.stop()
        log = tmp_path / f"{program}.log"
        server = KServeServer(needs.kserve_python(), tmp_path / "models", log, program=program)
        running.append(server)
        server.start()
        server.wait_until_ready()
        (tmp_path / "models.yaml").write_text(IRIS.replace("URL", server.url))
        return Catalog.load(tmp_path / "models.yaml")

    yield serve
    for server in running:
        server.stop()


@pytest.mark.slow
def test_the_fixes_mend_a_model_on_kserve(kserve: Callable[[str, str], Catalog]) -> None:
    """KServe 0.21.0: empty metadata, any input name, 500 for wrong input; then none of it."""
    report = examine(kserve("", "BareModel"), "iris")
    assert verdicts(report, "pass", "skipped") == {
        "model-metadata": "fail",
        "malformed-json": "warn",
        "wrong-shape": "fail",
        "input-names": "warn",
        "missing-numbers": "warn",
    }
    methods = fix_of(report, "model-metadata").content
    code = fix_of(report, "wrong-shape").content
    # The class to derive from is the reader's own.
    known = "from sklearnserver import SKLearnModel  # the class of your model\n"
    assert known in code
    code = code.replace(known, "SKLearnModel = BareModel\n")
    mended = examine(kserve(f"{code}\n{methods}", "CheckedModel"), "iris")
    assert verdicts(mended, "pass", "skipped") == {"malformed-json": "warn"}
    assert mended.result("metadata-matches").verdict == "pass"
    assert mended.grade == "A"
