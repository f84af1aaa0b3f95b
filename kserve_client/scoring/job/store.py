"""Where the files of a job lie: a folder of this machine, or a URL that fsspec can open.

A store knows nothing of jobs. What it promises is durability: what `put` and, after `settle`, `add`
have written survives a power loss, and nobody sees half of what `put` writes.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from kserve_client.errors import ConfigurationError

Data = bytes | bytearray | memoryview
Directory = Path | str
_DRAFT = re.compile(r"(.+)\.[0-9a-f]{8}\.tmp")
# Making a folder there would make the bucket, be it of a mistyped name.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci"})


class Store(Protocol):
    """A folder of files with short names; names may hold one level of folders, "parts/1.arrow"."""

    where: str
    path: Path | None

    def put(self, name: str, data: Data) -> None:
        """Write or replace a whole file at once, durably."""
        ...

    def add(self, name: str, data: Data) -> None:
        """Write a file that was not there; it is durable for certain after `settle`."""
        ...

    def settle(self, folder: str) -> None:
        """Make the names of files added to a folder durable."""
        ...

    def read(self, name: str) -> bytes:
        """A whole file. Raises FileNotFoundError."""
        ...

    def sizes(self, folder: str) -> dict[str, int]:
        """The files right in a folder ("" is the store's own), with their bytes; {} without it."""
        ...

    def folders(self) -> list[str]:
        """The names of the folders right in this store."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, or an empty folder, if it is there."""
        ...


def store_at(directory: Directory, storage_options: Mapping[str, object] | None = None) -> Store:
    """The store of a path or URL; nothing is opened or made yet.

    `storage_options` go to fsspec and are secrets. Raises ConfigurationError when fsspec, or the
    package behind the scheme of the URL, is not installed.
    """
    if isinstance(directory, Path) or "://" not in directory:
        return LocalStore(Path(directory))
    if directory.startswith("file://"):
        return LocalStore(Path(unquote(urlsplit(directory).path)))
    return UrlStore(directory, storage_options or {})


def without_secrets(location: str) -> str:
    """A URL without user, password, query and fragment; a path as it is.

    >>> without_secrets("s3://key:secret@bucket/in.csv?X-Amz-Signature=abc")
    's3://bucket/in.csv'
    """
    if "://" not in location:
        return location
    parts = urlsplit(location)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_draft_of(name: str, names: Collection[str]) -> bool:
    """Whether a file is what `put` left of one of these when its process was killed."""
    found = _DRAFT.fullmatch(name)
    return found is not None and found[1] in names


class LocalStore:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self.path: Path | None = path
        self._root = path
        self.where = str(path)

    def put(self, name: str, data: Data) -> None:
        """Write beside, make durable, move into place, make the move durable."""
        target = self._root / name
        draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
        try:
            _write_new(draft, data)
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)

    def add(self, name: str, data: Data) -> None:
        """Write a new file and make its contents durable."""
        target = self._root / name
        try:
            _write_new(target, data)
        except FileExistsError:
            raise
        except OSError:
            with contextlib.suppress(OSError):
                target.unlink(missing_ok=True)
            raise

    def settle(self, folder: str) -> None:
        """Make the folder itself durable: a new name lives there."""
        _sync_folder(self._root / folder)

    def read(self, name: str) -> bytes:
        """A whole file."""
        return (self._root / name).read_bytes()

    def sizes(self, folder: str) -> dict[str, int]:
        """The files of a folder with their bytes."""
        try:
            with os.scandir(self._root / folder) as entries:
                return {e.name: e.stat().st_size for e in entries if e.is_file()}
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def folders(self) -> list[str]:
        """The folders of this one."""
        try:
            with os.scandir(self._root) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, name: str) -> None:
        """Remove a file or an empty folder; a folder that is not empty stays."""
        target = self._root / name
        if target.is_dir() and not target.is_symlink():
            with contextlib.suppress(OSError):
                target.rmdir()
        else:
            target.unlink(missing_ok=True)


def _write_new(path: Path, data: Data) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb", buffering=0) as file:
        left = memoryview(data)
        while left:
            left = left[file.write(left) or 0 :]
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class UrlStore:
    """A folder behind a URL, by fsspec. Its `put` is as whole as the storage's: S3 is, sftp is not."""

    path: Path | None = None

    def __init__(self, url: str, storage_options: Mapping[str, object]) -> None:
        self.where = without_secrets(url)
        self._fs, self._root = _file_system(url, storage_options)
        self._has_no_folders = urlsplit(url).scheme in _OBJECT_STORES

    def put(self, name: str, data: Data) -> None:
        """Put a whole object."""
        self._put(name, data)

    def put_if_absent(self, name: str, data: Data) -> None:
        """Put an object that is not there yet, where the storage can promise that.

        Raises FileExistsError.
        """
        self._put(name, data, mode="create")

    def add(self, name: str, data: Data) -> None:
        """The same as `put`: names are never used twice."""
        self.put(name, data)

    def settle(self, folder: str) -> None:
        """Nothing to do: what a storage has taken, it keeps."""

    def read(self, name: str) -> bytes:
        """A whole object."""
        with self._told():
            return bytes(self._fs.cat_file(self._path(name)))

    def sizes(self, folder: str) -> dict[str, int]:
        """The objects below a folder with their bytes, asked for anew."""
        return {_last(e["name"]): e["size"] for e in self._listed(folder) if e["type"] == "file"}

    def folders(self) -> list[str]:
        """The folders of this one."""
        return sorted(_last(e["name"]) for e in self._listed("") if e["type"] == "directory")

    def remove(self, name: str) -> None:
        """Remove an object, or an empty folder where the storage has such."""
        path = self._path(name)
        with self._told(), contextlib.suppress(FileNotFoundError):
            if self._fs.isdir(path):
                with contextlib.suppress(OSError):
                    self._fs.rmdir(path)
            else:
                self._fs.rm_file(path)

    def _put(self, name: str, data: Data, **how: str) -> None:
        path = self._path(name)
        with self._told():
            try:
                self._fs.pipe_file(path, bytes(data), **how)
            except FileNotFoundError:
                if self._has_no_folders:
                    raise
                self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._fs.pipe_file(path, bytes(data), **how)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/")

    def _listed(self, folder: str) -> list[dict[str, Any]]:
        with self._told():
            self._fs.invalidate_cache()
            path = self._path(folder)
            try:
                found = self._fs.ls(path, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return []
            # An empty folder of SeaweedFS lists itself, as a file.
            return [entry for entry in found if entry["name"].rstrip("/") != path]

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What a storage raises becomes an OSError that says where, so that callers know it."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - what a library raises
            # Its words may hold keys, and so may those of what caused it.
            raise OSError(f"{self.where}: {type(error).__name__}") from None


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _file_system(url: str, storage_options: Mapping[str, object]) -> tuple[Any, str]:
    scheme = urlsplit(url).scheme
    try:
        import fsspec  # the extra s3

        file_system, root = fsspec.url_to_fs(url, **storage_options)
    except ImportError as error:
        raise ConfigurationError(
            f"a job at {scheme}:// needs a package that is not here ({error.name or error}); "
            "install kserve-client[s3]"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"a job can't lie at {without_secrets(url)}: {error}") from None
    return file_system, str(root).rstrip("/")
