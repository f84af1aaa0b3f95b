"""What the documentation shows of other clients and of the demo, run with the real ones."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
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
    block.where: block
    for page in pages()
    for block in blocks(page)
    if block.language == "console" and not block.note
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
    if "| jq " in text:
        needs.allowed(shutil.which("jq"), "there is no jq on the PATH")
    (tmp_path / ".demo").symlink_to(demo_models_file.parent)
    models = demo_models_file
    if " down " in text:  # the same with the server stopped
        url = f"http://{LOOPBACK}:{free_ports(1)[0]}"
        models = demo_models_file.with_name("stopped.yaml")  # the pictures lie there
        write_models_file(models, url)
    for command, shown in asked_in(text):
        ended = run(
            ["bash", "-c", f"{sys.executable} -m kserve_client {command} 2>&1"],
            cwd=tmp_path,
            variables={"KSERVE_CLIENT_MODELS": str(models), "PYTHONPATH": str(DOCS.parent)},
        )
        assert re.fullmatch(form_of(shown), _even(_as_demo(ended.stdout, url))), ended.stdout


@pytest.mark.slow
def test_a_model_of_your_own_is_served_as_the_page_says(tmp_path: Path) -> None:
    """Trained, served, asked; with the fields of the doctor's file its metadata are complete."""
    page = (DOCS / "servers.md").read_text(encoding="utf-8")
    section = page.partition("## A model of your own")[2].partition("\n## ")[0]
    code, settings, models = re.findall(
        r"```(?:python mlserver|json|yaml)\n(.*?)```", section, re.DOTALL
    )
    folder = tmp_path / "iris"
    folder.mkdir()
    trained = run([str(needs.mlserver_python()), "-c", code], cwd=folder)
    assert trained.returncode == 0, trained.stderr
    (folder / "model-settings.json").write_text(settings)
    asks = asked_in(section)
    for is_mended in (False, True):
        with MLServer(needs.mlserver_python(), tmp_path, tmp_path / "mlserver.log") as server:
            (folder / "models.yaml").write_text(models.replace("http://localhost:8080", server.url))
            ended = [ours(command, folder) for command, _ in asks]
        if is_mended:
            assert "the metadata is complete: there is nothing to fix" in ended[1].stderr
        else:
            for one, (_, shown) in zip(ended, asks, strict=True):
                assert re.fullmatch(form_of(shown), _even(one.stdout)), one.stderr
            mended = json.loads(settings) | json.loads(ended[1].stdout)
            (folder / "model-settings.json").write_text(json.dumps(mended))


def ours(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "kserve_client", *shlex.split(command)]
    return run(line, cwd=folder, variables={"PYTHONPATH": str(DOCS.parent)})


def asked_in(transcript: str) -> list[tuple[str, str]]:
    """The commands of a transcript, without our name, each with what it shows."""
    return re.findall(r"^\$ kserve-client (.*)\n((?:(?!\$ |```).*\n)*)", transcript, re.MULTILINE)


def form_of(shown: str) -> str:
    """A regular expression for an output, made even, in which … stands for anything."""
    return re.escape(_even(shown)).replace("…", "(?:.|\n)*")


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
