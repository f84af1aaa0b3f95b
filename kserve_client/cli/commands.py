"""What each command does."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import IO, Any

from kserve_client.catalog import Catalog, models_file_schema
from kserve_client.cli.arguments import MODELS_VARIABLE, UsageError
from kserve_client.cli.console import Console, ProgressLine, table
from kserve_client.cli.describe import describe
from kserve_client.cli.doctor import doctor
from kserve_client.cli.status import INTERRUPTED, NO_ANSWER, OK, SOME_FAILED
from kserve_client.client import TensorMetadata
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError, InputError
from kserve_client.health import Ladder, check_all
from kserve_client.model import Model
from kserve_client.predictions import ANSWER_COLUMN, Prediction, Predictions
from kserve_client.scoring import ScoredChunk, Summary, score_csv, scored_chunks
from kserve_client.scoring.reader import Source
from kserve_client.scoring.writer import Sink
from kserve_client.signature import Signature

STDIO = "-"
COLUMNS_SHOWN = 8


def execute(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command that was asked for; returns the exit status."""
    if arguments.command == "models" and arguments.schema:
        return _schema(console)
    catalog = _catalog(arguments)
    runs = {
        "models": _models,
        "metadata": _metadata,
        "describe": describe,
        "health": _health,
        "doctor": doctor,
        "predict": _predict,
        "score": _score,
    }
    return runs[arguments.command](arguments, catalog, console)


def _catalog(arguments: argparse.Namespace) -> Catalog:
    if not arguments.models:
        raise UsageError(f"no models file: give --models FILE or set {MODELS_VARIABLE}")
    return Catalog.load(arguments.models)


def _schema(console: Console) -> int:
    schema = models_file_schema()
    console.show(json.dumps(schema, indent=2, ensure_ascii=False), schema)
    return OK


def _models(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    del arguments
    header = ("MODEL", "TITLE", "ENDPOINT", "FEATURES", "ANSWER")
    rows = [_model_row(catalog, name) for name in catalog]
    found = catalog.found()
    problems = [str(problem) for problem in found.problems] if found else []
    nothing = "The cluster shows none." if found else "The models file names no models."
    models = [_model_object(catalog, name) for name in catalog]
    console.show(table(header, rows) if rows else nothing, {"models": models, "problems": problems})
    for problem in problems:
        console.complain(problem)
    return OK


def _model_row(catalog: Catalog, name: str) -> tuple[Any, ...]:
    signature = catalog.entry(name).signature
    main = signature.main_output if signature else None
    features = len(signature.features) if signature and signature.features else "as others say"
    endpoint = _endpoint_or_none(catalog, name)
    return name, catalog.title(name), endpoint and endpoint.url, features, main and main.kind


def _endpoint_or_none(catalog: Catalog, name: str) -> Endpoint | None:
    """An InferenceService that is not up yet has no address."""
    try:
        return catalog.endpoint(name)
    except ConfigurationError:
        return None


def _model_object(catalog: Catalog, name: str) -> dict[str, Any]:
    entry, endpoint = catalog.entry(name), _endpoint_or_none(catalog, name)
    signature = entry.signature
    address = endpoint and {
        "name": entry.endpoint,
        "title": endpoint.title,
        "url": endpoint.url,
    }
    return {
        "name": name,
        "title": catalog.title(name),
        "description": entry.description,
        "owner": entry.owner,
        "endpoint": address,
        "inference_service": entry.inference_service,
        "mlflow": entry.mlflow,
        "model_name": entry.model_name if endpoint is None else catalog.served_name(name),
        "model_version": entry.model_version,
        "signature": signature and signature.model_dump(mode="json", exclude_defaults=True),
        "examples": [example.name for example in entry.examples],
    }


def _metadata(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    model = catalog.model(arguments.model)
    server, said = model.client.server_metadata(), model.metadata()
    lines = [
        ("Endpoint", model.client.endpoint.name),
        ("Server", f"{server.name} {server.version}".strip()),
        ("Extensions", ", ".join(server.extensions)),
        ("Model", said.name),
        ("Platform", said.platform),
        ("Versions", ", ".join(said.versions)),
    ]
    tensors = [*_tensor_rows("input", said.inputs), *_tensor_rows("output", said.outputs)]
    shown = (
        table(("", "NAME", "DATATYPE", "SHAPE"), tensors)
        if tensors
        else "The model says nothing of its inputs and outputs; the models file has to."
    )
    text = "\n".join(f"{name:<11} {value or '–'}" for name, value in lines)
    payload = {
        "name": arguments.model,
        "url": model.client.endpoint.url,
        "server": server.model_dump(),
        "model": said.model_dump(),
    }
    console.show(f"{text}\n\n{shown}", payload)
    return OK


def _tensor_rows(
    kind: str, tensors: Sequence[TensorMetadata]
) -> Iterator[tuple[str, str, str, str]]:
    return ((kind, t.name, t.datatype, str(t.shape)) for t in tensors)


def _health(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    names = list(dict.fromkeys(arguments.names)) or list(catalog)
    ladders = check_all(catalog, names, with_inference=not arguments.no_inference)
    rows = [
        (ladder.model, ladder.state, _ms(ladder.latency_ms), ladder.verdict) for ladder in ladders
    ]
    text = table(("MODEL", "STATE", "LATENCY", "VERDICT"), rows)
    if arguments.names:
        text = "\n\n".join([text, *map(_ladder_text, ladders)])
    console.show(text, {"models": [_ladder_object(ladder) for ladder in ladders]})
    if all(ladder.is_ready for ladder in ladders):
        return OK
    return SOME_FAILED if any(ladder.is_answered for ladder in ladders) else NO_ANSWER


def _ms(elapsed_ms: float | None) -> str:
    return "" if elapsed_ms is None else f"{elapsed_ms:.0f} ms"


def _ladder_text(ladder: Ladder) -> str:
    rows = [(r.name, r.state, _ms(r.elapsed_ms), r.detail) for r in ladder.rungs]
    text = f"{ladder.model}\n{table(('STEP', 'STATE', 'TIME', 'FOUND'), rows)}"
    broken = ladder.broken
    if broken is None or not broken.command:
        return text
    return f"{text}\nSee it from outside: {broken.command}"


def _ladder_object(ladder: Ladder) -> dict[str, Any]:
    return {
        "model": ladder.model,
        "title": ladder.title,
        "state": ladder.state,
        "verdict": ladder.verdict,
        "latency_ms": ladder.latency_ms,
        "checked_at": ladder.checked_at.isoformat(),
        "rungs": [dataclasses.asdict(rung) for rung in ladder.rungs],
    }


def _predict(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    model = catalog.model(arguments.model)
    if arguments.file is not None:
        return _predict_file(arguments, model, console)
    rows = _input_rows(arguments.input, model.signature)
    predictions = model.predict(rows)
    objects = [{"row": at, **cells} for at, cells in enumerate(_records(predictions.columns()), 1)]
    payload = {"model": arguments.model, "rows": objects, "ok": len(objects), "failed": 0}
    console.show(_predictions_text(predictions), payload)
    return OK


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


def _predict_file(arguments: argparse.Namespace, model: Model, console: Console) -> int:
    chunks = list(scored_chunks(model, _source(arguments.file)))
    objects = [cells for chunk in chunks for cells in _chunk_records(chunk)]
    for number, cells in enumerate(objects, 1):
        cells["row"] = number
    failed = sum(bool(cells["error"]) for cells in objects)
    payload = {
        "model": arguments.model,
        "rows": objects,
        "ok": len(objects) - failed,
        "failed": failed,
    }
    console.show(_file_text(objects, has_errors=failed > 0), payload)
    if failed:
        first = next(cells for cells in objects if cells["error"])
        console.complain(
            _failed_words(failed, len(objects), f"row {first['row']}: {first['error']}")
        )
    if any(chunk.failure for chunk in chunks) and not any(chunk.is_answered for chunk in chunks):
        return NO_ANSWER
    return SOME_FAILED if failed else OK


def _chunk_records(chunk: ScoredChunk) -> Iterator[dict[str, Any]]:
    results = list(_records(chunk.results)) if chunk.results else [{}] * len(chunk.rows)
    for cells, error in zip(results, chunk.errors, strict=True):
        yield {"row": 0, **cells, "error": error}


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


def _failed_words(failed: int, rows: int, first_error: str) -> str:
    return f"{failed:,} of {_rows(rows)} failed; the first is {first_error}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


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


def _score(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    model = catalog.model(arguments.model)
    line = ProgressLine()
    with _interrupts() as cancel:
        try:
            summary = score_csv(
                model,
                _source(arguments.input),
                _sink(arguments.output),
                chunk_rows=arguments.chunk_rows,
                concurrency=arguments.concurrency,
                on_progress=line.show,
                cancel=cancel,
            )
        finally:
            line.end()
    tell = console.note if arguments.output == STDIO else console.show
    tell(_summary_text(summary, arguments.output), _summary_object(summary, arguments))
    if summary.failed:
        console.complain(_failed_words(summary.failed, summary.rows, summary.first_error))
    return _score_status(summary)


def _score_status(summary: Summary) -> int:
    if summary.cancelled:
        return INTERRUPTED
    if not summary.is_answered:
        return NO_ANSWER
    return SOME_FAILED if summary.failed else OK


def _summary_text(summary: Summary, output: str) -> str:
    where = "" if output == STDIO else f"; written to {output}"
    unsent = f" ({summary.unsent:,} of them not sent)" if summary.unsent else ""
    return (
        f"{_rows(summary.rows)} in {summary.elapsed_s:.1f} s: {summary.ok:,} predicted, "
        f"{summary.failed:,} failed{unsent}{where}"
    )


def _summary_object(summary: Summary, arguments: argparse.Namespace) -> dict[str, Any]:
    named = {"model": arguments.model, "input": arguments.input, "output": arguments.output}
    return {**named, **dataclasses.asdict(summary)}


def _source(given: str) -> Source:
    return sys.stdin.buffer if given == STDIO else Path(given)


def _sink(given: str) -> Sink:
    if given != STDIO:
        return Path(given)
    out: IO[str] = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        # Cells may hold any line end and any letter, whatever the terminal's own settings are.
        out.reconfigure(encoding="utf-8", errors="backslashreplace", newline="")
    return out


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Ctrl-C once ends the run with a whole result file; twice ends the process."""
    cancel = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)
