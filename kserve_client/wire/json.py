"""V2 bodies as JSON (Open Inference Protocol, `inference_rest.md`).

Facts this module rests on, seen on MLServer 1.7.1 and KServe 0.21.0: both take flat data and pay
less for it; both send NaN and ±infinity as null and read null as NaN; Triton writes the bare tokens
NaN and Infinity, which `orjson` refuses and Python's own `json` reads. KServe sends
`"parameters":null,"model_version":null`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import numpy as np
import orjson
from numpy.typing import NDArray

from kserve_client.datatypes import DATATYPES, Datatype
from kserve_client.errors import InputError, InvalidAnswerError
from kserve_client.servers import NonFinite
from kserve_client.tensors import InferRequest, InferResponse, Parameters, Tensor
from kserve_client.wire.numbers import parse_numbers

CONTENT_TYPE = "application/json"
WHOLE_BELOW = 2**53
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY
# Half of a pair of surrogates: JSON can write it, and no text that is sent or stored can hold it.
_HALF_ESCAPED = re.compile(rb"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udfff]")
_ELEMENTS: dict[str, frozenset[type]] = {
    "boolean": frozenset({bool}),
    "integer": frozenset({int}),
    "float": frozenset({float, int, type(None)}),
    "bytes": frozenset({str}),
}


def build_request(
    request: InferRequest, *, nested: bool = False, non_finite: NonFinite = "null"
) -> bytes:
    """Write the body of an inference request.

    Data is written flat and row-major unless `nested`. NaN travels as null, and infinity is
    refused, since servers that write null mean NaN by it; `non_finite="token"` writes NaN and
    Infinity bare, as Triton reads them. Raises InputError for infinity, and for bytes and texts
    that are not UTF-8.
    """
    body: dict[str, Any] = {}
    if request.id is not None:
        body["id"] = request.id
    if request.parameters:
        body["parameters"] = dict(request.parameters)
    body["inputs"] = [_input(tensor, nested, non_finite) for tensor in request.inputs]
    if request.outputs:
        body["outputs"] = [_named(output.name, output.parameters) for output in request.outputs]
    if non_finite == "token" and any(_is_non_finite(tensor) for tensor in request.inputs):
        _decode_texts(body, request)
        return json.dumps(body, default=_listed, separators=(",", ":"), ensure_ascii=False).encode()
    with suppress(orjson.JSONEncodeError):
        return orjson.dumps(body, option=_OPTIONS)
    _decode_texts(body, request)  # it may have been for bytes; texts need not be looked at
    try:
        return orjson.dumps(body, option=_OPTIONS)
    except orjson.JSONEncodeError as error:
        # half a surrogate pair, a parameter of more than 64 bits
        raise InputError(f"the request has no form in JSON: {error}") from None


def _is_non_finite(tensor: Tensor) -> bool:
    return tensor.data.dtype.kind == "f" and not bool(np.isfinite(tensor.data).all())


def _listed(array: NDArray[Any]) -> Any:
    """Python's own writer knows no arrays, but the tokens NaN and Infinity."""
    return array.tolist()


def _named(name: str, parameters: Parameters) -> dict[str, Any]:
    return {"name": name, "parameters": dict(parameters)} if parameters else {"name": name}


def _input(tensor: Tensor, nested: bool, non_finite: NonFinite) -> dict[str, Any]:
    data = tensor.data if nested else tensor.data.ravel()
    written = {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "datatype": tensor.datatype,
        "data": _elements(tensor, data, non_finite),
    }
    if tensor.parameters:
        written["parameters"] = dict(tensor.parameters)
    return written


def _elements(tensor: Tensor, data: NDArray[Any], non_finite: NonFinite) -> Any:
    family = DATATYPES[tensor.datatype].family
    if family == "bytes":
        return data.tolist()
    if family == "float" and non_finite == "null" and np.isinf(data).any():
        raise InputError(f"tensor {tensor.name!r}: infinity has no form in JSON")
    return np.ascontiguousarray(data)


def _decode_texts(body: dict[str, Any], request: InferRequest) -> None:
    for tensor, written in zip(request.inputs, body["inputs"], strict=True):
        if tensor.datatype == "BYTES":
            written["data"] = _texts(tensor, written["data"])


def _texts(tensor: Tensor, value: Any) -> Any:
    if isinstance(value, list):
        return [_texts(tensor, element) for element in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise InputError(
                f"tensor {tensor.name!r}: bytes that are not UTF-8 have no form in JSON; encode them, e.g. as base64"
            ) from None
    return value


def parse_response(body: bytes) -> InferResponse:
    """Read the body of an inference answer.

    Flat and nested data, the three forms of non-finite numbers, and missing or null optional fields
    are accepted. Raises InvalidAnswerError for anything that would shift or change a value: a wrong
    number of elements, a wrong type, an unknown datatype.
    """
    answer = parse_numbers(body)
    return response_of(parse_object(body) if answer is None else answer, body, json_output)


def response_of(
    answer: dict[str, Any], body: bytes, read: Callable[[Any, bytes], Tensor]
) -> InferResponse:
    """The answer of an object whose outputs `read` turns into tensors, one after the other."""
    outputs = answer.get("outputs")
    if not isinstance(outputs, list):
        invalid("it has no list of outputs", body)
    tensors = tuple(read(output, body) for output in outputs)
    if len({tensor.name for tensor in tensors}) < len(tensors):
        invalid("two outputs have the same name", body)
    return InferResponse(
        outputs=tensors,
        model_name=_text(answer.get("model_name")),
        model_version=_text(answer.get("model_version")),
        id=_text(answer.get("id")),
        parameters=parameters_of(answer),
    )


def parse_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object, bare NaN and Infinity included. Raises InvalidAnswerError for anything else."""
    answer = parse_value(body)
    if not isinstance(answer, dict):
        invalid("it is not a JSON object", body)
    return answer


def parse_value(body: bytes) -> Any:
    """Read any JSON value, bare NaN and Infinity included. Raises InvalidAnswerError when it is not JSON.

    Half of a surrogate pair becomes U+FFFD, as broken UTF-8 does elsewhere.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        found = json.loads(body)
        if _HALF_ESCAPED.search(body):
            found = json.loads(_HALF.sub("\ufffd", json.dumps(found, ensure_ascii=False)))
        return found
    except (ValueError, RecursionError):
        invalid("it is not JSON" if body else "its body is empty", body)


def invalid(why: str, body: bytes = b"") -> NoReturn:
    """Refuse an answer, and say why."""
    raise InvalidAnswerError(
        f"the answer is not V2: {why}", body=body[:2000].decode(errors="replace")
    )


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int | float) else None


def parameters_of(value: dict[str, Any]) -> Parameters:
    """The parameters of an answer or of one output; none where it has no object there."""
    found = value.get("parameters")
    return found if isinstance(found, dict) else {}


def json_output(output: Any, body: bytes) -> Tensor:
    """One output whose elements stand in the JSON."""
    name, target, shape = output_head(output, body)
    data = output.get("data")
    if not isinstance(data, list | np.ndarray):
        invalid(f"output {name!r} has no data", body)
    flat = _flat(name, data, body) if isinstance(data, list) else data
    if len(flat) != math.prod(shape):
        invalid(f"output {name!r} has {len(flat)} values for shape {shape}", body)
    return shaped_output(output, _array(name, flat, target, body), body)


def output_head(output: Any, body: bytes) -> tuple[str, Datatype, list[int]]:
    """Name, datatype and shape of an output, checked."""
    if not isinstance(output, dict) or not isinstance(output.get("name"), str):
        invalid("an output has no name", body)
    if not output["name"]:
        invalid("an output has an empty name", body)
    name, wire, shape = output["name"], output.get("datatype"), output.get("shape")
    if not isinstance(wire, str) or wire not in DATATYPES:
        invalid(f"output {name!r} has the unknown datatype {wire!r}", body)
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        invalid(f"output {name!r} has no valid shape", body)
    return name, DATATYPES[wire], shape


def shaped_output(output: dict[str, Any], flat: NDArray[Any], body: bytes) -> Tensor:
    """The tensor of an output whose elements are read and counted."""
    try:
        array = flat.reshape(output["shape"])
    except ValueError:  # more dimensions, or longer ones, than numpy has
        invalid(f"output {output['name']!r} has no valid shape", body)
    return Tensor(output["name"], output["datatype"], array, parameters_of(output))


def _flat(name: str, data: list[Any], body: bytes) -> list[Any]:
    """Nested rows must be of one length: a ragged answer of the right size would shift its values."""
    while data and isinstance(data[0], list):
        width = len(data[0])
        if not all(isinstance(row, list) and len(row) == width for row in data):
            invalid(f"output {name!r} has rows of unequal length", body)
        data = [element for row in data for element in row]
    return data


def _array(
    name: str, flat: list[Any] | NDArray[Any], target: Datatype, body: bytes
) -> NDArray[Any]:
    if isinstance(flat, np.ndarray):
        return _fitted(name, flat, target, body)
    strange = set(map(type, flat)) - _ELEMENTS[target.family]
    if strange == {float} and target.family == "integer" and all(map(_is_whole, flat)):
        flat = [int(number) for number in flat]
    elif strange:
        kinds = ", ".join(sorted(kind.__name__ for kind in strange))
        invalid(f"output {name!r} says {target.name} but holds {kinds}", body)
    try:
        if target.family == "float" and target.name != "FP64":
            return _narrowed(name, np.array(flat, dtype=np.float64), target, body)
        return np.array(flat, dtype=target.dtype)
    except OverflowError:
        invalid(f"output {name!r} holds a number outside {target.name}", body)


def _is_whole(number: float) -> bool:
    """JSON has one kind of number, and 2.0 is 2 (seen: omle-server 0.2.1 writes its INT64 so).

    From 2**53 on, a double also stands for its neighbours.
    """
    return type(number) is int or (number.is_integer() and abs(number) < WHOLE_BELOW)


def _fitted(name: str, wide: NDArray[Any], target: Datatype, body: bytes) -> NDArray[Any]:
    """What `parse_numbers` read: float64, int64 or uint64, by the datatype's kind."""
    if wide.dtype == target.dtype:
        return wide
    if target.family == "float":
        return _narrowed(name, wide, target, body)
    array = wide.astype(target.dtype)
    if not np.array_equal(array, wide):
        invalid(f"output {name!r} holds a number outside {target.name}", body)
    return array


def _narrowed(name: str, wide: NDArray[np.float64], target: Datatype, body: bytes) -> NDArray[Any]:
    """A finite number must not become infinity."""
    with np.errstate(over="ignore"):
        array = wide.astype(target.dtype)
    if np.isinf(array).any() and not np.isinf(wide[np.isinf(array)]).all():
        invalid(f"output {name!r} holds a number outside {target.name}", body)
    return array
