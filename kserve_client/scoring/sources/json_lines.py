"""JSON Lines: one object a line → rows of cells that keep the text of each number."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from kserve_client.errors import InputError
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.sources.csv_rows import too_long_row
from kserve_client.scoring.sources.header import check_names
from kserve_client.scoring.sources.misfits import nul_problem
from kserve_client.scoring.sources.source import MEGABYTE, Found, Limits
from kserve_client.scoring.sources.stream import ByteStream
from kserve_client.scoring.sources.text import not_in_encoding

_KEYS_SHOWN = 5
_TOO_DEEP = "is nested too deeply"
# A line of nothing else is blank, whether it is counted as bytes or read as text.
_BLANKS = " \t\n\r\v\f"
_BLANK_BYTES = _BLANKS.encode()
# Half of a character that takes two in UTF-16; only an escape can write one.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
# Plain values: a text without escapes, and what is kept as it is written.
_PLAIN_VALUE = (
    r'("[^"\\\x00-\x1f]*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)'
)
# After lines that are not plain so many blocks are read without a try.
_MOST_SKIPPED = 64


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


class _LineError(Exception):
    """What is wrong with one line."""


@dataclass(frozen=True, slots=True, eq=False)
class LineBlock:
    """Whole lines of a text, and the line and byte of it they begin on; lines count from 1."""

    data: bytes
    line: int
    offset: int


class JsonLinesSource:
    """The objects of a text, one a line; a key is a column.

    The columns are the keys of the first block in the order in which they appear. A key that comes
    up only later, and a line that is no object, are the problem of their row. Text is a cell as it
    is, null and a missing key are "", lists and objects are JSON. Blank lines are no rows.
    """

    def __init__(
        self,
        columns: tuple[str, ...],
        blocks: Iterator[LineBlock],
        found: Found,
        limits: Limits,
        start: int = 0,
    ) -> None:
        self.columns = columns
        self.found = found
        self._blocks = blocks
        self._limits = limits
        self._start = start
        self._known = frozenset(columns)
        self.schema = pa.schema([(column, pa.string()) for column in columns])
        self._plain_line = re.compile(_plain_line(columns), re.MULTILINE)
        self._skips = self._skipped = 0

    def read(self) -> Iterator[Rows]:
        """The rows in order, a block at a time."""
        start = self._start
        for block in self._blocks:
            rows = self._rows(block, start)
            if len(rows):
                yield rows
                start = rows.stop

    def counted(self) -> Iterator[tuple[LineBlock, int]]:
        """Each block with how many rows it holds."""
        for block in self._blocks:
            yield block, sum(1 for line in block.data.split(b"\n") if line.strip(_BLANK_BYTES))

    def _rows(self, block: LineBlock, start: int) -> Rows:
        if self._skipped:
            self._skipped -= 1
            return self._read_rows(block, start)
        cells = self._plain_cells(block.data)
        if cells is not None:
            return Rows(start, cells)
        self._skips = min(2 * self._skips + 1, _MOST_SKIPPED)
        self._skipped = self._skips
        return self._read_rows(block, start)

    def _plain_cells(self, data: bytes) -> pa.RecordBatch | None:
        """The cells of lines that all have the columns in their order and nothing nested.

        So are the lines of most tables. None when one line is another, or a cell may be too long.
        """
        data = data.removesuffix(b"\n")
        try:
            found = self._plain_line.findall(data.decode())
        except UnicodeDecodeError:
            return None
        if len(found) != data.count(b"\n") + 1:
            return None
        columns = zip(*found, strict=True) if len(self.columns) > 1 else [found]
        arrays = [_unquoted(pa.array(column, pa.string())) for column in columns]
        longest = max(pc.max(pc.binary_length(one)).as_py() for one in arrays)
        if longest > self._limits.cell_characters:
            return None
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _read_rows(self, block: LineBlock, start: int) -> Rows:
        rows: list[dict[str, str]] = []
        problems = {}
        for line, text in _numbered_lines(block):
            cells, problem = self._row(line, text)
            if problem:
                problems[len(rows)] = problem
            rows.append(cells)
        arrays = [
            pa.array([cells.get(column, "") for cells in rows], pa.string())
            for column in self.columns
        ]
        return Rows(start, pa.RecordBatch.from_arrays(arrays, schema=self.schema), problems)

    def _row(self, line: int, text: str) -> tuple[dict[str, str], str]:
        """The cells of a line by column, and what is wrong with it."""
        try:
            values = _parsed(text)
            cells = {
                key: value if type(value) is str else _cell(value) for key, value in values.items()
            }
            problem = self._problem(line, text, cells)
        except _LineError as error:
            return {}, f"line {line} {error}"
        self._check_lengths(line, text, cells)
        return cells, problem

    def _problem(self, line: int, text: str, cells: dict[str, str]) -> str:
        if not cells.keys() <= self._known:
            unknown = [key for key in cells if key not in self._known]
            keys = ", ".join(map(repr, unknown[:_KEYS_SHOWN]))
            return f"line {line} has a key that the first lines have not: {keys}"
        # Only an escape can write a NUL.
        if "\\u0000" not in text:
            return ""
        column = next((key for key, cell in cells.items() if "\0" in cell), None)
        return "" if column is None else nul_problem(line, column)

    def _check_lengths(self, line: int, text: str, cells: dict[str, str]) -> None:
        limit = self._limits.cell_characters
        if len(text) > limit and max(map(len, cells.values()), default=0) > limit:
            raise InputError(f"line {line}: a cell is longer than {limit:,} characters")


def _plain_line(columns: Iterable[str]) -> str:
    """What a line looks like that has these keys once each, in this order, with plain values."""
    space = "[ \\t]*"
    keys = (re.escape(json.dumps(column, ensure_ascii=False)) for column in columns)
    pairs = f"{space},{space}".join(f"{key}{space}:{space}{_PLAIN_VALUE}" for key in keys)
    return f"^{space}\\{{{space}{pairs}{space}\\}}[ \\t\\r]*$"


def _unquoted(values: pa.Array) -> pa.Array:
    """The cells of plain values: texts without their quotes, and nothing for null."""
    cells = pc.if_else(pc.equal(values, "null"), "", values)
    is_text = pc.starts_with(values, '"')
    if not pc.any(is_text).as_py():
        return cells
    return pc.if_else(is_text, pc.utf8_slice_codeunits(values, 1, -1), cells)


def line_blocks(
    stream: ByteStream, limits: Limits, *, block_bytes: int, line: int = 1, offset: int = 0
) -> Iterator[LineBlock]:
    """A text in blocks of whole lines. Raises InputError for a line beyond the limits."""
    while data := _whole_lines(stream, block_bytes, line, limits):
        yield LineBlock(data, line, offset)
        stream.skip(len(data))
        line += data.count(b"\n")
        offset += len(data)


def columns_of(stream: ByteStream, limits: Limits) -> tuple[str, ...]:
    """The keys in the first lines of a text, in the order in which they appear.

    Nothing is taken from the stream. Raises InputError when there is no object among them.
    """
    block = LineBlock(_whole_lines(stream, MEGABYTE, 1, limits), 1, 0)
    columns: dict[str, None] = {}
    first_problem = ""
    for line, text in _numbered_lines(block):
        try:
            columns.update(dict.fromkeys(_parsed(text)))
        except _LineError as error:
            is_list = text.lstrip().startswith("[")
            what = "begins a list; write one object a line" if is_list else error
            first_problem = first_problem or f"line {line} {what}"
        check_names(tuple(columns), limits)
    if not columns:
        nothing = "the first lines hold no key; each line needs an object with values"
        empty = "the file is empty; it needs one JSON object a line"
        raise InputError(first_problem or (nothing if block.data.strip() else empty))
    return tuple(columns)


def _whole_lines(stream: ByteStream, size: int, line: int, limits: Limits) -> bytes:
    """The next lines of a stream, which stay to be read: about `size` bytes, at least one line."""
    while True:
        data = stream.peek(size)
        if len(data) < size:
            return data
        end = data.rfind(b"\n") + 1
        if end:
            return data[:end]
        if size > limits.row_bytes:
            raise too_long_row(line, limits)
        size *= 2


def _numbered_lines(block: LineBlock) -> Iterator[tuple[int, str]]:
    try:
        text = block.data.decode()
    except UnicodeDecodeError as error:
        line = block.data.count(b"\n", 0, error.start)
        byte = error.start - block.data.rfind(b"\n", 0, error.start)
        value = block.data[error.start]
        raise not_in_encoding(block.line + line, byte, value, "utf-8") from None
    for line, one in enumerate(text.split("\n"), block.line):
        if one.strip(_BLANKS):
            yield line, one


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise _LineError(f"has the key {twice!r} twice")
    return values


_PLAIN, _EXACT = (
    json.JSONDecoder(
        object_pairs_hook=_once, parse_int=number, parse_float=number, parse_constant=number
    )
    for number in (str, _Number)
)


def _parsed(text: str) -> dict[str, Any]:
    """The values of a line; numbers are text, and those in lists and objects know it."""
    try:
        values = _PLAIN.decode(text)
        if "[" in text or text.count("{") > 1:
            values = _EXACT.decode(text)
    except json.JSONDecodeError as error:
        raise _LineError(f"is no JSON object: {error.msg}, character {error.pos + 1}") from None
    except RecursionError:
        raise _LineError(_TOO_DEEP) from None
    if not isinstance(values, dict):
        raise _LineError("is no JSON object")
    if "\\u" in text and _HALF.search(text):
        _as_json(values)
    return values


def _cell(value: Any) -> str:
    """The text of a value; numbers have kept theirs."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _as_json(value)


def _as_json(value: Any) -> str:
    try:
        # Numbers inside are subclasses of str, and so are handed to `default`.
        return orjson.dumps(value, _fragment, orjson.OPT_PASSTHROUGH_SUBCLASS).decode()
    except orjson.JSONEncodeError as error:
        is_half = "surrogate" in str(error)
        raise _LineError("holds half of a character" if is_half else _TOO_DEEP) from None


def _fragment(value: object) -> orjson.Fragment:
    return orjson.Fragment(str(value))
