import threading
import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import gateway
from tests.dashboard.conftest import OpenPage, flower
from tests.dashboard.reading import alert, links, pick, title, words
from tests.v2_server import PLAIN_500, Json, Reply, V2Server, tensor

LIMIT_S = 30.0


def batch(open_page: OpenPage, data: str | bytes, model: str = "flower") -> AppTest:
    """Open the page and upload a file."""
    app = open_page("batch", m=model)
    content = data.encode() if isinstance(data, str) else data
    app.file_uploader[0].upload("rows.csv", content, "text/csv").run()
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


def rows_of(app: AppTest) -> list[list[str]]:
    """Return the cells of the result as they are shown."""
    (table,) = app.dataframe
    shown = table.value
    return [list(map(str, row)) for row in shown.to_numpy()]


def csv_of(count: int, separator: str = ",") -> str:
    """Return rows of alternating roses and tulips."""
    rows = [f"{2 if at % 2 else 8}{separator}1{separator}n{at}" for at in range(count)]
    return "\n".join([separator.join(("length", "width", "name")), *rows]) + "\n"


def test_before_a_file_the_page_says_what_it_needs(open_page: OpenPage) -> None:
    """The columns by name, and a template to fill in."""
    app = open_page("batch", m="flower")
    assert title(app).endswith("Flower")
    seen = words(app)
    assert "length" in seen
    assert "width" in seen
    (button,) = app.download_button
    assert button.label == "Download a template"
    assert len(app.button) == 0


def test_a_file_is_shown_before_it_is_sent(open_page: OpenPage, server: V2Server) -> None:
    """What was read, which column goes where, and nothing sent yet."""
    app = batch(open_page, csv_of(3))
    assert "rows.csv · 3 rows · 3 columns · comma between cells · UTF-8" in words(app)
    there, plan = [
        [list(map(str, row)) for row in table.value.to_numpy()] for table in app.dataframe
    ]
    assert there == [["8", "1", "n0"], ["2", "1", "n1"], ["8", "1", "n2"]]
    assert plan == [
        ["Petal length (cm)", "length", "number", "8"],
        ["Petal width (cm)", "width", "number", "1"],
    ]
    assert app.button(key="start").label == "Score 3 rows"
    assert server.inferences == []


def test_every_row_comes_back(open_page: OpenPage, server: V2Server) -> None:
    """150 rows in order, with label and probabilities, and none failed."""
    app = finished(batch(open_page, csv_of(150)))
    assert "All 150 rows have a prediction" in alert(app, "success")
    numbers = {metric.label: metric.value for metric in app.metric}
    assert list(numbers.values()) == ["150", "150", "0"]
    rows = rows_of(app)
    assert len(rows) == 150
    assert rows[0][:4] == ["8", "1", "n0", "Tulip"]
    assert rows[149][:4] == ["2", "1", "n149", "Rose"]
    assert len(server.inferences) == 1
    labels = [button.label for button in app.download_button]
    assert labels == ["Download the result"]


def test_the_job_has_a_link_that_another_session_may_open(open_page: OpenPage) -> None:
    """F5 or a second tab: the address leads to the same result."""
    app = finished(batch(open_page, csv_of(4)))
    (job,) = (
        app.query_params["job"]
        if isinstance(app.query_params["job"], list)
        else [app.query_params["job"]]
    )
    again = open_page("batch", m="flower", job=job)
    assert len(rows_of(over(again))) == 4
    assert "All 4 rows" in alert(again, "success")


def test_another_file_can_be_scored_after_a_result(open_page: OpenPage) -> None:
    """The button leads back to the upload, without the old job in the address."""
    app = finished(batch(open_page, csv_of(2)))
    app.button(key="another").click().run()
    assert len(app.file_uploader) == 1
    assert "job" not in app.query_params


def test_an_unknown_job_is_said(open_page: OpenPage) -> None:
    """A link from before a restart: an explanation, and the upload."""
    app = open_page("batch", m="flower", job="from-yesterday")
    assert "no job of this link" in alert(app, "info")
    assert len(app.file_uploader) == 1


def test_a_job_of_another_model_is_not_shown(open_page: OpenPage) -> None:
    """The model is changed while a result is in sight: its own upload, no rows of the other."""
    app = finished(batch(open_page, csv_of(2)))
    pick(app, "weight")
    assert title(app).endswith("Weight")
    assert len(app.file_uploader) == 1
    assert len(app.dataframe) == 0
    pick(app, "flower")
    assert title(app).endswith("Flower")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("Length,width\n1,2\n", "column missing: 'length' (is it 'Length'?)"),
        ("a,b\n1,2\n", "'length', 'width'"),
        ("length,width\n", "the file has a header, but no rows"),
        ("", "the file is empty"),
        ("length,length,width\n1,2,3\n", "more than one column is named 'length'"),
        (b"length,width\n1,\xff\n", "is not UTF-8"),
        (b"\xff\xfel\x00", "the file is UTF-16"),
        ('length,width\n"1,2\n', "a quote is opened in this row and never closed"),
    ],
)
def test_a_file_that_does_not_fit_is_explained(
    open_page: OpenPage, server: V2Server, data: str | bytes, said: str
) -> None:
    """What is wrong, where, and no button to press."""
    app = batch(open_page, data)
    assert said.casefold() in alert(app, "warning").casefold()
    assert len(app.button) == 0
    assert server.inferences == []


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_found(open_page: OpenPage, separator: str) -> None:
    """Semicolon and tab are read, and the result is shown in its columns too."""
    app = finished(batch(open_page, csv_of(3, separator)))
    assert [row[:4] for row in rows_of(app)] == [
        ["8", "1", "n0", "Tulip"],
        ["2", "1", "n1", "Rose"],
        ["8", "1", "n2", "Tulip"],
    ]


def test_columns_without_a_name_are_no_trouble(open_page: OpenPage) -> None:
    """A spreadsheet left commas at the end of each line."""
    app = finished(batch(open_page, "length,width,,\n8,1,,\n2,1,,\n"))
    assert "All 2 rows" in alert(app, "success")


def test_ragged_lines_are_said_before_and_fail_alone(open_page: OpenPage) -> None:
    """Their line numbers stand in a warning; the other rows get a prediction."""
    app = batch(open_page, "length,width\n8,1\n2\n2,1\n1,2,3\n")
    assert "line 3, 5" in alert(app, "warning")
    over(app.button(key="start").click().run())
    numbers = [metric.value for metric in app.metric]
    assert numbers == ["4", "2", "2"]


def test_failed_rows_are_listed(open_page: OpenPage) -> None:
    """How many, the first reason, and a way to see only them."""
    app = finished(batch(open_page, "length,width,name\n8,1,a\noops,1,b\n2,1,c\n"))
    said = alert(app, "warning")
    assert "1 of 3 rows failed" in said
    assert "row 2" in said
    assert "'oops' is not a number" in said
    (toggle,) = [toggle for toggle in app.toggle if "failed" in toggle.label]
    toggle.set_value(True).run()
    (row,) = rows_of(app)
    assert "b" in row
    assert any("'oops' is not a number" in cell for cell in row)


def test_a_row_the_server_refuses_stands_alone(open_page: OpenPage, server: V2Server) -> None:
    """One poisoned row of eight: seven predictions, one error in the server's words."""

    def picky(request: Json) -> Json | Reply:
        if 6.66 in [round(number, 2) for number in request["inputs"][0]["data"]]:
            return Reply(400, {"error": "6.66 is no length"})
        return flower(request)

    server.models["flower"] = picky
    lines = [f"{6.66 if at == 5 else 2},1,n{at}" for at in range(8)]
    app = finished(batch(open_page, "\n".join(["length,width,name", *lines])))
    assert [metric.value for metric in app.metric] == ["8", "7", "1"]
    assert "6.66 is no length" in alert(app, "warning")
    assert [row[2] for row in rows_of(app)] == [f"n{at}" for at in range(8)]


def test_a_server_that_is_down_fails_every_row_in_words(
    open_page: OpenPage, server: V2Server
) -> None:
    """The job ends, with the reason, and all rows are there."""
    app = batch(open_page, csv_of(3))
    server.stop()
    finished(app)
    assert [metric.value for metric in app.metric] == ["3", "0", "3"]
    assert "The server does not answer: Nothing was predicted." in alert(app, "error")
    assert "See which step fails" in links(app)
    assert len(rows_of(app)) == 3


def test_a_server_that_always_says_500(open_page: OpenPage, server: V2Server) -> None:
    """Every row has its error; the page says the first."""
    server.models["flower"] = lambda _: PLAIN_500
    app = finished(batch(open_page, csv_of(2)))
    assert "2 of 2 rows failed" in alert(app, "warning")
    assert "500" in alert(app, "warning")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("a bug")])
def test_a_job_that_breaks_is_explained(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A full disk, even a bug, ends the job with words and a way on."""

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("dashboard.jobs.score_csv", broken)
    app = finished(batch(open_page, csv_of(2)))
    assert len(app.error) == 1
    app.button(key="another").click().run()
    assert len(app.file_uploader) == 1


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
    """A bar, a way to stop, and the same again for a session that opens the link."""
    go, server.models["flower"] = hold
    app = batch(open_page, csv_of(2500)).button(key="start").click().run()
    assert len(app.get("progress")) == 1
    assert app.button(key="stop").label == "Stop"
    go.set()
    assert "All 2,500 rows" in alert(over(app), "success")
    assert "first 1,000 rows" in words(app)
    assert len(rows_of(app)) == 1000
    assert len(server.inferences) == 3


def test_stop_keeps_what_is_there(open_page: OpenPage, server: V2Server, hold: Hold) -> None:
    """The rows that were not sent come back with that as their error."""
    go, server.models["flower"] = hold
    app = batch(open_page, csv_of(20_000)).button(key="start").click().run()
    app.button(key="stop").click().run()
    go.set()
    said = alert(over(app), "warning")
    assert "Stopped." in said
    assert "rows were not sent" in said
    rows, ok, failed = [int(metric.value.replace(",", "")) for metric in app.metric]
    assert (rows, ok + failed) == (20_000, 20_000)
    assert ok < 20_000


def test_jobs_beyond_the_limit_forget_the_oldest(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so many results are kept; an old link is explained then."""
    monkeypatch.setattr("dashboard.jobs.JOBS_KEPT", 1)
    first = finished(batch(open_page, csv_of(2)))
    old = first.query_params["job"]
    finished(batch(open_page, csv_of(2)))
    app = open_page("batch", m="flower", job=old[0] if isinstance(old, list) else old)
    assert "no job of this link" in alert(app, "info")


def test_a_value_model_scores_too(open_page: OpenPage) -> None:
    """A number for each row, with the decimals of the wire."""
    app = finished(batch(open_page, "size\n1.5\n2\n", model="weight"))
    assert [row[:2] for row in rows_of(app)] == [["1.5", "15.0"], ["2", "20.0"]]


def test_the_folder_of_jobs_is_removed_with_them(open_page: OpenPage) -> None:
    """Nothing of people's files stays behind when the dashboard ends."""
    finished(batch(open_page, csv_of(2)))
    jobs = gateway.jobs()
    folder = jobs._folder
    assert len(list(folder.iterdir())) == 1
    jobs.close()
    assert not folder.exists()


def test_a_prediction_column_in_the_file_stays(open_page: OpenPage, server: V2Server) -> None:
    """A file that was scored before keeps its columns; the new ones have other names."""
    server.models["flower"] = lambda request: {
        "outputs": [
            tensor("predict", "INT64", [1], [2]),
            tensor("predict_proba", "FP64", [1, 3], [0, 0, 1]),
        ]
    }
    app = finished(batch(open_page, "length,width,prediction,error\n1,1,Rose,was late\n"))
    assert "All 1 rows" in words(app) or "1 row" in words(app)
    (row,) = rows_of(app)
    assert row[:5] == ["1", "1", "Rose", "was late", "Aster"]
