"""A form: its fields in sections, filled from rows and read as a row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import streamlit as st

from dashboard.forms import grids, pictures, reference
from dashboard.forms.field import Field, example_name
from dashboard.forms.table import widget_of
from dashboard.state import forget, session, start_with, widget_key
from dashboard.views import literal
from kserve_client.catalog import Example
from kserve_client.errors import InputError, RowsError
from kserve_client.frames import is_missing, read_cell
from kserve_client.signature import Feature, Signature

# A form of more fields stands in sections, two fields side by side; from twenty on one searches.
SHORT = 12
MANY = 20
FIELD_WIDTH_PX = 240
NEEDED = "needed"
OTHERS = "Other"


def is_long(signature: Signature) -> bool:
    """Whether a form has more fields than one sees at once."""
    return len(signature.features) > SHORT


def fill_once(form: str, signature: Signature, examples: Sequence[Example]) -> None:
    """Give a form its first values: the first example, else the defaults."""
    if form in session().started:
        return
    session().started.add(form)
    if examples:
        start_with(example_name(form), examples[0].name)
    fill(form, signature, examples[0].row if examples else {})


def fill(form: str, signature: Signature, row: Mapping[str, Any]) -> None:
    """Set every widget of a form from a row; what an empty row lacks gets its default.

    A row that lacks an optional value means that: the field stays empty, as it does for a file. A
    cell that its field can't show is left out, and the field says so.
    """
    for field in Field.all_of(form, signature):
        feature = field.feature
        is_left_empty = bool(row) and not feature.required
        _begin(field, row.get(feature.name, None if is_left_empty else feature.default))


def draw(form: str, signature: Signature) -> dict[str, Any]:
    """Draw the widgets of a form and return its row; a missing value is None.

    `form` is a name of its own: two forms of one model don't share their values. The signature may
    be another one at each run; a value that still fits its feature is kept.
    """
    fields = Field.all_of(form, signature)
    for field in fields:
        _keep_up(field)
    cells = {field.name: widget_of(field).read(field) for field in fields}
    wanted = _find(form) if len(fields) > MANY else ""
    _style(fields, cells, wanted)
    places = {field.name: _key(field, at) for at, field in enumerate(fields)}
    for at, (title, members) in enumerate(_sections(fields).items()):
        with _section(form, title, at, fields, is_open=at == 0 or bool(wanted)):
            _draw_fields(members, places, cells)
    return {field.feature.name: widget_of(field).read(field) for field in fields}


def issues(signature: Signature, row: Mapping[str, Any]) -> dict[str, str]:
    """What keeps a row from being sent: words by feature, in their order."""
    fields = Field.all_of("", signature)
    found = {field.feature.name: _issue(field, row.get(field.feature.name)) for field in fields}
    return {name: words for name, words in found.items() if words}


def outside(signature: Signature, row: Mapping[str, Any]) -> list[str]:
    """The numbers beyond an end of their range, in words; of sensitive ones only the names."""
    return [
        feature.label if feature.sensitive else _far(feature, value)
        for feature in signature.features
        if isinstance(value := row.get(feature.name), int | float) and feature.is_outside(value)
    ]


def _far(feature: Feature, number: float) -> str:
    return f"{feature.label} {number:.10g} (usually {feature.range_words})"


# Values


def _begin(field: Field, cell: Any) -> None:
    """Set a field from a cell; where that can't be, tell what was left out.

    Its default stands there then, but nobody else's choice.
    """
    state = session()
    state.fields[field.name] = field
    state.notes.pop(field.name, None)
    if field.feature.is_scalar and is_missing(field.feature, cell):
        cell = None
    problem = _problem_with(field, cell)
    if problem is None:
        return
    state.notes[field.name] = f"Left out: {problem}"
    if field.feature.kind != "category" and _problem_with(field, field.feature.default):
        _problem_with(field, None)


def _problem_with(field: Field, cell: Any) -> str | None:
    """Begin a field; why it can't be begun so."""
    try:
        widget_of(field).begin(field, cell)
    except InputError as error:
        return _words(error)
    return None


def _keep_up(field: Field) -> None:
    """Begin a field that is new, or whose feature has changed, with what it held as far as it fits."""
    before: Field | None = session().fields.get(field.name)
    if before == field and _is_there(field):
        return
    cell = field.feature.default
    if before is not None and before != field and _is_there(before):
        cell = widget_of(before).read(before)
        cell = field.feature.default if cell is None and field.feature.required else cell
    for name in (field.name, field.slider, field.upload, field.grid):
        forget(name)
    _begin(field, cell)


def _is_there(field: Field) -> bool:
    """Whether the field still has its value: a sensitive one is gone once the page was left."""
    return widget_key(field.name) in st.session_state


def _issue(field: Field, cell: Any) -> str:
    """What is wrong with a cell; "" when nothing is."""
    feature = field.feature
    if cell is None and feature.required:
        return NEEDED
    if feature.kind == "tensor" and feature.required and (words := grids.holes(cell)):
        return words
    if feature.kind == "image" and isinstance(cell, bytes):
        return pictures.look_at(feature, cell).problem
    try:
        read_cell(feature, field.datatype, cell)
    except InputError as error:
        return _words(error)
    return ""


def _words(error: InputError) -> str:
    return error.issues[0].problem if isinstance(error, RowsError) else str(error)


# Sections


def _sections(fields: Iterable[Field]) -> dict[str, list[Field]]:
    """The fields of each group, in the order in which the groups come."""
    found: dict[str, list[Field]] = {}
    for field in fields:
        found.setdefault(field.feature.group, []).append(field)
    return found


def _section(
    form: str, title: str, at: int, fields: Sequence[Field], *, is_open: bool
) -> AbstractContextManager[Any]:
    """Where the fields of a group stand: below a heading, or in a fold of a long form."""
    is_folded = len(fields) > SHORT and len({field.feature.group for field in fields}) > 1
    if is_folded:
        words = literal(title) or OTHERS
        return st.container(key=f"section-{_word(form)}-{at}").expander(words, expanded=is_open)
    if title:
        st.subheader(literal(title))
    return nullcontext()


def _draw_fields(
    members: Sequence[Field], places: Mapping[str, str], cells: Mapping[str, Any]
) -> None:
    """One below the other; two side by side where there are many and the window is wide."""
    if len(places) <= SHORT:
        for field in members:
            _draw_field(field, places[field.name], cells[field.name])
        return
    grid = st.grid(2, min_column_width=FIELD_WIDTH_PX, gap=("xsmall", "small"))
    for field in members:
        span: Any = "all" if widget_of(field).is_wide else 1
        with grid.cell(column_span=span):
            _draw_field(field, places[field.name], cells[field.name])


def _draw_field(field: Field, place: str, cell: Any) -> None:
    with st.container(key=place, gap="xsmall"):
        _draw_widget(field, field.label(cell))
        words = session().notes.get(field.name) or _issue(field, cell)
        if words and words != NEEDED:
            st.caption(f":orange[:material/edit_note: {literal(words[:1].upper() + words[1:])}]")


def _draw_widget(field: Field, label: str) -> None:
    widget = widget_of(field)
    if widget.hides or not field.feature.sensitive:
        widget.draw(field, label)
        return
    # What is inside is in the browser's page only while it is open.
    words = f"{label} · hidden"
    with st.popover(words, icon=":material/visibility_off:", key=f"look.{field.name}"):
        widget.draw(field, label)


def _find(form: str) -> str:
    """What the person looks for among many fields."""
    return (
        st.text_input(
            "Find a field",
            label_visibility="collapsed",
            placeholder="Find a field",
            type="search",
            live=True,
            key=f"find.{form}",
            persist_state="session",
        )
        or ""
    )


def _matches(feature: Feature, wanted: str) -> bool:
    texts = (feature.name, feature.title, feature.help, feature.unit, feature.group)
    text = " ".join(texts).casefold()
    return all(word in text for word in wanted.casefold().split())


# What differs from run to run is a matter of style, so that no widget is replaced


def _style(fields: Sequence[Field], cells: Mapping[str, Any], wanted: str) -> None:
    """Hide what is not looked for, mark what is needed, pale the slider of what is not known."""
    orange, ground = _colour("orange", "#AD5700"), _colour("background", "#FFFFFF")
    colours = f":root {{ --form-orange: {orange}; --form-ground: {ground}; }}"
    rules = [colours, reference.STYLE]
    places = {field.name: f".st-key-{_key(field, at)}" for at, field in enumerate(fields)}
    for field in fields:
        place = places[field.name]
        if not _matches(field.feature, wanted):
            cell = f'[data-testid="stLayoutWrapper"]:has(> {place})'
            rules.append(f"{cell}, {place} {{ display: none; }}")
        if cells[field.name] is None:
            needed = f"{place} label {{ color: var(--form-orange); }}"
            pale = f'{place} [data-testid="stSlider"] > div {{ opacity: 0.45; }}'
            rules.append(needed if field.feature.required else pale)
    for at, members in enumerate(_sections(fields).values()):
        if not any(_matches(field.feature, wanted) for field in members):
            rules.append(f".st-key-section-{_word(fields[0].form)}-{at} {{ display: none; }}")
    st.html(f"<style>{''.join(rules)}</style>")


def _colour(name: str, otherwise: str) -> str:
    kind = st.context.theme.type or "light"
    return str(st.get_option(f"theme.{kind}.{name}Color") or otherwise)


def _key(field: Field, at: int) -> str:
    return f"field-{_word(field.form)}-{at}{'-must' * field.feature.required}"


def _word(name: str) -> str:
    """A name as it stands in a class of CSS."""
    return re.sub("[^a-zA-Z0-9_-]", "-", name)
