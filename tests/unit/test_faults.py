"""What networks and gateways do to an answer, through the whole client: told for what it is, never guessed."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import numpy as np
import pytest

from kserve_client.client import InferenceClient
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    ConnectionLostError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerInTimeError,
    NotReadyError,
    ServerError,
)
from kserve_client.tensors import InferResponse, Tensor
from tests.unit.fault_server import FaultServer, Wire, fault_server, http

ROW = [Tensor.of("a", [1.5], datatype="FP32")]
GOOD = b'{"outputs":[{"name":"y","datatype":"FP32","shape":[2],"data":[0.5,1.5]}]}'
HEAD_ALONE = b"HTTP/1.1 200 OK\r\nContent-Length: 72\r\n\r\n"


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kserve_client.transport.retries.FIRST_PAUSE_S", 0.01)


def client(server: FaultServer, *, read_timeout_s: float = 10) -> InferenceClient:
    return InferenceClient(Endpoint(url=server.url, read_timeout_s=read_timeout_s, deadline_s=20))


def infer(server: FaultServer, *, read_timeout_s: float = 10) -> InferResponse:
    return client(server, read_timeout_s=read_timeout_s).infer("iris", ROW)


def patience_s(name: str) -> float:
    """Short where the fault is silence; long where a busy machine must not look like it."""
    return 0.3 if name == "slow body" else 10


def once(data: bytes) -> Callable[[Wire], object]:
    """Read a request, write these bytes, close the connection."""
    return lambda wire: (wire.read(), wire.write(data))


def always(data: bytes) -> Callable[[Wire], None]:
    """Answer every request so, over a connection that stays."""

    def script(wire: Wire) -> None:
        while wire.read() is not None:
            wire.write(data)

    return script


def stalling(wire: Wire) -> None:
    """Send half of the body and no more."""
    wire.read()
    wire.write(http(body=GOOD)[:-20])
    wire.read()


def without_shape(of: bytes, to: bytes) -> bytes:
    return http(body=GOOD.replace(of, to))


FAULTS: dict[str, tuple[Callable[[Wire], object], type[KServeClientError], str]] = {
    "cut after headers": (once(HEAD_ALONE), ConnectionLostError, "before its answer was whole"),
    "cut in headers": (once(HEAD_ALONE[:25]), ConnectionLostError, "before its answer was whole"),
    "cut in body": (once(http(body=GOOD)[:-9]), ConnectionLostError, "before its answer was whole"),
    "slow body": (stalling, NoAnswerInTimeError, "within 0.3 s"),
    "HTML 502": (
        always(http(502, b"<html>Bad Gateway</html>", Content_Type="text/html")),
        ServerError,
        "502 Bad Gateway$",
    ),
    "503 that stays": (
        always(http(503, b'{"error":"loading"}', Retry_After="0")),
        NotReadyError,
        "503 Service Unavailable: loading",
    ),
    "fewer values than the shape says": (
        once(without_shape(b"[2]", b"[3]")),
        InvalidAnswerError,
        "2 values for shape",
    ),
    "more values than the shape says": (
        once(without_shape(b"[2]", b"[1]")),
        InvalidAnswerError,
        "2 values for shape",
    ),
    "truncated JSON": (once(http(body=GOOD[:-9])), InvalidAnswerError, "it is not JSON"),
    "HTML 200": (once(http(body=b"<html>log in</html>")), InvalidAnswerError, "it is not JSON"),
    "empty 200": (once(http(body=b"")), InvalidAnswerError, "its body is empty"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_told_for_what_it_is(name: str) -> None:
    """The kind of the error says whose fault it was, its message what happened."""
    script, kind, why = FAULTS[name]
    with fault_server(script) as server, pytest.raises(kind, match=why) as caught:
        infer(server, read_timeout_s=patience_s(name))
    assert type(caught.value) is kind
    assert vars(caught.value)["request_id"] == server.seen[-1].headers["x-request-id"]


@pytest.mark.parametrize("name", FAULTS)
def test_after_a_fault_the_next_call_is_well(name: str) -> None:
    """Nothing of the broken answer is left in the connection."""
    script = FAULTS[name][0]
    with fault_server(script, script, script, always(http(body=GOOD))) as server:
        shared = client(server, read_timeout_s=patience_s(name))
        for _ in range(3):
            try:
                shared.infer("iris", ROW)
            except KServeClientError:
                shared.close()
        assert shared.infer("iris", ROW).output("y").data.tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("token", "value"), [(b"NaN", np.nan), (b"null", np.nan), (b"-Infinity", -np.inf)]
)
def test_numbers_that_are_none_are_read(token: bytes, value: float) -> None:
    """In each form that a server writes."""
    with fault_server(once(http(body=GOOD.replace(b"0.5", token)))) as server:
        np.testing.assert_array_equal(infer(server).output("y").data, [value, 1.5])


@pytest.mark.parametrize("pause_s", [0.0, 0.02])
def test_an_answer_longer_than_its_length_does_not_run_into_the_next(pause_s: float) -> None:
    """The rest belongs to nobody, whether it comes at once or later."""

    def longer(wire: Wire) -> None:
        while wire.read() is not None:
            wire.write(http(body=GOOD))
            time.sleep(pause_s)
            wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with fault_server(longer) as server:
        shared = client(server)
        for _ in range(3):
            assert shared.infer("iris", ROW).output("y").data.tolist() == [0.5, 1.5]
            time.sleep(0.1)


@pytest.mark.parametrize("length", range(len(HEAD_ALONE)))
def test_a_head_that_is_cut_anywhere_is_no_answer(length: int) -> None:
    """Least of all one that says the server is well: Python's own reader takes it for a shorter head."""
    with fault_server(once(HEAD_ALONE[:length])) as server:
        with pytest.raises((ConnectionLostError, InvalidAnswerError)):
            client(server).is_server_live()
        assert len(server.seen) == 1


@pytest.mark.parametrize("is_date", [False, True])
def test_a_busy_server_is_asked_again_when_it_says_so(is_date: bool) -> None:
    """503 with Retry-After, in seconds or as a date, and then the answer."""

    def script(wire: Wire) -> None:
        after = formatdate(time.time() + 1, usegmt=True) if is_date else "0"
        wire.answer(503, b"", Retry_After=after)
        wire.answer(200, GOOD)

    with fault_server(script) as server:
        found: Any = client(server).exchange("iris", ROW)
    assert found.attempts == 2
    assert found.response.output("y").data.tolist() == [0.5, 1.5]


def test_a_kept_connection_that_is_half_closed_is_replayed() -> None:
    """The server has closed its side, as MLServer does after each 500: the next call does not notice."""

    def half_closed(wire: Wire) -> None:
        wire.answer(500, b"Internal Server Error")
        wire.socket.shutdown(1)
        time.sleep(0.5)

    with fault_server(half_closed, always(http(body=GOOD))) as server:
        shared = client(server)
        with pytest.raises(ServerError):
            shared.infer("iris", ROW)
        assert shared.infer("iris", ROW).output("y").data.tolist() == [0.5, 1.5]
