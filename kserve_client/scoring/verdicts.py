"""What `frames.encode` would say of the cells of a column, for many cells at once.

Cells that surely can be read are found by Arrow and numpy; each other distinct cell is read as
`encode` reads it, once.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kserve_client.datatypes import Datatype
from kserve_client.decimals import Decimal, ungrouped
from kserve_client.errors import RowsError
from kserve_client.frames import is_missing, read_cell
from kserve_client.scoring.cells import (
    as_written,
    has_points,
    is_pointed,
    point_problem,
    pointed,
    without_groups,
)
from kserve_client.signature import Feature

OK, MISSING, WRONG, UNREAD = 0, 1, 2, 3
NUMERIC_KINDS = ("number", "integer")
CELLS_REMEMBERED = 100_000
_NUMBER = r"^-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?$"
_INTEGER = r"^-?[0-9]{1,15}$"
# Neither a number nor a word for a missing one has such a character: "inf", "nan", "n/a", "None".
_NEVER_A_NUMBER = "[,bcdghjkmpqrsvwxzBCDGHJKMPQRSVWXZ]"
_EXACT_DIGITS = 53


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of one cell: the value that travels, or why there is none."""

    state: int
    value: Any = None
    problem: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Verdicts:
    """What becomes of each cell of a column.

    `states` [cells] are OK, MISSING, WRONG or UNREAD; `numbers` [cells] are what was read of the
    cells that are OK, NaN elsewhere, None for kinds without numbers.
    """

    states: NDArray[np.int8]
    numbers: NDArray[np.float64] | None

    def at(self, state: int) -> NDArray[np.bool_]:
        """Which cells are in a state."""
        found: NDArray[np.bool_] = self.states == state
        return found


class Judge:
    """Says of cells of one feature what `encode` would say; it remembers what it has read.

    `target` is the wire datatype of the feature. Of images and tensors the first `blocks` are read,
    all of them when it is None; the others are UNREAD. Not for several threads at once.
    """

    def __init__(
        self,
        feature: Feature,
        target: Datatype,
        decimal: Decimal = ".",
        *,
        blocks: int | None = None,
    ) -> None:
        self.feature = feature
        self.target = target
        self.decimal = decimal
        self._blocks = sys.maxsize if blocks is None else blocks
        self._known: dict[Hashable, Judged] = {}
        self.refuses_missing = self._read(None).state == WRONG

    def of(self, column: pa.Array) -> Verdicts:
        """What becomes of each cell."""
        column = decoded(column)
        states = np.zeros(len(column), dtype=np.int8)
        misread: list[int] = []
        if self.decimal == "," and self._has_decimals(column):
            if has_points(column):
                column = without_groups(column)
                misread = pointed(column)
            column = pc.replace_substring(column, ",", ".")
        sure, numbers = self._sure(column)
        rest = np.flatnonzero(~sure)
        if len(rest):
            self._look(column, rest, states, numbers)
        states[misread] = WRONG
        if numbers is not None:
            numbers[misread] = np.nan
        return Verdicts(states, numbers)

    def one(self, cell: Any) -> Judged:
        """What becomes of one cell, as `encode` gets it."""
        try:
            return self._remembered(cell)
        except TypeError:  # a list can't be remembered
            return self._judged(cell)

    def problem(self, cell: Any) -> str:
        """Why a cell of a file can't be read, without the value where it is sensitive."""
        is_text = isinstance(cell, str) and self.feature.kind in NUMERIC_KINDS
        if is_text and self.decimal == ",":
            plain = ungrouped(cell)
            if "." in plain and is_pointed(plain):
                return point_problem(cell, self.feature)
            return as_written(self.one(plain.replace(",", ".")).problem, cell, ",")
        return self.one(cell).problem

    # Where nothing can be wrong

    def _has_decimals(self, column: pa.Array) -> bool:
        return self.feature.kind in NUMERIC_KINDS and is_text(column.type)

    def _sure(self, column: pa.Array) -> tuple[NDArray[np.bool_], NDArray[np.float64] | None]:
        """The cells that can be read without doubt, and the numbers they are."""
        kind = self.feature.kind
        if kind in NUMERIC_KINDS:
            numbers = _numbers(column, _NUMBER if kind == "number" else _INTEGER)
            sure = self._fits(numbers)
            numbers[~sure] = np.nan
            return sure, numbers
        if kind == "text" and is_text(column.type):
            return _mask(pc.match_substring_regex(column, "[!-~]")), None
        if kind == "text" and pa.types.is_integer(column.type):
            return _mask(column.is_valid()), None
        if kind == "boolean" and pa.types.is_boolean(column.type):
            return _mask(column.is_valid()), None
        return np.zeros(len(column), dtype=bool), None

    def _fits(self, numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the datatype surely holds a number; NaN never does."""
        if self.feature.kind == "number":
            limit = float(np.finfo(self.target.dtype).max)
            found: NDArray[np.bool_] = np.abs(numbers) <= limit
            return found
        low, high = self._exact_limits()
        with np.errstate(invalid="ignore"):
            whole: NDArray[np.bool_] = np.floor(numbers) == numbers
        return whole & (numbers >= low) & (numbers <= high)

    def _exact_limits(self) -> tuple[int, int]:
        """The integers between which the datatype and a float hold each one."""
        largest = 2**_EXACT_DIGITS - 1
        if self.target.minimum is not None and self.target.maximum is not None:
            return max(self.target.minimum, -largest), min(self.target.maximum, largest)
        digits = int(np.finfo(self.target.dtype).nmant)
        return -min(largest, 2**digits), min(largest, 2**digits)

    # Where something may be wrong

    def _look(
        self,
        column: pa.Array,
        rest: NDArray[np.int64],
        states: NDArray[np.int8],
        numbers: NDArray[np.float64] | None,
    ) -> None:
        cells = column.take(pa.array(rest))
        if not self.feature.is_scalar:
            states[rest] = [self._block(cell) for cell in cells.to_pylist()]
            return
        wrong = self._never(cells)
        states[rest[wrong]] = WRONG
        if wrong.any():
            rest, cells = rest[~wrong], cells.filter(pa.array(~wrong))
        codes, distinct = coded(cells)
        judged = [self.one(cell) for cell in distinct] + [self.one(None)]  # where -1 points to
        states[rest] = np.array([one.state for one in judged], dtype=np.int8)[codes]
        if numbers is not None:
            read = [float(one.value) if one.state == OK else np.nan for one in judged]
            numbers[rest] = np.array(read)[codes]

    def _never(self, cells: pa.Array) -> NDArray[np.bool_]:
        """Texts that are no number for sure, so that a column of names costs little."""
        if self._has_decimals(cells):
            return _mask(pc.match_substring_regex(cells, _NEVER_A_NUMBER))
        return np.zeros(len(cells), dtype=bool)

    def _block(self, cell: Any) -> int:
        if is_missing(self.feature, cell):
            return MISSING
        if self._blocks <= 0:
            return UNREAD
        self._blocks -= 1
        return self._read(cell).state

    def _remembered(self, cell: Hashable) -> Judged:
        if cell not in self._known:
            if len(self._known) >= CELLS_REMEMBERED:
                self._known.clear()
            self._known[cell] = self._judged(cell)
        return self._known[cell]

    def _judged(self, cell: Any) -> Judged:
        found = self._read(cell)
        if is_missing(self.feature, cell):
            return Judged(MISSING, found.value, found.problem)
        return found

    def _read(self, cell: Any) -> Judged:
        try:
            return Judged(OK, read_cell(self.feature, self.target, cell))
        except RowsError as error:
            return Judged(WRONG, problem=error.issues[0].problem)


def decoded(column: pa.Array) -> pa.Array:
    """A column without a dictionary."""
    is_coded = pa.types.is_dictionary(column.type)
    return column.dictionary_decode() if is_coded else column


def coded(cells: pa.Array) -> tuple[NDArray[np.int64], list[Any]]:
    """For each cell its position among the distinct ones, -1 for null."""
    try:
        found = cells.dictionary_encode()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists and structs
        return np.arange(len(cells)), cells.to_pylist()
    codes: NDArray[np.int64] = found.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int64), found.dictionary.to_pylist()


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _mask(found: pa.Array) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = found.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
    return mask


def _numbers(column: pa.Array, pattern: str) -> NDArray[np.float64]:
    """The numbers of the cells that are surely some, NaN elsewhere; a new array."""
    kind = column.type
    if is_text(kind):
        column = _cast_texts(column, pattern)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        column = column.cast(pa.float64(), safe=False)
    else:
        return np.full(len(column), np.nan)
    numbers: NDArray[np.float64] = column.to_numpy(zero_copy_only=False)
    return np.array(numbers, dtype=np.float64)


def _cast_texts(column: pa.Array, pattern: str) -> pa.Array:
    if pattern is _NUMBER:
        try:  # a third of the time of a look at each
            return column.cast(pa.float64())
        except pa.ArrowInvalid:
            pass
    is_plain = pc.match_substring_regex(column, pattern)
    return pc.if_else(is_plain, column, pa.scalar(None, column.type)).cast(pa.float64())
