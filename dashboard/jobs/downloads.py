"""Results as files of this machine: each form written once."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import orjson

from dashboard.jobs.root import PRIVATE_FILE, PRIVATE_FOLDER
from kserve_client.scoring import WriteOptions, write_results
from kserve_client.scoring.job import SavedJob
from kserve_client.scoring.sinks import opened
from kserve_client.scoring.sources import Compression, Format, Found

RESULTS = "results"
_ENDS: Mapping[Format, str] = {
    "csv": ".csv",
    "json-lines": ".jsonl",
    "parquet": ".parquet",
    "arrow": ".arrow",
}
_PACKED: Mapping[Compression, str] = {"": "", "gzip": ".gz", "zstd": ".zst"}


def written(job: SavedJob, folder: Path, writing: WriteOptions, ended: str) -> Path:
    """The results of a job in a form, as a file in its folder; written when it is not there yet.

    Of a job that is not complete the file has the rows that are done. `ended` says when the job came
    to its end, so that nobody gets the file of an earlier end. Raises ConfigurationError for
    a form that can't be, InputError for a column that is not there.
    """
    found = Found(**job.manifest.facts.input.found)
    path = folder / RESULTS / _name(writing, found, ended)
    if path.exists():
        return path
    path.parent.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    if job.counts.is_complete:
        write_results(job, path, writing)
    else:
        _write_some(job, found, path, writing)
    path.chmod(PRIVATE_FILE)
    return path


def forget(folder: Path) -> None:
    """The results are about to change: remove the files that were made of them."""
    shutil.rmtree(folder / RESULTS, ignore_errors=True)


def forget_old(folder: Path, kept_s: float) -> None:
    """Remove those files that are older than so many seconds."""
    for path in (folder / RESULTS).glob("*"):
        if time.time() - path.stat().st_mtime > kept_s:
            path.unlink(missing_ok=True)


def _write_some(job: SavedJob, found: Found, path: Path, writing: WriteOptions) -> None:
    columns = job.manifest.facts.input.columns
    schema = job.schema
    with opened(path, writing, found, columns, schema=schema) as sink:
        for chunk in job.scored(is_partial=True):
            sink.write(chunk)


def _name(writing: WriteOptions, found: Found, ended: str) -> str:
    # Nowhere else is written, so secrets and kinds of URL decide nothing.
    said = dataclasses.asdict(dataclasses.replace(writing, storage_options={}, schemes=frozenset()))
    said |= {"schemes": [], "ended": ended}
    digest = hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    kind = writing.format or found.format
    return f"{digest}{_ENDS[kind]}{_PACKED[writing.compression or '']}"
