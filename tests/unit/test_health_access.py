"""The health of endpoints that are reached, or let us in, in less usual ways."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kserve_client.catalog import Catalog
from kserve_client.endpoint import Endpoint
from kserve_client.health import Ladder, check, commands
from kserve_client.transport import UncheckedCertificateWarning, tls, tokens
from tests import needs
from tests.unit.certificates import Authority, make_authority
from tests.unit.fault_server import Wire, fault_server, http
from tests.unit.oidc_server import CLIENT, oidc_server


def well(wire: Wire) -> None:
    while wire.read() is not None:
        wire.write(http())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    needs.require(shutil.which("openssl"), "no openssl command to make certificates with")
    return make_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    tls._warned.clear()
    tokens.token_source.cache_clear()
    yield
    tokens.token_source.cache_clear()


def ladder(tmp_path: Path, **endpoint: object) -> Ladder:
    file = tmp_path / "models.yaml"
    known = {
        name: str(value) if isinstance(value, Path) else value for name, value in endpoint.items()
    }
    models = {"iris": {"endpoint": "demo"}}
    file.write_text(yaml.safe_dump({"endpoints": {"demo": known}, "models": models}))
    return check(Catalog.load(file), "iris", with_inference=False)


def test_a_gateway_address_is_checked_for_its_host(authority: Authority, tmp_path: Path) -> None:
    """As a call does it; the command shows the name."""
    served = authority.issue("named", host="DNS:iris.example.org")
    with fault_server(well, tls=served.server_context()) as server:
        found = ladder(
            tmp_path, url=server.url, host="iris.example.org", ca_file=authority.certificate
        )
    assert found.is_ready, found.verdict
    assert "-servername iris.example.org" in found.rungs[2].command
    assert "--connect-to iris.example.org:" in found.rungs[3].command


def test_our_certificate_is_shown_on_each_rung(authority: Authority, tmp_path: Path) -> None:
    """The handshake and the questions after it."""
    served, ours = authority.issue("server"), authority.issue("client", host="DNS:client.test")
    with fault_server(well, tls=served.server_context(clients_of=authority.certificate)) as server:
        found = ladder(
            tmp_path,
            url=server.url,
            ca_file=authority.certificate,
            client_cert_file=ours.certificate,
            client_key_file=ours.key,
        )
    assert found.is_ready, found.verdict
    assert f"--cert {ours.certificate} --key {ours.key}" in found.rungs[3].command


def test_an_unchecked_certificate_is_said(authority: Authority, tmp_path: Path) -> None:
    """The rung is no proof of trust."""
    served = authority.issue("other", host="DNS:other.test")
    with (
        fault_server(well, tls=served.server_context()) as server,
        pytest.warns(UncheckedCertificateWarning),
    ):
        found = ladder(tmp_path, url=server.url, verify=False)
    assert found.is_ready
    assert "is not checked (verify: false)" in found.rungs[2].detail
    assert found.rungs[3].command.count(" -k") == 1


def test_a_provider_that_refuses_us_is_no_access(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server was not asked; the verdict names the token endpoint."""
    monkeypatch.setenv("CLIENT_SECRET", "wrong")
    with oidc_server() as provider, fault_server(well) as server:
        auth = {"type": "oidc", "token_url": f"{provider.url}/token", "client_id": CLIENT[0]}
        found = ladder(
            tmp_path, url=server.url, auth={**auth, "client_secret_env": "CLIENT_SECRET"}
        )
    assert found.state == "no access"
    assert "refused our client: invalid_client" in found.verdict
    assert server.seen == []


@pytest.mark.parametrize(
    ("auth", "shown"),
    [
        ({"env": "IRIS"}, '-H "Authorization: Bearer $IRIS"'),
        ({"file": "/run/a b"}, "-H \"Authorization: Bearer $(cat '/run/a b')\""),
        ({"value": "s3cret"}, '-H "Authorization: Bearer $TOKEN"'),
        ({"type": "basic", "user": "a b", "password": "s3cret"}, "-u 'a b':\"$PASSWORD\""),
        (
            {"type": "basic", "user_env": "WHO", "password_file": "/run/p"},
            '-u "$WHO":"$(cat /run/p)"',
        ),
        ({"type": "cookie", "name": "session", "env": "S"}, '-H "Cookie: session=$S"'),
        (
            {
                "type": "oidc",
                "token_url": "https://id.test/t",
                "client_id": "me",
                "client_secret": "s3cret",
            },
            '-H "Authorization: Bearer $TOKEN"',
        ),
    ],
)
def test_commands_name_the_places_of_secrets(auth: dict[str, str], shown: str) -> None:
    """Never the secret itself."""
    endpoint = Endpoint.model_validate({"url": "http://h", "auth": auth})
    command = commands.get(endpoint, commands.route_of(endpoint), "/v2")
    assert shown in command
    assert "s3cret" not in command
