"""A coordinator in a process of its own, to be killed. Imported by the process that a test starts."""

from __future__ import annotations

from pathlib import Path

from kserve_client import InferenceClient, Model, Signature
from kserve_client.scoring import DaskCluster, ScoreOptions, score_on_dask
from kserve_client.scoring.job import Job
from tests.unit.scripted_model import SIGNATURE

OPTIONS = ScoreOptions(chunk_rows=100, concurrency=2)


def model_at(url: str) -> Model:
    """The scripted model behind an address."""
    return Model(InferenceClient(url), "naming", signature=Signature.model_validate(SIGNATURE))


def cluster_at(scheduler: str) -> DaskCluster:
    """A cluster that gets tasks of some hundred rows."""
    return DaskCluster(scheduler, partition_bytes=8_000, first_rows=400, task_s=1.0)


def work(directory: Path, table: Path, url: str, scheduler: str) -> None:
    """Do what is left of a job on a cluster."""
    with Job.open(directory) as job:
        score_on_dask(job, model_at(url), table, OPTIONS, cluster=cluster_at(scheduler))
