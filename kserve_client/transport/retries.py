"""What is tried again, and after which pause."""

from __future__ import annotations

import random
from collections.abc import Iterator

from kserve_client.transport.answer import Answer, retry_after_s

DEFAULT_RETRIES = 2
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0


def pauses_of(retries: int) -> Iterator[float]:
    """Jitter: each pause is drawn between half and the whole of a doubling bound, in seconds."""
    for attempt in range(retries):
        bound = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)
        yield random.uniform(bound / 2, bound)  # noqa: S311 - no secret hangs on it


def next_pause_s(pauses: Iterator[float], answer: Answer | None) -> float | None:
    """The server's own Retry-After, or our next pause; None when there is no retry left."""
    pause_s = next(pauses, None)
    asked_s = None if answer is None else retry_after_s(answer.headers)
    return pause_s if pause_s is None or asked_s is None else max(asked_s, 0.0)
