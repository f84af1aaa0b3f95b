"""What a table holds, found out without a look at all of its cells."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from kserve_client.errors import InputError
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.sources.arrow import ArrowSource
from kserve_client.scoring.sources.dialect import DELIMITERS
from kserve_client.scoring.sources.header import nameable
from kserve_client.scoring.sources.location import opened_file
from kserve_client.scoring.sources.opening import opened, source_of
from kserve_client.scoring.sources.parquet import ParquetSource
from kserve_client.scoring.sources.source import Found, Location, ReadOptions, Source

FIRST_ROWS = 20
_ALL = ReadOptions()
_Texts = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """The start of a table. `first_rows` are the first rows that fit, each cell as text."""

    columns: tuple[str, ...]
    found: Found
    first_rows: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns as people can name them: without blanks around, "column 3" if nameless."""
        return nameable(self.columns)

    @property
    def delimiter_name(self) -> str:
        """The delimiter in words."""
        return DELIMITERS.get(self.found.delimiter, self.found.delimiter)


def preview(
    location: Location, options: ReadOptions = _ALL, first_rows: int = FIRST_ROWS
) -> Preview:
    """Read the start of a table, a few megabytes at most. Raises what `opened` raises."""
    with opened(location, options) as source:
        return Preview(source.columns, source.found, _first_rows(source, first_rows))


def count_rows(location: Location, options: ReadOptions = _ALL) -> int:
    """How many rows a table has, by its line ends or its footer where they tell.

    As many as are read, without a look at the cells. Raises what `opened` raises.
    """
    with opened_file(location, options) as raw:
        source = source_of(raw, options)
        if isinstance(source, ParquetSource):
            count = source.row_count
        elif isinstance(source, ArrowSource):
            count = sum(len(rows) for rows in source.read())
        else:
            count = sum(rows for _, rows in source.counted())
    limit = options.limits.rows
    if limit is not None and count > limit:
        raise InputError(f"the table has {count:,} rows; at most {limit:,} are read")
    return count


def _first_rows(source: Source, wanted: int) -> _Texts:
    """The first rows that fit, as text."""
    kept: list[tuple[str, ...]] = []
    for rows in source.read():
        kept += _fitting(rows, wanted - len(kept))
        if len(kept) >= wanted:
            break
    return tuple(kept)


def _fitting(rows: Rows, wanted: int) -> list[tuple[str, ...]]:
    # As many more are looked at as there are rows that don't fit.
    head = rows.cells.slice(0, wanted + len(rows.problems))
    columns = [texts(column) for column in head.columns]
    fitting = [at for at in range(head.num_rows) if at not in rows.problems]
    return [tuple(column[at] for column in columns) for at in fitting[:wanted]]


def texts(column: pa.Array) -> list[str]:
    """The cells of a column as people read them: null is "", lists and structs are JSON."""
    try:
        values = pc.cast(column, pa.string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values = [
            None if value is None else orjson.dumps(value, default=str).decode()
            for value in column.to_pylist()
        ]
    return ["" if value is None else value for value in values]
