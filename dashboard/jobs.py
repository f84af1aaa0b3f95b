"""Batch jobs that outlive a page: threads of this process that write to a folder of its own."""

from __future__ import annotations

import io
import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from kserve_client.errors import KServeClientError
from kserve_client.model import Model
from kserve_client.scoring import Progress, Summary, score_csv

JOBS_AT_ONCE = 2
JOBS_KEPT = 50


@dataclass(slots=True)
class Job:
    """One file on its way through one model. `id` is a secret: who knows it may see the result."""

    id: str
    model_name: str
    file_name: str
    result: Path
    cancel: threading.Event = field(default_factory=threading.Event)
    progress: Progress | None = None
    summary: Summary | None = None
    error: Exception | None = None

    @property
    def is_over(self) -> bool:
        """Whether it runs no more."""
        return self.summary is not None or self.error is not None

    @property
    def result_name(self) -> str:
        """What to call the result when it is downloaded."""
        return f"{Path(self.file_name).stem}-{self.model_name}.csv"


class Jobs:
    """The jobs of this process; the oldest finished ones are forgotten with their files."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kserve-client-jobs-"))
        self._pool = ThreadPoolExecutor(JOBS_AT_ONCE, thread_name_prefix="batch")
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, model: Model, model_name: str, file_name: str, data: bytes) -> Job:
        """Score a CSV file in the background."""
        job_id = secrets.token_urlsafe(12)
        job = Job(job_id, model_name, file_name, self._folder / f"{job_id}.csv")
        with self._lock:
            self._forget()
            self._jobs[job_id] = job
        self._pool.submit(_run, job, model, data)
        return job

    def get(self, job_id: str | None) -> Job | None:
        """A job by its id; None when it is not known (any more)."""
        with self._lock:
            return self._jobs.get(job_id or "")

    def close(self) -> None:
        """Stop all jobs and remove their files."""
        with self._lock:
            for job in self._jobs.values():
                job.cancel.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _forget(self) -> None:
        over = [job for job in self._jobs.values() if job.is_over]
        for job in over[: max(len(self._jobs) + 1 - JOBS_KEPT, 0)]:
            del self._jobs[job.id]
            job.result.unlink(missing_ok=True)


def _run(job: Job, model: Model, data: bytes) -> None:
    def remember(progress: Progress) -> None:
        job.progress = progress

    try:
        job.summary = score_csv(
            model, io.BytesIO(data), job.result, on_progress=remember, cancel=job.cancel
        )
    except (KServeClientError, OSError) as error:
        job.error = error
    except Exception as error:  # a bug must end the job too, and stay visible in the log
        job.error = error
        raise
