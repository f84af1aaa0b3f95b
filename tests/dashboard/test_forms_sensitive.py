"""Sensitive features: what a person types into them is hidden, sent, and nowhere else."""

import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import gateway
from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, named, shown_json, words
from tests.v2_server import Reply, V2Server, one_number, v2_server

MODELS = """
endpoints:
  test: {url: URL}
models:
  clinic:
    title: Clinic
    endpoint: test
    signature:
      layout: columns
      features:
        - {name: name, kind: text, sensitive: true}
        - {name: income, sensitive: true, min: 0, max: 1000000, default: 10}
        - {name: insurance, kind: integer, sensitive: true}
        - {name: illness, kind: category, choices: [Flu, Gout], sensitive: true}
        - {name: smokes, kind: boolean, sensitive: true}
        - {name: born, kind: date, sensitive: true, default: "2000-01-01"}
        - {name: dose, min: 0, max: 10, default: 4}
      outputs: [{name: out, kind: value}]
  tensor:
    title: Tensor
    endpoint: test
    model_name: clinic
    signature:
      features:
        - {name: income, sensitive: true, default: 10}
        - {name: dose, default: 4}
      outputs: [{name: out, kind: value}]
"""
NAME, INCOME, INSURANCE = "Jane Sentinel Roe", "731975.25", "9007199254740993"


@pytest.fixture
def server() -> Iterator[V2Server]:
    with v2_server(clinic=one_number) as running:
        yield running


@pytest.fixture
def form(open_page: OpenPage) -> AppTest:
    """Open the form and fill in a person."""
    app = open_page("predict", m="clinic")
    named(app.text_input, "x.clinic.name").set_value(NAME)
    named(app.text_input, "x.clinic.income").set_value(INCOME)
    named(app.text_input, "x.clinic.insurance").set_value(INSURANCE)
    named(app.pills, "x.clinic.illness").select("Gout")
    return app.run()


def everything_shown(app: AppTest) -> str:
    """Return all texts and code of the page but what the hidden widgets themselves hold."""
    kinds = [element.value for kind in (app.code, app.caption, app.markdown) for element in kind]
    labels = [widget.label for widget in [*app.slider, *app.text_input, *app.pills]]
    bodies = [html.proto.body for html in app.get("html")]
    return "\n".join([*map(str, kinds), *labels, *bodies, words(app)])


def test_each_kind_is_hidden(form: AppTest) -> None:
    """Numbers and texts are lines of dots without a slider; the others stand behind a button."""
    lines = {str(line.key).split("~")[0]: line.proto.type for line in form.text_input}
    password = 1
    assert {name: lines[f"x.clinic.{name}"] for name in ("name", "income", "insurance")} == {
        "name": password,
        "income": password,
        "insurance": password,
    }
    assert [str(slider.key).split("~")[0] for slider in form.slider] == ["slider.clinic.dose"]
    behind = [block.proto.popover.label for block in form.main.get("popover")]
    assert behind == ["illness · hidden", "smokes · hidden", "born · hidden"]


def test_it_is_sent_exactly(form: AppTest, server: V2Server) -> None:
    """The model gets what was typed."""
    data = {column["name"]: column["data"][0] for column in server.inferences[-1]["inputs"]}
    assert data == {
        "name": NAME,
        "income": 731975.25,
        "insurance": 9007199254740993,
        "illness": "Gout",
        "smokes": False,
        "born": "2000-01-01",
        "dose": 4.0,
    }


def test_the_request_is_shown_with_placeholders(form: AppTest, server: V2Server) -> None:
    """In the JSON, in the curl line and in the scripts; what is not sensitive is as it was sent."""
    shown = shown_json(form, "Request (JSON)")
    assert [column["data"] for column in shown["inputs"]] == [
        ["<name: hidden>"],
        ["<income: hidden>"],
        ["<insurance: hidden>"],
        ["<illness: hidden>"],
        ["<smokes: hidden>"],
        ["<born: hidden>"],
        [4.0],
    ]
    sent = server.inferences[-1]
    assert [column["shape"] for column in shown["inputs"]] == [[1, 1]] * 7
    assert shown["parameters"] == sent["parameters"]
    scripts = "\n".join(block.value for block in form.code)
    assert scripts.count("<name: hidden>") >= 3
    for value in (NAME, "731975", INSURANCE, "Gout", "2000-01-01"):
        assert value not in scripts


def test_of_one_tensor_only_its_columns_are_hidden(open_page: OpenPage, server: V2Server) -> None:
    """The number beside it stands there."""
    app = open_page("predict", m="tensor")
    named(app.text_input, "x.tensor.income").set_value(INCOME).run()
    assert server.inferences[-1]["inputs"][0]["data"] == [731975.25, 4.0]
    assert shown_json(app, "Request (JSON)")["inputs"][0]["data"] == ["<income: hidden>", 4.0]


def test_it_is_nowhere_on_the_page_and_in_the_address(form: AppTest) -> None:
    """Neither in words, nor in a label, nor behind a slider."""
    shown = everything_shown(form) + str(dict(form.query_params))
    for value in (NAME, "731975", INSURANCE, "Gout", "2000-01-01"):
        assert value not in shown, value


@pytest.mark.parametrize(
    ("name", "typed"), [("income", "12,5 Sentinel"), ("insurance", "Sentinel")]
)
def test_an_error_does_not_repeat_it(
    form: AppTest, server: V2Server, name: str, typed: str
) -> None:
    """What can't be read is named by its field, not by what is in it."""
    count = len(server.inferences)
    named(form.text_input, f"x.clinic.{name}").set_value(typed).run()
    said = alert(form, "warning")
    assert name in said.casefold()
    assert typed not in everything_shown(form) + said
    assert "Sentinel" not in said
    assert len(server.inferences) == count


@pytest.mark.parametrize("status", [400, 500, 503])
def test_a_server_that_repeats_it_is_not_repeated(
    form: AppTest, server: V2Server, status: int
) -> None:
    """The words of an error are withheld: servers like to quote what they could not read."""
    server.models["clinic"] = lambda asked: Reply(
        status, {"error": f"could not convert {json.dumps(asked['inputs'])}"}
    )
    form.run()
    said = alert(form, "error")
    assert "withheld" in said
    assert NAME not in said + everything_shown(form)
    assert "731975" not in said


def test_a_change_is_still_noticed(form: AppTest, server: V2Server) -> None:
    """Without Live: the answer says that it is old, though nobody kept what it was about."""
    form.toggle(key="live.clinic").set_value(False).run()
    assert "The form has changed" not in words(form)
    named(form.text_input, "x.clinic.name").set_value("Somebody Else").run()
    assert "The form has changed since this answer" in words(form)
    named(form.text_input, "x.clinic.name").set_value(NAME).run()
    assert "The form has changed" not in words(form)


def test_the_session_forgets_it_with_the_page(form: AppTest) -> None:
    """What is remembered of an answer does not hold it; what stands in the form goes with the page."""
    form.switch_page("pages/health.py").run()
    kept = everything_in([form.session_state[name] for name in state_names(form)])
    assert NAME not in kept
    assert INSURANCE not in kept
    form.switch_page("pages/predict.py").run()
    assert named(form.text_input, "x.clinic.name").value == ""
    assert named(form.pills, "x.clinic.illness").value == "Flu"


def test_nothing_shared_between_people_holds_it(form: AppTest) -> None:
    """Neither a cache of the dashboard nor the client behind it."""
    shared = [gateway.catalog(), gateway.open_model("clinic"), gateway.monitor(), gateway.jobs()]
    found = everything_in(shared)
    assert "Clinic" in found  # the look goes deep enough
    assert NAME not in found
    assert INSURANCE not in found


def state_names(app: AppTest) -> list[str]:
    return [str(name) for name in app.session_state]


def everything_in(roots: list[Any]) -> str:
    """Return all texts, bytes and numbers that can be reached from objects of data."""
    skipped = (type, type(gc), type(everything_in))
    seen: dict[int, Any] = {}
    waiting = list(roots)
    while waiting and len(seen) < 300_000:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, skipped):
            continue
        seen[id(one)] = one
        waiting += gc.get_referents(one)
    plain = [repr(one) for one in seen.values() if isinstance(one, str | bytes | int | float)]
    return "\n".join(plain)
