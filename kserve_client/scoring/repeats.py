"""Rows that occur more than once in a table, found in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MOST_KEPT = 2_000_000
_BETWEEN = "\x1f"
_NULL = "\x00"


@dataclass(frozen=True, slots=True)
class Repeated:
    """How many rows are the same as an earlier one.

    `pairs` are the first of them, each with the row it repeats (both from 0). `is_exact` is False
    when there were so many rows that the number is an estimate from those whose hash ends in zeros.
    """

    rows: int
    pairs: tuple[tuple[int, int], ...] = ()
    is_exact: bool = True


class Repeats:
    """Takes the rows of a table in batches and finds those that occur again.

    Rows are compared by a hash of 64 bits, 16 bytes a row: at most `most_kept` rows are kept. When
    there are more, every other hash is forgotten, again and again, and the count is scaled up.
    """

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        self._most_kept = most_kept
        self._hashes: list[NDArray[np.uint64]] = []
        self._rows: list[NDArray[np.int64]] = []
        self._kept = 0
        self._halvings = 0

    def add(self, columns: Sequence[pa.Array], rows: NDArray[np.int64]) -> None:
        """Take some rows with their numbers; `columns` are what is compared."""
        if not len(rows) or not columns:
            return
        hashes = pd.util.hash_array(_joined(columns), categorize=False)
        keep = self._is_kept(hashes)
        self._hashes.append(hashes[keep])
        self._rows.append(rows[keep])
        self._kept += int(keep.sum())
        while self._kept > self._most_kept:
            self._halve()

    def found(self, most_pairs: int = 5) -> Repeated:
        """What was found so far."""
        if not self._kept:
            return Repeated(0)
        hashes, rows = np.concatenate(self._hashes), np.concatenate(self._rows)
        order = np.argsort(hashes, kind="stable")
        hashes, rows = hashes[order], rows[order]
        is_repeat = np.concatenate([[False], hashes[1:] == hashes[:-1]])
        count = int(is_repeat.sum()) << self._halvings
        firsts = np.maximum.accumulate(np.where(is_repeat, 0, np.arange(len(rows))))
        at = np.flatnonzero(is_repeat)
        at = at[np.argsort(rows[at], kind="stable")][:most_pairs]
        pairs = tuple((int(rows[i]), int(rows[firsts[i]])) for i in at)
        return Repeated(count, pairs, is_exact=not self._halvings)

    def _is_kept(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = (hashes & np.uint64((1 << self._halvings) - 1)) == 0
        return found

    def _halve(self) -> None:
        self._halvings += 1
        kept = [self._is_kept(hashes) for hashes in self._hashes]
        self._rows = [rows[keep] for rows, keep in zip(self._rows, kept, strict=True)]
        self._hashes = [hashes[keep] for hashes, keep in zip(self._hashes, kept, strict=True)]
        self._kept = sum(map(len, self._rows))


def _joined(columns: Sequence[pa.Array]) -> NDArray[np.object_]:
    """One text per row."""
    texts = [_texts(column) for column in columns]
    joined = texts[0]
    if len(texts) > 1:
        joined = pc.binary_join_element_wise(
            *texts, _BETWEEN, null_handling="replace", null_replacement=_NULL
        )
    cells: NDArray[np.object_] = joined.fill_null(_NULL).to_numpy(zero_copy_only=False)
    return cells


def _texts(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists, structs, bytes
        return pa.array([None if cell is None else repr(cell) for cell in column.to_pylist()])
