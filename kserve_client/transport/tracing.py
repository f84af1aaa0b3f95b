"""W3C trace context: which trace a call belongs to (https://www.w3.org/TR/trace-context/)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from kserve_client.errors import ConfigurationError

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_current: ContextVar[Mapping[str, str] | None] = ContextVar("trace", default=None)


@contextmanager
def tracing(traceparent: str, tracestate: str = "") -> Iterator[None]:
    """Send these with each call of the block, e.g. those of the request that is being answered.

    They belong to the thread, or the asyncio task, of the block. Raises ConfigurationError for a
    traceparent that is none.
    """
    if not _TRACEPARENT.fullmatch(traceparent):
        raise ConfigurationError(
            "a traceparent is 00-<32 hex digits>-<16 hex digits>-<2 hex digits>"
        )
    token = _current.set(_headers(traceparent, tracestate))
    try:
        yield
    finally:
        _current.reset(token)


def trace_headers() -> Mapping[str, str]:
    """The headers of the current trace: of `tracing`, else of OpenTelemetry's current span, else none."""
    given = _current.get()
    return _of_open_telemetry() if given is None else given


def _of_open_telemetry() -> Mapping[str, str]:
    """There can be a span only where somebody has imported its API."""
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None:
        return {}
    span = api.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    parent = f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"
    return _headers(parent, span.trace_state.to_header())


def _headers(traceparent: str, tracestate: str) -> dict[str, str]:
    headers = {"traceparent": traceparent}
    return {**headers, "tracestate": tracestate} if tracestate else headers
