"""What became of a call, for metrics and traces: one event each, without bodies and secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "refused", "no answer", "invalid"]


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One call to an endpoint, with all its attempts.

    `endpoint` is its base URL, `model` the name of the model in the path, "" where it has none.
    `outcome`: `ok` for a 2xx answer that could be read, `refused` for any other status, `no answer`
    when nothing whole came, `invalid` for an answer that is not what the protocol says. `status` is
    None when no answer came. `elapsed_ms` is the whole call, pauses and reading of the answer
    included. `sent_bytes` and `received_bytes` count bodies as they travelled, in all attempts.
    """

    endpoint: str
    method: str
    path: str
    model: str
    outcome: Outcome
    status: int | None
    elapsed_ms: float
    attempts: int
    sent_bytes: int
    received_bytes: int
    request_id: str


OnEvent = Callable[[CallEvent], object]
