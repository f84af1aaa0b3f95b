"""The checks, in the order they run. docs/conformance.md says the same of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kserve_client.doctor import answer_checks, refusal_checks, server_checks
from kserve_client.doctor.case import Case
from kserve_client.doctor.findings import Finding


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `why` says what it is good for; a model that fails a must is not fit for use."""

    key: str
    name: str
    why: str
    run: Callable[[Case], Finding]
    is_must: bool = False


CHECKS: tuple[Check, ...] = (
    Check(
        "server-metadata",
        "Server metadata",
        "Clients choose by the server's name how to speak to it.",
        server_checks.server_metadata,
    ),
    Check(
        "server-health",
        "Server health",
        "Kubernetes and gateways send requests only to servers that say they are ready.",
        server_checks.server_health,
        is_must=True,
    ),
    Check(
        "model-ready",
        "Model ready",
        "A model that is not ready answers nobody.",
        server_checks.model_ready,
        is_must=True,
    ),
    Check(
        "model-metadata",
        "Model metadata",
        "Without it nobody can build a request or a form but by asking the author.",
        server_checks.model_metadata,
    ),
    Check(
        "inference",
        "Inference",
        "This is what the model is there for.",
        answer_checks.inference,
        is_must=True,
    ),
    Check(
        "metadata-matches",
        "Metadata matches",
        "A client that trusts the metadata looks for outputs by these names and shapes.",
        answer_checks.metadata_matches,
    ),
    Check(
        "rows",
        "Rows stay rows",
        "Whoever scores a table relies on one answer per row, in order.",
        answer_checks.batch,
        is_must=True,
    ),
    Check(
        "requested-outputs",
        "Requested outputs",
        "Who wants one output should not wait for all, and a mistyped name should be noticed.",
        answer_checks.requested_outputs,
    ),
    Check(
        "request-id",
        "Request id",
        "Answers and log lines are matched to requests by it.",
        answer_checks.request_id,
    ),
    Check(
        "column-order",
        "Column order",
        "Columns that are told apart by place give wrong answers without any error.",
        answer_checks.column_order,
    ),
    Check(
        "versions",
        "Versions",
        "Who pins a version must get that version, or be told that there is none.",
        server_checks.versions,
    ),
    Check(
        "binary-tensors",
        "Binary tensors",
        "Large arrays travel several times faster in binary, where both sides agree on it.",
        answer_checks.binary_tensors,
    ),
    Check(
        "compression",
        "Compression",
        "Most HTTP clients offer gzip without being asked.",
        answer_checks.compression,
    ),
    Check(
        "answer-time",
        "Answer time",
        "An answer that comes after the time-out is no answer.",
        answer_checks.answer_time,
    ),
    Check(
        "unknown-model",
        "Unknown model",
        "A mistyped name must not look like a broken server, nor like an answer.",
        server_checks.unknown_model,
    ),
    Check(
        "malformed-json",
        "Malformed JSON",
        "The sender's mistake must not look like the server's.",
        refusal_checks.malformed_json,
    ),
    Check(
        "wrong-shape",
        "Wrong shape",
        "A 500 for wrong input wakes the people on call, and the sender never learns why.",
        refusal_checks.wrong_shape,
    ),
    Check(
        "input-names",
        "Input names",
        "An input under a wrong name is most likely meant for another model.",
        refusal_checks.input_names,
    ),
    Check(
        "missing-numbers",
        "Missing numbers",
        "Real tables have gaps: they are filled by the model, or refused in words.",
        refusal_checks.missing_numbers,
    ),
    Check(
        "unknown-route",
        "Unknown route",
        "Scanners and load balancers ask for odd paths all day.",
        server_checks.unknown_route,
    ),
    Check(
        "no-leak",
        "No leak",
        "Tracebacks tell an attacker what runs where.",
        server_checks.no_leak,
    ),
)
