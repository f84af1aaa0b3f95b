"""Details in a real browser: from a CSV to a form that works, before a real MLServer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.mlserver import MLServer
from tests.browser.conftest import NewVisit, Visit
from tests.servers import Dashboard, streamlit_server

# Alone such a test takes seconds; a machine that is busy otherwise makes minutes of them.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
HEAD = """
endpoints: {{demo: {{url: '{url}', title: Demo server}}}}
models:
"""
# MLServer's metadata of this model is empty, and nobody else says anything.
BARE = "  iris: {title: Iris species, endpoint: demo}\n"
# The columns of the grid, as a keyboard passes them.
COLUMNS = ["name", "use", "check", "title", "kind", "min", "max", "step", "default", "unit"]
ROW_PX = 35
PHONE = (390, 844)
ATTEMPTS, OPENED_MS = 4, 3_000


@pytest.fixture
def models_file(mlserver: MLServer, tmp_path: Path) -> Path:
    """Write a models file that describes nothing."""
    path = tmp_path / "models.yaml"
    path.write_text(HEAD.format(url=mlserver.url) + BARE)
    return path


@pytest.fixture
def undescribed(models_file: Path, tmp_path: Path) -> Iterator[Dashboard]:
    """Run a dashboard on it."""
    with streamlit_server(models_file, tmp_path / "dashboard.log") as running:
        yield running


def drop(visit: Visit, file: Path) -> None:
    """Drop a file and wait for its grid."""
    visit.page.locator("input[type=file]").set_input_files(file)
    expect(visit.page.get_by_text(f"{file.name} ·")).to_be_visible()
    expect(grid(visit.page)).to_be_visible()
    visit.settle()


def grid(page: Page) -> Locator:
    return page.get_by_test_id("data-grid-canvas").first


def type_into(visit: Visit, row: int, column: str, text: str) -> None:
    """Type into a cell of the grid of features as a person does: click its row, go there, type."""
    editor = visit.page.locator(".gdg-clip-region").locator("textarea, input")
    for _ in range(ATTEMPTS):
        go_to(visit, row, COLUMNS.index(column))
        visit.page.keyboard.press("Enter")
        try:
            expect(editor).to_be_visible(timeout=OPENED_MS)
        except AssertionError:  # the grid was drawn anew meanwhile, and lost its place
            continue
        break
    editor.fill(text)
    editor.press("Enter")
    visit.settle()


def go_to(visit: Visit, row: int, column: int) -> None:
    box = grid(visit.page).bounding_box()
    assert box is not None
    # The first column stays in sight wherever the grid was scrolled to.
    visit.page.mouse.click(box["x"] + 60, box["y"] + ROW_PX * (row + 1.5))
    visit.page.keyboard.press("Home")
    for _ in range(column):
        visit.page.keyboard.press("ArrowRight")


def slider(visit: Visit, label: str) -> Locator:
    return visit.page.get_by_role("slider", name=re.compile(f"^{re.escape(label)}"))


def answer(visit: Visit) -> Locator:
    return visit.page.get_by_test_id("stMain").get_by_role("heading", level=2).first


def test_from_a_csv_to_a_working_form(
    undescribed: Dashboard, new_visit: NewVisit, models_file: Path, demo_models_file: Path
) -> None:
    """Drop, edit, try, take along, and the page Predict has the form; nothing is started anew."""
    visit = new_visit(url=undescribed.url, size=(1440, 1000))
    visit.go("predict?m=iris")
    expect(visit.page.get_by_text("there is no form for it yet")).to_be_visible()
    visit.page.get_by_test_id("stMain").get_by_role("link", name="Learn from a CSV").click()
    visit.settle()
    expect(visit.page.get_by_text("This model does not say what it takes")).to_be_visible()

    drop(visit, demo_models_file.parent / "data" / "iris-150.csv")
    expect(visit.page.get_by_text("4 of 5 are used")).to_be_visible()
    type_into(visit, 2, "title", "Length of the petal")
    type_into(visit, 2, "max", "9.5")
    edited = slider(visit, "Length of the petal · 1 – 9.5")
    expect(edited).to_have_attribute("max", "9.5")

    visit.page.get_by_role("button", name="Try it").click()
    expect(answer(visit)).to_have_text("predict [1]")
    visit.page.get_by_role("button", name="Name the outputs of this answer").click()
    expect(answer(visit)).to_have_text("Iris versicolor")
    edited.focus()
    edited.press("Home")
    expect(visit.page.get_by_text("The form has changed since this answer")).to_be_visible()

    # Elsewhere and back: what was typed is there.
    visit.page.get_by_role("tab", name="What the server says").click()
    expect(visit.page.get_by_text("Metadata as JSON")).to_be_visible()
    visit.page.get_by_role("tab", name="Learn from a CSV").click()
    expect(slider(visit, "Length of the petal · 1 – 9.5")).to_be_visible()

    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Download iris.yaml").click()
    entry = Path(download.value.path()).read_text()
    models_file.write_text(models_file.read_text().replace(BARE, entry))
    visit.choose_page("Predict")
    expect(slider(visit, "Length of the petal · 1 – 9.5")).to_be_visible()
    expect(answer(visit)).to_have_text(re.compile("^Iris "))


def test_a_wrong_edit_is_told_beside_the_grid(
    undescribed: Dashboard, new_visit: NewVisit, demo_models_file: Path
) -> None:
    """A range upside down is words, and the form stays as it last made sense."""
    visit = new_visit(url=undescribed.url, size=(1440, 1000))
    visit.go("model?m=iris")
    drop(visit, demo_models_file.parent / "data" / "iris-150.csv")
    type_into(visit, 0, "min", "11")
    expect(visit.page.get_by_text("The form shows what last made sense")).to_be_visible()
    expect(visit.page.get_by_text("min (11) must be below max (8)").first).to_be_visible()
    expect(slider(visit, "sepal length · 4 – 8")).to_be_visible()
    type_into(visit, 0, "min", "3")
    expect(slider(visit, "sepal length · 3 – 8")).to_be_visible()
    expect(visit.page.get_by_text("The form shows what last made sense")).to_have_count(0)


def test_learning_on_a_phone(
    undescribed: Dashboard, new_visit: NewVisit, demo_models_file: Path
) -> None:
    """One column, nothing scrolls sideways, and the form asks the model."""
    visit = new_visit(url=undescribed.url, size=PHONE, scheme="dark")
    visit.go("model?m=iris")
    drop(visit, demo_models_file.parent / "data" / "iris-150.csv")
    visit.page.get_by_role("button", name="Try it").click()
    expect(answer(visit)).to_have_text("predict [1]")
    main = visit.page.get_by_test_id("stMain")
    assert main.evaluate("node => node.scrollWidth - node.clientWidth") <= 0


def test_a_gap_in_the_form_is_told_and_spares_the_rest(
    undescribed: Dashboard, new_visit: NewVisit, tmp_path: Path
) -> None:
    """What is needed is said beside the form; the entry can be taken along all the same."""
    remarks = tmp_path / "remarks.csv"
    rows = [f"{n / 10},a remark of its own number {n}" for n in range(60)]
    remarks.write_text("\n".join(["length,remark", *rows, ""]))
    visit = new_visit(url=undescribed.url, size=(1440, 1000))
    visit.go("model?m=iris")
    drop(visit, remarks)
    text = visit.page.get_by_role("textbox", name=re.compile("^remark"))
    text.fill("x")
    text.press("Control+Enter")
    expect(visit.page.get_by_role("button", name="Try it")).to_be_enabled()
    text.fill("")
    text.press("Control+Enter")
    expect(visit.page.get_by_text("The form is not complete")).to_be_visible()
    expect(visit.page.get_by_role("button", name="Try it")).to_be_disabled()
    expect(visit.page.get_by_role("button", name="Download iris.yaml")).to_be_visible()
