"""Navigation, the page guard, and the frame around every page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit import config
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

from dashboard import gateway, picker
from dashboard.loading import Loaded
from dashboard.rounds import Look
from dashboard.settings import accept_uploads, settings
from dashboard.state import ADDRESS_KEY, chosen_model
from dashboard.views import NARROW_ONLY, clock, explained, literal, problem
from kserve_client.catalog import Catalog, Entry
from kserve_client.errors import ConfigurationError

if TYPE_CHECKING:
    from kserve_client.catalog.cluster import Found

PRODUCT = "kserve-client"
ICON = Path(__file__).with_name("icon.svg")
_PAGES_OPTION = "client.showSidebarNavigation"
# No part of a page waits for it, see `_come_back`.
COME_BACK_S = 3600.0
# Streamlit's own Stop ends the drawing of a page, not a job or a request: its sign stays, alone.
HIDDEN = f"""<style>
.st-key-{picker.CARRIER} {{ display: none; }}
[data-testid="stStatusWidgetRunningIcon"] ~ * {{ display: none; }}
</style>"""
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
    entry: Entry
    catalog: Catalog

    @property
    def title(self) -> str:
        """Its name for people, as it is known by now."""
        return self.catalog.title(self.name)


def navigation() -> StreamlitPage:
    """Register every page. The first call of app.py, on each run."""
    accept_uploads()
    _show_pages()
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


def _show_pages() -> None:
    """Our .streamlit/config.toml hides the names of the files in pages/, and these as well (1.67.0).

    A variable or an argument is the wish of whoever runs the dashboard.
    """
    if "environment variable" not in config.get_where_defined(_PAGES_OPTION):
        st.set_option(_PAGES_OPTION, True)


def frame(page: StreamlitPage) -> None:
    """What stands around every page: its window, the model picker, and where we are."""
    st.set_page_config(f"{page.title} · {PRODUCT}", page_icon=str(ICON), layout="wide")
    st.html(NARROW_ONLY)
    st.html(HIDDEN)
    _come_back()
    with st.sidebar:
        picker.draw()
        if settings().badge:
            st.badge(settings().badge, icon=":material/science:", color="gray")
    try:
        loaded = gateway.loaded()
    except ConfigurationError:
        return  # there is none to show; the page explains it
    gateway.recover_jobs()
    _older_reading(loaded)
    gateway.look_beside()
    known = loaded.catalog.summaries()
    if any(not one.is_settled and one.title == name for name, one in known.items()):
        _take_titles(picker.picker_labels(known))


@st.fragment(run_every=settings().refresh_s)
def _take_titles(drawn: dict[str, str]) -> None:
    """Open the page anew once MLflow has said what a model is called, which nobody waits for."""
    with explained():
        gateway.look_beside()
        if picker.picker_labels(gateway.catalog().summaries()) != drawn:
            st.rerun()


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
    if picker.is_awaited(catalog):
        st.title(title)
        cluster_problems(catalog.found())
        _look_again_for_it()
        st.stop()
    name = chosen_model()
    if name is None or name not in catalog:
        if picker.is_named(catalog):
            st.rerun()  # the cluster told of it after the picker was drawn
        _no_such_model(title, catalog)
        st.stop()
    chosen = Chosen(name, catalog.entry(name), catalog)
    st.set_page_config(f"{chosen.title} · {title} · {PRODUCT}")
    with explained():
        try:
            yield chosen
        except ConfigurationError:
            if gateway.description(name).signature is not None:
                raise
            _undescribed(name)


def _no_such_model(title: str, catalog: Catalog) -> None:
    """The address names a model that is gone, or never was: nothing of another one is shown."""
    st.title(title)
    st.warning(
        "It was renamed or taken away, or its name is mistyped in the link.",
        title=literal(f"There is no model {picker.missing_model()}"),
        icon=":material/link_off:",
    )
    picker.draw_again(catalog)
    st.page_link("pages/home.py", label="All models", icon=":material/arrow_forward:")


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
        query_params={ADDRESS_KEY: name, PART_KEY: LEARN},
    )


def models(title: str) -> Catalog:
    """The catalog for a page about all models. Explains, and ends the page, when there is none."""
    return _catalog_or_stop(title)


def looks(closer: str | None = None) -> dict[str, Look]:
    """What is known of the health of the models; of `closer` with a test inference.

    Only where nothing is known of one a page waits for it, with a sign.
    """
    found = gateway.looks(closer)
    if all(look.ladder for look in found.values()):
        return found
    with st.spinner("Checking the models"):
        return gateway.looks(closer, longest_s=gateway.FIRST_LOOK_S)


@st.fragment(run_every=AWAITED_S)
def _look_again_for_it() -> None:
    """Open the page anew once the model is there, or is not in the cluster either."""
    with explained():
        if not picker.is_awaited(gateway.catalog()):
            st.rerun()


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
