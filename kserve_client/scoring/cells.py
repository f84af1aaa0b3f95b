"""Columns of a source, made ready for `frames.encode`: numbers as arrays wherever nothing is lost by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kserve_client.decimals import GROUPED, Decimal, ungrouped
from kserve_client.frames import MISSING_TEXTS, Repeated, shown
from kserve_client.scoring.arrays import text, texts, values_of
from kserve_client.signature import Feature

Cells = Sequence[Any] | NDArray[Any] | Repeated
REPEATING_KINDS = ("category", "boolean", "date")
_SPACES = " \t\r\n\v\f"
_MISSING = texts(sorted(MISSING_TEXTS - {""}))
_NOTHING = text("")


def cells_of(column: pa.Array, feature: Feature, decimal: Decimal = ".") -> Cells:
    """The cells of one column as `encode` reads them fastest.

    Texts that are all numbers become an array of them; of columns that repeat themselves each
    distinct text is read once. Whatever needs a look at each cell stays a list of Python values.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_text(column.type):
        return _text_cells(column, feature, decimal)
    if _is_number(column.type) and not column.null_count:
        return values_of(column)
    if pa.types.is_floating(column.type):
        return values_of(column)  # null is NaN
    return list(column.to_pylist())


def misread_decimals(column: pa.Array, feature: Feature, decimal: Decimal) -> Mapping[int, str]:
    """Cells with a decimal point in a file that writes decimals with a comma, by position."""
    if decimal == "." or feature.kind not in ("number", "integer") or not _is_text(column.type):
        return {}
    found = pointed(without_groups(column)) if has_points(column) else []
    return {at: point_problem(column[at].as_py(), feature) for at in found}


def has_points(column: pa.Array) -> bool:
    """Whether a text has a point: most files with decimal commas have none."""
    return bool(pc.any(pc.match_substring(column, ".")).as_py())


def without_groups(column: pa.Array) -> pa.Array:
    """Texts of a file with decimal commas without the points that part thousands in numbers."""
    is_grouped = pc.match_substring_regex(column, GROUPED)
    return pc.if_else(is_grouped, pc.replace_substring(column, ".", ""), column)


def pointed(column: pa.Array) -> list[int]:
    """Where a text would be a number if its point were a decimal one; thousands are not parted."""
    has_point = pc.match_substring(column, ".").fill_null(fill_value=False)
    places = np.flatnonzero(has_point.to_numpy(zero_copy_only=False)).tolist()
    return [at for at in places if is_pointed(column[at].as_py())]


def is_pointed(cell: str) -> bool:
    """Whether a text that has a point is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def point_problem(cell: str, feature: Feature) -> str:
    """What is said of a number with a decimal point in a file with decimal commas."""
    told = "the value" if feature.sensitive else shown(cell)
    return f"{told} has a point, and this file writes decimals with a comma"


def as_written(problem: str, cell: Any, decimal: Decimal) -> str:
    """What `encode` says of a cell, which it got with points for commas, as the file has the cell."""
    if decimal == "." or not isinstance(cell, str):
        return problem
    return problem.replace(shown(ungrouped(cell).replace(",", ".")), shown(cell), 1)


def _text_cells(column: pa.Array, feature: Feature, decimal: Decimal) -> Cells:
    if feature.kind in ("number", "integer") and feature.is_scalar:
        return _numbers(column, feature, decimal)
    if feature.kind in REPEATING_KINDS and not column.null_count:
        return _repeated(column)
    return list(column.to_pylist())


def _numbers(column: pa.Array, feature: Feature, decimal: Decimal) -> Cells:
    """The first reading that takes every cell: as they are, trimmed, with the missing ones left out."""
    if decimal == ",":
        column = without_groups(column) if has_points(column) else column
        column = pc.replace_substring(column, ",", ".")
    wanted = pa.float64() if feature.kind == "number" else pa.int64()
    if feature.kind == "integer" and _may_be_hex(column):
        return list(column.to_pylist())
    readings: tuple[Callable[[pa.Array], pa.Array], ...] = (
        lambda cells: cells,
        lambda cells: pc.ascii_trim(cells, _SPACES),
    )
    for reading in readings:
        found = _cast(reading(column), wanted)
        if found is not None:
            return found
    found = _cast(_without_missing(column), wanted) if feature.kind == "number" else None
    return list(column.to_pylist()) if found is None else found


def _may_be_hex(column: pa.Array) -> bool:
    """Arrow reads 0x10 as sixteen; such a cell is no whole number here."""
    return bool(pc.any(pc.match_substring(column, "x", ignore_case=True)).as_py())


def _without_missing(column: pa.Array) -> pa.Array:
    trimmed = pc.ascii_trim(column, _SPACES)
    is_missing = pc.or_(
        pc.equal(trimmed, _NOTHING), pc.is_in(pc.ascii_lower(trimmed), value_set=_MISSING)
    )
    return pc.if_else(is_missing, pa.nulls(1, trimmed.type)[0], trimmed)


def _cast(column: pa.Array, wanted: pa.DataType) -> NDArray[Any] | None:
    """The numbers of texts; None where one is none, or infinite: its own text says more."""
    try:
        found = values_of(pc.cast(column, wanted))
    except pa.ArrowInvalid:
        return None
    return None if found.dtype.kind == "f" and np.isinf(found).any() else found


def _repeated(column: pa.Array) -> Repeated:
    coded = column.dictionary_encode()
    return Repeated(values_of(coded.indices), coded.dictionary.to_pylist())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )
