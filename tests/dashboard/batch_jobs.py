"""Tables, models and waiting that the tests of batch jobs share."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboard.jobs import Jobs, JobView, Spooled
from dashboard.settings import Settings
from kserve_client.client import InferenceClient
from kserve_client.model import Model
from kserve_client.scoring import ScoreOptions, WriteOptions
from kserve_client.signature import Signature
from tests.v2_server import Infer, Json, Reply, V2Server, tensor

ME, OTHER = "me@example.org", "other@example.org"
PATIENCE_S = 30.0
# Small and one at a time, so that a run has many steps.
SMALL = ScoreOptions(chunk_rows=10, concurrency=1)
AS_IT_CAME = WriteOptions()
# A models file with that model; URL stands for the address of its server.
MODELS = """
version: 1
endpoints:
  test: {url: URL}
models:
  double:
    endpoint: test
    signature:
      features: [{name: a, kind: number}]
      outputs: [{name: y, kind: value}]
"""
SIGNATURE = Signature.model_validate(
    {
        "features": [{"name": "a", "kind": "number"}],
        "outputs": [{"name": "y", "kind": "value"}],
    }
)


def doubled(request: Json) -> Json | Reply:
    """Answer twice each number; a request with the number 13 in it is refused."""
    (given,) = request["inputs"]
    if 13.0 in given["data"]:
        return Reply(400, {"error": "unlucky"})
    return {"outputs": [tensor("y", "FP64", given["shape"], [2 * a for a in given["data"]])]}


def paused_by(answer: Infer, pause_s: float) -> Infer:
    """Return the same model, slower."""

    def slow(request: Json) -> Json | Reply:
        time.sleep(pause_s)
        return answer(request)

    return slow


def table(rows: int, first: int = 0) -> bytes:
    """Return a CSV of numbers in a column a, with another column."""
    lines = "".join(f"{number},row {number}\n" for number in range(first, first + rows))
    return f"a,note\n{lines}".encode()


def model_of(server: V2Server, name: str = "double") -> Model:
    return Model(InferenceClient(server.url), name, signature=SIGNATURE)


def jobs_in(folder: Path | str, *, taken_over_s: float = 120.0, **settings: Any) -> Jobs:
    """Return the jobs in a folder; a test may wait shorter than the settings allow."""
    found = Settings(jobs_folder=folder, **settings)
    return Jobs(found.model_copy(update={"jobs_taken_over_s": taken_over_s}))


def upload(jobs: Jobs, data: bytes, name: str = "numbers.csv", owner: str = ME) -> Spooled:
    return jobs.spool(io.BytesIO(data), name, owner)


def start(jobs: Jobs, model: Model, data: bytes, options: ScoreOptions = SMALL) -> str:
    return jobs.start(model, "double", upload(jobs, data), options, ME)


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def seen(jobs: Jobs, job_id: str) -> JobView:
    view = jobs.get(job_id, ME)
    assert view is not None
    return view


def until_state(jobs: Jobs, job_id: str, *states: str) -> JobView:
    """Wait until a job is in one of these states."""
    until(lambda: seen(jobs, job_id).state in states)
    return seen(jobs, job_id)


def until_done(jobs: Jobs, job_id: str, rows: int) -> None:
    """Wait until so many rows of a job are dealt with."""
    until(lambda: seen(jobs, job_id).counts.done >= rows)


def result(jobs: Jobs, job_id: str, writing: WriteOptions = AS_IT_CAME) -> bytes:
    return jobs.download(job_id, ME, writing).read_bytes()


def expected(rows: int, first: int = 0) -> bytes:
    """Return what comes of `table`."""
    lines = [f"{n},row {n},{2.0 * n},ok,\n" for n in range(first, first + rows)]
    return ("a,note,prediction,state,error\n" + "".join(lines)).encode()
