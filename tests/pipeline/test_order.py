"""What the road starts before it waits for something else; no server runs here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.pipeline import registry
from scripts.pipeline.registry import Version
from scripts.pipeline.road import Pythons, Road

VERSION = Version("iris-classifier", "1", "m-1", "1/models/m-1/artifacts")
STEPS = [
    "start_form",
    "open_store",
    "start_mlflow",
    "wait_for_mlflow",
    "train",
    "champion",
    "fetch",
    "serve",
    "wait_for_servers",
    "write_models_file",
    "open_forms",
    "predict",
]


class Nothing:
    """A MLflow that is told to start and has no model."""

    def __init__(self, steps: list[str], *, has_database: bool) -> None:
        self.steps = steps
        self.has_database = has_database

    def start(self) -> None:
        """Tell of it."""
        self.steps.append("MLflow starts")

    def version(self, *_: str) -> None:
        """Nobody registered one."""


@pytest.fixture
def road(tmp_path: Path) -> Road:
    """Return a road on an empty folder."""
    return Road(tmp_path, Pythons(*[tmp_path / "python"] * 3))


def steps_of(road: Road, monkeypatch: pytest.MonkeyPatch, *, has_database: bool) -> list[str]:
    """Go a road whose steps do nothing, and tell them in order."""
    steps: list[str] = []
    mlflow = Nothing(steps, has_database=has_database)
    answers = {"start_mlflow": mlflow, "champion": VERSION}

    def step(name: str) -> Any:
        def told(*_: Any, **__: Any) -> Any:
            steps.append(name)
            return answers.get(name)

        return told

    monkeypatch.setattr(road, "described_mlflow", lambda: mlflow)
    for name in STEPS:
        monkeypatch.setattr(road, name, step(name))
    road.travel()
    return steps


def test_the_first_time(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    """The forms' program imports from the start; MLflow makes its database once there is a bucket."""
    assert steps_of(road, monkeypatch, has_database=False) == STEPS


def test_a_warm_start(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow starts before the store; both servers read the last version while MLflow starts."""
    registry.remember(road.folder / "served.json", VERSION, road._stamp)
    assert steps_of(road, monkeypatch, has_database=True) == [
        "start_form",
        "MLflow starts",
        "open_store",
        "start_mlflow",
        "fetch",
        "serve",
        "wait_for_mlflow",
        "champion",
        "wait_for_servers",
        "write_models_file",
        "open_forms",
        "predict",
    ]
