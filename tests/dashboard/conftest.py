"""The app in a simulated browser (AppTest), over a small real server with scripted answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from dashboard import gateway
from dashboard.settings import settings
from kserve_client.catalog import logged
from kserve_client.model import Model
from tests.dashboard.batch_jobs import model_of
from tests.servers import ROOT
from tests.unit.catalog.recorded_mlflow import mlflow_server
from tests.v2_server import Json, V2Server, tensor, v2_server

OpenPage = Callable[..., AppTest]
TIMEOUT_S = 30

# Two models of one server. `flower` answers by its first number, `weight` is ten times its input.
MODELS = """
version: 1
endpoints:
  test: {url: URL, title: Test server}
models:
  flower:
    title: Flower
    description: Which flower it is.
    owner: Botany
    endpoint: test
    signature:
      features:
        - {name: length, title: Petal length, unit: cm, min: 0, max: 10, step: 0.5, default: 2.5}
        - {name: width, title: Petal width, unit: cm, min: 0, max: 4, step: 0.1, default: 1.5}
      outputs:
        - {name: predict, kind: label, labels: [Rose, Tulip, Aster]}
        - {name: predict_proba, kind: probabilities}
    examples:
      - {name: A rose, row: {length: 1.5, width: 0.5}, expect: Rose}
      - {name: A tulip, row: {length: 7, width: 2}, expect: Tulip}
  weight:
    title: Weight
    endpoint: test
    model_name: heavy
    model_version: v2
    signature:
      features: [{name: size, min: 0, max: 100}]
      outputs: [{name: predict, kind: value, unit: kg, decimals: 1}]
"""


def flower(request: Json) -> Json:
    """Answer rows of [length, width]: below 5 it is a rose, else a tulip."""
    (given,) = request["inputs"]
    lengths = given["data"][::2]
    classes = [0 if length < 5 else 1 for length in lengths]
    shares = [[0.7, 0.2, 0.1] if found == 0 else [0.05, 0.9, 0.05] for found in classes]
    rows = len(lengths)
    return {
        "outputs": [
            tensor("predict", "INT64", [rows, 1], classes),
            tensor("predict_proba", "FP64", [rows, 3], [cell for row in shares for cell in row]),
        ]
    }


def weight(request: Json) -> Json:
    """Answer ten times each number."""
    (given,) = request["inputs"]
    found = [10 * number for number in given["data"]]
    return {"outputs": [tensor("predict", "FP64", given["shape"], found)]}


@pytest.fixture(autouse=True)
def no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold every run of every test here to it: no page ends in a traceback."""
    run = AppTest._run

    def run_without_traceback(self: AppTest, *args: Any, **kwargs: Any) -> AppTest:
        done = run(self, *args, **kwargs)
        assert [error.value for error in done.exception] == []
        return done

    monkeypatch.setattr(AppTest, "_run", run_without_traceback)


@pytest.fixture(autouse=True)
def past_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run pages as every run but a process's first does; test_page_guard.py is about that one.

    AppTest forgets st.navigation before each run, so that the guard would start each run twice,
    and the second one no longer knows which button was pressed.
    """
    make = PagesManager.__init__

    def make_navigated(self: PagesManager, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", make_navigated)


@pytest.fixture
def mlflow() -> Iterator[V2Server]:
    """Play what MLflow 3.17.2 once answered."""
    with mlflow_server() as running:
        yield running


@pytest.fixture(autouse=True)
def first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page wait for the first check of a model, however busy the machine is."""
    monkeypatch.setattr(gateway, "FIRST_LOOK_S", TIMEOUT_S)


@pytest.fixture(autouse=True)
def first_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MLflow answer however late: what it did not say in time is not asked for again for long."""
    monkeypatch.setattr(logged, "LONGEST_ASK_S", TIMEOUT_S)


@pytest.fixture(autouse=True)
def own_jobs(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let no test see the jobs of another one."""
    monkeypatch.setenv("KSERVE_CLIENT_JOBS_FOLDER", str(tmp_path_factory.mktemp("jobs")))


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[V2Server]:
    """Run a V2 server with the models of MODELS, or SERVED of the test's own file where it has some."""
    served = getattr(request.module, "SERVED", {"flower": flower, "heavy": weight})
    with v2_server(**served) as running:
        yield running


@pytest.fixture
def model(server: V2Server) -> Model:
    """Stand before the model that batch jobs are run with."""
    return model_of(server)


@pytest.fixture
def models_file(server: V2Server, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Write MODELS, those of the test's own file where it has some, with the server's address."""
    path = tmp_path / "models.yaml"
    path.write_text(getattr(request.module, "MODELS", MODELS).replace("URL", server.url))
    return path


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, models_file: Path) -> OpenPage:
    """Return a function that opens a page, by its name, over a models file (None: none is named)."""

    def opened(name: str, models: Path | None = models_file, **query: str) -> AppTest:
        if models is None:
            monkeypatch.delenv("KSERVE_CLIENT_MODELS", raising=False)
        else:
            monkeypatch.setenv("KSERVE_CLIENT_MODELS", str(models))
        settings.cache_clear()
        app = AppTest.from_file(ROOT / "app.py", default_timeout=TIMEOUT_S)
        app.query_params.update(query)
        # Before the first run, so that the page is the first thing this session sees.
        return app.switch_page(f"pages/{name}.py").run() if name != "home" else app.run()

    return opened
