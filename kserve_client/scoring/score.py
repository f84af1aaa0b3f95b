"""Scoring: file → chunks → some in flight → rows in order, with a prediction or an error."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from kserve_client.errors import ConfigurationError, InputError, KServeClientError
from kserve_client.frames import check_columns
from kserve_client.model import Model
from kserve_client.scoring.reader import CsvReader, CsvRow, Source, is_rewindable, opened, read_csv
from kserve_client.scoring.sender import ScoredChunk, Sender
from kserve_client.scoring.writer import ResultWriter, Sink, opened_sink

DEFAULT_CHUNK_ROWS = 1000
DEFAULT_CONCURRENCY = 4
FAILURES_BEFORE_STOP = 3
CHUNKS_BEYOND_FLIGHT = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `rows_total` is None for a source that can be read only once."""

    rows_done: int
    rows_total: int | None
    ok: int
    failed: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the rows: rows = ok + failed, and `unsent` of the failed ones were held back.

    `first_error` is the error of the first failed row, with its number from 1. `is_answered` is
    False when rows were sent and the server never answered. `stopped` says why sending ended early,
    "" when it did not.
    """

    rows: int
    ok: int
    failed: int
    elapsed_s: float
    cancelled: bool = False
    unsent: int = 0
    first_error: str = ""
    is_answered: bool = True
    stopped: str = ""

    @property
    def rows_per_s(self) -> float:
        """Rows per second over the whole run."""
        return self.rows / self.elapsed_s if self.elapsed_s else 0.0


@dataclass(slots=True)
class _Tally:
    started: float
    rows: int = 0
    ok: int = 0
    unsent: int = 0
    first_error: str = ""
    has_answer: bool = False
    has_silence: bool = False

    def add(self, chunk: ScoredChunk) -> None:
        if not self.first_error:
            found = next(((at, e) for at, e in enumerate(chunk.errors, self.rows + 1) if e), None)
            self.first_error = f"row {found[0]}: {found[1]}" if found else ""
        self.rows += len(chunk.rows)
        self.ok += chunk.ok
        self.unsent += chunk.unsent
        self.has_answer |= chunk.is_answered
        self.has_silence |= chunk.failure is not None and not chunk.is_answered

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self.started


def score_csv(
    model: Model,
    source: Source,
    sink: Sink,
    *,
    chunk_rows: int = DEFAULT_CHUNK_ROWS,
    concurrency: int = DEFAULT_CONCURRENCY,
    on_progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
) -> Summary:
    """Predict every row of a CSV file; each comes out once, in order, with an answer or an error.

    `source` is a path or a binary stream, `sink` a path or a text stream. `chunk_rows` travel in
    one request, `concurrency` requests are under way at a time, and no more than a few chunks are
    held in memory. The output has the original columns, the result columns of the model (with _2
    where a name is taken) and `error`.

    A chunk refused for its content is halved until the bad rows stand alone. When no answer comes
    for several chunks on end, or `cancel` is set, the rest is written with an error "not sent: …".

    Raises InputError, before anything is sent, when a column the model needs is missing or the file
    is no CSV (a stream that can be read only once shows that later); ConfigurationError when the
    first chunks can't be sent for our own settings.
    """
    started = time.perf_counter()
    total = read_csv(source, first_rows=0).row_count if is_rewindable(source) else None
    with opened(source) as reader:
        sender = Sender(model, checked_columns(model, reader), cancel=cancel)
        with (
            opened_sink(sink, has_bom=reader.has_bom) as stream,
            ResultWriter(
                stream, reader.columns, delimiter=reader.delimiter, newline=reader.newline
            ) as writer,
        ):
            tally = _Tally(started)
            for chunk in _in_order(sender, reader, chunk_rows, concurrency):
                writer.write(chunk)
                tally.add(chunk)
                if on_progress is not None:
                    on_progress(_progress(tally, total))
            writer.finish()
    is_cancelled = cancel is not None and cancel.is_set() and tally.unsent > 0
    return _summary(tally, cancelled=is_cancelled, stopped=sender.stopped)


def scored_chunks(
    model: Model,
    source: Source,
    *,
    chunk_rows: int = DEFAULT_CHUNK_ROWS,
    concurrency: int = DEFAULT_CONCURRENCY,
) -> Iterator[ScoredChunk]:
    """The same run without a result file: the chunks in order, as Python values."""
    with opened(source) as reader:
        sender = Sender(model, checked_columns(model, reader))
        yield from _in_order(sender, reader, chunk_rows, concurrency)


def checked_columns(model: Model, reader: CsvReader) -> Sequence[str]:
    """The columns of the file. Raises InputError when the model needs one that is not there."""
    names = [column.strip() for column in reader.columns]
    try:
        check_columns(model.signature, names)
    except InputError as error:
        if all(map(_is_number, names)):
            raise InputError(
                f"the first line holds numbers, not the names of columns; {error}"
            ) from None
        raise
    return reader.columns


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _in_order(
    sender: Sender, rows: Iterable[CsvRow], chunk_rows: int, concurrency: int
) -> Iterator[ScoredChunk]:
    """Send chunks, `concurrency` at a time, and give them back in order."""
    if chunk_rows < 1 or concurrency < 1:
        raise ValueError("chunk_rows and concurrency are at least 1")
    watch = _Watch(sender)
    pending: deque[Future[ScoredChunk]] = deque()
    pool = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="score")
    try:
        for chunk in _chunks(rows, chunk_rows):
            pending.append(pool.submit(sender.send, chunk))
            if len(pending) >= concurrency + CHUNKS_BEYOND_FLIGHT:
                yield watch.seen(pending.popleft().result())
        while pending:
            yield watch.seen(pending.popleft().result())
    finally:
        sender.close()
        pool.shutdown(wait=False, cancel_futures=True)


def _chunks(rows: Iterable[CsvRow], size: int) -> Iterator[list[CsvRow]]:
    left = iter(rows)
    while chunk := list(islice(left, size)):
        yield chunk


class _Watch:
    """Stops the sending when chunk after chunk fails for no fault of its rows."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._failures = 0
        self._has_predicted = False

    def seen(self, chunk: ScoredChunk) -> ScoredChunk:
        self._has_predicted |= bool(chunk.results)
        if chunk.failure is None:
            self._failures = 0 if chunk.is_answered else self._failures
            return chunk
        if isinstance(chunk.failure, ConfigurationError) and not self._has_predicted:
            raise chunk.failure
        self._failures += 1
        if self._failures >= FAILURES_BEFORE_STOP:
            self._sender.stop(_reason(chunk.failure))
        return chunk


def _reason(failure: KServeClientError) -> str:
    text = " ".join(str(failure).split())
    return f"{FAILURES_BEFORE_STOP} chunks in a row failed before it, the last with: {text}"


def _progress(tally: _Tally, total: int | None) -> Progress:
    return Progress(tally.rows, total, tally.ok, tally.rows - tally.ok, tally.elapsed_s)


def _summary(tally: _Tally, *, cancelled: bool, stopped: str) -> Summary:
    return Summary(
        rows=tally.rows,
        ok=tally.ok,
        failed=tally.rows - tally.ok,
        elapsed_s=tally.elapsed_s,
        cancelled=cancelled,
        unsent=tally.unsent,
        first_error=tally.first_error,
        is_answered=tally.has_answer or not tally.has_silence,
        stopped=stopped,
    )
