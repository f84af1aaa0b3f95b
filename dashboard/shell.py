"""Navigation, the page guard, and the frame around every page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

from dashboard import gateway
from dashboard.settings import settings
from dashboard.state import MODEL_KEY, asked_model, choose, chosen_model, name_in_address, session
from dashboard.views import NARROW_ONLY, explained, literal, problem
from kserve_client.catalog import Catalog, Entry
from kserve_client.errors import ConfigurationError

PRODUCT = "kserve-client"
ICON = Path(__file__).with_name("icon.svg")


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
    with st.sidebar:
        _picker()
        if settings().badge:
            st.badge(settings().badge, icon=":material/science:", color="gray")


@contextmanager
def page(title: str) -> Iterator[Chosen]:
    """The frame of a page about one model. Explains, and ends the page, when there is none."""
    catalog = _catalog_or_stop(title)
    name = chosen_model()
    if name is None or name not in catalog:
        name = next(iter(catalog))
    chosen = Chosen(name, catalog.title(name), catalog.entry(name), catalog)
    with explained():
        yield chosen


def models(title: str) -> Catalog:
    """The catalog for a page about all models. Explains, and ends the page, when there is none."""
    return _catalog_or_stop(title)


def _picker() -> None:
    try:
        catalog = gateway.catalog()
    except ConfigurationError:
        return  # the page explains it
    if not len(catalog):
        return
    labels = _labels(catalog)
    names = {label: name for name, label in labels.items()} | {name: name for name in labels}
    asked = asked_model()
    if asked in labels and chosen_model() is None:
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


def _labels(catalog: Catalog) -> dict[str, str]:
    """What the picker shows for each model: its title, with its name where titles are the same."""
    titles = [catalog.title(name) for name in catalog]
    return {
        name: title if titles.count(title) == 1 else f"{title} ({name})"
        for name, title in zip(catalog, titles, strict=True)
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
        _welcome(title, "The models file has no models yet.")
    return st.stop()


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
