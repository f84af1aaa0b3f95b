"""Which model the pages are about: what the address names, and what a person picks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import streamlit as st

from dashboard import gateway
from dashboard.state import (
    ADDRESS_KEY,
    MODEL_KEY,
    asked_model,
    choose,
    chosen,
    chosen_model,
    name_in_address,
    session,
)
from kserve_client.catalog import Catalog, Summary
from kserve_client.errors import ConfigurationError

CARRIER, AGAIN_KEY = "address", "model.again"


def draw() -> None:
    """The list in the sidebar. From here on `chosen_model` and the address agree."""
    try:
        catalog = gateway.catalog()
    except ConfigurationError:
        return  # the page explains it
    if not len(catalog) or is_awaited(catalog):
        return
    labels = picker_labels(catalog.summaries())
    _settle(labels, _named(asked_model(), catalog.summaries()))
    _carry(chosen_model() or asked_model() or "")
    st.selectbox(
        "Model",
        list(labels),
        index=None if chosen_model() is None else 0,
        placeholder="Choose a model",
        key=MODEL_KEY,
        format_func=lambda name: labels.get(name, name),
        persist_state="session",
    )
    session().label = labels.get(chosen_model() or "")


def draw_again(catalog: Catalog) -> None:
    """The same list on a page that has no model, since a phone hides the sidebar."""
    labels = picker_labels(catalog.summaries())
    st.selectbox(
        "Another model",
        list(labels),
        index=None,
        placeholder="Choose a model",
        key=AGAIN_KEY,
        format_func=lambda name: labels.get(name, name),
        on_change=lambda: choose({MODEL_KEY: chosen(AGAIN_KEY)}),
        width=320,
    )


def missing_model() -> str | None:
    """What the address names where that is no model, and nobody has picked one since."""
    return asked_model() if chosen_model() is None else None


def is_awaited(catalog: Catalog) -> bool:
    """Whether the link names a model that the cluster may have, which was not asked through yet."""
    found, asked = catalog.found(), asked_model()
    if found is None or found.is_complete or asked is None:
        return False
    return _named(asked, catalog.summaries()) is None


def is_named(catalog: Catalog) -> bool:
    """Whether the link names a model that is known."""
    return _named(asked_model(), catalog.summaries()) is not None


def picker_labels(summaries: Mapping[str, Summary]) -> dict[str, str]:
    """What the picker shows for each model: its title, with its name where titles are the same."""
    counts = Counter(one.title for one in summaries.values())
    labels = {
        name: one.title if one.title == name or counts[one.title] == 1 else f"{one.title} ({name})"
        for name, one in summaries.items()
    }
    # A title may be written to look like the label of another model.
    shown = Counter(labels.values())
    return {n: one if shown[one] == 1 else f"{one} ({n})" for n, one in labels.items()}


def _settle(labels: Mapping[str, str], named: str | None) -> None:
    """Choose what a new address names, be it nothing; else what was chosen stays."""
    asked, name = asked_model(), chosen_model()
    is_new = asked is not None and not _is_echo(asked)
    if is_new or (name not in labels and asked is not None):
        name = named
    elif name not in labels:
        name = next(iter(labels))
    is_relabelled = session().label != labels.get(name or "")
    if name != chosen_model() or is_relabelled:  # the browser knows it by another label
        choose({MODEL_KEY: name})


def _is_echo(asked: str) -> bool:
    """Whether a browser only did not know yet, at its last click, what we wrote into its address.

    It then sends the line that is bound to the address as it stood before, too. A link, and going
    back, change the address alone.
    """
    return asked == st.session_state.get(ADDRESS_KEY)


def _carry(name: str) -> None:
    """Let the address name the model, by its name, on this page and on those behind the links.

    Streamlit (1.67) takes to another page only what a widget is bound to. Bound to the picker, the
    address would hold the words of the list, and nothing for the first of them; so a line of text
    that nobody sees is bound to it.
    """
    if ADDRESS_KEY not in st.session_state and asked_model() != name:
        name_in_address(name)  # a widget that is new would take what the address had before
        st.rerun()
    if st.session_state.get(ADDRESS_KEY) != name:
        choose({ADDRESS_KEY: name})
    with st.container(key=CARRIER):
        held = st.text_input("Address", key=ADDRESS_KEY, bind="query-params")
    # After going back to an address without a name there is none in this run.
    if held != name and not session().is_mending:
        session().is_mending = True
        st.rerun()
    session().is_mending = False


def _named(asked: str | None, summaries: Mapping[str, Summary]) -> str | None:
    """The model that an address names: by its name, or as links once did, by label or title."""
    if asked is None or asked in summaries:
        return asked
    labels = {label: name for name, label in picker_labels(summaries).items()}
    name = labels.get(asked) or asked.rpartition(" (")[2].removesuffix(")")
    if name in summaries:
        return name
    titled = [name for name, one in summaries.items() if one.title == asked]
    return titled[0] if len(titled) == 1 else None
