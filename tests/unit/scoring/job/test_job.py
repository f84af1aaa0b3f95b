from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from kserve_client.errors import ConfigurationError, InputError
from kserve_client.scoring.job import UNKNOWN_END, Figures, Job, SavedJob
from kserve_client.scoring.rows import Rows, Scored
from tests.unit.scoring.job.chunks import (
    FACTS,
    chunk,
    failed_line,
    finished,
    lines,
    ok_line,
    partial_results,
    rows,
)

LEFT = "000000000000-000000000004-0123abcd.arrow"


def part_files(directory: Path) -> list[Path]:
    return sorted((directory / "parts").iterdir())


def test_chunks_in_any_order_come_back_in_the_order_of_the_rows(tmp_path: Path) -> None:
    """What is recorded last may be what comes first."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(4, 6))
        job.flush()
        job.record(chunk(0, 4, failed=[1], skipped=[2]))
        finished(job, 6)
    with SavedJob.open(tmp_path / "job") as saved:
        assert lines(saved) == [
            ok_line(0),
            failed_line(1),
            ("2", "5.10", None, "skipped", "not 2"),
            ok_line(3),
            ok_line(4),
            ok_line(5),
        ]
        assert (saved.counts.ok, saved.counts.failed, saved.counts.skipped) == (4, 1, 1)
        assert saved.state == "finished"


def test_what_is_left_to_do(tmp_path: Path) -> None:
    """Gaps between what is recorded, and the open end until the source has ended."""
    with Job.create(tmp_path / "job", FACTS) as job:
        assert job.remaining() == [range(UNKNOWN_END)]
        job.record(chunk(2, 4))
        job.record(chunk(6, 7))
        assert job.remaining() == [range(2), range(4, 6), range(7, UNKNOWN_END)]
        job.source_ended(8)
        assert job.remaining() == [range(2), range(4, 6), range(7, 8)]


def test_a_row_is_recorded_once(tmp_path: Path) -> None:
    """A chunk that overlaps another is a bug of the caller, and changes nothing."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 4))
        with pytest.raises(ValueError, match="recorded already"):
            job.record(chunk(3, 5))
        job.record(chunk(4, 5))
        finished(job, 5)
        assert lines(job) == [ok_line(n) for n in range(5)]


def test_a_chunk_of_no_rows_is_none(tmp_path: Path) -> None:
    """Nothing is recorded of nothing."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 0))
        finished(job, 0)
        assert lines(job) == []


def test_other_result_columns_are_an_error_of_their_rows(tmp_path: Path) -> None:
    """The first results fix the columns, also for whoever resumes; what is kept is returned."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 1))
    other = pa.RecordBatch.from_arrays([pa.array(["p1"])], names=["label"])
    told = "the answer has other columns than the first one: label instead of prediction"
    with Job.open(tmp_path / "job") as job:
        kept = job.record(Scored(rows(1, 2), other))
        assert (kept.results, kept.errors) == (None, {0: told})
        finished(job, 2)
        assert (job.counts.ok, job.counts.failed) == (1, 1)
        assert lines(job) == [ok_line(0), ("1", "5.10", None, "failed", told)]
        assert job.replace(Scored(rows(1, 2), other)).errors == {0: told}


def test_a_column_that_was_empty_at_first_takes_text(tmp_path: Path) -> None:
    """What the schema knows of it outlives the process."""
    empty = pa.RecordBatch.from_arrays([pa.array(["a"]), pa.nulls(1)], names=["prediction", "why"])
    later = pa.RecordBatch.from_arrays(
        [pa.array(["b"]), pa.array(["so"])], names=["prediction", "why"]
    )
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(Scored(rows(0, 1), empty))
    with Job.open(tmp_path / "job") as job:
        job.record(Scored(rows(1, 2), later))
        finished(job, 2)
        table = pa.Table.from_batches(job.results())
    assert table.column("why").to_pylist() == [None, "so"]


def test_rows_from_before_the_first_answer_have_null_results(tmp_path: Path) -> None:
    """One schema for all batches, though the first part knew no results."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 2, failed=[0, 1]))
        job.flush()
        job.record(chunk(2, 3))
        finished(job, 3)
        batches = list(job.results())
        assert batches[0].schema == batches[1].schema
        assert batches[0].schema.names == ["a", "b", "prediction", "state", "error"]
        assert lines(job) == [failed_line(0), failed_line(1), ok_line(2)]


def test_columns_of_the_source_keep_their_names(tmp_path: Path) -> None:
    """A result column, state or error whose name is taken gets a number."""
    cells = pa.RecordBatch.from_arrays(
        [pa.array(["1"]), pa.array(["2"]), pa.array(["3"])], names=["state", "prediction", "error"]
    )
    results = pa.RecordBatch.from_arrays([pa.array(["p"])], names=["prediction"])
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(Scored(Rows(0, cells), results))
        finished(job, 1)
        (batch,) = job.results()
    assert batch.schema.names == [
        "state", "prediction", "error", "prediction_2", "state_2", "error_2",
    ]  # fmt: skip
    assert [column.to_pylist() for column in batch.columns] == [
        ["1"], ["2"], ["3"], ["p"], ["ok"], [""],
    ]  # fmt: skip


def test_a_job_that_is_not_done_has_no_whole_result(tmp_path: Path) -> None:
    """The rows that are missing are named, from 1."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 2))
        job.flush()
        with pytest.raises(
            ConfigurationError, match="2 rows are, and the end of the input was not"
        ):
            list(job.results())
        job.record(chunk(4, 6))
        job.source_ended(7)
        with pytest.raises(ConfigurationError, match="rows 3 to 4 are missing"):
            list(job.results())
        job.record(chunk(2, 4))
        job.flush()
        with pytest.raises(ConfigurationError, match="rows 7 to 7 are missing"):
            list(job.results())


def test_a_page_of_the_table(tmp_path: Path) -> None:
    """Rows by number, across parts; those that are not there yet are left out."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 4))
        job.flush()
        job.record(chunk(6, 9))
        job.flush()
        found = [batch.column(0).to_pylist() for batch in partial_results(job, 2, 8)]
        assert found == [["2", "3"], ["6", "7"]]
        assert partial_results(job, 4, 6) == []
        assert partial_results(job, 0, 0) == []


def test_the_end_of_the_source_is_said_once(tmp_path: Path) -> None:
    """Another number of rows means another input."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 4))
        with pytest.raises(InputError, match="it has 3 rows, and had 4"):
            job.source_ended(3)
        job.source_ended(4)
        job.source_ended(4)
        with pytest.raises(InputError, match="it has 5 rows, and had 4"):
            job.source_ended(5)


def test_finished_means_that_no_row_is_left(tmp_path: Path) -> None:
    """A state that is not true is not noted."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 4))
        with pytest.raises(ValueError, match="all its rows"):
            job.update("finished")
        assert job.manifest.state == "created"


def test_failed_rows_are_given_with_their_numbers(tmp_path: Path) -> None:
    """Rows that follow each other come together; ok ones don't come."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 6, failed=[1, 2, 5], skipped=[3]))
        job.flush()
        job.record(chunk(6, 8, failed=[6]))
        job.flush()
        found = list(job.failed_rows())
    assert [(piece.start, piece.stop) for piece in found] == [(1, 4), (5, 6), (6, 7)]
    assert found[0].cells.column(0).to_pylist() == ["1", "2", "3"]


def test_the_first_failure_is_that_of_the_lowest_row(tmp_path: Path) -> None:
    """Rows that were skipped, or are ok, come before it or not."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 3, skipped=[1]))
        assert job.first_failure() is None
        job.record(chunk(6, 9, failed=[7]))
        job.record(chunk(3, 6, failed=[4, 5]))
        job.flush()
        assert job.first_failure() == (4, "no 4")


def test_why_a_row_does_not_fit_is_kept(tmp_path: Path) -> None:
    """A ragged row, cut to the header, would be scored for what it is not when it is tried again."""
    ragged = Rows(0, rows(0, 3).cells, {1: "line 3 has 1 cell"})
    scored = Scored(ragged, None, {0: "no", 1: "line 3 has 1 cell", 2: "no"})
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(scored)
        job.record(chunk(3, 4))
        job.flush()
        (found,) = job.failed_rows()
        assert found.problems == {1: "line 3 has 1 cell"}
        job.replace(chunk(0, 1))
        job.flush()
        (again,) = job.failed_rows()
        assert (again.start, again.problems) == (1, {0: "line 3 has 1 cell"})


def test_retried_rows_take_the_place_of_the_failed_ones(tmp_path: Path) -> None:
    """Across two parts at once; the others stay as they are, and old parts are removed."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 4, failed=[2, 3]))
        job.flush()
        job.record(chunk(4, 8, failed=[4, 6]))
        finished(job, 8)
        job.replace(chunk(2, 5, word="again", failed=[3]))
        job.flush()
        assert (job.counts.ok, job.counts.failed) == (6, 2)
        assert len(part_files(tmp_path / "job")) == 2
        assert lines(job) == [
            ok_line(0),
            ok_line(1),
            ok_line(2, "again"),
            failed_line(3),
            ok_line(4, "again"),
            ok_line(5),
            failed_line(6),
            ok_line(7),
        ]


def test_the_first_answer_may_come_with_a_retry(tmp_path: Path) -> None:
    """A run of which every row failed gets its result columns later."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 3, failed=[0, 1, 2]))
        finished(job, 3)
        assert job.result_schema is None
        job.replace(chunk(1, 2))
        job.flush()
        assert lines(job) == [failed_line(0), ok_line(1), failed_line(2)]
    with SavedJob.open(tmp_path / "job") as saved:
        assert [(c.name, c.type) for c in saved.manifest.results] == [("prediction", "string")]


def test_only_recorded_rows_can_be_replaced(tmp_path: Path) -> None:
    """Else a row would be in no part."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 2))
        with pytest.raises(ValueError, match="not recorded"):
            job.replace(chunk(1, 3))


def test_failed_rows_can_be_replaced_while_they_are_read(tmp_path: Path) -> None:
    """A retry reads and writes at once; each row is given once."""
    with Job.create(tmp_path / "job", FACTS) as job:
        for start in range(0, 40, 4):
            job.record(chunk(start, start + 4, failed=[start, start + 2]))
            job.flush()
        finished(job, 40)
        given = []
        for found in job.failed_rows():
            given.append(found.start)
            job.replace(chunk(found.start, found.stop))
            job.flush()
        assert given == list(range(0, 40, 2))
        assert lines(job) == [ok_line(n) for n in range(40)]


def test_categories_keep_their_type(tmp_path: Path) -> None:
    """Chunks of a Parquet file bring a dictionary each; a part holds one."""
    words = (["x", "y"], ["z", "x"])
    with Job.create(tmp_path / "job", FACTS) as job:
        for number, some in enumerate(words):
            column = pa.array(some).dictionary_encode()
            cells = pa.RecordBatch.from_arrays([column], names=["a"])
            job.record(Scored(Rows(2 * number, cells), None, {0: "no", 1: "no"}))
        finished(job, 4)
        job.replace(Scored(Rows(1, cells.slice(0, 1)), None, {0: "no again"}))
        job.flush()
        table = pa.Table.from_batches(job.results())
    assert table.column("a").to_pylist() == ["x", "y", "z", "x"]
    assert pa.types.is_dictionary(table.schema.field("a").type)


def test_what_a_run_took_is_noted(tmp_path: Path) -> None:
    """State, reason, times, counts, figures and the version that answered stand in the manifest."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.update("running")
        job.record(chunk(0, 4, failed=[1]), tries=2, elapsed_s=0.5)
        job.update("stopped", reason="the model is gone", figures=Figures(seconds=2.5, requests=3))
        job.update(answered_version="3.1")
    with SavedJob.open(tmp_path / "job") as saved:
        about = saved.manifest
    assert (about.state, about.reason) == ("stopped", "the model is gone")
    assert (about.counts.ok, about.counts.failed, about.counts.total_rows) == (3, 1, None)
    assert (about.figures.seconds, about.figures.requests) == (2.5, 3)
    assert about.facts.model.answered_version == "3.1"
    assert about.started is not None
    assert about.created <= about.started <= about.updated


def test_a_job_that_nobody_works_on_does_not_run(tmp_path: Path) -> None:
    """Whoever was killed could not note it; a reader sees it all the same."""
    job = Job.create(tmp_path / "job", FACTS)
    job.update("running")
    with SavedJob.open(tmp_path / "job") as saved:
        assert (saved.state, saved.is_running()) == ("running", True)
        job.close()
        assert (saved.state, saved.is_running()) == ("stopped", False)


def test_a_job_is_not_begun_over_another(tmp_path: Path) -> None:
    """Nor among files that are not its own."""
    Job.create(tmp_path / "job", FACTS).close()
    with pytest.raises(ConfigurationError, match=r"there is a job in .* already; resume it"):
        Job.create(tmp_path / "job", FACTS)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigurationError, match=r"not empty \('thesis.tex' is in it\)"):
        Job.create(tmp_path / "other", FACTS)


def test_a_job_can_begin_where_one_died_before_it_was_there(tmp_path: Path) -> None:
    """Without a manifest there is no job, whatever else was made for it."""
    Job.create(tmp_path / "job", FACTS).close()
    (tmp_path / "job" / "manifest.json").unlink()
    (tmp_path / "job" / "parts" / LEFT).write_bytes(b"x")
    (tmp_path / "job" / "manifest.json.0123abcd.tmp").write_bytes(b"{")
    with Job.create(tmp_path / "job", FACTS) as job:
        assert part_files(tmp_path / "job") == []
        assert job.remaining() == [range(UNKNOWN_END)]


def test_a_database_of_another_program_is_no_ledger(tmp_path: Path) -> None:
    """Though SQLite wrote it, and its scheme has the same number."""
    place = tmp_path / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(place)) as other, other:
        other.execute("CREATE TABLE accounts (name, balance)")
        other.execute("PRAGMA user_version = 1")
    before = place.read_bytes()
    with pytest.raises(ConfigurationError, match=r"not empty \('ledger.sqlite' is in it\)"):
        Job.create(tmp_path, FACTS)
    assert place.read_bytes() == before


def test_a_job_can_begin_over_the_lock_and_the_ledger_of_a_beginning(tmp_path: Path) -> None:
    """A process may be killed at any moment of it, with nothing in a file yet."""
    for name in ("lock", "ledger.sqlite", "ledger.sqlite-journal", "lease.json"):
        (tmp_path / name).touch()
    Job.create(tmp_path, FACTS).close()


@pytest.mark.parametrize(
    "name",
    [
        "parts/a.txt",
        "parts/table.arrow",
        "lock.md",
        "manifest.json.bak",
        "parts/1-2-3.arrow",
        "lock",
        "ledger.sqlite",
        "ledger.sqlite-journal",
        "lease.json",
    ],
)
def test_a_job_is_not_begun_over_files_of_a_person(tmp_path: Path, name: str) -> None:
    """Also when they lie in a folder like that of a job, or have the very name of such a file."""
    (tmp_path / "parts").mkdir()
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigurationError, match=re.escape(f"not empty ('{name}' is in it)")):
        Job.create(tmp_path, FACTS)
    assert (tmp_path / name).read_text() == "mine"


def test_no_job_where_there_is_none(tmp_path: Path) -> None:
    """Opening makes nothing."""
    with pytest.raises(ConfigurationError, match="there is no job in"):
        Job.open(tmp_path / "none")
    with pytest.raises(ConfigurationError, match="there is no job in"):
        SavedJob.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_paths_may_hold_any_letters(tmp_path: Path) -> None:
    """Blanks, umlauts, percent and question marks are no syntax."""
    directory = tmp_path / "Blüten 100% ? # 花"
    with Job.create(directory, FACTS) as job:
        job.record(chunk(0, 2))
        finished(job, 2)
    with SavedJob.open(str(directory)) as saved:
        assert lines(saved) == [ok_line(0), ok_line(1)]
    with Job.open(directory.as_uri()) as job:
        assert job.counts.ok == 2


def test_chunks_that_come_together_share_a_part(tmp_path: Path) -> None:
    """Small chunks do not make a million files."""
    with Job.create(tmp_path / "job", FACTS) as job:
        job.record(chunk(0, 1))
        job.flush()
        for number in range(1, 200):
            job.record(chunk(number, number + 1))
        finished(job, 200)
        assert lines(job) == [ok_line(n) for n in range(200)]
    # On a slow machine a quarter of a second may end now and then between the 200.
    assert len(part_files(tmp_path / "job")) < 100


def test_rows_are_saved_without_being_told_to(tmp_path: Path) -> None:
    """Between two chunks of a slow model nobody calls anything."""
    with Job.create(tmp_path / "job", FACTS) as job, SavedJob.open(tmp_path / "job") as saved:
        job.record(chunk(0, 2))
        wait_until(lambda: saved.counts.ok == 2)
        job.record(chunk(2, 4))
        wait_until(lambda: saved.counts.ok == 4)


def wait_until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_job_of_many_rows_costs_little(tmp_path: Path) -> None:
    """Five times the aim of 0.1 µs of process time per row: enough to notice a loop over rows."""
    many = 10_000
    cells = pa.RecordBatch.from_arrays(
        [pa.array([f"{n % 80 / 10}" for n in range(many)])] * 4, names=["a", "b", "c", "d"]
    )
    results = pa.RecordBatch.from_arrays([pa.array(["setosa"] * many)], names=["prediction"])
    with Job.create(tmp_path / "job", FACTS) as job:
        began = time.process_time()
        for number in range(40):
            job.record(Scored(Rows(number * many, cells), results))
        job.flush()
        assert time.process_time() - began < 40 * many * 0.5e-6


def test_nothing_is_left_open(tmp_path: Path) -> None:
    """Files and threads end with the job."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with Job.create(tmp_path / "job", FACTS) as job:
            job.record(chunk(0, 1))
        job.delete()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
    assert not [t for t in threading.enumerate() if t.name.startswith("job-")]
