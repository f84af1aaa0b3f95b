"""What a sample says of a feature: faint bars, the share of each choice, quiet words."""

from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.forms import outside
from dashboard.forms.reference import said
from kserve_client.signature import Feature, Reference, Signature
from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import named, plain
from tests.v2_server import V2Server, one_number, v2_server

MODELS = """
endpoints:
  test: {url: URL}
models:
  known:
    title: Known
    endpoint: test
    signature:
      layout: columns
      features:
        - {name: length, title: Length, unit: cm, min: 0, max: 10,
           reference: {rows: 150, quantiles: [2, 3, 4, 5, 6, 7, 8], histogram: [10, 40, 20]}}
        - {name: free, title: <b>Free</b>,
           reference: {rows: 9, quantiles: [0, 1, 2, 3, 4, 5, 6], histogram: [1, 0, 2]}}
        - {name: plain, min: 0, max: 1, default: 0.5}
        - {name: weight, unit: kg, min: 0, default: 5}
        - {name: colour, kind: category, choices: [red, green, {value: 3, label: blue}],
           reference: {rows: 8, counts: {red: 6, "3": 2}}}
        - {name: city, kind: category, choices: [A, B, C, D, E, F],
           reference: {rows: 10, counts: {A: 10}}}
        - {name: paid, kind: boolean, reference: {rows: 4, counts: {"True": 3, "False": 1}}}
        - {name: age, sensitive: true, min: 0, max: 100, default: 5,
           reference: {rows: 9, quantiles: [10, 20, 30, 40, 50, 60, 70], histogram: [1, 2]}}
      outputs: [{name: out, kind: value}]
"""


@pytest.fixture
def server() -> Iterator[V2Server]:
    with v2_server(known=one_number) as running:
        yield running


@pytest.fixture
def form(open_page: OpenPage) -> AppTest:
    return open_page("predict", m="known")


def bodies(app: AppTest) -> list[str]:
    """Return what is drawn beside the numbers of a form."""
    return [html.proto.body for html in app.get("html") if 'class="usual"' in html.proto.body]


def test_the_bars_span_the_slider(form: AppTest) -> None:
    """Three bins from 2 to 8 on a slider from 0 to 10; the highest fills the height, the value's is marked."""
    length = bodies(form)[0]
    assert (
        "polygon(20.0% 100%,20.0% 75%,40.0% 75%,40.0% 0%,60.0% 0%,60.0% 50%,80.0% 50%,80.0% 100%)"
    ) in length
    assert (
        "polygon(20.0% 100%,20.0% 100%,40.0% 100%,40.0% 0%,60.0% 0%,60.0% 100%,80.0% 100%,80.0% 100%)"
    ) in length


def test_without_a_slider_the_bars_span_the_sample(form: AppTest) -> None:
    """From its least to its greatest value."""
    assert "polygon(0.0% 100%,0.0% 50%,33.3% 50%" in bodies(form)[1]


def test_who_can_not_see_the_bars_reads_them(form: AppTest) -> None:
    """Nine in ten and the middle, with the unit; a title is text, not HTML."""
    assert (
        'aria-label="Sample of Length: nine in ten between 3 and 7 cm, half below 5"'
        in (bodies(form)[0])
    )
    assert "&lt;b&gt;Free&lt;/b&gt;" in bodies(form)[1]
    assert "<b>" not in bodies(form)[1]


def test_a_form_begins_in_the_middle_of_the_sample(form: AppTest) -> None:
    """A number without a default starts where half of the sample is below."""
    assert named(form.slider, "slider.known.length").value == 5.0
    assert named(form.number_input, "x.known.free").value == 3.0


def test_unusual_values_are_told_as_they_are_set(form: AppTest) -> None:
    """Quiet words beside the slider; nothing inside the usual band."""
    assert 'usual-words"></div>' in bodies(form)[0]
    named(form.slider, "slider.known.length").set_value(7.5).run()
    assert "Unusual: only 5 % of the sample is above 7" in bodies(form)[0]
    named(form.number_input, "x.known.length").set_value(11.0).run()
    assert '<div class="usual-words outside">Outside the usual range</div>' in bodies(form)[0]


FEATURE = Feature(
    name="x",
    min=0,
    max=10,
    reference=Reference(rows=1500, quantiles=(1, 2, 3, 4, 5, 6.5, 9), histogram=(1, 2)),
)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (4.0, ""),
        (2.0, ""),
        (6.5, ""),
        (1.5, "Unusual: only 5 % of the sample is below 2"),
        (7.0, "Unusual: only 5 % of the sample is above 6.5"),
        (0.5, "Unusual: below all 1,500 of the sample (1)"),
        (9.5, "Unusual: above all 1,500 of the sample (9)"),
        (10.5, "Outside the usual range"),
        (-1.0, "Outside the usual range"),
        (None, ""),
    ],
)
def test_what_is_unusual(value: float | None, words: str) -> None:
    """The band is that of nine rows in ten; the range of the signature goes first."""
    assert said(FEATURE, value) == words


def test_without_a_sample_only_the_range_counts() -> None:
    """Where nobody counted, nobody calls a value unusual."""
    feature = Feature(name="x", min=0, max=10)
    assert (said(feature, 9.99), said(feature, 10.01)) == ("", "Outside the usual range")
    assert said(Feature(name="x"), 1e9) == ""


def test_choices_show_their_share(form: AppTest) -> None:
    """Faintly beside a pill, in words in a list, behind the question mark of a toggle."""
    pills = named(form.pills, "x.known.colour")
    assert [plain(option) for option in pills.options] == ["red 75.0 %", "green", "blue 25.0 %"]
    listed = named(form.selectbox, "x.known.city").options
    assert listed[:2] == ["A · 100.0 %", "B"]
    assert plain(named(form.toggle, "x.known.paid").help) == "In the sample: yes 75.0 %, no 25.0 %."


def test_a_sensitive_value_is_not_placed_among_the_others(form: AppTest) -> None:
    """Neither a mark in the bars nor words that tell how it lies."""
    assert len(bodies(form)) == 3  # length, free and plain
    assert not any("Unusual" in body for body in bodies(form))


def test_a_number_beyond_one_end_is_marked_at_its_field(form: AppTest) -> None:
    """It has no slider: the label says the end, and the words below have the colour of a warning."""
    weight = named(form.number_input, "x.known.weight")
    assert plain(weight.label) == "weight (kg) · from 0"
    weight.set_value(-5.0).run()
    assert bodies(form)[3].endswith(
        '<div class="usual-words outside">Outside the usual range</div></div>'
    )


@pytest.mark.parametrize(
    ("ends", "number", "words"),
    [
        ({"min": 0, "max": 10}, 12.5, ["Length 12.5 (usually 0 to 10)"]),
        ({"min": 4, "unit": "cm"}, 3, ["Length 3 (usually 4 cm and above)"]),
        ({"max": 8}, 9, ["Length 9 (usually up to 8)"]),
        ({"max": 8}, 1234567, ["Length 1234567 (usually up to 8)"]),
        ({"max": 8}, 7, []),
        ({}, 1e9, []),
        ({"max": 8, "sensitive": True}, 9, ["Length"]),
    ],
)
def test_a_number_beyond_one_end_is_told_above_the_answer(
    ends: dict[str, Any], number: float, words: list[str]
) -> None:
    """As at its field and by the command: an end that nobody names is no end."""
    length = {"name": "length", "title": "Length", "kind": "number", **ends}
    signature = Signature.model_validate(
        {"features": [length], "outputs": [{"name": "out", "kind": "value"}]}
    )
    assert outside(signature, {"length": number}) == words
