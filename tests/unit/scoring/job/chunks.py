"""Rows with an outcome that can be worked out from their number, and the facts of a run."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from kserve_client.scoring.job import Facts, InputFacts, Job, ModelFacts, SavedJob
from kserve_client.scoring.results import ResultSchema, table
from kserve_client.scoring.rows import Rows, Scored

FACTS = Facts(
    model=ModelFacts(
        name="iris", served_name="iris-v1", version="3", endpoint_url="http://iris.models"
    ),
    signature={"features": [{"name": "a"}, {"name": "b"}], "outputs": [{"name": "out"}]},
    input=InputFacts(
        name="flowers.csv",
        location="flowers.csv",
        fingerprint={"size_bytes": 10, "sha256": "aa", "tag": ""},
        columns=("a", "b"),
    ),
)


def rows(start: int, stop: int) -> Rows:
    """Two columns of text: the row number, and a cell that numbers would not keep."""
    numbers = range(start, stop)
    cells = pa.RecordBatch.from_arrays(
        [pa.array([str(n) for n in numbers], pa.string()), pa.array(["5.10"] * len(numbers))],
        names=["a", "b"],
    )
    return Rows(start, cells)


def chunk(
    start: int,
    stop: int,
    *,
    failed: Iterable[int] = (),
    skipped: Iterable[int] = (),
    word: str = "p",
) -> Scored:
    """Rows with the prediction "p<number>"; `failed` and `skipped` are row numbers."""
    errors = {number - start: f"no {number}" for number in failed if start <= number < stop}
    left_out = {number - start: f"not {number}" for number in skipped if start <= number < stop}
    bad = errors.keys() | left_out.keys()
    words = [None if at in bad else f"{word}{start + at}" for at in range(stop - start)]
    results = pa.RecordBatch.from_arrays([pa.array(words, pa.string())], names=["prediction"])
    is_empty = len(bad) == stop - start
    return Scored(rows(start, stop), None if is_empty else results, errors, left_out)


def partial_results(job: SavedJob, start: int = 0, stop: int | None = None) -> list[pa.RecordBatch]:
    """The rows that are there so far, as a table."""
    found = []
    for some in job.scored(start, stop, is_partial=True):
        schema = job.schema or ResultSchema.without_answers(some.rows.cells.schema.names)
        found.append(table(some, schema))
    return found


Line = tuple[str, str, str | None, str, str]


def lines(job: SavedJob) -> list[Line]:
    """All rows of a job: a, b, prediction, state, error."""
    found: list[Line] = []
    for batch in job.results():
        columns = batch.to_pydict()
        missing = [None] * batch.num_rows
        found += zip(
            columns["a"],
            columns["b"],
            columns.get("prediction", missing),
            columns["state"],
            columns["error"],
            strict=True,
        )
    return found


def ok_line(number: int, word: str = "p") -> Line:
    return (str(number), "5.10", f"{word}{number}", "ok", "")


def failed_line(number: int) -> Line:
    return (str(number), "5.10", None, "failed", f"no {number}")


def finished(job: Job, total: int) -> None:
    """Say where the source ends, and that all is done."""
    job.source_ended(total)
    job.update("finished")
