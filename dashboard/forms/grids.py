"""Tensors: a table to edit, one slice at a time, and ways to fill it at once."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard.forms.field import Field, changed, watched
from dashboard.state import choose, chosen, forget, renew, session, start_with, widget_key
from dashboard.views import literal
from kserve_client.errors import InputError
from kserve_client.frames import read_cell

LONGEST_ROW = 30
MOST_NUMBERS = 1_000_000
MOST_CELLS = 20_000
MOST_COLUMNS = 300
PASTE_HEIGHT = 120


def begin_grid(field: Field, cell: Any) -> None:
    """Take the values from a cell, all zero for none. Raises RowsError when they don't fit."""
    if _is_too_large(field):
        choose({widget_key(field.name): None})
        return
    _take(field, _zeros(field) if cell is None else _values(field, cell))


def read_grid(field: Field) -> Any:
    """The values as nested lists, in the shape of the feature."""
    return chosen(field.name)


def holes(cell: Any) -> str:
    """How many cells of a table are empty, in words; "" when none is."""
    count = sum(value is None for value in _flat(cell))
    return (
        f"{count:,} cell{'s' * (count > 1)} {'are' if count > 1 else 'is'} empty" if count else ""
    )


def draw_grid(field: Field, label: str) -> None:
    """The table, and above it what fills it."""
    shape = field.feature.row_shape
    sizes = literal(" × ".join(map(str, shape)))
    if _is_too_large(field):
        st.markdown(f"{label} · {sizes} {field.datatype.name}")
        st.caption(
            f"{math.prod(shape):,} numbers are too many for a form: use Python or the command line."
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{label} · {sizes} {field.datatype.name}", help=field.help)
        _fill_menu(field)
    index = _leading(field, shape)
    rows, columns = _layout(shape)
    if rows * columns > MOST_CELLS or columns > MOST_COLUMNS:
        st.caption(
            f"{rows:,} × {columns:,} cells are too many for a table here: fill them at once."
        )
        return
    _table(field, index, rows, columns)


def _is_too_large(field: Field) -> bool:
    """A server may name any shape; a form of it must not fill the memory."""
    return math.prod(field.feature.row_shape) > MOST_NUMBERS


def _layout(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a table: the last two dimensions; a long row stands upright."""
    if len(shape) > 1:
        return shape[-2], shape[-1]
    return (1, shape[0]) if shape[0] <= LONGEST_ROW else (shape[0], 1)


def _leading(field: Field, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Which slice is shown: the index in each dimension before the last two, from 0."""
    if len(shape) < 3:
        return ()
    with st.container(horizontal=True):
        return tuple(_index(field, at, size) for at, size in enumerate(shape[:-2]))


def _index(field: Field, at: int, size: int) -> int:
    name = f"{field.grid}.{at}"
    start_with(name, 0)
    return int(
        st.number_input(
            f"Dimension {at + 1}, 0 – {size - 1}",
            min_value=0,
            max_value=size - 1,
            step=1,
            width=160,
            persist_state=field.persist,
            key=widget_key(name),
        )
    )


# The table


def _table(field: Field, index: tuple[int, ...], rows: int, columns: int) -> None:
    """Draw one slice. What the editor starts from stays the same as long as it is there.

    It sends all its edits each time; laid over values that hold them already they change nothing.
    """
    key = ".".join([widget_key(field.grid), *map(str, index)])
    base_name = f"base.{field.grid}"
    base = chosen(base_name)
    if base is None or base[0] != key or key not in st.session_state:
        part = np.asarray(_array(field)[index], dtype=object).reshape(rows, columns)
        base = (key, _frame(field, part))
        choose({base_name: base})
    st.data_editor(
        base[1],
        key=key,
        hide_index=len(field.feature.row_shape) == 1,
        column_config={name: _column(field, name) for name in base[1].columns},
        on_change=_edited,
        args=(field, key, index),
        alt=f"{field.feature.label} {list(index)}" if index else field.feature.label,
    )


def _frame(field: Field, part: NDArray[Any]) -> pd.DataFrame:
    """Cells of the kind the editor should make of them."""
    frame = pd.DataFrame(part, columns=[str(at) for at in range(part.shape[1])])
    family = field.datatype.family
    if family == "bytes" or _is_wide(field):
        return frame.map(_text).astype("string")
    kinds: dict[str, Any] = {"float": "float64", "integer": "Int64", "boolean": "bool"}
    return frame.astype(kinds[family])


def _is_wide(field: Field) -> bool:
    """Whether its integers need more digits than a browser's number has."""
    return field.datatype.name in ("INT64", "UINT64")


def _column(field: Field, name: str) -> Any:
    datatype, column = field.datatype, st.column_config
    if datatype.family == "boolean":
        return column.CheckboxColumn(name, required=True)
    if datatype.family == "bytes":
        return column.TextColumn(name)
    if _is_wide(field):
        sign = "" if datatype.name.startswith("U") else "-?"
        return column.TextColumn(name, required=True, validate=f"^{sign}[0-9]+$")
    if datatype.family == "integer":
        return column.NumberColumn(
            name, required=True, step=1, min_value=datatype.minimum, max_value=datatype.maximum
        )
    return column.NumberColumn(name, required=True)


def _edited(field: Field, key: str, index: tuple[int, ...]) -> None:
    """Put what was typed or pasted into the values."""
    array = _array(field)
    part = array[index].reshape(_layout(field.feature.row_shape))
    for row, cells in st.session_state[key]["edited_rows"].items():
        for column, cell in cells.items():
            part[int(row), int(column)] = _typed(field, cell)
    choose({widget_key(field.name): array.tolist()})
    changed(field)


def _typed(field: Field, cell: Any) -> Any:
    if field.datatype.family == "bytes":
        return "" if cell is None else str(cell)
    if field.datatype.family == "integer" and cell is not None:
        try:
            return int(cell)
        except ValueError:
            return cell
    return cell


def _array(field: Field) -> NDArray[Any]:
    """The values as objects: integers and texts stay what they are."""
    return _shaped(field, _flat(chosen(field.name)))


def _shaped(field: Field, flat: list[Any]) -> NDArray[Any]:
    array = np.empty(len(flat), dtype=object)
    array[:] = flat
    return array.reshape(field.feature.row_shape)


def _flat(values: Any) -> list[Any]:
    if isinstance(values, np.ndarray):
        return list(values.ravel().tolist())
    if isinstance(values, list | tuple):
        return [one for value in values for one in _flat(value)]
    return [values]


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)


# Filling it at once


def _take(field: Field, values: Any) -> None:
    """Give the field new values, and the table a fresh start with them."""
    forget(field.grid)
    renew({field.name: values})


def _zeros(field: Field) -> Any:
    zero = {"bytes": "", "boolean": False, "integer": 0, "float": 0.0}[field.datatype.family]
    return np.full(field.feature.row_shape, zero, dtype=object).tolist()


def _values(field: Field, cell: Any) -> Any:
    """Nested lists in the shape of the feature. Raises RowsError when the cell does not fit."""
    read_cell(field.feature, field.datatype, cell)
    given = json.loads(cell) if isinstance(cell, str) else cell
    flat = [_text(one) if isinstance(one, bytes) else one for one in _flat(given)]
    # Not what was read: as FP32 a tenth would stand there as 0.10000000149.
    return _shaped(field, flat).tolist()


def _fill_menu(field: Field) -> None:
    words = "Zeros" if field.datatype.family != "bytes" else "Empty texts"
    with st.popover("Fill", icon=":material/format_color_fill:", key=f"fill.{field.grid}"):
        st.button(words, key=f"zeros.{field.grid}", on_click=_fill, args=(field, None))
        last = _last(field)
        st.button(
            "As last asked",
            key=f"last.{field.grid}",
            disabled=last is None,
            on_click=_fill,
            args=(field, last),
        )
        name = f"paste.{field.grid}"
        st.text_area(
            "CSV or JSON",
            height=PASTE_HEIGHT,
            placeholder="1, 2, 3",
            **watched(name, _pasted, field, name),
        )


def _last(field: Field) -> Any:
    """The values that the last answer is about."""
    answered = session().answers.get(field.form)
    found = answered.row.get(field.feature.name) if answered else None
    return found if isinstance(found, list) else None


def _fill(field: Field, cell: Any) -> None:
    begin_grid(field, cell)
    changed(field)


def _pasted(field: Field, name: str) -> None:
    """Take what was pasted, whole or not at all."""
    text = str(chosen(name, "")).strip()
    if not text:
        return
    try:
        begin_grid(field, _read(field, text))
        changed(field)
        forget(name)
    except InputError as error:
        issues = getattr(error, "issues", ())
        changed(field)
        session().notes[field.name] = issues[0].problem if issues else str(error)


def _read(field: Field, text: str) -> Any:
    """JSON where it begins like a list, else values between commas, semicolons, tabs or blanks."""
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise InputError("is not a JSON list") from None
    lines = [line for line in text.splitlines() if line.strip()]
    mark = next((mark for mark in "\t;," if mark in text), " ")
    rows = csv.reader(io.StringIO("\n".join(lines)), delimiter=mark, skipinitialspace=True)
    return [_parsed(field, cell.strip()) for row in rows for cell in row]


def _parsed(field: Field, cell: str) -> Any:
    family = field.datatype.family
    if family == "bytes":
        return cell
    if family == "boolean":
        return {"true": True, "1": True, "false": False, "0": False}.get(cell.casefold(), cell)
    try:
        return int(cell) if family == "integer" else float(cell)
    except ValueError:
        shown = "a cell" if field.feature.sensitive else repr(cell[:40])
        raise InputError(f"{shown} is not a {'whole ' * (family == 'integer')}number") from None
