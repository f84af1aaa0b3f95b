"""A stand-in of the Kubernetes API on loopback, for InferenceServices alone.

It speaks what "Kubernetes API concepts" says of reading: lists with `limit` and `continue`, watches
from a `resourceVersion` with bookmarks and `timeoutSeconds`, 410 for a version it has forgotten (as an
ERROR event, or as a status), 401, 403 and 404 with Status objects. It has no other resource, no
admission and no controller: tests write the objects, their status too.
"""

from __future__ import annotations

import contextlib
import copy
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

GROUP = "/apis/serving.kserve.io/v1beta1"
Object = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request: list or watch, of a namespace ("" for all), with its query and its token."""

    verb: str
    namespace: str
    query: dict[str, str]
    token: str


@dataclass(frozen=True)
class Change:
    """One entry of the log that watches read."""

    version: int
    kind: str
    value: Object


@dataclass
class KubernetesAPI:
    """The running API. What it holds and how it behaves may be changed while it runs.

    `allowed` are the (verb, namespace) that are; None allows all. `pause_s` is waited before an
    answer. `cuts_bodies` ends each answer before its announced length. `replies` are raw answers
    (status, body) given in place of the next ones; None stands for the usual answer. `watch_life_s`
    is the longest life of a watch, whatever the client wants; with `hangs` a watch says nothing and
    never ends.
    """

    url: str
    token: str | None = None
    has_kserve: bool = True
    allowed: set[tuple[str, str]] | None = None
    pause_s: float = 0.0
    gone_as_status: bool = False
    cuts_bodies: bool = False
    watch_life_s: float = 60.0
    hangs: bool = False
    replies: list[tuple[int, bytes] | None] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    _objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    _log: list[Change] = field(default_factory=list)
    _version: int = 100
    _oldest: int = 0
    _watchers: list[_Answer] = field(default_factory=list)
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def put(self, value: Object) -> Object:
        """Create or replace an object; return it as it is stored."""
        with self._lock:
            metadata = value["metadata"]
            key = metadata["namespace"], metadata["name"]
            kind = "MODIFIED" if key in self._objects else "ADDED"
            self._version += 1
            stored = copy.deepcopy(value)
            stored["metadata"]["resourceVersion"] = str(self._version)
            self._objects[key] = stored
            self._tell(kind, stored)
            return stored

    def delete(self, namespace: str, name: str) -> None:
        """Delete an object."""
        with self._lock:
            self._version += 1
            gone = self._objects.pop((namespace, name))
            gone["metadata"]["resourceVersion"] = str(self._version)
            self._tell("DELETED", gone)

    def bookmark(self) -> str:
        """Tell all watches the newest version, and nothing else; return it."""
        with self._lock:
            self._version += 1
            self._tell("BOOKMARK", {"metadata": {"resourceVersion": str(self._version)}})
            return str(self._version)

    def forget(self) -> None:
        """Forget the past, as after five minutes: older versions are gone."""
        with self._lock:
            self._version += 1
            self._oldest = self._version
            self._log.clear()

    def send(self, line: bytes) -> None:
        """Send all watches a line of your own."""
        with self._lock:
            watchers = list(self._watchers)
        for watcher in watchers:
            with contextlib.suppress(OSError):
                watcher.chunk(line)

    def cut(self) -> None:
        """Cut all watches in the middle of a chunk."""
        with self._lock:
            watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            with contextlib.suppress(OSError):
                watcher.connection.shutdown(socket.SHUT_RDWR)

    @property
    def watching(self) -> int:
        """The watches that are open."""
        with self._lock:
            return len(self._watchers)

    def verbs(self, namespace: str | None = None) -> list[str]:
        """The verbs asked, of one namespace or all, in their order."""
        return [one.verb for one in self.asked if namespace in (None, one.namespace)]

    def _tell(self, kind: str, value: Object) -> None:
        self._log.append(Change(self._version, kind, copy.deepcopy(value)))
        self._lock.notify_all()

    # For the handler

    def page(self, namespace: str, query: dict[str, str]) -> Object:
        """A list, or a page of it."""
        with self._lock:
            values = [
                value
                for (place, _), value in sorted(self._objects.items())
                if namespace in ("", place) and _matches(value, query.get("labelSelector", ""))
            ]
            begin = int(query.get("continue", "0"))
            end = begin + int(query.get("limit", str(len(values) + 1)))
            more = {"continue": str(end)} if end < len(values) else {}
            return {
                "kind": "InferenceServiceList",
                "apiVersion": "serving.kserve.io/v1beta1",
                "metadata": {"resourceVersion": str(self._version), **more},
                "items": copy.deepcopy(values[begin:end]),
            }

    def is_gone(self, version: str) -> bool:
        """Whether a watch can't begin there any more."""
        with self._lock:
            return int(version or "0") < self._oldest

    def changes(self, namespace: str, query: dict[str, str], watcher: _Answer) -> Iterator[Object]:
        """The events of one watch, until its time is over or it is cut."""
        seen = int(query["resourceVersion"])
        ends = time.monotonic() + min(float(query["timeoutSeconds"]), self.watch_life_s)
        with self._lock:
            self._watchers.append(watcher)
        while (self.hangs or time.monotonic() < ends) and self._is_open(watcher):
            with self._lock:
                fresh = [one for one in self._log if one.version > seen]
                is_gone = seen < self._oldest
                if self.hangs:
                    fresh, is_gone = [], False
                if not fresh and not is_gone:
                    self._lock.wait(timeout=0.05)
            if is_gone:
                yield {"type": "ERROR", "object": _status(410, "Expired", "too old")}
                break
            for change in fresh:
                seen = change.version
                place = change.value["metadata"].get("namespace", "")
                if change.kind == "BOOKMARK" or namespace in ("", place):
                    yield {"type": change.kind, "object": change.value}

    def _is_open(self, watcher: _Answer) -> bool:
        """Whether nobody cut it, and the client, which has nothing more to say, did not hang up."""
        with self._lock:
            is_cut = watcher not in self._watchers
        return not is_cut and not select.select([watcher.connection], [], [], 0)[0]

    def ended(self, watcher: _Answer) -> None:
        """A watch is over."""
        with self._lock:
            if watcher in self._watchers:
                self._watchers.remove(watcher)


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: KubernetesAPI

    def do_GET(self) -> None:
        with contextlib.suppress(OSError):  # the client may have gone
            self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        words = parts.path.removeprefix(GROUP).strip("/").split("/")
        namespace = words[1] if words[0] == "namespaces" else ""
        verb = "watch" if query.get("watch") in ("true", "True") else "list"
        token = self.headers.get("Authorization", "").partition(" ")[2]
        self.api.asked.append(Asked(verb, namespace, query, token))
        time.sleep(self.api.pause_s)
        reply = self.api.replies.pop(0) if self.api.replies else None
        if reply is not None:
            self._say(*reply)
        elif refusal := self._refusal(verb, namespace, token):
            self._say(refusal["code"], json.dumps(refusal).encode())
        elif not self.api.has_kserve or not parts.path.endswith("/inferenceservices"):
            self._say(404, b"404 page not found\n")  # so says the API of a group it does not know
        elif verb == "list":
            self._say(200, json.dumps(self.api.page(namespace, query)).encode())
        else:
            self._watch(namespace, query)

    def _refusal(self, verb: str, namespace: str, token: str) -> Object | None:
        if self.api.token is not None and token != self.api.token:
            return _status(401, "Unauthorized", "Unauthorized")
        if self.api.allowed is None or (verb, namespace) in self.api.allowed:
            return None
        where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        return _status(
            403,
            "Forbidden",
            'inferenceservices.serving.kserve.io is forbidden: User "system:serviceaccount:ml:web" '
            f'cannot {verb} resource "inferenceservices" in API group "serving.kserve.io" {where}',
        )

    def _watch(self, namespace: str, query: dict[str, str]) -> None:
        is_gone = self.api.is_gone(query["resourceVersion"])
        if is_gone and self.api.gone_as_status:
            self._say(410, json.dumps(_status(410, "Expired", "too old")).encode())
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for event in self.api.changes(namespace, query, self):
                self.chunk(json.dumps(event).encode() + b"\n")
            self.wfile.write(b"0\r\n\r\n")
        finally:
            self.api.ended(self)

    def chunk(self, data: bytes) -> None:
        """Send some bytes of a watch."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + 100 * self.api.cuts_bodies))
        self.close_connection = self.api.cuts_bodies
        if 300 <= status < 400:
            self.send_header("Location", body.decode())
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no error."""


@contextmanager
def kubernetes_api(*, tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[KubernetesAPI]:
    """Run the API until the block ends."""
    scheme = "http" if tls is None else "https"
    handler = type("Handler", (_Answer,), {})
    server = _Server(("127.0.0.1", port), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    api = KubernetesAPI(f"{scheme}://127.0.0.1:{server.server_port}")
    handler.api = api  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        api.cut()
        server.server_close()
        thread.join()


def write_kubeconfig(path: Path, api: KubernetesAPI, *, ca_file: Path | None = None) -> Path:
    """Write a kubeconfig for the API, with a second context that leads nowhere."""
    cluster: Object = {"server": api.url}
    if ca_file:
        cluster["certificate-authority"] = str(ca_file)
    nowhere = {"server": "http://127.0.0.1:9"}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": cluster}, {"name": "there", "cluster": nowhere}],
        "users": [{"name": "me", "user": {"token": api.token or "t"}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": "me"}} for name in ("here", "there")
        ],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def _matches(value: Object, selector: str) -> bool:
    """Whether the labels fit a selector of equalities."""
    labels = value["metadata"].get("labels", {})
    wanted = [one.partition("=") for one in selector.split(",") if one]
    return all(labels.get(name) == text for name, _, text in wanted)


def _status(code: int, reason: str, message: str) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
