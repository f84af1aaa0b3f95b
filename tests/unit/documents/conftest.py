"""A place to read the documentation in: scripted servers behind the names that the pages use."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kserve_client.transport import tokens
from tests.unit.certificates import Authority, make_authority
from tests.unit.documents.pages import ROOT, blocks
from tests.unit.documents.scripted_servers import ScriptedServers, routed, scripted_servers

NAMES = "DNS:*.example.org"
# Variables that a page names as the place of a secret.
_VARIABLE = re.compile(r"""(?:env=?:? ?"?|environ\[")([A-Z][A-Z0-9_]+)""")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def servers(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServers]:
    """The scripted servers, under their names, in this process alone."""
    tls = authority.issue("example.org", host=NAMES).server_context()
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(authority.certificate))
    with scripted_servers(tls) as running:
        monkeypatch.setattr(socket, "getaddrinfo", routed(running))
        yield running


@pytest.fixture
def desk(servers: ScriptedServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder a reader works in: the models file and table of the README, settings of curl."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KSERVE_CLIENT_MODELS", "models.yaml")
    (tmp_path / ".curlrc").write_text(servers.curl_settings())
    for page in (ROOT / "docs").rglob("*.md"):
        for name in _VARIABLE.findall(page.read_text(encoding="utf-8")):
            monkeypatch.setenv(name, f"value-of-{name}")
    for block in blocks(ROOT / "README.md"):
        if block.file:
            (tmp_path / block.file).write_text(block.text)
    tokens.token_source.cache_clear()
    return tmp_path
