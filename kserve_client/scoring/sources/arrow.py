"""Arrow IPC: the record batches of a file or a stream → rows, with their types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from kserve_client.arrow_tables import recast, without_views
from kserve_client.errors import InputError
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.sources.formats import ARROW_FILE_MAGIC
from kserve_client.scoring.sources.header import check_names
from kserve_client.scoring.sources.location import RawFile
from kserve_client.scoring.sources.parquet import FAULTS, damaged
from kserve_client.scoring.sources.source import Compression, Found, Limits, Partition
from kserve_client.scoring.sources.stream import ByteStream, check_growth

_LARGEST_BATCH_ROWS = 32_768


class ArrowSource:
    """The record batches of an Arrow file or stream, or some batches of a file.

    Each batch is checked before it is used. Raises InputError for what is no whole Arrow file.
    """

    def __init__(
        self,
        raw: RawFile,
        stream: ByteStream,
        limits: Limits,
        compression: Compression = "",
        partition: Partition | None = None,
    ) -> None:
        self._raw = raw
        self._limits = limits
        self._stream = stream
        self._partition = partition
        self._is_file = not compression and stream.peek(len(ARROW_FILE_MAGIC)) == ARROW_FILE_MAGIC
        try:
            self._reader = self._opened()
            self.schema = without_views(self._reader.schema.remove_metadata())
            self.columns = tuple(self.schema.names)
        except (*FAULTS, TypeError) as error:  # the latter from a type of pandas' own
            raise damaged(error, "Arrow") from None
        self.found = Found("arrow", compression)
        check_names(self.columns, limits)

    def read(self) -> Iterator[Rows]:
        """The rows in order, a batch or a part of one at a time."""
        start = self._partition.start if self._partition else 0
        for batch in self._batches():
            for offset in range(0, batch.num_rows, _LARGEST_BATCH_ROWS):
                cells = batch.slice(offset, _LARGEST_BATCH_ROWS)
                yield Rows(start, cells)
                start += cells.num_rows

    def partitions(self, target_bytes: int) -> list[Partition]:
        """Record batches, as many together as make about `target_bytes`."""
        if not self._is_file:
            raise InputError("an Arrow stream can't be read in parts; save it as Parquet")
        parts: list[Partition] = []
        start = stop = first = size = 0
        for at, batch in enumerate(self._batches()):
            stop += batch.num_rows
            size += batch.nbytes
            if size >= target_bytes or at + 1 == self._reader.num_record_batches:
                parts.append(Partition(start, stop, first, at + 1))
                start, first, size = stop, at + 1, 0
        return parts

    def _opened(self) -> Any:
        if not self._is_file:
            return pa.ipc.open_stream(pa.PythonFile(self._stream, mode="r"))
        if not self._raw.is_seekable:
            raise InputError("an Arrow file can't be read from a pipe; save it first")
        self._raw.file.seek(0)
        return pa.ipc.open_file(pa.PythonFile(self._raw.file, mode="r"))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        grown = 0
        batches = self._of_file() if self._is_file else iter(self._reader)
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    return
                # A length or an offset that lies would be read as memory that is not the file's.
                batch.validate(full=True)
                batch = recast(batch, self.schema)
            except FAULTS as error:
                raise damaged(error, "Arrow") from None
            grown += batch.nbytes
            check_growth(grown, self._raw.size_bytes or self._stream.offset, self._limits)
            yield batch

    def _of_file(self) -> Iterator[pa.RecordBatch]:
        part = self._partition
        first, last = (part.first, part.last) if part else (0, self._reader.num_record_batches)
        return (self._reader.get_batch(at) for at in range(first, last))
