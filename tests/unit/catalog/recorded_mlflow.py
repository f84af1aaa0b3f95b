"""A MLflow that answers as MLflow 3.17.2 once did (scripts/record_mlflow.py), and as a test says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import responses

from kserve_client.catalog.mlflow import Registry
from kserve_client.endpoint import Endpoint
from kserve_client.transport import Transport
from scripts.record import Recording, load
from tests.v2_server import Reply, V2Server, v2_server

RECORDED = {
    one.name: one
    for one in load(Path(__file__).parents[2] / "recorded/mlflow-3.17.2/answers.jsonl")
}
URL = "http://mlflow.test"
API = f"{URL}/api/2.0/mlflow"
MODEL = f"m-{1:032d}"
FILES = f"{URL}/ajax-api/2.0/mlflow/logged-models/{MODEL}/artifacts/files?artifact_file_path="
FILES_BY_VERSION = f"{URL}/model-versions/get-artifact?path="


@contextmanager
def recorded_mlflow(**settings: Any) -> Iterator[tuple[Registry, responses.RequestsMock]]:
    """Play all recordings; `settings` are those of the endpoint. Nothing is tried twice."""
    endpoint = Endpoint.model_validate({"url": URL, **settings})
    with (
        responses.RequestsMock(assert_all_requests_are_fired=False) as mock,
        Registry(endpoint, transport=Transport(endpoint, retries=0)) as registry,
    ):
        for recording in RECORDED.values():
            if not recording.request_headers:
                play(mock, recording)
        yield registry, mock


@contextmanager
def mlflow_server() -> Iterator[V2Server]:
    """Play all recordings on a port of loopback; its `replies` may be changed."""
    with v2_server() as running:
        for one in RECORDED.values():
            if not one.request_headers:
                kind = one.headers.get("content-type", "application/json")
                running.replies[one.path] = Reply(one.status, one.answer, kind)
        yield running


def play(mock: responses.RequestsMock, recording: Recording, url: str = "") -> None:
    mock.upsert(
        "GET",
        url or URL + recording.path,
        recording.answer,
        status=recording.status,
        content_type=recording.headers.get("content-type"),
    )


def say(mock: responses.RequestsMock, url: str, body: Any, status: int = 200) -> None:
    """Answer a URL otherwise from now on."""
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    mock.upsert("GET", url, text, status=status)


def asked(mock: responses.RequestsMock) -> list[str]:
    """The URLs that were asked, in order."""
    return [str(call.request.url) for call in mock.calls]
