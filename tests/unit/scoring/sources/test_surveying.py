import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client import InputError
from kserve_client.scoring.sources import count_rows, preview
from tests.unit.scoring.sources.reading import rows_of


def test_a_preview_tells_columns_delimiter_and_encoding() -> None:
    """And shows the first rows."""
    table = preview(io.BytesIO(b"\xef\xbb\xbfa;b\r\n1;x\r\n2;y\r\n3;z\r\n"), first_rows=2)
    assert table.columns == ("a", "b")
    assert table.first_rows == (("1", "x"), ("2", "y"))
    assert (table.found.delimiter, table.delimiter_name) == (";", "semicolon")
    assert (table.found.encoding, table.found.has_bom) == ("utf-8", True)


def test_rows_that_do_not_fit_are_not_shown() -> None:
    """The rows shown are whole ones."""
    table = preview(io.BytesIO(b'a,b\n1,"x\ny"\n2\n3,4,5\n6,7\n'), first_rows=2)
    assert table.first_rows == (("1", "x\ny"), ("6", "7"))


def test_a_file_of_nothing_but_misfits_shows_nothing() -> None:
    """Though it was read to its end."""
    assert preview(io.BytesIO(b"a,b\n" + b"1\n" * 50)).first_rows == ()


def test_nameless_column_can_be_named() -> None:
    """A column without a name is called by its place."""
    table = preview(io.BytesIO(b" a ,,c\n1,2,3\n"))
    assert table.columns == (" a ", "", "c")
    assert table.names == ("a", "column 2", "c")


@settings(max_examples=200, deadline=None)
@given(
    soup=st.text(alphabet='a1,"\n\n\n\r', max_size=50),
    width=st.integers(1, 2),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_as_many_are_counted_as_are_read(soup: str, width: int, end: str) -> None:
    """Counting line ends gives as many rows as reading them."""
    text = "xy"[:width].replace("xy", "x,y") + end + soup.replace("\n", end)
    try:
        expected = len(rows_of(text.encode())[0])
    except InputError:
        with pytest.raises(InputError):
            count_rows(io.BytesIO(text.encode()))
        return
    assert count_rows(io.BytesIO(text.encode())) == expected


def test_objects_are_counted() -> None:
    """JSON Lines count their lines, blank ones apart."""
    assert count_rows(io.BytesIO(b'{"a": 1}\n\n{"a": 2}\nx\n')) == 3
