"""Whatever the order, the crashes and the retries: each row once, in order, with its last outcome."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client.scoring.job import Job
from kserve_client.scoring.job.parts import decoded, encoded, overlaid, slice_of
from kserve_client.scoring.job.spans import Spans
from kserve_client.scoring.rows import Scored
from tests.unit.scoring.job.chunks import FACTS, Line, chunk, lines, partial_results

ROWS = 40
WORDS = ("p", "q", "r")
spans = st.tuples(st.integers(0, ROWS - 1), st.integers(1, 12)).map(
    lambda at: (at[0], min(at[0] + at[1], ROWS))
)
numbers = st.frozensets(st.integers(0, ROWS - 1), max_size=12)


@dataclass(frozen=True)
class Act:
    """Something that is done to a job, as far as its rows allow it."""

    kind: str
    span: tuple[int, int]
    failed: frozenset[int] = field(default_factory=frozenset)
    skipped: frozenset[int] = field(default_factory=frozenset)
    word: str = "p"


acts = st.builds(
    Act,
    kind=st.sampled_from(["record", "record", "record", "replace", "flush", "crash", "reopen"]),
    span=spans,
    failed=numbers,
    skipped=numbers,
    word=st.sampled_from(WORDS),
)


def made(act: Act, start: int, stop: int) -> Scored:
    skipped = act.skipped - act.failed
    return chunk(start, stop, failed=act.failed, skipped=skipped, word=act.word)


def line(act: Act, number: int) -> Line:
    cells = (str(number), "5.10")
    if number in act.failed:
        return (*cells, None, "failed", f"no {number}")
    if number in act.skipped:
        return (*cells, None, "skipped", f"not {number}")
    return (*cells, f"{act.word}{number}", "ok", "")


def crashed(job: Job) -> None:
    """End a job as SIGKILL would: what waits in memory is gone, the lock is free."""
    group = job._group
    with group._changed:
        group._changed.wait_for(lambda: not group._is_busy)
        group._is_closed = True
        group._items = []
        group._changed.notify_all()
    group._thread.join()
    job._held.release()
    job._ledger.close()


class Model:
    """What the job should hold: by row what is saved, and what was recorded since."""

    def __init__(self) -> None:
        self.saved: dict[int, Line] = {}
        self.waiting: dict[int, Line] = {}

    def now(self) -> dict[int, Line]:
        """What a flush would save."""
        return self.saved | self.waiting


def play(job: Job, directory: Path, model: Model, act: Act) -> Job:
    start, stop = act.span
    if act.kind == "record":
        for gap in job.remaining():
            first, last = max(gap.start, start), min(gap.stop, stop)
            if first < last:
                job.record(made(act, first, last))
                model.waiting |= {n: line(act, n) for n in range(first, last)}
    elif act.kind == "replace":
        if all(n in model.now() for n in range(start, stop)):
            job.replace(made(act, start, stop))
            model.waiting |= {n: line(act, n) for n in range(start, stop)}
    elif act.kind == "flush":
        job.flush()
        model.saved, model.waiting = model.now(), {}
    elif act.kind == "reopen":
        job.close()
        model.saved, model.waiting = model.now(), {}
        return Job.open(directory)
    else:
        crashed(job)
        again = Job.open(directory)
        check_after_crash(again, model)
        return again
    return job


def check_after_crash(job: Job, model: Model) -> None:
    """A row is as it was saved, or as it was recorded after that; a saved one is never gone."""
    found = {int(entry[0]): entry for entry in partial_lines(job)}
    assert found.keys() >= model.saved.keys()
    assert found.keys() <= model.now().keys()
    assert {n for gap in job.remaining() for n in range(gap.start, min(gap.stop, ROWS))} == set(
        range(ROWS)
    ) - found.keys()
    model.saved, model.waiting = found, {}


def partial_lines(job: Job) -> Iterator[Line]:
    for batch in partial_results(job):
        for row in batch.to_pylist():
            yield row["a"], row["b"], row.get("prediction"), row["state"], row["error"]


@settings(max_examples=40)
@given(st.lists(acts, max_size=25))
def test_every_row_once_in_order_with_its_last_outcome(plan: list[Act]) -> None:
    """Records in any order, retries, crashes and new beginnings, then the rest: the result is whole."""
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root) / "job"
        job, model = Job.create(directory, FACTS), Model()
        for act in plan:
            job = play(job, directory, model, act)
        last = Act("record", (0, ROWS))
        job = play(job, directory, model, last)
        job.source_ended(ROWS)
        job.update("finished")
        wanted = [model.now()[number] for number in range(ROWS)]
        assert lines(job) == wanted
        states = [entry[3] for entry in wanted]
        counts = (job.counts.ok, job.counts.failed, job.counts.skipped)
        assert counts == tuple(states.count(state) for state in ("ok", "failed", "skipped"))
        bad = [n for found in job.failed_rows() for n in range(found.start, found.stop)]
        assert bad == [n for n, state in enumerate(states) if state != "ok"]
        names = {part.name for part in job._ledger.parts()}
        job.close()
        assert {path.name for path in (directory / "parts").iterdir()} == names


@given(st.lists(spans, max_size=12), st.integers(0, ROWS))
def test_spans_are_sets_of_rows(taken: list[tuple[int, int]], total: int) -> None:
    """What is taken, what touches, what is left: as if each row were a member of a set."""
    known, rows = Spans(), set[int]()
    for start, stop in taken:
        span = set(range(start, stop))
        assert known.touches(start, stop) == bool(span & rows)
        assert known.covers(start, stop) == (span <= rows)
        if not span & rows:
            known.add(start, stop)
            rows |= span
    assert known.end == max(rows, default=-1) + 1
    end = max(total, known.end)
    assert [n for gap in known.gaps(end) for n in gap] == sorted(set(range(end)) - rows)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), numbers, numbers, st.data())
def test_a_part_holds_its_chunks(
    sizes: list[int], failed: frozenset[int], skipped: frozenset[int], data: st.DataObject
) -> None:
    """Decoded, the chunks are the ones that went in; sliced, they are the same rows."""
    chunks, start = [], 5
    for size in sizes:
        chunks.append(chunk(start, start + size, failed=failed, skipped=skipped - failed))
        start += size
    schema = pa.schema([pa.field("prediction", pa.string())])
    part, written = encoded(chunks, schema)
    assert (part.start, part.stop) == (5, start)
    found = list(decoded(part, bytes(written)))
    assert [facts_of(one) for one in found] == [facts_of(one) for one in chunks]
    offset = data.draw(st.integers(0, len(found[0])))
    length = data.draw(st.integers(0, len(found[0]) - offset))
    cut = slice_of(found[0], offset, length)
    assert facts_of(cut) == facts_of(
        chunk(5 + offset, 5 + offset + length, failed=failed, skipped=skipped - failed)
    )


def facts_of(scored: Scored) -> tuple[object, ...]:
    none = [None] * len(scored)
    results = none if scored.results is None else scored.results.column(0).to_pylist()
    cells = scored.rows.cells.to_pydict()
    return scored.rows.start, cells, results, dict(scored.errors), dict(scored.skipped)


def test_the_later_of_two_newer_ones_counts() -> None:
    """The row between them keeps what it was."""
    newer = [chunk(0, 2, word="q"), chunk(1, 2, failed=[1]), chunk(3, 4, word="r")]
    schema = pa.schema([pa.field("prediction", pa.string())])
    found = overlaid([chunk(0, 2), chunk(2, 4, skipped=[2])], newer, schema)
    assert found.results is not None
    assert found.results.column(0).to_pylist() == ["q0", None, None, "r3"]
    assert found.errors == {1: "no 1"}
    assert found.skipped == {2: "not 2"}
    assert found.rows.cells.column(0).to_pylist() == ["0", "1", "2", "3"]
