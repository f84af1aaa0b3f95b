"""Blame: whether the model is gone, or only some rows get no answer.

Patience is for a model that is gone. That it is there, and so that rows are to blame, a witness tells:
a row that was predicted before goes first. While that one is not answered either, no row is to blame.
"""

from __future__ import annotations

from collections.abc import Callable

from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    KServeClientError,
    NoAnswerInTimeError,
    NotFoundError,
    ServerError,
    TLSError,
)
from kserve_client.scoring.chunks import Chunk
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.step import HopelessError

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
FIRST_CONNECT_PATIENCE_S = 3.0
# While nothing was ever answered, chunks are halved to find rows that are, but not without end.
MOST_PIECES = 32
UNANSWERED_BEFORE_WAITING = 3
TOO_LARGE = 413
# What a gateway says of a server that died of a request, or is silent. 503 is said of busy ones, too.
LOST_STATUSES = frozenset({502, 504})


class Judge:
    """Hears of each answer and of each that did not come, and says whom to blame.

    `patience_s` is how many seconds a model is waited for that answered before and does not any more.
    `has_answered` says that it did before this run, and `find_witness` finds a row that it predicted
    then. Times are those of `time.monotonic`.
    """

    def __init__(
        self, patience_s: float, *, has_answered: bool, find_witness: Callable[[], Rows | None]
    ) -> None:
        self._longest_s = patience_s
        self._has_answered = has_answered
        self._find_witness = find_witness
        self._last_answer: float | None = None
        self._failing_since: float | None = None
        self._unanswered = 0
        self.witness: Rows | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the server ever dealt with a request."""
        return self._last_answer is not None

    @property
    def is_waiting(self) -> bool:
        """Whether the model gave no answer to the last few requests."""
        return self._unanswered >= UNANSWERED_BEFORE_WAITING

    def heard(self, now: float) -> None:
        """The model is there."""
        self._last_answer, self._failing_since, self._unanswered = now, None, 0

    def predicted(self, scored: Scored, now: float) -> None:
        """The model is there; of what it predicted first, a row will be the witness."""
        self.heard(now)
        self.witness = self.witness or scored.predicted_row()

    def refused(self, now: float) -> None:
        """The server dealt with a request, which says nothing of what waits."""
        self._last_answer = self._last_answer or now

    def begin_anew(self) -> None:
        """Have the patience of the beginning, as after a pause."""
        self._failing_since = None

    def missed(self, chunk: Chunk, error: KServeClientError, now: float) -> None:
        """No answer came."""
        self._failing_since = self._failing_since or now
        self._unanswered = 0 if is_too_large(error) else self._unanswered + 1
        if chunk.failed_at is not None and (self._last_answer or 0.0) > chunk.failed_at:
            chunk.failed_alone(
                is_lost=is_lost(error), is_silent=is_silent(error), is_unheard=_is_unheard(error)
            )
        chunk.failed(now)

    def may_be_its_rows(self, chunk: Chunk) -> bool:
        """Whether it is for the witness to say that the model is gone."""
        if chunk.is_witness:
            return False
        if self.witness is None and self._has_answered:
            self.witness = self._find_witness()
        return self.witness is not None

    def is_over(
        self, chunk: Chunk, error: KServeClientError, now: float, *, may_hear: bool
    ) -> bool:
        """Whether the patience is: with the model, or with a chunk that never reached it.

        `may_hear` says that the first answer may be under way: a refusal is told sooner than a prediction.
        """
        if _is_hopeless(error):
            return True
        patience_s = self._patience_s(error)
        if not self.may_be_its_rows(chunk):
            is_late = now - (self._failing_since or now) >= patience_s
            return is_late and not (patience_s and may_hear)
        is_late = now - (chunk.failing_since or now) >= patience_s
        return _is_unheard(error) and chunk.has_failed_alone and is_late

    def is_to_blame(
        self, chunk: Chunk, error: KServeClientError, now: float, *, waiting: int
    ) -> bool:
        """Whether a row has failed, or many are to go in halves. `waiting` is how many chunks wait."""
        if chunk.is_witness:
            return False
        is_one = len(chunk.rows) == 1
        if is_too_large(error) or (is_silent(error) and not is_one):
            return True
        if _is_unheard(error):
            return False
        if is_one:
            return self._is_row_to_blame(chunk, error, now)
        if self.may_be_its_rows(chunk):
            return chunk.has_failed_alone or (is_lost(error) and chunk.tries_alone > 0)
        # Nothing was ever answered: maybe a half is.
        silent_s = now - (self._failing_since or now)
        is_time = is_lost(error) or silent_s >= self._longest_s / 2
        return is_time and chunk.tries > 1 and waiting < MOST_PIECES

    def _is_row_to_blame(self, chunk: Chunk, error: KServeClientError, now: float) -> bool:
        if is_lost(error) and chunk.was_lost_alone:
            return True
        failing_s = now - (chunk.failing_since or now)
        return chunk.has_failed_alone and failing_s >= self._longest_s

    def pause_s(self, tries: int, error: KServeClientError, now: float) -> float:
        """Our own pause, or what the server asks for where that is longer and within the patience."""
        own_s: float = min(FIRST_PAUSE_S * 2 ** min(tries, 10), LONGEST_PAUSE_S)
        asked_s = error.retry_after_s if isinstance(error, ServerError) else None
        if asked_s is None:
            return own_s
        left_s = self._patience_s(error) - (now - (self._failing_since or now))
        return max(own_s, min(asked_s, max(left_s, 0.0)))

    def why_over(self, error: KServeClientError) -> str:
        """What to say of a run that ends."""
        patience_s = self._patience_s(error)
        waited = f"no answer for {patience_s:g} s: " if patience_s else ""
        return f"{waited}{error}"

    def _patience_s(self, error: KServeClientError) -> float:
        if _is_hopeless(error):
            return 0.0
        if self._last_answer is not None or self._has_answered:
            return self._longest_s
        if isinstance(error, NotFoundError):
            return 0.0
        if isinstance(error, ConnectError):
            return min(FIRST_CONNECT_PATIENCE_S, self._longest_s)
        return self._longest_s


def is_too_large(error: KServeClientError) -> bool:
    """Whether the server takes fewer bytes."""
    return isinstance(error, ServerError) and error.status == TOO_LARGE


def is_silent(error: KServeClientError) -> bool:
    """Whether the server took longer than it may."""
    return isinstance(error, NoAnswerInTimeError)


def is_lost(error: KServeClientError) -> bool:
    """Whether the server had the request and did not come to an answer, as when it dies of it."""
    if isinstance(error, ServerError):
        return error.status in LOST_STATUSES
    return isinstance(error, ConnectionLostError | NoAnswerInTimeError)


def why_failed(error: KServeClientError) -> str:
    """What to say of a row that is to blame."""
    told = " ".join(str(error).split())
    return (
        told
        if is_too_large(error)
        else f"no answer to this row, while others were answered: {told}"
    )


def _is_hopeless(error: KServeClientError) -> bool:
    """Whether waiting mends nothing."""
    return isinstance(error, AccessError | ConfigurationError | TLSError | HopelessError)


def _is_unheard(error: KServeClientError) -> bool:
    """Whether the model never had the request."""
    return isinstance(error, ConnectError | NotFoundError)
