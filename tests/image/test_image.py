"""The image, built for real and run with what a hardened cluster allows: nothing."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.image.conftest import ROOT
from tests.image.docker import Docker
from tests.image.hardened import SCRIPT, container, wait_until_well

# The first test builds: a minute or two, seconds when the layers are there.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# Streamlit's look-up of its own address lasts 20 s where nothing leads outside.
LOOK_UP_S = 20.0
ASK_FROM_ELSEWHERE = """
import http.client, time
connection = http.client.HTTPConnection("127.0.0.1", 8501, timeout=60)
begin = time.monotonic()
connection.request("GET", "/ml/dash/_stcore/stream", headers={
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "http://elsewhere.example.org"})
print(connection.getresponse().status, time.monotonic() - begin)
"""


@pytest.fixture(scope="module")
def hardened(docker: Docker, image: str) -> Iterator[str]:
    """Run one below a path, for the tests that only look at it."""
    with container(docker, image, "--env", "STREAMLIT_SERVER_BASE_URL_PATH=ml/dash") as name:
        wait_until_well(docker, name)
        yield name


def inside(docker: Docker, name: str, code: str) -> str:
    return docker.run("exec", name, "python", "-c", code)


def test_it_is_well_without_a_way_outside(
    docker: Docker, image: str, record_testsuite_property: Any
) -> None:
    """Nothing outside is asked at the start: that alone would last 20 s. Usually it takes about one."""
    with container(docker, image) as name:
        taken_s = wait_until_well(docker, name)
    record_testsuite_property("healthy_after_s", taken_s)
    assert taken_s < LOOK_UP_S / 2


def test_an_origin_from_elsewhere_holds_nobody_up(docker: Docker, hardened: str) -> None:
    """It is refused at once; Streamlit alone would look its own address up first, for 20 s."""
    status, taken_s = inside(docker, hardened, ASK_FROM_ELSEWHERE).split()
    assert status == "403"
    assert float(taken_s) < LOOK_UP_S / 2


def test_sigterm_ends_it(docker: Docker, image: str, record_testsuite_property: Any) -> None:
    """Process 1 gets the signal itself and ends with status 0, long before it would be killed."""
    with container(docker, image) as name:
        wait_until_well(docker, name)
        begin = time.monotonic()
        docker.run("stop", "--time", "20", name)
        taken_s = time.monotonic() - begin
        state = docker.inspect(name)["State"]
    record_testsuite_property("ended_after_s", taken_s)
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    assert taken_s < 10


def test_it_has_no_rights(docker: Docker, hardened: str) -> None:
    """An own user, no capability, none to be had, calls filtered, nothing to write to but /tmp."""
    status = dict(
        line.split(":\t", 1)
        for line in docker.run("exec", hardened, "cat", "/proc/1/status").splitlines()
    )
    assert status["Uid"].split() == ["10001"] * 4
    assert (status["CapEff"], status["CapBnd"]) == ("0" * 16, "0" * 16)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    code = (
        "import os; print([p for p in ('/', '/app', '/opt/venv', '/usr', '/etc', '/tmp') "
        "if os.access(p, os.W_OK)])"
    )
    assert inside(docker, hardened, code) == "['/tmp']"


def test_nothing_in_it_builds_or_installs(docker: Docker, hardened: str) -> None:
    """No compiler, no pip, no cache of either."""
    code = (
        "import shutil; print([n for n in ('gcc', 'cc', 'ld', 'strip', 'make', 'pip', 'pip3', "
        "'curl', 'wget', 'git') if shutil.which(n)])"
    )
    assert inside(docker, hardened, code) == "[]"
    code = "import importlib.util as u; print([n for n in ('pip', 'setuptools') if u.find_spec(n)])"
    assert inside(docker, hardened, code) == "[]"
    found = docker.run(
        "exec", hardened, "sh", "-c", "ls -A /var/cache/apt /var/lib/apt/lists /root || true"
    )
    assert ".cache" not in found
    assert "archives" not in found


def test_only_what_runs_is_in_it(docker: Docker, hardened: str) -> None:
    """No tests, no documents, no history, no settings of somebody's machine."""
    assert docker.run("exec", hardened, "ls", "-A", "/app").split() == [
        ".streamlit",
        "LICENSE",
        "app.py",
        "dashboard",
        "kserve_client",
        "pages",
        "requirements",
        "requirements.txt",
        "scripts",
    ]
    found = docker.run("exec", hardened, "find", "/app", "-name", "__pycache__")
    assert found == ""


def test_what_it_imports_is_compiled(docker: Docker, hardened: str) -> None:
    """Its root file system is read-only: what is not compiled now would be at each start."""
    code = (
        "import sys, importlib.util as u, os; import scripts.serve, dashboard.shell; "
        "import streamlit.web.bootstrap; "
        "print([n for n, m in list(sys.modules.items()) if getattr(m, '__cached__', None) "
        "and n != '__main__' and not os.path.exists(m.__cached__)])"
    )
    assert inside(docker, hardened, code) == "[]"


def test_what_was_taken_out_is_not_missed(docker: Docker, hardened: str) -> None:
    """A table goes through Arrow, Parquet and pandas and comes back."""
    code = """
import io, pandas as pd, pyarrow as pa, pyarrow.compute as pc, pyarrow.csv, pyarrow.dataset, pyarrow.fs
import pyarrow.json, pyarrow.parquet as pq, plotly.express as px, kubernetes.client
data = io.BytesIO()
pq.write_table(pa.table({"a": [1, 2, 3]}), data, compression="zstd")
frame = pq.read_table(io.BytesIO(data.getvalue())).to_pandas()
px.bar(frame, y="a").to_json()
print(pc.sum(pa.array(frame["a"])).as_py())
"""
    assert inside(docker, hardened, code) == "6"


def test_the_command_line_is_in_it(docker: Docker, hardened: str) -> None:
    """Scoring from a job of the cluster takes no other image."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    said = docker.run("exec", hardened, SCRIPT, "kserve-client", "--version")
    assert version in said


def test_the_check_of_helm_test_asks_for_the_page(docker: Docker, hardened: str) -> None:
    """Well below its path, and not well at another."""
    docker.run("exec", hardened, SCRIPT, "check", "http://127.0.0.1:8501/ml/dash")
    with pytest.raises(AssertionError, match="is not well"):
        docker.run("exec", hardened, SCRIPT, "check", "http://127.0.0.1:8501/other")


def test_it_says_what_it_is(docker: Docker, image: str, record_testsuite_property: Any) -> None:
    """Labels of OCI, a user, a health check, an entry point that forwards signals, and its size."""
    found = docker.inspect(image)
    labels = found["Config"]["Labels"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert labels["org.opencontainers.image.version"] == version
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.revision"]
    assert labels["org.opencontainers.image.created"]
    assert found["Config"]["User"] == "10001:10001"
    assert found["Config"]["Healthcheck"]["Test"] == ["CMD", SCRIPT, "health"]
    assert found["Config"]["Entrypoint"] == [SCRIPT]
    record_testsuite_property("size_mb", round(found["Size"] / 1e6))
    assert found["Size"] < 520e6  # 450 MB with the core alone; kubernetes adds 50
