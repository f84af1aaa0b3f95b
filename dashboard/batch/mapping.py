"""Step two: which column each input is read from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.batch import steps
from dashboard.batch.draft import Draft
from dashboard.views import literal
from kserve_client.scoring.mapping import Mapping, Origin
from kserve_client.signature import Feature, Scalar, Signature

FIXED, NOWHERE = "\x00fixed", "\x00nowhere"
MOST_LINES = 100
_WORDS = {FIXED: "the same value in every row", NOWHERE: "nothing: it has no value"}
_REASONS = {
    "exact": "has this name",
    "same letters": "has the same letters",
    "similar": "has a similar name: is it this one?",
}


def draw(draft: Draft, signature: Signature) -> None:
    """The columns: a quiet line when all are found, else a choice for each that is open."""
    was_mapped = draft.is_mapped
    state: steps.State = "done" if was_mapped else "attention"
    with steps.step("Columns", _words(draft, signature), state, is_open=not was_mapped):
        shows_all = st.toggle("Show every input", key=f"all.{draft.id}")
        lines = [f for f in signature.features if shows_all or _is_open(f, draft)]
        origins = dict(draft.mapping.origins)
        for feature in lines[:MOST_LINES]:
            origin = _line(feature, draft)
            if origin == Origin():
                origins.pop(feature.name, None)
            else:
                origins[feature.name] = origin
        if len(lines) > MOST_LINES:
            st.caption(f"Here are the first {MOST_LINES} of {len(lines):,} inputs.")
        ordered = {f.name: origins[f.name] for f in signature.features if f.name in origins}
        mapping = Mapping(origins=ordered, shared=_shared(draft, ordered))
        _settle(draft, signature, mapping)
        if not draft.is_mapped:
            _agree(draft, signature)


def _settle(draft: Draft, signature: Signature, mapping: Mapping) -> None:
    """Take what is chosen now; where it makes another line of this step, draw that."""
    if mapping == draft.mapping:
        return
    was_mapped = draft.is_mapped
    draft.take_mapping(mapping, is_mapped=draft.is_mapped)
    draft.is_mapped = draft.is_mapped and not draft.mapping_problem(signature)
    if was_mapped:
        st.rerun()


def _agree(draft: Draft, signature: Signature) -> None:
    problem = draft.mapping_problem(signature)
    open_inputs = [f.label for f in _lacking(draft, signature) if f.required]
    if open_inputs:
        st.caption(literal(f"Still to be chosen: {', '.join(open_inputs)}"))
    elif problem:
        st.caption(f":material/edit_note: {literal(problem)}")
    is_agreed = st.button(
        "Use these columns",
        type="primary",
        icon=":material/arrow_forward:",
        key="columns",
        disabled=bool(problem),
    )
    if is_agreed:
        draft.take_mapping(draft.mapping, is_mapped=True)
        st.rerun()


def _words(draft: Draft, signature: Signature) -> str:
    """How the columns stand, in one line."""
    if not draft.is_mapped:
        unsure = sum(origin.reason == "similar" for origin in draft.mapping.origins.values())
        lacking = sum(feature.required for feature in _lacking(draft, signature))
        parts = [f"{unsure} to confirm"] * bool(unsure) + [f"{lacking} not found"] * bool(lacking)
        return ", ".join(parts) or "to be chosen"
    total = len(signature.features)
    found = [o for o in draft.mapping.origins.values() if o.column is not None]
    fixed = [o for o in draft.mapping.origins.values() if o.constant is not None]
    is_all = len(found) == total
    by_name = all(o.reason in ("exact", "same letters") for o in found)
    inputs = "1 input" if total == 1 else f"{total} inputs"
    words = f"all {inputs} found" if is_all and total > 1 else f"{len(found)} of {inputs} found"
    words = "the input was found" if is_all and total == 1 else words
    words += " by name" if by_name and found else ""
    words += f", {len(fixed)} with a fixed value" if fixed else ""
    missing = [f.label for f in _lacking(draft, signature)]
    return words + (f" · without a value: {', '.join(missing)}" if missing else "")


def _lacking(draft: Draft, signature: Signature) -> list[Feature]:
    """The inputs that have neither a column nor a value."""
    return [f for f in signature.features if f.name not in draft.mapping.origins]


def _is_open(feature: Feature, draft: Draft) -> bool:
    """Whether the proposal leaves something to a person."""
    origin = draft.suggested.of(feature.name)
    return origin.reason == "similar" or (origin == Origin() and feature.required)


def _line(feature: Feature, draft: Draft) -> Origin:
    """The choice for one input."""
    now = draft.mapping.of(feature.name)
    key = f"map.{draft.id}.{feature.name}"
    options = _options(feature, draft.preview.names)
    unit = f" ({feature.unit})" if feature.unit else ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            f"{literal(feature.label)}{literal(unit)}",
            options,
            index=options.index(choice) if (choice := _choice(now)) in options else None,
            key=key,
            placeholder="Choose a column",
            format_func=lambda option: _option_words(option, feature, draft),
        )
        if chosen == FIXED:
            return _fixed(feature, key, now)
        if chosen in (None, NOWHERE):
            return Origin()
        return _from_column(feature, key, now, str(chosen), draft)


def _options(feature: Feature, names: Sequence[str]) -> list[str]:
    counts = Counter(names)
    columns = [name for name in names if counts[name] == 1]
    return [*columns, *([FIXED] * feature.is_scalar), *([NOWHERE] * (not feature.required))]


def _choice(origin: Origin) -> str:
    if origin.constant is not None:
        return FIXED
    return NOWHERE if origin.column is None else origin.column


def _option_words(option: str, feature: Feature, draft: Draft) -> str:
    if option in _WORDS:
        return _WORDS[option]
    proposed = draft.suggested.of(feature.name)
    why = _REASONS.get(proposed.reason, "") if proposed.column == option else ""
    return f"{option} · {why}" if why else option


def _fixed(feature: Feature, key: str, now: Origin) -> Origin:
    value = value_field(f"Value of {literal(feature.label)}", feature, f"{key}.fixed", now.constant)
    return Origin() if value is None else Origin(constant=value, reason="constant")


def value_field(label: str, feature: Feature, key: str, now: Scalar | None) -> Scalar | None:
    """One value of a feature, or None while there is none."""
    if feature.kind == "category":
        texts = {choice.value: choice.text for choice in feature.choices}
        at = list(texts).index(now) if now in texts else None
        return st.selectbox(label, list(texts), index=at, key=key, format_func=texts.__getitem__)
    if feature.kind == "boolean":
        at = None if now is None else [True, False].index(bool(now))
        return st.selectbox(
            label, [True, False], index=at, key=key, format_func=lambda on: "yes" if on else "no"
        )
    text = st.text_input(label, value="" if now is None else str(now), key=key)
    return text.strip() or None


def _from_column(feature: Feature, key: str, now: Origin, column: str, draft: Draft) -> Origin:
    proposed = draft.suggested.of(feature.name)
    reason: Any = proposed.reason if proposed.column == column else ""
    factor, offset = 1.0, 0.0
    if feature.kind in ("number", "integer"):
        factor, offset = _unit(feature, key, now)
    return Origin(column=column, reason=reason, factor=factor, offset=offset)


def _unit(feature: Feature, key: str, now: Origin) -> tuple[float, float]:
    """A column in another unit: its numbers times a factor, plus an offset."""
    target = feature.unit or "the unit of the model"
    with st.popover("Unit", help=f"Where the column is not in {target}"):
        st.caption(literal(f"{feature.label} = column × factor + offset, in {target}"))
        factor = st.number_input("Factor", value=now.factor, format="%g", key=f"{key}.factor")
        offset = st.number_input("Offset", value=now.offset, format="%g", key=f"{key}.offset")
    return float(factor or 1.0), float(offset)


def _shared(draft: Draft, origins: dict[str, Origin]) -> tuple[str, ...]:
    """The columns that feed several inputs, once somebody says that this is meant."""
    counts = Counter(o.column for o in origins.values() if o.column is not None)
    twice = tuple(column for column, count in counts.items() if count > 1)
    if not twice:
        return ()
    named = ", ".join(literal(column) for column in twice)
    is_meant = st.checkbox(
        f"More than one input reads {named}: this is meant", key=f"shared.{draft.id}"
    )
    return twice if is_meant else ()
