"""What goes with each call beside its body, and what is told of it afterwards."""

from __future__ import annotations

import asyncio
import gzip
import logging
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kserve_client import InferenceClient, Tensor
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    ConfigurationError,
    ConnectError,
    InvalidAnswerError,
    NoAnswerError,
    NoAnswerInTimeError,
    NotFoundError,
    ServerError,
)
from kserve_client.events import CallEvent
from kserve_client.transport import Transport, tracing
from kserve_client.transport.sender import GZIP_FROM_BYTES
from tests.unit.fault_server import FaultServer, Wire, fault_server, http

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER_PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kserve_client.transport.retries.FIRST_PAUSE_S", 0.01)


def transport(server: FaultServer, **settings: Any) -> Transport:
    return Transport(Endpoint(url=server.url, **settings))


def stays(wire: Wire) -> None:
    while wire.read() is not None:
        wire.write(http())


# Request ids


def test_each_call_has_a_request_id_of_its_own() -> None:
    """A UUID, as gateways make them; the answer names it."""
    with fault_server(stays) as server:
        client = transport(server)
        answers = [client.send("GET", "/v2"), client.send("GET", "/v2")]
    sent = [request.headers["x-request-id"] for request in server.seen]
    assert sent == [answer.request_id for answer in answers]
    assert len({uuid.UUID(text) for text in sent}) == 2


def test_a_request_id_may_be_given() -> None:
    """That of the request which is being answered, say."""
    with fault_server(stays) as server:
        answer = transport(server).send("GET", "/v2", headers={"x-request-id": "abc"})
    assert server.seen[0].headers["x-request-id"] == "abc"
    assert answer.request_id == "abc"


def test_all_attempts_have_one_request_id() -> None:
    """Retries after a refusal, and the replay of a dropped connection."""

    def drops(wire: Wire) -> None:
        wire.answer()
        wire.read()

    def busy(wire: Wire) -> None:
        wire.answer(503)
        wire.answer()

    with fault_server(drops, busy) as server:
        client = transport(server)
        client.send("GET", "/1")
        answer = client.send("GET", "/2")
    assert answer.attempts == 3
    assert {request.headers["x-request-id"] for request in server.seen[1:]} == {answer.request_id}


def test_errors_name_the_request_id() -> None:
    """The server's refusal, no answer, and an answer that can't be read."""
    with fault_server(lambda wire: wire.answer(404)) as server:
        with pytest.raises(NotFoundError) as refused:
            transport(server).send("GET", "/v2")
        assert refused.value.request_id == server.seen[0].headers["x-request-id"]
    with fault_server(lambda wire: wire.read()) as server:
        with pytest.raises(NoAnswerError) as silent:
            transport(server).send("GET", "/v2")
        assert silent.value.request_id == server.seen[0].headers["x-request-id"]
    with fault_server(lambda wire: wire.answer(body=b"<html>")) as server:
        with pytest.raises(InvalidAnswerError) as strange:
            InferenceClient(server.url).server_metadata()
        assert strange.value.request_id == server.seen[0].headers["x-request-id"]


# Traces


def test_a_given_trace_travels() -> None:
    """With each call of the block, and with none after it."""
    with fault_server(stays) as server:
        client = transport(server)
        with tracing(PARENT, "vendor=1"):
            client.send("GET", "/1")
            with tracing(OTHER_PARENT):
                client.send("GET", "/2")
        client.send("GET", "/3")
    sent = [(r.headers.get("traceparent"), r.headers.get("tracestate")) for r in server.seen]
    assert sent == [(PARENT, "vendor=1"), (OTHER_PARENT, None), (None, None)]


def test_a_trace_in_the_headers_of_a_call_wins() -> None:
    """As every header of a call does."""
    with fault_server(stays) as server, tracing(PARENT):
        transport(server).send("GET", "/v2", headers={"Traceparent": OTHER_PARENT})
    assert server.seen[0].headers["traceparent"] == OTHER_PARENT


def test_a_trace_belongs_to_its_thread() -> None:
    """Another thread that shares the client has none."""
    with fault_server(stays) as server:
        client = transport(server)
        with tracing(PARENT), ThreadPoolExecutor(1) as pool:
            pool.submit(client.send, "GET", "/v2").result()
    assert "traceparent" not in server.seen[0].headers


def test_a_trace_goes_into_the_threads_of_a_task() -> None:
    """`asyncio.to_thread` takes the task's context along, as docs/threads.md says."""

    async def call(client: Transport) -> None:
        with tracing(PARENT):
            await asyncio.to_thread(client.send, "GET", "/v2")

    with fault_server(stays) as server:
        asyncio.run(call(transport(server)))
    assert server.seen[0].headers["traceparent"] == PARENT


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "x",
        PARENT.upper(),
        PARENT[:-1],
        PARENT + "\nX: y",
        "ff" + PARENT[2:],
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        PARENT[:36] + "0" * 16 + "-01",
    ],
)
def test_a_traceparent_that_is_none_is_refused(parent: str) -> None:
    """The forms that the W3C calls invalid."""
    with pytest.raises(ConfigurationError, match="traceparent"), tracing(parent):
        pass


@contextmanager
def span_of(monkeypatch: pytest.MonkeyPatch, *, is_valid: bool, state: str) -> Any:
    """Stand in for OpenTelemetry's API, as far as it is asked."""
    context = SimpleNamespace(
        is_valid=is_valid,
        trace_id=0x0AF7651916CD43DD8448EB211C80319C,
        span_id=0xB7AD6B7169203331,
        trace_flags=1,
        trace_state=SimpleNamespace(to_header=lambda: state),
    )
    span = SimpleNamespace(get_span_context=lambda: context)
    api = SimpleNamespace(get_current_span=lambda: span)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "opentelemetry.trace", api)  # type: ignore[arg-type]
        yield


def test_the_current_span_of_open_telemetry_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its API is in use; a trace that is given goes before it."""
    with fault_server(stays) as server:
        client = transport(server)
        with span_of(monkeypatch, is_valid=True, state="vendor=1"):
            client.send("GET", "/1")
            with tracing(OTHER_PARENT):
                client.send("GET", "/2")
        with span_of(monkeypatch, is_valid=False, state=""):
            client.send("GET", "/3")
    sent = [(r.headers.get("traceparent"), r.headers.get("tracestate")) for r in server.seen]
    assert sent == [(PARENT, "vendor=1"), (OTHER_PARENT, None), (None, None)]


# Events


def events_of(*scripts: Any, path: str = "/v2/models/iris/infer", **send: Any) -> list[CallEvent]:
    """What is told of one call."""
    told: list[CallEvent] = []
    with fault_server(*scripts) as server:
        endpoint = Endpoint(url=server.url, read_timeout_s=2)
        client = Transport(endpoint, on_event=told.append)
        with suppress(ServerError, NoAnswerError, InvalidAnswerError):
            client.send("POST", path, body=b'{"inputs":[]}', **send)
        assert all(event.endpoint == server.url for event in told)
        assert all(
            event.request_id == seen.headers["x-request-id"]
            for event, seen in zip(told, server.seen, strict=False)
        )
    return told


def test_an_event_tells_what_became_of_a_call() -> None:
    """One for the call, with the bytes of its bodies."""
    (event,) = events_of(lambda wire: wire.answer(body=b'{"a": 1}'))
    assert (event.method, event.path, event.model) == ("POST", "/v2/models/iris/infer", "iris")
    assert (event.outcome, event.status, event.attempts) == ("ok", 200, 1)
    assert (event.sent_bytes, event.received_bytes) == (13, 8)
    assert 0 < event.elapsed_ms < 20_000


def test_an_event_counts_all_attempts() -> None:
    """The bytes of each, and the time of all, pauses included."""

    def script(wire: Wire) -> None:
        wire.answer(503, b"busy")
        wire.answer()

    (event,) = events_of(script)
    assert (event.outcome, event.status, event.attempts) == ("ok", 200, 2)
    assert (event.sent_bytes, event.received_bytes) == (26, 6)
    assert event.elapsed_ms > 5


@pytest.mark.parametrize(
    ("script", "outcome", "status"),
    [
        (lambda wire: wire.answer(400), "refused", 400),
        (lambda wire: wire.answer(302, Location="http://login.test"), "refused", 302),
        (Wire.read, "no answer", None),
        (lambda wire: (wire.read(), wire.read()), "no answer", None),
        (lambda wire: (wire.read(), wire.write(b"SSH-2.0\r\n"))[1], "invalid", None),
    ],
)
def test_an_event_tells_how_a_call_failed(script: Any, outcome: str, status: int | None) -> None:
    """Refused, without an answer, or with one that nobody can read."""
    (event,) = events_of(script)
    assert (event.outcome, event.status) == (outcome, status)


def test_bytes_are_counted_as_they_travel() -> None:
    """A compressed answer is smaller on the wire."""
    packed = gzip.compress(b" " * 10_000)
    (event,) = events_of(lambda wire: wire.answer(body=packed, Content_Encoding="gzip"))
    assert event.received_bytes == len(packed)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v2/models/iris/versions/v1/infer", "iris"),
        ("/v2/models/a%2Fb%20c/ready", "a/b c"),
        ("/v2/repository/models/iris/load", "iris"),
        ("/v1/models/iris:predict", "iris"),
        ("/v2/health/live", ""),
        ("/v2", ""),
    ],
)
def test_an_event_names_the_model(path: str, model: str) -> None:
    """As it is called, not as it is quoted."""
    assert [event.model for event in events_of(Wire.answer, path=path)] == [model]


def test_an_answer_that_is_not_v2_is_told_as_invalid() -> None:
    """Though its status was fine."""
    told: list[CallEvent] = []
    with fault_server(lambda wire: wire.answer(body=b'{"outputs": 5}')) as server:
        client = InferenceClient(server.url, on_event=told.append)
        with pytest.raises(InvalidAnswerError):
            client.infer("iris", [Tensor.of("a", [1.0])])
    assert [(event.outcome, event.status) for event in told] == [("invalid", 200)]


def test_a_call_that_was_never_sent_has_no_event() -> None:
    """Our own mistake is no measurement of the server."""
    told: list[CallEvent] = []
    client = Transport(Endpoint(url="http://h"), on_event=told.append)
    with pytest.raises(ConfigurationError):
        client.send("GET", "/v2", headers={"X": "a\nb"})
    assert told == []


def test_a_connection_that_could_not_be_made_is_told() -> None:
    """Nothing was sent, in three attempts."""
    told: list[CallEvent] = []
    client = Transport(Endpoint(url="http://127.0.0.1:9"), on_event=told.append)
    with pytest.raises(ConnectError):
        client.send("POST", "/v2", body=b"{}")
    assert [(e.outcome, e.attempts, e.sent_bytes) for e in told] == [("no answer", 3, 0)]


def test_a_hook_that_fails_breaks_no_call(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the answer comes."""

    def fails(event: CallEvent) -> None:
        raise RuntimeError("the metrics server is down")

    with fault_server(Wire.answer) as server:
        assert Transport(Endpoint(url=server.url), on_event=fails).send("GET", "/v2").status == 200
    assert "the hook for events failed" in caplog.text
    assert "the metrics server is down" in caplog.text


# The log


def test_the_log_holds_neither_bodies_nor_tokens(caplog: pytest.LogCaptureFixture) -> None:
    """One line a call, for those who ask for it."""
    caplog.set_level(logging.DEBUG, logger="kserve_client")
    with fault_server(lambda wire: wire.answer(body=b"s3cret-answer")) as server:
        answer = transport(server, auth={"value": "s3cret-token"}).send(
            "POST", "/v2/models/iris/infer", body=b"s3cret-body", headers={"X-Key": "s3cret-key"}
        )
    assert "s3cret" not in caplog.text
    (line,) = [record.getMessage() for record in caplog.records]
    for part in ("POST /v2/models/iris/infer", server.url, "ok 200", "11 bytes", answer.request_id):
        assert part in line


def test_the_log_is_silent_unless_asked(caplog: pytest.LogCaptureFixture) -> None:
    """A batch makes thousands of calls."""
    caplog.set_level(logging.INFO)
    with fault_server(Wire.answer) as server:
        transport(server).send("GET", "/v2")
    assert caplog.records == []


# Compressed requests


def infer(size: int, **settings: Any) -> FaultServer:
    answer = b'{"outputs": []}'
    with fault_server(lambda wire: [wire.answer(body=answer) for _ in "12"]) as server:
        client = InferenceClient(Endpoint(url=server.url, **settings))
        client.infer("iris", [Tensor.of("a", np.zeros(size, dtype=np.float32))])
    return server


@pytest.mark.parametrize("kind", ["mlserver", "triton"])
def test_large_requests_are_compressed_where_asked(kind: str) -> None:
    """For servers that are known to take it; the body is the same."""
    (plain,) = infer(4000, server=kind).seen
    (packed,) = infer(4000, server=kind, compress=True).seen
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 5
    assert gzip.decompress(packed.body) == plain.body


def test_small_requests_are_not_compressed() -> None:
    """One packet is one packet."""
    (request,) = infer(4, server="mlserver", compress=True).seen
    assert "content-encoding" not in request.headers
    assert len(request.body) < GZIP_FROM_BYTES


def test_a_server_is_asked_whether_it_takes_compressed_requests() -> None:
    """One that does not say its name gets none."""
    asked, request = infer(1000, compress=True).seen
    assert asked.target == "/v2"
    assert "content-encoding" not in request.headers


def test_a_time_out_of_the_call_reaches_the_wire() -> None:
    """And beats that of the endpoint."""
    with (
        fault_server(lambda wire: (wire.read(), wire.read())[1]) as server,
        pytest.raises(NoAnswerInTimeError, match=r"0\.1 s"),
    ):
        transport(server).send("GET", "/v2", read_timeout_s=0.1)


# A token of one call, through the client


def test_a_token_of_one_inference() -> None:
    """A person's own, instead of the endpoint's; the next call has the endpoint's again."""
    answer = b'{"outputs": []}'
    with fault_server(lambda wire: [wire.answer(body=answer) for _ in "12"]) as server:
        client = InferenceClient(server.url, token="ours")
        client.infer("iris", [Tensor.of("a", [1.0])], token="mine")
        client.infer("iris", [Tensor.of("a", [1.0])])
    sent = [request.headers["authorization"] for request in server.seen]
    assert sent == ["Bearer mine", "Bearer ours"]


def test_the_server_is_asked_for_its_name_with_the_token_of_the_call() -> None:
    """A person who is not let in does not decide how the next one is served."""
    triton = b'{"name": "triton", "version": "2", "extensions": []}'

    def script(wire: Wire) -> None:
        while (request := wire.read()) is not None:
            is_known = request.headers.get("authorization") == "Bearer known"
            is_name = request.target == "/v2"
            wire.write(http(200 if is_known else 403, triton if is_name else b'{"outputs": []}'))

    row = [Tensor.of("a", np.zeros(4000, dtype=np.float32))]
    with fault_server(script) as server:
        client = InferenceClient(server.url)
        with pytest.raises(ServerError):
            client.infer("iris", row, token="stranger")
        client.infer("iris", row, token="known")
        assert client.profile.name == "triton"
    targets = [(r.target, r.headers.get("authorization")) for r in server.seen]
    assert targets == [
        ("/v2", "Bearer stranger"),
        ("/v2/models/iris/infer", "Bearer stranger"),
        ("/v2", "Bearer known"),
        ("/v2/models/iris/infer", "Bearer known"),
    ]
