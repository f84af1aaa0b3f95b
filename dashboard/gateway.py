"""Every cache and every client the pages use.

What is cached here is shared by all people who look. The first three arguments of each cached
function are the models file and its state on disk, so that nothing outlives a change of the file.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.jobs import Jobs
from dashboard.monitor import Monitor
from dashboard.settings import settings
from kserve_client.catalog import Catalog
from kserve_client.client import ModelMetadata, ServerMetadata
from kserve_client.errors import CatalogError, ConfigurationError
from kserve_client.health import Ladder, check, check_all
from kserve_client.model import Model, PredictionExchange

HEALTH_TTL_S = 3
LADDER_TTL_S = 5
METADATA_TTL_S = 30


class NoModelsFileError(ConfigurationError):
    """Nobody said which models there are."""


def catalog() -> Catalog:
    """The models of the models file, read again when the file changes.

    Raises NoModelsFileError when none is named, CatalogError when it is wrong.
    """
    path = settings().models
    if path is None:
        raise NoModelsFileError("no models file is named; set KSERVE_CLIENT_MODELS")
    return _catalog(*_version())


def open_model(name: str) -> Model:
    """A model of the catalog."""
    catalog()
    return _model(*_version(), name)


def predict(name: str, row: dict[str, Any]) -> PredictionExchange:
    """Ask a model about one row."""
    return open_model(name).exchange([row])


def ladders() -> dict[str, Ladder]:
    """The health of every model up to its ready check, at most three seconds old."""
    catalog()
    return _ladders(*_version())


def ladder(name: str) -> Ladder:
    """The health of one model with a test inference, at most five seconds old."""
    catalog()
    return _ladder(*_version(), name)


def server_metadata(name: str) -> ServerMetadata:
    """What the server of a model says of itself, at most half a minute old."""
    return _server_metadata(*_version(), name)


def model_metadata(name: str) -> ModelMetadata:
    """What the server says of a model, at most half a minute old."""
    return _model_metadata(*_version(), name)


@st.cache_resource(max_entries=1, show_spinner=False)
def monitor() -> Monitor:
    """What the health checks of this process saw."""
    return Monitor()


@st.cache_resource(max_entries=1, show_spinner=False, on_release=Jobs.close)
def jobs() -> Jobs:
    """The batch jobs of this process."""
    return Jobs()


def _version() -> tuple[str, int, int]:
    """The models file and its state on disk: the key of everything that hangs on it."""
    path = settings().models
    try:
        found = path.stat() if path else None
    except OSError:
        found = None
    if path is None or found is None:
        raise CatalogError("there is no such file", source=str(path))
    return str(path), found.st_mtime_ns, found.st_size


@st.cache_resource(max_entries=4, show_spinner=False)
def _catalog(path: str, mtime_ns: int, size_bytes: int) -> Catalog:
    return Catalog.load(path)


@st.cache_resource(max_entries=200, ttl=300, show_spinner=False)
def _model(path: str, mtime_ns: int, size_bytes: int, name: str) -> Model:
    return _catalog(path, mtime_ns, size_bytes).model(name)


@st.cache_resource(max_entries=2, ttl=HEALTH_TTL_S, show_spinner=False)
def _ladders(path: str, mtime_ns: int, size_bytes: int) -> dict[str, Ladder]:
    models = _catalog(path, mtime_ns, size_bytes)
    found = check_all(models, list(models), with_inference=False)
    monitor().observe(found)
    return {ladder.model: ladder for ladder in found}


@st.cache_resource(max_entries=200, ttl=LADDER_TTL_S, show_spinner=False)
def _ladder(path: str, mtime_ns: int, size_bytes: int, name: str) -> Ladder:
    return check(_catalog(path, mtime_ns, size_bytes), name)


@st.cache_resource(max_entries=200, ttl=METADATA_TTL_S, show_spinner=False)
def _server_metadata(path: str, mtime_ns: int, size_bytes: int, name: str) -> ServerMetadata:
    return _model(path, mtime_ns, size_bytes, name).client.server_metadata()


@st.cache_resource(max_entries=200, ttl=METADATA_TTL_S, show_spinner=False)
def _model_metadata(path: str, mtime_ns: int, size_bytes: int, name: str) -> ModelMetadata:
    return _model(path, mtime_ns, size_bytes, name).metadata()
