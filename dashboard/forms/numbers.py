"""Numbers: a slider with a box beside it, a box, or a line of text for those a browser can't count."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import streamlit as st

from dashboard.forms import reference
from dashboard.forms.field import LARGEST_EXACT, NOT_KNOWN, Field, changed, watched
from dashboard.state import choose, chosen, forget, renew, start_with, widget_key
from dashboard.views import literal
from kserve_client.errors import InputError
from kserve_client.frames import read_cell
from kserve_client.signature import Feature

MOST_DECIMALS = 12


# A box, with or without a slider beside it


def begin_number(field: Field, cell: Any) -> None:
    """Set box and slider from a cell. Raises InputError when it is no number for them."""
    number = _first(field) if cell is None else read_cell(field.feature, field.datatype, cell)
    if isinstance(number, int) and abs(number) > LARGEST_EXACT:
        raise InputError(f"{number} has too many digits for a number box")
    renew({field.name: _typed_as(field.feature, number)})
    if field.has_slider:
        renew({field.slider: _on_slider(field.feature, number)})


def read_number(field: Field) -> Any:
    """The number in the box; None when it is empty."""
    return chosen(field.name)


def draw_box(field: Field, label: str) -> None:
    """A box that takes any number."""
    _box(field, _settings(field), label=label, help=field.help)
    reference.draw(field, chosen(field.name))


def draw_slider(field: Field, label: str) -> None:
    """A slider for the usual range, and a box beside it that takes any number."""
    feature, settings = field.feature, _settings(field)
    start_with(field.slider, _on_slider(feature, chosen(field.name)))
    kind = _kind(feature)
    left, right = st.columns([2.2, 1], gap="xsmall", vertical_alignment="bottom", wrap=False)
    with left:
        st.slider(
            label,
            help=field.help,
            min_value=kind(feature.min or 0),
            max_value=kind(feature.max or 0),
            **_beyond(feature, chosen(field.name), settings),
            **watched(field.slider, _slid, field),
        )
        reference.draw(field, chosen(field.name))
    with right:
        words = f"{literal(feature.label)}, as a number"
        _box(field, settings, label=words, label_visibility="collapsed")


def _beyond(feature: Feature, number: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a slider: at the end that a number is beyond, it says so."""
    if number is None or feature.min is None or feature.max is None:
        return settings
    side = "below " if number < feature.min else "above " if number > feature.max else ""
    return {**settings, "format": side + settings["format"]}


def _box(field: Field, settings: dict[str, Any], **more: Any) -> None:
    # Without a value of its own it can be emptied; its key holds the number.
    empty = "" if field.feature.required else NOT_KNOWN
    watch = watched(field.name, _typed, field)
    st.number_input(value=None, placeholder=empty, **settings, **watch, **more)


def _slid(field: Field) -> None:
    feature = field.feature
    decimals = max(_decimals(_step(feature)), _decimals(feature.min or 0))
    number = chosen(field.slider)
    renew({field.name: number if feature.kind == "integer" else round(number, decimals)})
    changed(field)


def _typed(field: Field) -> None:
    """An emptied box is a missing value, or goes back to the slider's number where one is needed."""
    number = chosen(field.name)
    if number is None and field.has_slider and field.feature.required:
        number = chosen(field.slider)
        choose({widget_key(field.name): number})
    if number is not None and field.has_slider:
        renew({field.slider: _on_slider(field.feature, number)})
    changed(field)


def _kind(feature: Feature) -> type[int | float]:
    return int if feature.kind == "integer" else float


def _typed_as(feature: Feature, number: Any) -> float | int | None:
    return None if number is None else _kind(feature)(number)


def _first(field: Field) -> float | int | None:
    """Where a field without a default begins: where most rows of the sample are, else in the middle."""
    feature = field.feature
    if not feature.required:
        return None
    known = feature.reference.quantiles if feature.reference else ()
    return _rounded(feature, known[3] if known else _middle(feature))


def _middle(feature: Feature) -> float:
    if feature.min is None or feature.max is None:
        return feature.min or 0
    return (feature.min + feature.max) / 2


def _rounded(feature: Feature, number: float) -> float | int:
    step = _step(feature)
    whole = round(number / step) * step
    return int(whole) if feature.kind == "integer" else round(whole, _decimals(step))


def _on_slider(feature: Feature, number: float | None) -> float | int:
    """The number, or the end of the slider it is beyond; the middle of it for none."""
    number = _rounded(feature, _middle(feature)) if number is None else number
    low = number if feature.min is None else max(number, feature.min)
    return _kind(feature)(low if feature.max is None else min(low, feature.max))


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


def _decimals(number: float) -> int:
    """Digits behind the point; at most twelve, after which the noise of the machine begins."""
    exponent = Decimal(repr(round(number, MOST_DECIMALS))).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def _settings(field: Field) -> dict[str, Any]:
    """Step, and the digits that both the step and the number have: what is seen is what is sent."""
    feature, kind = field.feature, _kind(field.feature)
    shared: dict[str, Any] = {"step": kind(_step(feature)), "persist_state": field.persist}
    if kind is int:
        return {**shared, "format": "%d"}
    number = chosen(field.name) or 0.0
    decimals = max(_decimals(_step(feature)), _decimals(number))
    is_plain = math.isclose(round(number, decimals), number, rel_tol=1e-9)
    return {**shared, "format": f"%.{decimals}f" if is_plain else "%.9e"}


# A line of text: exact for integers of any length


def begin_exact(field: Field, cell: Any) -> None:
    """Set the line from a cell. Raises RowsError when it is no whole number."""
    number = _first(field) if cell is None else read_cell(field.feature, field.datatype, cell)
    forget(field.name)
    renew({field.name: "" if number is None else str(int(number))})


def read_exact(field: Field) -> Any:
    """The whole number that was typed, exact; the text itself when it is none, None when empty."""
    text = str(chosen(field.name, "")).strip()
    try:
        return int(text) if text else None
    except ValueError:
        return text


def draw_exact(field: Field, label: str) -> None:
    """A line that takes all digits: a number box would count as the browser does."""
    st.text_input(
        label,
        help=field.help,
        placeholder="A whole number" if field.feature.required else NOT_KNOWN,
        persist_state=field.persist,
        **watched(field.name, changed, field),
    )
    reference.draw(field, read_exact(field))
