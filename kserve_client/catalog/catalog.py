"""Catalog: models by name, each opened as a `Model` on a client shared per endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from kserve_client.catalog.logged import LONGEST_ASK_S, Logged
from kserve_client.catalog.models_file import Entry, Example, ModelsFile, load_models_file
from kserve_client.catalog.summary import Summary, summarise
from kserve_client.client import InferenceClient
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError
from kserve_client.model import Model
from kserve_client.signature import Signature
from kserve_client.transport import DEFAULT_RETRIES, Transport
from kserve_client.transport.forks import Turn

if TYPE_CHECKING:
    from kserve_client.catalog.cluster import Found, Problem
    from kserve_client.catalog.inference_services import InferenceService
    from kserve_client.catalog.mlflow import ModelVersion

Discovery = Callable[[], "Found"]
MODELS_FILE = Source("models file")


class Catalog:
    """The models of a models file and of the cluster it names. May be shared between threads.

    `folder` is where the files lie that the models file names. `discovery` gives the
    InferenceServices that are known at the moment; `logged` is what is known of MLflow's models.
    """

    def __init__(
        self,
        content: ModelsFile,
        *,
        folder: Path = Path(),
        discovery: Discovery | None = None,
        logged: Logged | None = None,
    ) -> None:
        self._content = content
        self._folder = folder
        self._discovery = discovery
        self._clients: dict[tuple[str, str], InferenceClient] = {}
        self._lock = Turn()
        self._logged = logged or Logged(content.mlflow)

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
        problem = self._unseen(name) if "/" in name else None  # as only the cluster names models
        if problem is not None:
            raise ConfigurationError(f"model {name!r} can't be seen: {problem}") from problem.error
        known = ", ".join(self) or "none"
        raise ConfigurationError(f"no model {name!r} in the catalog; there is {known}")

    def service(self, name: str) -> InferenceService | None:
        """The InferenceService behind a model; None for a model of an endpoint of the file."""
        wanted = self.entry(name).inference_service
        if wanted is None:
            return None
        services = self.services()
        found = _named(wanted, services)
        if len(found) == 1:
            return found[0]
        if found:
            where = " and ".join(one.namespace for one in found)
            raise ConfigurationError(
                f"model {name!r}: {wanted} is an InferenceService in {where}; write NAMESPACE/NAME"
            )
        problem = self._unseen(wanted)
        told = ConfigurationError(f"model {name!r}: {self._no_service(wanted, problem)}")
        raise told from (problem.error if problem else None)

    def _unseen(self, wanted: str) -> Problem | None:
        """What was in the way of seeing an InferenceService, if anything was."""
        found = self.found()
        where = wanted.rpartition("/")[0]
        for problem in found.problems if found else ():
            if not (where and problem.namespace) or problem.namespace == where:
                return problem
        return None

    def _no_service(self, wanted: str, problem: Problem | None) -> str:
        """Why an InferenceService is not there, as far as that is known."""
        if problem is not None:
            return f"InferenceService {wanted} can't be seen: {problem}"
        found = self.found()
        if found and not found.is_complete:
            return f"InferenceService {wanted} is still being looked for in the cluster"
        known = ", ".join(self.services()) or "none"
        return f"there is no InferenceService {wanted}; there is {known}"

    def title(self, name: str) -> str:
        """The model's name for people, as far as it is known; the name where nobody says one."""
        return self.summary(name).title

    def summary(self, name: str) -> Summary:
        """What is known of a model without asking: of MLflow, what it said when it was last asked.

        Raises ConfigurationError for a model that is not in the catalog.
        """
        entry = self.entry(name)
        # A model on an endpoint of the file does not wait for the cluster.
        return self._summary(name, entry, self.services() if entry.inference_service else {})

    def summaries(self) -> dict[str, Summary]:
        """What is known of all models, as they are at one moment."""
        services = self.services()
        entries = {name: service.entry for name, service in services.items()} | self._content.models
        return {
            name: self._summary(name, entries[name], services) for name in self._names(services)
        }

    def _summary(
        self, name: str, entry: Entry, services: Mapping[str, InferenceService]
    ) -> Summary:
        entries = _entries(entry, services)
        return summarise(name, entries, self._logged.known(_mlflow(entries)))

    def look_beside(self) -> None:
        """Have MLflow asked for what summaries tell of it, at most once a minute. Returns at once."""
        services = self.services()
        entries = [*self._content.models.values(), *(one.entry for one in services.values())]
        found = [_mlflow(_entries(entry, services)) for entry in entries]
        self._logged.look(reference for reference in found if reference)

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """The versions of a model's registered model, the newest first; none without one.

        MLflow is asked. Raises what `Registry.versions` raises.
        """
        from kserve_client.catalog.mlflow import Reference

        service = self.service(name)
        reference = _mlflow([self.entry(name), service.form] if service else [self.entry(name)])
        registered = Reference.parse(reference).name if reference else ""
        return self._logged.versions(registered) if registered else ()

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
        if reference := _mlflow([entry, service.form] if service else [entry]):
            ask = partial(self._logged.describe, reference)
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


def _named(wanted: str | None, services: Mapping[str, InferenceService]) -> list[InferenceService]:
    """The service that NAMESPACE/NAME names, or those that NAME does."""
    if wanted and wanted in services:
        return [services[wanted]]
    return [one for one in services.values() if one.name == wanted]


def _entries(entry: Entry, services: Mapping[str, InferenceService]) -> list[Entry]:
    """What the file says of a model, and then what the one service behind it does."""
    found = _named(entry.inference_service, services)
    return [entry, found[0].form] if len(found) == 1 else [entry]


def _mlflow(entries: Sequence[Entry]) -> str | None:
    """The MLflow model that the first to name one names, e.g. models:/iris@champion."""
    return next((entry.mlflow for entry in entries if entry.mlflow), None)


def _asked_once(content: ModelsFile) -> Discovery | None:
    if content.kubernetes is None:
        return None
    settings, lock = content.kubernetes, Turn()
    found: list[Found] = []

    def ask() -> Found:
        from kserve_client.catalog.cluster import Cluster

        with lock:
            if not found:
                found.append(Cluster(settings).list())
            return found[0]

    return ask
