"""What the documentation shows of other clients and of the demo, run with the real ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.demo_models import write_models_file
from scripts.mlserver import MLServer
from scripts.processes import LOOPBACK, free_ports
from tests import needs
from tests.unit.documents.pages import DOCS, Block, blocks, pages
from tests.unit.documents.reader import comments_of_prints
from tests.unit.documents.scripted_servers import scripted_servers

PEERS: dict[str, Callable[[], Path]] = {
    "tritonclient": needs.mlserver_python,
    "kserve": needs.kserve_python,
}
BETWEEN = "--- the next block ---"
DEMO = ("http://127.0.0.1:8890", "127.0.0.1 8890", "127.0.0.1:8890")
TRANSCRIPTS = {
    block.where: block for page in pages() for block in blocks(page) if block.language == "console"
}


def code_of(peer: str) -> list[Block]:
    return [block for block in blocks(DOCS / "coming-from.md") if block.note == peer]


@pytest.mark.parametrize("peer", PEERS)
def test_the_code_of_other_clients_does_what_the_page_says(peer: str) -> None:
    """Each against the servers of the page, in its own environment."""
    script = f"\nprint({BETWEEN!r})\n".join(block.text for block in code_of(peer))
    with scripted_servers() as servers:
        # Neither has a hook for names, so the host becomes the first part of the path.
        hosts = rf"{LOOPBACK}:{servers.port}/\1"
        script = re.sub(r"(localhost:8080|[\w-]+\.example\.org)", hosts, script)
        ended = run([str(PEERS[peer]()), "-c", script])
    assert ended.returncode == 0, ended.stderr
    expected = [comments_of_prints(block) or "" for block in code_of(peer)]
    assert ended.stdout.split(f"{BETWEEN}\n") == expected


@pytest.mark.parametrize("where", TRANSCRIPTS)
def test_a_transcript_shows_what_the_demo_says(
    where: str, mlserver: MLServer, demo_models_file: Path, tmp_path: Path
) -> None:
    """Numbers of milliseconds and seconds differ from run to run, and … stands for anything."""
    text, url = TRANSCRIPTS[where].text, mlserver.url
    (tmp_path / ".demo").symlink_to(demo_models_file.parent)
    models = demo_models_file
    if " down " in text:  # the same with the server stopped
        url = f"http://{LOOPBACK}:{free_ports(1)[0]}"
        models = demo_models_file.with_name("stopped.yaml")  # the pictures lie there
        write_models_file(models, url)
    for command, shown in re.findall(
        r"^\$ kserve-client (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE
    ):
        ended = run(
            ["bash", "-c", f"{sys.executable} -m kserve_client {command} 2>&1"],
            cwd=tmp_path,
            variables={"KSERVE_CLIENT_MODELS": str(models), "PYTHONPATH": str(DOCS.parent)},
        )
        form = re.escape(_even(shown)).replace("…", "(?:.|\n)*")
        assert re.fullmatch(form, _even(_as_demo(ended.stdout, url))), ended.stdout


def _as_demo(text: str, url: str) -> str:
    address = url.removeprefix("http://")
    for found, told in zip((url, address.replace(":", " "), address), DEMO, strict=True):
        text = text.replace(found, told)
    return text


def _even(text: str) -> str:
    """Without what differs: times, rates, and the widths of columns."""
    text = re.sub(r"[\d.,]+ (ms|s|rows/s)\b", r"N \1", text)
    return re.sub(r"[ \t]+", " ", re.sub(r" +$", "", text, flags=re.MULTILINE)).strip() + "\n"


def run(
    command: list[str], *, cwd: Path | None = None, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return subprocess.run(
        command,
        cwd=cwd,
        env={**clean, **(variables or {})},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
