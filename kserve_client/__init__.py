"""A client for models that speak the Open Inference Protocol (V2): KServe, MLServer and others.

>>> from kserve_client import Catalog
>>> model = Catalog.load("models.yaml").model("iris")
>>> model.predict(
...     {"sepal length": 5.1, "sepal width": 3.5, "petal length": 1.4, "petal width": 0.2}
... )
"""

from kserve_client.auth import BasicAuth, BearerAuth, CookieAuth, OidcAuth
from kserve_client.catalog import Catalog
from kserve_client.client import InferenceClient, ModelMetadata, ServerMetadata
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    AccessError,
    CatalogError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    InputError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerError,
    NoAnswerInTimeError,
    NotFoundError,
    NotReadyError,
    RowIssue,
    RowsError,
    ServerError,
    TLSError,
)
from kserve_client.events import CallEvent
from kserve_client.model import Model
from kserve_client.predictions import Prediction, Predictions
from kserve_client.signature import Choice, Feature, ImageSpec, Output, Signature
from kserve_client.tensors import InferRequest, InferResponse, RequestedOutput, Tensor
from kserve_client.transport import tracing

__all__ = [
    "AccessError",
    "BasicAuth",
    "BearerAuth",
    "CallEvent",
    "Catalog",
    "CatalogError",
    "Choice",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLostError",
    "CookieAuth",
    "Endpoint",
    "Feature",
    "ImageSpec",
    "InferRequest",
    "InferResponse",
    "InferenceClient",
    "InputError",
    "InvalidAnswerError",
    "KServeClientError",
    "Model",
    "ModelMetadata",
    "NoAnswerError",
    "NoAnswerInTimeError",
    "NotFoundError",
    "NotReadyError",
    "OidcAuth",
    "Output",
    "Prediction",
    "Predictions",
    "RequestedOutput",
    "RowIssue",
    "RowsError",
    "ServerError",
    "ServerMetadata",
    "Signature",
    "TLSError",
    "Tensor",
    "tracing",
]
