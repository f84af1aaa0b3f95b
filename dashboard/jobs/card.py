"""What the dashboard keeps of a job beside the job itself, so that any process can go on with it.

The manifest of a job says what was done. The card says what shall be: a process that ends in the
middle of a job leaves "running", and the next one takes it up.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dashboard.jobs.folder import put
from dashboard.jobs.view import State, Where
from kserve_client.scoring import ScoreOptions
from kserve_client.scoring.job import Counts, Figures
from kserve_client.scoring.job import Options as JobOptions

FILE = "card.json"
Task = Literal["score", "retry"]


class Card(BaseModel):
    """A job of the dashboard. Times are UTC.

    `source` is the name of a table that the settings offer, `file` the name of an upload in the
    folder of the job; one of the two is "". `task` is what is done, or was done last; `where` is None
    until that is chosen.
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

    def write(self, folder: Path) -> None:
        """Keep it in the folder of the job."""
        put(folder / FILE, self.model_dump_json(indent=2).encode() + b"\n")


def read(folder: Path) -> Card:
    """The card in the folder of a job; one that says "damaged" when it can't be read.

    Raises FileNotFoundError when there is none.
    """
    data = (folder / FILE).read_bytes()
    try:
        return Card.model_validate_json(data)
    except ValidationError:
        made = datetime.fromtimestamp((folder / FILE).stat().st_mtime, UTC)
        return Card(
            id=folder.name,
            owner="",
            model_name="",
            input_name="",
            state="damaged",
            reason=f"{FILE} can't be read, or a newer version of the dashboard wrote it",
            created=made,
        )
