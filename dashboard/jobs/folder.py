"""Where the jobs of a dashboard lie: a folder that only its user may open.

    <root>/jobs/<id>/card.json      what the dashboard knows of a job, see `card`
    <root>/jobs/<id>/lock           held by the process that has the job in its line, or runs it
    <root>/jobs/<id>/table.csv      its upload
    <root>/jobs/<id>/job/           the job itself: ledger, parts, manifest (kserve_client.scoring.job)
    <root>/jobs/<id>/results/       results that were asked for as files
    <root>/uploads/<id>/            uploads that no job has taken yet

Nothing is named as a person named it.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import BinaryIO

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job import check_job_id

APP = "kserve-client"
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


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

    def __init__(self, root: Path | None) -> None:
        self.root = (default_root() if root is None else root.expanduser()).absolute()
        self.jobs = self.root / "jobs"
        self.uploads = self.root / "uploads"
        try:
            for path in (self.root, self.jobs, self.uploads):
                path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            _try_to_write(self.uploads)
        except OSError as error:
            raise ConfigurationError(
                f"the folder for batch jobs can't be written: {self.root} ({error.strerror}). "
                "Name another one in KSERVE_CLIENT_JOBS_FOLDER"
            ) from None

    def job(self, job_id: str) -> Path:
        """The folder of a job. Raises InputError for what is no id, such as a path."""
        return self.jobs / check_job_id(job_id)


def put(path: Path, data: bytes) -> None:
    """Write or replace a whole file that only its user may read."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open_private(draft) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def open_private(path: Path) -> BinaryIO:
    """Open a new file for bytes, that only its user may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    return os.fdopen(descriptor, "wb")


def _try_to_write(folder: Path) -> None:
    probe = folder / f".{secrets.token_hex(4)}.tmp"
    probe.touch(PRIVATE_FILE)
    probe.unlink()
