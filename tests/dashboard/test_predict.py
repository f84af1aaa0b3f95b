import json
import re
import shlex
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, answer, links, named, plain, shown_json, title, words
from tests.v2_server import PLAIN_500, Json, Reply, V2Server, tensor


def test_the_answer_is_there_at_once(open_page: OpenPage) -> None:
    """The first example is filled in and asked; label and certainty in words."""
    app = open_page("predict", m="flower")
    assert title(app).endswith("Flower")
    assert "Which flower it is." in words(app)
    assert answer(app) == "Rose"
    assert "70.0 % sure · next: Tulip (20.0 %)" in words(app)


def test_a_moved_slider_changes_the_answer(open_page: OpenPage, server: V2Server) -> None:
    """One request per move, with the new value."""
    app = open_page("predict", m="flower")
    named(app.slider, "slider.flower.length").set_value(6.5).run()
    assert answer(app) == "Tulip"
    assert [request["inputs"][0]["data"] for request in server.inferences] == [
        [1.5, 0.5],
        [6.5, 0.5],
    ]


def test_a_number_far_off_is_told_beside_the_answer(open_page: OpenPage) -> None:
    """A decimal comma lost on the way makes it ten times too large, and the answer looks as sure."""
    app = open_page("predict")
    named(app.number_input, "x.flower.length").set_value(55.0).run()
    assert "Outside the usual range: Petal length 55 (usually 0 to 10 cm)." in plain(
        alert(app, "warning")
    )
    shown = [str(getattr(node, "value", "")) for node in app.main]
    (told,) = [at for at, text in enumerate(shown) if text.startswith("Outside the usual range")]
    assert told < shown.index("Answer")
    assert "Tulip · 90.0 % sure · outside the usual range" in re.sub(" +", " ", words(app))


def test_a_slider_says_that_the_number_is_beyond_it(open_page: OpenPage) -> None:
    """Its thumb can go no farther than the end; what stands there is not taken for the number."""
    app = open_page("predict", m="flower")
    for number, shown in ((55.0, "above %.1f"), (-3.0, "below %.1f"), (10.0, "%.1f")):
        named(app.number_input, "x.flower.length").set_value(number).run()
        assert named(app.slider, "slider.flower.length").proto.format == shown


def test_an_old_answer_is_pale(open_page: OpenPage) -> None:
    """Not asked again, it is not taken for the answer to what the form shows now."""
    app = open_page("predict", m="flower")
    assert not is_pale(app)
    app.toggle(key="live.flower").set_value(False).run()
    named(app.slider, "slider.flower.length").set_value(6.5).run()
    assert answer(app) == "Rose"
    assert is_pale(app)
    app.button(key="ask.flower").click().run()
    assert answer(app) == "Tulip"
    assert not is_pale(app)


def is_pale(app: AppTest) -> bool:
    """Whether the card of the answer is. Exactly one style says so, in each run."""
    bodies = [html.proto.body for html in app.get("html")]
    (style,) = [body for body in bodies if ".st-key-answer-card { opacity" in body]
    return "opacity: 0.5" in style


def test_the_probabilities_are_a_chart_in_words_too(open_page: OpenPage) -> None:
    """Whoever can't see the bars reads them."""
    app = open_page("predict", m="flower")
    (chart,) = app.get("plotly_chart")
    assert chart.proto.alt == "Probabilities: Rose 70.0 %; Tulip 20.0 %; Aster 10.0 %"


RISK = """
endpoints: {test: {url: URL}}
models:
  risk:
    title: Risk
    endpoint: test
    signature:
      features: [{name: x, min: 0, max: 1, default: 0.3}]
      outputs:
        - {name: predict, kind: label, labels: [Stays, Leaves]}
        - {name: proba, kind: probabilities, threshold: 0.25}
  heat:
    title: Heat
    endpoint: test
    model_name: heavy
    signature:
      features: [{name: x, min: 0, max: 100, default: 5}]
      outputs: [{name: predict, kind: value, unit: °C, decimals: 1, threshold: 40}]
"""


def risk(request: Json) -> Json:
    """Answer with its input as the chance to leave."""
    (chance,) = request["inputs"][0]["data"]
    return {
        "outputs": [
            tensor("predict", "INT64", [1], [int(chance > 0.5)]),
            tensor("proba", "FP64", [1, 2], [1 - chance, chance]),
        ]
    }


@pytest.fixture
def with_thresholds(server: V2Server, models_file: Path) -> None:
    server.models["risk"] = risk
    models_file.write_text(RISK.replace("URL", server.url))


@pytest.mark.usefixtures("with_thresholds")
def test_a_threshold_decides_and_is_drawn(open_page: OpenPage) -> None:
    """The headline is the class on its side of the line; how far away it is stands in words."""
    app = open_page("predict", m="risk")
    assert answer(app) == "Leaves"
    assert "30.0 % Leaves · 5.0 points above the threshold of 25.0 %" in words(app)
    (chart,) = app.get("plotly_chart")
    assert chart.proto.alt == (
        "Probabilities: Stays 70.0 %; Leaves 30.0 %; threshold of Leaves 25.0 %"
    )
    drawn = json.loads(chart.proto.spec)["layout"]
    (line,) = drawn["shapes"]
    assert (line["x0"], line["x1"], line["y0"], line["y1"]) == (0.25, 0.25, 0.52, 1.48)
    assert [note["text"] for note in drawn["annotations"]] == ["threshold 25.0 %"]
    named(app.slider, "slider.risk.x").set_value(0.05).run()
    assert answer(app) == "Stays"
    assert "5.0 % Leaves · 20.0 points below the threshold of 25.0 %" in words(app)


@pytest.mark.usefixtures("with_thresholds")
def test_a_value_is_told_beside_its_threshold(open_page: OpenPage) -> None:
    """The answer stays the value."""
    app = open_page("predict", m="heat")
    assert answer(app) == "50.0 °C"
    assert "10.0 °C above the threshold of 40.0 °C" in words(app)
    named(app.slider, "slider.heat.x").set_value(3.0).run()
    assert "10.0 °C below the threshold of 40.0 °C" in words(app)
    named(app.slider, "slider.heat.x").set_value(4.0).run()
    assert "At the threshold of 40.0 °C" in words(app)


def test_a_value_has_its_unit(open_page: OpenPage, server: V2Server) -> None:
    """50 × 10 in the signature's decimals; the versioned path is asked."""
    app = open_page("predict", m="weight")
    assert answer(app) == "500.0 kg"
    assert server.asked[-1].path == "/v2/models/heavy/versions/v2/infer"
    assert app.get("plotly_chart") == []


def test_request_and_answer_are_shown_as_they_travelled(
    open_page: OpenPage, server: V2Server
) -> None:
    """Both tabs hold the JSON of the wire."""
    app = open_page("predict", m="flower")
    assert shown_json(app, "Request (JSON)") == server.inferences[-1]
    assert shown_json(app, "Request (JSON)")["inputs"] == [
        {"name": "input-0", "shape": [1, 2], "datatype": "FP32", "data": [1.5, 0.5]}
    ]
    assert shown_json(app, "Answer (JSON)")["outputs"][1]["data"] == [0.7, 0.2, 0.1]
    assert f"POST {server.url}/v2/models/flower/infer" in words(app)


def code(app: AppTest, tab: str) -> list[str]:
    """Return the code in one of the tabs."""
    (found,) = [found for found in app.tabs if found.label == tab]
    return [block.value for block in found.code]


def test_the_request_can_be_taken_along(open_page: OpenPage, server: V2Server) -> None:
    """Beside the JSON stand a curl line and two scripts that send the same."""
    app = open_page("predict", m="weight")
    labels = [tab.label for tab in app.tabs]
    assert labels == ["Request (JSON)", "Answer (JSON)", "curl", "Python"]
    (line,) = code(app, "curl")
    words_of_line = shlex.split(line)
    assert f"{server.url}/v2/models/heavy/versions/v2/infer" in words_of_line
    body = words_of_line[words_of_line.index("-d") + 1]
    assert json.loads(body) == server.inferences[-1]
    ours, theirs = code(app, "Python")
    assert 'client.infer(\n        "heavy",' in ours
    assert 'model_version="v2"' in ours
    assert "requests.post(" in theirs
    assert len(app.download_button) == 0


def test_no_secret_is_shown(
    open_page: OpenPage, models_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token's place stands in the snippets, the token nowhere on the page."""
    monkeypatch.setenv("FLOWER_TOKEN", "s3cr3t-of-nobody")
    text = models_file.read_text().replace(
        "title: Test server}", "title: Test server, auth: {type: bearer, env: FLOWER_TOKEN}}"
    )
    models_file.write_text(text)
    app = open_page("predict", m="flower")
    (line,) = code(app, "curl")
    assert '-H "Authorization: Bearer $FLOWER_TOKEN"' in line
    assert 'os.environ["FLOWER_TOKEN"]' in code(app, "Python")[1]
    shown = [block.value for block in app.code] + [words(app)]
    assert not any("s3cr3t-of-nobody" in part for part in shown)


def test_a_server_that_is_down_is_explained(open_page: OpenPage, server: V2Server) -> None:
    """What happened, where to look, and the form stays."""
    server.stop()
    app = open_page("predict", m="flower")
    said = alert(app, "error")
    assert "The server does not answer" in said
    assert f"127.0.0.1:{server.port}" in said
    assert "See which step fails" in links(app)
    assert len(app.slider) == 2


def test_a_server_that_comes_back_answers_again(open_page: OpenPage, server: V2Server) -> None:
    """The next run of the page is a good one; nothing of the failure is kept."""
    server.stop()
    app = open_page("predict", m="flower")
    server.start()
    app.run()
    assert len(app.error) == 0
    assert answer(app) == "Rose"


def test_a_server_that_comes_back_can_be_asked_again(open_page: OpenPage, server: V2Server) -> None:
    """Without a change of the form, which else is what asks a live model; then there is an answer."""
    server.stop()
    app = open_page("predict", m="flower")
    server.start()
    app.button(key="again.flower").click().run()
    assert answer(app) == "Rose"
    assert [button.label for button in app.main.button] == []
    assert server.inferences[-1]["inputs"][0]["data"] == [1.5, 0.5]


def test_an_answer_that_is_wrong_each_time_is_not_asked_for_again(
    open_page: OpenPage, server: V2Server
) -> None:
    """A button that can't help is not offered."""
    server.models["flower"] = lambda _: Reply(200, b"<html>Welcome</html>", "text/html")
    assert [button.label for button in open_page("predict", m="flower").main.button] == []


@pytest.mark.parametrize(
    ("reply", "kind", "headline", "detail"),
    [
        (PLAIN_500, "error", "The server refused", "Internal Server Error"),
        (Reply(400, {"error": "bad shape"}), "error", "The server refused", "bad shape"),
        (
            Reply(404, {"error": "Model flower not found"}),
            "error",
            "does not know this model",
            "Model flower not found",
        ),
        (Reply(503, {"error": "loading"}), "error", "not ready", "loading"),
        (Reply(401, {"error": "no token"}), "error", "did not let us in", "no token"),
        (
            Reply(200, b"<html>Welcome</html>", "text/html"),
            "error",
            "The answer is not what was agreed",
            "flower",
        ),
        (
            Reply(200, {"outputs": [tensor("predict", "INT64", [1], [0])]}),
            "error",
            "The answer is not what was agreed",
            "predict_proba",
        ),
        (
            Reply(200, {"outputs": [tensor("predict", "INT64", [2], [0, 1])]}),
            "error",
            "The answer is not what was agreed",
            "predict",
        ),
    ],
    ids=["500 text", "400", "404", "503", "401", "HTML", "an output missing", "two rows for one"],
)
def test_what_a_server_may_answer_instead(
    open_page: OpenPage, server: V2Server, reply: Reply, kind: str, headline: str, detail: str
) -> None:
    """Each wrong answer has a headline that says whose fault it is, and the server's own words."""
    server.models["flower"] = lambda _: reply
    said = alert(open_page("predict", m="flower"), kind)
    assert headline in said
    assert detail in said


def test_a_model_that_says_nothing_of_its_inputs(
    open_page: OpenPage, server: V2Server, models_file: Path
) -> None:
    """Without a signature here and metadata there, the page says what to write."""
    text = f"endpoints: {{test: {{url: '{server.url}'}}}}\nmodels: {{flower: {{endpoint: test}}}}\n"
    models_file.write_text(text)
    said = alert(open_page("predict"), "info")
    assert "does not say what it takes" in said
    assert "in the models file" in said


def test_a_model_without_a_signature_takes_that_of_its_metadata(
    open_page: OpenPage, server: V2Server, models_file: Path
) -> None:
    """Two numbers named by the server become two boxes, and its output is shown as it is."""
    text = f"endpoints: {{test: {{url: '{server.url}'}}}}\nmodels: {{heavy: {{endpoint: test}}}}\n"
    models_file.write_text(text)
    server.replies["/v2/models/heavy"] = Reply(
        body={
            "name": "heavy",
            "platform": "x",
            "inputs": [{"name": "size", "datatype": "FP32", "shape": [-1, 2]}],
            "outputs": [{"name": "predict", "datatype": "FP64", "shape": [-1, 2]}],
        }
    )
    app = open_page("predict")
    assert len(app.number_input) == 2
    named(app.number_input, "x.heavy.size[1]").set_value(3.0).run()
    assert server.inferences[-1]["inputs"][0]["data"] == [0.0, 3.0]
    assert "[0.0,30.0]" in answer(app)


def test_a_link_to_a_model_without_a_title(
    open_page: OpenPage, server: V2Server, models_file: Path
) -> None:
    """Its name is its title; the address needs no other word for it, and the page comes to an end."""
    signature = "{features: [{name: size}], outputs: [{name: predict, kind: value}]}"
    models_file.write_text(
        f"endpoints: {{test: {{url: '{server.url}'}}}}\n"
        f"models: {{heavy: {{endpoint: test, signature: {signature}}}}}\n"
    )
    assert title(open_page("predict", m="heavy")).endswith("heavy")


def test_text_of_the_server_is_text(open_page: OpenPage, server: V2Server) -> None:
    """A server's message can't draw pictures or links on the page."""
    server.models["flower"] = lambda _: Reply(400, {"error": "![x](http://evil.test/x.png) <b>"})
    app = open_page("predict", m="flower")
    (found,) = app.error
    assert "![x](http" not in found.value
    assert "evil.test" in found.value
