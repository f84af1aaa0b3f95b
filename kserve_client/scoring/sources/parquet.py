"""Parquet: row groups → rows, with the types of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kserve_client.arrow_tables import recast
from kserve_client.errors import InputError
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.sources.header import check_names
from kserve_client.scoring.sources.location import RawFile
from kserve_client.scoring.sources.source import MEGABYTE, Found, Limits, Partition
from kserve_client.scoring.sources.stream import check_growth

_LARGEST_BATCH_ROWS = 32_768
# A name that is not UTF-8 is found only when it is looked at.
FAULTS = (pa.ArrowException, OSError, UnicodeDecodeError)
_BATCH_BYTES = 4 * MEGABYTE
_LARGEST_BATCH_BYTES = 64 * MEGABYTE


class ParquetSource:
    """The rows of a Parquet file, or of some of its row groups.

    Raises InputError for what is no whole Parquet file, and for one whose footer tells of more
    bytes than the limits let it grow to.
    """

    def __init__(self, raw: RawFile, limits: Limits, partition: Partition | None = None) -> None:
        self.schema = _opened(raw).schema_arrow.remove_metadata()
        # Texts come as a dictionary and its indices, as small as in the file, and grow here.
        texts = [field.name for field in self.schema if _is_text(field.type)]
        self._file = _opened(raw, texts)
        self._limits = limits
        self._packed_bytes = raw.size_bytes or 0
        self._text_bytes = 0
        metadata = self._file.metadata
        self.columns = tuple(self.schema.names)
        self.found = Found("parquet")
        self.row_count = int(metadata.num_rows)
        self._part = partition or Partition(0, self.row_count, 0, metadata.num_row_groups)
        check_names(self.columns, limits)
        groups = range(metadata.num_row_groups)
        size = sum(metadata.row_group(at).total_byte_size for at in groups)
        check_growth(size, self._packed_bytes, limits)

    def read(self) -> Iterator[Rows]:
        """The rows in order, some megabytes at a time."""
        start = self._part.start
        for group in range(self._part.first, self._part.last):
            for cells in self._batches(group):
                yield Rows(start, cells)
                start += cells.num_rows

    def partitions(self, target_bytes: int) -> list[Partition]:
        """Row groups, as many together as make about `target_bytes` of plain values."""
        parts: list[Partition] = []
        start = stop = first = size = 0
        for group in range(self._file.metadata.num_row_groups):
            facts = self._file.metadata.row_group(group)
            stop += facts.num_rows
            size += facts.total_byte_size
            is_last = group + 1 == self._file.metadata.num_row_groups
            if size >= target_bytes or is_last:
                parts.append(Partition(start, stop, first, group + 1))
                start, first, size = stop, group + 1, 0
        return parts

    def _batches(self, group: int) -> Iterator[pa.RecordBatch]:
        facts = self._file.metadata.row_group(group)
        row_bytes = max(facts.total_byte_size // max(facts.num_rows, 1), 1)
        batch_rows = min(max(_BATCH_BYTES // row_bytes, 1), _LARGEST_BATCH_ROWS)
        try:
            for batch in self._file.iter_batches(batch_rows, row_groups=[group], use_threads=False):
                yield from self._grown(batch)
        except FAULTS as error:
            raise damaged(error, "Parquet") from None

    def _grown(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """A batch with its texts as they are, in parts if one text stands in many rows."""
        size = sum(_text_bytes(column) for column in batch.columns)
        self._text_bytes += size
        check_growth(self._text_bytes, self._packed_bytes, self._limits)
        step = max(batch.num_rows * _LARGEST_BATCH_BYTES // max(size, 1), 1)
        for offset in range(0, batch.num_rows, step):
            cells = recast(batch.slice(offset, step), self.schema)
            # Parquet promises UTF-8, and nobody has looked.
            cells.validate(full=True)
            yield cells


def damaged(error: Exception, kind: str) -> Exception:
    """The InputError for what Arrow found wrong in a file; the error itself if it is not Arrow's."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    first_line = str(error).partition("\n")[0]
    return InputError(f"the {kind} file can't be read, it may not be whole: {first_line}")


def _is_text(kind: pa.DataType) -> bool:
    return kind in {pa.string(), pa.large_string(), pa.binary(), pa.large_binary()}


def _text_bytes(column: pa.Array) -> int:
    """How many bytes the texts of a column will take; 0 for other columns."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return 0
    lengths = pc.cast(pc.binary_length(column.dictionary), pa.int64())
    return int(pc.sum(lengths.take(column.indices)).as_py() or 0)


def _opened(raw: RawFile, texts: Sequence[str] = ()) -> Any:
    import pyarrow.parquet as pq  # brings a file system and more

    if not raw.is_seekable:
        raise InputError("a Parquet file can't be read from a pipe; save it first")
    raw.file.seek(0)
    try:
        # A column of a row group is read a megabyte at a time instead of as a whole.
        file = pq.ParquetFile(
            pa.PythonFile(raw.file, mode="r"),
            read_dictionary=list(texts),
            buffer_size=MEGABYTE,
            pre_buffer=False,
        )
        _ = file.schema_arrow.names
        return file
    except FAULTS as error:
        raise damaged(error, "Parquet") from None
