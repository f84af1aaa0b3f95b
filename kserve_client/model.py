"""Model: an endpoint with a signature. Rows in, predictions out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from kserve_client.client import Exchange, InferenceClient, ModelMetadata
from kserve_client.errors import ConfigurationError
from kserve_client.frames import index_of, request_of
from kserve_client.predictions import Predictions
from kserve_client.signature import Signature, from_metadata
from kserve_client.tensors import InferRequest


@dataclass(frozen=True, eq=False, slots=True)
class PredictionExchange:
    """Predictions with the request and answer that made them."""

    predictions: Predictions
    exchange: Exchange


class Model:
    """A model that answers at an endpoint.

    `name` is its name on the server. Without a `signature`, `describe` is asked for one, once, with
    the token of the call that needs it; left out, the model's own V2 metadata is asked. May be
    shared between threads, and pickled: a model with `describe` is asked for its signature then.
    """

    def __init__(
        self,
        client: InferenceClient,
        name: str,
        *,
        version: str | None = None,
        signature: Signature | None = None,
        describe: Callable[[str | None], Signature | None] | None = None,
    ) -> None:
        self.client = client
        self.name = name
        self.version = version
        self._signature = signature
        self._describe = describe

    def __repr__(self) -> str:
        return f"Model({self.name!r} on {self.client.endpoint.name})"

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy has the signature with it: what describes a model may be a whole catalog."""
        signature = self.signature if self._describe else self._signature
        made = partial(type(self), version=self.version, signature=signature)
        return made, (self.client, self.name)

    @property
    def signature(self) -> Signature:
        """What goes in and comes out. Raises ConfigurationError when nobody says it."""
        return self._known_signature(None)

    def _known_signature(self, token: str | None) -> Signature:
        """The signature; the first one that needs it may ask for it with a token of their own."""
        if self._signature is None:
            self._signature = (self._describe or self._described_by_metadata)(token)
        if self._signature is None:
            raise ConfigurationError(
                f"model {self.name!r} does not say what it takes: its metadata names no inputs. "
                "Describe its features under signature in the models file"
            )
        return self._signature

    def _described_by_metadata(self, token: str | None) -> Signature | None:
        return from_metadata(self.metadata(token=token))

    def metadata(self, *, token: str | None = None) -> ModelMetadata:
        """The model's metadata as the server gives it."""
        return self.client.model_metadata(self.name, self.version, token=token)

    def is_ready(self, *, token: str | None = None) -> bool:
        """Whether the model takes requests."""
        return self.client.is_model_ready(self.name, self.version, token=token)

    def build(self, rows: Any, *, token: str | None = None) -> InferRequest:
        """The request that `predict` would send.

        Raises RowsError or InputError for rows that don't fit.
        """
        return request_of(self._known_signature(token), rows)

    def predict(self, rows: Any, *, token: str | None = None) -> Predictions:
        """Predict one row (a mapping or Series), rows (mappings), a table or an array [rows, features].

        A table is a DataFrame of pandas' or Polars', or a table of Arrow's. Lists of numbers, one per
        feature, stand for an array. One prediction per row, in order, under the index of the DataFrame
        where it has one. `token` is a bearer token for this call alone, instead of the
        endpoint's auth, as in every method here. Raises RowsError, naming every cell that can't be read,
        before anything is sent; else what `InferenceClient.infer` raises.
        """
        return self.exchange(rows, token=token).predictions

    def exchange(self, rows: Any, *, token: str | None = None) -> PredictionExchange:
        """Predict, and keep the request and answer for people who want to see them."""
        request = self.build(rows, token=token)
        exchange = self.infer(request, token=token)
        count = request.inputs[0].shape[0]
        predictions = Predictions(self.signature, exchange.response, count, index_of(rows))
        return PredictionExchange(predictions, exchange)

    def infer(
        self, request: InferRequest, *, token: str | None = None, retries: int | None = None
    ) -> Exchange:
        """Send a request that is already built; `retries` as in `InferenceClient.exchange`."""
        return self.client.exchange(
            self.name, request, model_version=self.version, token=token, retries=retries
        )
