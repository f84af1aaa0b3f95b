"""How a CSV file is written, found out from its first lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from kserve_client.decimals import Decimal, decimal_sign, shows_sign
from kserve_client.errors import InputError
from kserve_client.scoring.sources.csv_rows import (
    CsvRow,
    Dialect,
    OpenRowError,
    csv_rows,
    too_long_row,
)
from kserve_client.scoring.sources.source import Limits, ReadOptions
from kserve_client.scoring.sources.stream import ByteStream
from kserve_client.scoring.sources.text import lines_in

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SAMPLE_BYTES = 1 << 16
_SAMPLE_ROWS = 50


@dataclass(frozen=True, slots=True)
class CsvHeader:
    """The header of a CSV text, and what its first lines say of the others.

    `bytes` and `lines` are how much of the text it takes, blank lines before it included.
    """

    columns: tuple[str, ...]
    dialect: Dialect
    decimal: Decimal
    is_decimal_shown: bool
    newline: Literal["\n", "\r\n"]
    bytes: int
    lines: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the first lines are when they are read with one dialect."""

    dialect: Dialect
    rows: tuple[Sequence[str], ...]
    header_end: int
    error: InputError | None

    @property
    def columns(self) -> int:
        return len(self.rows[0]) if self.rows else 0

    @property
    def worth(self) -> tuple[bool, float, int]:
        """Better readings compare greater: several columns, then rows as wide as the header."""
        fitting = sum(len(cells) == self.columns for cells in self.rows) - 1
        others = len(self.rows) - 1 + (self.error is not None)
        share = round(fitting / others, 1) if others else 1.0
        return self.columns > 1, share, self.columns


def read_header(stream: ByteStream, options: ReadOptions) -> CsvHeader:
    """Read the header of a UTF-8 text, and find out how the text is written.

    The delimiter is the one by which the header has several cells and the most of the first 50
    rows have as many; of several such, the one that makes the most columns. The decimal
    sign is that of the numbers in these rows; where commas part the cells, it is a point. Nothing
    after the header is taken from the stream. Raises InputError when there is no header to be read.
    """
    blank, line, best = _best_reading(stream, options)
    header = stream.read(blank + best.header_end)
    cells = tuple(zip_longest(*best.rows[1:], fillvalue=""))
    return CsvHeader(
        columns=tuple(best.rows[0]),
        dialect=best.dialect,
        decimal=options.decimal or decimal_sign(cells, best.dialect.delimiter),
        is_decimal_shown=options.decimal is not None or shows_sign(cells),
        newline="\r\n" if header.endswith(b"\r\n") else "\n",
        bytes=len(header),
        lines=line - 1 + lines_in(header[blank:]),
    )


def _best_reading(stream: ByteStream, options: ReadOptions) -> tuple[int, int, _Reading]:
    """How many blank bytes come first, the line after them, and how that is read best."""
    candidates = _candidates(options)
    size = _SAMPLE_BYTES
    while True:
        sample = stream.peek(size)
        is_whole = len(sample) < size
        blank = _blank_bytes(sample)
        if is_whole and blank == len(sample):
            raise InputError("the file is empty; it needs a line with the names of the columns")
        line = 1 + lines_in(sample[:blank])
        readings = [
            _reading(sample[blank:], line, dialect, options.limits, is_whole=is_whole)
            for dialect in candidates
        ]
        best = max(readings, key=lambda reading: reading.worth)
        if best.rows:
            return blank, line, best
        if best.error is not None:
            raise best.error
        if size > options.limits.row_bytes:
            raise too_long_row(line, options.limits)
        size *= 4


def _candidates(options: ReadOptions) -> list[Dialect]:
    """The dialects that are possible. Raises InputError for options that make none."""
    quote = '"' if options.quote is None else options.quote
    delimiters = list(DELIMITERS) if options.delimiter is None else [options.delimiter]
    for sign, name in [*((delimiter, "delimiter") for delimiter in delimiters), (quote, "quote")]:
        is_none = name == "quote" and not sign
        if not is_none and (len(sign) != 1 or not sign.isascii() or sign in "\r\n\0"):
            raise InputError(f"the {name} must be one ASCII character, not {sign!r}")
    if quote in delimiters:
        raise InputError(f"{quote!r} can't be the delimiter and the quote")
    return [Dialect(delimiter, quote) for delimiter in delimiters]


def _reading(
    sample: bytes, line: int, dialect: Dialect, limits: Limits, *, is_whole: bool
) -> _Reading:
    rows: list[CsvRow] = []
    error = None
    try:
        for row in csv_rows(sample, line, dialect, limits, is_last=is_whole):
            rows += [row] if row.cells else []
            if len(rows) > _SAMPLE_ROWS:
                break
    except InputError as problem:
        error = problem
    except OpenRowError:
        pass
    header_end = rows[0].end if rows else 0
    return _Reading(dialect, tuple(row.cells for row in rows), header_end, error)


def _blank_bytes(sample: bytes) -> int:
    """How many bytes the blank lines at the start take."""
    length = 0
    for line in sample.splitlines(keepends=True):
        if line.strip():
            break
        length += len(line)
    return length
