"""What a person marked as sensitive is not on the screen of a batch, and is whole in the download."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from dashboard import gateway
from kserve_client.scoring import WriteOptions
from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, words
from tests.dashboard.test_batch import ME, batch, finished, job_of, rows_of
from tests.v2_server import Reply, V2Server

MODELS = """
version: 1
endpoints:
  test: {url: URL, title: Test server}
models:
  flower:
    title: Flower
    endpoint: test
    signature:
      features:
        - {name: length, title: Petal length, min: 0, max: 10, sensitive: true}
        - {name: width, title: Petal width, min: 0, max: 4}
      outputs:
        - {name: predict, kind: label, labels: [Rose, Tulip, Aster]}
        - {name: predict_proba, kind: probabilities}
"""
TABLE = "length,width,name\n8.125,1,a\nsecret,1,b\n"


def everything(app: AppTest) -> str:
    """Return all texts, tables and choices of the page."""
    tables = [table.value.to_csv() for table in app.dataframe]
    boxes = [f"{box.label} {box.options}" for box in app.selectbox]
    return "\n".join([words(app), *tables, *boxes, *(step.label for step in app.expander)])


def test_a_preview_and_a_check_hide_it(open_page: OpenPage) -> None:
    """Neither the first rows nor the examples of a finding hold a value."""
    app = batch(open_page, TABLE)
    assert "row 2" in everything(app)
    assert "8.125" not in everything(app)
    assert "secret" not in everything(app)


def test_a_result_hides_it_and_the_download_does_not(open_page: OpenPage) -> None:
    """Cells and reasons are hidden on the screen, and it says that the files have them."""
    app = finished(batch(open_page, TABLE))
    assert [row[:3] for row in rows_of(app)] == [["hidden", "1", "a"], ["hidden", "1", "b"]]
    assert "8.125" not in everything(app)
    assert "secret" not in everything(app)
    assert "The files hold what is hidden on screen." in words(app)
    file = gateway.jobs().download(job_of(app), ME, WriteOptions())
    assert "8.125" in file.read_text()


def test_a_search_does_not_answer_for_it(open_page: OpenPage) -> None:
    """A hidden cell is not found by what is in it: that would tell."""
    app = finished(batch(open_page, TABLE))
    (search,) = [field for field in app.text_input if field.label == "Search"]
    search.input("8.125").run()
    assert "No row matches." in words(app)


def test_a_server_that_repeats_it_is_not_quoted(open_page: OpenPage, server: V2Server) -> None:
    """Its words are withheld on the screen."""
    server.models["flower"] = lambda _: Reply(400, {"error": "8.125 is too much"})
    app = finished(batch(open_page, TABLE))
    assert "2 of 2 rows failed" in alert(app, "warning")
    assert "8.125" not in everything(app)


def test_a_try_hides_it(open_page: OpenPage) -> None:
    """The ten rows of a try are no exception."""
    app = batch(open_page, TABLE + "1,1,c\n" * 9)
    app.button(key="try").click().run()
    assert len(app.dataframe) == 2
    assert "8.125" not in everything(app)
    assert "secret" not in everything(app)
