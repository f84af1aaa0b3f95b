"""The examples of the pages, as a type checker of a reader sees them: strictly, without plugins of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.documents.pages import ROOT, blocks, pages

# The others take things as they come in an example, such as the first step of a ladder that is there.
CHECKED = (
    "README",
    "client",
    "connections",
    "predictions",
    "signature",
    "snippets",
    "tensors",
)
STRICTLY = (
    "--strict",
    "--config-file=",
    "--follow-imports=silent",
    "--ignore-missing-imports",
    "--scripts-are-modules",
)


@pytest.mark.timeout(180)
def test_the_examples_are_well_typed(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Lists of features, texts for choices, None among floats: nobody needs pydantic's plugin."""
    scripts = []
    for page in pages():
        if page.stem in CHECKED and page.parent in (ROOT, ROOT / "docs"):
            script = tmp_path / f"{page.stem.lower()}_page.py"
            script.write_text("".join(b.text for b in blocks(page) if b.language == "python"))
            scripts.append(script.name)
    assert len(scripts) == len(CHECKED)
    # The first run reads numpy and pydantic for some six seconds, the next ones what it found.
    assert pytestconfig.cache is not None
    found = pytestconfig.cache.mkdir("mypy-of-pages")
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", *STRICTLY, f"--cache-dir={found}", *scripts],
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
