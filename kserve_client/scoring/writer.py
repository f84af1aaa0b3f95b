"""The result file: the original columns untouched, then the results, then `error`.

The result columns are known with the first row that is predicted; rows before it wait in a
temporary file. A result file at a path appears only when it is whole.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Self

from kserve_client.predictions import ANSWER_COLUMN
from kserve_client.scoring.sender import ScoredChunk, columns_changed

ERROR_COLUMN = "error"
Sink = Path | str | IO[str]
_WAITING_BYTES = 1 << 20
# A server's text may hold half a surrogate pair, which has no form in UTF-8.
_UNENCODABLE = "backslashreplace"


class ResultWriter:
    """Writes scored chunks to a text stream, in the order they are given."""

    def __init__(
        self, stream: IO[str], columns: Sequence[str], *, delimiter: str, newline: str
    ) -> None:
        self._stream = stream
        self._columns = list(columns)
        self._results: list[str] | None = None
        self._delimiter = delimiter
        self._newline = newline
        self._waiting = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed by __exit__
            _WAITING_BYTES, "w+", encoding="utf-8", newline="\n"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.close()

    def write(self, chunk: ScoredChunk) -> None:
        """Write the rows of a chunk; results that don't fit under the header become errors."""
        if self._results is None and chunk.results:
            self._begin(list(chunk.results))
        if self._results is None:
            self._wait(chunk)
            return
        if chunk.results and list(chunk.results) != self._results:
            chunk.drop_results(columns_changed(chunk.results, self._results))
        columns = [chunk.results.get(name, [None] * len(chunk.rows)) for name in self._results]
        self._put(
            [
                [*self._fitted(row.cells), *results, error]
                for row, results, error in zip(
                    chunk.rows, zip(*columns, strict=True), chunk.errors, strict=True
                )
            ]
        )

    def finish(self) -> None:
        """Write what still waits, when no row at all was predicted."""
        if self._results is None:
            self._begin([ANSWER_COLUMN])

    def _begin(self, results: list[str]) -> None:
        self._results = results
        taken = {column.strip() for column in self._columns}
        header = list(self._columns)
        for name in (*results, ERROR_COLUMN):
            free = _free_name(name, taken)
            taken.add(free)
            header.append(free)
        self._put([header])
        self._waiting.seek(0)
        for line in self._waiting:
            cells, error = json.loads(line)
            self._put([[*self._fitted(cells), *[None] * len(results), error]])
        self._waiting.seek(0)
        self._waiting.truncate()

    def _wait(self, chunk: ScoredChunk) -> None:
        for row, error in zip(chunk.rows, chunk.errors, strict=True):
            self._waiting.write(json.dumps([row.cells, error]) + "\n")

    def _fitted(self, cells: Sequence[str]) -> Sequence[str]:
        lacking = len(self._columns) - len(cells)
        return cells if not lacking else [*cells[: len(self._columns)], *[""] * lacking]

    def _put(self, rows: Sequence[Sequence[Any]]) -> None:
        text = self._text(rows, csv.QUOTE_MINIMAL)
        if self._newline == "\n" and "\r" in text:
            text = "".join(map(self._line, rows))
        self._stream.write(text)

    def _line(self, row: Sequence[Any]) -> str:
        r"""One row; Python 3.11 leaves a lone \r unquoted, which would read as the end of a row."""
        text = self._text([row], csv.QUOTE_MINIMAL)
        return self._text([row], csv.QUOTE_ALL) if "\r" in text else text

    def _text(self, rows: Sequence[Sequence[Any]], quoting: Literal[0, 1]) -> str:
        out = io.StringIO(newline="")
        csv.writer(
            out, delimiter=self._delimiter, lineterminator=self._newline, quoting=quoting
        ).writerows(rows)
        return out.getvalue()


@contextlib.contextmanager
def opened_sink(sink: Sink, *, has_bom: bool) -> Iterator[IO[str]]:
    """A text stream to write results to.

    For a path that is a regular file, or none yet, it is a file beside it that takes its place at
    the end and is removed when something goes wrong. A device or pipe is written to as it is.
    """
    if not isinstance(sink, Path | str):
        yield sink
        return
    path = Path(sink).resolve()
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))
    encoding = "utf-8-sig" if has_bom else "utf-8"
    if path.exists() and not path.is_file():
        with path.open("w", encoding=encoding, errors=_UNENCODABLE, newline="") as stream:
            yield stream
        return
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("x", encoding=encoding, errors=_UNENCODABLE, newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _free_name(name: str, taken: set[str]) -> str:
    free, number = name, 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
