"""A V2 server that passes every check, until a test breaks one thing.

Its model `sums` takes numbers a and b and answers `total` (a + b) and `double` (2a, 2b), in one tensor or,
served as `columns`, in one input per column. It knows versions, binary tensors, gzip and requested
outputs, and refuses whatever does not fit with a 400 that says why.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

Json = dict[str, Any]
HEAD_LENGTH = "inference-header-content-length"
SERVER = {"name": "ideal", "version": "1.0", "extensions": ["binary_tensor_data"]}
OUTPUTS = [
    {"name": "total", "datatype": "FP64", "shape": [-1]},
    {"name": "double", "datatype": "FP64", "shape": [-1, 2]},
]
INPUTS: dict[str, list[Json]] = {
    "sums": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
    "columns": [
        {"name": "a", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "b", "datatype": "FP64", "shape": [-1, 1]},
    ],
}


@dataclass(frozen=True)
class Request:
    """A request that came. Header names are in small letters; a gzipped body is unpacked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_infer(self) -> bool:
        """Whether it asks for an inference."""
        return self.path.endswith("/infer")

    @property
    def json(self) -> Json:
        """The body, or the head of a binary one."""
        length = self.headers.get(HEAD_LENGTH)
        parsed: Json = json.loads(self.body[: int(length)] if length else self.body)
        return parsed


@dataclass
class Reply:
    """An HTTP answer; a `body` that is no bytes travels as JSON."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})

    @property
    def payload(self) -> bytes:
        """The body as it travels."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class RefusedError(Exception):
    """A request that does not fit."""

    def __init__(self, why: str, status: int = 400) -> None:
        self.status = status
        super().__init__(why)


def refused(status: int, why: str = "no") -> Reply:
    """A refusal in the protocol's form."""
    return Reply(status, {"error": why})


@dataclass
class IdealServer:
    """`instead` may answer a request in its place; `changed` may change a reply on its way out."""

    instead: Callable[[Request], Reply | None] = lambda _: None
    changed: Callable[[Request, Reply], Reply] = lambda _, reply: reply
    seen: list[Request] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    def reply(self, request: Request) -> Reply:
        """Answer one request."""
        self.seen.append(request)
        found = self.instead(request)
        if found is None:
            try:
                found = _ideal(request)
            except RefusedError as error:
                found = refused(error.status, str(error))
        return self.changed(request, found)


def _ideal(request: Request) -> Reply:
    if request.path == "/v2":
        return Reply(405) if request.method == "HEAD" else Reply(body=SERVER)
    if request.path in ("/v2/health/live", "/v2/health/ready"):
        return Reply()
    name, _, rest = request.path.removeprefix("/v2/models/").partition("/")
    if name not in INPUTS:
        raise RefusedError(f"there is no {request.path}", 404)
    if rest.startswith("versions/"):
        version, _, rest = rest.removeprefix("versions/").partition("/")
        if version != "1":
            raise RefusedError(f"there is no version {version}", 404)
    if rest == "ready":
        return Reply()
    if rest == "infer":
        return _infer(name, request)
    told = {"name": name, "versions": ["1"], "platform": "python"}
    return Reply(body={**told, "inputs": INPUTS[name], "outputs": OUTPUTS})


def _infer(name: str, request: Request) -> Reply:
    try:
        asked = request.json
    except ValueError:
        raise RefusedError("the body is no JSON") from None
    rows = _rows(name, asked, request)
    outputs = [{"name": "total", **_tensor(rows.sum(axis=1))}]
    outputs.append({"name": "double", **_tensor(rows * 2)})
    wanted = [output["name"] for output in asked.get("outputs", [])]
    if set(wanted) - {"total", "double"}:
        raise RefusedError(f"there is no output {wanted}")
    given = [output for output in outputs if not wanted or output["name"] in wanted]
    body = {"model_name": name, "model_version": "1", "id": asked.get("id"), "outputs": given}
    reply = Reply(body=body)
    if request.headers.get("accept-encoding") == "gzip":
        reply.body = gzip.compress(reply.payload)
        reply.headers["Content-Encoding"] = "gzip"
    return reply


def _rows(name: str, asked: Json, request: Request) -> Any:
    known = {tensor["name"] for tensor in INPUTS[name]}
    arrays, blobs = {}, request.body[int(request.headers.get(HEAD_LENGTH, "0")) :]
    for tensor in asked["inputs"]:
        if tensor["name"] not in known:
            raise RefusedError(f"there is no input {tensor['name']}")
        size = tensor.get("parameters", {}).get("binary_data_size", 0)
        kind = {"FP32": "<f4", "FP64": "<f8"}[tensor["datatype"]]
        data = np.frombuffer(blobs[:size], kind) if size else np.array(tensor["data"], dtype=float)
        blobs = blobs[size:]
        if data.size != np.prod(tensor["shape"]):
            raise RefusedError(f"{tensor['name']} has {data.size} values")
        arrays[tensor["name"]] = data.astype(float).reshape(tensor["shape"])
    return np.concatenate([arrays[tensor["name"]] for tensor in INPUTS[name]], axis=1)


def _tensor(array: Any) -> Json:
    data = [None if np.isnan(number) else number for number in array.ravel().tolist()]
    return {"datatype": "FP64", "shape": list(array.shape), "data": data}


def _handler(server: IdealServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # an answer in one packet: several would wait for each other

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            if headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            reply = server.reply(Request(self.command, self.path, headers, body))
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(reply.payload))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.payload)

        do_POST = do_HEAD = do_GET  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def ideal_server(**settings: Any) -> Iterator[IdealServer]:
    """Run a server until the block ends."""
    server = IdealServer(**settings)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    listener.daemon_threads, listener.block_on_close = True, False
    server.port = listener.server_port
    threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
