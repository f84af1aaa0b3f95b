"""Progress of a run on standard error: a bar on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator

from kserve_client.scoring import Progress

BAR_CHARACTERS = 20
PLAIN_LINE_EVERY_S = 5.0
BAR_EVERY_S = 0.1
_CLEAR = "\r\x1b[K"


class ProgressLine:
    """Shows how far a run is.

    `is_ending` says whether somebody has asked for its end.
    """

    def __init__(self, *, is_ending: Callable[[], bool]) -> None:
        self._is_ending = is_ending
        self._is_terminal = sys.stderr.isatty()
        self._every_s = BAR_EVERY_S if self._is_terminal else PLAIN_LINE_EVERY_S
        self._shown_at = time.monotonic()

    def show(self, progress: Progress) -> None:
        """Show how far the run is, unless that was done a moment ago."""
        now = time.monotonic()
        is_last = progress.rows_done == progress.rows_total
        is_early = now - self._shown_at < self._every_s
        if is_early and not (is_last and self._is_terminal):
            return
        self._shown_at = now
        words = ", ".join(_words(progress, is_ending=self._is_ending()))
        sys.stderr.write(_on_terminal(progress, words) if self._is_terminal else f"{words}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Clear the bar away."""
        if self._is_terminal:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()


def _on_terminal(progress: Progress, words: str) -> str:
    """One line of the terminal, which the next one is written over."""
    room = shutil.get_terminal_size().columns - 1
    return f"{_CLEAR}{f'{_bar(progress)}{words}'[:room]}"


def _bar(progress: Progress) -> str:
    if progress.share is None:
        return ""
    filled = int(BAR_CHARACTERS * progress.share)
    return f"[{'#' * filled}{'-' * (BAR_CHARACTERS - filled)}] "


def _words(progress: Progress, *, is_ending: bool) -> Iterator[str]:
    """What matters most comes first: a narrow terminal shows no more."""
    done = f"{progress.rows_done:,}"
    if progress.rows_total is None or progress.share is None:
        yield f"{done} rows"
    else:
        yield f"{int(100 * progress.share)} %, {done} of {progress.rows_total:,} rows"
    if is_ending:
        yield "stopping (Ctrl-C again ends at once)"
    elif progress.is_waiting:
        yield "waiting for the model"
    if progress.failed:
        yield f"{progress.failed:,} failed"
    if progress.skipped:
        yield f"{progress.skipped:,} skipped"
    yield f"{progress.rows_per_s:,.0f} rows/s"
    if progress.eta_s and not progress.is_waiting:
        yield f"{duration(progress.eta_s)} left"
    yield f"{progress.concurrency} × {progress.chunk_rows:,} rows at a time"


def duration(seconds: float) -> str:
    """A time as people say it, to two of its units.

    >>> duration(3.21), duration(80), duration(7500)
    ('3 s', '1 min 20 s', '2 h 5 min')
    """
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
