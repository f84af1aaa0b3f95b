"""The image as a hardened cluster runs it: no rights, nothing to write to, no way out unless asked for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.image.docker import Docker

LIMITS = (
    "--read-only",
    "--tmpfs",
    "/tmp",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--user",
    "10001:10001",
    "--memory",
    "512m",
    "--pids-limit",
    "128",
)
SCRIPT = "/app/scripts/entrypoint.sh"
WELL_S = 60.0


@contextmanager
def container(docker: Docker, image: str, *options: str, network: str = "none") -> Iterator[str]:
    """Run the image with the limits until the block ends."""
    name = docker.run("run", "--detach", "--network", network, *LIMITS, *options, image)
    try:
        yield name
    finally:
        docker.run("rm", "--force", name)


def wait_until_well(docker: Docker, name: str) -> float:
    """Return after how many seconds its own health check says that it is well."""
    begin = time.monotonic()
    while time.monotonic() - begin < WELL_S:
        asked = subprocess.run(
            [docker.program, "exec", name, SCRIPT, "health"],
            env=docker.variables,
            capture_output=True,
            check=False,
        )
        if asked.returncode == 0:
            return time.monotonic() - begin
        time.sleep(0.05)
    raise AssertionError(docker.run("logs", name))
