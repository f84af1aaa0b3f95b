"""Rows of a CSV text by Python's csv module: slow, and exact about what is wrong where."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kserve_client.errors import InputError
from kserve_client.scoring.sources.source import Limits
from kserve_client.scoring.sources.text import not_in_encoding


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells stand in a line. `quote` is "" where quotes mean nothing."""

    delimiter: str = ","
    quote: str = '"'


@dataclass(frozen=True, slots=True)
class CsvRow:
    """The cells of one row, the line it begins on, from 1, and the byte after its end.

    A blank line is a row of no cells.
    """

    line: int
    cells: Sequence[str]
    end: int


class OpenRowError(Exception):
    """The text ends inside a row, and more of it may follow."""


def csv_rows(
    data: bytes, line: int, dialect: Dialect, limits: Limits, *, is_last: bool = True
) -> Iterator[CsvRow]:
    r"""The rows of a UTF-8 text whose first line is the given one. Lines end in \n, \r\n or \r.

    Unless it `is_last`, a row at the end that is not finished raises OpenRowError. Raises
    InputError, naming the line, for bytes that are no UTF-8, quotes that don't match, and what is
    beyond the limits.
    """
    csv.field_size_limit(max(csv.field_size_limit(), limits.cell_characters))
    lines = _Lines(data, line, is_last=is_last)
    rows = csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote or None,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        strict=True,
    )
    while True:
        began, first = lines.line, lines.end
        try:
            cells = next(rows, None)
        except csv.Error as error:
            if lines.is_open:
                raise OpenRowError from None
            raise InputError(f"line {began}: {_plain(error, limits)}") from None
        if cells is None:
            break
        check_row(began, cells, lines.end - first, limits)
        yield CsvRow(began, cells, lines.end)
    if lines.is_open:
        raise OpenRowError


def check_row(line: int, cells: Sequence[str], row_bytes: int, limits: Limits) -> None:
    """Raise InputError for a row, or a cell of it, that is longer than the limits let."""
    if row_bytes > limits.row_bytes:
        raise too_long_row(line, limits)
    if row_bytes > limits.cell_characters and max(map(len, cells)) > limits.cell_characters:
        raise InputError(f"line {line}: {_too_long_cell(limits)}")


def too_long_row(line: int, limits: Limits) -> InputError:
    """The error for a row beyond the limits, which may be a file that is no table at all."""
    return InputError(
        f"line {line}: a row is longer than {limits.row_bytes:,} bytes; is the file a table?"
    )


class _Lines:
    """The lines of a text, one by one, and how far they were read."""

    def __init__(self, data: bytes, line: int, *, is_last: bool) -> None:
        self._lines = data.splitlines(keepends=True)
        self.is_open = False
        self._has_open_end = False
        # A \r at the end may be the first half of \r\n.
        if not is_last and self._lines:
            self._has_open_end = True
            if not self._lines[-1].endswith(b"\n"):
                self._lines.pop()
        self.line = line
        self.end = 0
        self._next = iter(self._lines)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = next(self._next, None)
        if raw is None:
            self.is_open = self._has_open_end
            raise StopIteration
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            byte = error.start
            raise not_in_encoding(self.line, byte + 1, raw[byte], "utf-8") from None
        self.line += 1
        self.end += len(raw)
        return text


def _plain(error: csv.Error, limits: Limits) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "a quote is opened in this row and never closed"
    if "expected after" in text:
        return 'text follows a closing quote; write a quote inside a quoted cell twice ("")'
    if "field limit" in text:
        return _too_long_cell(limits)
    return text


def _too_long_cell(limits: Limits) -> str:
    return f"a cell is longer than {limits.cell_characters:,} characters"
