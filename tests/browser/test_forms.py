"""Forms in a real browser: forty fields, a phone, tables, exact digits, what is hidden."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
import yaml
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect
from playwright.sync_api import TimeoutError as NotInTimeError

from tests.browser.conftest import NewVisit, Visit
from tests.servers import Dashboard, streamlit_server
from tests.v2_server import Json, Reply, V2Server, tensor, v2_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WIDE, PHONE = (1440, 900), (390, 844)
GROUPS = ("Patient", "Blood", "History", "Stay")
REFERENCE = {
    "rows": 200,
    "quantiles": [5, 20, 35, 45, 60, 70, 92],
    "histogram": [1, 2, 6, 14, 28, 40, 44, 33, 20, 8, 3, 1],
}
OUTPUTS = [
    {"name": "predict", "kind": "label", "labels": ["Stays well", "Comes back"]},
    {"name": "proba", "kind": "probabilities", "threshold": 0.3},
]
BEYOND = 2**53 + 1


def field(at: int) -> Json:
    """Return one of many features; each kind a form of patients has."""
    shared = {"name": f"f{at}", "group": GROUPS[at // 10], "help": "Measured at admission."}
    kinds: list[Json] = [
        {
            "title": f"Blood pressure {at}",
            "unit": "mmHg",
            "min": 0,
            "max": 100,
            "default": 45,
            "reference": REFERENCE,
        },
        {"title": f"Visits {at}", "kind": "integer", "min": 0, "max": 20, "default": 2},
        {"title": f"Ward {at}", "kind": "category", "choices": ["North", "South", "East"]},
        {"title": f"Glucose {at}", "min": 0, "max": 300, "required": False, "reference": REFERENCE},
        {"title": f"Note {at}", "kind": "text", "default": "none"},
    ]
    return {**shared, **kinds[at % 5]}


def model(*features: Json, **more: Any) -> Json:
    signature = {"layout": "columns", "features": list(features), "outputs": OUTPUTS, **more}
    return {"endpoint": "test", "model_name": "m", "signature": signature}


MODELS: Json = {
    "forty": model(*map(field, range(40))),
    "four": model(*map(field, range(4))),
    "grids": model(
        {"name": "row", "kind": "tensor", "shape": [3], "datatype": "FP32"},
        {"name": "wide", "kind": "tensor", "shape": [2, 2], "datatype": "INT64"},
        {"name": "cube", "kind": "tensor", "shape": [2, 2, 2], "datatype": "INT32"},
        {"name": "huge", "title": "Huge", "kind": "integer"},
    ),
    "secret": model(
        {"name": "name", "title": "Name", "kind": "text", "sensitive": True},
        {"name": "income", "title": "Income", "sensitive": True, "default": 1},
        {
            "name": "illness",
            "title": "Illness",
            "kind": "category",
            "sensitive": True,
            "choices": ["Flu", "Gout"],
        },
    ),
    "photo": model(
        {
            "name": "photo",
            "title": "Photo",
            "kind": "image",
            "image": {"width": 4, "height": 2, "channels": 3, "high": 255},
        },
    ),
}


def answers(request: Json) -> Json:
    """Answer by the first number: its hundredth is the chance to come back."""
    first = request["inputs"][0]["data"][0]
    chance = first / 100 if isinstance(first, int | float) and 0 <= first <= 100 else 0.5
    return {
        "outputs": [
            tensor("predict", "INT64", [1], [int(chance >= 0.5)]),
            tensor("proba", "FP64", [1, 2], [1 - chance, chance]),
        ]
    }


@pytest.fixture(scope="module")
def server() -> Iterator[V2Server]:
    with v2_server(m=answers) as running:
        described = {"name": "m", "platform": "test", "inputs": [], "outputs": []}
        running.replies["/v2/models/m"] = Reply(body=described)
        yield running


@pytest.fixture(scope="module")
def forms(server: V2Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Run a dashboard over models with long and odd forms."""
    home = tmp_path_factory.mktemp("forms")
    content = {"endpoints": {"test": {"url": server.url}}, "models": MODELS}
    (home / "models.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    with streamlit_server(home / "models.yaml", home / "dashboard.log") as running:
        yield running


@pytest.fixture
def wide(new_visit: NewVisit, forms: Dashboard) -> Visit:
    return new_visit(size=WIDE, url=forms.url)


@pytest.fixture
def phone(new_visit: NewVisit, forms: Dashboard) -> Visit:
    return new_visit(size=PHONE, url=forms.url)


def sent(server: V2Server) -> dict[str, Any]:
    """Return the data of each input of the last request."""
    return {column["name"]: column["data"] for column in server.inferences[-1]["inputs"]}


def wait_for(server: V2Server, name: str, value: Any) -> None:
    """Wait until a request with this value came."""
    end = time.monotonic() + 20
    while sent(server).get(name) != value and time.monotonic() < end:
        time.sleep(0.05)
    assert sent(server).get(name) == value


def wait_until_asked(server: V2Server, count: int) -> None:
    """Wait for a request after so many."""
    end = time.monotonic() + 20
    while len(server.inferences) == count and time.monotonic() < end:
        time.sleep(0.002)
    assert len(server.inferences) > count


def answer(visit: Visit) -> Locator:
    return visit.page.get_by_test_id("stMain").get_by_role("heading", level=2).first


def slider(visit: Visit, label: str) -> Locator:
    return visit.page.get_by_role("slider", name=re.compile(f"^{label} "))


def box(visit: Visit, label: str) -> Locator:
    return visit.page.get_by_role("spinbutton", name=re.compile(f"^{label},"))


def place(found: Locator) -> tuple[float, float, float, float]:
    """Return left, top, width and height on the screen."""
    at = found.bounding_box()
    assert at is not None
    return at["x"], at["y"], at["width"], at["height"]


def scroll_to(place: Locator) -> None:
    """Scroll until it is in sight: what opens above it may move it away once more."""
    for _ in range(5):
        place.scroll_into_view_if_needed()
        with suppress(AssertionError):
            return expect(place).to_be_in_viewport(timeout=2_000)
    return expect(place).to_be_in_viewport()


def folds(visit: Visit, *titles: str) -> None:
    for title in titles:
        visit.page.get_by_test_id("stExpander").get_by_text(title, exact=True).click()


# Forty fields


def test_forty_fields_stand_two_by_two_beside_their_answer(wide: Visit) -> None:
    """In a wide window: two columns of fields, and the answer in sight however far one scrolls."""
    wide.go("predict?m=forty")
    expect(answer(wide)).to_have_text("Comes back")
    left, right = place(slider(wide, "Blood pressure 0")), place(slider(wide, "Visits 1"))
    assert right[0] > left[0] + 150
    assert abs(left[1] - right[1]) < 30
    folds(wide, "Blood", "History", "Stay")
    last = wide.page.get_by_role("textbox", name="Note 39")
    scroll_to(last)
    expect(answer(wide)).to_be_in_viewport()


def test_forty_fields_on_a_phone(phone: Visit) -> None:
    """One column, nothing wider than the screen, and the answer in one line at its foot."""
    phone.go("predict?m=forty")
    foot = phone.page.get_by_test_id("stBottom")
    expect(foot).to_contain_text("Comes back · 45.0 %")
    expect(foot).to_be_in_viewport()
    folds(phone, "Stay")
    first, second = place(slider(phone, "Blood pressure 30")), place(slider(phone, "Visits 31"))
    assert second[1] > first[1] + 40
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    slider(phone, "Blood pressure 30").scroll_into_view_if_needed()
    expect(foot).to_be_in_viewport()
    box(phone, "Blood pressure 0").fill("10")
    box(phone, "Blood pressure 0").press("Enter")
    expect(foot).to_contain_text("Stays well · Comes back 10.0 %")


def test_the_line_on_a_phone_gives_way_to_the_answer(phone: Visit) -> None:
    """It is there while the answer is not in sight, and only then."""
    phone.go("predict?m=forty")
    foot = phone.page.get_by_test_id("stBottom")
    expect(foot).to_contain_text("Comes back · 45.0 %")
    expect(foot).to_be_visible()
    answer(phone).scroll_into_view_if_needed()
    expect(foot).to_be_hidden()
    slider(phone, "Blood pressure 0").scroll_into_view_if_needed()
    expect(foot).to_be_visible()
    box(phone, "Blood pressure 0").fill("120")
    box(phone, "Blood pressure 0").press("Enter")
    expect(foot).to_contain_text("outside the usual range")


# How far the words below a slider reach over the edge at which an element around them cuts off.
CUT_OFF = """word => {
  const bottom = word.getBoundingClientRect().bottom;
  let cut = 0;
  for (let e = word.parentElement; e && e.dataset.testid !== 'stMain'; e = e.parentElement) {
    if (getComputedStyle(e).overflowY !== 'visible')
      cut = Math.max(cut, bottom - e.getBoundingClientRect().bottom);
  }
  return cut;
}"""


def test_words_below_each_other_are_whole(phone: Visit) -> None:
    """On a phone, where fields stand close, none of them is cut off at its foot."""
    phone.go("predict?m=four")
    for label in ("Blood pressure 0", "Glucose 3"):
        box(phone, label).fill("91")
        box(phone, label).press("Enter")
    words = phone.page.get_by_text(re.compile("^Unusual: only 5 %"))
    expect(words).to_have_count(2)
    assert [word.evaluate(CUT_OFF) for word in words.all()] == [0, 0]


def test_the_bars_are_not_written_over(wide: Visit) -> None:
    """The box says the number; the slider's own is there only while it is used."""
    wide.go("predict?m=four")
    thumb = slider(wide, "Blood pressure 0").locator("xpath=../..")
    number = thumb.get_by_test_id("stSliderThumbValue")
    expect(number).to_have_text("45")
    expect(number).to_have_css("opacity", "0")
    slider(wide, "Blood pressure 0").focus()
    expect(number).to_have_css("opacity", "1")


@pytest.mark.parametrize("name", ["four", "forty"])
def test_nothing_jumps_while_a_slider_moves(wide: Visit, name: str) -> None:
    """An unusual value, one out of range and a missing one: every field keeps its place."""
    wide.go(f"predict?m={name}")
    expect(answer(wide)).to_have_text("Comes back")
    labels = ["Blood pressure 0", "Visits 1", "Glucose 3"]
    before = [place(slider(wide, label).locator("xpath=../..")) for label in labels]
    slider(wide, "Blood pressure 0").press("End")
    expect(wide.page.get_by_text("Unusual: above all 200 of the sample")).to_be_visible()
    moved = [place(slider(wide, label).locator("xpath=../..")) for label in labels]
    box(wide, "Blood pressure 0").fill("120")
    box(wide, "Blood pressure 0").press("Enter")
    expect(wide.page.get_by_text("Outside the usual range", exact=True)).to_be_visible()
    after = [place(slider(wide, label).locator("xpath=../..")) for label in labels]
    assert [at[1] for at in before] == [at[1] for at in moved] == [at[1] for at in after]


def test_the_bars_lie_over_the_track(wide: Visit) -> None:
    """As wide as the slider's track, just above it, and told to those who can't see them."""
    wide.go("predict?m=four")
    bars = wide.page.get_by_role("img", name=re.compile("^Sample of Blood pressure 0"))
    expect(bars).to_have_attribute(
        "aria-label",
        "Sample of Blood pressure 0: nine in ten between 20 and 70 mmHg, half below 45",
    )
    track = slider(wide, "Blood pressure 0").locator("xpath=ancestor::*[@data-orientation][1]")
    x, y, width, height = place(bars)
    track_x, track_y, track_width, track_height = place(track)
    assert abs(x - track_x) < 4
    assert abs(width - track_width) < 8
    assert y < track_y + track_height
    assert y + height <= track_y + track_height + 4


def test_a_field_can_be_found(wide: Visit, server: V2Server) -> None:
    """While typing, only what is looked for is left; nothing loses its value."""
    wide.go("predict?m=forty")
    expect(answer(wide)).to_have_text("Comes back")
    slider(wide, "Visits 1").press("ArrowRight")
    wait_for(server, "f1", [3])
    search = wide.page.get_by_role("searchbox", name="Find a field")
    search.press_sequentially("glucose 38")
    expect(slider(wide, "Glucose 38")).to_be_visible()
    expect(slider(wide, "Visits 1")).to_be_hidden()
    expect(wide.page.get_by_text("Patient", exact=True)).to_be_hidden()
    slider(wide, "Glucose 38").press("ArrowRight")
    expect(box(wide, "Glucose 38")).not_to_have_value("")
    search.fill("")
    expect(slider(wide, "Visits 1")).to_be_visible()
    expect(slider(wide, "Visits 1")).to_have_value("3")
    assert sent(server)["f1"] == [3]
    assert sent(server)["f38"] != [None]


def test_a_missing_value_is_a_cleared_box(wide: Visit, server: V2Server) -> None:
    """Its cross empties an optional box; the slider brings a number back. A needed one has no cross."""
    wide.go("predict?m=four")
    glucose = box(wide, "Glucose 3")
    expect(glucose).to_have_attribute("placeholder", "Not known")
    glucose.fill("150")
    glucose.press("Enter")
    wait_for(server, "f3", [150.0])
    field_of = glucose.locator("xpath=ancestor::*[@data-testid='stNumberInput']")
    field_of.get_by_role("button", name="Clear value").click()
    wait_for(server, "f3", [None])
    expect(wide.page.get_by_text("Glucose 3 · 0 – 300 · not known")).to_be_visible()
    slider(wide, "Glucose 3").press("ArrowRight")
    expect(glucose).not_to_have_value("")
    needed = box(wide, "Blood pressure 0").locator(
        "xpath=ancestor::*[@data-testid='stNumberInput']"
    )
    expect(needed.get_by_test_id("stNumberInputClearButton")).to_be_hidden()


# Measured: 8. Streamlit itself looks through the whole state for each widget.
MOST_TIMES_SLOWER = 20.0


def test_forty_fields_do_not_run_much_longer_than_ten_times_four(
    wide: Visit, server: V2Server
) -> None:
    """From the key to the request: the time of a run grows with the fields, not with their square."""
    times = {name: run_ms(wide, server, name) for name in ("four", "forty")}
    assert times["forty"] / times["four"] < MOST_TIMES_SLOWER, times


def run_ms(visit: Visit, server: V2Server, name: str) -> float:
    """Return the middle time from a moved slider to the request that it sends."""
    visit.go(f"predict?m={name}")
    expect(answer(visit)).to_have_text("Comes back")
    times = []
    for _ in range(5):
        count = len(server.inferences)
        slider(visit, "Visits 1").press("ArrowRight")
        start = time.monotonic()
        wait_until_asked(server, count)
        times.append(time.monotonic() - start)
        visit.settle()
    return statistics.median(times) * 1000


# Tables and digits


def cell(page: Page, table: int, at: tuple[int, int], text: str) -> None:
    """Type into a cell of a table; its editor is loaded when it is first opened."""
    editor = page.locator("#portal").locator("input, textarea").first
    for tries_left in (4, 3, 2, 1, 0):
        left, top, *_ = place(page.get_by_test_id("stDataFrame").nth(table))
        page.mouse.click(left + at[0], top + at[1])
        page.mouse.dblclick(left + at[0], top + at[1])
        try:
            editor.fill(text, timeout=4000)
        except NotInTimeError:  # not there yet, or gone with a table that was just replaced
            if not tries_left:
                raise
        else:
            editor.press("Enter")
            return


def test_a_table_keeps_what_is_typed(wide: Visit, server: V2Server) -> None:
    """Cell by cell, slice by slice, and over a look at another page; integers keep every digit."""
    wide.go("predict?m=grids")
    expect(answer(wide)).to_be_visible()
    page = wide.page
    cell(page, 0, (60, 50), "1.5")
    wait_for(server, "row", [1.5, 0.0, 0.0])
    cell(page, 0, (220, 50), "0.1")
    wait_for(server, "row", [1.5, 0.1, 0.0])
    cell(page, 1, (120, 50), str(BEYOND))
    wait_for(server, "wide", [BEYOND, 0, 0, 0])
    cell(page, 2, (120, 50), "5")
    wait_for(server, "cube", [5, 0, 0, 0, 0, 0, 0, 0])
    count = len(server.inferences)
    page.get_by_role("spinbutton", name="Dimension 1").fill("1")
    page.get_by_role("spinbutton", name="Dimension 1").press("Enter")
    wait_until_asked(server, count)
    wide.settle()
    cell(page, 2, (120, 50), "6")
    wait_for(server, "cube", [5, 0, 0, 0, 6, 0, 0, 0])
    wide.choose_page("Health")
    wide.choose_page("Predict")
    expect(answer(wide)).to_be_visible()
    cell(page, 0, (400, 50), "7")
    wait_for(server, "row", [1.5, 0.1, 7.0])
    assert sent(server)["wide"] == [BEYOND, 0, 0, 0]
    assert sent(server)["cube"] == [5, 0, 0, 0, 6, 0, 0, 0]


def test_a_block_of_a_spreadsheet_can_be_pasted(wide: Visit, server: V2Server) -> None:
    """Tabs and lines go into the cells from the chosen one on."""
    wide.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    wide.go("predict?m=grids")
    expect(answer(wide)).to_be_visible()
    cell(wide.page, 1, (120, 85), "9")  # the editor leaves the cell below chosen, or this one
    wait_for(server, "wide", [0, 0, 9, 0])
    left, top, *_ = place(wide.page.get_by_test_id("stDataFrame").nth(1))
    wide.page.evaluate(f"navigator.clipboard.writeText('1\\t2\\n3\\t{BEYOND}')")
    wide.page.mouse.click(left + 300, top + 50)
    wide.page.mouse.click(left + 120, top + 50)
    wide.page.keyboard.press("Control+V")
    wait_for(server, "wide", [1, 2, 3, BEYOND])


def test_every_digit_of_an_integer_is_sent(wide: Visit, server: V2Server) -> None:
    """2**53 + 1, which no number of a browser can hold; what is no integer is told at its field."""
    wide.go("predict?m=grids")
    line = wide.page.get_by_role("textbox", name="Huge", exact=True)
    line.fill(str(BEYOND))
    line.press("Enter")
    wait_for(server, "huge", [BEYOND])
    expect(line).to_have_value(str(BEYOND))
    line.fill("12a")
    line.press("Enter")
    expect(wide.page.get_by_text("'12a' is not a whole number").first).to_be_visible()
    assert sent(server)["huge"] == [BEYOND]


# What is hidden


def test_a_sensitive_value_is_hidden(wide: Visit, server: V2Server) -> None:
    """Dots in the line, nothing in the page, its address or what is shown of the request."""
    wide.go("predict?m=secret")
    name = wide.page.get_by_label(re.compile("^Name"))
    expect(name).to_have_attribute("type", "password")
    name.fill("Jane Sentinel")
    name.press("Enter")
    wait_for(server, "name", ["Jane Sentinel"])
    wide.page.get_by_text("Request and answer as they were sent").click()
    request = wide.page.get_by_role("tabpanel", name="Request")
    expect(request).to_contain_text("<name: hidden>")
    wide.page.get_by_role("tab", name="curl").click()
    expect(wide.page.get_by_role("tabpanel", name="curl")).to_contain_text("<income: hidden>")
    assert "Sentinel" not in wide.page.locator("body").inner_text()
    assert "Sentinel" not in wide.page.url
    assert wide.page.get_by_role("radio", name="Gout").count() == 0
    wide.page.get_by_role("button", name="Illness · hidden").click()
    wide.page.get_by_role("radio", name="Gout").click()
    wait_for(server, "illness", ["Gout"])


# Pictures


def file_of(image: Image.Image, kind: str, **options: Any) -> FilePayload:
    out = BytesIO()
    image.save(out, kind, **options)
    return payload(f"x.{kind.lower()}", f"image/{kind.lower()}", out.getvalue())


def payload(name: str, kind: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": data}


def test_pictures_as_people_have_them(wide: Visit, server: V2Server) -> None:
    """Colours, a turned photo, sixteen bits and transparency; a squeezed one is told."""
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: the file lies on its side
    turned = Image.new("RGB", (40, 80), (255, 0, 0))
    upload = wide.page.locator("input[type=file]")
    wide.go("predict?m=photo")
    expect(wide.page.get_by_text("Photo: needed").first).to_be_visible()
    upload.set_input_files(file_of(Image.new("RGB", (80, 40), (255, 0, 51)), "PNG"))
    wait_for_first(server, "photo", [255, 0, 51])
    expect(wide.page.get_by_text(re.compile("^Squeezed from"))).to_have_count(0)
    upload.set_input_files(file_of(turned, "JPEG", exif=exif, quality=100, subsampling=0))
    wait_for_first(server, "photo", [254, 0, 0])
    expect(wide.page.get_by_text(re.compile("^Squeezed from"))).to_have_count(0)
    upload.set_input_files(file_of(Image.new("I;16", (80, 80), 65535), "PNG"))
    wait_for_first(server, "photo", [255, 255, 255])
    expect(wide.page.get_by_text(re.compile("^Squeezed from 80 × 80"))).to_be_visible()
    upload.set_input_files(file_of(Image.new("RGBA", (80, 40), (0, 0, 0, 0)), "PNG"))
    expect(wide.page.get_by_text(re.compile("^Squeezed from"))).to_have_count(0)
    wait_for_first(server, "photo", [255, 255, 255])


def wait_for_first(server: V2Server, name: str, start: list[int]) -> None:
    """Wait for a picture whose first pixel has this colour."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if server.inferences and sent(server).get(name, [])[:3] == start:
            return
        time.sleep(0.05)
    assert sent(server)[name][:3] == start


def test_what_is_no_picture_is_said_at_its_field(wide: Visit, server: V2Server) -> None:
    """Broken, of another kind, too large: words where it was dropped, and no request."""
    upload = wide.page.locator("input[type=file]")
    wide.go("predict?m=photo")
    count = len(server.inferences)
    upload.set_input_files(payload("x.png", "image/png", b"no picture"))
    expect(wide.page.get_by_text("It is not a picture (PNG, JPEG, …)").first).to_be_visible()
    upload.set_input_files(payload("x.pdf", "application/pdf", b"%PDF"))
    expect(wide.page.get_by_text(re.compile("files are not allowed"))).to_be_visible()
    upload.set_input_files(payload("y.png", "image/png", b"\0" * 11_000_000))
    expect(wide.page.get_by_text(re.compile("must be 10.* or smaller"))).to_be_visible()
    assert len(server.inferences) == count


def test_a_needed_field_is_marked_in_the_dark_too(wide: Visit) -> None:
    """Its label has the orange of the theme in use; the word beside it says why."""
    wide.page.emulate_media(color_scheme="dark")
    wide.go("predict?m=photo")
    label = wide.page.get_by_test_id("stFileUploader").locator("label").first
    assert label.evaluate("e => getComputedStyle(e).color") == "rgb(241, 161, 13)"
