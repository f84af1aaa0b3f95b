"""What the dashboard keeps of a job beside the job itself, so that any process can go on with it.

The manifest of a job says what was done. The card says what shall be: a process that ends in the
middle of a job leaves "running", and the next one takes it up.
"""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dashboard.jobs.view import State, Where
from kserve_client.scoring import ScoreOptions
from kserve_client.scoring.job import Counts, Figures
from kserve_client.scoring.job import Options as JobOptions
from kserve_client.scoring.job.store import Store

END = ".json"
MOST_LOST = 3
TOO_MANY_LOST = (
    "three processes of the dashboard ended while they had it, at the same row; its table may need "
    "more memory than there is"
)
Task = Literal["score", "retry"]


class Card(BaseModel):
    """A job of the dashboard. Times are UTC.

    `source` is the name of a table that the settings offer, `file` the name of an upload in the
    folder of the job; one of the two is "". `task` is what is done, or was done last; `where` is None
    until that is chosen. `failures` are the last rows that failed, by number from 1, with why.
    `is_left` says that the process that had it came to its end and let go of it. `lost` counts the
    processes that ended without a word while they ran it, one after the other, at the row `lost_at`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    version: Literal[1] = 1
    id: str
    owner: str
    model_name: str
    input_name: str
    source: str = ""
    file: str = ""
    options: JobOptions = JobOptions()
    max_failures: int | None = None
    patience_s: float = 60.0
    task: Task = "score"
    where: Where | None = None
    state: State = "waiting"
    reason: str = ""
    counts: Counts = Counts()
    rows_total: int | None = None
    figures: Figures = Figures()
    failures: tuple[tuple[int, str], ...] = ()
    is_left: bool = False
    lost: int = 0
    lost_at: int = 0
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    finished: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether some process should be at work on it."""
        return self.state in ("waiting", "running")

    @property
    def is_lost(self) -> bool:
        """Whether the process that ran it ended without a word."""
        return self.state == "running" and not self.is_left

    def begun_anew(self, task: Task | None) -> Card:
        """The card for the process that takes it up; `task` is None where that stays."""
        return self.model_copy(
            update={
                "state": "waiting",
                "reason": "",
                "finished": None,
                "is_left": False,
                "lost": 0,
                "task": task or self.task,
            }
        )

    def lost_again(self) -> Card:
        """The card for the process that takes it up after one that ended without a word.

        A job that ends each process that has it, as one that needs too much memory does, is stopped:
        else it would end all replicas, for ever.
        """
        # A retry gives no new row, only better ones.
        row = self.counts.ok if self.task == "retry" else self.counts.done
        lost = self.lost + 1 if row == self.lost_at else 1
        found = self.begun_anew(None).model_copy(update={"lost": lost, "lost_at": row})
        if lost < MOST_LOST:
            return found
        over = {"state": "stopped", "reason": TOO_MANY_LOST, "finished": datetime.now(UTC)}
        return found.model_copy(update=over)

    def score_options(self) -> ScoreOptions:
        """The options it was begun with; limits are those of now."""
        kept = ScoreOptions().like(self.options)
        return dataclasses.replace(kept, max_failures=self.max_failures, patience_s=self.patience_s)

    def to_bytes(self) -> bytes:
        """The file: JSON that people can read."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    def write(self, cards: Store) -> None:
        """Keep it among the cards."""
        cards.put(self.id + END, self.to_bytes())


def read(cards: Store, job_id: str) -> Card:
    """The card of a job. Raises FileNotFoundError when there is none."""
    return parsed(job_id, cards.read(job_id + END))


def parsed(job_id: str, data: bytes, changed_s: float = 0.0) -> Card:
    """The card that a file holds; one that says "damaged" when it can't be read.

    `changed_s` is when the file was written, in seconds since 1970; 0.0 where that is not known.
    """
    try:
        return Card.model_validate_json(data)
    except ValidationError:
        return Card(
            id=job_id,
            owner="",
            model_name="",
            input_name="",
            state="damaged",
            reason="its card can't be read, or a newer version of the dashboard wrote it",
            created=datetime.fromtimestamp(changed_s or time.time(), UTC),
        )
