"""What a page is told of a job, an upload and a table that is offered. Nothing here changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from kserve_client.errors import InputError, KServeClientError
from kserve_client.scoring.job import Counts, Figures
from kserve_client.scoring.progress import Progress

State = Literal["waiting", "running", "paused", "stopped", "cancelled", "finished", "damaged"]
Where = Literal["here", "cluster"]
# States in which nothing happens any more unless somebody asks for it.
OVER: frozenset[State] = frozenset({"stopped", "cancelled", "finished", "damaged"})
RECENT_ERRORS = 20


class UnknownJobError(InputError):
    """There is no such job, or it is somebody else's: who asks can't tell which."""

    def __init__(self) -> None:
        super().__init__("there is no such job (any more); score the table again")


class StorageTroubleError(KServeClientError):
    """What the jobs lie in can't be read or written, now or at all: the message says why.

    `is_away` says whether it may be there again in a moment, so that to try again is no waste.
    """

    def __init__(self, message: str, *, is_away: bool = False) -> None:
        super().__init__(message)
        self.is_away = is_away


class UploadGoneError(InputError):
    """An upload was discarded, or a job has it by now."""

    def __init__(self) -> None:
        super().__init__("the upload is not there any more; choose the file again")


@dataclass(frozen=True, slots=True)
class Spooled:
    """An upload. `name` is what its owner calls it; nothing that is kept is named so.

    `path` is a file of this machine.
    """

    id: str
    path: Path
    name: str
    size_bytes: int
    owner: str


@dataclass(frozen=True, slots=True)
class NamedSource:
    """A table that the settings offer.

    `name` tells it from all others, such as "incoming/flowers.csv"; `location` is a path or a URL.
    `size_bytes` and `changed` are None where its store does not say.
    """

    name: str
    location: Path | str
    size_bytes: int | None
    changed: datetime | None


@dataclass(frozen=True, slots=True)
class JobView:
    """A job at this moment.

    `state`: waiting (for other jobs, or for a process to take it up), running, paused, stopped (it
    can go on; `reason` says why it does not), cancelled (by a person; it can go on, too), finished
    (every row is dealt with), damaged (it can only be deleted). `model_name` is the one in the
    catalog. `rows_total` is None until somebody knows. `progress` is that of the run under way in this
    process, else None; `is_here` says whether this process has the job. `ahead` is how many jobs of
    this process are before one that waits. `where` says who does the rows: this process (or the one
    that has the job), or a Dask cluster. Times are UTC.
    """

    id: str
    model_name: str
    input_name: str
    state: State
    reason: str
    counts: Counts
    rows_total: int | None
    progress: Progress | None
    figures: Figures
    created: datetime
    finished: datetime | None
    owner: str
    is_here: bool
    is_retry: bool = False
    ahead: int = 0
    where: Where = "here"

    @property
    def is_over(self) -> bool:
        """Whether nothing happens any more unless somebody asks for it."""
        return self.state in OVER

    @property
    def can_resume(self) -> bool:
        """Whether `Jobs.resume` has something to do."""
        return self.state in ("stopped", "cancelled")

    @property
    def can_retry(self) -> bool:
        """Whether `Jobs.retry` has something to do."""
        return self.state == "finished" and self.counts.failed > 0


def newest_first(views: Iterable[JobView]) -> list[JobView]:
    """The views in the order of a list."""
    return sorted(views, key=lambda view: (view.created, view.id), reverse=True)
