"""Checks of what is refused: requests that don't fit, and how the refusal reads."""

from __future__ import annotations

from typing import Any

from kserve_client.datatypes import DATATYPES
from kserve_client.doctor import fixes
from kserve_client.doctor.case import Case, Json
from kserve_client.doctor.findings import Finding, failed, passed, skipped, warned
from kserve_client.doctor.judging import judge_refusal
from kserve_client.doctor.report import Fix, status_words
from kserve_client.doctor.server_checks import UNKNOWN
from kserve_client.errors import InvalidAnswerError
from kserve_client.transport import Answer
from kserve_client.wire.body import read_body

MALFORMED = b'{"inputs": ['
ERROR_FORM = Fix(
    'The protocol\'s form is {"error": "<why>"}. FastAPI, which MLServer and KServe stand on, writes '
    '{"detail": …} for requests that it can\'t read: clients should read both, as this one does.'
)


def malformed_json(case: Case) -> Finding:
    """A body that is no JSON is refused with a reason."""
    found = judge_refusal(case.infer(MALFORMED), "a body that is no JSON")
    found.fix = None if found.verdict == "pass" else ERROR_FORM
    return found


def wrong_shape(case: Case) -> Finding:
    """A tensor with fewer values than its shape says is refused with a reason."""
    case.answered  # noqa: B018 - ends the check without one
    body = case.body(case.rows.both)
    body["inputs"][0]["data"].pop()
    found = judge_refusal(case.infer(body), "a tensor that lacks one value")
    found.fix = None if found.verdict == "pass" else fixes.checked_fix(case)
    return found


def input_names(case: Case) -> Finding:
    """An input that the model does not have is refused."""
    case.answered  # noqa: B018 - ends the check without one
    body = case.body(case.rows.first)
    body["inputs"][0]["name"] = UNKNOWN
    found = judge_refusal(case.infer(body), "an input that the model does not have")
    return found if found.verdict == "pass" else warned(found.text, fixes.checked_fix(case))


def missing_numbers(case: Case) -> Finding:
    """A missing number (NaN) is answered, or refused with a reason."""
    case.answered  # noqa: B018 - ends the check without one
    body = case.body(case.rows.first)
    tensor = _float_input(body)
    if tensor is None:
        return skipped("no input holds floating-point numbers")
    tensor["data"][0] = float("nan") if case.profile.non_finite == "token" else None
    answer = case.infer(body)
    if answer.is_ok:
        return _answered_missing(answer)
    found = judge_refusal(answer, "a missing number")
    return found if found.verdict == "pass" else warned(found.text, fixes.checked_fix(case))


def _float_input(body: Json) -> dict[str, Any] | None:
    found = (t for t in body["inputs"] if DATATYPES[t["datatype"]].family == "float" and t["data"])
    return next(found, None)


def _answered_missing(answer: Answer) -> Finding:
    try:
        read_body(answer.body, answer.headers)
    except InvalidAnswerError as error:
        return failed(
            f"a missing number is answered {status_words(answer.status)}, but {error}",
            Fix("Write NaN and infinity as null: JSON has no words for them."),
        )
    return passed("a missing number is taken")
