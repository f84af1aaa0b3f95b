"""What trivy finds in chart and Dockerfile is explained in charts/kserve-client/FINDINGS.md, or mended."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests import needs
from tests.chart.engines import CHART, EXAMPLES, ROOT


def explained() -> set[str]:
    text = (CHART / "FINDINGS.md").read_text()
    return set(re.findall(r"\b(?:KSV|DS|CKV2?)[-_][A-Z0-9_]+", text))


def findings(target: Path, cache: Path, *words: str | Path) -> set[str]:
    """The names of what trivy finds, by the rules that it carries itself."""
    program = needs.chart_python().with_name("trivy")
    command: list[str | Path] = [program, "config", "--quiet", "--skip-check-update"]
    command += ["--cache-dir", cache, "--format", "json", *words, target]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout)["Results"]
    assert results
    return {one["ID"] for result in results for one in result.get("Misconfigurations", [])}


@pytest.mark.parametrize("name", EXAMPLES)
def test_findings_of_the_chart_are_explained(name: str, tmp_path: Path) -> None:
    """Each stands in the file, with the reason why it stays."""
    found = findings(CHART, tmp_path, "--helm-values", CHART / "ci" / f"{name}.yaml")
    assert found - explained() == set()
    assert "KSV-0011" in found  # so the scanner did look


def test_the_dockerfile_has_no_findings(tmp_path: Path) -> None:
    """No root, no missing health check, no package manager's cache."""
    assert findings(ROOT / "Dockerfile", tmp_path) == set()


def test_every_reason_is_one() -> None:
    """No line of the file without a sentence."""
    rows = [line for line in (CHART / "FINDINGS.md").read_text().splitlines() if "| " in line]
    assert all(row.rstrip(" |").endswith(".") for row in rows[2:])
