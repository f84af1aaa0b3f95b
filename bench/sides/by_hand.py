"""The shortest code that does the same, without a check: the floor of every operation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from bench import data
from bench.at_once import Threads

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("numpy", "orjson", "pandas", "requests")
_OPTION = orjson.OPT_SERIALIZE_NUMPY


def operations() -> dict[str, Callable[[], Callable[[], Any]]]:
    return {
        "tensor_to_json": _tensor_to_json,
        "json_to_tensor": _json_to_tensor,
        "tensor_to_binary": _tensor_to_binary,
        "binary_to_tensor": _binary_to_tensor,
        "frame_to_json": lambda: _frame_to_json(data.frame()),
        "hard_frame_to_json": lambda: _frame_to_json(data.hard_frame()),
        "one_row": _one_row,
        **{f"at_once_{count}": partial(_at_once, count) for count in data.AT_ONCE},
    }


def _input(**of_data: Any) -> dict[str, Any]:
    return {"name": "input-0", "shape": list(data.tensor().shape), "datatype": "FP32", **of_data}


def _tensor_to_json() -> Callable[[], Any]:
    array = data.tensor()
    return lambda: orjson.dumps({"inputs": [_input(data=array.ravel())]}, option=_OPTION)


def _json_to_tensor() -> Callable[[], Any]:
    body = data.json_answer()

    def read() -> Any:
        output = orjson.loads(body)["outputs"][0]
        return np.array(output["data"], dtype=np.float32).reshape(output["shape"])

    return read


def _tensor_to_binary() -> Callable[[], Any]:
    array = data.tensor()

    def write() -> tuple[bytes, int]:
        parameters = {"binary_data_size": array.nbytes}
        head = orjson.dumps({"inputs": [_input(parameters=parameters)]})
        return b"".join([head, array.data.cast("B")]), len(head)

    return write


def _binary_to_tensor() -> Callable[[], Any]:
    body, head_bytes = data.binary_answer()

    def read() -> Any:
        output = orjson.loads(body[:head_bytes])["outputs"][0]
        return np.frombuffer(body[head_bytes:], dtype="<f4").reshape(output["shape"])

    return read


def _frame_to_json(frame: pd.DataFrame) -> Callable[[], Any]:
    def column(name: str, cells: Any) -> dict[str, Any]:
        if cells.dtype.kind == "f":
            return {"name": name, "datatype": "FP64", "data": cells.to_numpy()}
        if cells.dtype.kind in "ib":
            wire = "INT64" if cells.dtype.kind == "i" else "BOOL"
            return {"name": name, "datatype": wire, "data": cells.to_numpy()}
        return {"name": name, "datatype": "BYTES", "data": cells.tolist()}

    def write() -> bytes:
        shape = [len(frame), 1]
        inputs = [{**column(str(name), cells), "shape": shape} for name, cells in frame.items()]
        return orjson.dumps({"inputs": inputs}, option=_OPTION)

    return write


def _at_once(count: int) -> Callable[[], Any]:
    """A session for each thread: `requests` promises nothing to threads that share one."""
    own = threading.local()

    def call() -> Any:
        if not hasattr(own, "call"):
            own.call = _one_row()
        return own.call().json()["outputs"][0]["data"][0]

    return Threads(count, call)


def _one_row() -> Callable[[], Any]:
    import requests

    session, path = requests.Session(), f"{data.url()}/v2/models/iris/infer"

    def call() -> Any:
        row = {"name": "input-0", "shape": [1, 4], "datatype": "FP32", "data": data.ROW}
        return session.post(path, json={"inputs": [row]})

    return call
