"""An OIDC provider on loopback: discovery and a token endpoint that knows one client."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus

CLIENT = ("scoring client", "s3cret:&+ %")


@dataclass(frozen=True)
class Asked:
    """One request for a token: its form, and how the client showed its secret."""

    form: dict[str, str]
    client: tuple[str, str]
    method: str


@dataclass
class Provider:
    """The running provider. What it answers can be changed while it runs."""

    url: str
    life_s: Any = 3600
    pause_s: float = 0.0
    status: int | None = None
    answer: bytes | None = None
    token_url: str | None = None
    issuer: str | None = None
    asked: list[Asked] = field(default_factory=list)
    discovered: int = 0

    @property
    def tokens(self) -> list[str]:
        """The tokens given so far: t1, t2 and so on."""
        return [f"t{at + 1}" for at in range(len(self.asked))]

    def discovery(self) -> bytes:
        """The discovery document."""
        self.discovered += 1
        told = {
            "issuer": self.issuer or self.url,
            "token_endpoint": self.token_url or f"{self.url}/token",
        }
        return json.dumps(told).encode()

    def grant(self, form: dict[str, str], authorization: str) -> tuple[int, bytes]:
        """Answer a request for a token."""
        client, method = (form.get("client_id", ""), form.get("client_secret", "")), "post"
        if authorization.startswith("Basic "):
            name, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            client, method = (unquote_plus(name), unquote_plus(secret)), "basic"
        self.asked.append(Asked(form, client, method))
        number = len(self.asked)
        time.sleep(self.pause_s)
        if self.status is not None or self.answer is not None:
            return self.status or 200, self.answer or b""
        if client != CLIENT or form.get("grant_type") != "client_credentials":
            return 401, b'{"error": "invalid_client", "error_description": "no such client"}'
        told = {"access_token": f"t{number}", "token_type": "Bearer", "expires_in": self.life_s}
        return 200, json.dumps(told).encode()


@contextmanager
def oidc_server(*, tls: ssl.SSLContext | None = None) -> Iterator[Provider]:
    """Run a provider until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.path == "/.well-known/openid-configuration"
            self._say(200 if is_known else 404, provider.discovery() if is_known else b"")

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            self._say(*provider.grant(form, self.headers.get("Authorization", "")))

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if 300 <= status < 400:
                self.send_header("Location", "http://elsewhere.test/")
            with contextlib.suppress(OSError):  # the client may have lost patience
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    provider = Provider(f"{scheme}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
