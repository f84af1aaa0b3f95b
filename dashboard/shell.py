"""Navigation, the page guard, and the frame around every page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

from dashboard import gateway
from dashboard.loading import Loaded
from dashboard.settings import settings
from dashboard.state import MODEL_KEY, asked_model, choose, chosen_model, name_in_address, session
from dashboard.views import NARROW_ONLY, clock, explained, literal, problem
from kserve_client.catalog import Catalog, Entry
from kserve_client.errors import ConfigurationError

if TYPE_CHECKING:
    from kserve_client.catalog.cluster import Found

PRODUCT = "kserve-client"
ICON = Path(__file__).with_name("icon.svg")
# No part of a page waits for it, see `_come_back`.
COME_BACK_S = 3600.0
# A cluster is asked through in less than a second, where it answers.
AWAITED_S = 0.5
# The parts of the page Details, as they stand in the address.
PART_KEY = "part"
KNOWN, LEARN, CHECKS, SERVER = (
    "Inputs and outputs",
    "Learn from a CSV",
    "Checks",
    "What the server says",
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model a page is about."""

    name: str
    title: str
    entry: Entry
    catalog: Catalog


def navigation() -> StreamlitPage:
    """Register every page. The first call of app.py, on each run."""
    # Without icons: for the icon of a page the browser would ask an outside host.
    return st.navigation(
        {
            "Use": [
                st.Page("pages/home.py", title="Models", default=True),
                st.Page("pages/predict.py", title="Predict"),
                st.Page("pages/batch.py", title="Batch"),
            ],
            "Operate": [
                st.Page("pages/model.py", title="Details"),
                st.Page("pages/health.py", title="Health"),
            ],
        }
    )


def page_guard() -> None:
    """Send a page that was started without app.py back through it. The first line of every page.

    Until `st.navigation` ran once in a process, Streamlit serves each file in pages/ by itself:
    whatever app.py does first would be passed by.
    """
    if PagesManager.uses_pages_directory:
        navigation()
        st.rerun()


def frame(page: StreamlitPage) -> None:
    """What stands around every page: its window, the model picker, and where we are."""
    st.set_page_config(f"{page.title} · {PRODUCT}", page_icon=str(ICON), layout="wide")
    st.html(NARROW_ONLY)
    _come_back()
    with st.sidebar:
        _picker()
        if settings().badge:
            st.badge(settings().badge, icon=":material/science:", color="gray")
    try:
        loaded = gateway.loaded()
    except ConfigurationError:
        return  # there is none to show; the page explains it
    gateway.recover_jobs()
    _older_reading(loaded)


@st.fragment(run_every=COME_BACK_S)
def _come_back() -> None:
    """Draw nothing: its being there has the browser ask for the whole page when it connects again.

    Streamlit's page does so (1.67) where a part of it refreshes by itself. Otherwise, connected to
    another replica, it would show what it had, and a click into a fragment would be passed over.
    """


def _older_reading(loaded: Loaded) -> None:
    """The models file was edited and is wrong now: what is wrong, and what is shown meanwhile."""
    if loaded.problem is not None:
        st.warning(
            literal(f"{str(loaded.problem).rstrip('.')} – until it is mended, what was read at ")
            + f"{clock(loaded.loaded_at)} stays in use.",
            title="The models file has a mistake",
            icon=":material/history:",
        )


@contextmanager
def page(title: str) -> Iterator[Chosen]:
    """The frame of a page about one model. Explains, and ends the page, when there is none."""
    catalog = _catalog_or_stop(title)
    if _is_awaited(catalog):
        st.title(title)
        cluster_problems(catalog.found())
        _look_again_for_it()
        st.stop()
    name = chosen_model()
    if name is None or name not in catalog:
        name = next(iter(catalog))
    chosen = Chosen(name, catalog.title(name), catalog.entry(name), catalog)
    with explained():
        try:
            yield chosen
        except ConfigurationError:
            if gateway.description(name).signature is not None:
                raise
            _undescribed(name)


def _undescribed(name: str) -> None:
    """No source says what the model takes: there is no form yet, and here is how to get one."""
    st.info(
        "This model does not say what it takes, so there is no form for it yet. Learn one from a "
        "CSV of usual rows, or describe the model in the models file.",
        icon=":material/upload_file:",
    )
    st.page_link(
        "pages/model.py",
        label=LEARN,
        icon=":material/arrow_forward:",
        query_params={"m": name, PART_KEY: LEARN},
    )


def models(title: str) -> Catalog:
    """The catalog for a page about all models. Explains, and ends the page, when there is none."""
    return _catalog_or_stop(title)


def _picker() -> None:
    try:
        catalog = gateway.catalog()
    except ConfigurationError:
        return  # the page explains it
    if not len(catalog) or _is_awaited(catalog):
        return
    labels = _labels(catalog)
    names = {label: name for name, label in labels.items()} | {name: name for name in labels}
    asked = asked_model()
    if asked in labels and labels[asked] != asked and chosen_model() is None:
        # Streamlit's binding keeps the words of the list in the address, not the names behind them.
        name_in_address(labels[asked])
        st.rerun()
    is_new, session().link = asked != session().link, asked
    if is_new and asked in names:
        choose({MODEL_KEY: names[asked]})
    elif is_new and asked is not None:
        st.toast(literal(f"The link names a model that is not in the catalog: {asked!r}"))
    st.selectbox(
        "Model",
        list(labels),
        key=MODEL_KEY,
        format_func=lambda name: labels.get(name, name),
        bind="query-params",
        persist_state="session",
    )


def _is_awaited(catalog: Catalog) -> bool:
    """Whether the link names a model that the cluster may have, which was not asked through yet."""
    found, asked = catalog.found(), asked_model()
    if found is None or found.is_complete or asked is None:
        return False
    return asked not in catalog and asked not in _labels(catalog).values()


@st.fragment(run_every=AWAITED_S)
def _look_again_for_it() -> None:
    """Open the page anew once the model is there, or is not in the cluster either."""
    with explained():
        if not _is_awaited(gateway.catalog()):
            st.rerun()


def _labels(catalog: Catalog) -> dict[str, str]:
    """What the picker shows for each model: its title, with its name where titles are the same."""
    titles = catalog.titles()  # at one moment: the cluster may change meanwhile
    counts = Counter(titles.values())
    return {
        name: title if counts[title] == 1 else f"{title} ({name})" for name, title in titles.items()
    }


def _catalog_or_stop(title: str) -> Catalog:
    try:
        catalog = gateway.catalog()
    except gateway.NoModelsFileError:
        _welcome(title, "No models file is named yet.")
    except ConfigurationError as error:
        st.title(title)
        problem(error)
    else:
        if len(catalog):
            return catalog
        found = catalog.found()
        if found is None:
            _welcome(title, "The models file has no models yet.")
        else:
            _empty_cluster(title, found)
    return st.stop()


def cluster_problems(found: Found | None) -> None:
    """What could not be seen of the cluster: a calm line, and the reasons for whom they help."""
    if found is None:
        return
    if found.problems:
        with st.expander("Not all of the cluster can be seen", icon=":material/cloud_off:"):
            for one in found.problems:
                st.caption(literal(f"Kubernetes, {one}"))
    if not found.is_complete:
        st.caption(":material/hourglass_top: Looking for models in the cluster")


def _empty_cluster(title: str, found: Found) -> None:
    """The models file leaves it to the cluster, which shows none."""
    st.title(title)
    if found.problems:
        st.markdown("No model can be seen yet:")
    elif found.is_complete:
        st.markdown("There is no InferenceService in the namespaces that the models file names.")
    cluster_problems(found)
    _look_again()


@st.fragment(run_every=settings().refresh_s)
def _look_again() -> None:
    """Open the page anew once there is a model."""
    with explained():
        if len(gateway.catalog()):
            st.rerun()


def _welcome(title: str, why: str) -> None:
    """Nothing to show yet: how to get there, in three steps."""
    st.title(title)
    st.markdown(f"{why} Three steps:")
    steps = (
        ("Connect", "Write the address of a V2 server under `endpoints` in a YAML file."),
        ("Describe", "Name each model and its inputs under `models`: units, ranges, choices."),
        ("Predict", "Set `KSERVE_CLIENT_MODELS` to the file and start the dashboard again."),
    )
    with st.grid(3, min_column_width=220):
        for number, (name, text) in enumerate(steps, 1):
            with st.container(border=True):
                st.markdown(f"**{number}. {name}**")
                st.markdown(text)
    st.markdown("To see it at work first, run `./scripts/demo.sh`: it brings models and a server.")
