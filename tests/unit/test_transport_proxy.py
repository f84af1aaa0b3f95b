from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kserve_client.auth import OidcAuth
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    ConnectError,
    ServerError,
    TLSError,
)
from kserve_client.transport import Transport
from tests import needs
from tests.unit.certificates import make_authority
from tests.unit.fault_server import Wire, fault_server, http
from tests.unit.oidc_server import CLIENT, oidc_server
from tests.unit.proxy_server import Proxy, proxy_server


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxy_server() as running:
        monkeypatch.setenv("http_proxy", running.url)
        monkeypatch.setenv("https_proxy", running.url)
        yield running


def test_a_plain_request_is_forwarded(proxy: Proxy) -> None:
    """With its whole URL in the first line, and its body."""
    with fault_server(Wire.answer) as server:
        proxy.hosts["model.test"] = ("127.0.0.1", server.port)
        client = Transport(Endpoint(url="http://model.test/team", auth={"value": "t0ken"}))  # type: ignore[arg-type]
        assert client.send("POST", "/v2/models/a/infer", body=b"{}").status == 200
    assert proxy.lines == ["POST http://model.test/team/v2/models/a/infer HTTP/1.1"]
    seen = server.seen[0]
    assert (seen.target, seen.headers["host"], seen.body) == (
        "/team/v2/models/a/infer",
        "model.test",
        b"{}",
    )
    assert seen.headers["authorization"] == "Bearer t0ken"


def test_tls_goes_through_a_tunnel(proxy: Proxy, tmp_path: Path) -> None:
    """The proxy learns host and port, and nothing of the request."""
    needs.require(shutil.which("openssl"), "no openssl command to make certificates with")
    authority = make_authority(tmp_path)
    served = authority.issue("server", host="DNS:model.test")
    with fault_server(Wire.answer, tls=served.server_context()) as server:
        proxy.hosts["model.test"] = ("127.0.0.1", server.port)
        endpoint = Endpoint(
            url="https://model.test",
            ca_file=authority.certificate,
            auth={"value": "t0ken"},  # type: ignore[arg-type]
        )
        assert Transport(endpoint).send("GET", "/v2").status == 200
    assert [line.rpartition(" ")[0] for line in proxy.lines] == ["CONNECT model.test:443"]
    assert server.seen[0].headers["authorization"] == "Bearer t0ken"
    assert "proxy-authorization" not in server.seen[0].headers


def test_a_gateway_address_keeps_its_name_in_the_tunnel(proxy: Proxy, tmp_path: Path) -> None:
    """SNI and certificate are those of the host, whatever the way."""
    needs.require(shutil.which("openssl"), "no openssl command to make certificates with")
    authority = make_authority(tmp_path)
    served = authority.issue("server", host="DNS:iris.example.org")
    with fault_server(Wire.answer, tls=served.server_context()) as server:
        proxy.hosts["10.0.0.7"] = ("127.0.0.1", server.port)
        endpoint = Endpoint(
            url="https://10.0.0.7", host="iris.example.org", ca_file=authority.certificate
        )
        assert Transport(endpoint).send("GET", "/v2").status == 200
    assert [line.rpartition(" ")[0] for line in proxy.lines] == ["CONNECT 10.0.0.7:443"]


def test_a_kept_connection_that_was_dropped_is_replayed_through_a_proxy_too(proxy: Proxy) -> None:
    """The forwarding proxy closes after each answer, as some do without a word."""
    with fault_server(Wire.answer) as server:
        proxy.hosts["model.test"] = ("127.0.0.1", server.port)
        client = Transport(Endpoint(url="http://model.test"))
        statuses = [client.send("GET", "/v2").status for _ in range(3)]
    assert statuses == [200, 200, 200]


def test_the_proxys_password_goes_to_the_proxy_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in the proxy variable."""
    with proxy_server(password="Basic bWU6cHc=") as proxy, fault_server(Wire.answer) as server:
        proxy.hosts["model.test"] = ("127.0.0.1", server.port)
        monkeypatch.setenv("http_proxy", f"http://me:pw@127.0.0.1:{proxy.port}")
        assert Transport(Endpoint(url="http://model.test")).send("GET", "/v2").status == 200
    assert proxy.proofs == ["Basic bWU6cHc="]
    assert "proxy-authorization" not in server.seen[0].headers


def test_a_proxy_that_is_off_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the server that nobody listens for; user and password stay out of it."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://user:secret@127.0.0.1:{port}")
    endpoint = Endpoint(url="http://models.example.org", title="Iris")
    with pytest.raises(ConnectError) as caught:
        Transport(endpoint, retries=0).send("GET", "/v2")
    assert str(caught.value) == (
        f"nothing listens on the proxy 127.0.0.1:{port} before Iris; start the server, or correct "
        "its URL"
    )


def test_a_proxy_that_is_not_known_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the name of the server that is wrong."""
    monkeypatch.setenv("http_proxy", "http://no-such-proxy.invalid:3128")
    endpoint = Endpoint(url="http://models.example.org", title="Iris")
    with pytest.raises(
        ConnectError, match=r"^the name no-such-proxy\.invalid \(the proxy before Iris"
    ):
        Transport(endpoint, retries=0).send("GET", "/v2")


def test_a_proxy_that_wants_a_password_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """For plain requests its 407 is the answer; a tunnel is a connection that was not made."""
    with proxy_server(password="Basic bWU6cHc=") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("https_proxy", f"http://me:s3cret@127.0.0.1:{proxy.port}")
        with pytest.raises(ServerError, match="407"):
            Transport(Endpoint(url="http://model.test"), retries=0).send("GET", "/v2")
        with pytest.raises(ConnectError, match="407") as caught:
            Transport(Endpoint(url="https://model.test"), retries=0).send("GET", "/v2")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("names", ["127.0.0.1", "localhost,127.0.0.0/8", "*"])
def test_no_proxy_goes_straight(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    """Hosts, networks, or everything."""
    monkeypatch.setenv("no_proxy", names)
    with fault_server(Wire.answer) as server:
        assert Transport(Endpoint(url=server.url)).send("GET", "/v2").status == 200
    assert proxy.lines == []


def test_no_proxy_may_name_others(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that it does not name goes through the proxy."""
    monkeypatch.setenv("no_proxy", "other.test")
    with fault_server(Wire.answer) as server:
        assert Transport(Endpoint(url=server.url)).send("GET", "/v2").status == 200
    assert proxy.lines == [f"GET {server.url}/v2 HTTP/1.1"]


def test_a_proxy_without_a_scheme_is_a_plain_one(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As curl reads it."""
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
    with fault_server(Wire.answer) as server:
        assert Transport(Endpoint(url=server.url)).send("GET", "/v2").status == 200
    assert len(proxy.lines) == 1


def test_a_login_page_of_the_proxy_is_no_answer_of_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A redirect is told, not followed."""
    login = lambda wire: (wire.read(), wire.write(http(302, Location="http://login.test/")))[1]  # noqa: E731
    with fault_server(login) as captive:
        monkeypatch.setenv("http_proxy", captive.url)
        with pytest.raises(AccessError, match=r"login\.test"):
            Transport(Endpoint(url="http://model.test")).send("GET", "/v2")


def test_a_proxy_may_be_spoken_to_over_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its certificate is checked like a server's, and the request travels hidden."""
    needs.require(shutil.which("openssl"), "no openssl command to make certificates with")
    authority = make_authority(tmp_path)
    tls = authority.issue("proxy").server_context()
    with proxy_server(tls=tls) as proxy, fault_server(Wire.answer) as server:
        proxy.hosts["model.test"] = ("127.0.0.1", server.port)
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(TLSError):
            Transport(Endpoint(url="http://model.test"), retries=0).send("GET", "/v2")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate))
        assert Transport(Endpoint(url="http://model.test")).send("GET", "/v2").status == 200
    assert proxy.lines == ["GET http://model.test/v2 HTTP/1.1"]


def test_a_kind_of_proxy_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """SOCKS needs a library more: that is told, and nothing goes past the proxy."""
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")
    with fault_server(Wire.answer) as server:
        with pytest.raises((ConfigurationError, ConnectError)):
            Transport(Endpoint(url=server.url), retries=0).send("GET", "/v2")
        assert server.connections == 0


def test_a_provider_is_asked_through_the_proxy(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the endpoint is; over plain http only where the settings allow it."""
    monkeypatch.setenv("CLIENT_SECRET", CLIENT[1])
    known = {"client_id": CLIENT[0], "client_secret_env": "CLIENT_SECRET", "allow_http": True}
    with oidc_server() as provider, fault_server(Wire.answer) as server:
        proxy.hosts["id.test"] = ("127.0.0.1", int(provider.url.rpartition(":")[2]))
        proxy.hosts["model.test"] = ("127.0.0.1", server.port)
        auth = OidcAuth.model_validate(known | {"token_url": "http://id.test/token"})
        Transport(Endpoint(url="http://model.test", auth=auth)).send("GET", "/v2")
    assert [line.split()[1] for line in proxy.lines] == [
        "http://id.test/token",
        "http://model.test/v2",
    ]
    assert server.seen[0].headers["authorization"] == "Bearer t1"
