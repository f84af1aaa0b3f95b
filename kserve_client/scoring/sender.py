"""Sender: one chunk of rows goes out, and each of its rows comes back with results or an error."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kserve_client.errors import (
    ConfigurationError,
    InputError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerError,
    ServerError,
)
from kserve_client.frames import build_request, encode
from kserve_client.model import Model
from kserve_client.predictions import Predictions
from kserve_client.scoring.reader import CsvRow
from kserve_client.tensors import Tensor

# What servers say of input that does not fit; KServe and MLServer say 500 for most of it.
CONTENT_STATUSES = frozenset({400, 413, 422, 500})
COLUMNS_CHANGED = "the answer has other columns than the first one: {found} instead of {expected}"


@dataclass(slots=True)
class ScoredChunk:
    """Rows with what became of each: `errors[i]` is "" when row i has its results.

    `results` hold one value per row for each result column, None for rows with an error; empty when
    no row of the chunk was predicted. `failure` is the last error that no row is to blame for.
    `is_answered` tells whether the server answered at all, `unsent` counts the rows that were held
    back.
    """

    rows: Sequence[CsvRow]
    errors: list[str]
    results: dict[str, list[Any]] = field(default_factory=dict)
    failure: KServeClientError | None = None
    is_answered: bool = False
    unsent: int = 0

    @property
    def ok(self) -> int:
        """Rows with results."""
        return self.errors.count("")

    def place(self, columns: Mapping[str, Sequence[Any]], positions: Sequence[int]) -> None:
        """Put result columns at these rows."""
        if not self.results:
            self.results = {name: [None] * len(self.rows) for name in columns}
        if list(columns) != list(self.results):
            self.blame(columns_changed(columns, self.results), positions)
            return
        for name, values in columns.items():
            target = self.results[name]
            for position, value in zip(positions, values, strict=True):
                target[position] = value
        for position in positions:
            self.errors[position] = ""

    def blame(self, problem: str, positions: Sequence[int]) -> None:
        """Give these rows an error."""
        for position in positions:
            self.errors[position] = problem

    def drop_results(self, problem: str) -> None:
        """Give every row that was predicted an error instead."""
        self.blame(problem, [at for at, error in enumerate(self.errors) if not error])
        self.results = {}


class Sender:
    """Sends chunks; shared by the threads of one run. Once it is stopped, rows are held back."""

    def __init__(
        self, model: Model, columns: Sequence[str], *, cancel: threading.Event | None = None
    ) -> None:
        self._model = model
        self._signature = model.signature
        self._width = len(columns)
        names = [column.strip() for column in columns]
        wanted = [feature.name for feature in self._signature.features]
        self._positions = {name: names.index(name) for name in wanted if name in names}
        self._cancel = cancel or threading.Event()
        self._is_closed = False
        self.stopped = ""

    def stop(self, reason: str) -> None:
        """Send nothing from now on, since it would fail; rows held back carry the reason."""
        self.stopped = reason

    def close(self) -> None:
        """Send nothing from now on, since nobody waits for it."""
        self._is_closed = True

    @property
    def halted(self) -> str:
        """Why nothing is sent any more, "" while it is."""
        if self._cancel.is_set() or self._is_closed:
            return "cancelled"
        return self.stopped

    def send(self, rows: Sequence[CsvRow]) -> ScoredChunk:
        """Predict rows; a chunk refused for its content is halved until bad rows stand alone."""
        chunk = ScoredChunk(rows, [""] * len(rows))
        if self.halted:
            self._hold_back(chunk, range(len(rows)))
            return chunk
        inputs, positions = self._encode(chunk)
        if len(positions):
            self._infer(chunk, inputs, positions)
        return chunk

    def _encode(self, chunk: ScoredChunk) -> tuple[tuple[Tensor, ...], list[int]]:
        whole = []
        for position, row in enumerate(chunk.rows):
            if len(row.cells) == self._width:
                whole.append(position)
            else:
                chunk.errors[position] = self._ragged(row)
        cells = [chunk.rows[position].cells for position in whole]
        table = {name: [row[at] for row in cells] for name, at in self._positions.items()}
        encoded = encode(self._signature, table, len(whole))
        for issue in encoded.issues:
            position = whole[issue.row]
            problem = f"{issue.column}: {issue.problem}" if issue.column else issue.problem
            before = chunk.errors[position]
            chunk.errors[position] = f"{before}; {problem}" if before else problem
        return encoded.inputs, [whole[row] for row in encoded.rows.tolist()]

    def _ragged(self, row: CsvRow) -> str:
        count = len(row.cells)
        surplus = row.cells[self._width :]
        more = f"; in surplus: {', '.join(map(repr, surplus))}" if surplus else ""
        cells = "1 cell" if count == 1 else f"{count} cells"
        return f"line {row.line} has {cells}, the header has {self._width}{more}"

    def _infer(self, chunk: ScoredChunk, inputs: tuple[Tensor, ...], positions: list[int]) -> None:
        parts = [(0, len(positions))]
        while parts:
            start, end = parts.pop()
            at = positions[start:end]
            if self.halted:
                self._hold_back(chunk, at)
                continue
            try:
                columns = self._predict(tuple(_rows(tensor, start, end) for tensor in inputs))
                chunk.is_answered = True
                chunk.place(columns, at)
            except KServeClientError as error:
                chunk.is_answered |= not isinstance(error, NoAnswerError | ConfigurationError)
                if not _is_about_content(error):
                    chunk.failure = error
                    _blame_rest(chunk, error, positions, [*parts, (start, end)])
                    return
                if end - start > 1:
                    middle = (start + end) // 2
                    parts += [(middle, end), (start, middle)]
                else:
                    chunk.blame(_said(error), at)

    def _predict(self, inputs: tuple[Tensor, ...]) -> dict[str, list[Any]]:
        exchange = self._model.infer(build_request(self._signature, inputs))
        count = inputs[0].shape[0]
        columns = Predictions(self._signature, exchange.response, count).columns()
        if not columns:
            raise InvalidAnswerError("the answer has no outputs")
        return columns

    def _hold_back(self, chunk: ScoredChunk, positions: Sequence[int]) -> None:
        chunk.blame(f"not sent: {self.halted}", positions)
        chunk.unsent += len(positions)


def columns_changed(found: Mapping[str, Any], expected: Mapping[str, Any] | Sequence[str]) -> str:
    """The error of rows whose results don't fit under the header."""
    return COLUMNS_CHANGED.format(found=", ".join(found), expected=", ".join(expected))


def _rows(tensor: Tensor, start: int, end: int) -> Tensor:
    return Tensor(tensor.name, tensor.datatype, tensor.data[start:end], tensor.parameters)


def _is_about_content(error: KServeClientError) -> bool:
    if isinstance(error, ServerError):
        return error.status in CONTENT_STATUSES
    return isinstance(error, InputError | InvalidAnswerError)


def _blame_rest(
    chunk: ScoredChunk,
    error: KServeClientError,
    positions: Sequence[int],
    parts: Sequence[tuple[int, int]],
) -> None:
    for start, end in parts:
        chunk.blame(_said(error), positions[start:end])


def _said(error: KServeClientError) -> str:
    """The server's own words where it has any, on one line."""
    if isinstance(error, ServerError) and error.server_message:
        return " ".join(f"{error.status}: {error.server_message}".split())
    return " ".join(str(error).split())
