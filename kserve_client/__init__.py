"""A client for models that speak the Open Inference Protocol (V2): KServe, MLServer and others.

>>> from kserve_client import Catalog
>>> model = Catalog.load("models.yaml").model("iris")
>>> model.predict(
...     {"sepal length": 5.1, "sepal width": 3.5, "petal length": 1.4, "petal width": 0.2}
... )
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
        NoSuchOutputError,
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
    "NoSuchOutputError",
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

# Which module each name comes from: it is imported when the name is first used (PEP 562), so that a
# program pays only for what it uses. numpy, pydantic and requests take longer to import than all else.
_MODULES = {
    "auth": ("BasicAuth", "BearerAuth", "CookieAuth", "OidcAuth"),
    "catalog": ("Catalog",),
    "client": ("InferenceClient", "ModelMetadata", "ServerMetadata"),
    "endpoint": ("Endpoint",),
    "errors": (
        "AccessError",
        "CatalogError",
        "ConfigurationError",
        "ConnectError",
        "ConnectionLostError",
        "InputError",
        "InvalidAnswerError",
        "KServeClientError",
        "NoAnswerError",
        "NoAnswerInTimeError",
        "NoSuchOutputError",
        "NotFoundError",
        "NotReadyError",
        "RowIssue",
        "RowsError",
        "ServerError",
        "TLSError",
    ),
    "events": ("CallEvent",),
    "model": ("Model",),
    "predictions": ("Prediction", "Predictions"),
    "signature": ("Choice", "Feature", "ImageSpec", "Output", "Signature"),
    "tensors": ("InferRequest", "InferResponse", "RequestedOutput", "Tensor"),
    "transport": ("tracing",),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}

# A type checker reads the imports above; from this it would take any name for one of ours.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import what is asked for, and keep it."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        """Name what can be had, loaded or not."""
        return sorted({*globals(), *__all__})
