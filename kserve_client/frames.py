"""Rows → tensors, and tensors → predictions, both by signature.

A table is a mapping from column name to a sequence of cells. Cells may be Python values, numpy
arrays or the texts of a CSV file; each is read by the kind of its feature, exactly or not at all.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from kserve_client import images
from kserve_client.arrow_tables import arrow_table
from kserve_client.datatypes import Datatype
from kserve_client.errors import InputError, RowIssue, RowsError
from kserve_client.signature import Feature, ImageSpec, Signature
from kserve_client.tensors import (
    NOT_NUMBERS,
    InferRequest,
    RequestedOutput,
    Tensor,
    exact_array,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Table = Mapping[str, Sequence[Any] | NDArray[Any]]
Given = Literal["table", "row", "rows"]
Rows = "Mapping[str, Any] | Iterable[Mapping[str, Any]] | NDArray[Any] | pd.DataFrame | pa.Table"
MISSING_TEXTS = frozenset({"", "na", "n/a", "nan", "null", "none", "<na>", "#n/a"})
LONGEST_INTEGER = 20  # digits; UINT64 has as many
TEXTS_REMEMBERED = 10_000
# What rounding may add to the ends of a picture's numbers, as a part of their range: FP16 has 11 bits.
LEVEL_SLACK = 0.001
# In English and German, as people and their spreadsheets write them.
TRUE_TEXTS = frozenset({"true", "yes", "y", "1", "on", "ja", "j", "wahr"})
FALSE_TEXTS = frozenset({"false", "no", "n", "0", "off", "nein", "falsch"})
# Two dots can't be a number, and dates so written have the day first.
_DOTTED_DATE = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})( .*)?")
# What holds the values of features, and what such a value stands in.
_WORDS: Mapping[Given, tuple[str, str]] = {
    "table": ("column", "the table has"),
    "row": ("feature", "the row has"),
    "rows": ("feature", "the rows have"),
}


@dataclass(frozen=True, eq=False, slots=True)
class Encoded:
    """Rows as tensors.

    `rows` are the positions (from 0) of the rows that are in them, in order; `issues` name what is
    wrong with each of the others.
    """

    inputs: tuple[Tensor, ...]
    rows: NDArray[np.int64]
    issues: tuple[RowIssue, ...]


class _BadCellError(Exception):
    """One cell can't be read; its text is the problem, after the `cell` where it names one.

    `without_cell` is the same for people who must not see what is in the cell.
    """

    def __init__(self, problem: str, *, cell: str = "", without_cell: str = "") -> None:
        super().__init__(f"{cell} {problem}" if cell else problem)
        self.without_cell = without_cell or (f"the value {problem}" if cell else problem)


def table_of(rows: Any, signature: Signature) -> Table:
    """Make a table of one row (a mapping or Series), rows (mappings), a table or an array.

    A table is a DataFrame of pandas' or Polars', or a table of Arrow's. An array is [rows, features],
    its columns the features in their order; where one image or tensor is all the model takes, it is
    [rows, …] of them. Lists of numbers, each as many as there are features, are rows in their order,
    too. Raises InputError when rows have names that are no features (a table may have more columns;
    they are left alone), or a table has one name twice.
    """
    if hasattr(rows, "iloc"):
        if rows.ndim == 2:
            return _frame_table(rows, signature)
        rows = rows.to_dict()
    if isinstance(rows, np.ndarray):
        return _array_table(rows, signature)
    if (table := arrow_table(rows)) is not None:
        return _arrow_cells_of(table, signature)
    if isinstance(rows, Mapping):
        rows = [rows]
    rows = list(rows) if isinstance(rows, Iterable) else [rows]
    if not rows:
        return {feature.name: [] for feature in signature.features}
    if _are_numbers(rows, signature):
        columns = zip(signature.features, zip(*rows, strict=True), strict=True)
        return {feature.name: cells for feature, cells in columns}
    if not all(isinstance(row, Mapping) for row in rows):
        raise InputError(
            f"rows are mappings from feature to value, e.g. {{{signature.features[0].name!r}: …}}, "
            "a DataFrame, or numbers in the order of the features: np.array(…) of shape "
            f"{_array_shape(signature)}"
        )
    names = dict.fromkeys(name for row in rows for name in row)
    _refuse_unknown(names, signature)
    return {name: [row.get(name) for row in rows] for name in names}


def index_of(rows: Any) -> pd.Index[Any] | None:
    """The labels of rows: the index of a DataFrame, the name of a Series; None where there are none."""
    if not hasattr(rows, "iloc"):
        return None
    if rows.ndim == 1:
        rows = rows.to_frame().T
    index: pd.Index[Any] = rows.index
    return index


def _are_numbers(rows: list[Any], signature: Signature) -> bool:
    """Whether rows are plain lists of as many numbers as there are features; a named tuple is none."""
    width = len(signature.features)
    return all(feature.is_scalar for feature in signature.features) and all(
        type(row) in (list, tuple) and len(row) == width and all(map(_is_number, row))
        for row in rows
    )


def _is_number(cell: Any) -> bool:
    is_any = isinstance(cell, int | float | np.integer | np.floating)
    return is_any and not isinstance(cell, NOT_NUMBERS)


def _frame_table(rows: pd.DataFrame, signature: Signature) -> Table:
    names = [str(name) for name in rows.columns]
    _refuse_twice(names)
    known = {feature.name: feature for feature in signature.features}
    columns = {name: rows.iloc[:, at].array for at, name in enumerate(names)}
    return {name: _frame_cells(c, known.get(name)) for name, c in columns.items()}


def _refuse_twice(names: list[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(f"the table has more than one column {twice[0]!r}")


def _arrow_cells_of(table: pa.Table, signature: Signature) -> Table:
    names = table.column_names
    _refuse_twice(names)
    known = {feature.name for feature in signature.features}
    columns = zip(names, table.columns, strict=True)
    return {name: _arrow_cells(column) if name in known else column for name, column in columns}


def _arrow_cells(column: pa.ChunkedArray) -> Sequence[Any] | NDArray[Any]:
    import pyarrow as pa

    kind = column.type
    is_whole = pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    if pa.types.is_floating(kind) or (is_whole and not column.null_count):
        return np.asarray(column.to_numpy())  # a gap among floats is NaN
    return cast("list[Any]", column.to_pylist())


def _frame_cells(column: Any, feature: Feature | None) -> Sequence[Any] | NDArray[Any]:
    import pandas as pd

    if feature is None:
        return cast("Sequence[Any]", column)
    has_repeats = isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype)
    if has_repeats and feature.kind in ("category", "boolean", "date", "integer"):
        codes, distinct = column.factorize()
        return Repeated(codes, distinct.tolist())
    # numpy walks through cells faster than the arrays of pandas and Arrow do.
    return exact_array(column)


class Repeated(Sequence[Any]):
    """The cells of a column as positions in a list of its distinct ones; -1 is a missing cell."""

    def __init__(self, codes: NDArray[np.intp], distinct: list[Any]) -> None:
        self.codes = codes
        self.distinct = distinct

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: Any) -> Any:
        code = self.codes[row]
        return None if code < 0 else self.distinct[code]


def _array_table(rows: NDArray[Any], signature: Signature) -> Table:
    rows = exact_array(rows)
    if len(signature.features) == 1 and not signature.features[0].is_scalar and rows.ndim > 1:
        return {signature.features[0].name: list(rows)}
    if rows.ndim != 2 or rows.shape[1] != len(signature.features):
        raise InputError(
            f"an array of rows has shape {_array_shape(signature)}, not {list(rows.shape)}"
        )
    return {feature.name: rows[:, at] for at, feature in enumerate(signature.features)}


def _array_shape(signature: Signature) -> str:
    is_block = len(signature.features) == 1 and not signature.features[0].is_scalar
    lengths = signature.features[0].row_shape if is_block else (len(signature.features),)
    return f"[rows, {', '.join(map(str, lengths))}]"


def _refuse_unknown(names: Iterable[str], signature: Signature) -> None:
    known = [feature.name for feature in signature.features]
    for name in names:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the model takes {', '.join(known)}"
            raise InputError(f"no feature {name!r}; {hint}")


def missing_columns(signature: Signature, columns: Iterable[str]) -> list[str]:
    """The required features that a table with these columns lacks."""
    there = set(columns)
    return [f.name for f in signature.features if f.required and f.name not in there]


def check_columns(signature: Signature, columns: Iterable[str], given: Given = "table") -> None:
    """Raise InputError when what is `given` lacks a required feature, naming near misses.

    An optional feature may be absent, but not mistyped: that would send every row without it.
    """
    there = list(columns)
    lacking = missing_columns(signature, there)
    if not lacking:
        _refuse_mistyped(signature, there)
        return
    noun, holder = _WORDS[given]
    has = f"{holder} {', '.join(map(repr, there)) or f'no {noun}s'}"
    strays = _strays(signature, there)
    if len(strays) == len(there) and len(signature.features) > 1:
        hints = [] if not there else [name for name in lacking if _near(name, strays, cutoff=0.6)]
        if not hints:
            raise InputError(
                f"none of the {noun}s of this model is there; it needs "
                f"{', '.join(map(repr, lacking))}, {has}"
            )
    hints = []
    for name in lacking:
        found = _near(name, strays, cutoff=0.6)
        hints.append(f"{name!r} (is it {found!r}?)" if found else repr(name))
    plural = "s" if len(lacking) > 1 else ""
    raise InputError(f"{noun}{plural} missing: {', '.join(hints)}; {has}")


def _refuse_mistyped(signature: Signature, there: list[str]) -> None:
    strays = _strays(signature, there)
    for feature in signature.features:
        found = None if feature.name in there else _near(feature.name, strays, cutoff=0.85)
        if found:
            raise InputError(
                f"the column {found!r} is no feature: is it {feature.name!r}? "
                "Rename it, or leave it out"
            )


def _strays(signature: Signature, there: Iterable[str]) -> list[str]:
    """The columns that are no features."""
    known = {feature.name for feature in signature.features}
    return [column for column in there if column not in known]


def _near(name: str, columns: Sequence[str], *, cutoff: float) -> str | None:
    """The column whose name was probably meant to be `name`."""
    by_word = {re.sub(r"[\W_]+", " ", column.casefold()).strip(): column for column in columns}
    word = re.sub(r"[\W_]+", " ", name.casefold()).strip()
    near = get_close_matches(word, by_word, n=1, cutoff=cutoff)
    return by_word[near[0]] if near else None


def encode(
    signature: Signature, table: Table, count: int | None = None, *, given: Given = "table"
) -> Encoded:
    """Turn a table into the tensors of one request, leaving out the rows that can't be read.

    Raises InputError when a required column is missing or the columns have unequal lengths; `count`
    is the number of rows of a table without columns. Every row is either in `rows` or has an issue.
    """
    check_columns(signature, table, given)
    lengths = {len(cells) for cells in table.values()} | (set() if count is None else {count})
    if len(lengths) > 1:
        raise InputError(f"columns of unequal length: {', '.join(map(str, sorted(lengths)))}")
    count = max(lengths, default=0)
    columns = [
        _column(feature, table.get(feature.name), count, signature.datatype_of(feature))
        for feature in signature.features
    ]
    issues = tuple(sorted((issue for _, found in columns for issue in found), key=lambda i: i.row))
    arrays = [array for array, _ in columns]
    if not issues:
        return Encoded(_tensors(signature, arrays), np.arange(count), ())
    good = np.ones(count, dtype=bool)
    good[[issue.row for issue in issues]] = False
    arrays = [array[good] for array in arrays]
    return Encoded(_tensors(signature, arrays), np.flatnonzero(good), issues)


def build_request(signature: Signature, inputs: tuple[Tensor, ...]) -> InferRequest:
    """The request for these inputs, asking for the outputs the signature names."""
    parameters = {"content_type": signature.content_type} if signature.content_type else {}
    outputs = tuple(RequestedOutput(o.name) for o in signature.outputs if o.requested)
    return InferRequest(inputs, outputs, parameters=parameters)


def request_of(signature: Signature, rows: Any) -> InferRequest:
    """The request for rows that must all be right. Raises RowsError naming each wrong cell."""
    encoded = encode(signature, table_of(rows, signature), given=_given(rows))
    if encoded.issues:
        raise RowsError(_labelled(encoded.issues, index_of(rows)))
    if not len(encoded.rows):
        raise InputError("there are no rows")
    return build_request(signature, encoded.inputs)


def _labelled(issues: tuple[RowIssue, ...], index: pd.Index[Any] | None) -> Iterable[RowIssue]:
    """The issues with the labels of their rows, where these are not the positions."""
    if index is None:
        return issues
    import pandas as pd  # loaded already: an index is its own

    if index.equals(pd.RangeIndex(len(index))):
        return issues
    labels = index.take([issue.row for issue in issues]).tolist()
    return [replace(issue, label=label) for issue, label in zip(issues, labels, strict=True)]


def _given(rows: Any) -> Given:
    """What a person would call it."""
    if hasattr(rows, "columns") or hasattr(rows, "iloc") or isinstance(rows, np.ndarray):
        return "row" if getattr(rows, "ndim", 2) == 1 else "table"
    is_one = isinstance(rows, Mapping) or (isinstance(rows, Sequence) and len(rows) == 1)
    return "row" if is_one else "rows"


def read_cell(feature: Feature, target: Datatype, cell: Any) -> Any:
    """Read one cell as it would travel. Raises RowsError, which calls it row 1."""
    try:
        return _cell_reader(feature, target)(cell)
    except _BadCellError as problem:
        raise RowsError([_issue(0, feature, problem)]) from None


def is_missing(feature: Feature, cell: Any) -> bool:
    """Whether a cell of this feature says that there is no value: None, NaN, "" or a word for it."""
    return _is_missing(cell, _missing_words(feature))


def _issue(row: int, feature: Feature, problem: _BadCellError) -> RowIssue:
    """What is wrong with a cell; what a person must not see is not repeated."""
    words = problem.without_cell if feature.sensitive else str(problem)
    return RowIssue(row, feature.name, words)


def _tensors(signature: Signature, arrays: list[NDArray[Any]]) -> tuple[Tensor, ...]:
    if signature.layout == "tensor":
        first = arrays[0]
        data = first if not signature.features[0].is_scalar else np.stack(arrays, axis=1)
        return (Tensor(signature.input, signature.datatype, data),)
    return tuple(
        _column_tensor(feature, array, signature.content_type)
        for feature, array in zip(signature.features, arrays, strict=True)
    )


def _column_tensor(feature: Feature, array: NDArray[Any], content_type: str | None) -> Tensor:
    data = array.reshape(-1, 1) if feature.is_scalar else array
    wire = feature.wire_datatype()
    # Without one MLServer's pandas codec hands bytes, not text, to the model.
    usual = "str" if content_type == "pd" and wire == "BYTES" else None
    own = feature.content_type or usual
    return Tensor(feature.name, wire, data, {"content_type": own} if own else {})


def _column(
    feature: Feature, cells: Sequence[Any] | NDArray[Any] | None, count: int, target: Datatype
) -> tuple[NDArray[Any], list[RowIssue]]:
    if cells is None:
        cells = [None] * count
    fast = _fast_column(feature, cells, target)
    return (fast, []) if fast is not None else _slow_column(feature, cells, target)


def _fast_column(
    feature: Feature, cells: Sequence[Any] | NDArray[Any], target: Datatype
) -> NDArray[Any] | None:
    """A whole column at once where nothing can go wrong in it; None when cells need a look each."""
    if feature.kind == "number" and target.family == "float":
        return _fast_floats(feature, cells, target)
    if _is_array(cells, "iu") and feature.kind == "integer" and target.family == "integer":
        return _fast_integers(cells, target)
    if isinstance(cells, Repeated):
        return _fast_repeated(feature, cells, target)
    if isinstance(cells, np.ndarray) and (cells.ndim != 1 or cells.dtype.kind not in "bOU"):
        return None
    if _is_array(cells, "b") and feature.kind == "boolean" and target.family != "bytes":
        return np.array(cells, dtype=target.dtype)
    if feature.kind == "text" and target.family == "bytes" and _are_texts(_listed(cells)):
        return _objects(cells)
    return _fast_texts(feature, cells, target) if feature.is_scalar else None


def _listed(cells: Sequence[Any] | NDArray[Any]) -> list[Any]:
    """A list is faster to walk through than an array."""
    return cells.tolist() if isinstance(cells, np.ndarray) else list(cells)


def _is_array(cells: Sequence[Any] | NDArray[Any], kinds: str) -> TypeGuard[NDArray[Any]]:
    return isinstance(cells, np.ndarray) and cells.dtype.kind in kinds


def _are_texts(cells: list[Any]) -> bool:
    """Say whether every cell is text that has a form in UTF-8, none of them missing."""
    try:
        lines = "\n".join(cells) + "\n"
        if lines.isascii() and not _may_have_blanks(lines):
            return True
        lines.encode()
    except (TypeError, UnicodeEncodeError):
        return False
    return all(map(str.strip, cells))


def _may_have_blanks(lines: str) -> bool:
    """Say whether a line of ASCII begins with its own end or a space: half the time of a look at each."""
    codes = np.frombuffer(lines.encode(), dtype=np.uint8)
    is_space = codes <= 32
    return bool(is_space[0]) or bool(((codes[:-1] == 10) & is_space[1:]).any())


def _fast_repeated(feature: Feature, cells: Repeated, target: Datatype) -> NDArray[Any] | None:
    read = _cell_reader(feature, target)
    try:
        values = [read(cell) for cell in cells.distinct]
        if (cells.codes < 0).any():
            values.append(read(None))  # where -1 points to
    except _BadCellError:
        return None
    typed = _objects(values) if target.family == "bytes" else np.array(values, dtype=target.dtype)
    return typed[cells.codes]


def _fast_texts(
    feature: Feature, cells: Sequence[Any] | NDArray[Any], target: Datatype
) -> NDArray[Any] | None:
    """Read each distinct text once. None when a cell is something else, or can't be read."""
    listed = _listed(cells)
    try:
        distinct = set(listed)
        if not all(type(cell) is str or _is_blank(cell) for cell in distinct):
            return None
        read = _cell_reader(feature, target)
        values = {cell: read(cell) for cell in distinct}
    except (TypeError, _BadCellError):  # a list can't be in a set
        return None
    if target.family == "bytes" and all(cell == value for cell, value in values.items()):
        return _objects(cells)
    found = list(map(values.__getitem__, listed))
    return _objects(found) if target.family == "bytes" else np.array(found, dtype=target.dtype)


def _is_blank(cell: Any) -> bool:
    return cell is None or (type(cell) is float and math.isnan(cell))


def _objects(texts: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
    if isinstance(texts, np.ndarray):
        return texts.astype(object)
    array = np.empty(len(texts), dtype=np.object_)
    array[:] = texts
    return array


def _fast_floats(
    feature: Feature, cells: Sequence[Any] | NDArray[Any], target: Datatype
) -> NDArray[Any] | None:
    try:
        array = np.asarray(cells)
        if array.ndim != 1 or array.dtype.kind not in "fiuUO" or _has_strangers(cells):
            return None
        wide = array.astype(np.float64, copy=False)
        if target.dtype != np.float64 and (np.abs(wide) > _largest(target)).any():
            return None  # what is too large is looked at cell by cell
        numbers = wide.astype(target.dtype, copy=False)
    except (TypeError, ValueError, OverflowError):
        return None
    if np.isfinite(numbers).all():
        return numbers
    may_lack = not feature.required and feature.missing is None
    return numbers if may_lack and not np.isinf(numbers).any() else None


def _largest(target: Datatype) -> float:
    return float(np.finfo(target.dtype).max)


def _has_strangers(cells: Sequence[Any] | NDArray[Any]) -> bool:
    """Say whether there is a True or the like, which numpy would read as a number."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind != "O":
        return False
    return any(issubclass(kind, NOT_NUMBERS) for kind in set(map(type, cells)))


def _fast_integers(cells: NDArray[Any], target: Datatype) -> NDArray[Any] | None:
    try:
        return Tensor.of("", cells, datatype=target.name).data
    except InputError:
        return None


def _slow_column(
    feature: Feature, cells: Sequence[Any] | NDArray[Any], target: Datatype
) -> tuple[NDArray[Any], list[RowIssue]]:
    read = _cell_reader(feature, target)
    # A column of a file repeats its texts; its numbers, too, when one bad cell brings it here.
    read_text = lru_cache(maxsize=TEXTS_REMEMBERED)(read) if feature.is_scalar else read
    values, issues = np.empty((len(cells), *feature.row_shape), dtype=target.dtype), []
    for row, cell in enumerate(cells):
        try:
            values[row] = read_text(cell) if type(cell) is str else read(cell)
        except _BadCellError as problem:
            issues.append(_issue(row, feature, problem))
    return values, issues


def _cell_reader(feature: Feature, target: Datatype) -> Callable[[Any], Any]:
    """Read a cell that may be missing."""
    read = _reader(feature, target)
    replacement, words = _replacement(feature, target), _missing_words(feature)
    return lambda cell: _missing(feature, replacement) if _is_missing(cell, words) else read(cell)


def _missing_words(feature: Feature) -> frozenset[str]:
    """The texts that mean a missing value here: "NA" is a country, and "None" may be a choice."""
    if feature.kind == "text":
        return frozenset({""})
    choices = {text.casefold() for c in feature.choices for text in (c.text, _plain(c.value))}
    return MISSING_TEXTS - choices


def _is_missing(cell: Any, words: frozenset[str]) -> bool:
    if isinstance(cell, str):
        return cell.strip().casefold() in words
    if cell is None:
        return True
    if isinstance(cell, float | np.floating):
        return math.isnan(cell)
    if isinstance(cell, np.datetime64 | np.timedelta64):
        return bool(np.isnat(cell))
    return cell is np.ma.masked or type(cell).__name__ in ("NAType", "NaTType")


def _replacement(feature: Feature, target: Datatype) -> Any:
    if feature.missing is not None:
        return str(feature.missing) if target.family == "bytes" else feature.missing
    return math.nan if target.family == "float" else None


def _missing(feature: Feature, replacement: Any) -> Any:
    if feature.required:
        raise _BadCellError("is missing")
    if replacement is None:
        raise _BadCellError("is missing, and the signature names nothing to send instead")
    return replacement


def _reader(feature: Feature, target: Datatype) -> Callable[[Any], Any]:
    """The one way to read a cell of this feature: a value that fits `target`, or an error."""
    if not feature.is_scalar:
        return lambda cell: _read_block(cell, feature, target)
    if feature.kind == "category":
        return _choice_reader(feature, target)
    if feature.kind == "boolean":
        return _read_boolean
    if feature.kind == "date":
        return _read_date
    if feature.kind == "text":
        return _read_text
    if target.family == "integer" or feature.kind == "integer":
        return lambda cell: _read_integer(cell, target)
    return lambda cell: _read_number(cell, target)


def shown(cell: Any) -> str:
    """A cell as messages quote it: not more of it than fits in a line."""
    try:
        text = str(cell)
    except ValueError:  # an integer of more than 4300 digits
        text = "…"
    return repr(text if len(text) <= 40 else text[:37] + "…")


def _read_text(cell: Any) -> str:
    try:
        text = _text_of(cell)
        text.encode()
    except UnicodeError:
        raise _BadCellError("is not UTF-8 text") from None
    return text


def _text_of(cell: Any) -> str:
    if isinstance(cell, bytes):
        return cell.decode()
    if isinstance(cell, str):
        return str.__str__(cell)
    if isinstance(cell, timedelta | np.timedelta64 | np.datetime64):
        return time_text(cell)
    return str(cell)


def time_text(cell: timedelta | np.timedelta64 | np.datetime64) -> str:
    """One text for a moment or a duration, whatever column it stands in: that of pandas.

    So "2026-01-02 03:04:05" and "0 days 00:00:01".
    """
    import pandas as pd

    text = str(cell)
    try:
        if not isinstance(cell, np.datetime64):
            return str(pd.Timedelta(cell))
        return str(pd.Timestamp(cell)) if "T" in text else text  # without a time it is a date
    except ValueError:  # months, and moments too far away
        return text


def _read_number(cell: Any, target: Datatype) -> float:
    if isinstance(cell, NOT_NUMBERS):
        raise _BadCellError("is not a number", cell=str(cell))
    try:
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        hint = "; write a point, not a comma" if isinstance(cell, str) and "," in cell else ""
        raise _BadCellError(f"is not a number{hint}", cell=shown(cell)) from None
    if not math.isfinite(number):
        raise _BadCellError("is not a finite number", cell=shown(cell))
    if abs(number) > _largest(target):
        raise _BadCellError(f"is too large for {target.name}", cell=shown(cell))
    return number


def _read_integer(cell: Any, target: Datatype) -> int:
    number = _whole(cell)
    if number is None:
        raise _BadCellError("is not a whole number", cell=shown(cell))
    if target.minimum is not None and target.maximum is not None:
        if not target.minimum <= number <= target.maximum:
            limits = f"{target.minimum} to {target.maximum}"
            raise _BadCellError(f"is outside {target.name} ({limits})", cell=_digits(number))
    elif not _is_exact(number, target):
        raise _BadCellError(f"has no exact form in {target.name}", cell=_digits(number))
    return number


def _is_exact(number: int, target: Datatype) -> bool:
    if abs(number) > _largest(target):
        return False
    return int(target.dtype.type(number)) == number


def _digits(number: int) -> str:
    """Python refuses to write very long integers."""
    return str(number) if abs(number) < 10**LONGEST_INTEGER else "the number"


def _whole(cell: Any) -> int | None:
    if isinstance(cell, NOT_NUMBERS):
        return None
    if isinstance(cell, int | np.integer):
        return int(cell)
    try:
        if isinstance(cell, str) and cell.isdecimal():
            return int(cell)
        # Not by way of float, which would change "9007199254740993.0".
        number = Decimal(cell) if isinstance(cell, str | Decimal) else Decimal(float(cell))
    except (TypeError, ValueError, ArithmeticError):
        return None
    if not number.is_finite() or number.adjusted() > LONGEST_INTEGER or number % 1:
        return None
    return int(number)


def _read_boolean(cell: Any) -> bool:
    if isinstance(cell, bool | np.bool_):
        return bool(cell)
    text = _plain(cell).casefold().removesuffix(".0")
    if text in TRUE_TEXTS or text in FALSE_TEXTS:
        return text in TRUE_TEXTS
    raise _BadCellError("is neither true nor false", cell=shown(cell))


def _read_date(cell: Any) -> str:
    """A date (ISO 8601 or 31.12.2026), or a moment at midnight, as spreadsheets write dates.

    A time of day would be lost.
    """
    if isinstance(cell, datetime):
        moment = cell
    elif isinstance(cell, date):
        return cell.isoformat()
    else:
        try:
            moment = datetime.fromisoformat(_iso(_plain(cell)))
        except ValueError:
            raise _BadCellError("is not a date such as 2026-11-22", cell=shown(cell)) from None
    if moment.time() != time():
        raise _BadCellError("has a time of day; the model takes dates", cell=shown(cell))
    return moment.date().isoformat()


def _iso(text: str) -> str:
    """A date with dots as ISO 8601 writes it; any other text as it is."""
    found = _DOTTED_DATE.fullmatch(text)
    if found is None:
        return text
    day, month, year, rest = found.groups("")
    return f"{year}-{month:0>2}-{day:0>2}{rest}"


def _choice_reader(feature: Feature, target: Datatype) -> Callable[[Any], Any]:
    known: dict[str, Any] = {choice.text.strip(): choice.value for choice in feature.choices}
    known.update({_plain(choice.value): choice.value for choice in feature.choices})

    def read(cell: Any) -> Any:
        try:
            value = known[_plain(cell)]
        except KeyError:
            options = ", ".join(choice.text for choice in feature.choices)
            raise _BadCellError(f"is not one of {options}", cell=shown(cell)) from None
        return str(value) if target.family == "bytes" else value

    return read


def _plain(value: Any) -> str:
    """1, 1.0 and "1" are one choice; so are True and "true"."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).casefold()
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode(errors="replace").strip()
    return str(value).strip()


def _read_block(cell: Any, feature: Feature, target: Datatype) -> NDArray[Any]:
    """An image or tensor cell: numbers (array, nested lists, JSON text of them) or a picture.

    Only Python code can give a Path: no cell of a file becomes one.
    """
    shape = feature.row_shape
    try:
        numbers = Tensor.of("", _block(cell, feature, target), datatype=target.name).data
    except InputError as error:
        words = str(error).removeprefix("tensor '': ")
        raise _BadCellError(words, without_cell="the value can't be read") from None
    if numbers.size != math.prod(shape):
        raise _BadCellError(
            f"has {numbers.size} values, not the {math.prod(shape)} of {list(shape)}"
        )
    if target.family == "float" and np.isinf(numbers).any():
        raise _BadCellError("holds infinity, which has no form in JSON")
    if feature.image is not None and feature.image.says_levels:
        _check_levels(numbers, feature.image)
    return numbers.reshape(shape)


def _check_levels(numbers: NDArray[Any], spec: ImageSpec) -> None:
    """Refuse numbers that no pixel has: 0..255 for a model of 0..1 gets an answer, and a wrong one."""
    slack = LEVEL_SLACK * (spec.high - spec.low)
    if numbers.dtype.kind in "iu":
        slack = max(slack, 0.5)  # a picture's own numbers are rounded
    for extreme in (np.fmin, np.fmax):
        end = float(extreme.reduce(numbers, axis=None))
        if end < spec.low - slack or end > spec.high + slack:
            pixels = f"the {spec.low:g} to {spec.high:g} of its pixels"
            advice = f"outside {pixels}: give the picture's bytes, or scale its numbers"
            raise _BadCellError(f"holds {end:g}, {advice}", without_cell=f"holds numbers {advice}")


def _block(cell: Any, feature: Feature, target: Datatype) -> Any:
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            raise _BadCellError("is not a JSON list of numbers") from None
    is_file = isinstance(cell, images.File)
    if feature.image is None and is_file:
        raise _BadCellError("is not a list of numbers", cell=shown(cell))
    if feature.image is None or not (is_file or images.is_image(cell)):
        return cell
    numbers = images.read_picture(cell, feature.image)
    return np.rint(numbers).astype(np.int64) if target.family == "integer" else numbers
