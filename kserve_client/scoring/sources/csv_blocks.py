"""A CSV text cut into blocks that end where a row ends, without looking at each cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kserve_client.scoring.sources.csv_rows import (
    CsvRow,
    Dialect,
    OpenRowError,
    csv_rows,
    too_long_row,
)
from kserve_client.scoring.sources.source import Limits
from kserve_client.scoring.sources.stream import ByteStream
from kserve_client.scoring.sources.text import lines_in

_LF, _CR = 10, 13


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Whole rows of a text: their bytes, and the line and byte of the text they begin on.

    `rows` is given where the quotes are so odd that the csv module had to find the rows.
    """

    data: bytes
    line: int
    offset: int
    has_quotes: bool = False
    rows: tuple[CsvRow, ...] | None = None


class CsvBlocks:
    """The blocks of a text, about `block_bytes` each, longer where one row is.

    Where quotes are odd, no more than `slow_bytes` at a time are left to the csv module. Raises
    InputError for a row beyond the limits, and what the csv module raises.
    """

    slow_bytes = 1 << 14

    def __init__(
        self,
        stream: ByteStream,
        dialect: Dialect,
        limits: Limits,
        *,
        block_bytes: int,
        line: int = 1,
        offset: int = 0,
    ) -> None:
        self._stream = stream
        self._dialect = dialect
        self._limits = limits
        self._block_bytes = block_bytes
        self._line = line
        self._offset = offset

    def __iter__(self) -> Iterator[Block]:
        size, is_growing = self._block_bytes, False
        while data := self._stream.peek(size):
            is_last = len(data) < size
            end = self._regular_end(data, is_last=is_last)
            if end is None and size > self.slow_bytes and not is_growing:
                size = max(size // 4, self.slow_bytes)
                continue
            block = self._odd(data, is_last=is_last) if end is None else self._block(data[:end])
            if block is None:
                if len(data) > self._limits.row_bytes:
                    raise too_long_row(self._line, self._limits)
                size, is_growing = size * 2, True
                continue
            yield block
            self._pass(block)
            size, is_growing = min(size * 2, self._block_bytes), False

    def _pass(self, block: Block) -> None:
        self._stream.skip(len(block.data))
        self._line += lines_in(block.data)
        self._offset += len(block.data)

    def _regular_end(self, data: bytes, *, is_last: bool) -> int | None:
        """Where the last whole row ends, 0 if none does; None when quotes stand in odd places."""
        quote = self._dialect.quote
        if quote and quote.encode() in data:
            return _quoted_end(data, ord(quote), ord(self._dialect.delimiter), is_last=is_last)
        return len(data) if is_last else _last_line_end(data)

    def _block(self, data: bytes) -> Block | None:
        quote = self._dialect.quote
        has_quotes = bool(quote) and quote.encode() in data
        return Block(data, self._line, self._offset, has_quotes) if data else None

    def _odd(self, data: bytes, *, is_last: bool) -> Block | None:
        rows: list[CsvRow] = []
        try:
            found = csv_rows(data, self._line, self._dialect, self._limits, is_last=is_last)
            rows.extend(found)
        except OpenRowError:
            if not rows:
                return None
        end = rows[-1].end if rows else len(data)
        return Block(data[:end], self._line, self._offset, has_quotes=True, rows=tuple(rows))


def _last_line_end(data: bytes, before: int | None = None) -> int:
    r"""The byte after the last line end; 0 when there is none.

    A \r as the last byte of all may be half of \r\n, and is not counted.
    """
    stop = len(data) if before is None else before
    return max(data.rfind(b"\n", 0, stop), data.rfind(b"\r", 0, min(stop, len(data) - 1))) + 1


def _quoted_end(data: bytes, quote: int, delimiter: int, *, is_last: bool) -> int | None:
    """Where the last whole row ends, 0 if none does; None when quotes stand in odd places.

    Quotes are regular when each that opens a cell begins it and each that closes one ends it, a
    pair inside a cell standing for one; then a line end ends a row where an even number of quotes
    stand before it.
    """
    values = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(values == quote)
    if not _is_regular(values, quotes, quote, delimiter):
        return None
    if is_last:
        return len(data) if len(quotes) % 2 == 0 else None
    end = _last_line_end(data)
    while end:
        before = int(np.searchsorted(quotes, end))
        if before % 2 == 0:
            return end
        end = _last_line_end(data, int(quotes[before - 1]))
    return 0


def _is_regular(values: Any, quotes: Any, quote: int, delimiter: int) -> bool:
    # What stands before each quote that opens, and after each that closes; a quote there is the
    # other half of a pair. At the ends of the block a row begins, and may end.
    edges = np.zeros(256, np.bool_)
    edges[[quote, delimiter, _LF, _CR]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    before = values[opening[opening > 0] - 1]
    after = values[closing[closing < len(values) - 1] + 1]
    return bool(edges[before].all() and edges[after].all())
