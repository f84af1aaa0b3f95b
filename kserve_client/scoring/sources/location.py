"""Where a source lies: a path, a stream, or a URL of a kind that is allowed."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn
from urllib.parse import urlsplit

from kserve_client.errors import InputError, KServeClientError
from kserve_client.scoring.file_systems import StorageInputError, is_away, open_file_system
from kserve_client.scoring.sources.source import Location, ReadOptions
from kserve_client.scoring.sources.stream import ByteStream

_GONE, _FORBIDDEN = (404, 410), (401, 403)  # the statuses of a web server
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")


class NotReadError(StorageInputError):
    """A URL could not be read, for a reason that may pass: nobody said that it is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class RawFile:
    """An open file, at its start. `name` is its file name, "" when it has none."""

    file: Any
    name: str
    size_bytes: int | None

    @property
    def is_seekable(self) -> bool:
        """Whether any place of the file can be read."""
        return bool(self.file.seekable())

    def stream(self, first: int = 0, last: int | None = None) -> ByteStream:
        """Its bytes from `first` to before `last`."""
        if self.is_seekable:
            self.file.seek(first)
        if last is None:
            return ByteStream(self.file.read)
        left = last - first

        def more(count: int) -> bytes:
            nonlocal left
            data: bytes = self.file.read(min(count, left)) if left else b""
            left -= len(data)
            return data

        return ByteStream(more)


@contextlib.contextmanager
def opened_file(location: Location, options: ReadOptions) -> Iterator[RawFile]:
    """Open a location for its bytes; a stream that seeks is read from its start and stays open.

    Raises InputError for a URL that is not allowed or can't be read, and for what is no location;
    OSError for a path.
    """
    if is_url(location):
        with _opened_url(str(location), options) as raw:
            yield raw
    elif isinstance(location, Path | str):
        path = Path(location)
        with path.open("rb") as file:
            yield RawFile(file, path.name, path.stat().st_size if file.seekable() else None)
    else:
        _check_stream(location)
        yield _stream(location)


def is_url(location: Location) -> bool:
    """Whether a location is a URL; a Path never is."""
    return isinstance(location, str) and "://" in location


def is_rewindable(location: Location) -> bool:
    """Whether the source can be read twice: a regular file, a URL, or a stream that seeks."""
    if is_url(location):
        return True
    if isinstance(location, Path | str):
        path = Path(location)
        return path.is_file() or not path.exists()
    _check_stream(location)
    return location.seekable()


def label(location: Location) -> str:
    """A location as it may be shown: a URL without user, password, query and fragment."""
    if not isinstance(location, str) or not is_url(location):
        return str(location) if isinstance(location, Path | str) else _name(location) or "a stream"
    host, _, path = location.partition("://")[2].partition("/")
    scheme = location.partition("://")[0]
    place = f"{host.rpartition('@')[2]}/{path}" if path else host.rpartition("@")[2]
    return f"{scheme}://{re.split('[?#]', place)[0]}"


def file_system(url: str, options: ReadOptions) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    Raises InputError for a scheme that is not in `options.schemes`, and when fsspec or its part for
    the scheme is not installed.
    """
    scheme = _allowed_scheme(url, options)
    try:
        return open_file_system(url, options.storage_options)
    except ImportError:
        raise InputError(
            f"reading {scheme}:// needs fsspec and its part for {scheme}; for s3: pip install s3fs"
        ) from None
    except Exception as error:  # noqa: BLE001 - each file system raises its own
        _refuse(url, error)


@contextlib.contextmanager
def told(url: str) -> Iterator[None]:
    """Turn what a file system raises into an InputError that holds no secret."""
    try:
        yield
    except KServeClientError:
        raise
    except Exception as error:  # noqa: BLE001 - each file system raises its own
        _refuse(url, error)


class _UrlFile:
    """A file of a file system; what it raises is told without its words, which may hold keys."""

    closed = False

    def __init__(self, file: Any, url: str) -> None:
        self._file = file
        self._url = url

    def read(self, count: int = -1) -> bytes:
        with told(self._url):
            data: bytes = self._file.read(count)
            return data

    def seek(self, offset: int, whence: int = 0) -> int:
        with told(self._url):
            return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Do nothing, though Arrow asks: the file is closed by who opened it."""


@contextlib.contextmanager
def _opened_url(url: str, options: ReadOptions) -> Iterator[RawFile]:
    system, path = file_system(url, options)
    with told(url):
        file = system.open(path, "rb")
    with contextlib.closing(file):
        size = getattr(file, "size", None)
        name = urlsplit(label(url)).path.rpartition("/")[2]
        yield RawFile(_UrlFile(file, url), name, size if isinstance(size, int) else None)


def _check_stream(given: object) -> None:
    if hasattr(given, "seekable") and not isinstance(given, io.TextIOBase):
        return
    advice = "; save the DataFrame first, with to_parquet" if hasattr(given, "iloc") else ""
    raise InputError(
        f"a table is a path, a binary stream or a URL, not a {type(given).__name__}{advice}"
    )


def _stream(stream: IO[bytes]) -> RawFile:
    size = None
    if stream.seekable():
        size = stream.seek(0, 2)
        stream.seek(0)
    return RawFile(stream, _name(stream), size)


def _name(stream: IO[bytes]) -> str:
    """The file name of a stream; a pipe's is the number of its descriptor, and no name."""
    name = getattr(stream, "name", "")
    return Path(name).name if isinstance(name, str) else ""


def _allowed_scheme(url: str, options: ReadOptions) -> str:
    found = _SCHEME.match(url)
    # fsspec reads "a::b" as one file system inside another.
    if found is None or "::" in url:
        raise InputError(f"{label(url)!r} is no URL of one file")
    scheme = found[1].lower()
    if scheme not in options.schemes:
        allowed = ", ".join(sorted(f"{name}://" for name in options.schemes))
        kinds = f"paths and {allowed} are" if allowed else "only paths of files are"
        raise InputError(f"{scheme}:// is not allowed here: {kinds}")
    return scheme


def _refuse(url: str, error: Exception) -> NoReturn:
    error = _said(error)
    status = getattr(error, "status", None)
    if isinstance(error, FileNotFoundError) or status in _GONE:
        raise InputError(f"{label(url)}: there is no such file") from None
    if isinstance(error, PermissionError) or status in _FORBIDDEN:
        raise InputError(f"{label(url)}: reading it is not permitted") from None
    if isinstance(error, IsADirectoryError):
        raise InputError(f"{label(url)}: is a folder, not a file") from None
    told = f"{label(url)} can't be read"
    raise NotReadError.of(f"{told}, status {status}" if status else told, error) from None


def _said(error: Exception) -> Exception:
    """What went wrong: fsspec 2026.9 takes all that aiohttp raises for a file that is not there."""
    cause = error.__cause__
    if not isinstance(error, FileNotFoundError) or not isinstance(cause, Exception):
        return error
    is_of_http = type(cause).__module__.startswith("aiohttp.")
    return cause if is_of_http or is_away(cause) else error
