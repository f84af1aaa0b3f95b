"""Rows that don't fit under the header: how many, where, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

LINES_KEPT = 20
_SURPLUS_CELLS_SHOWN = 5
_SURPLUS_CHARACTERS_SHOWN = 40


@dataclass(slots=True)
class Misfits:
    """A tally of the rows with a problem that were read so far; lines count from 1."""

    count: int = 0
    lines: list[int] = field(default_factory=list)

    def add(self, line: int) -> None:
        """Count one that begins on a line."""
        self.count += 1
        if len(self.lines) < LINES_KEPT:
            self.lines.append(line)


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
