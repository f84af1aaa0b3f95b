"""A signature with every kind of feature: which widget each gets, and what its value is on the wire."""

import ast
from collections.abc import Callable, Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, named, pick, plain, title, words
from tests.servers import ROOT
from tests.v2_server import V2Server, one_number, v2_server

Column = dict[str, Any]

MODELS = """
version: 1
endpoints:
  test: {url: URL}
models:
  every:
    title: Every kind
    endpoint: test
    signature:
      layout: columns
      features:
        - {name: bounded, title: Bounded number, unit: cm, min: 0, max: 10, step: 0.5, default: 2.5,
           help: A number with two ends., group: Numbers}
        - {name: fine, min: 0, max: 0.01, default: 0.004, group: Numbers}
        - {name: free, title: Free number, default: 1.25, step: 0.25, group: Numbers}
        - {name: maybe, title: Maybe, min: 0, max: 100, required: false, group: Numbers}
        - {name: count, kind: integer, min: 0, max: 20, default: 3, group: Numbers}
        - {name: huge, kind: integer, default: 9007199254740991, group: Numbers}
        - {name: rooms, kind: integer, required: false, missing: -1, group: Numbers}
        - {name: colour, kind: category, group: Words,
           choices: [{value: 0, label: Red}, {value: 1, label: Green}], datatype: INT64}
        - {name: city, kind: category, group: Words, default: Paris,
           choices: [Rome, Paris, Oslo, Bern, Wien, Riga, Kiel (north)]}
        - {name: size, kind: category, choices: [S, M], required: false, missing: unknown, group: Words}
        - {name: paid, kind: boolean, default: true, group: Words}
        - {name: insured, kind: boolean, required: false, missing: false, group: Words}
        - {name: note, title: Note, kind: text, default: all well, group: Words}
        - {name: remark, kind: text, required: false, missing: none given, group: Words}
        - {name: day, kind: date, default: "2026-11-22"}
        - {name: until, kind: date, required: false, missing: "9999-12-31"}
        - {name: grid, kind: tensor, shape: [2, 3]}
      outputs: [{name: out, kind: value}]
    examples:
      - name: First
        row: {bounded: 5, fine: 0.001, free: -7.5, maybe: 50, count: 4, huge: 1, rooms: 2, colour: 1,
              city: Oslo, size: M, paid: false, insured: true, note: hello, remark: there,
              day: 2020-02-29, until: 2021-01-01, grid: [[1, 2, 3], [4, 5, 6]]}
      - name: With gaps
        row: {bounded: 1, free: 0, colour: 0, city: Rome, note: x, day: 2020-01-01}
  short:
    title: Short
    endpoint: test
    model_name: every
    signature:
      layout: columns
      features:
        - {name: id, kind: integer, default: 7, step: 1}
        - {name: length, group: Size}
        - {name: width, group: Size, required: false}
        - {name: colour, kind: category, choices: [red, green], group: Kind}
      outputs: [{name: out, kind: value}]
  picture:
    title: Picture
    endpoint: test
    signature:
      input: image
      features:
        - {name: image, title: Photo, kind: image, shape: [4],
           image: {width: 2, height: 2, low: 0, high: 16, invert: true}}
      outputs: [{name: out, kind: value}]
"""
DEFAULTS = [2.5, 0.004, 1.25, None, 3, 9007199254740991, -1, 0, "Paris", "unknown", True, False]


@pytest.fixture
def server() -> Iterator[V2Server]:
    with v2_server(every=one_number, picture=one_number) as running:
        yield running


@pytest.fixture
def form(open_page: OpenPage) -> AppTest:
    """Open the form with its first example in it."""
    return open_page("predict", m="every")


@pytest.fixture
def without_examples(open_page: OpenPage, models_file: Path) -> AppTest:
    """Open the form of the same model without examples: it begins with the defaults."""
    text = models_file.read_text()
    start, end = text.index("    examples:"), text.index("  picture:")
    models_file.write_text(text[:start] + text[end:])
    return open_page("predict", m="every")


def sent(server: V2Server) -> dict[str, Any]:
    """Return the last request: the data of each input by its name, a single value by itself."""
    inputs = server.inferences[-1]["inputs"]
    return {
        column["name"]: column["data"][0] if len(column["data"]) == 1 else column["data"]
        for column in inputs
    }


def left_out(app: AppTest) -> list[str]:
    """Return what the fields say could not be taken from an example."""
    said = [caption.value.removeprefix(":orange[").removesuffix("]") for caption in app.caption]
    return [plain(words) for words in said if "Left out" in words]


def labels(widgets: Any) -> list[str]:
    return [plain(widget.label) for widget in widgets]


def test_each_kind_has_its_widget(form: AppTest) -> None:
    """A slider with a box for two ends, a box for none, pills for few, a list for many."""
    assert labels(form.slider) == [
        "Bounded number (cm) · 0 – 10",
        "fine · 0 – 0.01",
        "Maybe · 0 – 100",
        "count · 0 – 20",
    ]
    boxes = {str(box.key).split(".")[2].split("~")[0] for box in form.number_input}
    assert boxes == {"bounded", "fine", "free", "maybe", "count"}
    assert labels(form.main.text_input) == ["huge", "rooms"]
    pills = [plain(pills.label).split(" ")[0] for pills in form.pills]
    assert pills == ["Examples", "colour", "size", "insured"]
    assert [plain(box.label) for box in form.main.selectbox] == ["city"]
    assert labels(form.toggle) == ["Live", "paid"]
    assert labels(form.text_area) == ["Note", "remark", "CSV or JSON"]
    assert labels(form.date_input) == ["day", "until"]
    assert len(form.data_editor) == 1


def test_a_long_form_stands_in_folds(form: AppTest) -> None:
    """Each group of more than twelve features is a fold, the first one open; the rest is Other."""
    folds = [fold for fold in form.expander if "Request" not in fold.label]
    assert [(fold.label, fold.proto.expanded) for fold in folds] == [
        ("Numbers", True),
        ("Words", False),
        ("Other", False),
    ]
    assert labels(folds[2].date_input) == ["day", "until"]


def test_a_short_form_stands_below_headings(open_page: OpenPage) -> None:
    """A group has its heading; features without one come as they are."""
    app = open_page("predict", m="short")
    assert [plain(heading.value) for heading in app.subheader] == ["Size", "Kind"]
    assert [fold.label for fold in app.expander] == ["Request and answer as they were sent"]


def test_help_and_steps_come_from_the_signature(form: AppTest) -> None:
    """The step is the feature's own, else about a hundredth of the range, shown with its digits."""
    bounded, fine, _, count = form.slider
    assert (bounded.step, plain(bounded.help)) == (0.5, "A number with two ends.")
    assert fine.step == pytest.approx(0.0001)
    assert fine.proto.format == "%.4f"
    assert count.step == 1
    assert count.proto.format == "%d"


def test_the_first_example_leaves_the_form_as_it_stands_in_the_file(
    form: AppTest, server: V2Server
) -> None:
    """Every value of the row, in the order of the features, as one column each."""
    request = server.inferences[-1]
    assert request["parameters"] == {"content_type": "pd"}
    assert request["outputs"] == [{"name": "out"}]
    text = {"content_type": "str"}

    def column(name: str, datatype: str, value: Any, **more: Any) -> Column:
        return {"name": name, "shape": [1, 1], "datatype": datatype, **more, "data": [value]}

    assert request["inputs"] == [
        column("bounded", "FP64", 5.0),
        column("fine", "FP64", 0.001),
        column("free", "FP64", -7.5),
        column("maybe", "FP64", 50.0),
        column("count", "INT64", 4),
        column("huge", "INT64", 1),
        column("rooms", "INT64", 2),
        column("colour", "INT64", 1),
        column("city", "BYTES", "Oslo", parameters=text),
        column("size", "BYTES", "M", parameters=text),
        column("paid", "BOOL", False),
        column("insured", "BOOL", True),
        column("note", "BYTES", "hello", parameters=text),
        column("remark", "BYTES", "there", parameters=text),
        column("day", "BYTES", "2020-02-29", parameters=text),
        column("until", "BYTES", "2021-01-01", parameters=text),
        {"name": "grid", "shape": [1, 2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]},
    ]
    assert named(form.pills, "example.every").value == "First"


def test_without_examples_the_defaults_leave_the_form(
    without_examples: AppTest, server: V2Server
) -> None:
    """Defaults where there are some; what is optional and has none is not known."""
    values = sent(server)
    assert list(values.values())[:12] == DEFAULTS
    assert values["note"] == "all well"
    assert values["remark"] == "none given"
    assert values["day"] == "2026-11-22"
    assert values["until"] == "9999-12-31"
    assert values["grid"] == [0, 0, 0, 0, 0, 0]


def test_an_example_without_an_optional_value_leaves_its_field_empty(
    open_page: OpenPage, server: V2Server, tmp_path: Path
) -> None:
    """It is a row with a gap: the default, which a sample may have given, would fill it."""
    file = tmp_path / "gap.yaml"
    file.write_text(
        f"endpoints: {{test: {{url: {server.url}}}}}\n"
        "models: {every: {endpoint: test, signature: {layout: columns, features: ["
        "{name: a, default: 3, required: false}, {name: b, default: 4}], outputs: ["
        "{name: out, kind: value}]}, examples: [{name: Gap, row: {b: 5}}]}}\n"
    )
    app = open_page("predict", file)
    assert named(app.number_input, "x.every.a").value is None
    assert named(app.number_input, "x.every.b").value == 5


def test_an_example_fills_the_form(form: AppTest, server: V2Server) -> None:
    """Another example takes the place of every value; what its row lacks becomes a default."""
    named(form.pills, "example.every").select("With gaps").run()
    assert named(form.slider, "slider.every.bounded").value == 1.0
    values = sent(server)
    assert (values["bounded"], values["fine"], values["free"]) == (1.0, 0.004, 0.0)
    assert (values["maybe"], values["rooms"], values["size"]) == (None, -1, "unknown")
    assert (values["remark"], values["until"], values["insured"]) == (
        "none given",
        "9999-12-31",
        False,
    )
    assert values["grid"] == [0, 0, 0, 0, 0, 0]


def test_slider_and_box_stay_in_step(form: AppTest, server: V2Server) -> None:
    """Whichever of the two moves, the other follows, and the value is sent."""
    named(form.slider, "slider.every.bounded").set_value(7.5).run()
    assert named(form.number_input, "x.every.bounded").value == 7.5
    assert sent(server)["bounded"] == 7.5
    named(form.number_input, "x.every.bounded").set_value(2.0).run()
    assert named(form.slider, "slider.every.bounded").value == 2.0
    assert sent(server)["bounded"] == 2.0


def test_what_moves_fast_does_not_jump_back(form: AppTest, server: V2Server) -> None:
    """The browser also sends the twin as it was before it heard of the last move: no typing."""
    echo = named(form.slider, "slider.every.bounded").id
    named(form.number_input, "x.every.bounded").set_value(7.5).run()
    named(form.number_input, "x.every.bounded").set_value(8.0)
    late = named(form.slider, "slider.every.bounded").set_value(5.0)
    late.id = echo
    form.run()
    assert named(form.slider, "slider.every.bounded").value == 8.0
    assert sent(server)["bounded"] == 8.0


def test_an_example_is_not_taken_again_by_an_echo(form: AppTest, server: V2Server) -> None:
    """The same for the row of examples, after the first move of a slider has let go of it."""
    echo = named(form.pills, "example.every").id
    named(form.slider, "slider.every.bounded").set_value(7.5).run()
    named(form.slider, "slider.every.bounded").set_value(8.0)
    late = named(form.pills, "example.every").set_value("First")
    late.id = echo
    form.run()
    assert named(form.pills, "example.every").value is None
    assert sent(server)["bounded"] == 8.0


def test_a_session_does_not_grow_with_each_move(form: AppTest) -> None:
    """A replaced widget leaves nothing behind."""
    slider = "slider.every.bounded"
    named(form.slider, slider).set_value(1.0).run()
    before = len(list(form.session_state))
    for value in (2.0, 3.0, 4.0, 5.5):
        named(form.slider, slider).set_value(value).run()
    assert len(list(form.session_state)) == before


Change = Callable[[AppTest], Any]
CHANGES: dict[str, tuple[Change, Any]] = {
    "free": (lambda app: named(app.number_input, "x.every.free").set_value(-1.5), -1.5),
    "count": (lambda app: named(app.slider, "slider.every.count").set_value(9), 9),
    "huge": (
        lambda app: named(app.text_input, "x.every.huge").set_value("-9007199254740993"),
        -9007199254740993,
    ),
    "insured": (lambda app: named(app.pills, "x.every.insured").select("No"), False),
    "colour": (lambda app: named(app.pills, "x.every.colour").select(0), 0),
    "city": (
        lambda app: named(app.selectbox, "x.every.city").select("Kiel (north)"),
        "Kiel (north)",
    ),
    "size": (lambda app: named(app.pills, "x.every.size").select("S"), "S"),
    "paid": (lambda app: named(app.toggle, "x.every.paid").set_value(True), True),
    "note": (lambda app: named(app.text_area, "x.every.note").input("Ünï\n2"), "Ünï\n2"),
    "day": (
        lambda app: named(app.date_input, "x.every.day").set_value(date(1999, 12, 31)),
        "1999-12-31",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_widget_is_sent_and_is_no_example_any_more(
    form: AppTest, server: V2Server, name: str
) -> None:
    """Only that value changes on the wire, and no example is marked."""
    before = sent(server)
    change, value = CHANGES[name]
    change(form).run()
    assert sent(server) == before | {name: value}
    assert named(form.pills, "example.every").value is None


def test_an_emptied_box_is_not_known(form: AppTest, server: V2Server) -> None:
    """Null on the wire, and the label says so; the slider beside it brings a number back."""
    named(form.number_input, "x.every.maybe").set_value(None).run()
    assert sent(server)["maybe"] is None
    slider = named(form.slider, "slider.every.maybe")
    assert plain(slider.label) == "Maybe · 0 – 100 · not known"
    assert named(form.pills, "example.every").value is None
    slider.set_value(60.0).run()
    assert sent(server)["maybe"] == 60.0
    assert plain(named(form.slider, "slider.every.maybe").label) == "Maybe · 0 – 100"


@pytest.mark.parametrize(
    ("name", "empty", "replaced"),
    [
        ("rooms", lambda app: named(app.text_input, "x.every.rooms").set_value(""), -1),
        ("insured", lambda app: named(app.pills, "x.every.insured").set_value(None), False),
    ],
)
def test_not_known_sends_the_replacement(
    form: AppTest, server: V2Server, name: str, empty: Change, replaced: Any
) -> None:
    """What the signature names for a missing value is sent; an empty field is the way to say so."""
    empty(form).run()
    assert sent(server)[name] == replaced


def test_an_emptied_box_that_is_needed_goes_back_to_its_slider(
    form: AppTest, server: V2Server
) -> None:
    """Beside a slider there is always a number."""
    named(form.slider, "slider.every.bounded").set_value(7.5).run()
    named(form.number_input, "x.every.bounded").set_value(None).run()
    assert named(form.number_input, "x.every.bounded").value == 7.5
    assert sent(server)["bounded"] == 7.5


def test_no_choice_is_not_known(form: AppTest, server: V2Server) -> None:
    """A pill of an optional category can be let go; empty text and date are not known either."""
    named(form.pills, "x.every.size").set_value(None).run()
    named(form.text_area, "x.every.remark").input("").run()
    named(form.date_input, "x.every.until").set_value(None).run()
    values = sent(server)
    assert (values["size"], values["remark"], values["until"]) == (
        "unknown",
        "none given",
        "9999-12-31",
    )


def test_a_missing_required_value_is_explained_and_not_sent(
    form: AppTest, server: V2Server
) -> None:
    """An empty text where one is needed: which field, and no request."""
    count = len(server.inferences)
    named(form.text_area, "x.every.note").input("").run()
    assert alert(form, "warning") == "The form is not complete: Note: needed."
    assert plain(named(form.text_area, "x.every.note").label) == "Note · needed"
    assert len(server.inferences) == count
    named(form.text_area, "x.every.note").input("here").run()
    assert len(form.warning) == 0
    assert sent(server)["note"] == "here"


def test_what_is_needed_blocks_the_button(form: AppTest, server: V2Server) -> None:
    """Without Live the button waits for the whole row."""
    form.toggle(key="live.every").set_value(False).run()
    named(form.number_input, "x.every.free").set_value(None).run()
    assert form.button(key="ask.every").disabled
    assert alert(form, "warning") == "The form is not complete: Free number: needed."
    named(form.number_input, "x.every.free").set_value(3.0).run()
    form.button(key="ask.every").click().run()
    assert sent(server)["free"] == 3.0


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("12a", "'12a' is not a whole number"),
        (
            "9223372036854775808",
            "9223372036854775808 is outside INT64 (-9223372036854775808 to 9223372036854775807)",
        ),
    ],
)
def test_what_is_no_whole_number_is_told_at_its_field(
    form: AppTest, server: V2Server, typed: str, words: str
) -> None:
    """The words stand below the field and beside the answer; nothing is sent."""
    count = len(server.inferences)
    named(form.text_input, "x.every.huge").set_value(typed).run()
    said = [plain(caption.value) for caption in form.caption]
    assert words in said
    assert words in alert(form, "warning")
    assert len(server.inferences) == count


def test_what_an_example_has_and_a_field_can_not_show(
    open_page: OpenPage, models_file: Path, server: V2Server
) -> None:
    """Each such cell is left out and named at its field until that is changed; the rest is filled."""
    text = models_file.read_text()
    odd = """      - name: Odd
        row: {bounded: tall, count: 99, huge: 1.5, colour: 7, city: Lyon, size: XL, paid: perhaps,
              day: 2020-13-01, note: ok, grid: [1, 2]}
  short:
"""
    models_file.write_text(text.replace("  short:\n", odd))
    app = open_page("predict", m="every")
    named(app.pills, "example.every").select("Odd").run()
    assert left_out(app) == [
        "Left out: 'tall' is not a number",
        "Left out: '1.5' is not a whole number",
        "Left out: '7' is not one of Red, Green",
        "Left out: 'Lyon' is not one of Rome, Paris, Oslo, Bern, Wien, Riga, Kiel (north)",
        "Left out: 'XL' is not one of S, M",
        "Left out: 'perhaps' is neither true nor false",
        "Left out: '2020-13-01' is not a date such as 2026-11-22",
        "Left out: has 2 values, not the 6 of [2, 3]",
    ]
    assert named(app.slider, "slider.every.bounded").value == 2.5
    assert named(app.slider, "slider.every.count").value == 20
    assert named(app.number_input, "x.every.count").value == 99
    missing = "Colour: needed; city: needed"
    assert alert(app, "warning") == f"The form is not complete: {missing}."
    named(app.selectbox, "x.every.city").select("Rome").run()
    assert len(left_out(app)) == 7
    assert not any("Lyon" in words for words in left_out(app))


def test_a_word_for_a_missing_value_is_one(
    open_page: OpenPage, models_file: Path, server: V2Server
) -> None:
    """An example that says NaN or NA of an optional feature leaves its field empty."""
    text = models_file.read_text()
    gaps = "row: {bounded: 1, maybe: .nan, rooms: NA, size: '', until: null, insured: n/a, free: 0,"
    models_file.write_text(text.replace("row: {bounded: 1, free: 0,", gaps))
    app = open_page("predict", m="every")
    named(app.pills, "example.every").select("With gaps").run()
    assert left_out(app) == []
    assert named(app.number_input, "x.every.maybe").value is None
    assert named(app.text_input, "x.every.rooms").value == ""
    values = sent(server)
    assert (values["maybe"], values["rooms"], values["size"]) == (None, -1, "unknown")


def test_a_number_of_an_example_is_sent_as_it_stands(
    open_page: OpenPage, models_file: Path, server: V2Server
) -> None:
    """With more digits than the step has, the box shows them all."""
    text = models_file.read_text()
    models_file.write_text(text.replace("row: {bounded: 5,", "row: {bounded: 5.03125,"))
    app = open_page("predict", m="every")
    assert sent(server)["bounded"] == 5.03125
    box = named(app.number_input, "x.every.bounded")
    assert (box.value, box.proto.format) == (5.03125, "%.5f")


def test_choices_read_as_their_labels(form: AppTest) -> None:
    """Pills show the words of a choice; a list shows text as it is, brackets included."""
    assert named(form.pills, "x.every.colour").options == ["Red", "Green"]
    assert named(form.selectbox, "x.every.city").options[-1] == "Kiel (north)"


def test_live_off_sends_nothing_until_asked(form: AppTest, server: V2Server) -> None:
    """A moved slider waits for the button; the old answer says that it is old."""
    form.toggle(key="live.every").set_value(False).run()
    count = len(server.inferences)
    assert count == 1
    named(form.slider, "slider.every.bounded").set_value(9.5).run()
    named(form.slider, "slider.every.bounded").set_value(9.0).run()
    assert len(server.inferences) == count
    form.button(key="ask.every").click().run()
    assert len(server.inferences) == count + 1
    assert sent(server)["bounded"] == 9.0
    named(form.slider, "slider.every.bounded").set_value(1.0).run()
    assert "The form has changed since this answer" in words(form)
    assert len(server.inferences) == count + 1
    form.toggle(key="live.every").set_value(True).run()
    assert sent(server)["bounded"] == 1.0


def test_another_model_and_back_keeps_the_form(form: AppTest, server: V2Server) -> None:
    """What was set stays set when the person looks at another model in between."""
    named(form.slider, "slider.every.bounded").set_value(8.5).run()
    named(form.pills, "x.every.size").select("S").run()
    pick(form, "picture")
    assert title(form).endswith("Picture")
    pick(form, "every")
    assert named(form.slider, "slider.every.bounded").value == 8.5
    assert sent(server)["bounded"] == 8.5
    assert sent(server)["size"] == "S"


def test_another_page_and_back_keeps_the_form(form: AppTest, server: V2Server) -> None:
    """The same for another page."""
    named(form.slider, "slider.every.bounded").set_value(8.5).run()
    form.switch_page("pages/model.py").run()
    form.switch_page("pages/predict.py").run()
    assert named(form.slider, "slider.every.bounded").value == 8.5
    assert sent(server)["bounded"] == 8.5


def png(*levels: int) -> bytes:
    """Return a grey picture of 2 × 2 pixels."""
    image = Image.new("L", (2, 2))
    image.putdata(levels)
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_a_picture_is_shown_and_sent_as_numbers(open_page: OpenPage, server: V2Server) -> None:
    """Nothing is asked before there is one; dark ink becomes high numbers."""
    app = open_page("predict", m="picture")
    assert server.inferences == []
    assert len(app.error) == 0
    (box,) = app.file_uploader
    assert plain(box.label).startswith("Photo")
    box.upload("tiny.png", png(0, 255, 255, 0), "image/png").run()
    (sent_image,) = server.inferences[-1]["inputs"]
    assert sent_image == {
        "name": "image",
        "shape": [1, 4],
        "datatype": "FP32",
        "data": [16, 0, 0, 16],
    }
    assert len(app.image) == 2
    assert [image.proto.imgs[0].alt for image in app.image] == [
        "The picture you chose",
        "The picture as the model gets it",
    ]


def test_an_upload_takes_the_place_of_the_example_for_good(
    open_page: OpenPage, models_file: Path, server: V2Server
) -> None:
    """A broken file over it, or none any more: nobody's picture is asked about, and none is shown."""
    kept = "    examples: [{name: Dark, row: {image: [16, 16, 16, 16]}}]\n"
    models_file.write_text(models_file.read_text().rstrip("\n") + "\n" + kept)
    app = open_page("predict", m="picture")
    assert sent(server) == {"image": [16, 16, 16, 16]}
    app.file_uploader[0].upload("tiny.png", png(0, 255, 255, 0), "image/png").run()
    assert sent(server) == {"image": [16, 0, 0, 16]}
    count = len(server.inferences)
    app.file_uploader[0].upload("broken.png", b"no picture at all", "image/png").run()
    assert "it is not a picture" in alert(app, "warning")
    assert "The form has changed since this answer" in words(app)
    app.file_uploader[0].set_value(None).run()
    assert "Photo: needed" in alert(app, "warning")
    assert len(app.image) == 0
    assert len(server.inferences) == count
    app.pills[0].select("Dark").run()
    assert sent(server) == {"image": [16, 16, 16, 16]}


def test_what_is_no_picture_is_explained(open_page: OpenPage, server: V2Server) -> None:
    """Bytes that are no picture: a sentence, no request."""
    app = open_page("predict", m="picture")
    app.file_uploader[0].upload("broken.png", b"no picture at all", "image/png").run()
    assert "it is not a picture (PNG, JPEG, …)" in alert(app, "warning")
    assert server.inferences == []


def test_no_page_chooses_a_widget_for_a_value() -> None:
    """Only the widget table does; a page that wants a number or a date of a feature asks a form."""
    of_values = {"slider", "select_slider", "number_input", "date_input", "text_area"}
    called = {
        path.name: {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        & of_values
        for path in (ROOT / "pages").glob("*.py")
    }
    assert "predict.py" in called
    assert {name: found for name, found in called.items() if found} == {}
