"""Every V2 and V1 answer that was recorded of real servers (tests/recorded/*.jsonl), by kind of request.

The file is named after server and version; scripts/record.py records it again.
"""

from __future__ import annotations

import re
from pathlib import Path

import responses

from scripts.record import Recording, load

FOLDER = Path(__file__).parents[2] / "recorded"
URL = "http://model.test"
MODEL = r"/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?"
KINDS = {
    "server metadata": r"GET /v2",
    "server live": r"GET /v2/health/live",
    "server ready": r"GET /v2/health/ready",
    "model metadata": rf"GET /v2{MODEL}",
    "model ready": rf"GET /v2{MODEL}/ready",
    "infer": rf"POST /v2{MODEL}/infer",
    "index": r"POST /v2/repository/index",
    "load": rf"POST /v2/repository{MODEL}/load",
    "unload": rf"POST /v2/repository{MODEL}/unload",
    "statistics": rf"GET /v2{MODEL}/stats",
    "v1 predict": r"POST /v1/models/(?P<model>[^/:]+):predict",
}
RECORDED = {path.stem: load(path) for path in sorted(FOLDER.glob("*.jsonl"))}


def kind_of(recording: Recording) -> str:
    """What was asked; "other" for a path that no method of the client has."""
    asked = f"{recording.method} {recording.path}"
    return next((kind for kind, form in KINDS.items() if re.fullmatch(form, asked)), "other")


def model_of(recording: Recording) -> tuple[str, str | None]:
    """Name and version of the model in a path."""
    asked = f"{recording.method} {recording.path}"
    found = re.fullmatch(KINDS[kind_of(recording)], asked)
    assert found is not None
    return found["model"], found.groupdict().get("version")


def one(server: str, name: str) -> Recording:
    """The recording of that name."""
    return next(recording for recording in RECORDED[server] if recording.name == name)


def replay(mock: responses.RequestsMock, recording: Recording) -> None:
    """Answer a recorded request as it was answered then."""
    mock.add(
        recording.method,
        URL + recording.path,
        recording.answer,
        status=recording.status,
        headers={k: v for k, v in recording.headers.items() if k != "content-type"},
        content_type=recording.headers.get("content-type"),
    )
