"""Catalog: models by name, each opened as a `Model` on a client shared per endpoint."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kserve_client.catalog.describing import (
    Question,
    SampleQuestion,
    describe,
    entry_draft,
    metadata_draft,
)
from kserve_client.catalog.facts import Description, Draft, Source
from kserve_client.catalog.models_file import Entry, Example, ModelsFile, load_models_file
from kserve_client.client import InferenceClient
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError
from kserve_client.model import Model
from kserve_client.signature import Signature
from kserve_client.transport import DEFAULT_RETRIES, Transport

if TYPE_CHECKING:
    from kserve_client.catalog.cluster import Found
    from kserve_client.catalog.inference_services import InferenceService
    from kserve_client.catalog.mlflow import Registry

Discovery = Callable[[], "Found"]
LONGEST_ASK_S = 3.0
MLFLOW_TTL_S = 60.0
MODELS_FILE = Source("models file")


class Catalog:
    """The models of a models file and of the cluster it names. May be shared between threads.

    `folder` is where the files lie that the models file names. `discovery` gives the
    InferenceServices that are known at the moment.
    """

    def __init__(
        self,
        content: ModelsFile,
        *,
        folder: Path = Path(),
        discovery: Discovery | None = None,
    ) -> None:
        self._content = content
        self._folder = folder
        self._discovery = discovery
        self._clients: dict[tuple[str, str], InferenceClient] = {}
        self._lock = threading.Lock()
        self._registry: Registry | None = None
        self._logged: dict[str, tuple[float, Draft | None]] = {}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a models file. Raises CatalogError naming the file, the line and the field.

        The cluster it names is asked when its models are first needed, once.
        """
        path = Path(path)
        content = load_models_file(path)
        return cls(content, folder=path.parent, discovery=_asked_once(content))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[str]:
        yield from self._names(self.services())

    def _names(self, services: Mapping[str, InferenceService]) -> Iterator[str]:
        """The models of the file, then the services that none of them stands for."""
        yield from self._content.models
        taken = {entry.inference_service for entry in self._content.models.values()}
        for key, service in services.items():
            if not {key, service.name} & taken and key not in self._content.models:
                yield key

    def __contains__(self, name: object) -> bool:
        return name in self._content.models or name in self.services()

    def services(self) -> Mapping[str, InferenceService]:
        """The InferenceServices of the cluster, as NAMESPACE/NAME; none without a cluster."""
        found = self.found()
        return found.services if found else {}

    def found(self) -> Found | None:
        """What the cluster said, its problems too; None when the models file names no cluster."""
        return self._discovery() if self._discovery else None

    def entry(self, name: str) -> Entry:
        """What the models file says of a model; of one it does not name, what the cluster says.

        Raises ConfigurationError, naming the models there are.
        """
        if name in self._content.models:
            return self._content.models[name]
        service = self.services().get(name)
        if service is not None:
            return service.entry
        known = ", ".join(self) or "none"
        raise ConfigurationError(f"no model {name!r} in the catalog; there is {known}")

    def service(self, name: str) -> InferenceService | None:
        """The InferenceService behind a model; None for a model of an endpoint of the file."""
        wanted = self.entry(name).inference_service
        if wanted is None:
            return None
        services = self.services()
        if wanted in services:
            return services[wanted]
        found = [one for one in services.values() if one.name == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            where = " and ".join(one.namespace for one in found)
            raise ConfigurationError(
                f"model {name!r}: {wanted} is an InferenceService in {where}; write NAMESPACE/NAME"
            )
        raise ConfigurationError(f"model {name!r}: {self._no_service(wanted)}")

    def _no_service(self, wanted: str) -> str:
        """Why an InferenceService is not there, as far as that is known."""
        found = self.found()
        where = wanted.rpartition("/")[0]
        for problem in found.problems if found else ():
            if not (where and problem.namespace) or problem.namespace == where:
                return f"InferenceService {wanted} can't be seen: {problem}"
        if found and not found.is_complete:
            return f"InferenceService {wanted} is still being looked for in the cluster"
        known = ", ".join(self.services()) or "none"
        return f"there is no InferenceService {wanted}; there is {known}"

    def title(self, name: str) -> str:
        """The model's name for people."""
        return self.entry(name).title or name

    def titles(self) -> dict[str, str]:
        """The names for people of all models, as they are at one moment."""
        services = self.services()
        entries = {name: service.entry for name, service in services.items()} | self._content.models
        return {name: entries[name].title or name for name in self._names(services)}

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint of a model. Raises ConfigurationError for a service without an address."""
        service = self.service(name)
        if service is None:
            return self._content.endpoints[self.entry(name).endpoint or ""]
        settings = self._content.kubernetes
        if settings is None:
            raise ConfigurationError(f"model {name!r}: the models file names no cluster")
        return service.endpoint(settings)

    def served_name(self, name: str) -> str:
        """The model's name on its server."""
        service = self.service(name)
        return self.entry(name).model_name or (service.served_name if service else name)

    def model(self, name: str, description: Description | None = None) -> Model:
        """Open a model, on the one client of its endpoint.

        Its sources are asked when its signature is first needed, unless a `description` is given.
        """
        entry = self.entry(name)
        return Model(
            self._client_of(name),
            self.served_name(name),
            version=entry.model_version,
            describe=partial(self._signature, name, description),
        )

    def client(self, endpoint_name: str) -> InferenceClient:
        """The client of an endpoint of the models file, made on first use."""
        return self._client(("endpoint", endpoint_name), self._content.endpoints[endpoint_name])

    def describe(self, name: str, *, token: str | None = None) -> Description:
        """Ask every source of a model and merge what they say; takes a few seconds at most.

        What MLflow says is at most a minute old; a sample is read again when its file changed.

        A source that can't be asked is a failure in the description. `token` is a bearer token for
        the model's server. Raises ConfigurationError for a model that is not in the catalog.
        """
        entry = self.entry(name)
        questions = [Question(Source("server metadata"), partial(self._metadata, name, token))]
        service = self.service(name)
        reference = entry.mlflow or (service.mlflow if service else None)
        if reference:
            ask = partial(self._mlflow, reference)
            questions.append(Question(Source("MLflow", reference), ask))
        known = [service.draft()] if service else []
        if name in self._content.models:
            known.append(entry_draft(entry, MODELS_FILE))
        sample = SampleQuestion(entry.sample, self._folder) if entry.sample else None
        return describe(questions, known, sample)

    def examples(self, name: str, description: Description) -> tuple[Example, ...]:
        """Rows to start from: those of the catalog, then those that other sources know."""
        own = self.entry(name).examples
        names = {example.name for example in own}
        others = [
            Example(name=title, row=dict(row))
            for title, row, _ in description.examples
            if title not in names
        ]
        return (*own, *others)

    def _signature(
        self, name: str, description: Description | None, token: str | None
    ) -> Signature | None:
        return (description or self.describe(name, token=token)).said_signature()

    def _metadata(self, name: str, token: str | None) -> Draft:
        # A source that takes long is left out of a form that somebody waits for.
        endpoint = self.endpoint(name).hastened(LONGEST_ASK_S)
        asking = self._client(("asked", name), endpoint, retries=0)
        version = self.entry(name).model_version
        return metadata_draft(asking.model_metadata(self.served_name(name), version, token=token))

    def _mlflow(self, reference: str) -> Draft:
        from kserve_client.catalog.mlflow import Registry

        if self._content.mlflow is None:
            raise ConfigurationError("the models file names no MLflow server under mlflow")
        with self._lock:
            self._registry = self._registry or Registry(
                self._content.mlflow.hastened(LONGEST_ASK_S)
            )
            read_at, draft = self._logged.get(reference, (0.0, None))
        if draft is None or time.monotonic() - read_at > MLFLOW_TTL_S:
            draft = self._registry.describe(reference)
            with self._lock:
                self._logged[reference] = time.monotonic(), draft
        return draft

    def _client_of(self, name: str) -> InferenceClient:
        key = self.entry(name).endpoint
        return self.client(key) if key else self._client(("found", name), self.endpoint(name))

    def _client(
        self, key: tuple[str, str], endpoint: Endpoint, *, retries: int = DEFAULT_RETRIES
    ) -> InferenceClient:
        """One client per endpoint, a fresh one when the cluster moved it."""
        with self._lock:
            if key not in self._clients or self._clients[key].endpoint != endpoint:
                transport = Transport(endpoint, retries=retries)
                self._clients[key] = InferenceClient(endpoint, transport=transport)
            return self._clients[key]


def _asked_once(content: ModelsFile) -> Discovery | None:
    if content.kubernetes is None:
        return None
    settings, lock = content.kubernetes, threading.Lock()
    found: list[Found] = []

    def ask() -> Found:
        from kserve_client.catalog.cluster import Cluster

        with lock:
            if not found:
                found.append(Cluster(settings).list())
            return found[0]

    return ask
