"""Gathering: small chunks become larger ones before they are written, for what writing each would cost."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from kserve_client.scoring.rows import Rows, Scored

ENOUGH_ROWS = 5_000
LONGEST_S = 0.25


def gathered(chunks: Iterable[Scored]) -> Iterator[Scored]:
    """The same rows in the same order, neighbours together: 5,000 rows, or a quarter of a second.

    Chunks whose columns differ are kept apart.
    """
    held: list[Scored] = []
    rows, since = 0, time.monotonic()
    for chunk in chunks:
        if held and not _fits(held, chunk):
            yield joined(held)
            held, rows = [], 0
        since = since if held else time.monotonic()
        held.append(chunk)
        rows += len(chunk)
        if rows >= ENOUGH_ROWS or time.monotonic() - since >= LONGEST_S:
            yield joined(held)
            held, rows = [], 0
    if held:
        yield joined(held)


def _fits(held: Sequence[Scored], chunk: Scored) -> bool:
    last = held[-1]
    if last.rows.stop != chunk.rows.start:
        return False
    if not last.rows.cells.schema.equals(chunk.rows.cells.schema):
        return False
    schema = _results_schema(held)
    return schema is None or chunk.results is None or schema.equals(chunk.results.schema)


def _results_schema(chunks: Iterable[Scored]) -> pa.Schema | None:
    return next((chunk.results.schema for chunk in chunks if chunk.results is not None), None)


def joined(chunks: Sequence[Scored]) -> Scored:
    """Chunks that follow each other as one."""
    if len(chunks) == 1:
        return chunks[0]
    start = chunks[0].rows.start
    problems: dict[int, str] = {}
    errors: dict[int, str] = {}
    skipped: dict[int, str] = {}
    for chunk in chunks:
        gap = chunk.rows.start - start
        for into, told in (
            (problems, chunk.rows.problems),
            (errors, chunk.errors),
            (skipped, chunk.skipped),
        ):
            into |= {at + gap: why for at, why in told.items()}
    cells = pa.concat_batches([chunk.rows.cells for chunk in chunks])
    return Scored(Rows(start, cells, problems), _results(chunks), errors, skipped)


def _results(chunks: Sequence[Scored]) -> pa.RecordBatch | None:
    schema = _results_schema(chunks)
    if schema is None:
        return None
    return pa.concat_batches([_whole(chunk, schema) for chunk in chunks])


def _whole(chunk: Scored, schema: pa.Schema) -> pa.RecordBatch:
    if chunk.results is not None:
        return chunk.results
    empty = [pa.nulls(len(chunk), kind) for kind in schema.types]
    return pa.RecordBatch.from_arrays(empty, schema=schema)
