"""A batch on the real page, for tests that end its process in the middle: a model with a pace, and steps."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.dashboard.batch_jobs import MODELS, doubled, expected, table
from tests.v2_server import Infer, Json, Reply, V2Server

ROWS = 6000
FIRST = 100  # the model refuses the number 13
TABLE, RESULT = table(ROWS, FIRST), expected(ROWS, FIRST)
ROWS_PER_S = 500.0
PATIENCE_MS = 60_000


def paced(answer: Infer) -> Infer:
    """Return the same model, doing so many rows a second whoever asks, and however many at a time."""
    line = threading.Lock()

    def slow(request: Json) -> Json | Reply:
        with line:
            time.sleep(_rows_in(request) / ROWS_PER_S)
        return answer(request)

    return slow


PACED = paced(doubled)


def write_models_file(path: Path, server: V2Server) -> None:
    """Write the models file of the model `double`, which every user may read."""
    path.write_text(MODELS.replace("URL", server.url))
    path.chmod(0o644)


def begin(page: Page) -> None:
    """Upload the table and press the button."""
    file = {"name": "numbers.csv", "mimeType": "text/csv", "buffer": TABLE}
    page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name=re.compile(r"^Score [0-9,]+ rows$")).click(timeout=PATIENCE_MS)


def rows_done(page: Page, *, more_than: int = 0) -> int:
    """Wait until more rows than that are done, and return how many the page says."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while (done := _rows_told(page)) <= more_than:
        assert time.monotonic() < end, page.get_by_test_id("stMain").inner_text()
        page.wait_for_timeout(100)
    return done


def _rows_told(page: Page) -> int:
    """How many rows the page says at the moment; 0 while no job runs on it."""
    found = re.search(r"^Running · ([0-9,]+)", page.locator("body").inner_text(), re.MULTILINE)
    return int(found[1].replace(",", "")) if found else 0


def result(page: Page) -> bytes:
    """Wait until the page says that all is done, and download it."""
    done = page.get_by_text(f"All {ROWS:,} rows have a prediction")
    expect(done).to_be_visible(timeout=PATIENCE_MS)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the result", exact=True).click()
    return download.value.path().read_bytes()


def rows_asked(server: V2Server) -> int:
    """How many rows a server was asked about."""
    return sum(_rows_in(one) for one in server.inferences)


def _rows_in(request: Json) -> int:
    return int(request["inputs"][0]["shape"][0])
