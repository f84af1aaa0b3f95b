"""Writes parts from other machines: a worker of a cluster writes, the coordinator records.

Nothing counts that is not in the ledger. So a task that is run again may write its part again; one
of the two is recorded, and the other removed when the job is opened the next time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from kserve_client.scoring.job.parts import FOLDER, WrittenPart, encoded
from kserve_client.scoring.job.store import Directory, store_at
from kserve_client.scoring.results import ResultSchema
from kserve_client.scoring.rows import Scored


@dataclass(frozen=True, slots=True)
class PartWriter:
    """Where the parts of a job go. May be pickled; `storage_options` go with it, unseen in its repr."""

    directory: Directory
    storage_options: Mapping[str, object] | None = field(default=None, repr=False)

    def write(
        self,
        chunks: Sequence[Scored],
        results: ResultSchema | None = None,
        *,
        tries: int = 1,
        elapsed_s: float = 0.0,
    ) -> WrittenPart:
        """Write chunks that follow each other as one part, durably, for `Job.record_part`.

        `results` are the result columns where they are known, else those of the first chunk that has
        any; what does not fit under them is an error of its rows. Raises ValueError when the chunks
        don't follow each other.
        """
        _check_order(chunks)
        schema = results or first_results(chunks)
        fitted = chunks if schema is None else [schema.fit(chunk) for chunk in chunks]
        columns = schema and schema.results
        part, data = encoded(fitted, columns, tries=tries, elapsed_s=elapsed_s)
        store = store_at(self.directory, self.storage_options)
        store.add(part.path, data)
        store.settle(FOLDER)
        return WrittenPart(part, schema)


def _check_order(chunks: Sequence[Scored]) -> None:
    if not chunks or not all(map(len, chunks)):
        raise ValueError("a part has rows")
    if any(a.rows.stop != b.rows.start for a, b in pairwise(chunks)):
        raise ValueError("the chunks of a part follow each other")


def first_results(chunks: Sequence[Scored]) -> ResultSchema | None:
    """The result columns of the first chunk that has any."""
    return next((ResultSchema.of(chunk) for chunk in chunks if chunk.results is not None), None)
