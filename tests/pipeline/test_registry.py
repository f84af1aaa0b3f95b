"""What the road's MLflow is started with; no server runs here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts import mlflow_server
from scripts.pipeline import registry
from scripts.pipeline.registry import BucketMLflow
from scripts.pipeline.seaweedfs import SeaweedFS
from scripts.pipeline.store import Bucket, Key

THEIRS = {
    "AWS_PROFILE": "work",
    "AWS_SESSION_TOKEN": "t",
    "AWS_CA_BUNDLE": "/x",
    "MLFLOW_FLASK": "1",
}
BUCKET = Bucket("models", "mlflow", Key("writer", "w"), Key("reader", "r"))


class Started:
    """A process that only notes what it was given."""

    def __init__(self, *_: Any, env: Mapping[str, str], **__: Any) -> None:
        self.variables = dict(env)

    def give(self, text: str) -> None:
        """Take the variables that come by standard input."""
        self.variables |= json.loads(text)


@pytest.mark.parametrize("has_database", [False, True])
def test_the_settings_of_a_person_do_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_database: bool
) -> None:
    """A profile or a session token would be used beside the key of the bucket, and be refused."""
    for name, value in THEIRS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(mlflow_server, "Child", Started)
    monkeypatch.setattr(registry, "Child", Started)
    store = SeaweedFS(tmp_path / "python", tmp_path / "store", tmp_path / "store.log")
    names = {"BUCKET": "models", "PREFIX": "mlflow", "REGION": "eu"}
    mlflow = BucketMLflow(
        tmp_path / "python", tmp_path / "mlflow", tmp_path / "log", store=store, names=names
    )
    mlflow.models.mkdir()
    if has_database:
        mlflow.keep_database()
    mlflow.bucket = BUCKET
    started: Any = mlflow.launched()
    assert not THEIRS.keys() & started.variables.keys()
    assert started.variables["AWS_ACCESS_KEY_ID"] == "writer"
    assert started.variables["AWS_DEFAULT_REGION"] == "eu"
