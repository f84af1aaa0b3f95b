"""Scoring in a job directory: resumed equals uninterrupted, and only what failed goes again."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kserve_client import ConfigurationError, Endpoint, InferenceClient, InputError, Model
from kserve_client.scoring import (
    ScoreOptions,
    Summary,
    Wishes,
    WriteOptions,
    facts_of,
    retry_failed,
    run_job,
    score,
    sendable_rows,
    write_results,
)
from kserve_client.scoring.job import Job
from kserve_client.scoring.progress import Progress
from tests.unit.scripted_model import (
    URL,
    Reply,
    ScriptedModel,
    open_model,
    predicted,
    problem,
    serve,
)

TABLE = "id,x\n" + "".join(f"{at:03d},{at % 3}\n" for at in range(60))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    place = tmp_path / "in.csv"
    place.write_text(TABLE)
    return place


def options(**given: Any) -> ScoreOptions:
    return ScoreOptions(**{"chunk_rows": 7, "concurrency": 3, "patience_s": 0.3} | given)


def begun(place: Path, table: Path, how: ScoreOptions) -> Job:
    return Job.create(place, facts_of(open_model(), table, how))


def opened(place: Path, table: Path, how: ScoreOptions) -> Job:
    job = Job.open(place)
    job.check(facts_of(open_model(), table, how))
    return job


def whole(table: Path) -> bytes:
    """The result of a run without a job."""
    out = table.with_name("direct.csv")
    score(open_model(), table, out, options(patience_s=30))
    return out.read_bytes()


def test_a_job_gives_the_file_of_a_direct_run(
    mock: responses.RequestsMock, table: Path, tmp_path: Path
) -> None:
    """Byte for byte; its manifest tells what it was of and what it took."""
    serve(mock, ScriptedModel())
    with begun(tmp_path / "job", table, options()) as job:
        summary = run_job(job, open_model(), table, options())
        write_results(job, tmp_path / "out.csv")
        manifest = job.manifest
    assert (tmp_path / "out.csv").read_bytes() == whole(table)
    assert (summary.rows, summary.ok, summary.is_complete) == (60, 60, True)
    assert (manifest.state, manifest.counts.total_rows) == ("finished", 60)
    assert manifest.figures.requests == 9
    assert manifest.facts.model.served_name == "naming"


def test_a_cancelled_job_goes_on_where_it_was(
    mock: responses.RequestsMock, table: Path, tmp_path: Path
) -> None:
    """Nothing that is done is asked for again."""
    model = serve(mock, ScriptedModel())
    wishes = Wishes()

    def enough(progress: Progress) -> None:
        if progress.rows_done >= 20:
            wishes.cancel.set()

    how = options(concurrency=1)
    with begun(tmp_path / "job", table, how) as job:
        first = run_job(job, open_model(), table, how, wishes=wishes, on_progress=enough)
        assert job.state == "cancelled"
        with pytest.raises(ConfigurationError, match="not done"):
            write_results(job, tmp_path / "out.csv")
    assert first.cancelled
    assert not first.is_complete
    assert 20 <= first.rows < 60
    asked = sum(map(len, model.sent))
    with opened(tmp_path / "job", table, how) as job:
        second = run_job(job, open_model(), table, how)
        write_results(job, tmp_path / "out.csv")
    assert sum(map(len, model.sent)) == 60 >= asked
    assert (second.rows, second.is_complete) == (60, True)
    assert (tmp_path / "out.csv").read_bytes() == whole(table)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 10_000))
def test_interrupted_at_any_time_it_ends_the_same(tmp_path_factory: Any, seed: int) -> None:
    """Chunks of other sizes, faults and ends by the way leave no trace in the result."""
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("resume")
    table = folder / "in.csv"
    table.write_text(TABLE.replace("030,0", "030,666").replace("041,2", "041,bad"))

    def faulty(number: int, rows: list[float]) -> Reply | None:
        return problem(503, "busy") if chance.random() < 0.1 else None

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        serve(mock, ScriptedModel(faulty))
        job = begun(folder / "job", table, options())
        for _ in range(100):
            how = options(
                chunk_rows=chance.randint(1, 12), concurrency=chance.randint(1, 4), patience_s=30
            )
            wishes, end = Wishes(), chance.randint(5, 80)

            def enough(progress: Progress, end: int = end, wishes: Wishes = wishes) -> None:
                if progress.rows_done >= end:
                    wishes.cancel.set()

            with job:
                summary = run_job(job, open_model(), table, how, wishes=wishes, on_progress=enough)
            if summary.is_complete:
                break
            job = opened(folder / "job", table, how)
        with Job.open(folder / "job") as job:
            for name in ("out.csv", "out.parquet"):
                write_results(job, folder / name)
        assert (folder / "out.csv").read_bytes() == whole(table)
        score(open_model(), table, folder / "direct.parquet", options(patience_s=30))
    assert (folder / "out.parquet").read_bytes() == (folder / "direct.parquet").read_bytes()
    assert (summary.ok, summary.failed) == (58, 2)


def test_only_rows_that_failed_go_again(
    mock: responses.RequestsMock, table: Path, tmp_path: Path
) -> None:
    """Far from each other they share a request; what failed for its content fails again."""
    table.write_text(TABLE.replace("030,0", "030,666"))
    broken = {4.0}
    rows = TABLE.splitlines()
    for at in (10, 25, 55):
        rows[at] = rows[at].split(",")[0] + ",4"
    rows[31] = "030,666"
    table.write_text("\n".join(rows) + "\n")

    def refuses(_: int, sent: list[float]) -> Reply | None:
        return problem(400, "4 is not known yet") if broken & set(sent) else None

    model = serve(mock, ScriptedModel(refuses))
    with begun(tmp_path / "job", table, options()) as job:
        first = run_job(job, open_model(), table, options())
        assert (first.ok, first.failed) == (56, 4)
        broken.clear()
        model.sent.clear()
        again = retry_failed(job, open_model(), options())
        write_results(job, tmp_path / "out.csv")
        write_results(job, tmp_path / "errors.csv", WriteOptions(only="errors"))
    assert model.sent[0] == [4.0, 4.0, 666.0, 4.0]
    assert (again.rows, again.ok, again.failed) == (60, 59, 1)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert len(lines) == 61
    assert lines[10] == "009,4,4,ok,"
    assert lines[31] == "030,666,,failed,400: 666 is refused"
    assert (tmp_path / "errors.csv").read_text().splitlines()[1:] == lines[31:32]


def test_rows_that_can_not_be_read_are_no_rows_to_try_again(
    mock: responses.RequestsMock, table: Path, tmp_path: Path
) -> None:
    """Three failed: one the model refused, one holds a word, one has a cell too many."""
    table.write_text(
        TABLE.replace("030,0", "030,666").replace("041,2", "041,bad").replace("050,2", "050,2,9")
    )
    model = serve(mock, ScriptedModel())
    with begun(tmp_path / "job", table, options()) as job:
        assert run_job(job, open_model(), table, options()).failed == 3
        model.sent.clear()
        assert sendable_rows(job, open_model()) == 1
        assert model.sent == []


def test_another_input_or_model_is_refused(
    mock: responses.RequestsMock, table: Path, tmp_path: Path
) -> None:
    """With what has changed."""
    serve(mock, ScriptedModel())
    with begun(tmp_path / "job", table, options()) as job:
        run_job(job, open_model(), table, options(limit=None))
    model = open_model()
    model.version = "2"
    with Job.open(tmp_path / "job") as job:
        with pytest.raises(ConfigurationError, match="the model version was any, is 2"):
            job.check(facts_of(model, table, options()))
        elsewhere = Model(
            InferenceClient(Endpoint(url=URL, host="iris.lab")),
            "naming",
            signature=open_model().signature,
        )
        with pytest.raises(ConfigurationError, match="the host was not set, is 'iris"):
            job.check(facts_of(elsewhere, table, options()))
        with pytest.raises(ConfigurationError, match="the limit of rows was None, is 5"):
            job.check(facts_of(open_model(), table, options(limit=5)))
        table.write_text(TABLE.replace("000,0", "000,1"))
        with pytest.raises(InputError, match="the input has changed"):
            job.check(facts_of(open_model(), table, options()))


def test_a_model_that_goes_away_leaves_a_job_that_can_go_on(
    mock: responses.RequestsMock, table: Path, tmp_path: Path
) -> None:
    """With the reason, and nothing of it in the result."""
    is_away = True

    def away(number: int, _: list[float]) -> Reply | None:
        return problem(503, "no replicas") if is_away and number >= 4 else None

    serve(mock, ScriptedModel(away))
    with begun(tmp_path / "job", table, options()) as job:
        first: Summary = run_job(job, open_model(), table, options())
        assert job.manifest.state == "stopped"
        assert "no replicas" in job.manifest.reason
    assert (first.failed, first.skipped, first.is_complete) == (0, 0, False)
    is_away = False
    with opened(tmp_path / "job", table, options()) as job:
        second = run_job(job, open_model(), table, options())
        write_results(job, tmp_path / "out.csv")
    assert (second.ok, second.is_complete) == (60, True)
    assert (tmp_path / "out.csv").read_bytes() == whole(table)


POISON = 777.0


def dies_of_poison(_: int, rows: list[float]) -> Exception | None:
    """The server closes the connection on that number, and is there for all others."""
    return requests.exceptions.ChunkedEncodingError("cut") if POISON in rows else None


@pytest.mark.parametrize("bad", [{59}, {0}, {58, 59}, {3, 30, 59}])
def test_rows_that_get_no_answer_fail_and_the_job_comes_to_its_end(
    mock: responses.RequestsMock, table: Path, tmp_path: Path, bad: set[int]
) -> None:
    """Whether it was resumed with nothing else left, or not: the same bytes."""
    lines = [f"{at:03d},{777 if at in bad else at % 3}" for at in range(60)]
    table.write_text("\n".join(["id,x", *lines, ""]))
    model = serve(mock, ScriptedModel(dies_of_poison))
    wishes = Wishes()

    def enough(progress: Progress) -> None:
        if progress.ok == 60 - len(bad) or progress.failed:
            wishes.cancel.set()

    with begun(tmp_path / "job", table, options()) as job:
        first = run_job(job, open_model(), table, options(), wishes=wishes, on_progress=enough)
        assert not first.is_complete
    model.sent.clear()
    with opened(tmp_path / "job", table, options()) as job:
        second = run_job(job, open_model(), table, options())
        write_results(job, tmp_path / "out.csv")
    assert (second.ok, second.failed, second.stopped) == (60 - len(bad), len(bad), "")
    assert (tmp_path / "out.csv").read_bytes() == whole(table)
    rows = (tmp_path / "out.csv").read_text().splitlines()[1:]
    told = "no answer to this row, while others were answered: "
    assert {at for at, row in enumerate(rows) if told in row} == bad


def test_a_server_that_is_gone_fails_no_row_on_a_resume(
    mock: responses.RequestsMock, table: Path, tmp_path: Path
) -> None:
    """Though it answered before, and what is left are single rows."""
    table.write_text(TABLE.replace("059,2", "059,777"))
    is_gone = False

    def gone(number: int, rows: list[float]) -> Exception | None:
        return (
            requests.exceptions.ChunkedEncodingError("cut")
            if is_gone
            else dies_of_poison(number, rows)
        )

    serve(mock, ScriptedModel(gone))
    wishes = Wishes()

    def enough(progress: Progress) -> None:
        if progress.ok == 59:
            wishes.cancel.set()

    how = options(chunk_rows=1)
    with begun(tmp_path / "job", table, how) as job:
        run_job(job, open_model(), table, how, wishes=wishes, on_progress=enough)
    is_gone = True
    with opened(tmp_path / "job", table, how) as job:
        second = run_job(job, open_model(), table, how)
        assert (second.ok, second.failed, job.state) == (59, 0, "stopped")
    is_gone = False
    with opened(tmp_path / "job", table, how) as job:
        third = run_job(job, open_model(), table, how)
        # What failed is tried again with the same witness.
        again = retry_failed(job, open_model(), how)
    assert (third.ok, third.failed, third.is_complete) == (59, 1, True)
    assert (again.ok, again.failed, again.stopped) == (59, 1, "")


def test_the_failures_of_the_runs_before_count(
    mock: responses.RequestsMock, table: Path, tmp_path: Path
) -> None:
    """Resuming does not allow as many anew; a retry takes all of them up again."""
    table.write_text(TABLE.replace(",2", ",666"))
    model = serve(mock, ScriptedModel())
    how = options(chunk_rows=6, concurrency=1, max_failures=3)
    with begun(tmp_path / "job", table, how) as job:
        first = run_job(job, open_model(), table, how)
        assert (first.failed, first.stopped) == (4, "4 rows failed, and 3 were allowed")
    model.sent.clear()
    with opened(tmp_path / "job", table, how) as job:
        second = run_job(job, open_model(), table, how)
        assert (second.failed, second.stopped) == (4, "4 rows failed, and 3 were allowed")
        assert model.sent == []
        five = dataclasses.replace(how, max_failures=5)
        third = run_job(job, open_model(), table, five)
        assert (third.failed, third.stopped) == (6, "6 rows failed, and 5 were allowed")
        model.sent.clear()
        again = retry_failed(job, open_model(), dataclasses.replace(how, max_failures=6))
    assert (again.failed, again.stopped) == (6, "")
    assert sum(map(len, model.sent)) >= 6


def test_another_version_of_the_model_does_not_go_on_with_a_job(
    mock: responses.RequestsMock, table: Path, tmp_path: Path
) -> None:
    """Which version answered is in the manifest; the figures are those of all runs."""
    version = "1"

    def versioned(_: int, rows: list[float]) -> Reply:
        status, headers, body = predicted([int(row) for row in rows])
        return status, headers, body.replace("{", f'{{"model_version": "{version}", ', 1)

    serve(mock, ScriptedModel(versioned))
    wishes = Wishes()

    def enough(progress: Progress) -> None:
        if progress.rows_done >= 20:
            wishes.cancel.set()

    how = options(concurrency=1)
    with begun(tmp_path / "job", table, how) as job:
        run_job(job, open_model(), table, how, wishes=wishes, on_progress=enough)
        done, first = job.counts.done, job.manifest.figures
        assert job.manifest.facts.model.answered_version == "1"
    version = "2"
    with opened(tmp_path / "job", table, how) as job:
        with pytest.raises(ConfigurationError, match="answers as version 2, and answered as 1"):
            run_job(job, open_model(), table, how)
        assert (job.state, job.counts.done) == ("stopped", done)
    version = "1"
    with opened(tmp_path / "job", table, how) as job:
        assert run_job(job, open_model(), table, how).is_complete
        assert job.manifest.figures.requests == 9
        assert job.manifest.figures.seconds > first.seconds


def test_the_version_that_answered_survives_a_kill(
    mock: responses.RequestsMock, table: Path, tmp_path: Path
) -> None:
    """It is noted before the first rows count."""

    def versioned(number: int, rows: list[float]) -> Reply:
        if number == 3:
            raise KeyboardInterrupt  # as near to a kill as a test of one process comes
        status, headers, body = predicted([int(row) for row in rows])
        return status, headers, body.replace("{", '{"model_version": "7", ', 1)

    serve(mock, ScriptedModel(versioned))
    how = options(concurrency=1)
    with begun(tmp_path / "job", table, how) as job, pytest.raises(KeyboardInterrupt):
        run_job(job, open_model(), table, how)
    with Job.open(tmp_path / "job") as job:
        assert job.manifest.facts.model.answered_version == "7"
        assert 0 < job.counts.done < 60


def test_options_come_back_from_a_job(table: Path) -> None:
    """What decides the result is in the manifest, so that another process can go on."""
    from kserve_client.scoring.mapping import Mapping, Origin

    mapping = Mapping(origins={"x": Origin(column="x", factor=2.0)})
    how = options(limit=50, mapping=mapping)
    kept = facts_of(open_model(), table, how).options
    again = ScoreOptions().like(kept)
    assert dataclasses.replace(again, patience_s=0.3) == how
