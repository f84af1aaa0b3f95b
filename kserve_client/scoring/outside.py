"""Numbers beyond the range that the signature names: they are sent, and a person is told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kserve_client.signature import Feature, Signature
from kserve_client.tensors import Tensor

DIGITS = 10


@dataclass(frozen=True, slots=True)
class Outside:
    """Rows that were answered while a number of theirs is out of the usual range of its feature.

    `range` is that range in words. `first_row` counts from 1; `number` is the one in it, None where
    the feature is sensitive.
    """

    feature: str
    range: str
    rows: int
    first_row: int
    number: float | None

    def words(self, count: int) -> str:
        """One line: field, rows, range and the first number; `count` is how many rows there are."""
        shown = "" if self.number is None else f": {self.number:.{DIGITS}g}"
        told = f"{self.feature} is outside its usual range, {self.range}"
        if count == 1:  # the only one needs no number
            return told + shown
        return f"{told}, in {self.rows:,} of {count:,} rows; the first is row {self.first_row:,}{shown}"

    def and_more(self, other: Outside) -> Outside:
        """The same of both."""
        first = min(self, other, key=lambda one: one.first_row)
        return replace(first, rows=self.rows + other.rows)


def outside(
    signature: Signature,
    inputs: Sequence[Tensor],
    rows: NDArray[np.int64],
    failed: Collection[int] = (),
) -> dict[int, Outside]:
    """What is out of range in the tensors of a request, by the position of its feature.

    `rows` [rows of the tensors] are their numbers from 0; those in `failed` don't count.
    """
    found = {}
    for at, feature, numbers in _ranged(signature, inputs):
        where = np.flatnonzero(_is_outside(feature, numbers))
        if failed and len(where):
            where = where[~np.isin(rows[where], list(failed))]
        if len(where):
            # A short float says the number that was meant, as a long one it would not.
            number = None if feature.sensitive else float(str(numbers[where[0]]))
            first_row = int(rows[where[0]]) + 1
            found[at] = Outside(feature.name, feature.range_words, len(where), first_row, number)
    return found


def add_outside(into: dict[int, Outside], more: Mapping[int, Outside]) -> None:
    """Count what was found in other rows, too."""
    for at, one in more.items():
        into[at] = into[at].and_more(one) if at in into else one


def _ranged(
    signature: Signature, inputs: Sequence[Tensor]
) -> Iterator[tuple[int, Feature, NDArray[Any]]]:
    """The features with a range, their positions and the numbers [rows] that travel for them."""
    for at, feature in enumerate(signature.features):
        if feature.min is not None or feature.max is not None:
            is_shared = signature.layout == "tensor"
            yield at, feature, inputs[0].data[:, at] if is_shared else inputs[at].data[:, 0]


def _is_outside(feature: Feature, numbers: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each number is; NaN never. In its own precision: an end of the range is in it."""
    found = np.zeros(len(numbers), dtype=bool)
    with np.errstate(over="ignore", invalid="ignore"):
        if feature.min is not None:
            found |= numbers < feature.min
        if feature.max is not None:
            found |= numbers > feature.max
    return found
