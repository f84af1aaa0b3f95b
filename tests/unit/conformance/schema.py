"""Checks a body against v2.schema.json, and by hand what a JSON Schema can't say."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from kserve_client.wire.body import Body

SCHEMA = json.loads((Path(__file__).parent / "v2.schema.json").read_text(encoding="utf-8"))
KINDS: dict[str, tuple[type, ...]] = {"BOOL": (bool,), "BYTES": (str,)}
KINDS |= {f"{sign}INT{bits}": (int,) for sign in ("", "U") for bits in (8, 16, 32, 64)}
KINDS |= {f"FP{bits}": (float, int, type(None)) for bits in (16, 32, 64)}
SIZES = {"BOOL": 1, "BF16": 2}
SIZES |= {f"{kind}{bits}": bits // 8 for kind in ("INT", "UINT", "FP") for bits in (8, 16, 32, 64)}


def validator(part: str) -> Draft202012Validator:
    """Return what checks one part: request, response, error, repository_request."""
    return Draft202012Validator(SCHEMA | {"$ref": f"#/$defs/{part}"})


REQUEST = validator("request")


def check_body(body: Body) -> dict[str, Any]:
    """Fail unless a body is a V2 request, JSON or binary; return its JSON."""
    if body.head_bytes is None:
        assert body.headers["Content-Type"] == "application/json"
        return check_request(body.data)
    assert body.headers["Content-Type"] == "application/octet-stream"
    assert body.headers["Inference-Header-Content-Length"] == str(body.head_bytes)
    request = check_request(body.data[: body.head_bytes])
    sizes = [t["parameters"].get("binary_data_size", 0) for t in request["inputs"]]
    assert body.head_bytes + sum(sizes) == len(body.data)
    return request


def check_request(data: bytes) -> dict[str, Any]:
    """Fail unless these bytes are the JSON of a V2 request; return it."""
    request: dict[str, Any] = json.loads(data)
    problems = [f"{error.json_path}: {error.message}" for error in REQUEST.iter_errors(request)]
    assert not problems, problems
    names = [tensor["name"] for tensor in request["inputs"]]
    assert len(set(names)) == len(names)
    for tensor in request["inputs"]:
        check_size(tensor)
    return request


def check_size(tensor: dict[str, Any]) -> None:
    """The product of the shape is the number of elements, and each is of its datatype's kind."""
    count, datatype = math.prod(tensor["shape"]), tensor["datatype"]
    if "data" in tensor:
        assert len(tensor["data"]) == count
        # Python tells 1 from True and from 1.0, which JSON Schema does not.
        assert {type(element) for element in tensor["data"]} <= set(KINDS[datatype])
    elif datatype != "BYTES":
        assert tensor["parameters"]["binary_data_size"] == count * SIZES[datatype]
