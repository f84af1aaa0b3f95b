"""What the first visitor of a process sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import NewVisit
from tests.servers import Dashboard, streamlit_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
# Every link that stood in the sidebar, however shortly.
WATCH = """
window.links = new Set();
new MutationObserver(() => document.querySelectorAll("[data-testid=stSidebarNavLink]").forEach(
  link => window.links.add(link.textContent.trim())
)).observe(document, {subtree: true, childList: true});
"""


@pytest.fixture
def cold(tmp_path: Path) -> Iterator[Dashboard]:
    """Run a dashboard that nobody has opened yet."""
    with streamlit_server(None, tmp_path / "dashboard.log") as running:
        yield running


def test_the_sidebar_never_shows_names_of_files(cold: Dashboard, new_visit: NewVisit) -> None:
    """The pages stand there by their titles as soon as app.py has named them, and nothing before."""
    for path in ("", "batch"):
        visit = new_visit(url=cold.url)
        visit.page.add_init_script(WATCH)
        visit.go(path)
        seen = visit.page.evaluate("[...window.links]")
        assert seen == ["Models", "Predict", "Batch", "Details", "Health"]
