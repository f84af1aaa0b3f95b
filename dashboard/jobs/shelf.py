"""The cards of all jobs in the folder, read again when another process has changed them."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from dashboard.jobs import card as cards
from dashboard.jobs.card import Card
from dashboard.jobs.folder import Folder
from kserve_client.errors import InputError
from kserve_client.scoring.job import check_job_id
from kserve_client.scoring.job.lock import is_held
from kserve_client.scoring.job.store import LocalStore

# Other processes may work in the same folder; their cards are looked at this often.
LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class _Kept:
    card: Card
    changed_ns: int
    is_held: bool


class Shelf:
    """All cards. May be shared between threads."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._looked_s: float | None = None

    def all(self) -> list[tuple[Card, bool]]:
        """Every card, and whether a process held its job when it was last looked at."""
        with self._lock:
            if self._looked_s is None or time.monotonic() - self._looked_s > LOOK_S:
                self._look()
            return [(kept.card, kept.is_held) for kept in self._kept.values()]

    def get(self, job_id: str) -> tuple[Card, bool] | None:
        """One card; None when there is no such job."""
        with self._lock:
            with contextlib.suppress(InputError):
                self._look_at(self._folder.job(job_id))
            kept = self._kept.get(job_id)
        return None if kept is None else (kept.card, kept.is_held)

    def put(self, card: Card) -> Card:
        """Keep a new or changed card, of a job that this process holds."""
        folder = self._folder.job(card.id)
        with self._lock:
            card.write(folder)
            self._kept[card.id] = _Kept(card, _changed_ns(folder), is_held=True)
        return card

    def forget(self, job_id: str) -> None:
        """The job is gone."""
        with self._lock:
            self._kept.pop(job_id, None)

    def _look(self) -> None:
        folders = [path for path in self._folder.jobs.iterdir() if _is_job(path)]
        for job_id in self._kept.keys() - {path.name for path in folders}:
            del self._kept[job_id]
        for path in folders:
            self._look_at(path)
        self._looked_s = time.monotonic()

    def _look_at(self, folder: Path) -> None:
        kept = self._kept.get(folder.name)
        try:
            changed_ns = _changed_ns(folder)
            is_new = kept is None or kept.changed_ns != changed_ns
            card = cards.read(folder) if kept is None or is_new else kept.card
        except FileNotFoundError:
            self._kept.pop(folder.name, None)
            return
        held = (card.is_active or card.state == "paused") and is_held(LocalStore(folder))
        self._kept[folder.name] = _Kept(card, changed_ns, held)


def _is_job(path: Path) -> bool:
    """Whether it may be the folder of a job: what somebody laid beside them has another name."""
    try:
        return check_job_id(path.name) == path.name and path.is_dir()
    except InputError:
        return False


def _changed_ns(folder: Path) -> int:
    return (folder / cards.FILE).stat().st_mtime_ns
