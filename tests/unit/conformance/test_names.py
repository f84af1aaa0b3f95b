"""Names of models that would lead another way if they were not quoted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kserve_client import ConfigurationError, InferenceClient, NotFoundError, Tensor
from kserve_client.client import model_path
from tests.v2_server import V2Server, v2_server

ROW = Tensor.of("x", [[1.0]], datatype="FP32")
SEGMENT = re.compile(r"[A-Za-z0-9._~-]|%[0-9A-F]{2}")
# Slashes, dots, what starts a query, a fragment or an escape, spaces and line ends, letters of two to
# four bytes, and half a surrogate pair.
HOSTILE = st.text(
    st.sampled_from([*"/\\.%?#:;@&=+$,!*'()[]{}<>|^`\"~ \t\r\n\0a2Fü中😀\u202e", "\ud800"])
    | st.characters(),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in (".", ".."))
CALLS: dict[str, Callable[[InferenceClient, str], Any]] = {
    "GET /v2/models/{}": lambda client, name: client.model_metadata(name),
    "GET /v2/models/{}/ready": lambda client, name: client.is_model_ready(name),
    "GET /v2/models/{}/versions/{}": lambda client, name: client.model_metadata(name, name),
    "GET /v2/models/{}/versions/{}/ready": lambda client, name: client.is_model_ready(name, name),
    "POST /v2/models/{}/infer": lambda client, name: client.infer(name, [ROW]),
    "POST /v2/models/{}/versions/{}/infer": lambda client, name: client.infer(
        name, [ROW], model_version=name
    ),
    "GET /v2/models/{}/stats": lambda client, name: client.model_statistics(name),
    "POST /v2/repository/models/{}/load": lambda client, name: client.load_model(name),
    "POST /v2/repository/models/{}/unload": lambda client, name: client.unload_model(name),
    "POST /v1/models/{}:predict": lambda client, name: client.predict_v1(name, [[1.0]]),
    "POST /v1/models/{}:explain": lambda client, name: client.explain_v1(name, [[1.0]]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[V2Server]:
    """Run a real server, since it is on the wire that a name goes astray."""
    with v2_server() as running:
        yield running


@settings(max_examples=300)
@given(HOSTILE, st.none() | HOSTILE)
@example("..%2f..", "../..")
@example("a/../../v2", None)
def test_a_name_is_one_segment(name: str, version: str | None) -> None:
    """The path has as many slashes as the protocol says, nothing but safe letters, and the name in it."""
    parts = model_path(name, version).split("/")
    assert parts[:3] == ["", "v2", "models"]
    assert len(parts) == (4 if version is None else 6)
    assert unquote(parts[3], errors="surrogatepass") == name
    assert version is None or unquote(parts[5], errors="surrogatepass") == version
    assert SEGMENT.sub("", "".join(parts[3:])) == ""


@settings(max_examples=20, deadline=None)
@given(name=HOSTILE)
@example(name="../../admin")
@example(name="a?x=1#y")
@example(name="100%25")
@example(name="...")
@example(name="%2e%2e")
def test_the_server_gets_the_name(server: V2Server, name: str) -> None:
    """No library on the way undoes the quotes or follows the dots: the path arrives as it was meant."""
    with InferenceClient(server.url) as client:
        for form, call in CALLS.items():
            server.asked.clear()
            # There is no such model; a missing one is just not ready.
            with suppress(NotFoundError):
                call(client, name)
            asked = server.asked[-1]
            assert f"{asked.method} {asked.path}" == _expected(form, name)


def _expected(form: str, name: str) -> str:
    """The request line, quoted by hand: every byte that is no plain letter is an escape."""
    safe = "".join(
        chr(byte) if re.match(rb"[A-Za-z0-9._~-]", bytes([byte])) else f"%{byte:02X}"
        for byte in name.encode(errors="surrogatepass")
    )
    return form.replace("{}", safe)


@pytest.mark.parametrize("name", ["", ".", ".."])
@pytest.mark.parametrize("form", CALLS)
def test_a_name_that_is_a_way(server: V2Server, form: str, name: str) -> None:
    """Dots and nothing mean another path however they are quoted: refused before anything is sent."""
    server.asked.clear()
    with InferenceClient(server.url) as client, pytest.raises(ConfigurationError):
        CALLS[form](client, name)
    assert server.asked == []
