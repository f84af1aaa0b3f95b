"""This client as a library: `python -m bench.batch.sides.own MODELS INPUT OUTPUT CHUNK_ROWS CONCURRENCY`.

The last two are numbers, or left out together: then they are found out.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from kserve_client import Catalog
from kserve_client.scoring import ScoreOptions, score


def run(arguments: list[str]) -> None:
    """Score a table and print the seconds it took, without the start of Python."""
    models, source, target, *numbers = arguments
    options = (
        ScoreOptions(chunk_rows=int(numbers[0]), concurrency=int(numbers[1])) if numbers else None
    )
    started = time.perf_counter()
    model = Catalog.load(models).model("iris")
    summary = score(model, Path(source), Path(target), options or ScoreOptions())
    said = {
        "own_s": time.perf_counter() - started,
        "rows": summary.rows,
        "requests": summary.requests,
        "retried": summary.retried,
    }
    sys.stdout.write(json.dumps(said) + "\n")
    sys.exit(0 if summary.ok == summary.rows else 1)


if __name__ == "__main__":
    run(sys.argv[1:])
