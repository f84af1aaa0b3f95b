"""Scored rows for tests, and what a sink makes of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa

from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.sinks import WriteOptions, opened
from kserve_client.scoring.sources.source import Found

CSV = Found("csv")


def batch(columns: Mapping[str, Any]) -> pa.RecordBatch:
    """A batch of these columns; lists become arrays."""
    arrays = [one if isinstance(one, pa.Array) else pa.array(one) for one in columns.values()]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def scored(
    cells: Mapping[str, Any],
    results: Mapping[str, Any] | None = None,
    errors: Mapping[int, str] | None = None,
    skipped: Mapping[int, str] | None = None,
) -> Scored:
    """Rows with what became of them."""
    found = None if results is None else batch(results)
    return Scored(Rows(0, batch(cells)), found, errors or {}, skipped or {})


def cut(whole: Scored, cuts: Iterable[int]) -> list[Scored]:
    """The same rows in several chunks."""
    ends = sorted({0, *cuts, len(whole)})
    return [_part(whole, start, end) for start, end in pairwise(ends)]


def _part(whole: Scored, start: int, end: int) -> Scored:
    def of(reasons: Mapping[int, str]) -> dict[int, str]:
        return {at - start: why for at, why in reasons.items() if start <= at < end}

    errors, skipped = of(whole.errors), of(whole.skipped)
    has_any = len(errors) + len(skipped) < end - start
    results = whole.results.slice(start, end - start) if whole.results and has_any else None
    return Scored(whole.rows.slice(start, end - start), results, errors, skipped)


def written(
    chunks: Sequence[Scored],
    options: WriteOptions | None = None,
    found: Found = CSV,
    columns: Sequence[str] | None = None,
) -> bytes:
    """The bytes a sink makes of these chunks."""
    if columns is None:
        columns = chunks[0].rows.cells.schema.names
    out = io.BytesIO()
    with opened(out, options or WriteOptions(), found, columns) as sink:
        for chunk in chunks:
            sink.write(chunk)
    return out.getvalue()


def csv_cells(data: bytes, delimiter: str = ",") -> list[list[str]]:
    """What Python's csv module reads."""
    text = io.StringIO(data.decode(), newline="")
    return list(csv.reader(text, delimiter=delimiter))
