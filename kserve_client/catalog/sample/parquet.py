"""Parquet samples: the file has types of its own, so that nothing is read from texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any

from kserve_client.catalog.sample import columns as sample_columns
from kserve_client.catalog.sample.columns import MOST_CELLS, UNNAMED, Column, Sample, checked_names
from kserve_client.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROW_GROUPS = 20
_WIRE = {"halffloat": "FP16", "float": "FP32", "double": "FP64"}


def read_parquet(stream: IO[bytes], name: str, limit_rows: int) -> Sample:
    """Read a Parquet file. Raises InputError, or ConfigurationError without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigurationError(
            "reading Parquet needs pyarrow: pip install pyarrow; or save the table as CSV"
        ) from None
    try:
        file = pq.ParquetFile(stream)
        _check_schema(file.schema_arrow.names, file.metadata.num_rows)
        limit = max(min(limit_rows, MOST_CELLS // len(file.schema_arrow.names)), 1)
        table, note = _spread(file, limit)
        counted = [
            _typed(field.name, table, is_first=at == 0) for at, field in enumerate(table.schema)
        ]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"the Parquet file can't be read: {_first_line(error)}") from None
    types = zip(counted, table.schema, strict=True)
    return Sample(
        name,
        tuple(column for column in counted if column is not None),
        table.num_rows,
        "Parquet",
        note,
        tuple((field.name, str(field.type)) for column, field in types if column is None),
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _check_schema(names: Sequence[str], rows: int) -> None:
    if not names:
        raise InputError("the file has no columns")
    checked_names(names)
    if not rows:
        raise InputError("the file has columns, but no rows")


def _spread(file: pq.ParquetFile, limit: int) -> tuple[pa.Table, str]:
    """At most `limit` rows: the first ones of row groups that are spread through the file."""
    rows, groups = file.metadata.num_rows, file.num_row_groups
    if rows <= limit:
        return file.read(), ""
    count = min(groups, ROW_GROUPS, limit)
    chosen = sorted({at * groups // count for at in range(count)})
    parts = [_beginning(file, at, limit // count) for at in chosen]
    table = _concatenated(parts)
    return table, (
        f"{table.num_rows:,} of {rows:,} rows were looked at, the first of "
        f"{f'{len(chosen)} row groups' if groups > 1 else 'them'}"
    )


def _beginning(file: pq.ParquetFile, group: int, rows: int) -> pa.Table:
    import pyarrow as pa

    batches = file.iter_batches(batch_size=rows, row_groups=[group])
    return pa.Table.from_batches([next(batches)], schema=file.schema_arrow)


def _concatenated(tables: Iterable[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(tables)


def _typed(name: str, table: pa.Table, *, is_first: bool) -> Column | None:
    """The column by its type; None for a type that no feature has."""
    import pyarrow as pa
    import pyarrow.types as is_a

    name, column = name or UNNAMED, table.column(name)
    kind = column.type
    if is_a.is_dictionary(kind) and _is_text(kind.value_type):
        return _category(name, column)
    if is_a.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if is_a.is_null(kind):
        return sample_columns.typed_texts(name, {}, len(column))
    if _is_text(kind):
        return _counted(sample_columns.typed_texts, name, column.cast(pa.large_string()))
    if is_a.is_boolean(kind):
        return _counted(sample_columns.typed_truths, name, column)
    if is_a.is_date(kind) or is_a.is_timestamp(kind):
        return _counted(sample_columns.typed_days, name, column.cast(pa.string()))
    return _numbers(name, column, is_first=is_first)


def _numbers(name: str, column: pa.ChunkedArray, *, is_first: bool) -> Column | None:
    import pyarrow as pa
    import pyarrow.types as is_a

    kind = column.type
    if is_a.is_integer(kind):
        wire = str(kind).upper()
    elif is_a.is_floating(kind) or is_a.is_decimal(kind):
        wire = _WIRE.get(str(kind), "FP64")
        column = column.cast(pa.float64())
    else:
        return None
    counted = column.drop_null().value_counts()
    return sample_columns.typed_numbers(
        name,
        counted.field("values").to_numpy(zero_copy_only=False),
        counted.field("counts").to_numpy(),
        column.null_count,
        datatype=wire,
        is_first=is_first,
    )


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as is_a

    return bool(is_a.is_string(kind) or is_a.is_large_string(kind) or is_a.is_string_view(kind))


def _counted(make: Callable[[str, Any, int], Column], name: str, column: pa.ChunkedArray) -> Column:
    missing, counts = _value_counts(column)
    return make(name, counts, missing)


def _value_counts(column: pa.ChunkedArray) -> tuple[int, dict[Any, int]]:
    counted = column.drop_null().value_counts()
    values, rows = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
    return column.null_count, dict(zip(values, rows, strict=True))


def _category(name: str, column: pa.ChunkedArray) -> Column:
    import pyarrow as pa

    missing, counts = _value_counts(column.cast(pa.large_string()))
    chunks = column.unify_dictionaries().chunks
    order = chunks[0].dictionary.to_pylist() if chunks else []
    return sample_columns.typed_category(
        name, {value: counts.get(value, 0) for value in order if value is not None}, missing
    )
