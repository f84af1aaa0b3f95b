"""Auth and TLS as a models file writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from kserve_client.catalog import models_file_schema
from kserve_client.catalog.models_file import parse_models_file
from kserve_client.catalog.yaml_lines import parse_yaml
from kserve_client.endpoint import Endpoint
from kserve_client.errors import CatalogError

CHECK = Draft202012Validator(models_file_schema())
FILE = """\
endpoints:
  demo:
    url: https://10.0.0.7
    {setting}
models: {}
"""
GOOD = [
    "auth: {env: IRIS_TOKEN}",
    "auth: {type: bearer, file: /var/run/token}",
    "auth: {type: basic, user: me, password_env: PASSWORD}",
    "auth: {type: basic, user_file: /etc/user, password_file: /etc/password}",
    "auth: {type: cookie, name: session, env: SESSION}",
    "auth: {type: oidc, issuer: https://id.test, client_id: me, client_secret_env: SECRET}",
    (
        "auth: {type: oidc, token_url: https://id.test/t, client_id_env: ID, client_secret_file: /s,"
        " scope: a b, audience: c, client_auth: post, ca_file: ca.pem}"
    ),
    (
        "auth: {type: oidc, issuer: http://dex/dex, allow_http: true, client_id: me,"
        " client_secret_env: SECRET}"
    ),
    "client_cert_file: me.pem",
    "{client_cert_file: me.pem, client_key_file: me.key, ca_file: ca.pem, host: iris.test}",
    "verify: false",
    "compress: true",
    "tls_name: iris.test",
]
# The setting, the field that the message names, and what it says.
WRONG = [
    ("auth: s3cret", "auth", "must be a mapping whose type is bearer, basic, cookie or oidc"),
    ("auth: {type: digest, env: A}", "auth", "whose type is bearer, basic, cookie or oidc"),
    ("auth: {type: bearer}", "auth", "give exactly one of env and file"),
    ("auth: {env: A, file: b}", "auth", "give exactly one of env and file"),
    ("auth: {value: s3cret}", "auth.value", "a models file holds no secret: use env or file"),
    ("auth: {source: s3cret}", "auth.source", "is a function, which only code can give"),
    ("auth: {env: 5}", "auth.env", "must be a text"),
    ("auth: {envv: A}", "auth.envv", "is no setting here; did you mean env?"),
    (
        "auth: {type: basic, user: me, password: s3cret}",
        "auth.password",
        "a models file holds no secret",
    ),
    ("auth: {type: basic, user: me}", "auth", "exactly one of password_env and password_file"),
    ("auth: {type: cookie, env: A}", "auth.name", "is required"),
    ("auth: {type: cookie, name: a b, env: A}", "auth.name", "no space"),
    (
        "auth: {type: oidc, issuer: https://id.test, client_id: me, client_secret: s3cret}",
        "auth.client_secret",
        "a models file holds no secret",
    ),
    (
        "auth: {type: oidc, issuer: id.test, client_id: me, client_secret_env: A}",
        "auth.issuer",
        "write it as https://",
    ),
    (
        "auth: {type: oidc, issuer: http://id.test, client_id: me, client_secret_env: A}",
        "auth",
        "plain http",
    ),
    ("verify: no", "verify", "must be true or false"),
    ("client_key_file: me.key", "", "client_key_file needs client_cert_file"),
    ("{verify: false, ca_file: ca.pem}", "", "whom to trust"),
]
ONLY_THE_LOADER = ("write it as", "plain http", "no space", "whom to trust")


def text_of(setting: str) -> str:
    """A file with one more setting, or several in braces."""
    lines = setting[1:-1].split(", ") if setting.startswith("{") else [setting]
    return FILE.replace("{setting}", "\n    ".join(lines))


def endpoint_of(setting: str) -> Endpoint:
    return parse_models_file(text_of(setting), source="m", folder=Path()).endpoints["demo"]


@pytest.mark.parametrize("setting", GOOD)
def test_a_models_file_may_say(setting: str) -> None:
    """Loader and schema agree."""
    assert endpoint_of(setting).url == "https://10.0.0.7"
    assert CHECK.is_valid(parse_yaml(text_of(setting), "m").values)


@pytest.mark.parametrize(("setting", "field", "problem"), WRONG)
def test_a_mistake_is_told_with_its_line_and_field(setting: str, field: str, problem: str) -> None:
    """The secret that stands in the wrong place is not repeated."""
    with pytest.raises(CatalogError) as caught:
        endpoint_of(setting)
    error: Any = caught.value
    assert problem in error.problem
    assert error.field == ".".join(("endpoints.demo", field) if field else ("endpoints.demo",))
    assert error.line == (4 if field else 2)
    assert "s3cret" not in str(error)


@pytest.mark.parametrize(
    "setting", [s for s, _, why in WRONG if not any(part in why for part in ONLY_THE_LOADER)]
)
def test_an_editor_underlines_the_same_mistakes(setting: str) -> None:
    """As far as one value can be judged alone."""
    assert not CHECK.is_valid(parse_yaml(text_of(setting), "m").values)


@pytest.mark.parametrize(
    "setting", ["tls_name: a.test", "client_cert_file: a.pem", "verify: false"]
)
def test_tls_settings_need_tls(setting: str) -> None:
    """They would be taken and thrown away."""
    text = text_of(setting).replace("https:", "http:")
    with pytest.raises(CatalogError, match="need a URL with https"):
        parse_models_file(text, source="m", folder=Path())
    assert not CHECK.is_valid(parse_yaml(text, "m").values)
