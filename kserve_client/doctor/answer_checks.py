"""Checks of the model's answers to rows that fit."""

from __future__ import annotations

import gzip
import json
import statistics

from kserve_client.client import TensorMetadata
from kserve_client.doctor import fixes
from kserve_client.doctor.case import Case
from kserve_client.doctor.findings import Finding, failed, passed, skipped, warned
from kserve_client.doctor.judging import (
    difference,
    is_same,
    judge_refusal,
    listed,
    shown,
)
from kserve_client.doctor.report import Fix, status_words
from kserve_client.doctor.server_checks import UNKNOWN
from kserve_client.errors import InputError
from kserve_client.tensors import InferResponse, Tensor
from kserve_client.transport import Answer, server_message
from kserve_client.wire import binary
from kserve_client.wire.body import read_body

REQUEST_ID = "kserve-client-doctor"
CALLS_TIMED = 5
LONGEST_TIMED_MS = 10_000
SLOW_SHARE = 0.3
V2_FORM = Fix(
    'Answer {"model_name": "…", "outputs": [{"name": "…", "shape": [ … ], "datatype": "…", '
    '"data": [ … ]}]}.'
)
BINARY_EXTENSION = "binary_tensor_data"


def inference(case: Case) -> Finding:
    """A row that fits is answered in V2."""
    body = case.body(case.rows.first)
    answer = case.infer(body)
    if not answer.is_ok and "outputs" in body:
        return _inference_unnamed(case, status_words(answer.status))
    if not answer.is_ok:
        return _refused(case, answer)
    response = read_body(answer.body, answer.headers)
    if not response.outputs:
        return failed("the answer holds no output", V2_FORM)
    case.first = response
    return _told(response, answer, case.model.name)


def _inference_unnamed(case: Case, refused: str) -> Finding:
    """The outputs that the signature names may be the mistake."""
    case.names_outputs = False
    answer = case.infer(case.body(case.rows.first))
    if not answer.is_ok:
        return _refused(case, answer)
    response = read_body(answer.body, answer.headers)
    if not response.outputs:
        return failed("the answer holds no output", V2_FORM)
    case.first = response
    names = [tensor.name for tensor in response.outputs]
    return failed(
        f"asked for the outputs of the signature it answers {refused}; it gives {listed(names)}",
        fixes.unnamed_outputs_fix(case, response),
    )


def _refused(case: Case, answer: Answer) -> Finding:
    reason = "" if case.is_private else server_message(answer)
    said = f"is answered {status_words(answer.status)}" + (f" ({reason})" if reason else "")
    if not case.rows.is_known:
        return warned(f"a row made up from the signature {said}", fixes.example_fix(case))
    return failed(
        f"a row of the catalog's examples {said}",
        Fix("Compare names, datatypes and shapes of the signature with the model."),
    )


def _told(response: InferResponse, answer: Answer, name: str) -> Finding:
    outputs = listed(f"{t.name} {t.datatype} {list(t.shape)}" for t in response.outputs)
    if "json" not in answer.headers.get("content-type", "").lower():
        return warned(
            f"{outputs}, in an answer without Content-Type: application/json",
            Fix("Answer with the header Content-Type: application/json."),
        )
    if response.model_name != name:
        named = f"that names the model {response.model_name!r}, not {name!r}"
        return warned(
            f"{outputs}, in an answer {named if response.model_name else 'without model_name'}",
            Fix("Answer with model_name, the name that stands in the path."),
        )
    return passed(outputs)


def metadata_matches(case: Case) -> Finding:
    """Names, datatypes and shapes are those of the metadata; what it lists beyond can be asked for."""
    if case.metadata is None or not case.metadata.outputs:
        return skipped("the metadata names no outputs")
    case.recall("model-metadata", "inference")
    told = {tensor.name: tensor for tensor in case.metadata.outputs}
    found = {tensor.name: tensor for tensor in _plain_answer(case).outputs}
    unseen = [name for name in told if name not in found]
    if unseen and set(found) & set(told):  # some servers give them only when they are asked for
        found |= {tensor.name: tensor for tensor in _requested(case, unseen)}
    problem = _mismatch(told, found) or _input_mismatch(case)
    if problem:
        return failed(problem, fixes.mismatch_fix(case))
    return passed(f"{listed(told)}: name, datatype and shape as the metadata says")


def _plain_answer(case: Case) -> InferResponse:
    answered, body = case.answered, case.body(case.rows.first)
    if "outputs" not in body:
        return answered
    del body["outputs"]
    return case.predict(body)


def _requested(case: Case, names: list[str]) -> tuple[Tensor, ...]:
    body = case.body(case.rows.first) | {"outputs": [{"name": name} for name in names]}
    answer = case.infer(body)
    return read_body(answer.body, answer.headers).outputs if answer.is_ok else ()


def _mismatch(told: dict[str, TensorMetadata], found: dict[str, Tensor]) -> str:
    if told.keys() != found.keys():
        return f"the metadata names the outputs {listed(told)}, the answer {listed(found)}"
    for name, tensor in found.items():
        if problem := _difference(told[name], tensor):
            return f"the output {problem}"
    return ""


def _input_mismatch(case: Case) -> str:
    told = {tensor.name: tensor for tensor in case.metadata.inputs} if case.metadata else {}
    for tensor in case.rows.first.inputs if told else ():
        if tensor.name not in told:
            return f"the catalog sends {tensor.name}, the metadata names {listed(told)}"
        if problem := _difference(told[tensor.name], tensor):
            return f"the input {problem}"
    return ""


def _difference(told: TensorMetadata, seen: Tensor) -> str:
    """A length of -1 varies."""
    if told.datatype != seen.datatype:
        return f"{seen.name} is {seen.datatype}, {told.datatype} in the metadata"
    pairs = zip(told.shape, seen.shape, strict=False)
    if len(told.shape) != len(seen.shape) or any(a not in (-1, b) for a, b in pairs):
        return f"{seen.name} has shape {list(seen.shape)}, {told.shape} in the metadata"
    return ""


def requested_outputs(case: Case) -> Finding:
    """An output that is asked for comes alone; one that is not there is refused."""
    names = [tensor.name for tensor in case.answered.outputs]
    body = case.body(case.rows.first)
    answer = case.infer(body | {"outputs": [{"name": names[-1]}]})
    fix = fixes.unnamed_outputs_fix(case, case.answered)
    if not answer.is_ok:
        return failed(f"asked for {names[-1]} alone it answers {status_words(answer.status)}", fix)
    given = [tensor.name for tensor in read_body(answer.body, answer.headers).outputs]
    if given != [names[-1]]:
        return failed(f"asked for {names[-1]} alone it gives {listed(given)}", fix)
    unknown = case.infer(body | {"outputs": [{"name": UNKNOWN}]})
    found = judge_refusal(unknown, "an output that is not there")
    if found.verdict == "pass":
        return passed(f"{names[-1]} comes alone; {found.text}")
    return warned(found.text, fix if unknown.is_ok else fixes.checked_fix(case))


def request_id(case: Case) -> Finding:
    """The id of a request comes back."""
    case.answered  # noqa: B018 - ends the check without one
    found = case.predict(case.body(case.rows.first) | {"id": REQUEST_ID}).id
    if found == REQUEST_ID:
        return passed("the id of the request comes back")
    return failed(
        f"the answer's id is {found!r}, not that of the request",
        Fix("Copy id from the request into the answer."),
    )


def batch(case: Case) -> Finding:
    """Two rows in one request give two answers: the same as each row alone."""
    first = case.answered
    second = case.predict(case.body(case.rows.second))
    both = case.predict(case.body(case.rows.both))
    problem = _row_difference(both, [first, second])
    if not problem:
        return passed("two rows give two answers, the same as each row alone")
    if difference(first, case.predict(case.body(case.rows.first))):
        return warned(
            "the same row gets another answer each time, so batches can't be judged",
            Fix("Fix the seed of the model, or take this warning as its nature."),
        )
    return failed(
        problem,
        Fix("The first dimension of every input and output is the row: keep it, in order."),
    )


def _row_difference(both: InferResponse, alone: list[InferResponse]) -> str:
    names, found = ({t.name for t in r.outputs} for r in (alone[0], both))
    if names != found:
        return f"two rows give the outputs {listed(sorted(found))}, one row {listed(sorted(names))}"
    for tensor in both.outputs:
        if not tensor.shape or tensor.shape[0] != len(alone):
            return f"two rows give {tensor.name} of shape {list(tensor.shape)}"
        for row, response in enumerate(alone):
            single = next((t.data for t in response.outputs if t.name == tensor.name), None)
            if single is None or not is_same(single.ravel(), tensor.data[row : row + 1].ravel()):
                given = shown(tensor.data[row : row + 1])
                told = "nothing" if single is None else shown(single)
                return f"{tensor.name} of row {row + 1} is {given} beside another, {told} alone"
    return ""


def column_order(case: Case) -> Finding:
    """Columns are told apart by their names, not by their places."""
    answered, body = case.answered, case.body(case.rows.first)
    if len(body["inputs"]) < 2:
        return skipped("the model takes one tensor, which has no order of inputs")
    answer = case.infer(body | {"inputs": body["inputs"][::-1]})
    fix = Fix(
        "Take the columns by their names in the model's own code, e.g. table[COLUMNS]. This client "
        "always sends them in the order of the signature."
    )
    if not answer.is_ok:
        return warned(f"columns in another order are answered {status_words(answer.status)}", fix)
    problem = difference(answered, read_body(answer.body, answer.headers))
    if problem:
        return failed(f"columns in another order give another answer: {problem}", fix)
    return passed("columns in another order give the same answer")


def binary_tensors(case: Case) -> Finding:
    """The binary tensor extension works where it is said to, and nowhere else."""
    answered, request = case.answered, case.rows.first
    try:
        data, head_bytes = binary.build_request(request)
    except InputError as error:
        return skipped(str(error))
    headers = {"Content-Type": binary.CONTENT_TYPE, binary.HEAD_LENGTH: str(head_bytes)}
    answer = case.infer(data, headers={**headers, "Accept": "*/*"})
    is_named = case.server is not None and BINARY_EXTENSION in case.server.extensions
    if not answer.is_ok:
        return _no_binary(case, status_words(answer.status), is_named=is_named)
    problem = difference(answered, read_body(answer.body, answer.headers))
    if problem:
        return failed(f"binary gives another answer than JSON: {problem}", _json_only(case))
    if is_named or case.profile.has_binary:
        return passed("binary tensors give the same answer as JSON")
    return warned(
        "binary tensors work, but the server's extensions don't name them",
        fixes.server_kind_fix(case, "kserve"),
    )


def _no_binary(case: Case, refused: str, *, is_named: bool) -> Finding:
    if is_named:
        return failed(
            f"its extensions name binary tensors, and answers {refused}", _json_only(case)
        )
    if case.profile.has_binary:
        return warned(f"{case.profile.name} speaks binary, this one: {refused}", _json_only(case))
    return passed(f"no binary tensors, and none named ({refused})")


def _json_only(case: Case) -> Fix:
    return fixes.server_kind_fix(case, "generic")


def compression(case: Case) -> Finding:
    """A client that takes gzip gets a whole answer; a gzipped request is taken, or refused."""
    answered, body = case.answered, case.body(case.rows.first)
    found = case.infer(body, headers={"Accept-Encoding": "gzip"})
    if not found.is_ok or difference(answered, read_body(found.body, found.headers)):
        return failed(
            f"with Accept-Encoding: gzip the answer is another one ({status_words(found.status)})",
            Fix("Look at what compresses before the server: it spoils answers."),
        )
    packed = gzip.compress(json.dumps(body).encode(), mtime=0)
    answer = case.infer(packed, headers={"Content-Encoding": "gzip"})
    if answer.is_ok:
        return passed("gzip is taken; answers are whole when it is offered")
    refused = f"a gzipped request is answered {status_words(answer.status)}"
    if case.endpoint.compress:
        return failed(f"{refused}, and compress is set", fixes.compress_fix(case))
    return passed(f"answers are whole when gzip is offered; {refused}, and none is sent")


def answer_time(case: Case) -> Finding:
    """One row is answered well within the time-out of the endpoint."""
    body = case.body(case.rows.first)
    case.answered  # noqa: B018 - ends the check without one
    times_ms: list[float] = []
    while len(times_ms) < CALLS_TIMED and sum(times_ms) < LONGEST_TIMED_MS:
        times_ms.append(case.infer(body).elapsed_ms)
    limit_s, slowest_ms = case.endpoint.read_timeout_s, max(times_ms)
    text = (
        f"one row takes {statistics.median(times_ms):.0f} ms, {slowest_ms:.0f} ms at most; "
        f"the time-out is {limit_s:g} s"
    )
    if slowest_ms > limit_s * 1000 * SLOW_SHARE:
        return warned(text, fixes.timeout_fix(case, slowest_ms))
    return passed(text)
