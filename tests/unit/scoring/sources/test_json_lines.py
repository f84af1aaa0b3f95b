import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client import InputError
from kserve_client.scoring.sources import ReadOptions
from kserve_client.scoring.sources.json_lines import JsonLinesSource
from kserve_client.scoring.sources.location import opened_file
from kserve_client.scoring.sources.opening import source_of
from tests.unit.scoring.sources.reading import refusal, rows_of, within


def test_cells_keep_the_text_of_numbers() -> None:
    """Numbers keep each digit, text stays text, null and a missing key are empty."""
    cells, problems = rows_of(
        b'{"a": 9007199254740993, "b": "x\\ny", "c": 5.10}\n'
        b'\r\n{"b": null, "c": true, "a": -1e400}\n'
        b'{"c": false}'
    )
    assert cells == [
        ("9007199254740993", "x\ny", "5.10"),
        ("-1e400", "", "true"),
        ("", "", "false"),
    ]
    assert problems == ["", "", ""]


@pytest.mark.parametrize("blank", ["", " \t\v\f", "\x1c", "\x85", "\xa0", "\u2028"])
def test_a_line_is_blank_where_it_is_read_and_where_it_is_counted(blank: str) -> None:
    """Otherwise partitions after it would begin at another row than the one they hold."""
    data = f'{{"a": 1}}\n{blank}\r\n{{"a": 2}}\n'.encode()
    rows, _ = rows_of(data)
    with opened_file(io.BytesIO(data), ReadOptions()) as raw:
        source = source_of(raw, ReadOptions(), block_bytes=1 << 20)
        assert isinstance(source, JsonLinesSource)
        assert sum(count for _, count in source.counted()) == len(rows)


def test_lists_and_objects_stay_json() -> None:
    """What is nested is a cell of JSON, its numbers and letters as they were."""
    cells, _ = rows_of('{"a": [1.50, {"é": 9007199254740993}, null, "q\\""], "b": {}}\n'.encode())
    assert cells == [('[1.50,{"é":9007199254740993},null,"q\\""]', "{}")]


def test_columns_come_in_the_order_in_which_keys_appear() -> None:
    """The first lines make the columns, not the first one alone."""
    cells, problems = rows_of(b'{"b": 1}\n{"a": 2, "b": 3}\n')
    assert cells == [("1", ""), ("3", "2")]
    assert problems == ["", ""]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"[1]", "line 2 is no JSON object"),
        (b"5", "line 2 is no JSON object"),
        (b'{"a": 1', "line 2 is no JSON object: Expecting ',' delimiter, character 8"),
        (b'{"a": 1} x', "line 2 is no JSON object: Extra data, character 10"),
        (b'{"a": 1, "a": 2}', "line 2 has the key 'a' twice"),
        (b'{"a": "\\u0000"}', "line 2: a: the text holds a NUL character"),
        (b'{"a": "\0"}', "line 2 is no JSON object: Invalid control character at, character 8"),
        (b'{"a": "\\ud800"}', "line 2 holds half of a character"),
        (b'{"a": ["\\ud800"]}', "line 2 holds half of a character"),
        (b'{"a": ' + b"[" * 400 + b"]" * 400 + b"}", "line 2 is nested too deeply"),
        (b"[" * 100_000, "line 2 is nested too deeply"),
    ],
)
def test_line_that_is_no_plain_object_is_the_problem_of_its_row(line: bytes, problem: str) -> None:
    """A bad line is one row with a problem; its neighbours are read."""
    cells, problems = rows_of(b'{"a": 1}\n' + line + b'\n{"a": 3}\n')
    assert (cells[0], cells[2]) == (("1",), ("3",))
    assert problems == ["", problem, ""]


def test_key_that_comes_late_is_the_problem_of_its_row() -> None:
    """Columns are fixed by the first megabyte; a later key is not dropped in silence."""
    first = b'{"a": "' + b"x" * 1000 + b'"}\n'
    cells, problems = rows_of(first * 1200 + b'{"a": 1, "b": 2}\n')
    assert cells[1200] == ("1",)
    assert problems[1200] == "line 1201 has a key that the first lines have not: 'b'"
    assert not any(problems[:1200])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\n\n", "the file is empty; it needs one JSON object a line"),
        (b'[{"a": 1}]\n', "line 1 begins a list; write one object a line"),
        (b"{}\n{}\n", "the first lines hold no key; each line needs an object with values"),
        (b'{\n"a": 1\n}\n', "line 1 is no JSON object: Expecting property name enclosed in "),
        (b'{"a": 1, " a": 2}\n', "more than one column is named 'a'"),
    ],
)
def test_file_without_objects_is_refused(data: bytes, message: str) -> None:
    """A file of something else says what it needs."""
    assert refusal(data, format="json-lines").startswith(message)


def test_limits_hold() -> None:
    """Too many columns, too long cells and lines are refused."""
    wide = json.dumps({f"c{number}": 1 for number in range(5)}).encode()
    assert "5 columns; at most 4" in refusal(wide, limits=within(columns=4))
    long = b'{"a": "123456"}\n'
    assert refusal(long, limits=within(cell_characters=5)) == (
        "line 1: a cell is longer than 5 characters"
    )
    endless = b'{"a": 1}\n' + b"x" * 9000
    assert "line 1: a row is longer" in refusal(
        endless[9:] * 300, limits=within(row_bytes=1000), format="json-lines"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(json_values, json_values), min_size=1),
    block_bytes=st.integers(1, 100),
)
def test_any_objects_come_back(rows: list[tuple[object, object]], block_bytes: int) -> None:
    """However the text is cut, each row is read as it was written."""
    data = "\n".join(json.dumps({"a": a, "b": b}) for a, b in rows).encode()
    cells, problems = rows_of(data, block_bytes=block_bytes, format="json-lines")
    assert len(cells) == len(rows)
    for read, row, problem in zip(cells, rows, problems, strict=True):
        for text, value in zip(read, row, strict=True):
            if isinstance(value, str) or value is None:
                assert text == (value or "")
            else:
                assert json.loads(text) == value
        assert bool(problem) == any("\0" in text for text in read)


@settings(max_examples=100, deadline=None)
@given(soup=st.binary(max_size=60))
def test_any_bytes_are_rows_or_a_refusal(soup: bytes) -> None:
    """Whatever follows, it gives rows or an InputError, and never another error."""
    try:
        cells, problems = rows_of(b'{"a": 1}\n' + soup, format="json-lines")
    except InputError:
        return
    assert len(cells) == len(problems)


pieces = st.sampled_from(
    [
        *[
            '"a"',
            '"b"',
            '"é"',
            '"\\"',
            '"\\\\"',
            '"null"',
            '"1"',
            '""',
            '"\t"',
            '"\x7f\u2028"',
            "1.0",
        ],
        *["9007199254740993", "-0", "01", "1e5", "1.", "-1E-400", "NaN", "null", "true", "[1.50]"],
        *["{", "}", ":", ",", " ", "\t", "\r", "\v", "\n", "\x85", "\xa0"],
    ]
)
values = st.sampled_from(
    ['"x"', '"é\x85"', '"null"', '""', "null", "true", "1", "1.0", "-0.50e+7", str(2**70)]
)
odd_lines = st.lists(pieces, max_size=9).map("".join)
plain_lines = st.builds(
    "{{{2}{3}:{0},{2}{4}:{2}{1}{2}}}{5}".format,
    *[values, values, st.sampled_from(["", " ", "\t "])],
    *[st.sampled_from(['"a"'] * 5 + ['"b"']), st.sampled_from(['"b"'] * 5 + ['"c"'])],
    st.sampled_from(["", "\r", " \v"]),
)


def rows_or_refusal(data: bytes, block_bytes: int) -> object:
    limits = within(cell_characters=20)
    try:
        return rows_of(data, block_bytes=block_bytes, format="json-lines", limits=limits)
    except InputError as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(
    lines=st.lists(st.one_of(plain_lines, plain_lines, plain_lines, odd_lines), max_size=6),
    block_bytes=st.integers(20, 200),
)
def test_the_short_way_through_plain_lines_finds_what_the_long_one_does(
    lines: list[str], block_bytes: int
) -> None:
    """Of any lines, however they are cut: the same cells, problems and refusals."""
    data = "\n".join(['{"a": 1, "b": "x"}', *lines]).encode()
    found = rows_or_refusal(data, block_bytes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JsonLinesSource, "_plain_cells", lambda *_: None)
        assert rows_or_refusal(data, block_bytes) == found


def test_plain_lines_go_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact numbers, texts that look like something else, and nothing for null."""
    monkeypatch.setattr(JsonLinesSource, "_read_rows", None)
    data = '{"a": 1.0, "é": "null"}\n{ "a" : 18446744073709551617 ,"é":null}\r\n'.encode()
    data += '{"a": true, "é": "007 ü"}'.encode()
    cells, _ = rows_of(data)
    assert cells == [("1.0", "null"), ("18446744073709551617", ""), ("true", "007 ü")]
