import io

import pytest

from kserve_client.scoring.sources import Found, ReadOptions, preview
from tests.unit.scoring.sources.reading import refusal, rows_of


def found(text: str) -> Found:
    return preview(io.BytesIO(text.encode())).found


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a,b", ("a", "b")),
        ("a;b;c", ("a", "b", "c")),
        ("a\tb", ("a", "b")),
        ("a|b", ("a", "b")),
        ("alone", ("alone",)),
        ('"bill; length","bill, depth"', ("bill; length", "bill, depth")),
        ("a,unit;x,c", ("a", "unit;x", "c")),
        # The rows decide where the header could be read in two ways.
        ("name, unit, kind;value\n1;2\n3;4\n", ("name, unit, kind", "value")),
        ("x;note\n1;hello, world, all\n", ("x", "note")),
        ("x,y\n1,a;b\n2,c;d\n", ("x", "y")),
        # A column of texts has no delimiter that counts.
        ("text\nhello, world\nwell; then\n", ("text",)),
    ],
)
def test_delimiter_is_the_one_that_fits_header_and_rows(
    text: str, columns: tuple[str, ...]
) -> None:
    """The first lines decide on the delimiter; one inside quotes does not count."""
    assert preview(io.BytesIO(text.encode())).columns == columns


def test_one_column_of_decimal_commas_is_one_column() -> None:
    """A spreadsheet that writes decimal commas writes a table of one column without quotes."""
    text = "x\r\n5,1\r\n4,9\r\n"
    assert rows_of(text.encode()) == ([("5,1",), ("4,9",)], ["", ""])
    assert found(text).decimal == ","


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("x;y\n5,1;a\n", ","),
        ("x;y\n-5,1e3; 2,0\n", ","),
        ("x;y\n5.1;a\n", "."),
        ("x;y\n5;1\n", "."),
        ('x,y\n"5,1",2\n', "."),
        # Both signs are seen: cells with a comma are errors that are told.
        ("x;y\n5,1;5.1\n", "."),
        ("x;y\n60,5;1.200\n", ","),
        ("x;y\n1.999,76;1\n", ","),
        ("x;y\n1.234.567;1\n", "."),
        ("version;x\n1.100.200;1.250\n", "."),
        ("x\ty\n5,1\ta\n", ","),
        ("x|y\n5,1|a\n", ","),
        ("x;y\n5,1;a\nk.A.;a\n", ","),
        # These commas part thousands, or nobody can say.
        ("x;y\n1,234;a\n", ","),
        ("x\ty\n1,234\ta\n", "."),
        ("x;y\n1,234;0.5\n", "."),
        ("x;y\n1,999.76;1\n", "."),
        ("x;y\n1.200;1\n", "."),
        # A column of texts says nothing of numbers.
        ("x;y\n5,1;1\nsix;2\nseven;3\n", "."),
        ("x;y\nhello, 1;well\n", "."),
    ],
)
def test_decimal_comma_is_found(text: str, decimal: str) -> None:
    """A comma is the decimal sign where it does not part the cells and numbers have it."""
    assert found(text).decimal == decimal


def test_line_end_of_the_header_is_found() -> None:
    """A file from Windows is known, so that its result can be written alike."""
    assert found("a;b\r\n1;2\r\n").newline == "\r\n"
    assert found("a;b\n1;2\n").newline == "\n"


def test_options_win_over_what_would_be_found() -> None:
    """Delimiter, quote and decimal sign can be said, and quotes be switched off."""
    cells, _ = rows_of(b"a;b,'c;d'\n1;2,'3,4'\n", delimiter=",", quote="'")
    assert cells == [("1;2", "3,4")]
    assert rows_of(b'a,b\n"1,"2\n', quote="")[0] == [('"1', '"2')]
    options = ReadOptions(decimal=",")
    assert preview(io.BytesIO(b"a\tb\n1\t2\n"), options).found.decimal == ","


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": "::"}, "the delimiter must be one ASCII character, not '::'"),
        ({"delimiter": ""}, "the delimiter must be one ASCII character, not ''"),
        ({"delimiter": "\n"}, r"the delimiter must be one ASCII character, not '\n'"),
        ({"quote": "«"}, "the quote must be one ASCII character, not '«'"),
        ({"delimiter": "'", "quote": "'"}, "\"'\" can't be the delimiter and the quote"),
    ],
)
def test_options_that_make_no_dialect_are_refused(options: dict[str, str], message: str) -> None:
    """A delimiter or quote that can't be one is named."""
    assert refusal(b"a,b\n1,2\n", **options) == message


def test_header_longer_than_the_sample_is_read() -> None:
    """A header may be longer than what is looked at first, and so may its quoted line ends."""
    wide = ",".join(f"column {number}" for number in range(15_000))
    assert len(preview(io.BytesIO(f"{wide}\n".encode())).columns) == 15_000
    tall = "x\n" * 50_000
    assert preview(io.BytesIO(f'"{tall}",b\n1,2\n'.encode())).columns == (tall, "b")
