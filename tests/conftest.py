"""What several folders of tests share: the demo's models, trained once, and a real MLServer."""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from scripts import demo_models
from scripts.mlserver import MLServer
from tests import needs

MAIN = sys.modules["__main__"]
# Folders whose tests share something that takes long to make: a browser's dashboard, an image, a MLflow
# with models, the whole road. Everything else is divided file by file.
WHOLE = ("tests/browser/", "tests/chart/", "tests/image/", "tests/live/", "tests/pipeline/")


class ByWhatIsShared(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Says which tests stay together when several processes share the work."""

    def _split_scope(self, nodeid: str) -> str:
        return next(filter(nodeid.startswith, WHOLE), nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByWhatIsShared:
    """Have xdist ask it."""
    return ByWhatIsShared(config, log)


def pytest_collection_finish() -> None:
    """Have Python look for garbage only among what tests make: all else costs a tenth of the time."""
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_of_a_page_is_left() -> Iterator[None]:
    """Undo what a page run by a test leaves in this process.

    Streamlit puts the page in the place of `__main__`, which a process that is spawned later would
    run first; what the pages cached has threads and the settings of that test.
    """
    yield
    sys.modules["__main__"] = MAIN
    if "dashboard.settings" in sys.modules:
        sys.modules["dashboard.settings"].settings.cache_clear()
    if "streamlit" in sys.modules:
        sys.modules["streamlit"].cache_resource.clear()


@pytest.fixture(scope="session", autouse=True)
def components_are_looked_for_once() -> Iterator[None]:
    """Let all simulated browsers of a process share one search for components of Streamlit.

    Each AppTest else reads the metadata of every installed package again, as a dashboard does once: most
    of the processor time of a short test.
    """
    if "streamlit.testing.v1" not in sys.modules:
        yield
        return
    from streamlit.components.v2 import manifest_scanner

    once = functools.cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", once)
        yield


@pytest.fixture(scope="session")
def demo_folder() -> Path:
    """Return the folder with the demo's models and data, trained once in the user's cache."""
    python = needs.mlserver_python()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "kserve-client" / "tests"
    demo_models.train_once(folder, python)
    return folder


@pytest.fixture(scope="session")
def mlserver(demo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLServer]:
    """Run a MLServer with the demo's models; a test that stops it starts it again."""
    log = tmp_path_factory.mktemp("mlserver") / "mlserver.log"
    with MLServer(needs.mlserver_python(), demo_folder / "mlserver", log) as server:
        yield server


@pytest.fixture(scope="session")
def demo_models_file(
    mlserver: MLServer, demo_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the models file of the demo, with this server's address and the data beside it."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "data").mkdir()
    for sample in (demo_folder / "data").iterdir():
        # Not a link: the catalog takes only files that lie beside the models file.
        (folder / "data" / sample.name).write_bytes(sample.read_bytes())
    demo_models.write_models_file(folder / "models.yaml", mlserver.url)
    return folder / "models.yaml"
