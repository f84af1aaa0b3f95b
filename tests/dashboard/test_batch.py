"""The page Batch, step by step, over a small real server with scripted answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import gateway
from dashboard.batch import results
from dashboard.batch.checking import summary
from dashboard.batch.draft import Look
from kserve_client.errors import ConfigurationError, InputError
from kserve_client.scoring import DaskCluster, Rows, Scored, Summary, run_job
from kserve_client.scoring.checking import Findings
from kserve_client.scoring.job import Job
from kserve_client.scoring.progress import Progress
from tests.dashboard.conftest import OpenPage, flower
from tests.dashboard.reading import alert, links, pick, plain, title, words
from tests.v2_server import PLAIN_500, Json, Reply, V2Server, tensor

LIMIT_S = 30.0
# Who asks, as AppTest has it.
ME = "test@example.com"


def batch(
    open_page: OpenPage, data: str | bytes, model: str = "flower", name: str = "rows.csv"
) -> AppTest:
    """Open the page and upload a file."""
    app = open_page("batch", m=model)
    content = data.encode() if isinstance(data, str) else data
    app.file_uploader[0].upload(name, content, "text/csv").run()
    return app


def finished(app: AppTest) -> AppTest:
    """Press the button and wait for the end of the job."""
    app.button(key="start").click().run()
    return over(app)


def over(app: AppTest) -> AppTest:
    """Look again until the job is over, as the page does by itself."""
    deadline = time.monotonic() + LIMIT_S
    while len(app.get("progress")):
        assert time.monotonic() < deadline, words(app)
        time.sleep(0.05)
        app.run()
    return app


def steps(app: AppTest) -> list[str]:
    """Return the lines of the steps."""
    return [plain(step.label) for step in app.expander]


def step(app: AppTest, name: str) -> str:
    """Return the line of one step."""
    (found,) = [line for line in steps(app) if line.startswith(f"{name} · ")]
    return found


def buttons(app: AppTest) -> list[str]:
    """Return the labels of the buttons of the page."""
    return [button.label for button in app.main.button]


def rows_of(app: AppTest) -> list[list[str]]:
    """Return the cells of the result as they are shown."""
    (table,) = app.dataframe
    return [list(map(str, row)) for row in table.value.to_numpy()]


def counts(app: AppTest) -> dict[str, str]:
    """Return the figures of a result by their names."""
    return {metric.label: metric.value for metric in app.metric}


def job_of(app: AppTest) -> str:
    """Return the job that the address names."""
    found = app.query_params["job"]
    return str(found[0] if isinstance(found, list) else found)


def csv_of(count: int, separator: str = ",") -> str:
    """Return rows of alternating tulips and roses, each with a name of its own."""
    rows = [f"{2 if at % 2 else 8}{separator}1{separator}n{at}" for at in range(count)]
    return "\n".join([separator.join(("length", "width", "name")), *rows]) + "\n"


# Step one: a table


def test_before_a_file_the_page_says_what_it_needs(open_page: OpenPage) -> None:
    """The columns by name, and a template to fill in; nothing else to press."""
    app = open_page("batch", m="flower")
    assert title(app).endswith("Flower")
    seen = words(app)
    assert "length" in seen
    assert "width" in seen
    (button,) = app.download_button
    assert button.label == "Download a template"
    assert buttons(app) == []


def test_a_file_that_fits_needs_one_more_click(open_page: OpenPage, server: V2Server) -> None:
    """Three quiet lines, closed, and the one button; nothing was sent yet."""
    app = batch(open_page, csv_of(3))
    assert steps(app) == [
        "Table · rows.csv · 3 columns · comma between cells · UTF-8",
        "Columns · all 2 inputs found by name",
        "Check · 3 rows · nothing wrong",
    ]
    assert not any(step.proto.expanded for step in app.expander)
    (there,) = app.dataframe
    assert there.value.to_numpy().tolist() == [["8", "1", "n0"], ["2", "1", "n1"], ["8", "1", "n2"]]
    assert there.value.index.tolist() == [1, 2, 3]
    assert buttons(app)[-2:] == ["Score 3 rows", "Another table"]
    assert server.inferences == []


def test_another_table_takes_the_first_one_away(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back at the beginning, and the upload is off the disk."""
    monkeypatch.setenv("KSERVE_CLIENT_JOBS_FOLDER", str(tmp_path / "jobs"))

    def is_kept() -> bool:
        files = [path for path in (tmp_path / "jobs").rglob("*") if path.is_file()]
        return any(path.read_bytes() == csv_of(3).encode() for path in files)

    app = batch(open_page, csv_of(3))
    assert is_kept()
    app.button(key="another").click().run()
    assert len(app.file_uploader) == 1
    assert len(app.info) == 0
    assert not is_kept()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("length,width\n", "the file has a header, but no rows"),
        ("", "the file is empty"),
        ('length,width\n"1,2\n', "a quote is opened in this row and never closed"),
        (b"PK\x03\x04\x14\x00\x06\x00" + bytes(200), "save the table as CSV"),
    ],
)
def test_a_file_that_can_t_be_read_is_explained(
    open_page: OpenPage, server: V2Server, data: str | bytes, said: str
) -> None:
    """What is wrong, where, and nothing to start."""
    app = batch(open_page, data)
    assert said.casefold() in alert(app, "warning").casefold()
    assert buttons(app) == ["Another table"]
    assert server.inferences == []


def test_an_upload_beyond_the_limit_is_refused(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says the limit, and nothing of the file is prepared."""
    monkeypatch.setenv("KSERVE_CLIENT_LARGEST_UPLOAD_MB", "1")
    app = batch(open_page, csv_of(150_000))
    assert "1 MB" in alert(app, "warning")
    assert len(app.file_uploader) == 1
    assert steps(app) == []


def test_a_table_beyond_the_limit_of_rows_is_refused(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting's number is said, and there is nothing to start."""
    monkeypatch.setenv("KSERVE_CLIENT_LARGEST_ROWS", "10")
    app = batch(open_page, csv_of(11))
    assert "more than 10 rows" in alert(app, "warning")
    assert buttons(app) == ["Another table"]


def test_a_file_is_read_differently_when_somebody_says_so(open_page: OpenPage) -> None:
    """Read with the bar between its cells, a file has the columns that were missing."""
    app = batch(open_page, "length|width,x\n8|1,5\n")
    (delimiter,) = [box for box in app.selectbox if box.label == "Between cells"]
    delimiter.select(",").run()
    assert "comma between cells" in step(app, "Table")
    (delimiter,) = [box for box in app.selectbox if box.label == "Between cells"]
    delimiter.select("|").run()
    assert "bar between cells" in step(app, "Table")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_found(open_page: OpenPage, separator: str) -> None:
    """Semicolon and tab are read, and the result is shown in its columns too."""
    app = finished(batch(open_page, csv_of(3, separator)))
    assert [row[:4] for row in rows_of(app)] == [
        ["8", "1", "n0", "Tulip"],
        ["2", "1", "n1", "Rose"],
        ["8", "1", "n2", "Tulip"],
    ]


def test_json_lines_are_a_table_as_well(open_page: OpenPage) -> None:
    """Each line an object, its names the columns; the result is offered in the same form."""
    lines = '{"length": 8, "width": 1}\n{"length": 2, "width": 1}\n'
    app = finished(batch(open_page, lines, name="rows.jsonl"))
    assert "All 2 rows" in alert(app, "success")
    (form,) = [control for control in app.segmented_control if control.label == "Format"]
    assert form.value == "json-lines"


def test_a_table_is_picked_from_those_that_are_offered(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that the settings name: its tables by name, none of what lies beside it."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    (folder / "garden.csv").write_text(csv_of(4))
    monkeypatch.setenv("KSERVE_CLIENT_SOURCES", str(folder))
    app = open_page("batch", m="flower")
    (way,) = app.segmented_control
    way.set_value("Choose a table that is there").run()
    (table,) = [box for box in app.selectbox if box.label == "Table"]
    assert len(table.options) == 1
    assert "garden.csv" in table.options[0]
    table.select_index(0).run()
    app.button(key="use").click().run()
    app = finished(app)
    assert "All 4 rows" in alert(app, "success")
    assert (folder / "garden.csv").read_text() == csv_of(4)


def test_columns_without_a_name_are_no_trouble(open_page: OpenPage) -> None:
    """A spreadsheet left commas at the end of each line."""
    app = finished(batch(open_page, "length,width,,\n8,1,,\n2,1,,\n"))
    assert "All 2 rows" in alert(app, "success")


# Step two: columns


def test_other_letters_are_taken_and_likeness_is_asked_about(open_page: OpenPage) -> None:
    """A column "Length" is length; "widht" is proposed for width, and waits for a yes."""
    app = batch(open_page, "Length,widht\n8,1\n2,1\n")
    assert step(app, "Columns") == "Columns · 1 to confirm"
    assert not any(line.startswith("Check") for line in steps(app))
    (choice,) = [box for box in app.selectbox if box.label.startswith("Petal width")]
    assert choice.value == "widht"
    app.button(key="columns").click().run()
    assert step(app, "Columns") == "Columns · all 2 inputs found"
    app = finished(app)
    assert [row[2] for row in rows_of(app)] == ["Tulip", "Rose"]


def test_a_missing_column_is_chosen_by_hand(open_page: OpenPage, server: V2Server) -> None:
    """Until each input has one there is nothing to press; then the run reads that column."""
    app = batch(open_page, "a,b\n8,1\n2,1\n")
    assert step(app, "Columns") == "Columns · 2 not found"
    assert "Still to be chosen: Petal length, Petal width" in words(app)
    assert app.button(key="columns").disabled
    for label, column in (("Petal length", "a"), ("Petal width", "b")):
        (box,) = [box for box in app.selectbox if box.label.startswith(label)]
        box.select(column).run()
    app.button(key="columns").click().run()
    finished(app)
    assert server.inferences[0]["inputs"][0]["data"] == [8, 1, 2, 1]


def test_a_fixed_value_stands_in_for_a_column(open_page: OpenPage, server: V2Server) -> None:
    """The same width in every row; text that is no number is refused in words."""
    app = batch(open_page, "length\n8\n2\n")
    (box,) = [box for box in app.selectbox if box.label.startswith("Petal width")]
    box.select_index(1).run()
    (value,) = [field for field in app.text_input if field.label == "Value of Petal width"]
    value.input("wide").run()
    assert "'wide' is not a number" in words(app)
    assert app.button(key="columns").disabled
    (value,) = [field for field in app.text_input if field.label == "Value of Petal width"]
    value.input("1.5").run()
    app.button(key="columns").click().run()
    assert "1 with a fixed value" in step(app, "Columns")
    finished(app)
    assert server.inferences[0]["inputs"][0]["data"] == [8, 1.5, 2, 1.5]


def test_another_unit_is_converted(open_page: OpenPage, server: V2Server) -> None:
    """Millimetres times 0.1 are the centimetres that the model gets."""
    app = batch(open_page, "length,width\n80,10\n")
    (toggle,) = [toggle for toggle in app.toggle if toggle.label == "Show every input"]
    toggle.set_value(True).run()
    for factor in range(2):
        app.number_input[2 * factor].set_value(0.1).run()
    finished(app)
    assert server.inferences[0]["inputs"][0]["data"] == pytest.approx([8, 1])


# Step three: the check


def test_findings_are_counted_with_examples(open_page: OpenPage) -> None:
    """What can't be sent and what is out of range, with rows and cells; sending is the default."""
    app = batch(open_page, "length,width\n8,1\noops,1\n2,\n2,9\n")
    assert step(app, "Check") == "Check · 4 rows · 2 can't be sent · 1 outside the usual range"
    labels = [plain(box.label) for box in app.selectbox]
    assert "Petal length · 1 row holds no number (row 2 ('oops'))" in labels
    assert "Petal width · 1 row is outside 0 to 4 cm (row 4 ('9'))" in labels
    app = finished(app)
    assert counts(app) == {"Rows": "4", "Predicted": "2", "Failed": "2"}


def test_a_part_of_a_table_tells_the_least() -> None:
    """Where the check was left, or pictures were not all read, more rows may be in trouble."""
    found = Findings(9, refused=4, outside=1)
    assert summary(found, is_whole=True) == ("9 rows · 4 can't be sent · 1 outside the usual range")
    least = "at least 4 can't be sent · at least 1 outside the usual range"
    assert summary(found, is_whole=False) == f"the first 9 rows · {least}"
    assert summary(replace(found, unread=("image",)), is_whole=True) == f"9 rows · {least}"


def test_points_that_may_part_thousands_are_asked_about(
    open_page: OpenPage, server: V2Server
) -> None:
    """Nothing is chosen and nothing can be started before a person says what "1.200" is."""
    app = batch(open_page, "length;width\n1.200;1\n2.350;1\n")
    assert step(app, "Check") == "Check · how are decimals written?"
    assert "start" not in [button.key for button in app.main.button]
    (question,) = app.radio
    assert "length holds numbers such as 1.200 (first in row 1)" in plain(question.label)
    assert question.value is None
    assert question.options == [
        "1.2: the point parts decimals",
        "1200: the point parts thousands",
    ]
    question.set_value(",").run()
    assert "decimal comma" in step(app, "Table")
    finished(app)
    assert server.inferences[0]["inputs"][0]["data"] == [1200, 1, 2350, 1]


def test_points_that_are_said_to_be_decimal_ones_are(open_page: OpenPage, server: V2Server) -> None:
    """The other answer to the same question."""
    app = batch(open_page, "length;width\n1.200;1\n2.350;1\n")
    app.radio[0].set_value(".").run()
    finished(app)
    assert server.inferences[0]["inputs"][0]["data"] == [1.2, 1, 2.35, 1]


def test_rows_are_left_out_by_choice(open_page: OpenPage) -> None:
    """They come back without a prediction, with the reason, and count as left out."""
    app = batch(open_page, "length,width\n8,1\noops,1\n")
    (box,) = [box for box in app.selectbox if plain(box.label).startswith("Petal length · 1 row")]
    box.select("drop").run()
    app = finished(app)
    assert counts(app) == {"Rows": "2", "Predicted": "1", "Failed": "0", "Left out": "1"}
    assert "1 row has a prediction · 1 row left out" in alert(app, "success")
    assert not [label for label in buttons(app) if label.startswith("Try")]
    assert "can't be sent as" not in words(app)
    assert "left out: length" in rows_of(app)[1][-1]


def test_a_decimal_comma_is_mended(open_page: OpenPage, server: V2Server) -> None:
    """A cell "7,5" in a file of points is read as 7.5 once somebody says so."""
    app = batch(open_page, 'length,width\n8,1\n"7,5",1\n')
    (box,) = [box for box in app.selectbox if plain(box.label).startswith("Petal length · 1 row")]
    box.select("fix").run()
    finished(app)
    assert server.inferences[0]["inputs"][0]["data"] == [8, 1, 7.5, 1]


def test_repeated_cells_of_a_key_are_found(open_page: OpenPage) -> None:
    """A column is named as the key: how often its cells occur again."""
    app = batch(open_page, "length,width,id\n8,1,a\n2,1,b\n3,1,a\n")
    (box,) = [box for box in app.selectbox if box.label == "Look for repeats in"]
    box.select("id").run()
    assert step(app, "Check") == "Check · 3 rows · 1 repeated"
    assert "row 3 as row 1" in words(app)


def test_ragged_lines_are_said_before_and_fail_alone(open_page: OpenPage) -> None:
    """The first of them is named; the other rows get a prediction."""
    app = batch(open_page, "length,width\n8,1\n2\n2,1\n1,2,3\n")
    assert "2 of 4 rows don't fit under the header (row 2" in words(app)
    app = finished(app)
    assert counts(app) == {"Rows": "4", "Predicted": "2", "Failed": "2"}


def test_a_long_check_may_be_skipped(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked at by then is said, and all rows can be scored."""
    go_on = Look.go_on

    def stopped_early(self: Look, seconds: float) -> None:
        go_on(self, seconds)
        self.is_whole = False

    monkeypatch.setattr(Look, "go_on", stopped_early)
    app = batch(open_page, csv_of(3))
    assert step(app, "Check") == "Check · the first 3 rows · nothing wrong"
    assert app.button(key="start").label == "Score all rows"


# Step four: a try


def test_a_try_is_offered_for_more_rows_than_it_has(open_page: OpenPage) -> None:
    """Ten rows are scored as quickly as they are tried."""
    assert "Try 10 rows first" not in buttons(batch(open_page, csv_of(10)))
    app = batch(open_page, csv_of(11))
    assert buttons(app)[-3:] == ["Score 11 rows", "Try 10 rows first", "Another table"]


def test_ten_rows_are_tried(open_page: OpenPage, server: V2Server) -> None:
    """Their results, the rate and the time for all; nothing is kept as a job."""
    app = batch(open_page, csv_of(30))
    app.button(key="try").click().run()
    line = step(app, "Try")
    assert line.startswith("Try · 10 of 10 rows predicted · ")
    assert "rows per second or more · all of it in" in line
    tried = app.dataframe[-1].value
    assert len(tried) == 10
    assert tried["prediction"].tolist() == ["Tulip", "Rose"] * 5
    assert len(server.inferences[0]["inputs"][0]["data"]) == 20
    assert gateway.jobs().mine(ME) == []
    assert "Try 10 rows first" not in buttons(app)


def test_a_try_of_a_server_that_is_down_says_so(open_page: OpenPage, server: V2Server) -> None:
    """No rate is made up; the way to the health page is shown."""
    app = batch(open_page, csv_of(12))
    server.stop()
    app.button(key="try").click().run()
    assert step(app, "Try") == "Try · 0 of 10 rows predicted"
    assert "See which step fails" in links(app)


# Step five: the run

Hold = tuple[threading.Event, Callable[[Json], Json]]


@pytest.fixture
def hold() -> Hold:
    """Return a model that waits for an event before it answers."""
    go = threading.Event()

    def slow(request: Json) -> Json:
        go.wait(LIMIT_S)
        return flower(request)

    return go, slow


def test_progress_is_shown_while_it_runs(open_page: OpenPage, server: V2Server, hold: Hold) -> None:
    """A bar, pause and cancel, and the same for whoever opens the link; then the result in pages."""
    go, server.models["flower"] = hold
    app = batch(open_page, csv_of(2500)).button(key="start").click().run()
    assert len(app.get("progress")) == 1
    assert buttons(app)[-2:] == ["Pause", "Cancel"]
    again = open_page("batch", m="flower", job=job_of(app))
    assert len(again.get("progress")) == 1
    go.set()
    assert "All 2,500 rows" in alert(over(app), "success")
    assert "Rows 1 to 100 of 2,500" in words(app)
    assert len(rows_of(app)) == 100
    (pages,) = app.pagination
    pages.set_value(25).run()
    assert "Rows 2,401 to 2,500 of 2,500" in words(app)
    assert rows_of(app)[-1][2:4] == ["n2499", "Rose"]


def test_a_run_on_the_cluster_is_named_so(
    open_page: OpenPage, server: V2Server, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a few words, while it runs; tests/dashboard/test_jobs_cluster.py has a real cluster."""

    def stand_in(*given: Any, cluster: DaskCluster, **wanted: Any) -> Summary:
        assert cluster.scheduler == "tcp://dask:8786"
        return run_job(*given, **wanted)

    monkeypatch.setattr("dashboard.jobs.work.score_on_dask", stand_in)
    monkeypatch.setenv("KSERVE_CLIENT_DASK_SCHEDULER", "tcp://dask:8786")
    monkeypatch.setenv("KSERVE_CLIENT_DASK_FROM_MB", "0")
    go, server.models["flower"] = hold
    app = batch(open_page, csv_of(50)).button(key="start").click().run()
    deadline = time.monotonic() + LIMIT_S
    while " · on the cluster" not in app.get("progress")[0].proto.text:
        assert time.monotonic() < deadline, words(app)
        app.run()
    go.set()
    assert "All 50 rows" in alert(over(app), "success")
    assert "on the cluster" not in words(app)


def test_a_run_is_paused_and_goes_on(open_page: OpenPage, server: V2Server, hold: Hold) -> None:
    """Paused, the one thing to do is to go on."""
    go, server.models["flower"] = hold
    app = batch(open_page, csv_of(50)).button(key="start").click().run()
    app.button(key="pause").click().run()
    go.set()
    assert buttons(app)[-2:] == ["Go on", "Cancel"]
    assert "the job stays as it is, in the list, until somebody lets it go on" in words(app)
    app.button(key="go_on").click().run()
    assert "All 50 rows" in alert(over(app), "success")


def test_cancel_keeps_what_is_there_and_the_rest_can_be_done(
    open_page: OpenPage, server: V2Server, hold: Hold
) -> None:
    """The job can be taken up again from where it ended; in the end every row has a prediction."""
    go, server.models["flower"] = hold
    app = batch(open_page, csv_of(20_000)).button(key="start").click().run()
    app.button(key="cancel").click().run()
    go.set()
    assert "Cancelled" in alert(over(app), "warning")
    assert buttons(app)[0] == "Do the rest"
    app.button(key="resume").click().run()
    assert "All 20,000 rows" in alert(over(app), "success")
    assert counts(app) == {"Rows": "20,000", "Predicted": "20,000", "Failed": "0"}


def test_rows_that_fail_are_told_while_it_runs(
    open_page: OpenPage, server: V2Server, hold: Hold
) -> None:
    """The number of the row and the reason, before the run is over."""
    go, slow = hold
    lines = "".join(f"{'oops' if at == 3 else 2},1\n" for at in range(40_000))

    def first_chunks(request: Json) -> Json:
        return flower(request) if len(server.inferences) < 5 else slow(request)

    server.models["flower"] = first_chunks
    app = batch(open_page, f"length,width\n{lines}").button(key="start").click().run()
    deadline = time.monotonic() + LIMIT_S
    while "Row 4 · length: 'oops' is not a number" not in words(app):
        assert time.monotonic() < deadline, words(app)
        app.run()
    assert len(app.get("progress")) == 1
    go.set()
    assert counts(over(app))["Failed"] == "1"


# Step six: results


def test_every_row_comes_back(open_page: OpenPage, server: V2Server) -> None:
    """150 rows in order, with label and probabilities, and none failed; no page shows more than 100."""
    app = finished(batch(open_page, csv_of(150)))
    assert "All 150 rows have a prediction" in alert(app, "success")
    assert counts(app) == {"Rows": "150", "Predicted": "150", "Failed": "0"}
    rows = rows_of(app)
    assert len(rows) == 100
    assert rows[0][:4] == ["8", "1", "n0", "Tulip"]
    assert rows[99][:4] == ["2", "1", "n99", "Rose"]
    sent = sum(len(request["inputs"][0]["data"]) for request in server.inferences)
    assert sent == 300
    labels = [button.label for button in app.download_button]
    assert labels == ["Download the result", "Download", "Download the manifest"]


def test_the_job_has_a_link_that_another_session_may_open(open_page: OpenPage) -> None:
    """F5 or a second tab: the address leads to the same result."""
    app = finished(batch(open_page, csv_of(4)))
    again = open_page("batch", m="flower", job=job_of(app))
    assert len(rows_of(over(again))) == 4
    assert "All 4 rows" in alert(again, "success")


def test_another_table_can_be_scored_after_a_result(open_page: OpenPage) -> None:
    """The button leads back to the upload, without the old job in the address, which is in the list."""
    app = finished(batch(open_page, csv_of(2)))
    app.button(key="another").click().run()
    assert len(app.file_uploader) == 1
    assert "job" not in app.query_params
    assert "rows.csv · Flower" in words(app)


@pytest.mark.parametrize("asked", ["from-yesterday", "../../etc", "x"])
def test_an_unknown_job_is_said(open_page: OpenPage, asked: str) -> None:
    """A link from before: an explanation, and the upload."""
    app = open_page("batch", m="flower", job=asked)
    assert "no job of this link" in alert(app, "info")
    assert len(app.file_uploader) == 1


@pytest.mark.parametrize("model", ["flower", "weight"])
def test_a_foreign_job_is_as_if_it_were_not_there(open_page: OpenPage, model: str) -> None:
    """The link of somebody else opens nothing, whatever its model; the list does not have it."""
    mine = finished(batch(open_page, csv_of(2)))
    other = open_page("batch", m=model)
    other.user["email"] = "other@example.org"
    other.query_params["job"] = job_of(mine)
    other.run()
    assert "no job of this link" in alert(other, "info")
    assert len(other.file_uploader) == 1
    assert "rows.csv" not in words(other)


def test_a_job_of_another_model_is_not_shown(open_page: OpenPage) -> None:
    """The model is changed while a result is in sight: its own upload, and the way back."""
    app = finished(batch(open_page, csv_of(2)))
    pick(app, "weight")
    assert title(app).endswith("Weight")
    assert alert(app, "info") == "The job rows.csv of this link is one of Flower."
    assert len(app.file_uploader) == 1
    assert len(app.dataframe) == 0
    app.button(key="open.asked").click().run()
    assert title(app).endswith("Flower")
    assert len(app.file_uploader) == 0
    assert "rows.csv" in words(app)


def test_failed_rows_are_listed(open_page: OpenPage) -> None:
    """How many, the first reason, and a way to see only them."""
    app = finished(batch(open_page, "length,width,name\n8,1,a\noops,1,b\n2,1,c\n"))
    said = alert(app, "warning")
    assert "1 of 3 rows failed" in said
    assert "Row 2: length: 'oops' is not a number" in said
    (show,) = [control for control in app.segmented_control if control.label == "Show"]
    show.set_value("Failed").run()
    assert "1 row matches." in words(app)
    (row,) = rows_of(app)
    assert "b" in row
    assert any("'oops' is not a number" in cell for cell in row)


def test_rows_are_found_by_text_and_by_prediction(open_page: OpenPage) -> None:
    """The case of letters does not matter; the rows keep their numbers."""
    app = finished(batch(open_page, csv_of(30)))
    (search,) = [field for field in app.text_input if field.label == "Search"]
    search.input("N29").run()
    (row,) = rows_of(app)
    assert row[:4] == ["2", "1", "n29", "Rose"]
    assert app.dataframe[0].value.index.tolist() == [30]
    (search,) = [field for field in app.text_input if field.label == "Search"]
    search.input("").run()
    (answer,) = [box for box in app.selectbox if box.label == "Prediction"]
    answer.select("Tulip").run()
    assert "15 rows match." in words(app)
    assert {row[3] for row in rows_of(app)} == {"Tulip"}


def test_rows_that_failed_are_tried_again(open_page: OpenPage, server: V2Server) -> None:
    """Once the server takes them they have predictions; the others were not sent again."""
    server.models["flower"] = lambda _: PLAIN_500
    app = finished(batch(open_page, csv_of(2)))
    server.models["flower"] = flower
    app.button(key="retry").click().run()
    assert "All 2 rows have a prediction" in alert(over(app), "success")


def test_a_job_of_which_all_rows_failed_is_no_success(open_page: OpenPage) -> None:
    """The list says so, with a warning; the result names the first row, however many came after."""
    app = finished(batch(open_page, "length,width\n" + "oops,1\n" * 25))
    assert alert(app, "warning").startswith("25 of 25 rows failed. Row 1: length: 'oops'")
    app.button(key="another").click().run()
    listed = "\n".join(element.value for element in app.markdown)
    assert ":material/warning: **rows.csv**" in listed
    assert "all rows failed · 25 rows, 25 failed" in listed


def test_only_rows_that_can_be_sent_are_offered_again(
    open_page: OpenPage, server: V2Server
) -> None:
    """Of four rows without a prediction the server refused two; the table is wrong in the others."""
    server.models["flower"] = lambda _: PLAIN_500
    app = finished(batch(open_page, "length,width\n8,1\noops,1\n2\n2,1\n"))
    assert counts(app) == {"Rows": "4", "Predicted": "0", "Failed": "4"}
    assert "Try 2 rows again" in buttons(app)
    assert "2 rows can't be sent as they are: correct the table" in words(app)
    server.models["flower"] = flower
    app.button(key="retry").click().run()
    app = over(app)
    assert counts(app) == {"Rows": "4", "Predicted": "2", "Failed": "2"}
    assert not [label for label in buttons(app) if label.startswith("Try")]
    assert "2 rows can't be sent as they are: correct the table" in words(app)


def test_rows_that_somebody_left_out_are_not_offered_and_not_blamed(
    open_page: OpenPage, server: V2Server
) -> None:
    """Only the one that the server refused is talked of."""
    server.models["flower"] = lambda _: PLAIN_500
    app = batch(open_page, "length,width\n8,1\noops,1\n")
    (box,) = [box for box in app.selectbox if "1 row" in plain(box.label)]
    box.select("drop").run()
    app = finished(app)
    assert counts(app) == {"Rows": "2", "Predicted": "0", "Failed": "1", "Left out": "1"}
    assert "Try 1 row again" in buttons(app)
    assert "can't be sent as" not in words(app)


def test_many_failed_rows_are_offered_uncounted(
    open_page: OpenPage, server: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To count those that can be sent would take long."""
    monkeypatch.setattr(results, "MOST_COUNTED", 1)
    server.models["flower"] = lambda _: PLAIN_500
    app = finished(batch(open_page, csv_of(2)))
    assert "Try the failed rows again" in buttons(app)


def test_a_result_whose_first_failure_can_not_be_read_is_shown(
    open_page: OpenPage, server: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can be done with it stays; a damaged part is told with the rows."""

    def damaged(_: object) -> None:
        raise ConfigurationError("part 1 is damaged")

    monkeypatch.setattr(gateway, "first_failure", damaged)
    server.models["flower"] = lambda _: PLAIN_500
    app = finished(batch(open_page, csv_of(2)))
    assert alert(app, "warning") == "2 of 2 rows failed."
    assert "Delete" in buttons(app)


def test_rows_of_a_model_that_has_changed_may_still_be_tried_again(
    open_page: OpenPage, server: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can read its cells now; the job itself says what has changed."""

    def changed(_: object) -> int:
        raise InputError("the feature length is not in the signature any more")

    monkeypatch.setattr(gateway, "sendable", changed)
    server.models["flower"] = lambda _: PLAIN_500
    app = finished(batch(open_page, csv_of(2)))
    assert "Try the failed rows again" in buttons(app)


def test_a_row_the_server_refuses_stands_alone(open_page: OpenPage, server: V2Server) -> None:
    """One poisoned row of eight: seven predictions, one error in the server's words."""

    def picky(request: Json) -> Json | Reply:
        if 6.66 in [round(number, 2) for number in request["inputs"][0]["data"]]:
            return Reply(400, {"error": "6.66 is no length"})
        return flower(request)

    server.models["flower"] = picky
    lines = [f"{6.66 if at == 5 else 2},1,n{at}" for at in range(8)]
    app = finished(batch(open_page, "\n".join(["length,width,name", *lines])))
    assert counts(app) == {"Rows": "8", "Predicted": "7", "Failed": "1"}
    assert "6.66 is no length" in alert(app, "warning")
    assert [row[2] for row in rows_of(app)] == [f"n{at}" for at in range(8)]


def test_a_server_that_is_down_stops_the_job_in_words(
    open_page: OpenPage, server: V2Server
) -> None:
    """The job ends, with the reason, and the rest can be done later."""
    app = batch(open_page, csv_of(3))
    server.stop()
    finished(app)
    assert alert(app, "error").startswith("Stopped after 0 of 3 rows: No ")
    assert "See which step fails" in links(app)
    assert buttons(app)[0] == "Do the rest"


@pytest.mark.parametrize("total", [None, 300])
def test_rows_after_a_gap_keep_their_numbers(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, total: int | None
) -> None:
    """A run that ended with rows 138 to 274, but not with those before, shows just these."""

    def broken_off(
        job: Job, *_: object, on_progress: Callable[[Progress], None], **__: object
    ) -> Summary:
        names = [f"n{number}" for number in range(137, 274)]
        cells = pa.table({"length": names, "width": names, "name": names}).to_batches()[0]
        job.record(Scored(Rows(137, cells), None, dict.fromkeys(range(137), "unlucky")))
        job.flush()
        on_progress(Progress(137, total, 0, 137, 0, 0.0, 0.0, 100, 1))
        return Summary(137, 0, 137, 0, 1.0, stopped="no answer", is_complete=False)

    monkeypatch.setattr("dashboard.jobs.work.run_job", broken_off)
    app = finished(batch(open_page, csv_of(3)))
    assert "These rows are not done yet." in words(app)
    app.pagination[0].set_value(2).run()
    assert "Rows 138 to 200 of 274 that are done" in words(app)
    (table,) = app.dataframe
    assert list(table.value.index) == list(range(138, 201))
    assert list(table.value["name"])[:2] == ["n137", "n138"]
    app.pagination[0].set_value(3).run()
    assert "Rows 201 to 274 of 274 that are done" in words(app)


def test_a_server_that_always_says_500(open_page: OpenPage, server: V2Server) -> None:
    """Every row has its error; the page says the first."""
    server.models["flower"] = lambda _: PLAIN_500
    app = finished(batch(open_page, csv_of(2)))
    assert "2 of 2 rows failed" in alert(app, "warning")
    assert "500" in alert(app, "warning")


def test_a_value_model_scores_too(open_page: OpenPage) -> None:
    """A number for each row, with the decimals of the wire."""
    app = finished(batch(open_page, "size\n1.5\n2\n", model="weight"))
    assert [row[:2] for row in rows_of(app)] == [["1.5", "15.0"], ["2", "20.0"]]


def test_a_prediction_column_in_the_file_stays(open_page: OpenPage, server: V2Server) -> None:
    """A file that was scored before keeps its columns; the new ones have other names."""
    server.models["flower"] = lambda _: {
        "outputs": [
            tensor("predict", "INT64", [1], [2]),
            tensor("predict_proba", "FP64", [1, 3], [0, 0, 1]),
        ]
    }
    app = finished(batch(open_page, "length,width,prediction,error\n1,1,Rose,was late\n"))
    assert "The row has a prediction" in words(app)
    (row,) = rows_of(app)
    assert row[:5] == ["1", "1", "Rose", "was late", "Aster"]


# The list


def test_the_list_opens_a_job_of_another_model(open_page: OpenPage) -> None:
    """Its model is chosen with it, and the address names both."""
    app = finished(batch(open_page, "size\n1\n", model="weight"))
    job = job_of(app)
    app = open_page("batch", m="flower")
    app.button(key=f"open.{job}").click().run()
    assert title(app).endswith("Weight")
    assert job_of(app) == job
    assert "The row has a prediction" in alert(app, "success")


def test_a_job_is_deleted_after_a_question(open_page: OpenPage) -> None:
    """The first press only asks; the second removes the job, and its link opens nothing."""
    app = finished(batch(open_page, csv_of(2)))
    job = job_of(app)
    app.button(key="delete").click().run()
    assert gateway.jobs().get(job, ME) is not None
    app.button(key="delete.yes").click().run()
    assert gateway.jobs().get(job, ME) is None
    assert len(app.file_uploader) == 1
    assert "rows.csv" not in words(app)


def test_only_a_few_jobs_are_shown_at_first(open_page: OpenPage) -> None:
    """Of seven jobs five, and a way to all."""
    app = open_page("batch", m="weight")
    for _ in range(7):
        app = finished(batch(open_page, "size\n1\n", model="weight"))
    app.button(key="another").click().run()
    assert buttons(app).count("Open") == 5
    (toggle,) = [toggle for toggle in app.toggle if toggle.label == "Show all 7 jobs"]
    toggle.set_value(True).run()
    assert buttons(app).count("Open") == 7
