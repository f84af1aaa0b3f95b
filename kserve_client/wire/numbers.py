"""Large JSON answers read without a Python object for each number.

Optional: with `simdjson` (package pysimdjson, the extra `fast`) the numbers of an output go straight
into an array, in a third of the time that `orjson` and numpy take (bench/). Without it, and for every
answer that it can't take, the caller reads with `orjson`: the tensors are the same.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from kserve_client.datatypes import DATATYPES

# Below, there is nothing to gain, and the library need not be loaded.
FROM_BYTES = 4096
_ITEM_TYPES = {"f": ("d", np.float64), "i": ("i", np.int64), "u": ("u", np.uint64)}


def parse_numbers(body: bytes) -> dict[str, Any] | None:
    """Read an answer; flat numbers under `data` become float64, int64 or uint64 arrays, by datatype.

    Everything else is as `orjson` reads it. None for a small answer, one that begins with texts, one that
    simdjson refuses (bare NaN, integers of more than 64 bits, what is not JSON) and where it is not installed.
    """
    # Texts become Python objects in any case, and orjson makes those faster.
    if len(body) < FROM_BYTES or b'"BYTES"' in body[:FROM_BYTES]:
        return None
    simdjson = _simdjson()
    if simdjson is None:
        return None
    try:
        # A parser of its own for each answer: one can't be shared between threads.
        return _answer(simdjson, simdjson.Parser().parse(body), body)
    # Which of them it raises for what it refuses is its affair: a negative number of more than 64 bits or a
    # thousand lists in each other is a RuntimeError, a positive one a ValueError. orjson has the last word.
    except (ValueError, RuntimeError, KeyError, _UnlikeOrjsonError):
        return None


class _UnlikeOrjsonError(Exception):
    """The two parsers would not agree."""


@cache
def _simdjson() -> ModuleType | None:
    try:
        return import_module("simdjson")
    except ImportError:
        return None


def _answer(simdjson: ModuleType, root: Any, body: bytes) -> dict[str, Any]:
    answer = _members(simdjson, root)
    outputs = answer.get("outputs")
    if not isinstance(outputs, simdjson.Array):
        raise _UnlikeOrjsonError
    # The list of outputs, a shape and a list of data for each, and no further list in any of them.
    is_flat = not _has_more_lists(body, 1 + 2 * len(outputs))
    answer["outputs"] = [_output(simdjson, output, is_flat) for output in outputs]
    return {key: _plain(simdjson, value) for key, value in answer.items()}


def _has_more_lists(body: bytes, count: int) -> bool:
    at = -1
    for _ in range(count + 1):
        at = body.find(b"[", at + 1)  # counting them all would take twenty times as long
        if at < 0:
            return False
    return True


def _output(simdjson: ModuleType, proxy: Any, is_flat: bool) -> dict[str, Any]:
    output = _members(simdjson, proxy)
    data = output.get("data")
    if is_flat and isinstance(data, simdjson.Array):
        output["data"] = _numbers(data, output.get("datatype"))
    return {key: _plain(simdjson, value) for key, value in output.items()}


def _members(simdjson: ModuleType, proxy: Any) -> dict[str, Any]:
    """The members of an object, unread. Of two with one name orjson takes the last, this the first."""
    if not isinstance(proxy, simdjson.Object):
        raise _UnlikeOrjsonError
    names = list(proxy)
    if len(set(names)) < len(names):
        raise _UnlikeOrjsonError
    return {name: proxy[name] for name in names}


def _numbers(data: Any, wire: Any) -> Any:
    """The array, or the proxy again when an element is of another kind: the caller says what is wrong."""
    known = isinstance(wire, str) and wire in DATATYPES
    item = _ITEM_TYPES.get(DATATYPES[wire].dtype.kind) if known else None
    if item is None:
        return data
    code, dtype = item
    try:
        return np.frombuffer(data.as_buffer(of_type=code), dtype=dtype)
    except (
        TypeError,
        ValueError,
    ):  # null, true, a float among integers, a negative or too large one
        return data


def _plain(simdjson: ModuleType, value: Any) -> Any:
    if isinstance(value, simdjson.Array):
        return value.as_list()
    return value.as_dict() if isinstance(value, simdjson.Object) else value
