"""How a request proves who sends it. Secrets never show in a repr, a log, an error or a pickle.

Four kinds, told apart by `type`: a bearer token, user and password, a cookie, and the OAuth client
credentials grant of an OIDC provider. Here stand the settings; the tokens of the last are fetched
and kept by `kserve_client.transport`, the only place that speaks HTTP.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from kserve_client.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Place:
    """Where one secret or name comes from; `what` names it in a message. Read anew for each request."""

    what: str
    env: str | None = None
    file: Path | None = None
    value: SecretStr | str | None = None
    source: Callable[[], str] | None = field(default=None, repr=False)

    def read(self) -> str:
        """The text, without space around it. Raises ConfigurationError when it can't be had now."""
        text = self._found().strip()
        if not text:
            raise ConfigurationError(f"the {self.what} in {self} is empty")
        return text

    def _found(self) -> str:
        if self.source is not None:
            return _called(self.source, self.what)
        if self.value is not None:
            return self.value if isinstance(self.value, str) else self.value.get_secret_value()
        try:
            return os.environ[self.env] if self.env else Path(self.file or "").read_text()
        except (KeyError, OSError, UnicodeDecodeError):
            raise ConfigurationError(f"no {self.what} in {self}") from None

    def __str__(self) -> str:
        if self.env:
            return f"environment variable {self.env}"
        return f"file {self.file}" if self.file else "the value given in code"


def _called(source: Callable[[], str], what: str) -> str:
    """A token that is no text would be sent as its repr, so it is refused, like a function that fails."""
    try:
        text: object = source()
    except ConfigurationError:
        raise
    except Exception as error:
        kind = type(error).__name__
        raise ConfigurationError(f"the function for the {what} failed: {kind}") from error
    if not isinstance(text, str):
        raise ConfigurationError(f"the function for the {what} gave no text")
    return text


def bearer_headers(token: str, where: str = "this call") -> dict[str, str]:
    """The header of a bearer token. Raises ConfigurationError for what is no header text."""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(f"the bearer token in {where} is no header text")
    return {"Authorization": f"Bearer {token}"}


class _Settings(BaseModel):
    """What all kinds share. What stands in the wrong field may be the secret: no error repeats it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    header_name: ClassVar[str] = "Authorization"
    # Settings that hold a secret itself: for code, never for a models file.
    code_only: ClassVar[frozenset[str]] = frozenset()

    def __getstate__(self) -> dict[Any, Any]:
        if any(getattr(self, name) is not None for name in self.code_only):
            raise ConfigurationError(
                f"a secret given in code does not go into a pickle: name its place in {self!r}"
            )
        return super().__getstate__()


def _one_of(settings: BaseModel, *names: str) -> None:
    if sum(getattr(settings, name) is not None for name in names) != 1:
        shown = [name for name in names if name not in getattr(settings, "code_only", ())]
        raise ValueError(f"give exactly one of {', '.join(shown[:-1])} and {shown[-1]}")


def _function(value: Any) -> Any:
    if value is not None and not callable(value):
        raise ValueError("is a function, which only code can give")
    return value


_InCode = SkipJsonSchema[SecretStr | None]


class BearerAuth(_Settings):
    """A bearer token from exactly one place.

    That is an environment variable, a file, a value or a function given in code. All are read again
    for each request, since Kubernetes replaces projected tokens in place.
    """

    code_only: ClassVar[frozenset[str]] = frozenset({"value", "source"})

    type: Literal["bearer"] = Field(
        default="bearer", description="A bearer token. What auth is when it names no type."
    )
    env: str | None = Field(default=None, description="Environment variable that holds the token.")
    file: Path | None = Field(
        default=None, description="File that holds the token; read again for each request."
    )
    value: _InCode = Field(
        default=None, description="The token itself; in code only, a models file may not hold it."
    )
    source: Annotated[SkipJsonSchema[Callable[[], str] | None], BeforeValidator(_function)] = Field(
        default=None,
        repr=False,
        exclude=True,
        description="Function that gives the token, called for each request; in code only.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        _one_of(self, "env", "file", "value", "source")
        return self

    @property
    def place(self) -> Place:
        """Where the token comes from."""
        return Place("bearer token", self.env, self.file, self.value, self.source)

    def check(self) -> None:
        """Raise ConfigurationError when the token can't be had now."""
        self.headers()

    def headers(self) -> dict[str, str]:
        """The headers to add. Raises ConfigurationError when the token can't be had now."""
        return bearer_headers(self.place.read(), str(self.place))


class BasicAuth(_Settings):
    """User and password (RFC 7617), each from exactly one place; they travel as UTF-8."""

    code_only: ClassVar[frozenset[str]] = frozenset({"password"})

    type: Literal["basic"] = Field(default="basic", description="User and password.")
    user: str | None = Field(default=None, description="The user.")
    user_env: str | None = Field(
        default=None, description="Environment variable that holds the user."
    )
    user_file: Path | None = Field(default=None, description="File that holds the user.")
    password_env: str | None = Field(
        default=None, description="Environment variable that holds the password."
    )
    password_file: Path | None = Field(
        default=None, description="File that holds the password; read again for each request."
    )
    password: _InCode = Field(default=None, description="The password itself; in code only.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        _one_of(self, "user", "user_env", "user_file")
        _one_of(self, "password_env", "password_file", "password")
        return self

    @property
    def user_place(self) -> Place:
        """Where the user comes from."""
        return Place("user", self.user_env, self.user_file, self.user)

    @property
    def place(self) -> Place:
        """Where the password comes from."""
        return Place("password", self.password_env, self.password_file, self.password)

    def check(self) -> None:
        """Raise ConfigurationError when user or password can't be had now."""
        self.headers()

    def headers(self) -> dict[str, str]:
        """The headers to add. Raises ConfigurationError when user or password can't be had now."""
        user, password = self.user_place.read(), self.place.read()
        if ":" in user or not user.isprintable():
            raise ConfigurationError(f"the user in {self.user_place} has a character no user has")
        if not password.isprintable():
            raise ConfigurationError(f"the password in {self.place} has control characters")
        return basic_headers(user, password)


def basic_headers(user: str, password: str) -> dict[str, str]:
    """The header of user and password."""
    words = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {words}"}


class CookieAuth(_Settings):
    """A session cookie, as a login page before the endpoint gives it."""

    header_name: ClassVar[str] = "Cookie"
    code_only: ClassVar[frozenset[str]] = frozenset({"value"})

    type: Literal["cookie"] = Field(default="cookie", description="A session cookie.")
    name: str = Field(description="Name of the cookie, e.g. authservice_session.")
    env: str | None = Field(default=None, description="Environment variable that holds its value.")
    file: Path | None = Field(
        default=None, description="File that holds its value; read again for each request."
    )
    value: _InCode = Field(default=None, description="The value itself; in code only.")

    @field_validator("name")
    @classmethod
    def _token(cls, name: str) -> str:
        if not re.fullmatch(r"[!#-'*+.^_`|~0-9A-Za-z-]+", name):  # RFC 6265, 4.1.1
            raise ValueError("a cookie's name has no space, = or ;")
        return name

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        _one_of(self, "env", "file", "value")
        return self

    @property
    def place(self) -> Place:
        """Where the value comes from."""
        return Place(f"value of the cookie {self.name}", self.env, self.file, self.value)

    def check(self) -> None:
        """Raise ConfigurationError when the value can't be had now."""
        self.headers()

    def headers(self) -> dict[str, str]:
        """The headers to add. Raises ConfigurationError when the value can't be had now."""
        value = self.place.read()
        if not re.fullmatch(r"[!-:<-~]+", value):  # printable ASCII without space and ;
            raise ConfigurationError(f"the {self.place.what} in {self.place} is no cookie text")
        return {"Cookie": f"{self.name}={value}"}


class OidcAuth(_Settings):
    """OAuth 2.0 client credentials (RFC 6749, 4.4): a token of an OIDC provider, in our own name.

    The token endpoint is `token_url`, or found through `issuer` (OpenID Connect Discovery 1.0). The
    token is kept and fetched anew shortly before it ends; see `kserve_client.transport`.
    """

    code_only: ClassVar[frozenset[str]] = frozenset({"client_secret"})

    type: Literal["oidc"] = Field(
        default="oidc", description="A token of an OIDC provider, by client credentials."
    )
    issuer: str | None = Field(
        default=None,
        description="URL of the provider, e.g. https://id.example.org/realms/team; it names its token endpoint.",
    )
    token_url: str | None = Field(
        default=None, description="URL of the token endpoint, instead of asking the issuer for it."
    )
    client_id: str | None = Field(default=None, description="Name of our client at the provider.")
    client_id_env: str | None = Field(
        default=None, description="Environment variable that holds the client's name."
    )
    client_id_file: Path | None = Field(
        default=None, description="File that holds the client's name."
    )
    client_secret_env: str | None = Field(
        default=None, description="Environment variable that holds the client's secret."
    )
    client_secret_file: Path | None = Field(
        default=None, description="File that holds the client's secret; read for each new token."
    )
    client_secret: _InCode = Field(
        default=None, description="The client's secret itself; in code only."
    )
    client_auth: Literal["basic", "post"] = Field(
        default="basic",
        description="How the client shows its secret: basic (a header) or post (in the form).",
    )
    scope: str | None = Field(default=None, description="Scopes to ask for, with spaces between.")
    audience: str | None = Field(
        default=None, description="Whom the token is for, where the provider wants to know."
    )
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authorities to trust for the provider."
    )
    allow_http: bool = Field(
        default=False,
        description="Whether the provider may be asked over plain http beyond this machine.",
    )

    @field_validator("issuer", "token_url")
    @classmethod
    def _web_address(cls, url: str | None) -> str | None:
        return url if url is None else _checked_url(url)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        _one_of(self, "issuer", "token_url")
        _one_of(self, "client_id", "client_id_env", "client_id_file")
        _one_of(self, "client_secret_env", "client_secret_file", "client_secret")
        if not self.allow_http and not is_safe_url(self.issuer or self.token_url or ""):
            raise ValueError(
                "the client's secret would travel over plain http: write https, or allow_http: true"
            )
        return self

    @property
    def client_id_place(self) -> Place:
        """Where the client's name comes from."""
        return Place("client id", self.client_id_env, self.client_id_file, self.client_id)

    @property
    def place(self) -> Place:
        """Where the client's secret comes from."""
        return Place(
            "client secret", self.client_secret_env, self.client_secret_file, self.client_secret
        )

    def check(self) -> None:
        """Raise ConfigurationError when the client's name or secret can't be had now."""
        self.client_id_place.read()
        self.place.read()


def is_safe_url(url: str) -> bool:
    """Whether a secret may be sent there: over https, or within this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write it as https://host[:port]/path")
    if not url.isprintable() or " " in url or "#" in url or "@" in parts.netloc:
        raise ValueError("a URL here has no spaces, no # and no user")
    parts.port  # noqa: B018 - raises ValueError for a port that is no port
    return url


KINDS: dict[str, type[_Settings]] = {
    "bearer": BearerAuth,
    "basic": BasicAuth,
    "cookie": CookieAuth,
    "oidc": OidcAuth,
}


def _kind_of(value: Any) -> str | None:
    """The tag of a setting; none for what is no auth, so that what stands there is not repeated."""
    kind = value.get("type", "bearer") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if isinstance(kind, str) and kind in KINDS else None


Auth = Annotated[
    Annotated[BearerAuth, Tag("bearer")]
    | Annotated[BasicAuth, Tag("basic")]
    | Annotated[CookieAuth, Tag("cookie")]
    | Annotated[OidcAuth, Tag("oidc")],
    Discriminator(
        _kind_of,
        custom_error_type="auth_kind",
        custom_error_message="must be a mapping whose type is bearer, basic, cookie or oidc",
    ),
]
