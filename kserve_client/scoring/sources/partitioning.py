"""A table divided into parts that several workers can read alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kserve_client.errors import InputError
from kserve_client.scoring.sources.arrow import ArrowSource
from kserve_client.scoring.sources.csv_blocks import Block
from kserve_client.scoring.sources.json_lines import LineBlock
from kserve_client.scoring.sources.location import opened_file
from kserve_client.scoring.sources.opening import check_divisible, source_of
from kserve_client.scoring.sources.parquet import ParquetSource
from kserve_client.scoring.sources.source import MEGABYTE, Location, Partition, ReadOptions

_ALL = ReadOptions()


def partitions(
    location: Location, options: ReadOptions = _ALL, target_bytes: int = 64 * MEGABYTE
) -> list[Partition]:
    """Divide a table into parts of about `target_bytes`, in order; none when it has no rows.

    A text is read through once, to number its rows; of Parquet only the footer. Raises InputError
    for what can't be read from the middle: packed files, pipes, text that is not UTF-8.
    """
    return list(each_partition(location, options, target_bytes))


def each_partition(
    location: Location, options: ReadOptions = _ALL, target_bytes: int = 64 * MEGABYTE
) -> Iterator[Partition]:
    """The same, each as soon as it is found."""
    with opened_file(location, options) as raw:
        if not raw.is_seekable:
            raise InputError("a pipe can't be read in parts; save it as a file first")
        source = source_of(raw, options, block_bytes=max(min(target_bytes, MEGABYTE), 1))
        if isinstance(source, ParquetSource | ArrowSource):
            yield from source.partitions(target_bytes)
            return
        check_divisible(source.found)
        yield from _of_text(source.counted(), target_bytes)


def _of_text(blocks: Iterable[tuple[Block | LineBlock, int]], target: int) -> Iterator[Partition]:
    """Consecutive blocks put together, with the rows that each holds."""
    open_part: Partition | None = None
    stop = 0
    for block, count in blocks:
        start = open_part or Partition(stop, stop, block.offset, block.offset, block.line)
        stop += count
        last = block.offset + len(block.data)
        open_part = Partition(start.start, stop, start.first, last, start.line)
        if last - start.first >= target:
            yield from _unless_empty(open_part)
            open_part = None
    if open_part is not None:
        yield from _unless_empty(open_part)


def _unless_empty(part: Partition) -> Iterator[Partition]:
    if part.stop > part.start:
        yield part
