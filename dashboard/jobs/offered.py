"""Tables that the settings offer: files below some folders, objects below some prefixes.

A table is chosen by a name of this list, and no path is ever made of a name.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dashboard.jobs.view import NamedSource
from kserve_client.errors import InputError, KServeClientError
from kserve_client.scoring.sources import Limits, ReadOptions
from kserve_client.scoring.sources.location import file_system, label, told

MOST = 1000
# A storage is asked again after this.
LOOK_S = 5.0
# So long who asks waits for a place that was never listed, and for one that was.
FIRST_LOOK_S, NEXT_LOOK_S = 5.0, 0.5
_TABLES = frozenset(
    {".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".arrow", ".feather"}
)
_PACKED = frozenset({".gz", ".zst"})


@dataclass(frozen=True, slots=True)
class _Listing:
    sources: tuple[NamedSource, ...] = ()
    problem: str = ""


class _Place:
    """One folder or prefix. It is listed beside: nobody waits long for a storage that is silent."""

    def __init__(self, name: str, place: str, reading: ReadOptions) -> None:
        self._name, self._place, self._reading = name, place, reading
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._over.set()
        self._begun_s = self._over_s = -math.inf
        self._is_first = True
        self._where = label(place) if "://" in place else place
        self._last = _Listing(problem=f"{self._where} can't be read: no answer yet")

    def look(self) -> None:
        """Begin to list it anew, when the last time is long ago."""
        with self._lock:
            now_s = time.monotonic()
            if self._over.is_set() and now_s - self._over_s > LOOK_S:
                self._begun_s = now_s
                self._begin()

    def _begin(self) -> None:
        self._over.clear()
        try:
            threading.Thread(target=self._look, name="batch-offered", daemon=True).start()
        except RuntimeError:  # a pod may have no thread left
            self._over.set()
            raise

    def found(self) -> _Listing:
        """What the look found that is under way; when it takes long, what the one before did."""
        longest_s = FIRST_LOOK_S if self._is_first else NEXT_LOOK_S
        waits_s = self._begun_s + longest_s - time.monotonic()
        self._over.wait(max(waits_s, 0.0))
        return self._last

    def get(self, name: str) -> NamedSource | None:
        """The table of a name; where it is not known, the look that is under way is waited for."""
        self.look()
        found = _named(name, self.found())
        if found is None:
            self._over.wait()
            found = _named(name, self._last)
        return found

    def _look(self) -> None:
        try:
            self._last = self._listing()
        finally:
            self._is_first = False
            self._over_s = time.monotonic()
            self._over.set()

    def _listing(self) -> _Listing:
        found: list[NamedSource] = []
        problem = ""
        try:
            found.extend(self._below())
        except KServeClientError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{self._where} can't be read: {error.strerror}"
        return _Listing(tuple(found), problem)

    def _below(self) -> Iterator[NamedSource]:
        if "://" in self._place:
            return _objects(self._name, self._place, self._reading)
        return _files(self._name, Path(self._place).expanduser())


class Offered:
    """The tables of the setting `sources`. May be shared between threads."""

    def __init__(self, setting: str, limits: Limits) -> None:
        places = [place.strip() for place in setting.split(",") if place.strip()]
        schemes = {urlsplit(place).scheme for place in places if "://" in place}
        self.reading = ReadOptions(limits=limits, schemes=frozenset(schemes))
        named = zip(_labels(places), places, strict=True)
        self._places = {name: _Place(name, place, self.reading) for name, place in named}

    def sources(self) -> list[NamedSource]:
        """All tables, by name."""
        found = [source for listing in self._listed() for source in listing.sources]
        return sorted(found, key=lambda source: source.name)[:MOST]

    def problems(self) -> list[str]:
        """What can't be listed, in words."""
        listed = self._listed()
        problems = [listing.problem for listing in listed if listing.problem]
        if sum(len(listing.sources) for listing in listed) > MOST:
            problems.append(f"there are more than {MOST:,} tables; the first are listed")
        return problems

    def source(self, name: str) -> NamedSource:
        """The table of a name. Raises InputError for any other name.

        For one that is not known its storage is waited for, however long that takes to answer.
        """
        place = self._places.get(name.partition("/")[0])
        found = None if place is None else place.get(name)
        if found is None:
            raise InputError("the dashboard offers no such table (any more); choose another")
        return found

    def _listed(self) -> list[_Listing]:
        for place in self._places.values():
            place.look()
        return [place.found() for place in self._places.values()]


def _named(name: str, listing: _Listing) -> NamedSource | None:
    return next((source for source in listing.sources if source.name == name), None)


def _files(name: str, root: Path) -> Iterator[NamedSource]:
    root = root.resolve(strict=True)
    seen = 0
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for path in (Path(folder, file) for file in sorted(files) if is_table(file)):
            real = path.resolve()
            if real.is_relative_to(root) and real.is_file():
                seen += 1
                about = real.stat()
                yield NamedSource(
                    f"{name}/{path.relative_to(root).as_posix()}",
                    real,
                    about.st_size,
                    datetime.fromtimestamp(about.st_mtime, UTC),
                )
        if seen > MOST:
            return


def _objects(name: str, prefix: str, reading: ReadOptions) -> Iterator[NamedSource]:
    system, root = file_system(prefix, reading)
    scheme = urlsplit(prefix).scheme
    with told(prefix):
        system.invalidate_cache()
        found: dict[str, dict[str, Any]] = system.find(root, detail=True)
    for path, about in sorted(found.items()):
        rest = path.removeprefix(root.rstrip("/")).lstrip("/")
        if is_table(path.rpartition("/")[2]):
            yield NamedSource(
                f"{name}/{rest}",
                f"{scheme}://{path.lstrip('/')}",
                about.get("size"),
                _changed(about),
            )


def is_table(file_name: str) -> bool:
    """Whether a file is named like a table that can be read."""
    path = Path(file_name.lower())
    if path.suffix in _PACKED:
        path = path.with_suffix("")
    return path.suffix in _TABLES and not file_name.startswith(".")


def _changed(about: dict[str, Any]) -> datetime | None:
    found = about.get("LastModified") or about.get("last_modified") or about.get("created")
    return found.astimezone(UTC) if isinstance(found, datetime) else None


def _labels(places: list[str]) -> list[str]:
    """What each place is called: its last part, _2 where that is taken."""
    labels: list[str] = []
    for place in places:
        text = label(place) if "://" in place else place
        last = text.rstrip("/").rpartition("/")[2] or "files"
        taken = sum(1 for one in labels if one == last or one.startswith(f"{last}_"))
        labels.append(f"{last}_{taken + 1}" if taken else last)
    return labels


def _raise(error: OSError) -> None:
    raise error
