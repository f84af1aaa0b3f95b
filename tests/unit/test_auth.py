from __future__ import annotations

import pickle
from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from kserve_client.auth import Auth, BasicAuth, BearerAuth, CookieAuth, OidcAuth
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError

OIDC = {
    "type": "oidc",
    "token_url": "https://id.example.org/token",
    "client_id": "scoring",
    "client_secret_env": "CLIENT_SECRET",
}
IN_CODE = [
    {"type": "bearer", "value": "s3cret"},
    {"type": "basic", "user": "me", "password": "s3cret"},
    {"type": "cookie", "name": "session", "value": "s3cret"},
    {**OIDC, "client_secret_env": None, "client_secret": "s3cret"},
]


def made(given: object) -> Auth:
    auth = TypeAdapter(Auth).validate_python(given)
    assert isinstance(auth, BearerAuth | BasicAuth | CookieAuth | OidcAuth)
    return auth


def headers(given: dict[str, object]) -> dict[str, str]:
    auth = made(given)
    assert not isinstance(auth, OidcAuth)
    return auth.headers()


def test_a_token_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is read at each request."""
    auth = BearerAuth.model_validate({"env": "IRIS_TOKEN"})
    monkeypatch.setenv("IRIS_TOKEN", "one")
    assert auth.headers() == {"Authorization": "Bearer one"}
    monkeypatch.setenv("IRIS_TOKEN", "two")
    assert auth.headers() == {"Authorization": "Bearer two"}


def test_a_token_of_a_file_is_read_again(tmp_path: Path) -> None:
    """Kubernetes replaces projected tokens in place."""
    file = tmp_path / "token"
    auth = BearerAuth.model_validate({"file": file})
    file.write_text("one\n")
    assert auth.headers() == {"Authorization": "Bearer one"}
    file.write_text("two\n")
    assert auth.headers() == {"Authorization": "Bearer two"}


def test_a_token_given_in_code() -> None:
    """A value is sent as it is."""
    auth = BearerAuth.model_validate({"value": "s3cret"})
    assert auth.headers() == {"Authorization": "Bearer s3cret"}


def test_a_token_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the place to look at."""
    monkeypatch.delenv("IRIS_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="environment variable IRIS_TOKEN"):
        BearerAuth.model_validate({"env": "IRIS_TOKEN"}).headers()
    with pytest.raises(ConfigurationError, match="nowhere"):
        BearerAuth.model_validate({"file": tmp_path / "nowhere"}).headers()
    with pytest.raises(ConfigurationError, match="no bearer token"):
        BearerAuth.model_validate({"file": tmp_path}).headers()


@pytest.mark.parametrize("token", ["", " \n", "s3cret\nX-Admin: yes", "s3cret\x00", "s3crét"])
def test_a_token_that_is_no_header_text(token: str) -> None:
    """It is refused before it could end one header and begin another, and not shown."""
    with pytest.raises(ConfigurationError) as caught:
        BearerAuth.model_validate({"value": token}).headers()
    assert "s3cr" not in str(caught.value)


def test_a_token_file_that_is_no_text(tmp_path: Path) -> None:
    """A binary file holds no token."""
    file = tmp_path / "token"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError):
        BearerAuth.model_validate({"file": file}).headers()


@pytest.mark.parametrize("given", [{}, {"env": "A", "file": "b"}, {"env": "A", "value": "s3cret"}])
def test_a_token_comes_from_one_place(given: dict[str, str]) -> None:
    """Two places could disagree."""
    with pytest.raises(ValidationError, match="exactly one"):
        BearerAuth.model_validate(given)


@pytest.mark.parametrize(
    "given",
    [
        {"env": "A", "value": "s3cret"},
        {"type": "s3cret", "env": "A"},
        {"token": "s3cret"},
        {"value": ["s3cret"]},
        {"env": ["s3cret"]},
        "s3cret",
    ],
)
def test_a_wrong_setting_does_not_show_what_was_written(given: object) -> None:
    """The token may stand in the wrong field."""
    with pytest.raises(ValidationError) as caught:
        BearerAuth.model_validate(given)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(caught.value)


def test_a_token_is_never_shown() -> None:
    """Neither in words nor in a dump."""
    auth = BearerAuth.model_validate({"value": "s3cret"})
    assert "s3cret" not in f"{auth} {auth!r} {auth.model_dump()} {auth.model_dump_json()}"


# A function


def test_a_token_of_a_function() -> None:
    """It is called for each request."""
    tokens = iter(["one", "two\n"])
    auth = BearerAuth(source=lambda: next(tokens))
    assert auth.headers() == {"Authorization": "Bearer one"}
    assert auth.headers() == {"Authorization": "Bearer two"}


@pytest.mark.parametrize("given", ["", None, b"s3cret", "s3cret\nX: y"])
def test_a_function_that_gives_no_token(given: object) -> None:
    """Nothing, bytes, or more than a header."""
    auth = BearerAuth(source=lambda: given)  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigurationError) as caught:
        auth.headers()
    assert "s3cr" not in str(caught.value)


def test_a_function_that_fails() -> None:
    """Its own words may hold the secret: only the kind of its error is told."""

    def fails() -> str:
        raise KeyError("s3cret")

    with pytest.raises(ConfigurationError, match="failed: KeyError") as caught:
        BearerAuth(source=fails).headers()
    assert "s3cret" not in str(caught.value)


def test_a_function_that_says_what_is_wrong() -> None:
    """An error of ours is told as it is."""

    def refuses() -> str:
        raise ConfigurationError("log in first")

    with pytest.raises(ConfigurationError, match=r"^log in first$"):
        BearerAuth(source=refuses).headers()


def test_a_function_is_not_shown() -> None:
    """Its arguments may hold the secret."""
    auth = BearerAuth(source=partial(str, "s3cret"))
    assert "s3cret" not in f"{auth} {auth!r} {auth.model_dump()} {auth.model_dump_json()}"


# User and password


def test_user_and_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From any of their places; each is read for each request."""
    file = tmp_path / "password"
    file.write_text("open sesame\n")
    monkeypatch.setenv("MODEL_USER", "Aladdin")
    given = {"type": "basic", "user_env": "MODEL_USER", "password_file": file}
    # The example of RFC 7617.
    assert headers(given) == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}
    file.write_text("t:\u00a3st")
    assert headers(given | {"user_env": None, "user": "test"}) == {
        "Authorization": "Basic dGVzdDp0OsKjc3Q="
    }


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"user": "a:b"}, "no user has"),
        ({"user": "a\nb"}, "no user has"),
        ({"password": "s3cret\x00"}, "control characters"),
        ({"password": None, "password_env": "NOT_THERE"}, "variable NOT_THERE"),
        ({"user": None, "user_file": Path("/nowhere/user")}, "file /nowhere/user"),
    ],
)
def test_a_user_or_password_that_is_none(more: dict[str, object], why: str) -> None:
    """The message says which, and where to look."""
    with pytest.raises(ConfigurationError, match=why) as caught:
        headers({"type": "basic", "user": "me", "password": "pw"} | more)
    assert "s3cr" not in str(caught.value)


# A cookie


def test_a_cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a login page gives it."""
    monkeypatch.setenv("SESSION", "MTY3fE5=|x\n")
    assert headers({"type": "cookie", "name": "authservice_session", "env": "SESSION"}) == {
        "Cookie": "authservice_session=MTY3fE5=|x"
    }


@pytest.mark.parametrize("value", ["", "a b", "s3cret; admin=yes", "s3cret\nX: y", "s3cr\u00e9t"])
def test_a_cookie_that_is_none(value: str) -> None:
    """It could end one cookie and begin another."""
    with pytest.raises(ConfigurationError, match="cookie session") as caught:
        headers({"type": "cookie", "name": "session", "value": value})
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "\u00e4"])
def test_a_cookie_has_a_name(name: str) -> None:
    """One that can stand before the =."""
    with pytest.raises(ValidationError, match="cookie's name"):
        made({"type": "cookie", "name": name, "env": "SESSION"})


# A provider


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/t", "http://127.0.0.1/t", "http://[::1]/t", "https://id.test/t"]
)
def test_a_provider_is_asked_over_tls_or_here(url: str) -> None:
    """The client's secret goes there."""
    assert made(OIDC | {"token_url": url}).type == "oidc"
    assert made({**OIDC, "token_url": None, "issuer": url}).type == "oidc"


@pytest.mark.parametrize("where", ["token_url", "issuer"])
def test_a_provider_over_plain_http_must_be_wanted(where: str) -> None:
    """Within a mesh, say, that has TLS of its own."""
    given = {**OIDC, "token_url": None, where: "http://dex.auth.svc.cluster.local/dex"}
    with pytest.raises(ValidationError, match="allow_http: true"):
        made(given)
    assert made({**given, "allow_http": True}).type == "oidc"


@pytest.mark.parametrize(
    "url", ["", "id.example.org", "ftp://h/t", "https://", "https://me:s3cret@h/t", "https://h/#a"]
)
def test_what_is_no_provider(url: str) -> None:
    """It is refused when the settings are made."""
    with pytest.raises(ValidationError) as caught:
        OidcAuth.model_validate(OIDC | {"token_url": url})
    assert "s3cret" not in str(caught.value)


# All kinds


def test_auth_without_a_type_is_a_bearer_token() -> None:
    """As it was when there was no other."""
    assert isinstance(made({"env": "IRIS_TOKEN"}), BearerAuth)


@pytest.mark.parametrize(
    "given",
    [
        {"type": "basic", "user": "me"},
        {"type": "basic", "password_env": "P"},
        {"type": "basic", "user": "me", "user_env": "U", "password_env": "P"},
        {"type": "cookie", "name": "a"},
        {"type": "cookie", "name": "a", "env": "A", "file": "b"},
        {**OIDC, "issuer": "https://id.example.org"},
        {**OIDC, "token_url": None},
        {**OIDC, "client_id": None},
        {**OIDC, "client_id_env": "A"},
        {**OIDC, "client_secret_env": None},
        {**OIDC, "client_secret_file": "a"},
    ],
)
def test_each_secret_comes_from_one_place(given: dict[str, object]) -> None:
    """Two places could disagree, and none is too few."""
    with pytest.raises(ValidationError, match="exactly one of"):
        made(given)


@pytest.mark.parametrize("given", IN_CODE)
def test_a_secret_given_in_code_is_never_shown(given: dict[str, object]) -> None:
    """Neither in words nor in a dump, alone or in its endpoint."""
    auth = made(given)
    endpoint = Endpoint(url="https://h", auth=auth)
    shown = f"{auth} {auth!r} {auth.model_dump()} {auth.model_dump_json()} {auth.place!r}"
    shown += f"{endpoint} {endpoint!r} {endpoint.model_dump()} {endpoint.model_dump_json()}"
    assert "s3cret" not in shown


@pytest.mark.parametrize("given", IN_CODE)
def test_a_secret_given_in_code_goes_into_no_pickle(given: dict[str, object]) -> None:
    """A pickle is a file that somebody keeps; copies within the process are fine."""
    auth = made(given)
    assert deepcopy(auth) == auth
    for value in (auth, Endpoint(url="https://h", auth=auth)):
        with pytest.raises(ConfigurationError, match="pickle") as caught:
            pickle.dumps(value)
        assert "s3cret" not in str(caught.value)


def test_a_secret_with_a_place_travels_as_that_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process reads it there."""
    monkeypatch.setenv("IRIS_TOKEN", "s3cret")
    auth = made({"env": "IRIS_TOKEN"})
    packed = pickle.dumps(auth)
    assert b"s3cret" not in packed
    assert pickle.loads(packed) == auth


@pytest.mark.parametrize(
    "given",
    [
        {"type": "s3cret", "env": "A"},
        {"type": ["s3cret"]},
        "s3cret",
        ["s3cret"],
        {"type": "basic", "user": "me", "password": ["s3cret"]},
        {"type": "basic", "user": "me", "secret": "s3cret"},
        {"type": "cookie", "name": "s3cret;", "env": "A"},
        {**OIDC, "client_secret": "s3cret"},
        {"source": "s3cret"},
    ],
)
def test_a_wrong_kind_does_not_show_what_was_written(given: object) -> None:
    """Whatever stands there may be the secret."""
    with pytest.raises(ValidationError) as caught:
        Endpoint.model_validate({"url": "https://h", "auth": given})
    assert "s3cret" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("given", [IN_CODE[0], IN_CODE[1], IN_CODE[2], IN_CODE[3]])
def test_what_can_be_had_now(given: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """A check reads all places and sends nothing."""
    made(given).check()
    monkeypatch.delenv("NOT_THERE", raising=False)
    for name in ("value", "password", "client_secret"):
        if name in given:
            place = "env" if name == "value" else f"{name}_env"
            with pytest.raises(ConfigurationError, match="NOT_THERE"):
                made({**given, name: None, place: "NOT_THERE"}).check()
