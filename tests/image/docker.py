"""A Docker Engine for tests: the one that runs here, or one of our own on a socket of our own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.processes import Child

START_S = 60.0
# Debian's package brings both; a newer client on the PATH may want more than its engine has.
OF_DEBIAN = Path("/usr/bin/docker")


@dataclass(frozen=True, slots=True)
class Docker:
    """An engine that answers, and its client."""

    program: str
    host: str | None

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its client."""
        return {**os.environ, **({"DOCKER_HOST": self.host} if self.host else {})}

    def run(self, *words: str | Path, timeout_s: float = 120.0) -> str:
        """Run a command and return what it prints. Raises AssertionError when it fails."""
        ended = subprocess.run(
            [self.program, *words],
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        assert ended.returncode == 0, f"docker {words}: {ended.stdout}{ended.stderr}"
        return ended.stdout.strip()

    def has(self, image: str) -> bool:
        """Whether the image is there."""
        return image in self.run("images", "--format", "{{.Repository}}:{{.Tag}}").split()

    def inspect(self, name: str) -> Any:
        """What the engine knows of an image or container."""
        return json.loads(self.run("inspect", name))[0]


def running() -> Docker | None:
    """The engine of this machine, where there is one that we may use."""
    found = shutil.which("docker")
    if found is None:
        return None
    asked = subprocess.run([found, "version"], capture_output=True, check=False)
    return Docker(found, None) if asked.returncode == 0 else None


@contextmanager
def own(folder: Path) -> Iterator[Docker | None]:
    """An engine that ends with the block; its images stay in `folder` for the next time.

    None where none can be started: that takes root, and Debian's package docker.io.
    """
    daemon = shutil.which("dockerd")
    if daemon is None or os.geteuid() != 0:
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    socket = f"unix://{folder}/socket"
    options: list[str | Path] = ["--data-root", folder / "data", "--exec-root", folder / "exec"]
    options += ["--pidfile", folder / "pid", "--host", socket, "--bridge=none"]
    options += ["--iptables=false", "--ip6tables=false"]
    child = Child("dockerd", [daemon, *options], folder / "log")
    try:
        docker = Docker(str(OF_DEBIAN if OF_DEBIAN.exists() else "docker"), socket)
        yield docker if _answers(docker, child) else None
    finally:
        child.stop()


def _answers(docker: Docker, child: Child) -> bool:
    deadline = time.monotonic() + START_S
    while child.is_running and time.monotonic() < deadline:
        asked = subprocess.run(
            [docker.program, "version"], env=docker.variables, capture_output=True, check=False
        )
        if asked.returncode == 0:
            return True
        time.sleep(0.2)
    return False
