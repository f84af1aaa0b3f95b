"""The address names the model: links lead to it, and going back goes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, NewVisit, Visit
from tests.servers import Dashboard, streamlit_server
from tests.v2_server import Json, one_number, v2_server

# Alone such a test takes seconds; a machine that is busy otherwise makes minutes of them.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SIGNATURE = "signature: {features: [{name: x, min: 0, max: 1}], outputs: [{name: predict}]}"
MODELS = f"""
endpoints: {{test: {{url: 'SERVER'}}}}
models:
  iris: {{endpoint: test, title: Iris species, {SIGNATURE}}}
  penguins: {{endpoint: test, title: Penguin species, {SIGNATURE}}}
  slow: {{endpoint: test, title: Slow one, {SIGNATURE}}}
"""

# A far network: what a browser sends and hears comes later by so many milliseconds.
FAR = """(() => { const Near = window.WebSocket; const late = 150;
 window.WebSocket = class extends Near {
  send(data) { setTimeout(() => super.send(data), late); }
  set onmessage(hear) { super.onmessage = event => setTimeout(() => hear(event), late); }
  addEventListener(kind, hear, ...more) {
   super.addEventListener(kind, kind === "message" ? e => setTimeout(() => hear(e), late) : hear, ...more);
  } }; })()"""


@pytest.fixture(scope="module")
def gate() -> threading.Event:
    """What the model `slow` waits for."""
    return threading.Event()


@pytest.fixture(scope="module")
def own(gate: threading.Event, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Run a dashboard over three models, one of which answers once it is let."""

    def later(request: Json) -> Json:
        gate.wait(60)
        return one_number(request)

    folder = tmp_path_factory.mktemp("address")
    with v2_server(iris=one_number, penguins=one_number, slow=later) as server:
        path: Path = folder / "models.yaml"
        path.write_text(MODELS.replace("SERVER", server.url))
        with streamlit_server(path, folder / "dashboard.log") as running:
            yield running
        gate.set()


@pytest.fixture
def visit(own: Dashboard, new_visit: NewVisit) -> Visit:
    """Open a wide window of that dashboard."""
    return new_visit(url=own.url)


def stands_at(visit: Visit, address: str, title: str) -> None:
    """The window has this address, and its page this title."""
    heading = visit.page.get_by_test_id("stMain").get_by_role("heading", level=1)
    expect(heading).to_have_text(title)
    expect(visit.page).to_have_url(f"{visit.url}/{address}")


def pick(visit: Visit, title: str) -> None:
    """Choose a model in the sidebar."""
    visit.page.get_by_test_id("stSidebar").get_by_role("combobox").click()
    visit.page.get_by_role("option", name=title).click()


def test_the_address_has_the_name_of_the_model(visit: Visit) -> None:
    """Of the first one too, on every page, and one step back is one step back."""
    visit.go("")
    stands_at(visit, "?m=iris", "Models")
    visit.choose_page("Details")
    stands_at(visit, "model?m=iris", "Details · Iris species")
    pick(visit, "Penguin species")
    stands_at(visit, "model?m=penguins", "Details · Penguin species")
    visit.choose_page("Predict")
    stands_at(visit, "predict?m=penguins", "Predict · Penguin species")
    visit.page.go_back()
    stands_at(visit, "model?m=penguins", "Details · Penguin species")
    visit.page.go_back()
    stands_at(visit, "model?m=iris", "Details · Iris species")
    visit.page.go_back()
    stands_at(visit, "?m=iris", "Models")
    visit.page.go_forward()
    stands_at(visit, "model?m=iris", "Details · Iris species")


def test_a_card_leads_to_its_model(visit: Visit) -> None:
    """Also while another one is chosen."""
    visit.go("?m=penguins")
    visit.page.get_by_test_id("stMain").get_by_role("link", name="Predict").first.click()
    stands_at(visit, "predict?m=iris", "Predict · Iris species")


def test_back_right_after_another_model_was_picked(visit: Visit) -> None:
    """It is no echo of a browser that lags behind: the page is about the model of before."""
    visit.page.add_init_script(FAR)
    visit.go("model?m=iris")
    stands_at(visit, "model?m=iris", "Details · Iris species")
    pick(visit, "Penguin species")
    stands_at(visit, "model?m=penguins", "Details · Penguin species")
    visit.page.go_back()
    stands_at(visit, "model?m=iris", "Details · Iris species")
    visit.page.go_forward()
    stands_at(visit, "model?m=penguins", "Details · Penguin species")


def test_a_card_of_the_model_that_was_just_left(visit: Visit) -> None:
    """It leads to its own model, however soon."""
    visit.go("?m=iris")
    pick(visit, "Penguin species")
    stands_at(visit, "?m=penguins", "Models")
    visit.page.get_by_test_id("stMain").get_by_role("link", name="Predict").first.click()
    stands_at(visit, "predict?m=iris", "Predict · Iris species")


def test_a_link_with_a_title(visit: Visit) -> None:
    """Links of once opened a model by its title: they still do, and the address gets the name."""
    visit.go("predict?m=Penguin+species")
    stands_at(visit, "predict?m=penguins", "Predict · Penguin species")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_link_to_a_model_that_is_gone(own: Dashboard, new_visit: NewVisit, scheme: str) -> None:
    """On a phone the note is there in full, stays, and leads to other models."""
    visit = new_visit(url=own.url, scheme=scheme, **PHONE)
    visit.go("predict?m=nope")
    stands_at(visit, "predict?m=nope", "Predict")
    note = visit.page.get_by_text("There is no model nope")
    expect(note).to_be_in_viewport()
    visit.page.reload()
    visit.settle()
    expect(note).to_be_in_viewport()
    expect(visit.page.get_by_role("link", name="All models")).to_be_in_viewport()
    visit.page.get_by_role("combobox", name="Another model").tap()
    visit.page.get_by_role("option", name="Penguin species").tap()
    stands_at(visit, "predict?m=penguins", "Predict · Penguin species")
    expect(note).to_have_count(0)


def test_the_menu_of_a_phone_closes_after_a_tap(own: Dashboard, new_visit: NewVisit) -> None:
    """The page that was chosen is not behind the menu, and the next one neither."""
    visit = new_visit(url=own.url, **PHONE)
    visit.go("predict?m=iris")
    link = visit.page.get_by_test_id("stSidebar").get_by_role("link")
    for name in ("Details", "Health"):
        visit.page.get_by_test_id("stExpandSidebarButton").tap()
        expect(link.filter(has_text=name)).to_be_in_viewport()
        link.filter(has_text=name).tap()
        stands_at(
            visit, f"{'model' if name == 'Details' else 'health'}?m=iris", f"{name} · Iris species"
        )
        expect(link.first).not_to_be_in_viewport()


def test_nothing_but_a_sign_says_that_a_page_is_drawn(visit: Visit, gate: threading.Event) -> None:
    """Streamlit's own Stop would stand beside Cancel of a job, and not stop the job."""
    visit.page.goto(f"{visit.url}/predict?m=slow")
    sign = visit.page.get_by_test_id("stStatusWidgetRunningIcon")
    expect(sign).to_be_visible()
    expect(visit.page.get_by_text("Stop", exact=True)).to_have_count(1)
    expect(visit.page.get_by_text("Stop", exact=True)).not_to_be_visible()
    gate.set()
    expect(sign).to_have_count(0)


@pytest.mark.parametrize("second", ["page", "tab", "model"])
def test_a_click_right_after_another_model_was_picked(visit: Visit, second: str) -> None:
    """The browser does not know the new address yet: the model stays the one that was picked last."""
    visit.page.add_init_script(FAR)
    visit.go("model?m=iris")
    stands_at(visit, "model?m=iris", "Details · Iris species")
    visit.page.wait_for_timeout(1000)
    pick(visit, "Penguin species")
    if second == "page":
        visit.choose_page("Predict")
        stands_at(visit, "predict?m=penguins", "Predict · Penguin species")
    elif second == "tab":
        visit.page.get_by_role("tab", name="What the server says").click()
        stands_at(visit, "model?m=penguins&part=What+the+server+says", "Details · Penguin species")
    else:
        pick(visit, "Slow one")
        stands_at(visit, "model?m=slow", "Details · Slow one")
