"""How many rows go into the next chunk, and how many chunks may be in flight.

    start ── size ──► concurrency ──► hold ⇄ trial
             ×2…×10   ×2              now and then, and when the latency changed

Each setting is measured, then another is tried and kept if it brings enough; see `trials` for what
is enough. Trials that fail become rare, so that a settled pace costs next to nothing, and a server
that has grown (or a spike that is over) is still noticed. Refusals for overload halve what is in
flight. The idea of comparing whole rounds instead of single latencies, and of searching the point
where more in flight only queues, is that of TCP's BBR and Netflix's concurrency-limits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

from kserve_client.errors import ConfigurationError
from kserve_client.scoring import trials
from kserve_client.scoring.levels import Answered, Level, Measured, Setting
from kserve_client.scoring.trials import Move, Verdict

__all__ = ["Answered", "Bounds", "Pace"]

Auto = Literal["auto"]
# Levels of the hold between two trials: doubled by each trial that failed.
SHORTEST_HOLD, LONGEST_HOLD = 2, 32
# The latency has changed when two levels in a row say so by this factor.
CHANGED = 1.5
# At least so many refusals, and this part of the last outcomes, are an overload.
LEAST_OVERLOADS, OVERLOADED_PART, OUTCOMES = 3, 0.05, 20
# A first answer this many times later than wanted needs no second one to shrink the chunks.
HOPELESS = 4
# How long a round trip takes, while none has been seen.
UNKNOWN_ROUND_S = 1.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where the automatic pace begins and ends.

    `*_rows` per chunk, `*_bytes` per request body, `*_in_flight` chunks. `target_s` is how late an
    answer may be before the chunks shrink; a server that needs longer for any chunk gets longer.
    MLServer is fastest at 10 000 rows of four numbers, and slower at 50 000.
    """

    first_rows: int = 100
    most_rows: int = 10_000
    first_bytes: int = 1_000_000
    most_bytes: int = 4_000_000
    target_s: float = 0.5
    first_in_flight: int = 4
    most_in_flight: int = 64


DEFAULT_BOUNDS = Bounds()


class Pace:
    """Decides chunk size and concurrency; a number given for either is obeyed.

    Not thread-safe: whoever sends the chunks tells it of each from one thread. It never looks at a
    clock: times are seconds of any monotonic clock, given with each event. `row_bytes` is a guess
    at the body of a request per row, used until the first answer tells.

    Raises ConfigurationError for a number below 1.
    """

    def __init__(
        self,
        chunk_rows: int | Auto = "auto",
        concurrency: int | Auto = "auto",
        *,
        bounds: Bounds = DEFAULT_BOUNDS,
        row_bytes: float | None = None,
        at_s: float = 0.0,
    ) -> None:
        self._bounds = bounds
        self._is_rows_auto = _is_auto(chunk_rows, "chunk_rows")
        self._is_concurrency_auto = _is_auto(concurrency, "concurrency")
        self._row_bytes = row_bytes
        self._bytes_limit = bounds.first_bytes
        self._rows_limit = bounds.most_rows
        self._target_s = bounds.target_s
        self._now_s = at_s
        self._setting = Setting(
            min(bounds.first_rows, bounds.most_rows) if chunk_rows == "auto" else chunk_rows,
            min(bounds.first_in_flight, bounds.most_in_flight)
            if concurrency == "auto"
            else concurrency,
        )
        self._climbs = [Move.LARGER, Move.MORE]
        self._latest: Measured | None = None
        self._usual: Measured | None = None
        self._unloaded: Measured | None = None
        self._slope: float | None = None
        self._trial: tuple[Move, Measured] | None = None
        self._hold, self._held, self._strange, self._turn = SHORTEST_HOLD, 0, 0, 0
        self._largest_answered = 0
        self._outcomes: deque[bool] = deque(maxlen=max(OUTCOMES, 2 * bounds.most_in_flight))
        self._cut_s = float("-inf")
        self._level = self._new_level()

    @property
    def chunk_rows(self) -> int:
        """How many rows the next chunk may have, at least 1."""
        rows = self._setting.rows
        return min(rows, self._most_rows) if self._is_rows_auto else rows

    @property
    def concurrency(self) -> int:
        """How many chunks may be in flight, at least 1."""
        return self._setting.concurrency

    def answered(self, answer: Answered) -> None:
        """Learn from a chunk that was answered well."""
        self._now_s = answer.at_s
        self._outcomes.append(False)
        self._weigh(answer)
        self._largest_answered = max(self._largest_answered, answer.rows)
        if self._is_hopeless(answer):
            self._shrink_at_once(answer)
            return
        self._level.add(answer)
        measured = self._level.measured()
        if measured is not None:
            self._learn(measured)

    def overloaded(self, at_s: float) -> None:
        """Learn of a refusal: 429, 503, or a time-out that the size is not to blame for.

        Single ones are noise; three, and a twentieth of the last outcomes, halve what is in flight,
        at most once in a round trip.
        """
        self._now_s = at_s
        self._outcomes.append(True)
        if self._is_concurrency_auto and self._is_overload:
            self._cut()

    def timed_out(self, rows: int, at_s: float) -> None:
        """Learn of a time-out: chunks larger than any answered so far shrink to a quarter.

        With others it is an overload.
        """
        if not self._is_rows_auto or rows <= max(self._largest_answered, 1):
            self.overloaded(at_s)
            return
        self._now_s = at_s
        self._shrink(rows // 4)

    def refused_as_too_large(self, rows: int, at_s: float) -> None:
        """Learn of a 413: no chunk will have more than half of these rows again."""
        self._now_s = at_s
        self._rows_limit = max(1, min(self._rows_limit, rows // 2))
        if self._is_rows_auto:
            self._shrink(self._rows_limit)

    # What is known

    @property
    def _most_rows(self) -> int:
        if not self._row_bytes:
            return self._rows_limit
        return max(1, min(self._rows_limit, int(self._bytes_limit / self._row_bytes)))

    def _weigh(self, answer: Answered) -> None:
        """Rows that become larger count at once, rows that become smaller after a while."""
        seen = answer.body_bytes / max(answer.rows, 1)
        known = seen if not self._largest_answered or not self._row_bytes else self._row_bytes
        self._row_bytes = max(seen, 0.9 * known + 0.1 * seen)
        self._bytes_limit = self._bounds.most_bytes

    def _is_hopeless(self, answer: Answered) -> bool:
        is_first = self._latest is None and self._is_rows_auto and self.chunk_rows > 1
        is_of_now = answer.rows >= self.chunk_rows
        return is_first and is_of_now and answer.elapsed_s > HOPELESS * self._target_s

    @property
    def _is_overload(self) -> bool:
        count = max(OUTCOMES, 2 * self.concurrency)
        refused = sum(list(self._outcomes)[-count:])
        round_s = self._latest.latency_s if self._latest else UNKNOWN_ROUND_S
        is_another_round = self._now_s >= self._cut_s + round_s
        return is_another_round and refused >= max(LEAST_OVERLOADS, OVERLOADED_PART * count)

    # What follows from it

    def _learn(self, measured: Measured) -> None:
        if self._trial is None:
            self._settle(measured)
        else:
            move, before = self._trial
            self._conclude(move, before, measured)

    def _settle(self, measured: Measured) -> None:
        known = self._latest
        is_known = known is not None and known.setting == measured.setting
        self._notice_change(measured)
        is_steady = is_known and not self._strange
        self._latest = known.mixed_with(measured) if known and is_steady else measured
        self._usual = self._usual or measured
        self._held += 1
        self._next()

    def _notice_change(self, measured: Measured) -> None:
        """Two levels in a row that differ from the usual end the hold."""
        usual = self._usual
        ratio = measured.latency_s / usual.latency_s if usual and usual.latency_s else 1.0
        is_worse = ratio > CHANGED and usual and measured.rows_per_s < 1.1 * usual.rows_per_s
        is_strange = is_worse or ratio < 1 / CHANGED
        self._strange = self._strange + 1 if is_strange else 0
        if self._strange >= 2:
            self._slope = None
            self._usual = measured
            self._held, self._hold = self._hold, SHORTEST_HOLD
            self._turn = 1 if is_worse else 0
            self._strange = 0

    def _next(self) -> None:
        """Begin the next trial if it is time for one, or else measure once more."""
        before = self._latest
        move = self._next_climb(before) if self._climbs else self._next_turn(before)
        proposed = self._proposed(move, before) if move and before else None
        if move and before and proposed:
            self._try(move, before, proposed)
        else:
            self._level = self._new_level()

    def _next_climb(self, before: Measured | None) -> Move | None:
        while before and self._climbs:
            is_late = self._climbs[0] is Move.LARGER and self._proposed(Move.SMALLER, before)
            move = Move.SMALLER if is_late else self._climbs[0]
            if self._proposed(move, before):
                return move
            self._climbs.pop(0)
        self._rest(before)
        return None

    def _next_turn(self, before: Measured | None) -> Move | None:
        """Each kind of trial in turn, as far as there is something to try."""
        if before is None or self._held < self._hold:
            return None
        order = (Move.MORE, Move.FEWER, Move.LARGER, Move.SMALLER)
        for _ in order:
            move = order[self._turn % len(order)]
            self._turn += 1
            if self._proposed(move, before):
                return move
        return None

    def _proposed(self, move: Move, before: Measured) -> Setting | None:
        if not (self._is_rows_auto if move.is_about_rows else self._is_concurrency_auto):
            return None
        if move is Move.LARGER:
            return trials.larger(before, self._most_rows, self._target_s, self._slope)
        if move is Move.SMALLER:
            return trials.smaller(before, self._target_s)
        if move is Move.MORE:
            factor = 2.0 if self._climbs else 1.5
            return trials.more(before, self._bounds.most_in_flight, factor)
        return trials.fewer(before, self._unloaded.latency_s if self._unloaded else None)

    def _try(self, move: Move, before: Measured, proposed: Setting) -> None:
        self._trial = (move, before)
        self._setting = proposed
        self._level = self._new_level()

    def _conclude(self, move: Move, before: Measured, after: Measured) -> None:
        if move.is_about_rows:
            self._slope = trials.seconds_per_row(before, after)
        verdict = trials.judged(move, before, after, self._target_s)
        self._trial = None
        self._setting = verdict.setting
        self._latest = after if verdict.is_better else before
        self._note_unloaded(move, verdict, before, after)
        if move is Move.SMALLER and not verdict.is_better:
            # The rows are not to blame: so late is usual here.
            self._target_s = max(self._target_s, 5 * after.latency_s)
        self._go_on(move, verdict, before)

    def _note_unloaded(
        self, move: Move, verdict: Verdict, before: Measured, after: Measured
    ) -> None:
        """Where more in flight bring more, or fewer bring less, nothing queues."""
        if move is Move.MORE and verdict.is_better:
            self._unloaded = before
        elif move is Move.FEWER and not verdict.is_better:
            self._unloaded = after
        elif move.is_about_rows and verdict.setting != before.setting:
            self._unloaded = None

    def _go_on(self, move: Move, verdict: Verdict, before: Measured) -> None:
        """The same again after a success; after a failure the next climb, or a longer hold."""
        if not self._climbs:
            self._hold = SHORTEST_HOLD if verdict.is_better else min(2 * self._hold, LONGEST_HOLD)
            self._held = self._hold if verdict.is_better else 0
            self._turn -= verdict.is_better
            self._usual = None
        elif not verdict.is_better and move is not Move.SMALLER:
            self._climbs.pop(0)
        if verdict.is_better or verdict.setting == before.setting:
            self._next()
        else:
            self._level = self._new_level()

    def _rest(self, before: Measured | None) -> None:
        """Hold what is good, from now on."""
        self._held, self._hold, self._usual = 0, SHORTEST_HOLD, before

    def _cut(self) -> None:
        """Half as many in flight; or what was before the trial that was too much."""
        if self._trial and self._trial[0] is Move.MORE:
            kept = self._trial[1].setting.concurrency
            self._hold = min(2 * self._hold, LONGEST_HOLD)
        else:
            kept, self._hold, self._turn = max(1, self.concurrency // 2), SHORTEST_HOLD, 0
        self._climbs = self._climbs if Move.LARGER in self._climbs else []
        self._restart(replace(self._setting, concurrency=kept))
        self._cut_s = self._now_s
        self._outcomes.clear()

    def _shrink_at_once(self, answer: Answered) -> None:
        self._shrink(trials.rows_in_time(answer.rows, answer.elapsed_s, self._target_s))

    def _shrink(self, rows: int) -> None:
        kept = max(1, min(rows, self._setting.rows))
        if kept == self._setting.rows:
            return
        if self._latest is not None:
            self._climbs = []
        self._restart(replace(self._setting, rows=kept))
        self._unloaded = None

    def _restart(self, setting: Setting) -> None:
        """Measure anew; what was being tried no longer matters."""
        self._setting, self._trial, self._usual, self._slope = setting, None, None, None
        self._held = self._strange = 0
        self._level = self._new_level()

    def _new_level(self) -> Level:
        concurrency = self._setting.concurrency
        is_quick = bool(self._climbs)
        rounds = max(2, -(-(8 if is_quick else 16) // concurrency))
        return Level(
            self._setting,
            self._now_s,
            answers=concurrency * rounds,
            least_s=0.02 if is_quick else 0.1,
            is_about_rows=self._trial is not None and self._trial[0].is_about_rows,
        )


def _is_auto(value: int | Auto, name: str) -> bool:
    if value != "auto" and value < 1:
        raise ConfigurationError(f"{name} is {value}: use auto, or a number from 1 up")
    return value == "auto"
