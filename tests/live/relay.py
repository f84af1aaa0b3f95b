"""A relay before a real server: it hands on each request and answer whole, and remembers what came by."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.unit.fault_server import FaultServer, Wire, fault_server
from tests.unit.fault_server import http as written


@contextmanager
def relay_to(url: str) -> Iterator[FaultServer]:
    """Run the relay until the block ends; `seen` holds the requests."""

    def hand_on(wire: Wire) -> None:
        while (request := wire.read()) is not None:
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
            connection.request(request.method, request.target, request.body, request.headers)
            answer = connection.getresponse()
            body, kind = answer.read(), answer.getheader("content-type", "")
            wire.write(written(answer.status, body, Content_Type=kind))
            connection.close()

    with fault_server(hand_on) as server:
        yield server
