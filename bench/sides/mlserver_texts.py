"""MLServer's pandas codec with the option that leaves texts as they are, for JSON alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlserver.codecs import PandasCodec

from bench import data
from bench.sides.mlserver_codecs import PACKAGES, of_objects, written

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PACKAGES", "operations"]


def operations() -> dict[str, Callable[[], Callable[[], Any]]]:
    return {
        "frame_to_json": lambda: _frame_to_json(data.frame()),
        "hard_frame_to_json": lambda: _frame_to_json(data.hard_frame()),
    }


def _frame_to_json(frame: pd.DataFrame) -> Callable[[], Any]:
    known = of_objects(frame)
    return lambda: written(PandasCodec.encode_request(known, use_bytes=False))
