"""The one typed door to session_state: what a person chose, and the widgets that hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from kserve_client.model import PredictionExchange

# The widget that holds the chosen model, and the part of the address that names it.
MODEL_KEY, ADDRESS_KEY = "model", "m"
_STATE_KEY = "state"


@dataclass(frozen=True, slots=True)
class Answered:
    """A row and what the model said of it.

    Of a sensitive feature neither holds the value: see `masking`.
    """

    row: dict[str, Any]
    result: PredictionExchange


@dataclass(slots=True)
class SessionState:
    """What one browser session remembers besides its widgets.

    `answers` are the last ones per model; `started` the models whose form was filled once; `fields`
    what each field of a form was when it got its value, and `notes` what of that value was left out;
    `sketches` are signatures under construction, per model;
    `renewed` counts how often the widget of a name was replaced by a fresh one; `drafts` are batch
    runs in preparation, per model; `is_mending` that a run began anew to write the address; `label`
    what the picker shows; `refused` how often the storage did not take an upload, by the upload's id.
    """

    answers: dict[str, Answered] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    fields: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    renewed: dict[str, int] = field(default_factory=dict)
    sketches: dict[str, Any] = field(default_factory=dict)
    drafts: dict[str, Any] = field(default_factory=dict)
    is_mending: bool = False
    label: str | None = None
    refused: dict[str, int] = field(default_factory=dict)


def session() -> SessionState:
    """The state of this session."""
    found = st.session_state.get(_STATE_KEY)
    if not isinstance(found, SessionState):
        found = st.session_state[_STATE_KEY] = SessionState()
    return found


def chosen_model() -> str | None:
    """The model in the sidebar's picker; None when there are no models, or none was chosen."""
    return st.session_state.get(MODEL_KEY)


def asked_model() -> str | None:
    """What the address names (`?m=iris`), be it a model or not."""
    return st.query_params.get(ADDRESS_KEY) or None


def name_in_address(model: str) -> None:
    """Let the address name a model; only before a widget is bound to it."""
    st.query_params[ADDRESS_KEY] = model


def choose(values: Mapping[str, Any]) -> None:
    """Give widgets new values by their keys; only before they are drawn, or in a callback."""
    for key, value in values.items():
        st.session_state[key] = value


def widget_key(name: str) -> str:
    """The key of the widget that has this name now; see `renew`."""
    count = session().renewed.get(name, 0)
    return f"{name}~{count}" if count else name


def renew(values: Mapping[str, Any]) -> None:
    """Replace widgets, by their names, by fresh ones with these values.

    With each change a browser sends all widgets as it knows them. Of one whose value we changed a
    moment ago that is the old value, as if a person had gone back to it. A fresh widget has another
    key, so that such an echo goes nowhere.
    """
    for name, value in values.items():
        if widget_key(name) not in st.session_state or chosen(name) != value:
            forget(name)
            st.session_state[widget_key(name)] = value


def forget(name: str) -> None:
    """Replace a widget by a fresh, empty one."""
    st.session_state.pop(widget_key(name), None)
    session().renewed[name] = session().renewed.get(name, 0) + 1


def chosen(name: str, default: Any = None) -> Any:
    """The value of a widget by its name."""
    return st.session_state.get(widget_key(name), default)


def start_with(name: str, value: Any) -> None:
    """Give a widget its first value."""
    if widget_key(name) not in st.session_state:
        st.session_state[widget_key(name)] = value
