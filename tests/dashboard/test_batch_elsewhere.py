"""The page Batch over jobs that lie behind a URL: another replica answers, or the storage does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import gateway
from dashboard.jobs import Jobs, StorageTroubleError
from kserve_client.scoring.job.store import StorageError
from tests.dashboard.batch_jobs import until
from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, plain, words
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
    return in_address(app, "upload")


def in_address(app: AppTest, name: str) -> str:
    found = app.query_params[name]
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
    app.selectbox(key="model").select("weight").run()
    assert len(app.file_uploader) == 1
    assert "upload" not in app.query_params
    app.selectbox(key="model").select("flower").run()
    assert upload_in(app) == upload


@pytest.mark.parametrize("upload", ["AAAAAAAAAAAAAAAA", "../../etc/passwd", ""])
def test_an_upload_that_is_gone_is_chosen_again(open_page: OpenPage, upload: str) -> None:
    """The page begins anew, whatever the address says, and tells why the table is not there."""
    app = open_page("batch", m="flower", upload=upload)
    assert len(app.file_uploader) == 1
    gone = "The upload that this address leads to is not there any more; choose the file again."
    assert [found.value for found in app.info] == [gone] * bool(upload)
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
    storage.error = None
    run_until(app, lambda app: len(app.warning) == 0)
    assert "rows.csv" in words(app)


def test_an_upload_waits_for_the_storage(open_page: OpenPage, storage: type[Storage]) -> None:
    """The file stays where it was put, with the reason below it, and is taken when that is gone."""
    app = open_page("batch", m="flower")
    storage.error = StorageError(URL, "EndpointConnectionError")
    app.file_uploader[0].upload("more.csv", csv_of(2).encode(), "text/csv").run()
    # The list below it may have its own warning by now.
    assert plain(app.warning[0].value) == (
        f"The upload could not be kept in {URL}: it does not answer (EndpointConnectionError). "
        "The file is still here; this page tries again by itself."
    )
    assert "The file needs the columns" in words(app)
    storage.error = None
    run_until(app, lambda app: len(app.file_uploader) == 0)
    assert steps(app)[0].startswith("Table · more.csv")


def test_an_upload_that_nothing_helps_is_not_tried_again(
    open_page: OpenPage, storage: type[Storage]
) -> None:
    """Keys that do not permit it stay what they are: a person has to do something."""
    app = open_page("batch", m="flower")
    storage.error = PermissionError("sesame")
    app.file_uploader[0].upload("more.csv", csv_of(2).encode(), "text/csv").run()
    assert alert(app, "error") == (
        f"That did not work: The upload could not be kept in {URL}: the keys of the dashboard do "
        "not permit that, or are wrong (PermissionError)."
    )


def test_an_upload_is_not_sent_without_end(
    open_page: OpenPage, storage: type[Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the storage can be read, but takes nothing, the page gives up and says why."""
    sent = []

    def spool(self: Jobs, stream: Any, name: str, owner: str) -> None:
        sent.append(name)
        raise StorageTroubleError("the upload could not be kept: it is full", is_away=True)

    app = open_page("batch", m="flower")
    monkeypatch.setattr(Jobs, "spool", spool)
    app.file_uploader[0].upload("more.csv", csv_of(2).encode(), "text/csv").run()
    for _ in range(4):
        assert len(app.error) == 0
        app.run()
    assert alert(app, "error") == "That did not work: The upload could not be kept: it is full."
    app.run()
    assert sent == ["more.csv"] * 5


def test_a_start_that_is_refused_keeps_what_was_prepared(
    open_page: OpenPage, storage: type[Storage]
) -> None:
    """It says so, and the same button does it once the storage is there."""
    app = batch(open_page, csv_of(3))
    before = steps(app)
    storage.error = StorageError(URL, "EndpointConnectionError")
    app.button(key="start").click().run()
    assert alert(app, "error").endswith(
        "The table and all choices are still here. It may have begun all the same: look at the list of "
        "jobs before you press the button again."
    )
    assert steps(app) == before
    storage.error = None
    app.button(key="start").click().run()
    run_until(app, lambda app: "All 3 rows have a prediction" in words(app))


def test_results_wait_for_the_storage(open_page: OpenPage, storage: type[Storage]) -> None:
    """A link to a job whose card was seen before: how it ended, and its rows when they can be read."""
    app = finished(batch(open_page, csv_of(3)))
    job = in_address(app, "job")
    storage.error = StorageError(URL, "EndpointConnectionError")
    app = open_page("batch", m="flower", job=job)
    assert "This page tries again by itself." in alert(app, "warning")
    assert len(app.error) == 0
    storage.error = None
    run_until(app, lambda app: len(app.warning) == 0)
    assert len(app.dataframe) == 1


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
    assert alert(app, "warning").endswith("This page tries again by itself.")
    assert (len(app.error), len(app.file_uploader)) == (0, 0)
    assert upload_in(app) == upload
    storage.error = None
    run_until(app, lambda app: len(app.warning) == 0)
    assert steps(app) == steps(before)
