"""What MLflow knows about a model beside its signature: for the Model page.

Values are simple JSON: texts, numbers, lists and mappings of them. Only what is there is said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kserve_client.catalog.facts import Settings
from kserve_client.catalog.mlflow.answers import Plain, list_in, object_in, pairs_in

LONGEST_TEXT = 5_000
MOST_METRICS = 50
_NAMES = {
    "sklearn": "scikit-learn",
    "xgboost": "XGBoost",
    "lightgbm": "LightGBM",
    "catboost": "CatBoost",
    "pytorch": "PyTorch",
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "onnx": "ONNX",
    "spark": "Spark",
    "transformers": "Transformers",
    "python_function": "Python function",
}
_OWN = "mlflow."
_DESCRIPTION_TAG = "mlflow.note.content"


@dataclass(frozen=True, slots=True)
class Records:
    """What the API answered of one model; what was not asked or is not there is empty.

    `version` is a model version, `registered` the registered model it belongs to, `logged` a logged
    model with its id `model_id`, `run` the run it came from.
    """

    version: Plain = field(default_factory=dict)
    registered: Plain = field(default_factory=dict)
    model_id: str = ""
    logged: Plain = field(default_factory=dict)
    run: Plain = field(default_factory=dict)

    @property
    def info(self) -> Plain:
        """What is known of the logged model beside its parameters and metrics."""
        return object_in(self.logged, "info")

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return text(self.version.get("run_id")) or text(self.info.get("source_run_id"))

    @property
    def experiment_id(self) -> str:
        """The id of the experiment."""
        of_run = object_in(self.run, "info").get("experiment_id")
        return text(self.info.get("experiment_id")) or text(of_run)

    @property
    def title(self) -> str:
        """What to call it, e.g. iris version 3."""
        if not self.version:
            return self.model_id
        return f"{text(self.version.get('name'))} version {text(self.version.get('version'))}"


def about(records: Records, mlmodel: Plain, said: Settings) -> dict[str, Any]:
    """All that is known; `said` is what the model's metadata says of it.

    What stands at the model version wins over what was written when the model was logged: it can be
    corrected later.
    """
    version, info = records.version, records.info
    tags = tags_of(records.registered) | tags_of(info) | tags_of(version)
    found = {
        **said,
        "description": _first(
            version.get("description"),
            said.get("description"),
            records.registered.get("description"),
            tags.get(_DESCRIPTION_TAG),
        ),
        "owner": _first(tags.get("owner"), said.get("owner")),
        "framework": framework(mlmodel.get("flavors")),
        "metrics": metrics_of(records),
        "params_count": len(_of_run_and_model(records, "params")),
        "created": _moment(version.get("creation_timestamp") or info.get("creation_timestamp_ms")),
        "user": _first(
            version.get("user_id"),
            tags.get("mlflow.user"),
            object_in(records.run, "info").get("user_id"),
        ),
        "version": text(version.get("version")),
        "aliases": [text(alias) for alias in list_in(version, "aliases")],
        "run_id": records.run_id,
        "model_id": records.model_id,
        "mlflow_version": text(mlmodel.get("mlflow_version")),
        "tags": {key: value for key, value in tags.items() if not key.startswith(_OWN)},
    }
    return {name: value for name, value in found.items() if value}


def framework(flavors: Any) -> str:
    """The library that made the model and its version, e.g. scikit-learn 1.9.1."""
    if not isinstance(flavors, dict):
        return ""
    name = next((name for name in flavors if name != "python_function"), next(iter(flavors), ""))
    settings = flavors.get(name)
    versions = [
        value
        for key, value in (settings.items() if isinstance(settings, dict) else ())
        if key.endswith("_version") and key not in ("python_version", "cloudpickle_version")
    ]
    return f"{_NAMES.get(name, name)} {text(next(iter(versions), ''))}".strip()


def metrics_of(records: Records) -> dict[str, float]:
    """The last finite value of each metric: those of the logged model win over those of its run."""
    metrics = _of_run_and_model(records, "metrics")
    finite = [(key, value) for key, value in metrics.items() if _is_finite(value)]
    return dict(finite[:MOST_METRICS])


def _of_run_and_model(records: Records, key: str) -> dict[str, Any]:
    of_run, of_model = object_in(records.run, "data"), object_in(records.logged, "data")
    return pairs_in(of_run, key) | pairs_in(of_model, key)


def tags_of(of: Plain) -> dict[str, str]:
    """Tags by key."""
    return {key: text(value) for key, value in pairs_in(of, "tags").items()}


def text(value: Any) -> str:
    """A text as it may be shown; "" for what is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value.strip()[:LONGEST_TEXT] if isinstance(value, str) else ""


def moment(milliseconds: Any) -> datetime | None:
    """A moment that MLflow tells in milliseconds since 1970."""
    try:
        return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _moment(milliseconds: Any) -> str:
    found = moment(milliseconds)
    return found.isoformat(timespec="seconds") if found else ""


def _first(*values: Any) -> str:
    return next((found for found in map(text, values) if found), "")


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
