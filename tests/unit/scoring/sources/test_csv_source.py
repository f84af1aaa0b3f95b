import csv
import io
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kserve_client import InputError
from kserve_client.scoring.sources.csv_blocks import CsvBlocks
from tests.unit.scoring.sources.reading import Table, refusal, rows_of, within

OPEN_QUOTE = "a quote is opened in this row and never closed"
NOT_UTF8 = "save the file as UTF-8, or say which encoding it is in"
NOTHING = "the file is empty; it needs a line with the names of the columns"


def test_cells_keep_their_text() -> None:
    """No value means anything: numbers keep their zeros, and empty cells stay empty text."""
    cells, problems = rows_of(b'a,b,c\n007,5.10,NA\n,null, x \n1,"",true\n')
    assert cells == [("007", "5.10", "NA"), ("", "null", " x "), ("1", "", "true")]
    assert problems == ["", "", ""]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        pytest.param(b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")], id="a mark at the start"),
        pytest.param(b"a,b\n1,2", [("1", "2")], id="no last line end"),
        pytest.param(b"a,b\n", [], id="no rows"),
        pytest.param(b"a,b", [], id="no rows and no line end"),
        pytest.param(b"a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")], id="old Mac"),
        pytest.param(b"a,b\r\n1,2\r\n\r\n3,4\r\n", [("1", "2"), ("3", "4")], id="Windows"),
        pytest.param(b'a,b\r\n1,"x\r\ny"\r\n', [("1", "x\r\ny")], id="line end in quotes"),
        pytest.param(b'a,b\n1,5" pipe\n2,x\n', [("1", '5" pipe'), ("2", "x")], id="inches"),
        pytest.param(b'a,b\n1,"say ""hi"""\n', [("1", 'say "hi"')], id="quotes in quotes"),
        pytest.param(b"a,b\n\n1,2\n\n\n3,4\n\n", [("1", "2"), ("3", "4")], id="blank lines"),
        pytest.param(b"a\n1\n\n3\n", [("1",), ("",), ("3",)], id="one column with blank lines"),
        pytest.param(b"\n \na,b\n1,2\n", [("1", "2")], id="blank lines before the header"),
        pytest.param(b'a,"b\nc"\n1,2\n', [("1", "2")], id="line end in the header"),
        pytest.param(b"a,,c,\n1,2,3,4\n", [("1", "2", "3", "4")], id="nameless columns"),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
def test_odd_but_whole_files_are_read(data: bytes, rows: Table, block_bytes: int) -> None:
    """Files as spreadsheets, old programs and hands write them are read, however they are cut."""
    assert rows_of(data, block_bytes=block_bytes) == (rows, [""] * len(rows))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", NOTHING),
        (b"\n \n", NOTHING),
        (b"a,b,a\n1,2,3\n", "more than one column is named 'a'"),
        (b"a, a\n1,2\n", "more than one column is named 'a'"),
        (b",,\n1,2,3\n", "the first line names no column; the file needs a header"),
        (b'a,b\n1,2\n3,"open\n5,6\n', f"line 3: {OPEN_QUOTE}"),
        (b'"a,b\n1,2\n', f"line 1: {OPEN_QUOTE}"),
        (
            b'a,b\n1,"5" wide"\n',
            'line 2: text follows a closing quote; write a quote inside a quoted cell twice ("")',
        ),
        (
            b"5.1,3.5,-1e3\n4.9,3,2\n",
            "the first line holds numbers, not the names of columns; the file needs a header",
        ),
        (
            "a,b\n1,äöü\n2,äöü\n3,".encode() + b"\xe9\n",
            f"line 4, byte 3: 0xE9 is not UTF-8; {NOT_UTF8}",
        ),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(data: bytes, message: str) -> None:
    """What can't be read without guessing is refused, and the error names the line."""
    assert refusal(data) == message


def test_names_that_pandas_gives_to_unnamed_columns_are_a_header() -> None:
    """The numbers from 0 in their order are names, not a row."""
    assert rows_of(b"0,1,2\n5,6,7\n")[0] == [("5", "6", "7")]


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_rows_that_do_not_fit_say_why(block_bytes: int) -> None:
    """Rows with too few or too many cells are cut or filled up, and name their line."""
    cells, problems = rows_of(
        b'a,b,c,d\n1,2,3,4\n"5\n",6,7\n\n1,2,3,4,x\n1\n', block_bytes=block_bytes
    )
    assert cells == [
        ("1", "2", "3", "4"),
        ("5\n", "6", "7", ""),
        ("1", "2", "3", "4"),
        ("1", "", "", ""),
    ]
    assert problems == [
        "",
        "line 3 has 3 cells, the header has 4",
        "line 6 has 5 cells, the header has 4; in surplus: 'x'",
        "line 7 has 1 cell, the header has 4",
    ]


def test_long_surplus_is_cut_in_the_message() -> None:
    """A message stays a line, whatever the row holds."""
    _, problems = rows_of(b"a,b\n1,2," + b"x" * 100 + b",4,5,6,7,8\n")
    shown = f"'{'x' * 40}…', '4', '5', '6', '7', …"
    assert problems == [f"line 2 has 8 cells, the header has 2; in surplus: {shown}"]


def test_row_with_a_nul_has_a_problem() -> None:
    """A NUL is the problem of its row alone, and stays in its cell."""
    cells, problems = rows_of(b"a,\n1,2\n3,x\x00y\n5,6\n")
    assert cells[1] == ("3", "x\x00y")
    assert problems == ["", "line 3: column 2: the text holds a NUL character", ""]


def test_cell_of_a_million_characters_is_a_cell() -> None:
    """Cells and rows may be larger than the blocks in which files are read."""
    long = "é" * 1_000_000
    cells, _ = rows_of(f'a,b\n1,{long}\n2,"{long}\n"\n'.encode())
    assert cells == [("1", long), ("2", f"{long}\n")]


@pytest.mark.parametrize("cell", ["123456", '"12345""', "é23456"])
def test_cell_beyond_the_limit_is_refused(cell: str) -> None:
    """The limit counts characters, quoted or not."""
    data = f"a,b\n1,ééééé\n2,{cell}{chr(34) * (cell[0] == chr(34))}\n".encode()
    limits = within(cell_characters=5)
    assert refusal(data, limits=limits) == "line 3: a cell is longer than 5 characters"
    assert not refusal(data, limits=within(cell_characters=6))


def test_row_beyond_the_limit_is_refused() -> None:
    """A file without line ends is refused before it fills memory."""
    data = b"a,b\n1,2\n" + b"x" * 3_000_000
    assert refusal(data, limits=within(row_bytes=1_000_000)) == (
        "line 3: a row is longer than 1,000,000 bytes; is the file a table?"
    )
    assert "line 1: a row is longer" in refusal(b"x" * 9000, limits=within(row_bytes=1000))


def test_table_of_too_many_columns_is_refused() -> None:
    """A table may have 20 000 columns, and no more."""
    names = [f"c{number}" for number in range(20_001)]
    assert refusal(",".join(names).encode()) == (
        "the table has 20,001 columns; at most 20,000 are read"
    )
    assert rows_of(",".join(names[1:]).encode() + b"\n" + b"," * 19_999)[1] == [""]


def test_table_of_too_many_rows_is_refused() -> None:
    """A limit of rows holds while the table is read."""
    data = b"a\n1\n2\n3\n"
    assert refusal(data, limits=within(rows=2)) == "the table has more than 2 rows; divide it"
    assert not refusal(data, limits=within(rows=3))


# The oracle: Python's csv module, over the whole text at once


def by_csv_module(text: str, width: int) -> tuple[Table, list[bool]] | None:
    """The rows of a text after its header, and whether each fits; None if the text is no CSV."""
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), strict=True))[1:]
    except csv.Error:
        return None
    rows = [row or [""] for row in found if row or width == 1]
    cells = [tuple((row + [""] * width)[:width]) for row in rows]
    return cells, [len(row) == width and "\0" not in "".join(row) for row in rows]


def by_us(text: str, block_bytes: int) -> tuple[Table, list[bool]] | None:
    try:
        cells, problems = rows_of(
            text.encode(), delimiter=",", encoding="utf-8", block_bytes=block_bytes
        )
    except InputError:
        return None
    return cells, [not problem for problem in problems]


@settings(max_examples=400, deadline=None)
@given(
    soup=st.text(alphabet='a1,,""\n\n\r; é\0\ufeff', max_size=50),
    width=st.integers(1, 3),
    block_bytes=st.integers(1, 60),
    slow_bytes=st.integers(1, 20),
)
@example(soup="1,2\n\ufeff3,4\n", width=2, block_bytes=4, slow_bytes=1)
@example(soup='a"\n"\n', width=1, block_bytes=3, slow_bytes=1)
def test_any_text_is_read_as_the_csv_module_reads_it(
    soup: str, width: int, block_bytes: int, slow_bytes: int
) -> None:
    """Cut anywhere, by whichever way, a text gives the rows of Python's csv module."""
    text = ",".join("xyz"[:width]) + "\n" + soup
    with mock.patch.object(CsvBlocks, "slow_bytes", slow_bytes):
        assert by_us(text, block_bytes) == by_csv_module(text, width)


@settings(max_examples=100, deadline=None)
@given(
    table=st.lists(
        st.tuples(*[st.text(alphabet='ab",;\r\n é1.', max_size=6)] * 3), min_size=1, max_size=12
    ),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    are_all_quoted=st.booleans(),
    block_bytes=st.integers(1, 80),
)
def test_any_table_comes_back_as_it_was_written(
    table: Table, end: str, are_all_quoted: bool, block_bytes: int
) -> None:
    """What is written by the rules is read cell by cell as it was."""

    def written(cell: str) -> str:
        needs_quotes = are_all_quoted or any(sign in cell for sign in '",\r\n')
        return '"' + cell.replace('"', '""') + '"' if needs_quotes else cell

    text = end.join(",".join(map(written, row)) for row in [("x", "y", "z"), *table])
    cells, problems = rows_of(text.encode(), block_bytes=block_bytes, delimiter=",")
    assert cells == table
    assert not any(problems)


@settings(max_examples=150, deadline=None)
@given(soup=st.binary(max_size=60), block_bytes=st.integers(1, 80))
def test_any_bytes_are_rows_or_a_refusal(soup: bytes, block_bytes: int) -> None:
    """Whatever a file holds, it gives rows or an InputError, and never another error."""
    for data in (soup, b"x,y\n" + soup):
        try:
            cells, problems = rows_of(data, block_bytes=block_bytes)
        except InputError:
            continue
        assert len(cells) == len(problems)
