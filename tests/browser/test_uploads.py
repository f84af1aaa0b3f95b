"""What an upload field promises is what the server takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Request, expect

from tests.browser.conftest import NewVisit
from tests.servers import Dashboard, streamlit_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MODELS = """
endpoints: {test: {url: 'http://127.0.0.1:9'}}
models: {flower: {endpoint: test, signature: {features: [{name: width}]}}}
"""
MEGABYTE = 1_048_576
OURS, STREAMLITS = "KSERVE_CLIENT_LARGEST_UPLOAD_MB", "STREAMLIT_SERVER_MAX_UPLOAD_SIZE"


@pytest.fixture
def limited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Dashboard]:
    """Run a dashboard with the settings that the test names; it ends after the browser."""
    models = tmp_path / "models.yaml"
    models.write_text(MODELS)
    with streamlit_server(models, tmp_path / "dashboard.log", **request.param) as running:
        yield running


def status(sent: Request, megabytes: int) -> int:
    """Send another file as the page sent its own; return the status of the answer."""
    headers = sent.all_headers()
    session = requests.Session()
    session.trust_env = False
    answer = session.put(
        f"{sent.url.rpartition('/')[0]}/{megabytes}",
        # The boundaries of the body count as well.
        files={"file": ("table.csv", bytes(megabytes * MEGABYTE - 1000))},
        headers={name: headers[name] for name in ("cookie", "x-xsrftoken")},
        timeout=60,
    )
    return answer.status_code


@pytest.mark.parametrize(
    ("limited", "promised", "taken", "refused"),
    [
        ({}, "2GB", 201, None),  # Streamlit's own limit is 200
        ({OURS: "3", STREAMLITS: "2"}, "2MB", 2, 3),
    ],
    indirect=["limited"],
)
def test_an_upload_as_large_as_the_page_says_arrives(
    limited: Dashboard, new_visit: NewVisit, promised: str, taken: int, refused: int | None
) -> None:
    """The limit is that of our setting, or Streamlit's where somebody sets a lower one by hand."""
    visit = new_visit(url=limited.url)
    visit.go("batch?m=flower")
    expect(visit.page.get_by_text(re.compile(rf"\b{promised} per file"))).to_be_visible()
    content = {"name": "table.csv", "mimeType": "text/csv", "buffer": b"width\n1.5\n"}
    with visit.page.expect_request(lambda one: "/_stcore/upload_file/" in one.url) as sent:
        visit.page.locator("input[type=file]").set_input_files(content)  # type: ignore[arg-type]
    expect(visit.page.get_by_text("table.csv ·")).to_be_visible()
    assert status(sent.value, taken) == 204
    if refused is not None:
        assert status(sent.value, refused) == 413
