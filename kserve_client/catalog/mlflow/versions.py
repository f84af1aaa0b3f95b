"""Registered models and their versions: found by name, with words for what is not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches

from kserve_client.catalog.mlflow.about import moment, tags_of, text
from kserve_client.catalog.mlflow.answers import Plain, object_in, objects_in
from kserve_client.catalog.mlflow.reference import Reference
from kserve_client.catalog.mlflow.rest import Rest, UnknownError
from kserve_client.catalog.mlflow.settings import joined
from kserve_client.errors import ConfigurationError, KServeClientError

VERSIONS_A_PAGE = "200"
MOST_PAGES = 50
NAMES_TO_CHOOSE_FROM = "100"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model.

    `model_id` is the id of its logged model, "" for a model that was logged before MLflow 3.
    """

    name: str
    version: str
    aliases: tuple[str, ...] = ()
    run_id: str = ""
    created: datetime | None = None
    source: str = ""
    model_id: str = ""
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)


def by_logged_model(found: Sequence[ModelVersion]) -> dict[str, ModelVersion]:
    """Versions, the newest first, by `model_id`.

    One logged model may be several of them: the newest counts, and before it one that has an alias.
    """
    known: dict[str, ModelVersion] = {}
    for one in sorted(found, key=lambda one: not one.aliases):
        if one.model_id:
            known.setdefault(one.model_id, one)
    return known


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that one MLflow knows. Errors are ConfigurationErrors that say what there is."""

    rest: Rest

    def one(self, wanted: Reference) -> Plain:
        """The model version of a reference, as MLflow tells it."""
        if wanted.alias:
            path, more = "registered-models/alias", {"alias": wanted.alias}
        else:
            path, more = "model-versions/get", {"version": wanted.version}
        try:
            answer = self.rest.get(path, name=wanted.name, **more)
        except UnknownError:
            raise ConfigurationError(self._what_there_is(wanted)) from None
        return self.rest.part(answer, "model_version")

    def of(self, name: str) -> tuple[ModelVersion, ...]:
        """All versions of a registered model, the newest first."""
        try:
            registered = self.rest.get("registered-models/get", name=name)
        except UnknownError:
            raise ConfigurationError(f"{self._no_model(name)}{self._others(name)}") from None
        aliases: dict[str, list[str]] = {}
        for one in objects_in(object_in(registered, "registered_model"), "aliases"):
            aliases.setdefault(text(one.get("version")), []).append(text(one.get("alias")))
        found = [_version(one, aliases) for one in self._pages(name)]
        return tuple(sorted(found, key=_newest_last, reverse=True))

    def _pages(self, name: str) -> Iterator[Plain]:
        """All versions of exactly this name.

        MLflow's filter can't hold a quote within quotes of its kind; there are two kinds of them.
        """
        quote = "'" if '"' in name else '"'
        if quote in name:
            raise ConfigurationError(f"MLflow can't be asked for the versions of {name!r}")
        query = {"filter": f"name={quote}{name}{quote}", "max_results": VERSIONS_A_PAGE}
        for _ in range(MOST_PAGES):
            page = self.rest.get("model-versions/search", **query)
            yield from (
                one for one in objects_in(page, "model_versions") if one.get("name") == name
            )
            query["page_token"] = text(page.get("next_page_token"))
            if not query["page_token"]:
                return

    # What there is instead

    def _what_there_is(self, wanted: Reference) -> str:
        try:
            versions = self.of(wanted.name)
        except ConfigurationError as error:
            return str(error)
        except KServeClientError:
            return f"{self._no_model(str(wanted))}"
        aliases = [f"{alias} (version {one.version})" for one in versions for alias in one.aliases]
        numbers = [one.version for one in versions]
        lacking = f"alias {wanted.alias}" if wanted.alias else f"version {wanted.version}"
        there = joined(aliases if wanted.alias else numbers) or "none"
        return f"{self._where}: the model {wanted.name} has no {lacking}; there is {there}"

    def _no_model(self, name: str) -> str:
        return f"{self._where} has no registered model {name}"

    def _others(self, name: str) -> str:
        try:
            found = self.rest.get("registered-models/search", max_results=NAMES_TO_CHOOSE_FROM)
        except KServeClientError:
            return ""
        names = [text(one.get("name")) for one in objects_in(found, "registered_models")]
        if near := get_close_matches(name, names, n=1):
            return f"; did you mean {near[0]}?"
        return f"; there is {joined(names) or 'none'}"

    @property
    def _where(self) -> str:
        return f"MLflow at {self.rest.endpoint.name}"


def model_id_of(version: Plain) -> str:
    """The id of the logged model of a version; it stands in `source` alone."""
    try:
        return Reference.parse(text(version.get("source"))).model_id
    except ConfigurationError:
        return ""


def _version(given: Plain, aliases: dict[str, list[str]]) -> ModelVersion:
    version = text(given.get("version"))
    return ModelVersion(
        name=text(given.get("name")),
        version=version,
        aliases=tuple(aliases.get(version, ())),
        run_id=text(given.get("run_id")),
        created=moment(given.get("creation_timestamp")),
        source=text(given.get("source")),
        model_id=model_id_of(given),
        description=text(given.get("description")),
        tags=tags_of(given),
    )


def _newest_last(one: ModelVersion) -> tuple[int, str]:
    """Versions are numbers in texts: 10 is newer than 9."""
    return len(one.version), one.version
