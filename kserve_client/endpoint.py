"""An endpoint: the base URL of a data plane, plus how to get in."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kserve_client.auth import Auth
from kserve_client.servers import PROFILES, ServerName

DEFAULT_CONNECT_TIMEOUT_S = 5.0
DEFAULT_READ_TIMEOUT_S = 60.0
DEFAULT_DEADLINE_S = 120.0


class Endpoint(BaseModel):
    """Where a V2 server answers. Immutable; times are seconds."""

    # A URL with a password is refused without repeating it.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )

    url: str = Field(
        description="Base URL without /v2, e.g. http://iris-predictor.models.svc.cluster.local"
    )
    title: str = Field(default="", description="Name for people.")
    server: ServerName | Literal["auto"] = Field(
        default="auto",
        description="What kind of server it is; auto asks it, once, when that matters.",
    )
    host: str | None = Field(
        default=None, description="Host header, for a gateway that routes by name."
    )
    auth: Auth | None = Field(default=None, description="How requests prove who sends them.")
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authorities to trust instead of the usual ones."
    )
    client_cert_file: Path | None = Field(
        default=None,
        description="PEM file of our own certificate, for a server that asks for one; may hold its key too.",
    )
    client_key_file: Path | None = Field(
        default=None, description="PEM file of that certificate's key, without a password."
    )
    tls_name: str | None = Field(
        default=None,
        description=(
            "Name to ask for in TLS and to look for in the certificate. Left out, it is the host of "
            "the URL; where that is an address and host is set, the name in host."
        ),
    )
    verify: bool = Field(
        default=True,
        strict=True,
        description="False takes any certificate, so anybody between here and there can read along.",
    )
    compress: bool = Field(
        default=False,
        strict=True,
        description="Whether large requests are gzipped, where the server is known to take that.",
    )
    connect_timeout_s: float = Field(
        default=DEFAULT_CONNECT_TIMEOUT_S, gt=0, description="Seconds to wait for a connection."
    )
    read_timeout_s: float = Field(
        default=DEFAULT_READ_TIMEOUT_S, gt=0, description="Seconds to wait for the next byte."
    )
    deadline_s: float = Field(
        default=DEFAULT_DEADLINE_S, gt=0, description="Seconds for one call, its retries included."
    )

    @field_validator("url")
    @classmethod
    def _base_url(cls, url: str) -> str:
        if not url.isprintable() or " " in url:
            raise ValueError("a URL has no spaces or line breaks")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write it as http://host[:port] or https://host[:port]")
        if "@" in parts.netloc:
            raise ValueError("a URL may not hold a user or password; use auth")
        if "?" in url or "#" in url:
            raise ValueError("a base URL has no ? or #")
        parts.port  # noqa: B018 - raises ValueError for a port that is no port
        base = url.rstrip("/")
        if base.endswith("/v2"):
            raise ValueError("leave /v2 away; the client adds it")
        return base

    @field_validator("host")
    @classmethod
    def _header_text(cls, host: str | None) -> str | None:
        if host is not None and not re.fullmatch(r"[!-.0-~]+", host):  # printable, no space, no /
            raise ValueError("a Host header is a host name, with :port if need be")
        return host

    @field_validator("tls_name")
    @classmethod
    def _bare_name(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:.]+", name):
            raise ValueError("a name in TLS is a host name, without a port")
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """A setting that would be taken and thrown away is refused."""
        named = (self.tls_name, self.client_cert_file, None if self.verify else "verify: false")
        if not self.is_tls and any(named):
            raise ValueError("tls_name, client_cert_file and verify need a URL with https")
        if self.client_key_file and not self.client_cert_file:
            raise ValueError("client_key_file needs client_cert_file")
        if self.ca_file and not self.verify:
            raise ValueError("ca_file says whom to trust, verify: false that it does not matter")
        if self.compress and self.server != "auto" and not PROFILES[self.server].has_request_gzip:
            raise ValueError(f"compress: {self.server} is not known to take gzipped requests")
        return self

    @property
    def name(self) -> str:
        """What to call it in a message: its title and URL, or the URL alone."""
        return f"{self.title} ({self.url})" if self.title else self.url

    def hastened(self, longest_s: float) -> Self:
        """The same endpoint, waited for at most so long: for a look that somebody waits for."""
        names = ("connect_timeout_s", "read_timeout_s", "deadline_s")
        short = {name: min(getattr(self, name), longest_s) for name in names}
        return self.model_copy(update=short)

    @property
    def is_tls(self) -> bool:
        """Whether requests travel over TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def checked_name(self) -> str:
        """The name TLS asks for (SNI) and looks for in the certificate."""
        of_url = urlsplit(self.url).hostname or ""
        if self.tls_name or not self.host or not is_address(of_url):
            return self.tls_name or of_url
        return urlsplit(f"//{self.host}").hostname or of_url


def is_address(host: str) -> bool:
    """Whether a host is an IP address, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
