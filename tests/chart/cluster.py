"""A stand-in of the Kubernetes API on loopback for a controller: any object, lists, watches, status.

tests/kubernetes_api.py knows InferenceServices alone, but all that can go wrong; this one knows every kind
and nothing that goes wrong. It has no admission: what is put in was checked by test_objects.py.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Object = dict[str, Any]
# Path of a collection or an object: group and version, namespace, plural, name, status.
_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>v[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?P<status>/status)?"
)
WATCH_S = 60.0
# The plural of a kind that is not its name in small letters with an s.
PLURALS = {"GatewayClass": "gatewayclasses", "NetworkPolicy": "networkpolicies"}
KINDS = {
    "backendtlspolicies": "BackendTLSPolicy",
    "configmaps": "ConfigMap",
    "endpointslices": "EndpointSlice",
    "gatewayclasses": "GatewayClass",
    "gateways": "Gateway",
    "grpcroutes": "GRPCRoute",
    "httproutes": "HTTPRoute",
    "ingressroutes": "IngressRoute",
    "ingressroutetcps": "IngressRouteTCP",
    "ingressrouteudps": "IngressRouteUDP",
    "middlewares": "Middleware",
    "middlewaretcps": "MiddlewareTCP",
    "namespaces": "Namespace",
    "nodes": "Node",
    "referencegrants": "ReferenceGrant",
    "secrets": "Secret",
    "serverstransports": "ServersTransport",
    "serverstransporttcps": "ServersTransportTCP",
    "services": "Service",
    "tlsoptions": "TLSOption",
    "tlsroutes": "TLSRoute",
    "tlsstores": "TLSStore",
    "traefikservices": "TraefikService",
}


class Cluster:
    """The running API, and the objects it holds by plural, namespace and name."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._log: list[tuple[int, str, str, Object]] = []
        self._lock = threading.Condition()

    def put(self, value: Object) -> Object:
        """Create or replace an object, its status too; return it as it is stored."""
        plural = PLURALS.get(value["kind"], value["kind"].lower() + "s")
        metadata = value["metadata"]
        key = plural, metadata.get("namespace", ""), metadata["name"]
        with self._lock:
            before = self._objects.get(key)
            version = len(self._log) + 1
            stored: Object = json.loads(json.dumps(value))
            stored["metadata"] |= {
                "resourceVersion": str(version),
                "uid": "-".join(key),
                "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
            }
            self._objects[key] = stored
            event = "MODIFIED" if before else "ADDED"
            self._log.append((version, event, plural, stored))
            self._lock.notify_all()
        return stored

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """An object as it is now."""
        with self._lock:
            return self._objects.get((plural, namespace, name))

    def list(self, plural: str, namespace: str | None) -> Object:
        """The objects of a kind, of one namespace or all."""
        with self._lock:
            found = [
                value
                for (one, place, _), value in sorted(self._objects.items())
                if one == plural and namespace in (None, place)
            ]
            return {"items": found, "metadata": {"resourceVersion": str(len(self._log))}}

    def events(
        self, plural: str, namespace: str | None, after: int, end: float
    ) -> Iterator[Object]:
        """What happens to a kind from a version on, until the time is over."""
        while time.monotonic() < end:
            with self._lock:
                fresh = self._log[after:]
                after += len(fresh)
                if not fresh:
                    self._lock.wait(timeout=0.2)
            for _, event, one, value in fresh:
                if one == plural and namespace in (None, value["metadata"].get("namespace", "")):
                    yield {"type": event, "object": value}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/version":
            return self._say({"major": "1", "minor": "36", "gitVersion": "v1.36.0"})
        found = _PATH.fullmatch(parts.path)
        if found is None or found["plural"] not in KINDS:
            return self._say({"kind": "Status", "status": "Failure", "code": 404}, 404)
        if found["name"]:
            value = self.cluster.get(found["plural"], found["namespace"] or "", found["name"])
            return self._say(value or {"kind": "Status", "code": 404}, 200 if value else 404)
        if query.get("watch") in ("true", "1"):
            return self._watch(found, query)
        listed = self.cluster.list(found["plural"], found["namespace"])
        return self._say({**_type(found, "List"), **listed})

    def do_PUT(self) -> None:
        """Take a status; nothing else is written by a controller of ingress."""
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = _PATH.fullmatch(urlsplit(self.path).path)
        assert found is not None
        before = self.cluster.get(found["plural"], found["namespace"] or "", found["name"])
        assert before is not None
        self._say(self.cluster.put({**before, "status": sent["status"]}))

    do_PATCH = do_PUT  # noqa: N815 - so the method has to be called

    def _watch(self, found: re.Match[str], query: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(OSError):  # the controller may have gone
            for event in self._told(found, query):
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

    def _told(self, found: re.Match[str], query: dict[str, str]) -> Iterator[Object]:
        """The events of a watch; with sendInitialEvents those of a list first."""
        plural, namespace = found["plural"], found["namespace"]
        after = int(query.get("resourceVersion") or 0)
        if query.get("sendInitialEvents") == "true":
            listed = self.cluster.list(plural, namespace)
            for value in listed["items"]:
                yield {"type": "ADDED", "object": value}
            after = int(listed["metadata"]["resourceVersion"])
            ended = {"k8s.io/initial-events-end": "true"}
            metadata = {"resourceVersion": str(after), "annotations": ended}
            yield {"type": "BOOKMARK", "object": {**_type(found, ""), "metadata": metadata}}
        end = time.monotonic() + min(float(query.get("timeoutSeconds", WATCH_S)), WATCH_S)
        yield from self.cluster.events(plural, namespace, after, end)

    def _say(self, value: Object, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _type(found: re.Match[str], suffix: str) -> Object:
    group = found["group"]
    version = f"{group}/{found['version']}" if group else found["version"]
    return {"apiVersion": version, "kind": KINDS[found["plural"]] + suffix}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A controller that goes away is no error."""


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run the API until the block ends."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    running = Cluster(f"http://127.0.0.1:{server.server_port}")
    handler.cluster = running  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
