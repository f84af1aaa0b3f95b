"""Recorded answers, broken on purpose: whatever comes, it is read or refused, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import responses
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kserve_client import InferenceClient, InvalidAnswerError, KServeClientError, Tensor
from kserve_client.endpoint import Endpoint
from kserve_client.transport import Transport
from kserve_client.wire.binary import HEAD_LENGTH
from kserve_client.wire.body import read_body
from tests.unit.conformance.recordings import RECORDED, URL, kind_of

INFERENCES = [
    recording
    for recordings in RECORDED.values()
    for recording in recordings
    if kind_of(recording) == "infer" and recording.status == 200 and not recording.base64
]
BINARY = [
    recording
    for recordings in RECORDED.values()
    for recording in recordings
    if kind_of(recording) == "infer" and recording.status == 200 and recording.base64
]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
ROW = Tensor.of("x", [[1.0]], datatype="FP32")
CALLS: dict[str, Callable[[InferenceClient], Any]] = {
    "GET /v2": lambda client: client.server_metadata(),
    "GET /v2/models/a": lambda client: client.model_metadata("a"),
    "POST /v2/models/a/infer": lambda client: client.infer("a", [ROW]),
    "POST /v2/repository/index": lambda client: client.repository_index(),
    "GET /v2/models/a/stats": lambda client: client.model_statistics("a"),
    "POST /v1/models/a:predict": lambda client: client.predict_v1("a", [[1]]),
    "POST /v1/models/a:explain": lambda client: client.explain_v1("a", [[1]]),
}


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every part of a JSON value."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [way, *(found for key, part in inner for found in places(part, (*way, key)))]


def replaced(value: Any, way: tuple[Any, ...], junk: Any) -> Any:
    """Return the value with another part at the end of the way."""
    if not way:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[way[0]] = replaced(value[way[0]], way[1:], junk)
    return copy


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(INFERENCES), st.data())
def test_a_part_is_replaced(recording: Any, data: st.DataObject) -> None:
    """A number where an object should be, a list for a name, nothing for data."""
    said = json.loads(recording.body)
    broken = replaced(said, data.draw(st.sampled_from(places(said))), data.draw(JUNK))
    with suppress(InvalidAnswerError):
        read_body(json.dumps(broken).encode(), {})


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(BINARY), st.data())
def test_a_part_of_a_binary_head_is_replaced(recording: Any, data: st.DataObject) -> None:
    """The head of a binary answer is JSON like any other, and its sizes may lie."""
    at = int(recording.headers["inference-header-content-length"])
    said = json.loads(recording.answer[:at])
    broken = replaced(said, data.draw(st.sampled_from(places(said))), data.draw(JUNK))
    head = json.dumps(broken).encode()
    with suppress(InvalidAnswerError):
        read_body(head + recording.answer[at:], {HEAD_LENGTH: str(len(head))})


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(BINARY + INFERENCES), st.data())
def test_an_answer_is_cut(recording: Any, data: st.DataObject) -> None:
    """Any number of bytes missing at the end is refused: half an answer is none."""
    at = data.draw(st.integers(0, len(recording.answer) - 1))
    length = recording.headers.get("inference-header-content-length")
    with pytest.raises(InvalidAnswerError):
        read_body(recording.answer[:at], {} if length is None else {HEAD_LENGTH: length})


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(max_codepoint=255), max_size=8))
@example("²")
@example("9" * 5000)
@example("-1")
def test_the_length_of_the_head_is_nonsense(length: str) -> None:
    """Whatever the header says, there is an answer or our own error."""
    with suppress(InvalidAnswerError):
        read_body(BINARY[0].answer, {HEAD_LENGTH: length})


@settings(max_examples=60, deadline=None)
@given(JUNK, st.sampled_from(sorted(CALLS)))
def test_any_json_as_any_answer(junk: Any, call: str) -> None:
    """Each method reads its answer, or says that it is not V2."""
    verb, path = call.split(" ")
    endpoint = Endpoint(url=URL)
    with (
        responses.RequestsMock() as mock,
        InferenceClient(endpoint, transport=Transport(endpoint, retries=0)) as client,
    ):
        mock.add(verb, URL + path, json.dumps(junk), content_type="application/json")
        with suppress(InvalidAnswerError):
            CALLS[call](client)


@settings(max_examples=60, deadline=None)
@given(
    JUNK,
    st.sampled_from([400, 404, 422, 500, 501]),
    st.sampled_from(["GET /v2", "POST /v2/models/a/infer"]),
)
def test_any_json_as_any_refusal(junk: Any, status: int, call: str) -> None:
    """An error's body may be anything: the error is still the one of its status."""
    verb, path = call.split(" ")
    with responses.RequestsMock() as mock, InferenceClient(URL) as client:
        mock.add(verb, URL + path, json.dumps(junk), status=status, content_type="application/json")
        with pytest.raises(KServeClientError) as caught:
            CALLS[call](client)
        assert getattr(caught.value, "status", None) == status
