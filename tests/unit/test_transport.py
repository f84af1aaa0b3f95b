from __future__ import annotations

import gzip
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
import responses
import urllib3

from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerError,
    NoAnswerInTimeError,
    NotFoundError,
    NotReadyError,
    ServerError,
    TLSError,
)
from kserve_client.transport import (
    Answer,
    Transport,
    connections,
    refusal,
    retries,
    server_message,
    unreached,
)
from tests import needs
from tests.unit.certificates import Certificate, make_certificate
from tests.unit.fault_server import FaultServer, Seen, Wire, fault_server, http

URL = "http://model.test"


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait, but not as long as in life."""
    monkeypatch.setattr("kserve_client.transport.retries.FIRST_PAUSE_S", 0.01)


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine's own network needs is not under test."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def transport(server: FaultServer, *, retries: int = 2, **settings: Any) -> Transport:
    return Transport(Endpoint(url=server.url, **settings), retries=retries)


def requests_of(server: FaultServer) -> list[tuple[int, str]]:
    return [(request.connection, request.target) for request in server.seen]


# What goes over the wire


def sent(**settings: Any) -> requests.PreparedRequest:
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2", json={})
        Transport(Endpoint(url=URL, **settings)).send("GET", "/v2")
        request: requests.PreparedRequest = mock.calls[0].request
        return request


def test_asks_for_plain_json() -> None:
    """Compression is refused, since MLServer pays dearly for it."""
    headers = sent().headers
    assert headers["Accept-Encoding"] == "identity"
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"] == "kserve-client"


def test_sends_no_host_or_authorization_of_its_own() -> None:
    """Without host and auth the request has neither header, and no cookie."""
    headers = sent().headers
    assert not {"Host", "Authorization", "Cookie"} & set(headers)


def test_sends_the_host_of_the_endpoint() -> None:
    """A gateway that routes by name gets the name."""
    assert sent(host="iris.example.org").headers["Host"] == "iris.example.org"


def test_sends_the_bearer_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of the environment variable travels as a bearer token."""
    monkeypatch.setenv("IRIS_TOKEN", "s3cret\n")
    assert sent(auth={"env": "IRIS_TOKEN"}).headers["Authorization"] == "Bearer s3cret"


def test_headers_of_a_call_win() -> None:
    """A call may replace any header, whatever its case."""
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2", json={})
        Transport(Endpoint(url=URL)).send("GET", "/v2", headers={"accept-encoding": "gzip"})
        assert mock.calls[0].request.headers["Accept-Encoding"] == "gzip"


def test_a_netrc_file_is_not_asked_for_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials for other programs are never sent to a model."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine model.test login me password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert "Authorization" not in sent().headers


def test_keeps_no_cookies() -> None:
    """A cookie that one answer sets is not sent with the next request."""
    with fault_server(lambda wire: (wire.answer(Set_Cookie="a=b"), wire.answer())[0]) as server:
        client = transport(server)
        client.send("GET", "/v2")
        client.send("GET", "/v2")
    assert "cookie" not in server.seen[1].headers


def time_outs(monkeypatch: pytest.MonkeyPatch, **call: Any) -> tuple[float, float]:
    given: dict[str, Any] = {}

    def send(self: Any, request: Any, **options: Any) -> requests.Response:
        given.update(options)
        raise requests.ConnectTimeout

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    endpoint = Endpoint(url=URL, connect_timeout_s=3, read_timeout_s=7, deadline_s=20)
    with pytest.raises(ConnectError):
        Transport(endpoint, retries=0).send("GET", "/v2", **call)
    connect_s, read_s = given["timeout"]
    return connect_s, read_s


def test_hands_the_time_outs_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both time-outs of the endpoint reach the HTTP library."""
    assert time_outs(monkeypatch) == (3, 7)


def test_a_call_may_wait_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The read time-out of a call replaces that of the endpoint."""
    assert time_outs(monkeypatch, read_timeout_s=11) == (3, 11)


def test_no_time_out_goes_beyond_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read time-out above the deadline is cut to it."""
    connect_s, read_s = time_outs(monkeypatch, read_timeout_s=300)
    assert connect_s == 3
    assert 19 < read_s <= 20


@pytest.mark.parametrize("read_timeout_s", [0, -1])
def test_a_time_out_that_is_none_is_refused(read_timeout_s: float) -> None:
    """Nobody waits zero seconds: that is a mistake, not the default."""
    with pytest.raises(ConfigurationError):
        Transport(Endpoint(url=URL)).send("GET", "/v2", read_timeout_s=read_timeout_s)


@pytest.mark.parametrize("value", ["Bearer s3cret\nX: y", "Bearer s3cret€", " s3cret"])
def test_a_header_that_cannot_be_sent_is_named_without_its_value(value: str) -> None:
    """A token with a line break in it is refused, but not shown."""
    with pytest.raises(ConfigurationError, match="Authorization") as caught:
        Transport(Endpoint(url=URL)).send("GET", "/v2", headers={"Authorization": value})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://a..b", "http://" + "a" * 70 + ".test", "http://.x"])
def test_a_host_name_that_is_none_is_our_configuration(url: str) -> None:
    """Names that no resolver takes are configuration errors or failed connections, never foreign."""
    with pytest.raises((ConfigurationError, ConnectError)):
        Transport(Endpoint(url=url), retries=0).send("GET", "/v2")


# Connections


def test_an_unknown_host_is_a_connect_error() -> None:
    """The message names the endpoint and the host, and says what to check."""
    endpoint = Endpoint(url="http://no-such-host.invalid", title="Iris")
    with pytest.raises(ConnectError) as caught:
        Transport(endpoint, retries=0).send("GET", "/v2")
    assert re.fullmatch(
        r"the name no-such-host\.invalid \(Iris\) is not known \([^()]+\); check the host in its URL "
        "and the DNS of this machine",
        str(caught.value),
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            socket.gaierror(-2, "Name or service not known"),
            (
                "the name modèle.example (Iris) is not known (Name or service not known); check the "
                "host in its URL and the DNS of this machine"
            ),
        ),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "nothing listens on modèle.example:8080 (Iris); start the server, or correct its URL",
        ),
    ],
)
def test_an_international_name_is_no_proxy(
    error: OSError, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It travels as xn--…, and stands in the words as it was written."""
    asked: list[str] = []

    def refuse(host: str, *_: object, **__: object) -> NoReturn:
        asked.append(host)
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    endpoint = Endpoint(url="http://modèle.example:8080", title="Iris")
    with pytest.raises(ConnectError) as caught:
        Transport(endpoint, retries=0).send("GET", "/v2")
    assert asked == ["xn--modle-6ra.example"]
    assert str(caught.value) == words


def test_a_refused_connection_is_tried_again_and_counted() -> None:
    """Two retries make three attempts."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectError) as caught:
        Transport(Endpoint(url=f"http://127.0.0.1:{port}"), retries=2).send("GET", "/v2")
    assert caught.value.attempts == 3
    assert str(caught.value) == (
        f"nothing listens on 127.0.0.1:{port}; start the server, or correct its URL"
    )
    assert "Connection refused" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ConnectionRefusedError(111, "Connection refused"),
            "nothing listens on [::1]:80; start the server, or correct its URL",
        ),
        (
            socket.gaierror(-2, "Name or service not known"),
            (
                "the name ::1 is not known (Name or service not known); check the host in its URL "
                "and the DNS of this machine"
            ),
        ),
        (
            OSError(113, "No route to host"),
            "no connection to [::1]:80 (No route to host); check the network between here and there",
        ),
        (
            OSError("strange"),
            "no connection to [::1]:80 (strange); check the network between here and there",
        ),
    ],
)
def test_words_for_a_connection_that_did_not_come_about(error: Exception, words: str) -> None:
    """People read what it means; what the system says stands in brackets where it adds something."""
    assert str(unreached(error, "::1", "[::1]:80")) == words


def test_a_kept_connection_that_was_dropped_is_replayed_once() -> None:
    """MLServer closes after a 500 without a word; the next good call succeeds all the same."""

    def drops(wire: Wire) -> None:
        wire.answer(500, b"Internal Server Error")
        wire.read()

    with fault_server(drops, lambda wire: wire.answer(body=b'{"good": 1}')) as server:
        client = transport(server)
        with pytest.raises(ServerError):
            client.send("POST", "/v2/models/a/infer", body=b"bad")
        answer = client.send("POST", "/v2/models/a/infer", body=b"good")
    assert (answer.status, answer.attempts) == (200, 2)
    assert [(seen.connection, seen.body) for seen in server.seen] == [
        (0, b"bad"),
        (0, b"good"),
        (1, b"good"),
    ]


def test_a_kept_connection_that_was_reset_is_replayed_once() -> None:
    """The same for a process that died (RST instead of FIN)."""

    def resets(wire: Wire) -> None:
        wire.answer()
        wire.read()
        wire.reset()

    with fault_server(resets, Wire.answer) as server:
        client = transport(server)
        client.send("GET", "/1")
        client.send("GET", "/2")
    assert requests_of(server) == [(0, "/1"), (0, "/2"), (1, "/2")]


def test_a_new_connection_is_had_beside_a_kept_one() -> None:
    """After a restart all kept connections are dead: a replay must not take another of them."""

    def answers(wire: Wire) -> None:
        while wire.read() is not None:
            wire.write(http())

    with fault_server(answers) as server:
        client = transport(server)
        call = client._begin("GET", "/v2", {})
        for fresh in (False, False, True, False):
            call.wants_new_connection = fresh
            client._once(call)
    assert [seen.connection for seen in server.seen] == [0, 0, 1, 1]


def test_the_replay_is_one_when_all_kept_connections_are_dead() -> None:
    """Two kept connections are dropped at their next request: two attempts are enough."""
    both = threading.Barrier(2, timeout=5)

    def drops(wire: Wire) -> None:
        wire.read()
        both.wait()
        wire.write(http())
        wire.read()

    with fault_server(drops, drops, Wire.answer) as server:
        client = transport(server, retries=0)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda path: client.send("GET", path), ("/1", "/2")))
        answer = client.send("GET", "/3")
    assert (answer.status, answer.attempts) == (200, 2)
    assert server.seen[-1].connection == 2


def test_a_replay_that_fails_too_is_lost() -> None:
    """There is no second replay."""

    def drops_at_second(wire: Wire) -> None:
        wire.answer()
        wire.read()

    with fault_server(drops_at_second, Wire.read) as server:
        client = transport(server)
        client.send("GET", "/1")
        with pytest.raises(ConnectionLostError) as caught:
            client.send("GET", "/2")
    assert caught.value.attempts == 2
    assert requests_of(server) == [(0, "/1"), (0, "/2"), (1, "/2")]


def test_a_new_connection_that_dies_is_not_replayed() -> None:
    """The server may have done the work already."""
    with fault_server(Wire.read) as server, pytest.raises(ConnectionLostError) as caught:
        transport(server).send("POST", "/v2/models/a/infer", body=b"{}")
    assert caught.value.attempts == 1
    assert len(server.seen) == 1


def test_a_new_connection_that_is_reset_is_not_replayed() -> None:
    """A reset counts as a death too."""
    with (
        fault_server(lambda wire: (wire.read(), wire.reset())[1]) as server,
        pytest.raises(ConnectionLostError),
    ):
        transport(server).send("POST", "/v2/models/a/infer", body=b"{}")
    assert len(server.seen) == 1


def test_a_cut_answer_is_lost_and_not_replayed() -> None:
    """A body shorter than its Content-Length is never taken for whole."""
    cut = http(body=b'{"outputs": []}')[:-4]
    with (
        fault_server(lambda wire: (wire.read(), wire.write(cut))[1]) as server,
        pytest.raises(ConnectionLostError),
    ):
        transport(server).send("GET", "/v2")
    assert len(server.seen) == 1


def test_a_cut_chunked_answer_is_lost() -> None:
    """The same without a Content-Length."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        fault_server(lambda wire: (wire.read(), wire.write(head + b'5\r\n{"a"'))[1]) as server,
        pytest.raises(ConnectionLostError),
    ):
        transport(server).send("GET", "/v2")


def test_a_cut_answer_on_a_kept_connection_is_not_replayed() -> None:
    """Once the first byte has come the request has been taken."""

    def cuts_second(wire: Wire) -> None:
        wire.answer()
        wire.read()
        wire.write(http(body=b"0123456789")[:-5])

    with fault_server(cuts_second) as server:
        client = transport(server)
        client.send("GET", "/1")
        with pytest.raises(ConnectionLostError):
            client.send("GET", "/2")
    assert len(server.seen) == 2


def test_a_chunked_answer_is_read_whole_and_its_connection_kept() -> None:
    """KServe answers in chunks; the next request takes the same connection."""
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n,2]\r\n0\r\n\r\n"
    )

    def script(wire: Wire) -> None:
        wire.read()
        wire.write(chunked)
        wire.answer(body=b"")
        wire.answer()

    with fault_server(script) as server:
        client = transport(server)
        assert client.send("GET", "/1").body == b"[1,2]"
        assert client.send("GET", "/2").body == b""
        assert client.send("GET", "/3").body == b"{}"
    assert server.connections == 1


def test_an_answer_that_ends_with_its_connection_is_whole() -> None:
    """HTTP/1.0 servers name no length."""
    plain = b"HTTP/1.0 200 OK\r\n\r\n[1]"
    with fault_server(lambda wire: (wire.read(), wire.write(plain))[1]) as server:
        assert transport(server).send("GET", "/v2").body == b"[1]"


@pytest.mark.parametrize("bytes_", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x01\x02\x03\r\n\r\n"])
def test_something_else_than_http_is_no_valid_answer(bytes_: bytes) -> None:
    """A port where another protocol speaks is not tried again."""
    with (
        fault_server(lambda wire: (wire.read(), wire.write(bytes_))[1]) as server,
        pytest.raises(InvalidAnswerError, match="HTTP"),
    ):
        transport(server).send("POST", "/v2/models/a/infer", body=b"{}")
    assert len(server.seen) == 1


# Time


def test_a_slow_first_byte_is_no_answer_in_time() -> None:
    """The read time-out counts until the first byte, and the call is not repeated."""
    with fault_server(lambda wire: (wire.read(), time.sleep(60))[1]) as server:
        started = time.monotonic()
        with pytest.raises(NoAnswerInTimeError, match=r"within 0\.2 s") as caught:
            transport(server, read_timeout_s=0.2).send("GET", "/v2")
        assert time.monotonic() - started < 20
    assert caught.value.attempts == 1


def test_a_body_that_stalls_is_no_answer_in_time() -> None:
    """The read time-out also counts between two bytes of the body."""
    with (
        fault_server(lambda w: (w.read(), w.write(http()[:-1]), time.sleep(60))[2]) as server,
        pytest.raises(NoAnswerInTimeError),
    ):
        transport(server, read_timeout_s=0.2).send("GET", "/v2")


def test_a_body_that_drips_is_cut_at_the_deadline() -> None:
    """Each byte comes within the read time-out, but the whole would take a minute."""

    def drips(wire: Wire) -> None:
        wire.read()
        wire.write(http(body=b" " * 1200)[:-1200])
        wire.drip(b" " * 1200, pause_s=0.05)

    with fault_server(drips) as server:
        started = time.monotonic()
        with pytest.raises(NoAnswerInTimeError, match=r"deadline of 0\.4 s"):
            transport(server, deadline_s=0.4).send("GET", "/v2")
        assert time.monotonic() - started < 20


def test_a_body_that_stalls_late_is_cut_at_the_deadline() -> None:
    """What is left of the deadline bounds the wait for each further byte."""

    def stalls_late(wire: Wire) -> None:
        wire.read()
        time.sleep(0.3)
        wire.write(http()[:-1])
        time.sleep(60)

    with fault_server(stalls_late) as server:
        started = time.monotonic()
        with pytest.raises(NoAnswerInTimeError):
            transport(server, deadline_s=0.5).send("GET", "/v2")
        assert time.monotonic() - started < 20


_CHUNKED = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
_TRICKLES = {
    "a header": (b"HTTP/1.1 200 X\r\nX: ", b"a"),
    "preliminary answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "the extension of a chunk": (_CHUNKED + b"2;", b"a"),
    "what follows the last chunk": (_CHUNKED + b"0\r\n", b"a: b\r\n"),
    "a body that ends with its connection": (b"HTTP/1.0 200 X\r\n\r\n", b"a"),
}


def trickling(name: str) -> Callable[[Wire], None]:
    begin, again = _TRICKLES[name]

    def trickle(wire: Wire) -> None:
        wire.read()
        wire.write(begin)
        for _ in range(1200):  # a minute
            time.sleep(0.05)
            wire.write(again)

    return trickle


def assert_cut_at_deadline(client: Transport, body: bytes | None = None) -> None:
    started, told = time.monotonic(), f"deadline of {client.endpoint.deadline_s:g} s"
    with pytest.raises(NoAnswerInTimeError, match=re.escape(told)):
        client.send("POST", "/v2", body=body)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("name", _TRICKLES)
def test_whatever_trickles_is_cut_at_the_deadline(name: str) -> None:
    """The deadline bounds each line of an answer as it does the body."""
    with fault_server(trickling(name)) as server:
        assert_cut_at_deadline(transport(server, deadline_s=0.5))


def test_a_header_that_trickles_over_tls_is_cut_at_the_deadline(certificate: Certificate) -> None:
    """The same holds for what comes encrypted; the handshake takes its part of the deadline."""
    with fault_server(trickling("a header"), tls=certificate.server_context()) as server:
        client = transport(server, deadline_s=2, ca_file=certificate.certificate)
        assert_cut_at_deadline(client)


def test_a_body_that_trickles_through_socks_is_cut_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connections there are urllib3's own, which know nothing of a deadline."""
    monkeypatch.setattr(connections, "_POOLS", urllib3.PoolManager().pool_classes_by_scheme)
    with fault_server(trickling("a body that ends with its connection")) as server:
        assert_cut_at_deadline(transport(server, deadline_s=0.5))


def test_a_connection_that_takes_what_is_left_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three seconds are allowed, and the deadline leaves a tenth of one."""

    def send(*_: Any, timeout: tuple[float, float], **__: Any) -> NoReturn:
        time.sleep(timeout[0])
        raise requests.ConnectTimeout

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    endpoint = Endpoint(url=URL, connect_timeout_s=3, deadline_s=0.1)
    with pytest.raises(ConnectError, match=r" within the deadline of 0\.1 s\. Check the address"):
        Transport(endpoint).send("GET", "/v2")


def test_a_proxy_that_trickles_is_cut_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of a proxy before the connection stands are part of the call."""
    with fault_server(trickling("a header")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        endpoint = Endpoint(url="https://model.test", deadline_s=0.5)
        assert_cut_at_deadline(Transport(endpoint))


def slow_reader(wire: Wire) -> None:
    time.sleep(1.5)
    wire.answer()


def test_a_long_body_may_take_longer_than_a_connection() -> None:
    """What a server takes slowly is bounded by the deadline."""
    with fault_server(slow_reader) as server:
        client = transport(server, connect_timeout_s=0.5)
        assert client.send("POST", "/v2", body=bytes(30_000_000)).attempts == 1
    assert [len(request.body) for request in server.seen] == [30_000_000]


def test_a_body_that_nobody_takes_is_cut_at_the_deadline() -> None:
    """And not later, though not all of it has gone out."""
    with fault_server(lambda _: time.sleep(60)) as server:
        assert_cut_at_deadline(transport(server, deadline_s=0.5), body=bytes(30_000_000))


# Statuses


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_passing_refusals_are_tried_again(status: int) -> None:
    """Overload and gateways that wait for their server pass."""

    def script(wire: Wire) -> None:
        wire.answer(status)
        wire.answer(status)
        wire.answer()

    with fault_server(script) as server:
        answer = transport(server, retries=2).send("GET", "/v2")
    assert (answer.status, answer.attempts) == (200, 3)
    assert server.connections == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500, 501])
def test_lasting_refusals_are_not_tried_again(status: int) -> None:
    """KServe and MLServer say 500 for bad input, so repeating it is work for nothing."""
    with (
        fault_server(lambda wire: wire.answer(status)) as server,
        pytest.raises(ServerError) as caught,
    ):
        transport(server).send("GET", "/v2")
    assert caught.value.attempts == 1
    assert len(server.seen) == 1


def test_retries_end() -> None:
    """When it never gets better, the last answer is told, with the number of attempts."""
    with (
        fault_server(
            lambda wire: [wire.answer(503, b'{"error": "busy"}') for _ in "123"]
        ) as server,
        pytest.raises(NotReadyError, match="busy") as caught,
    ):
        transport(server, retries=2).send("GET", "/v2")
    assert caught.value.attempts == 3
    assert len(server.seen) == 3


def test_a_call_may_forbid_retries() -> None:
    """Health checks want the first answer."""
    with fault_server(lambda wire: wire.answer(503)) as server:
        answer = transport(server).exchange("GET", "/v2/health/ready", retries=0)
    assert (answer.status, answer.attempts) == (503, 1)


def after(value: str) -> tuple[float, Answer]:
    def script(wire: Wire) -> None:
        wire.answer(503, Retry_After=value)
        wire.answer()

    with fault_server(script) as server:
        started = time.monotonic()
        answer = transport(server, deadline_s=60).exchange("GET", "/v2")
        return time.monotonic() - started, answer


def test_waits_as_long_as_the_server_asks() -> None:
    """Retry-After in seconds replaces our own pause."""
    waited_s, answer = after("1")
    assert answer.status == 200
    assert 1 <= waited_s < 20


def test_waits_until_the_date_the_server_names() -> None:
    """Retry-After may be a date."""
    waited_s, answer = after(formatdate(time.time() + 4, usegmt=True))
    assert answer.status == 200
    assert 0.5 < waited_s < 20


@pytest.mark.parametrize("value", ["0", "-5", "soon", "\u00b2", "", "Mon, 99 Foo 2026"])
def test_a_strange_retry_after_is_passed_over(value: str) -> None:
    """What can't be read, or lies in the past, means: our own pause, or none."""
    waited_s, answer = after(value)
    assert answer.status == 200
    assert waited_s < 20


@pytest.mark.parametrize("value", ["3600", "9" * 400])
def test_does_not_wait_beyond_the_deadline(value: str) -> None:
    """A server that asks for more than the deadline has said no, at once."""
    waited_s, answer = after(value)
    assert (answer.status, answer.attempts) == (503, 1)
    assert waited_s < 20


def test_pauses_grow_and_are_jittered() -> None:
    """Half to the whole of a bound that doubles, in seconds."""
    drawn = [list(retries.pauses_of(3)) for _ in range(50)]
    for at, bound in enumerate((0.01, 0.02, 0.04)):
        assert all(bound / 2 <= pauses[at] <= bound for pauses in drawn)
    assert len({pauses[0] for pauses in drawn}) > 1


# Refusals in words


def told(status: int, body: bytes = b"", **headers: str) -> ServerError:
    """Return the error for an answer."""
    lowered = {key.replace("_", "-"): value for key, value in headers.items()}
    found = refusal(Answer(status, lowered, body, 1.0), "GET /v2 on http://model.test")
    assert isinstance(found, ServerError)
    return found


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, AccessError),
        (400, ServerError),
        (401, AccessError),
        (403, AccessError),
        (404, NotFoundError),
        (422, ServerError),
        (500, ServerError),
        (501, ServerError),
        (503, NotReadyError),
    ],
)
def test_the_status_chooses_the_error(status: int, kind: type[ServerError]) -> None:
    """Each branch says whose fault it was."""
    assert type(told(status)) is kind


def test_the_message_says_what_where_and_what_to_try() -> None:
    """Request, endpoint, status, the server's words, advice."""
    error = told(404, b'{"error": "Model with name nope does not exist."}')
    assert str(error) == (
        "GET /v2 on http://model.test: 404 Not Found: Model with name nope does not exist. "
        "Check the name and version of the model"
    )
    assert error.server_message == "Model with name nope does not exist."
    assert error.body == '{"error": "Model with name nope does not exist."}'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "X has 3 features"}', "X has 3 features"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (
            b'{"detail": [{"type": "missing", "loc": ["body", "inputs", 0], "msg": "Field required"}]}',
            "body.inputs.0: Field required",
        ),
        (b'{"detail": [{"msg": "one"}, {"msg": "two", "loc": []}]}', "one; two"),
        (b'{"error": {"code": 7, "message": "quota"}}', "quota"),
        (b'{"error": null, "detail": null}', ""),
        (b'{"message": "no Route matched"}', "no Route matched"),
        (b"null", ""),
        (b"[]", ""),
        (b'"busy"', "busy"),
        (b"Internal Server Error", "Internal Server Error"),
        (b"Traceback (most recent call last):\n  File\nValueError: no\n", "ValueError: no"),
        (b"", ""),
        (b" \n ", ""),
        (b"<html><h1>502 Bad Gateway</h1></html>", ""),
        (b"<!DOCTYPE html>\n<p>x", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 900 + b"]" * 900, ""),
        (b"[" * 100_000, "[" * 500),
    ],
)
def test_finds_what_the_server_said(body: bytes, said: str) -> None:
    """The server's own words, from all the forms that servers and gateways use."""
    assert server_message(Answer(500, {}, body, 1.0)) == said


def test_a_long_answer_is_cut() -> None:
    """A message of a server is never longer than 500 characters, nor is the excerpt of its body."""
    error = told(500, b"x" * 10_000)
    assert len(error.server_message) == 500
    assert len(error.body) == 500


@pytest.mark.parametrize("content_type", ["text/html", "text/HTML; charset=utf-8"])
def test_html_is_not_quoted(content_type: str) -> None:
    """The page of a gateway has no words for a message."""
    answer = Answer(502, {"content-type": content_type}, b"oops <b>no</b>", 1.0)
    assert server_message(answer) == ""


def test_a_redirect_is_not_followed_and_tells_no_secret() -> None:
    """A login page stands before the endpoint; neither its query string nor a token is shown."""
    target = "https://me:pw@login.test/auth?state=s3cret#s3cret"
    body = f"Found. Redirecting to {target}".encode()
    with (
        fault_server(lambda wire: wire.answer(302, body, Location=target)) as server,
        pytest.raises(AccessError, match=r"https://login\.test/auth") as caught,
    ):
        transport(server, auth={"value": "t0ken"}).send("GET", "/v2")
    assert len(server.seen) == 1
    shown = f"{caught.value} {caught.value.body} {caught.value.server_message}"
    assert not any(secret in shown for secret in ("s3cret", "pw", "t0ken"))
    assert caught.value.status == 302


def test_a_redirect_to_nowhere() -> None:
    """A redirect without a target is told as such."""
    assert "nowhere" in str(told(302))


# Bodies


def test_a_gzip_answer_is_unpacked() -> None:
    """Some servers compress though they were asked not to."""
    packed = gzip.compress(b'{"a": 1}' * 1000)
    script: Callable[[Wire], None] = lambda wire: wire.answer(body=packed, Content_Encoding="gzip")  # noqa: E731
    with fault_server(script) as server:
        assert transport(server).send("GET", "/v2").body == b'{"a": 1}' * 1000


def test_a_broken_gzip_answer_is_invalid() -> None:
    """The bytes are not what the header says."""
    with (
        fault_server(lambda wire: wire.answer(body=b"{}", Content_Encoding="gzip")) as server,
        pytest.raises(InvalidAnswerError, match="encoding"),
    ):
        transport(server).send("GET", "/v2")


def test_a_large_body_goes_and_comes_whole() -> None:
    """Ten megabytes each way."""
    body = bytes(range(256)) * 40_000

    def echo(wire: Wire) -> None:
        request = wire.read()
        assert isinstance(request, Seen)
        wire.write(http(body=request.body))

    with fault_server(echo) as server:
        assert transport(server).send("POST", "/v2", body=body).body == body


def test_elapsed_time_is_the_last_attempts() -> None:
    """Pauses between attempts are not the server's time."""

    def script(wire: Wire) -> None:
        wire.answer(503, Retry_After="1")
        wire.read()
        time.sleep(0.1)
        wire.write(http())

    with fault_server(script) as server:
        started = time.monotonic()
        elapsed_ms = transport(server).send("GET", "/v2").elapsed_ms
        assert 90 < elapsed_ms < 1000 * (time.monotonic() - started - 0.9)


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    needs.require(_openssl(), "no openssl command to make certificates with")
    return make_certificate(tmp_path_factory.mktemp("tls"))


def _openssl() -> str | None:
    import shutil

    return shutil.which("openssl")


def test_an_unknown_authority_is_a_tls_error(certificate: Certificate) -> None:
    """A self-signed certificate is not accepted, nor tried again."""
    with (
        fault_server(Wire.answer, tls=certificate.server_context()) as server,
        pytest.raises(TLSError, match="ca_file") as caught,
    ):
        transport(server).send("GET", "/v2")
    assert caught.value.attempts == 1
    assert server.seen == []


def test_ca_file_is_trusted(certificate: Certificate) -> None:
    """The authority named by the endpoint is accepted."""
    with fault_server(Wire.answer, tls=certificate.server_context()) as server:
        assert transport(server, ca_file=certificate.certificate).send("GET", "/v2").status == 200


def test_ca_file_wins_over_the_environment(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REQUESTS_CA_BUNDLE is for endpoints that name no authority."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
    with fault_server(Wire.answer, tls=certificate.server_context()) as server:
        assert transport(server).send("GET", "/v2").status == 200
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with fault_server(Wire.answer, tls=certificate.server_context()) as server:
        assert transport(server, ca_file=certificate.certificate).send("GET", "/v2").status == 200


def test_a_certificate_for_another_host_is_a_tls_error(tmp_path: Path) -> None:
    """Even one whose authority is trusted."""
    needs.require(_openssl(), "no openssl command to make certificates with")
    other = make_certificate(tmp_path, host="DNS:other.test")
    with (
        fault_server(Wire.answer, tls=other.server_context()) as server,
        pytest.raises(TLSError, match=r"127\.0\.0\.1"),
    ):
        transport(server, ca_file=other.certificate).send("GET", "/v2")


def test_tls_to_a_plain_port_is_a_tls_error() -> None:
    """https:// to a port that speaks http says so."""
    with fault_server(lambda wire: wire.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        endpoint = Endpoint(url=server.url.replace("http", "https"))
        with pytest.raises(TLSError):
            Transport(endpoint).send("GET", "/v2")


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_ca_file_that_is_none_is_our_configuration(
    tmp_path: Path, text: str | None, certificate: Certificate
) -> None:
    """A missing, empty or broken file is named."""
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    with (
        fault_server(Wire.answer, tls=certificate.server_context()) as server,
        pytest.raises(ConfigurationError, match=r"ca\.pem"),
    ):
        transport(server, ca_file=file).send("GET", "/v2")


def test_a_dropped_kept_tls_connection_is_replayed_too(certificate: Certificate) -> None:
    """The one replay works over TLS as well."""

    def drops(wire: Wire) -> None:
        wire.answer()
        wire.read()

    with fault_server(drops, Wire.answer, tls=certificate.server_context()) as server:
        client = transport(server, ca_file=certificate.certificate)
        client.send("GET", "/1")
        assert client.send("GET", "/2").attempts == 2
    assert requests_of(server) == [(0, "/1"), (0, "/2"), (1, "/2")]


# Proxies


def test_goes_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is honoured."""
    with fault_server(Wire.answer) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert Transport(Endpoint(url=URL)).send("GET", "/v2").status == 200
    assert proxy.seen[0].target == f"{URL}/v2"


def test_no_proxy_goes_straight(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY is honoured."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with fault_server(Wire.answer) as server:
        assert transport(server).send("GET", "/v2").status == 200


def test_a_proxy_that_is_down_is_a_connect_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The path to the endpoint is broken, which is no fault of the server."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(ConnectError):
        Transport(Endpoint(url=URL), retries=0).send("GET", "/v2")


# Threads


def test_threads_that_share_a_transport_get_their_own_answers() -> None:
    """Sixteen threads, each with its own requests, on fewer kept connections."""

    def echo(wire: Wire) -> None:
        while (request := wire.read()) is not None:
            wire.write(http(body=request.target.encode()))

    with fault_server(echo) as server:
        client = Transport(Endpoint(url=server.url), pool_connections=4)
        with ThreadPoolExecutor(16) as pool:
            paths = [f"/{at}" for at in range(400)]
            bodies = list(pool.map(lambda path: client.send("GET", path).body, paths))
        client.close()
    assert bodies == [path.encode() for path in paths]


@pytest.mark.parametrize(("pool_connections", "made"), [(1, 3), (2, 2)])
def test_the_pool_is_as_large_as_asked(pool_connections: int, made: int) -> None:
    """Of two connections at the same time as many are kept for the next two."""
    both = threading.Barrier(2, timeout=5)

    def answers(wire: Wire) -> None:
        while wire.read() is not None:
            both.wait()
            wire.write(http())

    with fault_server(answers) as server:
        client = Transport(Endpoint(url=server.url), pool_connections=pool_connections)
        for _ in range(2):
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda path: client.send("GET", path), ("/1", "/2")))
    assert server.connections == made


def test_a_closed_transport_begins_anew() -> None:
    """Its connections are closed, and a late call makes another."""
    ended = threading.Event()

    def answers(wire: Wire) -> None:
        while wire.read() is not None:
            wire.write(http())
        ended.set()

    with fault_server(answers) as server:
        client = transport(server)
        client.send("GET", "/1")
        client.close()
        assert ended.wait(30)
        assert client.send("GET", "/2").status == 200
    assert server.connections == 2


def test_calls_after_each_other_share_a_connection() -> None:
    """However many they are."""

    def answers(wire: Wire) -> None:
        while wire.read() is not None:
            wire.write(http())

    with fault_server(answers) as server:
        client = transport(server)
        for _ in range(10):
            client.send("GET", "/v2")
    assert server.connections == 1


# One mapping of foreign errors


def _family(root: type[BaseException]) -> Iterator[type[BaseException]]:
    yield root
    for child in root.__subclasses__():
        yield from _family(child)


FOREIGN = sorted(
    {
        kind
        for root in (requests.RequestException, urllib3.exceptions.HTTPError)
        for kind in _family(root)
        if kind.__module__.startswith(("requests", "urllib3"))
    },
    key=str,
)


def _made(kind: type[BaseException]) -> BaseException:
    error = kind.__new__(kind, "why")
    error.__dict__.update(message="why", reason=None, request=None, response=None, pool=None)
    error.__dict__.update(partial=1, expected=2, length=b"3")
    return error


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_no_foreign_error_leaves(kind: type[BaseException]) -> None:
    """Each exception of requests and urllib3 becomes one of ours."""
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2", body=_made(kind))
        with pytest.raises(KServeClientError) as caught:
            Transport(Endpoint(url=URL), retries=0).send("GET", "/v2")
    assert str(caught.value)


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        (requests.exceptions.SSLError, TLSError),
        (requests.exceptions.ConnectTimeout, ConnectError),
        (requests.exceptions.ReadTimeout, NoAnswerInTimeError),
        (requests.exceptions.ProxyError, ConnectError),
        (requests.exceptions.ConnectionError, ConnectError),
        (requests.exceptions.ChunkedEncodingError, ConnectionLostError),
        (requests.exceptions.ContentDecodingError, InvalidAnswerError),
        (requests.exceptions.InvalidURL, ConfigurationError),
        (requests.exceptions.InvalidSchema, ConfigurationError),
        (requests.exceptions.RetryError, NoAnswerError),
    ],
)
def test_each_foreign_error_has_its_branch(
    kind: type[BaseException], ours: type[KServeClientError]
) -> None:
    """The mapping, read once as a table."""
    with responses.RequestsMock() as mock:
        mock.get(f"{URL}/v2", body=_made(kind))
        with pytest.raises(KServeClientError) as caught:
            Transport(Endpoint(url=URL), retries=0).send("GET", "/v2")
    assert type(caught.value) is ours
