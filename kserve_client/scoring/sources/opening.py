"""A location opened as a table, whatever it is a file of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kserve_client.errors import InputError
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.sources.arrow import ArrowSource
from kserve_client.scoring.sources.csv_blocks import CsvBlocks
from kserve_client.scoring.sources.csv_source import CsvSource
from kserve_client.scoring.sources.dialect import read_header
from kserve_client.scoring.sources.formats import ARROW_FILE_MAGIC, PARQUET_MAGIC, format_of
from kserve_client.scoring.sources.json_lines import JsonLinesSource, columns_of, line_blocks
from kserve_client.scoring.sources.location import RawFile, opened_file
from kserve_client.scoring.sources.parquet import ParquetSource
from kserve_client.scoring.sources.source import (
    MEGABYTE,
    Compression,
    Found,
    Location,
    Partition,
    ReadOptions,
    Source,
)
from kserve_client.scoring.sources.stream import ByteStream, compression_of, unpacked
from kserve_client.scoring.sources.text import UTF8, Encoding, as_utf8, encoding_of

_ALL = ReadOptions()
AnySource = CsvSource | JsonLinesSource | ParquetSource | ArrowSource


@contextlib.contextmanager
def opened(
    location: Location, options: ReadOptions = _ALL, *, partition: Partition | None = None
) -> Iterator[Source]:
    """Open a table to read all of its rows, or those of a part that `partitions` told of.

    A path, a binary stream (from its start if it seeks; it stays open), or a URL of one of
    `options.schemes`. Raises InputError for what can't be read as a table, now or while it is read,
    and OSError for a path that can't be opened.
    """
    with opened_file(location, options) as raw:
        yield _Limited(source_of(raw, options, partition=partition), options.limits.rows)


def source_of(
    raw: RawFile,
    options: ReadOptions,
    *,
    partition: Partition | None = None,
    block_bytes: int = MEGABYTE,
) -> AnySource:
    """The source in an open file; text is read about `block_bytes` at a time."""
    opening = _Opening(raw, options, partition, block_bytes)
    stream = raw.stream()
    compression = options.compression
    if compression is None:
        compression = compression_of(stream.peek(4))
    stream = unpacked(stream, compression, options.limits)
    kind = options.format or format_of(stream.peek(1024), raw.name)
    if kind == "csv":
        return opening.csv(stream, compression)
    if kind == "json-lines":
        return opening.json_lines(stream, compression)
    _refuse_packed(stream, compression)
    if kind == "parquet":
        return ParquetSource(raw, options.limits, partition)
    return ArrowSource(raw, stream, options.limits, compression, partition)


class _Limited:
    """A source that refuses to have too many rows."""

    def __init__(self, source: AnySource, rows: int | None) -> None:
        self._source = source
        self._rows = rows
        self.columns = source.columns
        self.schema = source.schema
        self.found = source.found

    def read(self) -> Iterator[Rows]:
        for rows in self._source.read():
            if self._rows is not None and rows.stop > self._rows:
                raise InputError(f"the table has more than {self._rows:,} rows; divide it")
            yield rows


class _Opening:
    """What opening a text needs to know beside the text."""

    def __init__(
        self, raw: RawFile, options: ReadOptions, partition: Partition | None, block_bytes: int
    ) -> None:
        self._raw = raw
        self._options = options
        self._partition = partition
        self._block_bytes = block_bytes

    def csv(self, stream: ByteStream, compression: Compression) -> CsvSource:
        limits = self._options.limits
        encoding = encoding_of(stream, self._options.encoding)
        text = as_utf8(stream, encoding)
        header = read_header(text, self._options)
        found = Found(
            "csv",
            compression,
            encoding.name,
            encoding.has_bom,
            header.dialect.delimiter,
            header.decimal,
            header.newline,
            header.is_decimal_shown,
        )
        text, start, line, offset = self._at_part(
            text, 1 + header.lines, len(encoding.bom) + header.bytes, encoding, compression
        )
        blocks = CsvBlocks(
            text, header.dialect, limits, block_bytes=self._block_bytes, line=line, offset=offset
        )
        return CsvSource(header, blocks, found, limits, start)

    def json_lines(self, stream: ByteStream, compression: Compression) -> JsonLinesSource:
        limits = self._options.limits
        encoding = encoding_of(stream, self._options.encoding)
        text = as_utf8(stream, encoding)
        columns = columns_of(text, limits)
        found = Found("json-lines", compression, encoding.name, encoding.has_bom)
        text, start, line, offset = self._at_part(text, 1, len(encoding.bom), encoding, compression)
        blocks = line_blocks(text, limits, block_bytes=self._block_bytes, line=line, offset=offset)
        return JsonLinesSource(columns, blocks, found, limits, start)

    def _at_part(
        self, text: ByteStream, line: int, offset: int, encoding: Encoding, compression: Compression
    ) -> tuple[ByteStream, int, int, int]:
        """Where to read on: the text, the number of its first row, its line and byte."""
        part = self._partition
        if part is None:
            return text, 0, line, offset
        check_divisible(Found("csv", compression, encoding.name))
        return self._raw.stream(part.first, part.last), part.start, part.line, part.first


def check_divisible(found: Found) -> None:
    """Raise InputError for a text that can't be read from the middle."""
    if found.compression:
        raise InputError(
            f"a {found.compression} file can't be read in parts; unpack it, or save it as Parquet"
        )
    if found.encoding != UTF8:
        raise InputError(
            f"a file in {found.encoding} can't be read in parts; save it as UTF-8 or as Parquet"
        )


def _refuse_packed(stream: ByteStream, compression: Compression) -> None:
    head = stream.peek(len(ARROW_FILE_MAGIC))
    if compression and head.startswith((PARQUET_MAGIC, ARROW_FILE_MAGIC)):
        raise InputError(f"the file is packed once more with {compression}; unpack it first")
