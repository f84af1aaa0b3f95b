"""A signature becomes widgets, and widgets a row. The only place that chooses a widget."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.state import choose, chosen, forget, renew, session, start_with, widget_key
from dashboard.views import literal, range_text
from kserve_client import images
from kserve_client.catalog import Example
from kserve_client.errors import InputError
from kserve_client.signature import Choice, Feature, FeatureKind, Signature

MOST_PILLS = 5
PICTURE_TYPES = ["png", "jpg", "jpeg", "webp", "bmp", "gif"]
PICTURE_MB = 10
NOT_KNOWN = "Not known"


@dataclass(frozen=True, slots=True)
class Field:
    """One feature in the form of one model, with the names of its widgets."""

    model: str
    feature: Feature

    @property
    def name(self) -> str:
        """The name of the widget that holds the value."""
        return f"x.{self.model}.{self.feature.name}"

    @property
    def slider(self) -> str:
        """The name of the slider beside the number box."""
        return f"slider.{self.model}.{self.feature.name}"

    @property
    def missing(self) -> str:
        """The name of the box that says there is no value."""
        return f"missing.{self.model}.{self.feature.name}"

    @property
    def upload(self) -> str:
        """The name of the box that takes a picture in place of the value."""
        return f"upload.{self.model}.{self.feature.name}"

    @property
    def label(self) -> str:
        """The label of the widget: title, unit and range.

        Plain words: a screen reader is given the label with all its Markdown signs.
        """
        feature = self.feature
        unit = f" ({literal(feature.unit)})" if feature.unit else ""
        return f"{literal(feature.label)}{unit}{_range_text(feature)}"


def example_name(model: str) -> str:
    """The name of the row of examples."""
    return f"example.{model}"


def fill_once(model: str, signature: Signature, examples: Sequence[Example]) -> None:
    """Give a form its first values: the first example, else the defaults."""
    if model in session().started:
        return
    session().started.add(model)
    if examples:
        start_with(example_name(model), examples[0].name)
    fill(model, signature, examples[0].row if examples else {})


def fill(model: str, signature: Signature, row: Mapping[str, Any]) -> None:
    """Set every widget of a form from a row; what the row lacks gets its default."""
    for feature in signature.features:
        _fill_field(Field(model, feature), row.get(feature.name, feature.default))


def draw(model: str, signature: Signature) -> dict[str, Any]:
    """Draw the widgets of a form and return its row; a missing value is None."""
    row: dict[str, Any] = {}
    for group in dict.fromkeys(feature.group for feature in signature.features):
        if group:
            st.subheader(literal(group))
        for feature in signature.features:
            if feature.group == group:
                row[feature.name] = _WIDGETS[feature.kind](Field(model, feature))
    return {feature.name: row[feature.name] for feature in signature.features}


def _fill_field(field: Field, cell: Any) -> None:
    feature = field.feature
    value = _first_value(feature, cell)
    renew({field.name: value})
    if not feature.required and feature.is_scalar:
        renew({field.missing: cell is None})
    if feature.kind == "image":
        forget(field.upload)
    if _has_slider(feature):
        renew({field.slider: _on_slider(feature, value)})


def _help(feature: Feature) -> str | None:
    return literal(feature.help) or None


def _changed(field: Field) -> None:
    """The row is no example any more."""
    if chosen(example_name(field.model)) is not None:
        forget(example_name(field.model))


def watched(name: str, told: Callable[..., None], *args: Any) -> dict[str, Any]:
    """The settings by which the widget of a name tells of its changes."""
    key = widget_key(name)
    return {"key": key, "on_change": _tell, "args": (name, key, told, args)}


def _tell(name: str, key: str, told: Callable[..., None], args: tuple[Any, ...]) -> None:
    """Pass a change on, unless it comes from a widget that was replaced meanwhile."""
    if key == widget_key(name):
        told(*args)


# Numbers


def _has_slider(feature: Feature) -> bool:
    return feature.kind in ("number", "integer") and None not in (feature.min, feature.max)


def _step(feature: Feature) -> float:
    """The feature's own step, else about a hundredth of its range: 1, 2 or 5 × a power of ten."""
    if feature.step is not None:
        return feature.step
    if feature.kind == "integer":
        return 1
    if feature.min is None or feature.max is None:
        return 0.1
    rough = (feature.max - feature.min) / 100
    power = 10 ** math.floor(math.log10(rough))
    return float(next(unit * power for unit in (1, 2, 5, 10) if unit * power >= rough * 0.999))


def _decimals(feature: Feature) -> int:
    step = _step(feature)
    return next((n for n in range(12) if math.isclose(step * 10**n, round(step * 10**n))), 6)


def _range_text(feature: Feature) -> str:
    if feature.min is None or feature.max is None:
        return ""
    return f" · {range_text(feature.min, feature.max)}"


def _first_number(feature: Feature, cell: Any) -> float | int:
    low, high = feature.min, feature.max
    if cell is None:
        cell = (low + high) / 2 if low is not None and high is not None else (low or 0)
        cell = round(cell / _step(feature)) * _step(feature)
    return _shown_number(feature, cell)


def _shown_number(feature: Feature, number: float) -> float | int:
    """The number as its box shows it, so that what is seen is what is sent."""
    return round(number) if feature.kind == "integer" else round(float(number), _decimals(feature))


def _on_slider(feature: Feature, number: float) -> float | int:
    """The number, or the end of the slider it is beyond."""
    low = number if feature.min is None else max(number, feature.min)
    inside = low if feature.max is None else min(low, feature.max)
    return int(inside) if feature.kind == "integer" else float(inside)


def _number_settings(feature: Feature) -> dict[str, Any]:
    kind = int if feature.kind == "integer" else float
    written = "%d" if kind is int else f"%.{_decimals(feature)}f"
    return {"step": kind(_step(feature)), "format": written, "persist_state": "session"}


def _number(field: Field) -> float | int | None:
    feature = field.feature
    start_with(field.name, _first_number(feature, feature.default))
    settings = {**_number_settings(feature), "disabled": _is_not_known(field)}
    if _has_slider(feature):
        _slider_and_box(field, settings)
    else:
        _box(field, settings, label=field.label, help=_help(feature))
    return None if _not_known(field) else chosen(field.name)


def _slider_and_box(field: Field, settings: dict[str, Any]) -> None:
    """A slider for the usual range, and a box beside it that takes any number."""
    feature = field.feature
    start_with(field.slider, _on_slider(feature, chosen(field.name)))
    kind = int if feature.kind == "integer" else float
    left, right = st.columns([2.2, 1], vertical_alignment="bottom", wrap=False)
    left.slider(
        field.label,
        help=_help(feature),
        min_value=kind(feature.min or 0),
        max_value=kind(feature.max or 0),
        **settings,
        **watched(field.slider, _slid, field),
    )
    with right:
        words = f"{literal(feature.label)}, as a number"
        _box(field, settings, label=words, label_visibility="collapsed")
    if not settings["disabled"] and chosen(field.name) != chosen(field.slider):
        st.caption(":orange[:material/warning: Outside the usual range]")


def _box(field: Field, settings: dict[str, Any], **more: Any) -> None:
    # Without a value of its own it can be emptied; its key holds the number.
    st.number_input(value=None, **settings, **watched(field.name, _typed, field), **more)


def _slid(field: Field) -> None:
    renew({field.name: chosen(field.slider)})
    _changed(field)


def _typed(field: Field) -> None:
    """An emptied box beside a slider goes back to the slider's number."""
    number, has_slider = chosen(field.name), _has_slider(field.feature)
    if number is None and has_slider:
        number = chosen(field.slider)
    if number is not None:
        shown = _shown_number(field.feature, number)
        choose({widget_key(field.name): shown})
        if has_slider:
            renew({field.slider: _on_slider(field.feature, shown)})
    _changed(field)


def _is_not_known(field: Field) -> bool:
    start_with(field.missing, False)
    return not field.feature.required and bool(chosen(field.missing))


def _not_known(field: Field) -> bool:
    """The way to leave an optional field empty; whether it is."""
    if field.feature.required:
        return False
    return st.checkbox(
        f"{literal(field.feature.label)} not known",
        persist_state="session",
        **watched(field.missing, _changed, field),
    )


# Choices and words


def _first_choice(feature: Feature, cell: Any) -> Any:
    found = [choice.value for choice in feature.choices if cell in (choice.value, choice.text)]
    return (*found, None if not feature.required else feature.choices[0].value)[0]


def _category(field: Field) -> Any:
    feature = field.feature
    start_with(field.name, _first_choice(feature, feature.default))
    texts = {choice.value: choice.text for choice in feature.choices}
    shared: dict[str, Any] = {
        "options": [choice.value for choice in feature.choices],
        "help": _help(feature),
        "persist_state": "session",
        **watched(field.name, _changed, field),
    }
    optional = "" if feature.required else f" · {NOT_KNOWN.lower()} if none is chosen"
    if len(feature.choices) <= MOST_PILLS and _are_short(feature.choices):
        return st.pills(
            field.label + optional,
            required=feature.required,
            format_func=lambda value: literal(texts.get(value, str(value))),
            wrap=True,
            **shared,
        )
    # Pills read Markdown, a list does not.
    return st.selectbox(
        field.label + optional,
        placeholder=NOT_KNOWN,
        format_func=lambda value: texts.get(value, str(value)),
        **shared,
    )


def _are_short(choices: Sequence[Choice]) -> bool:
    return sum(len(choice.text) + 4 for choice in choices) <= 60


def _boolean(field: Field) -> bool | None:
    start_with(field.name, bool(field.feature.default))
    value = st.toggle(
        field.label,
        help=_help(field.feature),
        disabled=_is_not_known(field),
        persist_state="session",
        **watched(field.name, _changed, field),
    )
    return None if _not_known(field) else value


def _text(field: Field) -> str | None:
    start_with(field.name, str(field.feature.default or ""))
    value = st.text_area(
        field.label,
        height=96,
        help=_help(field.feature),
        persist_state="session",
        **watched(field.name, _changed, field),
    )
    return value or None


def _first_date(cell: Any) -> date | None:
    if isinstance(cell, date):
        return cell
    return date.fromisoformat(str(cell)) if cell else None


def _date(field: Field) -> date | None:
    start_with(field.name, _first_date(field.feature.default))
    picked: date | None = st.date_input(
        field.label,
        format="YYYY-MM-DD",
        min_value=date(1, 1, 1),
        max_value=date(9999, 12, 31),
        help=_help(field.feature),
        persist_state="session",
        **watched(field.name, _changed, field),
    )
    return picked


# Pictures and tensors


def _image(field: Field) -> Any:
    feature = field.feature
    uploaded = st.file_uploader(
        field.label,
        type=PICTURE_TYPES,
        max_upload_size=PICTURE_MB,
        help=_help(feature),
        **watched(field.upload, _changed, field),
    )
    cell = uploaded.getvalue() if uploaded else chosen(field.name)
    if cell is not None:
        _preview(feature, cell)
    return cell


def _preview(feature: Feature, cell: Any) -> None:
    """The picture as it was given, and as the model gets it."""
    spec = feature.image
    if spec is None:
        return
    try:
        numbers = (
            images.read_picture(cell, spec) if isinstance(cell, bytes | str) else np.asarray(cell)
        )
        seen = images.png_of(images.picture_of(numbers, spec), enlarge_to=160)
    except InputError:
        return  # the answer says what is wrong with it
    with st.container(horizontal=True, gap="medium"):
        if isinstance(cell, bytes):
            st.image(cell, width=160, caption="Your picture", alt="The picture you chose")
        st.image(
            seen,
            width=160,
            caption=f"What the model gets: {spec.width} × {spec.height}",
            alt="The picture as the model gets it",
        )


def _tensor(field: Field) -> Any:
    """An editable grid: the first dimension down, the others across."""
    shape = field.feature.row_shape
    start_with(field.name, np.zeros(shape).tolist())
    rows = shape[0] if len(shape) > 1 else 1
    grid = pd.DataFrame(np.asarray(chosen(field.name)).reshape(rows, -1))
    st.markdown(field.label)
    edited = st.data_editor(grid, key=f"grid.{widget_key(field.name)}", hide_index=True)
    return edited.to_numpy().reshape(shape).tolist()


# The one widget table, and what each widget starts with

_WIDGETS: dict[FeatureKind, Callable[[Field], Any]] = {
    "number": _number,
    "integer": _number,
    "category": _category,
    "boolean": _boolean,
    "text": _text,
    "date": _date,
    "image": _image,
    "tensor": _tensor,
}


def _first_value(feature: Feature, cell: Any) -> Any:
    match feature.kind:
        case "number" | "integer":
            return _first_number(feature, cell)
        case "category":
            return _first_choice(feature, cell)
        case "boolean":
            return bool(cell)
        case "text":
            return "" if cell is None else str(cell)
        case "date":
            return _first_date(cell)
        case "tensor" if cell is None:
            return np.zeros(feature.row_shape).tolist()
        case _:
            return cell
