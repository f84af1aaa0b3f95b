"""Tables of bytes, read for the tests."""

import io
from typing import Any

from kserve_client import InputError
from kserve_client.scoring.sources import Limits, ReadOptions, opened
from kserve_client.scoring.sources.location import opened_file
from kserve_client.scoring.sources.opening import source_of

Table = list[tuple[Any, ...]]


def rows_of(data: bytes, *, block_bytes: int = 1 << 20, **options: Any) -> tuple[Table, list[str]]:
    """The rows, and the problem of each, "" where there is none."""
    cells: Table = []
    problems: list[str] = []
    read_options = ReadOptions(**options)
    with opened_file(io.BytesIO(data), read_options) as raw:
        for rows in source_of(raw, read_options, block_bytes=block_bytes).read():
            assert rows.start == len(cells)
            cells += zip(*(column.to_pylist() for column in rows.cells.columns), strict=True)
            problems += [rows.problems.get(at, "") for at in range(len(rows))]
    return cells, problems


def refusal(data: bytes, **options: Any) -> str:
    """Why a table is refused, at once or while it is read; "" when it isn't."""
    try:
        with opened(io.BytesIO(data), ReadOptions(**options)) as source:
            for _ in source.read():
                pass
    except InputError as error:
        return str(error)
    return ""


def within(**limits: int) -> Limits:
    return Limits(**limits)
