"""Where the files of a job lie: a folder of this machine, or a URL that fsspec can open.

A store knows nothing of jobs. What it promises is durability: what `put` and, after `settle`, `add`
have written survives a power loss, and nobody sees half of what `put` writes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit, urlunsplit

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.file_systems import (
    abandon,
    is_away,
    kind_of,
    open_file_system,
    words_of,
)

Data = bytes | bytearray | memoryview
Directory = Path | str
PIECE_BYTES = 8 << 20
_DRAFT = re.compile(r"(.+)\.[0-9a-f]{8}\.tmp")
# Making a folder there would make the bucket, be it of a mistyped name.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci"})
_CHANGED = ("LastModified", "last_modified", "mtime", "created")
# How S3 says that the object is not the one any more that a condition names.
_IS_ANOTHER = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})


class StorageError(OSError):
    """A library of a storage raised an error of its own: `kind` is the name of its class."""

    def __init__(self, where: str, kind: str) -> None:
        self.where, self.kind = where, kind
        super().__init__(f"{where}: {words_of(self)}")

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        """Pickle would call the class with the message alone, and lose it between two machines."""
        return type(self), (self.where, self.kind)


@dataclass(frozen=True, slots=True)
class Mark:
    """The state of a file: another `version` means another content.

    `changed_s` are seconds since 1970, 0.0 where the storage does not say.
    """

    version: str
    changed_s: float


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

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """Several whole files; those that are gone are left out."""
        ...

    def sizes(self, folder: str) -> dict[str, int]:
        """The files right in a folder ("" is the store's own), with their bytes; {} without it."""
        ...

    def marks(self, folder: str) -> dict[str, Mark]:
        """The same files with their state."""
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
    """A folder of this machine. `mode` is that of new files, before the umask."""

    def __init__(self, path: Path, *, mode: int = 0o666) -> None:
        self.path: Path | None = path
        self._root = path
        self._mode = mode
        self.where = str(path)

    def put(self, name: str, data: Data) -> None:
        """Write beside, make durable, move into place, make the move durable."""
        target = self._root / name
        draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
        try:
            _write_new(draft, data, self._mode)
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)

    def add(self, name: str, data: Data) -> None:
        """Write a new file and make its contents durable."""
        target = self._root / name
        try:
            _write_new(target, data, self._mode)
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

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """Several whole files."""
        found: dict[str, bytes] = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                found[name] = self.read(name)
        return found

    def sizes(self, folder: str) -> dict[str, int]:
        """The files of a folder with their bytes."""
        try:
            with os.scandir(self._root / folder) as entries:
                return {e.name: e.stat().st_size for e in entries if e.is_file()}
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def marks(self, folder: str) -> dict[str, Mark]:
        """The files of a folder with their state."""
        try:
            with os.scandir(self._root / folder) as entries:
                return {entry.name: _mark_of_file(entry) for entry in entries if entry.is_file()}
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


def _mark_of_file(entry: os.DirEntry[str]) -> Mark:
    about = entry.stat()
    # `put` makes a file anew, so that one of the same time has another number.
    return Mark(f"{about.st_mtime_ns} {about.st_ino} {about.st_size}", about.st_mtime)


def _write_new(path: Path, data: Data, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
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
        try:
            self._put(name, data, mode="create")
        except FileExistsError:
            raise
        except OSError as error:
            # Stores that speak S3 refuse with words of their own (SeaweedFS 4.48).
            if not is_away(error) and self._is_there(name):
                raise FileExistsError(f"{self.where}/{name}") from None
            raise

    def tag(self, name: str) -> str:
        """What S3 calls the content of an object; "" where there is none, or the storage is no S3."""
        with self._told():
            self._fs.invalidate_cache()
            try:
                return str(self._fs.info(self._path(name)).get("ETag") or "")
            except FileNotFoundError:
                return ""

    def put_over(self, name: str, data: Data, tag: str) -> None:
        """Put an object in the place of the one with this `tag`, of whatever is there where it is "".

        Raises FileExistsError when another is there by now, or none. S3, SeaweedFS, MinIO and R2
        promise that; a storage that ignores the condition, or answers 501 to it, puts it all the
        same. So does s3fs beyond 100 MB, where it puts in parts.
        """
        if not tag:
            self.put(name, data)
            return
        try:
            self._put(name, data, IfMatch=tag)
        except OSError as error:
            if s3_code(error) in _IS_ANOTHER:
                raise FileExistsError(f"{self.where}/{name}") from None
            if error.errno != errno.ENOSYS:
                raise
            self.put(name, data)

    def add(self, name: str, data: Data) -> None:
        """The same as `put`: names are never used twice."""
        self.put(name, data)

    def settle(self, folder: str) -> None:
        """Nothing to do: what a storage has taken, it keeps."""

    def read(self, name: str) -> bytes:
        """A whole object."""
        with self._told():
            return bytes(self._fs.cat_file(self._path(name)))

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """Several whole objects, at the same time where the storage allows that."""
        paths = {self._path(name): name for name in names}
        if not paths:
            return {}
        with self._told():
            found = self._fs.cat(list(paths), on_error="return")
            return {
                name: data
                for path, name in paths.items()
                if (data := _bytes_or_none(found[path])) is not None
            }

    def sizes(self, folder: str) -> dict[str, int]:
        """The objects below a folder with their bytes, asked for anew."""
        return {_last(e["name"]): e["size"] for e in self._listed(folder) if e["type"] == "file"}

    def marks(self, folder: str) -> dict[str, Mark]:
        """The objects below a folder with their state, asked for anew."""
        return {_last(e["name"]): _mark_of(e) for e in self._listed(folder) if e["type"] == "file"}

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

    def upload(self, name: str, path: Path) -> None:
        """Put a file of this machine as an object, in pieces: `put_file` of s3fs takes 500 MB at once."""
        target = self._path(name)
        with self._told():
            if not self._has_no_folders:
                self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            with path.open("rb") as file:
                out = self._fs.open(target, "wb", block_size=PIECE_BYTES)
                with contextlib.closing(out), _left_alone(out):
                    shutil.copyfileobj(file, out, PIECE_BYTES)

    def download(self, name: str, path: Path) -> None:
        """Write an object to a file of this machine, in pieces. Raises FileNotFoundError."""
        target = self._path(name)
        with (
            self._told(),
            self._fs.open(target, "rb", block_size=PIECE_BYTES) as file,
            path.open("wb") as out,
        ):
            shutil.copyfileobj(file, out, PIECE_BYTES)

    def clear(self) -> None:
        """Remove everything that lies here."""
        with self._told(), contextlib.suppress(FileNotFoundError):
            self._fs.invalidate_cache()
            self._fs.rm(self._path(""), recursive=True)

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

    def _is_there(self, name: str) -> bool:
        with self._told():
            self._fs.invalidate_cache()
            return bool(self._fs.exists(self._path(name)))

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
        except Exception as error:
            # Time-outs of botocore are OSErrors, too, by way of requests.
            if isinstance(error, OSError) and type(error).__module__ == "builtins":
                raise
            # Its words may hold keys, and so may those of what caused it.
            raise StorageError(self.where, kind_of(error)) from None


@contextlib.contextmanager
def _left_alone(out: Any) -> Iterator[None]:
    """After an error nothing more is sent, also not by who closes it.

    A store that answered takes back what it has of the object.
    """
    from fsspec.spec import AbstractBufferedFile

    try:
        yield
    except BaseException as error:
        if isinstance(out, AbstractBufferedFile):
            abandon(out, is_away=is_away(error) and not s3_code(error))
        raise


def s3_code(error: BaseException) -> str:
    """The code of S3's answer behind an error, such as NoSuchBucket; "" where there is none."""
    answer = getattr(error.__cause__, "response", None)
    said = answer.get("Error") if isinstance(answer, dict) else None
    return str(said.get("Code", "")) if isinstance(said, dict) else ""


def _bytes_or_none(found: bytes | Exception) -> bytes | None:
    """What was read; None for what is gone. Raises what else went wrong."""
    if isinstance(found, FileNotFoundError):
        return None
    if isinstance(found, Exception):
        raise found
    return bytes(found)


def _mark_of(entry: Mapping[str, Any]) -> Mark:
    moment = next((entry[key] for key in _CHANGED if entry.get(key)), None)
    changed_s = moment.timestamp() if isinstance(moment, datetime) else float(moment or 0.0)
    tag = entry.get("ETag") or entry.get("etag") or ""
    return Mark(f"{tag} {moment} {entry.get('size')}", changed_s)


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _file_system(url: str, storage_options: Mapping[str, object]) -> tuple[Any, str]:
    scheme = urlsplit(url).scheme
    try:
        file_system, root = open_file_system(url, storage_options)
    except ImportError as error:
        raise ConfigurationError(
            f"a job at {scheme}:// needs a package that is not here ({error.name or error}); "
            "for s3: pip install s3fs"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"a job can't lie at {without_secrets(url)}: {error}") from None
    return file_system, root.rstrip("/")
