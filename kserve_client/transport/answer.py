"""An HTTP answer, and what it means when it is a refusal."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from kserve_client.errors import (
    AccessError,
    InvalidAnswerError,
    KServeClientError,
    NotFoundError,
    NotReadyError,
    ServerError,
)
from kserve_client.wire.json import parse_value

# Objects in each other around a message, e.g. {"detail": [{"error": {"message": …}}]}.
DEEPEST_MESSAGE = 6


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer.

    `elapsed_ms` is the time of the last attempt, `attempts` counts all of them, `request_id` is the
    X-Request-ID that went with each.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_ms: float
    attempts: int = 1
    request_id: str = ""

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body):,} bytes in {self.elapsed_ms:.0f} ms)"

    @property
    def is_ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


def refusal(answer: Answer, what: str) -> KServeClientError:
    """The error for an answer outside 2xx. `what` names the request, e.g. "GET /v2 on http://host"."""
    is_redirect = 300 <= answer.status < 400
    # The page of a redirect repeats its target, whose query may hold a secret.
    said = "" if is_redirect else server_message(answer)
    body = b"" if is_redirect else answer.body[:2000]
    kind, advice = _verdict(answer)
    reason = f"{answer.status} {http.client.responses.get(answer.status, '')}".strip()
    parts = [part.rstrip(" .") for part in (reason, said) if part]
    error = kind(
        f"{what}: {': '.join(parts)}" + (f". {advice}" if advice else ""),
        status=answer.status,
        server_message=said,
        body=body.decode(errors="replace"),
        attempts=answer.attempts,
    )
    error.retry_after_s = retry_after_s(answer.headers)
    if isinstance(error, AccessError):
        error.location = shown_address(answer.headers.get("location", ""))
    return error


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until the server wants to be asked again (Retry-After, a number or a date); None unsaid."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None


def server_message(answer: Answer) -> str:
    """What the server said of a failure: `error`, `detail`, the last line of a text; "" for HTML.

    Seen: MLServer and KServe send {"error": …}, FastAPI {"detail": text or list}, MLServer's 500 a
    plain text or a whole traceback, whose last line holds the reason; gateways send HTML or
    nothing.
    """
    try:
        said = parse_value(answer.body)
    except InvalidAnswerError:
        return _last_line(answer)
    if isinstance(said, list):
        return ""
    return _joined(said, DEEPEST_MESSAGE)[:500]


def _joined(said: Any, depth: int) -> str:
    """FastAPI's detail is a list of {"loc", "msg"}; gateways write {"message"}."""
    if depth == 0:
        return ""
    if isinstance(said, list):
        return "; ".join(_joined(item, depth - 1) for item in said if not isinstance(item, list))
    if not isinstance(said, dict):
        return "" if said is None else str(said)
    if isinstance(said.get("msg"), str):
        where = said["loc"] if isinstance(said.get("loc"), list) else []
        return ": ".join(filter(None, [".".join(_scalars(where)), said["msg"]]))
    keys = ("error", "detail", "message")
    return next((_joined(said[key], depth - 1) for key in keys if said.get(key)), "")


def _scalars(parts: list[Any]) -> list[str]:
    return [str(part) for part in parts if isinstance(part, str | int)]


def _last_line(answer: Answer) -> str:
    text = answer.body.decode(errors="replace").strip()
    if "html" in answer.headers.get("content-type", "").lower() or re.match(
        r"<(!|html)", text, re.IGNORECASE
    ):
        return ""
    return text.splitlines()[-1].strip()[:500] if text else ""


def _verdict(answer: Answer) -> tuple[type[ServerError], str]:
    if answer.status in (401, 403):
        return AccessError, "Check the token of this endpoint"
    if 300 <= answer.status < 400:
        target = shown_address(answer.headers.get("location", ""))
        return AccessError, (
            f"It points to {target or 'nowhere'}: a login page may stand before the endpoint, or "
            "its URL needs https"
        )
    if answer.status == 404:
        return NotFoundError, "Check the name and version of the model"
    if answer.status == 503:
        return NotReadyError, "It may be starting: try again in a moment"
    if answer.status == 500:
        return ServerError, (
            "Seen most often when the input does not fit the model: compare names, number and "
            "kinds of the inputs"
        )
    return ServerError, ""


def shown_address(location: str) -> str:
    """Without user, query and fragment, which may hold secrets."""
    address = re.split(r"[?#]", location)[0]
    return re.sub(r"//[^/]*@", "//", address)[:200]
