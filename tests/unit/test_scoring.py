import csv
import io
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kserve_client import ConfigurationError, Endpoint, InferenceClient, InputError, Model
from kserve_client.scoring import Progress, Summary, read_csv, score_csv, scored_chunks
from tests.unit.scripted_model import (
    REFUSED,
    SIGNATURE,
    URL,
    Fault,
    Reply,
    ScriptedModel,
    open_model,
    predicted,
    problem,
    serve,
)

Score = Callable[..., tuple[Summary, list[list[str]]]]


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def model(mock: responses.RequestsMock) -> ScriptedModel:
    return serve(mock, ScriptedModel())


def score(text: str | bytes, **options: Any) -> tuple[Summary, list[list[str]]]:
    """The summary, and the cells of the output line by line."""
    data = text if isinstance(text, bytes) else text.encode()
    delimiter = options.pop("delimiter", ",")
    out = io.StringIO(newline="")
    summary = score_csv(
        options.pop("model", None) or open_model(), io.BytesIO(data), out, **options
    )
    return summary, list(csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter))


# Reading


def test_preview_tells_columns_rows_delimiter_and_encoding() -> None:
    """A preview tells what the file holds, and shows its first rows."""
    table = read_csv(io.BytesIO(b"\xef\xbb\xbfa;b\r\n1;x\r\n2;y\r\n3;z\r\n"), first_rows=2)
    assert table.columns == ("a", "b")
    assert table.row_count == 3
    assert table.first_rows == (("1", "x"), ("2", "y"))
    assert (table.delimiter, table.delimiter_name) == (";", "semicolon")
    assert table.encoding == "UTF-8 with BOM"


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("a,b", ("a", "b")),
        ("a;b;c", ("a", "b", "c")),
        ("a\tb", ("a", "b")),
        ("a|b", ("a", "b")),
        ("alone", ("alone",)),
        ('"bill; length","bill, depth"', ("bill; length", "bill, depth")),
        ("a,unit;x,c", ("a", "unit;x", "c")),
    ],
)
def test_delimiter_is_the_one_that_makes_most_columns(
    header: str, columns: tuple[str, ...]
) -> None:
    """The header decides on the delimiter; one inside quotes does not count."""
    assert read_csv(io.BytesIO(header.encode())).columns == columns


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty; it needs a line with the names of the columns"),
        (b"\n \n", "the file is empty; it needs a line with the names of the columns"),
        (b"a,b,a\n1,2,3\n", "more than one column is named 'a'"),
        (b"a, a\n1,2\n", "more than one column is named 'a'"),
        (b",,\n1,2,3\n", "the first line names no column; the file needs a header"),
        (
            b"a\nb\nc\xe9d\n",
            "line 3, byte 2: 0xE9 is not UTF-8; save the file as CSV UTF-8",
        ),
        ("a,b\n1,2\n".encode("utf-16"), "the file is UTF-16; save it as CSV UTF-8"),
        (
            b'a,b\n1,2\n3,"open\n5,6\n',
            "line 3: a quote is opened in this row and never closed",
        ),
        (
            b'a,b\n1,"5" wide"\n',
            'line 2: text follows a closing quote; write a quote inside a quoted cell twice ("")',
        ),
    ],
)
def test_file_that_is_no_csv_is_refused_with_its_line(data: bytes, message: str) -> None:
    """What can't be read without guessing is refused, and the error names the place."""
    with pytest.raises(InputError) as caught:
        read_csv(io.BytesIO(data))
    assert str(caught.value) == message


def test_blank_lines_are_no_rows_unless_there_is_one_column() -> None:
    """A blank line is nothing among several columns, and an empty cell in the only one."""
    assert read_csv(io.BytesIO(b"a,b\n1,2\n\n3,4\n\n")).row_count == 2
    assert read_csv(io.BytesIO(b"a\n1\n\n3\n")).row_count == 3


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read(end: str) -> None:
    """Unix, Windows and old Mac files are all read, and the last line needs no end."""
    table = read_csv(io.BytesIO(f"a,b{end}1,x{end}2,y".encode()))
    assert table.first_rows == (("1", "x"), ("2", "y"))


def test_cell_keeps_the_line_ends_inside_its_quotes() -> None:
    """Text in quotes is kept, whatever line ends it holds."""
    table = read_csv(io.BytesIO(b'a,b\n1,"x\r\ny\rz\nw"\n'))
    assert table.first_rows == (("1", "x\r\ny\rz\nw"),)


def test_preview_names_lines_with_another_number_of_cells() -> None:
    """Rows that don't fit are counted, and their first lines named."""
    table = read_csv(io.BytesIO(b'a,b\n1,"x\ny"\n2\n3,4,5\n'))
    assert table.row_count == 3
    assert table.ragged_lines == (4, 5)


def test_stream_that_was_read_before_is_read_from_its_start() -> None:
    """An upload that somebody looked at first still counts all its rows."""
    stream = io.BytesIO(b"a\n1\n2\n")
    stream.read()
    assert read_csv(stream).row_count == 2


# Results


def test_every_row_comes_out_with_its_prediction(model: ScriptedModel) -> None:
    """Rows come out in order, original columns first, then the results, then the error."""
    summary, lines = score("id,x\n7,0\n8,2\n9,1\n", chunk_rows=2)
    assert lines == [
        ["id", "x", "prediction", "error"],
        ["7", "0", "zero", ""],
        ["8", "2", "two", ""],
        ["9", "1", "one", ""],
    ]
    assert (summary.rows, summary.ok, summary.failed) == (3, 3, 0)
    assert sorted(model.sent) == [[0.0, 2.0], [1.0]]


def test_no_column_is_overwritten(model: ScriptedModel) -> None:
    """A result whose name is taken gets a number; the input's own columns stay."""
    _, lines = score("x,prediction,error,error_2\n1,mine,kept,too\n")
    assert lines == [
        ["x", "prediction", "error", "error_2", "prediction_2", "error_3"],
        ["1", "mine", "kept", "too", "one", ""],
    ]


def test_text_of_cells_is_untouched(model: ScriptedModel) -> None:
    """Numbers keep their zeros and blanks, texts their quotes, commas and line ends."""
    _, lines = score('x ,note\n 1.00,"say ""hi"", \r\nthen go"\n')
    assert lines[1] == [" 1.00", 'say "hi", \r\nthen go', "one", ""]


def test_lone_carriage_return_survives(model: ScriptedModel) -> None:
    r"""A lone \r in a cell is quoted, since it would otherwise read as the end of the row."""
    _, lines = score('x,note\n1,"a\rb"\n2,c\n')
    assert lines[1:] == [["1", "a\rb", "one", ""], ["2", "c", "two", ""]]


def test_delimiter_line_ends_and_bom_stay(model: ScriptedModel, tmp_path: Path) -> None:
    """A file from a spreadsheet can go back into it: same delimiter, line ends and mark."""
    source, sink = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(b"\xef\xbb\xbfid;x\r\n1;2\r\n")
    score_csv(open_model(), source, sink)
    assert sink.read_bytes() == b"\xef\xbb\xbfid;x;prediction;error\r\n1;2;two;\r\n"


def test_unreadable_and_ragged_rows_fail_alone(model: ScriptedModel) -> None:
    """A bad cell or a wrong number of cells is the error of its row; the others are predicted."""
    summary, lines = score("id,x\n1,0\n2\n3,abc\n4,\n5,1,9,8\n6,2\n")
    assert lines[1:] == [
        ["1", "0", "zero", ""],
        ["2", "", "", "line 3 has 1 cell, the header has 2"],
        ["3", "abc", "", "x: 'abc' is not a number"],
        ["4", "", "", "x: is missing"],
        ["5", "1", "", "line 6 has 4 cells, the header has 2; in surplus: '9', '8'"],
        ["6", "2", "two", ""],
    ]
    assert (summary.ok, summary.failed) == (2, 4)
    assert summary.first_error == "row 2: line 3 has 1 cell, the header has 2"
    assert model.sent == [[0.0, 2.0]]


def test_decimal_commas_are_told(model: ScriptedModel) -> None:
    """A number with a decimal comma is an error that says so."""
    _, lines = score("x;y\n1,5;2\n", delimiter=";")
    assert lines[1][-1] == "x: '1,5' is not a number; write a point, not a comma"
    assert model.sent == []


def test_refused_chunk_is_halved_until_the_bad_rows_stand_alone(model: ScriptedModel) -> None:
    """One bad row of eight costs its neighbours nothing but a few requests."""
    summary, lines = score("x\n0\n1\n2\n666\n0\n1\n2\n0\n")
    assert [line[1] for line in lines[1:]] == [
        "zero",
        "one",
        "two",
        "",
        "zero",
        "one",
        "two",
        "zero",
    ]
    assert [line[2] for line in lines[1:]] == ["", "", "", "400: 666 is refused", "", "", "", ""]
    assert (summary.ok, summary.failed, summary.is_answered) == (7, 1, True)
    assert [len(rows) for rows in model.sent] == [8, 4, 2, 2, 1, 1, 4]


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_statuses_that_speak_of_content_are_halved(
    mock: responses.RequestsMock, status: int
) -> None:
    """KServe and MLServer say 500 of most bad input, gateways 413 of large input."""
    model = serve(
        mock, ScriptedModel(lambda _, rows: problem(status, "no") if len(rows) > 1 else None)
    )
    summary, _ = score("x\n0\n1\n")
    assert summary.ok == 2
    assert len(model.sent) == 3


def test_answer_with_another_number_of_rows_lands_nowhere(mock: responses.RequestsMock) -> None:
    """A model that answers one row for several is asked row by row, and nothing shifts."""
    serve(mock, ScriptedModel(lambda _, rows: predicted([int(rows[0])])))
    _, lines = score("x\n2\n1\n0\n")
    assert [line[1] for line in lines[1:]] == ["two", "one", "zero"]


def test_answer_with_other_columns_than_the_first_is_an_error(
    mock: responses.RequestsMock,
) -> None:
    """Results never come under a header that is not theirs."""
    open_ended = {**SIGNATURE, "outputs": []}
    client = InferenceClient(URL)
    model = Model(client, "naming", signature=_signature(open_ended))
    serve(
        mock,
        ScriptedModel(lambda n, rows: predicted([1], "other" if n else "predict")),
    )
    _, lines = score("x\n1\n1\n", model=model, chunk_rows=1, concurrency=1)
    changed = "the answer has other columns than the first one: other instead of predict"
    assert lines[1:] == [["1", "1", ""], ["1", "", changed]]


def _signature(values: dict[str, Any]) -> Any:
    from kserve_client import Signature

    return Signature.model_validate(values)


def test_header_without_rows_gives_a_header(model: ScriptedModel) -> None:
    """An empty table is no failure."""
    summary, lines = score("x,y\n")
    assert lines == [["x", "y", "prediction", "error"]]
    assert (summary.rows, summary.failed) == (0, 0)


def test_results_begin_late_when_the_first_chunks_fail(model: ScriptedModel) -> None:
    """Rows that failed before the result columns were known get them too, empty."""
    _, lines = score("x,y\n666,a\nbad,b\n3\n1,c\n", chunk_rows=1)
    assert lines == [
        ["x", "y", "prediction", "error"],
        ["666", "a", "", "400: 666 is refused"],
        ["bad", "b", "", "x: 'bad' is not a number"],
        ["3", "", "", "line 4 has 1 cell, the header has 2"],
        ["1", "c", "one", ""],
    ]


def test_columns_are_found_with_blanks_around_their_names(model: ScriptedModel) -> None:
    """A blank after the comma of the header is no other column."""
    _, lines = score("id, x\n1, 2\n")
    assert lines == [["id", " x", "prediction", "error"], ["1", " 2", "two", ""]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("y\n1\n", "column missing: 'x'"),
        ("5.1\n4.9\n", "the first line holds numbers, not the names of columns"),
    ],
)
def test_missing_column_is_an_error_before_anything_is_sent(
    model: ScriptedModel, tmp_path: Path, text: str, problem: str
) -> None:
    """Nothing is sent or written for a file that lacks a column."""
    source, sink = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(text)
    with pytest.raises(InputError, match=problem):
        score_csv(open_model(), source, sink)
    assert model.sent == []
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_broken_file_is_found_before_anything_is_sent(model: ScriptedModel) -> None:
    """A file that breaks on its last line sends nothing, when it can be read twice."""
    with pytest.raises(InputError, match="line 3: a quote is opened"):
        score('x\n1\n"2\n', chunk_rows=1)
    assert model.sent == []


def test_stream_that_can_be_read_once_is_scored(model: ScriptedModel) -> None:
    """Standard input can't be counted beforehand, and needs not be."""
    seen: list[Progress] = []
    out = io.StringIO()
    read, write = os.pipe()
    os.write(write, b"x\n1\n2\n")
    os.close(write)
    with os.fdopen(read, "rb") as source:
        summary = score_csv(open_model(), source, out, on_progress=seen.append)
    assert summary.ok == 2
    assert [step.rows_total for step in seen] == [None]


# When nobody answers


def _refused_connection(_number: int, _rows: list[float]) -> Exception:
    return requests.ConnectionError("refused")


def test_sending_stops_after_three_chunks_without_an_answer(mock: responses.RequestsMock) -> None:
    """A server that is gone is not asked for every row; each row comes out with the reason."""
    model = serve(mock, ScriptedModel(_refused_connection))
    summary, lines = score("x\n" + "1\n" * 40, chunk_rows=2, concurrency=1)
    assert len(lines) == 41
    assert len(model.sent) < 10
    assert lines[1][2].startswith(f"no connection to {URL}")
    assert lines[40][2].startswith("not sent: 3 chunks in a row failed before it")
    assert summary.unsent == sum(line[2].startswith("not sent") for line in lines)
    assert (summary.ok, summary.failed, summary.is_answered) == (0, 40, False)
    assert summary.stopped


@pytest.mark.parametrize("status", [401, 403, 404, 429, 502, 503, 504])
def test_chunk_refused_for_no_fault_of_its_rows_is_not_halved(
    mock: responses.RequestsMock, status: int
) -> None:
    """A refusal that no row is to blame for is the error of all rows, after one request."""
    model = serve(mock, ScriptedModel(lambda *_: problem(status, "closed")))
    summary, lines = score("x\n0\n1\n2\n")
    assert [line[2] for line in lines[1:]] == [f"{status}: closed"] * 3
    assert len(model.sent) == 1
    assert summary.is_answered


def test_sending_goes_on_when_the_server_comes_back(mock: responses.RequestsMock) -> None:
    """Two failed chunks between good ones stop nothing."""

    def fault(number: int, _rows: list[float]) -> Reply | None:
        return problem(503, "busy") if number in (1, 2) else None

    serve(mock, ScriptedModel(fault))
    summary, lines = score("x\n0\n1\n2\n0\n1\n", chunk_rows=1, concurrency=1)
    assert [line[1] for line in lines[1:]] == ["zero", "", "", "zero", "one"]
    assert (summary.ok, summary.unsent, summary.stopped) == (3, 0, "")


def test_connection_lost_while_halving_ends_the_halving(mock: responses.RequestsMock) -> None:
    """Rows predicted before keep their results, the rest of the chunk carries the error."""

    def fault(number: int, rows: list[float]) -> Reply | Exception | None:
        return _refused_connection(number, rows) if number > 1 else None

    model = serve(mock, ScriptedModel(fault))
    summary, lines = score("x\n0\n1\n666\n2\n")
    assert [line[1] for line in lines[1:]] == ["zero", "one", "", ""]
    assert [bool(line[2]) for line in lines[1:]] == [False, False, True, True]
    assert len(model.sent) == 3
    assert summary.is_answered


def test_missing_token_is_a_configuration_error(
    mock: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own settings are no fault of the rows: the run ends at once, and nothing is sent."""
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    endpoint = Endpoint.model_validate(
        {"url": URL, "auth": {"type": "bearer", "env": "NO_SUCH_TOKEN"}}
    )
    model = Model(InferenceClient(endpoint), "naming", signature=_signature(SIGNATURE))
    with pytest.raises(ConfigurationError, match="NO_SUCH_TOKEN"):
        score("x\n1\n", model=model)
    assert len(mock.calls) == 0


# Progress, cancelling, files


def test_progress_comes_after_each_chunk_in_order(model: ScriptedModel) -> None:
    """Progress counts rows, never backwards, up to the total."""
    seen: list[Progress] = []
    score("x\n0\nbad\n1\n2\n0\n", chunk_rows=2, on_progress=seen.append)
    counts = [(step.rows_done, step.rows_total, step.ok, step.failed) for step in seen]
    assert counts == [(2, 5, 1, 1), (4, 5, 3, 1), (5, 5, 4, 1)]


def test_cancelled_run_writes_every_row(model: ScriptedModel) -> None:
    """After cancelling nothing is sent; the rows left come out and say so."""
    cancel = threading.Event()
    summary, lines = score(
        "x\n" + "1\n" * 50,
        chunk_rows=1,
        concurrency=1,
        cancel=cancel,
        on_progress=lambda _: cancel.set(),
    )
    assert len(lines) == 51
    assert lines[1] == ["1", "one", ""]
    assert lines[50] == ["1", "", "not sent: cancelled"]
    assert summary.cancelled
    assert summary.unsent == summary.failed >= 45


def test_result_file_appears_only_when_it_is_whole(model: ScriptedModel, tmp_path: Path) -> None:
    """A run that breaks off leaves the old result file, and no half-written one."""
    source, sink = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("x\n1\n2\n")
    sink.write_text("before")

    def break_off(progress: Progress) -> None:
        assert sink.read_text() == "before"
        raise RuntimeError("the page was closed")

    with pytest.raises(RuntimeError, match="the page was closed"):
        score_csv(open_model(), source, sink, chunk_rows=1, on_progress=break_off)
    assert sink.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_result_file_may_be_read_by_whom_the_umask_lets(
    model: ScriptedModel, tmp_path: Path
) -> None:
    """The result file has the rights of any new file, not those of a temporary one."""
    source, plain = tmp_path / "in.csv", tmp_path / "plain"
    source.write_text("x\n1\n")
    plain.touch()
    score_csv(open_model(), source, tmp_path / "out.csv")
    mode = stat.S_IMODE((tmp_path / "out.csv").stat().st_mode)
    assert mode == stat.S_IMODE(plain.stat().st_mode)


def test_link_stays_a_link(model: ScriptedModel, tmp_path: Path) -> None:
    """Writing to a link writes the file it points to."""
    source, target, link = (tmp_path / name for name in ("in.csv", "target.csv", "link.csv"))
    source.write_text("x\n1\n")
    target.write_text("")
    link.symlink_to(target)
    score_csv(open_model(), source, link)
    assert link.is_symlink()
    assert target.read_text() == "x,prediction,error\n1,one,\n"


def test_device_is_written_to_and_stays(model: ScriptedModel, tmp_path: Path) -> None:
    """A pipe or device is no file to replace."""
    source, pipe = tmp_path / "in.csv", tmp_path / "pipe"
    source.write_text("x\n1\n")
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    score_csv(open_model(), source, pipe)
    reader.join(10)
    assert read == ["x,prediction,error\n1,one,\n"]
    assert pipe.is_fifo()


def test_folder_that_is_not_there_is_named_before_anything_is_sent(
    model: ScriptedModel, tmp_path: Path
) -> None:
    """A result that can't be written is found out first."""
    source = tmp_path / "in.csv"
    source.write_text("x\n1\n")
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        score_csv(open_model(), source, tmp_path / "nowhere" / "out.csv")
    assert model.sent == []


@pytest.mark.parametrize("option", ["chunk_rows", "concurrency"])
def test_numbers_below_one_are_refused(model: ScriptedModel, option: str) -> None:
    """No chunk without rows, no run without a request under way."""
    with pytest.raises(ValueError, match="at least 1"):
        score("x\n1\n", **{option: 0})


def test_only_a_few_chunks_are_held(mock: responses.RequestsMock) -> None:
    """However long the file is, no more than a few chunks are read ahead of the writing."""
    serve(mock, ScriptedModel())
    ahead: list[int] = []

    class Counting(io.BytesIO):
        lines = 0

        def __next__(self) -> bytes:
            self.lines += 1
            return super().__next__()

        def seekable(self) -> bool:
            return False

    source = Counting(b"x\n" + b"1\n" * 1000)
    score_csv(
        open_model(),
        source,
        io.StringIO(),
        chunk_rows=10,
        concurrency=2,
        on_progress=lambda step: ahead.append(source.lines - step.rows_done),
    )
    assert max(ahead) <= 10 * (2 + 2) + 1


def test_chunks_come_as_python_values(model: ScriptedModel) -> None:
    """Without a result file, the same run gives values and errors row by row."""
    chunks = list(scored_chunks(open_model(), io.BytesIO(b"x\n1\nbad\n"), chunk_rows=10))
    assert [chunk.results for chunk in chunks] == [{"prediction": ["one", None]}]
    assert [chunk.errors for chunk in chunks] == [["", "x: 'bad' is not a number"]]


# Properties

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
VALUES = st.sampled_from(["0", "1", "2", "666", "", "bad", "1e999"])
NAMES = {"0": "zero", "1": "one", "2": "two"}
FAULTS = st.lists(st.sampled_from([None, 503, 401, 500, "lost", "short"]), max_size=12)


def _fault(plan: list[Any]) -> Fault:
    def fault(number: int, rows: list[float]) -> Reply | Exception | None:
        planned = plan[number] if number < len(plan) else None
        if planned is None:
            return None
        if planned == "lost":
            return requests.ConnectionError("lost")
        if planned == "short":
            return predicted([int(row) % 3 for row in rows if row != REFUSED][:-1])
        return problem(planned, "as planned")

    return fault


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(TEXTS, VALUES, st.integers(-1, 1)), max_size=12),
    plan=FAULTS,
    chunk_rows=st.integers(1, 5),
    concurrency=st.integers(1, 3),
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_one_row_out_for_each_row_in(
    rows: list[tuple[str, str, int]],
    plan: list[Any],
    chunk_rows: int,
    concurrency: int,
    delimiter: str,
    newline: str,
) -> None:
    """Whatever fails: rows come out once, in order, untouched, with their own answer or error."""
    given_rows = [
        [note, value, "end"][: 3 + min(cut, 0)] + ["more"] * max(cut, 0)
        for note, value, cut in rows
    ]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL).writerows(
        [["note", "x", "end"], *given_rows]
    )
    out = io.StringIO(newline="")
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        serve(mock, ScriptedModel(_fault(plan)))
        summary = score_csv(
            open_model(),
            io.BytesIO(text.getvalue().encode()),
            out,
            chunk_rows=chunk_rows,
            concurrency=concurrency,
        )
    _, *lines = csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter)
    assert len(lines) == len(rows)
    for before, line in zip(given_rows, lines, strict=True):
        *cells, prediction, error = line
        assert cells == [*before[:3], *[""] * (3 - len(before))]
        assert bool(prediction) != bool(error)
        if prediction:
            assert prediction == NAMES[before[1]]
    assert (summary.rows, summary.ok) == (len(rows), sum(not line[-1] for line in lines))
    assert any(plan) or _all_good_rows_are_predicted(given_rows, lines)


def _all_good_rows_are_predicted(before: list[list[str]], lines: list[list[str]]) -> bool:
    return all(
        bool(line[-2]) == (len(row) == 3 and row[1] in NAMES)
        for row, line in zip(before, lines, strict=True)
    )
