"""Each stage of the road, broken on purpose: the message names the stage and what to do."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from scripts.pipeline import road as roads
from scripts.pipeline import serving
from scripts.pipeline.registry import Version
from scripts.pipeline.road import Pythons, Road
from scripts.pipeline.stages import StageError
from scripts.pipeline.store import Key
from scripts.processes import free_ports
from tests.pipeline.conftest import Went

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NOBODY = Key("AKIAIOSFODNN7EXAMPLE", "wrong")


def assert_told(caught: pytest.ExceptionInfo[StageError], stage: str, problem: str) -> None:
    """The stage, the problem in somebody's words, and the advice for this stage."""
    said = str(caught.value)
    assert said.startswith(f"Stage {stage}: ")
    assert problem in said
    assert said.endswith(f"\nWhat to do: {roads.ADVICE[stage]}")


@pytest.fixture
def nowhere(tmp_path: Path, pythons: Pythons) -> Road:
    """Return a road whose programs are not there."""
    missing = dataclasses.replace(pythons, tools=tmp_path / "no" / "python")
    return Road(tmp_path, missing)


def test_a_store_that_does_not_start(nowhere: Road) -> None:
    """The program is not there."""
    with pytest.raises(StageError) as caught:
        nowhere.open_store()
    assert_told(caught, roads.STORE, "No such file")


def test_mlflow_that_ends_at_once(went: Went, tmp_path: Path) -> None:
    """Its last words are shown."""
    road = Road(tmp_path, dataclasses.replace(went.road.pythons, tools=Path("/bin/false")))
    road.store = went.road.store
    mlflow = road.start_mlflow(went.bucket)
    with pytest.raises(StageError) as caught:
        road.wait_for_mlflow(mlflow)
    road.stop()
    assert_told(caught, roads.TRACKING, "MLflow ended by itself")


def test_a_notebook_whose_cell_fails(went: Went, tmp_path: Path) -> None:
    """The error of the cell, and the executed notebook to look into."""
    road = Road(tmp_path, went.road.pythons)
    (port,) = free_ports(1)
    nobody = {
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    with pytest.raises(StageError) as caught:
        road.train(went.mlflow, **nobody)
    assert_told(caught, roads.TRAINING, "a cell failed with MlflowException")
    assert "Connection refused" in (tmp_path / "notebook.ipynb").read_text()


def test_an_alias_that_nobody_set(went: Went) -> None:
    """The registry knows the model, and no such alias of it."""
    with pytest.raises(StageError) as caught:
        went.road.champion(went.mlflow, went.bucket, alias="nobody")
    assert_told(caught, roads.REGISTRY, "no version of iris-classifier has the alias nobody")


@pytest.fixture
def elsewhere(went: Went, tmp_path: Path) -> Road:
    """Return a road of its own folder with the store that runs."""
    road = Road(tmp_path, went.road.pythons)
    road.store = went.road.store
    return road


def test_a_wrong_key(elsewhere: Road, went: Went) -> None:
    """The storage initializer's own words, and which policy to look at."""
    with pytest.raises(StageError) as caught:
        elsewhere.fetch(went.bucket, went.version, key=NOBODY)
    assert_told(caught, roads.FETCH, "403")


def test_a_wrong_secret_of_the_right_key(elsewhere: Road, went: Went) -> None:
    """Signatures are looked at, not names alone."""
    with pytest.raises(StageError) as caught:
        elsewhere.fetch(went.bucket, went.version, key=Key(went.bucket.kserve.access, "wrong"))
    assert_told(caught, roads.FETCH, "403")


def test_a_bucket_that_is_not_there(elsewhere: Road, went: Went) -> None:
    """A key that may read one bucket is told no more of others than that it may not."""
    lost = dataclasses.replace(went.bucket, name="nobodys-bucket")
    with pytest.raises(StageError) as caught:
        elsewhere.fetch(lost, went.version)
    assert_told(caught, roads.FETCH, "403")


def test_a_version_without_files(elsewhere: Road, went: Went) -> None:
    """The path that was looked at stands in the message."""
    lost = Version("iris-classifier", "9", "m-9", "1/models/m-9/artifacts")
    with pytest.raises(StageError) as caught:
        elsewhere.fetch(went.bucket, lost)
    assert_told(caught, roads.FETCH, "No model found in mlflow/1/models/m-9/artifacts")


def test_a_model_that_no_server_reads(elsewhere: Road, went: Went) -> None:
    """KServe's server says that it is ready while its model is not: the road looks at the model."""
    fetched = elsewhere.fetch(went.bucket, went.version)
    (fetched / "model.pkl").rename(fetched / "model.skops")
    serving.lay_out_kserve(elsewhere.kserve.models, fetched, "iris-classifier")
    elsewhere.children = [elsewhere.kserve.start()]
    with pytest.raises(StageError) as caught:
        elsewhere.wait_for_servers()
    elsewhere.stop()
    assert_told(caught, roads.SERVING, "its model iris-classifier is not ready")


def test_a_model_without_a_signature(elsewhere: Road, went: Went) -> None:
    """It is served, and no form can be built; the author is told what to log."""
    went.mlflow.run(Path(__file__).with_name("log_bare.py"))
    bare = went.mlflow.version("bare", "champion")
    assert bare is not None
    elsewhere.models_file.write_text(
        serving.models_file(
            "bare",
            mlflow=went.mlflow.url,
            kserve=went.road.kserve.url,
            mlserver=went.road.mlserver.url,
            alias="champion",
        )
    )
    with pytest.raises(StageError) as caught:
        elsewhere.open_forms()
    assert_told(caught, roads.FORM, "it was logged with no signature")


def test_a_server_that_went_away(elsewhere: Road) -> None:
    """Nobody listens where the model should answer."""
    with pytest.raises(StageError) as caught:
        elsewhere.predict()
    assert_told(caught, roads.PREDICTION, "does not answer")
