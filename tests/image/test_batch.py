"""A batch in the image: ended by SIGTERM in the middle, done by the next container, seen in Chromium."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from scripts.processes import LOOPBACK, free_ports
from tests import batch_page, needs
from tests.browser.conftest import ARGUMENTS
from tests.dashboard.batch_jobs import doubled
from tests.image.docker import Docker
from tests.image.hardened import container, wait_until_well
from tests.v2_server import V2Server, v2_server

# The first test of this folder builds the image: a minute or two, seconds when its layers are there.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def server() -> Iterator[V2Server]:
    with v2_server(double=batch_page.PACED) as running:
        yield running


@pytest.fixture
def page() -> Iterator[Page]:
    """Open one window of Chromium."""
    path = needs.chromium()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium.new_page()
        chromium.close()


@pytest.fixture
def volume(docker: Docker) -> Iterator[str]:
    """Make a volume as docs/install.md does; what the image has there belongs to its user."""
    name = docker.run("volume", "create")
    yield name
    docker.run("volume", "rm", "--force", name)


def options_of(models: Path, volume: str, port: int) -> list[str]:
    """The options of docs/install.md for a dashboard that keeps its jobs, on a port of this machine."""
    variables = {
        "KSERVE_CLIENT_MODELS": "/etc/kserve-client/models.yaml",
        "KSERVE_CLIENT_JOBS_FOLDER": "/var/lib/kserve-client/jobs",
        "STREAMLIT_SERVER_ADDRESS": LOOPBACK,
        "STREAMLIT_SERVER_PORT": str(port),
    }
    volumes = (f"{models}:/etc/kserve-client/models.yaml:ro", f"{volume}:/var/lib/kserve-client")
    return [
        *(word for one in volumes for word in ("--volume", one)),
        *(word for name, value in variables.items() for word in ("--env", f"{name}={value}")),
    ]


def test_sigterm_in_the_middle_of_a_batch(
    docker: Docker,
    image: str,
    volume: str,
    server: V2Server,
    page: Page,
    tmp_path: Path,
    record_testsuite_property: Any,
) -> None:
    """It ends as soon as always; the open page goes on with the next container, to every row once."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only on Linux a container shares the network of the machine")
    models = tmp_path / "models.yaml"
    batch_page.write_models_file(models, server)
    (port,) = free_ports(1)
    options = options_of(models, volume, port)

    with container(docker, image, *options, network="host") as name:
        wait_until_well(docker, name)
        page.goto(f"http://{LOOPBACK}:{port}/batch?m=double")
        batch_page.begin(page)
        done = batch_page.rows_done(page)
        begin = time.monotonic()
        docker.run("stop", "--time", "20", name)
        taken_s = time.monotonic() - begin
        state = docker.inspect(name)["State"]
        log = docker.run("logs", name)
    record_testsuite_property("ended_in_a_batch_after_s", taken_s)
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    assert taken_s < 10  # usually one or two
    assert "Traceback" not in log
    assert 0 < done < batch_page.ROWS

    server.models["double"] = doubled
    server.asked.clear()
    with container(docker, image, *options, network="host"):
        assert batch_page.result(page) == batch_page.RESULT
    assert 0 < batch_page.rows_asked(server) <= batch_page.ROWS - done
