"""Columns of a sample: what the values of a column are, and how they lie.

A column is counted, value by value; all else follows from the counts, so that the order of the
rows does not matter. Columns of plain numbers, of which no two rows may be alike, go a shorter way.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kserve_client.decimals import Decimal, ungrouped
from kserve_client.errors import InputError
from kserve_client.frames import MISSING_TEXTS
from kserve_client.signature import REFERENCE_QUANTILES

Family = Literal["number", "integer", "boolean", "date", "category", "text", "empty"]
MOST_COLUMNS = 2_000
MOST_CELLS = 10_000_000
UNNAMED = "Unnamed: 0"  # what pandas calls the column of its index that has no name
BINS = 20
VALUES_KEPT = 200
LONGEST_VALUE_KEPT = 200
MOST_DECIMALS = 6
EXACT_IN_FLOAT = 2**53
ROWS_OF_AN_ID = 20
# Missing beside numbers and dates alone: in a column of texts these may be values.
GAPS = frozenset({"?", "-", "--", ".", "n.a.", "#value!", "#div/0!", "#ref!", "#name?", "#num!"})
ROWS_WORTH_A_SHORT_WAY = 1_000
_USUAL_GAPS = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>", "?", "-"})
_HOLDS_LEADING_ZERO = re.compile(r"^[+-]?0[0-9]", re.MULTILINE)
_LEAST_INTEGER, _GREATEST_INTEGER = -(2**63), 2**64 - 1
_TRUTHS = frozenset({"true", "false"})
_CHARACTERS = frozenset("0123456789+-.eE ")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]+")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]+")
_PLAIN = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]00:00(:00(\.0+)?)?)?")
_OTHER_DAY = re.compile(
    r"[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}\b.*|[0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2}\b.*"
)
_ID = re.compile(r"(.*[\W_])?(id|index|uuid|guid|rowid)|unnamed: 0|__index_level_[0-9]+__")
_CAMEL_ID = re.compile(r".*[a-z0-9](Id|ID|Index)")
_SWAPPED = str.maketrans(",.", ".,")


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the numbers of a column lie.

    `quantiles` are values that occur, at 0, 5, 25, 50, 75, 95 and 100 %; `histogram` counts rows in
    20 equal bins from the least to the greatest, and is empty where these are the same. Integers
    are exact. `decimals` is None where 6 digits after the point do not hold all of them.
    """

    rows: int
    quantiles: tuple[int | float, ...]
    histogram: tuple[int, ...]
    is_whole: bool
    decimals: int | None

    @property
    def least(self) -> int | float:
        """The least of them."""
        return self.quantiles[0]

    @property
    def median(self) -> int | float:
        """The one in the middle; of two, the lower."""
        return self.quantiles[3]

    @property
    def greatest(self) -> int | float:
        """The greatest of them."""
        return self.quantiles[-1]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sample.

    `rows` have a value, the rows of `gaps`, by the words that stand for a missing one, have none.
    `values` are the commonest values with their rows, without very long ones; `longest` is the
    length of the longest, in characters. `numbers` are the finite numbers among the values, also
    where others beside them make the column a text: `strays` rows hold none, such as `stray`.
    `middle_day` is the median of a column of dates, `datatype` the wire's, where the file has types
    of its own. `is_id` where it looks like the name or number of a row, not a property.
    """

    name: str
    family: Family
    rows: int = 0
    gaps: Mapping[str, int] = field(default_factory=dict)
    distinct: int = 0
    values: tuple[tuple[str, int], ...] = ()
    longest: int = 0
    numbers: Numbers | None = None
    infinite: int = 0
    strays: int = 0
    stray: str = ""
    middle_day: str = ""
    has_other_days: bool = False
    datatype: str | None = None
    is_id: bool = False

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return sum(self.gaps.values())

    @property
    def is_constant(self) -> bool:
        """Whether all its rows have the same value."""
        return self.distinct == 1


@dataclass(frozen=True, slots=True)
class Sample:
    """What a file of usual rows holds, column by column.

    `rows` were looked at. `note` says which, where that is not all of them. `left_out` are columns of
    types that no feature has, each with its type.
    """

    name: str
    columns: tuple[Column, ...]
    rows: int
    form: str
    note: str = ""
    left_out: tuple[tuple[str, str], ...] = ()

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def checked_names(columns: Sequence[str]) -> list[str]:
    """The names of columns. The first may have none: pandas writes its index so.

    Raises InputError for other columns without a name, names that stand twice, and too many.
    """
    names = [column.strip() for column in columns]
    names[0] = names[0] or UNNAMED
    if len(names) > MOST_COLUMNS:
        raise InputError(f"the file has {len(names):,} columns; at most {MOST_COLUMNS:,} are read")
    if "" in names:
        raise InputError(f"column {names.index('') + 1} has no name in the header")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"more than one column is named {', '.join(map(repr, twice))}")
    return names


def read_column(
    name: str, cells: Sequence[str], *, mark: Decimal = ".", is_first: bool = False
) -> Column:
    """A column of a file without types: `cells` are its texts, row by row.

    Tried in this order: dates (2026-11-22), true and false, numbers, texts. Numbers with leading
    zeros are codes, and integers beyond 64 bits are names: both are texts.
    """
    fast = _plain_numbers(name, cells, mark)
    if fast is not None:
        return replace(fast, is_id=_is_id(fast, is_first=is_first))
    return _counted_column(name, Counter(cells), mark, is_first=is_first)


def _counted_column(
    name: str, cells: Mapping[str, int], mark: Decimal, *, is_first: bool
) -> Column:
    gaps, present = _parted(cells, MISSING_TEXTS)
    more_gaps, values = _parted(present, GAPS)
    days_or_truths = (_days(name, values) or _truths(name, values)) if values else None
    column = days_or_truths or _with_numbers(_texts(name, values), values, mark)
    if column.family != "text":
        return _with_gaps(column, gaps | more_gaps, is_first=is_first)
    text = replace(
        _texts(name, present),
        numbers=column.numbers,
        infinite=column.infinite,
        strays=column.strays,
        stray=column.stray,
        has_other_days=_has_other_days(values),
    )
    return _with_gaps(text, gaps, is_first=is_first)


def typed_texts(name: str, cells: Mapping[str, int], missing: int) -> Column:
    """A column of texts of a file with types: they stay texts, whatever they look like."""
    gaps, present = _parted(cells, MISSING_TEXTS)
    return _with_gaps(_texts(name, present), gaps | _none(missing))


def typed_category(name: str, cells: Mapping[str, int], missing: int) -> Column:
    """A column that is a category in a file with types, its values in the file's order."""
    column = replace(_texts(name, cells), family="category", values=tuple(cells.items()))
    return _with_gaps(column, _none(missing))


def typed_numbers(
    name: str,
    values: NDArray[Any],
    rows: NDArray[np.int64],
    missing: int,
    *,
    datatype: str,
    is_first: bool = False,
) -> Column:
    """A column of numbers of a file with types: distinct `values`, each with its rows.

    NaN is missing.
    """
    is_nan = np.isnan(values)
    column = _of_array(name, values[~is_nan], rows[~is_nan])
    family: Family = "number" if "FP" in datatype else "integer"
    gaps = _none(missing + int(rows[is_nan].sum()))
    column = _with_gaps(replace(column, family=family), gaps, is_first=is_first)
    return replace(column, datatype=datatype)


def typed_truths(name: str, cells: Mapping[bool, int], missing: int) -> Column:
    """A column of truth values of a file with types."""
    column = _texts(name, {str(value).casefold(): rows for value, rows in cells.items()})
    return _with_gaps(replace(column, family="boolean"), _none(missing))


def typed_days(name: str, cells: Mapping[str, int], missing: int) -> Column:
    """A column of dates or moments of a file with types, as texts of ISO 8601."""
    return _with_gaps(_days(name, cells) or _texts(name, cells), _none(missing))


# What is missing


def _none(missing: int) -> dict[str, int]:
    return {"": missing} if missing else {}


def _parted(
    cells: Mapping[str, int], words: frozenset[str]
) -> tuple[dict[str, int], Mapping[str, int]]:
    """Part the cells that are one of the words, in any case, from the rest."""
    longest = max(map(len, words))
    gaps = {
        cell: rows
        for cell, rows in cells.items()
        # The length tells most of them, and faster.
        if (len(cell) <= longest or cell[0].isspace() or cell[-1].isspace())
        and cell.strip().casefold() in words
    }
    if not gaps:
        return {}, cells
    present = {cell: rows for cell, rows in cells.items() if cell not in gaps}
    return dict(_stripped(gaps)), present


def _stripped(cells: Mapping[str, int]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for cell, rows in cells.items():
        counts[cell.strip()] += rows
    return counts


def _with_gaps(column: Column, gaps: Mapping[str, int], *, is_first: bool = False) -> Column:
    family = column.family if column.rows else "empty"
    column = replace(column, gaps=gaps, family=family)
    return replace(column, is_id=_is_id(column, is_first=is_first))


def _is_id(column: Column, *, is_first: bool) -> bool:
    """Each row has a value of its own, and the name says id, or they count up, or are codes."""
    if column.family not in ("integer", "text") or column.distinct < column.rows or column.missing:
        return False
    if _ID.fullmatch(column.name.casefold()) or _CAMEL_ID.fullmatch(column.name):
        return True
    if column.rows < ROWS_OF_AN_ID:
        return False
    if column.family == "integer" and column.numbers is not None:
        span = column.numbers.greatest - column.numbers.least
        return is_first and span == column.rows - 1
    return column.longest <= LONGEST_VALUE_KEPT and not any(
        re.search(r"\s", value.strip()) for value, _ in column.values
    )


# What the values are


def _texts(name: str, cells: Mapping[str, int]) -> Column:
    short = {cell: rows for cell, rows in cells.items() if len(cell) <= LONGEST_VALUE_KEPT}
    return Column(
        name,
        "text",
        rows=sum(cells.values()),
        distinct=len(cells),
        values=tuple(Counter(short).most_common(VALUES_KEPT)),
        longest=max(map(len, cells), default=0),
    )


def _days(name: str, cells: Mapping[str, int]) -> Column | None:
    if not all(map(_DAY.fullmatch, map(str.strip, cells))):
        return None
    days: Counter[str] = Counter()
    for cell, rows in cells.items():
        days[cell.strip()[:10]] += rows
    ordered = sorted(days)
    try:
        for day in ordered:
            date.fromisoformat(day)
    except ValueError:
        return None
    rows_up_to = np.cumsum([days[day] for day in ordered])
    middle = ordered[int(np.searchsorted(rows_up_to, rows_up_to[-1] / 2))] if ordered else ""
    return replace(_texts(name, days), family="date", middle_day=middle)


def _truths(name: str, cells: Mapping[str, int]) -> Column | None:
    if len(cells) > VALUES_KEPT or any(cell.strip().casefold() not in _TRUTHS for cell in cells):
        return None
    folded: Counter[str] = Counter()
    for cell, rows in cells.items():
        folded[cell.strip().casefold()] += rows
    return replace(_texts(name, folded), family="boolean")


def _has_other_days(cells: Mapping[str, int]) -> bool:
    return bool(cells) and all(map(_OTHER_DAY.fullmatch, map(str.strip, cells)))


def _with_numbers(column: Column, cells: Mapping[str, int], mark: Decimal) -> Column:
    """Read what of the cells can be read as numbers; a column of numbers where that is all."""
    read = _read(cells, mark)
    if mark == "," and None in read and not any(ungrouped(cell) != cell for cell in cells):
        with_points = _read(cells, ".")
        read = read if None in with_points else with_points
    strays = [cell for cell, number in zip(cells, read, strict=True) if number is None]
    known = [(n, rows) for n, rows in zip(read, cells.values(), strict=True) if n is not None]
    column = _of_numbers(column, [number for number, _ in known], [rows for _, rows in known])
    if strays:
        return replace(column, strays=sum(cells[cell] for cell in strays), stray=strays[0])
    if not cells or any(_LEADING_ZERO.fullmatch(cell.strip()) for cell in cells):
        return column
    is_whole = column.numbers is not None and column.numbers.is_whole and not column.infinite
    return replace(column, family="integer" if is_whole else "number")


# Texts as numbers


def _read(cells: Iterable[str], mark: Decimal) -> Sequence[int | float | None]:
    """Each text as a number, None for what is none. Whole numbers beyond 2^53 are exact."""
    texts = [*cells]
    fast = _read_fast(texts, mark)
    if fast is None:
        return [_number(text.strip(), mark) for text in texts]
    return [
        _number(text.strip(), mark) if abs(number) >= EXACT_IN_FLOAT else number
        for text, number in zip(texts, fast, strict=True)
    ]


def _read_fast(texts: list[str], mark: Decimal) -> list[float] | None:
    """All at once; None where they need a look each."""
    characters = set("".join(texts))
    if mark == ",":
        if "." in characters:
            return None
        texts = [text.replace(",", ".") for text in texts]
        characters = {"." if character == "," else character for character in characters}
    if not characters <= _CHARACTERS:
        return None
    try:
        return list(map(float, texts))
    except ValueError:
        return None


def _number(text: str, mark: Decimal) -> int | float | None:
    """One text as a number; the other mark may part thousands, in groups of three digits."""
    if _INFINITE.fullmatch(text):
        return float(text)
    written = text if mark == "." else text.translate(_SWAPPED)
    if _GROUPED.fullmatch(written):
        written = written.replace(",", "")
    if not _PLAIN.fullmatch(written):
        return None
    if not _WHOLE.fullmatch(written):
        return float(written)
    if len(written) > 21:  # a sign, and the 20 digits of 64 bits
        return None
    number = int(written)
    return number if _LEAST_INTEGER <= number <= _GREATEST_INTEGER else None


def _plain_numbers(name: str, cells: Sequence[str], mark: Decimal) -> Column | None:
    """A column of finite numbers and gaps, without a look at each; None where one is needed."""
    common = set(cells[:ROWS_OF_AN_ID])
    if len(cells) < ROWS_WORTH_A_SHORT_WAY or not any(map(str.isdecimal, "".join(common))):
        return None
    gaps = Counter(filter(_USUAL_GAPS.__contains__, cells))
    texts = [cell for cell in cells if cell not in gaps] if gaps else [*cells]
    numbers = _read_fast(texts, mark)
    if not numbers:
        return None
    array = np.array(numbers)
    if not (np.abs(array) < EXACT_IN_FLOAT).all():
        return None
    column = _of_array(name, *np.unique(array, return_counts=True))
    if column.family == "integer" and _HOLDS_LEADING_ZERO.search("\n".join(texts)):
        return None
    if column.distinct <= VALUES_KEPT:
        column = replace(column, values=_texts(name, Counter(texts)).values)
    return replace(column, gaps=dict(gaps), longest=max(map(len, texts)))


# How numbers lie


def _of_array(name: str, values: NDArray[Any], rows: NDArray[np.int64]) -> Column:
    """A column of distinct numbers with their rows; the commonest as texts."""
    common = np.argsort(-rows, kind="stable")[:VALUES_KEPT]
    is_finite = np.isfinite(values)
    numbers = _numbers(values[is_finite], rows[is_finite]) if is_finite.any() else None
    infinite = int(rows[~is_finite].sum())
    return Column(
        name,
        "integer" if numbers is not None and numbers.is_whole and not infinite else "number",
        rows=int(rows.sum()),
        distinct=len(values),
        values=tuple((str(values[at].item()), int(rows[at])) for at in common),
        numbers=numbers,
        infinite=infinite,
    )


def _of_numbers(column: Column, values: Sequence[int | float], rows: Sequence[int]) -> Column:
    finite = [(value, n) for value, n in zip(values, rows, strict=True) if not math.isinf(value)]
    infinite = sum(rows) - sum(n for _, n in finite)
    if not finite:
        return replace(column, infinite=infinite)
    found, counts = zip(*finite, strict=True)
    is_large = any(abs(value) >= EXACT_IN_FLOAT for value in found)
    # Python's own numbers are slow, but exact beyond 2^53.
    array: NDArray[Any] = np.array(found, dtype=object if is_large else np.float64)
    return replace(column, numbers=_numbers(array, np.array(counts)), infinite=infinite)


def _numbers(values: NDArray[Any], rows: NDArray[np.int64]) -> Numbers:
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    up_to = np.cumsum(rows[order])
    at = np.searchsorted(up_to, np.array(REFERENCE_QUANTILES) * up_to[-1])
    is_whole = _are_whole(ordered)
    exact = int if is_whole else float
    floats = ordered.astype(np.float64)
    return Numbers(
        rows=int(up_to[-1]),
        quantiles=tuple(exact(ordered[min(i, len(ordered) - 1)]) for i in at),
        histogram=_histogram(floats, rows[order]),
        is_whole=is_whole,
        decimals=0 if is_whole else _decimals(floats),
    )


def _are_whole(values: NDArray[Any]) -> bool:
    """Whether all are integers; a float beyond 2^53 may stand for several."""
    if values.dtype.kind in "iu":
        return True
    if values.dtype.kind == "O":
        return all(isinstance(value, int) or _is_whole_float(value) for value in values)
    is_whole = (values == np.floor(values)) & (np.abs(values) < EXACT_IN_FLOAT)
    return bool(is_whole.all())


def _is_whole_float(value: float) -> bool:
    return value.is_integer() and abs(value) < EXACT_IN_FLOAT


def _histogram(ordered: NDArray[np.float64], rows: NDArray[np.int_]) -> tuple[int, ...]:
    """Rows in equal bins. A quarter of each number leaves room for the span of the largest floats."""
    quarters = ordered / 4
    span = quarters[-1] - quarters[0]
    if not span > 0:
        return ()
    bins = np.minimum(((quarters - quarters[0]) / span * BINS).astype(int), BINS - 1)
    return tuple(int(n) for n in np.bincount(bins, weights=rows, minlength=BINS))


def _decimals(values: NDArray[np.float64]) -> int | None:
    """Digits after the point that hold each value; None when 6 are too few."""
    with np.errstate(over="ignore", invalid="ignore"):
        for decimals in range(MOST_DECIMALS + 1):
            if (np.round(values[:1000], decimals) == values[:1000]).all() and (
                np.round(values, decimals) == values
            ).all():
                return decimals
    return None
