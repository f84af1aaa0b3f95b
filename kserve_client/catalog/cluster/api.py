"""The cluster: InferenceServices of the allowed namespaces, by the official Kubernetes library.

Needs `pip install kubernetes`. Only namespaces that the settings name are asked, by
GET alone. Paths, paging (`limit`, `continue`) and watches are those of "Kubernetes API concepts".
"""

from __future__ import annotations

import importlib
import random
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import yaml
from urllib3.exceptions import HTTPError

from kserve_client.catalog.cluster.failures import (
    call_failure,
    status_failure,
    transport_failure,
)
from kserve_client.catalog.inference_services import InferenceService, read_inference_service
from kserve_client.catalog.models_file import Kubernetes
from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerError,
    ServerError,
)
from kserve_client.transport.forks import begin_anew_in_children

if TYPE_CHECKING:
    from kserve_client.catalog.cluster.watch import Watch

GROUP, VERSION, PLURAL = "serving.kserve.io", "v1beta1", "inferenceservices"
# Stands for all namespaces together.
EVERYWHERE = ""
OBJECTS_PER_PAGE = 200
CONNECT_TIMEOUT_S = 5.0
LIST_TIMEOUT_S = 15.0
WATCH_LIFE_S = (240, 300)
WATCH_SLACK_S = 15.0
LARGEST_PAGE_BYTES = 256_000_000
# etcd takes objects of up to 1.5 MB.
LARGEST_EVENT_BYTES = 8_000_000
_GONE = 410
_EXCERPT_BYTES = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be seen, and why.

    `namespace` is "" for the whole cluster. `as_of` is the time of what is still shown of it; None
    when nothing is.
    """

    namespace: str
    error: KServeClientError
    as_of: datetime | None = None

    def __str__(self) -> str:
        where = f"namespace {self.namespace}: " if self.namespace else ""
        when = f" (shown as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC)" if self.as_of else ""
        return f"{where}{self.error}{when}"


@dataclass(frozen=True, slots=True)
class Found:
    """InferenceServices by NAMESPACE/NAME, and what could not be seen.

    `as_of` is the time (UTC) of the oldest part; `version` goes up with each change; `is_complete`
    says whether every namespace was asked by now.
    """

    services: Mapping[str, InferenceService] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    as_of: datetime = field(default_factory=lambda: datetime.now(UTC))
    version: int = 0
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """The InferenceServices of one place, and the version of the collection to watch from."""

    services: Mapping[str, InferenceService]
    version: str
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """A change: the service with its key, None in its place when it is gone.

    `key` is "" for a bookmark, and for an object that could not be read.
    """

    version: str
    key: str = ""
    service: InferenceService | None = None


class GoneError(ServerError):
    """The version to watch from is too old: list again."""


class Cluster:
    """The API of one cluster. May be shared between threads; nothing is asked before the first call."""

    def __init__(self, settings: Kubernetes) -> None:
        self.settings = settings
        self._api: Any = None
        self._lock = threading.Lock()
        begin_anew_in_children(self)

    def begin_anew(self) -> None:
        """Forget the parent's connections in a forked child: on these each would read the other's answers."""
        self._lock, self._api = threading.Lock(), None

    @property
    def places(self) -> tuple[str, ...]:
        """The namespaces to ask; "" alone stands for all of them."""
        return (EVERYWHERE,) if self.settings.all_namespaces else self.settings.namespaces

    def list(self) -> Found:
        """Ask once. What could not be seen is a problem of the result, never an exception."""
        services: dict[str, InferenceService] = {}
        problems: list[Problem] = []
        for place in self.places:
            try:
                listing = self.list_place(place)
            except KServeClientError as error:
                if isinstance(error, ConfigurationError | NoAnswerError):
                    problems.append(Problem(EVERYWHERE, error))
                    break  # the others would say the same, after as long a wait
                problems.append(Problem(place, error))
                continue
            services |= listing.services
            problems += unreadable(place, listing.unreadable)
        return Found(dict(sorted(services.items())), tuple(problems))

    def watch(self) -> Watch:
        """Follow all places in the background until the result is closed."""
        from kserve_client.catalog.cluster.watch import Watch

        return Watch(self)

    def list_place(self, place: str) -> Listing:
        """List one place, page by page. Raises the branches of KServeClientError."""
        try:
            return self._listed(place, OBJECTS_PER_PAGE)
        except GoneError:  # it took longer than the server keeps the pages
            return self._listed(place, None)

    def watch_place(self, place: str, version: str) -> Changes:
        """Open a watch that begins after a version. Raises GoneError when that is too old."""
        life_s = random.randint(*WATCH_LIFE_S)  # noqa: S311 - so that not all end at once
        answer = self._ask(
            "watch",
            place,
            read_s=life_s + WATCH_SLACK_S,
            watch=True,
            resource_version=version,
            allow_watch_bookmarks=True,
            timeout_seconds=life_s,
        )
        return Changes(answer, place, self._host())

    def close(self) -> None:
        """Drop the connections."""
        with self._lock:
            if self._api is not None:
                self._api.api_client.close()
            self._api = None

    def _listed(self, place: str, limit: int | None) -> Listing:
        services: dict[str, InferenceService] = {}
        query: dict[str, Any] = {} if limit is None else {"limit": limit}
        lost = 0
        while True:
            page = self._page(place, query)
            for value in page["items"]:
                service = _readable(value, place)
                lost += service is None
                services |= {service.key: service} if service else {}
            if not page["metadata"].get("continue"):
                return Listing(services, str(page["metadata"].get("resourceVersion", "")), lost)
            query["_continue"] = page["metadata"]["continue"]

    def _page(self, place: str, query: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._ask("list", place, read_s=LIST_TIMEOUT_S, **query)
        try:
            data = answer.read(LARGEST_PAGE_BYTES, decode_content=True)
        except (HTTPError, OSError) as error:
            raise transport_failure(error, self._host()) from None
        finally:
            answer.close()  # goes back to the pool when it was read whole
        try:
            page = orjson.loads(data)
        except orjson.JSONDecodeError:
            page = None
        if isinstance(page, dict) and isinstance(page.get("items"), list):
            return {**page, "metadata": _mapping(page.get("metadata"))}
        raise InvalidAnswerError(
            f"what answers at {self._host()} is no Kubernetes API",
            body=data.decode(errors="replace"),
        )

    def _ask(self, verb: str, place: str, *, read_s: float, **query: Any) -> Any:
        """Send one request; a refused token is read again, once."""
        try:
            return self._send(verb, place, read_s=read_s, **query)
        except AccessError as error:
            if error.status != 401:
                raise
            self.close()
            return self._send(verb, place, read_s=read_s, **query)

    def _send(self, verb: str, place: str, *, read_s: float, **query: Any) -> Any:
        api = self._connected()
        if self.settings.label_selector:
            query["label_selector"] = self.settings.label_selector
        options: Any = {
            "_preload_content": False,
            "_request_timeout": (CONNECT_TIMEOUT_S, read_s),
            **query,
        }
        try:
            if place == EVERYWHERE:
                return api.list_cluster_custom_object(GROUP, VERSION, PLURAL, **options)
            return api.list_namespaced_custom_object(GROUP, VERSION, place, PLURAL, **options)
        except _library().config.ConfigException as error:  # the token file, read again
            raise ConfigurationError(f"the account of this pod can't be used: {error}") from None
        except (_library().client.ApiException, HTTPError, OSError) as error:
            if getattr(error, "status", None) == _GONE:
                raise GoneError("the Kubernetes API forgot that version", status=_GONE) from None
            where = where_is(place)
            raise call_failure(error, verb=verb, where=where, host=self._host()) from None

    def _connected(self) -> Any:
        with self._lock:
            if self._api is None:
                library = _library()
                self._api = library.client.CustomObjectsApi(
                    library.client.ApiClient(_configuration(library, self.settings))
                )
            return self._api

    def _host(self) -> str:
        with self._lock:
            return "the cluster" if self._api is None else self._api.api_client.configuration.host


class Changes:
    """The events of one open watch. `abort` ends it from another thread."""

    def __init__(self, answer: Any, place: str, host: str) -> None:
        self._answer = answer
        self._place = place
        self._host = host

    def __iter__(self) -> Iterator[Event]:
        """Give events until the server ends the watch.

        Raises GoneError, and the branches of KServeClientError for what the server or the line did.
        """
        try:
            for line in self._lines():
                yield self._event(line)
        except (HTTPError, OSError) as error:
            raise transport_failure(error, self._host) from None

    def end(self) -> None:
        """Give up the connection."""
        self._answer.close()

    def abort(self) -> None:
        """End the wait for the next event at once."""
        with suppress(OSError, ValueError, RuntimeError):  # it is over already
            self._answer.shutdown()

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        while data := self._answer.read1(65_536, decode_content=True):
            *lines, rest = (rest + data).split(b"\n")
            yield from filter(None, lines)
            if len(rest) > LARGEST_EVENT_BYTES:
                raise self._invalid(rest)

    def _event(self, line: bytes) -> Event:
        try:
            value = _mapping(orjson.loads(line))
        except orjson.JSONDecodeError:
            raise self._invalid(line) from None
        kind, found = value.get("type"), value.get("object")
        if kind == "ERROR":
            raise self._refusal(found)
        version = _mapping(_mapping(found).get("metadata")).get("resourceVersion")
        if not isinstance(version, str) or kind not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK"):
            raise self._invalid(line)
        service = None if kind == "BOOKMARK" else _readable(found, self._place)
        if service is None:
            return Event(version)
        return Event(version, service.key, None if kind == "DELETED" else service)

    def _refusal(self, found: Any) -> ServerError:
        if _mapping(found).get("code") == _GONE:
            return GoneError("the Kubernetes API forgot that version", status=_GONE)
        return status_failure(found, where=where_is(self._place), host=self._host)

    def _invalid(self, line: bytes) -> InvalidAnswerError:
        body = line[:_EXCERPT_BYTES].decode(errors="replace")
        return InvalidAnswerError(f"what {self._host} sent is no event of a watch", body=body)


def where_is(place: str) -> str:
    """The words for a place."""
    return f"namespace {place}" if place else "all namespaces"


def unreadable(place: str, count: int) -> list[Problem]:
    """The problem of objects that make no sense; none for none."""
    if not count:
        return []
    what = "an object" if count == 1 else f"{count} objects"
    return [
        Problem(place, InvalidAnswerError(f"{what} of the Kubernetes API could not be understood"))
    ]


def _readable(value: Any, place: str) -> InferenceService | None:
    """The InferenceService; None for what is none, or of a namespace that nobody asked for."""
    try:
        service = read_inference_service(value)
    except InvalidAnswerError:
        return None
    return service if place in (EVERYWHERE, service.namespace) else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _library() -> Any:
    """The Kubernetes library, imported when it is first needed: that takes most of a second."""
    try:
        importlib.import_module("kubernetes.config")
        return importlib.import_module("kubernetes")
    except ImportError:
        raise ConfigurationError(
            "looking for InferenceServices needs the Kubernetes library: pip install kubernetes"
        ) from None


def _configuration(library: Any, settings: Kubernetes) -> Any:
    """Where the API is and how to get in: from the kubeconfig, else from the pod we run in."""
    configuration = library.client.Configuration()
    if settings.kubeconfig is None:
        _load_account(library, configuration)
    else:
        _load_kubeconfig(library, configuration, settings)
    # No retries of urllib3, which follow redirects too: to another host, if it comes to that.
    configuration.retries = False
    configuration.socket_options = _keepalive()
    return configuration


def _load_account(library: Any, configuration: Any) -> None:
    try:
        library.config.load_incluster_config(client_configuration=configuration)
    except (library.config.ConfigException, OSError) as error:
        raise ConfigurationError(
            f"no service account of a pod was found ({error}). Outside of a cluster set "
            "kubernetes.kubeconfig in the models file"
        ) from None


def _load_kubeconfig(library: Any, configuration: Any, settings: Kubernetes) -> None:
    try:
        library.config.load_kube_config(
            config_file=settings.kubeconfig,
            context=settings.context,
            client_configuration=configuration,
            persist_config=False,  # the file is its owner's: never written
        )
    except (library.config.ConfigException, OSError) as error:
        problem = str(error)
    except yaml.YAMLError:
        problem = "it is no valid YAML"
    except (AttributeError, KeyError, TypeError, ValueError):  # a file of another shape
        problem = "it is no kubeconfig"
    else:
        return
    raise ConfigurationError(f"kubeconfig {settings.kubeconfig} can't be used: {problem}")


def _keepalive() -> list[tuple[int, int, int]]:
    """A watch may be silent for minutes: let the system find out when nobody is there any more."""
    wanted = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
    options = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    ]
    return options + [
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in wanted.items()
        if hasattr(socket, name)
    ]
