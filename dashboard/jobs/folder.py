"""The jobs of a dashboard in a folder that only its user may open."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import BinaryIO

from dashboard.jobs.root import (
    CARDS,
    JOB,
    JOBS,
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    SETTING,
    UPLOADS,
)
from kserve_client.errors import ConfigurationError, InputError
from kserve_client.scoring.job import check_job_id, new_job_id
from kserve_client.scoring.job.lock import FileLock, Lock, silence_s
from kserve_client.scoring.job.store import LocalStore, Store

APP = "kserve-client"


def default_root() -> Path:
    """The user's data folder: XDG_DATA_HOME, else what the platform has for it."""
    given = os.environ.get("XDG_DATA_HOME", "")
    if Path(given).is_absolute():
        return Path(given) / APP
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / APP
    return Path.home() / ".local" / "share" / APP


class Folder:
    """The folder, made where it is missing. Raises ConfigurationError when it can't be written."""

    is_remote = False
    schemes: frozenset[str] = frozenset()
    # The kernel tells at once.
    heard_every_s = taken_over_s = 0.0

    def __init__(self, path: Path | None) -> None:
        root = (default_root() if path is None else path.expanduser()).absolute()
        self.where = str(root)
        self._jobs = root / JOBS
        try:
            for folder in (root, self._jobs, root / CARDS, root / UPLOADS):
                folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            _try_to_write(root / UPLOADS)
        except OSError as error:
            raise ConfigurationError(
                f"the folder for batch jobs can't be written: {root} ({error.strerror}). "
                f"Name another one in {SETTING}"
            ) from None
        self.cards: Store = LocalStore(root / CARDS, mode=PRIVATE_FILE)
        self.uploads: Store = LocalStore(root / UPLOADS, mode=PRIVATE_FILE)

    def check(self) -> None:
        """Nothing: it was written when it was made."""

    def words(self, error: OSError) -> str:
        """What the system says."""
        return error.strerror or str(error)

    def is_away(self, error: OSError) -> bool:  # noqa: ARG002 - of a disk nobody knows
        """Never: somebody has to look after a disk that says no."""
        return False

    def job(self, job_id: str) -> Path:
        """The folder of the job itself."""
        return self._folder(job_id) / JOB

    def near(self, job_id: str) -> Path:
        """The folder of the job, where everything lies."""
        folder = self._folder(job_id)
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        return folder

    def keep(self, job_id: str, file: str) -> None:
        """Nothing: it lies where it stays."""

    def fetched(self, job_id: str, file: str) -> Path:
        """The file itself."""
        path = self._folder(job_id) / file
        if not path.exists():
            raise FileNotFoundError(path)
        return path

    def kept(self, job_id: str, file: str) -> Path:
        """The file itself."""
        return self._folder(job_id) / file

    def hold(self, job_id: str) -> Lock:
        """Take the lock of the job; the kernel gives it back when the process ends."""
        folder = self.job(job_id)
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        return FileLock(LocalStore(folder))

    def silence_s(self, job_id: str) -> float | None:
        """0.0 while some process has the job."""
        return silence_s(LocalStore(self.job(job_id)))

    def drop_copies(self, job_id: str) -> None:
        """Nothing: there is no other place."""

    def tidy(self) -> None:
        """Nothing: there are no copies."""

    def remove(self, job_id: str) -> None:
        """Remove the folder of the job: out of the way first, since the lock of the job is in it.

        What a process that is killed meanwhile leaves is swept as any id that nobody knows.
        """
        out_of_the_way = self._folder(new_job_id())
        with contextlib.suppress(OSError):
            self._folder(job_id).rename(out_of_the_way)
            shutil.rmtree(out_of_the_way, ignore_errors=True)

    def ids(self) -> list[str]:
        """The folders that are named like a job."""
        return [name for name in LocalStore(self._jobs).folders() if _is_id(name)]

    def changed_s(self, job_id: str) -> float:
        """When something was added to its folder, or removed."""
        return self._folder(job_id).stat().st_mtime

    def _folder(self, job_id: str) -> Path:
        return self._jobs / check_job_id(job_id)


def open_private(path: Path) -> BinaryIO:
    """Open a new file for bytes, that only its user may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    return os.fdopen(descriptor, "wb")


def _is_id(name: str) -> bool:
    try:
        return check_job_id(name) == name
    except InputError:
        return False


def _try_to_write(folder: Path) -> None:
    probe = folder / f".{secrets.token_hex(4)}.tmp"
    probe.touch(PRIVATE_FILE)
    probe.unlink()
