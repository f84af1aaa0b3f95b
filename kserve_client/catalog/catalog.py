"""Catalog: models by name, each opened as a `Model` on a client shared per endpoint."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from kserve_client.catalog.models_file import Entry, ModelsFile, load_models_file
from kserve_client.client import InferenceClient
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError
from kserve_client.model import Model


class Catalog:
    """The models of a models file. May be shared between threads."""

    def __init__(self, content: ModelsFile) -> None:
        self._content = content
        self._clients: dict[str, InferenceClient] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a models file. Raises CatalogError naming the file, the line and the field."""
        return cls(load_models_file(Path(path)))

    def __len__(self) -> int:
        return len(self._content.models)

    def __iter__(self) -> Iterator[str]:
        return iter(self._content.models)

    def __contains__(self, name: object) -> bool:
        return name in self._content.models

    def entry(self, name: str) -> Entry:
        """What the catalog says of a model.

        Raises ConfigurationError, naming the models there are.
        """
        try:
            return self._content.models[name]
        except KeyError:
            known = ", ".join(self) or "none"
            raise ConfigurationError(
                f"no model {name!r} in the catalog; there is {known}"
            ) from None

    def title(self, name: str) -> str:
        """The model's name for people."""
        return self.entry(name).title or name

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint of a model."""
        return self._content.endpoints[self.entry(name).endpoint]

    def model(self, name: str) -> Model:
        """Open a model, on the one client of its endpoint."""
        entry = self.entry(name)
        return Model(
            self.client(entry.endpoint),
            entry.model_name or name,
            version=entry.model_version,
            signature=entry.signature,
        )

    def client(self, endpoint_name: str) -> InferenceClient:
        """The client of an endpoint, made on first use."""
        with self._lock:
            if endpoint_name not in self._clients:
                self._clients[endpoint_name] = InferenceClient(
                    self._content.endpoints[endpoint_name]
                )
            return self._clients[endpoint_name]
