import io

import pytest

from kserve_client.scoring.sources import ReadOptions, preview
from tests.unit.scoring.sources.reading import refusal, rows_of

TEXT = "größe,b\n1,é€\n"


@pytest.mark.parametrize(
    ("data", "encoding", "has_bom"),
    [
        (TEXT.encode(), "utf-8", False),
        (TEXT.encode("utf-8-sig"), "utf-8", True),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "utf-16-le", True),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16-be", True),
        (TEXT.encode("utf-16-le"), "utf-16-le", False),
        (TEXT.encode("utf-16-be"), "utf-16-be", False),
        (b"\xff\xfe\0\0" + TEXT.encode("utf-32-le"), "utf-32-le", True),
        (TEXT.encode("cp1252"), "windows-1252", False),
    ],
)
def test_encoding_is_found(data: bytes, encoding: str, has_bom: bool) -> None:
    """Each usual encoding is known by its mark, its zero bytes or what it can't be."""
    table = preview(io.BytesIO(data))
    assert (table.columns, table.first_rows) == (("größe", "b"), (("1", "é€"),))
    assert (table.found.encoding, table.found.has_bom) == (encoding, has_bom)


def test_text_that_is_not_windows_1252_is_latin_1() -> None:
    """Bytes without a character in Windows-1252 still have one in ISO 8859-1."""
    table = preview(io.BytesIO(b"a\n\xe9\x81\n"))
    assert table.found.encoding == "iso-8859-1"
    assert table.first_rows == (("é\x81",),)


def test_character_across_two_reads_stays_whole() -> None:
    """Text of several megabytes in another encoding comes out as it was."""
    cell = "aé😀" * 300_000
    cells, _ = rows_of(f"a\n{cell}\nx\n".encode("utf-16"))
    assert cells == [(cell,), ("x",)]


@pytest.mark.parametrize(
    ("wanted", "known"), [("latin1", "iso-8859-1"), ("utf_16", "utf-16-le"), ("UTF8", "utf-8")]
)
def test_encoding_can_be_said(wanted: str, known: str) -> None:
    """An encoding may be said by any name that Python knows."""
    text = "a\nü\n"
    table = preview(io.BytesIO(text.encode(wanted)), ReadOptions(encoding=wanted))
    assert table.found.encoding == known
    assert table.first_rows == (("ü",),)


@pytest.mark.parametrize("name", ["nonsense", "zip", "rot13"])
def test_encoding_nobody_knows_is_refused(name: str) -> None:
    """A name that is none of an encoding of text is refused."""
    assert refusal(b"a\n1\n", encoding=name) == (
        f"there is no encoding named {name!r}; try 'utf-8'"
    )


@pytest.mark.parametrize(
    ("data", "options", "place"),
    [
        (b"a\nb\nc\xe9d\n", {"encoding": "utf-8"}, "line 3, byte 2: 0xE9 is not UTF-8"),
        (b"a\r\nb\r\nc\x81\n", {"encoding": "cp1252"}, "line 3, byte 2: 0x81 is not Windows-1252"),
        ("a\nbc".encode("utf-16") + b"\0\xd8x\0", {}, "line 2, byte 5: 0x00 is not UTF-16-LE"),
        (b'{"a": "x"}\n{"a": "\xe9"}\n', {"encoding": "utf-8"}, "line 2, byte 8: 0xE9 is not UTF"),
    ],
)
def test_bytes_of_another_encoding_are_named(
    data: bytes, options: dict[str, str], place: str
) -> None:
    """A byte that is none of the encoding is refused with its line and place."""
    assert refusal(data, **options).startswith(place)
