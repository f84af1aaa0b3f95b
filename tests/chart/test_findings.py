"""What scanners find in chart and Dockerfile is mended, or explained in charts/kserve-client/FINDINGS.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import needs
from tests.chart.engines import CHART, EXAMPLES, ROOT, Rendered

# checkov alone takes some seconds to import its rules.
pytestmark = pytest.mark.slow
RULES = {"trivy": ("KSV", "DS"), "checkov": ("CKV",)}
ROW = re.compile(r"\| (?P<findings>[^|]+) \| (?P<scanners>[^|]+) \| (?P<reason>[^|]+) \|")


def explained(scanner: str) -> set[str]:
    """The findings of a scanner that the file explains."""
    return {
        name
        for row in ROW.finditer((CHART / "FINDINGS.md").read_text())
        if scanner in row["scanners"].split(", ")
        for name in row["findings"].split(", ")
        # A finding that both have has a name in each; the image's are no rules.
        if name.startswith(RULES[scanner])
    }


@pytest.fixture(scope="module")
def folder(examples: dict[str, Rendered], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what Helm makes of all examples, and the Dockerfile."""
    made = tmp_path_factory.mktemp("scanned")
    for name, release in examples.items():
        (made / f"{name}.yaml").write_text(yaml.safe_dump_all(release.objects))
    (made / "Dockerfile").write_text((ROOT / "Dockerfile").read_text())
    return made


def said_as_json(program: str, *words: str | Path, home: Path) -> Any:
    """What a scanner of the charts' environment says. Nothing outside is asked."""
    command = [needs.chart_python().with_name(program), *words]
    variables = {"HOME": str(home), "PATH": os.environ["PATH"]}
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert ended.stdout, ended.stderr
    return json.loads(ended.stdout)


def test_findings_of_trivy_are_explained(folder: Path, tmp_path: Path) -> None:
    """Each stands in the file with the reason why it stays, and nothing does that nobody finds."""
    options = ("--quiet", "--skip-check-update", "--format", "json")
    results = said_as_json("trivy", "config", *options, folder, home=tmp_path)["Results"]
    looked_at = {one["Target"] for one in results}
    assert looked_at == {"Dockerfile", *(f"{name}.yaml" for name in EXAMPLES)}
    found = {bad["ID"] for one in results for bad in one.get("Misconfigurations", [])}
    assert found == explained("trivy")


def test_findings_of_checkov_are_explained(folder: Path, tmp_path: Path) -> None:
    """Likewise."""
    options = ("--quiet", "--compact", "--output", "json", "--skip-download")
    words = ("--directory", folder, "--framework", "kubernetes", "dockerfile", *options)
    results = said_as_json("checkov", *words, home=tmp_path)
    assert {one["check_type"] for one in results} == {"kubernetes", "dockerfile"}
    assert all(one["summary"]["parsing_errors"] == 0 for one in results)
    found = {bad["check_id"] for one in results for bad in one["results"]["failed_checks"]}
    assert found == explained("checkov")


def test_every_reason_is_one() -> None:
    """No line of the file without a sentence."""
    text = (CHART / "FINDINGS.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    read = ROW.findall(text)
    assert len(read) == len(rows)
    header = "why it stays"
    assert all(reason.endswith(".") for _, _, reason in read if reason != header)
