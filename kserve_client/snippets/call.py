"""A call that can be written down, and JSON for reading."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import requests

from kserve_client.client import Exchange
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError
from kserve_client.wire import binary
from kserve_client.wire.body import head_of

# A shell takes 131,072 bytes in one argument (Linux, MAX_ARG_STRLEN); nobody reads that much.
LARGE_BODY_BYTES = 100_000
NO_JSON = object()


@dataclass(frozen=True)
class Call:
    """One request: `path` is what follows the endpoint's URL, `body` the bytes that travel.

    `headers` go beside those of the endpoint. A call that only reads says `method="GET"`.
    """

    endpoint: Endpoint
    path: str
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"

    @classmethod
    def of(cls, endpoint: Endpoint, exchange: Exchange) -> Self:
        """The call that an inference made."""
        return cls(endpoint, exchange.path, exchange.request_body, exchange.request_headers)

    @property
    def url(self) -> str:
        """The URL as it travels: path quoted, host encoded, so that curl finds no pattern in it.

        Raises ConfigurationError for a URL that can't travel.
        """
        try:
            url = requests.Request("GET", self.endpoint.url + self.path).prepare().url
        except requests.RequestException as error:
            raise ConfigurationError(f"{self.endpoint.name}: {error}") from None
        return url or ""

    @property
    def body_file(self) -> str | None:
        """The file that snippets read the body from; None when it stands in the snippet."""
        if not self.is_json:
            return "request.bin" if self.body else None
        return "request.json" if len(self.body) > LARGE_BODY_BYTES else None

    @property
    def file_note(self) -> list[str]:
        """The comment that says where the body is."""
        if self.body_file is None:
            return []
        return [
            f"# {self.body_file} holds the body, {len(self.body):,} bytes: save it beside this."
        ]

    @property
    def is_json(self) -> bool:
        """Whether there is a body and it is JSON as a whole."""
        return self.value is not NO_JSON

    @property
    def is_binary(self) -> bool:
        """Whether tensors travel binary, behind a head of JSON."""
        return self._head_length is not None

    @cached_property
    def value(self) -> Any:
        """What the body says in JSON, or NO_JSON."""
        return NO_JSON if self.is_binary else parsed(self.body)

    @property
    def parts(self) -> tuple[bytes, bytes]:
        """The head of a binary body and the bytes behind it."""
        head = head_of(self.body, {binary.HEAD_LENGTH: self._head_length or ""})
        return head, self.body[len(head) :]

    @property
    def _head_length(self) -> str | None:
        named = {name.lower(): value for name, value in self.headers.items()}
        return named.get(binary.HEAD_LENGTH.lower())


def parsed(body: bytes) -> Any:
    """The value of a JSON text in UTF-8, bare NaN and Infinity included, or NO_JSON.

    By Python's own reader: `orjson` makes floats of integers beyond 64 bits.
    """
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        return NO_JSON


def is_finite(value: Any) -> bool:
    """Whether a JSON value holds neither NaN nor infinity."""
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def json_text(body: bytes) -> str:
    """Lay JSON out for reading: objects indented, lists of plain values on one line.

    A body that is not JSON is returned as text.
    """
    value = parsed(body)
    return body.decode(errors="replace") if value is NO_JSON else _laid_out(value, "\n")


def _laid_out(value: Any, line_break: str) -> str:
    inner = f"{line_break}  "
    if isinstance(value, dict) and value:
        items = [f"{_plain(key)}: {_laid_out(item, inner)}" for key, item in value.items()]
        return f"{{{inner}{f',{inner}'.join(items)}{line_break}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        items = [_laid_out(item, inner) for item in value]
        return f"[{inner}{f',{inner}'.join(items)}{line_break}]"
    return _plain(value)


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
