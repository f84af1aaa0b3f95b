"""Writes a trained model the way MLServer wants to find it on disk."""

import json
from pathlib import Path
from typing import Any

import joblib

RUNTIME = "mlserver_sklearn.SKLearnModel"
VERSION = "v1"


def save_model(
    folder: Path, name: str, model: object, *, tensors: dict[str, Any] | None = None
) -> None:
    """Write `folder/name/model.joblib` and its model-settings.json.

    `tensors` holds the metadata that the server shall publish (`inputs`, `outputs`). Most models
    in the field publish none, since MLServer's scikit-learn runtime fills in nothing by itself.
    """
    home = folder / name
    home.mkdir(parents=True)
    joblib.dump(model, home / "model.joblib")
    settings = {
        "name": name,
        "implementation": RUNTIME,
        **(tensors or {}),
        # MLServer reads a relative uri from the folder that holds this file.
        "parameters": {"uri": "./model.joblib", "version": VERSION},
    }
    (home / "model-settings.json").write_text(json.dumps(settings, indent=2) + "\n")
