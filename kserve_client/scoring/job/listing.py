"""Many jobs below one root, each in a folder named by its id."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kserve_client.errors import ConfigurationError, InputError
from kserve_client.scoring.job import lock, manifest
from kserve_client.scoring.job.manifest import Counts, Manifest, State
from kserve_client.scoring.job.removal import holds_job, remove_job
from kserve_client.scoring.job.saved import read_ledger, read_manifest, standing
from kserve_client.scoring.job.store import Directory, Store, store_at

_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job in a list. `manifest` is None when the job is damaged; `reason` says how then."""

    job_id: str
    where: str
    state: State | Literal["damaged"]
    reason: str
    counts: Counts
    manifest: Manifest | None
    is_running: bool = False


def new_job_id() -> str:
    """An id that nobody guesses: 96 random bits, 16 characters."""
    return secrets.token_urlsafe(12)


def check_job_id(job_id: str) -> str:
    """The id, when it is one. Raises InputError for anything else, such as a path."""
    if not _ID.fullmatch(job_id):
        raise InputError("that is no id of a job: 8 to 64 letters, digits, - or _")
    return job_id


def job_directory(root: Directory, job_id: str) -> Directory:
    """The directory of a job below a root. Raises InputError when that is no id."""
    return _below(root, check_job_id(job_id))


def _below(root: Directory, name: str) -> Directory:
    return root / name if isinstance(root, Path) else f"{root.rstrip('/')}/{name}"


def jobs(
    root: Directory,
    *,
    storage_options: Mapping[str, object] | None = None,
    is_any_name: bool = False,
) -> list[JobSummary]:
    """The jobs below a root, the newest first; [] when there is no such root.

    One that is damaged, or was half removed, is listed too, so that it can be removed. Folders that
    are not named like an id are passed over, unless `is_any_name`: people name the folders of their
    jobs as they like.
    """
    store = store_at(root, storage_options)
    stores = [
        store_at(_below(root, name), storage_options)
        for name in store.folders()
        if is_any_name or _ID.fullmatch(name)
    ]
    found = [_summary(place) for place in stores if holds_job(place)]
    return sorted(found, key=_created, reverse=True)


def has_job(directory: Directory, *, storage_options: Mapping[str, object] | None = None) -> bool:
    """Whether a job was begun in a directory, damaged or not."""
    return manifest.FILE in store_at(directory, storage_options).sizes("")


def delete_job(
    directory: Directory, *, storage_options: Mapping[str, object] | None = None
) -> None:
    """Remove the job of a directory, or what is left of it; other files stay.

    Raises ConfigurationError while a process works on it, and when there is no job.
    """
    remove_job(store_at(directory, storage_options))


def _summary(store: Store) -> JobSummary:
    name = re.split(r"[/\\]", store.where.rstrip("/"))[-1]
    try:
        about = read_manifest(store)
        counts = _counts(store, about)
    except (ConfigurationError, OSError) as error:
        return JobSummary(name, store.where, "damaged", str(error), Counts(), None)
    is_running = lock.is_held(store)
    state, reason = standing(about, is_running=is_running)
    return JobSummary(name, store.where, state, reason, counts, about, is_running)


def _counts(store: Store, about: Manifest) -> Counts:
    """Those of the ledger where it is at hand, else those the manifest noted some seconds ago."""
    if store.path is None:
        return about.counts
    ledger = read_ledger(store)
    try:
        return ledger.counts()
    finally:
        ledger.close()


def _created(summary: JobSummary) -> tuple[float, str]:
    made = summary.manifest.created.timestamp() if summary.manifest else 0.0
    return made, summary.job_id
