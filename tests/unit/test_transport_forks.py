from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kserve_client.auth import OidcAuth
from kserve_client.endpoint import Endpoint
from kserve_client.transport import Transport, tokens
from kserve_client.transport.forks import Turn
from tests import needs
from tests.unit.certificates import make_certificate
from tests.unit.fault_server import FaultServer, Wire, fault_server, http

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def in_child(ask: Callable[[], str]) -> str:
    """What a forked child found; one that hangs is ended."""
    context = multiprocessing.get_context("fork")
    found, finds = context.Pipe(duplex=False)
    child = context.Process(target=lambda: finds.send(ask()))
    child.start()
    finds.close()
    try:
        assert found.poll(60), "the child found nothing in a minute"
        return str(found.recv())
    finally:
        child.kill()
        child.join()


def tells_its_number(wire: Wire) -> None:
    """Answer each request with the number of its connection, which stays through every fork."""
    wire.socket.settimeout(100)
    while wire.read() is not None:
        wire.write(http(body=str(wire.number).encode()))


def number(client: Transport) -> str:
    return client.send("GET", "/v2").body.decode()


@contextmanager
def served(way: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Transport]:
    """A server that tells the number of the connection, reached over that way."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if way == "tls":
        needs.require(shutil.which("openssl"), "no openssl command to make a certificate with")
        made = make_certificate(folder)
        with fault_server(tells_its_number, tls=made.server_context()) as server:
            yield Transport(Endpoint(url=server.url, ca_file=made.certificate))
        return
    with fault_server(tells_its_number) as server:
        if way == "proxy":
            monkeypatch.setenv("http_proxy", server.url)
        yield Transport(Endpoint(url="http://model.test" if way == "proxy" else server.url))


def lock_of_idle(client: Transport) -> threading.Lock:
    """The lock of the idle connections; without a hold on their pool, whose end takes it."""
    pool: Any = client._adapter._pool
    lock: threading.Lock = pool.pool.mutex
    return lock


@pytest.mark.parametrize("way", ["plain", "tls", "proxy"])
def test_a_forked_child_makes_connections_of_its_own(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a shared one each would read the other's answers; the parent's goes on when the child ends."""
    with served(way, tmp_path, monkeypatch) as client:

        def numbers_of_child() -> str:
            gc.collect()
            return number(client) + number(client)

        assert number(client) == "0"
        assert [in_child(numbers_of_child), in_child(numbers_of_child)] == ["11", "22"]
        assert number(client) == "0"


def test_a_forked_child_waits_for_no_thread_of_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another thread had locked at that moment nobody would ever unlock in the child."""
    with served("plain", tmp_path, monkeypatch) as client:
        assert number(client) == "0"
        with client._adapter._lock, lock_of_idle(client):
            assert in_child(lambda: number(client)) == "1"


@pytest.fixture
def tokens_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[FaultServer], tokens.TokenSource]:
    monkeypatch.setenv("CLIENT_SECRET", "s3cret")

    def of(provider: FaultServer) -> tokens.TokenSource:
        place = {"token_url": f"{provider.url}/token", "client_secret_env": "CLIENT_SECRET"}
        return tokens.TokenSource(OidcAuth.model_validate({"client_id": "me", **place}))

    return of


def grants(wire: Wire) -> None:
    """Give a token that names the connection."""
    wire.answer(body=b'{"access_token": "t%d"}' % wire.number)


def test_a_child_forked_while_a_token_is_fetched_fetches_its_own(
    tokens_of: Callable[[FaultServer], tokens.TokenSource],
) -> None:
    """The thread that fetches is not in the child, which would wait for it at every call."""
    is_asked, may_answer = threading.Event(), threading.Event()

    def slow(wire: Wire) -> None:
        wire.read()
        is_asked.set()
        may_answer.wait(60)
        wire.write(http(body=b'{"access_token": "of the parent"}'))

    with fault_server(slow, grants) as provider:
        source = tokens_of(provider)
        fetching = threading.Thread(target=source.token, args=(60,))
        fetching.start()
        try:
            assert is_asked.wait(60)
            with source._lock:
                assert in_child(lambda: source.token(30).text) == "t1"
        finally:
            may_answer.set()
            fetching.join()
        assert source.token(30).text == "of the parent"


def test_a_forked_child_keeps_the_token(
    tokens_of: Callable[[FaultServer], tokens.TokenSource],
) -> None:
    """Each child of many would else ask the provider for one."""
    with fault_server(grants) as provider:
        source = tokens_of(provider)
        assert source.token(30).text == "t0"
        assert in_child(lambda: source.token(30).text) == "t0"


def test_a_forked_child_finds_a_turn_open() -> None:
    """Whoever has it, its own threads take turns from the start; the parent's go on as they did."""
    turn = Turn()

    def taken_by_child() -> str:
        with turn:
            return "taken"

    with turn:
        assert in_child(taken_by_child) == "taken"
    with turn:
        pass
