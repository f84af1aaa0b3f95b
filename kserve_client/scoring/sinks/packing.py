"""Compression of text on its way out, the same bytes however the text was cut."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pyarrow as pa

from kserve_client.scoring.sinks.target import Out
from kserve_client.scoring.sources.source import Compression

BLOCK_BYTES = 1 << 20
_GZIP_LEVEL = 4
_GZIP_HEADER = 31  # zlib's word for a window of 32 KB inside a gzip member, without name and time


class Packed(Out):
    """Bytes that go out compressed, in blocks of one megabyte; `end` sends the last ones."""

    def __init__(self, out: Out, compression: Compression) -> None:
        super().__init__(out)
        self._out = out
        self._waiting = bytearray()
        self._pack, self._last = _gzip() if compression == "gzip" else _zstd()

    def write(self, data: bytes | memoryview) -> int:
        """Take the data; whole blocks go out."""
        self._waiting += data
        whole = len(self._waiting) // BLOCK_BYTES * BLOCK_BYTES
        for start in range(0, whole, BLOCK_BYTES):
            self._out.write(self._pack(bytes(self._waiting[start : start + BLOCK_BYTES])))
        del self._waiting[:whole]
        return memoryview(data).nbytes

    def end(self) -> None:
        """Send what is left."""
        self._out.write(self._pack(bytes(self._waiting)))
        self._waiting.clear()
        self._out.write(self._last())


def _gzip() -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_HEADER)
    return packer.compress, packer.flush


def _zstd() -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    """One frame for each block: their sequence is a file as well."""
    codec = pa.Codec("zstd")
    return lambda block: codec.compress(block, asbytes=True), lambda: b""
