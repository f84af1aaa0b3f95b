"""kserve_client itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bench import data
from bench.at_once import Threads
from kserve_client import InferenceClient, InferRequest, Model, Signature, Tensor
from kserve_client.frames import request_of
from kserve_client.wire import binary, json

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("kserve-client", "pysimdjson")


def operations() -> dict[str, Callable[[], Callable[[], Any]]]:
    return {
        "tensor_to_json": _tensor_to_json,
        "json_to_tensor": _json_to_tensor,
        "tensor_to_binary": _tensor_to_binary,
        "binary_to_tensor": _binary_to_tensor,
        "frame_to_json": lambda: _frame_to_json(data.frame(), _category(data.SEXES)),
        "hard_frame_to_json": lambda: _frame_to_json(data.hard_frame(), {"kind": "text"}),
        "one_row": _one_row,
        "one_row_model": _one_row_model,
        **{f"at_once_{count}": partial(_at_once, count) for count in data.AT_ONCE},
    }


def _request() -> InferRequest:
    return InferRequest((Tensor.of("input-0", data.tensor()),))


def _tensor_to_json() -> Callable[[], Any]:
    data.tensor()
    return lambda: json.build_request(_request())


def _json_to_tensor() -> Callable[[], Any]:
    body = data.json_answer()
    return lambda: json.parse_response(body).outputs[0].data


def _tensor_to_binary() -> Callable[[], Any]:
    data.tensor()
    return lambda: binary.build_request(_request())


def _binary_to_tensor() -> Callable[[], Any]:
    body, head_bytes = data.binary_answer()
    return lambda: binary.parse_response(body, head_bytes).outputs[0].data


def _frame_to_json(frame: pd.DataFrame, of_last_column: dict[str, Any]) -> Callable[[], Any]:
    signature = _signature_of_frame(of_last_column)
    return lambda: json.build_request(request_of(signature, frame))


def _category(choices: list[str]) -> dict[str, Any]:
    return {"kind": "category", "choices": choices}


def _signature_of_frame(of_last_column: dict[str, Any]) -> Signature:
    features: list[dict[str, Any]] = [{"name": n, "datatype": "FP64"} for n in data.FLOATS]
    features += [{"name": n, "kind": "integer", "datatype": "INT64"} for n in ("i0", "i1")]
    features += [
        {"name": "flag", "kind": "boolean"},
        {"name": "island", **_category(data.ISLANDS)},
        {"name": "sex", **of_last_column},
    ]
    return Signature.model_validate({"layout": "columns", "features": features, "outputs": []})


def _one_row() -> Callable[[], Any]:
    client = InferenceClient(data.url())

    def call() -> Any:
        row = Tensor.of("input-0", [data.ROW], datatype="FP32")
        return client.infer("iris", [row]).output("predict").data.ravel()[0]

    return call


def _at_once(count: int) -> Callable[[], Any]:
    return Threads(count, _one_row())


def _one_row_model() -> Callable[[], Any]:
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    description = {
        "layout": "tensor",
        "input": "input-0",
        "datatype": "FP32",
        "features": [{"name": name} for name in names],
        "outputs": [{"name": "predict", "kind": "label", "labels": ["0", "1", "2"]}],
    }
    signature = Signature.model_validate(description)
    model = Model(InferenceClient(data.url()), "iris", signature=signature)
    row = dict(zip(names, data.ROW, strict=True))
    return lambda: model.predict(row)[0].label
