"""Reading a sample: a CSV or Parquet file becomes columns, and each is counted.

A file is known by its first bytes, not by its name. Of a large one, rows that are spread through it
are kept, in little memory: the texts of a column lie side by side in blocks.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, cast

from kserve_client.catalog.sample import columns as sample_columns
from kserve_client.catalog.sample.columns import MOST_CELLS, Column, Sample, checked_names
from kserve_client.catalog.sample.csv_reader import DELIMITERS, CsvReader
from kserve_client.catalog.sample.parquet import read_parquet
from kserve_client.decimals import decimal_sign, doubtful, readings
from kserve_client.errors import InputError

LIMIT_ROWS = 200_000
MOST_CHARACTERS = 200_000_000
MOST_BYTES = 1_000_000_000
LONGEST_LINE_BYTES = 50_000_000
ROWS_IN_A_BLOCK = 4_096
CHARACTERS_IN_A_BLOCK = 4_000_000
FIRST_ROWS = 1_000
_GZIP, _PARQUET, _ZIP = b"\x1f\x8b", b"PAR1", b"PK\x03\x04"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_NUMBER = re.compile(r"\s*[+-]?[0-9]*[.,]?[0-9]+([eE][+-]?[0-9]+)?\s*")
_END_OF_CELL = "\0"


def read_sample(source: Path | IO[bytes], *, name: str, limit_rows: int = LIMIT_ROWS) -> Sample:
    """Read a CSV (plain or gzipped) or Parquet file, and count what its columns hold.

    Delimiter, decimal mark and encoding (UTF-8 or Windows-1252) are found out. At most `limit_rows`
    rows are kept, fewer where there are many columns. Raises InputError for a file that can't be
    read, has no rows or no header, or rows of different lengths; ConfigurationError for Parquet
    without pyarrow.
    """
    try:
        with _opened(source) as stream:
            return _read(stream, name, limit_rows)
    except FileNotFoundError:
        raise InputError(f"there is no file {name}") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"the file is gzipped, but damaged: {error}") from None
    except OSError as error:
        raise InputError(f"the file can't be read: {error.strerror or error}") from None


def _opened(source: Path | IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    if isinstance(source, Path):
        return source.open("rb")
    if not source.seekable():
        source = io.BytesIO(source.read())
    source.seek(0)
    return nullcontext(source)


def _read(stream: IO[bytes], name: str, limit_rows: int) -> Sample:
    start = stream.read(4)
    stream.seek(0)
    if start == _PARQUET:
        return read_parquet(stream, name, limit_rows)
    if start == _ZIP:
        raise InputError("this is a zip file or an Excel workbook; save the table as CSV UTF-8")
    if start[:2] in _UTF16:
        raise InputError("the file is UTF-16; save it as CSV UTF-8")
    if start[:2] == _GZIP:
        with gzip.GzipFile(fileobj=stream) as text:
            return _read_csv(cast("IO[bytes]", text), name, limit_rows)
    return _read_csv(stream, name, limit_rows)


# CSV


class _NotUtf8Error(Exception):
    """Bytes that are no UTF-8."""


@dataclass(slots=True)
class _Lines:
    """The lines of a text as UTF-8, up to a number of bytes."""

    stream: IO[bytes]
    is_utf8: bool
    is_cut: bool = False

    def __iter__(self) -> Iterator[bytes]:
        self.stream.seek(0)
        size = 0
        for number, line in enumerate(iter(self._next, b""), start=1):
            size += len(line)
            if size > MOST_BYTES:
                self.is_cut = True
                return
            if len(line) >= LONGEST_LINE_BYTES:
                raise InputError(f"line {number} is longer than {LONGEST_LINE_BYTES:,} bytes")
            if b"\0" in line:
                raise InputError(f"line {number} holds bytes that are no text; is it a CSV file?")
            yield self._utf8(line)

    def _next(self) -> bytes:
        return self.stream.readline(LONGEST_LINE_BYTES)

    def _utf8(self, line: bytes) -> bytes:
        if line.isascii():
            return line
        try:
            text = line.decode("utf-8" if self.is_utf8 else "cp1252")
        except UnicodeDecodeError:
            if self.is_utf8:
                raise _NotUtf8Error from None
            raise InputError(
                "the file is neither UTF-8 nor Windows-1252; save it as CSV UTF-8"
            ) from None
        return line if self.is_utf8 else text.encode()


def _read_csv(stream: IO[bytes], name: str, limit_rows: int) -> Sample:
    try:
        return _read_lines(_Lines(stream, is_utf8=True), name, limit_rows)
    except _NotUtf8Error:
        return _read_lines(_Lines(stream, is_utf8=False), name, limit_rows)


def _read_lines(lines: _Lines, name: str, limit_rows: int) -> Sample:
    reader = CsvReader(cast("IO[bytes]", lines))
    names = checked_names(reader.columns)
    kept = _KeptRows(len(names), max(min(limit_rows, MOST_CELLS // len(names)), 1))
    rows = _whole_rows(reader)
    first = list(islice(rows, FIRST_ROWS))
    _check_first(reader, first)
    for cells in chain(first, rows):
        kept.add(cells)
    kept.flush()
    mark = decimal_sign(zip(*first, strict=True), reader.delimiter)
    columns = []
    for at, column in enumerate(names):
        cells = kept.cells(at)
        columns.append(sample_columns.read_column(column, cells, mark=mark, is_first=at == 0))
        if mark == "." and reader.delimiter != ",":
            _check_points(columns[-1], cells)
    encoding = reader.encoding if lines.is_utf8 else "Windows-1252"
    commas = ", decimal commas" if mark == "," else ""
    form = f"CSV, {DELIMITERS[reader.delimiter]}, {encoding}{commas}"
    return Sample(name, tuple(columns), kept.rows, form, kept.note(is_cut=lines.is_cut))


def _whole_rows(reader: CsvReader) -> Iterator[Sequence[str]]:
    width = len(reader.columns)
    for row in reader:
        if len(row.cells) != width:
            raise InputError(
                f"line {row.line} has {len(row.cells)} cells, the header {width}"
                "; put a cell that holds the delimiter in quotes"
            )
        yield row.cells


def _check_first(reader: CsvReader, rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        raise InputError("the file has a header, but no rows")
    if all(map(_NUMBER.fullmatch, reader.columns)) and not _counts_up(reader.columns):
        raise InputError("the first line holds numbers; it must hold the names of the columns")
    if len(reader.columns) == 1:
        _check_delimiter([reader.columns[0], *(row[0] for row in rows)])


def _counts_up(names: Sequence[str]) -> bool:
    """A DataFrame without names has the columns 0, 1, 2 and so on."""
    return [name.strip() for name in names] == [str(at) for at in range(len(names))]


def _check_delimiter(lines: Sequence[str]) -> None:
    """Refuse one column whose cells all have the same number of parts, as if delimited otherwise."""
    for pattern, word in (
        (r"\s+", "blanks"),
        (":", "a colon"),
        (r"\^", "^"),
        ("~", "~"),
        ("#", "#"),
    ):
        counts = {len(re.split(pattern, line.strip())) for line in lines}
        is_table = len(lines) > 2 and len(counts) == 1 and counts != {1}
        if is_table and any(map(_NUMBER.fullmatch, re.split(pattern, lines[1].strip()))):
            raise InputError(
                f"there is only one column, and its cells seem to be parted by {word}; "
                "save the file with commas, semicolons, tabs or bars between the cells"
            )


def _check_points(column: Column, cells: Sequence[str]) -> None:
    """Refuse numbers of which nobody can say whether their points part thousands."""
    cell = doubtful(cells) if column.family in ("number", "integer") else ""
    if cell:
        small, large = readings(cell)
        raise InputError(
            f"{column.name}: {cell.strip()!r} may be {small} or {large}; save the table without points "
            "between thousands, or, where they are decimal points, with commas between the cells"
        )


class _KeptRows:
    """Rows that are spread evenly: when there are too many, every second one goes."""

    def __init__(self, width: int, limit: int) -> None:
        self._limit = limit
        self._blocks: list[list[str]] = [[] for _ in range(width)]
        self._pending: list[Sequence[str]] = []
        self._pending_characters = 0
        self._characters = 0
        self._stride = 1
        self.rows = 0
        self.seen = 0

    def add(self, cells: Sequence[str]) -> None:
        """Take the next row, if it is one of those to keep."""
        if self.seen % self._stride == 0:
            self._pending.append(cells)
            self._pending_characters += sum(map(len, cells))
        self.seen += 1
        is_full = len(self._pending) >= min(ROWS_IN_A_BLOCK, self._limit)
        if is_full or self._pending_characters > CHARACTERS_IN_A_BLOCK:
            self.flush()

    def flush(self) -> None:
        """Put the rows taken since the last time into blocks, and thin them out if need be."""
        for blocks, cells in zip(self._blocks, zip(*self._pending, strict=True), strict=False):
            blocks.append(_END_OF_CELL.join(cells))
        self.rows += len(self._pending)
        self._characters += self._pending_characters
        self._pending, self._pending_characters = [], 0
        while self.rows > self._limit or (self._characters > MOST_CHARACTERS and self.rows > 1):
            self._thin_out()

    def cells(self, at: int) -> list[str]:
        """The kept cells of one column."""
        return [cell for block in self._blocks[at] for cell in block.split(_END_OF_CELL)]

    def note(self, *, is_cut: bool) -> str:
        """Which rows these are; nothing if they are all."""
        beginning = f" of its first {MOST_BYTES / 1e9:g} GB" if is_cut else ""
        if self._stride == 1:
            return f"the rows{beginning} were looked at" if is_cut else ""
        every = f"one row in {self._stride} was looked at, {self.rows:,} of {self.seen:,}"
        return f"{every}{beginning}"

    def _thin_out(self) -> None:
        self._stride *= 2
        kept = [self.cells(at)[::2] for at in range(len(self._blocks))]
        self._blocks = [[_END_OF_CELL.join(cells)] for cells in kept]
        self.rows = len(kept[0])
        self._characters = sum(len(blocks[0]) for blocks in self._blocks)
