"""How far the values of a run lie from the reference: the usual rows of the model.

PSI (population stability index) is the sum over bins of (now − usual) · ln(now / usual), both as
shares of their rows. Below 0.1 is usually read as no shift, from 0.25 on as a large one. KS
(Kolmogorov–Smirnov) is the greatest distance between the two cumulated shares, here at the edges of
the bins, since a reference holds no single rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kserve_client.datatypes import DATATYPES, Datatype
from kserve_client.decimals import Decimal
from kserve_client.scoring.mapping import Mapping as ColumnMapping
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.verdicts import MISSING, NUMERIC_KINDS, OK, Judge, coded, decoded
from kserve_client.signature import (
    REFERENCE_QUANTILES,
    Feature,
    Reference,
    Scalar,
    Signature,
)

Shift = Literal["none", "moderate", "large", "unknown"]
MODERATE, LARGE = 0.1, 0.25
SMALLEST_BIN = 0.05
OTHER = "other values"
MISSING_POINTS = 0.05
_Z99 = 2.326
_WORDS: dict[Shift, str] = {
    "none": "no shift",
    "moderate": "a moderate shift",
    "large": "a large shift",
    "unknown": "too few rows to tell",
}


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin: its words, and the shares (0..1) of the usual rows and of these that are in it."""

    words: str
    usual: float
    now: float


@dataclass(frozen=True, slots=True)
class Drift:
    """How far one column lies from its reference.

    `rows` have a value, `usual_rows` had one. `psi` and `ks` are None without rows on either side;
    `ks` also for categories. `chance` is the PSI that as few rows would have by chance alone once
    in a hundred times. `missing` and `usual_missing` are the shares (0..1) of rows without a value.
    """

    column: str
    rows: int
    usual_rows: int
    bins: tuple[Bin, ...]
    psi: float | None
    ks: float | None
    chance: float
    missing: float
    usual_missing: float

    @property
    def shift(self) -> Shift:
        """What the PSI says, once chance is set aside."""
        if self.psi is None:
            return "unknown"
        if self.psi < MODERATE:
            return "none"
        if self.psi <= self.chance:
            return "unknown"
        return "large" if self.psi >= LARGE else "moderate"

    @property
    def words(self) -> str:
        """One sentence for people."""
        told = _WORDS[self.shift]
        if self.psi is not None:
            figures = f"PSI {self.psi:.2f}" + (f", KS {self.ks:.2f}" if self.ks is not None else "")
            told += f" ({figures})"
        most = max(self.bins, key=lambda b: round(abs(b.now - b.usual), 6), default=None)
        if self.shift in ("moderate", "large") and most is not None:
            told += f"; {most.words}: {most.now:.0%} of the rows, usually {most.usual:.0%}"
        if abs(self.missing - self.usual_missing) >= MISSING_POINTS:
            told += f"; without a value: {self.missing:.0%}, usually {self.usual_missing:.0%}"
        return told


class _Tally(Protocol):
    """Counts the values of one column beside a reference; column and names are aligned to it."""

    def add(self, column: pa.Array, decimal: Decimal) -> None:
        """Count the cells of a batch."""
        ...

    def found(self) -> Drift:
        """How far they lie from the reference so far."""
        ...


class DriftWatch:
    """Takes the rows of a run in batches; its memory does not grow with them.

    Watches the features with a reference that come from a column, and of the results the columns
    that `results` names a reference for. Cells that can't be read are not counted. For one thread.
    """

    def __init__(
        self,
        signature: Signature,
        mapping: ColumnMapping,
        decimal: Decimal = ".",
        results: Mapping[str, Reference] | None = None,
    ) -> None:
        self._mapping = mapping
        self._decimal: Decimal = decimal
        self._features = [
            (feature, tally)
            for feature in signature.features
            if mapping.of(feature.name).column is not None
            and (tally := _tally(feature, signature.datatype_of(feature))) is not None
        ]
        found = {name: _result_tally(name, r) for name, r in (results or {}).items()}
        self._results = {name: tally for name, tally in found.items() if tally is not None}

    def add(self, rows: Rows, results: pa.RecordBatch | None = None) -> None:
        """Count some rows, and their results where there are some."""
        for feature, tally in self._features:
            column = self._mapping.column(feature, rows.cells, None, self._decimal)
            if column is not None:
                tally.add(decoded(column), self._decimal)
        for name, tally in self._results.items():
            if results is not None and name in results.schema.names:
                tally.add(decoded(results.column(name)), ".")

    def found(self) -> tuple[Drift, ...]:
        """How far each watched column lies from its reference: features first, then results."""
        tallies = [tally for _, tally in self._features] + list(self._results.values())
        return tuple(tally.found() for tally in tallies)


def _tally(feature: Feature, target: Datatype) -> _Tally | None:
    reference = feature.reference
    if reference is None:
        return None
    if feature.kind in NUMERIC_KINDS and reference.quantiles:
        return _Numbers(feature, target, reference)
    if feature.kind in ("category", "boolean") and reference.counts:
        return _Choices(feature, target, reference)
    return None


def _result_tally(name: str, reference: Reference) -> _Tally | None:
    """Results are read as features of any number, or of any text, would be."""
    if reference.quantiles:
        feature = Feature(name=name, kind="number", required=False)
        return _Numbers(feature, DATATYPES["FP64"], reference)
    if reference.counts:
        return _Choices(Feature(name=name, kind="text"), DATATYPES["BYTES"], reference)
    return None


class _Numbers:
    """Counts numbers in the bins of a reference."""

    def __init__(self, feature: Feature, target: Datatype, reference: Reference) -> None:
        self._feature, self._target, self._reference = feature, target, reference
        self._bins = _bins_of(reference)
        self._now = np.zeros(len(self._bins.usual), dtype=np.int64)
        self._missing = 0

    def add(self, column: pa.Array, decimal: Decimal) -> None:
        verdicts = Judge(self._feature, self._target, decimal).of(column)
        assert verdicts.numbers is not None
        self._missing += int(verdicts.at(MISSING).sum())
        numbers = verdicts.numbers[verdicts.at(OK) & np.isfinite(verdicts.numbers)]
        self._now += np.bincount(self._bins.place(numbers), minlength=len(self._now))

    def found(self) -> Drift:
        return _drift(
            self._feature.name,
            self._reference,
            self._bins.words,
            self._bins.usual,
            self._now,
            self._missing,
        )


class _Choices:
    """Counts texts beside the counts of a reference."""

    def __init__(self, feature: Feature, target: Datatype, reference: Reference) -> None:
        self._feature, self._target, self._reference = feature, target, reference
        values = [choice.value for choice in feature.choices]
        self._keys = {str(value): _key(value) for value in values}
        self._counts: Counter[str] = Counter()
        self._missing = 0

    def add(self, column: pa.Array, decimal: Decimal) -> None:
        judge = Judge(self._feature, self._target, decimal)
        codes, distinct = coded(column)
        rows = np.bincount(codes + 1, minlength=len(distinct) + 1)
        self._missing += int(rows[0])
        for cell, count in zip(distinct, rows[1:].tolist(), strict=True):
            judged = judge.one(cell)
            if judged.state == MISSING:
                self._missing += count
            elif judged.state == OK:
                self._count(judged.value, count)

    def _count(self, value: Scalar, count: int) -> None:
        """Values that the reference does not have are one: there may be any number of them."""
        key = self._keys.get(str(value), _key(value))
        self._counts[key if key in self._reference.counts else ""] += count

    def found(self) -> Drift:
        counts = self._reference.counts
        usual = np.array([*counts.values(), 0])
        now = np.array([*(self._counts[key] for key in counts), self._counts[""]])
        if not now[-1]:
            usual, now = usual[:-1], now[:-1]
        words = [*counts, OTHER][: len(now)]
        return _drift(
            self._feature.name,
            self._reference,
            words,
            usual.astype(np.float64),
            now,
            self._missing,
            is_ordered=False,
        )


def _key(value: Scalar) -> str:
    """A value as a reference counts it: true, 1 (of 1.0 as well), Adelie."""
    if isinstance(value, bool):
        return str(value).casefold()
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if is_whole else str(value)


# Bins


@dataclass(frozen=True, eq=False, slots=True)
class _Bins:
    """Bins of a number, the outer ones open: their inner edges [bins − 1] and usual rows [bins].

    `place` says of numbers which bin each is in.
    """

    edges: NDArray[np.float64]
    usual: NDArray[np.float64]
    place: Callable[[NDArray[np.float64]], NDArray[np.int64]]

    @property
    def words(self) -> list[str]:
        """What is in each bin."""
        if not len(self.edges):
            return ["all"]
        texts = [f"{edge:.4g}" for edge in self.edges.tolist()]
        inner = [low if low == high else f"{low} to {high}" for low, high in pairwise(texts)]
        return [f"below {texts[0]}", *inner, f"above {texts[-1]}"]


def _bins_of(reference: Reference) -> _Bins:
    """The bins of the histogram, else those between the quantiles."""
    first, last = reference.quantiles[0], reference.quantiles[-1]
    if first < last and any(reference.histogram):
        return _of_histogram(first, last, np.array(reference.histogram, dtype=np.float64))
    if first < last:
        # Equal quantiles are one edge, which has all rows up to the last of them below it.
        below = dict(zip(reference.quantiles[1:], REFERENCE_QUANTILES[1:], strict=True))
        shares = np.diff([0.0, *below.values(), 1.0])
        return _between(list(below), shares * reference.rows)
    return _between([np.nextafter(first, -math.inf), first], np.array([0, reference.rows, 0]))


def _between(edges: Sequence[float], usual: NDArray[np.float64]) -> _Bins:
    """Each edge belongs to the bin below it."""
    found = np.array(edges)
    return _Bins(found, usual, lambda numbers: np.searchsorted(found, numbers, side="left"))


def _of_histogram(first: float, last: float, counts: NDArray[np.float64]) -> _Bins:
    """Neighbours among the equal bins are joined until each holds 5 % of the rows.

    Numbers are placed as those of the sample were, to the last digit, and quarters of them leave
    room for the span of the largest floats.
    """
    bins, span = len(counts), last / 4 - first / 4
    ends = _joined(counts)
    edges = (first / 4 + span * np.array(ends) / bins) * 4
    group = np.searchsorted(np.array(ends), np.arange(bins), side="right")

    def place(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        at = np.clip((numbers / 4 - first / 4) / span * bins, 0, bins - 1).astype(np.int64)
        found: NDArray[np.int64] = group[at]
        return found

    return _Bins(edges, np.bincount(group, weights=counts).astype(np.float64), place)


def _joined(counts: NDArray[np.float64]) -> list[int]:
    """Where the joined bins end, but for the last one."""
    least, rest, held = SMALLEST_BIN * counts.sum(), counts.sum(), 0.0
    ends = []
    for at, count in enumerate(counts.tolist()[:-1], start=1):
        held, rest = held + count, rest - count
        if held >= least and rest >= least:
            ends.append(at)
            held = 0.0
    return ends


# Figures


def _drift(
    name: str,
    reference: Reference,
    words: Sequence[str],
    usual: NDArray[np.float64],
    now: NDArray[np.int64],
    missing: int,
    *,
    is_ordered: bool = True,
) -> Drift:
    rows, usual_rows = int(now.sum()), float(usual.sum())
    shares = _shares(usual), _shares(now.astype(np.float64))
    bins = tuple(Bin(word, float(u), float(n)) for word, u, n in zip(words, *shares, strict=True))
    is_comparable = rows > 0 and usual_rows > 0
    return Drift(
        name,
        rows,
        round(usual_rows),
        bins,
        psi(usual, now) if is_comparable else None,
        _ks(*shares) if is_comparable and is_ordered else None,
        _chance(int(((usual > 0) | (now > 0)).sum()), rows, usual_rows)
        if is_comparable
        else math.inf,
        _share(missing, rows),
        _share(reference.missing, reference.rows),
    )


def _share(missing: int, present: int) -> float:
    return missing / (missing + present) if missing else 0.0


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    total = counts.sum()
    return counts / total if total else np.zeros(len(counts))


def psi(usual: NDArray[np.float64], now: NDArray[np.int64]) -> float:
    """The population stability index of two rows of counts [bins], neither of them empty.

    A bin that is empty on one side counts as half a row there, or as the share of the other side
    where that is less: its logarithm would be endless.
    """
    before, after = usual / usual.sum(), now / now.sum()
    before, after = (
        np.where(before > 0, before, np.minimum(0.5 / usual.sum(), after)),
        np.where(after > 0, after, np.minimum(0.5 / now.sum(), before)),
    )
    is_used = before > 0
    before, after = before[is_used], after[is_used]
    return float(((after - before) * np.log(after / before)).sum())


def _ks(usual: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    return float(np.abs(np.cumsum(usual) - np.cumsum(now)).max())


def _chance(bins: int, rows: int, usual_rows: float) -> float:
    """The PSI that samples of one population exceed once in a hundred times.

    It is close to chi-squared with bins − 1 degrees of freedom, times (1/rows + 1/usual rows)
    (Yurdakul 2018); the 99 % point is Wilson and Hilferty's.
    """
    degrees = bins - 1
    if degrees < 1:
        return 0.0
    part = 2 / (9 * degrees)
    chi_squared = degrees * (1 - part + _Z99 * math.sqrt(part)) ** 3
    return float(chi_squared * (1 / rows + 1 / usual_rows))
