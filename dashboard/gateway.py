"""Every cache and every client the pages use.

What is cached here is shared by all people who look. The first two arguments of each cached function
are the models file and the number of its reading, so that nothing outlives a change of the file.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.digest import Digest, Matches, Segment, Wanted
from dashboard.digest import digest as digest_of
from dashboard.digest import find as find_rows
from dashboard.digest import segments as segments_of
from dashboard.jobs import Jobs, JobView, NamedSource, Spooled
from dashboard.loading import Loaded, ModelsFileLoader
from dashboard.monitor import Monitor
from dashboard.rounds import Look, Rounds
from dashboard.settings import settings
from kserve_client.catalog import Catalog, Description, Example
from kserve_client.catalog.inference_services import InferenceService
from kserve_client.catalog.mlflow import ModelVersion, by_logged_model
from kserve_client.client import ModelMetadata, ServerMetadata
from kserve_client.doctor import Report
from kserve_client.doctor import examine as examine_model
from kserve_client.errors import ConfigurationError, KServeClientError
from kserve_client.health import Ladder, check
from kserve_client.model import Model, PredictionExchange
from kserve_client.scoring import sendable_rows
from kserve_client.signature import Signature

# Shorter than it takes Streamlit (1.67) to show that a page is drawn anew, by its paleness.
SHORTLY_S, FIRST_LOOK_S = 0.3, 3.0
METADATA_TTL_S = 30
DESCRIPTION_TTL_S = 15
AT_REST = ("scaled to zero", "stopped")
REPORT_TTL_S = 3600
CLUSTER_S, CLUSTER_LOOK_S = 30.0, 0.5
RESULTS_TTL_S = 600


class NoModelsFileError(ConfigurationError):
    """Nobody said which models there are."""


def catalog() -> Catalog:
    """The models of the models file, read again when the file changes.

    Raises NoModelsFileError when none is named, CatalogError when it is wrong.
    """
    return loaded().catalog


def loaded() -> Loaded:
    """The models file in use; an older reading of it, with the problem, while it is wrong."""
    path = settings().models
    if path is None:
        raise NoModelsFileError("no models file is named; set KSERVE_CLIENT_MODELS")
    return _loader(str(path)).current()


def look_beside() -> None:
    """Have the sources asked what people call each model, for the next look. Returns at once.

    MLflow alone is asked, with the credentials of the models file: no server of a model is woken.
    """
    catalog().look_beside()


def open_model(name: str) -> Model:
    """A model of the catalog, with all that its sources say."""
    return catalog().model(name, description(name))


def description(name: str) -> Description:
    """What every source says of a model, at most half a minute old."""
    return _description(*_version(), name)


def examples(name: str) -> tuple[Example, ...]:
    """Rows to start from."""
    return catalog().examples(name, description(name))


def predict(name: str, row: dict[str, Any]) -> PredictionExchange:
    """Ask a model about one row."""
    return open_model(name).exchange([row])


def try_out(name: str, signature: Signature, row: dict[str, Any]) -> PredictionExchange:
    """Ask a model about one row by a signature that is not in the catalog. Nothing is kept."""
    return catalog().model(name, Description(signature)).exchange([row])


def looks(closer: str | None = None, *, longest_s: float = SHORTLY_S) -> dict[str, Look]:
    """The health of every model up to its ready check, and of `closer` with a test inference.

    As far as it is known `longest_s` after the check began: one that takes longer goes on beside.
    Models that are stopped, or may scale to zero, are not asked: that would wake them, or keep them
    awake. What the cluster says of them has to do.

    Raises ConfigurationError when `closer` is not in the catalog.
    """
    models = catalog()
    if closer is not None:
        models.entry(closer)
    alone = {key for key, service in models.services().items() if is_left_alone(service)}
    asked = [name for name in models if name == closer or _service_key(models, name) not in alone]
    seen = monitor()
    checks = {
        (name, name == closer): partial(_checked, models, name, seen, closely=name == closer)
        for name in asked
    }
    found = _rounds(*_version()).look(checks, longest_s=longest_s)
    return {name: look for (name, _), look in found.items()}


def versions(name: str) -> dict[str, ModelVersion]:
    """The versions that MLflow has of a model, at most half a minute old, by their `model_id`.

    Empty where MLflow is not set up for it, or does not answer: the description says why.
    """
    return _versions(*_version(), name)


def server_metadata(name: str) -> ServerMetadata:
    """What the server of a model says of itself, at most half a minute old."""
    return _server_metadata(*_version(), name)


def model_metadata(name: str) -> ModelMetadata:
    """What the server says of a model, at most half a minute old."""
    return _model_metadata(*_version(), name)


def examine(name: str) -> Report:
    """How well a model speaks V2, asked anew; some thirty small requests."""
    found = _reports(*_version())[name] = examine_model(catalog(), name)
    return found


def report(name: str) -> Report | None:
    """What the last examination found, by whoever asked for it; None when nobody did of late."""
    return _reports(*_version()).get(name)


@st.cache_resource(max_entries=1, show_spinner=False)
def monitor() -> Monitor:
    """What the health checks of this process saw."""
    return Monitor()


@st.cache_resource(max_entries=1, show_spinner=False, on_release=Jobs.close)
def jobs() -> Jobs:
    """The batch jobs of this process; the first call takes up those that another process left.

    Raises ConfigurationError when their folder can't be written, or their URL can't be used.
    """
    found = Jobs(settings())
    found.recover(_model_of_job)
    return found


def _model_of_job(name: str) -> Model:
    """A model by its name, for a job that goes on: one whose model is not there is stopped.

    The cluster takes a moment to say which models there are.
    """
    deadline = time.monotonic() + CLUSTER_S
    while name not in (models := catalog()) and time.monotonic() < deadline:
        found = models.found()
        # What can't be seen at the first look may be there at the next.
        if found is None or (found.is_complete and not found.problems):
            break
        time.sleep(CLUSTER_LOOK_S)
    return open_model(name)


def recover_jobs() -> None:
    """Take up the jobs that another process left, whichever page is opened first."""
    with suppress(ConfigurationError):  # the Batch page tells of a folder that can't be written
        jobs()


def discard(source: Spooled | NamedSource) -> None:
    """Remove an upload that no job took; a table that is offered stays."""
    if isinstance(source, Spooled):
        jobs().discard(source)


def digest(job: JobView) -> Digest:
    """What the results of a job add up to, those it has now."""
    return _digest(*_version(), *_results(job))


def sendable(job: JobView) -> int:
    """How many of the rows without a prediction can be sent once more as they are."""
    return _sendable(*_version(), *_results(job))


def first_failure(job: JobView) -> tuple[int, str] | None:
    """The first row of a job that failed, from 0, and why."""
    return _first_failure(*_results(job))


def find(job: JobView, wanted: Wanted) -> Matches:
    """The rows of a job that somebody looks for."""
    return _find(*_results(job), wanted)


def segments(job: JobView, column: int) -> tuple[Segment, ...]:
    """The answers of a job by the values of one of its source's columns."""
    return _segments(*_results(job), column)


def _results(job: JobView) -> tuple[str, str, str]:
    """The results of a job as they are now, and whose they are: the key of what is made of them."""
    return job.id, job.owner, f"{job.state} {job.counts!r} {job.finished}"


def _version() -> tuple[str, int]:
    """The models file and the number of its reading: the key of everything that hangs on it."""
    return str(settings().models), loaded().number


def _catalog(path: str, number: int) -> Catalog:
    return loaded().catalog


@st.cache_resource(max_entries=4, show_spinner=False, on_release=ModelsFileLoader.close)
def _loader(path: str) -> ModelsFileLoader:
    return ModelsFileLoader(Path(path))


@st.cache_resource(
    max_entries=200, ttl=DESCRIPTION_TTL_S, refresh_mode="background", show_spinner=False
)
def _description(path: str, number: int, name: str) -> Description:
    return _catalog(path, number).describe(name)


@st.cache_resource(max_entries=2, show_spinner=False, on_release=Rounds.close)
def _rounds(path: str, number: int) -> Rounds:
    return Rounds()


def _checked(models: Catalog, name: str, seen: Monitor, *, closely: bool) -> Ladder:
    found = check(models, name, with_inference=closely)
    seen.observe(found)
    return found


def is_left_alone(service: InferenceService) -> bool:
    """Whether looking at all models must not ask this one."""
    return service.may_sleep or service.state in AT_REST


def _service_key(models: Catalog, name: str) -> str | None:
    try:
        service = models.service(name)
    except ConfigurationError:
        return None  # the ladder says it
    return service.key if service else None


@st.cache_resource(max_entries=200, ttl=METADATA_TTL_S, show_spinner=False)
def _versions(path: str, number: int, name: str) -> dict[str, ModelVersion]:
    try:
        found = _catalog(path, number).versions(name)
    except KServeClientError:
        return {}
    return by_logged_model(found)


@st.cache_resource(max_entries=200, ttl=METADATA_TTL_S, show_spinner=False)
def _server_metadata(path: str, number: int, name: str) -> ServerMetadata:
    return _catalog(path, number).model(name).client.server_metadata()


@st.cache_resource(max_entries=200, ttl=METADATA_TTL_S, show_spinner=False)
def _model_metadata(path: str, number: int, name: str) -> ModelMetadata:
    return _catalog(path, number).model(name).metadata()


@st.cache_resource(max_entries=2, ttl=REPORT_TTL_S, show_spinner=False)
def _reports(path: str, number: int) -> dict[str, Report]:
    return {}


@st.cache_resource(max_entries=50, ttl=RESULTS_TTL_S, show_spinner=False)
def _digest(path: str, number: int, job_id: str, owner: str, state: str) -> Digest:
    with jobs().results(job_id, owner) as saved:
        model = saved.manifest.facts.model.name
        return digest_of(saved, open_model(model).signature)


@st.cache_resource(max_entries=50, ttl=RESULTS_TTL_S, show_spinner=False)
def _sendable(path: str, number: int, job_id: str, owner: str, state: str) -> int:
    with jobs().results(job_id, owner) as saved:
        return sendable_rows(saved, open_model(saved.manifest.facts.model.name))


@st.cache_resource(max_entries=50, ttl=RESULTS_TTL_S, show_spinner=False)
def _first_failure(job_id: str, owner: str, state: str) -> tuple[int, str] | None:
    with jobs().results(job_id, owner) as saved:
        return saved.first_failure()


@st.cache_resource(max_entries=20, ttl=RESULTS_TTL_S, show_spinner=False)
def _find(job_id: str, owner: str, state: str, wanted: Wanted) -> Matches:
    with jobs().results(job_id, owner) as saved:
        return find_rows(saved, wanted)


@st.cache_resource(max_entries=50, ttl=RESULTS_TTL_S, show_spinner=False)
def _segments(job_id: str, owner: str, state: str, column: int) -> tuple[Segment, ...]:
    with jobs().results(job_id, owner) as saved:
        return segments_of(saved, column)
