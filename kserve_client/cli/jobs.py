"""The commands `jobs` and `job`: what runs there are, and how far each is."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kserve_client.cli.arguments import UsageError
from kserve_client.cli.console import Console, table
from kserve_client.cli.progress import duration
from kserve_client.cli.status import OK
from kserve_client.scoring.job import Counts, JobSummary, Manifest, SavedJob, delete_job, jobs
from kserve_client.scoring.job.saved import standing
from kserve_client.scoring.sources import label

HEADER = ("JOB", "STATE", "MODEL", "INPUT", "ROWS", "OK", "FAILED", "SKIPPED", "BEGUN")


def list_jobs(arguments: argparse.Namespace, console: Console) -> int:
    """List the jobs below a folder; returns the exit status.

    Raises UsageError for a folder that is not there. Behind a URL there are no folders to miss.
    """
    root = _place(arguments.root)
    if isinstance(root, Path) and not root.is_dir():
        raise UsageError(f"{arguments.root}: no such folder")
    found = jobs(root, is_any_name=True)
    text = table(HEADER, map(_row, found)) if found else _no_jobs(root)
    console.show(text, {"jobs": [_listed(summary) for summary in found]})
    return OK


def job(arguments: argparse.Namespace, console: Console) -> int:
    """Show or remove a job; returns the exit status."""
    place = _place(arguments.directory)
    if arguments.delete:
        delete_job(place)
        console.show(
            f"The job in {arguments.directory} is removed.", {"deleted": arguments.directory}
        )
        return OK
    with SavedJob.open(place) as found:
        state, reason = standing(found.manifest, is_running=found.is_running())
        now = {"state": state, "reason": reason, "counts": found.counts}
        about = found.manifest.model_copy(update=now)
        console.show(_text(found.where, about), about.model_dump(mode="json"))
    return OK


def _no_jobs(root: Path | str) -> str:
    """The whole path: a "." at the end of a sentence says nothing."""
    return f"There are no jobs in {root.resolve() if isinstance(root, Path) else label(root)}"


def _place(given: str) -> Path | str:
    return given if "://" in given else Path(given)


def _row(summary: JobSummary) -> tuple[Any, ...]:
    counts, about = summary.counts, summary.manifest
    if about is None:
        return summary.job_id, summary.state, summary.reason, *[None] * 6
    return (
        summary.job_id,
        summary.state,
        about.facts.model.name,
        about.facts.input.name,
        counts.total_rows,
        counts.ok,
        counts.failed,
        counts.skipped,
        f"{about.created:%Y-%m-%d %H:%M}",
    )


def _listed(summary: JobSummary) -> dict[str, Any]:
    about = summary.manifest
    return {
        "directory": summary.where,
        "state": summary.state,
        "reason": summary.reason,
        "is_running": summary.is_running,
        "counts": summary.counts.model_dump(),
        "model": about and about.facts.model.name,
        "input": about and about.facts.input.name,
        "created": about and about.created.isoformat(),
    }


def _text(where: str, about: Manifest) -> str:
    return "\n".join(f"{name:<8} {' '.join(value.split())}" for name, value in _lines(where, about))


def _lines(where: str, about: Manifest) -> Iterator[tuple[str, str]]:
    model, figures = about.facts.model, about.figures
    yield "Job", where
    yield "State", f"{about.state}: {about.reason}" if about.reason else about.state
    yield "Model", f"{model.name} on {model.endpoint_url}"
    yield "Input", about.facts.input.name
    yield "Rows", _counted(about.counts)
    if about.results:
        yield "Results", ", ".join(column.name for column in about.results)
    yield "Begun", f"{about.created:%Y-%m-%d %H:%M:%S} UTC"
    if figures.requests:
        took = f"{duration(figures.seconds)}, {figures.rows_per_s:,.0f} rows/s"
        yield "Took", f"{took}, {figures.requests:,} requests"


def _counted(counts: Counts) -> str:
    total = f" of {counts.total_rows:,}" if counts.total_rows is not None else " so far"
    told = f"{counts.ok:,} ok, {counts.failed:,} failed, {counts.skipped:,} skipped"
    return f"{counts.done:,}{total}: {told}"
