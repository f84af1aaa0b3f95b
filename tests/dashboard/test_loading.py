"""The models file while it changes under the dashboard, in all the ways that files do."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dashboard.loading import ModelsFileLoader
from kserve_client.catalog.cluster import Watch
from kserve_client.errors import CatalogError
from tests.unit.catalog.recorded_mlflow import mlflow_server

TEXT = "endpoints: {test: {url: http://test.test}}\nmodels: {iris: {endpoint: test, title: NAME}}\n"
CLUSTER = "kubernetes: {namespaces: [flowers], kubeconfig: /nowhere}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "models.yaml"
    path.write_text(TEXT.replace("NAME", "One"))
    return path


@pytest.fixture
def loader(file: Path) -> Iterator[ModelsFileLoader]:
    found = ModelsFileLoader(file)
    yield found
    found.close()


def title(loader: ModelsFileLoader) -> str:
    return loader.current().catalog.title("iris")


def test_a_file_that_did_not_change_is_read_once(loader: ModelsFileLoader) -> None:
    """Also when many ask at once."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: loader.current(), range(50)))
    assert {(one.number, id(one.catalog)) for one in found} == {(1, id(found[0].catalog))}


def test_an_edit_that_keeps_size_and_time_is_seen(loader: ModelsFileLoader, file: Path) -> None:
    """Tools that copy files keep the time of the original."""
    assert title(loader) == "One"
    before = file.stat()
    file.write_text(TEXT.replace("NAME", "Two"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert title(loader) == "Two"


def test_the_log_says_once_what_is_wrong(
    loader: ModelsFileLoader, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who looks at a pod has no page; a file that is mended and broken anew is told again."""
    for _ in range(2):
        assert title(loader) == "One"
        file.write_text("version: 1\nmodel: {}\n")
        for _ in range(3):
            assert loader.current().problem is not None
        file.write_text(TEXT.replace("NAME", "One"))
    wrong = (
        f"The models file is wrong: {file}, line 2: model: is no setting here; did you mean models?"
    )
    assert [one.message for one in caplog.records] == [wrong, wrong]


def test_a_file_that_is_not_there_fills_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is looked for at every call."""
    loader = ModelsFileLoader(tmp_path / "models.yaml")
    for _ in range(3):
        with pytest.raises(CatalogError):
            loader.current()
    (said,) = [one.message for one in caplog.records]
    assert said.endswith("there is no such file")


def test_a_file_written_in_two_halves(loader: ModelsFileLoader, file: Path) -> None:
    """The first half is no models file: the last good one serves until the second comes."""
    assert title(loader) == "One"
    whole = TEXT.replace("NAME", "Two")
    file.write_text(whole[:-30])
    assert title(loader) == "One"
    assert loader.current().problem is not None
    with file.open("a") as stream:
        stream.write(whole[-30:])
    assert title(loader) == "Two"
    assert loader.current().problem is None


def test_a_config_map_that_is_turned(tmp_path: Path) -> None:
    """Kubernetes mounts a link to a link to a folder, and turns the inner one."""
    for version, name in (("..one", "One"), ("..two", "Two")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "models.yaml").write_text(TEXT.replace("NAME", name))
        os.utime(tmp_path / version / "models.yaml", ns=(1, 1))
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "models.yaml").symlink_to("..data/models.yaml")
    loader = ModelsFileLoader(tmp_path / "models.yaml")
    assert title(loader) == "One"
    (tmp_path / "..new").symlink_to("..two")
    (tmp_path / "..new").rename(tmp_path / "..data")
    assert title(loader) == "Two"


def test_a_file_that_never_was_good(tmp_path: Path) -> None:
    """The problem is raised, until there is a good one."""
    file = tmp_path / "models.yaml"
    loader = ModelsFileLoader(file)
    with pytest.raises(CatalogError, match="there is no such file"):
        loader.current()
    file.write_text("models: &a {x: *a}\n")
    with pytest.raises(CatalogError, match="stands within"):
        loader.current()
    file.write_text(TEXT.replace("NAME", "One"))
    assert title(loader) == "One"


def test_nobody_waits_for_the_end_of_a_watch(
    loader: ModelsFileLoader, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one ends when other settings are read, however long that takes."""
    may_end, is_closed = threading.Event(), threading.Event()
    close = Watch.close

    def slow_close(watch: Watch) -> None:
        may_end.wait(30)
        close(watch)
        is_closed.set()

    file.write_text(CLUSTER + TEXT.replace("NAME", "One"))
    assert title(loader) == "One"
    monkeypatch.setattr(Watch, "close", slow_close)
    file.write_text(CLUSTER.replace("flowers", "birds") + TEXT.replace("NAME", "Two"))
    started = time.monotonic()
    assert title(loader) == "Two"
    assert time.monotonic() - started < 20
    may_end.set()
    assert is_closed.wait(30)


def test_a_cluster_that_is_away_holds_nobody_up(loader: ModelsFileLoader, file: Path) -> None:
    """What is on endpoints of the file is there at once; the problem is told beside it."""
    file.write_text(CLUSTER + TEXT.replace("NAME", "One"))
    models = loader.current().catalog
    assert list(models) == ["iris"]
    deadline = time.monotonic() + 10
    while not (found := models.found()) or not found.problems:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert "kubeconfig /nowhere can't be used" in str(found.problems[0])


def test_what_mlflow_said_outlives_an_edit(loader: ModelsFileLoader, file: Path) -> None:
    """An edit elsewhere in the file does not take the titles away until MLflow is asked again."""
    with mlflow_server() as mlflow:
        text = (
            f"mlflow: {{url: '{mlflow.url}'}}\n"
            "endpoints: {test: {url: http://test.test}}\n"
            "models: {iris: {endpoint: test, mlflow: 'models:/iris@champion'}}\n"
        )
        file.write_text(text)
        assert title(loader) == "iris"
        loader.current().catalog.look_beside()
        deadline = time.monotonic() + 20
        while title(loader) == "iris" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert title(loader) == "Iris species"
        file.write_text(text.replace("test.test", "another.test"))
        assert title(loader) == "Iris species"
        file.write_text(text.replace("127.0.0.1", "localhost"))
        assert title(loader) == "iris"
