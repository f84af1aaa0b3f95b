"""Following a cluster: list, then watch, for each namespace in a thread of its own.

Python's own `kubernetes.watch.Watch` and `kubernetes.informer` are not used: they wait for ever on a
connection that died silently, end with the exception that one 410 raises, and ask again at once
where no permission is (seen in kubernetes 37.0.2).
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from kserve_client.catalog.cluster.api import (
    EVERYWHERE,
    Changes,
    Cluster,
    Event,
    Found,
    GoneError,
    Listing,
    Problem,
    unreadable,
)
from kserve_client.catalog.inference_services import InferenceService
from kserve_client.errors import KServeClientError, NoAnswerError
from kserve_client.transport.forks import begin_anew_in_children

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
# A watch that ends sooner without a word was no watch: a proxy may not let them through.
SHORTEST_LIFE_S = 5.0
# A thread that is just connecting ends by itself when its time is over.
LONGEST_CLOSE_S = 2.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Place:
    """What is known of one namespace. Changed under the lock of its watch."""

    services: dict[str, InferenceService] = field(default_factory=dict)
    unreadable: int = 0
    error: KServeClientError | None = None
    as_of: datetime | None = None
    is_asked: bool = False
    is_live: bool = False


class Watch:
    """The InferenceServices as they are now. Close it when done; it is a context manager too.

    A forked child shows what was known until then, and follows by itself from when it first asks.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Condition()
        self._stopped = threading.Event()
        self._places = {place: _Place() for place in cluster.places}
        self._open: dict[str, Changes] = {}
        self._version = 0
        self._shown: tuple[int, Mapping[str, InferenceService]] = (0, {})
        self._threads: list[threading.Thread] = []
        self._start()
        begin_anew_in_children(self)

    def begin_anew(self) -> None:
        """Forget, in a forked child, the threads and connections of the parent."""
        is_over, now = self._stopped.is_set(), datetime.now(UTC)
        self._lock, self._stopped = threading.Condition(), threading.Event()
        self._open, self._threads = {}, []
        if is_over:
            self._stopped.set()
        for place in self._places.values():
            place.as_of = now if place.is_live else place.as_of
            place.is_asked, place.is_live = is_over, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def found(self, *, wait_s: float = 0.0) -> Found:
        """What is known now; wait at most so long until every namespace was asked once."""
        with self._lock:
            if not self._threads and not self._stopped.is_set():
                self._start()
            self._lock.wait_for(self._is_complete, timeout=wait_s)
            return self._snapshot()

    def close(self) -> None:
        """End the threads and the connections. May be called twice."""
        self._stopped.set()
        with self._lock:
            for changes in self._open.values():
                changes.abort()
        deadline = time.monotonic() + LONGEST_CLOSE_S
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        self._cluster.close()

    # What is shown

    def _is_complete(self) -> bool:
        return all(place.is_asked for place in self._places.values())

    def _snapshot(self) -> Found:
        now = datetime.now(UTC)
        times = [now if place.is_live else place.as_of for place in self._places.values()]
        return Found(
            services=self._services(),
            problems=tuple(self._problems()),
            as_of=min((time for time in times if time), default=now),
            version=self._version,
            is_complete=self._is_complete(),
        )

    def _services(self) -> Mapping[str, InferenceService]:
        """All of them in order, sorted once for each change: a page asks for each model."""
        if self._shown[0] != self._version:
            services = {
                key: one for place in self._places.values() for key, one in place.services.items()
            }
            self._shown = self._version, dict(sorted(services.items()))
        return self._shown[1]

    def _problems(self) -> Iterator[Problem]:
        """One problem for the whole cluster where all namespaces have the same one."""
        failing = {name: one.error for name, one in self._places.items() if one.error}
        alike = {f"{type(error)} {error}" for error in failing.values()}
        if len(failing) == len(self._places) > 1 and len(alike) == 1:
            times = [one.as_of for one in self._places.values() if one.as_of]
            yield Problem(EVERYWHERE, next(iter(failing.values())), min(times, default=None))
            return
        for name, place in self._places.items():
            if place.error:
                yield Problem(name, place.error, place.as_of)
            yield from unreadable(name, place.unreadable)

    # The thread of one namespace

    def _start(self) -> None:
        self._threads = [
            threading.Thread(
                target=self._follow, args=(place,), name=f"watch {place or 'cluster'}", daemon=True
            )
            for place in self._places
        ]
        for thread in self._threads:
            thread.start()

    def _follow(self, name: str) -> None:
        version = ""
        pauses = _pauses()
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                version = version or self._list(name)
                for event in self._watch(name, version):
                    self._apply(name, event)
                    version, pauses = event.version, _pauses()
            except GoneError:
                version = ""
            except KServeClientError as error:
                version = version if isinstance(error, NoAnswerError) else ""
                self._fail(name, error)
            except Exception as error:  # noqa: BLE001 - nobody would start the thread again
                version = ""
                _log.exception("watching InferenceServices failed")
                self._fail(name, KServeClientError(f"watching failed: {type(error).__name__}"))
            else:
                pauses = _pauses() if time.monotonic() - began > SHORTEST_LIFE_S else pauses
            self._stopped.wait(next(pauses))

    def _list(self, name: str) -> str:
        listing = self._cluster.list_place(name)
        self._show(name, listing)
        return listing.version

    def _watch(self, name: str, version: str) -> Iterator[Event]:
        changes = self._cluster.watch_place(name, version)
        with self._lock:
            self._open[name] = changes
        try:
            if self._stopped.is_set():  # closed while it opened
                return
            self._live(name)
            # A line that breaks is no news: whether it is more shows when the next watch opens.
            with suppress(NoAnswerError):
                yield from changes
        finally:
            with self._lock:
                del self._open[name]
                self._places[name].is_live = False
            changes.end()

    def _show(self, name: str, listing: Listing) -> None:
        with self._lock:
            place = self._places[name]
            services = dict(listing.services)
            before = (place.services, place.unreadable, place.is_asked)
            self._version += before != (services, listing.unreadable, True)
            place.services, place.unreadable = services, listing.unreadable
            place.as_of, place.is_asked = datetime.now(UTC), True
            self._lock.notify_all()

    def _live(self, name: str) -> None:
        """The watch stands: whatever was wrong is over."""
        with self._lock:
            place = self._places[name]
            self._version += place.error is not None
            place.error, place.is_live, place.as_of = None, True, datetime.now(UTC)

    def _apply(self, name: str, event: Event) -> None:
        with self._lock:
            place = self._places[name]
            place.as_of = datetime.now(UTC)
            if not event.key or place.services.get(event.key) == event.service:
                return
            self._version += 1
            if event.service is None:
                place.services.pop(event.key, None)
            else:
                place.services[event.key] = event.service

    def _fail(self, name: str, error: KServeClientError) -> None:
        if self._stopped.is_set():  # it was our own doing
            return
        with self._lock:
            place = self._places[name]
            self._version += str(place.error) != str(error)
            place.error, place.is_asked = error, True
            self._lock.notify_all()


def _pauses() -> Iterator[float]:
    """Seconds: drawn between half and the whole of a doubling bound."""
    bound = FIRST_PAUSE_S
    while True:
        yield random.uniform(bound / 2, bound)  # noqa: S311 - no secret hangs on it
        bound = min(bound * 2, LONGEST_PAUSE_S)
