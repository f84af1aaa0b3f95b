"""What each command does."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kserve_client.catalog import Catalog, models_file_schema
from kserve_client.cli.arguments import MODELS_VARIABLE, UsageError
from kserve_client.cli.console import Console, table
from kserve_client.cli.status import (
    NO_ANSWER,
    OK,
    SOME_FAILED,
    USAGE,
    status_of,
    status_of_all,
)
from kserve_client.client import TensorMetadata
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError

if TYPE_CHECKING:
    from kserve_client.catalog.cluster import Problem
    from kserve_client.health import Ladder


def execute(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command that was asked for; returns the exit status."""
    if arguments.command in ("jobs", "job"):
        return _job_command(arguments, console)
    if arguments.command == "models" and arguments.schema:
        return _schema(console)
    catalog = _catalog(arguments)
    runs: Mapping[str, Callable[[argparse.Namespace, Catalog, Console], int]] = {
        "models": _models,
        "metadata": _metadata,
        "describe": _describe,
        "health": _health,
        "doctor": _doctor,
        "predict": _predict,
        "score": _score,
    }
    return runs[arguments.command](arguments, catalog, console)


# What a command alone needs is imported when it is asked for: most of a short run is its start.


def _job_command(arguments: argparse.Namespace, console: Console) -> int:
    from kserve_client.cli import jobs

    return (
        jobs.list_jobs(arguments, console)
        if arguments.command == "jobs"
        else jobs.job(arguments, console)
    )


def _describe(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    from kserve_client.cli.describe import describe

    return describe(arguments, catalog, console)


def _doctor(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    from kserve_client.cli.doctor import doctor

    return doctor(arguments, catalog, console)


def _predict(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    from kserve_client.cli.predict import predict

    return predict(arguments, catalog, console)


def _score(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    from kserve_client.cli.score import score

    return score(arguments, catalog, console)


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
    problems = _problems(catalog)
    models = [_model_object(catalog, name) for name in catalog]
    payload = {"models": models, "problems": list(map(str, problems))}
    console.show(table(header, rows) if rows else _nothing(catalog), payload)
    _complain(problems, console)
    return status_of_all([OK] * len(rows) + [status_of(problem.error) for problem in problems])


def _problems(catalog: Catalog) -> tuple[Problem, ...]:
    """What could not be seen of the cluster, where the models file names one."""
    found = catalog.found()
    return found.problems if found else ()


def _complain(problems: Iterable[Problem], console: Console) -> None:
    for problem in problems:
        console.complain(str(problem))


def _nothing(catalog: Catalog) -> str:
    """Why no model is known."""
    if _problems(catalog):
        return "No models are known: not all of the cluster could be seen."
    return "The cluster shows none." if catalog.found() else "The models file names no models."


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
    from kserve_client.health import check_all

    # Who names models asks for no other: only theirs wait for the cluster.
    problems = () if arguments.names else _problems(catalog)
    names = list(dict.fromkeys(arguments.names)) or list(catalog)
    ladders = check_all(catalog, names, with_inference=not arguments.no_inference)
    rows = [
        (ladder.model, ladder.state_words, _ms(ladder.latency_ms), ladder.verdict)
        for ladder in ladders
    ]
    text = table(("MODEL", "STATE", "LATENCY", "VERDICT"), rows) if rows else _nothing(catalog)
    if arguments.names:
        text = "\n\n".join([text, *map(_ladder_text, ladders)])
    objects = [_ladder_object(ladder) for ladder in ladders]
    console.show(text, {"models": objects, "problems": list(map(str, problems))})
    _complain(problems, console)
    statuses = [*map(_ladder_status, ladders), *(status_of(problem.error) for problem in problems)]
    if not statuses:
        console.complain("there is no model to check")
        return USAGE
    return status_of_all(statuses)


def _ladder_status(ladder: Ladder) -> int:
    if ladder.is_ready:
        return OK
    if ladder.is_answered:
        return SOME_FAILED
    return USAGE if ladder.broken and ladder.broken.is_unasked else NO_ANSWER


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
        "is_tested": ladder.is_tested,
        "is_expected": ladder.is_expected,
        "verdict": ladder.verdict,
        "latency_ms": ladder.latency_ms,
        "checked_at": ladder.checked_at.isoformat(),
        "rungs": [dataclasses.asdict(rung) for rung in ladder.rungs],
    }
