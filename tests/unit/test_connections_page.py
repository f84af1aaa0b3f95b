"""docs/connections.md says what is so: each of its examples is run."""

from __future__ import annotations

import contextlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kserve_client.catalog.models_file import parse_models_file
from kserve_client.endpoint import Endpoint
from kserve_client.transport import tokens
from tests.unit.fault_server import FaultServer, Wire, fault_server, http
from tests.unit.oidc_server import CLIENT, Provider, oidc_server

PAGE = (Path(__file__).parents[2] / "docs" / "connections.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def answers(wire: Wire) -> None:
    while wire.read() is not None:
        wire.write(http(body=b'{"model_name": "iris", "outputs": []}'))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server(answers) as running:
        yield running


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setenv("SCORING_SECRET", CLIENT[1])
    tokens.token_source.cache_clear()
    with oidc_server() as running:
        yield running


def test_the_python_examples_run(server: FaultServer, provider: Provider) -> None:
    """All of them, one after the other, as a reader would; each call is seen on the wire."""
    names: dict[str, Any] = {}
    printed = io.StringIO()
    for block in blocks("python"):
        code = block.replace("http://localhost:8080", server.url)
        code = code.replace("http://localhost:8081", provider.url)
        code = code.replace('client_id="scoring"', f'client_id="{CLIENT[0]}"')
        with contextlib.redirect_stdout(printed):
            exec(code, names)
    sent = [request.headers.get("authorization") for request in server.seen]
    assert sent == [
        None,
        None,
        "Bearer token-of-the-moment",
        "Bearer token-of-a-person",
        "Bearer t1",
        None,
        None,
    ]
    traced = server.seen[5].headers
    assert traced["x-request-id"] == "order-4711"
    assert traced["traceparent"].startswith("00-0af765")
    assert names["calls"] == Counter({("iris", "ok"): 1})
    assert "('iris', 'ok'): 1" in printed.getvalue()


def endpoints() -> dict[str, Endpoint]:
    found: dict[str, Endpoint] = {}
    for block in blocks("yaml"):
        found |= parse_models_file(f"{block}models: {{}}\n", source="page", folder=Path()).endpoints
    return found


def test_the_yaml_examples_are_models_files() -> None:
    """Each is read by the loader."""
    assert len(endpoints()) >= 10


@pytest.mark.parametrize(
    ("name", "checked"),
    [
        ("by-address", "iris.example.org"),
        ("by-load-balancer", "iris.example.org"),
        ("own-authority", "iris.example.org"),
    ],
)
def test_gateways_are_checked_as_the_page_says(name: str, checked: str) -> None:
    """The name in TLS."""
    assert endpoints()[name].checked_name == checked


@pytest.mark.parametrize("name", [*Endpoint.model_fields])
def test_every_setting_is_on_the_page(name: str) -> None:
    """Or it is no matter of connections."""
    assert f"`{name}" in PAGE or f"{name}:" in PAGE or f"{name}=" in PAGE
