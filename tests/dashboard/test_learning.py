"""Learn from a CSV: the part of Details that turns a file into a form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from kserve_client.catalog.models_file import parse_models_file
from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, answer, named, plain, words
from tests.v2_server import Reply, V2Server

LEARN = "Learn from a CSV"
FLOWERS = "length,width,species\n" + "".join(
    f"{1 + n % 70 / 10:.1f},{n % 30 / 10},{('Aster', 'Rose', 'Tulip')[n % 3]}\n" for n in range(140)
)


@pytest.fixture
def bare(models_file: Path) -> Path:
    """Add a model that nobody describes."""
    text = models_file.read_text()
    models_file.write_text(f"{text}  bare: {{title: Bare, endpoint: test, model_name: flower}}\n")
    return models_file


def drop(app: AppTest, text: str | bytes = FLOWERS, name: str = "flowers.csv") -> AppTest:
    """Drop a file."""
    content = text.encode() if isinstance(text, str) else text
    app.file_uploader[0].upload(name, content)
    return app.run()


def grid(app: AppTest, alt: str = "Features") -> Any:
    (found,) = [one for one in app.data_editor if one.proto.alt.startswith(alt)]
    return found


def column(app: AppTest, name: str, alt: str = "Features") -> list[Any]:
    """Return the cells of a column of a grid, None where they are empty."""
    cells = grid(app, alt).value[name].astype(object)
    return [
        cell if not pd.api.types.is_scalar(cell) or not pd.isna(cell) else None for cell in cells
    ]


def edit(app: AppTest, row: int, alt: str = "Features", **cells: Any) -> AppTest:
    """Type into a row of a grid, beside what was typed before."""
    key = grid(app, alt).key
    state = dict(app.session_state[key]) if key in app.session_state else {}
    rows = {**state.get("edited_rows", {})}
    rows[row] = {**rows.get(row, {}), **cells}
    app.session_state[key] = {"edited_rows": rows, "added_rows": [], "deleted_rows": []}
    return app.run()


def entry(app: AppTest) -> str:
    """Return the text to take along."""
    return str(app.code[-1].value)


# The file


def test_a_file_becomes_a_grid_and_a_form(open_page: OpenPage, bare: Path) -> None:
    """One row per column; ranges of the file are the sliders beside it; the answer is left out."""
    app = drop(open_page("model", m="bare"))
    assert "flowers.csv · 140 rows · 3 columns · CSV, comma, UTF-8" in words(app)
    assert column(app, "name") == ["length", "width", "species"]
    assert column(app, "use") == [True, True, False]
    slider = named(app.slider, "slider.learn bare.length")
    assert (slider.min, slider.max) == (1, 8)
    assert "2 of 3 are used" in words(app)


def test_the_upload_itself_is_not_kept(open_page: OpenPage, bare: Path) -> None:
    """What was read of it is enough; nothing of it is shared between people."""
    app = drop(open_page("model", m="bare"))
    assert [uploader.value for uploader in app.file_uploader] == [None]
    other = open_page("model", m="bare")
    assert len(other.data_editor) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"a,b\n", "no rows"),
        (b"PK\x03\x04rest", "an Excel workbook"),
        (b"a,b\n1,2\n1,2,3\n", "Line 3 has 3 cells"),
        (b"\x00\x01\x02", "no text"),
        (b"PAR1 broken", "Parquet"),
    ],
)
def test_a_bad_file_is_said_in_words(
    open_page: OpenPage, bare: Path, content: bytes, said: str
) -> None:
    """No traceback, no form, and another try."""
    app = drop(open_page("model", m="bare"), content)
    assert said in alert(app, "warning")
    assert len(app.data_editor) == 0
    assert len(drop(app).data_editor) == 1
    assert len(app.warning) == 0


def test_a_bad_file_leaves_the_one_before(open_page: OpenPage, bare: Path) -> None:
    """What was learned stays."""
    app = drop(drop(open_page("model", m="bare")), b"PK\x03\x04", "book.xlsx.csv")
    assert "an Excel workbook" in alert(app, "warning")
    assert column(app, "name") == ["length", "width", "species"]


def test_parquet_is_read_as_well(open_page: OpenPage, bare: Path, tmp_path: Path) -> None:
    """The other form in which tables lie about."""
    path = tmp_path / "flowers.parquet"
    pd.DataFrame({"length": [1.5, 2.5, 3.5], "width": [1, 2, 3]}).to_parquet(path)
    app = drop(open_page("model", m="bare"), path.read_bytes(), path.name)
    assert column(app, "name") == ["length", "width"]


# Edits


def test_an_edit_is_in_the_form_beside_it(open_page: OpenPage, bare: Path) -> None:
    """Title, unit and range, at once."""
    app = drop(open_page("model", m="bare"))
    app = edit(app, 0, title="Petal length", unit="cm", max=9.5)
    slider = named(app.slider, "slider.learn bare.length")
    assert plain(slider.label) == "Petal length (cm) · 1 – 9.5"
    assert slider.max == 9.5
    assert column(app, "title") == ["Petal length", None, None]


def test_edits_outlive_other_parts_and_pages(open_page: OpenPage, bare: Path) -> None:
    """Where the grid is not drawn for a while it comes back as it was."""
    app = edit(drop(open_page("model", m="bare")), 0, title="Petal length", max=9.5)
    app.session_state["part"] = "What the server says"
    app.run()
    assert len(app.data_editor) == 0
    app.session_state["part"] = LEARN
    app.run()
    assert column(app, "title") == ["Petal length", None, None]
    app = app.switch_page("pages/health.py").run().switch_page("pages/model.py").run()
    assert column(app, "title") == ["Petal length", None, None]
    assert named(app.slider, "slider.learn bare.length").max == 9.5
    app = edit(app, 1, title="Petal width")
    assert column(app, "title") == ["Petal length", "Petal width", None]


def test_a_wrong_edit_keeps_the_last_form(open_page: OpenPage, bare: Path) -> None:
    """It is said at the row and above the form, which stays as it last made sense."""
    app = edit(drop(open_page("model", m="bare")), 0, min=9.0)
    assert column(app, "problem") == ["to mend", "fine", "left out"]
    assert "length: min (9) must be below max (8)" in words(app)
    assert "The form shows what last made sense" in alert(app, "warning")
    assert named(app.slider, "slider.learn bare.length").min == 1
    app = edit(app, 0, min=2.0)
    assert len(app.warning) == 0
    assert named(app.slider, "slider.learn bare.length").min == 2


def test_another_kind_brings_its_widget(open_page: OpenPage, bare: Path) -> None:
    """The choices come from the file, and the grid goes on with them."""
    app = edit(drop(open_page("model", m="bare")), 2, use=True)
    app = edit(app, 2, kind="text")
    assert named(app.text_area, "x.learn bare.species").value == "Aster"
    app = edit(app, 2, kind="category")
    assert named(app.pills, "x.learn bare.species").value == "Aster"
    assert sorted(column(app, "choices")[2]) == ["Aster", "Rose", "Tulip"]


def test_another_file_keeps_the_edits_by_name(open_page: OpenPage, bare: Path) -> None:
    """And says which of them wait; starting over forgets them all."""
    app = edit(drop(open_page("model", m="bare")), 0, title="Petal length")
    app = edit(app, 1, title="Petal width")
    app = drop(app, "length,height\n1.5,2\n9.5,3\n", "other.csv")
    assert column(app, "title") == ["Petal length", None]
    assert "edits of 1 feature are kept by name; those of width wait" in words(app)
    app = drop(app)
    assert column(app, "title") == ["Petal length", "Petal width", None]
    app = app.button(key="over.bare").click().run()
    assert column(app, "title") == [None, None, None]


def test_sensitive_hides_the_value(open_page: OpenPage, bare: Path) -> None:
    """The form beside the grid masks it at once."""
    app = edit(drop(open_page("model", m="bare")), 0, sensitive=True)
    assert len([w for w in app.slider if "length" in str(w.key)]) == 0
    assert named(app.text_input, "x.learn bare.length").proto.type == 1


# Trying


def test_the_form_asks_the_model_itself(open_page: OpenPage, bare: Path, server: V2Server) -> None:
    """One real question with the values of the form, only when told so."""
    app = drop(open_page("model", m="bare"))
    assert server.inferences == []
    named(app.number_input, "x.learn bare.length").set_value(7.0).run()
    app.button(key="try.bare").click().run()
    (asked,) = server.inferences
    (tensor,) = asked["inputs"]
    assert (tensor["name"], tensor["datatype"], tensor["shape"]) == ("input-0", "FP64", [1, 2])
    assert tensor["data"][0] == 7.0
    assert "predict" in answer(app)


def test_the_answer_names_the_outputs(open_page: OpenPage, bare: Path) -> None:
    """Labels come from the answer's column of the file, and the answer reads by them at once."""
    app = drop(open_page("model", m="bare"))
    app.button(key="try.bare").click().run()
    app.button(key="name.bare").click().run()
    assert column(app, "name", "Outputs") == ["predict", "predict_proba"]
    assert column(app, "kind", "Outputs") == ["label", "probabilities"]
    assert list(column(app, "labels", "Outputs")[0]) == ["Aster", "Rose", "Tulip"]
    assert answer(app) == "Aster"
    app = edit(app, 0, "Outputs", labels=["Wild rose", "Rose", "Tulip"])
    assert answer(app) == "Wild rose"


def test_labels_that_do_not_fit_the_answer_are_told(open_page: OpenPage, bare: Path) -> None:
    """The answer stays as it came, with words about what does not fit."""
    app = drop(open_page("model", m="bare"))
    app.button(key="try.bare").click().run()
    app.button(key="name.bare").click().run()
    app = edit(app, 1, "Outputs", labels=["one", "two"])
    assert "3 probabilities" in words(app)
    assert "predict" in answer(app)


def test_a_refusal_is_explained(open_page: OpenPage, bare: Path, server: V2Server) -> None:
    """What the server says against it stands beside the form."""
    server.models["flower"] = lambda _: Reply(400, {"error": "expected 4 columns"})
    app = drop(open_page("model", m="bare"))
    app.button(key="try.bare").click().run()
    assert "expected 4 columns" in alert(app, "error")


def test_what_is_not_filled_in_is_not_asked(
    open_page: OpenPage, bare: Path, server: V2Server
) -> None:
    """A needed field without a value blocks the button."""
    app = edit(drop(open_page("model", m="bare")), 2, use=True, kind="text")
    assert app.button(key="try.bare").disabled
    assert "Species: needed" in alert(app, "warning")
    named(app.text_area, "x.learn bare.species").set_value("a rose").run()
    assert not app.button(key="try.bare").disabled
    assert server.inferences == []


# Taking it along


def test_the_entry_is_what_was_edited(open_page: OpenPage, bare: Path) -> None:
    """Read back by the models file it is the same form, title and address of the model with it."""
    app = edit(drop(open_page("model", m="bare")), 0, title="Petal length", max=9.5)
    text = f"endpoints: {{test: {{url: 'http://x.test'}}}}\nmodels:\n{entry(app)}"
    read = parse_models_file(text, source="test", folder=bare.parent).models["bare"]
    assert (read.title, read.endpoint, read.model_name) == ("Bare", "test", "flower")
    assert read.signature is not None
    first, second = read.signature.features
    assert (first.name, first.title, first.min, first.max) == ("length", "Petal length", 1, 9.5)
    assert second.reference is not None
    assert "Put it under models: in the models file" in words(app)


def test_the_entry_makes_the_form_of_predict(open_page: OpenPage, bare: Path) -> None:
    """Put into the models file it is there without a restart."""
    app = edit(drop(open_page("model", m="bare")), 0, title="Petal length", max=9.5)
    head = bare.read_text().partition("  bare:")[0]
    bare.write_text(head + entry(app))
    app = app.switch_page("pages/predict.py").run()
    slider = named(app.slider, "slider.bare.length")
    assert (plain(slider.label), slider.max) == ("Petal length · 1 – 9.5", 9.5)


@pytest.mark.parametrize(
    ("way", "text"),
    [
        ("Annotation", "  annotations:\n    kserve-client/form: |"),
        ("kubectl", "kubectl annotate inferenceservice bare --overwrite"),
    ],
)
def test_it_travels_with_the_inference_service(
    open_page: OpenPage, bare: Path, way: str, text: str
) -> None:
    """As YAML for the manifest, or as a command."""
    app = drop(open_page("model", m="bare"))
    app.segmented_control(key="way.bare").set_value(way).run()
    assert text in entry(app)


def test_the_tensor_can_be_named(open_page: OpenPage, bare: Path) -> None:
    """Name, datatype and layout are settings of the signature, not of the file."""
    app = drop(open_page("model", m="bare"))
    app.text_input(key="input.bare").set_value("flowers").run()
    app.selectbox(key="datatype.bare").set_value("FP32").run()
    assert "input: flowers" in entry(app)
    assert "datatype: FP32" in entry(app)
    app.segmented_control(key="layout.bare").set_value("columns").run()
    assert "layout: columns" in entry(app)


# A model that is described


def test_a_described_model_is_made_better(open_page: OpenPage) -> None:
    """Titles and units stay; ranges come from the file, or stay too when told so."""
    app = drop(open_page("model", m="flower", part=LEARN))
    assert column(app, "title")[:2] == ["Petal length", "Petal width"]
    assert column(app, "max")[:2] == [8, 3]
    app.segmented_control(key="counts.flower").set_value("What was known").run()
    assert column(app, "max")[:2] == [10, 4]
    assert "expect: Rose" in entry(app)


def test_forty_features_have_a_form_that_scrolls(open_page: OpenPage, bare: Path) -> None:
    """The grid and the form stay beside each other."""
    names = ",".join(f"f{n}" for n in range(40))
    rows = "\n".join(",".join(f"{n * m % 17 / 2}" for m in range(1, 41)) for n in range(60))
    app = drop(open_page("model", m="bare"), f"{names}\n{rows}\n")
    assert len(column(app, "name")) == 40
    assert "40 of 40 are used" in words(app)


def test_words_from_a_file_are_shown_as_they_are(open_page: OpenPage, bare: Path) -> None:
    """A column, a value or a file name puts no picture and no link on the page."""
    evil = "![x](http://evil.test/x.png)"
    rows = "".join(
        f"{n % 7},{evil if n % 2 else 'b'},{evil if n % 3 else 'c'}\n" for n in range(30)
    )
    app = drop(open_page("model", m="bare"), f"n {evil},k {evil},class\n{rows}", f"{evil}.csv")
    app = edit(app, 0, min=900.0)
    app.button(key="try.bare").click().run()
    kinds = ("markdown", "caption", "warning", "error", "info")
    shown = [str(one.value) for kind in kinds for one in getattr(app, kind)]
    evils = [text for text in shown if "evil.test" in text]
    assert len(evils) >= 3
    assert [text for text in evils if re.search(r"(?<!\\)!\[", text)] == []
