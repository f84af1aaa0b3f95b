"""How a result table is written: what was asked for, else what the file's name says, else the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.sources.source import Compression, Format, Found

FORMATS: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json-lines",
    ".ndjson": "json-lines",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
COMPRESSIONS: Mapping[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
TEXT_FORMATS = frozenset({"csv", "json-lines"})


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to write a table; what is None follows the file's name, then the source.

    `columns` are the columns of the source to keep, in this order. `only="errors"` leaves out the
    rows that are ok. `formulas` is for CSV that a spreadsheet opens: "quote" puts an apostrophe
    before a text that would run as a formula, and before such a name of a column; "keep" gives back
    every cell as it came. `schemes` and `storage_options` are those of ReadOptions.
    """

    format: Format | None = None
    compression: Compression | None = None
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    newline: Literal["\n", "\r\n"] | None = None
    has_bom: bool | None = None
    columns: tuple[str, ...] | None = None
    only: Literal["all", "errors"] = "all"
    formulas: Literal["keep", "quote"] = "keep"
    schemes: frozenset[str] = frozenset()
    storage_options: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a table in bytes, with nothing left open."""

    format: Format
    compression: Compression
    delimiter: str
    decimal: Literal[".", ","]
    newline: Literal["\n", "\r\n"]
    has_bom: bool
    has_formulas: bool


def form_of(location: object, options: WriteOptions, found: Found) -> Form:
    """Settle the form of a table.

    Raises ConfigurationError for what can't be: a delimiter that is no single character or means
    something else in CSV, a Parquet or Arrow file compressed once more.
    """
    compression, suffix = _suffixes(location)
    if options.compression is not None:
        compression = options.compression
    kind = options.format or FORMATS.get(suffix, found.format)
    if compression and kind not in TEXT_FORMATS:
        raise ConfigurationError(
            f"a {kind} file is compressed inside: write it without {compression}"
        )
    delimiter = options.delimiter or ("\t" if suffix == ".tsv" else found.delimiter)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ConfigurationError(f"{delimiter!r} can't be the delimiter: take one such as , or ;")
    return Form(
        format=kind,
        compression=compression,
        delimiter=delimiter,
        decimal=options.decimal or found.decimal,
        newline=options.newline or found.newline,
        has_bom=_is_marked(found) if options.has_bom is None else options.has_bom,
        has_formulas=options.formulas == "keep",
    )


def _is_marked(found: Found) -> bool:
    """Whether UTF-8 says so: who sent another encoding has a program that takes UTF-8 for that one."""
    return found.has_bom or found.encoding not in ("utf-8", "ascii")


def _suffixes(location: object) -> tuple[Compression, str]:
    """What the end of a name says: how it is compressed, and the suffix before that."""
    name = PurePosixPath(_path(location).lower())
    compression = COMPRESSIONS.get(name.suffix, "")
    return compression, name.with_suffix("").suffix if compression else name.suffix


def _path(location: object) -> str:
    if not isinstance(location, Path | str):
        return ""
    text = str(location)
    return urlsplit(text).path if "://" in text else text
