from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from kserve_client.client import InferenceClient
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    AccessError,
    InvalidAnswerError,
    KServeClientError,
    ServerError,
)
from kserve_client.tensors import Tensor
from kserve_client.transport import Transport
from kserve_client.transport.secrecy import secrets_of, without
from tests.unit.fault_server import Wire, fault_server, http

TOKEN = "s3cret/of+me"


def told_of(error: KServeClientError) -> str:
    """All that an error can be made to say."""
    return f"{error} {error!r} {vars(error)}"


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("Authorization", "Bearer abcdef", ("abcdef",)),
        ("authorization", "Token abcdef", ("abcdef",)),
        ("Authorization", "abcdef", ("abcdef",)),
        ("Cookie", "session=abcdef; theme=dark1", ("abcdef", "dark1")),
        ("X-API-Key", "abcdef", ("abcdef",)),
        ("X-Amz-Security-Token", "abcdef", ("abcdef",)),
        ("Proxy-Authorization", "Basic !", ()),
        ("Content-Type", "application/json", ()),
        ("X-Tenant", "models", ()),
        ("X-API-Key", "abc", ()),
    ],
)
def test_secrets_are_found_by_the_name_of_their_header(
    name: str, value: str, found: tuple[str, ...]
) -> None:
    """Without their scheme or cookie's name; what is shorter than four characters is none."""
    assert secrets_of({name: value}) == found


def test_a_password_is_a_secret_however_it_is_written() -> None:
    """As the header has it, with its user, and alone."""
    words = base64.b64encode(b"scoring:p4ssword").decode()
    assert secrets_of({"Authorization": f"Basic {words}"}) == (
        words,
        "scoring:p4ssword",
        "p4ssword",
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("no access for abc/d+e<f", "no access for [secret]"),
        (r"no access for abc\/d+e<f.", "no access for [secret]."),
        (r"no access for abc/d\u002Be\u003Cf", "no access for [secret]"),
        (r"no access for abc/d\u002be\u003cf", "no access for [secret]"),
        ("?token=abc%2Fd%2Be%3Cf&x", "?token=[secret]&x"),
        ("?token=abc%2fd%2be%3cf&x", "?token=[secret]&x"),
        ("<p>abc/d+e&lt;f</p>", "<p>[secret]</p>"),
        ("cut in abc/d+", "cut in [secret]"),
        ("abc/d+e<f and abc/d+e<f", "[secret] and [secret]"),
        ("abc is no start, nor is abcd", "abc is no start, nor is abcd"),
    ],
)
def test_a_secret_is_taken_out_in_every_form(text: str, left: str) -> None:
    """As JSON, URLs and HTML write it, and where an excerpt cuts it."""
    assert without(["abc/d+e<f"], text) == left


def repeating(status: int, form: str, **headers: str) -> Any:
    """A server that writes the credential into its answer."""

    def script(wire: Wire) -> None:
        while wire.read() is not None:
            wire.write(http(status, form.encode(), **headers))

    return script


@pytest.mark.parametrize("status", [400, 401, 404, 500])
@pytest.mark.parametrize(
    "form",
    [
        json.dumps({"error": f"token {TOKEN} has ended"}),
        json.dumps({"detail": [{"loc": ["header"], "msg": TOKEN}]}),
        '{"error": "token ' + TOKEN.replace("+", "\\u002B") + ' has ended"}',
        f"Traceback\nValueError: {TOKEN}",
        f"<html>{quote_plus(TOKEN)}</html>",
        "x" * 490 + TOKEN,
        "x" * 1990 + TOKEN,
    ],
)
def test_a_token_that_a_server_repeats_is_not_told(status: int, form: str) -> None:
    """Neither in the message nor in the excerpt of the body."""
    with fault_server(repeating(status, form)) as server:
        client = Transport(Endpoint.model_validate({"url": server.url, "auth": {"value": TOKEN}}))
        with pytest.raises(ServerError) as caught:
            client.send("GET", "/v2")
        assert server.seen[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "s3cret" not in told_of(caught.value)


def test_the_other_words_of_the_server_stay() -> None:
    """Only the secret goes."""
    script = repeating(401, '{"error": "token abcdef has ended"}')
    with fault_server(script) as server, pytest.raises(AccessError) as caught:
        InferenceClient(server.url, token="abcdef").server_metadata()
    assert caught.value.server_message == "token [secret] has ended"
    assert caught.value.body == '{"error": "token [secret] has ended"}'


@pytest.mark.parametrize(
    "form",
    [
        f"<html>{TOKEN}</html>",
        "x" * 490 + TOKEN,
        json.dumps({"outputs": [{"name": TOKEN}]}),
        json.dumps({"outputs": TOKEN}),
    ],
)
def test_an_answer_that_is_not_v2_tells_no_token(form: str) -> None:
    """Its excerpt, cut or not, and the names that the message repeats."""
    with fault_server(repeating(200, form)) as server:
        client = InferenceClient(server.url, token=TOKEN)
        with pytest.raises(InvalidAnswerError) as caught:
            client.infer("iris", [Tensor.of("a", [1.5], datatype="FP32")])
    assert "s3cre" not in told_of(caught.value)


def test_a_good_answer_is_left_as_it_is() -> None:
    """A model may have to say the very word."""
    with fault_server(repeating(200, '{"name": "abcdef"}')) as server:
        assert InferenceClient(server.url, token="abcdef").server_metadata().name == "abcdef"


def test_a_redirect_tells_no_token() -> None:
    """Not even in the path of its target."""
    script = repeating(302, "", Location="http://login.test/from/abcdef")
    with fault_server(script) as server, pytest.raises(AccessError) as caught:
        InferenceClient(server.url, token="abcdef").is_server_ready()
    assert "abcdef" not in told_of(caught.value)
    assert caught.value.location == "http://login.test/from/[secret]"


def test_a_refusal_that_is_handed_on_tells_no_token() -> None:
    """The health ladder reads refusals itself."""
    with fault_server(repeating(403, "no: abcdef")) as server:
        client = Transport(
            Endpoint.model_validate({"url": server.url, "auth": {"value": "abcdef"}})
        )
        assert client.exchange("GET", "/v2").body == b"no: [secret]"


@pytest.mark.parametrize(
    "auth",
    [
        {"type": "basic", "user": "scoring", "password": "s3cret-word"},
        {"type": "cookie", "name": "session", "value": "s3cret-word"},
    ],
)
def test_passwords_and_cookies_are_not_told_either(auth: dict[str, str]) -> None:
    """Whatever of them the server repeats."""
    with fault_server(repeating(500, '{"error": "s3cret-word"}')) as server:
        client = Transport(Endpoint.model_validate({"url": server.url, "auth": auth}))
        with pytest.raises(ServerError) as caught:
            client.send("GET", "/v2")
    assert caught.value.server_message == "[secret]"


def test_a_secret_header_of_a_call_is_not_told() -> None:
    """A key that a gateway wants, say."""
    script = repeating(500, "key s3cret-key is no key")
    with fault_server(script) as server, pytest.raises(ServerError) as caught:
        Transport(Endpoint(url=server.url)).send("GET", "/v2", headers={"X-API-Key": "s3cret-key"})
    assert "s3cret" not in told_of(caught.value)
