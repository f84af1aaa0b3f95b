"""Batches in portions that memory and Arrow's 32-bit offsets can bear."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

PIECE_BYTES = 16 << 20


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch, halved as long as a part is over 16 MB and has more than one row."""
    if not batch.num_rows:
        return
    if batch.num_rows == 1 or batch.nbytes <= PIECE_BYTES:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from pieces(batch.slice(0, middle))
    yield from pieces(batch.slice(middle))
