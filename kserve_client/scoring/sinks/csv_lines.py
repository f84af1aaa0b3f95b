"""CSV by RFC 4180: quotes where a cell needs them, and every cell of text as it was."""

from __future__ import annotations

import codecs

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from kserve_client.scoring.arrays import text
from kserve_client.scoring.arrays import texts as texts_of
from kserve_client.scoring.sinks.options import Form
from kserve_client.scoring.sinks.pieces import pieces
from kserve_client.scoring.sinks.target import Out
from kserve_client.scoring.sinks.texts import (
    as_text,
    bytes_among,
    characters,
    is_text,
    offsets_of,
    plain_kind,
    rows_with,
    with_changed,
)
from kserve_client.scoring.sinks.unwritable import named

# OWASP, "CSV Injection": what a spreadsheet takes for the beginning of a formula.
_FORMULA = "^[=+\\-@\t\r\n＝＋－＠]"  # noqa: RUF001 - full-width signs begin a formula as well
_NUMBER = r"^[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\z"
_NOTHING, _QUOTE, _APOSTROPHE = text(""), text('"'), text("'")
_FIRST_BYTES = bytes_among("=+-@\t\r\n＝")  # noqa: RUF001 - the same; all three bytes of it


class CsvLines:
    """Writes batches as CSV, the header first."""

    def __init__(self, out: Out, form: Form, schema: pa.Schema) -> None:
        self._out = out
        self._form = form
        self._options = _arrow_options(form)
        self._delimiter, self._newline = text(form.delimiter), text(form.newline)
        self._marks = bytes_among(form.delimiter + '"\r\n')
        self._needing = f'["\r\n\\x{{{ord(form.delimiter):x}}}]'
        if form.has_bom:
            out.write(codecs.BOM_UTF8)
        out.write(self._joined([self._made_safe(texts_of([name])) for name in schema.names]))

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows."""
        for piece in pieces(batch):
            self._out.write(self._lines(piece))

    def end(self) -> None:
        """Nothing follows the last line."""

    def _lines(self, batch: pa.RecordBatch) -> memoryview:
        columns = list(map(self._cells, batch.schema, batch.columns))
        if self._options is None or any(map(self._needs_quotes, columns)):
            return self._joined(columns)
        stream = pa.BufferOutputStream()
        names = list(map(str, range(len(columns))))
        pacsv.write_csv(pa.RecordBatch.from_arrays(columns, names), stream, self._options)
        return memoryview(stream.getvalue())

    def _cells(self, field: pa.Field, column: pa.Array) -> pa.Array:
        with named(field.name, field.type):
            texts = as_text(column, self._form.decimal)
        return texts if _is_number(column.type) else self._made_safe(texts)

    def _made_safe(self, texts: pa.Array) -> pa.Array:
        return texts if self._form.has_formulas else without_formulas(texts)

    def _joined(self, columns: list[pa.Array]) -> memoryview:
        quoted = [self._quoted(column) for column in columns]
        # With nothing but the end of the line in it, the last column ends each line.
        last = pc.binary_join_element_wise(
            quoted[-1], self._newline, _NOTHING, null_handling="replace"
        )
        lines = pc.binary_join_element_wise(
            *quoted[:-1], last, self._delimiter, null_handling="replace"
        )
        return memoryview(characters(lines))

    def _quoted(self, column: pa.Array) -> pa.Array:
        if not self._needs_quotes(column):
            return column
        return with_changed(column, rows_with(column, self._marks), self._in_quotes)

    def _in_quotes(self, texts: pa.Array) -> pa.Array:
        quoted = pc.binary_join_element_wise(
            _QUOTE, pc.replace_substring(texts, '"', '""'), _QUOTE, _NOTHING
        )
        if self._options is not None:
            return quoted
        # One byte of the delimiter brought them here; it may be that of another character.
        return pc.if_else(pc.match_substring_regex(texts, self._needing), quoted, texts)

    def _needs_quotes(self, column: pa.Array) -> bool:
        """Whether any cell does: four searches through the bytes are nothing beside the rest."""
        found = characters(column)
        return any(mark in found for mark in (b'"', b"\n", b"\r", self._form.delimiter.encode()))


def without_formulas(texts: pa.Array) -> pa.Array:
    """Texts that a spreadsheet would run get an apostrophe in front; plain numbers stay."""
    offsets = offsets_of(texts) if len(texts) else np.zeros(1, np.int32)
    data = np.frombuffer(characters(texts), np.uint8)
    filled = np.flatnonzero(np.diff(offsets))
    starts = data[offsets[filled] - offsets[0]]
    return with_changed(texts, filled[_FIRST_BYTES[starts]], _made_text)


def _made_text(texts: pa.Array) -> pa.Array:
    is_formula = pc.and_not(
        pc.match_substring_regex(texts, _FORMULA), pc.match_substring_regex(texts, _NUMBER)
    )
    return pc.if_else(is_formula, pc.binary_join_element_wise(_APOSTROPHE, texts, _NOTHING), texts)


def _is_number(kind: pa.DataType) -> bool:
    plain = plain_kind(kind)
    # "-1 days +23:59:59" begins as a formula does.
    if is_text(plain) or pa.types.is_duration(plain):
        return False
    return bool(pa.types.is_primitive(plain) or pa.types.is_decimal(plain))


def _arrow_options(form: Form) -> pacsv.WriteOptions | None:
    """Arrow writes lines without quotes fastest; it takes delimiters of one byte."""
    if len(form.delimiter.encode()) > 1:
        return None
    return pacsv.WriteOptions(
        include_header=False,
        batch_size=1 << 16,
        delimiter=form.delimiter,
        eol=form.newline,
        quoting_style="none",
    )
