"""The table of a tensor: any rank and datatype, edited slice by slice, or filled at once."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, named, plain
from tests.v2_server import V2Server, one_number, v2_server

MODELS = """
endpoints:
  test: {url: URL}
models:
  grids:
    endpoint: test
    signature:
      layout: columns
      features:
        - {name: row, kind: tensor, shape: [3], datatype: FP32}
        - {name: wide, kind: tensor, shape: [2, 2], datatype: INT64}
        - {name: cube, kind: tensor, shape: [2, 2, 3], datatype: INT32}
        - {name: flags, kind: tensor, shape: [2], datatype: BOOL}
        - {name: words, kind: tensor, shape: [2], datatype: BYTES}
      outputs: [{name: out, kind: value}]
  huge:
    endpoint: test
    model_name: grids
    signature:
      datatype: FP32
      features: [{name: x, kind: tensor, shape: [3, 10000, 10000], datatype: FP32}]
  large:
    endpoint: test
    model_name: grids
    signature:
      datatype: FP32
      features: [{name: x, kind: tensor, shape: [3, 400, 400], datatype: FP32}]
      outputs: [{name: out, kind: value}]
"""
ZEROS = {
    "row": [0.0, 0.0, 0.0],
    "wide": [0, 0, 0, 0],
    "cube": [0] * 12,
    "flags": [False, False],
    "words": ["", ""],
}


@pytest.fixture
def server() -> Iterator[V2Server]:
    with v2_server(grids=one_number) as running:
        yield running


@pytest.fixture
def form(open_page: OpenPage) -> AppTest:
    return open_page("predict", m="grids")


def sent(server: V2Server) -> dict[str, Any]:
    """Return the data of each input of the last request."""
    return {column["name"]: column["data"] for column in server.inferences[-1]["inputs"]}


def table(form: AppTest, name: str, index: str = "") -> Any:
    """Return the table of a feature, or of one slice of it, whether or not it was renewed."""
    keys = [str(found.key).removesuffix(index) for found in form.data_editor]
    (at,) = [at for at, key in enumerate(keys) if key.split("~")[0] == f"grid.grids.{name}"]
    return form.data_editor[at]


def edit(form: AppTest, found: Any, rows: dict[int, dict[str, Any]]) -> AppTest:
    """Send what a browser sends for an edited table: all edits since it was drawn.

    AppTest can't; a text area sends text as well, so one speaks in the name of the table.
    """
    carrier = form.text_area[0].input(
        json.dumps({"edited_rows": rows, "added_rows": [], "deleted_rows": []})
    )
    carrier.id = found.proto.id
    return form.run()


def test_a_tensor_starts_with_zeros(form: AppTest, server: V2Server) -> None:
    """Each datatype has its own; the shape stands beside the name."""
    assert sent(server) == ZEROS
    shapes = [plain(text.value) for text in form.markdown if "·" in text.value]
    assert shapes == [
        "row · 3 FP32",
        "wide · 2 × 2 INT64",
        "cube · 2 × 2 × 3 INT32",
        "flags · 2 BOOL",
        "words · 2 BYTES",
    ]


def test_an_edited_cell_is_sent(form: AppTest, server: V2Server) -> None:
    """Each kind of cell stays what it is: integers beyond a browser's numbers, texts, ticks."""
    edit(form, table(form, "row"), {0: {"1": 0.1, "2": -2.5}})
    edit(form, table(form, "wide"), {1: {"0": "9007199254740993"}})
    edit(form, table(form, "flags"), {0: {"1": True}})
    edit(form, table(form, "words"), {0: {"0": 'Ünï, "x"'}})
    assert sent(server) == ZEROS | {
        "row": [0.0, 0.1, -2.5],
        "wide": [0, 0, 9007199254740993, 0],
        "flags": [False, True],
        "words": ['Ünï, "x"', ""],
    }


def test_a_slice_keeps_its_edits(form: AppTest, server: V2Server) -> None:
    """The table shows one slice; what was edited in another one stays."""
    edit(form, table(form, "cube", ".0"), {1: {"2": 5}})
    (at,) = [box for box in form.number_input if box.key == "grid.grids.cube.0"]
    at.set_value(1).run()
    assert table(form, "cube", ".1").value.to_numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
    edit(form, table(form, "cube", ".1"), {0: {"0": 7}})
    assert sent(server)["cube"] == [0, 0, 0, 0, 0, 5, 7, 0, 0, 0, 0, 0]
    (at,) = [box for box in form.number_input if box.key == "grid.grids.cube.0"]
    at.set_value(0).run()
    assert table(form, "cube", ".0").value.to_numpy().tolist() == [[0, 0, 0], [0, 0, 5]]


def test_edits_outlive_the_page(form: AppTest, server: V2Server) -> None:
    """Another page and back: the table starts from what it was edited to."""
    edit(form, table(form, "wide"), {0: {"0": "3"}})
    form.switch_page("pages/health.py").run()
    form.switch_page("pages/predict.py").run()
    assert table(form, "wide").value.to_numpy().tolist() == [["3", "0"], ["0", "0"]]
    assert sent(server)["wide"] == [3, 0, 0, 0]


def test_an_emptied_cell_is_needed(form: AppTest, server: V2Server) -> None:
    """A hole is told at the field and nothing is sent."""
    count = len(server.inferences)
    edit(form, table(form, "row"), {0: {"0": None}})
    assert alert(form, "warning") == "The form is not complete: Row: 1 cell is empty."
    assert len(server.inferences) == count


def paste(form: AppTest, name: str, text: str) -> None:
    named(form.text_area, f"paste.grid.grids.{name}").input(text).run()


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("row", "1, 2.5, -3", [1.0, 2.5, -3.0]),
        ("row", "[1, 2.5, -3]", [1.0, 2.5, -3.0]),
        ("row", "1\n2.5\n-3\n", [1.0, 2.5, -3.0]),
        ("wide", "1\t2\n3\t9007199254740993", [1, 2, 3, 9007199254740993]),
        ("wide", "[[1, 2], [3, 9007199254740993]]", [1, 2, 3, 9007199254740993]),
        ("flags", "true;0", [True, False]),
        ("words", '"a, b", Ü', ["a, b", "Ü"]),
    ],
)
def test_pasted_values_fill_the_whole_tensor(
    form: AppTest, server: V2Server, name: str, text: str, values: list[Any]
) -> None:
    """CSV with any usual delimiter, or JSON."""
    paste(form, name, text)
    assert sent(server) == ZEROS | {name: values}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("row", "1, 2", "has 2 values, not the 3 of [3]"),
        ("row", "1, two, 3", "'two' is not a number"),
        ("wide", "1.5 2 3 4", "'1.5' is not a whole number"),
        ("row", "[1, 2", "is not a JSON list"),
    ],
)
def test_what_can_not_be_pasted_changes_nothing(
    form: AppTest, server: V2Server, name: str, text: str, words: str
) -> None:
    """The field says why, and keeps what it has."""
    paste(form, name, text)
    said = [caption.value.replace("\\", "") for caption in form.caption]
    assert any(words.casefold() in caption.casefold() for caption in said), said
    assert sent(server) == ZEROS


def test_zeros_and_the_last_row_come_back(form: AppTest, server: V2Server) -> None:
    """Two buttons: all zero, and what the last answer is about."""
    paste(form, "row", "1, 2, 3")
    form.toggle(key="live.grids").set_value(False).run()
    form.button(key="zeros.grid.grids.row").click().run()
    assert table(form, "row").value.to_numpy().tolist() == [[0.0, 0.0, 0.0]]
    form.button(key="last.grid.grids.row").click().run()
    assert table(form, "row").value.to_numpy().tolist() == [[1.0, 2.0, 3.0]]


def test_a_table_nobody_could_read_is_not_drawn(open_page: OpenPage, server: V2Server) -> None:
    """160,000 cells a slice: only filled at once, and still sent."""
    app = open_page("predict", m="large")
    assert len(app.data_editor) == 0
    assert any("400 × 400 cells are too many" in caption.value for caption in app.caption)
    assert len(server.asked) > 0


def test_a_tensor_too_large_for_any_form_says_so(open_page: OpenPage, server: V2Server) -> None:
    """Metadata may name any shape: the page neither hangs nor sends."""
    app = open_page("predict", m="huge")
    assert not app.exception
    said = [plain(caption.value) for caption in app.caption]
    assert "300,000,000 numbers are too many for a form: use Python or the command line." in said
    assert [asked.path for asked in server.asked if asked.path.endswith("/infer")] == []
