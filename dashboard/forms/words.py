"""Choices, yes or no, texts and dates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import streamlit as st

from dashboard.forms.field import NOT_KNOWN, YES_OR_NO, Field, changed, share_of, watched
from dashboard.state import chosen, renew
from dashboard.views import literal
from kserve_client.frames import read_cell
from kserve_client.signature import Choice

MOST_PILLS = 5
MOST_LETTERS = 60
TEXT_HEIGHT = 96


# Choices


def begin_choice(field: Field, cell: Any) -> None:
    """Choose what a cell says. Raises RowsError when that is no choice; nothing is chosen then."""
    feature = field.feature
    first = feature.choices[0].value if feature.required else None
    renew({field.name: first if cell is None else _choice(field, cell)})


def _choice(field: Field, cell: Any) -> Any:
    renew({field.name: None})
    sent = read_cell(field.feature, field.datatype, cell)
    is_text = field.datatype.family == "bytes"
    values = [choice.value for choice in field.feature.choices]
    return next(value for value in values if (str(value) if is_text else value) == sent)


def are_short(choices: Sequence[Choice]) -> bool:
    """Whether they can stand side by side."""
    return len(choices) <= MOST_PILLS and (
        sum(len(choice.text) + 4 for choice in choices) <= MOST_LETTERS
    )


def draw_pills(field: Field, label: str) -> None:
    """Few short choices side by side. Pills read Markdown, a list does not."""
    _pills(field, label, field.feature.choices)


def draw_yes_or_no(field: Field, label: str) -> None:
    """Yes, no, or neither: a toggle has no third state."""
    _pills(field, label, YES_OR_NO)


def _pills(field: Field, label: str, choices: Sequence[Choice]) -> None:
    words = {choice.value: _with_share(field, choice) for choice in choices}
    st.pills(
        label,
        list(words),
        required=field.feature.required,
        format_func=lambda value: words.get(value, literal(str(value))),
        wrap=True,
        help=field.help,
        persist_state=field.persist,
        **watched(field.name, changed, field),
    )


def _with_share(field: Field, choice: Choice) -> str:
    share = share_of(field.feature, choice) if field.feature.kind == "category" else ""
    return literal(choice.text) + (f" :gray[:small[{literal(share)}]]" if share else "")


def draw_list(field: Field, label: str) -> None:
    """Many or long choices in a list that can be searched."""
    feature = field.feature
    shares = {choice.value: share_of(feature, choice) for choice in feature.choices}
    texts = {
        choice.value: choice.text + (f" · {shares[choice.value]}" if shares[choice.value] else "")
        for choice in feature.choices
    }
    st.selectbox(
        label,
        list(texts),
        index=0 if feature.required and chosen(field.name) is not None else None,
        placeholder="Choose" if feature.required else NOT_KNOWN,
        format_func=lambda value: texts.get(value, str(value)),
        help=field.help,
        persist_state=field.persist,
        **watched(field.name, changed, field),
    )


# Yes or no


def begin_boolean(field: Field, cell: Any) -> None:
    """Set it from a cell; a needed one without a value is off."""
    if cell is None:
        renew({field.name: False if field.feature.required else None})
    else:
        renew({field.name: _yes(field, cell)})


def _yes(field: Field, cell: Any) -> bool:
    renew({field.name: None if not field.feature.required else False})
    return bool(read_cell(field.feature, field.datatype, cell))


def draw_toggle(field: Field, label: str) -> None:
    """On or off."""
    st.toggle(
        label,
        help=field.help,
        persist_state=field.persist,
        **watched(field.name, changed, field),
    )


# Texts and dates


def begin_text(field: Field, cell: Any) -> None:
    """Set the text from a cell."""
    is_empty = cell is None or cell == ""
    text = "" if is_empty else read_cell(field.feature, field.datatype, cell)
    renew({field.name: text})


def read_text(field: Field) -> str | None:
    """The text; None when there is none."""
    return chosen(field.name) or None


def draw_text(field: Field, label: str) -> None:
    """An area for text of any length."""
    st.text_area(
        label,
        height=TEXT_HEIGHT,
        help=field.help,
        placeholder="" if field.feature.required else NOT_KNOWN,
        persist_state=field.persist,
        **watched(field.name, changed, field),
    )


def begin_date(field: Field, cell: Any) -> None:
    """Set the day from a cell. Raises RowsError when it is none."""
    if cell is None:
        renew({field.name: None})
    else:
        renew({field.name: date.fromisoformat(read_cell(field.feature, field.datatype, cell))})


def draw_date(field: Field, label: str) -> None:
    """A calendar."""
    st.date_input(
        label,
        format="YYYY-MM-DD",
        min_value=date(1, 1, 1),
        max_value=date(9999, 12, 31),
        help=field.help,
        persist_state=field.persist,
        **watched(field.name, changed, field),
    )


def read_chosen(field: Field) -> Any:
    """What the widget holds; None when nothing."""
    return chosen(field.name)
