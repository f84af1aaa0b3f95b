"""What a table to score looks like from the inside, whatever it is a file of."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, Protocol

import pyarrow as pa

from kserve_client.scoring.rows import Rows

Format = Literal["csv", "json-lines", "parquet", "arrow"]
Compression = Literal["", "gzip", "zstd"]
Location = Path | str | IO[bytes] | io.BytesIO
MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused, before it fills memory or disk.

    `columns` per table, `cell_characters` per cell, `row_bytes` per row; `expansion` is how many
    times larger than the file its contents may grow, once they are over `expansion_free_bytes`.
    """

    columns: int = 20_000
    cell_characters: int = 50_000_000
    row_bytes: int = 256 * MEGABYTE
    expansion: int = 200
    expansion_free_bytes: int = 100 * MEGABYTE
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a source; what is None is found out.

    `schemes` are the kinds of URL that may be opened beside paths, such as "s3" or "https"; none by
    default. `storage_options` go to fsspec with the URL (keys, an endpoint); they are secrets.
    """

    format: Format | None = None
    compression: Compression | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    quote: str | None = None
    limits: Limits = field(default_factory=Limits)
    schemes: frozenset[str] = frozenset()
    storage_options: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What a source turned out to be. What a format does not have is "" or its usual value.

    A decimal sign that is not shown is the likelier one of two, as in a table of "1,234" alone.
    """

    format: Format
    compression: Compression = ""
    encoding: str = "utf-8"
    has_bom: bool = False
    delimiter: str = ","
    decimal: Literal[".", ","] = "."
    newline: Literal["\n", "\r\n"] = "\n"
    is_decimal_shown: bool = True


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of a source that can be read alone: rows `start` to `stop`, at these bytes of the file.

    For Parquet, `first` and `last` are row groups (last excluded), for Arrow record batches, for text
    byte offsets; `line` is the line of a text that the part begins on, from 1.
    """

    start: int
    stop: int
    first: int
    last: int
    line: int = 1


class Source(Protocol):
    """An open table. Its columns and their types are known, its rows are still to come, once."""

    columns: tuple[str, ...]
    schema: pa.Schema
    found: Found

    def read(self) -> Iterator[Rows]:
        """The rows in order, some tens of thousands or about a megabyte at a time."""
        ...
