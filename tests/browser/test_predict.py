import re
import threading
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from scripts.mlserver import MLServer
from tests.browser.conftest import PHONE, NewVisit, Visit
from tests.servers import streamlit_server
from tests.v2_server import Json, tensor, v2_server

# Alone such a test takes seconds; a machine that is busy otherwise makes minutes of them.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
RECOVERY_MS = 15_000
# What a setosa with the longest petals is taken for.
LONG = "Iris versicolor"


def answer(visit: Visit) -> Locator:
    """Return the big answer; while a page is drawn anew the old one may still stand below it."""
    return visit.page.get_by_test_id("stMain").get_by_role("heading", level=2).first


def slider(visit: Visit, label: str) -> Locator:
    return visit.page.get_by_role("slider", name=re.compile(f"^{label}"))


def box(visit: Visit, label: str) -> Locator:
    return visit.page.get_by_role("spinbutton", name=re.compile(f"^{label}"))


def moved(thumb: Locator, key: str, times: int = 1) -> None:
    """Move a slider by the keyboard."""
    thumb.focus()
    for _ in range(times):
        thumb.press(key)


def whole_runs(messages: list[bytes]) -> int:
    """Count the runs of the whole page among what the server sent; fragments end otherwise."""
    found = [ForwardMsg.FromString(raw) for raw in messages]
    ends = [message.script_finished for message in found if message.HasField("script_finished")]
    return ends.count(ForwardMsg.FINISHED_SUCCESSFULLY)


def listen(page: Page) -> list[bytes]:
    """Return a list that fills with what the server sends."""
    messages: list[bytes] = []

    def received(data: bytes | str) -> None:
        messages.append(data if isinstance(data, bytes) else data.encode())

    page.on("websocket", lambda socket: socket.on("framereceived", received))
    return messages


def test_a_moved_slider_changes_the_answer(visit: Visit) -> None:
    """Only the form and the answer run again, not the page around them."""
    messages = listen(visit.page)
    visit.go("predict?m=iris")
    expect(answer(visit)).to_have_text("Iris setosa")
    before, drawn = whole_runs(messages), len(messages)
    moved(slider(visit, "Petal length"), "End")
    expect(answer(visit)).to_have_text(LONG)
    expect(box(visit, "Petal length")).to_have_value(re.compile("7"))
    assert len(messages) > drawn
    assert before == whole_runs(messages) >= 1, "a moved slider ran the whole page"


def test_a_slider_held_down_does_not_jump_back(visit: Visit) -> None:
    """Twenty moves faster than the page can run are twenty moves."""
    visit.go("predict?m=iris")
    expect(answer(visit)).to_have_text("Iris setosa")
    moved(slider(visit, "Petal length"), "ArrowRight", 20)
    expect(box(visit, "Petal length")).to_have_value(re.compile(r"^3\.40?$"))
    expect(slider(visit, "Petal length")).to_have_value(re.compile(r"^3\.4"))


def test_a_typed_number_moves_the_slider(visit: Visit) -> None:
    """The box and the slider are one value."""
    visit.go("predict?m=iris")
    box(visit, "Petal length").fill("6.1")
    box(visit, "Petal length").press("Enter")
    expect(slider(visit, "Petal length")).to_have_value("6.1")
    expect(visit.page.get_by_role("radio", name="Setosa")).not_to_be_checked()
    expect(answer(visit)).not_to_have_text("Iris setosa")


def test_the_bars_can_be_read(visit: Visit) -> None:
    """The chart has its numbers as text for those who can't see it."""
    visit.go("predict?m=iris")
    chart = visit.page.get_by_role("figure", name=re.compile("Probabilities: Iris setosa 9"))
    expect(chart).to_be_visible()


def test_a_picture_is_classified(visit: Visit, demo_models_file: Path) -> None:
    """An uploaded seven is read as a seven, and shown as the model gets it."""
    visit.go("predict?m=digits")
    expect(answer(visit)).to_have_text("3")
    picture = demo_models_file.parent / "data" / "seven.png"
    visit.page.locator("input[type=file]").set_input_files(picture)
    expect(answer(visit)).to_have_text("7")
    expect(visit.page.get_by_role("img", name="The picture as the model gets it")).to_be_visible()
    expect(visit.page.get_by_role("radio", name="A three")).not_to_be_checked()
    # An example takes the place of the upload.
    visit.page.get_by_role("radio", name="A five").click()
    expect(answer(visit)).to_have_text("5")


def test_a_picture_comes_out(visit: Visit) -> None:
    """The answer of the denoiser is a picture."""
    visit.go("predict?m=denoise")
    expect(visit.page.get_by_role("img", name=re.compile("^The answer of"))).to_be_visible()


def test_a_value_has_its_unit(visit: Visit) -> None:
    """Grams, grouped; another number after a move."""
    visit.go("predict?m=penguin_mass")
    expect(answer(visit)).to_have_text("3,848 g")
    moved(slider(visit, "Flipper length"), "ArrowRight", 10)
    expect(answer(visit)).not_to_have_text("3,848 g")
    expect(answer(visit)).to_have_text(re.compile(r"^\d,\d{3} g$"))


def test_the_mixed_table(visit: Visit) -> None:
    """Pills, sliders and gaps; what is not known is null on the wire."""
    visit.go("predict?m=penguins")
    expect(answer(visit)).to_have_text("Adelie")
    visit.page.get_by_text("A Gentoo", exact=True).click()
    expect(answer(visit)).to_have_text("Gentoo")
    mass = box(visit, "Body mass").locator("xpath=ancestor::*[@data-testid='stNumberInput']")
    mass.get_by_role("button", name="Clear value").click()
    expect(visit.page.get_by_text(re.compile("^Body mass .* not known$"))).to_be_visible()
    visit.page.get_by_text("Request and answer as they were sent").click()
    request = visit.page.get_by_role("tabpanel", name="Request")
    expect(request).to_contain_text("null")
    expect(answer(visit)).to_have_text("Gentoo")
    visit.page.get_by_role("radio", name=re.compile("^male")).click()  # lets go of it
    expect(request).to_contain_text("unknown")
    visit.page.get_by_role("radio", name="Dream").click()
    expect(request).to_contain_text("Dream")


def test_nobody_elses_picture_is_answered(visit: Visit, demo_models_file: Path) -> None:
    """A broken file over an upload leaves its answer, pale; without a file there is no picture."""
    picture = demo_models_file.parent / "data" / "seven.png"
    visit.go("predict?m=digits")
    visit.page.locator("input[type=file]").set_input_files(picture)
    expect(answer(visit)).to_have_text("7")
    broken: Any = {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture"}
    visit.page.locator("input[type=file]").set_input_files(broken)
    expect(visit.page.get_by_text("It is not a picture (PNG, JPEG, …)").first).to_be_visible()
    card = visit.page.locator(".st-key-answer-card")
    expect(card).to_have_css("opacity", "0.5")
    expect(answer(visit)).to_have_text("7")
    visit.page.get_by_role("button", name="Remove broken.png").click()
    expect(visit.page.get_by_text("Picture: needed").first).to_be_visible()
    expect(visit.page.get_by_role("img", name="The picture as the model gets it")).to_have_count(0)
    expect(answer(visit)).to_have_text("7")
    visit.page.get_by_role("radio", name="A three").click()
    expect(answer(visit)).to_have_text("3")
    expect(card).to_have_css("opacity", "1")


def test_live_off_waits_for_the_button(visit: Visit) -> None:
    """A slow model is asked only when told so."""
    visit.go("predict?m=iris")
    visit.page.get_by_text("Live", exact=True).click()
    button = visit.page.get_by_role("button", name="Predict")
    expect(button).to_be_visible()
    moved(slider(visit, "Petal length"), "End")
    expect(visit.page.get_by_text("The form has changed since this answer")).to_be_visible()
    expect(answer(visit)).to_have_text("Iris setosa")
    button.click()
    expect(answer(visit)).to_have_text(LONG)


def test_the_form_survives_a_look_elsewhere(visit: Visit) -> None:
    """Another page, another model, and back: what was set is set."""
    visit.go("predict?m=iris")
    moved(slider(visit, "Petal length"), "End")
    expect(answer(visit)).to_have_text(LONG)
    visit.choose_page("Health")
    expect(visit.page.get_by_role("heading", name="Health", level=1)).to_be_visible()
    visit.choose_page("Predict")
    expect(slider(visit, "Petal length")).to_have_value("7")
    pick(visit, "Penguin species")
    expect(answer(visit)).to_have_text("Adelie")
    pick(visit, "Handwritten digit")
    expect(answer(visit)).to_have_text("3")
    pick(visit, "Iris species")
    expect(answer(visit)).to_have_text(LONG)
    expect(slider(visit, "Petal length")).to_have_value("7")


def pick(visit: Visit, title: str) -> None:
    """Choose a model in the sidebar."""
    visit.page.get_by_role("combobox", name="Model").click()
    visit.page.get_by_role("option", name=title).click()
    expect(visit.page.get_by_role("heading", name=title, level=1)).to_be_visible()


SLOW = """
endpoints: {test: {url: URL}}
models:
  churn: {title: Churn, endpoint: test, signature: &one {features: [{name: x}], outputs: [
    {name: predict, kind: label, labels: &labels [STAYS, LEAVES]},
    {name: predict_proba, kind: probabilities, labels: *labels}]}}
  slow: {title: Slow one, endpoint: test, signature: *one}
"""
STAYS = "Unlikely to cancel within the next three months"


def churn(_: Json) -> Json:
    shares = tensor("predict_proba", "FP64", [1, 2], [0.9, 0.1])
    return {"outputs": [tensor("predict", "INT64", [1, 1], [0]), shares]}


def left(shown: Locator) -> float:
    return float(shown.evaluate("node => node.getBoundingClientRect().left"))


def test_no_answer_stands_below_the_title_of_another_model(
    new_visit: NewVisit, tmp_path: Path
) -> None:
    """Neither beside the form nor at the bottom of a phone, however long that one is asked.

    On the way: a long name is read from its beginning on in the narrow chart, too.
    """
    go_on = threading.Event()

    def slow(request: Json) -> Json:
        go_on.wait(60)
        return churn(request)

    models = tmp_path / "models.yaml"
    log = tmp_path / "dashboard.log"
    with v2_server(churn=churn, slow=slow) as server:
        text = SLOW.replace("URL", server.url).replace("STAYS", STAYS)
        models.write_text(text.replace("LEAVES", STAYS.replace("Unlikely", "Likely")))
        with streamlit_server(models, log) as running:
            phone = new_visit(url=running.url, **PHONE)
            phone.go("predict?m=churn")
            expect(answer(phone)).to_have_text(STAYS)
            tick = phone.page.locator(".ytick text").filter(has_text="Unlikely to cancel")
            assert left(tick) >= left(phone.page.locator(".st-key-answer-card"))
            line = phone.page.get_by_test_id("stBottom").get_by_text(STAYS)
            expect(line).to_be_attached()
            phone.page.get_by_test_id("stExpandSidebarButton").click()
            pick(phone, "Slow one")
            expect(phone.page.get_by_text("Asking the model")).to_be_attached()
            expect(answer(phone)).not_to_be_visible()
            expect(line).not_to_be_visible()
            go_on.set()
            expect(answer(phone)).to_have_text(STAYS)
            expect(answer(phone)).to_be_visible()


def test_the_address_can_be_shared(visit: Visit) -> None:
    """The picked model is in the address, on every page, and a reload keeps it."""
    visit.go("")
    pick_link = visit.page.get_by_test_id("stMain").get_by_role("link", name="Predict").nth(3)
    pick_link.click()
    expect(visit.page.get_by_role("heading", name="Handwritten digit")).to_be_visible()
    expect(visit.page).to_have_title("Handwritten digit · Predict · kserve-client")
    assert re.search("/predict[?]m=.*digit", visit.page.url)
    visit.page.reload()
    visit.settle()
    expect(answer(visit)).to_have_text("3")


def test_a_link_opens_its_model_in_a_fresh_process(
    new_visit: NewVisit, demo_models_file: Path, tmp_path: Path
) -> None:
    """The first request that a process gets is a deep link: the frame is there, and the model."""
    with streamlit_server(demo_models_file, tmp_path / "dashboard.log") as fresh:
        visit = new_visit(url=fresh.url)
        visit.go("predict?m=digits")
        expect(visit.page.get_by_role("heading", name="Handwritten digit")).to_be_visible()
        expect(visit.page.get_by_role("combobox", name="Model")).to_be_visible()
        expect(answer(visit)).to_have_text("3")


def test_a_stopped_server_is_explained_and_recovers(
    new_visit: NewVisit, stoppable: MLServer
) -> None:
    """Predict says so in words, Health names the step; started again, the pages are well again."""
    predict, health, home = new_visit(), new_visit(), new_visit()
    predict.go("predict?m=iris")
    health.go("health?m=iris")
    home.go("")
    expect(health.page.get_by_text("Iris species answers.")).to_be_visible()
    expect(home.page.get_by_text("5 of 5 ready")).to_be_visible()
    stoppable.stop()
    moved(slider(predict, "Petal length"), "End")
    expect(predict.page.get_by_text("The server does not answer").first).to_be_visible()
    assert predict.page.get_by_text("Traceback").count() == 0
    down: Any = {"timeout": RECOVERY_MS}
    expect(health.page.get_by_text(re.compile("Iris species is down"))).to_be_visible(**down)
    expect(health.page.get_by_text(re.compile("nothing listens on 127")).first).to_be_visible()
    expect(health.page.get_by_text(re.compile("^Not reached: Server live"))).to_be_visible()
    expect(home.page.get_by_text("0 of 5 ready")).to_be_visible(**down)
    predict.page.get_by_role("link", name="See which step fails").click()
    expect(predict.page.get_by_text(re.compile("Iris species is down"))).to_be_visible()
    stoppable.start()
    stoppable.wait_until_ready()
    for visit in (health, predict):
        expect(visit.page.get_by_text("Iris species answers.")).to_be_visible(**down)
    expect(home.page.get_by_text("5 of 5 ready")).to_be_visible(**down)
    predict.choose_page("Predict")
    expect(answer(predict)).to_have_text(LONG)
