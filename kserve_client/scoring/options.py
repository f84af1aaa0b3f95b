"""How a table is scored: what is read of it, what is sent, how fast, and how the results are written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kserve_client.scoring.mapping import Mapping as ColumnMapping
from kserve_client.scoring.mapping import Origin
from kserve_client.scoring.sinks import WriteOptions
from kserve_client.scoring.sources import ReadOptions
from kserve_client.scoring.treatment import Treatment

if TYPE_CHECKING:
    from kserve_client.scoring.job import Options as JobOptions

Auto = Literal["auto"]
DEFAULT_PATIENCE_S = 60.0
_READING = ("format", "compression", "encoding", "delimiter", "decimal", "quote")


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """How a table is scored.

    `mapping` says which column each feature is read from; None: the column of its name, but for the
    features of `origins`. `treatment` is what is done about cells that can't be sent. Only the first
    `limit` rows are read. `chunk_rows` travel in one request, `concurrency` requests are under way at
    a time; "auto" finds both out. Once more than `max_failures` rows failed nothing more is sent;
    those of a job count that failed before it was resumed.
    `patience_s` is how many seconds to wait for a model that answered before and does not any more.
    """

    reading: ReadOptions = field(default_factory=ReadOptions)
    writing: WriteOptions = field(default_factory=WriteOptions)
    mapping: ColumnMapping | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)
    treatment: Treatment = field(default_factory=Treatment)
    limit: int | None = None
    chunk_rows: int | Auto = "auto"
    concurrency: int | Auto = "auto"
    max_failures: int | None = None
    patience_s: float = DEFAULT_PATIENCE_S

    def of_job(self) -> JobOptions:
        """What a job keeps of them: all but limits and secrets."""
        from kserve_client.scoring.job import Options as JobOptions

        return JobOptions(
            reading={name: getattr(self.reading, name) for name in _READING},
            mapping={} if self.mapping is None else self.mapping.model_dump(mode="json"),
            treatment=self.treatment.model_dump(mode="json"),
            limit=self.limit,
            chunk_rows=self.chunk_rows,
            concurrency=self.concurrency,
            writing=_writing(self.writing),
        )

    def like(self, kept: JobOptions) -> ScoreOptions:
        """These options with all that a job kept; limits and secrets stay those of now."""
        return dataclasses.replace(
            self,
            reading=dataclasses.replace(self.reading, **_known(self.reading, kept.reading)),
            mapping=ColumnMapping.model_validate(kept.mapping) if kept.mapping else None,
            treatment=Treatment.model_validate(kept.treatment),
            limit=kept.limit,
            chunk_rows=kept.chunk_rows,
            concurrency=kept.concurrency,
        )


def _writing(options: WriteOptions) -> dict[str, Any]:
    names = ("format", "columns", "formulas", "delimiter", "decimal")
    return {name: getattr(options, name) for name in names}


def _known(options: ReadOptions, kept: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in dataclasses.fields(options)}
    return {name: value for name, value in kept.items() if name in names}
