from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kserve_client.scoring.sinks import WriteOptions
from kserve_client.scoring.sinks.csv_lines import without_formulas
from kserve_client.scoring.sources.source import Found
from tests.unit.scoring.sinks.tables import csv_cells, scored, written

ROWS = scored({"a": ["1", "2"], "b": ["x", "y"]}, {"prediction": ["s", "t"]})


def one_cell(text: str, **options: Any) -> bytes:
    """The line of one row that has this text."""
    data = written([scored({"a": [text]}, {"prediction": [1]})], WriteOptions(**options))
    return data.partition(b"\n")[2]


def test_lines_begin_with_a_header() -> None:
    """The names of the columns stand first, then one line for each row."""
    assert written([ROWS]) == b"a,b,prediction,state,error\n1,x,s,ok,\n2,y,t,ok,\n"


def test_form_of_the_source_stays() -> None:
    """Delimiter, line ends, decimal sign and BOM of the source are those of the result."""
    found = Found("csv", has_bom=True, delimiter=";", decimal=",", newline="\r\n")
    chunk = scored({"a": ["5,10"]}, {"prediction": [0.5]})
    assert written([chunk], found=found) == (
        b"\xef\xbb\xbfa;prediction;state;error\r\n5,10;0,5;ok;\r\n"
    )


@pytest.mark.parametrize("encoding", ["windows-1252", "iso-8859-1", "utf-16-le"])
def test_a_table_that_was_no_utf_8_comes_back_as_marked_utf_8(encoding: str) -> None:
    """A spreadsheet that wrote it takes UTF-8 without the mark for the old encoding."""
    found = Found("csv", encoding=encoding, delimiter=";")
    chunk = scored({"Käufer": ["Weiß"]}, {"prediction": [1]})
    text = "Käufer;prediction;state;error\nWeiß;1;ok;\n"
    assert written([chunk], found=found) == b"\xef\xbb\xbf" + text.encode()
    assert written([chunk], WriteOptions(has_bom=False), found) == text.encode()


def test_a_duration_has_its_unit() -> None:
    """One that is below zero begins as a formula does."""
    chunk = scored({"a": pa.array([1, -1], pa.duration("s"))}, {"prediction": [1, 2]})
    assert written([chunk]).splitlines()[1:] == [
        b"0 days 00:00:01,1,ok,",
        b"-1 days +23:59:59,2,ok,",
    ]
    assert b"'-1 days +23:59:59" in written([chunk], WriteOptions(formulas="quote"))


def test_form_can_be_chosen() -> None:
    """Options say more than the source; texts stay as they are."""
    found = Found("csv", has_bom=True, delimiter=";", decimal=",", newline="\r\n")
    options = WriteOptions(delimiter="|", decimal=".", newline="\n", has_bom=False)
    chunk = scored({"a": ["5,10"]}, {"prediction": [0.5]})
    assert written([chunk], options, found) == b"a|prediction|state|error\n5,10|0.5|ok|\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("007", b"007"),
        ("5.10", b"5.10"),
        ("", b""),
        (" x ", b" x "),
        ("a,b", b'"a,b"'),
        ('5" pipe', b'"5"" pipe"'),
        ("a\nb", b'"a\nb"'),
        ("a\r\nb", b'"a\r\nb"'),
        ("a\rb", b'"a\rb"'),
        ("nul\x00", b"nul\x00"),
        ("ü€😀", "ü€😀".encode()),
        ("NA", b"NA"),
        ("'", b"'"),
    ],
)
def test_cells_are_quoted_when_they_need_it(text: str, expected: bytes) -> None:
    """Quotes stand where RFC 4180 wants them, and nowhere else."""
    assert one_cell(text) == expected + b",1,ok,\n"


def test_only_the_cells_that_need_quotes_get_them() -> None:
    """A cell that needs no quotes gets none for the sake of its neighbours."""
    chunk = scored({"a": ["x", "y,z", ""]}, {"prediction": [1, 2, 3]}, errors={})
    assert written([chunk]).splitlines()[1:] == [b"x,1,ok,", b'"y,z",2,ok,', b",3,ok,"]


def test_number_with_a_decimal_comma_is_quoted_between_commas() -> None:
    """A decimal comma does not end the cell."""
    chunk = scored({"a": ["1"]}, {"prediction": [0.5]})
    assert written([chunk], WriteOptions(decimal=",")).splitlines()[1] == b'1,"0,5",ok,'


def test_names_and_reasons_are_quoted() -> None:
    """The header and the errors are cells like any other."""
    chunk = scored({'a,"b"': ["1"]}, None, errors={0: 'no "a",\nno'})
    assert written([chunk]) == (b'"a,""b""",prediction,state,error\n1,,failed,"no ""a"",\nno"\n')


@pytest.mark.parametrize("delimiter", ["\t", "§", "^", "\\", "]", "a"])
def test_delimiter_may_be_any_character(delimiter: str) -> None:
    """Characters that mean something elsewhere, or take two bytes, divide cells as well."""
    chunk = scored({"x": [f"1{delimiter}2", "3"]}, {"prediction": ["é", "z"]})
    lines = csv_cells(written([chunk], WriteOptions(delimiter=delimiter)), delimiter)
    assert lines == [
        ["x", "prediction", "state", "error"],
        [f"1{delimiter}2", "é", "ok", ""],
        ["3", "z", "ok", ""],
    ]


def test_character_like_the_delimiter_needs_no_quotes() -> None:
    """A character that shares a byte with the delimiter is not quoted, whatever stands beside it."""
    chunk = scored({"a": ["£", "1§2", 'x"']}, {"prediction": [1, 2, 3]})
    lines = written([chunk], WriteOptions(delimiter="§")).decode().splitlines()
    assert lines[1:] == ["£§1§ok§", '"1§2"§2§ok§', '"x"""§3§ok§']


def test_million_characters_in_a_cell_are_a_cell() -> None:
    """A cell of a million characters comes out as it went in."""
    text = '",\n' * 333_334
    chunk = scored({"a": [text, "x"]}, {"prediction": [1, 2]})
    data = written([chunk]).decode()
    assert (
        data == f'a,prediction,state,error\n"{text.replace(chr(34), chr(34) * 2)}",1,ok,\nx,2,ok,\n'
    )


def test_more_than_arrow_joins_at_once_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch too large for Arrow's offsets is written in pieces, down to single rows."""
    monkeypatch.setattr("kserve_client.scoring.sinks.pieces.PIECE_BYTES", 40)
    chunk = scored({"a": list("abcdefg")}, {"prediction": list("hijklmn")})
    assert written([chunk]).splitlines()[1:] == [
        f"{a},{b},ok,".encode() for a, b in zip("abcdefg", "hijklmn", strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|'/C calc'!A0", "'+cmd|'/C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1", "'＝1"),  # noqa: RUF001 - a full-width sign
        ("-", "'-"),
        ("-1\n=2", "'-1\n=2"),
        ("-5.1", "-5.1"),
        ("+5,10", "+5,10"),
        ("-.5e-3", "-.5e-3"),
        ("-1.", "-1."),
        ("5-1", "5-1"),
        ("a=1", "a=1"),
        ("ｱ", "ｱ"),
        ("", ""),
        (None, None),
    ],
)
def test_formulas_become_text(text: str | None, expected: str | None) -> None:
    """A text that a spreadsheet would run gets an apostrophe; a plain number does not."""
    column = pa.array(["=skipped", "x", text, "y"], pa.string()).slice(1)
    assert without_formulas(column).to_pylist() == ["x", expected, "y"]


def test_formulas_are_kept_unless_asked() -> None:
    """By default every cell comes back as it went in."""
    assert one_cell("=1+1") == b"=1+1,1,ok,\n"
    assert one_cell("=1+1", formulas="quote") == b"'=1+1,1,ok,\n"
    assert one_cell("=1,2", formulas="quote") == b'"\'=1,2",1,ok,\n'


def test_formulas_of_names_results_and_errors_become_text() -> None:
    """Names of columns, results and reasons are read by a spreadsheet as well; numbers are none."""
    chunk = scored(
        {"=a": ["1", "2"], "n": [-1.5, -2.5]}, {"prediction": ["@x", None]}, errors={1: "=no"}
    )
    assert written([chunk], WriteOptions(formulas="quote")) == (
        b"'=a,n,prediction,state,error\n1,-1.5,'@x,ok,\n2,-2.5,,failed,'=no\n"
    )


def test_text_behind_a_dictionary_is_made_safe() -> None:
    """Texts that are kept as a dictionary are texts."""
    column = pa.array(["=1", "=1"]).dictionary_encode()
    chunk = scored({"a": column}, {"prediction": [1, 2]})
    lines = written([chunk], WriteOptions(formulas="quote")).splitlines()
    assert lines[1:] == [b"'=1,1,ok,", b"'=1,2,ok,"]


CELLS = st.text(st.sampled_from('ab,;"\n\r\t\x00é😀=-1') | st.characters(codec="utf-8"))


@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t", "é"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_cells_read_back_as_they_were(
    rows: list[tuple[str, str, str]], delimiter: str, newline: Any
) -> None:
    """Whatever a cell holds, Python's csv module reads it back from the file."""
    first, second, third = map(list, zip(*rows, strict=True))
    chunk = scored({"a": first, "b": second}, {"prediction": third})
    data = written([chunk], WriteOptions(delimiter=delimiter, newline=newline))
    assert csv_cells(data, delimiter)[1:] == [[*row, "ok", ""] for row in rows]
