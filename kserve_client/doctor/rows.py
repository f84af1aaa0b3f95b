"""Rows to ask a model with: the examples of the catalog, else what the signature allows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from kserve_client.errors import InputError
from kserve_client.frames import request_of
from kserve_client.signature import Feature, Signature
from kserve_client.tensors import InferRequest

LARGEST_ROW = 1_000_000


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """Requests of one row each, and the request of both, the first one first.

    `cells` is the first row; `is_known` whether it is an example, not made up from the signature.
    """

    first: InferRequest
    second: InferRequest
    both: InferRequest
    cells: Mapping[str, Any]
    is_known: bool


def rows_of(signature: Signature, examples: Sequence[Mapping[str, Any]]) -> Rows:
    """Take the first two rows that make a request: of the examples, then of the signature.

    Raises InputError when not even those of the signature do, or would be large.
    """
    good = list(islice(_good_rows(signature, examples), 2))
    if not good:
        request_of(signature, [_row(signature, 0)])
        raise InputError("no row makes a request")
    first, second = good[0], good[-1]
    return Rows(
        request_of(signature, [first]),
        request_of(signature, [second]),
        request_of(signature, [first, second]),
        first,
        any(first is example for example in examples),
    )


def _good_rows(
    signature: Signature, examples: Sequence[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    for row in examples:
        with suppress(InputError):
            request_of(signature, [row])
            yield row
    for variant in (0, 1):
        with suppress(InputError):
            row = _row(signature, variant)
            request_of(signature, [row])
            yield row


def _row(signature: Signature, variant: int) -> dict[str, Any]:
    numbers = sum(math.prod(feature.row_shape) for feature in signature.features)
    if numbers > LARGEST_ROW:
        raise InputError(f"a row of {numbers:,} numbers is too large to make up: give an example")
    return {feature.name: _cell(feature, variant) for feature in signature.features}


def _cell(feature: Feature, variant: int) -> Any:
    """Variant 0 is where the form starts, 1 a row that differs from it."""
    if feature.choices:
        return feature.choices[min(variant, len(feature.choices) - 1)].value
    if feature.default is not None and variant == 0:
        return feature.default
    if feature.image is not None:
        return np.full(feature.row_shape, (feature.image.low, feature.image.high)[variant])
    if not feature.is_scalar:
        return np.full(feature.row_shape, variant)
    if feature.kind in ("number", "integer"):
        return _number(feature, variant)
    return {"boolean": bool(variant), "date": f"2026-01-0{variant + 1}"}.get(
        feature.kind, f"text {variant + 1}"
    )


def _number(feature: Feature, variant: int) -> float:
    low, high = feature.min, feature.max
    if low is None or high is None:
        return high - variant if high is not None else (low or 0.0) + variant
    if variant:
        return low
    middle = (low + high) / 2
    return middle // 1 if feature.kind == "integer" else middle
