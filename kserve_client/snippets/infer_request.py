"""The inference request of a call, in the words of JSON, however it travels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kserve_client.errors import InputError, InvalidAnswerError
from kserve_client.snippets.call import LARGE_BODY_BYTES, Call, parsed
from kserve_client.tensors import Tensor
from kserve_client.wire import binary

_REQUEST_FIELDS = frozenset({"id", "inputs", "outputs", "parameters"})
_TENSOR_FIELDS = frozenset({"name", "shape", "datatype", "data", "parameters"})
_ADDED_BY_BINARY = frozenset({"binary_data", "binary_data_output", "binary_data_size"})


def infer_request(call: Call) -> dict[str, Any] | None:
    """The request as the JSON it is or stands for; None when `InferenceClient.infer` would not send it.

    That is a body with fields or values that are not V2, and a binary one too large to be written.
    """
    request = _unpacked(call) if call.is_binary else call.value
    try:
        _check(request, with_data=call.body_file != "request.json")
    except (AttributeError, KeyError, TypeError, ValueError, InputError):
        return None
    return dict(request)


def _check(request: Any, *, with_data: bool) -> None:
    """Raise where a field is unknown or, `with_data`, a tensor can't exist."""
    _check_fields(request, _REQUEST_FIELDS)
    if not request["inputs"] or not isinstance(request.get("id"), str | None):
        raise ValueError
    for output in request.get("outputs", ()):
        _check_fields(output, frozenset({"name", "parameters"}))
        if not isinstance(output["name"], str):
            raise TypeError
    for tensor in request["inputs"]:
        _check_fields(tensor, _TENSOR_FIELDS)
        if with_data:
            name, kind, data = tensor["name"], tensor["datatype"], tensor["data"]
            Tensor.of(name, data, datatype=kind, shape=tensor["shape"])


def _check_fields(value: Mapping[str, Any], known: frozenset[str]) -> None:
    if not value.keys() <= known or not isinstance(value.get("parameters", {}), dict):
        raise ValueError


def _unpacked(call: Call) -> Any:
    head_text, blobs = call.parts
    head = parsed(head_text)
    if not isinstance(head, dict) or len(call.body) > LARGE_BODY_BYTES:
        return None
    # Inputs and outputs have the same binary form: read these as an answer.
    as_answer = json.dumps({"outputs": head.get("inputs")}).encode()
    try:
        tensors = binary.parse_response(as_answer + blobs, len(as_answer)).outputs
    except InvalidAnswerError:
        return None
    outputs = [_without_binary(output) for output in head.get("outputs", ())]
    inputs = [_without_binary(_as_json(tensor)) for tensor in tensors]
    return _without_binary(head) | {"inputs": inputs} | ({"outputs": outputs} if outputs else {})


def _as_json(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "datatype": tensor.datatype,
        "data": _elements(tensor.data.ravel()),
        "parameters": tensor.parameters,
    }


def _without_binary(part: Mapping[str, Any]) -> dict[str, Any]:
    """Without the parameters that the binary form adds by itself."""
    given = part.get("parameters") or {}
    left = {name: value for name, value in given.items() if name not in _ADDED_BY_BINARY}
    return {**part, "parameters": left}


def _elements(flat: NDArray[Any]) -> list[Any]:
    """Python values; floats with the digits of their own width: 0.1, not 0.10000000149011612."""
    if flat.dtype.kind != "f":
        return list(flat.tolist())
    return [float(text) for text in flat.astype(np.str_)]
