"""Rows that don't fit under the header: what is said of them."""

from __future__ import annotations

from collections.abc import Sequence

_SURPLUS_CELLS_SHOWN = 5
_SURPLUS_CHARACTERS_SHOWN = 40


def ragged_problem(line: int, cells: Sequence[str], width: int) -> str:
    """What is said of a row with another number of cells than the header."""
    count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
    surplus = [_cut(cell) for cell in cells[width : width + _SURPLUS_CELLS_SHOWN]]
    more = ", …" if len(cells) > width + _SURPLUS_CELLS_SHOWN else ""
    shown = f"; in surplus: {', '.join(map(repr, surplus))}{more}" if surplus else ""
    return f"line {line} has {count}, the header has {width}{shown}"


def nul_problem(line: int, column: str) -> str:
    """What is said of a row with a NUL character in a cell of a column."""
    return f"line {line}: {column}: the text holds a NUL character"


def _cut(cell: str) -> str:
    shown = cell[:_SURPLUS_CHARACTERS_SHOWN]
    return f"{shown}…" if len(cell) > len(shown) else shown
