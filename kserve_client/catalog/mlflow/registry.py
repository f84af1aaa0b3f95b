"""Registry: the models that one MLflow tracking server knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from kserve_client.catalog.facts import Draft, Source
from kserve_client.catalog.mlflow.about import Records, about, text
from kserve_client.catalog.mlflow.answers import Plain, object_in
from kserve_client.catalog.mlflow.draft import draft_of
from kserve_client.catalog.mlflow.files import example_of, mlmodel_of
from kserve_client.catalog.mlflow.reference import Reference
from kserve_client.catalog.mlflow.rest import Rest, UnknownError
from kserve_client.catalog.mlflow.versions import ModelVersion, Versions, model_id_of
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError, InvalidAnswerError, ServerError
from kserve_client.transport import Transport


class Registry:
    """Asks an MLflow tracking server about its models; may be shared between threads.

    Nothing but the server of `endpoint` is ever asked: no artifact store, no address that an answer
    names. Every method raises NoAnswerError when no whole answer came, AccessError when the server
    does not let us in, ConfigurationError, naming what there is, for a model it does not know, and
    InvalidAnswerError for a server that is no MLflow.
    """

    def __init__(self, endpoint: Endpoint, *, transport: Transport | None = None) -> None:
        self.endpoint = endpoint
        self._rest = Rest(endpoint, transport)
        self._versions = Versions(self._rest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._rest.close()

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """The versions of a registered model, the newest first."""
        return self._versions.of(name)

    def describe(self, reference: str) -> Draft:
        """What MLflow says of `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `models:/m-…`.

        What is missing beside the model itself, e.g. its MLmodel file or its run, or can't be used,
        is told in the draft's notes.
        """
        wanted = Reference.parse(reference)
        notes: list[str] = []
        records = self._records(wanted, notes)
        mlmodel = mlmodel_of(self._rest, records, notes)
        example = example_of(self._rest, records, mlmodel, notes)
        draft = draft_of(Source("MLflow", records.title), mlmodel, example, notes)
        links = [*draft.about.get("links", ()), *self._links(records)]
        return replace(draft, about=about(records, mlmodel, {**draft.about, "links": links}))

    def _records(self, wanted: Reference, notes: list[str]) -> Records:
        """All that the API says of a model. Only the model itself must be there."""
        if wanted.model_id:
            return self._with_run(self._logged(wanted.model_id), notes)
        version = self._versions.one(wanted)
        registered = self._beside(
            "registered model", notes, "registered-models/get", name=wanted.name
        )
        records = Records(version=version, registered=object_in(registered, "registered_model"))
        if model_id := model_id_of(version):
            found = self._beside("logged model", notes, f"logged-models/{model_id}")
            records = replace(records, model_id=model_id, logged=object_in(found, "model"))
        return self._with_run(records, notes)

    def _logged(self, model_id: str) -> Records:
        try:
            answer = self._rest.get(f"logged-models/{model_id}")
        except UnknownError:
            raise ConfigurationError(
                f"MLflow at {self.endpoint.name} has no logged model {model_id}"
            ) from None
        return Records(model_id=model_id, logged=self._rest.part(answer, "model"))

    def _with_run(self, records: Records, notes: list[str]) -> Records:
        if not records.run_id:
            return records
        found = self._beside("run", notes, "runs/get", run_id=records.run_id)
        return replace(records, run=object_in(found, "run"))

    def _beside(self, what: str, notes: list[str], path: str, **query: str) -> Plain:
        """An answer that is good to have; without it the rest goes on."""
        try:
            return self._rest.get(path, **query)
        except (ServerError, InvalidAnswerError) as error:
            notes.append(f"its {what} can't be read: {error}")
            return {}

    def _links(self, records: Records) -> list[dict[str, str]]:
        """Pages of MLflow's user interface."""
        page, links = self._rest.page, []
        if name := text(records.version.get("name")):
            url = page("models", name, "versions", text(records.version.get("version")))
            links.append({"title": f"MLflow: {records.title}", "url": url})
        if records.experiment_id and records.model_id:
            url = page("experiments", records.experiment_id, "models", records.model_id)
            links.append({"title": "MLflow: logged model", "url": url})
        if records.experiment_id and records.run_id:
            url = page("experiments", records.experiment_id, "runs", records.run_id)
            links.append({"title": "MLflow: run", "url": url})
        return links
