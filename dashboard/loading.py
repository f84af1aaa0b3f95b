"""The models file as the dashboard holds it: read again when it changes, the last good one kept."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kserve_client.catalog import Catalog, load_models_file
from kserve_client.catalog.logged import Logged
from kserve_client.errors import CatalogError

if TYPE_CHECKING:
    from kserve_client.catalog.cluster.watch import Watch
    from kserve_client.catalog.models_file import Kubernetes, ModelsFile

log = logging.getLogger(__name__)
Fingerprint = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A catalog that works. `number` goes up with each good reading of the file.

    `problem` is what is wrong with the file as it is now, while an older reading is in use.
    """

    catalog: Catalog
    number: int
    loaded_at: datetime
    problem: CatalogError | None = None


class ModelsFileLoader:
    """Reads one models file when it changed. May be shared between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: Fingerprint | None = None
        self._good: Loaded | None = None
        self._problem: CatalogError | None = None
        self._watch: tuple[Kubernetes, Watch] | None = None
        self._logged = Logged(None)

    def current(self) -> Loaded:
        """The newest good reading. Raises CatalogError while there has not been any."""
        with self._lock:
            seen = _fingerprint(self._path)
            if seen is None or seen != self._seen:
                self._seen = seen
                self._read()
            if self._good is None:
                raise self._problem or CatalogError("it was not read", source=str(self._path))
            good = self._good
        if self._problem is None:
            return good
        return Loaded(good.catalog, good.number, good.loaded_at, self._problem)

    def close(self) -> None:
        """End what runs in the background."""
        with self._lock:
            self._watch_only(None)

    def _read(self) -> None:
        try:
            content = load_models_file(self._path)
        except CatalogError as error:
            # A file that is not there is looked for at each call.
            if str(error) != str(self._problem):
                log.error("The models file is wrong: %s", error)  # noqa: TRY400 - ours say it all
            self._problem = error
            return
        self._problem = None
        number = self._good.number + 1 if self._good else 1
        self._good = Loaded(self._catalog(content), number, datetime.now(UTC))

    def _catalog(self, content: ModelsFile) -> Catalog:
        watch = self._watch_only(content.kubernetes)
        if self._logged.endpoint != content.mlflow:
            self._logged = Logged(content.mlflow)
        return Catalog(
            content,
            folder=self._path.parent,
            discovery=watch.found if watch else None,
            logged=self._logged,
        )

    def _watch_only(self, settings: Kubernetes | None) -> Watch | None:
        """The watch of these settings; another one ends, which nobody waits for."""
        if self._watch and self._watch[0] == settings:
            return self._watch[1]
        if self._watch:
            threading.Thread(target=self._watch[1].close, name="end watch", daemon=True).start()
            self._watch = None
        if settings is None:
            return None
        from kserve_client.catalog.cluster import Cluster

        self._watch = settings, Cluster(settings).watch()
        return self._watch[1]


def _fingerprint(path: Path) -> Fingerprint | None:
    """What changes when the file does, a link is turned to another one, or we may read it again."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
