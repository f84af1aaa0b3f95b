"""What servers do differently, cell by cell."""

from dataclasses import asdict
from typing import Any

import pytest
import responses

from kserve_client import Endpoint, InferenceClient, Tensor
from kserve_client.servers import PROFILES, ServerName, profile_of

# name: NaN in JSON, binary, FP16 in JSON, bits of a JSON integer, gzip, versions, index, statistics
TABLE: dict[ServerName, tuple[Any, ...]] = {
    "generic": ("null", False, False, 64, False, True, True, False),
    "kserve": ("null", True, False, 64, False, False, False, False),
    "mlserver": ("null", False, True, 64, True, True, True, False),
    "triton": ("token", True, False, 64, True, True, True, True),
    "ovms": ("null", True, False, 32, False, True, True, False),
}
OUTPUT = {"name": "y", "datatype": "FP32", "shape": [1], "data": [0.5]}


@pytest.mark.parametrize("name", PROFILES)
def test_each_cell(name: ServerName) -> None:
    """As it was seen or read; a change here is a finding."""
    assert tuple(asdict(PROFILES[name]).values())[1:] == TABLE[name]


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("kserve", "kserve"),
        ("mlserver", "mlserver"),
        ("triton", "triton"),
        ("OpenVINO Model Server", "ovms"),
        ("something else", "generic"),
        ("", "generic"),
    ],
)
def test_a_server_is_recognised_by_the_name_it_gives(told: str, name: ServerName) -> None:
    """Unknown names get what every server can do."""
    assert profile_of(told).name == name


def large() -> list[Tensor]:
    return [Tensor.of("x", [0.5] * 4096, datatype="FP32")]


def test_the_server_is_asked_once_and_only_when_it_matters() -> None:
    """A small request never asks; a large one asks before it is sent, and no later one does."""
    with responses.RequestsMock() as mock:
        asked = mock.get("http://m/v2", json={"name": "kserve", "version": "0.21.0"})
        mock.post("http://m/v2/models/iris/infer", json={"outputs": [OUTPUT]})
        client = InferenceClient("http://m")
        client.infer("iris", [Tensor.of("x", [0.5], datatype="FP32")])
        assert asked.call_count == 0
        client.infer("iris", large())
        client.infer("iris", large())
        assert asked.call_count == 1
        sent = mock.calls[-1].request.headers
        assert sent["Content-Type"] == "application/octet-stream"
        assert sent["Inference-Header-Content-Length"].isdigit()


@pytest.mark.parametrize(
    ("use_binary", "kind"), [(True, "application/octet-stream"), (False, "application/json")]
)
def test_a_server_is_not_asked_for_what_the_caller_decides(use_binary: bool, kind: str) -> None:
    """One request, where it would have been two."""
    with responses.RequestsMock() as mock:
        mock.post("http://m/v2/models/iris/infer", json={"outputs": [OUTPUT]})
        InferenceClient("http://m").infer("iris", large(), use_binary=use_binary)
        assert [call.request.headers["Content-Type"] for call in mock.calls] == [kind]


def test_wide_integers_reach_ovms_exactly() -> None:
    """Its JSON reads 32 bits, so a server is asked for its name before it gets more."""
    with responses.RequestsMock() as mock:
        mock.get("http://m/v2", json={"name": "OpenVINO Model Server", "version": "2026"})
        mock.post("http://m/v2/models/iris/infer", json={"outputs": [OUTPUT]})
        InferenceClient("http://m").infer("iris", [Tensor.of("x", [2**53 + 1])])
        body = mock.calls[-1].request.body
    assert isinstance(body, bytes)
    assert body.endswith((2**53 + 1).to_bytes(8, "little"))


def test_a_server_without_an_index_is_not_asked_for_one() -> None:
    """Where it is known to have none; KServe lists its models elsewhere."""
    with responses.RequestsMock() as mock:
        mock.get("http://m/v2/models", json={"models": ["iris"]})
        client = InferenceClient(Endpoint(url="http://m", server="kserve"))
        assert [model.name for model in client.repository_index()] == ["iris"]
        assert len(mock.calls) == 1


def test_a_named_server_is_not_asked() -> None:
    """The endpoint overrides what the server would say."""
    with responses.RequestsMock() as mock:
        mock.post("http://m/v2/models/iris/infer", json={"outputs": [OUTPUT]})
        client = InferenceClient(Endpoint(url="http://m", server="mlserver"))
        client.infer("iris", large())
        assert mock.calls[-1].request.headers["Content-Type"] == "application/json"
        assert client.profile.name == "mlserver"


def test_a_server_that_does_not_say_its_name_is_the_generic_one() -> None:
    """And is not asked again."""
    with responses.RequestsMock() as mock:
        asked = mock.get("http://m/v2", status=404)
        mock.post("http://m/v2/models/iris/infer", json={"outputs": [OUTPUT]})
        client = InferenceClient("http://m")
        client.infer("iris", large())
        client.infer("iris", large())
        assert client.profile.name == "generic"
        assert asked.call_count == 1
