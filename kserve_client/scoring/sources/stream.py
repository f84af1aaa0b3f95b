"""Bytes on their way from a file: looked at before they are read, and unpacked within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from kserve_client.errors import InputError
from kserve_client.scoring.sources.source import MEGABYTE, Compression, Limits

MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
# What Arrow says of packed data that are damaged; anything else is the file's own error.
_SIGNS_OF_DAMAGE = ("Truncated compressed", "decompress failed", "inflate failed")


class ByteStream:
    """Bytes that can be looked at before they are read.

    `more(n)` gives some bytes, about n of them, and none at the end.
    """

    closed = False

    def __init__(self, more: Callable[[int], bytes | None]) -> None:
        self._more = more
        self._ahead = b""
        self._has_ended = False
        self.offset = 0

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer only at the end; they stay to be read."""
        parts, length = [self._ahead], len(self._ahead)
        while length < count and not self._has_ended:
            data = self._more(count - length)
            self._has_ended = not data
            parts.append(data or b"")
            length += len(parts[-1])
        self._ahead = parts[0] if len(parts) == 1 else b"".join(parts)
        return self._ahead[:count]

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer only at the end."""
        data = self.peek(count)
        self.skip(len(data))
        return data

    def skip(self, count: int) -> None:
        """Pass over bytes that were looked at."""
        self._ahead = self._ahead[count:]
        self.offset += count

    def readable(self) -> bool:
        """Whether bytes can be read, as Arrow asks."""
        return True

    def close(self) -> None:
        """Do nothing, though Arrow asks: the file belongs to who opened it."""


def parts(stream: ByteStream, count: int = MEGABYTE) -> Iterator[bytes]:
    """What is left of a stream, `count` bytes at a time."""
    while data := stream.read(count):
        yield data


def compression_of(head: bytes) -> Compression:
    """How a file is packed, by its first bytes."""
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), "")


def unpacked(stream: ByteStream, compression: Compression, limits: Limits) -> ByteStream:
    """The contents of a packed stream, within the limits.

    Raises InputError, when it is read, for what is damaged, cut off, followed by something else, or
    grows beyond `limits.expansion`.
    """
    if not compression:
        return stream
    # Arrow wants a file; a stream has all of one that it uses.
    packed = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), compression)
    grown = 0

    def more(count: int) -> bytes:
        nonlocal grown
        try:
            data: bytes = packed.read(min(count, MEGABYTE))
        except OSError as error:
            raise _damage(error, compression) from None
        grown += len(data)
        check_growth(grown, stream.offset, limits)
        return data

    return ByteStream(more)


def check_growth(grown: int, packed: int, limits: Limits) -> None:
    """Raise InputError when `packed` bytes of a file have become too many in memory."""
    if grown > max(limits.expansion_free_bytes, limits.expansion * packed):
        raise InputError(
            f"the file grows to more than {limits.expansion} times its size when it is unpacked; "
            "if that is right, unpack it first"
        )


def _damage(error: OSError, compression: Compression) -> Exception:
    text = str(error)
    if not any(sign in text for sign in _SIGNS_OF_DAMAGE):
        return error
    if "Truncated" in text:
        return InputError(f"the {compression} file ends in the middle; it was not copied whole")
    return InputError(
        f"the {compression} file is damaged, or something follows its end; pack it again"
    )
