"""JSON Lines: one object for each row, on one line.

Text is text, also where it looks like a number: the "007" of a CSV file stays "007". Numbers are
exact, as many digits as they have. JSON has no NaN and no infinity: they are null, and the state of
the row says whether there was an answer.
"""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from kserve_client.scoring.arrays import text
from kserve_client.scoring.sinks.options import Form
from kserve_client.scoring.sinks.pieces import pieces
from kserve_client.scoring.sinks.target import Out
from kserve_client.scoring.sinks.texts import (
    as_text,
    bytes_among,
    characters,
    json_text,
    plain,
    rows_with,
    with_changed,
)
from kserve_client.scoring.sinks.unwritable import named

_NULL, _NOTHING, _QUOTE = text("null"), text(""), text('"')
_ESCAPED = bytes_among("".join(map(chr, range(32))) + '"\\')


class JsonLines:
    """Writes batches as JSON objects."""

    def __init__(self, out: Out, _form: Form, schema: pa.Schema) -> None:
        self._out = out
        self._keys = [orjson.dumps(name).decode() for name in schema.names]

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows."""
        for piece in pieces(batch):
            self._out.write(memoryview(characters(self._lines(piece))))

    def end(self) -> None:
        """Nothing follows the last line."""

    def _lines(self, batch: pa.RecordBatch) -> pa.Array:
        """Values and what stands between them; a quote that all values have stands there, too."""
        parts: list[Any] = []
        before = "{"
        for key, field, column in zip(self._keys, batch.schema, batch.columns, strict=True):
            with named(field.name, field.type):
                values, quote = json_values(column)
            parts += [text(f"{before}{key}:{quote}"), values]
            before = f"{quote},"
        return pc.binary_join_element_wise(*parts, text(f"{before[:-1]}}}\n"), _NOTHING)


def json_values(column: pa.Array) -> tuple[pa.Array, str]:
    """Each value as a piece of JSON, and the quote that is still to stand around all of them."""
    column = plain(column)
    kind = column.type
    if pa.types.is_floating(kind):
        finite = pc.if_else(pc.is_finite(column), column, pa.nulls(1, column.type)[0])
        return pc.fill_null(as_text(finite), _NULL), ""
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return pc.fill_null(as_text(column), _NULL), ""
    if pa.types.is_nested(kind):
        return pc.fill_null(json_text(column), _NULL), ""
    texts = as_text(column)
    escaped = with_changed(texts, rows_with(texts, _ESCAPED), _in_json)
    if not escaped.null_count:
        return escaped, '"'
    return pc.fill_null(pc.binary_join_element_wise(_QUOTE, escaped, _QUOTE, _NOTHING), _NULL), ""


def _in_json(texts: pa.Array) -> pa.Array:
    escaped = [cell and orjson.dumps(cell).decode()[1:-1] for cell in texts.to_pylist()]
    return pa.array(escaped, pa.string())
