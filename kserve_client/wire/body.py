"""Which form a request travels in, and how an answer is read: JSON or binary, by the server's profile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kserve_client.datatypes import DATATYPES
from kserve_client.errors import InputError
from kserve_client.servers import ServerProfile
from kserve_client.tensors import InferRequest, InferResponse, Tensor
from kserve_client.wire import binary, json

# From here on the binary form is faster on both sides; below, the head alone costs as much (bench/).
BINARY_FROM_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Body:
    """A written request. `head_bytes` is the length of the JSON head of a binary body, None for JSON."""

    data: bytes
    head_bytes: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that say what it is."""
        if self.head_bytes is None:
            return {"Content-Type": json.CONTENT_TYPE}
        # A binary answer comes without a content type (seen on KServe 0.21.0).
        return {
            "Content-Type": binary.CONTENT_TYPE,
            "Accept": "*/*",
            binary.HEAD_LENGTH: str(self.head_bytes),
        }


def depends_on_server(request: InferRequest, *, use_binary: bool | None = None) -> bool:
    """Whether its body differs from server to server.

    A small request of plain numbers is JSON anyway. What is asked for in binary is the same everywhere, what
    is asked for in JSON differs in half floats, NaN and infinity.
    """
    if use_binary:
        return False
    if _wants_binary(request):
        return True
    is_large = _size_bytes(request) >= BINARY_FROM_BYTES
    return use_binary is None and (is_large or any(map(_is_wide_integer, request.inputs)))


def write_body(
    request: InferRequest, profile: ServerProfile, *, use_binary: bool | None = None
) -> Body:
    """Write a request for a server with this profile.

    `use_binary` None decides: binary where the server speaks it and it pays, or where JSON can't
    carry a value. Raises InputError when the values have no form that the server takes.
    """
    if use_binary is None:
        use_binary = profile.has_binary and _is_better_binary(request, profile)
    if use_binary:
        return Body(*binary.build_request(request))
    for tensor in request.inputs:
        _check_json(tensor, profile)
    return Body(json.build_request(request, non_finite=profile.non_finite))


def read_body(data: bytes, headers: Mapping[str, str]) -> InferResponse:
    """Read an answer; its headers say whether it is binary. Raises InvalidAnswerError."""
    length = _head_bytes(headers)
    return json.parse_response(data) if length is None else binary.parse_response(data, length)


def head_of(data: bytes, headers: Mapping[str, str]) -> bytes:
    """The JSON of a body: all of it, or the head of a binary one."""
    return data[: _head_bytes(headers) or None]


def _head_bytes(headers: Mapping[str, str]) -> int | None:
    """The length that the header names: None without one, 0 (which no head has) for nonsense."""
    length = headers.get(binary.HEAD_LENGTH)
    if length is None:
        return None
    return int(length) if re.fullmatch("[0-9]{1,18}", length) else 0


def _is_better_binary(request: InferRequest, profile: ServerProfile) -> bool:
    if _wants_binary(request) or any(_is_too_wide(t, profile) for t in request.inputs):
        return True
    # With texts, the JSON of orjson is the faster one (measured: a table of ten columns, two of them text).
    has_texts = any(tensor.datatype == "BYTES" for tensor in request.inputs)
    return not has_texts and _size_bytes(request) >= BINARY_FROM_BYTES


def _wants_binary(request: InferRequest) -> bool:
    return any(
        tensor.datatype in ("FP16", "BF16") or _is_non_finite(tensor) for tensor in request.inputs
    )


def _is_non_finite(tensor: Tensor) -> bool:
    family = DATATYPES[tensor.datatype].family
    return family == "float" and not bool(np.isfinite(tensor.data).all())


def _size_bytes(request: InferRequest) -> int:
    return sum(tensor.data.nbytes for tensor in request.inputs if tensor.datatype != "BYTES")


def _is_too_wide(tensor: Tensor, profile: ServerProfile) -> bool:
    """Whether a JSON integer (or, where those are narrow, a double) would be read wrong."""
    if profile.json_integer_bits >= 64:
        return False
    return tensor.datatype in ("INT64", "UINT64", "FP64")


def _is_wide_integer(tensor: Tensor) -> bool:
    """Whether an integer needs more bits than the JSON of some server has. Of doubles that would be most."""
    if tensor.datatype not in ("INT64", "UINT64") or not tensor.data.size:
        return False
    narrow = np.iinfo(np.int32)
    return bool(tensor.data.min() < narrow.min or tensor.data.max() > narrow.max)


def _check_json(tensor: Tensor, profile: ServerProfile) -> None:
    if tensor.datatype == "BF16":
        raise InputError(
            f"tensor {tensor.name!r}: BF16 has no JSON form, and the server is not known to speak the "
            "binary one: send FP32, or name the server in the endpoint"
        )
    if tensor.datatype == "FP16" and profile.name != "generic" and not profile.has_fp16_json:
        raise InputError(f"tensor {tensor.name!r}: {profile.name} takes no FP16 in JSON: send FP32")
