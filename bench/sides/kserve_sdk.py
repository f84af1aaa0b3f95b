"""The KServe SDK's client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from kserve import InferenceRESTClient, InferInput, InferRequest, InferResponse, RESTConfig

from bench import data

PACKAGES = ("kserve", "httpx", "numpy", "orjson")


def operations() -> dict[str, Callable[[], Callable[[], Any]]]:
    return {
        "tensor_to_json": _tensor_to_json,
        "json_to_tensor": _json_to_tensor,
        "tensor_to_binary": _tensor_to_binary,
        "binary_to_tensor": _binary_to_tensor,
        "one_row": _one_row,
    }


def _request(array: Any, *, is_binary: bool) -> InferRequest:
    tensor = InferInput("input-0", list(array.shape), "FP32")
    tensor.set_data_from_numpy(array, binary_data=is_binary)
    return InferRequest("iris", [tensor])


def _tensor_to_json() -> Callable[[], Any]:
    array = data.tensor()

    def write() -> bytes:
        body, _ = _request(array, is_binary=False).to_rest()
        return orjson.dumps(body)  # as its client does

    return write


def _json_to_tensor() -> Callable[[], Any]:
    body = data.json_answer()

    def read() -> Any:
        return InferResponse.from_rest(orjson.loads(body)).outputs[0].as_numpy()

    return read


def _tensor_to_binary() -> Callable[[], Any]:
    array = data.tensor()
    return lambda: _request(array, is_binary=True).to_rest()


def _binary_to_tensor() -> Callable[[], Any]:
    body, head_bytes = data.binary_answer()

    def read() -> Any:
        return InferResponse.from_bytes(body, head_bytes).outputs[0].as_numpy()

    return read


def _one_row() -> Callable[[], Any]:
    loop = asyncio.new_event_loop()
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    row = np.array([data.ROW], dtype=np.float32)

    def call() -> Any:
        request = _request(row, is_binary=False)
        answer = loop.run_until_complete(client.infer(data.url(), request, model_name="iris"))
        return answer.outputs[0].as_numpy().ravel()[0]

    return call
