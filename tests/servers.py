"""Real servers for tests: the dashboard as `streamlit run` starts it. It ends with its block."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.processes import LOOPBACK, Child, answers, free_ports, wait_until

ROOT = Path(__file__).resolve().parents[1]
READY_S = 60.0
OURS = "KSERVE_CLIENT_"
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def dashboard_variables(models: Path | None, **more: str) -> dict[str, str]:
    """Return the environment of a dashboard: ours, without settings somebody made for another."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith((OURS, "STREAMLIT_"))}
    named = {} if models is None else {f"{OURS}MODELS": str(models)}
    return inherited | named | more


@dataclass(frozen=True)
class Dashboard:
    """A dashboard that runs."""

    url: str
    child: Child

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return self.child.log.read_text(errors="replace")

    def get(self, path: str) -> bytes:
        """Return the body of a GET; `path` may be relative to a page, as `../media/x.csv`."""
        with _direct.open(f"{self.url}/{path.lstrip('./')}", timeout=30) as answer:
            return bytes(answer.read())

    def interact(self, **request: Any) -> Snapshot:
        """Run the app, for a fresh session unless one is named; see Streamlit's agent API."""
        asked = urllib.request.Request(
            f"{self.url}/_stcore/agent/interact",
            json.dumps(request).encode(),
            {"Content-Type": "application/json"},
        )
        with _direct.open(asked, timeout=60) as answer:
            content = json.load(answer)
        if answer.status == 202:  # a slow machine: the run goes on, and may be waited for
            return self.interact(session_id=content["session_id"])
        return Snapshot(content)


@dataclass(frozen=True)
class Snapshot:
    """What the agent API says of a finished run."""

    content: Mapping[str, Any]

    def elements(self, kind: str, part: str = "") -> list[Mapping[str, Any]]:
        """Return the elements of a kind, all or those of one part: main, sidebar."""
        trees = [t for t in self.content["tree"]["children"] if part in ("", t["type"])]
        return [node for tree in trees for node in _all(tree) if node["type"] == kind]

    @property
    def has_frame(self) -> bool:
        """Whether app.py registered its pages, and drew the picker on each page about a model."""
        titles = [page["title"] for page in self.content["pages"]]
        labels = [node["props"]["label"] for node in self.elements("selectbox", "sidebar")]
        is_first = self.content["page"]["url_path"] == ""
        return "Models" in titles and (is_first or "Model" in labels)

    @property
    def text(self) -> str:
        """Everything that stands on the page itself, as text."""
        return json.dumps(next(t for t in self.content["tree"]["children"] if t["type"] == "main"))


def _all(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("children", ()):
        yield from _all(child)


@contextmanager
def streamlit_server(
    models: Path | None, log: Path, *, root: Path = ROOT, **variables: str
) -> Iterator[Dashboard]:
    """Run a dashboard in a process of its own until the block ends."""
    dashboard = start_dashboard(models, log, root=root, **variables)
    try:
        wait_for(dashboard)
        yield dashboard
    finally:
        dashboard.child.stop()


def start_dashboard(
    models: Path | None, log: Path, *, root: Path = ROOT, **variables: str
) -> Dashboard:
    """Start a dashboard without waiting for it."""
    port = free_ports(1)[0]
    command: list[str | Path] = [sys.executable, "-m", "streamlit", "run", root / "app.py"]
    command += ["--server.address", LOOPBACK, "--server.port", str(port)]
    command += ["--server.headless", "true", "--server.fileWatcherType", "none"]
    command += ["--server.enableAgentApi", "true", "--browser.gatherUsageStats", "false"]
    # The jobs of the person who runs the tests are none of theirs.
    folder = {f"{OURS}JOBS_FOLDER": str(log.with_name("jobs"))}
    environment = dashboard_variables(models, **(folder | variables))
    child = Child("The dashboard", command, log, cwd=root, env=environment)
    return Dashboard(f"http://{LOOPBACK}:{port}", child)


def wait_for(dashboard: Dashboard) -> None:
    """Wait until a dashboard answers; its app has not run yet then."""
    health = f"{dashboard.url}/_stcore/health"
    wait_until(lambda: answers(health), [dashboard.child], what="The dashboard", timeout_s=READY_S)
