"""Answers that real servers gave, word for word (tests/recorded). The folder names server and version."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "recorded"


@dataclass(frozen=True)
class Recorded:
    """One request and its answer."""

    method: str
    path: str
    request_body: Any
    status: int
    content_type: str
    body: bytes


def recorded(name: str) -> Recorded:
    """Read one, e.g. `mlserver-1.7.1/infer_out_both`."""
    kept = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    text = json.dumps(kept["json"]) if "json" in kept else kept["text"]
    return Recorded(
        method=kept["request"]["method"],
        path=kept["request"]["path"],
        request_body=kept["request"]["body"],
        status=kept["status"],
        content_type=kept["headers"].get("content-type", ""),
        body=text.encode(),
    )
