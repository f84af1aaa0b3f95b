"""CSV files as a person sees them: a template, what is in a file, what will be sent, what came back."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from dashboard.views import NOTHING
from kserve_client.catalog import Example
from kserve_client.errors import RowIssue
from kserve_client.frames import encode
from kserve_client.predictions import ANSWER_COLUMN
from kserve_client.scoring import CsvTable
from kserve_client.scoring.reader import opened
from kserve_client.signature import Feature, Signature

PROBABILITY = "probability_"


def template(signature: Signature, examples: Iterable[Example]) -> str:
    """A CSV with the columns of a model and its examples as rows; a picture as base64 text."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [feature.name for feature in signature.features])
    writer.writeheader()
    for example in examples:
        writer.writerow({name: _written(cell) for name, cell in example.row.items()})
    return out.getvalue()


def _written(cell: Any) -> Any:
    return base64.b64encode(cell).decode() if isinstance(cell, bytes) else cell


def needed_columns(signature: Signature) -> str:
    """Which columns a file must and may have, in words (Markdown)."""
    must = [f"`{feature.name}`" for feature in signature.features if feature.required]
    may = [f"`{feature.name}`" for feature in signature.features if not feature.required]
    parts = [f"The file needs the column{'s' if len(must) > 1 else ''} {', '.join(must)}."]
    parts += [f"It may have {', '.join(may)}."] * bool(may)
    return " ".join(
        [*parts, *_cell_hints(signature.features), "Other columns come back as they are."]
    )


def _cell_hints(features: Iterable[Feature]) -> list[str]:
    hints = {
        "image": "A picture is a cell of base64 text, or a list of its numbers such as `[0, 16, …]`.",
        "tensor": "A tensor is a cell with a list of its numbers such as `[0, 1, …]`.",
    }
    return [hints[kind] for kind in dict.fromkeys(f.kind for f in features) if kind in hints]


def shown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> pd.DataFrame:
    """Cells as a table; a column without a name gets its number, since names must differ."""
    names = [column.strip() or f" column {at}" for at, column in enumerate(columns, 1)]
    return pd.DataFrame(list(rows), columns=names)


def plan(signature: Signature, table: CsvTable) -> pd.DataFrame:
    """Each input of the model, the column it comes from, and the first value."""
    return pd.DataFrame([_planned(feature, table) for feature in signature.features])


def _planned(feature: Feature, table: CsvTable) -> dict[str, str]:
    names = list(table.names)
    at = names.index(feature.name) if feature.name in names else None
    missing = "column missing" if feature.required else "not in the file: sent as missing"
    first = table.first_rows[0] if table.first_rows else None
    return {
        "Input": feature.label + (f" ({feature.unit})" if feature.unit else ""),
        "Column": missing if at is None else table.columns[at],
        "Kind": feature.kind,
        "First value": NOTHING if at is None or first is None else first[at],
    }


def first_issues(signature: Signature, table: CsvTable) -> tuple[RowIssue, ...]:
    """What is wrong with the first rows of the file, before anything is sent.

    Raises InputError when a column is missing.
    """
    cells = {name: [row[at] for row in table.first_rows] for at, name in enumerate(table.names)}
    return encode(signature, cells, len(table.first_rows)).issues


@dataclass(frozen=True, slots=True)
class ResultTable:
    """The beginning of a result file, and the columns in the order a person wants them."""

    rows: pd.DataFrame
    order: list[str]
    error: str

    @property
    def failed(self) -> pd.DataFrame:
        """The rows with an error."""
        return self.rows[self.rows[self.error] != ""]


def _short(cell: str) -> str:
    """A probability with four digits; the file keeps them all."""
    return f"{float(cell):.4f}" if cell else ""


def result_table(path: Path, limit: int, *, with_error: bool) -> ResultTable:
    """Read a result file: error first where there are some, then the answer, then the rest."""
    with opened(path) as reader:
        rows = shown(reader.columns, (row.cells for row in islice(reader, limit)))
    error = rows.columns[-1]
    numbers = [name for name in rows.columns if name.startswith(PROBABILITY)]
    for name in numbers:
        rows[name] = [_short(cell) for cell in rows[name]]
    answers = [name for name in rows.columns[:-1] if name.startswith(ANSWER_COLUMN)][-1:]
    first = [error] * with_error + answers
    rest = [name for name in rows.columns[:-1] if name not in first and name not in numbers]
    return ResultTable(rows, [*first, *rest, *numbers], error)
