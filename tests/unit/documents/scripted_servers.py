"""The servers that the examples of the documentation speak to, in one process behind many names.

What kind of server answers depends on the host: MLServer 1.7.1 on localhost:8080, Triton under names
that begin with "triton", KServe 0.21.0 under all others. Each answers as the real one was seen or
read to; iris.example.org wants to know who asks, and busy.example.org is busy at first.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

LOOPBACK = "127.0.0.1"
HEAD_LENGTH = "Inference-Header-Content-Length"
DTYPES = {"FP32": "<f4", "FP64": "<f8", "FP16": "<f2", "INT64": "<i8", "UINT64": "<u8"}
ABOUT: dict[str, dict[str, Any]] = {
    "mlserver": {"name": "mlserver", "version": "1.7.1", "extensions": []},
    "kserve": {
        "name": "kserve",
        "version": "0.21.0",
        "extensions": ["model_repository_extension"],
    },
    "triton": {"name": "triton", "version": "2.60.0", "extensions": ["classification"]},
}
MODELS = ("iris", "penguins", "echo")
Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request."""

    host: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """What kind of server was asked."""
        if self.host == "localhost:8080":
            return "mlserver"
        return "triton" if self.host.startswith("triton") else "kserve"

    @property
    def json(self) -> Json:
        """The body as JSON; the head of a binary one."""
        length = self.headers.get(HEAD_LENGTH)
        parsed: Json = json.loads(self.body[: int(length)] if length else self.body)
        return parsed

    def values(self) -> list[np.ndarray[Any, Any]]:
        """The inputs as arrays, read without the client's own code."""
        at, found = int(self.headers.get(HEAD_LENGTH) or 0), []
        for tensor in self.json["inputs"]:
            size = (tensor.get("parameters") or {}).get("binary_data_size")
            if size is None:
                flat = np.array(tensor["data"], dtype=object)
            else:
                flat = np.frombuffer(self.body[at : at + size], dtype=DTYPES[tensor["datatype"]])
                at += size
            found.append(flat.reshape(tensor["shape"]))
        return found


@dataclass(frozen=True)
class Reply:
    """An answer; a body that is no bytes travels as JSON."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def payload(self) -> bytes:
        """The body as it travels."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


PLAIN_500 = Reply(500, b"Internal Server Error", {"Content-Type": "text/plain; charset=utf-8"})


def output(name: str, datatype: str, shape: list[int], data: list[Any]) -> Json:
    """An output tensor as V2 writes it."""
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def iris(asked: Asked) -> Reply:
    """Petals below 2.5 cm are of class 0, below 4.9 cm of class 1, longer ones of class 2."""
    rows = asked.values()[0]
    if rows.ndim != 2 or rows.shape[1] != 4:
        return refused(asked, f"X has {rows.shape[-1]} features, but 4 are expected")
    classes = [0 if row[2] < 2.5 else 1 if row[2] < 4.9 else 2 for row in rows.tolist()]
    chances = [[0.98, 0.02, 0.0], [0.01, 0.95, 0.04], [0.0, 0.1, 0.9]]
    flat = [chance for found in classes for chance in chances[found]]
    count = len(classes)
    if asked.kind == "kserve":
        return inferred(asked, [output("output-0", "INT64", [count], classes)])
    known = {
        "predict": output("predict", "INT64", [count, 1], classes),
        "predict_proba": output("predict_proba", "FP64", [count, 3], flat),
    }
    wanted = asked.json.get("outputs") or [{"name": "predict"}]
    if any("classification" in one.get("parameters", {}) for one in wanted):
        best = [f"{max(chances[found]):f}:{found}" for found in classes]
        return inferred(asked, [output(wanted[0]["name"], "BYTES", [count, 1], best)])
    return inferred(asked, [known[one["name"]] for one in wanted])


def penguins(asked: Asked) -> Reply:
    """A table of columns; heavy penguins are Gentoos."""
    tensors = asked.json["inputs"]
    by_name = dict(zip([tensor["name"] for tensor in tensors], asked.values(), strict=True))
    if asked.json.get("parameters", {}).get("content_type") != "pd":
        return refused(asked, "'np' codec only supports a single input tensor")
    masses = by_name["body_mass_g"].ravel().tolist()
    names = ["Gentoo" if mass is not None and mass > 4500 else "Adelie" for mass in masses]
    return inferred(asked, [output("predict", "BYTES", [len(names), 1], names)])


def echo(asked: Asked) -> Reply:
    """The inputs come back as outputs."""
    arrays, tensors = asked.values(), asked.json["inputs"]
    pairs = zip(tensors, arrays, strict=True)
    return inferred(
        asked,
        [output(t["name"], t["datatype"], t["shape"], a.ravel().tolist()) for t, a in pairs],
    )


ANSWERS: dict[str, Callable[[Asked], Reply]] = {"iris": iris, "penguins": penguins, "echo": echo}


def inferred(asked: Asked, outputs: list[Json]) -> Reply:
    """The answer of an inference, binary where that was asked for."""
    request = asked.json
    name = re.sub(r".*/models/([^/]+)/.*", r"\1", asked.path)
    answer = {
        "model_name": name,
        "model_version": None,
        "id": request.get("id"),
        "outputs": outputs,
    }
    wants = request.get("parameters", {}).get("binary_data_output") or any(
        one.get("parameters", {}).get("binary_data") for one in request.get("outputs") or []
    )
    if asked.kind == "mlserver" or not wants:
        return Reply(body=answer)
    blobs = [np.array(o.pop("data"), dtype=DTYPES[o["datatype"]]).tobytes() for o in outputs]
    for one, blob in zip(outputs, blobs, strict=True):
        one["parameters"] = {"binary_data_size": len(blob)}
    head = json.dumps(answer).encode()
    return Reply(body=head + b"".join(blobs), headers={HEAD_LENGTH: str(len(head))})


def refused(asked: Asked, why: str) -> Reply:
    """What each server says of input that its model does not take."""
    return PLAIN_500 if asked.kind == "mlserver" else Reply(500, {"error": why})


def _infer(asked: Asked, name: str) -> Reply:
    known = ANSWERS.get(name.removesuffix("-classifier"))
    if known is None:
        said = f"Model {name} not found"
        return Reply(404, {"error": said if asked.kind == "mlserver" else f"{said}."})
    if HEAD_LENGTH in asked.headers and asked.kind == "mlserver":
        return Reply(500, b"Internal Server Error", {"Content-Type": "text/plain"})
    if asked.kind == "kserve" and not asked.headers.get("Content-Type"):
        return Reply(400, {"error": "Bad Request"})
    return known(asked)


def _metadata(asked: Asked, name: str) -> Reply:
    inputs = outputs = []
    if asked.kind == "triton":
        inputs = [{"name": "input-0", "datatype": "FP32", "shape": [-1, 4]}]
        outputs = [{"name": "predict", "datatype": "INT64", "shape": [-1, 1]}]
    return Reply(body={"name": name, "platform": "", "inputs": inputs, "outputs": outputs})


def _index(asked: Asked, name: str) -> Reply:
    if asked.kind == "kserve":
        return Reply(404, {"detail": "Not Found"})
    if asked.kind == "mlserver" and not asked.body:
        return Reply(422, {"detail": [{"loc": ["body"], "msg": "Field required"}]})
    return Reply(body=[{"name": model, "state": "READY", "reason": ""} for model in MODELS])


def _statistics(asked: Asked, name: str) -> Reply:
    if asked.kind != "triton":
        return Reply(404, {"detail": "Not Found"})
    return Reply(body={"model_stats": [{"name": name, "inference_count": 12}]})


def _health(asked: Asked, name: str) -> Reply:
    word = asked.path.rpartition("/")[2]
    return Reply(body=b"" if asked.kind != "kserve" else {word: True})


ROUTES: tuple[tuple[str, Callable[[Asked, str], Reply]], ...] = (
    (r"POST /v2/models/([^/]+)(?:/versions/[^/]+)?/infer", _infer),
    (r"GET /v2/health/(live|ready)", _health),
    (r"GET /v2/models/([^/]+)(?:/versions/[^/]+)?/ready", _health),
    (r"GET /v2/models/([^/]+)/stats", _statistics),
    (r"GET /v2/models/([^/]+)", _metadata),
    (r"GET /(v2)", lambda asked, _: Reply(body=ABOUT[asked.kind])),
    (r"GET /v2/(models)", lambda asked, _: Reply(body={"models": list(MODELS)})),
    (r"POST /v2/repository/(index)", _index),
    (r"POST /v2/repository/models/([^/]+)/(?:un)?load", lambda asked, _: Reply()),
    (r"POST /v1/models/([^/:]+):predict", lambda asked, _: Reply(body={"predictions": [0]})),
    (r"POST /v1/models/([^/:]+):explain", lambda asked, _: Reply(body={"explanations": [[0.1]]})),
    (r"POST /(token)", lambda asked, _: Reply(body={"access_token": "t1", "expires_in": 300})),
)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@dataclass
class ScriptedServers:
    """The running servers; `asked` holds every request, in order of arrival."""

    port: int
    tls_port: int
    asked: list[Asked] = field(default_factory=list)

    def reply(self, asked: Asked) -> Reply:
        """Answer one request."""
        is_first = all(before.host != asked.host for before in self.asked)
        self.asked.append(asked)
        if asked.host == "busy.example.org" and is_first:
            return Reply(503, {"error": "no capacity"}, {"Retry-After": "0"})
        if asked.host == "iris.example.org" and not {"Authorization", "Cookie"} & {*asked.headers}:
            return Reply(401, {"detail": "Jwt is missing"})
        for form, answer in ROUTES:
            if found := re.fullmatch(form, f"{asked.method} {asked.path}"):
                return answer(asked, found[1])
        return Reply(404, {"detail": "Not Found"})

    def address_of(self, port: int) -> tuple[str, int]:
        """Where a connection to this port of any host really goes."""
        return LOOPBACK, self.tls_port if port == 443 else self.port

    def curl_settings(self) -> str:
        """The same for curl, as it stands in ~/.curlrc."""
        ports = {443: self.tls_port, 80: self.port, 8080: self.port}
        return "".join(f'connect-to = ":{p}:{LOOPBACK}:{to}"\n' for p, to in ports.items())


def _named(host: str, path: str) -> tuple[str, str]:
    """Host and path; a client in a process of its own writes the host before the path."""
    found = re.fullmatch(r"/(localhost:8080|[\w-]+\.example\.org)(/.*)", path)
    return (found[1], found[2]) if found else (host, path)


def _handler(servers: ScriptedServers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = dict(self.headers.items())
            host, path = _named(self.headers["Host"], self.path)
            reply = servers.reply(Asked(host, self.command, path, headers, body))
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.payload)))
            self.end_headers()
            self.wfile.write(reply.payload)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def scripted_servers(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServers]:
    """Run them until the block ends, over http, and over https where there are settings for it."""
    servers = ScriptedServers(0, 0)
    plain, secure = (_Listener((LOOPBACK, 0), _handler(servers)) for _ in range(2))
    if tls is not None:
        secure.socket = tls.wrap_socket(secure.socket, server_side=True)
    servers.port, servers.tls_port = plain.server_port, secure.server_port
    for listener in (plain, secure):
        threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield servers
    finally:
        for listener in (plain, secure):
            listener.shutdown()
            listener.server_close()


def routed(servers: ScriptedServers) -> Callable[..., Any]:
    """A `socket.getaddrinfo` by which localhost and all of example.org are the scripted servers.

    On port 9 nothing listens; no other name is known.
    """
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        if host in (None, "", LOOPBACK):  # a server of the example itself, which looks for a port
            return look_up(host, port, *more, **options)
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name != "localhost" and not name.endswith(".example.org"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name == "nobody.example.org":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        address = (LOOPBACK, 9) if port == 9 else servers.address_of(int(port))
        options.pop("type", None)
        return look_up(*address, type=socket.SOCK_STREAM)

    return getaddrinfo
