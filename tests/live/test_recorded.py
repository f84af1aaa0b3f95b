"""What was recorded of MLServer is what it still says; tests/live/test_kserve.py does the same for KServe."""

import json
import re

import pytest

from scripts import record
from scripts.mlserver import MLServer
from tests.unit.conformance.recordings import RECORDED

# The recordings of a server like ours: no worker process, no debug. Of the ones made with a worker
# those whose answer does not come from the model.
LASTING = [
    recording
    for recording in RECORDED["mlserver-1.7.1"]
    if recording.name.startswith("errors_debug_false_workers_0/")
    or re.match(
        r"iris/(health|server_metadata|model_(meta|ready|version)|models_list|infer_(fp|out_[bp]|ver)"
        r"|err_(empty|get|malformed|nan|unknown|v1)|repository_index|v1_)",
        recording.name,
    )
]


@pytest.mark.parametrize("recording", LASTING, ids=lambda recording: recording.name)
def test_mlserver_still_says_what_was_recorded(
    mlserver: MLServer, recording: record.Recording
) -> None:
    """Status and form of every recorded answer; a new version that differs shows up here first."""
    now = record.ask(recording, mlserver.url)
    assert now.status == recording.status
    assert now.headers.get("content-type") == recording.headers.get("content-type")
    if recording.headers.get("content-type") == "application/json":
        assert record.shape_of(json.loads(now.body)) == record.shape_of(json.loads(recording.body))
    else:
        assert now.body == recording.body
