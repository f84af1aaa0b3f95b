"""The data that all sides work on, and what their results must have in common.

Runs in the environment of every side: numpy, orjson and the standard library only.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = 32
ISLANDS = ["Biscoe", "Dream", "Torgersen"]
SEXES = ["female", "male"]
ROW = [5.1, 3.5, 1.4, 0.2]
AT_ONCE = (1, 4, 16, 64)
FLOATS = [f"f{at}" for at in range(5)]


def is_quick() -> bool:
    """Whether a twentieth of the rows is enough: to see that everything runs."""
    return os.environ.get("BENCH_QUICK") == "1"


def tensor_rows() -> int:
    """Rows of the tensor."""
    return 500 if is_quick() else 10_000


def frame_rows() -> int:
    """Rows of the table."""
    return 5_000 if is_quick() else 100_000


def turns() -> int:
    """How many calls, one after the other, each thread or task makes in one measurement."""
    return 2 if is_quick() else 8


def url() -> str:
    """The server of the benchmarks that make calls."""
    return os.environ["BENCH_URL"]


@functools.cache
def tensor() -> NDArray[np.float32]:
    """float32 [rows, 32], with as many digits as float32 has."""
    numbers = np.random.default_rng(1).normal(size=(tensor_rows(), COLUMNS))
    return numbers.astype(np.float32)


def head(**of_data: Any) -> dict[str, Any]:
    """A V2 answer with the tensor as its only output."""
    shape = [tensor_rows(), COLUMNS]
    output = {"name": "output-0", "shape": shape, "datatype": "FP32", **of_data}
    return {"model_name": "iris", "model_version": "v1", "id": "1", "outputs": [output]}


@functools.cache
def json_answer() -> bytes:
    """The tensor as a server writes it in JSON, flat, with the fewest digits."""
    return orjson.dumps(head(data=tensor().ravel()), option=orjson.OPT_SERIALIZE_NUMPY)


@functools.cache
def binary_answer() -> tuple[bytes, int]:
    """The tensor as a server writes it in binary, and the length of the JSON head."""
    start = orjson.dumps(head(parameters={"binary_data_size": tensor().nbytes}))
    return start + tensor().tobytes(), len(start)


@functools.cache
def frame() -> pd.DataFrame:
    """Ten columns as tables of measurements have them, with two decimals and two texts of few words."""
    import pandas as pd

    random, rows = np.random.default_rng(2), frame_rows()
    columns: dict[str, Any] = {n: random.normal(40, 9, size=rows).round(2) for n in FLOATS}
    columns["i0"] = random.integers(0, 10**6, rows)
    columns["i1"] = random.integers(0, 100, rows)
    columns["flag"] = random.random(rows) < 0.5
    columns["island"] = [ISLANDS[at] for at in random.integers(0, 3, rows)]
    columns["sex"] = [SEXES[at] for at in random.integers(0, 2, rows)]
    return pd.DataFrame(columns)


@functools.cache
def hard_frame() -> pd.DataFrame:
    """The same with all the digits of float64, and a text that is another one in each row."""
    random, rows = np.random.default_rng(3), frame_rows()
    numbers = {name: random.normal(40, 9, size=rows) for name in FLOATS}
    return frame().assign(**numbers, sex=[f"row {row} of the table" for row in range(rows)])


def proof(operation: str, result: Any) -> str:
    """A digest of what came out; sides that do the same work have the same digest."""
    return hashlib.sha256(_READERS[operation](result)).hexdigest()


def _floats(values: Any) -> bytes:
    return np.asarray(values, dtype=np.float32).tobytes()


def _of_json(body: bytes) -> bytes:
    return _floats(json.loads(body)["inputs"][0]["data"])


def _of_binary(body_and_head: tuple[bytes, int]) -> bytes:
    body, head_bytes = body_and_head
    return body[head_bytes:]


def _of_frame(body: bytes) -> bytes:
    inputs = json.loads(body)["inputs"]
    return orjson.dumps([[one["name"], np.ravel(one["data"]).tolist()] for one in inputs])


def _of_labels(labels: Any) -> bytes:
    """The one label that all calls were answered with, and how many there were."""
    return f"{sorted(set(map(str, labels)))} {len(labels)}".encode()


def _of_label(answer: Any) -> bytes:
    """A label, or (by hand) the whole answer of `requests`, whose first output holds it."""
    label = answer.json()["outputs"][0]["data"][0] if hasattr(answer, "json") else answer
    return str(label).encode()


_READERS: dict[str, Callable[[Any], bytes]] = {
    "tensor_to_json": _of_json,
    "json_to_tensor": _floats,
    "tensor_to_binary": _of_binary,
    "binary_to_tensor": _floats,
    "frame_to_json": _of_frame,
    "hard_frame_to_json": _of_frame,
    "one_row": _of_label,
    "one_row_model": _of_label,
    **{f"at_once_{count}": _of_labels for count in AT_ONCE},
}
