"""What Polars is to others, without Polars."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


class PolarsFrame:
    """What a DataFrame of Polars has for others: its columns by the protocol of Arrow's."""

    def __init__(self, table: pa.Table) -> None:
        self.columns = table.column_names
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)
