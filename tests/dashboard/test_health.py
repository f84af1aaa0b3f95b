import json
import re
from datetime import timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import gateway, rounds
from dashboard.views import milliseconds
from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, plain, title, words
from tests.v2_server import PLAIN_500, Reply, V2Server, tensor

STEPS = ["DNS", "TCP", "Server live", "Server ready", "Model ready", "Test inference"]

HANGS = Reply(pause_s=60)


def steps(app: AppTest) -> dict[str, str]:
    """Return the steps that were reached, with their state."""
    return {plain(step.label).split(" · ")[0]: step.state for step in app.status}


def test_all_is_well(open_page: OpenPage) -> None:
    """A verdict in a sentence, every step with its time, a table of all models."""
    app = open_page("health", m="flower")
    assert alert(app, "success") == "Flower answers."
    assert steps(app) == dict.fromkeys(STEPS, "complete")
    assert all(" ms" in plain(step.label) for step in app.status)
    (table,) = app.dataframe
    assert table.proto.alt
    rows = [list(map(str, row)) for row in table.value.to_numpy()]
    assert [row[:2] for row in rows] == [["Flower", "Ready"], ["Weight", "Ready"]]


def test_an_example_that_is_answered_otherwise_is_said(
    open_page: OpenPage, server: V2Server
) -> None:
    """The model answers, but not what its file expects."""
    server.models["flower"] = lambda _: {
        "outputs": [
            tensor("predict", "INT64", [1], [2]),
            tensor("predict_proba", "FP64", [1, 3], [0, 0, 1]),
        ]
    }
    app = open_page("health", m="flower")
    assert "Aster where Rose was expected" in words(app)


def test_a_stopped_server_breaks_at_tcp(open_page: OpenPage, server: V2Server) -> None:
    """The broken step, the advice, a command that proves it, and what was not reached."""
    server.stop()
    app = open_page("health", m="flower")
    assert "Flower is down: nothing listens on" in alert(app, "error")
    assert steps(app) == {"DNS": "complete", "TCP": "error"}
    (broken,) = [step for step in app.status if step.state == "error"]
    assert broken.code[0].value.startswith("nc -vz")
    assert "Not reached: Server live · Server ready · Model ready · Test inference" in words(app)


def test_the_way_back_is_seen(open_page: OpenPage, server: V2Server) -> None:
    """After the time of the cache the page is well again, without a restart."""
    server.stop()
    app = open_page("health", m="flower")
    server.start()
    _forget_health()
    app.run()
    assert alert(app, "success") == "Flower answers."


def test_a_model_that_is_not_ready(open_page: OpenPage, server: V2Server) -> None:
    """The server is well, one model is not; the others stay ready in the table."""
    server.replies["/v2/models/flower/ready"] = Reply(404, {"error": "Model flower not found"})
    app = open_page("health", m="flower")
    assert "not ready" in words(app)
    assert steps(app)["Model ready"] == "error"
    rows = {str(row[0]): str(row[1]) for row in app.dataframe[0].value.to_numpy()}
    assert rows == {"Flower": "Not ready", "Weight": "Ready"}


def test_a_model_that_fails_only_at_work(open_page: OpenPage, server: V2Server) -> None:
    """Ready says yes, the test inference says 500: that step is the broken one."""
    server.models["flower"] = lambda _: PLAIN_500
    app = open_page("health", m="flower")
    assert steps(app)["Model ready"] == "complete"
    assert steps(app)["Test inference"] == "error"
    assert "500 Internal Server Error" in words(app)


def test_no_access_is_no_failure_of_the_server(open_page: OpenPage, server: V2Server) -> None:
    """403 is a matter of a token, and said so."""
    server.replies["/v2/health/live"] = Reply(403, {"error": "who are you"})
    app = open_page("health", m="flower")
    seen = words(app)
    assert "No access to Flower" in seen
    assert "token" in seen


def test_a_first_check_that_hangs(
    open_page: OpenPage, server: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is there without it, and says what it waits for."""
    monkeypatch.setattr(gateway, "FIRST_LOOK_S", 0)
    server.replies["/v2/health/live"] = HANGS
    app = open_page("health", m="flower")
    assert alert(app, "info") == "The first check of Flower is under way."
    rows = [list(map(str, row[:3])) for row in app.dataframe[0].value.to_numpy()]
    assert rows == [["Flower", "Checking", "–"], ["Weight", "Checking", "–"]]
    assert steps(app) == {}


def test_the_last_check_is_shown_while_the_next_one_hangs(
    open_page: OpenPage, server: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the time it was made at, and how long ago that is."""
    app = open_page("health", m="flower")
    assert re.search(r"Checked at \d\d:\d\d:\d\d, again every 5 s$", words(app), re.MULTILINE)
    monkeypatch.setattr(rounds, "FRESH", timedelta())
    server.replies["/v2/health/live"] = HANGS
    app.run()
    assert alert(app, "success") == "Flower answers."
    assert steps(app) == dict.fromkeys(STEPS, "complete")
    assert re.search(
        r"Checked at \d\d:\d\d:\d\d, \d+ s ago · +checking now$", words(app), re.MULTILINE
    )


def test_checks_are_counted_and_drawn(open_page: OpenPage) -> None:
    """What this dashboard saw so far: how often it was ready, and a chart with words."""
    app = open_page("health", m="flower")
    for _ in range(2):
        _forget_health()
        app.run()
    seen = [f"{metric.label} {metric.value}" for metric in app.metric]
    assert any("3 of 3" in text for text in seen), seen
    (chart,) = app.get("plotly_chart")
    assert "3 of 3 checks found it ready" in chart.proto.alt
    assert "not ready, or did not answer" not in words(app)


def test_one_check_has_one_number(open_page: OpenPage) -> None:
    """The step, the figure, the newest point of the chart and the table show the same."""
    app = open_page("health", m="flower")
    took_ms = drawn(app)["data"][0]["y"][-1]
    shown = milliseconds(took_ms)
    (step,) = [plain(one.label) for one in app.status if "Model ready" in one.label]
    assert step.endswith(f"· {shown}")
    assert {figure.label: figure.value for figure in app.metric}["Last check"] == shown
    assert app.dataframe[0].value["Ready check"].iloc[0] == shown
    assert title(app) == "Health · Flower"


def test_a_failed_check_is_a_cross(open_page: OpenPage, server: V2Server) -> None:
    """It stands on the ground line, its meaning below the chart; the line breaks there."""
    app = open_page("health", m="flower")
    server.stop()
    _forget_health()
    app.run()
    line, crosses = drawn(app)["data"]
    assert [took_ms is None for took_ms in line["y"]] == [False, True]
    assert (crosses["y"], crosses["marker"]["symbol"]) == ([0], "x")
    assert crosses["x"] == line["x"][-1:]
    assert "the model was not ready, or did not answer" in words(app)
    assert {figure.label: figure.value for figure in app.metric}["Ready checks"] == "1 of 2"


def drawn(app: AppTest) -> Any:
    """Return the chart as it goes to the browser."""
    (chart,) = app.get("plotly_chart")
    return json.loads(chart.proto.spec)


def _forget_health() -> None:
    """Let nothing be known of any model."""
    gateway._rounds.clear()
