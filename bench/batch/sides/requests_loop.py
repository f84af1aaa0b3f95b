"""A loop of `requests.post(json=...)`, as in many a notebook.

`python -m bench.batch.sides.requests_loop URL INPUT OUTPUT ROWS CHUNK_ROWS`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from bench.batch.sides.tables import Floats, chunks, score


def _labels(url: str, table: Floats, chunk_rows: int) -> Iterator[Any]:
    for chunk in chunks(table, chunk_rows):
        data = chunk.ravel().tolist()
        tensor = {"name": "input-0", "shape": list(chunk.shape), "datatype": "FP64", "data": data}
        answer = requests.post(f"{url}/v2/models/iris/infer", json={"inputs": [tensor]}, timeout=60)
        answer.raise_for_status()
        yield from answer.json()["outputs"][0]["data"]


if __name__ == "__main__":
    _url, _source, _target, _rows, _chunk_rows = sys.argv[1:]
    score(
        Path(_source),
        Path(_target),
        int(_rows),
        lambda table: _labels(_url, table, int(_chunk_rows)),
    )
