"""What a format has no form for, told by the name of its column."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pyarrow as pa

from kserve_client.errors import InputError

# Python has no date beyond the year 9999, nor room for the seconds until then.
FAULTS = (pa.ArrowException, OverflowError)


def row_of_nulls(schema: pa.Schema) -> pa.RecordBatch:
    """One row under a schema, to try out its types with; InputError for one that has no null."""
    return pa.RecordBatch.from_arrays([_null(one) for one in schema], schema.names)


@contextlib.contextmanager
def named(column: str, kind: pa.DataType) -> Iterator[None]:
    """Raise InputError for a value or a type of this column that can't be written."""
    try:
        yield
    except FAULTS as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"the column {column!r} ({kind}) can't be written in this format: {reason}. Choose "
            "another format, or leave the column out"
        ) from None


def _null(field: pa.Field) -> pa.Array:
    with named(field.name, field.type):
        column = pa.nulls(1, field.type)
        column.validate()  # of a list of runs Arrow makes what it then refuses
    return column
