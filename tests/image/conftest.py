"""The image, built once for all tests here, by scripts/image.sh."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.image import docker as engines
from tests.image.docker import Docker

ROOT = Path(__file__).resolve().parents[2]
BASE = "python:3.11-slim"
TAG = "kserve-client:test"
OURS = "org.opencontainers.image.title=kserve-client"


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """Return a Docker Engine: that of the machine, else one that runs as long as the tests."""
    reason = "there is no Docker Engine, and only root can start one (apt-get install docker.io)"
    found = engines.running()
    if found is not None:
        yield found
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    with engines.own(cache / "kserve-client" / "docker") as started:
        yield needs.allowed(started, reason)


@pytest.fixture(scope="session")
def base(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the base image: from its registry, else the stand-in of scripts/base_image.sh."""
    if docker.has(BASE):
        return BASE
    command = [docker.program, "pull", f"docker.io/library/{BASE}"]
    if subprocess.run(command, env=docker.variables, capture_output=True, check=False).returncode:
        tree = tmp_path_factory.mktemp("base") / "base.tar"
        script = ROOT / "scripts" / "base_image.sh"
        made = shutil.which("debootstrap") and subprocess.run(
            [script, tree], capture_output=True, text=True, check=False
        )
        reason = "no registry has the base image, and no stand-in can be made (debootstrap, root)"
        needs.allowed(made and made.returncode == 0, f"{reason}: {made and made.stderr[-500:]}")
        docker.run("import", tree, f"docker.io/library/{BASE}", timeout_s=300)
    return BASE


@pytest.fixture(scope="session")
def image(docker: Docker, base: str) -> str:
    """Return the image with the extra kubernetes, as scripts/image.sh makes it."""
    built = subprocess.run(
        # The machine's own network, since an engine of ours has no other.
        [ROOT / "scripts" / "image.sh", TAG, "--network", "host"],
        env={**docker.variables, "IMAGE_BUILDER": docker.program},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    # The one that had the tag before would stay for ever.
    docker.run("image", "prune", "--force", "--filter", f"label={OURS}")
    return TAG
