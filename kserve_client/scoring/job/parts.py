"""Parts: some consecutive rows of a run with what became of them, as one Arrow IPC file.

The columns are those of the source, then those of the results (none before the first answer), then
`state` and `error`, by position: names may occur twice. Metadata of the schema says where which
begin, and why rows do not fit under the header of their source. A part is never changed: what
becomes of a row later is written to a new part, and the ledger says which one counts.
"""

from __future__ import annotations

import json
import re
import secrets
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.arrays import array, repeated, text, texts
from kserve_client.scoring.results import ResultSchema
from kserve_client.scoring.rows import (
    ERROR_COLUMN,
    FAILED,
    OK,
    SKIPPED,
    STATE_COLUMN,
    Rows,
    Scored,
)

FOLDER = "parts"
SUFFIX = ".arrow"
_NAME = re.compile(r"\d{12,}-\d{12,}-[0-9a-f]{8}\.arrow(\.([0-9a-f]{8}\.)?tmp)?")
_METADATA = b"kserve-client"
_OK = text(OK)
# Chunks of a categorical column may each bring their own dictionary; a file holds one.
_WRITING = pa.ipc.IpcWriteOptions(unify_dictionaries=True)


@dataclass(frozen=True, slots=True)
class Part:
    """A line of the ledger: rows `start` to `stop`, last excluded, and the file that holds them.

    `tries` counts how often a chunk of it was sent at most, `elapsed_s` is the time of its requests
    taken together.
    """

    start: int
    stop: int
    ok: int
    failed: int
    skipped: int
    name: str
    size_bytes: int
    crc32: int
    tries: int = 1
    elapsed_s: float = 0.0

    @property
    def path(self) -> str:
        """Its file inside the job's directory."""
        return f"{FOLDER}/{self.name}"

    @property
    def is_whole(self) -> bool:
        """Whether each of its rows has a result."""
        return self.ok == self.stop - self.start


@dataclass(frozen=True, eq=False, slots=True)
class WrittenPart:
    """A part that lies in its place and is in no ledger yet. May be pickled."""

    part: Part
    results: ResultSchema | None


def encoded(
    chunks: Sequence[Scored],
    results: pa.Schema | None,
    *,
    tries: int = 1,
    elapsed_s: float = 0.0,
) -> tuple[Part, memoryview]:
    """Chunks that follow each other as one part: its line of the ledger and its bytes."""
    cells = chunks[0].rows.cells.schema
    schema = _schema(chunks, cells, results)
    batches = [_batch(chunk, schema, results) for chunk in chunks]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema, options=_WRITING) as writer:
        writer.write_table(pa.Table.from_batches(batches, schema))
    data = memoryview(sink.getvalue()).cast("B")
    start, stop = chunks[0].rows.start, chunks[-1].rows.stop
    part = Part(
        start=start,
        stop=stop,
        ok=sum(chunk.ok for chunk in chunks),
        failed=sum(chunk.failed for chunk in chunks),
        skipped=sum(len(chunk.skipped) for chunk in chunks),
        name=_name(start, stop),
        size_bytes=len(data),
        crc32=zlib.crc32(data),
        tries=tries,
        elapsed_s=elapsed_s,
    )
    return part, data


def _name(start: int, stop: int) -> str:
    """The same rows may be written twice, by a retry or by two workers: never to one file."""
    return f"{start:012d}-{stop:012d}-{secrets.token_hex(4)}{SUFFIX}"


def is_part(name: str) -> bool:
    """Whether a file in the folder of parts is a part, or the draft of one, by its name."""
    return _NAME.fullmatch(name) is not None


def _schema(chunks: Sequence[Scored], cells: pa.Schema, results: pa.Schema | None) -> pa.Schema:
    start = chunks[0].rows.start
    problems = {
        chunk.rows.start - start + at: why
        for chunk in chunks
        for at, why in chunk.rows.problems.items()
    }
    about = {"start": start, "cells": len(cells), "problems": problems}
    ends = [pa.field(STATE_COLUMN, pa.string()), pa.field(ERROR_COLUMN, pa.string())]
    fields = [*cells, *(results or ()), *ends]
    return pa.schema(fields, metadata={_METADATA: json.dumps(about)})


def _batch(chunk: Scored, schema: pa.Schema, results: pa.Schema | None) -> pa.RecordBatch:
    columns = [*chunk.rows.cells.columns, *_result_columns(chunk, results), *_ends(chunk)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _result_columns(chunk: Scored, results: pa.Schema | None) -> list[pa.Array]:
    if chunk.results is not None:
        return list(chunk.results.columns)
    return [pa.nulls(len(chunk), field.type) for field in results or ()]


def _ends(chunk: Scored) -> list[pa.Array]:
    if not chunk.errors and not chunk.skipped:
        return [_repeated(OK, len(chunk)), _repeated("", len(chunk))]
    states, reasons = [OK] * len(chunk), [""] * len(chunk)
    for state, rows in ((SKIPPED, chunk.skipped), (FAILED, chunk.errors)):
        for at, why in rows.items():
            states[at], reasons[at] = state, why
    return [texts(states), texts(reasons)]


@lru_cache(maxsize=8)
def _repeated(word: str, count: int) -> pa.Array:
    """A column of one text; most chunks are of one length."""
    return repeated(word, count)


def decoded(part: Part, data: bytes, *, is_checked: bool = True) -> Iterator[Scored]:
    """The chunks of a part, as they were written.

    Raises ConfigurationError when these are not the bytes that were written.
    """
    if len(data) != part.size_bytes or (is_checked and zlib.crc32(data) != part.crc32):
        raise damaged(part)
    try:
        reader = pa.ipc.open_file(data)
        about = json.loads(reader.schema.metadata[_METADATA])
        batches = [reader.get_batch(at) for at in range(reader.num_record_batches)]
    except (pa.ArrowException, ValueError, KeyError, TypeError):
        raise damaged(part) from None
    at = 0
    for batch in batches:
        yield _scored(batch, part.start + at, about["cells"], _problems(about, at, len(batch)))
        at += len(batch)


def damaged(part: Part) -> ConfigurationError:
    """The error of a part that is not what was written."""
    return ConfigurationError(
        f"the part {part.name} of the job is damaged (rows {part.start + 1} to {part.stop}); "
        "open the job with check_parts to have these rows done again"
    )


def _problems(about: Mapping[str, Mapping[str, str]], at: int, count: int) -> dict[int, str]:
    found = ((int(place) - at, why) for place, why in about["problems"].items())
    return {place: why for place, why in found if 0 <= place < count}


def _scored(batch: pa.RecordBatch, start: int, cells: int, problems: Mapping[int, str]) -> Scored:
    width = batch.num_columns
    state, error = batch.column(width - 2), batch.column(width - 1)
    odd = pc.indices_nonzero(pc.not_equal(state, _OK)).to_pylist()
    reasons = {at: (state[at].as_py(), error[at].as_py()) for at in odd}
    return Scored(
        Rows(start, _columns(batch, 0, cells), problems),
        _columns(batch, cells, width - 2) if width - 2 > cells else None,
        errors={at: why for at, (kind, why) in reasons.items() if kind == FAILED},
        skipped={at: why for at, (kind, why) in reasons.items() if kind == SKIPPED},
    )


def _columns(batch: pa.RecordBatch, first: int, last: int) -> pa.RecordBatch:
    """Some columns by position. A batch without columns would forget how many rows it has."""
    fields = [batch.schema.field(at) for at in range(first, last)]
    return pa.RecordBatch.from_arrays(batch.columns[first:last], schema=pa.schema(fields))


def slice_of(scored: Scored, offset: int, length: int) -> Scored:
    """Some of the rows with what became of them."""
    return Scored(
        scored.rows.slice(offset, length),
        None if scored.results is None else scored.results.slice(offset, length),
        _shifted(scored.errors, offset, length),
        _shifted(scored.skipped, offset, length),
    )


def _shifted(places: Mapping[int, str], offset: int, length: int) -> dict[int, str]:
    return {at - offset: why for at, why in places.items() if offset <= at < offset + length}


def overlaid(old: Sequence[Scored], new: Sequence[Scored], results: pa.Schema | None) -> Scored:
    """The rows of a part with what became of some of them later; the last of `new` counts.

    The cells stay those of the part: what a source holds does not change.
    """
    start = old[0].rows.start
    cells = _taken([piece.rows.cells for piece in old], None)
    pieces = [*old, *new]
    order = _places(pieces, start, sum(map(len, old)))
    return Scored(
        Rows(start, cells, _newest(old, _problems_of)),
        None if results is None else _taken([_filled(p, results) for p in pieces], order),
        _newest(pieces, _errors_of),
        _newest(pieces, _skipped_of),
    )


def _places(pieces: Sequence[Scored], start: int, count: int) -> pa.Array:
    """For each row of the part, where it lies in the pieces one after the other."""
    order = np.zeros(count, np.int64)
    first = 0
    for piece in pieces:
        at = piece.rows.start - start
        order[at : at + len(piece)] = np.arange(first, first + len(piece))
        first += len(piece)
    return array(order)


def _taken(batches: Sequence[pa.RecordBatch], order: pa.Array | None) -> pa.RecordBatch:
    """The batches as one, or the rows of them that are named."""
    columns = []
    for at in range(batches[0].num_columns):
        column = pa.chunked_array([batch.column(at) for batch in batches])
        column = column if order is None else column.take(order)
        columns.append(column.unify_dictionaries().combine_chunks())
    return pa.RecordBatch.from_arrays(columns, schema=batches[0].schema)


def _filled(piece: Scored, results: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(_result_columns(piece, results), schema=results)


def _newest(
    pieces: Sequence[Scored], told: Callable[[Scored], Mapping[int, str]]
) -> dict[int, str]:
    """What is told of rows, by position in the first piece; a later piece speaks for all of its."""
    start = pieces[0].rows.start
    found: dict[int, str] = {}
    for piece in pieces:
        at = piece.rows.start - start
        for place in range(at, at + len(piece)):
            found.pop(place, None)
        found.update({at + place: why for place, why in told(piece).items()})
    return dict(sorted(found.items()))


def _errors_of(scored: Scored) -> Mapping[int, str]:
    return scored.errors


def _skipped_of(scored: Scored) -> Mapping[int, str]:
    return scored.skipped


def _problems_of(scored: Scored) -> Mapping[int, str]:
    return scored.rows.problems
