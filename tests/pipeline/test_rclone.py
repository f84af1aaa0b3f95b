"""The road on rclone, for machines that SeaweedFS has no wheel for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import deploy
from scripts.pipeline import programs
from scripts.pipeline.rclone import Rclone
from scripts.pipeline.road import CHAMPION, Pythons, Road
from scripts.pipeline.store import Bucket, Key
from scripts.pipeline.stores import RCLONE, SEAWEEDFS, data_folder, kind_here
from scripts.problem import ScriptError
from tests import needs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
HERE = {"Bucket": "example-ml-models"}
# What a key sees and may do; a refusal is an error of the server, for want of a better word of rclone.
CALLS = [
    ("list_objects_v2", HERE, "done", "done"),
    ("get_object", HERE | {"Key": "mlflow/m"}, "done", "done"),
    ("get_object", HERE | {"Key": "other/x"}, "NoSuchKey", "NoSuchKey"),
    ("put_object", HERE | {"Key": "mlflow/n", "Body": "n"}, "done", "InternalError"),
    ("put_object", HERE | {"Key": "other/n", "Body": "n"}, "InternalError", "InternalError"),
    ("list_objects_v2", {"Bucket": "others"}, "NoSuchBucket", "NoSuchBucket"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rclone]:
    """Run a store in a folder with a space in its name, with a model and something beside it."""
    folder = tmp_path_factory.mktemp("rclone") / "a folder"
    python = needs.pipeline_python()
    with Rclone(python, folder, folder.parent / "store.log", deploy.read_names()) as running:
        bucket = folder / "data" / "example-ml-models"
        (bucket / "mlflow" / "m").write_text("model")
        (bucket / "other").mkdir()
        (bucket / "other" / "x").write_text("x")
        yield running


@pytest.fixture(scope="module")
def bucket(store: Rclone) -> Bucket:
    """Return the bucket with its keys."""
    return store.prepare(deploy.read_names())


def asked(store: Rclone, key: Key, calls: list[tuple[str, dict[str, str]]]) -> list[str]:
    """Make calls with a key; return how each ended."""
    said = programs.call(
        store.python,
        "tests.pipeline.ask_store",
        variables=store.variables(key, "ca-central-1"),
        given=json.dumps(calls),
    )
    found: list[str] = json.loads(said)
    return found


@pytest.mark.parametrize("whose", ["mlflow", "kserve"])
def test_a_key_sees_the_prefix_alone(store: Rclone, bucket: Bucket, whose: str) -> None:
    """MLflow's writes there, KServe's reads there; whatever lies beside it is not there for them."""
    key = bucket.mlflow if whose == "mlflow" else bucket.kserve
    found = asked(store, key, [(call, arguments) for call, arguments, _, _ in CALLS])
    assert found == [mlflow if whose == "mlflow" else kserve for _, _, mlflow, kserve in CALLS]


def test_the_key_that_reads_deletes_nothing(store: Rclone, bucket: Bucket) -> None:
    """Whatever the answer is, the file is there afterwards."""
    model = store.models / "data" / "example-ml-models" / "mlflow" / "m"
    assert asked(store, bucket.kserve, [("delete_object", HERE | {"Key": "mlflow/m"})])
    assert model.read_text() == "model"


def test_nobody_gets_in_without_a_key(store: Rclone, bucket: Bucket) -> None:
    """Nor with a right name and a wrong secret."""
    strangers = [Key(bucket.kserve.access, "wrong"), Key("nobody", bucket.kserve.secret)]
    found = [asked(store, one, [("list_objects_v2", HERE)]) for one in strangers]
    assert found == [["AccessDenied"], ["AccessDenied"]]


def test_keys_are_in_no_file(store: Rclone, bucket: Bucket) -> None:
    """They travel by the environment, to the program that rclone asks too."""
    files = [path for path in store.models.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"trees.conf", "key.sh"}
    for path in [*files, store.log]:
        assert bucket.mlflow.secret not in path.read_text()
        assert bucket.kserve.secret not in path.read_text()


def test_a_model_goes_through_it(tmp_path: Path) -> None:
    """From the notebook by MLflow into the bucket, and out of it by KServe's storage initializer."""
    python = needs.pipeline_python()
    road = Road(tmp_path, Pythons(python, needs.kserve_python(), python), s3=RCLONE)
    try:
        bucket = road.open_store()
        mlflow = road.start_mlflow(bucket)
        road.wait_for_mlflow(mlflow)
        road.train(mlflow)
        version = road.champion(mlflow, bucket, CHAMPION)
        fetched = road.fetch(bucket, version)
    finally:
        road.stop()
    stored = tmp_path / "rclone" / "data" / bucket.name / bucket.prefix / version.path
    assert (fetched / "model.pkl").read_bytes() == (stored / "model.pkl").read_bytes()
    assert {path.name for path in fetched.iterdir()} == {path.name for path in stored.iterdir()}


def test_the_store_is_seaweedfs_where_it_is_there(tmp_path: Path) -> None:
    """The other one where that is alone; what is asked for and is not there is refused."""
    python = tmp_path / "python"
    (tmp_path / "rclone").touch()
    assert kind_here(python, None) == RCLONE
    with pytest.raises(ScriptError, match="seaweedfs is not in the environment"):
        kind_here(python, SEAWEEDFS)
    (tmp_path / "weed").touch()
    assert kind_here(python, None) == SEAWEEDFS
    assert kind_here(python, RCLONE) == RCLONE


def test_a_road_keeps_its_store(tmp_path: Path) -> None:
    """MLflow's database names files that the other store has not."""
    data_folder(tmp_path, SEAWEEDFS).mkdir()
    assert data_folder(tmp_path, SEAWEEDFS) == tmp_path / "store"
    with pytest.raises(ScriptError, match=r"was made with seaweedfs, not with rclone: .*--fresh"):
        data_folder(tmp_path, RCLONE)
