"""Uploads on the disk that no job has taken yet."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from pathlib import Path
from typing import IO

import orjson

from dashboard.jobs.folder import PRIVATE_FOLDER, Folder, open_private, put
from dashboard.jobs.view import Spooled
from kserve_client.errors import ConfigurationError, InputError
from kserve_client.scoring.job import new_job_id

PIECE_BYTES = 1 << 20
MEGABYTE = 1 << 20
KEPT_S = 24 * 3600.0
_ABOUT = "about.json"
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
# What of a file's name says how to read it; the rest is not kept in a name.
_SUFFIXES = re.compile(
    r"(\.(csv|tsv|txt|jsonl|ndjson|json|parquet|pq|arrow|feather))?(\.(gz|zst))?$", re.IGNORECASE
)


class Uploads:
    """Uploads, each in a folder of its own with its name and owner."""

    def __init__(self, folder: Folder, largest_mb: int) -> None:
        self._root = folder.uploads
        self._largest_mb = largest_mb

    def spool(self, stream: IO[bytes], name: str, owner: str) -> Spooled:
        """Copy an upload to the disk in pieces.

        Raises InputError when it is too large, ConfigurationError when the disk says no.
        """
        self.sweep()
        upload_id = new_job_id()
        folder = self._root / upload_id
        path = folder / f"table{_SUFFIXES.search(name)[0].lower()}"  # type: ignore[index]
        try:
            folder.mkdir(mode=PRIVATE_FOLDER)
            size = self._copy(stream, path, name)
            put(folder / _ABOUT, orjson.dumps({"name": name, "owner": owner}))
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ConfigurationError(
                f"the upload could not be kept: {error.strerror or error}"
            ) from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Spooled(upload_id, path, name, size, owner)

    def _copy(self, stream: IO[bytes], path: Path, name: str) -> int:
        size = 0
        with open_private(path) as file:
            while piece := stream.read(PIECE_BYTES):
                size += len(piece)
                if size > self._largest_mb * MEGABYTE:
                    raise InputError(
                        f"{name} is larger than the {self._largest_mb:,} MB that the dashboard takes; "
                        "compress it, divide it, or use the command line"
                    )
                file.write(piece)
        return size

    def get(self, upload_id: str, owner: str) -> Spooled | None:
        """An upload that is still there; None when it is gone, or somebody else's."""
        if not _ID.fullmatch(upload_id):
            return None
        folder = self._root / upload_id
        try:
            about = orjson.loads((folder / _ABOUT).read_bytes())
            path = next(folder.glob("table*"))
            size = path.stat().st_size
        except (OSError, ValueError, StopIteration):
            return None
        if about["owner"] != owner:
            return None
        return Spooled(upload_id, path, about["name"], size, owner)

    def take(self, spooled: Spooled, folder: Path) -> str:
        """Move an upload into the folder of a job; return the name of its file there.

        Raises InputError when it is gone, as when the job was begun in another window.
        """
        found = self.get(spooled.id, spooled.owner)
        if found is None or not _is_moved(found.path, folder / found.path.name):
            raise InputError("the upload is not there any more; choose the file again")
        shutil.rmtree(found.path.parent, ignore_errors=True)
        return found.path.name

    def discard(self, spooled: Spooled) -> None:
        """Remove an upload, if it is there."""
        if self.get(spooled.id, spooled.owner) is not None:
            shutil.rmtree(self._root / spooled.id, ignore_errors=True)

    def sweep(self) -> None:
        """Remove uploads that lie since a day, whole or broken off."""
        for folder in self._root.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > KEPT_S:
                    shutil.rmtree(folder, ignore_errors=True)


def _is_moved(path: Path, target: Path) -> bool:
    """Move a file; False when somebody else did."""
    try:
        path.rename(target)
    except FileNotFoundError:
        return False
    return True
