"""Where the bytes of a table go: a file that appears when it is whole, a device, a stream, a URL."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.file_systems import StorageInputError, abandon, is_away
from kserve_client.scoring.sources.location import file_system, is_url, label
from kserve_client.scoring.sources.source import Location, ReadOptions

Target = Path | str | IO[bytes] | IO[str]


_LOCAL = ("file://", "local://")  # fsspec's names for paths of this machine


def are_different(*places: Target | Location | None) -> bool:
    """Whether no two of these paths and URLs are one file, by whatever names; streams are not."""
    named = [_identity(place) for place in places if isinstance(place, Path | str)]
    return len(set(named)) == len(named)


def _identity(place: Path | str) -> object:
    """What all names of a file have in common: its number on the disk, else its one path.

    Nothing in what all may write to.
    """
    if isinstance(place, str) and is_url(place):
        if not place.startswith(_LOCAL):
            return place
        place = Path(place.partition("://")[2]).expanduser()
    path = Path(place).resolve()
    if path == Path(os.devnull):
        return object()
    try:
        found = path.stat()
    except OSError:
        return path
    return found.st_dev, found.st_ino


class NotWrittenError(StorageInputError):
    """The object of a URL could not be written."""


class Writable(Protocol):
    """What takes bytes."""

    def write(self, data: Any, /) -> Any:
        """Take all of the data."""
        ...


class Out:
    """Bytes on their way to a target; counts them, since a pipe can't tell where it is.

    Once it is muted, nothing more is written: a writer that must be closed after an error writes
    into the void.
    """

    def __init__(self, target: Writable) -> None:
        self._target = target
        self._position = 0
        self._is_muted = False
        self.closed = False

    def write(self, data: bytes | memoryview) -> int:
        """Write all of the data."""
        size = memoryview(data).nbytes
        if not self._is_muted:
            self._target.write(data)
        self._position += size
        return size

    def tell(self) -> int:
        """How many bytes were written."""
        return self._position

    def flush(self) -> None:
        """Whoever opened the target flushes it."""

    def mute(self) -> None:
        """Write nothing from now on."""
        self._is_muted = True


class _Utf8Text:
    """A text stream as one of bytes; a character may be cut between two pieces."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def write(self, data: bytes | memoryview) -> None:
        self._stream.write(self._decoder.decode(bytes(data)))


@contextlib.contextmanager
def opened_target(
    location: Target,
    *,
    is_text: bool,
    schemes: frozenset[str] = frozenset(),
    storage_options: Mapping[str, object] | None = None,
) -> Iterator[Writable]:
    """A place to write bytes to.

    For a path that is a regular file, or none yet, it is a file beside it that takes its place at
    the end and is removed when something goes wrong. A device or pipe is written to as it is, a
    stream is flushed and stays open. The object of a URL appears at the end. A text stream takes
    only what `is_text`.

    Raises OSError for a folder that is not there, a path that is a folder, or a full disk;
    InputError for a URL of a kind that is not allowed or that can't be written, or without fsspec;
    ConfigurationError for a text stream that shall take bytes.
    """
    if not isinstance(location, Path | str):
        with _opened_stream(location, is_text=is_text) as out:
            yield out
    elif isinstance(location, str) and is_url(location):
        with _opened_url(location, schemes, storage_options or {}) as out:
            yield out
    else:
        with _opened_path(Path(location)) as out:
            yield out


@contextlib.contextmanager
def _opened_stream(stream: IO[bytes] | IO[str], *, is_text: bool) -> Iterator[Writable]:
    if not isinstance(stream, io.TextIOBase):
        yield stream
    elif (binary := getattr(stream, "buffer", None)) is not None:
        stream.flush()
        yield binary
        binary.flush()
    elif is_text:
        yield _Utf8Text(stream)
    else:
        raise ConfigurationError("this format is no text: give a path or a binary stream")
    stream.flush()


@contextlib.contextmanager
def _opened_path(path: Path) -> Iterator[IO[bytes]]:
    path = path.resolve()
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "this is a folder, not a file", str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
        return
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as stream:
            if path.exists():
                shutil.copymode(path, part)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Object:
    """A file of fsspec's; what its file system raises is told without its words."""

    def __init__(self, file: Any, url: str) -> None:
        self._file = file
        self._url = url
        self.is_put_at_end = hasattr(file, "blocksize")

    def write(self, data: bytes | memoryview) -> None:
        with _told(self._url):
            self._file.write(data)

    def put(self) -> None:
        """Let the object appear."""
        with _told(self._url):
            self._file.close()

    def drop(self, system: Any, path: str, error: BaseException) -> None:
        """Let nothing appear. Buffered files are put when they are closed, and not before."""
        if self.is_put_at_end:
            abandon(self._file, is_away=isinstance(error, NotWrittenError) and is_away(error))
        else:
            self._file.close()
            system.rm_file(path)


@contextlib.contextmanager
def _opened_url(
    url: str, schemes: frozenset[str], storage_options: Mapping[str, object]
) -> Iterator[Writable]:
    options = ReadOptions(schemes=schemes, storage_options=storage_options)
    system, path = file_system(url, options)
    if url.startswith(_LOCAL):
        with _opened_path(Path(path)) as stream:
            yield stream
        return
    with _told(url):
        file = _Object(system.open(path, "wb"), url)
    try:
        yield file
        file.put()
    except BaseException as error:
        # Each file system raises its own; the first error counts.
        with contextlib.suppress(Exception):
            file.drop(system, path, error)
        raise


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    """Each file system raises its own, and its words may hold keys."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - see above
        raise NotWrittenError.of(f"{label(url)} can't be written", error) from None
