"""The input example of a logged model → rows of the form.

`input_example.json` is a table as pandas splits it ({"columns", "data"}), a list of rows, a row, or
tensors by name; `serving_input_example.json` holds the same below `dataframe_split` or `inputs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from itertools import islice
from typing import Any

import numpy as np

from kserve_client.catalog.facts import Settings

MOST_ROWS = 3
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
_WRAPPERS = ("dataframe_split", "dataframe_records", "inputs", "instances")
Row = dict[str, Any]


def rows_of(example: Any, features: Sequence[Settings]) -> list[Row]:
    """The first rows of an example, by the names of the features; none where it fits none of them."""
    names = [str(feature["name"]) for feature in features]
    if not names:
        return []
    by_name = {str(feature["name"]): feature for feature in features}
    is_block = features[0].get("kind") == "tensor"
    found = islice(_rows(_unwrapped(example), names, is_block), MOST_ROWS)
    rows = [{name: _cell(value, by_name[name]) for name, value in row.items()} for row in found]
    return [row for row in rows if row]


def _unwrapped(example: Any) -> Any:
    for wrapper in _WRAPPERS:
        if isinstance(example, dict) and wrapper in example:
            return example[wrapper]
    return example


def _rows(example: Any, names: list[str], is_block: bool) -> list[Row]:
    if isinstance(example, dict):
        if isinstance(example.get("data"), list):
            return _split(example.get("columns"), example["data"], names)
        return _by_name(example, names)
    if not isinstance(example, list):
        return []
    if example and all(isinstance(row, dict) for row in example):
        return [_known(row, names) for row in example[:MOST_ROWS]]
    if len(names) == 1:
        return [{names[0]: row if is_block else _only(row)} for row in example[:MOST_ROWS]]
    return _split(None, example, names)


def _split(columns: Any, data: list[Any], names: list[str]) -> list[Row]:
    """Rows of a table: by its columns where they are those of the model, else by position."""
    listed = list(map(str, columns)) if isinstance(columns, list) else names
    by_position = not set(listed) & set(names)
    rows = [row for row in data[:MOST_ROWS] if isinstance(row, list) and len(row) == len(listed)]
    keys = names if by_position and len(listed) == len(names) else listed
    return [_known(dict(zip(keys, row, strict=True)), names) for row in rows]


def _by_name(example: Mapping[str, Any], names: list[str]) -> list[Row]:
    """One row, or several where each name has a list of the same length."""
    known = _known(example, names)
    lengths = {len(value) if isinstance(value, list) else None for value in known.values()}
    if len(lengths) != 1 or lengths == {None}:
        return [known]
    count = min(max(lengths.pop() or 0, 0), MOST_ROWS)
    return [{name: _only(value[at]) for name, value in known.items()} for at in range(count)]


def _known(row: Mapping[str, Any], names: list[str]) -> Row:
    return {name: row[name] for name in names if name in row and not _is_missing(row[name])}


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN is what differs from itself


def _only(value: Any) -> Any:
    """The value of a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _cell(value: Any, feature: Settings) -> Any:
    if feature.get("kind") == "date":
        return _date(value)
    is_short = feature.get("datatype") == "FP32" and isinstance(value, float)
    return _short(value) if is_short else value


def _short(value: float) -> float:
    """A float32 as it was written: MLflow makes 5.099999904632568 of 5.1."""
    return value if abs(value) > _LARGEST_FLOAT32 else float(str(np.float32(value)))


def _date(value: Any) -> Any:
    """A moment at midnight is a date; a time of day can't be told here and stays, to be refused."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
    return moment.date().isoformat() if moment.time() == time() else value
