"""What is tried again, and after which pause."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

from kserve_client.transport.answer import Answer

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
    asked_s = None if answer is None else _retry_after_s(answer.headers)
    return pause_s if pause_s is None or asked_s is None else max(asked_s, 0.0)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        return None
