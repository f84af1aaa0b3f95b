"""Health before a server that takes requests and never answers: a calm page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewVisit
from tests.servers import Dashboard, streamlit_server
from tests.v2_server import Reply, V2Server, one_number, v2_server

# Alone such a test takes seconds; a machine that is busy otherwise makes minutes of them.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SIGNATURE = "signature: {features: [{name: x, min: 0, max: 1}], outputs: [{name: out}]}"
MODELS = f"""
endpoints: {{test: {{url: 'SERVER'}}}}
models:
  iris: {{endpoint: test, title: Iris species, {SIGNATURE}}}
"""
# A busy machine draws slowly; a page that waits for each check is pale for nine seconds.
LOOKED_MS, LONGEST_PALE_MS = 12_000, 6_000
# For how long any part of the page was pale without a break, in a while of so many milliseconds.
PALE_MS = """looked => new Promise(done => {
 const from = performance.now(); let pale = null, longest = 0;
 const look = () => {
  const at = performance.now();
  const parts = [...document.querySelectorAll('[data-testid=stMain] [data-testid=stElementContainer]')];
  if (parts.some(part => getComputedStyle(part).opacity < 0.9)) longest = Math.max(longest, at - (pale ??= at));
  else pale = null;
  if (at - from < looked) setTimeout(look, 50); else done(longest);
 };
 look(); })"""


@pytest.fixture
def server() -> Iterator[V2Server]:
    """Run a server that is well."""
    with v2_server(iris=one_number) as running:
        yield running


@pytest.fixture
def own(server: V2Server, tmp_path: Path) -> Iterator[Dashboard]:
    """Run a dashboard before it."""
    path = tmp_path / "models.yaml"
    path.write_text(MODELS.replace("SERVER", server.url))
    with streamlit_server(path, tmp_path / "dashboard.log") as running:
        yield running


def test_a_server_that_never_answers(own: Dashboard, new_visit: NewVisit, server: V2Server) -> None:
    """The last check stays at full strength, with its age, while the next one takes its time."""
    visit = new_visit(url=own.url)
    visit.go("health?m=iris")
    page = visit.page.get_by_test_id("stMain")
    expect(page.get_by_text("Iris species is ready")).to_be_visible()
    server.replies["/v2/health/live"] = Reply(pause_s=120)
    expect(page.get_by_text("s ago · ")).to_contain_text("checking now")
    expect(page.get_by_text("Iris species is down")).to_be_visible()
    assert visit.page.evaluate(PALE_MS, LOOKED_MS) < LONGEST_PALE_MS
