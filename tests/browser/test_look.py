"""What a person sees and a screen reader reads: on every page, wide and narrow, light and dark."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WIDE, NewVisit, Visit
from tests.servers import streamlit_server

# Alone such a test takes seconds; a machine that is busy otherwise makes minutes of them.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NARROW = (400, 850)
PAGES = ["", "predict?m=iris", "predict?m=digits", "predict?m=penguins", "predict?m=denoise"]
PAGES += ["batch?m=iris", "model?m=penguin_mass", "health?m=iris"]
PAGES += [f"model?m=iris&part={part}" for part in ("Learn from a CSV", "What the server says")]

# Text that reaches out of the window, beside what a person can scroll to within its own box.
OUTSIDE = """() => {
  const scrolls = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (/auto|scroll/.test(style.overflowX) && at.scrollWidth > at.clientWidth
          && at.clientWidth <= innerWidth && !at.matches('[data-testid=stMain], body, html'))
        return true;
      if (at.matches('[data-testid=stSidebar]')) return true;
    }
    return false;
  };
  const found = [];
  for (const node of document.querySelectorAll('[data-testid=stApp] *')) {
    const own = [...node.childNodes].some(c => c.nodeType === 3 && c.textContent.trim());
    if (!own || !node.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const box = node.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    if ((box.right > innerWidth + 1 || box.left < -1) && !scrolls(node))
      found.push(node.textContent.trim().slice(0, 60));
  }
  return found;
}"""

# Text that its own box cuts off with an ellipsis, or hides.
CUT = """() => [...document.querySelectorAll('[data-testid=stMain] *')]
  .filter(node => [...node.childNodes].some(c => c.nodeType === 3 && c.textContent.trim()))
  .filter(node => node.checkVisibility() && node.clientWidth > 2 && !node.closest('pre, canvas, svg'))
  .filter(node => getComputedStyle(node).overflowX !== 'visible'
                  && node.scrollWidth > node.clientWidth + 1)
  .map(node => node.textContent.trim().slice(0, 60))"""

SCROLLS = """() => [document.documentElement, document.body,
    document.querySelector('[data-testid=stMain]')]
  .map(node => node.scrollWidth - node.clientWidth)"""

# Everything a person can set, by the name that a screen reader says.
NAMES = """() => [...document.querySelectorAll(
    'input:not([type=hidden]), textarea, select, button, [role=slider], [role=combobox]')]
  .filter(node => node.checkVisibility() && !node.closest('[aria-hidden=true]'))
  .map(node => {
    const by = (node.getAttribute('aria-labelledby') || '').split(' ')
      .map(id => document.getElementById(id)?.textContent || '').join(' ');
    const label = [...(node.labels || [])].map(one => one.textContent).join(' ');
    const own = node.tagName === 'BUTTON' ? node.textContent : '';
    const name = [node.getAttribute('aria-label'), by, label, own, node.title].find(t => t?.trim());
    return [node.outerHTML.slice(0, 160), (name || '').trim()];
  })"""

PICTURES = """() => [
  ...[...document.querySelectorAll('[data-testid=stMain] img')]
    .map(node => ['img', node.alt || node.getAttribute('aria-hidden')]),
  ...[...document.querySelectorAll('[data-testid=stPlotlyChart], [data-testid=stDataFrame]')]
    .map(node => [node.dataset.testid, (node.matches('[aria-label]') ? node
                  : node.querySelector('[aria-label]') || node.closest('[aria-label]'))
                  ?.getAttribute('aria-label')]),
]"""


def drawn(visit: Visit, path: str) -> Page:
    """Open a page and wait until all of it is there."""
    visit.go(path)
    if path.startswith("predict"):
        expect(visit.page.get_by_text(re.compile(r"\d m?s$")).last).to_be_visible()
    if path.startswith("health"):
        expect(visit.page.get_by_text("All models")).to_be_visible()
    return visit.page


# Colours take no room: the other two pairs would see the same.
@pytest.mark.parametrize(
    ("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide light", "narrow dark"]
)
def test_every_page_can_be_seen_and_heard(
    new_visit: NewVisit, size: tuple[int, int], scheme: str
) -> None:
    """Nothing scrolls sideways or is cut off, and everything has a name and a title."""
    visit = new_visit(size=size, scheme=scheme)
    for path in PAGES:
        page = drawn(visit, path)
        assert max(page.evaluate(SCROLLS)) <= 0, path
        assert page.evaluate(OUTSIDE) == [], path
        assert page.evaluate(CUT) == [], path
        check_names(page, path)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        expect(page).to_have_title(re.compile(r"^(.+ · )?\w+ · kserve-client$"))


def check_names(page: Page, path: str) -> None:
    """Inputs, buttons, pictures, charts and tables all tell a screen reader what they are.

    A name is plain words: Streamlit hands labels on with their Markdown signs.
    """
    names = page.evaluate(NAMES)
    assert [html for html, name in names if not name] == [], path
    marked = [name for _, name in names if re.search(r"\*\*|:[a-z]+\[|\\", name)]
    assert marked == [], path
    pictures = page.evaluate(PICTURES)
    assert [kind for kind, name in pictures if not name] == [], path


def test_the_checks_of_this_file_see_what_is_wrong(visit: Visit) -> None:
    """Each check fails on a page that was spoilt for it."""
    page = drawn(visit, "model?m=iris")
    page.evaluate(
        """() => document.querySelector('[data-testid=stMain]').insertAdjacentHTML('beforeend', `
             <p style="position: relative; left: 1200px; white-space: nowrap">far out, far out</p>
             <p style="width: 40px; overflow: hidden; white-space: nowrap">cut off in its box</p>
             <p><input id="nameless"><img src="data:,"><input aria-label="**bold**"></p>`)"""
    )
    assert max(page.evaluate(SCROLLS)) > 0
    assert page.evaluate(OUTSIDE) == ["far out, far out"]
    assert page.evaluate(CUT) == ["cut off in its box"]
    with pytest.raises(AssertionError, match="nameless"):
        check_names(page, "")
    page.evaluate("() => document.getElementById('nameless').remove()")
    with pytest.raises(AssertionError, match="bold"):
        check_names(page, "")


def test_the_theme_follows_the_person(new_visit: NewVisit) -> None:
    """Light and dark are the browser's choice, each with its own background."""
    grounds = []
    for scheme in ("light", "dark"):
        visit = new_visit(scheme=scheme)
        visit.go("")
        app = visit.page.get_by_test_id("stApp")
        grounds.append(app.evaluate("node => getComputedStyle(node).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(20, 22, 27)"]


def test_the_menu_of_a_narrow_window(new_visit: NewVisit) -> None:
    """On a phone the sidebar is closed, and opens to the pages and the model picker."""
    visit = new_visit(size=NARROW)
    visit.go("predict?m=iris")
    link = visit.page.get_by_test_id("stSidebar").get_by_role("link", name="Health")
    expect(link).not_to_be_in_viewport()
    visit.page.get_by_test_id("stExpandSidebarButton").click()
    expect(link).to_be_in_viewport()
    expect(visit.page.get_by_role("combobox", name="Model")).to_be_in_viewport()


def test_the_answer_stays_in_sight_on_a_phone(new_visit: NewVisit) -> None:
    """The form is long there: the answer also stands at the bottom, and only there."""
    phone = new_visit(size=NARROW)
    phone.go("predict?m=iris")
    bottom = phone.page.get_by_test_id("stBottom")
    expect(bottom).to_be_in_viewport()
    expect(bottom).to_contain_text("Iris setosa")
    wide = new_visit()
    wide.go("predict?m=iris")
    expect(wide.page.get_by_test_id("stBottom")).not_to_be_visible()


NASTY = r"a*b*_c_ [x](javascript:1) :red[r] $y$ <b>b</b> `k` # 1"


def test_a_title_is_shown_as_it_is_written(new_visit: NewVisit, tmp_path: Path) -> None:
    """Markdown and HTML in the models file are text on every page, whatever they look like."""
    models = tmp_path / "models.yaml"
    models.write_text(
        "endpoints: {nobody: {url: 'http://127.0.0.1:9'}}\n"
        f"models:\n  m:\n    title: '{NASTY}'\n    description: 'D {NASTY}'\n    endpoint: nobody\n"
        f"    signature: {{features: [{{name: f, title: 'F {NASTY}', unit: 'U {NASTY}', min: 0,"
        f" max: 1, help: 'H {NASTY}'}}, {{name: g, title: 'G {NASTY}', kind: category, datatype:"
        f" FP32, choices: [{{value: 1, label: 'C {NASTY}'}}, 2]}}]}}\n"
        f"    examples: [{{name: 'E {NASTY}', row: {{f: 0.5, g: 1}}}}]\n"
    )
    with streamlit_server(models, tmp_path / "dashboard.log") as running:
        visit = new_visit(url=running.url)
        for path in ("", "predict", "batch", "model", "health"):
            visit.go(path)
            main = visit.page.get_by_test_id("stMain")
            expect(main.get_by_text(NASTY).first).to_be_visible()
            if path in ("predict", "batch"):
                expect(main.get_by_role("heading", level=1)).to_contain_text(NASTY)
            assert main.get_by_role("link", name="x", exact=True).count() == 0
            assert main.locator("b, .katex").count() == 0
        visit.go("predict")
        for first in "DFGE":
            expect(visit.page.get_by_text(f"{first} {NASTY}").first).to_be_visible()
        choice = visit.page.get_by_test_id("stMain").get_by_role("combobox")
        expect(choice).to_have_value(f"C {NASTY}")
