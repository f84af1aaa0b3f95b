"""Snippets of endpoints that prove themselves, or are found, in other ways than with a bearer token."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kserve_client import snippets
from kserve_client.endpoint import Endpoint
from kserve_client.snippets import Call
from kserve_client.transport import Transport
from tests import needs
from tests.unit.certificates import make_authority
from tests.unit.fault_server import fault_server, http

OIDC = {"type": "oidc", "token_url": "https://id.test/t", "client_id": "me"}


def call(**settings: Any) -> Call:
    endpoint = Endpoint.model_validate({"url": "https://iris.test"} | settings)
    return Call(endpoint, "/v2/models/iris", method="GET")


def run(line: str) -> bytes:
    needs.require(shutil.which("curl"), "there is no curl on the PATH")
    return subprocess.run(["bash", "-c", line], capture_output=True, check=True, timeout=30).stdout


@pytest.mark.parametrize(
    ("auth", "in_shell", "in_requests", "in_ours"),
    [
        (
            {"type": "basic", "user": "me", "password": "s3cret"},
            '-u me:"$PASSWORD"',
            '"Basic " + os.environ["USER_AND_PASSWORD_IN_BASE64"]',
            'BasicAuth(user="me", password_env="PASSWORD")',
        ),
        (
            {"type": "basic", "user_env": "WHO", "password_file": "/run/pass word"},
            '-u "$WHO":"$(cat \'/run/pass word\')"',
            '"Basic " + os.environ["USER_AND_PASSWORD_IN_BASE64"]',
            'BasicAuth(user_env="WHO", password_file=Path("/run/pass word"))',
        ),
        (
            {"type": "cookie", "name": "session", "env": "SESSION"},
            '"Cookie: session=$SESSION"',
            '"session=" + os.environ["SESSION"]',
            'CookieAuth(name="session", env="SESSION")',
        ),
        (
            {"type": "cookie", "name": "session", "value": "s3cret"},
            '"Cookie: session=$COOKIE"',
            '"session=" + os.environ["COOKIE"]',
            'CookieAuth(name="session", env="TOKEN")',
        ),
        (
            {**OIDC, "client_secret": "s3cret"},
            '"Authorization: Bearer $TOKEN"',
            '"Bearer " + os.environ["TOKEN"]',
            'client_secret_env="CLIENT_SECRET"',
        ),
        (
            {**OIDC, "client_secret_file": "/run/secret"},
            '"Authorization: Bearer $TOKEN"',
            '"Bearer " + os.environ["TOKEN"]',
            'client_secret_file=Path("/run/secret")',
        ),
    ],
)
def test_each_kind_of_auth_is_written(
    auth: dict[str, str], in_shell: str, in_requests: str, in_ours: str
) -> None:
    """By the places of its secrets."""
    made = call(auth=auth)
    assert in_shell in snippets.curl(made)
    assert in_requests in snippets.python_requests(made)
    assert in_ours in snippets.python_client(made)
    shown = snippets.curl(made) + snippets.python_requests(made) + snippets.python_client(made)
    assert "s3cret" not in shown


def test_curl_shows_user_and_password_as_this_client_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both encode them in UTF-8; a header of the call goes before them."""
    monkeypatch.setenv("PASSWORD", "pass $wörd:1")
    settings = {"type": "basic", "user": "a b", "password": "pass $wörd:1"}
    with fault_server(lambda w: (w.read(), w.write(http()))[1]) as server:
        made = call(url=server.url, auth=settings)
        run(snippets.curl(made))
        Transport(made.endpoint).send("GET", made.path)
        own = Call(made.endpoint, made.path, headers={"Authorization": "Bearer x"}, method="GET")
        assert "-u" not in snippets.curl(own)
    by_curl, by_us = (seen.headers["authorization"] for seen in server.seen)
    assert by_curl == by_us == "Basic YSBiOnBhc3MgJHfDtnJkOjE="


def test_curl_goes_as_this_client_does(tmp_path: Path) -> None:
    """To a bare address, for the name behind it, with our certificate."""
    needs.require(shutil.which("openssl"), "no openssl command to make certificates with")
    authority = make_authority(tmp_path)
    served = authority.issue("server", host="DNS:iris.example.org")
    ours = authority.issue("client", host="DNS:client.test")
    context = served.server_context(clients_of=authority.certificate)
    files = {
        "ca_file": authority.certificate,
        "client_cert_file": ours.certificate,
        "client_key_file": ours.key,
    }
    with fault_server(lambda w: (w.read(), w.write(http()))[1], tls=context) as server:
        for name in ({"host": "iris.example.org"}, {"tls_name": "iris.example.org"}):
            made = call(url=server.url, **name, **files)
            assert run(snippets.curl(made)) == b"{}"
            assert "# requests wants a certificate for 127.0.0.1" in snippets.python_requests(made)
    assert [seen.headers["host"] for seen in server.seen] == [
        "iris.example.org",
        server.url.removeprefix("https://"),
    ]


def test_an_unchecked_certificate_stays_unchecked() -> None:
    """The snippet does what the endpoint says."""
    made = call(verify=False)
    assert " -k" in snippets.curl(made)
    assert "verify=False" in snippets.python_requests(made)
    assert "verify=False" in snippets.python_client(made)


def test_our_certificate_is_named_for_requests() -> None:
    """As a pair of files; one that holds both stands twice."""
    made = call(client_cert_file="both.pem")
    assert 'cert=("both.pem", "both.pem")' in snippets.python_requests(made)
    assert 'client_cert_file=Path("both.pem")' in snippets.python_client(made)
