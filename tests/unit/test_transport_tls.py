from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError, ConnectionLostError, TLSError
from kserve_client.transport import Transport, UncheckedCertificateWarning, tls
from tests import needs
from tests.unit.certificates import Authority, Certificate, make_authority
from tests.unit.fault_server import FaultServer, Wire, fault_server, http


def stays(wire: Wire) -> None:
    while wire.read() is not None:
        wire.write(http())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    needs.require(shutil.which("openssl"), "no openssl command to make certificates with")
    return make_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def served(authority: Authority) -> Certificate:
    return authority.issue("server")


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Certificate:
    return authority.issue("client", host="DNS:client.test")


@pytest.fixture(scope="module")
def named(authority: Authority) -> Certificate:
    return authority.issue("named", host="DNS:iris.example.org")


@pytest.fixture(autouse=True)
def _nobody_was_warned() -> Iterator[None]:
    tls._warned.clear()
    yield
    tls._warned.clear()


def transport(server: FaultServer, **settings: Any) -> Transport:
    return Transport(Endpoint(url=server.url, **settings), retries=0)


# Our own certificate


def test_shows_our_certificate(
    authority: Authority, served: Certificate, ours: Certificate
) -> None:
    """A server that wants one of its authority lets us in."""
    context = served.server_context(clients_of=authority.certificate)
    with fault_server(Wire.answer, tls=context) as server:
        client = transport(
            server,
            ca_file=authority.certificate,
            client_cert_file=ours.certificate,
            client_key_file=ours.key,
        )
        assert client.send("GET", "/v2").status == 200


def test_our_certificate_and_key_may_stand_in_one_file(
    authority: Authority, served: Certificate, ours: Certificate, tmp_path: Path
) -> None:
    """As many issuers write them."""
    both = tmp_path / "both.pem"
    both.write_text(ours.key.read_text() + ours.certificate.read_text())
    context = served.server_context(clients_of=authority.certificate)
    with fault_server(Wire.answer, tls=context) as server:
        client = transport(server, ca_file=authority.certificate, client_cert_file=both)
        assert client.send("GET", "/v2").status == 200


def test_without_our_certificate_there_is_no_trust(
    authority: Authority, served: Certificate
) -> None:
    """The server ends the handshake; the message says what it may want."""
    context = served.server_context(clients_of=authority.certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # later ones tell it only after the handshake
    with (
        fault_server(Wire.answer, tls=context) as server,
        pytest.raises(TLSError, match="client_cert_file"),
    ):
        transport(server, ca_file=authority.certificate).send("GET", "/v2")
    assert server.seen == []


def test_without_our_certificate_no_request_is_answered(
    authority: Authority, served: Certificate
) -> None:
    """The same over TLS 1.3, where the refusal may be lost with the connection."""
    context = served.server_context(clients_of=authority.certificate)
    with (
        fault_server(Wire.answer, tls=context) as server,
        pytest.raises((TLSError, ConnectionLostError)),
    ):
        transport(server, ca_file=authority.certificate).send("GET", "/v2")
    assert server.seen == []


def test_a_replaced_certificate_is_shown_without_a_restart(
    authority: Authority, served: Certificate, ours: Certificate, tmp_path: Path
) -> None:
    """Certificates in a cluster live for days and are replaced in place."""
    shown: list[str] = []

    def tells(wire: Wire) -> None:
        assert isinstance(wire.socket, ssl.SSLSocket)
        subject: Any = (wire.socket.getpeercert() or {}).get("subject")
        shown.append(subject[0][0][1])
        stays(wire)

    both = tmp_path / "both.pem"
    both.write_text(ours.key.read_text() + ours.certificate.read_text())
    later = authority.issue("later")
    context = served.server_context(clients_of=authority.certificate)
    with fault_server(tells, tls=context) as server:
        client = transport(server, ca_file=authority.certificate, client_cert_file=both)
        client.send("GET", "/v2")
        client.send("GET", "/v2")
        both.write_text(later.key.read_text() + later.certificate.read_text())
        os.utime(both, ns=(1, 1))
        client.send("GET", "/v2")
    assert shown == ["client", "later"]


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_client_certificate_that_is_none_is_our_configuration(
    served: Certificate, tmp_path: Path, text: str | None
) -> None:
    """A missing, empty or broken file is named, before anything is sent."""
    file = tmp_path / "mine.pem"
    if text is not None:
        file.write_text(text)
    with (
        fault_server(Wire.answer, tls=served.server_context()) as server,
        pytest.raises(ConfigurationError, match=r"mine\.pem"),
    ):
        transport(server, ca_file=served.certificate, client_cert_file=file).send("GET", "/v2")
    assert server.connections == 0


def test_a_key_of_another_certificate_is_our_configuration(
    served: Certificate, ours: Certificate
) -> None:
    """The message names both files."""
    endpoint = Endpoint(
        url="https://127.0.0.1:9", client_cert_file=ours.certificate, client_key_file=served.key
    )
    with pytest.raises(ConfigurationError, match=r"client\.pem and .*server\.key.*mismatch"):
        Transport(endpoint).send("GET", "/v2")


def test_a_key_with_a_password_does_not_wait_at_the_terminal(
    ours: Certificate, tmp_path: Path
) -> None:
    """OpenSSL would ask for it, and a server would hang."""
    locked = tmp_path / "locked.key"
    command = ["openssl", "ec", "-aes256", "-passout", "pass:abcd", "-in", str(ours.key)]
    subprocess.run([*command, "-out", str(locked)], check=True, capture_output=True)
    endpoint = Endpoint(
        url="https://127.0.0.1:9", client_cert_file=ours.certificate, client_key_file=locked
    )
    with pytest.raises(ConfigurationError, match=r"locked\.key"):
        Transport(endpoint).send("GET", "/v2")


# Names


def names_asked_for(context: ssl.SSLContext) -> list[str | None]:
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)  # type: ignore[assignment]
    return asked


def test_a_gateway_address_is_asked_for_the_host(authority: Authority, named: Certificate) -> None:
    """SNI, the certificate and the Host header all mean the name behind the gateway."""
    context = named.server_context()
    asked = names_asked_for(context)
    with fault_server(Wire.answer, tls=context) as server:
        client = transport(server, host="iris.example.org", ca_file=authority.certificate)
        assert client.send("GET", "/v2").status == 200
    assert asked == ["iris.example.org"]
    assert server.seen[0].headers["host"] == "iris.example.org"


def test_the_port_of_the_host_is_no_part_of_its_name(
    authority: Authority, named: Certificate
) -> None:
    """TLS knows no ports."""
    context = named.server_context()
    asked = names_asked_for(context)
    with fault_server(Wire.answer, tls=context) as server:
        transport(server, host="iris.example.org:8443", ca_file=authority.certificate).send(
            "GET", "/v2"
        )
    assert asked == ["iris.example.org"]
    assert server.seen[0].headers["host"] == "iris.example.org:8443"


def test_a_gateway_that_shows_another_name_is_not_trusted(
    authority: Authority, named: Certificate
) -> None:
    """Its authority alone is not enough."""
    with (
        fault_server(Wire.answer, tls=named.server_context()) as server,
        pytest.raises(TLSError, match=r"wine\.example\.org"),
    ):
        transport(server, host="wine.example.org", ca_file=authority.certificate).send("GET", "/v2")
    assert server.seen == []


def test_the_address_of_the_gateway_does_not_pass_for_its_name(
    authority: Authority, served: Certificate
) -> None:
    """A certificate for 127.0.0.1 proves nothing about iris.example.org."""
    with (
        fault_server(Wire.answer, tls=served.server_context()) as server,
        pytest.raises(TLSError),
    ):
        transport(server, host="iris.example.org", ca_file=authority.certificate).send("GET", "/v2")


def test_a_name_for_tls_alone(authority: Authority, named: Certificate) -> None:
    """A gateway may route by one name and show another."""
    context = named.server_context()
    asked = names_asked_for(context)
    with fault_server(Wire.answer, tls=context) as server:
        transport(
            server,
            host="other.example.org",
            tls_name="iris.example.org",
            ca_file=authority.certificate,
        ).send("GET", "/v2")
    assert asked == ["iris.example.org"]
    assert server.seen[0].headers["host"] == "other.example.org"


# Unchecked certificates


def test_verify_false_takes_any_certificate_and_says_so(served: Certificate) -> None:
    """Once for each endpoint, however many clients and calls it has."""
    with (
        warnings.catch_warnings(record=True) as said,
        fault_server(stays, tls=served.server_context()) as server,
    ):
        warnings.simplefilter("always")
        for _ in range(2):
            client = transport(server, verify=False)
            assert client.send("GET", "/v2").status == 200
            assert client.send("GET", "/v2").status == 200
    assert [warning.category for warning in said] == [UncheckedCertificateWarning]
    assert server.url in str(said[0].message)
    assert "ca_file" in str(said[0].message)


def test_verify_false_takes_a_certificate_for_another_host(named: Certificate) -> None:
    """Nothing is checked, not even the name."""
    with (
        pytest.warns(UncheckedCertificateWarning),
        fault_server(Wire.answer, tls=named.server_context()) as server,
    ):
        assert transport(server, verify=False).send("GET", "/v2").status == 200


def test_verify_false_still_shows_our_certificate(
    authority: Authority, served: Certificate, ours: Certificate
) -> None:
    """Trust in the server and in us are two things."""
    context = served.server_context(clients_of=authority.certificate)
    files = {"client_cert_file": ours.certificate, "client_key_file": ours.key}
    with fault_server(Wire.answer, tls=context) as server:
        with pytest.warns(UncheckedCertificateWarning):
            client = transport(server, verify=False, **files)
        assert client.send("GET", "/v2").status == 200


def test_checked_endpoints_are_not_warned_of(authority: Authority, served: Certificate) -> None:
    """Neither by us nor by the HTTP library."""
    with (
        warnings.catch_warnings(),
        fault_server(Wire.answer, tls=served.server_context()) as server,
    ):
        warnings.simplefilter("error")
        assert transport(server, ca_file=authority.certificate).send("GET", "/v2").status == 200


def test_a_folder_of_authorities_is_trusted(
    authority: Authority, served: Certificate, tmp_path: Path
) -> None:
    """As OpenSSL lays them out, by hash."""
    subprocess.run(["cp", authority.certificate, tmp_path / "ca.pem"], check=True)
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    with fault_server(Wire.answer, tls=served.server_context()) as server:
        assert transport(server, ca_file=tmp_path).send("GET", "/v2").status == 200
