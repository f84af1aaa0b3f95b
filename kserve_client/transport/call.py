"""One call on its way: what was asked for, and what became of it so far."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

import requests
from requests.structures import CaseInsensitiveDict

from kserve_client.endpoint import Endpoint

if TYPE_CHECKING:
    from kserve_client.transport.tokens import TokenSource


class Options(TypedDict, total=False):
    """What a call may say beside method and path.

    `body` travels as it is, gzipped when `compress` says so and it is large enough to pay. `headers`
    win over all others. `read_timeout_s` and `retries` replace those of the endpoint and transport.
    `token` is a bearer token for this call alone: it replaces the endpoint's auth and is kept nowhere.
    `limit_bytes` is the largest body that is taken: a longer one is an InvalidAnswerError.
    """

    body: bytes | None
    headers: Mapping[str, str] | None
    read_timeout_s: float | None
    retries: int | None
    token: str | None
    compress: bool
    limit_bytes: int | None


class Request(requests.PreparedRequest):
    """A request that is ready to be sent. `target` is what stands in its first line.

    `requests` would prepare it with care for cookies, redirects and forms, which no V2 call has; that
    care costs as much time as the rest of a small call (measured).
    """

    target: str

    @classmethod
    def of(
        cls, method: str, address: Address, headers: CaseInsensitiveDict[str], body: bytes | None
    ) -> Request:
        """Put it together."""
        request = cls()
        request.method = method
        request.url = address.url
        request.target = address.target
        request.headers = headers
        request.body = body
        return request


@dataclass(frozen=True, slots=True)
class Address:
    """A whole URL, quoted and encoded, and the part of it that stands in the request's first line."""

    url: str
    target: str


@dataclass(slots=True)
class Call:
    """A call while it runs. Times are of the monotonic clock, in seconds."""

    endpoint: Endpoint
    method: str
    path: str
    request: Request = field(repr=False)
    request_id: str
    retries: int
    wait_s: float
    started: float
    deadline: float
    # The provider of the token that goes with it, when it proves itself in no other way.
    tokens: TokenSource | None = field(default=None, repr=False)
    limit_bytes: int | None = None
    attempts: int = 0
    is_replayed: bool = False
    wants_new_connection: bool = False
    sent_bytes: int = 0
    received_bytes: int = 0
    status: int | None = None

    @property
    def left_s(self) -> float:
        """Seconds to the deadline."""
        return max(self.deadline - time.monotonic(), 0.001)

    @property
    def what(self) -> str:
        """What to call it in a message."""
        return f"{self.method} {self.path} on {self.endpoint.name}"
