"""Which column each feature is read from, or the constant that stands in for one."""

from __future__ import annotations

import re
from collections import Counter, abc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal as Exact
from decimal import InvalidOperation, localcontext
from difflib import SequenceMatcher, get_close_matches
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kserve_client.datatypes import DATATYPES
from kserve_client.decimals import Decimal, ungrouped
from kserve_client.errors import InputError, RowsError
from kserve_client.frames import check_columns, is_missing, read_cell
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.verdicts import OK, WRONG, Judge, coded, decoded, is_text
from kserve_client.signature import Feature, Scalar, Signature

Reason = Literal["exact", "same letters", "similar", "constant", ""]
SIMILAR = 0.75
MARGIN = 0.08
MOST_PAIRS = 20_000
COLUMNS_NAMED = 20
_EXACT_DIGITS = 60


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Origin(_Part):
    """Where the values of a feature come from: a column, a constant, or nowhere.

    A number of the column times `factor` plus `offset` is in the unit of the feature: 2.54 makes
    centimetres of inches. `reason` says why this column was taken.
    """

    column: str | None = None
    constant: Scalar | None = None
    factor: float = 1.0
    offset: float = 0.0
    reason: Reason = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.column is not None and self.constant is not None:
            raise ValueError("a feature is read from a column or has a constant, not both")
        if self.converts and self.column is None:
            raise ValueError("a factor or offset needs a column")
        if self.factor == 0:
            raise ValueError("a factor of 0 would make all numbers one")
        return self

    @property
    def converts(self) -> bool:
        """Whether numbers change on their way."""
        return (self.factor, self.offset) != (1.0, 0.0)


class Mapping(_Part):
    """Feature → where its values come from; a feature that is not in it has no values.

    `shared` names the columns that may feed more than one feature.
    """

    origins: dict[str, Origin] = Field(default_factory=dict)
    shared: tuple[str, ...] = ()

    @classmethod
    def by_name(
        cls,
        signature: Signature,
        columns: Sequence[str],
        given: abc.Mapping[str, Origin] | None = None,
    ) -> Self:
        """Each feature from the column of its name, but for those that are `given` from elsewhere.

        A column that is given to several features is meant so. Raises InputError when a required
        feature has none, or an optional one is mistyped.
        """
        given = dict(given or {})
        cls(origins=given).check_names(signature, columns)
        there = set(columns)
        check_columns(signature, [*columns, *(name for name in given if name not in there)])
        names = [f.name for f in signature.features if f.name in there or f.name in given]
        origins = {name: given.get(name) or Origin(column=name, reason="exact") for name in names}
        users = Counter(origin.column for origin in given.values() if origin.column is not None)
        shared = tuple(column for column, count in users.items() if count > 1)
        found = cls(origins=origins, shared=shared)
        found.check(signature, columns)
        return found

    @property
    def unsure(self) -> tuple[str, ...]:
        """The features whose column only looks like theirs: a person has to say yes."""
        return tuple(name for name, origin in self.origins.items() if origin.reason == "similar")

    def of(self, feature: str) -> Origin:
        """Where the values of a feature come from."""
        return self.origins.get(feature, Origin())

    def check(self, signature: Signature, columns: Sequence[str]) -> None:
        """Raise InputError when a table with these columns can't be read so."""
        self.check_names(signature, columns)
        self._check_shared()
        for feature in signature.features:
            _check_origin(feature, self.of(feature.name), signature)
        self._check_lacking(signature, columns)

    def column(
        self,
        feature: Feature,
        cells: pa.RecordBatch,
        columns: Sequence[str] | None = None,
        decimal: Decimal = ".",
    ) -> pa.Array | None:
        """The cells of a feature, None when it has none.

        A constant is repeated. Where numbers are converted the column is float64, or text in the
        manner of the file when some of its cells are no numbers: those stay as they are.
        """
        origin = self.origins.get(feature.name)
        if origin is None:
            return None
        if origin.constant is not None:
            return _repeated(feature, origin.constant, cells.num_rows)
        if origin.column is None:
            return None
        names = cells.schema.names if columns is None else columns
        found = cells.column(list(names).index(origin.column))
        return _converted(feature, origin, found, decimal) if origin.converts else found

    def check_names(self, signature: Signature, columns: Sequence[str]) -> None:
        """Raise InputError when a feature or a column that is named does not exist."""
        known = {feature.name for feature in signature.features}
        twice = {name for name, count in Counter(columns).items() if count > 1}
        for name, origin in self.origins.items():
            if name not in known:
                raise InputError(f"no feature {name!r}{_did_you_mean(name, known)}")
            if origin.column is None:
                continue
            if origin.column not in columns:
                near = _did_you_mean(origin.column, columns)
                raise InputError(
                    f"{name!r} is to be read from the column {origin.column!r}, which the table "
                    f"does not have{near}"
                )
            if origin.column in twice:
                raise InputError(f"the table has more than one column {origin.column!r}")

    def _check_shared(self) -> None:
        users: dict[str, list[str]] = {}
        for name, origin in self.origins.items():
            if origin.column is not None:
                users.setdefault(origin.column, []).append(name)
        for column, names in users.items():
            if len(names) > 1 and column not in self.shared:
                raise InputError(
                    f"the column {column!r} would be read as {' and as '.join(map(repr, names))}; "
                    "say so when that is meant, or choose another column"
                )

    def _check_lacking(self, signature: Signature, columns: Sequence[str]) -> None:
        lacking = [f.name for f in signature.features if self._is_lacking(f, signature)]
        if not lacking:
            return
        used = {origin.column for origin in self.origins.values()}
        free = [column for column in columns if column not in used]
        hints = [_hinted(name, free) for name in lacking]
        raise InputError(
            f"no column for {', '.join(hints)}; the table has {_some(columns) or 'no columns'}"
        )

    def _is_lacking(self, feature: Feature, signature: Signature) -> bool:
        """Whether every row would be refused, since the feature has neither a value nor a stand-in."""
        origin = self.of(feature.name)
        if origin.column is not None or origin.constant is not None:
            return False
        return Judge(feature, signature.datatype_of(feature)).refuses_missing


def _check_origin(feature: Feature, origin: Origin, signature: Signature) -> None:
    if origin.converts and feature.kind not in ("number", "integer"):
        raise InputError(
            f"{feature.name} is of kind {feature.kind}: only numbers have a factor and an offset"
        )
    if origin.constant is None:
        return
    if not feature.is_scalar:
        raise InputError(f"{feature.name} is of kind {feature.kind}, which has no constant")
    if is_missing(feature, origin.constant):
        raise InputError(f"the constant of {feature.name} is empty; name no constant instead")
    try:
        read_cell(feature, signature.datatype_of(feature), origin.constant)
    except RowsError as error:
        problem = error.issues[0].problem
        raise InputError(f"the constant of {feature.name}: {problem}") from None


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _hinted(name: str, columns: Sequence[str]) -> str:
    near = get_close_matches(_letters(name), [_letters(column) for column in columns], n=1)
    found = next((c for c in columns if near and _letters(c) == near[0]), None)
    return f"{name!r} (is it {found!r}?)" if found else repr(name)


def _some(columns: Sequence[str]) -> str:
    shown = ", ".join(map(repr, columns[:COLUMNS_NAMED]))
    rest = len(columns) - COLUMNS_NAMED
    return f"{shown} and {rest:,} more" if rest > 0 else shown


# Constants and units


def _repeated(feature: Feature, constant: Scalar, count: int) -> pa.Array:
    """A constant in each row; typed, so that the decimal sign of the file does not matter."""
    value: Any = str(constant)
    if feature.kind == "number":
        value = float(read_cell(feature, DATATYPES["FP64"], constant))
    elif feature.kind == "integer":
        value = _integer(feature, constant)
    elif feature.kind == "boolean":
        value = bool(read_cell(feature, DATATYPES["BOOL"], constant))
    is_beyond = isinstance(value, int) and value >= 2**63
    return pa.repeat(pa.scalar(value, pa.uint64() if is_beyond else None), count)


def _integer(feature: Feature, constant: Scalar) -> int | str:
    for name in ("INT64", "UINT64"):
        try:
            return int(read_cell(feature, DATATYPES[name], constant))
        except RowsError:
            continue
    return str(constant)


def _converted(feature: Feature, origin: Origin, column: pa.Array, decimal: Decimal) -> pa.Array:
    column = decoded(column)
    if feature.kind == "integer":
        return _converted_exactly(origin, column, decimal)
    verdicts = Judge(feature, DATATYPES["FP64"], decimal).of(column)
    assert verdicts.numbers is not None
    with np.errstate(over="ignore"):
        numbers = verdicts.numbers * origin.factor + origin.offset
    is_number = verdicts.at(OK) & ~np.isnan(verdicts.numbers)
    found = pa.array(numbers, mask=~is_number)
    if not verdicts.at(WRONG).any():
        return found
    written = _with_sign(found.cast(pa.string()), decimal)
    return pc.if_else(pa.array(is_number), written, column.cast(pa.string()))


def _converted_exactly(origin: Origin, column: pa.Array, decimal: Decimal) -> pa.Array:
    """Integers go by way of decimals: a float would change those beyond 2^53."""
    is_typed = not is_text(column.type)
    codes, distinct = coded(column)
    texts = [_exactly(cell, origin, "." if is_typed else decimal) for cell in distinct]
    texts = texts if is_typed or decimal == "." else [t and t.replace(".", ",") for t in texts]
    return pa.array([*texts, None], pa.string()).take(pa.array(codes % (len(texts) + 1)))


def _exactly(cell: Any, origin: Origin, decimal: Decimal) -> str | None:
    """A converted cell; one that is no number stays as it is."""
    text = None if cell is None else str(cell)
    if text is None or isinstance(cell, bool):
        return text
    readable = text
    if decimal == ",":
        readable = ungrouped(text).replace(".", "x").replace(",", ".")
    with localcontext() as context:
        context.prec = _EXACT_DIGITS
        try:
            number = Exact(readable.strip())
            if not number.is_finite():
                return text
            number = number * Exact(repr(origin.factor)) + Exact(repr(origin.offset))
        except InvalidOperation:
            return text
        return f"{number:f}"


def _with_sign(texts: pa.Array, decimal: Decimal) -> pa.Array:
    return texts if decimal == "." else pc.replace_substring(texts, ".", ",")


# Suggestions


@dataclass(frozen=True, slots=True)
class _Pair:
    """How alike a feature and a column are, 0..1."""

    likeness: float
    feature: str
    column: str


def suggest(
    signature: Signature, columns: Sequence[str], first_rows: Rows | None = None
) -> Mapping:
    """The column that each feature is probably read from.

    By the name, then by its letters alone ("Petal Length (cm)" for petal_length in cm, or for a
    feature with that title), then by likeness: where one column is clearly the likeliest, and at
    least half of its `first_rows` can be read. No column is given to two features.
    """
    free = [column for column, count in Counter(columns).items() if count == 1]
    origins: dict[str, Origin] = {}
    for feature in signature.features:
        if feature.name in free:
            origins[feature.name] = Origin(column=feature.name, reason="exact")
    for reason, found in (("same letters", _by_letters), ("similar", _by_likeness)):
        taken = {origin.column for origin in origins.values()}
        features = [f for f in signature.features if f.name not in origins]
        pairs = found(features, [column for column in free if column not in taken])
        for feature in features:
            column = pairs.get(feature.name)
            if column is None:
                continue
            if reason == "similar" and not _is_readable(feature, signature, column, first_rows):
                continue
            origins[feature.name] = Origin.model_validate({"column": column, "reason": reason})
    names = [feature.name for feature in signature.features if feature.name in origins]
    return Mapping(origins={name: origins[name] for name in names})


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _called(feature: Feature) -> set[str]:
    """What a column of this feature may be called, letters only."""
    names = {feature.name, feature.title} - {""}
    return {_letters(name) for name in names} | {_letters(name + feature.unit) for name in names}


def _by_letters(features: Sequence[Feature], columns: Sequence[str]) -> dict[str, str]:
    """Pairs of the same letters, where there is one column for one feature."""
    by_letters: dict[str, list[str]] = {}
    for column in columns:
        by_letters.setdefault(_letters(column), []).append(column)
    found = {
        feature.name: [column for word in _called(feature) for column in by_letters.get(word, [])]
        for feature in features
    }
    users = Counter(column for options in found.values() for column in options)
    return {
        name: options[0]
        for name, options in found.items()
        if len(options) == 1 and users[options[0]] == 1
    }


def _by_likeness(features: Sequence[Feature], columns: Sequence[str]) -> dict[str, str]:
    """Pairs that are clearly the likeliest for both; none where there are too many to compare."""
    if len(features) * len(columns) > MOST_PAIRS:
        return {}
    pairs = [
        _Pair(likeness, feature.name, column)
        for feature in features
        for column in columns
        if (likeness := _likeness(feature, column)) >= SIMILAR
    ]
    found = {}
    for pair in pairs:
        rivals = [
            other
            for other in pairs
            if other is not pair and (other.feature == pair.feature or other.column == pair.column)
        ]
        if all(pair.likeness >= other.likeness + MARGIN for other in rivals):
            found[pair.feature] = pair.column
    return found


def _likeness(feature: Feature, column: str) -> float:
    letters = _letters(column)
    return max(SequenceMatcher(None, name, letters).ratio() for name in _called(feature))


def _is_readable(
    feature: Feature, signature: Signature, column: str, first_rows: Rows | None
) -> bool:
    """Whether at least half of the first rows have cells of this feature."""
    if first_rows is None or not len(first_rows):
        return True
    cells = first_rows.cells.column(first_rows.cells.schema.names.index(column))
    verdicts = Judge(feature, signature.datatype_of(feature)).of(cells)
    return bool(verdicts.at(WRONG).mean() <= 0.5)
