"""Tables and jobs in a real S3 store: as on a disk, and as whole after an end by the way."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kserve_client import Catalog, ConfigurationError, InputError
from kserve_client.scoring import (
    ReadOptions,
    ScoreOptions,
    Wishes,
    WriteOptions,
    facts_of,
    retry_failed,
    run_job,
    score,
    write_results,
)
from kserve_client.scoring.job import Job, SavedJob, delete_job, jobs
from kserve_client.scoring.progress import Progress
from scripts.pipeline.seaweedfs import ADMIN, SeaweedFS
from tests import needs

HEADER = ["sepal length", "sepal width", "petal length", "petal width"]
BUCKET = "batch"
ROWS = 4000


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Start SeaweedFS and make a bucket; give what fsspec needs to get in."""
    s3fs = pytest.importorskip("s3fs")
    folder = tmp_path_factory.mktemp("s3")
    with SeaweedFS(needs.pipeline_python(), folder / "data", folder / "weed.log") as store:
        key, secret = ADMIN
        options = {
            "key": key,
            "secret": secret,
            "client_kwargs": {"endpoint_url": store.url, "region_name": "us-east-1"},
        }
        s3fs.S3FileSystem(**options).mkdir(BUCKET)
        yield options


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("table") / "in.csv"
    chance = random.Random(2)
    with place.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["number", *HEADER])
        for number in range(ROWS):
            writer.writerow([number, *(f"{chance.uniform(0.1, 7.9):.1f}" for _ in HEADER)])
    return place


def options(storage: dict[str, Any], **given: Any) -> ScoreOptions:
    schemes = frozenset({"s3"})
    reading = ReadOptions(schemes=schemes, storage_options=storage)
    writing = WriteOptions(schemes=schemes, storage_options=storage)
    return ScoreOptions(reading=reading, writing=writing, **given)


def put(storage: dict[str, Any], name: str, data: bytes) -> str:
    import fsspec

    with fsspec.open(f"s3://{BUCKET}/{name}", "wb", **storage) as out:
        out.write(data)
    return f"s3://{BUCKET}/{name}"


def got(storage: dict[str, Any], url: str) -> bytes:
    import fsspec

    with fsspec.open(url, "rb", **storage) as read:
        return bytes(read.read())


@pytest.mark.slow
def test_a_table_goes_from_bucket_to_bucket(
    catalog: Catalog, storage: dict[str, Any], table: Path, tmp_path: Path
) -> None:
    """CSV to CSV and to Parquet, byte for byte what a disk gets."""
    model = catalog.model("iris")
    url = put(storage, "in.csv", table.read_bytes())
    for name in ("out.csv", "out.parquet"):
        summary = score(model, url, f"s3://{BUCKET}/{name}", options(storage))
        assert (summary.ok, summary.failed) == (ROWS, 0)
        score(model, table, tmp_path / name)
        assert got(storage, f"s3://{BUCKET}/{name}") == (tmp_path / name).read_bytes()


def test_a_url_is_opened_only_where_that_is_allowed(
    catalog: Catalog, storage: dict[str, Any], tmp_path: Path
) -> None:
    """And a wrong key is told without the key."""
    model = catalog.model("iris")
    with pytest.raises(InputError, match="s3:// is not allowed here"):
        score(model, f"s3://{BUCKET}/in.csv", tmp_path / "out.csv")
    wrong = {**storage, "secret": "not-the-secret-of-anybody"}
    with pytest.raises(InputError) as caught:
        score(model, f"s3://{BUCKET}/in.csv", tmp_path / "out.csv", options(wrong))
    assert "not-the-secret" not in str(caught.value)


@pytest.mark.slow
def test_a_job_in_a_bucket_goes_on_after_its_end(
    catalog: Catalog, storage: dict[str, Any], table: Path, tmp_path: Path
) -> None:
    """Ledger, parts and manifest are objects; the result is that of an uninterrupted run."""
    model = catalog.model("iris")
    url = put(storage, "job-in.csv", table.read_bytes().replace(b"\n17,", b"\n17,wide", 1))
    how = options(storage, chunk_rows=200, concurrency=2)
    place = f"s3://{BUCKET}/jobs/first-job"
    wishes = Wishes()

    def enough(progress: Progress) -> None:
        if progress.rows_done >= 1000:
            wishes.cancel.set()

    facts = facts_of(model, url, how)
    with Job.create(place, facts, storage_options=storage) as job:
        first = run_job(job, model, url, how, wishes=wishes, on_progress=enough)
        assert 1000 <= first.rows < ROWS
        with pytest.raises(ConfigurationError, match="is in use by process"):
            Job.open(place, storage_options=storage)
    with SavedJob.open(place, storage_options=storage) as saved:
        assert saved.counts.done == first.rows
    with Job.open(place, storage_options=storage) as job:
        job.check(facts_of(model, url, how))
        second = run_job(job, model, url, how)
        assert (second.ok, second.failed, second.is_complete) == (ROWS - 1, 1, True)
        again = retry_failed(job, model, how)
        assert (again.ok, again.failed) == (ROWS - 1, 1)
        out = io.BytesIO()
        write_results(job, out)
    score(model, url, tmp_path / "direct.csv", options(storage))
    assert out.getvalue() == (tmp_path / "direct.csv").read_bytes()
    listed = jobs(f"s3://{BUCKET}/jobs", storage_options=storage)
    assert [(one.state, one.counts.done) for one in listed] == [("finished", ROWS)]
    delete_job(place, storage_options=storage)
    assert jobs(f"s3://{BUCKET}/jobs", storage_options=storage) == []
