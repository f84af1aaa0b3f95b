"""Columns of any type as columns of text, each value in the one form that reads back as it.

Arrays go in and come out whole; Python looks at single values only where a type is nested or a text
holds what needs escaping.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kserve_client.frames import time_text
from kserve_client.scoring.arrays import array, no_text, text, values_of

_COMMA, _POINT = ord(","), "."
_Unit = Literal["D", "s", "ms", "us", "ns"]
_JSON_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


def as_text(column: pa.Array, decimal: str = ".") -> pa.Array:
    r"""A column as `string`, null where it is null.

    Floats in the shortest form that reads back as the same number ("1.0", "1e-7", "nan", "-inf");
    numbers that are no integers with this decimal sign; booleans true and false; times in ISO 8601,
    those with a zone in UTC; durations as pandas has them ("0 days 00:00:01"); UUIDs with their hyphens;
    bytes as UTF-8, what is none as \xff; lists and structs as JSON.
    """
    values = plain(column)
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_floating(kind):
        return _with_decimal(float_text(values), decimal)
    if pa.types.is_decimal(kind):
        return _with_decimal(values.cast(pa.string()), decimal)
    if pa.types.is_temporal(kind):
        return _times(values)
    if _is_bytes(kind):
        return _each(values, lambda value: value.decode(errors="backslashreplace"))
    if pa.types.is_primitive(kind) or pa.types.is_null(kind) or is_text(kind):
        return values.cast(pa.string())
    return json_text(values)


def float_text(column: pa.Array) -> pa.Array:
    """Floats as text, the shortest that reads back as the same number of that width."""
    numbers = pc.fill_null(column, 0.0) if column.null_count else column
    values = np.ascontiguousarray(values_of(numbers))
    texts = _split(orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1], len(column))
    if not np.isfinite(values).all():
        texts = _with_not_finite(texts, numbers)
    if column.null_count:
        texts = pc.if_else(column.is_valid(), texts, no_text())
    return texts


def json_text(column: pa.Array) -> pa.Array:
    """Each value as JSON text; numbers that JSON has no form for are null in it."""
    return _each(
        column, lambda value: orjson.dumps(value, default=_json, option=_JSON_OPTIONS).decode()
    )


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type are text already."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def plain(column: pa.Array) -> pa.Array:
    """The values behind dictionaries, runs and extensions; UUIDs as their texts."""
    if pa.types.is_dictionary(column.type):
        return plain(column.dictionary_decode())
    if pa.types.is_run_end_encoded(column.type):
        return plain(pc.run_end_decode(column))
    if isinstance(column.type, pa.UuidType):
        return _each(column, str)
    if isinstance(column.type, pa.BaseExtensionType):
        return plain(column.storage)
    return column


def plain_kind(kind: pa.DataType) -> pa.DataType:
    """The type of the values that `plain` gives."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return plain_kind(kind.value_type)
    if isinstance(kind, pa.UuidType):
        return pa.string()
    if isinstance(kind, pa.BaseExtensionType):
        return plain_kind(kind.storage_type)
    return kind


def characters(column: pa.Array) -> bytes:
    """All the texts of a `string` column, one behind the other."""
    data = column.buffers()[2]
    if data is None or not len(column):
        return b""
    offsets = offsets_of(column)
    return bytes(memoryview(data)[int(offsets[0]) : int(offsets[-1])])


def rows_with(column: pa.Array, marks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The rows of a `string` column that hold one of these bytes; `marks` says of each if it is."""
    data = np.frombuffer(characters(column), np.uint8)
    hits = np.flatnonzero(marks[data])
    if not len(hits):
        return hits
    offsets = offsets_of(column)
    return np.unique(np.searchsorted(offsets, hits + offsets[0], side="right") - 1)


def with_changed(
    column: pa.Array, rows: NDArray[np.int64], change: Callable[[pa.Array], pa.Array]
) -> pa.Array:
    """A column with another text in these rows."""
    if not len(rows):
        return column
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    return pc.replace_with_mask(column, array(mask), change(column.take(array(rows))))


def bytes_among(letters: str) -> NDArray[np.bool_]:
    """A table for `rows_with`: the bytes of these characters."""
    marks = np.zeros(256, bool)
    marks[list(letters.encode())] = True
    return marks


def offsets_of(column: pa.Array) -> NDArray[np.int32]:
    """Where the texts of a `string` column begin in its data, and where the last one ends."""
    found = np.frombuffer(column.buffers()[1], np.int32)
    return found[column.offset : column.offset + len(column) + 1]


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _split(joined: bytes, count: int) -> pa.Array:
    """Numbers with commas between them → one text each, without a loop."""
    if not count:
        return pa.nulls(0, pa.string())
    commas = np.flatnonzero(np.frombuffer(joined, np.uint8) == _COMMA)
    ends = np.append(commas, len(joined)) - np.arange(count)
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.StringArray.from_buffers(
        count, pa.py_buffer(offsets), pa.py_buffer(joined.replace(b",", b""))
    )


def _with_not_finite(texts: pa.Array, numbers: pa.Array) -> pa.Array:
    """JSON says null for what is no finite number."""
    texts = pc.if_else(pc.is_nan(numbers), text("nan"), texts)
    signed = pc.if_else(pc.greater(numbers, 0), text("inf"), text("-inf"))
    return pc.if_else(pc.is_inf(numbers), signed, texts)


def _with_decimal(texts: pa.Array, decimal: str) -> pa.Array:
    return texts if decimal == _POINT else pc.replace_substring(texts, _POINT, decimal)


def _times(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _timestamps(column)
    if pa.types.is_date(kind):
        return _dated(column, "D")
    return _durations(column) if pa.types.is_duration(kind) else column.cast(pa.string())


def _timestamps(column: pa.Array) -> pa.Array:
    """Arrow keeps an instant with a zone in UTC; no table of zones is needed to say it so."""
    naive = column.view(pa.timestamp(column.type.unit))
    texts = pc.replace_substring(_dated(naive, column.type.unit), " ", "T", max_replacements=1)
    if column.type.tz is None:
        return texts
    return pc.binary_join_element_wise(texts, text("Z"), text(""))


def _dated(column: pa.Array, unit: _Unit) -> pa.Array:
    """Arrow writes dates to the year 32767, and "<value out of range…" instead of later ones."""
    texts = column.cast(pa.string())
    if b"<" not in characters(texts):
        return texts
    kind = "ms" if pa.types.is_date64(column.type) else unit

    def late(_: pa.Array) -> pa.Array:
        counts = pc.filter(column, is_late).view(f"int{column.type.bit_width}")
        dates = values_of(counts).astype(f"datetime64[{kind}]")
        return pa.array(np.datetime_as_string(dates, unit=unit).tolist(), pa.string())

    is_late = pc.fill_null(pc.starts_with(texts, "<"), False)
    return with_changed(texts, np.flatnonzero(values_of(is_late)), late)


def _durations(column: pa.Array) -> pa.Array:
    """Not by way of Python, whose own end at a milliard of days."""
    spans = column.to_numpy(zero_copy_only=False)
    return pa.array([None if np.isnat(span) else time_text(span) for span in spans], pa.string())


def _each(column: pa.Array, written: Callable[[Any], str]) -> pa.Array:
    values = column.to_pylist()
    return pa.array([None if value is None else written(value) for value in values], pa.string())


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, dt.timedelta):
        return time_text(value)
    return str(value)
