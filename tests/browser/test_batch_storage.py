"""The page Batch while the object storage of its jobs is away, and when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from scripts.pipeline.seaweedfs import SeaweedFS
from tests.browser.conftest import NewVisit
from tests.browser.test_batch import press, saved, told, upload
from tests.object_store import object_store, variables_of
from tests.servers import ROOT, start_dashboard, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BUCKET = "jobs"
AGAIN_MS = 60_000
PHONE = (390, 844)
DONE = "^All 150 rows have a prediction"
AGAIN = r"This page tries again by itself\.$"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SeaweedFS]:
    with object_store(tmp_path, BUCKET) as found:
        yield found


@pytest.fixture
def on_bucket(store: SeaweedFS, demo_models_file: Path, tmp_path: Path) -> Iterator[str]:
    """Run a dashboard that keeps its jobs there; return its address."""
    dashboard = start_dashboard(
        demo_models_file,
        tmp_path / "dashboard.log",
        root=ROOT,
        **variables_of(store),
        KSERVE_CLIENT_JOBS_FOLDER=f"s3://{BUCKET}/x",
    )
    try:
        wait_for(dashboard)
        yield dashboard.url
    finally:
        dashboard.child.stop()


@pytest.fixture
def iris(demo_models_file: Path) -> Path:
    return demo_models_file.parent / "data" / "iris-150.csv"


def test_a_storage_that_goes_and_comes_back(
    store: SeaweedFS, on_bucket: str, new_visit: NewVisit, iris: Path, tmp_path: Path
) -> None:
    """Open pages say why, lose nothing, and go on by themselves once it is there again."""
    result = new_visit(url=on_bucket)
    result.go("batch?m=iris")
    upload(result, iris)
    press(result, "Score 150 rows")
    expect(told(result, DONE)).to_be_visible()
    prepared = new_visit(url=on_bucket)
    prepared.go("batch?m=iris")
    upload(prepared, iris)
    told(prepared, "^Check").click()
    expect(told(prepared, "^Look for repeats in")).to_be_visible()
    phone = new_visit(url=on_bucket, size=PHONE, scheme="dark")
    phone.go("batch?m=iris")
    expect(told(phone, "^finished · 150 rows")).to_be_visible()

    store.stop()
    expect(told(phone, "What is shown may be old")).to_be_visible(timeout=AGAIN_MS)
    expect(told(phone, "^finished · 150 rows")).to_be_visible()
    upload(phone, iris)
    expect(told(phone, "The file is still here")).to_be_visible()
    press(prepared, "Score 150 rows")
    expect(told(prepared, "before you press the button again")).to_be_visible()
    expect(told(prepared, "^Look for repeats in")).to_be_visible()
    press(result, "Download the result")
    expect(told(result, "Nothing is lost: the result is kept")).to_be_visible(timeout=AGAIN_MS)
    for reloaded in (prepared, result):
        reloaded.page.reload()
        expect(told(reloaded, AGAIN)).to_be_visible()

    store.start()
    store.wait_until_ready()
    for one in (phone, prepared):
        expect(told(one, "^Check")).to_be_visible(timeout=AGAIN_MS)
        expect(told(one, "does not answer")).to_have_count(0)
    button = result.page.get_by_role("button", name="Download the result", exact=True)
    expect(button).to_be_visible(timeout=AGAIN_MS)
    press(prepared, "Score 150 rows")
    expect(told(prepared, DONE)).to_be_visible()
    first = saved(result, "Download the result", tmp_path / "first.csv").read_bytes()
    assert saved(prepared, "Download the result", tmp_path / "second.csv").read_bytes() == first
