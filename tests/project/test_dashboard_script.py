"""How the demo and the road start the dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts import dashboard


def test_jobs_lie_beside_the_models_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try-out neither sees nor fills the folder of a person's own jobs."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(dashboard, "Child", lambda *_, **options: given.update(options))
    monkeypatch.setenv("KSERVE_CLIENT_JOBS_FOLDER", "/somebody/s/own")
    dashboard.start(Path("python"), 1, tmp_path / "models.yaml", tmp_path / "log", BADGE="demo")
    assert given["env"]["KSERVE_CLIENT_MODELS"] == str(tmp_path / "models.yaml")
    assert given["env"]["KSERVE_CLIENT_JOBS_FOLDER"] == str(tmp_path / "jobs")
    assert given["env"]["BADGE"] == "demo"
