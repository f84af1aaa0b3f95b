"""Where the jobs of a dashboard lie: a folder, or a URL that its replicas share.

    <root>/cards/<id>.json      what the dashboard knows of a job, see `card`
    <root>/uploads/<id>.json    the name and the owner of an upload that no job has taken yet
    <root>/jobs/<id>/table.csv  the upload, which lies from the beginning where its job will be
    <root>/jobs/<id>/job/       the job itself: ledger, parts, manifest (kserve_client.scoring.job),
                                and the lock of the process that has it in its line, or runs it

Nothing is named as a person named it. The cards lie together, so that one listing tells which of
them have changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from dashboard.jobs.view import StorageTroubleError
from kserve_client.scoring.job.lock import Lock
from kserve_client.scoring.job.store import Directory, Store
from kserve_client.scoring.sources import Location

SETTING = "KSERVE_CLIENT_JOBS_FOLDER"
CARDS, UPLOADS, JOBS, JOB = "cards", "uploads", "jobs", "job"
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


class Root(Protocol):
    """What `Folder` and `Bucket` are. May be shared between threads.

    Every call may raise OSError; `told` says it in words. An id that is none, such as a path, raises
    InputError.
    """

    # As people know it, without secrets.
    where: str
    cards: Store
    uploads: Store
    # Whether each look costs a request, so that nobody may wait for it twice a second.
    is_remote: bool
    schemes: frozenset[str]
    # A process that has a job says so at least this often.
    heard_every_s: float
    # After so much silence another one may take the job over.
    taken_over_s: float

    def check(self) -> None:
        """Find out whether it can be written. Raises OSError."""
        ...

    def words(self, error: OSError) -> str:
        """What went wrong here, for people, without secrets."""
        ...

    def is_away(self, error: OSError) -> bool:
        """Whether it may be there again in a moment, so that a job may go on by itself."""
        ...

    def job(self, job_id: str) -> Directory:
        """The directory of the job itself."""
        ...

    def near(self, job_id: str) -> Path:
        """A private folder of this machine for files of a job; made when it is missing."""
        ...

    def keep(self, job_id: str, file: str) -> None:
        """Keep a file that was written `near`, for every replica."""
        ...

    def fetched(self, job_id: str, file: str) -> Path:
        """A kept file as one of this machine. Raises FileNotFoundError."""
        ...

    def kept(self, job_id: str, file: str) -> Location:
        """A kept file as a run reads it, on whichever machine it runs."""
        ...

    def hold(self, job_id: str) -> Lock:
        """Have a job. Raises ConfigurationError while another process has it.

        Raises FileNotFoundError where it is seen that there is no such job.
        """
        ...

    def silence_s(self, job_id: str) -> float | None:
        """For how long the process that has a job said nothing; None when no process has it."""
        ...

    def drop_copies(self, job_id: str) -> None:
        """Remove what lies `near` and is kept elsewhere."""
        ...

    def tidy(self) -> None:
        """Remove such copies that are older than a day, and results older than an hour."""
        ...

    def remove(self, job_id: str) -> None:
        """Remove all files of a job, but not its card."""
        ...

    def ids(self) -> list[str]:
        """Everything that has files, job or not."""
        ...

    def changed_s(self, job_id: str) -> float:
        """When files of it changed last, in seconds since 1970; later than that where unknown."""
        ...


@contextlib.contextmanager
def told(root: Root, what: str) -> Iterator[None]:
    """Turn an OSError into a StorageTroubleError; `what` is "read" or "written"."""
    try:
        yield
    except OSError as error:
        words = trouble(root, what, root.words(error))
        raise StorageTroubleError(words, is_away=root.is_away(error)) from None


def why(root: Root, error: Exception) -> str:
    """What went wrong, for a log: the words of a storage may hold what is secret."""
    return root.words(error) if isinstance(error, OSError) else str(error)


def trouble(root: Root, what: str, words: str) -> str:
    """What can't be done, where, and why."""
    return f"the jobs in {root.where} can't be {what}: {words}"
