"""Scoring: tables of any size, each row with its results or its error, in order.

>>> from kserve_client.scoring import score
>>> summary = score(model, "flowers.csv", "scored.csv")

`score` is for one machine, `score_on_dask` for many, `score_batch` for a loop of your own. Each is
loaded when it is first used: Arrow takes a while.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kserve_client.scoring.batches import BatchScorer, score_batch
    from kserve_client.scoring.calls import (
        Wishes,
        facts_of,
        retry_failed,
        run_job,
        score,
        scored,
        sendable_rows,
        write_results,
    )
    from kserve_client.scoring.on_dask import DaskCluster, retry_on_dask, score_on_dask
    from kserve_client.scoring.options import ScoreOptions
    from kserve_client.scoring.progress import Progress, Summary
    from kserve_client.scoring.rows import Rows, Scored
    from kserve_client.scoring.sinks import WriteOptions
    from kserve_client.scoring.sources import ReadOptions

__all__ = [
    "BatchScorer",
    "DaskCluster",
    "Progress",
    "ReadOptions",
    "Rows",
    "ScoreOptions",
    "Scored",
    "Summary",
    "Wishes",
    "WriteOptions",
    "facts_of",
    "retry_failed",
    "retry_on_dask",
    "run_job",
    "score",
    "score_batch",
    "score_on_dask",
    "scored",
    "sendable_rows",
    "write_results",
]

_MODULES = {
    "batches": (
        "BatchScorer",
        "score_batch",
    ),
    "calls": (
        "Wishes",
        "facts_of",
        "retry_failed",
        "run_job",
        "score",
        "scored",
        "sendable_rows",
        "write_results",
    ),
    "on_dask": (
        "DaskCluster",
        "retry_on_dask",
        "score_on_dask",
    ),
    "options": ("ScoreOptions",),
    "progress": (
        "Progress",
        "Summary",
    ),
    "rows": (
        "Rows",
        "Scored",
    ),
    "sinks": ("WriteOptions",),
    "sources": ("ReadOptions",),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}

# A type checker reads the imports above; from this it would take any name for one of ours.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import what is asked for, and keep it."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        """Name what can be had, loaded or not."""
        return sorted({*globals(), *__all__})
