"""A DataFrame or table in memory as a table to score: an Arrow file, read as any other."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from kserve_client.arrow_tables import arrow_table
from kserve_client.errors import InputError
from kserve_client.scoring.sources.source import Location

if TYPE_CHECKING:
    import pandas as pd

_BATCH_ROWS = 32_768
_FAULTS = (pa.ArrowException, TypeError, ValueError, OverflowError)


def location_of(source: Location | pd.DataFrame | pa.Table) -> Location:
    """What is a table in memory as a stream of its rows, in order; else what was given.

    A DataFrame of pandas' goes without its index. Raises InputError for a column that Arrow has no
    type for, such as one of texts and numbers, and for two of one name. It repeats no cell: what
    Arrow says would.
    """
    table = table_of(source)
    if table is None:
        return cast("Location", source)
    stream = io.BytesIO()
    with pa.ipc.new_file(stream, table.schema) as out:
        out.write_table(table, max_chunksize=_BATCH_ROWS)
    return stream


def table_of(given: Any) -> pa.Table | None:
    """A DataFrame of pandas' or Polars', or a table of Arrow's, as the latter; None for what is none."""
    if hasattr(given, "iloc"):
        import pandas as pd

        return _of_pandas(given) if isinstance(given, pd.DataFrame) else None
    return arrow_table(given)


def _of_pandas(frame: pd.DataFrame) -> pa.Table:
    if not frame.columns.is_unique:
        name = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"two columns of the DataFrame are called {name!r}: rename one")
    try:
        return pa.Table.from_pandas(_worded(frame), preserve_index=False)
    except _FAULTS:
        raise InputError(
            f"{_unreadable(frame)} of the DataFrame can't be read as values of one type; turn it "
            "into text, e.g. frame[name].astype(str), or leave it out"
        ) from None


def _worded(frame: pd.DataFrame) -> pd.DataFrame:
    """Periods and intervals as their texts: Arrow has only their numbers, and no categories of them."""
    import pandas as pd

    frame = frame.copy(deep=False)
    for at, dtype in enumerate(frame.dtypes):
        kind = dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype
        if isinstance(kind, pd.PeriodDtype | pd.IntervalDtype):
            texts = frame.iloc[:, at].astype(object).map(str, na_action="ignore")
            frame.isetitem(at, texts.astype("string").array)
    return frame


def _unreadable(frame: pd.DataFrame) -> str:
    """The first column that can't be read, and its type: not every error names it."""
    for name, column in frame.items():
        try:
            pa.Table.from_pandas(column.to_frame(), preserve_index=False)
        except _FAULTS:
            return f"the column {name!r} ({column.dtype})"
    return "a column"
