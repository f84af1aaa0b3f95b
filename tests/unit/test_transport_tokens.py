from __future__ import annotations

import json
import logging
import pickle
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest

from kserve_client.auth import OidcAuth
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerError,
    ServerError,
)
from kserve_client.events import CallEvent
from kserve_client.transport import Transport, tokens
from tests import needs
from tests.unit.certificates import make_authority
from tests.unit.fault_server import FaultServer, Wire, fault_server, http
from tests.unit.oidc_server import CLIENT, Provider, oidc_server

SECRET = CLIENT[1]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No token of another test, no long pauses, the client's secret in its variable."""
    monkeypatch.setattr("kserve_client.transport.retries.FIRST_PAUSE_S", 0.01)
    monkeypatch.setenv("CLIENT_SECRET", SECRET)
    tokens.token_source.cache_clear()
    yield
    tokens.token_source.cache_clear()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with oidc_server() as running:
        yield running


def settings(provider: Provider, **more: Any) -> dict[str, Any]:
    known = {"type": "oidc", "client_id": CLIENT[0], "client_secret_env": "CLIENT_SECRET"}
    where = {} if {"issuer", "token_url"} & set(more) else {"token_url": f"{provider.url}/token"}
    return known | where | more


def transport(server: FaultServer, provider: Provider, **more: Any) -> Transport:
    endpoint = {"url": server.url, "auth": settings(provider, **more)}
    return Transport(Endpoint.model_validate(endpoint))


def stays(wire: Wire) -> None:
    while wire.read() is not None:
        wire.write(http())


def sent(server: FaultServer) -> list[str]:
    return [request.headers.get("authorization", "") for request in server.seen]


def source(provider: Provider, **more: Any) -> tokens.TokenSource:
    return tokens.TokenSource(OidcAuth.model_validate(settings(provider, **more)))


# What the provider is asked


def test_the_token_of_the_provider_travels(provider: Provider) -> None:
    """It is fetched once and kept for further calls."""
    with fault_server(stays) as server:
        client = transport(server, provider)
        client.send("GET", "/1")
        client.send("GET", "/2")
    assert sent(server) == ["Bearer t1", "Bearer t1"]
    assert len(provider.asked) == 1
    assert provider.asked[0].form == {"grant_type": "client_credentials"}


@pytest.mark.parametrize("client_auth", ["basic", "post"])
def test_the_client_shows_its_secret(provider: Provider, client_auth: str) -> None:
    """In a header, each part encoded as in a form, or in the form itself; never in both."""
    source(provider, client_auth=client_auth).token(5)
    asked = provider.asked[0]
    assert (asked.client, asked.method) == (CLIENT, client_auth)
    assert ("client_secret" in asked.form) == (client_auth == "post")


def test_scope_and_audience_are_asked_for(provider: Provider) -> None:
    """Both travel in the form."""
    source(provider, scope="models.read infer", audience="https://models").token(5)
    assert provider.asked[0].form["scope"] == "models.read infer"
    assert provider.asked[0].form["audience"] == "https://models"


def test_name_and_secret_may_come_from_files(provider: Provider, tmp_path: Path) -> None:
    """As a mounted secret holds them; a new secret is read for the next token."""
    name, secret = tmp_path / "id", tmp_path / "secret"
    name.write_text(f"{CLIENT[0]}\n")
    secret.write_text("old\n")
    found = source(
        provider,
        client_id=None,
        client_id_file=name,
        client_secret_env=None,
        client_secret_file=secret,
    )
    with pytest.raises(AccessError):
        found.token(5)
    secret.write_text(f"{SECRET}\n")
    assert found.token(5).text == "t2"


def test_a_secret_that_is_not_there(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names its place, and nobody is asked."""
    monkeypatch.delenv("CLIENT_SECRET")
    with pytest.raises(ConfigurationError, match="client secret in environment variable"):
        source(provider).token(5)
    assert provider.asked == []


# The issuer


def test_the_issuer_names_its_token_endpoint(provider: Provider) -> None:
    """It is asked once."""
    provider.life_s = 0.01
    found = source(provider, issuer=f"{provider.url}/")
    assert found.token(5).text == "t1"
    time.sleep(0.02)
    assert found.token(5).text == "t2"
    assert provider.discovered == 1


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("issuer", "http://127.0.0.1:1", "another issuer"),
        ("token_url", "http://elsewhere.test/token", "another host"),
        ("token_url", "https://elsewhere.test/token", "another host"),
        ("token_url", "/token", "another host"),
    ],
)
def test_an_issuer_that_sends_the_secret_elsewhere_is_refused(
    provider: Provider, setting: str, value: str, why: str
) -> None:
    """The catalog names the provider; nobody else does."""
    setattr(provider, setting, value)
    with pytest.raises(ConfigurationError, match=why):
        source(provider, issuer=provider.url).token(5)
    assert provider.asked == []


def test_an_issuer_over_tls_may_not_name_a_plain_token_endpoint(tmp_path: Path) -> None:
    """The secret would be read on the way; over TLS all is well, with the provider's own authority."""
    needs.require(shutil.which("openssl"), "no openssl command to make certificates with")
    authority = make_authority(tmp_path)
    context = authority.issue("provider").server_context()
    with oidc_server(tls=context) as provider:
        trusted = {"issuer": provider.url, "ca_file": authority.certificate}
        assert source(provider, **trusted).token(5).text == "t1"
        provider.token_url = f"{provider.url}/token".replace("https:", "http:")
        with pytest.raises(ConfigurationError, match="without https"):
            source(provider, **trusted).token(5)


def test_an_issuer_without_discovery_is_told(provider: Provider) -> None:
    """The message names the address that was asked."""
    with pytest.raises(ServerError, match=r"realm/\.well-known/openid-configuration"):
        source(provider, issuer=f"{provider.url}/realm").token(5)


# Renewal


def test_a_token_is_renewed_before_it_ends(provider: Provider) -> None:
    """After 80 % of a short life; until then it is kept."""
    provider.life_s = 1
    found = source(provider)
    first = found.token(5)
    assert first.stale - first.fetched == pytest.approx(0.8)
    assert found.token(5) is first
    time.sleep(0.85)
    assert found.token(5).text == "t2"


@pytest.mark.parametrize(
    ("life", "early_s"),
    [(3600, 60), ("3600", 60), (100, 20), (300, 60), (None, 60), ("soon", 60), (-1, 60)],
)
def test_how_early_a_token_is_renewed(provider: Provider, life: Any, early_s: float) -> None:
    """A minute before its end, or a fifth of its life; a life that is not told is five minutes."""
    provider.life_s = life
    token = source(provider).token(5)
    assert token.ends - token.stale == pytest.approx(early_s)
    expected = float(life) if str(life) in ("3600", "100", "300") else 300
    assert token.ends - token.fetched == pytest.approx(expected)


def test_a_provider_that_is_down_does_not_end_a_good_token(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """While the old token is good it is used, and the provider is left alone for a while."""
    found = source(provider)
    kept, now = found.token(5), time.monotonic()
    found._kept = tokens.Token(kept.text, kept.fetched, stale=now, ends=now + 60)
    provider.status = 500
    assert found.token(5).text == "t1"
    assert found.token(5).text == "t1"
    assert len(provider.asked) == 2
    assert "could not be renewed" in caplog.text
    found._kept = tokens.Token(kept.text, kept.fetched, stale=now, ends=time.monotonic())
    with pytest.raises(ServerError):
        found.token(5)


def test_threads_fetch_one_token(provider: Provider) -> None:
    """The others wait for it."""
    provider.pause_s = 0.2
    found = source(provider)
    with ThreadPoolExecutor(8) as pool:
        texts = [token.text for token in pool.map(lambda _: found.token(5), range(8))]
    assert texts == ["t1"] * 8
    assert len(provider.asked) == 1


def answer_after(
    monkeypatch: pytest.MonkeyPatch, provider: Provider, wait: Callable[[], object]
) -> None:
    """Have the provider wait before each answer."""
    grant = provider.grant

    def later(form: dict[str, str], authorization: str) -> tuple[int, bytes]:
        wait()
        return grant(form, authorization)

    monkeypatch.setattr(provider, "grant", later)


@pytest.fixture
def until_seven_wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Wait until so many threads wait for the one that fetches."""
    waiting, waited = threading.Semaphore(0), tokens._waited

    def counted(*flight: Any) -> tokens.Token:
        waiting.release()
        return waited(*flight)

    def wait() -> None:
        assert all(waiting.acquire(timeout=30) for _ in range(7))

    monkeypatch.setattr(tokens, "_waited", counted)
    return wait


def test_threads_share_a_refusal(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, until_seven_wait: Callable[[], None]
) -> None:
    """Nobody asks again what was just refused."""
    provider.status, provider.answer = 401, b'{"error": "invalid_client"}'
    answer_after(monkeypatch, provider, until_seven_wait)
    found = source(provider)

    def ask(_: int) -> str:
        with pytest.raises(AccessError) as caught:
            found.token(60)
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(provider.asked) == 1


def test_a_hurried_caller_does_not_end_the_wait_of_a_patient_one() -> None:
    """Who waits for its fetch and has more time than it had asks the provider again."""
    is_asked = threading.Event()

    def silent(wire: Wire) -> None:
        wire.read()
        is_asked.set()
        wire.read()  # until the client goes

    with fault_server(silent, lambda wire: wire.answer(body=b'{"access_token": "late"}')) as asked:
        found = source(Provider(asked.url))
        with ThreadPoolExecutor(2) as pool:
            hurried = pool.submit(found.token, 2)
            assert is_asked.wait(30)
            patient = pool.submit(found.token, 60)
            assert patient.result().text == "late"
            assert isinstance(hurried.exception(), NoAnswerError)


@pytest.mark.parametrize(
    ("is_late", "wait_s", "others_wait_s"),
    [(True, 2.0, 2.2), (False, 19.0, 60.0)],
    ids=["silent", "down"],
)
def test_threads_share_a_provider_that_does_not_answer(
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    until_seven_wait: Callable[[], None],
    is_late: bool,
    wait_s: float,
    others_wait_s: float,
) -> None:
    """Nobody asks again who could give it no more time, or whom more time would not help."""
    is_fetching, fetches = threading.Event(), list[float]()

    def fails(wait_s: float) -> NoReturn:
        ends = time.monotonic() + wait_s
        fetches.append(wait_s)
        is_fetching.set()
        until_seven_wait()
        while is_late and time.monotonic() < ends:
            time.sleep(0.01)
        raise NoAnswerError("no token: it is down")

    found = source(provider)
    monkeypatch.setattr(found, "_fetch", fails)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(found.token, wait_s)
        assert is_fetching.wait(30)
        asked = [first, *(pool.submit(found.token, others_wait_s) for _ in range(7))]
        assert {type(one.exception()) for one in asked} == {NoAnswerError}
    assert len(fetches) == 1


def test_nobody_waits_for_a_renewal_while_the_old_token_is_good(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread renews, the others go on."""
    found = source(provider)
    kept = found.token(5)
    found._kept = tokens.Token(kept.text, kept.fetched, time.monotonic(), kept.ends)
    both, may_answer = threading.Barrier(2), threading.Event()
    answer_after(monkeypatch, provider, lambda: (both.wait(30), may_answer.wait(30)))
    renewal = threading.Thread(target=found.token, args=(60,))
    renewal.start()
    both.wait(30)
    assert found.token(60).text == "t1"
    assert renewal.is_alive()
    may_answer.set()
    renewal.join()
    assert found.token(5).text == "t2"


def test_transports_with_the_same_settings_share_a_token(provider: Provider) -> None:
    """A health check that makes a client of its own asks nobody for another one."""
    with fault_server(stays) as server:
        transport(server, provider).send("GET", "/1")
        transport(server, provider).send("GET", "/2")
        transport(server, provider, scope="other").send("GET", "/3")
    assert sent(server) == ["Bearer t1", "Bearer t1", "Bearer t2"]


def lets_in(*good: str) -> Any:
    """A server that takes these tokens alone."""

    def script(wire: Wire) -> None:
        while (request := wire.read()) is not None:
            is_good = request.headers.get("authorization") in {f"Bearer {text}" for text in good}
            wire.write(http(200 if is_good else 401))

    return script


def test_a_kept_token_that_is_refused_is_replaced_once(provider: Provider) -> None:
    """It may have been withdrawn before its end."""
    with fault_server(lets_in("t1")) as server:
        transport(server, provider).send("GET", "/1")
    with fault_server(lets_in("t2")) as server:
        client = transport(server, provider)
        answer = client.send("POST", "/2", body=b"{}")
        client.send("GET", "/3")
    assert (answer.status, answer.attempts) == (200, 2)
    assert sent(server) == ["Bearer t1", "Bearer t2", "Bearer t2"]
    assert server.seen[1].body == b"{}"


def test_a_new_token_that_is_refused_is_not_replaced(provider: Provider) -> None:
    """The server does not want us, whatever the token."""
    with fault_server(lets_in()) as server:
        client = transport(server, provider)
        for _ in range(2):
            with pytest.raises(AccessError):
                client.send("GET", "/v2")
    assert sent(server) == ["Bearer t1", "Bearer t1", "Bearer t2"]


def test_a_403_costs_no_new_token(provider: Provider) -> None:
    """The token is good, and its owner may not."""
    with fault_server(lambda wire: [wire.answer(403) for _ in "12"]) as server:
        client = transport(server, provider)
        for _ in range(2):
            with pytest.raises(AccessError):
                client.send("GET", "/v2")
    assert len(provider.asked) == 1


# A token of the call, a header of the call


def test_the_token_of_a_call_goes_before_the_endpoints(provider: Provider) -> None:
    """It is sent with that call alone, and the provider is not asked."""
    with fault_server(stays) as server:
        client = transport(server, provider)
        client.send("GET", "/1", token="mine")
        assert provider.asked == []
        client.send("GET", "/2")
        client.send("GET", "/3", headers={"authorization": "Bearer by-hand"})
    assert sent(server) == ["Bearer mine", "Bearer t1", "Bearer by-hand"]


def test_the_token_of_a_call_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the client, nor in its event, its log or its error."""
    told: list[CallEvent] = []
    caplog.set_level(logging.DEBUG)
    with fault_server(lambda wire: [wire.answer(401) for _ in "12"]) as server:
        client = Transport(Endpoint(url=server.url), on_event=told.append)
        with pytest.raises(AccessError) as caught:
            client.send("GET", "/v2", token="s3cret-of-a-call")
        with pytest.raises(AccessError):
            client.send("GET", "/v2")
    assert sent(server) == ["Bearer s3cret-of-a-call", ""]
    kept = f"{vars(client)} {told} {caplog.text} {caught.value} {vars(caught.value)}"
    assert "s3cret" not in kept


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "tök"])
def test_a_token_of_a_call_that_is_no_header_text(token: str) -> None:
    """It is refused before anything is sent, and not shown."""
    with pytest.raises(ConfigurationError, match="this call") as caught:
        Transport(Endpoint(url="http://127.0.0.1:9")).send("GET", "/v2", token=token)
    assert not token or token not in str(caught.value)


# When the provider says no


def test_a_provider_that_refuses_is_an_access_error(provider: Provider) -> None:
    """It names the token endpoint and what to check, and the server was not asked."""
    told: list[CallEvent] = []
    with fault_server(stays) as server:
        endpoint = {"url": server.url, "auth": settings(provider, client_id="nobody")}
        client = Transport(Endpoint.model_validate(endpoint), on_event=told.append)
        with pytest.raises(AccessError, match=r"invalid_client.*client id") as caught:
            client.send("GET", "/v2")
    assert f"{provider.url}/token" in str(caught.value)
    assert server.seen == []
    assert [(event.outcome, event.status, event.attempts) for event in told] == [
        ("refused", None, 0)
    ]


def test_the_secret_is_shown_nowhere(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    """Not even when the provider repeats it."""
    caplog.set_level(logging.DEBUG)
    provider.status, provider.answer = 400, f'{{"error": "no {SECRET}"}}'.encode()
    endpoint = Endpoint.model_validate({"url": "http://h", "auth": settings(provider)})
    with pytest.raises(KServeClientError) as caught:
        Transport(endpoint).send("GET", "/v2")
    shown = f"{caught.value} {vars(caught.value)} {endpoint!r} {caplog.text}"
    assert SECRET not in shown


def test_a_provider_that_is_down(provider: Provider) -> None:
    """No token, no call; the message says whose fault it is."""
    found = source(provider, token_url="http://127.0.0.1:9/token")
    with pytest.raises(
        NoAnswerError, match=r"no token: nothing .*127\.0\.0\.1:9 \(the token endpoint\);"
    ):
        found.token(5)


def test_a_provider_that_is_slow(provider: Provider) -> None:
    """The deadline of the call bounds the wait for its token."""
    provider.pause_s = 60
    with fault_server(stays) as server:
        endpoint = {"url": server.url, "auth": settings(provider), "deadline_s": 0.3}
        started = time.monotonic()
        with pytest.raises(NoAnswerError):
            Transport(Endpoint.model_validate(endpoint)).send("GET", "/v2")
        assert time.monotonic() - started < 20


def test_a_provider_that_redirects_gets_no_second_request(provider: Provider) -> None:
    """The secret goes to no other address."""
    provider.status = 307
    with pytest.raises(ServerError, match="elsewhere"):
        source(provider).token(5)
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"access_token": ""}',
        b'{"access_token": 5}',
        b'{"access_token": "x", "token_type": "mac"}',
        b"[" * 100_000,
    ],
)
def test_an_answer_without_a_token_is_invalid(provider: Provider, answer: bytes) -> None:
    """A page of a gateway is no token."""
    provider.answer = answer
    with pytest.raises(InvalidAnswerError, match=r"/token"):
        source(provider).token(5)


def test_a_token_that_is_no_header_text_is_refused(provider: Provider) -> None:
    """It could end one header and begin another."""
    provider.answer = json.dumps({"access_token": "a\r\nX: y"}).encode()
    with fault_server(stays) as server, pytest.raises(ConfigurationError, match="no header text"):
        transport(server, provider).send("GET", "/v2")
    assert server.seen == []


def test_a_transport_in_another_process_begins_anew(provider: Provider) -> None:
    """Neither connections nor tokens travel with it."""
    with fault_server(stays) as server:
        client = transport(server, provider)
        client.send("GET", "/v2")
        packed = pickle.dumps(client)
        assert b"t1" not in packed
        assert SECRET.encode() not in packed
        assert pickle.loads(packed).send("GET", "/v2").status == 200
