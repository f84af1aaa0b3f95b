"""How a table of texts writes its numbers: which sign parts decimals, and which one thousands.

Tables to score and samples are read by this one rule. Where commas part the cells, decimals have a
point.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

Decimal = Literal[".", ","]
# For Python and for Arrow, whose \s is ASCII alone.
_BLANKS = "[\\s\u00a0\u202f]*"
_POINT = rf"^{_BLANKS}[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?{_BLANKS}$"
DOUBTFUL = rf"^{_BLANKS}[+-]?[1-9][0-9]{{0,2}}\.[0-9]{{3}}{_BLANKS}$"
GROUPED = rf"^{_BLANKS}[+-]?[1-9][0-9]{{0,2}}(\.[0-9]{{3}})+(,[0-9]*)?{_BLANKS}$"
_POINT_NUMBER, _DOUBTFUL, _GROUPED = map(re.compile, (_POINT, DOUBTFUL, GROUPED))
_WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)
_SWAPPED = str.maketrans(",.", ".,")


def decimal_sign(columns: Iterable[Sequence[str]], delimiter: str) -> Decimal:
    """The decimal sign of a table, by the first cells of its columns and what parts them.

    A comma where numbers surely have one ("5,1", "1.999,76") and none surely has a point. Commas that
    may themselves part thousands ("1,234") count only between semicolons, and only where there are no
    others, nor points that may do so ("1.234"): spreadsheets in English write such cells between
    tabs. Points alone ("1.234.567") show nothing, since versions and addresses have them, too. Only
    columns count of which at least half the cells are numbers.
    """
    if delimiter == ",":
        return "."
    cells = [cell for column in columns for cell in _numbers_of(column)]
    if any(map(shows_point, cells)):
        return "."
    if any(map(shows_comma, cells)):
        return ","
    swapped = [_swapped(cell) for cell in cells if "," in cell]
    may_be_decimal = bool(swapped) and all(map(_DOUBTFUL.match, swapped))
    may_be_either = any(map(_DOUBTFUL.match, cells))
    return "," if may_be_decimal and delimiter == ";" and not may_be_either else "."


def shows_sign(columns: Iterable[Sequence[str]]) -> bool:
    """Whether a number of these cells can be read with one decimal sign only."""
    cells = [cell for column in columns for cell in _numbers_of(column)]
    return any(shows_point(cell) or shows_comma(cell) for cell in cells)


def shows_point(cell: str) -> bool:
    """Whether a number can only be read with a decimal point: "5.1", "1,999.76"."""
    if "," in cell:
        return "." in cell and _GROUPED.match(_swapped(cell)) is not None
    return _POINT_NUMBER.match(cell) is not None and not _DOUBTFUL.match(cell)


def shows_comma(cell: str) -> bool:
    """Whether a number can only be read with a decimal comma: "5,1", "1.999,76"."""
    return shows_point(_swapped(cell))


def ungrouped(cell: str) -> str:
    """A number of a table with decimal commas without the points that part its thousands."""
    return cell.replace(".", "") if "." in cell and _GROUPED.match(cell) else cell


def doubtful(cells: Iterable[str]) -> str:
    """The first cell of a column that is one number or another: "1.200", which is 1.2 or 1200.

    "" when there is none, or when another cell surely has a decimal point.
    """
    pointed = [cell for cell in cells if "." in cell]
    if any(map(shows_point, pointed)):
        return ""
    return next((cell for cell in pointed if _DOUBTFUL.match(cell)), "")


def readings(cell: str) -> tuple[str, str]:
    """A doubtful cell with a decimal point, and with one that parts thousands, both as numbers."""
    return f"{float(cell):g}", f"{float(ungrouped(cell)):g}"


def _numbers_of(column: Sequence[str]) -> list[str]:
    present = [cell for cell in column if cell.strip()]
    numbers = [cell for cell in present if _is_number(cell)]
    return numbers if 2 * len(numbers) >= len(present) else []


def _is_number(cell: str) -> bool:
    return _WHOLE.fullmatch(cell) is not None or any(
        pattern.match(text)
        for pattern in (_POINT_NUMBER, _GROUPED)
        for text in (cell, _swapped(cell))
    )


def _swapped(cell: str) -> str:
    return cell.translate(_SWAPPED)
