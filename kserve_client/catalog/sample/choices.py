"""Choices of a category, from the values of a column and those that are known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from kserve_client.catalog.facts import Settings
from kserve_client.catalog.sample.columns import Column
from kserve_client.datatypes import DATATYPES

MOST_CHOICES = 50
LONGEST_CHOICE = 100


def counted(column: Column, counts: Mapping[str, int]) -> dict[str, Any]:
    """The reference of a category or boolean, from its rows by value."""
    reference: dict[str, Any] = {"rows": sum(counts.values())}
    if column.missing:
        reference["missing"] = column.missing
    reference["counts"] = dict(counts)
    return {"reference": reference} if counts else {}


def of_category(column: Column, known: Settings, notes: list[str]) -> dict[str, Any]:
    """The settings of a category. Known choices keep their labels, new values come after them."""
    choices = [_choice(choice) for choice in known.get("choices", ())]
    values = _values(column, {word for choice in choices for word in _words(choice)})
    found = {word: choice for choice in choices for word in _words(choice)}
    fresh = {value: rows for value, rows in values.items() if not _found(value, found)}
    added = _added(column, fresh, choices, known.get("datatype"), notes)
    found |= {word: choice for choice in added for word in _words(choice)}
    counts: Counter[str] = Counter()
    for value, rows in values.items():
        if choice := _found(value, found):
            counts[as_text(choice["value"])] += rows
    said = counted(column, dict(counts.most_common(MOST_CHOICES)))
    if added:
        said["choices"] = [_written(choice) for choice in (*choices, *added)]
    if counts:
        options = [choice["value"] for choice in (*choices, *added)]
        said["default"] = max(options, key=lambda value: counts[as_text(value)])
    return said


def _values(column: Column, words: Collection[str]) -> dict[str, int]:
    """The values of a category: "None" and "NA" are missing, unless they are known as choices.

    Values that differ in blanks around them alone are one, the commonest of them.
    """
    spoken = {word: rows for word, rows in column.gaps.items() if word in words and word}
    one: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for value, rows in (*column.values, *spoken.items()):
        text = _as_number(value) if column.family in ("integer", "number") else value
        counts[one.setdefault(text.strip(), text)] += rows
    return counts


def _choice(given: Any) -> dict[str, Any]:
    """A known choice, be it plain, a mapping or a Choice."""
    if isinstance(given, Mapping):
        return {"value": given["value"], "label": given.get("label", "")}
    if hasattr(given, "label"):
        return {"value": given.value, "label": given.label}
    return {"value": given, "label": ""}


def _words(choice: Mapping[str, Any]) -> set[str]:
    """What a cell may hold for a choice: its value or its label."""
    return {word for word in (as_text(choice["value"]).strip(), choice["label"].strip()) if word}


def _found(value: str, choices: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The choice that a cell stands for; 1.0 is 1 where nothing is written so."""
    word = value.strip()
    return choices.get(word) or choices.get(re.sub(r"^([+-]?[0-9]+)\.0*$", r"\1", word))


def _written(choice: Mapping[str, Any]) -> Any:
    return dict(choice) if choice["label"] else choice["value"]


def as_text(value: Any) -> str:
    """A choice's value as a key of counts: true, 1 (of 1.0 as well), Adelie."""
    if isinstance(value, bool):
        return str(value).casefold()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _as_number(text: str) -> str:
    """1.50 and 1.5 are one value."""
    try:
        return f"{Decimal(text.strip()).normalize():f}"
    except InvalidOperation:
        return text


def _added(
    column: Column,
    fresh: Mapping[str, int],
    choices: Sequence[Mapping[str, Any]],
    datatype: str | None,
    notes: list[str],
) -> list[dict[str, Any]]:
    """New choices for values that no known choice stands for."""
    read = _reader_of(choices, datatype)
    taken = [value for value in sorted(fresh, key=lambda v: -fresh[v]) if read(value) is not None]
    taken = taken[: max(MOST_CHOICES - len(choices), 0)]
    in_order = [*fresh] if column.family == "category" else ordered(fresh)
    values = [value for value in in_order if value in taken]
    left = [value for value in fresh if value not in values]
    if left:
        notes.append(f"left out of the choices: {len(left):,} values, e.g. {short(left[0])}")
    if choices and values:
        notes.append(f"new values: {', '.join(map(short, values))}")
    return [{"value": read(value), "label": ""} for value in values]


def _reader_of(
    choices: Sequence[Mapping[str, Any]], datatype: str | None
) -> Callable[[str], int | float | str | None]:
    """How a text becomes a value like those that are known, None where it can't."""
    family = DATATYPES[datatype].family if datatype else ""
    types = {type(choice["value"]) for choice in choices}
    if family == "boolean" or types == {bool}:
        return lambda _: None
    if types == {int} or family == "integer":
        return lambda text: int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()) else None
    if types <= {int, float} and (types or family == "float"):
        return _float
    return lambda text: text if len(text) <= LONGEST_CHOICE else None


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def ordered(values: Mapping[str, int]) -> list[str]:
    """The commonest first; where each value holds a number, such as an age band, by that."""
    if all(re.search(r"[0-9]", value) for value in values):
        return sorted(values, key=_by_number)
    return sorted(values, key=lambda value: (-values[value], value))


def _by_number(text: str) -> list[tuple[int, str]]:
    parts: Iterable[str] = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def short(text: str) -> str:
    """A value in a note."""
    return repr(text if len(text) <= 40 else text[:39] + "…")
