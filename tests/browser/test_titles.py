"""What people call a model: it comes while the page is open, and the page stays where it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewVisit, Visit
from tests.servers import Dashboard, streamlit_server
from tests.unit.catalog.recorded_mlflow import mlflow_server
from tests.v2_server import Reply, V2Server, one_number, v2_server

# Alone such a test takes seconds; a machine that is busy otherwise makes minutes of them.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MODELS = """
mlflow: {url: 'MLFLOW'}
endpoints: {test: {url: 'SERVER'}}
models:
  first: {endpoint: test, title: First}
  flower: {endpoint: test, mlflow: 'models:/iris@champion'}
  second: {endpoint: test, title: Second}
"""


@pytest.fixture
def silent() -> Iterator[tuple[V2Server, threading.Event]]:
    """Run an MLflow that answers once it is let."""
    gate = threading.Event()
    with mlflow_server() as mlflow:
        answer = mlflow.reply

        def later(asked: Any) -> Reply:
            gate.wait(120)
            return answer(asked)

        mlflow.reply = later  # type: ignore[method-assign]
        yield mlflow, gate
        gate.set()


@pytest.fixture
def models_file(silent: tuple[V2Server, threading.Event], tmp_path: Path) -> Iterator[Path]:
    """Write a models file with a model that MLflow describes."""
    with v2_server(first=one_number, flower=one_number, second=one_number) as server:
        path = tmp_path / "models.yaml"
        path.write_text(MODELS.replace("MLFLOW", silent[0].url).replace("SERVER", server.url))
        yield path


@pytest.fixture
def own(models_file: Path, tmp_path: Path) -> Iterator[Dashboard]:
    """Run a dashboard that has never heard of MLflow's titles."""
    with streamlit_server(
        models_file, tmp_path / "dashboard.log", KSERVE_CLIENT_REFRESH_S="1"
    ) as running:
        yield running


def shows(visit: Visit, label: str) -> None:
    """The picker shows a model by these words."""
    picker = visit.page.get_by_test_id("stSidebar").get_by_role("combobox")
    expect(picker).to_have_value(label)


def test_a_title_that_comes_later(
    own: Dashboard, new_visit: NewVisit, silent: tuple[V2Server, threading.Event]
) -> None:
    """Cards and picker take it by themselves; cards keep their place and the model stays chosen."""
    visit = new_visit(url=own.url)
    visit.go("?m=flower")
    cards = visit.page.get_by_test_id("stMain")
    expect(cards.get_by_text("flower", exact=True)).to_be_visible()
    shows(visit, "flower")
    before = cards.get_by_text("flower", exact=True).bounding_box()
    silent[1].set()
    expect(cards.get_by_text("Iris species", exact=True)).to_be_visible()
    shows(visit, "Iris species")
    after = cards.get_by_text("Iris species", exact=True).bounding_box()
    assert before is not None
    assert after is not None
    assert (before["x"], before["y"]) == pytest.approx((after["x"], after["y"]), abs=2)
    visit.choose_page("Details")
    expect(visit.page.get_by_role("heading", name="Details · Iris species")).to_be_visible()


@pytest.mark.parametrize("page", ["batch", "health"])
def test_a_page_that_was_opened_first_takes_the_title(
    own: Dashboard, new_visit: NewVisit, silent: tuple[V2Server, threading.Event], page: str
) -> None:
    """Its heading and the picker, without a click."""
    silent[1].set()  # MLflow answers at once, which is later than the page is drawn
    visit = new_visit(url=own.url)
    visit.go(f"{page}?m=flower")
    heading = visit.page.get_by_test_id("stMain").get_by_role("heading", level=1)
    expect(heading).to_have_text(f"{page.capitalize()} · Iris species")
    shows(visit, "Iris species")


def test_a_title_that_changes_twice(own: Dashboard, new_visit: NewVisit, models_file: Path) -> None:
    """The page is about the same model, whatever words the address had before."""
    visit = new_visit(url=own.url)
    visit.go("?m=second")
    shows(visit, "Second")
    for title in ("Another", "A third one"):
        text = models_file.read_text()
        models_file.write_text(text[: text.rindex("title:")] + f"title: {title}}}\n")
        shows(visit, title)
    visit.choose_page("Health")
    expect(visit.page.get_by_role("heading", name="A third one")).to_be_visible()
    assert visit.page.get_by_test_id("stToast").count() == 0
