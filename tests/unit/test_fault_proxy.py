import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fault_proxy import (
    Fault,
    FaultProxy,
    Kind,
    always,
    drawn,
    fault_proxy,
    scripted,
)
from tests.unit.fault_server import FaultServer, Wire, fault_server
from tests.unit.fault_server import http as written

INFER = "/v2/models/m/infer"
ANSWER = {
    "id": "one",
    "outputs": [
        {"name": "y", "datatype": "FP64", "shape": [3], "data": [0.5, 1.5, 2.5]},
        {"name": "p", "datatype": "FP64", "shape": [3, 2], "data": [1, 2, 3, 4, 5, 6]},
    ],
}
BODY = json.dumps(ANSWER).encode()


def answer_all(wire: Wire) -> None:
    while wire.read() is not None:
        wire.write(written(200, BODY, Content_Type="application/json"))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """Run a server that gives the same answer to everything."""
    with fault_server(answer_all) as running:
        yield running


@pytest.fixture
def proxy(server: FaultServer) -> Iterator[FaultProxy]:
    """Run a proxy before it that lets everything pass."""
    with fault_proxy(server.url) as running:
        yield running


def connection(proxy: FaultProxy) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)


def ask(
    proxy: FaultProxy, path: str = INFER, body: bytes = b"{}"
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Ask on a connection of its own; return status, body, headers."""
    line = connection(proxy)
    try:
        line.request("POST", path, body)
        answer = line.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        line.close()


def again(line: http.client.HTTPConnection) -> bytes:
    """Ask on a connection that is open."""
    line.request("POST", INFER, b"{}")
    return line.getresponse().read()


def test_what_passes_is_handed_on_as_it_is(proxy: FaultProxy, server: FaultServer) -> None:
    """A body of 3 MB arrives whole, and the answer comes back byte for byte."""
    large = b"x" * 3_000_000
    status, body, headers = ask(proxy, body=large)
    assert (status, body, headers["Content-Type"]) == (200, BODY, "application/json")
    assert server.seen[0].body == large
    assert server.seen[0].target == INFER
    assert proxy.counts == {Kind.PASS: 1}


def test_connections_are_kept_on_both_sides(proxy: FaultProxy, server: FaultServer) -> None:
    """Twenty requests on one connection reach the server on one, too."""
    line = connection(proxy)
    for _ in range(20):
        assert again(line) == BODY
    line.close()
    assert (proxy.connections, server.connections, len(server.seen)) == (1, 1, 20)


def test_a_server_that_closed_in_between_is_asked_anew() -> None:
    """A kept connection that the server has given up is no fault of ours."""
    with fault_server(lambda wire: wire.answer(200, BODY)) as server, fault_proxy(server.url) as at:
        line = connection(at)
        for _ in range(3):
            assert again(line) == BODY
            time.sleep(0.1)
        line.close()
        assert server.connections == 3


def test_chunked_answers_arrive_whole() -> None:
    """A server may not know the length beforehand."""
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    )
    with (
        fault_server(lambda wire: (wire.read(), wire.write(chunked))) as server,
        fault_proxy(server.url) as at,
    ):
        assert ask(at)[:2] == (200, b"abcde")


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        (Kind.BUSY, 503, b"busy"),
        (Kind.TOO_MANY, 429, b"too many"),
        (Kind.BAD_GATEWAY, 502, b"<html>"),
    ],
)
def test_refusals_are_answered_without_the_server(
    proxy: FaultProxy, server: FaultServer, kind: Kind, status: int, words: bytes
) -> None:
    """The server is not asked, and the connection may be used again."""
    proxy.policy = scripted(Fault(kind, retry_after="7"), Fault(kind))
    line = connection(proxy)
    for retry_after in ("7", None):
        line.request("POST", INFER, b"{}")
        answer = line.getresponse()
        assert (answer.status, answer.headers["Retry-After"]) == (status, retry_after)
        assert words in answer.read()
    assert not server.seen
    assert again(line) == BODY
    line.close()
    assert proxy.counts == {kind: 2, Kind.PASS: 1}


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize(
    ("kind", "reached"), [(Kind.CUT_BEFORE, 0), (Kind.CUT_AFTER, 1), (Kind.CUT_ANSWER, 1)]
)
def test_cuts_end_the_connection(
    proxy: FaultProxy, server: FaultServer, kind: Kind, reached: int, resets: bool
) -> None:
    """Before the server is asked, after it was, or in the midst of its answer."""
    proxy.policy = scripted(Fault(kind, resets=resets))
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ask(proxy)
    assert len(server.seen) == reached
    assert ask(proxy)[1] == BODY


def test_an_answer_that_is_cut_has_its_first_half(proxy: FaultProxy) -> None:
    """The head and half of the body arrive."""
    proxy.policy = always(Fault(Kind.CUT_ANSWER))
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(proxy)
    assert caught.value.partial == BODY[: len(BODY) // 2]


def test_a_request_that_is_cut_never_arrives_whole(server: FaultServer) -> None:
    """The server reads half of a body, then the end of the connection."""
    received: list[int] = []
    done = threading.Event()

    def read_all(wire: Wire) -> None:
        while data := wire.socket.recv(65536):
            received.append(len(data))
        done.set()

    cut = always(Fault(Kind.CUT_WITHIN))
    with fault_server(read_all) as reader, fault_proxy(reader.url, cut) as at:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            ask(at, body=b"x" * 1_000_000)
        assert done.wait(10)
    assert 490_000 < sum(received) < 510_000


def test_a_row_less_is_consistent_in_itself(proxy: FaultProxy) -> None:
    """Shape and data of every output agree on two rows instead of three."""
    proxy.policy = always(Fault(Kind.FEWER_ROWS))
    outputs = json.loads(ask(proxy)[1])["outputs"]
    assert [output["shape"] for output in outputs] == [[2], [2, 2]]
    assert [output["data"] for output in outputs] == [[0.5, 1.5], [1, 2, 3, 4]]


def test_a_value_less_contradicts_the_shape(proxy: FaultProxy) -> None:
    """The first output has two values and still says three."""
    proxy.policy = always(Fault(Kind.FEWER_VALUES))
    first, second = json.loads(ask(proxy)[1])["outputs"]
    assert (first["shape"], first["data"]) == ([3], [0.5, 1.5])
    assert second == ANSWER["outputs"][1]


def test_another_id_is_all_that_changes(proxy: FaultProxy) -> None:
    """The answer belongs, by its id, to somebody else's request."""
    proxy.policy = always(Fault(Kind.OTHER_ID))
    assert json.loads(ask(proxy)[1]) == ANSWER | {"id": "not-one"}


def test_a_fault_that_does_not_fit_is_counted() -> None:
    """An answer without outputs can't lose a row: it passes, and the test can see that."""
    with (
        fault_server(lambda wire: wire.answer(400, b'{"error": "no"}')) as server,
        fault_proxy(server.url, always(Fault(Kind.FEWER_ROWS))) as at,
    ):
        assert ask(at)[:2] == (400, b'{"error": "no"}')
        assert at.unfit == 1


def test_only_inferences_are_touched(proxy: FaultProxy) -> None:
    """Health and metadata pass, and don't count."""
    proxy.policy = always(Fault(Kind.BUSY))
    assert ask(proxy, "/v2/models/m")[0] == 200
    assert ask(proxy)[0] == 503
    assert proxy.inferences == 1


def test_delays_come_before(proxy: FaultProxy) -> None:
    """The answer comes, later."""
    proxy.policy = always(Fault(delay_s=0.3))
    start = time.monotonic()
    assert ask(proxy)[1] == BODY
    assert time.monotonic() - start >= 0.3


def test_a_seed_draws_the_same_again() -> None:
    """By number, not by time: 1000 draws with a tenth of faults are the same twice."""
    shares = {Fault(Kind.BUSY): 0.08, Fault(Kind.CUT_AFTER): 0.02}
    one, same, other = drawn(1, shares), drawn(1, shares), drawn(2, shares)
    first = [one(number).kind for number in range(1000)]
    assert first == [same(number).kind for number in range(1000)]
    assert first != [other(number).kind for number in range(1000)]
    assert 50 <= first.count(Kind.BUSY) <= 110
    assert 5 <= first.count(Kind.CUT_AFTER) <= 40


def test_a_server_may_be_gone_and_back(proxy: FaultProxy) -> None:
    """In between connections are refused, and open ones end; then it answers on the same port."""
    line = connection(proxy)
    assert again(line) == BODY
    with proxy.gone():
        with pytest.raises(ConnectionRefusedError):
            ask(proxy)
        with pytest.raises((http.client.HTTPException, OSError)):
            again(line)
    line.close()
    assert ask(proxy)[1] == BODY


def test_a_server_that_cannot_be_reached_is_a_connection_that_ends() -> None:
    """Nobody listens behind the proxy: no answer is invented."""
    with fault_server(answer_all) as server:
        url = server.url
    with fault_proxy(url) as at, pytest.raises((http.client.HTTPException, ConnectionError)):
        ask(at)


def test_every_inference_is_counted_once(proxy: FaultProxy, server: FaultServer) -> None:
    """Sixteen threads, a third refused: the counts add up, and the server saw the others."""
    proxy.policy = drawn(5, {Fault(Kind.BUSY): 0.33})
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: ask(proxy)[0], range(200)))
    assert proxy.counts.total() == proxy.inferences == 200
    assert proxy.counts[Kind.BUSY] == statuses.count(503) > 0
    assert len(server.seen) == proxy.counts[Kind.PASS] == statuses.count(200)
