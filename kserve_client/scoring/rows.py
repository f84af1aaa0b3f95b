"""Rows of a table on their way: as they were read, and with what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
STATE_COLUMN, ERROR_COLUMN = "state", "error"


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """Consecutive rows of a source.

    `start` is the number of the first one in the source, from 0. `cells` holds one column per
    column of the source, in its order: text for CSV and JSON Lines, whatever type the file has for
    Parquet and Arrow. `problems` says of a position in `cells` why its row does not fit under the
    header; its cells are cut or filled up with "".
    """

    start: int
    cells: pa.RecordBatch
    problems: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.cells.num_rows)

    @property
    def stop(self) -> int:
        """The number of the row after the last one."""
        return self.start + len(self)

    def slice(self, offset: int, length: int) -> Rows:
        """Some of these rows, without a copy."""
        end = offset + length
        problems = {at - offset: why for at, why in self.problems.items() if offset <= at < end}
        return Rows(self.start + offset, self.cells.slice(offset, length), problems)


@dataclass(frozen=True, eq=False, slots=True)
class Scored:
    """Rows with what became of each.

    `results` holds one row per row, null where there is none; it is None when no row has a result.
    `errors` says of a position why its row failed, `skipped` why it was not sent. A position in
    neither is ok.
    """

    rows: Rows
    results: pa.RecordBatch | None
    errors: Mapping[int, str] = field(default_factory=dict)
    skipped: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def failed(self) -> int:
        """How many rows failed."""
        return len(self.errors)

    @property
    def ok(self) -> int:
        """How many rows have a result."""
        return len(self) - len(self.errors) - len(self.skipped)

    def predicted_row(self) -> Rows | None:
        """The first row that has a result, as it was sent, copied; None without one."""
        places = range(len(self))
        bad = self.errors.keys() | self.skipped.keys()
        first = next((at for at in places if at not in bad), None)
        if first is None:
            return None
        cells = self.rows.cells.slice(first, 1)
        # A slice would hold all of its chunk.
        return Rows(self.rows.start + first, pa.concat_batches([cells]))
