"""What results add up to, over jobs that a small server answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard import digest as digests
from dashboard.digest import Share, Wanted
from dashboard.jobs import Jobs
from kserve_client.client import InferenceClient
from kserve_client.model import Model
from kserve_client.scoring import ScoreOptions
from kserve_client.scoring.job import Job
from kserve_client.signature import Signature
from tests.dashboard.batch_jobs import ME, SMALL, doubled, jobs_in, until_state, upload
from tests.unit.scoring.job.chunks import FACTS, chunk
from tests.v2_server import Json, V2Server, tensor, v2_server

REFERENCE = {"rows": 4, "quantiles": [0, 0, 1, 2, 3, 4, 4], "histogram": [2, 2]}
NUMBERS = Signature.model_validate(
    {
        "features": [{"name": "a", "kind": "number", "reference": REFERENCE}],
        "outputs": [{"name": "y", "kind": "value"}],
    }
)
LABELS = Signature.model_validate(
    {
        "features": [{"name": "a", "kind": "number"}],
        "outputs": [{"name": "y", "kind": "label", "labels": ["low", "high"]}],
    }
)


def high_or_low(request: Json) -> Json:
    """Answer 1 for numbers above five."""
    (given,) = request["inputs"]
    found = [int(a > 5) for a in given["data"]]
    return {"outputs": [tensor("y", "INT64", given["shape"], found)]}


@pytest.fixture
def server() -> Iterator[V2Server]:
    with v2_server(double=doubled, level=high_or_low) as running:
        yield running


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    found = jobs_in(tmp_path)
    yield found
    found.close()


def done(
    jobs: Jobs,
    server: V2Server,
    table: str,
    name: str = "double",
    signature: Signature = NUMBERS,
    options: ScoreOptions = SMALL,
) -> str:
    """Score a table to its end."""
    model = Model(InferenceClient(server.url), name, signature=signature)
    job = jobs.start(model, name, upload(jobs, table.encode()), options, ME)
    until_state(jobs, job, "finished")
    return job


def test_numbers_are_counted_in_equal_bins(jobs: Jobs, server: V2Server) -> None:
    """Twenty bins from the least to the greatest, which is in the last one."""
    job = done(jobs, server, "a\n0\n1\n1\n20\n")
    with jobs.results(job, ME) as saved:
        found = digests.digest(saved, NUMBERS)
    assert found.is_numeric
    assert len(found.answers) == 20
    assert found.answers[0] == Share("0 to 2", 1)
    assert found.answers[1] == Share("2 to 4", 2)
    assert found.answers[19] == Share("38 to 40", 1)
    assert sum(share.rows for share in found.answers) == 4


def test_one_number_is_one_bin(jobs: Jobs, server: V2Server) -> None:
    """Where all answers are the same there is nothing to divide."""
    job = done(jobs, server, "a\n4\n4\n")
    with jobs.results(job, ME) as saved:
        assert digests.digest(saved, NUMBERS).answers == (Share("8", 2),)


def test_words_are_counted_the_commonest_first(jobs: Jobs, server: V2Server) -> None:
    """By the label that people read."""
    job = done(jobs, server, "a\n1\n9\n9\n", "level", LABELS)
    with jobs.results(job, ME) as saved:
        found = digests.digest(saved, LABELS)
    assert not found.is_numeric
    assert found.answers == (Share("high", 2), Share("low", 1))


def test_failures_are_counted_by_reason(jobs: Jobs, server: V2Server) -> None:
    """Equal reasons are one; rows that failed are in no bin."""
    job = done(jobs, server, "a\n1\nx\nx\ny\n")
    with jobs.results(job, ME) as saved:
        found = digests.digest(saved, NUMBERS)
    assert found.failures == (
        Share("a: 'x' is not a number", 2),
        Share("a: 'y' is not a number", 1),
    )
    assert found.answers == (Share("2", 1),)


def test_a_shift_from_the_usual_rows_is_seen(jobs: Jobs, server: V2Server) -> None:
    """All rows above the greatest usual one: half of the usual rows lie elsewhere, so KS is 0.5."""
    job = done(jobs, server, "a\n" + "50\n" * 40)
    with jobs.results(job, ME) as saved:
        (drift,) = digests.digest(saved, NUMBERS).drift
    assert drift.column == "a"
    assert drift.rows == 40
    assert drift.ks == pytest.approx(0.5)


def test_rows_are_found_over_chunks(jobs: Jobs, server: V2Server) -> None:
    """By outcome, by text and by both; with their numbers from 0."""
    table = "a,note\n" + "".join(f"{'x' if at == 13 else at},row {at}\n" for at in range(30))
    job = done(jobs, server, table)
    with jobs.results(job, ME) as saved:
        failed = digests.find(saved, Wanted(which="failed"))
        found = digests.find(saved, Wanted(text="ROW 2"))
        ok = digests.find(saved, Wanted(which="ok", text="row 13"))
        hidden = digests.find(saved, Wanted(text="row 2", hidden=(1,)))
    assert (failed.numbers, failed.total) == ((13,), 1)
    assert found.numbers == (2, *range(20, 30))
    assert found.rows is not None
    assert found.rows.column("note").to_pylist()[:2] == ["row 2", "row 20"]
    assert (ok.numbers, ok.rows) == ((), None)
    assert hidden.total == 0


def test_rows_are_found_by_their_answer(jobs: Jobs, server: V2Server) -> None:
    """Only those with just this label."""
    job = done(jobs, server, "a\n1\n9\n2\n", "level", LABELS)
    with jobs.results(job, ME) as saved:
        assert digests.find(saved, Wanted(answer="low")).numbers == (0, 2)
        assert digests.find(saved, Wanted(answer="lo")).total == 0


def test_more_rows_than_are_kept_are_counted(
    jobs: Jobs, server: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones are at hand, the others only in the number."""
    monkeypatch.setattr(digests, "MOST_FOUND", 12)
    job = done(jobs, server, "a\n" + "1\n" * 25)
    with jobs.results(job, ME) as saved:
        found = digests.find(saved, Wanted(text="2"))
    assert found.total == 25
    assert found.numbers == tuple(range(12))


def test_segments_of_words(jobs: Jobs, server: V2Server) -> None:
    """Rows by answer for each value; cells without one have a name of their own."""
    table = "a,region\n1,north\n9,north\n9,south\n1,\nx,south\n"
    job = done(jobs, server, table, "level", LABELS)
    with jobs.results(job, ME) as saved:
        found = {one.words: (one.rows, one.answers) for one in digests.segments(saved, 1)}
    assert found == {
        "north": (2, {"low": 1, "high": 1}),
        "south": (1, {"high": 1}),
        "no value": (1, {"low": 1}),
    }


def test_segments_of_numbers_have_a_mean(jobs: Jobs, server: V2Server) -> None:
    """The thirteenth value and those after it are the others."""
    lines = [f"{at},v{at}" for at in range(1, 13)] * 2 + ["20,v20", "30,v30"]
    job = done(jobs, server, "a,v\n" + "\n".join(lines) + "\n", options=ScoreOptions())
    with jobs.results(job, ME) as saved:
        found = {one.words: (one.rows, one.mean) for one in digests.segments(saved, 1)}
    assert len(found) == 13
    assert found["v3"] == (2, 6.0)
    assert found["others"] == (2, 50.0)


def test_a_page_has_the_numbers_of_its_rows(tmp_path: Path) -> None:
    """A run that broke off left gaps: rows keep their numbers, whatever is missing before them."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(137, 170))
        job.record(chunk(180, 274))
        job.flush()
        found = digests.page(job, 100, 100)
        assert digests.page(job, 0, 100) is None
    assert found is not None
    assert found.numbers == (*range(137, 170), *range(180, 200))
    assert found.rows.column("a").to_pylist() == [str(number) for number in found.numbers]


def test_the_end_of_a_job_with_gaps(tmp_path: Path) -> None:
    """That of its last row: no page is empty behind it, however long the source is."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(137, 274))
        job.flush()
        assert digests.end(job) == 274
    with Job.create(tmp_path / "whole", FACTS) as job:
        job.record(chunk(0, 30))
        job.flush()
        assert digests.end(job) == 30
