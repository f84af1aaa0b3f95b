"""The encoding of a text, found and turned into UTF-8."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

import numpy as np

from kserve_client.errors import InputError
from kserve_client.scoring.sources.source import MEGABYTE
from kserve_client.scoring.sources.stream import ByteStream

_LF = 10
UTF8 = "utf-8"
_BOMS = {
    UTF8: codecs.BOM_UTF8,
    # UTF-32 before UTF-16, whose mark it begins with.
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}
# Python's name → the name that people know.
_KNOWN_AS = {"cp1252": "windows-1252", "iso8859-1": "iso-8859-1", "utf-8-sig": UTF8}
# Of every second byte, this many are NUL in UTF-16 text of European languages.
_SHARE_OF_NULS = 0.4


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of a text, by a name that Python knows, and its mark at the start if any."""

    name: str
    has_bom: bool = False

    @property
    def bom(self) -> bytes:
        """The bytes of the mark; none when there is none."""
        return _BOMS[self.name] if self.has_bom else b""


def encoding_of(stream: ByteStream, wanted: str | None) -> Encoding:
    """The encoding that is wanted, or the one the first megabyte speaks for.

    That is UTF-8 or UTF-16 by their marks, UTF-16 by its zero bytes, UTF-8 if it is that, and
    Windows-1252 otherwise (ISO 8859-1 where that has no character). UTF-8 with a few damaged bytes
    stays UTF-8, so that reading names them. Raises InputError for an encoding nobody knows.
    """
    head = stream.peek(MEGABYTE)
    if wanted is not None:
        return _as_wanted(head, wanted)
    for name, bom in _BOMS.items():
        if head.startswith(bom):
            return Encoding(name, has_bom=True)
    return Encoding(_by_zero_bytes(head) or _by_decoding(head, is_whole=len(head) < MEGABYTE))


def as_utf8(stream: ByteStream, encoding: Encoding) -> ByteStream:
    """The text as UTF-8, without its mark.

    What is UTF-8 already comes unchecked. Raises InputError, naming line and byte, for bytes of
    another encoding that don't belong to it.
    """
    stream.read(len(encoding.bom))
    if encoding.name == UTF8:
        return stream
    return ByteStream(_Transcoder(stream, encoding.name).more)


def lines_in(data: bytes) -> int:
    r"""How many line ends there are: \n, \r\n or \r."""
    # numpy counts the same bytes in a seventh of the time that bytes.count takes.
    count = int(np.count_nonzero(np.frombuffer(data, np.uint8) == _LF))
    return count + data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else count


def not_in_encoding(line: int, byte: int, value: int, encoding: str) -> InputError:
    """The error for a byte that is none of its encoding; line and byte count from 1."""
    name = encoding.upper() if encoding.startswith("utf") else encoding.capitalize()
    hint = "save the file as UTF-8, or say which encoding it is in"
    return InputError(f"line {line}, byte {byte}: 0x{value:02X} is not {name}; {hint}")


class _Transcoder:
    """Text of any encoding, read as UTF-8."""

    def __init__(self, stream: ByteStream, name: str) -> None:
        self._stream = stream
        self._name = name
        self._decoder = codecs.getincrementaldecoder(name)()
        self._lines = 0
        self._line_bytes = 0
        self._has_ended = False

    def more(self, count: int) -> bytes:
        """Some more of the text; nothing at its end."""
        while not self._has_ended:
            data = self._stream.read(max(count, 1024))
            self._has_ended = not data
            if text := self._decoded(data):
                return text
        return b""

    def _decoded(self, data: bytes) -> bytes:
        try:
            text = self._decoder.decode(data, final=not data).encode()
        except UnicodeDecodeError as error:
            self._count(error.object[: error.start].decode(self._name, "replace"))
            value = error.object[error.start]
            raise not_in_encoding(
                self._lines + 1, self._line_bytes + 1, value, self._name
            ) from None
        except UnicodeError:
            raise InputError(f"line {self._lines + 1} is not {self._name}") from None
        self._count(text.decode())
        return text

    def _count(self, text: str) -> None:
        ended, mark, rest = text.replace("\r\n", "\n").replace("\r", "\n").rpartition("\n")
        self._lines += ended.count("\n") + len(mark)
        before = 0 if mark else self._line_bytes
        self._line_bytes = before + len(rest.encode(self._name, "replace"))


def _as_wanted(head: bytes, wanted: str) -> Encoding:
    try:
        name = codecs.lookup(wanted).name
        "a".encode(name)
    except LookupError:
        raise InputError(f"there is no encoding named {wanted!r}; try 'utf-8'") from None
    if name in {"utf-16", "utf-32"}:
        name = f"{name}-be" if head.startswith(_BOMS[f"{name}-be"]) else f"{name}-le"
    name = _KNOWN_AS.get(name, name)
    return Encoding(name, has_bom=name in _BOMS and head.startswith(_BOMS[name]))


def _by_zero_bytes(head: bytes) -> str:
    half = len(head) // 2
    if not half or b"\0" not in head:
        return ""
    first, second = head[0::2].count(0) / half, head[1::2].count(0) / half
    if max(first, second) < _SHARE_OF_NULS or min(first, second) >= _SHARE_OF_NULS:
        return ""
    return "utf-16-be" if first > second else "utf-16-le"


def _by_decoding(head: bytes, *, is_whole: bool) -> str:
    if _is_text(head, UTF8, is_whole=is_whole):
        return UTF8
    text = head.decode(UTF8, "replace")
    damaged = text.count("\ufffd")
    if sum(character > "\x7f" for character in text) > 2 * damaged:
        return UTF8
    return "windows-1252" if _is_text(head, "windows-1252", is_whole=True) else "iso-8859-1"


def _is_text(data: bytes, encoding: str, *, is_whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(data, final=is_whole)
    except UnicodeDecodeError:
        return False
    return True
