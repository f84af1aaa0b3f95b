"""How the values of a feature usually lie: faint bars behind its slider, and quiet words beside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

import streamlit as st

from dashboard.forms.field import Field
from kserve_client.predictions import number_text
from kserve_client.signature import Feature, Reference

OUTSIDE = "Outside the usual range"
# Bars over the track of Streamlit 1.67's slider, which begins 6 px from its sides; the words below it
# in room that is there anyway, so that nothing moves when they come and go; Streamlit would cut off what
# reaches over the edge of that room. The label of a slider reaches over the box beside it, which has
# none; that box needs no buttons to step or, where a value must be, to empty it. It says the number:
# the slider's own stands where the bars are, so it is there only while the slider is used, on a ground.
STYLE = """
[class*="st-key-field-"] { position: relative; }
.usual-bars { height: 1.3rem; position: relative; pointer-events: none; }
.usual-bars div { position: absolute; inset: 0; background: currentColor; opacity: 0.16; }
.usual-bars div + div { opacity: 0.14; }
[class*="st-key-field-"] [data-testid="stHorizontalBlock"] { overflow: visible; }
[class*="st-key-field-"] [data-testid="stColumn"] [data-testid="stSlider"] {
  position: relative; z-index: 1;
}
[class*="st-key-field-"] [data-testid="stColumn"] [data-testid="stSliderThumbValue"] {
  background: var(--form-ground); border-radius: 0.25rem; padding: 0 0.2rem; opacity: 0;
}
[class*="st-key-field-"] [data-testid="stColumn"] [data-testid="stSlider"]:is(:hover, :focus-within)
  [data-testid="stSliderThumbValue"] { opacity: 1; }
.usual-words.outside { color: var(--form-orange); opacity: 1; }
.usual-words { font-size: 0.8rem; line-height: 1rem; min-height: 1rem; opacity: 0.75; }
[class*="st-key-field-"] [data-testid="stColumn"] [data-testid="stElementContainer"]:has(.usual) {
  position: absolute; left: 0; bottom: -0.35rem; width: 100%; pointer-events: none;
}
[class*="st-key-field-"] [data-testid="stColumn"]:has(.usual) { position: relative; }
[class*="st-key-field-"] [data-testid="stColumn"] .usual-bars { margin: 0 6px 1.05rem; }
[class*="st-key-field-"] [data-testid="stColumn"] .usual-words { white-space: nowrap; }
[class*="st-key-field-"] [data-testid="stColumn"] [data-testid="stSlider"] label {
  width: calc(100% + 7.2rem);
}
[class*="st-key-field-"] [data-testid="stColumn"] [data-testid^="stNumberInputStep"] { display: none; }
[class*="-must"] [data-testid="stNumberInputClearButton"] { display: none; }
[class*="st-key-field-"]:has(.usual) [data-testid="stSliderTickBar"] { display: none; }
"""


def draw(field: Field, number: object) -> None:
    """Draw the bars and words of a number's field; where nothing is known, nothing.

    A sensitive value is neither marked nor told about.
    """
    feature = field.feature
    if feature.sensitive:
        return
    value = number if isinstance(number, int | float) else None
    bars, words = _bars(feature, value), said(feature, value)
    if bars or words or field.has_slider:
        outside = " outside" * (words == OUTSIDE)
        line = f'<div class="usual-words{outside}">{escape(words)}</div>'
        st.html(f'<div class="usual">{bars}{line}</div>')


def said(feature: Feature, value: float | None) -> str:
    """What is unusual about a value; "" when nothing is."""
    if value is None:
        return ""
    if feature.is_outside(value):
        return OUTSIDE
    reference = feature.reference
    return _compared(reference, value) if reference and reference.quantiles else ""


def _compared(reference: Reference, value: float) -> str:
    least, low, *_, high, most = reference.quantiles
    if value < least or value > most:
        side, end = ("below", least) if value < least else ("above", most)
        return f"Unusual: {side} all {reference.rows:,} of the sample ({number_text(end)})"
    if low <= value <= high:
        return ""
    side, end = ("below", low) if value < low else ("above", high)
    return f"Unusual: only 5 % of the sample is {side} {number_text(end)}"


def _bars(feature: Feature, value: float | None) -> str:
    """The bars as one polygon, those of the value's bin darker, and their words for a screen reader."""
    reference = feature.reference
    if reference is None or not any(reference.histogram):
        return ""
    first, last = reference.quantiles[0], reference.quantiles[-1]
    if not first < last:
        return ""
    low, high = _ends(feature, first, last)
    width = (last - first) / len(reference.histogram)
    edges = [first + width * at for at in range(len(reference.histogram) + 1)]
    places = [min(max((edge - low) / (high - low) * 100, 0), 100) for edge in edges]
    drawn = "".join(
        f'<div style="clip-path:polygon({_polygon(places, counts, max(reference.histogram))})"></div>'
        for counts in (reference.histogram, _only_bin(reference, value))
    )
    return (
        f'<div class="usual-bars" role="img" aria-label="{_told(feature, reference)}">{drawn}</div>'
    )


def _only_bin(reference: Reference, value: float | None) -> list[int]:
    """The histogram with nothing in it but the bin of a value."""
    first, last = reference.quantiles[0], reference.quantiles[-1]
    bins = len(reference.histogram)
    here = -1
    if value is not None and first <= value <= last:
        here = min(int((value - first) / (last - first) * bins), bins - 1)
    return [count if at == here else 0 for at, count in enumerate(reference.histogram)]


def _ends(feature: Feature, first: float, last: float) -> tuple[float, float]:
    """The ends of the slider, else those of the sample."""
    low, high = feature.min, feature.max
    return (first, last) if low is None or high is None else (low, high)


def _polygon(places: list[float], counts: Sequence[int], most: int) -> str:
    points = [(places[0], 0.0)]
    for (left, right), count in zip(pairwise(places), counts, strict=True):
        height = max(count / most, 0.06) * 100 if count else 0.0
        points += [(left, height), (right, height)]
    points.append((places[-1], 0.0))
    return ",".join(f"{x:.1f}% {100 - y:.0f}%" for x, y in points)


def _told(feature: Feature, reference: Reference) -> str:
    _, low, _, middle, _, high, _ = map(number_text, reference.quantiles)
    unit = f" {feature.unit}" if feature.unit else ""
    return escape(
        f"Sample of {feature.label}: nine in ten between {low} and {high}{unit}, half below {middle}"
    )
