"""MLServer's own codecs, which its documentation recommends to clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from mlserver.codecs import NumpyCodec, PandasCodec
from mlserver.codecs.json import encode_to_json_bytes
from mlserver.types import InferenceRequest, InferenceResponse

from bench import data

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("mlserver", "pydantic", "numpy", "pandas")


def operations() -> dict[str, Callable[[], Callable[[], Any]]]:
    return {
        "tensor_to_json": _tensor_to_json,
        "json_to_tensor": _json_to_tensor,
        "frame_to_json": lambda: _frame_to_json(data.frame()),
        "hard_frame_to_json": lambda: _frame_to_json(data.hard_frame()),
    }


def written(request: InferenceRequest) -> bytes:
    """The fastest way of its own to bytes."""
    body: bytes = encode_to_json_bytes(request.model_dump(exclude_none=True))
    return body


def _tensor_to_json() -> Callable[[], Any]:
    array = data.tensor()

    def write() -> bytes:
        return written(InferenceRequest(inputs=[NumpyCodec.encode_input("input-0", array)]))

    return write


def _json_to_tensor() -> Callable[[], Any]:
    body = data.json_answer()

    def read() -> Any:
        answer = InferenceResponse.model_validate(orjson.loads(body))
        return np.asarray(NumpyCodec.decode_output(answer.outputs[0]))

    return read


def _frame_to_json(frame: pd.DataFrame) -> Callable[[], Any]:
    """As it comes: texts become bytes on the way, and texts again in the JSON."""
    known = of_objects(frame)
    return lambda: written(PandasCodec.encode_request(known))


def of_objects(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without columns of pandas' own texts, which the codec does not know (KeyError: 'O')."""
    return frame.astype(dict.fromkeys(("island", "sex"), object))
