"""What tells whether a source is still the one it was."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from kserve_client.errors import InputError
from kserve_client.scoring.sources.location import (
    file_system,
    is_rewindable,
    is_url,
    label,
    opened_file,
    told,
)
from kserve_client.scoring.sources.source import Location, ReadOptions
from kserve_client.scoring.sources.stream import parts

_ALL = ReadOptions()
# What the file systems of fsspec call the tag or the time of a version, the surest first.
_VERSION_KEYS = ("ETag", "etag", "VersionId", "LastModified", "last_modified", "mtime", "created")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The size of a source, with the SHA-256 of its bytes or the tag its store gives to them.

    `tag` is an ETag or a time of change, for sources that lie elsewhere. What is not known is None
    or "".
    """

    size_bytes: int | None
    sha256: str = ""
    tag: str = ""

    def changes_since(self, before: Fingerprint) -> str:
        """What has changed since an earlier one, in words; "" when nothing has."""
        if self == before:
            return ""
        if self.size_bytes != before.size_bytes:
            return f"it had {_size(before.size_bytes)}, it has {_size(self.size_bytes)} now"
        if bool(self.sha256) != bool(before.sha256):
            return "it lies elsewhere now, and can't be compared"
        what = "content" if self.sha256 else "version"
        return f"its size is the same, its {what} is another"

    def as_json(self) -> dict[str, int | str | None]:
        """The values as JSON holds them."""
        return {"size_bytes": self.size_bytes, "sha256": self.sha256, "tag": self.tag}

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> Fingerprint:
        """The fingerprint that `as_json` gave."""
        return cls(values["size_bytes"], values["sha256"], values["tag"])


def fingerprint(location: Location, options: ReadOptions = _ALL) -> Fingerprint:
    """The fingerprint of a source: local files and streams are read through, URLs are asked about.

    A stream stands at its start afterwards. Raises InputError for a pipe, which can be read once
    only, and for a URL that can't be asked about; OSError for a path that can't be opened.
    """
    if is_url(location):
        return _of_url(str(location), options)
    if not is_rewindable(location):
        raise InputError(f"{label(location)} can be read once only; save it as a file first")
    with opened_file(location, options) as raw:
        digest, size = hashlib.sha256(), 0
        for part in parts(raw.stream()):
            digest.update(part)
            size += len(part)
        raw.file.seek(0)
    return Fingerprint(size, digest.hexdigest())


def _of_url(url: str, options: ReadOptions) -> Fingerprint:
    system, path = file_system(url, options)
    with told(url):
        info = system.info(path)
    size = info.get("size")
    tag = next((f"{key}: {info[key]}" for key in _VERSION_KEYS if info.get(key)), "")
    return Fingerprint(size if isinstance(size, int) else None, tag=tag)


def _size(size: int | None) -> str:
    return "an unknown size" if size is None else f"{size:,} bytes"
