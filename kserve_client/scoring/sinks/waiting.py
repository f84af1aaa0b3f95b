"""Rows that come before it is known which columns the model answers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pyarrow as pa

from kserve_client.scoring.results import ResultSchema

_IN_MEMORY_BYTES = 1 << 20


class Waiting:
    """Holds rows in order: columns of the source, state and error. Beyond 1 MB, on disk."""

    def __init__(self) -> None:
        self._spool = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - see close
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Hold these rows back."""
        if self._writer is None:
            self._writer = pa.ipc.new_stream(self._spool, batch.schema)
        self._writer.write_batch(batch)

    def released(self, schema: ResultSchema) -> Iterator[pa.RecordBatch]:
        """The rows, with empty results. Can be asked for once."""
        if self._writer is None:
            return
        self._writer.close()
        self._writer = None
        self._spool.seek(0)
        with pa.ipc.open_stream(self._spool) as stream:
            for batch in stream:
                yield _widened(batch, schema)

    def close(self) -> None:
        """Forget the rows."""
        self._writer = None
        self._spool.close()


def _widened(batch: pa.RecordBatch, schema: ResultSchema) -> pa.RecordBatch:
    results = [pa.nulls(batch.num_rows, kind) for kind in schema.results.types]
    columns = batch.columns
    names = [*batch.schema.names[:-2], *schema.added]
    return pa.RecordBatch.from_arrays([*columns[:-2], *results, *columns[-2:]], names=names)
