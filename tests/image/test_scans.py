"""What scanners say of the image; of the chart and the Dockerfile, see tests/chart/test_findings.py."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.image.conftest import ROOT
from tests.image.docker import Docker
from tests.image.hardened import container

# The first test of this folder builds the image: a minute or two, seconds when its layers are there.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# Where something of ours could lie; the rest are packages, each by the hash of its file.
OURS = ("/app", "/etc", "/root", "/var", "/opt/venv/bin")


def trivy(*words: str | Path) -> Any:
    """Run trivy without asking for anything outside."""
    program = needs.chart_python().with_name("trivy")
    ended = subprocess.run(
        [program, "--quiet", *words], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def report(docker: Docker, image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what trivy knows of the image: packages, their licences, secrets of its settings."""
    folder = tmp_path_factory.mktemp("trivy")
    docker.run("save", "--output", folder / "image.tar", image, timeout_s=300)
    options: list[str | Path] = ["--skip-db-update", "--cache-dir", folder / "cache"]
    options += ["--input", folder / "image.tar", "--format", "json", "--list-all-pkgs"]
    found = trivy("image", "--scanners", "license", "--image-config-scanners", "secret", *options)
    (folder / "image.tar").unlink()
    (folder / "report.json").write_text(json.dumps(found))
    return folder / "report.json"


def test_trivy_lists_what_is_in_it(report: Path) -> None:
    """The bill of materials has what the lock files and Debian brought, and nothing that builds."""
    listed = trivy("convert", "--format", "cyclonedx", report)
    names = {one["name"].lower() for one in listed["components"]}
    assert {"streamlit", "pyarrow", "kubernetes", "pandas", "libc6"} <= names
    assert not {"pip", "setuptools", "gcc"} & names


def test_licences_are_explained(report: Path) -> None:
    """Those that ask something of who hands the image on stand in FINDINGS.md, each with its packages."""
    found: dict[str, set[str]] = defaultdict(set)
    for result in json.loads(report.read_text())["Results"]:
        if not result["Target"].startswith("OS "):  # Debian's are explained together
            for one in result.get("Licenses", []):
                if one["Severity"] in ("MEDIUM", "HIGH", "CRITICAL"):
                    found[one["Name"]].add(one["PkgName"])
    assert found == {"MPL-2.0": {"certifi"}, "MPL-2.0 AND (Apache-2.0 OR MIT)": {"orjson"}}
    explained = (ROOT / "charts" / "kserve-client" / "FINDINGS.md").read_text()
    assert all(name in explained for name in ("MPL-2.0", "certifi", "orjson", "Debian"))


def test_no_secret_is_in_it(docker: Docker, image: str, report: Path, tmp_path: Path) -> None:
    """Neither in a file nor in a variable; one that the test puts there is found."""
    results = json.loads(report.read_text())["Results"]
    assert [one for one in results if one.get("Secrets")] == []
    with container(docker, image) as name:
        for number, place in enumerate(OURS):
            docker.run("cp", f"{name}:{place}", tmp_path / str(number))
    planted = tmp_path / "0" / "planted.py"
    planted.write_text(f'key = "{"AKIA" + "Q7ZP" * 4}"\n')
    found = trivy("fs", "--scanners", "secret", "--format", "json", tmp_path)
    assert [one["Target"] for one in found["Results"] if one.get("Secrets")] == ["0/planted.py"]


def test_hadolint_has_nothing_to_say() -> None:
    """Every finding is mended, or explained where it is ignored."""
    program = needs.chart_python().with_name("hadolint")
    ended = subprocess.run(
        [program, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "")
