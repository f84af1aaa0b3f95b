"""What the dashboard keeps of a job beside the job itself, so that any process can go on with it.

The manifest of a job says what was done. The card says what shall be: a process that ends in the
middle of a job leaves "running", and the next one takes it up.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dashboard.jobs.view import State, Where
from kserve_client.scoring import ScoreOptions
from kserve_client.scoring.job import Counts, Figures
from kserve_client.scoring.job import Options as JobOptions
from kserve_client.scoring.job.store import Store

END = ".json"
Task = Literal["score", "retry"]


class Card(BaseModel):
    """A job of the dashboard. Times are UTC.

    `source` is the name of a table that the settings offer, `file` the name of an upload in the
    folder of the job; one of the two is "". `task` is what is done, or was done last; `where` is None
    until that is chosen. `failures` are the last rows that failed, by number from 1, with why.
    `is_left` says that the process that had it came to its end and let go of it.
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
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    finished: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether some process should be at work on it."""
        return self.state in ("waiting", "running")

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
    """The card that a file holds; one that says "damaged" when it can't be read."""
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
            created=datetime.fromtimestamp(changed_s, UTC),
        )
