"""The command `score`: every row of a table, at once or as a job that can go on."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kserve_client.catalog import Catalog
from kserve_client.cli.arguments import UsageError
from kserve_client.cli.console import STDIO, Console, failed_words, rows_words
from kserve_client.cli.progress import ProgressLine
from kserve_client.cli.status import INTERRUPTED, NO_ANSWER, OK, SOME_FAILED
from kserve_client.model import Model
from kserve_client.scoring import (
    ReadOptions,
    ScoreOptions,
    Summary,
    Wishes,
    WriteOptions,
    facts_of,
    retry_failed,
    run_job,
    write_results,
)
from kserve_client.scoring import score as score_table
from kserve_client.scoring.calls import OnProgress, check_readable_again, targets
from kserve_client.scoring.mapping import Origin
from kserve_client.scoring.sinks import Target, are_different
from kserve_client.scoring.sinks import opened as opened_sink
from kserve_client.scoring.sinks.options import COMPRESSIONS, FORMATS
from kserve_client.scoring.sources import Location, Source, is_url, label, opened

if TYPE_CHECKING:
    from kserve_client.scoring import DaskCluster
    from kserve_client.scoring.job import Facts, Job

# How long a process that was told twice to end may take to clear up.
GRACE_S = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Table:
    """What is read, what is written, and how."""

    source: Location
    sink: Target
    errors: Target | None
    options: ScoreOptions


@dataclasses.dataclass(frozen=True, slots=True)
class _Watch:
    """What follows a run: the wishes of a person, and who is told how far it is.

    Without somebody to tell the rows need not be counted beforehand.
    """

    wishes: Wishes
    on_progress: OnProgress | None

    @property
    def wanted(self) -> dict[str, Any]:
        """As the calls of a run take it."""
        return {"wishes": self.wishes, "on_progress": self.on_progress}


def score(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    """Score a table; returns the exit status."""
    _check_words(arguments)
    model = catalog.model(arguments.model)
    table = _Table(
        _source(arguments.input),
        _target(arguments.output),
        _target(arguments.errors) if arguments.errors else None,
        _options(arguments),
    )
    with _watched(is_quiet=arguments.quiet or console.as_json) as watch:
        if arguments.job:
            summary, job = _score_as_job(arguments, model, table, watch)
        else:
            summary, job = _score_at_once(model, table, watch), None
    _tell(arguments, summary, job, console)
    return _status(summary)


def _status(summary: Summary) -> int:
    if summary.cancelled:
        return INTERRUPTED
    if not summary.is_answered:
        return NO_ANSWER
    is_well = summary.ok == summary.rows and summary.is_complete
    return OK if is_well else SOME_FAILED


# What was asked for


def _check_words(arguments: argparse.Namespace) -> None:
    """Raise UsageError for words that don't go together."""
    if not arguments.job and (arguments.resume or arguments.retry_failed):
        raise UsageError("--resume and --retry-failed need the directory of the job: --job DIR")
    _check_engine(arguments)
    places = [arguments.input, arguments.output, arguments.errors, arguments.job]
    for place in places:
        if place and is_url(place) and _scheme(place) not in arguments.allow_url:
            raise UsageError(f"{label(place)}: add --allow-url {_scheme(place)} to use such URLs")
    named = [place for place in places[:3] if place and place != STDIO]
    if not are_different(*named):
        raise UsageError("INPUT, OUTPUT and --errors have to be different files")
    if arguments.errors == STDIO == arguments.output:
        raise UsageError("only one of OUTPUT and --errors can be standard output")
    if not arguments.output_format:
        for place in (arguments.output, arguments.errors):
            _check_ending(place or STDIO)


def _check_engine(arguments: argparse.Namespace) -> None:
    if (arguments.engine == "dask") != bool(arguments.scheduler):
        raise UsageError(
            "a Dask cluster is --engine dask --scheduler tcp://HOST:PORT, both of them"
        )
    if arguments.scheduler and not arguments.job:
        raise UsageError("--engine dask needs a directory that its workers can write: --job DIR")
    if arguments.scheduler and arguments.input == STDIO:
        raise UsageError("--engine dask reads INPUT on its workers: name a file or a URL, not -")


def _check_ending(place: str) -> None:
    """Raise UsageError for a result whose name promises a format that nothing here writes.

    A name without an ending, as a stream and a device have, takes the format of INPUT.
    """
    name = PurePosixPath(urlsplit(place).path if is_url(place) else place).name.lower()
    endings = PurePosixPath(name).suffixes
    if endings and endings[-1] in COMPRESSIONS:
        endings.pop()
    if endings and endings[-1] not in FORMATS:
        raise UsageError(
            f"{label(place)}: there is no result in the format {endings[-1]}. Write .csv, .jsonl, "
            ".parquet or .arrow (.csv.gz and .jsonl.zst too), or name the format with "
            "--output-format"
        )


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _options(arguments: argparse.Namespace) -> ScoreOptions:
    schemes = frozenset(arguments.allow_url)
    return ScoreOptions(
        reading=ReadOptions(
            format=arguments.format,
            encoding=arguments.encoding,
            delimiter=arguments.delimiter,
            decimal=arguments.decimal,
            schemes=schemes,
        ),
        writing=WriteOptions(
            format=arguments.output_format,
            columns=arguments.columns,
            formulas=arguments.formulas,
            schemes=schemes,
        ),
        origins=_origins(arguments),
        limit=arguments.limit,
        chunk_rows=arguments.chunk_rows,
        concurrency=arguments.concurrency,
        max_failures=arguments.max_failures,
        patience_s=arguments.wait,
    )


def _origins(arguments: argparse.Namespace) -> dict[str, Origin]:
    given = [
        *((feature, Origin(column=column)) for feature, column in arguments.map),
        *((feature, Origin(constant=value)) for feature, value in arguments.constant),
    ]
    origins = dict(given)
    for feature in origins:
        if sum(name == feature for name, _ in given) > 1:
            raise UsageError(f"{feature!r} has more than one --map or --constant")
    return origins


def _source(given: str) -> Location:
    if given == STDIO:
        return sys.stdin.buffer
    return given if is_url(given) else Path(given)


def _target(given: str) -> Target:
    if given == STDIO:
        return sys.stdout
    return given if is_url(given) else Path(given)


# The run


def _score_at_once(model: Model, table: _Table, watch: _Watch) -> Summary:
    return score_table(
        model,
        table.source,
        table.sink,
        table.options,
        errors=table.errors,
        wishes=watch.wishes,
        on_progress=watch.on_progress,
    )


def _score_as_job(
    arguments: argparse.Namespace, model: Model, table: _Table, watch: _Watch
) -> tuple[Summary, dict[str, Any]]:
    """Run a job as far as it goes, and write its results once it is whole."""
    check_readable_again(table.source)
    name = table.source.name if isinstance(table.source, Path) else ""
    facts = facts_of(
        model, table.source, table.options, model_name=arguments.model, input_name=name
    )
    places = list(targets(table.sink, table.errors, table.options.writing))
    with opened(table.source, table.options.reading) as source:
        for target, writing in places:
            _check_writable(target, writing, source)
    with _job(arguments, facts) as job:
        cluster = _cluster(arguments)
        ok_before = job.counts.ok
        summary = _run(job, model, table, watch, cluster)
        if arguments.retry_failed and summary.is_complete and summary.ok < summary.rows:
            again = _retry(job, model, table, watch, cluster)
            summary = _both(summary, again, ok_before)
        if summary.is_complete:
            for target, writing in places:
                write_results(job, target, writing)
        about = {"directory": job.where, "id": job.job_id, "state": job.manifest.state}
        return summary, about


def _cluster(arguments: argparse.Namespace) -> DaskCluster | None:
    if not arguments.scheduler:
        return None
    from kserve_client.scoring import DaskCluster

    return DaskCluster(arguments.scheduler, partition_bytes=arguments.partition_mb << 20)


def _run(
    job: Job, model: Model, table: _Table, watch: _Watch, cluster: DaskCluster | None
) -> Summary:
    """Do what is left of a job."""
    if job.counts.is_complete:
        return _as_it_is(job)
    source, options = table.source, table.options
    if cluster is None:
        summary = run_job(job, model, source, options, **watch.wanted)
    else:
        from kserve_client.scoring import score_on_dask

        summary = score_on_dask(job, model, source, options, cluster=cluster, **watch.wanted)
    return _with_first_error(job, summary)


def _retry(
    job: Job, model: Model, table: _Table, watch: _Watch, cluster: DaskCluster | None
) -> Summary:
    if cluster is None:
        summary = retry_failed(job, model, table.options, **watch.wanted)
    else:
        from kserve_client.scoring import retry_on_dask

        summary = retry_on_dask(job, model, table.options, cluster=cluster, **watch.wanted)
    return _with_first_error(job, summary)


def _both(first: Summary, again: Summary, ok_before: int) -> Summary:
    """The summary of a run and of the retry after it, with the latencies of the retry.

    The retry sent all rows that were not predicted by then, so only those that were before the run
    are not of the two.
    """
    if first.rows_before == first.rows:  # nothing was left to do but the retry
        return again
    found = {one.feature: one for one in first.outside}
    for one in again.outside:
        found[one.feature] = found[one.feature].and_more(one) if one.feature in found else one
    return dataclasses.replace(
        again,
        elapsed_s=first.elapsed_s + again.elapsed_s,
        requests=first.requests + again.requests,
        retried=first.retried + again.retried,
        sent_bytes=first.sent_bytes + again.sent_bytes,
        received_bytes=first.received_bytes + again.received_bytes,
        rows_before=ok_before,
        outside=tuple(found.values()),
    )


def _job(arguments: argparse.Namespace, facts: Facts) -> Job:
    """The job, begun or gone on with. Raises UsageError for one that nobody asked to go on with."""
    from kserve_client.scoring.job import Job, has_job

    place = _source(arguments.job)
    assert isinstance(place, Path | str)
    if arguments.retry_failed or (arguments.resume and has_job(place)):
        job = Job.open(place)
        try:
            job.check(facts)
        except BaseException:
            job.close()
            raise
        return job
    if has_job(place):
        raise UsageError(
            f"there is a job in {label(place)} already: add --resume to go on with it, or choose "
            "another directory"
        )
    return Job.create(place, facts)


class _LookedError(Exception):
    """A target can be written; nothing shall appear there yet."""


def _check_writable(target: Target, writing: WriteOptions, source: Source) -> None:
    """Find out before the run what would be in the way of its result."""
    if isinstance(target, Path) and target.exists() and not (target.is_file() or target.is_dir()):
        return  # who reads a pipe would take this for its end
    with (
        suppress(_LookedError),
        opened_sink(target, writing, source.found, source.columns) as sink,
    ):
        sink.check(source.schema)
        raise _LookedError


def _as_it_is(job: Job) -> Summary:
    """The summary of a job that is whole already."""
    counts = job.counts
    summary = Summary(
        counts.done, counts.ok, counts.failed, counts.skipped, 0.0, rows_before=counts.done
    )
    return _with_first_error(job, summary)


def _with_first_error(job: Job, summary: Summary) -> Summary:
    """A job may have failed rows of earlier runs, before those of this one."""
    first = next(job.failed_rows(), None)
    if first is None:
        return dataclasses.replace(summary, first_error="")
    (chunk,) = job.scored(first.start, first.start + 1)
    reason = chunk.errors.get(0, "") or chunk.skipped.get(0, "")
    return dataclasses.replace(summary, first_error=f"row {first.start + 1}: {reason}")


# What is said of it


def _tell(
    arguments: argparse.Namespace, summary: Summary, job: dict[str, Any] | None, console: Console
) -> None:
    if console.as_json or not arguments.quiet:
        tell = console.note if STDIO in (arguments.output, arguments.errors) else console.show
        tell(_text(arguments, summary), _object(arguments, summary, job))
    for one in summary.outside:
        console.complain(one.words(summary.rows - summary.rows_before))
    if summary.failed:
        console.complain(failed_words(summary.failed, summary.rows, summary.first_error))
    if summary.stopped:
        console.complain(_stopped_words(arguments, summary))


def _text(arguments: argparse.Namespace, summary: Summary) -> str:
    skipped = f", {summary.skipped:,} skipped" if summary.skipped else ""
    return (
        f"{_rows_and_time(summary)}: {summary.ok:,} predicted, {summary.failed:,} failed"
        f"{skipped}{_where(arguments, summary)}"
    )


def _rows_and_time(summary: Summary) -> str:
    before = f", {summary.rows_before:,} of them before," if summary.rows_before else ""
    # The rows that were not sent would make it look fast.
    has_rate = summary.rows_per_s and not summary.skipped
    rate = f" ({summary.rows_per_s:,.0f} rows/s)" if has_rate else ""
    return f"{rows_words(summary.rows)}{before} in {summary.elapsed_s:.1f} s{rate}"


def _where(arguments: argparse.Namespace, summary: Summary) -> str:
    if not summary.is_complete:
        return f"; kept in the job {label(arguments.job)}, nothing is written yet"
    written = [place for place in (arguments.output, arguments.errors) if place]
    named = [label(place) for place in written if place != STDIO]
    return f"; written to {' and '.join(named)}" if named else ""


def _stopped_words(arguments: argparse.Namespace, summary: Summary) -> str:
    if not arguments.job:
        what = f"{rows_words(summary.skipped)} not sent"
    elif summary.has_too_many_failures:  # they count over the runs of a job
        what = "raise --max-failures, or use --retry-failed"
    else:
        what = "the same command with --resume goes on"
    return f"ended early: {summary.stopped}; {what}"


def _object(
    arguments: argparse.Namespace, summary: Summary, job: dict[str, Any] | None
) -> dict[str, Any]:
    errors = arguments.errors
    return {
        "model": arguments.model,
        "input": label(arguments.input),
        "output": label(arguments.output),
        "errors": errors and label(errors),
        "job": job,
        **dataclasses.asdict(summary),
        "rows_per_s": summary.rows_per_s,
        "exit_status": _status(summary),
    }


# Ctrl-C


@contextmanager
def _watched(*, is_quiet: bool) -> Iterator[_Watch]:
    """Follow a run: progress on standard error, and Ctrl-C."""
    with _interrupts() as cancel:
        wishes = Wishes(cancel=cancel)
        if is_quiet:
            yield _Watch(wishes, None)
            return
        line = ProgressLine(is_ending=cancel.is_set)
        try:
            yield _Watch(wishes, line.show)
        finally:
            line.end()


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Ctrl-C once ends the run with what it has; twice ends the process."""
    cancel = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        if cancel.is_set():
            _end_soon()
            raise KeyboardInterrupt
        cancel.set()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)


def _end_soon() -> None:
    """Python waits for its threads, and these may wait for a model or a pipe."""
    end = threading.Timer(GRACE_S, os._exit, [INTERRUPTED])
    end.daemon = True
    end.start()
