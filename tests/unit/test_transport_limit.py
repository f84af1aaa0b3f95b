"""A limit to the size of an answer, kept while it comes in."""

from __future__ import annotations

import contextlib

import pytest

from kserve_client.endpoint import Endpoint
from kserve_client.errors import InvalidAnswerError
from kserve_client.transport import Transport
from tests.unit.fault_server import Wire, fault_server, http


def endless(wire: Wire) -> None:
    """Answer without an end, in chunks of 64 KiB."""
    wire.read()
    wire.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with contextlib.suppress(OSError):
        while True:
            wire.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def test_an_answer_without_an_end_is_left() -> None:
    """Reading stops at the limit; the error names it and the request."""
    with fault_server(endless) as server:
        client = Transport(Endpoint(url=server.url))
        with pytest.raises(InvalidAnswerError, match="larger than 100,000 bytes") as caught:
            client.send("GET", "/file", limit_bytes=100_000)
    assert str(caught.value).startswith(f"GET /file on {server.url}")


def test_an_answer_of_just_the_limit_is_taken() -> None:
    """And one of a byte more is not; the connection that it came on is not used again."""

    def answers(wire: Wire) -> None:
        while wire.read() is not None:
            wire.write(http(200, b"12345678"))

    with fault_server(answers) as server:
        client = Transport(Endpoint(url=server.url))
        assert client.send("GET", "/", limit_bytes=8).body == b"12345678"
        with pytest.raises(InvalidAnswerError):
            client.send("GET", "/", limit_bytes=7)
        assert client.send("GET", "/").body == b"12345678"
