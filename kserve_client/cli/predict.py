"""The command `predict`: a few rows, from the command line or a file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kserve_client.catalog import Catalog
from kserve_client.cli.console import STDIO, Console, failed_words, table
from kserve_client.cli.status import NO_ANSWER, OK, SOME_FAILED
from kserve_client.errors import InputError
from kserve_client.model import Model
from kserve_client.predictions import ANSWER_COLUMN, Prediction, Predictions
from kserve_client.scoring.outside import Outside, outside
from kserve_client.signature import Signature

if TYPE_CHECKING:  # it brings pyarrow
    from kserve_client.scoring import Scored, Summary

COLUMNS_SHOWN = 8
# Somebody waits for a few rows.
PATIENCE_S = 3.0
Records = list[dict[str, Any]]


def predict(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    """Predict rows and show them; returns the exit status."""
    model = catalog.model(arguments.model)
    if arguments.file is not None:
        return _predict_file(arguments, model, console)
    rows = _input_rows(arguments.input, model.signature)
    predictions = model.predict(rows)
    found = outside(model.signature, model.build(rows).inputs, np.arange(len(rows)))
    _tell_outside(found.values(), len(rows), console)
    objects = [{"row": at, **cells} for at, cells in enumerate(_records(predictions.columns()), 1)]
    payload = {"model": arguments.model, "rows": objects, "ok": len(objects), "failed": 0}
    console.show(_predictions_text(predictions), payload)
    return OK


def _tell_outside(found: Iterable[Outside], count: int, console: Console) -> None:
    """A number that the model hardly knows gets an answer all the same: say so, and no more."""
    for one in found:
        console.complain(one.words(count))


def _predictions_text(predictions: Predictions) -> str:
    if len(predictions) == 1:
        return _prediction_text(predictions[0])
    rows = [(at, p.headline, p.confidence) for at, p in enumerate(predictions, 1)]
    if all(confidence is None for _, _, confidence in rows):
        return table(("ROW", "PREDICTION"), [row[:2] for row in rows])
    return table(("ROW", "PREDICTION", "CONFIDENCE"), rows)


def _prediction_text(prediction: Prediction) -> str:
    if not prediction.probabilities:
        return prediction.headline
    chances = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    shown = table(("CLASS", "PROBABILITY"), [(name, f"{chance:.3f}") for name, chance in chances])
    return f"{prediction.headline}\n\n{shown}"


def _records(columns: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    return (dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True))


# Rows of a file


def _predict_file(arguments: argparse.Namespace, model: Model, console: Console) -> int:
    objects, summary = _predicted(model, arguments)
    failed = summary.failed + summary.skipped
    payload = {"model": arguments.model, "rows": objects, "ok": summary.ok, "failed": failed}
    console.show(_file_text(objects, has_errors=failed > 0), payload)
    _tell_outside(summary.outside, summary.rows, console)
    if failed:
        first = next(cells for cells in objects if cells["error"])
        told = f"row {first['row']}: {first['error']}"
        console.complain(failed_words(failed, summary.rows, told))
    if not summary.is_answered:
        return NO_ANSWER
    return SOME_FAILED if failed else OK


def _predicted(model: Model, arguments: argparse.Namespace) -> tuple[Records, Summary]:
    """The rows with their answers or errors, and what became of them in all."""
    from kserve_client.scoring import ReadOptions, ScoreOptions, scored

    reading = ReadOptions(
        format=arguments.format,
        encoding=arguments.encoding,
        delimiter=arguments.delimiter,
        decimal=arguments.decimal,
    )
    source = sys.stdin.buffer if arguments.file == STDIO else Path(arguments.file)
    chunks = scored(model, source, ScoreOptions(reading, patience_s=PATIENCE_S))
    objects: Records = []
    while True:
        try:
            chunk = next(chunks)
        except StopIteration as ended:
            return objects, ended.value
        objects += _chunk_records(chunk)


def _chunk_records(chunk: Scored) -> Iterator[dict[str, Any]]:
    results = [{}] * len(chunk) if chunk.results is None else chunk.results.to_pylist()
    reasons = {**chunk.skipped, **chunk.errors}
    for at, cells in enumerate(results):
        yield {"row": chunk.rows.start + at + 1, **cells, "error": reasons.get(at, "")}


def _file_text(objects: Sequence[Mapping[str, Any]], *, has_errors: bool) -> str:
    if not objects:
        return "The file has no rows."
    names = dict.fromkeys(
        name for cells in objects for name in cells if name not in ("row", "error")
    )
    shown = list(islice(names or {ANSWER_COLUMN: None}, COLUMNS_SHOWN))
    header = ["ROW", *shown, *(["ERROR"] if has_errors else [])]
    rows = [
        [cells["row"], *(cells.get(name) for name in shown), cells["error"]][: len(header)]
        for cells in objects
    ]
    return table(header, rows)


# Rows from JSON


def _input_rows(given: str, signature: Signature) -> list[dict[str, Any]]:
    """Rows from JSON: an object, a list of objects, or lists of values in feature order."""
    try:
        value = json.loads(_text(given))
    except ValueError as error:
        raise InputError(f"--input is not JSON: {error}") from None
    rows = value if isinstance(value, list) else [value]
    if not rows:
        raise InputError("--input holds no rows")
    if not any(isinstance(row, dict | list) for row in rows):
        rows = [rows]  # one row as a plain list
    return [_with_pictures(_named(row, signature), signature) for row in rows]


def _text(given: str) -> str:
    if given == STDIO:
        return sys.stdin.read()
    if given.startswith("@"):
        return Path(given[1:]).read_text(encoding="utf-8")
    return given


def _named(row: Any, signature: Signature) -> dict[str, Any]:
    if isinstance(row, dict):
        return row
    names = [feature.name for feature in signature.features]
    if not isinstance(row, list) or len(row) != len(names):
        raise InputError(
            f"a row is an object, or a list of {len(names)} values in the order {', '.join(names)}"
        )
    return dict(zip(names, row, strict=True))


def _with_pictures(row: dict[str, Any], signature: Signature) -> dict[str, Any]:
    pictures = {feature.name for feature in signature.features if feature.kind == "image"}
    return {
        name: Path(cell[1:]).read_bytes()
        if name in pictures and isinstance(cell, str) and cell.startswith("@")
        else cell
        for name, cell in row.items()
    }
