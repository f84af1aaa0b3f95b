"""What to try next, and what a trial has shown. Plain arithmetic on measures; no state, no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

from kserve_client.scoring.levels import Measured, Setting

# A chunk may grow tenfold at once where its rows cost next to nothing.
LARGEST_STEP = 10
# More rows in a chunk have to bring this much, or they only make answers late …
WORTH_MORE_ROWS = 1.05
# … and this much where the answers are later than wanted.
WORTH_THE_WAIT = 1.5
# Fewer may cost this much.
WORTH_FEWER_ROWS = 0.85
WORTH_FEWER_IN_FLIGHT = 0.95
# Half of them are tried only where answers queue for long: a loss is noise then.
WORTH_HALF_IN_FLIGHT = 0.85
# More in flight has to bring this part of what an idle server would give.
WORTH_MORE_IN_FLIGHT = 0.3
# A few more than the server works on at once wait at its door, so that it never waits for us.
SPARE = 1.25
# Below this the difference is noise.
NOISE = 1.05


class Move(Enum):
    """The four ways to change a setting."""

    LARGER = "larger chunks"
    SMALLER = "smaller chunks"
    MORE = "more in flight"
    FEWER = "fewer in flight"

    @property
    def is_about_rows(self) -> bool:
        """Whether the chunks change, not their number."""
        return self in {Move.LARGER, Move.SMALLER}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds after a trial. `is_better` says the trial may go on."""

    setting: Setting
    is_better: bool


def larger(
    before: Measured, most_rows: int, target_s: float, seconds_per_row: float | None
) -> Setting | None:
    """Chunks of two to ten times the rows; None where that is too large or would be too slow.

    `seconds_per_row` is how much an answer is later for each row more; None while nobody knows.
    """
    rows = before.setting.rows
    slope = before.latency_s / rows if seconds_per_row is None else max(seconds_per_row, 1e-12)
    room_s = max(target_s - before.latency_s, before.latency_s / 4)
    is_known_slow = seconds_per_row is not None and slope * rows > room_s
    if is_known_slow or 4 * rows >= 3 * most_rows:
        return None
    wanted = rows + room_s / slope / 2
    grown = int(min(max(wanted, 2 * rows), LARGEST_STEP * rows, most_rows))
    return replace(before.setting, rows=grown)


def smaller(before: Measured, target_s: float) -> Setting | None:
    """Chunks that are answered in time, if the rows are to blame; None where they are already."""
    if before.setting.rows == 1 or before.latency_s <= 1.5 * target_s:
        return None
    return replace(
        before.setting, rows=rows_in_time(before.setting.rows, before.latency_s, target_s)
    )


def rows_in_time(rows: int, latency_s: float, target_s: float) -> int:
    """How many rows are answered in time where twice the rows take twice as long."""
    return max(1, int(rows * target_s / latency_s))


def more(before: Measured, most: int, factor: float) -> Setting | None:
    """More chunks in flight; None at the limit."""
    now = before.setting.concurrency
    wanted = min(max(now + 1, round(now * factor)), most)
    return replace(before.setting, concurrency=wanted) if wanted > now else None


def fewer(before: Measured, unloaded_s: float | None) -> Setting | None:
    """A third fewer in flight, or half; None where answers come as from a server with nothing to do.

    `unloaded_s` is the latency of such a server, as far as it is known.
    """
    now = before.setting.concurrency
    late = before.latency_s / unloaded_s if unloaded_s else 2.0
    wanted = max(2, round(now / 2 if late > 3 else now * 2 / 3))
    return replace(before.setting, concurrency=wanted) if late > 1.25 and wanted < now else None


def seconds_per_row(one: Measured, other: Measured) -> float:
    """How much later an answer is for each row more; 0.0 where it is not."""
    rows = other.setting.rows - one.setting.rows
    return max((other.latency_s - one.latency_s) / rows, 0.0)


def judged(move: Move, before: Measured, after: Measured, target_s: float) -> Verdict:
    """Compare a trial with what was before."""
    if move is Move.LARGER:
        return _judged_larger(before, after, target_s)
    if move is Move.MORE:
        return _judged_more(before, after)
    gain = after.rows_per_s / before.rows_per_s
    if gain < _least_gain(move, before, after):
        return Verdict(before.setting, is_better=False)
    return Verdict(after.setting, is_better=True)


def _least_gain(move: Move, before: Measured, after: Measured) -> float:
    if move is Move.SMALLER:
        return WORTH_FEWER_ROWS
    is_half = 2 * after.setting.concurrency <= before.setting.concurrency
    return WORTH_HALF_IN_FLIGHT if is_half else WORTH_FEWER_IN_FLIGHT


def _judged_larger(before: Measured, after: Measured, target_s: float) -> Verdict:
    gain = after.rows_per_s / before.rows_per_s
    if after.latency_s > target_s and gain < WORTH_THE_WAIT:
        slope = max(seconds_per_row(before, after), 1e-12)
        rows = before.setting.rows + int(max(target_s - before.latency_s, 0.0) / slope)
        return Verdict(replace(before.setting, rows=rows), is_better=False)
    if gain < WORTH_MORE_ROWS:
        return Verdict(before.setting, is_better=False)
    return Verdict(after.setting, is_better=True)


def _judged_more(before: Measured, after: Measured) -> Verdict:
    gain = after.rows_per_s / before.rows_per_s
    old, new = before.setting.concurrency, after.setting.concurrency
    if gain - 1 >= WORTH_MORE_IN_FLIGHT * (new / old - 1):
        return Verdict(after.setting, is_better=True)
    kept = min(math.ceil(old * gain * SPARE), new) if gain > NOISE else old
    return Verdict(replace(before.setting, concurrency=kept), is_better=False)
