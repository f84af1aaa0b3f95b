"""Numbers that nobody can read for sure: "1.200" in a table that does not show its decimal sign.

Where commas part the cells, or some number surely has a decimal comma, the sign is known. Else numbers whose
points may all part thousands are one thing or a thousand times as much: a person has to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from kserve_client.decimals import DOUBTFUL, readings, shows_comma, shows_point
from kserve_client.errors import InputError
from kserve_client.scoring.mapping import Mapping
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.sources import Found, ReadOptions
from kserve_client.scoring.verdicts import NUMERIC_KINDS
from kserve_client.signature import Signature

# Stands for the cells of a sensitive feature.
EXAMPLE = "1.200"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A column of numbers that may be others: its first cell that shows it, and its row (from 0).

    Of a sensitive feature `cell` is an example.
    """

    column: str
    cell: str
    row: int

    @property
    def readings(self) -> tuple[str, str]:
        """The numbers it may be: with a decimal point, and with one that parts thousands."""
        return readings(self.cell)

    @property
    def words(self) -> str:
        """What is in doubt."""
        small, large = self.readings
        return (
            f"{self.column}: a number such as {self.cell!r} (first in row {self.row + 1:,}) may be "
            f"{small} or {large}, and nothing in the column shows which"
        )


class DoubtError(InputError):
    """A number that nobody can read for sure; says what settles it on the command line."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt)
        self.doubt = doubt

    def __str__(self) -> str:
        return (
            f"{self.doubt.words}; say how the table writes decimals: --decimal . or --decimal , "
            "(in Python ReadOptions(decimal=…))"
        )


class Doubts:
    """Takes the rows of a table in batches and finds the first doubt; for one thread.

    `names` are the columns as the mapping names them. A number that surely has a decimal point settles
    its column, and all columns where none has shown a decimal comma. In a table that is read with
    decimal commas, though none was sure to be one, the first that is settles all.
    """

    def __init__(
        self,
        signature: Signature,
        mapping: Mapping,
        names: Sequence[str],
        found: Found,
        reading: ReadOptions,
    ) -> None:
        self._is_comma = found.decimal == ","
        is_sure = found.delimiter == "," or (self._is_comma and found.is_decimal_shown)
        is_known = found.format != "csv" or is_sure or reading.decimal is not None
        features = () if is_known else signature.features
        columns = [mapping.of(f.name).column for f in features if f.kind in NUMERIC_KINDS]
        self._places = {name: list(names).index(name) for name in columns if name is not None}
        self._has_commas = False
        self._sensitive = {mapping.of(f.name).column for f in features if f.sensitive}

    @property
    def are_possible(self) -> bool:
        """Whether there is something left to look for."""
        return bool(self._places)

    def find(self, rows: Rows) -> Doubt | None:
        """The first doubt in some rows; None without any."""
        cells = {name: rows.cells.column(place) for name, place in self._places.items()}
        self._settle(cells)
        found = (self._first(name, cells[name], rows.start) for name in self._places)
        return next(filter(None, found), None)

    def _settle(self, cells: dict[str, pa.Array]) -> None:
        """Look no more at columns whose decimal sign these cells show."""
        is_shown = any(_any(column, ",", shows_comma) for column in cells.values())
        if self._is_comma:
            if is_shown:
                self._places.clear()
            return
        settled = [name for name, column in cells.items() if _any(column, ".", shows_point)]
        self._has_commas |= is_shown
        is_clear = bool(settled) and not self._has_commas
        for name in cells if is_clear else settled:
            del self._places[name]

    def none_in(self, batches: Iterator[Rows]) -> Iterator[Rows]:
        """The same rows. Raises DoubtError at the first doubt."""
        for rows in batches:
            if (doubt := self.find(rows)) is not None:
                raise DoubtError(doubt)
            yield rows

    def _first(self, name: str, cells: pa.Array, start: int) -> Doubt | None:
        at = pc.index(pc.match_substring_regex(cells, DOUBTFUL), value=True).as_py()
        if at < 0:
            return None
        cell = EXAMPLE if name in self._sensitive else cells[at].as_py().strip()
        return Doubt(name, cell, start + at)


def _any(cells: pa.Array, sign: str, is_so: Callable[[str], bool]) -> bool:
    """Whether something is so of a cell that has the sign."""
    return any(map(is_so, cells.filter(pc.match_substring(cells, sign)).to_pylist()))
