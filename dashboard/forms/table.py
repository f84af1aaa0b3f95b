"""The one widget table: how each kind of field is drawn, begun and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.forms import grids, hidden, numbers, pictures, words
from dashboard.forms.field import Field

WidgetName = Literal[
    "slider and box",
    "number box",
    "exact line",
    "hidden line",
    "pills",
    "list",
    "yes or no",
    "toggle",
    "text area",
    "calendar",
    "upload",
    "table",
]


@dataclass(frozen=True, slots=True)
class Widget:
    """`draw` puts it on the page, `begin` sets it from a cell, `read` returns its cell.

    `begin` raises InputError, saying why, for a cell that it can't show. `is_wide` takes the width
    of a form, `hides` keeps a sensitive value off the screen by itself.
    """

    draw: Callable[[Field, str], None]
    begin: Callable[[Field, Any], None]
    read: Callable[[Field], Any] = words.read_chosen
    is_wide: bool = False
    hides: bool = False


WIDGETS: dict[WidgetName, Widget] = {
    "slider and box": Widget(numbers.draw_slider, numbers.begin_number, numbers.read_number),
    "number box": Widget(numbers.draw_box, numbers.begin_number, numbers.read_number),
    "exact line": Widget(numbers.draw_exact, numbers.begin_exact, numbers.read_exact),
    "hidden line": Widget(hidden.draw_line, hidden.begin_line, hidden.read_line, hides=True),
    "pills": Widget(words.draw_pills, words.begin_choice),
    "list": Widget(words.draw_list, words.begin_choice),
    "yes or no": Widget(words.draw_yes_or_no, words.begin_boolean),
    "toggle": Widget(words.draw_toggle, words.begin_boolean),
    "text area": Widget(words.draw_text, words.begin_text, words.read_text),
    "calendar": Widget(words.draw_date, words.begin_date),
    "upload": Widget(
        pictures.draw_picture, pictures.begin_picture, pictures.read_picture, is_wide=True
    ),
    "table": Widget(grids.draw_grid, grids.begin_grid, grids.read_grid, is_wide=True),
}


def widget_of(field: Field) -> Widget:
    """The widget of a field."""
    return WIDGETS[widget_name(field)]


def widget_name(field: Field) -> WidgetName:
    """Which widget a field gets."""
    feature = field.feature
    match feature.kind:
        case "number" | "integer" | "text" if feature.sensitive:
            return "hidden line"
        case "number" | "integer":
            return _number(field)
        case "category":
            return "pills" if words.are_short(feature.choices) else "list"
        case "boolean":
            return "toggle" if feature.required else "yes or no"
        case "text":
            return "text area"
        case "date":
            return "calendar"
        case "image":
            return "upload"
        case "tensor":
            return "table"


def _number(field: Field) -> WidgetName:
    if field.has_slider:
        return "slider and box"
    return "exact line" if field.is_wide_integer else "number box"
