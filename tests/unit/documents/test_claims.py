"""Tables and sentences of the documentation that no example shows, held to the code and the programs they name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import requests

import kserve_client
from kserve_client.datatypes import DATATYPES
from kserve_client.servers import PROFILES, ServerProfile
from kserve_client.signature import SETTINGS_OF_KIND
from tests import needs
from tests.unit.documents.pages import DOCS
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
