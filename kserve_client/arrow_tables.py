"""Tables of Arrow's: what other libraries hold becomes one, without the types that little can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kserve_client.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_table(given: Any) -> pa.Table | None:
    """A DataFrame of Polars', or a table of Arrow's, as the latter; None for what is none.

    Without views of texts and bytes, which Arrow 26 can't take out of a dictionary.
    """
    # The protocol of Arrow's for tables; a Series of Polars' has it, too, and no columns.
    if not (hasattr(given, "__arrow_c_stream__") and hasattr(given, "columns")):
        return None
    import pyarrow as pa

    try:
        table = pa.table(given)
        return recast(table, without_views(table.schema))
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise InputError(f"the {type(given).__name__} can't become a table of Arrow's") from None


def without_views(schema: pa.Schema) -> pa.Schema:
    """The schema with plain texts and bytes where Polars has views of them."""
    import pyarrow as pa

    return pa.schema([field.with_type(_without_views(field.type)) for field in schema])


def recast(cells: Any, schema: pa.Schema) -> Any:
    """A table or record batch under a schema: only columns of another type are touched."""
    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(cells.columns, schema, strict=True)
    ]
    return type(cells).from_arrays(columns, schema=schema)


def _without_views(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _without_views(kind.value_type), kind.ordered)
    return kind
