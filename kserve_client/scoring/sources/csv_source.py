"""CSV: blocks of text → rows of cells, by Arrow where they are regular."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from kserve_client.scoring.rows import Rows
from kserve_client.scoring.sources.csv_blocks import Block, CsvBlocks
from kserve_client.scoring.sources.csv_rows import CsvRow, csv_rows
from kserve_client.scoring.sources.dialect import CsvHeader
from kserve_client.scoring.sources.header import check_header, nameable
from kserve_client.scoring.sources.misfits import nul_problem, ragged_problem
from kserve_client.scoring.sources.source import Found, Limits
from kserve_client.scoring.sources.stream import ByteStream
from kserve_client.scoring.sources.text import lines_in

_BOM = b"\xef\xbb\xbf"
_LF, _CR = 10, 13


class CsvSource:
    """The rows under a header. Each cell is text, as it was written.

    `start` is the number of the first row. A row with another number of cells than the header, or
    with a NUL character, has a problem. Blank lines are no rows unless there is only one column.
    """

    def __init__(
        self, header: CsvHeader, blocks: CsvBlocks, found: Found, limits: Limits, start: int = 0
    ) -> None:
        check_header(header.columns, limits)
        self.columns = header.columns
        self.found = found
        self._blocks = blocks
        self._limits = limits
        self._start = start
        self._dialect = header.dialect
        self.schema = pa.schema([(column, pa.string()) for column in self.columns])
        # Arrow takes columns by name, and a file may have several without one.
        self._names = [str(number) for number in range(len(self.columns))]
        self._types = {name: pa.string() for name in self._names}

    def read(self) -> Iterator[Rows]:
        """The rows in order, a block at a time."""
        start = self._start
        for block in self._blocks:
            for rows in self._rows(block, start):
                yield rows
                start = rows.stop

    def counted(self) -> Iterator[tuple[Block, int]]:
        """Each block with how many rows it holds."""
        for block in self._blocks:
            count = _lines_that_are_rows(block, has_blank_rows=len(self.columns) == 1)
            yield block, sum(map(len, self._rows(block, 0))) if count is None else count

    def _rows(self, block: Block, start: int) -> Iterator[Rows]:
        """The rows of a block; where they are odd, only a small part is read slowly."""
        cells = self._by_arrow(block)
        if cells is not None:
            yield from [Rows(start, cells)] if cells.num_rows else []
            return
        for part in self._parts(block):
            is_small = len(part.data) in {len(block.data), len(part.data[: CsvBlocks.slow_bytes])}
            for rows in self._by_csv_module(part, start) if is_small else self._rows(part, start):
                yield rows
                start = rows.stop

    def _parts(self, block: Block) -> Iterable[Block]:
        """A block cut once more; one that is odd in its quotes is small already."""
        if block.rows is not None:
            return (block,)
        return CsvBlocks(
            ByteStream(io.BytesIO(block.data).read),
            self._dialect,
            self._limits,
            block_bytes=max(len(block.data) // 4, CsvBlocks.slow_bytes),
            line=block.line,
            offset=block.offset,
        )

    def _by_csv_module(self, block: Block, start: int) -> Iterator[Rows]:
        found = block.rows
        if found is None:
            found = tuple(csv_rows(block.data, block.line, self._dialect, self._limits))
        rows = self._fitted(found, start)
        yield from [rows] if len(rows) else []

    def _by_arrow(self, block: Block) -> pa.RecordBatch | None:
        """The cells of a block that is regular; None for any other."""
        data = block.data
        # Arrow would take a mark at the start away, and let NULs pass.
        if block.rows is not None or b"\0" in data or data.startswith(_BOM):
            return None
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(data),
                read_options=arrow_csv.ReadOptions(
                    column_names=self._names, use_threads=False, block_size=len(data) + 1
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self._dialect.delimiter,
                    quote_char=self._dialect.quote or False,
                    newlines_in_values=block.has_quotes,
                    ignore_empty_lines=len(self.columns) > 1,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=self._types, null_values=[], strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid:
            return None
        columns = [_as_one(column) for column in table.columns]
        if len(data) > self._limits.cell_characters and self._has_long_cell(columns):
            return None
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _has_long_cell(self, columns: Iterable[pa.Array]) -> bool:
        lengths = (pc.max(pc.binary_length(column)).as_py() or 0 for column in columns)
        return max(lengths) > self._limits.cell_characters

    def _fitted(self, found: Iterable[CsvRow], start: int) -> Rows:
        """The rows under the header, cut or filled up, each with its problem."""
        width = len(self.columns)
        rows: list[list[str]] = []
        problems = {}
        for row in found:
            if not row.cells and width > 1:
                continue
            cells = list(row.cells) or [""]
            problem = self._problem(row.line, cells)
            if problem:
                problems[len(rows)] = problem
                cells = (cells + [""] * (width - len(cells)))[:width]
            rows.append(cells)
        columns = zip(*rows, strict=True) if rows else [()] * width
        arrays = [pa.array(column, pa.string()) for column in columns]
        return Rows(start, pa.RecordBatch.from_arrays(arrays, schema=self.schema), problems)

    def _problem(self, line: int, cells: list[str]) -> str:
        if len(cells) != len(self.columns):
            return ragged_problem(line, cells, len(self.columns))
        if "\0" not in "".join(cells):
            return ""
        at = next(at for at, cell in enumerate(cells) if "\0" in cell)
        return nul_problem(line, nameable(self.columns)[at])


def _as_one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _lines_that_are_rows(block: Block, *, has_blank_rows: bool) -> int | None:
    r"""How many lines of a block are not blank; None where a line may not be a row."""
    data = block.data
    has_returns = b"\r" in data
    if block.has_quotes or (has_returns and lines_in(data) != data.count(b"\n")):
        return None
    count = lines_in(data) + (not data.endswith(b"\n"))
    return count if has_blank_rows else count - _blank_lines(data, has_returns=has_returns)


def _blank_lines(data: bytes, *, has_returns: bool) -> int:
    r"""How many lines are blank, of lines that end in \n or \r\n."""
    values = np.frombuffer(data, np.uint8)
    ends = values == _LF
    count = np.count_nonzero(ends[1:] & ends[:-1]) + data.startswith(b"\n")
    if has_returns:
        count += np.count_nonzero(ends[2:] & (values[1:-1] == _CR) & ends[:-2])
        count += data.startswith(b"\r\n")
    return int(count)
