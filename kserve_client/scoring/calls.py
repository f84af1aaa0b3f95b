"""Scoring: a table goes in, every row comes out once, in order, with its results or its error."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kserve_client.errors import ConfigurationError, InputError
from kserve_client.model import Model
from kserve_client.scoring.cutter import Cutter
from kserve_client.scoring.doubts import Doubts
from kserve_client.scoring.gathering import gathered
from kserve_client.scoring.mapping import Mapping as ColumnMapping
from kserve_client.scoring.options import ScoreOptions
from kserve_client.scoring.pace import Pace
from kserve_client.scoring.progress import Progress, Running, Summary, Tally
from kserve_client.scoring.results import ResultSchema
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.run import Run, RunOptions, Sends, in_order
from kserve_client.scoring.scattered import Scattered
from kserve_client.scoring.sinks import Target, WriteOptions, are_different
from kserve_client.scoring.sinks import opened as opened_sink
from kserve_client.scoring.sources import (
    Found,
    Location,
    Source,
    count_rows,
    fingerprint,
    is_rewindable,
    label,
    location_of,
    nameable,
    opened,
)
from kserve_client.scoring.step import Step

if TYPE_CHECKING:  # a run without a directory needs nothing of it
    import pandas as pd
    import pyarrow as pa

    from kserve_client.scoring.job import Facts, Figures, Job, ModelFacts, SavedJob, State

AHEAD_BYTES = 64 << 20
# What is not sent need not be cut as small as what is.
UNSENT_ROWS = 10_000
# How often somebody hears of a run in which nothing happens.
IDLE_S = 1.0
OnProgress = Callable[[Progress], None]
DEFAULTS = ScoreOptions()


@dataclasses.dataclass(frozen=True, slots=True)
class Wishes:
    """What a person may want of a run while it is under way: that it ends, or waits."""

    cancel: threading.Event = dataclasses.field(default_factory=threading.Event)
    pause: threading.Event = dataclasses.field(default_factory=threading.Event)


def score(
    model: Model,
    source: Location | pd.DataFrame | pa.Table,
    sink: Target,
    options: ScoreOptions = DEFAULTS,
    *,
    errors: Target | None = None,
    token: str | None = None,
    wishes: Wishes | None = None,
    on_progress: OnProgress | None = None,
) -> Summary:
    """Predict every row of a table; each comes out once, in order, with its results or its error.

    `source` and `sink` are paths, streams, or URLs of the schemes the options allow; a source may be
    a table in memory, too: a DataFrame of pandas', taken without its index, or of Polars', or a table
    of Arrow's. The output has the original columns, the result columns of the model (with _2 where a
    name is taken), `state` (ok, failed, skipped) and `error`; `errors` gets the rows that are not ok,
    once more. No more than some chunks are held in memory.

    A chunk refused for its content is halved until the bad rows stand alone. When the model goes away
    for longer than the patience of the options, or somebody cancels, the rest is written as skipped,
    with the reason. `token` is a bearer token for these requests, kept nowhere.

    Raises InputError, before anything is sent, when the table can't be read, lacks a column or has
    one of a type that the output has no form for, and later at a number that nobody can read for
    sure (DoubtError); ConfigurationError when two of source, sink and errors are one file, and when
    the first chunk can't be sent for our own settings.
    """
    source = location_of(source)
    if not are_different(source, sink, errors):
        raise ConfigurationError("source, sink and errors have to be different files")
    total = _total(source, options) if on_progress is not None else None
    with opened(source, options.reading) as table, contextlib.ExitStack() as stack:
        step, cutter = _begun(model, table, options, token)
        stack.callback(cutter.close)
        sinks = [
            stack.enter_context(opened_sink(place, writing, table.found, table.columns))
            for place, writing in targets(sink, errors, options.writing)
        ]
        for one in sinks:
            one.check(table.schema)
        run = _run(step, cutter, options, wishes, ahead_bytes=AHEAD_BYTES)
        tally = Tally(total)
        tell = _teller(on_progress, tally, run)
        for chunk in gathered(_counted(_whole(run, cutter), tally, tell)):
            for one in sinks:
                one.write(chunk)
    return tally.summary(run)


def scored(
    model: Model,
    source: Location | pd.DataFrame | pa.Table,
    options: ScoreOptions = DEFAULTS,
    *,
    token: str | None = None,
) -> Generator[Scored, None, Summary]:
    """The same run without a result file: the chunks in order, as Arrow tables.

    The generator returns the summary: `summary = yield from scored(…)`.
    """
    with opened(location_of(source), options.reading) as table:
        step, cutter = _begun(model, table, options, token)
        with contextlib.closing(cutter):
            run = _run(step, cutter, options, None, ahead_bytes=AHEAD_BYTES)
            tally = Tally()
            for chunk in _whole(run, cutter):
                tally.add(chunk)
                yield chunk
    return tally.summary(run)


# Jobs: the same, in a directory that outlives the process.


def facts_of(
    model: Model,
    source: Location,
    options: ScoreOptions = DEFAULTS,
    *,
    model_name: str = "",
    input_name: str = "",
    owner: str = "",
) -> Facts:
    """What a job is of. The source is read through for its hash.

    `model_name` is the model's name in the catalog, `input_name` the table's for people. Raises
    InputError when the table can't be read, lacks a column, or can be read only once.
    """
    from kserve_client.scoring.job import Facts, InputFacts, deciding

    # How many rows there are is told when all are counted, what is in doubt before there is a job.
    limits = dataclasses.replace(options.reading.limits, rows=None)
    with opened(source, dataclasses.replace(options.reading, limits=limits)) as table:
        names = nameable(table.columns)
        mapping = mapping_of(model, names, options)
        next(_doubtless(table, model, mapping, options), None)
        found = dataclasses.asdict(table.found)
        columns = table.columns
    said = {} if isinstance(source, str | Path) else {"location": ""}
    place = said.get("location", str(source))
    return Facts(
        model=_model_facts(model, model_name),
        signature=deciding(model.signature),
        input=InputFacts(
            name=input_name or label(source),
            location=place,
            fingerprint=fingerprint(source, options.reading).as_json(),
            found=found,
            columns=columns,
        ),
        # What was given by name alone stays so: the columns of the table say the rest.
        options=(
            dataclasses.replace(options, mapping=mapping) if options.origins else options
        ).of_job(),
        owner=owner,
    )


def run_job(
    job: Job,
    model: Model,
    source: Location,
    options: ScoreOptions = DEFAULTS,
    *,
    token: str | None = None,
    wishes: Wishes | None = None,
    on_progress: OnProgress | None = None,
) -> Summary:
    """Do what is left of a job; whoever resumes one has compared its facts (`job.check`).

    The results stay in the job: `write_results` makes a file of them. The counts of the summary are
    those of the whole job. Raises as `score` does; what was done until then is kept.
    """
    total = _total(source, options) if on_progress is not None else None
    with opened(source, options.reading) as table:
        step, cutter = _begun(
            model,
            table,
            options,
            token,
            done=_done(job.remaining()),
            is_accepted=job.counts.ok > 0,
            answered_version=job.manifest.facts.model.answered_version,
        )
        with contextlib.closing(cutter):
            run = _run(step, cutter, options, wishes, job=job, failures_before=job.counts.failed)
            tally = tally_of(job, total)
            tell = _teller(on_progress, tally, run)
            job.update("running")
            with noted_end(job, run, tally):
                for chunk in run:
                    _note_version(job, step)
                    tally.add(job.record(chunk))
                    tell()
                if not run.stopped:
                    job.source_ended(max(cutter.rows_seen, 0))
    return ended(job, run, tally)


def retry_failed(
    job: Job,
    model: Model,
    options: ScoreOptions = DEFAULTS,
    *,
    token: str | None = None,
    wishes: Wishes | None = None,
    on_progress: OnProgress | None = None,
    step: Sends | None = None,
) -> Summary:
    """Send the rows of a job once more that failed or were skipped; the others stay as they are.

    `step` is what sends them, where that is not this process.
    """
    rows = Scattered(job.failed_rows())
    step = step or _step_again(job, model, options, token)
    cutter = Cutter(rows.packed())
    with contextlib.closing(cutter):
        run = _run(step, cutter, options, wishes, job=job)
        tally = Tally(job.counts.failed + job.counts.skipped)
        tell = _teller(on_progress, tally, run)
        job.update("running")
        with noted_end(job, run, tally):
            for chunk in run:
                for piece in rows.unpacked(chunk):
                    tally.add(job.replace(piece))
                tell()
    summary = ended(job, run, tally)
    found = [
        dataclasses.replace(one, first_row=rows.number(one.first_row - 1) + 1)
        for one in summary.outside
    ]
    return dataclasses.replace(summary, outside=tuple(found))


def sendable_rows(job: SavedJob, model: Model) -> int:
    """How many rows `retry_failed` would send; the cells of the others can't be read, or sent."""
    step = _step_again(job, model, DEFAULTS.like(job.manifest.facts.options))
    cutter = Cutter(Scattered(job.failed_rows()).packed())
    count = 0
    with contextlib.closing(cutter):
        while (rows := cutter.take(UNSENT_ROWS)) is not None:
            count += step.sendable(rows)
    return count


def _step_again(
    job: SavedJob, model: Model, options: ScoreOptions, token: str | None = None
) -> Step:
    """What sends rows that a job has already."""
    found, columns = table_of(job)
    return Step(
        model,
        nameable(columns),
        mapping_of(model, nameable(columns), options),
        treatment=options.treatment,
        decimal=found.decimal,
        token=token,
        is_accepted=job.counts.ok > 0,
        answered_version=job.manifest.facts.model.answered_version,
    )


def write_results(job: SavedJob, sink: Target, writing: WriteOptions | None = None) -> int:
    """Write the results of a job to a file; returns the number of rows written.

    Raises ConfigurationError when rows are still to be done.
    """
    found, columns = table_of(job)
    writing = writing or WriteOptions()
    with opened_sink(sink, writing, found, columns, schema=job.schema) as out:
        for chunk in job.scored():
            out.write(chunk)
    return out.rows_written


def mapping_of(model: Model, names: Iterable[str], options: ScoreOptions) -> ColumnMapping:
    """Which column each feature is read from. Raises InputError when one is missing."""
    names = list(names)
    if options.mapping is None:
        return ColumnMapping.by_name(model.signature, names, options.origins)
    options.mapping.check(model.signature, names)
    return options.mapping


def _begun(
    model: Model,
    table: Source,
    options: ScoreOptions,
    token: str | None,
    *,
    done: Iterable[tuple[int, int]] = (),
    is_accepted: bool = False,
    answered_version: str = "",
) -> tuple[Step, Cutter]:
    names = nameable(table.columns)
    mapping = mapping_of(model, names, options)
    step = Step(
        model,
        names,
        mapping,
        treatment=options.treatment,
        decimal=table.found.decimal,
        token=token,
        is_accepted=is_accepted,
        answered_version=answered_version,
    )
    rows = _doubtless(table, model, mapping, options)
    return step, Cutter(rows, done=list(done), limit=options.limit)


def _doubtless(
    table: Source, model: Model, mapping: ColumnMapping, options: ScoreOptions
) -> Iterator[Rows]:
    """The rows of a table. Raises DoubtError at a number that nobody can read for sure."""
    names = nameable(table.columns)
    doubts = Doubts(model.signature, mapping, names, table.found, options.reading)
    return doubts.none_in(table.read())


def _run(
    step: Sends,
    cutter: Cutter,
    options: ScoreOptions,
    wishes: Wishes | None,
    *,
    ahead_bytes: int | None = None,
    job: Job | None = None,
    failures_before: int = 0,
) -> Run:
    wishes = wishes or Wishes()
    how = RunOptions(
        options.patience_s, options.max_failures, ahead_bytes, failures_before=failures_before
    )
    if job is not None and job.counts.ok:
        how = dataclasses.replace(how, has_answered=True, witness=job.predicted_row)
    return Run(
        step,
        cutter,
        Pace(options.chunk_rows, options.concurrency),
        how,
        cancel=wishes.cancel,
        pause=wishes.pause,
    )


def _whole(run: Run, cutter: Cutter) -> Iterator[Scored]:
    """Every row in order under the columns of the first answer, those not sent with the reason."""
    schema: ResultSchema | None = None
    for chunk in in_order(_with_rest(run, cutter)):
        if schema is None and chunk.results is not None:
            schema = ResultSchema.of(chunk)
        yield chunk if schema is None else schema.fit(chunk)


def _counted(chunks: Iterable[Scored], tally: Tally, tell: Callable[[], None]) -> Iterator[Scored]:
    for chunk in chunks:
        tally.add(chunk)
        tell()
        yield chunk


def _with_rest(run: Run, cutter: Cutter) -> Iterator[Scored]:
    yield from run
    if not run.stopped:
        return
    why = f"not sent: {run.stopped}"
    for rows in run.left:
        yield _unsent(rows, why)
    while (rest := cutter.take(UNSENT_ROWS)) is not None:
        yield _unsent(rest, why)


def _unsent(rows: Rows, why: str) -> Scored:
    return Scored(rows, None, skipped=dict.fromkeys(range(len(rows)), why))


def targets(
    sink: Target, errors: Target | None, writing: WriteOptions
) -> Iterator[tuple[Target, WriteOptions]]:
    """Where results go and how: all of them, and once more those that are not ok."""
    yield sink, writing
    if errors is not None:
        yield errors, dataclasses.replace(writing, only="errors", format=None, compression=None)


def _total(source: Location, options: ScoreOptions) -> int | None:
    """How many rows there are to do, for people who watch; None where nobody can say beforehand."""
    if not is_rewindable(source):
        return None
    total = count_rows(source, options.reading)
    return total if options.limit is None else min(total, options.limit)


def _teller(on_progress: OnProgress | None, tally: Tally, run: Run) -> Callable[[], None]:
    """What tells how far the run is; it does so now and then by itself while nothing is done."""
    if on_progress is None:
        return lambda: None
    told_at = time.monotonic()

    def tell() -> None:
        nonlocal told_at
        told_at = time.monotonic()
        on_progress(tally.progress(run))

    def tell_again() -> None:
        if time.monotonic() - told_at >= IDLE_S:
            tell()

    run.on_idle = tell_again
    return tell


def _done(gaps: Iterable[range]) -> Iterator[tuple[int, int]]:
    """What lies between the gaps, and behind the last one."""
    from kserve_client.scoring.job import UNKNOWN_END

    start = 0
    for gap in gaps:
        if gap.start > start:
            yield start, gap.start
        start = gap.stop
    if start < UNKNOWN_END:
        yield start, UNKNOWN_END


def tally_of(job: Job, total: int | None) -> Tally:
    """Counts that go on where those of a job are."""
    counts = job.counts
    return Tally(total, counts.done, counts.ok, counts.failed, counts.skipped)


@contextlib.contextmanager
def noted_end(job: Job, run: Running, tally: Tally) -> Iterator[None]:
    """Note in the job why it ended before its end."""
    try:
        yield
    except Exception as error:
        with contextlib.suppress(Exception):
            reason = " ".join(str(error).split())
            job.update("stopped", reason=reason, figures=_figures(job, run, tally))
        raise


def _note_version(job: Job, step: Step) -> None:
    """Note which version answers before anything of it counts: a kill must not make it forgotten."""
    if step.answered_version and not job.manifest.facts.model.answered_version:
        job.update(answered_version=step.answered_version)


def ended(job: Job, run: Running, tally: Tally) -> Summary:
    """Note how a run of a job ended; the summary has the counts of the whole job."""
    state: State = "finished"
    if run.stopped or not job.counts.is_complete:
        state = "cancelled" if run.is_cancelled else "stopped"
    job.update(state, reason=run.stopped, figures=_figures(job, run, tally))
    counts = job.counts
    summary = tally.summary(run, is_complete=job.counts.is_complete)
    return dataclasses.replace(
        summary,
        rows=counts.done,
        ok=counts.ok,
        failed=counts.failed,
        skipped=counts.skipped,
        rows_before=counts.done - (tally.rows - tally.rows_before),
    )


def _figures(job: Job, run: Running, tally: Tally) -> Figures:
    """What the runs of a job took together; the latencies are those of the last one."""
    from kserve_client.scoring.job import Figures

    before, summary = job.manifest.figures, tally.summary(run)
    seconds = before.seconds + summary.elapsed_s
    return Figures(
        rows_per_s=job.counts.done / seconds if seconds else 0.0,
        seconds=seconds,
        requests=before.requests + summary.requests,
        p50_ms=summary.p50_ms,
        p95_ms=summary.p95_ms,
        sent_bytes=before.sent_bytes + summary.sent_bytes,
        received_bytes=before.received_bytes + summary.received_bytes,
    )


def table_of(job: SavedJob) -> tuple[Found, tuple[str, ...]]:
    """What the source of a job was found to be, and its columns."""
    facts: Mapping[str, Any] = job.manifest.facts.input.found
    return Found(**facts), job.manifest.facts.input.columns


def _model_facts(model: Model, model_name: str) -> ModelFacts:
    from kserve_client.scoring.job import ModelFacts

    endpoint = model.client.endpoint
    return ModelFacts(
        name=model_name or model.name,
        served_name=model.name,
        version=model.version or "",
        endpoint_name=endpoint.title,
        endpoint_url=endpoint.url,
        host=endpoint.host or "",
    )


def check_readable_again(source: Location) -> None:
    """Raise InputError for a source that can't be read twice: a job that resumes has to."""
    if not is_rewindable(source):
        raise InputError(f"{label(source)} can be read only once, so a job can't resume it")
