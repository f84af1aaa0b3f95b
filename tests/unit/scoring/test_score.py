"""Scoring a table with a scripted model: each row out once, in order, with its result or its error."""

import csv
import io
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kserve_client import (
    ConfigurationError,
    Endpoint,
    InferenceClient,
    InputError,
    Model,
    Signature,
)
from kserve_client.predictions import Predictions
from kserve_client.scoring import (
    Progress,
    ReadOptions,
    ScoreOptions,
    Summary,
    Wishes,
    WriteOptions,
    scored,
)
from kserve_client.scoring import score as score_table
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
QUICK = 0.3


def options(**given: Any) -> ScoreOptions:
    return ScoreOptions(**{"chunk_rows": 1000, "concurrency": 4, "patience_s": QUICK} | given)


def score(text: str | bytes, **given: Any) -> tuple[Summary, list[list[str]]]:
    """The summary, and the cells of the output line by line."""
    data = text if isinstance(text, bytes) else text.encode()
    delimiter = given.pop("delimiter", ",")
    rest = {name: given.pop(name) for name in ("on_progress", "wishes") if name in given}
    model = given.pop("model", None) or open_model()
    out = io.StringIO(newline="")
    summary = score_table(model, io.BytesIO(data), out, options(**given), **rest)
    return summary, list(csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter))


# Results


def test_an_answer_that_breaks_our_reader_costs_its_rows_alone(
    model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was not thought of: the run goes on, and the rows say what it was."""
    arrays = Predictions.arrays

    def broken(found: Predictions) -> Any:
        if found[0].label == "two":
            raise ValueError("no such thing")
        return arrays(found)

    monkeypatch.setattr(Predictions, "arrays", broken)
    summary, lines = score("x\n0\n2\n1\n", chunk_rows=1)
    assert [line[1] for line in lines[1:]] == ["zero", "", "one"]
    assert lines[2][-1] == "the answer can't be read: ValueError: no such thing"
    assert summary.failed == 1


def test_every_row_comes_out_with_its_prediction(model: ScriptedModel) -> None:
    """Rows come out in order, original columns first, then the results, then the error."""
    summary, lines = score("id,x\n7,0\n8,2\n9,1\n", chunk_rows=2)
    assert lines == [
        ["id", "x", "prediction", "state", "error"],
        ["7", "0", "zero", "ok", ""],
        ["8", "2", "two", "ok", ""],
        ["9", "1", "one", "ok", ""],
    ]
    assert (summary.rows, summary.ok, summary.failed) == (3, 3, 0)
    assert sorted(model.sent) == [[0.0, 2.0], [1.0]]


def test_a_frame_is_scored_as_a_file_is(model: ScriptedModel) -> None:
    """Its rows once and in their order, each with its own prediction, whatever its index."""
    frame = pd.DataFrame({"id": ["a", "b", "c", "d"], "x": [0, 2, None, 1]}).iloc[[3, 1, 2, 0]]
    out = io.BytesIO()
    told: list[Progress] = []
    options = ScoreOptions(writing=WriteOptions(format="csv"), chunk_rows=3)
    summary = score_table(open_model(), frame, out, options, on_progress=told.append)
    assert out.getvalue().decode().splitlines() == [
        "id,x,prediction,state,error",
        "d,1.0,one,ok,",
        "b,2.0,two,ok,",
        "c,,,failed,x: is missing",
        "a,0.0,zero,ok,",
    ]
    assert (summary.rows, summary.ok, summary.failed) == (4, 3, 1)
    assert told[-1].rows_total == 4
    (chunk,) = scored(open_model(), frame)
    assert chunk.results is not None
    assert chunk.results.to_pydict() == {"prediction": ["one", "two", None, "zero"]}


def test_no_column_is_overwritten(model: ScriptedModel) -> None:
    """A result whose name is taken gets a number; the input's own columns stay."""
    _, lines = score("x,prediction,state,error,error_2\n1,mine,here,kept,too\n")
    assert lines == [
        ["x", "prediction", "state", "error", "error_2", "prediction_2", "state_2", "error_3"],
        ["1", "mine", "here", "kept", "too", "one", "ok", ""],
    ]


def test_text_of_cells_is_untouched(model: ScriptedModel) -> None:
    """Numbers keep their zeros and blanks, texts their quotes, commas and line ends."""
    _, lines = score('x ,note\n 1.00,"say ""hi"", \r\nthen go"\n')
    assert lines[1] == [" 1.00", 'say "hi", \r\nthen go', "one", "ok", ""]


def test_lone_carriage_return_survives(model: ScriptedModel) -> None:
    r"""A lone \r in a cell is quoted, since it would otherwise read as the end of the row."""
    _, lines = score('x,note\n1,"a\rb"\n2,c\n')
    assert lines[1:] == [["1", "a\rb", "one", "ok", ""], ["2", "c", "two", "ok", ""]]


def test_delimiter_line_ends_and_bom_stay(model: ScriptedModel, tmp_path: Path) -> None:
    """A file from a spreadsheet can go back into it: same delimiter, line ends and mark."""
    source, sink = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(b"\xef\xbb\xbfid;x\r\n1;2\r\n")
    score_table(open_model(), source, sink)
    assert sink.read_bytes() == b"\xef\xbb\xbfid;x;prediction;state;error\r\n1;2;two;ok;\r\n"


def test_unreadable_and_ragged_rows_fail_alone(model: ScriptedModel) -> None:
    """A bad cell or a wrong number of cells is the error of its row; the others are predicted."""
    summary, lines = score("id,x\n1,0\n2\n3,abc\n4,\n5,1,9,8\n6,2\n")
    assert lines[1:] == [
        ["1", "0", "zero", "ok", ""],
        ["2", "", "", "failed", "line 3 has 1 cell, the header has 2"],
        ["3", "abc", "", "failed", "x: 'abc' is not a number"],
        ["4", "", "", "failed", "x: is missing"],
        ["5", "1", "", "failed", "line 6 has 4 cells, the header has 2; in surplus: '9', '8'"],
        ["6", "2", "two", "ok", ""],
    ]
    assert (summary.ok, summary.failed) == (2, 4)
    assert summary.first_error == "row 2: line 3 has 1 cell, the header has 2"
    assert model.sent == [[0.0, 2.0]]


def test_decimal_commas_are_told(model: ScriptedModel) -> None:
    """In a file with points a number with a decimal comma is an error that says so."""
    _, lines = score('x,y\n"1,5",2\n')
    assert lines[1][-1] == "x: '1,5' is not a number; write a point, not a comma"
    assert model.sent == []


def test_decimal_commas_are_read(model: ScriptedModel) -> None:
    """A file that writes all its numbers so is read so, and its cells stay as they are."""
    _, lines = score("x;y\n1,0;2,5\n2,0;0,5\n", delimiter=";")
    assert [line[:3] for line in lines[1:]] == [["1,0", "2,5", "one"], ["2,0", "0,5", "two"]]
    assert model.sent == [[1.0, 2.0]]


def test_thousands_among_decimal_commas_are_read(model: ScriptedModel) -> None:
    """A point parts groups of three digits there; the cells stay as they are."""
    _, lines = score("x;y\n1,0;2,5\n1.000;0,5\n1.999,76;0,5\n", delimiter=";")
    assert [line[0] for line in lines[1:]] == ["1,0", "1.000", "1.999,76"]
    assert model.sent == [[1.0, 1000.0, 1999.76]]


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("1.20", "'1.20' has a point, and this file writes decimals with a comma"),
        ("1.99,76", "'1.99,76' is not a number"),
        ("k.A.", "'k.A.' is not a number"),
        ("12,5 kg", "'12,5 kg' is not a number"),
    ],
)
def test_a_cell_among_decimal_commas_has_one_error(
    model: ScriptedModel, cell: str, problem: str
) -> None:
    """It quotes what stands in the file, and speaks of the point only where that is all."""
    reading = ReadOptions(decimal=",")
    _, lines = score(f"x;y\n1,0;2,5\n{cell};0,5\n", delimiter=";", reading=reading)
    assert lines[2][-1] == f"x: {problem}"
    assert model.sent == [[1.0]]


def test_points_that_may_part_thousands_are_never_scored_by_a_guess(model: ScriptedModel) -> None:
    """Nothing is sent until somebody says what "1.200" is."""
    text = "x;y\n60;a\n1.200;b\n"
    with pytest.raises(InputError) as caught:
        score(text, delimiter=";")
    assert str(caught.value) == (
        "x: a number such as '1.200' (first in row 2) may be 1.2 or 1200, and nothing in the column "
        "shows which; say how the table writes decimals: --decimal . or --decimal , (in Python "
        "ReadOptions(decimal=…))"
    )
    assert model.sent == []
    score(text, delimiter=";", reading=ReadOptions(decimal="."))
    score(text, delimiter=";", reading=ReadOptions(decimal=","))
    assert model.sent == [[60.0, 1.2], [60.0, 1200.0]]


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
    assert [line[3] for line in lines[1:]] == ["", "", "", "400: 666 is refused", "", "", "", ""]
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
    model = Model(client, "naming", signature=Signature.model_validate(open_ended))
    serve(
        mock,
        ScriptedModel(lambda n, rows: predicted([1], "other" if n else "predict")),
    )
    _, lines = score("x\n1\n1\n", model=model, chunk_rows=1, concurrency=1)
    changed = "the answer has other columns than the first one: other instead of predict"
    assert lines[1:] == [["1", "1", "ok", ""], ["1", "", "failed", changed]]


def test_header_without_rows_gives_a_header(model: ScriptedModel) -> None:
    """An empty table is no failure."""
    summary, lines = score("x,y\n")
    assert lines == [["x", "y", "prediction", "state", "error"]]
    assert (summary.rows, summary.failed) == (0, 0)


def test_results_begin_late_when_the_first_chunks_fail(model: ScriptedModel) -> None:
    """Rows that failed before the result columns were known get them too, empty."""
    _, lines = score("x,y\n666,a\nbad,b\n3\n1,c\n", chunk_rows=1)
    assert lines == [
        ["x", "y", "prediction", "state", "error"],
        ["666", "a", "", "failed", "400: 666 is refused"],
        ["bad", "b", "", "failed", "x: 'bad' is not a number"],
        ["3", "", "", "failed", "line 4 has 1 cell, the header has 2"],
        ["1", "c", "one", "ok", ""],
    ]


def test_columns_are_found_with_blanks_around_their_names(model: ScriptedModel) -> None:
    """A blank after the comma of the header is no other column."""
    _, lines = score("id, x\n1, 2\n")
    assert lines == [["id", " x", "prediction", "state", "error"], ["1", " 2", "two", "ok", ""]]


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
        score_table(open_model(), source, sink)
    assert model.sent == []
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_source_is_never_its_own_result(model: ScriptedModel, tmp_path: Path) -> None:
    """A file is refused as the result of itself, whatever it is called."""
    source = tmp_path / "in.csv"
    source.write_text("x\n1\n")
    local = frozenset({"file"})
    for places in ({"sink": source}, {"sink": f"file://{source}"}, {"errors": str(source)}):
        with pytest.raises(ConfigurationError, match="have to be different files"):
            score_table(
                open_model(),
                source,
                options=options(writing=WriteOptions(schemes=local)),
                **{"sink": tmp_path / "out.csv"} | places,
            )
    assert (model.sent, source.read_text()) == ([], "x\n1\n")


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
        summary = score_table(open_model(), source, out, on_progress=seen.append)
    assert summary.ok == 2
    assert [step.rows_total for step in seen] == [None]


# When nobody answers


def _refused_connection(_number: int, _rows: list[float]) -> Exception:
    return requests.ConnectionError("refused")


def test_sending_stops_when_nobody_answers(mock: responses.RequestsMock) -> None:
    """A server that is gone is not asked for every row; each row comes out with the reason."""
    model = serve(mock, ScriptedModel(_refused_connection))
    summary, lines = score("x\n" + "1\n" * 400, chunk_rows=2, concurrency=1)
    assert len(lines) == 401
    assert len(model.sent) < 100
    for line in (lines[1], lines[400]):
        assert line[2] == "skipped"
        assert line[3].startswith(f"not sent: no answer for {QUICK} s: no connection to {URL}")
    assert (summary.ok, summary.failed, summary.skipped) == (0, 0, 400)
    assert not summary.is_answered
    assert summary.stopped


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_no_row_is_to_blame_for_ends_the_run(
    mock: responses.RequestsMock, status: int
) -> None:
    """After one request: neither halves nor patience would mend it."""
    model = serve(mock, ScriptedModel(lambda *_: problem(status, "closed")))
    summary, lines = score("x\n0\n1\n2\n")
    assert [line[2] for line in lines[1:]] == ["skipped"] * 3
    assert all(f"{status}" in line[3] and "closed" in line[3] for line in lines[1:])
    assert len(model.sent) == 1
    assert summary.skipped == 3


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_servers_are_asked_again(mock: responses.RequestsMock, status: int) -> None:
    """Nothing of it is seen in the result."""

    def fault(number: int, _rows: list[float]) -> Reply | None:
        return problem(status, "busy") if number in (1, 2) else None

    serve(mock, ScriptedModel(fault))
    summary, lines = score("x\n0\n1\n2\n0\n1\n", chunk_rows=1, concurrency=1, patience_s=30)
    assert [line[1] for line in lines[1:]] == ["zero", "one", "two", "zero", "one"]
    assert (summary.ok, summary.retried, summary.stopped) == (5, 2, "")


def test_connection_lost_while_halving_is_made_up_for(mock: responses.RequestsMock) -> None:
    """The chunk goes once more, and the bad row stands alone in the end."""

    def fault(number: int, rows: list[float]) -> Reply | Exception | None:
        return _refused_connection(number, rows) if number == 2 else None

    serve(mock, ScriptedModel(fault))
    summary, lines = score("x\n0\n1\n666\n2\n")
    assert [line[1] for line in lines[1:]] == ["zero", "one", "", "two"]
    assert [line[2] for line in lines[1:]] == ["ok", "ok", "failed", "ok"]
    assert summary.is_answered


def test_a_model_that_refuses_everything_is_left_alone(mock: responses.RequestsMock) -> None:
    """After a hundred rows of their own the fault is hardly theirs."""
    model = serve(mock, ScriptedModel(lambda *_: problem(500, "boom")))
    summary, lines = score("x\n" + "1\n" * 3000, chunk_rows=500, concurrency=1)
    assert len(model.sent) < 250
    assert summary.stopped == "the model refused each of the first 100 rows: 500: boom"
    assert {line[2] for line in lines[1:]} == {"skipped"}
    assert len(lines) == 3001


def test_an_answer_to_another_request_is_no_answer(mock: responses.RequestsMock) -> None:
    """The ids must be the same; once it is asked again."""

    def swapped(number: int, rows: list[float]) -> Reply | None:
        if number:
            return None
        status, headers, body = predicted([2 for _ in rows])
        return status, headers, body.replace('{"model_name"', '{"id": "other", "model_name"', 1)

    serve(mock, ScriptedModel(swapped))
    _, lines = score("x\n0\n1\n")
    assert [line[1] for line in lines[1:]] == ["zero", "one"]


def test_missing_token_is_a_configuration_error(
    mock: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own settings are no fault of the rows: the run ends at once, and nothing is sent."""
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    endpoint = Endpoint.model_validate(
        {"url": URL, "auth": {"type": "bearer", "env": "NO_SUCH_TOKEN"}}
    )
    model = Model(
        InferenceClient(endpoint), "naming", signature=Signature.model_validate(SIGNATURE)
    )
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
    wishes = Wishes()
    summary, lines = score(
        "x\n" + "1\n" * 50,
        chunk_rows=1,
        concurrency=1,
        wishes=wishes,
        on_progress=lambda _: wishes.cancel.set(),
    )
    assert len(lines) == 51
    assert lines[1] == ["1", "one", "ok", ""]
    assert lines[50] == ["1", "", "skipped", "not sent: cancelled"]
    assert summary.cancelled
    assert summary.skipped >= 45


def test_result_file_appears_only_when_it_is_whole(model: ScriptedModel, tmp_path: Path) -> None:
    """A run that breaks off leaves the old result file, and no half-written one."""
    source, sink = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("x\n1\n2\n")
    sink.write_text("before")

    def break_off(progress: Progress) -> None:
        assert sink.read_text() == "before"
        raise RuntimeError("the page was closed")

    with pytest.raises(RuntimeError, match="the page was closed"):
        score_table(open_model(), source, sink, options(chunk_rows=1), on_progress=break_off)
    assert sink.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_result_file_may_be_read_by_whom_the_umask_lets(
    model: ScriptedModel, tmp_path: Path
) -> None:
    """The result file has the rights of any new file, not those of a temporary one."""
    source, plain = tmp_path / "in.csv", tmp_path / "plain"
    source.write_text("x\n1\n")
    plain.touch()
    score_table(open_model(), source, tmp_path / "out.csv")
    mode = stat.S_IMODE((tmp_path / "out.csv").stat().st_mode)
    assert mode == stat.S_IMODE(plain.stat().st_mode)


def test_link_stays_a_link(model: ScriptedModel, tmp_path: Path) -> None:
    """Writing to a link writes the file it points to."""
    source, target, link = (tmp_path / name for name in ("in.csv", "target.csv", "link.csv"))
    source.write_text("x\n1\n")
    target.write_text("")
    link.symlink_to(target)
    score_table(open_model(), source, link)
    assert link.is_symlink()
    assert target.read_text() == "x,prediction,state,error\n1,one,ok,\n"


def test_device_is_written_to_and_stays(model: ScriptedModel, tmp_path: Path) -> None:
    """A pipe or device is no file to replace."""
    source, pipe = tmp_path / "in.csv", tmp_path / "pipe"
    source.write_text("x\n1\n")
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    score_table(open_model(), source, pipe)
    reader.join(10)
    assert read == ["x,prediction,state,error\n1,one,ok,\n"]
    assert pipe.is_fifo()


def test_folder_that_is_not_there_is_named_before_anything_is_sent(
    model: ScriptedModel, tmp_path: Path
) -> None:
    """A result that can't be written is found out first."""
    source = tmp_path / "in.csv"
    source.write_text("x\n1\n")
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        score_table(open_model(), source, tmp_path / "nowhere" / "out.csv")
    assert model.sent == []


@pytest.mark.parametrize("option", ["chunk_rows", "concurrency"])
def test_numbers_below_one_are_refused(model: ScriptedModel, option: str) -> None:
    """No chunk without rows, no run without a request under way."""
    with pytest.raises(ConfigurationError, match=option):
        score("x\n1\n", **{option: 0})


def test_chunks_come_without_a_result_file(model: ScriptedModel) -> None:
    """The same run gives results and errors as they are."""
    (chunk,) = scored(open_model(), io.BytesIO(b"x\n1\nbad\n"), options())
    assert chunk.results is not None
    assert chunk.results.to_pydict() == {"prediction": ["one", None]}
    assert dict(chunk.errors) == {1: "x: 'bad' is not a number"}


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
        summary = score_table(
            open_model(),
            io.BytesIO(text.getvalue().encode()),
            out,
            options(chunk_rows=chunk_rows, concurrency=concurrency),
        )
    _, *lines = csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter)
    assert len(lines) == len(rows)
    for before, line in zip(given_rows, lines, strict=True):
        *cells, prediction, state, error = line
        assert (state == "ok") == bool(prediction)
        assert cells == [*before[:3], *[""] * (3 - len(before))]
        assert bool(prediction) != bool(error)
        if prediction:
            assert prediction == NAMES[before[1]]
    assert (summary.rows, summary.ok) == (len(rows), sum(not line[-1] for line in lines))
    assert {401, 500, "short"} & set(plan) or _all_good_rows_are_predicted(given_rows, lines)


def _all_good_rows_are_predicted(before: list[list[str]], lines: list[list[str]]) -> bool:
    return all(
        bool(line[-3]) == (len(row) == 3 and row[1] in NAMES)
        for row, line in zip(before, lines, strict=True)
    )
