"""The variables that the chart sets lead a dashboard to its jobs in a real S3 store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dashboard.jobs import Jobs
from dashboard.settings import Settings
from scripts.pipeline.seaweedfs import ADMIN, SeaweedFS
from tests.chart.engines import Engines, values_of
from tests.dashboard.batch_jobs import (
    doubled,
    expected,
    model_of,
    result,
    start,
    table,
    until_state,
)
from tests.object_store import object_store
from tests.v2_server import v2_server

pytestmark = pytest.mark.slow

BUCKET = "dashboards"
SECRET = dict(zip(("user", "password"), ADMIN, strict=True))  # as the example names its keys


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SeaweedFS]:
    with object_store(tmp_path, BUCKET) as found:
        yield found


def test_a_job_is_done_there(
    helm: Engines, store: SeaweedFS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the example as it is but for the address: another replica reads the result of the first."""
    values = values_of("object-storage")
    values["s3"]["endpoint"] = store.url
    values["dashboard"] = {}  # neither the tables nor the cluster of the example are there
    for name, value in helm.render(values).variables(SECRET).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with v2_server(double=doubled) as server, closing(Jobs(Settings())) as first:
        job_id = start(first, model_of(server), table(50, first=100))
        until_state(first, job_id, "finished")
        with closing(Jobs(Settings())) as second:
            until_state(second, job_id, "finished")
            assert result(second, job_id) == expected(50, first=100)
