"""V2 bodies with binary tensors: a JSON head, then the elements of each tensor as they lie in memory.

Source: Triton's `extension_binary_data.md`, which KServe speaks too. Little-endian, row-major, BOOL
one byte, an element of BYTES its length as 32 bits and its bytes; blobs in the order of the JSON's
tensors. The header `Inference-Header-Content-Length` says how long the head is. Seen on KServe
0.21.0: the content type must be application/octet-stream; `binary_data_output` is ignored when
outputs are listed, so each listed output says `binary_data` itself; a binary answer has no content
type.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from kserve_client.datatypes import DATATYPES, Datatype
from kserve_client.errors import InputError, InvalidAnswerError
from kserve_client.tensors import InferRequest, InferResponse, Parameters, Tensor
from kserve_client.wire.json import (
    invalid,
    json_output,
    output_head,
    parameters_of,
    parse_object,
    response_of,
    shaped_output,
)

CONTENT_TYPE = "application/octet-stream"
HEAD_LENGTH = "Inference-Header-Content-Length"
_LENGTH = struct.Struct("<I")


def build_request(request: InferRequest, *, binary_output: bool = True) -> tuple[bytes, int]:
    """Write the body of an inference request, every tensor binary; return it and the length of its head.

    `binary_output` asks for the outputs in binary as well. NaN and infinity travel as they are.
    Raises InputError for parameters that have no form in JSON.
    """
    blobs = [blob_of(tensor) for tensor in request.inputs]
    head = _head(request, blobs, binary_output=binary_output)
    return b"".join([head, *blobs]), len(head)


def _head(request: InferRequest, blobs: list[bytes | memoryview], *, binary_output: bool) -> bytes:
    body: dict[str, Any] = {}
    if request.id is not None:
        body["id"] = request.id
    parameters = dict(request.parameters)
    if binary_output and not request.outputs:
        parameters["binary_data_output"] = True
    if parameters:
        body["parameters"] = parameters
    body["inputs"] = [_input(t, _size(b)) for t, b in zip(request.inputs, blobs, strict=True)]
    if request.outputs:
        asked: Parameters = {"binary_data": True} if binary_output else {}
        outputs = [(output.name, {**output.parameters, **asked}) for output in request.outputs]
        body["outputs"] = [{"name": n, **({"parameters": p} if p else {})} for n, p in outputs]
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:
        raise InputError(f"the request has no form in JSON: {error}") from None


def _input(tensor: Tensor, size_bytes: int) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "datatype": tensor.datatype,
        "parameters": {**tensor.parameters, "binary_data_size": size_bytes},
    }


def _size(blob: bytes | memoryview) -> int:
    return blob.nbytes if isinstance(blob, memoryview) else len(blob)


def blob_of(tensor: Tensor) -> bytes | memoryview:
    """The elements of a tensor as bytes; numbers are not copied where they lie in memory that way."""
    target = DATATYPES[tensor.datatype]
    if target.family == "bytes":
        return _packed(tensor.data.ravel().tolist())
    if target.name == "BF16":
        return _upper_halves(tensor.data).view(np.uint8).data
    array = np.ascontiguousarray(tensor.data, dtype=target.dtype.newbyteorder("<"))
    return array.reshape(-1).view(np.uint8).data


def _upper_halves(data: NDArray[Any]) -> NDArray[np.uint16]:
    """float32 → bfloat16: the upper 16 bits, rounded to the nearest, ties to even."""
    bits = np.ascontiguousarray(data, dtype="<f4").reshape(-1).view("<u4")
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    return np.where(np.isnan(data.reshape(-1)), 0x7FC0, rounded).astype("<u2")


def _packed(elements: list[str | bytes]) -> bytes:
    encoded = [e.encode() if isinstance(e, str) else e for e in elements]
    return b"".join(part for e in encoded for part in (_LENGTH.pack(len(e)), e))


def parse_response(body: bytes, head_bytes: int) -> InferResponse:
    """Read an answer whose first `head_bytes` bytes are its JSON head; numbers are not copied.

    Outputs in JSON and binary may be mixed. Elements of BYTES are `bytes`. Raises
    InvalidAnswerError for a head or blob that is cut, bytes that no tensor takes, and whatever the
    JSON answer may not be.
    """
    if not 0 < head_bytes <= len(body):
        raise InvalidAnswerError(
            f"the answer is not V2: its head has {head_bytes} bytes, the whole {len(body)}"
        )
    head = body[:head_bytes]
    blobs = _Blobs(memoryview(body)[head_bytes:], head)
    response = response_of(parse_object(head), head, blobs.output)
    blobs.check_end()
    return response


class _Blobs:
    """The bytes behind the head, taken tensor by tensor."""

    def __init__(self, left: memoryview, head: bytes) -> None:
        self._left = left
        self._head = head

    def output(self, output: Any, body: bytes) -> Tensor:
        """The next output: from the JSON when it has data there, else from the bytes."""
        if isinstance(output, dict) and output.get("data") is not None:
            return json_output(output, body)
        name, target, shape = output_head(output, body)
        size = parameters_of(output).get("binary_data_size")
        if type(size) is not int or size < 0:
            invalid(f"output {name!r} has neither data nor a binary_data_size", body)
        blob = self._take(name, size)
        count = math.prod(shape)
        flat = _texts(name, blob, body) if target.family == "bytes" else _numbers(target, blob)
        if flat is None or len(flat) != count:
            invalid(f"output {name!r} has {size} bytes for shape {shape} of {target.name}", body)
        return shaped_output(output, flat, body)

    def _take(self, name: str, size: int) -> memoryview:
        if size > len(self._left):
            invalid(f"output {name!r} is cut: {len(self._left)} of {size} bytes", self._head)
        blob, self._left = self._left[:size], self._left[size:]
        return blob

    def check_end(self) -> None:
        """Bytes that belong to no tensor mean that some were read wrong."""
        if len(self._left):
            invalid(f"{len(self._left)} bytes belong to no output", self._head)


def _numbers(target: Datatype, blob: memoryview) -> NDArray[Any] | None:
    if blob.nbytes % target.element_bytes:
        return None
    if target.name == "BF16":
        return (np.frombuffer(blob, dtype="<u2").astype("<u4") << 16).view(np.float32)
    flat = np.frombuffer(blob, dtype=target.dtype.newbyteorder("<"))
    return flat.astype(target.dtype, copy=False)


def _texts(name: str, blob: memoryview, body: bytes) -> NDArray[Any]:
    elements, at = [], 0
    while at < len(blob):
        if at + _LENGTH.size > len(blob):
            invalid(f"output {name!r} is cut inside a length", body)
        (length,) = _LENGTH.unpack_from(blob, at)
        at += _LENGTH.size
        if at + length > len(blob):
            invalid(f"output {name!r} is cut inside an element", body)
        elements.append(bytes(blob[at : at + length]))
        at += length
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array
