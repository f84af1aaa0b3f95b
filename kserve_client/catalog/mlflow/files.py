"""The files of a logged model: MLmodel and its input example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kserve_client.catalog.mlflow.about import Records, text
from kserve_client.catalog.mlflow.answers import Plain, object_in
from kserve_client.catalog.mlflow.mlmodel import LARGEST_BYTES, parse_mlmodel
from kserve_client.catalog.mlflow.rest import Rest
from kserve_client.errors import (
    ConfigurationError,
    InvalidAnswerError,
    KServeClientError,
    ServerError,
)
from kserve_client.wire.json import parse_value

LARGEST_EXAMPLE_BYTES = 2_000_000
EXAMPLE_FILES = ("input_example.json", "serving_input_example.json")


def mlmodel_of(rest: Rest, records: Records, notes: list[str]) -> Plain:
    """The MLmodel file; {} with a note when there is none that can be read."""
    try:
        return parse_mlmodel(_file(rest, records, "MLmodel", LARGEST_BYTES))
    except (ConfigurationError, ServerError, InvalidAnswerError) as error:
        notes.append(f"without its MLmodel file the form is not known: {error}")
        return {}


def example_of(rest: Rest, records: Records, mlmodel: Plain, notes: list[str]) -> Any:
    """The input example as JSON; None when there is none, with a note when there should be one."""
    if not object_in(mlmodel, "saved_input_example_info"):
        return None
    problem: KServeClientError | None = None
    for name in EXAMPLE_FILES:
        try:
            return parse_value(_file(rest, records, name, LARGEST_EXAMPLE_BYTES))
        except (ServerError, InvalidAnswerError) as error:
            problem = problem or error
    notes.append(f"its input example can't be read: {problem}")
    return None


def _file(rest: Rest, records: Records, name: str, limit_bytes: int) -> bytes:
    """A file by the logged model, else by the model version.

    Both work whether or not the server proxies artifacts. With MLflow's own users and permissions
    the first needs READ of the experiment, the second of the registered model.
    """
    problem: KServeClientError | None = None
    for path, query in _places(records, name):
        try:
            return rest.file(path, limit_bytes, **query)
        except ServerError as error:
            problem = problem or error
    raise problem or ConfigurationError("MLflow does not say where it lies")


def _places(records: Records, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    if records.model_id:
        path = f"/ajax-api/2.0/mlflow/logged-models/{records.model_id}/artifacts/files"
        yield path, {"artifact_file_path": name}
    of, version = text(records.version.get("name")), text(records.version.get("version"))
    if of and version:
        yield "/model-versions/get-artifact", {"path": name, "name": of, "version": version}
