"""Run: rows go out in chunks, some of them at a time, and come back in the order they are done.

What becomes of a chunk that gets no answer is decided here: it waits and goes again, smaller if it
took too long, until the model is back or the patience with it is used up.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    ConnectError,
    KServeClientError,
    NoAnswerInTimeError,
    NotFoundError,
    ServerError,
    TLSError,
)
from kserve_client.scoring import pace as pacing
from kserve_client.scoring.crew import Crew
from kserve_client.scoring.cutter import Cutter
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.step import AllRefusedError, Answered, HaltedError

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
FIRST_CONNECT_PATIENCE_S = 3.0
MOST_TRIES_ALONE = 5
UNANSWERED_BEFORE_WAITING = 3
LOOK_S = 0.2
READ_LOOK_S = 0.005
TOO_LARGE = 413


class Sends(Protocol):
    """What a run needs of a step."""

    def send(self, rows: Rows, halted: Callable[[], str]) -> Answered:
        """Deal with one chunk."""
        ...


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How long a run goes on.

    `patience_s` is how many seconds it waits for a model that answered before and does not any
    more. `max_failures` is the number of failed rows beyond which nothing more is sent; None: no bound.
    `ahead_bytes` bounds how far chunks may run ahead of the oldest one, None where their order does not
    matter. `has_answered` says that the model answered before this run.
    """

    patience_s: float = 60.0
    max_failures: int | None = None
    ahead_bytes: int | None = None
    has_answered: bool = False


@dataclass(order=True, slots=True)
class _Chunk:
    """A chunk on its way. `ready_at` is when it may go (again).

    `failed_at` is when it failed last, `tries_alone` how often it failed while others were answered.
    """

    ready_at: float
    start: int
    rows: Rows = field(compare=False)
    offset_bytes: int = field(compare=False, default=0)
    tries: int = field(compare=False, default=0)
    tries_alone: int = field(compare=False, default=0)
    failed_at: float | None = field(compare=False, default=None)


@dataclass(frozen=True, slots=True)
class _Outcome:
    chunk: _Chunk
    answered: Answered | None
    error: BaseException | None
    in_flight: int


@dataclass(slots=True)
class Figures:
    """What a run has cost so far."""

    requests: int = 0
    retried: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    latencies_s: list[float] = field(default_factory=list)

    def add(self, answered: Answered) -> None:
        """Count a chunk."""
        self.requests += answered.requests
        self.sent_bytes += answered.body_bytes
        self.received_bytes += answered.received_bytes
        if answered.requests and len(self.latencies_s) < 100_000:
            self.latencies_s.append(answered.elapsed_s)


class Run:
    """Sends what a cutter cuts. Iterate over it once: it gives each chunk as it is done.

    After the end `stopped` says why rows are left that were not sent, "" when there are none;
    `left` holds those that had been read. `on_idle` is called some times a second while no chunk is
    done.
    """

    def __init__(
        self,
        step: Sends,
        cutter: Cutter,
        pace: pacing.Pace,
        options: RunOptions = RunOptions(),
        *,
        cancel: threading.Event | None = None,
        pause: threading.Event | None = None,
    ) -> None:
        self._step = step
        self._cutter = cutter
        self.pace = pace
        self._options = options
        self._cancel = cancel or threading.Event()
        self._pause = pause or threading.Event()
        self.on_idle: Callable[[], None] | None = None
        self._waiting: list[_Chunk] = []
        self._under_way: dict[int, _Chunk] = {}
        self._done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        self._has_more = True
        self._awaits_rows = False
        self._offset_bytes = 0
        self._failing_since: float | None = None
        self._last_answer: float | None = None
        self._unanswered = 0
        self._failures = 0
        self._read_error: Exception | None = None
        self.figures = Figures()
        self.stopped = ""
        self.first_failure: KServeClientError | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the server ever dealt with a request."""
        return self._last_answer is not None

    @property
    def is_waiting(self) -> bool:
        """Whether the model gave no answer to the last few requests."""
        return self._unanswered >= UNANSWERED_BEFORE_WAITING

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody ended it."""
        return self._cancel.is_set() and bool(self.stopped)

    @property
    def left(self) -> list[Rows]:
        """The chunks that were cut and not dealt with, in order."""
        return sorted((chunk.rows for chunk in self._waiting), key=lambda rows: rows.start)

    def __iter__(self) -> Iterator[Scored]:
        crew = Crew("score")
        try:
            while True:
                self._fill(crew)
                if not self._under_way and (self.stopped or not self._waits()):
                    break
                scored = self._settled()
                if scored is not None:
                    yield scored
            if self._read_error is not None:
                raise self._read_error
        finally:
            self.stopped = self.stopped or ("" if self._is_whole else "nobody waits for it")
            crew.end()

    @property
    def _is_whole(self) -> bool:
        return not (self._has_more or self._waiting or self._under_way)

    def _waits(self) -> bool:
        return self._has_more or bool(self._waiting)

    def _halted(self) -> str:
        if self._cancel.is_set() and not self.stopped and self._waits():
            self.stopped = "cancelled"
        return self.stopped

    def _fill(self, crew: Crew) -> None:
        self._awaits_rows = False
        while len(self._under_way) < self.pace.concurrency and not self._pause.is_set():
            if self._halted():
                return
            chunk = self._next_chunk()
            if chunk is None:
                return
            self._under_way[chunk.start] = chunk
            count = len(self._under_way)
            crew.run(partial(self._send, chunk, count), at_once=count)

    def _next_chunk(self) -> _Chunk | None:
        """One that goes again, if its time has come; else a new one, while the model answers."""
        if self._waiting and self._waiting[0].ready_at <= time.monotonic():
            return heapq.heappop(self._waiting)
        if not self._has_more or self._is_held_back() or self._is_too_far_ahead():
            return None
        if not self._cutter.is_ready:
            self._awaits_rows = True
            return None
        rows = self._read()
        if rows is None:
            self._has_more = False
            return None
        chunk = _Chunk(0.0, rows.start, rows, self._offset_bytes)
        self._offset_bytes += rows.cells.nbytes
        return chunk

    def _read(self) -> Rows | None:
        """The next rows. What was sent before a source breaks off is still dealt with."""
        try:
            return self._cutter.take(self.pace.chunk_rows)
        except Exception as error:  # noqa: BLE001 - raised again when the others are done
            self._read_error = error
            return None

    def _is_held_back(self) -> bool:
        """New chunks wait while old ones do not get through."""
        if not self._waiting:
            return self.is_waiting and bool(self._under_way)
        return self.is_waiting or len(self._waiting) >= max(self.pace.concurrency, 2)

    def _is_too_far_ahead(self) -> bool:
        if self._options.ahead_bytes is None:
            return False
        open_chunks = itertools.chain(self._under_way.values(), self._waiting)
        oldest = min((chunk.offset_bytes for chunk in open_chunks), default=self._offset_bytes)
        return self._offset_bytes - oldest > self._options.ahead_bytes

    def _send(self, chunk: _Chunk, in_flight: int) -> None:
        try:
            answered = self._step.send(chunk.rows, lambda: self.stopped)
            self._done.put(_Outcome(chunk, answered, None, in_flight))
        except BaseException as error:  # noqa: BLE001 - told in the thread that iterates
            self._done.put(_Outcome(chunk, None, error, in_flight))

    def _settled(self) -> Scored | None:
        """What became of the next chunk that is done; None when there is none yet."""
        try:
            outcome = self._done.get(timeout=self._look_s())
        except queue.Empty:
            self._halted()
            if self._pause.is_set():
                self._failing_since = None  # after a pause the patience begins anew
            if self.on_idle is not None:
                self.on_idle()
            return None
        del self._under_way[outcome.chunk.start]
        if outcome.answered is not None:
            return self._taken(outcome, outcome.answered)
        return self._missed(outcome)

    def _look_s(self) -> float:
        """How long nothing can happen but an answer, or a person's wish."""
        if self._awaits_rows and not self.stopped:
            return READ_LOOK_S
        if not self._waiting or self.stopped:
            return LOOK_S
        return min(max(self._waiting[0].ready_at - time.monotonic(), 0.001), LOOK_S)

    def _taken(self, outcome: _Outcome, answered: Answered) -> Scored:
        now = time.monotonic()
        if answered.requests:
            self._last_answer, self._failing_since, self._unanswered = now, None, 0
            self.pace.answered(
                pacing.Answered(
                    rows=len(outcome.chunk.rows),
                    body_bytes=answered.body_bytes,
                    elapsed_s=answered.elapsed_s,
                    in_flight=outcome.in_flight,
                    at_s=now,
                )
            )
        elif answered.scored.failed:
            self._last_answer = self._last_answer or now
        if answered.scored.results is not None:
            # Where order matters, what came waits for the oldest: it counts like what was cut.
            self._offset_bytes += answered.scored.results.nbytes
        self.figures.add(answered)
        self._count(answered.scored.failed)
        return answered.scored

    def _count(self, failed: int) -> None:
        self._failures += failed
        most = self._options.max_failures
        if most is not None and self._failures > most and self._waits():
            self.stopped = self.stopped or (
                f"{self._failures:,} rows failed, and {most:,} were allowed"
            )

    def _missed(self, outcome: _Outcome) -> Scored | None:
        """No row is to blame: the chunk goes again, or the run ends."""
        chunk, error = outcome.chunk, outcome.error
        if isinstance(error, HaltedError):
            self._again(chunk, 0.0)
            return None
        if not isinstance(error, KServeClientError):
            assert error is not None
            raise error
        self.first_failure = self.first_failure or error
        if isinstance(error, AllRefusedError):
            self._last_answer = self._last_answer or time.monotonic()
            self._end(chunk, str(error))
            return None
        if isinstance(error, ConfigurationError) and not self.is_answered:
            raise error
        return self._judged(chunk, error)

    def _end(self, chunk: _Chunk, reason: str) -> None:
        self.stopped = self.stopped or " ".join(reason.split())
        self._again(chunk, 0.0)

    def _judged(self, chunk: _Chunk, error: KServeClientError) -> Scored | None:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if chunk.failed_at is not None and (self._last_answer or 0.0) > chunk.failed_at:
            chunk.tries_alone += 1
        chunk.failed_at = now
        chunk.tries += 1
        self._unanswered += 1
        self.figures.retried += 1
        patience_s = self._patience_s(error)
        if now - self._failing_since >= patience_s:
            self._end(chunk, _reason(error, patience_s))
            return None
        if self._is_too_large(chunk, error, now) or chunk.tries_alone >= MOST_TRIES_ALONE:
            return self._given_up(chunk, error)
        left_s = patience_s - (now - self._failing_since)
        self._again(chunk, _pause_s(chunk.tries, error, left_s))
        return None

    def _is_too_large(self, chunk: _Chunk, error: KServeClientError, now: float) -> bool:
        """Tell the pace, and say whether fewer rows in one request may help."""
        rows = len(chunk.rows)
        if isinstance(error, ServerError) and error.status == TOO_LARGE:
            self._unanswered = 0
            self.pace.refused_as_too_large(rows, now)
            return True
        if isinstance(error, NoAnswerInTimeError):
            self.pace.timed_out(rows, now)
            return rows > 1
        self.pace.overloaded(now)
        return False

    def _patience_s(self, error: KServeClientError) -> float:
        if isinstance(error, AccessError | ConfigurationError | TLSError):
            return 0.0  # waiting mends none of them
        if self._last_answer is not None or self._options.has_answered:
            return self._options.patience_s
        if isinstance(error, NotFoundError):
            return 0.0
        if isinstance(error, ConnectError):
            return min(FIRST_CONNECT_PATIENCE_S, self._options.patience_s)
        return self._options.patience_s

    def _given_up(self, chunk: _Chunk, error: KServeClientError) -> Scored | None:
        """Halve it; a row alone has failed for good."""
        rows = chunk.rows
        if len(rows) > 1:
            middle = len(rows) // 2
            for piece in (rows.slice(0, middle), rows.slice(middle, len(rows) - middle)):
                half = _Chunk(0.0, piece.start, piece, chunk.offset_bytes, chunk.tries)
                half.failed_at, half.tries_alone = chunk.failed_at, chunk.tries_alone // 2
                heapq.heappush(self._waiting, half)
            return None
        self._count(1)
        return Scored(rows, None, {0: " ".join(str(error).split())})

    def _again(self, chunk: _Chunk, pause_s: float) -> None:
        chunk.ready_at = time.monotonic() + pause_s
        heapq.heappush(self._waiting, chunk)


def in_order(scored: Iterator[Scored], start: int = 0) -> Iterator[Scored]:
    """The same, each chunk held until those before it are there."""
    held: dict[int, Scored] = {}
    for chunk in scored:
        held[chunk.rows.start] = chunk
        while start in held:
            first = held.pop(start)
            start = first.rows.stop
            yield first
    # What is left stands behind rows that were not sent.
    yield from (held[at] for at in sorted(held))


def _pause_s(tries: int, error: KServeClientError, patience_s: float) -> float:
    """Our own pause, or what the server asks for where that is longer and within the patience."""
    own_s: float = min(FIRST_PAUSE_S * 2**tries, LONGEST_PAUSE_S)
    asked_s = error.retry_after_s if isinstance(error, ServerError) else None
    return own_s if asked_s is None else max(own_s, min(asked_s, patience_s))


def _reason(error: KServeClientError, patience_s: float) -> str:
    waited = f"no answer for {patience_s:g} s: " if patience_s else ""
    return f"{waited}{error}"
