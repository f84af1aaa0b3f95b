"""Tables as a person sees them: a template, what is in a file, what came back. Nothing sensitive."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from dashboard.views import literal
from kserve_client.catalog import Example
from kserve_client.predictions import ANSWER_COLUMN
from kserve_client.scoring.mapping import Mapping
from kserve_client.scoring.sources import nameable
from kserve_client.scoring.sources.surveying import texts
from kserve_client.signature import Feature, Signature

PROBABILITY = "probability_"
HIDDEN = "hidden"
WITHHELD = "withheld on screen: it may repeat a sensitive value"
MOST_COLUMNS = 100
CELL_CHARACTERS = 200
ROW_NUMBER = "row"


def template(signature: Signature, examples: Iterable[Example]) -> str:
    """A CSV with the columns of a model and its examples as rows; a picture as base64 text.

    Beyond ASCII it begins with the mark of UTF-8, without which Excel takes it for Windows-1252.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, [feature.name for feature in signature.features])
    writer.writeheader()
    for example in examples:
        writer.writerow({name: _written(cell) for name, cell in example.row.items()})
    text = out.getvalue()
    return text if text.isascii() else f"\ufeff{text}"


def _written(cell: Any) -> Any:
    return base64.b64encode(cell).decode() if isinstance(cell, bytes) else cell


def needed_columns(signature: Signature) -> str:
    """Which columns a file must and may have, in words (Markdown)."""
    must = [literal(feature.name) for feature in signature.features if feature.required]
    may = [literal(feature.name) for feature in signature.features if not feature.required]
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


def hidden_columns(
    signature: Signature, mapping: Mapping, columns: Sequence[str]
) -> tuple[int, ...]:
    """Where the columns stand that feed a sensitive feature.

    Those with the name of one count as well, whatever they are mapped to.
    """
    sensitive = [feature.name for feature in signature.features if feature.sensitive]
    named = {*sensitive, *(mapping.of(name).column for name in sensitive)}
    return tuple(at for at, name in enumerate(nameable(columns)) if name in named)


def shown(
    columns: Sequence[str], rows: Iterable[Sequence[str]], hidden: Collection[int] = ()
) -> pd.DataFrame:
    """The first rows of a file as a table; what is sensitive is hidden, very long cells are cut."""
    found = [[_cell(at, cell, hidden) for at, cell in enumerate(row)] for row in rows]
    names = _distinct(nameable(columns))
    frame = pd.DataFrame(found, columns=names).iloc[:, :MOST_COLUMNS]
    return _numbered(frame, range(len(found)))


def _cell(at: int, cell: str, hidden: Collection[int]) -> str:
    return (HIDDEN if cell else "") if at in hidden else short(cell)


def short(text: str) -> str:
    """As much of a text as a cell of a table on screen holds."""
    return text if len(text) <= CELL_CHARACTERS else f"{text[: CELL_CHARACTERS - 1]}…"


def _distinct(names: Sequence[str]) -> list[str]:
    """Names for columns on screen, where each has to be another."""
    found: list[str] = []
    for name in names:
        number, free = 2, name
        while free in found:
            number, free = number + 1, f"{name} ({number})"
        found.append(free)
    return found


def _numbered(frame: pd.DataFrame, numbers: Iterable[int]) -> pd.DataFrame:
    """A table whose rows have the numbers that errors and findings call them by, from 1."""
    return frame.set_axis(pd.Index([at + 1 for at in numbers], name=ROW_NUMBER))


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Some rows of a result, and the columns in the order a person wants them.

    `cut` counts the columns that are not shown since there are so many; `probabilities` are columns.
    """

    rows: pd.DataFrame
    order: list[str]
    error: str
    cut: int = 0
    probabilities: tuple[str, ...] = ()


def result_table(
    found: pa.Table, numbers: Iterable[int], columns: Sequence[str], hidden: Collection[int] = ()
) -> ResultTable:
    """Rows of a result: the answer first, then the errors where there are some, then the rest.

    `columns` are those of the source, which stand first in `found`; `hidden` are positions of such.
    """
    width = min(len(columns), MOST_COLUMNS)
    kept = [*range(width), *range(len(columns), found.num_columns)]
    names = _distinct([*nameable(columns)[:width], *found.column_names[len(columns) :]])
    cells = {
        name: _shown_column(found.column(at), is_hidden=at in hidden, is_source=at < width)
        for name, at in zip(names, kept, strict=True)
    }
    frame = pd.DataFrame(cells)
    error = names[-1]
    if hidden:
        frame[error] = [WITHHELD if why else "" for why in frame[error]]
    return ResultTable(
        _numbered(frame, numbers),
        _order(names, width, with_error=bool((frame[error] != "").any())),
        error,
        len(columns) - width,
        tuple(name for name in names[width:-2] if name.startswith(PROBABILITY)),
    )


def _order(names: Sequence[str], width: int, *, with_error: bool) -> list[str]:
    results, error = names[width:-2], names[-1]
    answers = [name for name in results if name.startswith(ANSWER_COLUMN)][:1]
    first = [*answers, *([error] * with_error)]
    numbers = [name for name in results if name.startswith(PROBABILITY)]
    rest = [name for name in names[:-2] if name not in first and name not in numbers]
    return [*first, *rest, *numbers]


def _shown_column(column: pa.ChunkedArray, *, is_hidden: bool, is_source: bool) -> list[Any]:
    whole = column.combine_chunks()
    whole = whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole
    if pa.types.is_floating(whole.type) and not is_source:
        return list(whole.to_pylist())
    found = texts(whole)
    return [(HIDDEN if cell else "") if is_hidden else short(cell) for cell in found]
