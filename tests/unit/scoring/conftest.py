"""What the tests of scoring share."""

from __future__ import annotations

import pytest
import responses

from kserve_client.scoring import blame, run
from tests.unit.scripted_model import ScriptedModel, serve


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blame, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(blame, "LONGEST_PAUSE_S", 0.01)
    monkeypatch.setattr(run, "LOOK_S", 0.01)


@pytest.fixture
def model(mock: responses.RequestsMock) -> ScriptedModel:
    """Serve the scripted model."""
    return serve(mock, ScriptedModel())
