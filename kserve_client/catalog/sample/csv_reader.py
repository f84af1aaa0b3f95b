"""A CSV file of a sample, row by row as text; of large tables `scoring.sources` reads blocks."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from kserve_client.errors import InputError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
LARGEST_CELL_CHARACTERS = 50_000_000
_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_OLD_LINE_ENDS = re.compile(r"[^\r]*\r\n|[^\r]*\r|[^\r]+")


@dataclass(frozen=True, slots=True)
class CsvRow:
    """The cells of one row, and the line of the file it begins on, from 1."""

    line: int
    cells: Sequence[str]


class CsvReader:
    r"""An open CSV file: its header is read, its rows are still to come, once.

    Lines end in \n, \r\n or \r; a quoted cell may hold line ends. Blank lines are no rows unless
    there is only one column. Raises InputError, naming the line, for what is no UTF-8, has no
    header, names a column twice, or has quotes that don't match.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), LARGEST_CELL_CHARACTERS))
        self._lines = _Lines(stream)
        self._left = iter(self._lines)
        first = next((line for line in self._left if line.strip()), None)
        if first is None:
            raise InputError("the file is empty; it needs a line with the names of the columns")
        self.newline = "\r\n" if first.endswith("\r\n") else "\n"
        self.delimiter = _delimiter(first)
        self._skipped = self._lines.count - 1
        self._rows = csv.reader(self._again(first), delimiter=self.delimiter, strict=True)
        self.columns = tuple(self._next() or ())
        _check_header(self.columns)

    @property
    def encoding(self) -> str:
        """The encoding that was found."""
        return "UTF-8 with BOM" if self._lines.has_bom else "UTF-8"

    @property
    def has_bom(self) -> bool:
        """Whether the file begins with the mark by which spreadsheets know UTF-8."""
        return self._lines.has_bom

    def __iter__(self) -> Iterator[CsvRow]:
        while True:
            line = self._line + 1
            cells = self._next()
            if cells is None:
                return
            if cells:
                yield CsvRow(line, cells)
            elif len(self.columns) == 1:
                yield CsvRow(line, [""])

    @property
    def _line(self) -> int:
        return self._skipped + self._rows.line_num

    def _again(self, first: str) -> Iterator[str]:
        yield first
        yield from self._left

    def _next(self) -> list[str] | None:
        began = self._line + 1
        try:
            return next(self._rows, None)
        except csv.Error as error:
            raise InputError(f"line {began}: {_plain(error)}") from None


class _Lines:
    """Text lines of a binary stream, with their ends."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.has_bom = False
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        for raw in self._stream:
            data = self._without_bom(raw) if self.count == 0 else raw
            text = self._decoded(data)
            # Only a lone \r needs splitting; bytes are split at \n by the stream.
            has_lone = "\r" in text.removesuffix("\n").removesuffix("\r")
            for line in _OLD_LINE_ENDS.findall(text) if has_lone else (text,):
                self.count += 1
                yield line

    def _without_bom(self, raw: bytes) -> bytes:
        if raw.startswith(_UTF16_BOMS):
            raise InputError("the file is UTF-16; save it as CSV UTF-8")
        self.has_bom = raw.startswith(_BOM)
        return raw.removeprefix(_BOM)

    def _decoded(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"line {self.count + 1}, byte {error.start + 1}: 0x{raw[error.start]:02X} "
                "is not UTF-8; save the file as CSV UTF-8"
            ) from None


def _delimiter(header: str) -> str:
    """The delimiter that makes the most columns of the header; a comma when none makes two."""

    def columns(delimiter: str) -> int:
        return len(next(csv.reader([header], delimiter=delimiter), ()))

    return max(DELIMITERS, key=columns)


def _check_header(columns: Sequence[str]) -> None:
    names = Counter(column.strip() for column in columns)
    twice = [name for name, count in names.items() if count > 1 and name]
    if twice:
        raise InputError(f"more than one column is named {', '.join(map(repr, twice))}")
    if not any(names):
        raise InputError("the first line names no column; the file needs a header")


def _plain(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "a quote is opened in this row and never closed"
    if "expected after" in text:
        return 'text follows a closing quote; write a quote inside a quoted cell twice ("")'
    if "field limit" in text:
        return f"a cell is longer than {LARGEST_CELL_CHARACTERS:,} characters"
    return text
