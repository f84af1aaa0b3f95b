"""Headers as text, with their secrets as the places they come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from kserve_client.auth import Auth, BasicAuth, CookieAuth, OidcAuth, Place
from kserve_client.snippets.call import Call
from kserve_client.snippets.python_text import Called, Code, path_code, word
from kserve_client.wire import binary, json

# Any other value becomes a placeholder: there is no list of all headers that hold a secret.
SHOWN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "content-encoding",
        "content-type",
        "host",
        binary.HEAD_LENGTH.lower(),
        "traceparent",
        "tracestate",
        "user-agent",
        "x-request-id",
    }
)
_SCHEMES = frozenset({"basic", "bearer", "token"})


@dataclass(frozen=True, slots=True)
class Secret:
    """A place that holds a secret: an environment variable or a file."""

    kind: Literal["env", "file"]
    name: str

    @property
    def in_shell(self) -> str:
        """What stands for it between double quotes."""
        if self.kind == "file":
            return f"$(cat {quote(self.name)})"
        is_variable = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.name)
        return f"${self.name}" if is_variable else f"$(printenv {quote(self.name)})"

    @property
    def in_python(self) -> Code:
        """An expression that reads it."""
        if self.kind == "file":
            code = path_code(self.name)
            return Code(f"{code.text}.read_text().strip()", code.needs)
        return Code(f"os.environ[{word(self.name)}]", "import os")


@dataclass(frozen=True, slots=True)
class Header:
    """A header; a secret, if there is one, follows its text."""

    name: str
    text: str
    secret: Secret | None = None

    @property
    def in_shell(self) -> str:
        """One quoted word. curl takes "name:" as a wish to leave the header out, "name;" as empty."""
        if self.secret is None:
            return quote(f"{self.name}: {self.text}" if self.text else f"{self.name};")
        known = re.sub(r'([\\"$`])', r"\\\1", f"{self.name}: {self.text}")
        return f'"{known}{self.secret.in_shell}"'

    @property
    def in_python(self) -> str | Code:
        """A literal, or an expression that reads the secret."""
        if self.secret is None:
            return self.text
        code = self.secret.in_python
        return Code(f"{word(self.text)} + {code.text}", code.needs) if self.text else code


def headers_of(call: Call) -> list[Header]:
    """What the call sends, beside what every client adds by itself."""
    found: dict[str, Header] = {}
    if call.endpoint.host:
        found["host"] = Header("Host", call.endpoint.host)
    if call.endpoint.auth is not None:
        proof = proof_of(call.endpoint.auth)
        found[proof.name.lower()] = proof
    return list((found | own_headers(call)).values())


def own_headers(call: Call) -> dict[str, Header]:
    """The headers that the endpoint does not add, by their name in small letters."""
    found: dict[str, Header] = {}
    if call.body:
        kind = json.CONTENT_TYPE if call.is_json else binary.CONTENT_TYPE
        found["content-type"] = Header("Content-Type", kind)
    return found | {name.lower(): _safe(name, value) for name, value in call.headers.items()}


def proof_of(auth: Auth) -> Header:
    """The header that proves who asks. Of user and password it needs base64, so that is a variable."""
    if isinstance(auth, BasicAuth):
        return Header("Authorization", "Basic ", Secret("env", "USER_AND_PASSWORD_IN_BASE64"))
    if isinstance(auth, CookieAuth):
        return Header("Cookie", f"{auth.name}=", _secret_of(auth, "COOKIE"))
    return Header("Authorization", "Bearer ", _secret_of(auth, "TOKEN"))


def _secret_of(auth: Auth, otherwise: str) -> Secret:
    """Where the secret of an endpoint comes from; the token of a provider is a variable to fill in."""
    return (
        Secret("env", otherwise) if isinstance(auth, OidcAuth) else secret_in(auth.place, otherwise)
    )


def secret_in(place: Place, otherwise: str) -> Secret:
    """The secret of a place; a variable when nobody else could read it."""
    if place.file:
        return Secret("file", str(place.file))
    return Secret("env", place.env or otherwise)


def auth_code(auth: Auth) -> Called:
    """The same auth in code; a secret that was given in code becomes an environment variable."""
    settings: dict[str, Any] = {}
    for name, known in type(auth).model_fields.items():
        value = getattr(auth, name)
        if name == "type" or value == known.default:
            continue
        if name in auth.code_only:
            is_token = name in ("value", "source")
            settings["env" if is_token else f"{name}_env"] = "TOKEN" if is_token else name.upper()
        else:
            settings[name] = path_code(str(value)) if isinstance(value, Path) else value
    return Called(type(auth).__name__, (), settings)


def _safe(name: str, value: str) -> Header:
    if name.lower() in SHOWN_HEADERS:
        return Header(name, value)
    if name.lower() == "authorization":
        scheme, _, rest = value.partition(" ")
        is_known = bool(rest) and scheme.lower() in _SCHEMES
        return Header(name, f"{scheme} " if is_known else "", Secret("env", "TOKEN"))
    return Header(name, "", Secret("env", _variable(name)))


def _variable(name: str) -> str:
    """The header's name as an environment variable: X-API-Key is X_API_KEY."""
    variable = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return variable if variable[:1].isalpha() else f"HEADER_{variable}"
