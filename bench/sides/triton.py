"""Triton's client, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from tritonclient.http import (
    InferenceServerClient,
    InferInput,
    InferRequestedOutput,
    InferResult,
)

from bench import data

PACKAGES = ("tritonclient", "geventhttpclient", "numpy")


def operations() -> dict[str, Callable[[], Callable[[], Any]]]:
    return {
        "tensor_to_json": _tensor_to_json,
        "json_to_tensor": _json_to_tensor,
        "tensor_to_binary": _tensor_to_binary,
        "binary_to_tensor": _binary_to_tensor,
        "one_row": _one_row,
    }


def _input(array: Any, *, is_binary: bool) -> InferInput:
    tensor = InferInput("input-0", list(array.shape), "FP32")
    tensor.set_data_from_numpy(array, binary_data=is_binary)
    return tensor


def _tensor_to_json() -> Callable[[], Any]:
    array = data.tensor()

    def write() -> bytes:
        inputs = [_input(array, is_binary=False)]
        body: bytes = InferenceServerClient.generate_request_body(inputs)[0]
        return body

    return write


def _json_to_tensor() -> Callable[[], Any]:
    body = data.json_answer()
    return lambda: InferResult.from_response_body(body).as_numpy("output-0")


def _tensor_to_binary() -> Callable[[], Any]:
    array = data.tensor()
    return lambda: InferenceServerClient.generate_request_body([_input(array, is_binary=True)])


def _binary_to_tensor() -> Callable[[], Any]:
    body, head_bytes = data.binary_answer()

    def read() -> Any:
        return InferResult.from_response_body(body, header_length=head_bytes).as_numpy("output-0")

    return read


def _one_row() -> Callable[[], Any]:
    client = InferenceServerClient(urlsplit(data.url()).netloc)
    row = np.array([data.ROW], dtype=np.float32)
    outputs = [InferRequestedOutput("predict", binary_data=False)]

    def call() -> Any:
        answer = client.infer("iris", [_input(row, is_binary=False)], outputs=outputs)
        return answer.as_numpy("predict").ravel()[0]

    return call
