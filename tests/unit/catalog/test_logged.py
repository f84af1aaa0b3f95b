from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from kserve_client.catalog import logged
from kserve_client.catalog.logged import Logged
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError, NoAnswerError
from tests.unit.catalog.recorded_mlflow import mlflow_server
from tests.unit.test_transport_forks import in_child
from tests.v2_server import Reply, V2Server

IRIS = "models:/iris@champion"
ALIAS = "/api/2.0/mlflow/registered-models/alias?name=iris&alias=champion"


@pytest.fixture
def mlflow() -> Iterator[V2Server]:
    """Play what MLflow 3.17.2 once answered."""
    with mlflow_server() as running:
        yield running


def known_by(server: V2Server) -> Logged:
    return Logged(Endpoint(url=server.url))


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def times_asked(server: V2Server) -> int:
    """How often MLflow was asked which version the alias names."""
    return [asked.path for asked in server.asked].count(ALIAS)


def title(found: Logged, reference: str = IRIS) -> str:
    draft = found.known(reference)
    return draft.about["title"] if draft else ""


def rests() -> bool:
    """Whether no look is under way."""
    return not [one for one in threading.enumerate() if one.name == "look"]


def test_what_was_said_is_remembered_for_a_minute(
    mlflow: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second question of that time goes nowhere; a later one is asked."""
    found = known_by(mlflow)
    assert found.describe(IRIS).about["title"] == "Iris species"
    found.describe(IRIS)
    assert times_asked(mlflow) == 1
    monkeypatch.setattr(logged, "REMEMBERED_S", -1.0)
    found.describe(IRIS)
    assert times_asked(mlflow) == 2


def test_knowing_asks_nobody(mlflow: V2Server) -> None:
    """Until somebody asked there is nothing to know."""
    found = known_by(mlflow)
    assert found.known(IRIS) is None
    assert found.known(None) is None
    assert mlflow.asked == []
    found.describe(IRIS)
    assert title(found) == "Iris species"


def test_a_look_does_not_wait_for_the_answer(mlflow: V2Server) -> None:
    """It returns before MLflow has said anything, and what it says is known afterwards."""
    gate = threading.Event()
    answer = mlflow.reply

    def later(asked: object) -> Reply:
        gate.wait(20)
        return answer(asked)  # type: ignore[arg-type]

    mlflow.reply = later  # type: ignore[method-assign]
    found = known_by(mlflow)
    found.look([IRIS])
    assert title(found) == ""
    gate.set()
    until(lambda: title(found) == "Iris species")


def test_a_look_is_not_repeated_at_once(mlflow: V2Server) -> None:
    """However many pages look, each model is asked about once a minute."""
    found = known_by(mlflow)
    for _ in range(5):
        found.look([IRIS, IRIS])
        until(rests)
    assert times_asked(mlflow) == 1


def test_a_new_model_is_asked_about_at_the_next_look(mlflow: V2Server) -> None:
    """It does not wait for the minute of the others to end."""
    found = known_by(mlflow)
    found.look([IRIS])
    until(rests)
    found.look([IRIS, "models:/iris/1"])
    until(lambda: title(found, "models:/iris/1"))
    assert times_asked(mlflow) == 1


def test_one_model_that_is_not_there_leaves_the_others(mlflow: V2Server) -> None:
    """The look goes on with the next one."""
    found = known_by(mlflow)
    found.look(["models:/nope@champion", IRIS])
    until(lambda: title(found))
    assert found.known("models:/nope@champion") is None


def test_a_server_that_does_not_answer_is_asked_about_one_model_alone(mlflow: V2Server) -> None:
    """The others would wait as long for the same; all are left until the pause is over."""
    mlflow.stop()
    found = known_by(mlflow)
    found.look([IRIS, "models:/iris/1"])
    until(rests)
    mlflow.start()
    found.look([IRIS, "models:/iris/1"])
    until(rests)
    assert mlflow.asked == []


def test_after_the_pause_it_is_tried_again(
    mlflow: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is back is heard; what was known stays known meanwhile."""
    found = known_by(mlflow)
    found.describe(IRIS)
    mlflow.stop()
    monkeypatch.setattr(logged, "REMEMBERED_S", 0.0)
    monkeypatch.setattr(logged, "PAUSE_PER_LOOK", 0.0)
    found.look([IRIS])
    until(rests)
    assert title(found) == "Iris species"
    mlflow.start()
    before = times_asked(mlflow)
    found.look([IRIS])
    until(lambda: times_asked(mlflow) > before)


def test_a_slow_server_is_looked_at_less_often(
    mlflow: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine times as long as a look took, nothing more is asked."""
    monkeypatch.setattr(logged, "REMEMBERED_S", 0.0)
    monkeypatch.setattr(logged, "PAUSE_PER_LOOK", 1e6)
    found = known_by(mlflow)
    for _ in range(3):
        found.look([IRIS])
        until(rests)
    assert times_asked(mlflow) == 1


def test_a_model_that_is_gone_is_forgotten(
    mlflow: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow says that there is none, so its old title is not shown any more."""
    monkeypatch.setattr(logged, "REMEMBERED_S", -1.0)
    found = known_by(mlflow)
    found.describe(IRIS)
    missing = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such alias"}
    mlflow.replies[ALIAS] = Reply(404, missing)
    with pytest.raises(ConfigurationError, match="champion"):
        found.describe(IRIS)
    assert found.known(IRIS) is None


def test_what_nobody_names_any_more_is_forgotten(mlflow: V2Server) -> None:
    """What is kept does not grow with the models that came and went."""
    found = known_by(mlflow)
    found.describe(IRIS)
    found.look([])
    assert found.known(IRIS) is None


def test_a_question_of_a_person_is_answered_or_refused(mlflow: V2Server) -> None:
    """Whoever asks hears the reason; without a server, that there is none."""
    mlflow.stop()
    with pytest.raises(NoAnswerError):
        known_by(mlflow).describe(IRIS)
    nobody = Logged(None)
    nobody.look([IRIS])
    with pytest.raises(ConfigurationError, match="names no MLflow server"):
        nobody.describe(IRIS)


def test_versions_by_their_model(mlflow: V2Server) -> None:
    """Those of the registry, the newest first."""
    found = known_by(mlflow).versions("iris")
    assert [(one.version, one.aliases) for one in found] == [("2", ()), ("1", ("champion",))]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_forked_during_a_look_looks_by_itself(mlflow: V2Server) -> None:
    """The look stays with the parent, and so does what its threads had locked."""
    arrived, gate = threading.Event(), threading.Event()
    answer = mlflow.reply

    def later(asked: object) -> Reply:
        arrived.set()
        gate.wait(20)
        return answer(asked)  # type: ignore[arg-type]

    found = known_by(mlflow)

    def title_in_child() -> str:
        found.look([IRIS])
        until(lambda: title(found))
        return title(found)

    mlflow.reply = later  # type: ignore[method-assign]
    found.look([IRIS])
    assert arrived.wait(20)
    threading.Timer(0.5, gate.set).start()
    with found._lock:
        assert in_child(title_in_child) == "Iris species"


def test_a_look_that_can_not_begin_may_begin_later(
    mlflow: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod may have no thread left at that moment."""
    found = known_by(mlflow)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            found.look([IRIS])
    found.look([IRIS])
    until(lambda: title(found) == "Iris species")
