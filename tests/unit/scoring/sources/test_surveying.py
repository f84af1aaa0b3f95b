import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client import InputError
from kserve_client.scoring.sources import count_rows, preview, survey


def test_survey_tells_columns_rows_delimiter_and_encoding() -> None:
    """A survey tells what the file holds, and shows its first rows."""
    table = survey(io.BytesIO(b"\xef\xbb\xbfa;b\r\n1;x\r\n2;y\r\n3;z\r\n"), first_rows=2)
    assert table.columns == ("a", "b")
    assert table.row_count == 3
    assert table.first_rows == (("1", "x"), ("2", "y"))
    assert (table.found.delimiter, table.delimiter_name) == (";", "semicolon")
    assert (table.found.encoding, table.found.has_bom) == ("utf-8", True)


def test_rows_that_do_not_fit_are_counted_and_not_shown() -> None:
    """The first lines of rows with a problem are named; the rows shown are whole ones."""
    table = survey(io.BytesIO(b'a,b\n1,"x\ny"\n2\n3,4,5\n6,7\n'), first_rows=2)
    assert (table.row_count, table.ragged_rows, table.ragged_lines) == (4, 2, (4, 5))
    assert table.first_rows == (("1", "x\ny"), ("6", "7"))


def test_only_the_first_lines_are_named() -> None:
    """A file of nothing but misfits does not fill memory with their numbers."""
    table = survey(io.BytesIO(b"a,b\n" + b"1\n" * 50))
    assert (table.ragged_rows, table.ragged_lines) == (50, tuple(range(2, 22)))
    assert table.first_rows == ()


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
def test_count_is_that_of_a_survey(soup: str, width: int, end: str) -> None:
    """Counting line ends gives as many rows as reading them."""
    text = "xy"[:width].replace("xy", "x,y") + end + soup.replace("\n", end)
    try:
        expected = survey(io.BytesIO(text.encode())).row_count
    except InputError:
        with pytest.raises(InputError):
            count_rows(io.BytesIO(text.encode()))
        return
    assert count_rows(io.BytesIO(text.encode())) == expected


def test_objects_are_counted() -> None:
    """JSON Lines count their lines, blank ones apart."""
    assert count_rows(io.BytesIO(b'{"a": 1}\n\n{"a": 2}\nx\n')) == 3
