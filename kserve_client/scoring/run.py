"""Run: rows go out in chunks, some of them at a time, and come back in the order they are done.

What becomes of a chunk that gets no answer is decided here: it waits and goes again, smaller if it
took too long, until the model is back or the patience with it is used up. Whether the model is gone or
only these rows get no answer, a witness tells: a row that was predicted before goes first. While that
one is not answered either, no row is to blame.
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
    ConnectionLostError,
    KServeClientError,
    NoAnswerError,
    NoAnswerInTimeError,
    NotFoundError,
    ServerError,
    TLSError,
)
from kserve_client.scoring import pace as pacing
from kserve_client.scoring.crew import Crew
from kserve_client.scoring.cutter import Cutter
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.step import AllRefusedError, Answered, HaltedError, HopelessError

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
FIRST_CONNECT_PATIENCE_S = 3.0
MOST_TRIES_ALONE = 5
SILENCE_COUNTS = 2
# While nothing was ever answered, chunks are halved to find rows that are, but not without end.
MOST_PIECES = 32
UNANSWERED_BEFORE_WAITING = 3
LOOK_S = 0.2
READ_LOOK_S = 0.005
TOO_LARGE = 413
# What a gateway says of a server that died of a request, or is silent. 503 is said of busy ones, too.
LOST_STATUSES = frozenset({502, 504})
# The place of the witness among the chunks.
WITNESS = -1


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
    matter. `has_answered` says that the model answered before this run, and `witness` finds a row that
    it predicted then. `failures_before` counts towards `max_failures`.
    """

    patience_s: float = 60.0
    max_failures: int | None = None
    ahead_bytes: int | None = None
    has_answered: bool = False
    witness: Callable[[], Rows | None] = lambda: None
    failures_before: int = 0


@dataclass(order=True, slots=True)
class _Chunk:
    """A chunk on its way. `ready_at` is when it may go (again).

    `failing_since` is when it failed first, `failed_at` when last, `tries_alone` how often it failed
    while others were answered, `lost_alone` how often of these the server had it and came to no answer:
    refusals of one that is busy, or starts anew, are no sign of what ends it. Silence counts twice, for
    the time that it takes. `was_unheard` says that the last of these tries never reached the model.
    """

    ready_at: float
    start: int
    rows: Rows = field(compare=False)
    offset_bytes: int = field(compare=False, default=0)
    tries: int = field(compare=False, default=0)
    tries_alone: int = field(compare=False, default=0)
    failing_since: float | None = field(compare=False, default=None)
    failed_at: float | None = field(compare=False, default=None)
    lost_alone: int = field(compare=False, default=0)
    was_unheard: bool = field(compare=False, default=False)

    @property
    def goes_alone(self) -> bool:
        """Whether it may be what ends the server: others that fly along would be lost with it."""
        return self.lost_alone > 0 or self.was_unheard

    @property
    def needs_quiet(self) -> bool:
        """Whether its next failure, or nearly, is its last: another row must not be what causes it."""
        tries = self.lost_alone if len(self.rows) == 1 else 0
        if self.was_unheard:
            tries = self.tries_alone
        return tries + SILENCE_COUNTS >= MOST_TRIES_ALONE

    @property
    def is_witness(self) -> bool:
        """Whether it is the row that shows if the model is there."""
        return self.start == WITNESS


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
    `left` holds those that had been read, and `has_too_many_failures` says that `max_failures` was the
    reason. `on_idle` is called some times a second while no chunk is done.
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
        self._suspects: list[_Chunk] = []
        self._witness: Rows | None = None
        self._under_way: dict[int, _Chunk] = {}
        self._done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        self._has_more = True
        self._awaits_rows = False
        self._offset_bytes = 0
        self._failing_since: float | None = None
        self._last_answer: float | None = None
        self._unanswered = 0
        self._failures = options.failures_before
        self._read_error: Exception | None = None
        self.figures = Figures()
        self.stopped = ""
        self.has_too_many_failures = False
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
        chunks = [chunk for chunk in self._waiting if not chunk.is_witness] + self._suspects
        return sorted((chunk.rows for chunk in chunks), key=lambda rows: rows.start)

    def __iter__(self) -> Iterator[Scored]:
        crew = Crew("score")
        try:
            while True:
                self._fill(crew)
                if not self._is_answer_due and (self.stopped or not self._waits()):
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
        return not (self._waits() or self._is_answer_due)

    @property
    def _is_answer_due(self) -> bool:
        """Whether a chunk is under way that somebody waits for: no witness, unless for suspects."""
        is_judging = bool(self._suspects) and not self.stopped
        return any(is_judging or not one.is_witness for one in self._under_way.values())

    def _waits(self) -> bool:
        return self._has_more or bool(self._waiting or self._suspects)

    def _halted(self) -> str:
        if self._cancel.is_set() and not self.stopped and self._waits():
            self.stopped = "cancelled"
        return self.stopped

    def _fill(self, crew: Crew) -> None:
        self._awaits_rows = False
        if self._suspects and not self._waiting and not self._under_way:
            self._call_witness(0.0)
        while len(self._under_way) < self.pace.concurrency and not self._pause.is_set():
            if self._halted() or self._is_kept_quiet():
                return
            chunk = self._next_chunk()
            if chunk is None:
                return
            if self._has_failed_too_often():
                self._wait(chunk, 0.0)
                return
            self._under_way[chunk.start] = chunk
            count = len(self._under_way)
            crew.run(partial(self._send, chunk, count), at_once=count)

    def _is_kept_quiet(self) -> bool:
        """Whether a row that may be blamed is under way, or waits for the others to be back."""
        first = self._waiting[:1] if self._is_one_due() else []
        chunks = (*first, *self._under_way.values())
        return bool(self._under_way) and any(one.needs_quiet for one in chunks)

    def _is_one_due(self) -> bool:
        return bool(self._waiting) and self._waiting[0].ready_at <= time.monotonic()

    def _next_chunk(self) -> _Chunk | None:
        """One that goes again, if its time has come; else a new one, while the model answers."""
        if self._is_one_due():
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
        count = len(self._waiting) + len(self._suspects)
        return self.is_waiting or count >= max(self.pace.concurrency, 2)

    def _is_too_far_ahead(self) -> bool:
        if self._options.ahead_bytes is None:
            return False
        chunks = itertools.chain(self._open_chunks(), self._suspects)
        offsets = (chunk.offset_bytes for chunk in chunks if not chunk.is_witness)
        oldest = min(offsets, default=self._offset_bytes)
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
        if outcome.answered is None:
            return self._missed(outcome)
        if outcome.chunk.is_witness:
            return self._witnessed(outcome.chunk, outcome.answered)
        return self._taken(outcome, outcome.answered)

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
            self._heard(now)
            self._witness = self._witness or answered.scored.predicted_row()
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
        self._failures += answered.scored.failed
        return answered.scored

    def _heard(self, now: float) -> None:
        """The model is there: what waited for a sign of it goes again."""
        self._last_answer, self._failing_since, self._unanswered = now, None, 0
        if not self._suspects:
            return
        self._waiting = [chunk for chunk in self._waiting if not chunk.is_witness]
        suspects, self._suspects = sorted(self._suspects), []
        is_one_out = any(one.goes_alone for one in self._open_chunks())
        for chunk in suspects:
            stays = chunk.goes_alone and is_one_out
            (self._suspects if stays else self._waiting).append(chunk)
            is_one_out = is_one_out or chunk.goes_alone
        heapq.heapify(self._waiting)

    def _open_chunks(self) -> Iterator[_Chunk]:
        return itertools.chain(self._waiting, self._under_way.values())

    def _witnessed(self, witness: _Chunk, answered: Answered) -> Scored | None:
        self.figures.add(answered)
        if answered.scored.ok:
            self._heard(time.monotonic())
            return None
        if not self._suspects:
            return None  # nobody waits for it any more
        (told,) = [*answered.scored.errors.values(), *answered.scored.skipped.values()]
        return self._judged(
            witness, NoAnswerError(f"a row that was predicted before fails: {told}")
        )

    def _has_failed_too_often(self) -> bool:
        """Stop for the failures. Asked when there is something to send: what is done needs no stop."""
        most = self._options.max_failures
        if most is None or self._failures <= most:
            return False
        self.has_too_many_failures = True
        self.stopped = f"{self._failures:,} rows failed, and {most:,} were allowed"
        return True

    def _missed(self, outcome: _Outcome) -> Scored | None:
        """No row is to blame: the chunk goes again, or the run ends."""
        chunk, error = outcome.chunk, outcome.error
        if isinstance(error, HaltedError):
            self._wait(chunk, 0.0)
            return None
        if not isinstance(error, KServeClientError):
            assert error is not None
            raise error
        if chunk.is_witness and not self._suspects:
            return None  # nobody waits for it any more
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
        self._wait(chunk, 0.0)

    def _judged(self, chunk: _Chunk, error: KServeClientError) -> Scored | None:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        self._note_failure(chunk, error, now)
        patience_s = self._patience_s(error)
        if self._is_over(chunk, error, now):
            self._end(chunk, _reason(error, patience_s))
            return None
        is_large = self._is_too_large(chunk, error, now)
        if (is_large or self._stands_alone(chunk, error, now)) and not chunk.is_witness:
            return self._given_up(chunk, error)
        left_s = max(patience_s - (now - self._failing_since), 0.0)
        self._again(chunk, error, left_s)
        return None

    def _is_over(self, chunk: _Chunk, error: KServeClientError, now: float) -> bool:
        """Whether the patience is: with the model, or with a chunk that never reached it."""
        patience_s = self._patience_s(error)
        if _is_hopeless(error):
            return True
        if not self._may_be_its_rows(chunk):
            is_late = now - (self._failing_since or now) >= patience_s
            return is_late and not (patience_s and self._may_hear_of_others(chunk))
        is_unheard = isinstance(error, ConnectError | NotFoundError)
        is_alone = chunk.tries_alone >= MOST_TRIES_ALONE
        return is_unheard and is_alone and now - (chunk.failing_since or now) >= patience_s

    def _may_hear_of_others(self, chunk: _Chunk) -> bool:
        """Whether the first answer may be under way: a refusal is told sooner than a prediction."""
        under_way = self._under_way.values()
        return not chunk.is_witness and any(one.failed_at is None for one in under_way)

    def _note_failure(self, chunk: _Chunk, error: KServeClientError, now: float) -> None:
        if chunk.failed_at is not None and (self._last_answer or 0.0) > chunk.failed_at:
            weight = SILENCE_COUNTS if isinstance(error, NoAnswerInTimeError) else 1
            chunk.tries_alone += weight
            chunk.lost_alone += weight if _is_lost(error) else 0
            chunk.was_unheard = isinstance(error, ConnectError | NotFoundError)
        chunk.failing_since = chunk.failing_since or now
        chunk.failed_at = now
        chunk.tries += 1
        self._unanswered += 1
        self.figures.retried += 1

    def _may_be_its_rows(self, chunk: _Chunk) -> bool:
        """Whether it is for the witness to say that the model is gone."""
        if chunk.is_witness:
            return False
        if self._witness is None and self._options.has_answered:
            self._witness = self._options.witness()
        return self._witness is not None

    def _stands_alone(self, chunk: _Chunk, error: KServeClientError, now: float) -> bool:
        """Whether it failed often enough for its rows to be to blame, or to be sent in halves."""
        if isinstance(error, ConnectError | NotFoundError):
            return False
        is_alone = chunk.tries_alone >= MOST_TRIES_ALONE
        failing_s = now - (chunk.failing_since or now)
        if len(chunk.rows) == 1:
            is_lost = _is_lost(error) and chunk.lost_alone >= MOST_TRIES_ALONE
            return is_lost or (is_alone and failing_s >= self._options.patience_s)
        if self._may_be_its_rows(chunk):
            return is_alone or (_is_lost(error) and chunk.tries_alone > 0)
        # Nothing was ever answered: maybe a half is.
        silent_s = now - (self._failing_since or now)
        is_time = _is_lost(error) or silent_s >= self._options.patience_s / 2
        return is_time and chunk.tries > 1 and len(self._waiting) < MOST_PIECES

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
        if _is_hopeless(error):
            return 0.0
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
            # A silent server costs a time-out for each piece: first the witness.
            is_silent = isinstance(error, NoAnswerInTimeError) and self._may_be_its_rows(chunk)
            for piece in (rows.slice(0, middle), rows.slice(middle, len(rows) - middle)):
                tries = 0 if _is_lost(error) else chunk.tries
                half = _Chunk(0.0, piece.start, piece, chunk.offset_bytes, tries)
                half.failed_at, half.tries_alone = chunk.failed_at, chunk.tries_alone // 2
                half.lost_alone = chunk.lost_alone // 2
                if is_silent:
                    self._suspects.append(half)
                else:
                    heapq.heappush(self._waiting, half)
            if is_silent:
                self._call_witness(0.0)
            return None
        self._failures += 1
        return Scored(rows, None, {0: _blame(error)})

    def _again(self, chunk: _Chunk, error: KServeClientError, left_s: float) -> None:
        """Have it go again: after a pause, and where there is a witness not before an answer."""
        pause_s = _pause_s(chunk.tries, error, left_s)
        if not self._may_be_its_rows(chunk):
            self._wait(chunk, pause_s)
            return
        chunk.ready_at = time.monotonic() + pause_s
        self._suspects.append(chunk)
        self._call_witness(_pause_s(1, error, left_s))

    def _call_witness(self, pause_s: float) -> None:
        if self._witness is not None and not any(one.is_witness for one in self._open_chunks()):
            self._wait(_Chunk(0.0, WITNESS, self._witness), pause_s)

    def _wait(self, chunk: _Chunk, pause_s: float) -> None:
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
    own_s: float = min(FIRST_PAUSE_S * 2 ** min(tries, 10), LONGEST_PAUSE_S)
    asked_s = error.retry_after_s if isinstance(error, ServerError) else None
    return own_s if asked_s is None else max(own_s, min(asked_s, patience_s))


def _is_hopeless(error: KServeClientError) -> bool:
    """Whether waiting mends nothing."""
    return isinstance(error, AccessError | ConfigurationError | TLSError | HopelessError)


def _is_lost(error: KServeClientError) -> bool:
    """Whether the server had the request and did not come to an answer, as when it dies of it."""
    if isinstance(error, ServerError):
        return error.status in LOST_STATUSES
    return isinstance(error, ConnectionLostError | NoAnswerInTimeError)


def _blame(error: KServeClientError) -> str:
    """Why a row alone has failed."""
    told = " ".join(str(error).split())
    if isinstance(error, ServerError) and error.status == TOO_LARGE:
        return told
    return f"no answer to this row, while others were answered: {told}"


def _reason(error: KServeClientError, patience_s: float) -> str:
    waited = f"no answer for {patience_s:g} s: " if patience_s else ""
    return f"{waited}{error}"
