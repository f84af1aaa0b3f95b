"""Chunks of a run: which are under way, which wait for their time, which for a sign of the model.

The last ones are suspects: no answer came to them, and nothing says yet whether the model is gone or
their rows get none. A witness, a row that was predicted before, is sent for them. The first answer to
anything else clears them: they go again, one at a time if they may be what ends the server.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from kserve_client.scoring.rows import Rows

MOST_TRIES_ALONE = 5
SILENCE_COUNTS = 2
# The place of the witness among the chunks.
WITNESS = -1


@dataclass(order=True, slots=True)
class Chunk:
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
    def is_witness(self) -> bool:
        """Whether it is the row that shows if the model is there."""
        return self.start == WITNESS

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
    def has_failed_alone(self) -> bool:
        """Whether it failed often while others were answered."""
        return self.tries_alone >= MOST_TRIES_ALONE

    @property
    def was_lost_alone(self) -> bool:
        """Whether the server had it often, came to no answer, and answered others."""
        return self.lost_alone >= MOST_TRIES_ALONE

    def failed(self, now: float) -> None:
        """Note that no answer came."""
        self.failing_since = self.failing_since or now
        self.failed_at = now
        self.tries += 1

    def failed_alone(self, *, is_lost: bool, is_silent: bool, is_unheard: bool) -> None:
        """Note that others were answered since it failed before."""
        weight = SILENCE_COUNTS if is_silent else 1
        self.tries_alone += weight
        self.lost_alone += weight if is_lost else 0
        self.was_unheard = is_unheard

    def rest(self, pause_s: float) -> None:
        """Let it go after a pause."""
        self.ready_at = time.monotonic() + pause_s

    def pieces(self, most: int, tries: int) -> Iterator[Chunk]:
        """Its rows in at most so many chunks, each with half of what is known against them."""
        count = min(most, len(self.rows))
        ends = [len(self.rows) * at // count for at in range(count + 1)]
        for begin, end in itertools.pairwise(ends):
            rows = self.rows.slice(begin, end - begin)
            piece = Chunk(0.0, rows.start, rows, self.offset_bytes, tries)
            piece.failed_at, piece.tries_alone = self.failed_at, self.tries_alone // 2
            piece.lost_alone = self.lost_alone // 2
            yield piece


class Chunks:
    """The chunks that were cut and are not dealt with. Used from one thread."""

    def __init__(self) -> None:
        self.under_way: dict[int, Chunk] = {}
        self._waiting: list[Chunk] = []
        self._suspects: list[Chunk] = []

    @property
    def are_left(self) -> bool:
        """Whether any is not under way."""
        return bool(self._waiting or self._suspects)

    @property
    def has_suspects(self) -> bool:
        """Whether a sign of the model is waited for."""
        return bool(self._suspects)

    @property
    def waiting(self) -> int:
        """How many wait for their time."""
        return len(self._waiting)

    @property
    def held(self) -> int:
        """How many are to go again."""
        return len(self._waiting) + len(self._suspects)

    @property
    def rows_left(self) -> list[Rows]:
        """Their rows, without those under way, in order."""
        chunks = [chunk for chunk in self._waiting if not chunk.is_witness] + self._suspects
        return sorted((chunk.rows for chunk in chunks), key=lambda rows: rows.start)

    @property
    def is_one_due(self) -> bool:
        """Whether the time of one has come."""
        return bool(self._waiting) and self._waiting[0].ready_at <= time.monotonic()

    @property
    def next_at(self) -> float | None:
        """When the next one may go; None when none waits for its time."""
        return self._waiting[0].ready_at if self._waiting else None

    @property
    def is_kept_quiet(self) -> bool:
        """Whether a row that may be blamed is under way, or waits for the others to be back."""
        first = self._waiting[:1] if self.is_one_due else []
        chunks = (*first, *self.under_way.values())
        return bool(self.under_way) and any(one.needs_quiet for one in chunks)

    @property
    def is_witness_out(self) -> bool:
        """Whether the witness was called and is not back."""
        return any(one.is_witness for one in self._open())

    def oldest_offset(self, default: int) -> int:
        """Where in the stream of bytes the first one stands that is not dealt with."""
        chunks = itertools.chain(self._open(), self._suspects)
        offsets = (chunk.offset_bytes for chunk in chunks if not chunk.is_witness)
        return min(offsets, default=default)

    def pop(self) -> Chunk:
        """Take the one whose time came first."""
        return heapq.heappop(self._waiting)

    def wait(self, chunk: Chunk) -> None:
        """Have one go when its time has come."""
        heapq.heappush(self._waiting, chunk)

    def suspect(self, chunk: Chunk) -> None:
        """Have one go when its time has come, and not before an answer to another."""
        self._suspects.append(chunk)

    def clear(self) -> None:
        """The model is there: what waited for a sign of it goes again, and needs no witness."""
        if not self._suspects:
            return
        self._waiting = [chunk for chunk in self._waiting if not chunk.is_witness]
        suspects, self._suspects = sorted(self._suspects), []
        is_one_out = any(one.goes_alone for one in self._open())
        for chunk in suspects:
            stays = chunk.goes_alone and is_one_out
            (self._suspects if stays else self._waiting).append(chunk)
            is_one_out = is_one_out or chunk.goes_alone
        heapq.heapify(self._waiting)

    def _open(self) -> Iterator[Chunk]:
        return itertools.chain(self._waiting, self.under_way.values())
