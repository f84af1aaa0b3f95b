"""What is done about cells that can't, or should not, be sent as they are."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from kserve_client.datatypes import DATATYPES
from kserve_client.decimals import Decimal
from kserve_client.errors import InputError, RowsError
from kserve_client.frames import is_missing, read_cell
from kserve_client.scoring.verdicts import (
    MISSING,
    NUMERIC_KINDS,
    WRONG,
    Judge,
    Verdicts,
    coded,
    decoded,
    is_text,
)
from kserve_client.signature import Feature, Scalar, Signature

Trouble = Literal["missing", "wrong", "range"]
Action = Literal["send", "drop", "fix"]
TROUBLES: tuple[Trouble, ...] = ("missing", "wrong", "range")
COMMA_NUMBER = r"^[ \t]*[-+]?[0-9]+,[0-9]+([eE][-+]?[0-9]+)?[ \t]*$"
CELL_CHARACTERS = 40
_MEDIAN = 3


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Remedy(_Part):
    """What is done about one feature.

    `datatype` is the wire's. A missing value is fixed by `fill`; a wrong one by reading a decimal
    comma, or by the choice of the same letters; one out of range by the nearer end of the range,
    which is from `low` to `high` whatever becomes of the signature. What can't be fixed is sent as
    it is.
    """

    datatype: str
    missing: Action = "send"
    wrong: Action = "send"
    range: Action = "send"
    fill: Scalar | None = None
    low: float | None = None
    high: float | None = None

    def held(self, feature: Feature) -> Feature:
        """The feature with the range that was chosen."""
        if self.range == "send":
            return feature
        return feature.model_copy(update={"min": self.low, "max": self.high})

    def action(self, trouble: Trouble) -> Action:
        """What is done about a trouble."""
        found: Action = getattr(self, trouble)
        return found


class Treatment(_Part):
    """What is done about each feature; a feature that is not in it is sent as it is."""

    remedies: dict[str, Remedy] = Field(default_factory=dict)

    @classmethod
    def of(
        cls,
        signature: Signature,
        actions: Mapping[str, Mapping[Trouble, Action]],
        fills: Mapping[str, Scalar] | None = None,
    ) -> Treatment:
        """A treatment from what a person chose; `fills` stand in for missing values.

        Without one of its own a feature is filled with its usual value. Raises InputError when a
        feature is unknown, or something can't be fixed so.
        """
        fills = fills or {}
        for name in (*actions, *fills):
            if name not in [feature.name for feature in signature.features]:
                raise InputError(f"no feature {name!r}")
        found = {
            name: _remedy(signature, signature.feature(name), chosen, fills.get(name))
            for name, chosen in actions.items()
        }
        return cls(remedies={name: remedy for name, remedy in found.items() if _acts(remedy)})

    def apply(
        self, feature: Feature, column: pa.Array, decimal: Decimal = "."
    ) -> tuple[pa.Array, dict[int, str]]:
        """Treat the cells of a feature, which are in its unit.

        Returns them, and the positions of the rows to leave out, each with the reason.
        """
        remedy = self.remedies.get(feature.name)
        if remedy is None or not len(column):
            return column, {}
        feature, column = remedy.held(feature), decoded(column)
        if remedy.wrong == "fix":
            column = mended(feature, column, decimal)
        judge = Judge(feature, DATATYPES[remedy.datatype], decimal)
        verdicts = judge.of(column)
        dropped: dict[int, str] = {}
        for trouble, where in troubles(feature, verdicts).items():
            if not where.any():
                continue
            if remedy.action(trouble) == "drop":
                dropped |= _reasons(judge, column, trouble, where)
            elif remedy.action(trouble) == "fix":
                column = _fixed(feature, remedy, column, trouble, verdicts, decimal)
        return column, dict(sorted(dropped.items()))


def troubles(feature: Feature, verdicts: Verdicts) -> dict[Trouble, NDArray[np.bool_]]:
    """Which cells of a column are in which trouble; no cell is in two."""
    found: dict[Trouble, NDArray[np.bool_]] = {
        "missing": verdicts.at(MISSING),
        "wrong": verdicts.at(WRONG),
    }
    if verdicts.numbers is not None and has_range(feature):
        below, above = _outside(feature, verdicts.numbers)
        found["range"] = below | above
    return found


def has_range(feature: Feature) -> bool:
    """Whether a number of the feature can be out of range."""
    return feature.min is not None or feature.max is not None


def usual_value(feature: Feature) -> tuple[Scalar, str] | None:
    """What a missing value is filled with unless a person says otherwise, and what that is.

    The median or the commonest value of the reference, else the default; None without either.
    """
    reference = feature.reference
    if reference is not None and reference.quantiles and feature.kind in NUMERIC_KINDS:
        median = reference.quantiles[_MEDIAN]
        return (round(median) if feature.kind == "integer" else median), "the median of the sample"
    if reference is not None and reference.counts:
        return max(
            reference.counts, key=reference.counts.__getitem__
        ), "the commonest of the sample"
    if feature.default is not None:
        return feature.default, "where the form starts"
    return None


def can_fix(feature: Feature, trouble: Trouble) -> bool:
    """Whether there is a safe way to fix a trouble of a feature."""
    if trouble == "missing":
        return feature.is_scalar
    if trouble == "range":
        return has_range(feature)
    return feature.kind in (*NUMERIC_KINDS, "category")


def mended(feature: Feature, column: pa.Array, decimal: Decimal) -> pa.Array:
    """Texts that are no values of the feature, but surely meant to be some, as those values."""
    if not is_text(column.type):
        return column
    if feature.kind == "category":
        return _with_choices(feature, column)
    if feature.kind in NUMERIC_KINDS and decimal == ".":
        return _with_points(column)
    return column


def _with_points(column: pa.Array) -> pa.Array:
    has_comma = pc.match_substring_regex(column, COMMA_NUMBER)
    if not pc.any(has_comma).as_py():
        return column
    return pc.if_else(has_comma, pc.replace_substring(column, ",", "."), column)


def _with_choices(feature: Feature, column: pa.Array) -> pa.Array:
    find = choice_finder(feature)
    codes, distinct = coded(column)
    found = [find(cell) or cell for cell in distinct]
    if found == distinct:
        return column
    return pa.array([*found, None], column.type).take(pa.array(codes % (len(found) + 1)))


def choice_finder(feature: Feature) -> Callable[[str], str | None]:
    """Find the choice whose letters a text has, where it is none and there is only one."""
    words = [word for c in feature.choices for word in {c.text.strip(), _plain(c.value)}]
    owners: dict[str, set[str]] = {}
    for choice in feature.choices:
        for word in (choice.text, _plain(choice.value)):
            owners.setdefault(_letters(word), set()).add(_plain(choice.value))

    def find(cell: str) -> str | None:
        if cell.strip() in words or is_missing(feature, cell):
            return None
        found = owners.get(_letters(cell), set()) if _letters(cell) else set()
        return next(iter(found)) if len(found) == 1 else None

    return find


def _letters(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text.casefold()).strip()


def _plain(value: Scalar) -> str:
    """A choice as a cell of a file says it: 1 for 1.0, true for True."""
    if isinstance(value, bool):
        return str(value).casefold()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _remedy(
    signature: Signature, feature: Feature, chosen: Mapping[Trouble, Action], fill: Scalar | None
) -> Remedy:
    for trouble, action in chosen.items():
        if action == "fix" and not can_fix(feature, trouble):
            raise InputError(f"{feature.name}: what is {_told(trouble)} can't be fixed")
    target = signature.datatype_of(feature)
    ends = {"low": feature.min, "high": feature.max} if _acts_on_range(chosen) else {}
    remedy = Remedy.model_validate({"datatype": target.name, **chosen, **ends})
    if remedy.missing != "fix":
        return remedy
    usual = usual_value(feature)
    fill = fill if fill is not None or usual is None else usual[0]
    if fill is None or is_missing(feature, fill):
        raise InputError(f"{feature.name}: say what to send for a missing value")
    try:
        read_cell(feature, target, fill)
    except RowsError as error:
        problem = error.issues[0].problem
        raise InputError(f"{feature.name}: what stands for a missing value: {problem}") from None
    return remedy.model_copy(update={"fill": fill})


def _acts_on_range(chosen: Mapping[Trouble, Action]) -> bool:
    return chosen.get("range", "send") != "send"


def _told(trouble: Trouble) -> str:
    return {"missing": "missing", "wrong": "wrong", "range": "out of range"}[trouble]


def _acts(remedy: Remedy) -> bool:
    return any(remedy.action(trouble) != "send" for trouble in TROUBLES)


def _outside(
    feature: Feature, numbers: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which numbers are below and above the range; NaN is neither."""
    low = -math.inf if feature.min is None else feature.min
    high = math.inf if feature.max is None else feature.max
    return numbers < low, numbers > high


def _fixed(
    feature: Feature,
    remedy: Remedy,
    column: pa.Array,
    trouble: Trouble,
    verdicts: Verdicts,
    decimal: Decimal,
) -> pa.Array:
    if trouble == "missing" and remedy.fill is not None:
        return _put(column, verdicts.at(MISSING), remedy.fill, decimal)
    if trouble == "range" and verdicts.numbers is not None:
        below, above = _outside(feature, verdicts.numbers)
        for where, end in ((below, feature.min), (above, feature.max)):
            if end is not None and where.any():
                is_whole = feature.kind == "integer"
                column = _put(column, where, int(end) if is_whole else end, decimal)
    return column


def _put(column: pa.Array, where: NDArray[np.bool_], value: Scalar, decimal: Decimal) -> pa.Array:
    """Set some cells; the column becomes one of decimals, or of text, when it can't hold the value."""
    text = _written(value)
    if is_text(column.type):
        is_number = isinstance(value, float) and decimal == ","
        text = text.replace(".", ",") if is_number else text
    for kind in (column.type, pa.float64(), pa.string()):
        try:
            return pc.if_else(pa.array(where), pa.scalar(text).cast(kind), column.cast(kind))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    raise InputError(f"a column of {column.type} can't hold {text!r}")


def _written(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).casefold()
    return repr(value) if isinstance(value, float) else str(value)


def _reasons(
    judge: Judge, column: pa.Array, trouble: Trouble, where: NDArray[np.bool_]
) -> dict[int, str]:
    """Why each of these rows is left out."""
    name = judge.feature.name
    positions = np.flatnonzero(where)
    if trouble == "missing":
        return dict.fromkeys(positions.tolist(), f"left out: {name} is missing")
    cells = column.take(pa.array(positions)).to_pylist()
    if trouble == "wrong":
        told = [judge.problem(cell) for cell in cells]
    else:
        told = [_range_problem(judge.feature, cell) for cell in cells]
    reasons = (f"left out: {name}: {problem}" for problem in told)
    return dict(zip(positions.tolist(), reasons, strict=True))


def _range_problem(feature: Feature, cell: Any) -> str:
    shown = "the value" if feature.sensitive else short(cell)
    return f"{shown} is outside {feature.range_words}"


def short(cell: Any) -> str:
    """A cell for people: not more of it than fits in a line."""
    text = cell.isoformat() if isinstance(cell, date) else str(cell)
    return text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 1] + "…"
