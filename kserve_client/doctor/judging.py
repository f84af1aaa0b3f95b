"""What an answer is worth: a refusal in the protocol's form, and whether two answers say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kserve_client.doctor.findings import Finding, failed, passed, warned
from kserve_client.doctor.report import Fix, status_words
from kserve_client.errors import InvalidAnswerError
from kserve_client.tensors import InferResponse, Tensor
from kserve_client.transport import Answer
from kserve_client.wire.json import parse_object

CLOSE_TO = 1e-4
NEAR_ZERO = 1e-6


def object_in(answer: Answer, what: str, fix: Fix) -> dict[str, Any]:
    """The JSON object of an answer that must be one; ends the check where it is not."""
    if not answer.is_ok:
        raise failed(f"{what} is answered {status_words(answer.status)}", fix)
    try:
        return parse_object(answer.body)
    except InvalidAnswerError as error:
        raise failed(f"{what}: {error}", fix) from None


def judge_refusal(answer: Answer, what: str) -> Finding:
    """What a refusal that must come is worth: a 4xx with `{"error": text}` is one.

    Source: Open Inference Protocol, `inference_rest.md`, "Inference Response JSON Error Object".
    """
    said = f"{what} is answered {status_words(answer.status)}"
    if answer.status >= 500:
        return failed(f"{said}, as if the server were broken")
    if not 400 <= answer.status < 500:
        return failed(f"{said}, not refused")
    try:
        told = parse_object(answer.body)
    except InvalidAnswerError:
        return warned(f"{said}, without a JSON object that says why")
    if isinstance(told.get("error"), str):
        return passed(f"{said} with its reason")
    keys = ", ".join(sorted(map(str, told))) or "nothing"
    return warned(f'{said}; its reason stands under "{keys}", not under "error"')


def difference(first: InferResponse, second: InferResponse) -> str:
    """Say where two answers differ, "" where they are the same up to rounding."""
    ours, theirs = _by_name(first), _by_name(second)
    if ours.keys() != theirs.keys():
        return f"its outputs are {listed(theirs)}, not {listed(ours)}"
    for name, tensor in ours.items():
        if tensor.shape != theirs[name].shape:
            return f"{name} has shape {list(theirs[name].shape)}, not {list(tensor.shape)}"
        if not is_same(tensor.data, theirs[name].data):
            return f"{name} is {shown(theirs[name].data)}, not {shown(tensor.data)}"
    return ""


def _by_name(response: InferResponse) -> dict[str, Tensor]:
    return {tensor.name: tensor for tensor in response.outputs}


def is_same(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether two arrays hold the same texts, or the same numbers up to rounding."""
    if first.dtype.kind == "O" or second.dtype.kind == "O":
        return [_text(cell) for cell in first.ravel()] == [_text(cell) for cell in second.ravel()]
    return first.shape == second.shape and bool(
        np.allclose(first, second, rtol=CLOSE_TO, atol=NEAR_ZERO, equal_nan=True)
    )


def _text(cell: Any) -> str:
    return cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)


def shown(data: NDArray[Any]) -> str:
    """The first few elements, for a sentence."""
    cells = [_text(cell)[:40] for cell in data.ravel()[:3]]
    return f"[{', '.join(cells)}{', …' if data.size > 3 else ''}]"


def listed(names: Any) -> str:
    """Names in a sentence; "none" without any."""
    return ", ".join(map(str, names)) or "none"
