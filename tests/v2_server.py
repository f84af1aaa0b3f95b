"""A small real server that speaks V2 with the answers a test gives it, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from scripts.processes import LOOPBACK, free_ports

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; a `body` that is no bytes travels as JSON. `pause_s` passes before it."""

    status: int = 200
    body: Any = b""
    content_type: str = "application/json"
    pause_s: float = 0.0

    @property
    def payload(self) -> bytes:
        """The body as it travels."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    body: bytes

    @property
    def json(self) -> Json:
        """The body as JSON."""
        parsed: Json = json.loads(self.body)
        return parsed


Infer = Callable[[Json], Json | Reply]
# What MLServer 1.7.1 says of every error inside a model, without MLSERVER_DEBUG.
PLAIN_500 = Reply(500, b"Internal Server Error", "text/plain; charset=utf-8")


def tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> Json:
    """Return an output tensor as V2 writes it."""
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def one_number(_: Json) -> Json:
    """Answer any single row with 42."""
    return {"outputs": [tensor("out", "FP64", [1, 1], [42.0])]}


@dataclass
class V2Server:
    """`models` answers inferences by model name; `replies` overrides any path. Both may change."""

    models: dict[str, Infer] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = field(default_factory=lambda: free_ports(1)[0])
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def inferences(self) -> list[Json]:
        """The bodies of all inference requests so far."""
        return [asked.json for asked in self.asked if asked.path.endswith("/infer")]

    def start(self) -> None:
        """Listen, on the same port each time."""
        self._server = _Listener((LOOPBACK, self.port), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def reply(self, asked: Asked) -> Reply:
        """Answer one request."""
        self.asked.append(asked)
        if asked.path in self.replies:
            return self.replies[asked.path]
        if asked.path in ("/v2/health/live", "/v2/health/ready"):
            return Reply()
        if asked.path == "/v2":
            return Reply(body={"name": "scripted", "version": "1.0", "extensions": []})
        return self._model_reply(asked)

    def _model_reply(self, asked: Asked) -> Reply:
        name, *rest = asked.path.removeprefix("/v2/models/").split("/")
        verb = rest[-1] if rest else ""
        if name not in self.models:
            return Reply(404, {"error": f"Model {name} not found"})
        if verb == "ready":
            return Reply()
        if verb != "infer":
            return Reply(body={"name": name, "platform": "", "inputs": [], "outputs": []})
        answer = self.models[name](asked.json)
        return answer if isinstance(answer, Reply) else Reply(body={"model_name": name} | answer)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


def _handler(server: V2Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # a connection each, so that a stopped server is stopped

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            reply = server.reply(Asked(self.command, self.path, self.rfile.read(length)))
            threading.Event().wait(reply.pause_s)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.payload)))
            self.end_headers()
            self.wfile.write(reply.payload)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def v2_server(**models: Infer) -> Iterator[V2Server]:
    """Run a server until the block ends."""
    server = V2Server(models=dict(models))
    server.start()
    try:
        yield server
    finally:
        server.stop()
