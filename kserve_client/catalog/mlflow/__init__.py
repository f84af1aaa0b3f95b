"""MLflow as a source: what a registered or a logged model says of itself, over plain REST.

No package of MLflow is needed. All of it was seen on MLflow 3.17.2 (tests/recorded/mlflow-3.17.2).
"""

from kserve_client.catalog.mlflow.reference import Reference
from kserve_client.catalog.mlflow.registry import Registry
from kserve_client.catalog.mlflow.versions import ModelVersion, by_logged_model

__all__ = ["ModelVersion", "Reference", "Registry", "by_logged_model"]
