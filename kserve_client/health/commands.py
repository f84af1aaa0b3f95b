"""Shell commands that show from outside what a step found. Secrets stand in them as names only."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from kserve_client.endpoint import Endpoint
from kserve_client.snippets import Call
from kserve_client.snippets.shell import options_of, way_to

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
    return " ".join(_curl(Call(endpoint, path, method="GET"), route))


def post(endpoint: Endpoint, route: Route, path: str, body: bytes) -> str:
    """Send a JSON body; a long one is named as a file."""
    data = body.decode() if len(body) <= LONGEST_BODY_BYTES else "@request.json"
    # What stands for the body here only says that there is one, and that it is JSON.
    return " ".join([*_curl(Call(endpoint, path, b"{}"), route), f"-d {quote(data)}"])


def _curl(call: Call, route: Route) -> list[str]:
    through = [f"-x {quote(route.proxy)}"] if route.proxy else []
    url, *way = way_to(call.endpoint, call.endpoint.url + call.path)
    return ["curl -sS -i -m 5", *through, *way, *options_of(call), url]
