"""The image with the packages of the extra s3: its jobs lie in a real S3 store.

A second build with EXTRAS="kubernetes s3" takes minutes, of which nearly all is as before. So the
packages are installed as the Dockerfile does it, by the base image, and mounted into the one that is there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scripts.processes import LOOPBACK, free_ports
from tests.dashboard.batch_jobs import doubled, jobs_in, model_of, start, table, until_state
from tests.image.conftest import ROOT
from tests.image.docker import Docker
from tests.image.hardened import container, wait_until_well
from tests.object_store import object_store, variables_of
from tests.v2_server import v2_server

# The first test of this folder builds the image: a minute or two, seconds when its layers are there.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

URL = "s3://jobs/x"
EXTRA = "/opt/extra"
INSTALL = (
    *("python3", "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"),
    *("--only-binary", ":all:", "--require-hashes", "--root-user-action", "ignore"),
    *("--target", EXTRA, "--requirement", "/requirements/image-s3.txt"),
)
READ = """
import json
from dashboard.jobs import Jobs
from dashboard.settings import Settings
from kserve_client.scoring import WriteOptions
jobs = Jobs(Settings())
(job,) = jobs.mine("me@example.org")
result = jobs.download(job.id, "me@example.org", WriteOptions()).read_text()
print(json.dumps([jobs.problem(), job.state, result]))
"""


@pytest.fixture
def extra(docker: Docker, base: str) -> Iterator[str]:
    """Fill a volume with the packages of the extra, each with the hash of its file."""
    volume = docker.run("volume", "create")
    mounts = [f"{volume}:{EXTRA}", f"{ROOT / 'requirements'}:/requirements:ro"]
    words = [word for one in mounts for word in ("--volume", one)]
    docker.run("run", "--rm", "--network", "host", *words, base, *INSTALL, timeout_s=300)
    yield volume
    docker.run("volume", "rm", "--force", volume)


def test_a_container_reads_the_jobs_of_a_bucket(
    docker: Docker, image: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing to write to but /tmp it is well, and has the result of a job of another process."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only on Linux a container shares the network of the machine")
    with object_store(tmp_path, "jobs") as store:
        variables = {k: v for k, v in variables_of(store).items() if k.startswith("AWS_")}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with v2_server(double=doubled) as server, closing(jobs_in(URL)) as jobs:
            job_id = start(jobs, model_of(server), table(3))
            until_state(jobs, job_id, "finished")
        variables |= {
            "KSERVE_CLIENT_JOBS_FOLDER": URL,
            "PYTHONPATH": f"/app:{EXTRA}",
            "STREAMLIT_SERVER_ADDRESS": LOOPBACK,
            "STREAMLIT_SERVER_PORT": str(free_ports(1)[0]),
        }
        options = [word for one in variables.items() for word in ("--env", "=".join(one))]
        options += ["--volume", f"{extra}:{EXTRA}:ro"]
        with container(docker, image, *options, network="host") as name:
            wait_until_well(docker, name)
            said = json.loads(docker.run("exec", name, "python", "-c", READ))
            log = docker.run("logs", name)
    lines = [
        "a,note,prediction,state,error",
        "0,row 0,0.0,ok,",
        "1,row 1,2.0,ok,",
        "2,row 2,4.0,ok,",
    ]
    assert said == ["", "finished", "\n".join(lines) + "\n"]
    assert "can't be read" not in log
