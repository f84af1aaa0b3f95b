"""Sensitive values: hidden on the screen, shown while somebody looks at them on purpose."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.forms.field import NOT_KNOWN, Field, changed, watched
from dashboard.state import chosen, renew
from kserve_client.frames import read_cell


def begin_line(field: Field, cell: Any) -> None:
    """Set the line from a cell. Raises RowsError when it can't be read as what the feature is."""
    is_empty = cell is None or cell == ""
    known = None if is_empty else read_cell(field.feature, field.datatype, cell)
    renew({field.name: "" if known is None else str(known)})


def read_line(field: Field) -> Any:
    """The number or text in the line, exact; the text itself when it is no number, None when empty."""
    text = str(chosen(field.name, ""))
    if field.feature.kind == "text":
        return text or None
    text = text.strip()
    read = int if field.feature.kind == "integer" else float
    try:
        return read(text) if text else None
    except ValueError:
        return text


def draw_line(field: Field, label: str) -> None:
    """A line of dots, with the eye that shows them; no slider, whose place would tell the value."""
    st.text_input(
        label,
        type="password",
        autocomplete="off",  # no password to keep
        placeholder="" if field.feature.required else NOT_KNOWN,
        help=field.help,
        persist_state=field.persist,
        **watched(field.name, changed, field),
    )
