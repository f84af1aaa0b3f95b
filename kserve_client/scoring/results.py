"""The columns of a result table: those of the source, what the model answers, state and error.

The result columns are those of the first rows that have any. Their names give way to the columns of
the source; an answer that does not fit under them is an error of its rows, never a shift.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kserve_client.errors import InputError
from kserve_client.predictions import ANSWER_COLUMN
from kserve_client.scoring.arrays import array, repeated, texts
from kserve_client.scoring.rows import (
    ERROR_COLUMN,
    FAILED,
    OK,
    SKIPPED,
    STATE_COLUMN,
    Scored,
)

COLUMNS_CHANGED = "the answer has other columns than the first one: {found} instead of {expected}"
VALUE_CHANGED = "the answer has other types than the first one: {column} is {found}, not {expected}"
_STATES = texts([OK, FAILED, SKIPPED])
_CODES = {OK: 0, FAILED: 1, SKIPPED: 2}
_LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True)
class ResultSchema:
    """Which result columns a table has, beside which columns of its source.

    `columns` are those of the source, `results` the names the model's answers have and their Arrow
    types. `untyped` names results that were null in all of the first rows: they are text, and take
    whatever comes as text.
    """

    columns: tuple[str, ...]
    results: pa.Schema
    untyped: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, scored: Scored) -> Self:
        """The schema that the first rows with results fix."""
        if scored.results is None:
            raise ValueError("no row has a result")
        found = scored.results.schema
        untyped = frozenset(one.name for one in found if pa.types.is_null(one.type))
        fields = [(one.name, pa.string() if one.name in untyped else one.type) for one in found]
        return cls(tuple(scored.rows.cells.schema.names), pa.schema(fields), untyped)

    @classmethod
    def without_answers(cls, columns: Iterable[str]) -> Self:
        """The schema of a table none of whose rows was predicted: `prediction` stays empty."""
        return cls(tuple(columns), pa.schema([(ANSWER_COLUMN, pa.string())]))

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        results = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(found["results"])))
        return cls(tuple(found["columns"]), results, frozenset(found["untyped"]))

    def to_json(self) -> dict[str, Any]:
        """A form for JSON; `added` is for people, the other keys are what is read again."""
        kinds = [*map(str, self.results.types), "string", "string"]
        return {
            "columns": list(self.columns),
            "added": dict(zip(self.added, kinds, strict=True)),
            "untyped": sorted(self.untyped),
            "results": base64.b64encode(self.results.serialize().to_pybytes()).decode(),
        }

    @property
    def added(self) -> tuple[str, ...]:
        """The names beside the source's: results, state, error; `_2` where one is taken."""
        taken = {column.strip() for column in self.columns}
        free = []
        for name in (*self.results.names, STATE_COLUMN, ERROR_COLUMN):
            free.append(_free_name(name, taken))
            taken.add(free[-1])
        return tuple(free)

    def fit(self, scored: Scored) -> Scored:
        """The same rows; those whose results don't fit here have an error instead."""
        if scored.results is None or scored.results.schema.equals(self.results):
            return scored
        found = scored.results.schema.names
        if sorted(found) != sorted(self.results.names):
            problem = COLUMNS_CHANGED.format(
                found=", ".join(found), expected=", ".join(self.results.names)
            )
            return _with_errors(scored, dict.fromkeys(range(len(scored)), problem))
        return self._cast(scored, scored.results)

    def _cast(self, scored: Scored, results: pa.RecordBatch) -> Scored:
        problems: dict[int, str] = {}
        columns = []
        for one in self.results:
            column = results.column(results.schema.get_field_index(one.name))
            values, misfits = _fitted(column, one, is_untyped=one.name in self.untyped)
            columns.append(values)
            problems = misfits | problems
        fitted = pa.RecordBatch.from_arrays(columns, schema=self.results)
        return _with_errors(replace(scored, results=fitted), problems)


def table(
    scored: Scored, schema: ResultSchema, columns: Sequence[str] | None = None
) -> pa.RecordBatch:
    """Rows as they are written: columns of the source, results, state, error.

    `columns` chooses columns of the source and their order; None means all. Raises InputError when
    one is not there. The results must fit the schema.
    """
    cells = scored.rows.cells
    chosen = range(cells.num_columns) if columns is None else positions(schema.columns, columns)
    results = (
        [pa.nulls(len(scored), kind) for kind in schema.results.types]
        if scored.results is None
        else scored.results.columns
    )
    return pa.RecordBatch.from_arrays(
        [*(cells.column(at) for at in chosen), *results, *_state_and_error(scored)],
        names=[*(cells.schema.names[at] for at in chosen), *schema.added],
    )


def positions(columns: Sequence[str], chosen: Iterable[str]) -> list[int]:
    """Where chosen columns stand. Raises InputError when one does not."""
    at = {name: position for position, name in reversed(list(enumerate(columns)))}
    missing = [name for name in chosen if name not in at]
    if missing:
        raise InputError(
            f"there is no column {missing[0]!r} to keep; the table has {', '.join(columns)}"
        )
    return [at[name] for name in chosen]


def _state_and_error(scored: Scored) -> tuple[pa.Array, pa.Array]:
    """The two last columns. Python looks at the rows that are not ok only."""
    count = len(scored)
    reasons = {**scored.skipped, **scored.errors}
    if not reasons:
        return repeated(OK, count), repeated("", count)
    states = np.zeros(count, np.int8)
    states[list(scored.skipped)] = _CODES[SKIPPED]
    states[list(scored.errors)] = _CODES[FAILED]
    distinct = {"": 0}
    codes = np.zeros(count, np.int32)
    for position, reason in reasons.items():
        codes[position] = distinct.setdefault(reason, len(distinct))
    return (
        _STATES.take(array(states)),
        texts(map(_encodable, distinct)).take(array(codes)),
    )


def _encodable(text: str) -> str:
    """A server's text may hold half a surrogate pair, which has no form in UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def _with_errors(scored: Scored, problems: Mapping[int, str]) -> Scored:
    """Rows that were ok have these problems instead of results."""
    over = scored.errors.keys() | scored.skipped.keys()
    errors = {**scored.errors, **{at: why for at, why in problems.items() if at not in over}}
    if len(errors) + len(scored.skipped) == len(scored):
        return replace(scored, results=None, errors=errors)
    results = scored.results
    if results is not None and problems:
        results = _emptied(results, problems)
    return replace(scored, results=results, errors=errors)


def _emptied(results: pa.RecordBatch, at: Collection[int]) -> pa.RecordBatch:
    is_empty = np.zeros(results.num_rows, bool)
    is_empty[list(at)] = True
    mask = array(is_empty)
    columns = [pc.if_else(mask, pa.nulls(1, column.type)[0], column) for column in results.columns]
    return pa.RecordBatch.from_arrays(columns, schema=results.schema)


def _fitted(
    column: pa.Array, wanted: pa.Field, *, is_untyped: bool
) -> tuple[pa.Array, dict[int, str]]:
    """The column in the wanted type, null where it does not fit, and why not by position."""
    if column.type == wanted.type:
        return column, {}
    if pa.types.is_null(column.type) or not _is_same_kind(column.type, wanted.type, is_untyped):
        problem = _problem(wanted, str(column.type))
        there = pc.indices_nonzero(column.is_valid()).to_pylist()
        return pa.nulls(len(column), wanted.type), dict.fromkeys(there, problem)
    whole = _lossless(column, wanted.type)
    if whole is not None:
        return whole, {}
    return _fitted_one_by_one(column, wanted)


def _fitted_one_by_one(column: pa.Array, wanted: pa.Field) -> tuple[pa.Array, dict[int, str]]:
    parts, problems = [], {}
    for position in range(len(column)):
        part = _lossless(column.slice(position, 1), wanted.type)
        if part is None:
            part = pa.nulls(1, wanted.type)
            value = str(column[position].as_py())[:_LONGEST_VALUE]
            problems[position] = _problem(wanted, f"{value} ({column.type})")
        parts.append(part)
    return pa.concat_arrays(parts), problems


def _problem(wanted: pa.Field, found: str) -> str:
    return VALUE_CHANGED.format(column=wanted.name, found=found, expected=wanted.type)


def _lossless(column: pa.Array, wanted: pa.DataType) -> pa.Array | None:
    """The column in another type, None when the way back does not lead to the same values."""
    try:
        there = column.cast(wanted)
        back = there.cast(column.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return there if _is_same(column, back) else None


def _is_same(one: pa.Array, other: pa.Array) -> bool:
    if one.equals(other):
        return True
    if not pa.types.is_floating(one.type):
        return False
    same = pc.or_(pc.equal(one, other), pc.and_(pc.is_nan(one), pc.is_nan(other)))
    return pc.all(same).as_py() is not False


def _is_same_kind(found: pa.DataType, wanted: pa.DataType, is_untyped: bool) -> bool:
    return is_untyped or any(test(found) and test(wanted) for test in _KINDS)


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or (pa.types.is_dictionary(kind) and _is_text(kind.value_type))
    )


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


_KINDS: tuple[Callable[[pa.DataType], bool], ...] = (_is_number, _is_text, _is_list)


def _free_name(name: str, taken: Collection[str]) -> str:
    free, number = name, 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
