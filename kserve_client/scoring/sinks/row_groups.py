"""Parquet and Arrow files, in groups of rows that don't depend on how the rows came.

A group ends after 65 536 rows, or with the row that makes its texts and lists longer than 64 MB. So
the same rows give the same bytes, whatever the chunks were, and a group of long texts fits into
memory. No time, path or pandas' notes are written into the file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kserve_client.scoring.arrays import array, values_of
from kserve_client.scoring.sinks.options import Form
from kserve_client.scoring.sinks.target import Out
from kserve_client.scoring.sinks.unwritable import FAULTS, named, row_of_nulls

GROUP_ROWS = 65_536
GROUP_BYTES = 64 << 20
_NO_LENGTH = array(np.zeros(1, np.int64))[0]


class RowGroups:
    """Batches in, groups out."""

    def __init__(self) -> None:
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0

    def add(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The groups that are whole with these rows."""
        while batch.num_rows:
            sizes = np.cumsum(_row_bytes(batch)) + self._bytes
            fits = int(np.searchsorted(sizes, GROUP_BYTES)) + 1
            taken = min(batch.num_rows, GROUP_ROWS - self._rows, fits)
            self._waiting.append(batch.slice(0, taken))
            self._rows += taken
            self._bytes = int(sizes[taken - 1])
            batch = batch.slice(taken)
            if self._rows == GROUP_ROWS or self._bytes >= GROUP_BYTES:
                yield self._group()

    def rest(self) -> Iterator[pa.RecordBatch]:
        """The last group, if there is one."""
        if self._rows:
            yield self._group()

    def _group(self) -> pa.RecordBatch:
        group = pa.concat_batches(self._waiting)
        self._waiting, self._rows, self._bytes = [], 0, 0
        return group


class ParquetFile:
    """Writes batches as Parquet, compressed by zstd."""

    def __init__(self, out: Out, _form: Form, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq  # brings a file system and more

        self._schema = plain_schema(schema)
        self._groups = RowGroups()
        with _named_in_parquet(row_of_nulls(self._schema)):
            self._writer = pq.ParquetWriter(out, self._schema, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows; whole groups only."""
        self._put(self._groups.add(plain_batch(batch, self._schema)))

    def end(self) -> None:
        """Write the last group and the footer."""
        self._put(self._groups.rest())
        self._writer.close()

    def _put(self, groups: Iterator[pa.RecordBatch]) -> None:
        for group in groups:
            with _named_in_parquet(group):
                self._writer.write_batch(group, row_group_size=GROUP_ROWS)


@contextlib.contextmanager
def _named_in_parquet(batch: pa.RecordBatch) -> Iterator[None]:
    """Find the column that is at fault by writing each alone."""
    import pyarrow.parquet as pq

    try:
        yield
    except FAULTS:
        for field, column in zip(batch.schema, batch.columns, strict=True):
            with named(field.name, field.type):
                pq.write_table(pa.table([column], [field.name]), pa.BufferOutputStream())
        raise


class ArrowFile:
    """Writes batches as an Arrow IPC file, compressed by zstd."""

    def __init__(self, out: Out, _form: Form, schema: pa.Schema) -> None:
        self._schema = plain_schema(schema)
        self._groups = RowGroups()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        self._writer = pa.ipc.new_file(out, self._schema, options=options)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows; whole groups only."""
        for group in self._groups.add(plain_batch(batch, self._schema)):
            self._writer.write_batch(group)

    def end(self) -> None:
        """Write the last group and the footer."""
        for group in self._groups.rest():
            self._writer.write_batch(group)
        self._writer.close()


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema without notes, dictionaries and runs: they differ from batch to batch."""
    return pa.schema([pa.field(one.name, _decoded_kind(one.type), nullable=True) for one in schema])


def plain_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch under a plain schema; Arrow's errors tell a column whose type has changed."""
    return pa.RecordBatch.from_arrays(list(map(_decoded, batch.columns)), schema=schema)


def _decoded(column: pa.Array) -> pa.Array:
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _decoded_kind(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_run_end_encoded(kind):
        kind = kind.value_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _row_bytes(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """How long the texts and lists of each row are; a list counts eight bytes for an item."""
    total: NDArray[np.int64] = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        total += _lengths(column)
    return total


def _lengths(column: pa.Array) -> Any:
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return 8 * _array(pc.list_value_length(column))
    if not (pa.types.is_primitive(kind) or pa.types.is_null(kind) or pa.types.is_nested(kind)):
        try:
            return _array(pc.binary_length(column))
        except pa.ArrowNotImplementedError:
            return 0
    return 0


def _array(lengths: pa.Array) -> NDArray[np.int64]:
    whole = lengths.cast(pa.int64())
    return values_of(pc.fill_null(whole, _NO_LENGTH) if whole.null_count else whole)
