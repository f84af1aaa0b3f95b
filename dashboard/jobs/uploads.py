"""Uploads that no job has taken yet. Each lies where its job will be, and has the id of it."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from dashboard.jobs import keeping
from dashboard.jobs.card import END
from dashboard.jobs.folder import open_private
from dashboard.jobs.keeping import is_id
from dashboard.jobs.root import Root
from dashboard.jobs.view import Spooled, StorageTroubleError, UploadGoneError
from kserve_client.errors import InputError
from kserve_client.scoring.job import new_job_id

PIECE_BYTES = 1 << 20
MEGABYTE = 1 << 20
KEPT_S = 24 * 3600.0
# What of a file's name says how to read it; the rest is not kept in a name.
_SUFFIXES = re.compile(
    r"(\.(csv|tsv|txt|jsonl|ndjson|json|parquet|pq|arrow|feather))?(\.(gz|zst))?$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _About:
    """What is kept of an upload: `name` is its owner's, `file` ours."""

    name: str
    owner: str
    file: str
    size_bytes: int


class Uploads:
    """Uploads with their names and owners."""

    def __init__(self, root: Root, largest_mb: int) -> None:
        self._root = root
        self._largest_mb = largest_mb

    def spool(self, stream: IO[bytes], name: str, owner: str) -> Spooled:
        """Copy an upload to the disk in pieces, and from there to where the jobs lie.

        Raises InputError when it is too large, StorageTroubleError when it can't be kept.
        """
        upload_id = new_job_id()
        file = f"table{_SUFFIXES.search(name)[0].lower()}"  # type: ignore[index]
        try:
            self._root.check()
            self.sweep()
            path = self._root.near(upload_id) / file
            about = _About(name, owner, file, self._copied(stream, path, name))
            self._root.keep(upload_id, file)
            self._root.uploads.put(upload_id + END, orjson.dumps(about))
        except OSError as error:
            self._give_up(upload_id, error)
            raise StorageTroubleError(
                f"the upload could not be kept in {self._root.where}: {self._root.words(error)}",
                is_away=self._root.is_away(error),
            ) from None
        except BaseException:
            self._remove(upload_id)
            raise
        return Spooled(upload_id, path, name, about.size_bytes, owner)

    def _give_up(self, upload_id: str, error: OSError) -> None:
        """Remove what there is of an upload. Nobody waits once more for a storage that is away."""
        if self._root.is_away(error):
            self._root.drop_copies(upload_id)  # the rest is swept a day later
        else:
            self._remove(upload_id)

    def _copied(self, stream: IO[bytes], path: Path, name: str) -> int:
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
        """An upload that is still there; None when it is gone, or somebody else's.

        Its file is on this machine afterwards, whichever replica took it. Raises OSError.
        """
        about = self._about(upload_id, owner)
        if about is None:
            return None
        try:
            path = self._root.fetched(upload_id, about.file)
        except FileNotFoundError:
            return None
        return Spooled(upload_id, path, about.name, about.size_bytes, owner)

    def file_of(self, spooled: Spooled) -> str:
        """The name of its file, for the job that takes it.

        Raises InputError when it is gone, as when the job was begun in another window.
        """
        about = self._about(spooled.id, spooled.owner)
        if about is None:
            raise UploadGoneError
        return about.file

    def taken(self, spooled: Spooled) -> None:
        """Its job has it from now on."""
        self._root.uploads.remove(spooled.id + END)

    def discard(self, spooled: Spooled) -> None:
        """Remove an upload, if it is there and no job has it."""
        if self._about(spooled.id, spooled.owner) is not None:
            self._remove(spooled.id)

    def sweep(self) -> None:
        """Remove uploads that lie since a day."""
        for name, mark in self._root.uploads.marks("").items():
            upload_id = name.removesuffix(END)
            if is_id(upload_id) and time.time() - (mark.changed_s or time.time()) > KEPT_S:
                self._remove(upload_id)

    def _about(self, upload_id: str, owner: str) -> _About | None:
        if not is_id(upload_id):
            return None
        try:
            about = _About(**orjson.loads(self._root.uploads.read(upload_id + END)))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return about if about.owner == owner else None

    def _remove(self, upload_id: str) -> None:
        """Remove it, unless a job has it; what can't be removed now is swept a day later."""
        with contextlib.suppress(OSError):
            try:
                keeping.remove_unused(self._root, upload_id)
                self._root.uploads.remove(upload_id + END)
            finally:
                self._root.drop_copies(upload_id)
