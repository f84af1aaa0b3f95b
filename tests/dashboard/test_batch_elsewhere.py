"""The page Batch over jobs that lie behind a URL: another replica answers, or the storage does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import gateway
from kserve_client.scoring.job.store import StorageError
from tests.dashboard.batch_jobs import until
from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, words
from tests.dashboard.storage import Storage, opened
from tests.dashboard.test_batch import batch, csv_of, finished, steps

URL = "shop://bucket/team"


@pytest.fixture(autouse=True)
def storage(monkeypatch: pytest.MonkeyPatch) -> type[Storage]:
    monkeypatch.setenv("KSERVE_CLIENT_JOBS_FOLDER", URL)
    monkeypatch.setattr("dashboard.jobs.shelf.LOOK_S", 0.05)
    return opened()


def upload_in(app: AppTest) -> str:
    """Return the upload that the address names."""
    found = app.query_params["upload"]
    return str(found[0] if isinstance(found, list) else found)


def run_until(app: AppTest, is_so: Callable[[AppTest], bool]) -> None:
    """Look again until something is so."""
    until(lambda: is_so(app.run()))


def test_an_upload_survives_a_change_of_replica(open_page: OpenPage) -> None:
    """A window that knows nothing but the address goes on with the same table."""
    before = batch(open_page, csv_of(3))
    gateway.jobs.clear()
    app = open_page("batch", m="flower", upload=upload_in(before))
    assert steps(app) == steps(before)
    app = finished(app)
    assert "All 3 rows" in alert(app, "success")
    assert "upload" not in app.query_params


def test_an_upload_stays_with_its_model(open_page: OpenPage) -> None:
    """Another model in the same window begins anew; the first one still has its table."""
    app = batch(open_page, csv_of(3))
    upload = upload_in(app)
    app.selectbox(key="m").select("weight").run()
    assert len(app.file_uploader) == 1
    assert "upload" not in app.query_params
    app.selectbox(key="m").select("flower").run()
    assert upload_in(app) == upload


@pytest.mark.parametrize("upload", ["AAAAAAAAAAAAAAAA", "../../etc/passwd", ""])
def test_an_upload_that_is_gone_is_chosen_again(open_page: OpenPage, upload: str) -> None:
    """The page begins anew, whatever the address says."""
    app = open_page("batch", m="flower", upload=upload)
    assert len(app.file_uploader) == 1
    assert not app.query_params.get("upload")


def test_a_storage_that_is_away_is_told_and_comes_back(
    open_page: OpenPage, storage: type[Storage]
) -> None:
    """The list stays with the reason above it; when the storage is there again the reason goes."""
    finished(batch(open_page, csv_of(3)))
    app = open_page("batch", m="flower")
    assert "rows.csv" in words(app)
    storage.error = StorageError(URL, "EndpointConnectionError")
    run_until(app, lambda app: len(app.warning) > 0)
    assert alert(app, "warning").startswith(
        f"The jobs in {URL} can't be read: it does not answer (EndpointConnectionError). What is "
        "shown may be old"
    )
    assert "rows.csv" in words(app)
    app.file_uploader[0].upload("more.csv", csv_of(2).encode(), "text/csv").run()
    assert alert(app, "error") == (
        f"That did not work: The upload could not be kept in {URL}: it does not answer "
        "(EndpointConnectionError)."
    )
    storage.error = None
    run_until(app, lambda app: len(app.warning) == 0)
    assert "rows.csv" in words(app)


def test_a_link_to_a_job_is_not_called_dead_while_the_storage_is_away(
    open_page: OpenPage, storage: type[Storage]
) -> None:
    """The page says what is the matter instead."""
    storage.error = StorageError(URL, "EndpointConnectionError")
    app = open_page("batch", m="flower", job="AAAAAAAAAAAAAAAA")
    run_until(app, lambda app: len(app.warning) > 0)
    assert len(app.info) == 0
    storage.error = None
    run_until(app, lambda app: len(app.info) > 0)
    assert "knows no job of this link" in alert(app, "info")


def test_a_link_to_an_upload_waits_for_the_storage(
    open_page: OpenPage, storage: type[Storage]
) -> None:
    """A window that comes back while it is away is told so, and has its table once it is there."""
    before = batch(open_page, csv_of(3))
    upload = upload_in(before)
    gateway.jobs.clear()
    storage.error = StorageError(URL, "EndpointConnectionError")
    app = open_page("batch", m="flower", upload=upload)
    assert "this page tries again by itself" in alert(app, "warning")
    assert (len(app.error), len(app.file_uploader)) == (0, 0)
    assert upload_in(app) == upload
    storage.error = None
    run_until(app, lambda app: len(app.warning) == 0)
    assert steps(app) == steps(before)
