"""Tables and sentences of the documentation that no example shows, held to the code and the programs they name."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests

import kserve_client
from kserve_client.datatypes import DATATYPES
from kserve_client.servers import PROFILES, ServerProfile
from kserve_client.signature import SETTINGS_OF_KIND
from tests import needs
from tests.unit.documents.pages import DOCS, ROOT
from tests.unit.documents.scripted_servers import ScriptedServers
from tests.unit.documents.test_pages import has_curl


def table(page: str, first: str) -> dict[str, list[str]]:
    """The rows of the table whose header begins with `first`, by their first cell without quotes."""
    text = (DOCS / page).read_text(encoding="utf-8")
    body = text.partition(f"\n| {first} |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip(" |").split(" | ")] for line in body.split("\n|")]
    return {row[0].strip("` –"): row[1:] for row in rows[2:]}


def cells(profile: ServerProfile) -> list[str]:
    facts = (
        profile.has_binary,
        profile.has_fp16_json,
        profile.json_integer_bits == 64,
        profile.has_request_gzip,
        profile.has_versions,
        profile.has_index,
        profile.has_statistics,
    )
    return [
        {"null": "null", "token": "NaN"}[profile.non_finite],
        *("yes" if fact else "no" for fact in facts),
    ]


def test_the_table_of_servers_is_the_one_of_the_code() -> None:
    """Row by row and cell by cell."""
    assert table("servers.md", "`server`") == {name: cells(PROFILES[name]) for name in PROFILES}


# This package as an index would have to know it, with or without an extra.
FROM_AN_INDEX = re.compile(
    r"kserve[-_]client\[[a-z]|pip install[^\n`]*[ '\"]kserve[-_]client(?![\w.-])"
)
TEXTS = {".md", ".py", ".sh", ".yaml", ".yml", ".txt", ".toml", ".ipynb", ".in", ".tpl"}


def texts() -> Iterator[Path]:
    """Every text that the repository keeps; what a script left in a hidden folder is none."""
    for path in ROOT.iterdir():
        if path.is_dir() and not path.name.startswith("."):
            yield from (one for one in path.rglob("*") if one.suffix in TEXTS)
        elif path.suffix in TEXTS or path.name == "Dockerfile":
            yield path


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("pip install kserve-client", True),
        ("pip install -U 'kserve-client'", True),
        ("needs kserve-client" + "[s3]", True),
        ("pip install '.[images]'", False),
        ("`pip install .` brings the command `kserve-client`", False),
        ("pip install Pillow", False),
    ],
)
def test_an_index_install_is_seen(text: str, is_one: bool) -> None:
    """What the next test looks for, and what it leaves alone."""
    assert bool(FROM_AN_INDEX.search(text)) == is_one


def test_nothing_sends_people_to_an_index_for_this_package() -> None:
    """No index has it: each remedy names the library that is missing, or the checkout."""
    found = {
        str(path.relative_to(ROOT)): match.group()
        for path in texts()
        if path.name != Path(__file__).name
        and (match := FROM_AN_INDEX.search(path.read_text(encoding="utf-8", errors="replace")))
    }
    assert found == {}


def errors(root: type[Exception]) -> set[str]:
    found = {root.__name__}
    return found.union(*(errors(kind) for kind in root.__subclasses__()))


def test_the_table_of_errors_has_them_all() -> None:
    """Every class of the tree, and no other."""
    public = {name for name in errors(kserve_client.KServeClientError) if name[0] != "_"}
    assert set(table("errors.md", "error")) == public & {*kserve_client.__all__}


def test_the_table_of_kinds_has_them_all() -> None:
    """A feature is of one of these."""
    assert set(table("signature.md", "kind")) == set(SETTINGS_OF_KIND)


def test_the_table_of_datatypes_has_them_all() -> None:
    """Ranges of integers are written with an ellipsis."""
    named = set(re.findall(r"[A-Z]+\d*", " ".join(table("tensors.md", "datatype"))))
    assert named == {name for name in DATATYPES if not re.fullmatch(r"U?INT(16|32)", name)}


@pytest.mark.parametrize("value", [float("nan"), np.array([1.0])])
def test_requests_refuses_nan_and_arrays(value: object) -> None:
    """As the page on other clients says."""
    with pytest.raises((requests.exceptions.InvalidJSONError, TypeError)):
        requests.Request("POST", "http://h.test", json={"data": value}).prepare()


def test_curl_repeats_a_500(desk: Path, servers: ScriptedServers) -> None:
    """As the page on other clients says: what can't succeed is sent twice."""
    needs.require(has_curl(), "there is no curl on the PATH")
    row = '{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}'
    address = "http://localhost:8080/v2/models/iris/infer"
    command = ["curl", "-sS", "--retry", "1", address, "-d", row]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    assert len(servers.asked) == 2


def test_curl_ends_with_status_0_after_a_404(desk: Path) -> None:
    """As the page on other clients says, unless it is told to fail."""
    needs.require(has_curl(), "there is no curl on the PATH")
    command = ["curl", "-sS", "http://localhost:8080/v2/models/orchid/infer", "-d", "{}"]
    statuses = [
        subprocess.run([*command, *more], capture_output=True, check=False, timeout=30).returncode
        for more in ([], ["--fail-with-body"])
    ]
    assert statuses == [0, 22]
