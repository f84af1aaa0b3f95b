"""Run: rows go out in chunks, some of them at a time, and come back in the order they are done.

A chunk that gets no answer waits and goes again, smaller if it took too long, until the model is back
or the patience with it is used up. Which of its rows is to blame, if any, is decided in `blame`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from kserve_client.errors import (
    ConfigurationError,
    KServeClientError,
    NoAnswerError,
)
from kserve_client.scoring import pace as pacing
from kserve_client.scoring.blame import Judge, is_lost, is_silent, is_too_large, why_failed
from kserve_client.scoring.chunks import WITNESS, Chunk, Chunks
from kserve_client.scoring.crew import Crew
from kserve_client.scoring.cutter import Cutter
from kserve_client.scoring.outside import Outside, add_outside
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.step import AllRefusedError, Answered, HaltedError

LOOK_S = 0.2
READ_LOOK_S = 0.005
# Into how many a chunk is cut that gets no answer in time, while the model is there.
SILENT_PIECES = 8


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


@dataclass(frozen=True, slots=True)
class _Outcome:
    chunk: Chunk
    answered: Answered | None
    error: BaseException | None
    in_flight: int


@dataclass(slots=True)
class Figures:
    """What a run has cost so far, and what it found out of range."""

    requests: int = 0
    retried: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    latencies_s: list[float] = field(default_factory=list)
    outside: dict[int, Outside] = field(default_factory=dict)

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
        self._judge = Judge(
            options.patience_s, has_answered=options.has_answered, find_witness=options.witness
        )
        self._chunks = Chunks()
        self._done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        self._has_more = True
        self._awaits_rows = False
        self._offset_bytes = 0
        self._failures = options.failures_before
        self._read_error: Exception | None = None
        self.figures = Figures()
        self.stopped = ""
        self.has_too_many_failures = False
        self.first_failure: KServeClientError | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the server ever dealt with a request."""
        return self._judge.is_answered

    @property
    def is_waiting(self) -> bool:
        """Whether the model gave no answer to the last few requests."""
        return self._judge.is_waiting

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody ended it."""
        return self._cancel.is_set() and bool(self.stopped)

    @property
    def left(self) -> list[Rows]:
        """The chunks that were cut and not dealt with, in order."""
        return self._chunks.rows_left

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
        is_judging = self._chunks.has_suspects and not self.stopped
        return any(is_judging or not one.is_witness for one in self._chunks.under_way.values())

    def _waits(self) -> bool:
        return self._has_more or self._chunks.are_left

    def _halted(self) -> str:
        if self._cancel.is_set() and not self.stopped and self._waits():
            self.stopped = "cancelled"
        return self.stopped

    def _fill(self, crew: Crew) -> None:
        self._awaits_rows = False
        under_way = self._chunks.under_way
        if self._chunks.has_suspects and not self._chunks.waiting and not under_way:
            self._call_witness(0.0)
        while len(under_way) < self.pace.concurrency and not self._pause.is_set():
            if self._halted() or self._chunks.is_kept_quiet:
                return
            chunk = self._next_chunk()
            if chunk is None:
                return
            if self._has_failed_too_often():
                self._wait(chunk, 0.0)
                return
            under_way[chunk.start] = chunk
            count = len(under_way)
            crew.run(partial(self._send, chunk, count), at_once=count)

    def _next_chunk(self) -> Chunk | None:
        """One that goes again, if its time has come; else a new one, while the model answers."""
        if self._chunks.is_one_due:
            return self._chunks.pop()
        if not self._has_more or self._is_held_back() or self._is_too_far_ahead():
            return None
        if not self._cutter.is_ready:
            self._awaits_rows = True
            return None
        rows = self._read()
        if rows is None:
            self._has_more = False
            return None
        chunk = Chunk(0.0, rows.start, rows, self._offset_bytes)
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
        if not self._chunks.waiting:
            return self.is_waiting and bool(self._chunks.under_way)
        return self.is_waiting or self._chunks.held >= max(self.pace.concurrency, 2)

    def _is_too_far_ahead(self) -> bool:
        if self._options.ahead_bytes is None:
            return False
        oldest = self._chunks.oldest_offset(self._offset_bytes)
        return self._offset_bytes - oldest > self._options.ahead_bytes

    def _send(self, chunk: Chunk, in_flight: int) -> None:
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
                self._judge.begin_anew()
            if self.on_idle is not None:
                self.on_idle()
            return None
        del self._chunks.under_way[outcome.chunk.start]
        if outcome.answered is None:
            return self._missed(outcome)
        if outcome.chunk.is_witness:
            return self._witnessed(outcome.chunk, outcome.answered)
        return self._taken(outcome, outcome.answered)

    def _look_s(self) -> float:
        """How long nothing can happen but an answer, or a person's wish."""
        if self._awaits_rows and not self.stopped:
            return READ_LOOK_S
        next_at = self._chunks.next_at
        if next_at is None or self.stopped:
            return LOOK_S
        return min(max(next_at - time.monotonic(), 0.001), LOOK_S)

    def _taken(self, outcome: _Outcome, answered: Answered) -> Scored:
        now = time.monotonic()
        if answered.requests:
            self._judge.predicted(answered.scored, now)
            self._chunks.clear()
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
            self._judge.refused(now)
        if answered.scored.results is not None:
            # Where order matters, what came waits for the oldest: it counts like what was cut.
            self._offset_bytes += answered.scored.results.nbytes
        self.figures.add(answered)
        add_outside(self.figures.outside, answered.outside)
        self._failures += answered.scored.failed
        return answered.scored

    def _witnessed(self, witness: Chunk, answered: Answered) -> Scored | None:
        self.figures.add(answered)
        if answered.scored.ok:
            self._judge.heard(time.monotonic())
            self._chunks.clear()
            return None
        if not self._chunks.has_suspects:
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
        if chunk.is_witness and not self._chunks.has_suspects:
            return None  # nobody waits for it any more
        self.first_failure = self.first_failure or error
        if isinstance(error, AllRefusedError):
            self._judge.refused(time.monotonic())
            self._end(chunk, str(error))
            return None
        if isinstance(error, ConfigurationError) and not self.is_answered:
            raise error
        return self._judged(chunk, error)

    def _end(self, chunk: Chunk, reason: str) -> None:
        self.stopped = self.stopped or " ".join(reason.split())
        self._wait(chunk, 0.0)

    def _judged(self, chunk: Chunk, error: KServeClientError) -> Scored | None:
        now = time.monotonic()
        self.figures.retried += 1
        self._judge.missed(chunk, error, now)
        if self._judge.is_over(chunk, error, now, may_hear=self._may_hear_of_others(chunk)):
            self._end(chunk, self._judge.why_over(error))
            return None
        self._slow_down(len(chunk.rows), error, now)
        if not self._judge.is_to_blame(chunk, error, now, waiting=self._chunks.waiting):
            self._again(chunk, error, now)
            return None
        if len(chunk.rows) > 1:
            self._divide(chunk, error)
            return None
        self._failures += 1
        return Scored(chunk.rows, None, {0: why_failed(error)})

    def _may_hear_of_others(self, chunk: Chunk) -> bool:
        """Whether the first answer may be under way."""
        under_way = self._chunks.under_way.values()
        return not chunk.is_witness and any(one.failed_at is None for one in under_way)

    def _slow_down(self, rows: int, error: KServeClientError, now: float) -> None:
        if is_too_large(error):
            self.pace.refused_as_too_large(rows, now)
        elif is_silent(error):
            self.pace.timed_out(rows, now)
        else:
            self.pace.overloaded(now)

    def _divide(self, chunk: Chunk, error: KServeClientError) -> None:
        tries = 0 if is_lost(error) else chunk.tries
        if is_silent(error) and self._judge.may_be_its_rows(chunk):
            # Each piece may cost a time-out: few steps down to one row, and first the witness.
            for piece in chunk.pieces(SILENT_PIECES, tries):
                self._chunks.suspect(piece)
            self._call_witness(0.0)
            return
        for piece in chunk.pieces(2, tries):
            self._chunks.wait(piece)

    def _again(self, chunk: Chunk, error: KServeClientError, now: float) -> None:
        """Have it go again: after a pause, and where there is a witness not before an answer."""
        pause_s = self._judge.pause_s(chunk.tries, error, now)
        if not self._judge.may_be_its_rows(chunk):
            self._wait(chunk, pause_s)
            return
        chunk.rest(pause_s)
        self._chunks.suspect(chunk)
        self._call_witness(self._judge.pause_s(1, error, now))

    def _call_witness(self, pause_s: float) -> None:
        if self._judge.witness is not None and not self._chunks.is_witness_out:
            self._wait(Chunk(0.0, WITNESS, self._judge.witness), pause_s)

    def _wait(self, chunk: Chunk, pause_s: float) -> None:
        chunk.rest(pause_s)
        self._chunks.wait(chunk)


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
