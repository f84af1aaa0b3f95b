"""Tables that the settings offer: files below some folders, objects below some prefixes.

A table is chosen by a name of this list, and no path is ever made of a name.
"""

from __future__ import annotations

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
_TABLES = frozenset(
    {".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".arrow", ".feather"}
)
_PACKED = frozenset({".gz", ".zst"})


@dataclass(frozen=True, slots=True)
class _Listing:
    sources: tuple[NamedSource, ...]
    problems: tuple[str, ...]
    at_s: float


class Offered:
    """The tables of the setting `sources`. May be shared between threads."""

    def __init__(self, setting: str, limits: Limits) -> None:
        places = [place.strip() for place in setting.split(",") if place.strip()]
        self._places = dict(zip(_labels(places), places, strict=True))
        schemes = {urlsplit(place).scheme for place in places if "://" in place}
        self.reading = ReadOptions(limits=limits, schemes=frozenset(schemes))
        self._lock = threading.Lock()
        self._listing: _Listing | None = None

    def sources(self) -> list[NamedSource]:
        """All tables, by name."""
        return list(self._listed().sources)

    def problems(self) -> list[str]:
        """What can't be listed, in words."""
        return list(self._listed().problems)

    def source(self, name: str) -> NamedSource:
        """The table of a name. Raises InputError for any other name."""
        found = next((one for one in self._listed().sources if one.name == name), None)
        if found is None:
            raise InputError("the dashboard offers no such table (any more); choose another")
        return found

    def _listed(self) -> _Listing:
        with self._lock:
            if self._listing is None or time.monotonic() - self._listing.at_s > LOOK_S:
                self._listing = self._list()
            return self._listing

    def _list(self) -> _Listing:
        found: list[NamedSource] = []
        problems: list[str] = []
        for name, place in self._places.items():
            try:
                found += self._below(name, place)
            except KServeClientError as error:
                problems.append(str(error))
            except OSError as error:
                problems.append(f"{place} can't be read: {error.strerror}")
        if len(found) > MOST:
            problems.append(f"there are more than {MOST:,} tables; the first are listed")
        found.sort(key=lambda source: source.name)
        return _Listing(tuple(found[:MOST]), tuple(problems), time.monotonic())

    def _below(self, name: str, place: str) -> Iterator[NamedSource]:
        if "://" in place:
            return _objects(name, place, self.reading)
        return _files(name, Path(place).expanduser())


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
