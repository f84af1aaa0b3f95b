"""Step: one chunk of rows goes out, and each of its rows comes back with results or an error.

It is the same in a thread of one machine and in a task on a cluster.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kserve_client.decimals import Decimal
from kserve_client.errors import (
    ConfigurationError,
    InputError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerError,
    RowIssue,
    ServerError,
)
from kserve_client.frames import build_request, encode
from kserve_client.model import Model
from kserve_client.predictions import Coded, Predictions
from kserve_client.scoring.arrays import array, texts
from kserve_client.scoring.cells import as_written, cells_of, misread_decimals
from kserve_client.scoring.mapping import Mapping as ColumnMapping
from kserve_client.scoring.outside import Outside, outside
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.treatment import Treatment
from kserve_client.signature import Signature
from kserve_client.tensors import InferRequest, InferResponse, Tensor

# What servers say of input that does not fit; KServe and MLServer say 500 for most of it.
CONTENT_STATUSES = frozenset({400, 422, 500, 501})
REFUSALS_BEFORE_STOP = 100


class HaltedError(Exception):
    """The run ended while this chunk was halved; its text says why."""


class HopelessError(NoAnswerError):
    """No answer, and whoever sends has waited for one already."""


class AllRefusedError(KServeClientError):
    """The model refused every row so far: the fault is hardly theirs."""


@dataclass(frozen=True, eq=False, slots=True)
class Answered:
    """A chunk that was dealt with, and what it cost.

    `requests` counts the requests that were answered with 2xx, `elapsed_s` is the time of the
    longest one and `body_bytes` its size. `outside` says what is out of range, by the position of its
    feature.
    """

    scored: Scored
    requests: int = 0
    elapsed_s: float = 0.0
    body_bytes: int = 0
    received_bytes: int = 0
    outside: Mapping[int, Outside] = field(default_factory=dict)


@dataclass(slots=True)
class _Chunk:
    """A chunk while it is dealt with. `positions` say where the rows of `inputs` stand in it."""

    rows: Rows
    inputs: tuple[Tensor, ...]
    positions: NDArray[np.int64]
    errors: dict[int, str]
    skipped: dict[int, str]
    answers: list[tuple[NDArray[np.int64], pa.RecordBatch]] = field(default_factory=list)
    requests: int = 0
    elapsed_s: float = 0.0
    body_bytes: int = 0
    received_bytes: int = 0


class Step:
    """Scores chunks of one source with one model; shared by the threads of a run.

    `mapping` says which column each feature is read from, `treatment` what is done about cells that
    can't be sent as they are, `decimal` how the source writes decimals. `is_accepted` says that the
    model is known to take rows of this source. `answered_version` is the version that the server said
    it was with the first answer; where one is given, another is refused.
    """

    def __init__(
        self,
        model: Model,
        columns: Sequence[str],
        mapping: ColumnMapping,
        *,
        treatment: Treatment | None = None,
        decimal: Decimal = ".",
        token: str | None = None,
        is_accepted: bool = False,
        answered_version: str = "",
    ) -> None:
        self.answered_version = answered_version
        self._is_version_given = bool(answered_version)
        self._model = model
        self._signature: Signature = model.signature
        self._columns = tuple(columns)
        self._mapping = mapping
        self._treatment = treatment or Treatment()
        self._decimal: Decimal = decimal
        self._token = token
        self._verdicts = _Verdicts(has_accepted=is_accepted)

    def send(self, rows: Rows, halted: Callable[[], str] = lambda: "") -> Answered:
        """Predict rows; a chunk refused for its content is halved until the bad rows stand alone.

        Raises the client's errors that no row is to blame for, HaltedError when `halted` gives a
        reason between two halves, and AllRefusedError.
        """
        chunk = self._encoded(rows)
        parts = [(0, len(chunk.positions))] if len(chunk.positions) else []
        whole = len(chunk.positions)
        while parts:
            start, end = parts.pop()
            if (reason := halted()) and end - start < whole:
                raise HaltedError(reason)
            problem = self._try(chunk, start, end)
            if problem is None:
                continue
            if end - start > 1:
                middle = (start + end) // 2
                parts += [(middle, end), (start, middle)]
            else:
                chunk.errors[int(chunk.positions[start])] = problem
                self._verdicts.refused(problem)
        return _answered(chunk, self._signature)

    def sendable(self, rows: Rows) -> int:
        """How many of the rows `send` would send: their cells can be read, and none is left out."""
        return len(self._encoded(rows).positions)

    def _encoded(self, rows: Rows) -> _Chunk:
        errors: dict[int, str] = {}
        skipped: dict[int, str] = {}
        table: dict[str, Any] = {}
        read: dict[str, pa.Array] = {}
        misread: dict[str, Mapping[int, str]] = {}
        for feature in self._signature.features:
            column = self._mapping.column(feature, rows.cells, self._columns, self._decimal)
            if column is None:
                continue
            column, dropped = self._treatment.apply(feature, column, self._decimal)
            _add(skipped, dropped)
            read[feature.name] = column
            misread[feature.name] = misread_decimals(column, feature, self._decimal)
            table[feature.name] = cells_of(column, feature, self._decimal)
        encoded = encode(self._signature, table, len(rows))
        for issue in encoded.issues:
            if issue.row not in misread.get(issue.column or "", ()):
                _add(errors, {issue.row: self._told(issue, read)})
        for name, problems in misread.items():
            _add(errors, {at: f"{name}: {problem}" for at, problem in problems.items()})
        # A row that does not fit under the header has cells that were never its own.
        skipped = {at: why for at, why in skipped.items() if at not in rows.problems}
        errors = {at: why for at, why in errors.items() if at not in skipped} | dict(rows.problems)
        inputs, positions = _without(encoded.inputs, encoded.rows, errors.keys() | skipped.keys())
        return _Chunk(rows, inputs, positions, errors, skipped)

    def _told(self, issue: RowIssue, read: Mapping[str, pa.Array]) -> str:
        """What is wrong with a cell, which is quoted as the table has it."""
        if issue.column is None:
            return issue.problem
        column = read.get(issue.column)
        cell = None if column is None else column[issue.row].as_py()
        return f"{issue.column}: {as_written(issue.problem, cell, self._decimal)}"

    def _try(self, chunk: _Chunk, start: int, end: int) -> str | None:
        """Send some rows; None when they are answered, else why the model does not take them."""
        inputs = tuple(_picked(tensor, slice(start, end)) for tensor in chunk.inputs)
        request = build_request(self._signature, inputs)
        try:
            try:
                found = self._infer(chunk, request, end - start)
            except InvalidAnswerError:
                found = self._infer(chunk, request, end - start)  # once more: it may be a torn one
        except (InputError, InvalidAnswerError) as error:
            return _said(error)
        except ServerError as error:
            if error.status not in CONTENT_STATUSES:
                raise
            return _said(error)
        chunk.answers.append((chunk.positions[start:end], found))
        self._verdicts.accepted()
        return None

    def _infer(self, chunk: _Chunk, request: InferRequest, count: int) -> pa.RecordBatch:
        # With an id of its own an answer that belongs to another request is seen.
        request = InferRequest(
            request.inputs, request.outputs, id=uuid.uuid4().hex, parameters=request.parameters
        )
        exchange = self._model.infer(request, token=self._token, retries=0)
        self._see_version(exchange.response.model_version or "")
        found = self._decoded(exchange.response, count)
        chunk.requests += 1
        chunk.elapsed_s = max(chunk.elapsed_s, exchange.elapsed_ms / 1000)
        chunk.body_bytes = max(chunk.body_bytes, len(exchange.request_body))
        chunk.received_bytes += len(exchange.response_body)
        return found

    def _decoded(self, response: InferResponse, count: int) -> pa.RecordBatch:
        """The answer as columns of results. What we did not think of costs its rows, not the run."""
        try:
            found = Predictions(self._signature, response, count).arrays()
            columns = {name: _column(values) for name, values in found.items()}
        except KServeClientError:
            raise
        except (ValueError, TypeError, LookupError, ArithmeticError, pa.ArrowException) as error:
            reason = f"{type(error).__name__}: {error}"
            raise InvalidAnswerError(f"the answer can't be read: {reason}") from error
        if not columns:
            raise InvalidAnswerError("the answer has no outputs")
        return pa.RecordBatch.from_pydict(columns)

    def _see_version(self, version: str) -> None:
        """Without a version to hold on to any one may answer, such as that of a canary."""
        self.answered_version = self.answered_version or version
        if self._is_version_given and version not in ("", self.answered_version):
            raise ConfigurationError(
                f"the model answers as version {version}, and answered as {self.answered_version} "
                "when the job was begun: start a new job, or serve that version again"
            )


class _Verdicts:
    """Whether the model took any row at all, and how many it refused before."""

    def __init__(self, *, has_accepted: bool) -> None:
        self._lock = threading.Lock()
        self._has_accepted = has_accepted
        self._refused = 0

    def accepted(self) -> None:
        self._has_accepted = True

    def refused(self, problem: str) -> None:
        if self._has_accepted:
            return
        with self._lock:
            self._refused += 1
            count = self._refused
        if count >= REFUSALS_BEFORE_STOP:
            raise AllRefusedError(f"the model refused each of the first {count} rows: {problem}")


def _add(told: dict[int, str], more: Mapping[int, str]) -> None:
    for at, why in more.items():
        told[at] = f"{told[at]}; {why}" if at in told else why


def _without(
    inputs: tuple[Tensor, ...], positions: NDArray[np.int64], out: Collection[int]
) -> tuple[tuple[Tensor, ...], NDArray[np.int64]]:
    """The rows that are to be sent, of those that could be read."""
    if not out:
        return inputs, positions
    good = ~np.isin(positions, np.fromiter(out, np.int64))
    return tuple(_picked(tensor, good) for tensor in inputs), positions[good]


def _picked(tensor: Tensor, which: Any) -> Tensor:
    return Tensor(tensor.name, tensor.datatype, tensor.data[which], tensor.parameters)


def _column(values: NDArray[Any] | Coded) -> pa.Array:
    if isinstance(values, Coded):
        codes = array(values.codes, values.codes < 0)
        return texts(list(values.distinct)).take(codes)
    if values.dtype.kind == "O":
        return pa.array([_writable(value) for value in values.tolist()], pa.string())
    return array(np.ascontiguousarray(values))


def _writable(value: Any) -> str | None:
    """A server's text may hold half a surrogate pair, which has no form in UTF-8."""
    if value is None:
        return None
    return str(value).encode(errors="backslashreplace").decode()


def _answered(chunk: _Chunk, signature: Signature) -> Answered:
    results, errors = _results(chunk)
    start = chunk.rows.start
    return Answered(
        Scored(chunk.rows, results, errors, chunk.skipped),
        chunk.requests,
        chunk.elapsed_s,
        chunk.body_bytes,
        chunk.received_bytes,
        outside(signature, chunk.inputs, chunk.positions + start, [start + at for at in errors]),
    )


def _results(chunk: _Chunk) -> tuple[pa.RecordBatch | None, dict[int, str]]:
    """The answers at their rows; those with other columns than the first are errors of theirs."""
    if not chunk.answers:
        return None, chunk.errors
    expected = chunk.answers[0][1].schema
    good, errors = [], dict(chunk.errors)
    for positions, found in chunk.answers:
        if found.schema.equals(expected):
            good.append((positions, found))
        else:
            problem = columns_changed(found.schema.names, expected.names)
            errors.update(dict.fromkeys(positions.tolist(), problem))
    whole = pa.concat_batches([found for _, found in good])
    positions = np.concatenate([positions for positions, _ in good])
    if len(positions) == len(chunk.rows) and bool((np.diff(positions) > 0).all()):
        return whole, errors
    at = np.full(len(chunk.rows), -1)
    at[positions] = np.arange(len(positions))
    return whole.take(array(at, at < 0)), errors


def columns_changed(found: Sequence[str], expected: Sequence[str]) -> str:
    """The error of rows whose results don't fit under the columns of the first answer."""
    return (
        f"the answer has other columns than the first one: {', '.join(found)} "
        f"instead of {', '.join(expected)}"
    )


def _said(error: KServeClientError) -> str:
    """The server's own words where it has any, on one line."""
    if isinstance(error, ServerError) and error.server_message:
        return " ".join(f"{error.status}: {error.server_message}".split())
    return " ".join(str(error).split())
