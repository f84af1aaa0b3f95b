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
# Whether the whole page has been at full strength so many times within one check, each at another age.
# A page that waits for its checks is pale meanwhile.
SEEN_WITHIN_A_CHECK = r"""times => {
 const parts = [...document.querySelectorAll('[data-testid=stMain] [data-testid=stElementContainer]')];
 const caption = parts.map(part => part.textContent).find(text => text.includes('checking now')) ?? '';
 const [, check, age] = caption.match(/(Checked at .*), (\d+) s ago/) ?? [];
 const ages = (window.agesOfChecks ??= {});
 if (check && parts.every(part => getComputedStyle(part).opacity > 0.9))
  (ages[check] ??= new Set()).add(age);
 return Object.values(ages).some(one => one.size >= times);
}"""


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
    with streamlit_server(path, tmp_path / "dashboard.log", KSERVE_CLIENT_REFRESH_S="1") as running:
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
    visit.page.wait_for_function(SEEN_WITHIN_A_CHECK, arg=2, polling=50, timeout=120_000)
