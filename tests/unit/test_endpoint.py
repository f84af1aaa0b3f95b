from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from kserve_client.endpoint import Endpoint


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://iris.example.org/", "https://iris.example.org"),
        ("http://gateway/models/iris//", "http://gateway/models/iris"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("HTTP://Host", "HTTP://Host"),
    ],
)
def test_a_base_url(url: str, base: str) -> None:
    """With or without a path; slashes at its end don't matter."""
    assert Endpoint(url=url).url == base


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "write it as"),
        ("localhost:8080", "write it as"),
        ("ftp://host", "write it as"),
        ("http://", "write it as"),
        ("http:///v2", "write it as"),
        ("file:///etc/passwd", "write it as"),
        ("http://host/v2", "leave /v2 away"),
        ("http://host/v2/", "leave /v2 away"),
        ("http://host?a=1", "no . or #"),
        ("http://host?", "no . or #"),
        ("http://host/#", "no . or #"),
        ("http://host:99999", "Port out of range"),
        ("http://host:x", "Port could not be cast"),
        ("http://ho st", "no spaces"),
        ("http://host\n", "no spaces"),
        ("http://ho\nst", "no spaces"),
        (" http://host", "no spaces"),
        ("http://[::1", "Invalid IPv6"),
    ],
)
def test_what_is_no_base_url(url: str, why: str) -> None:
    """Each is refused when the endpoint is made, not at the first request."""
    with pytest.raises(ValidationError, match=why):
        Endpoint(url=url)


@pytest.mark.parametrize(
    "url", ["http://me:s3cret@host", "http://s3cret@host", "http://:s3cret@host", "http://@host"]
)
def test_a_url_holds_no_password(url: str) -> None:
    """It is refused without being shown."""
    with pytest.raises(ValidationError, match="use auth") as caught:
        Endpoint(url=url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("host", ["iris.example.org", "iris.example.org:8443", "[::1]"])
def test_a_host_header(host: str) -> None:
    """A name, with a port if need be."""
    assert Endpoint(url="http://gateway", host=host).host == host


@pytest.mark.parametrize("host", ["", "a b", "a\r\nX: y", "http://a", "a/b", "h\u00f6st"])
def test_what_is_no_host_header(host: str) -> None:
    """Nothing that could end the header or name a path."""
    with pytest.raises(ValidationError, match="host name"):
        Endpoint(url="http://gateway", host=host)


@pytest.mark.parametrize("name", ["connect_timeout_s", "read_timeout_s", "deadline_s"])
@pytest.mark.parametrize("value", [0, -1, "soon", float("nan"), float("inf")])
def test_times_are_positive_numbers(name: str, value: Any) -> None:
    """Zero, negative, endless and no number are refused."""
    with pytest.raises(ValidationError):
        Endpoint.model_validate({"url": "http://host", name: value})


def test_a_mistyped_setting_is_refused() -> None:
    """It would be taken and thrown away."""
    with pytest.raises(ValidationError, match="read_timeout"):
        Endpoint.model_validate({"url": "http://host", "read_timeout": 5})


def test_the_name_is_title_and_url() -> None:
    """Or the URL alone."""
    assert Endpoint(url="http://h").name == "http://h"
    assert Endpoint(url="http://h", title="Demo").name == "Demo (http://h)"


def test_a_token_is_never_shown() -> None:
    """Neither in words nor in a dump."""
    endpoint = Endpoint.model_validate({"url": "http://h", "auth": {"value": "s3cret"}})
    shown = f"{endpoint} {endpoint!r} {endpoint.model_dump()} {endpoint.model_dump_json()}"
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"url": "https://iris.example.org"}, "iris.example.org"),
        ({"url": "https://iris.example.org:8443"}, "iris.example.org"),
        ({"url": "https://gateway.test", "host": "iris.test"}, "gateway.test"),
        ({"url": "https://10.0.0.7", "host": "iris.test"}, "iris.test"),
        ({"url": "https://10.0.0.7", "host": "iris.test:8443"}, "iris.test"),
        ({"url": "https://[::1]:8443", "host": "iris.test"}, "iris.test"),
        ({"url": "https://10.0.0.7"}, "10.0.0.7"),
        ({"url": "https://10.0.0.7", "host": "iris.test", "tls_name": "10.0.0.7"}, "10.0.0.7"),
        ({"url": "https://lb.cloud.test", "tls_name": "iris.test"}, "iris.test"),
    ],
)
def test_the_name_that_tls_asks_for(given: dict[str, Any], name: str) -> None:
    """That of the URL; behind a bare address that of the host; or as written."""
    assert Endpoint(**given).checked_name == name


@pytest.mark.parametrize("name", ["", "a b", "iris.test:443", "https://iris.test", "a/b"])
def test_what_is_no_name_in_tls(name: str) -> None:
    """A host name alone."""
    with pytest.raises(ValidationError, match="without a port"):
        Endpoint(url="https://h", tls_name=name)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"url": "http://h", "tls_name": "iris.test"}, "need a URL with https"),
        ({"url": "http://h", "client_cert_file": "a.pem"}, "need a URL with https"),
        ({"url": "http://h", "verify": False}, "need a URL with https"),
        ({"url": "https://h", "client_key_file": "a.key"}, "needs client_cert_file"),
        ({"url": "https://h", "ca_file": "a.pem", "verify": False}, "whom to trust"),
        ({"url": "https://h", "compress": True, "server": "kserve"}, "kserve is not known"),
        ({"url": "https://h", "compress": True, "server": "ovms"}, "ovms is not known"),
        ({"url": "https://h", "verify": "no"}, "valid boolean"),
        ({"url": "https://h", "verify": 0}, "valid boolean"),
        ({"url": "https://h", "compress": "yes"}, "valid boolean"),
    ],
)
def test_settings_that_contradict_each_other(given: dict[str, Any], why: str) -> None:
    """One of them would be taken and thrown away."""
    with pytest.raises(ValidationError, match=why):
        Endpoint(**given)


def test_settings_that_go_together() -> None:
    """All that TLS has."""
    endpoint = Endpoint.model_validate(
        {
            "url": "HTTPS://h",
            "tls_name": "iris.test",
            "ca_file": "ca.pem",
            "client_cert_file": "a.pem",
            "client_key_file": "a.key",
            "server": "triton",
            "compress": True,
        }
    )
    assert endpoint.is_tls
    assert endpoint.compress


def test_a_hastened_endpoint_waits_for_less_never_for_more() -> None:
    """All else stays."""
    patient = Endpoint(url="http://h", connect_timeout_s=2, read_timeout_s=60, deadline_s=120)
    hasty = patient.hastened(3)
    assert (hasty.connect_timeout_s, hasty.read_timeout_s, hasty.deadline_s) == (2, 3, 3)
    assert hasty.hastened(9) == hasty
    assert hasty.url == patient.url
