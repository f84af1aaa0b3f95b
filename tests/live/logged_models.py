"""Models that were logged in a real MLflow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.mlflow_server import MLflowServer


@dataclass(frozen=True)
class Logged:
    """A server with the models, and the ids of those that were logged beside the example."""

    server: MLflowServer
    ids: dict[str, str]

    def pickle_of(self, model_id: str) -> Path:
        """Return the file of a model, as it lies among the artifacts."""
        (found,) = self.server.models.glob(f"artifacts/*/models/{model_id}/artifacts/model.pkl")
        return found
