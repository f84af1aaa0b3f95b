"""One feature, as a column of a sample shows it: settings that fit what is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from kserve_client.catalog.facts import Settings
from kserve_client.catalog.sample.choices import (
    LONGEST_CHOICE,
    MOST_CHOICES,
    counted,
    of_category,
    short,
)
from kserve_client.catalog.sample.columns import EXACT_IN_FLOAT, Column, Numbers
from kserve_client.catalog.sample.numbers import nice_range, rounded
from kserve_client.datatypes import DATATYPES
from kserve_client.frames import FALSE_TEXTS, TRUE_TEXTS
from kserve_client.signature import Feature

_OF_FAMILY: Mapping[str, str] = MappingProxyType(
    {"float": "number", "integer": "integer", "boolean": "boolean", "bytes": "text"}
)
# What gives way first when settings don't fit together.
_LEAST_FIRST = ("default", "step", "min", "max", "choices", "required", "datatype", "reference")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is said of one feature, and what could not be."""

    settings: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def note(name: str, words: str) -> str:
    """A note on a feature or column."""
    return f"{name}: {words}"


def is_exact(numbers: Numbers) -> bool:
    """Whether a float holds each of the numbers, if they are whole."""
    return max(abs(numbers.least), abs(numbers.greatest)) < EXACT_IN_FLOAT


def proposal(name: str, column: Column, known: Settings) -> Proposal:
    """What a column says of a feature, fitting what is known of it."""
    kind = str(known.get("kind") or _guessed(column, known))
    notes: list[str] = []
    said = _OF_KIND.get(kind, _of_block)(column, known, notes)
    wire = known.get("datatype") or said.get("datatype") or _wire_in_file(column, kind)
    if "datatype" not in known and wire is not None and wire != _usual(kind):
        said["datatype"] = wire
    said |= _required(column, kind, wire or _usual(kind), known, notes)
    if "kind" not in known:
        said["kind"] = kind
    notes += _doubts(column, kind)
    if known.get("sensitive"):  # no value of a person, neither as a setting nor in a note
        said = {key: value for key, value in said.items() if key not in ("default", "reference")}
        notes = []
    settings, dropped = _valid(name, said, known)
    notes += [f"{', '.join(dropped)} left out, not fitting what is known"] if dropped else []
    in_order = {key: settings[key] for key in Feature.model_fields if key in settings}
    return Proposal(in_order, [note(name, words) for words in notes])


def _usual(kind: str) -> str:
    """The wire datatype of a kind when none is named."""
    return {"number": "FP64", "integer": "INT64", "boolean": "BOOL"}.get(kind, "BYTES")


def _wire_in_file(column: Column, kind: str) -> str | None:
    """The datatype of a file with types, where a feature of this kind may have it."""
    if column.datatype is None or kind in ("category", "text", "date"):
        return None
    return column.datatype if _may_travel(kind, column.datatype) else None


def _guessed(column: Column, known: Settings) -> str:
    """The kind of a column that fits the datatype, if that is known."""
    kind = _kind_of(column)
    datatype = known.get("datatype")
    if datatype is None or _may_travel(kind, datatype):
        return kind
    family = DATATYPES[datatype].family if datatype in DATATYPES else "bytes"
    if family == "bytes":
        return "category" if _is_category(column) else "text"
    return _OF_FAMILY[family]


def _may_travel(kind: str, datatype: str) -> bool:
    if kind == "category":  # by guess only of texts
        return datatype == "BYTES"
    return _is_valid({"name": "x", "kind": kind, "datatype": datatype})


def _kind_of(column: Column) -> str:
    if column.family == "integer":
        return _kind_of_integers(column)
    if column.family == "category":
        return "category" if 0 < len(column.values) <= MOST_CHOICES else "text"
    if column.family == "text":
        return "category" if _is_category(column) else "text"
    return {"number": "number", "boolean": "boolean", "date": "date"}.get(column.family, "text")


def _kind_of_integers(column: Column) -> str:
    numbers = column.numbers
    if numbers is None or (numbers.least < 0 and numbers.greatest >= 2**63):
        return "number"
    is_flag = (numbers.least, numbers.greatest) == (0, 1)
    is_written_so = all(value.strip() in ("0", "1", "0.0", "1.0") for value, _ in column.values)
    return "boolean" if is_flag and is_written_so else "integer"


def _is_category(column: Column) -> bool:
    """Few values, short, and each seen twice on average."""
    return (
        0 < column.distinct <= MOST_CHOICES
        and column.longest <= LONGEST_CHOICE
        and column.rows >= 2 * column.distinct
    )


def _required(
    column: Column, kind: str, wire: str, known: Settings, notes: list[str]
) -> dict[str, Any]:
    """Not required, where rows have no value and there is something to send for it."""
    missing = column.gaps.get("", 0) if kind == "text" else column.missing
    if not missing or not column.rows or known.get("required") is False:
        return {}
    told = f"no value in {missing:,} of {column.rows + column.missing:,} rows"
    words = [word for word in column.gaps if word and kind != "text"]
    told += f" ({', '.join(words)})" if words else ""
    if known.get("missing") is None and "FP" not in wire:
        notes.append(
            f"{told}; {wire} has no form for that: to allow it set required: false, and in missing "
            "what the model takes for it"
        )
        return {}
    notes.append(told)
    return {} if "required" in known else {"required": False}


def _doubts(column: Column, kind: str) -> list[str]:
    notes = []
    if column.infinite:
        notes.append(
            f"infinite in {column.infinite:,} of {column.rows:,} rows; its range is made of the others"
        )
    is_mostly_numbers = column.numbers is not None and column.numbers.rows > column.strays
    if column.strays and (kind in ("number", "integer") or (kind == "text" and is_mostly_numbers)):
        notes.append(
            f"no number in {column.strays:,} of {column.rows:,} rows, e.g. {short(column.stray)}"
        )
    if column.has_other_days and kind in ("text", "category"):
        notes.append("taken as text; the kind date sends dates such as 2026-11-22")
    if column.is_constant and kind != "text":
        notes.append("all rows have the same value")
    return notes


def _valid(name: str, said: dict[str, Any], known: Settings) -> tuple[dict[str, Any], list[str]]:
    """The settings that are valid together and with what is known, and those left out."""
    base = {key: value for key, value in known.items() if key not in ("name", "reference")}
    if not _is_valid({**base, "name": name}):
        base = {key: value for key, value in base.items() if key in ("kind", "datatype")}
    settings = {"name": name, **said}
    dropped: list[str] = []
    for setting in _LEAST_FIRST:
        if _is_valid({**base, **settings}):
            break
        if setting in settings:
            dropped.append(setting)
            del settings[setting]
    return settings, dropped


def _is_valid(settings: Settings) -> bool:
    try:
        Feature.model_validate(settings)
    except ValidationError:
        return False
    return True


# By kind


def _of_numbers(column: Column, known: Settings, notes: list[str]) -> dict[str, Any]:
    numbers = column.numbers
    if numbers is None:
        notes.append("it holds no number")
        return {}
    is_integer = known.get("kind") == "integer" or ("kind" not in known and numbers.is_whole)
    said = dict(nice_range(numbers, is_whole=is_integer))
    if is_integer and not numbers.is_whole:
        notes.append("not all numbers are whole")
    elif "min" not in said:
        notes.append("no range, its numbers are too large for a slider")
    return said | _wire_of(column, known, is_integer=is_integer) | _reference(column, numbers)


def _wire_of(column: Column, known: Settings, *, is_integer: bool) -> dict[str, Any]:
    """Integers as pandas has them in memory: floats where some are missing."""
    numbers = column.numbers
    if "datatype" in known or numbers is None or not is_integer:
        return {}
    if column.missing and is_exact(numbers):
        return {"datatype": "FP64"}
    return {"datatype": "UINT64"} if numbers.greatest >= 2**63 else {}


def _reference(column: Column, numbers: Numbers) -> dict[str, Any]:
    reference: dict[str, Any] = {"rows": numbers.rows}
    if column.missing:
        reference["missing"] = column.missing
    reference["quantiles"] = tuple(map(rounded, numbers.quantiles))
    if numbers.histogram:
        reference["histogram"] = numbers.histogram
    return {"reference": reference}


def _of_truths(column: Column, known: Settings, _: list[str]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for value, rows in column.values:
        word = value.strip().casefold().removesuffix(".0")
        if word in TRUE_TEXTS | FALSE_TEXTS:
            counts["true" if word in TRUE_TEXTS else "false"] += rows
    said: dict[str, Any] = counted(column, counts)
    if counts:
        said["default"] = counts["true"] > counts["false"]
    if "datatype" not in known and column.family == "integer" and column.datatype is None:
        said["datatype"] = "FP64" if column.missing else "INT64"
    return said


def _of_days(column: Column, _: Settings, notes: list[str]) -> dict[str, Any]:
    if not column.middle_day:
        notes.append("not all its values are dates such as 2026-11-22")
        return {}
    return {"default": column.middle_day}


def _of_texts(_: Column, __: Settings, ___: list[str]) -> dict[str, Any]:
    return {}


def _of_block(_: Column, known: Settings, notes: list[str]) -> dict[str, Any]:
    notes.append(f"a sample says nothing of the kind {known.get('kind')}")
    return {}


_OF_KIND: Mapping[str, Callable[[Column, Settings, list[str]], dict[str, Any]]] = MappingProxyType(
    {
        "number": _of_numbers,
        "integer": _of_numbers,
        "boolean": _of_truths,
        "category": of_category,
        "date": _of_days,
        "text": _of_texts,
    }
)
