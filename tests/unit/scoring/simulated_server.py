"""A server and the loop that keeps it busy, in virtual time: an hour of scoring takes milliseconds."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from kserve_client.scoring.pace import Answered, Pace

Seconds = Callable[[int, float], float]


@dataclass
class SimulatedServer:
    """Workers that take `service(rows, now)` seconds a request, first come first served.

    Above `queue` waiting requests it refuses at once (503), and `refuses` draws more refusals at
    will. `spread` is the standard deviation of a service time, as a part of it.
    """

    service: Seconds
    workers: Callable[[float], int] = lambda _: 1_000_000
    queue: int = 1_000_000
    refuses: Callable[[float, random.Random], bool] = lambda _, __: False
    spread: float = 0.0
    seed: int = 7


@dataclass(frozen=True)
class Moment:
    """An answer (or a refusal, with no rows) and the pace after it."""

    at_s: float
    rows: int
    chunk_rows: int
    concurrency: int


@dataclass
class Run:
    """What happened."""

    moments: list[Moment] = field(default_factory=list)

    def rate(self, start_s: float, stop_s: float) -> float:
        """Return the rows per second between two times."""
        rows = sum(moment.rows for moment in self.moments if start_s < moment.at_s <= stop_s)
        return rows / (stop_s - start_s)

    def concurrency(self, start_s: float, stop_s: float) -> set[int]:
        """Return every number of chunks that was allowed in flight between two times."""
        return {m.concurrency for m in self.moments if start_s < m.at_s <= stop_s}

    def chunk_rows(self, start_s: float, stop_s: float) -> set[int]:
        """Return every chunk size between two times."""
        return {m.chunk_rows for m in self.moments if start_s < m.at_s <= stop_s}


@dataclass
class _Drive:
    server: SimulatedServer
    pace: Pace
    row_bytes: float
    think_s: float
    run: Run = field(default_factory=Run)
    waiting: deque[tuple[int, float]] = field(default_factory=deque)
    # (time, number, rows, sent, came well); `rows` 0 is the moment after a refusal.
    events: list[tuple[float, int, int, float, bool]] = field(default_factory=list)
    busy: int = 0
    in_flight: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.server.seed)
        self.numbers = count()

    def until(self, end_s: float) -> Run:
        now = 0.0
        self.send(now)
        while self.events and now < end_s:
            now, _, rows, sent_s, is_well = heapq.heappop(self.events)
            self.answer(now, rows, sent_s) if is_well else self.refuse(now)
            self.in_flight -= 1
            self.send(now)
        return self.run

    def send(self, now: float) -> None:
        while self.in_flight < self.pace.concurrency:
            self.in_flight += 1
            if len(self.waiting) >= self.server.queue or self.server.refuses(now, self.random):
                self.event(now + 0.005, 0, now, is_well=False)
            else:
                self.waiting.append((self.pace.chunk_rows, now))
                self.work(now)
        self.work(now)

    def work(self, now: float) -> None:
        while self.waiting and self.busy < self.server.workers(now):
            rows, sent_s = self.waiting.popleft()
            self.busy += 1
            spread = self.server.spread
            factor = self.random.gammavariate(1 / spread**2, spread**2) if spread else 1.0
            took = self.server.service(rows, now) * factor + self.think_s
            self.event(now + took, rows, sent_s, is_well=True)

    def event(self, at_s: float, rows: int, sent_s: float, *, is_well: bool) -> None:
        heapq.heappush(self.events, (at_s, next(self.numbers), rows, sent_s, is_well))

    def answer(self, now: float, rows: int, sent_s: float) -> None:
        self.busy -= 1
        size = int(rows * self.row_bytes)
        self.pace.answered(Answered(rows, size, now - sent_s, self.in_flight, now))
        self.note(now, rows)

    def refuse(self, now: float) -> None:
        self.pace.overloaded(now)
        self.note(now, 0)

    def note(self, now: float, rows: int) -> None:
        pace = self.pace
        self.run.moments.append(Moment(now, rows, pace.chunk_rows, pace.concurrency))


def drive(
    server: SimulatedServer,
    pace: Pace,
    end_s: float,
    *,
    row_bytes: float = 40.0,
    think_s: float = 0.0,
) -> Run:
    """Keep as many chunks in flight as the pace allows until `end_s`."""
    return _Drive(server, pace, row_bytes, think_s).until(end_s)
