"""The result file: the columns of the source untouched, then the results, then state and error."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from kserve_client.errors import InputError
from kserve_client.scoring.arrays import text
from kserve_client.scoring.results import ResultSchema, positions, table
from kserve_client.scoring.rows import OK, Rows, Scored
from kserve_client.scoring.sinks.csv_lines import CsvLines
from kserve_client.scoring.sinks.json_lines import JsonLines
from kserve_client.scoring.sinks.options import TEXT_FORMATS, Form, WriteOptions, form_of
from kserve_client.scoring.sinks.packing import Packed
from kserve_client.scoring.sinks.row_groups import ArrowFile, ParquetFile
from kserve_client.scoring.sinks.target import Out, Target, opened_target
from kserve_client.scoring.sinks.unwritable import FAULTS, row_of_nulls
from kserve_client.scoring.sinks.waiting import Waiting
from kserve_client.scoring.sources.source import Format, Found


class Writer(Protocol):
    """A format: rows in, bytes out."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows under the schema the writer was made with."""
        ...

    def end(self) -> None:
        """Write what closes the file."""
        ...


_OK = text(OK)
_WRITERS: Mapping[Format, Callable[[Out, Form, pa.Schema], Writer]] = {
    "csv": CsvLines,
    "json-lines": JsonLines,
    "parquet": ParquetFile,
    "arrow": ArrowFile,
}


class Sink:
    """Writes rows in the order they are given; opened by `opened`."""

    def __init__(
        self,
        begin: Callable[[Out, pa.Schema], Writer],
        out: Out,
        columns: Sequence[str],
        options: WriteOptions,
        schema: ResultSchema | None = None,
    ) -> None:
        self.schema = schema
        self.rows_written = 0
        self._begin = begin
        self._out = out
        self._columns = tuple(columns)
        self._kept = None if options.columns is None else positions(columns, options.columns)
        self._has_all = options.only == "all"
        self._writer: Writer | None = None
        self._waiting = Waiting()

    def check(self, cells: pa.Schema) -> None:
        """Raise InputError for a column of the source of a type that this format has no form for."""
        kept = range(len(cells)) if self._kept is None else self._kept
        row = row_of_nulls(pa.schema([cells.field(at) for at in kept]))
        if row.num_columns:
            writer = self._begin(_void(), row.schema)
            writer.write(row)
            writer.end()

    def write(self, scored: Scored) -> Scored:
        """Write rows; return them as written, with errors for results that don't fit."""
        if self.schema is None and scored.results is not None:
            self._settle(ResultSchema.of(scored))
        if self.schema is None:
            self._waiting.add(table(scored, _no_results(scored)))
            return scored
        fitted = self.schema.fit(scored)
        self._put(table(fitted, self.schema))
        return fitted

    def write_table(self, batch: pa.RecordBatch) -> None:
        """Write rows that are a table already, as `results.table` makes it with all columns."""
        self._put(batch)

    def finish(self) -> None:
        """Write what waits, when no row was predicted, and what closes the file."""
        if self.schema is None and self._writer is None:
            self._settle(ResultSchema.without_answers(self._columns))
        if self._writer is None and self.schema is not None:
            self._put(_no_rows(self.schema))
        if self._writer is not None:
            self._writer.end()

    def drop(self) -> None:
        """Let the writer end, into the void: its target is muted."""
        if self._writer is not None:
            with contextlib.suppress(OSError, InputError, *FAULTS):
                self._writer.end()

    def close(self) -> None:
        """Forget rows that still wait."""
        self._waiting.close()

    def _settle(self, schema: ResultSchema) -> None:
        self.schema = schema
        for batch in self._waiting.released(schema):
            self._put(batch)

    def _put(self, batch: pa.RecordBatch) -> None:
        rows = self._filtered(batch)
        if self._kept is not None:
            added = range(len(self._columns), rows.num_columns)
            rows = rows.select([*self._kept, *added])
        if self._writer is None:
            self._writer = self._begin(self._out, rows.schema)
        self._writer.write(rows)
        self.rows_written += rows.num_rows

    def _filtered(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._has_all:
            return batch
        return batch.filter(pc.not_equal(batch.column(batch.num_columns - 2), _OK))


@contextlib.contextmanager
def opened(
    location: Target,
    options: WriteOptions,
    found: Found,
    columns: Sequence[str],
    *,
    schema: ResultSchema | None = None,
) -> Iterator[Sink]:
    """A sink for a table with these columns of a source; the file appears when the block ends well.

    `found` is what the source is: the form of the output follows it where neither the options nor
    the name of the file say otherwise. CSV and JSON Lines are UTF-8. `schema` is known when a run
    is resumed; else the first rows with results fix it, and rows before them wait, beyond 1 MB on
    disk.

    Raises InputError for a column to keep that is not there and a URL that can't be written,
    ConfigurationError for a form that can't be, OSError when the disk says no; then no file appears.
    """
    form = form_of(location, options, found)
    is_text = form.format in TEXT_FORMATS
    with opened_target(
        location,
        is_text=is_text and not form.compression,
        schemes=options.schemes,
        storage_options=options.storage_options,
    ) as target:
        out = Out(target)
        packed = Packed(out, form.compression) if form.compression else None
        sink = Sink(
            lambda to, one: _WRITERS[form.format](to, form, one),
            packed or out,
            columns,
            options,
            schema,
        )
        try:
            yield sink
            sink.finish()
            if packed is not None:
                packed.end()
        except BaseException:
            out.mute()
            sink.drop()
            raise
        finally:
            sink.close()


def _void() -> Out:
    out = Out(io.BytesIO())
    out.mute()
    return out


def _no_results(scored: Scored) -> ResultSchema:
    return ResultSchema(tuple(scored.rows.cells.schema.names), pa.schema([]))


def _no_rows(schema: ResultSchema) -> pa.RecordBatch:
    cells = pa.RecordBatch.from_arrays(
        [pa.nulls(0, pa.string()) for _ in schema.columns], names=list(schema.columns)
    )
    return table(Scored(Rows(0, cells), None), schema)
