"""The table that all sides read: four measurements of irises that never grew, with one decimal, 16 bytes a row.

Runs in the environment of every side: numpy and the standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COLUMNS = ("sepal length", "sepal width", "petal length", "petal width")
HEADER = ",".join(COLUMNS)
_LINE = b"0.0,0.0,0.0,0.0\n"
# In tenths, the last one left out: about what the flowers of the iris table have.
_RANGES = ((43, 80), (20, 45), (10, 70), (1, 26))
_BLOCK_ROWS = 1_000_000


def write(path: Path, rows: int) -> None:
    """Write a CSV file of so many rows. The rows of a shorter table are the first ones of a longer one."""
    with path.open("wb") as file:
        file.write(f"{HEADER}\n".encode())
        for block in _blocks(rows):
            file.write(block.tobytes())


def _blocks(rows: int) -> Iterator[NDArray[np.uint8]]:
    for number, start in enumerate(range(0, rows, _BLOCK_ROWS)):
        random = np.random.default_rng(number)
        yield _block(random)[: rows - start]


def _block(random: np.random.Generator) -> NDArray[np.uint8]:
    """Lines as bytes, one a row: the digits are set into a pattern, which takes no loop over rows."""
    lines = np.tile(np.frombuffer(_LINE, np.uint8), (_BLOCK_ROWS, 1))
    for at, (least, end) in enumerate(_RANGES):
        tenths = random.integers(least, end, _BLOCK_ROWS, dtype=np.uint8)
        lines[:, 4 * at] += tenths // 10
        lines[:, 4 * at + 2] += tenths % 10
    return lines


def first_rows(path: Path, count: int) -> NDArray[np.float64]:
    """The first rows of a table as numbers, float64 [count, 4]."""
    with path.open() as file:
        next(file)
        cells = [
            cell for _, line in zip(range(count), file, strict=False) for cell in line.split(",")
        ]
    return np.array(cells, dtype=np.float64).reshape(-1, len(COLUMNS))
