from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import traffic
from kserve_client.catalog.inference_services import InferenceService, TrafficTarget
from kserve_client.catalog.mlflow import ModelVersion
from tests.dashboard.reading import plain, words

FIRST, SECOND = (f"m-{number:032x}" for number in (1, 2))
VERSIONS = {
    FIRST: ModelVersion("iris", "1", ("champion",), model_id=FIRST),
    SECOND: ModelVersion("iris", "2", model_id=SECOND),
}


def path(model_id: str) -> str:
    return f"s3://bucket/mlflow/1/models/{model_id}/artifacts"


STABLE = TrafficTarget("stable", 90, is_ready=True, storage_uri=path(FIRST))
CANARY = TrafficTarget("challenger", 10, is_latest=True, is_ready=True, storage_uri=path(SECOND))
FAILED = TrafficTarget(
    "challenger",
    10,
    is_latest=True,
    is_ready=False,
    failure="ModelLoadFailed: no [space](http://evil.test) left",
    storage_uri=path(SECOND),
)


def service(*targets: TrafficTarget, **more: Any) -> InferenceService:
    return InferenceService(
        "kserve", "iris", **{"traffic": targets, "deployment_mode": "Standard", **more}
    )


def drawn(of: InferenceService, versions: traffic.Versions) -> AppTest:
    """Draw the service alone."""

    def app(of: object, versions: object) -> None:
        from dashboard import traffic

        traffic.draw_service(of, versions)  # type: ignore[arg-type]

    return AppTest.from_function(app, kwargs={"of": of, "versions": versions}).run()


def rows(app: AppTest) -> list[dict[str, str]]:
    """The table as it reads."""
    (found,) = app.table
    return [
        {str(name): plain(cell) for name, cell in row.items()}
        for row in found.value.to_dict("records")
    ]


def test_the_line_says_share_version_and_state() -> None:
    """In one line: which share goes where, which version that is, whether the new one is ready."""
    assert plain(traffic.line([STABLE, CANARY], VERSIONS)) == (
        "90 % stable (version 1, champion) · 10 % challenger (version 2)  ready"
    )


def test_the_line_without_mlflow() -> None:
    """What the cluster says is enough for share and state."""
    assert plain(traffic.line([STABLE, FAILED])) == ("90 % stable · 10 % challenger  not ready")


def test_a_stable_part_that_is_not_ready_is_said() -> None:
    """A usual one is not worth a word."""
    down = TrafficTarget("stable", 90, is_ready=False)
    assert plain(traffic.line([down, CANARY])).startswith("90 % stable  not ready · 10 %")


def test_a_share_that_nobody_says() -> None:
    """The name alone, without a number and without a state."""
    assert plain(traffic.line([TrafficTarget("a"), TrafficTarget("b", is_latest=True)])) == (
        "a · b"
    )


def test_the_table_of_a_canary() -> None:
    """A row each; why a canary is not ready stands below, as text."""
    app = drawn(service(STABLE, FAILED), VERSIONS)
    assert rows(app) == [
        {
            "Requests": "90 %",
            "Revision": "stable",
            "Serves": "version 1, champion",
            "State": "ready",
        },
        {
            "Requests": "10 %",
            "Revision": "challenger canary",
            "Serves": "version 2",
            "State": "not ready",
        },
    ]
    assert "challenger: ModelLoadFailed: no [space](http://evil.test) left" in words(app)
    assert not [one.value for one in app.caption if "](http" in one.value]
    assert "A revision is a rollout" not in words(app)


def test_a_path_that_mlflow_does_not_know_is_shown_itself() -> None:
    """An own upload, or MLflow is away."""
    assert [row["Serves"] for row in rows(drawn(service(STABLE), {}))] == [path(FIRST)]


def test_a_newest_revision_without_requests_is_told() -> None:
    """Knative goes on with the one before until the newest is ready."""
    before = TrafficTarget("iris-00001", 100, is_latest=True)
    of = service(before, deployment_mode="Knative", latest_created_revision="iris-00002")
    seen = words(drawn(of, {}))
    assert "iris-00002 was created after these and gets no requests: it is not ready yet." in seen
    assert "A revision is a rollout of the InferenceService, not a version of the model." in seen


@pytest.mark.parametrize(
    ("storage_uri", "model_id", "served"),
    [
        (path(SECOND), FIRST, "version 2"),
        (path("m-" + "f" * 32), FIRST, "m-" + "f" * 32),
        (path(FIRST), FIRST, ""),
        (path(SECOND), "", ""),
        ("s3://bucket/own/upload", FIRST, ""),
    ],
)
def test_another_version_is_served_than_described(
    storage_uri: str, model_id: str, served: str
) -> None:
    """Told only where both sides name a logged model of MLflow."""
    of = service(storage_uri=storage_uri)
    assert traffic.other_version(of, model_id, VERSIONS) == served


def test_mlflow_is_only_asked_about_paths_of_its_own() -> None:
    """That of the stable part or of a canary; not for an upload of one's own."""
    assert traffic.names_versions(service(storage_uri=path(FIRST)))
    assert traffic.names_versions(service(STABLE, CANARY))
    assert not traffic.names_versions(service(storage_uri="s3://bucket/models/m-1"))


def test_a_newer_revision_that_is_ready_is_not_called_unready() -> None:
    """Traffic may be held at an older one by choice."""
    before = TrafficTarget("iris-00001", 100)
    of = service(
        before,
        deployment_mode="Knative",
        latest_created_revision="iris-00002",
        latest_ready_revision="iris-00002",
    )
    assert "iris-00002 was created after these and gets no requests." in words(drawn(of, {}))
