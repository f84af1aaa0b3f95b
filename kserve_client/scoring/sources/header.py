"""The names of the columns of a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from kserve_client.errors import InputError
from kserve_client.scoring.sources.source import Limits

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
_NAMES_IN_A_MESSAGE = 5


def check_names(columns: Sequence[str], limits: Limits) -> None:
    """Raise InputError for too many columns, and for two with one name but for blanks around it.

    A column may be without a name.
    """
    if len(columns) > limits.columns:
        raise InputError(
            f"the table has {len(columns):,} columns; at most {limits.columns:,} are read"
        )
    names = Counter(column.strip() for column in columns)
    twice = [name for name, count in names.items() if count > 1 and name]
    if twice:
        raise InputError(
            f"more than one column is named {', '.join(map(repr, twice[:_NAMES_IN_A_MESSAGE]))}"
        )


def check_header(columns: Sequence[str], limits: Limits) -> None:
    """Check the first line of a text: raise InputError also when it is no header but a row.

    The names "0", "1", "2" … in this order are a header: pandas gives them to unnamed columns.
    """
    names = [column.strip() for column in columns]
    if not any(names):
        raise InputError("the first line names no column; the file needs a header")
    # A wide table is refused as such, whatever its names.
    if len(names) <= limits.columns and all(_NUMBER.fullmatch(name) for name in names):
        if names != [str(number) for number in range(len(names))]:
            raise InputError(
                "the first line holds numbers, not the names of columns; the file needs a header"
            )
        return
    check_names(columns, limits)


def nameable(columns: Sequence[str]) -> tuple[str, ...]:
    """The columns as people can name them: without blanks around, "column 3" for the nameless."""
    return tuple(column.strip() or f"column {at}" for at, column in enumerate(columns, 1))
