"""Shell commands that show from outside what a step found. Secrets stand in them as names only."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from kserve_client.auth import Auth, BasicAuth, CookieAuth, OidcAuth, Place
from kserve_client.endpoint import Endpoint
from kserve_client.snippets.shell import way_to
from kserve_client.wire.json import CONTENT_TYPE

LONGEST_BODY_BYTES = 2000
_PORTS = {"http": 80, "https": 443}
_PROXY_PORT = 1080


@dataclass(frozen=True, slots=True)
class Route:
    """The first hop of a request: the endpoint's own host, or the proxy the environment names.

    `proxy` is the proxy's URL without user and password, "" when there is none.
    """

    host: str
    port: int
    proxy: str = ""

    def __str__(self) -> str:
        where = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return f"the proxy {where}" if self.proxy else where


def route_of(endpoint: Endpoint) -> Route:
    """Where a request to this endpoint really goes first."""
    proxy = select_proxy(endpoint.url, get_environ_proxies(endpoint.url))
    if not proxy:
        parts = urlsplit(endpoint.url)
        return Route(parts.hostname or "", parts.port or _PORTS[parts.scheme])
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, _PROXY_PORT)
    return Route(host, port, f"{parts.scheme}://{host}:{port}")


def lookup(route: Route) -> str:
    """Ask for the addresses of the host."""
    return f"getent ahosts {quote(route.host)}"


def connect(route: Route, timeout_s: float) -> str:
    """Open a connection and nothing more."""
    return f"nc -vz -w {max(round(timeout_s), 1)} {quote(route.host)} {route.port}"


def handshake(endpoint: Endpoint, route: Route) -> str:
    """Show the certificate and whether it is trusted."""
    parts = urlsplit(endpoint.url)
    host = parts.hostname or ""
    words = ["openssl s_client", f"-connect {quote(f'{host}:{parts.port or 443}')}"]
    words += [f"-servername {quote(endpoint.checked_name)}", "-verify_return_error"]
    if route.proxy:
        words.append(f"-proxy {quote(f'{route.host}:{route.port}')}")
    if endpoint.ca_file:
        words.append(f"-CAfile {quote(str(endpoint.ca_file))}")
    return " ".join([*words, "</dev/null"])


def get(endpoint: Endpoint, route: Route, path: str) -> str:
    """Ask for a path and show status, headers and body."""
    return " ".join([*_curl(endpoint, route), *way_to(endpoint, endpoint.url + path)])


def post(endpoint: Endpoint, route: Route, path: str, body: bytes) -> str:
    """Send a JSON body; a long one is named as a file."""
    data = body.decode() if len(body) <= LONGEST_BODY_BYTES else "@request.json"
    words = [*_curl(endpoint, route), f"-H {quote(f'Content-Type: {CONTENT_TYPE}')}"]
    return " ".join([*words, f"-d {quote(data)}", *way_to(endpoint, endpoint.url + path)])


def _curl(endpoint: Endpoint, route: Route) -> list[str]:
    words = ["curl -sS -i -m 5"]
    if route.proxy:
        words.append(f"-x {quote(route.proxy)}")
    if endpoint.host:
        words.append(f"-H {quote(f'Host: {endpoint.host}')}")
    if endpoint.auth:
        words.append(_proof(endpoint.auth))
    if endpoint.ca_file:
        words.append(f"--cacert {quote(str(endpoint.ca_file))}")
    if endpoint.client_cert_file:
        words.append(f"--cert {quote(str(endpoint.client_cert_file))}")
    if endpoint.client_key_file:
        words.append(f"--key {quote(str(endpoint.client_key_file))}")
    return words if endpoint.verify else [*words, "-k"]


def _proof(auth: Auth) -> str:
    """How the request proves who sends it; the token of a provider is a variable to fill in."""
    if isinstance(auth, BasicAuth):
        return f'-u {_user(auth)}:"{_word(auth.place, "PASSWORD")}"'
    if isinstance(auth, CookieAuth):
        return f'-H "Cookie: {auth.name}={_word(auth.place, "COOKIE")}"'
    token = "$TOKEN" if isinstance(auth, OidcAuth) else _word(auth.place, "TOKEN")
    return f'-H "Authorization: Bearer {token}"'


def _user(auth: BasicAuth) -> str:
    return quote(auth.user) if auth.user else f'"{_word(auth.user_place, "NAME")}"'


def _word(place: Place, otherwise: str) -> str:
    """The place of a secret, as it stands between double quotes in a shell."""
    if place.env:
        return f"${place.env}"
    return f"$(cat {quote(str(place.file))})" if place.file else f"${otherwise}"
