"""How fast a server is at one setting: rows a chunk, chunks in flight. Measured, not modelled."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

# A level ends early, after one answer per chunk in flight, when the answers are slow.
PATIENCE_S = 5.0
# Chunks that were cut before the level began may still be on their way.
_SAME_TIME_S = 1e-9


@dataclass(frozen=True, slots=True)
class Answered:
    """One chunk that was answered well, at `at_s` of a monotonic clock in seconds.

    `rows` and `body_bytes` are those of the request, `elapsed_s` is the time from its sending to
    its answer, `in_flight` counts the chunks on their way just before the answer, itself included.
    """

    rows: int
    body_bytes: int
    elapsed_s: float
    in_flight: int
    at_s: float

    @property
    def sent_s(self) -> float:
        """When the request was sent."""
        return self.at_s - self.elapsed_s


@dataclass(frozen=True, slots=True)
class Setting:
    """How many rows a chunk has, and how many chunks may be in flight."""

    rows: int
    concurrency: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What a setting brought: rows per second in all, and the usual seconds to an answer."""

    setting: Setting
    rows_per_s: float
    latency_s: float

    def mixed_with(self, other: Measured) -> Measured:
        """The mean of two measures of the same setting."""
        return Measured(
            self.setting,
            (self.rows_per_s + other.rows_per_s) / 2,
            (self.latency_s + other.latency_s) / 2,
        )


class Level:
    """The answers while one setting is in force.

    Only requests sent after it began count. The rate is what came after the first of their answers:
    whole rounds, so that answers that come in bursts are counted right. One slow answer among many
    moves neither the rate nor the latency, which is a median.
    """

    def __init__(
        self, setting: Setting, began_s: float, *, answers: int, least_s: float, is_about_rows: bool
    ) -> None:
        self.setting = setting
        self._began_s = began_s
        self._answers = answers
        self._least_s = least_s
        # A source may never fill a chunk of this size: after a while any size will do.
        self._strangers_left = 2 * setting.concurrency + 8 if is_about_rows else 0
        self._latencies: list[float] = []
        self._rows = 0
        self._first_s = self._last_s = began_s

    def add(self, answer: Answered) -> None:
        """Count an answer, unless it belongs to what was before."""
        if answer.sent_s < self._began_s - _SAME_TIME_S or self._is_strange(answer):
            return
        if self._latencies:
            self._rows += answer.rows
        else:
            self._first_s = answer.at_s
        self._last_s = answer.at_s
        self._latencies.append(answer.elapsed_s)

    def _is_strange(self, answer: Answered) -> bool:
        wanted = self.setting.rows
        if self._strangers_left <= 0 or wanted <= 2 * answer.rows <= 4 * wanted:
            return False
        self._strangers_left -= 1
        return True

    def measured(self) -> Measured | None:
        """The measure, once there are enough answers."""
        count, spent_s = len(self._latencies) - 1, self._last_s - self._first_s
        if count < 1 or spent_s <= 0 or count % self.setting.concurrency:
            return None
        is_enough = count >= self._answers and spent_s >= self._least_s
        if not is_enough and spent_s < PATIENCE_S:
            return None
        return Measured(self.setting, self._rows / spent_s, statistics.median(self._latencies))
