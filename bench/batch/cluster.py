"""What more Dask workers bring, against a server that takes as long for each request."""

from __future__ import annotations

import time
from pathlib import Path

from bench.batch import table
from bench.batch.results import Sample
from kserve_client.catalog import Catalog
from kserve_client.scoring import DaskCluster, ScoreOptions, facts_of, score_on_dask
from kserve_client.scoring.job import Job

CHUNK_ROWS = 100
CONCURRENCY = 8
TASKS_PER_WORKER = 4


def sample(models: Path, workers: int, turns: int, place: Path) -> Sample:
    """Score on a cluster of so many processes; each has `turns` × `CONCURRENCY` requests to wait for.

    `models` is a models file with the model "iris", `place` a folder that gets `cluster-N`. The
    processes are there before the clock starts, and have loaded what they need.
    """
    from distributed import LocalCluster

    folder = place / f"cluster-{workers}"
    folder.mkdir()
    source = folder / "table.csv"
    rows = workers * turns * CONCURRENCY * CHUNK_ROWS
    table.write(source, rows)
    model = Catalog.load(models).model("iris")
    options = ScoreOptions(chunk_rows=CHUNK_ROWS, concurrency=CONCURRENCY)
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=":0",
            memory_limit=0,
        ) as cluster,
        cluster.get_client() as client,
        Job.create(folder / "job", facts_of(model, source, options)) as job,
    ):
        client.run(_load)
        rows_of_a_task = rows // workers // TASKS_PER_WORKER
        there = DaskCluster(
            client,
            partition_bytes=source.stat().st_size // workers // TASKS_PER_WORKER,
            first_rows=rows_of_a_task,
        )
        began = time.perf_counter()
        summary = score_on_dask(job, model, source, options, cluster=there)
        seconds = time.perf_counter() - began
    if (summary.ok, summary.is_complete) != (rows, True):
        raise ValueError(f"{summary.ok:,} of {rows:,} rows: {summary.stopped}")
    return Sample(rows, seconds)


def _load() -> None:
    import kserve_client.scoring  # noqa: F401 - a worker of a real cluster has it loaded
