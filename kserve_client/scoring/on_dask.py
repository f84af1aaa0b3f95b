"""The same job on a Dask cluster that is there already: partitions go out, parts come back.

The coordinator (this process) holds the job and its ledger. It cuts the source into tasks of some
seconds, keeps a few per thread of the cluster under way, and records the part that each has written
to the storage of the job. Nothing counts that is not in the ledger: so a worker may be killed (Dask
runs its tasks again elsewhere) and so may the coordinator (whoever resumes the job has the rest done).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, wait
from concurrent.futures import Future as Fetch
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    InputError,
    KServeClientError,
    NoAnswerError,
    TLSError,
)
from kserve_client.model import Model
from kserve_client.scoring import task
from kserve_client.scoring.calls import (
    DEFAULTS,
    IDLE_S,
    OnProgress,
    Wishes,
    ended,
    mapping_of,
    noted_end,
    retry_failed,
    table_of,
    tally_of,
)
from kserve_client.scoring.job import Job, PartWriter
from kserve_client.scoring.options import ScoreOptions
from kserve_client.scoring.outside import add_outside
from kserve_client.scoring.progress import Summary, Tally
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.run import Figures
from kserve_client.scoring.slices import FIRST_ROWS, Slices, TaskSize
from kserve_client.scoring.sources import Location, each_partition, is_url, label, nameable
from kserve_client.scoring.step import Answered, HaltedError, HopelessError
from kserve_client.scoring.task import Done, Known, Sealed, Slice, Spec

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
MEGABYTE = 1 << 20
PARTITION_BYTES = 16 * MEGABYTE
TASK_S = 20.0
TASKS_PER_THREAD = 2
TRIES_OF_ONE_TASK = 4
CONNECT_S = 10.0
LOOK_S = 0.2
LOOK_AT_CLUSTER_S = 2.0
# Tasks that were asked to end and do not: their workers are gone, or wait for a silent model.
GRACE_S = 15.0
CONNECTION_LOST = "the connection to the Dask scheduler was lost"
NO_WORKERS = "the Dask cluster has no workers"
SILENT = "the Dask scheduler does not answer"


@dataclass(frozen=True, slots=True)
class DaskCluster:
    """A cluster, and how a table is cut into tasks for it.

    `scheduler` is the address of its scheduler, such as tcp://dask-scheduler:8786, or a
    `distributed.Client` of your own. Each task reads at most a partition of about `partition_bytes`,
    and takes about `task_s` seconds: what is lost when a worker dies. The first ones have
    `first_rows` rows.
    """

    scheduler: str | Client
    partition_bytes: int = PARTITION_BYTES
    task_s: float = TASK_S
    first_rows: int = FIRST_ROWS


def score_on_dask(
    job: Job,
    model: Model,
    source: Location,
    options: ScoreOptions = DEFAULTS,
    *,
    cluster: DaskCluster,
    token: str | None = None,
    wishes: Wishes | None = None,
    on_progress: OnProgress | None = None,
) -> Summary:
    """Do what is left of a job on a cluster, as `run_job` does it here, with the same result.

    The workers need this package in the same version, and have to
    reach the source, the directory of the job and the model by the same names. Concurrency is that
    of one task; a worker has a task for each of its threads.

    Secrets that the endpoint names by variable or file are read by the workers. `token`, and the
    storage options, travel to them in the tasks; they stand in no log, key or repr. Raises as
    `run_job` does, ConfigurationError too when there is no scheduler, when the versions differ, or
    when a secret was given in code.
    """
    spec = _spec(job, model, source, options, token)
    with _connected(cluster.scheduler) as client:
        slices = Slices(
            each_partition(spec.source, options.reading, cluster.partition_bytes),
            job.remaining(),
            options.limit,
        )
        with contextlib.closing(slices):
            run = _ClusterRun(job, client, spec, slices, cluster, wishes or Wishes(), on_progress)
            job.update("running")
            with noted_end(job, run, run.tally):
                run.run()
                if not run.stopped:
                    assert slices.total_rows is not None
                    job.source_ended(slices.total_rows)
            job.tidy()
    return ended(job, run, run.tally)


def retry_on_dask(
    job: Job,
    model: Model,
    options: ScoreOptions = DEFAULTS,
    *,
    cluster: DaskCluster,
    token: str | None = None,
    wishes: Wishes | None = None,
    on_progress: OnProgress | None = None,
) -> Summary:
    """Have the rows of a job that failed or were skipped sent once more by the workers.

    The rows travel in the tasks, a chunk in each; the source may be gone. Without workers it stops
    when the patience is over. Raises as `score_on_dask` does.
    """
    wishes = wishes or Wishes()
    spec = _spec(job, model, job.manifest.facts.input.location, options, token)
    spec = replace(spec, fingerprint={})
    with _connected(cluster.scheduler) as client:
        sends = _RemoteStep(client, spec, wishes.cancel)
        return retry_failed(job, model, options, wishes=wishes, on_progress=on_progress, step=sends)


def _spec(
    job: Job, model: Model, source: Location, options: ScoreOptions, token: str | None
) -> Spec:
    if not isinstance(source, str | Path):
        raise InputError(
            f"{label(source)} can't be read by other machines: give a path or URL that the workers "
            "can open"
        )
    found, columns = table_of(job)
    names = nameable(columns)
    place = source if is_url(source) else Path(source).absolute()
    return Spec(
        run_id=secrets.token_hex(6),
        endpoint=model.client.endpoint,
        model_name=model.name,
        model_version=model.version,
        signature=model.signature,
        columns=tuple(names),
        mapping=mapping_of(model, names, options),
        decimal=found.decimal,
        options=options,
        source=place,
        fingerprint=job.manifest.facts.input.fingerprint,
        writer=_absolute(job),
        job_id=job.job_id,
        changed_ns=_changed_ns(place),
        answered_version=job.manifest.facts.model.answered_version,
        token=token,
    )


def _changed_ns(place: Path | str) -> int | None:
    """When a local table was changed last; None for a URL and for one that is gone."""
    try:
        return place.stat().st_mtime_ns if isinstance(place, Path) else None
    except OSError:  # told when it is read, if it is
        return None


def _absolute(job: Job) -> PartWriter:
    """The writer of parts; a worker has another working directory."""
    writer = job.part_writer()
    place = writer.directory
    is_local = isinstance(place, Path) or "://" not in place
    return replace(writer, directory=Path(place).absolute()) if is_local else writer


@contextlib.contextmanager
def _connected(scheduler: str | Client) -> Iterator[Client]:
    """The client of a scheduler; one that was given stays open."""
    try:
        from distributed import Client  # the extra dask
    except ImportError:
        raise ConfigurationError(
            "scoring on a cluster needs Dask: pip install dask distributed"
        ) from None
    if not isinstance(scheduler, str):
        yield scheduler
        return
    made = _apart(
        lambda: Client(scheduler, timeout=CONNECT_S, set_as_default=False, name="kserve-client")
    )
    try:
        client = made.result(timeout=2 * CONNECT_S)
    except (OSError, ValueError, ImportError) as error:
        made.add_done_callback(_close)  # one that comes too late
        raise ConfigurationError(
            f"no Dask scheduler answers at {scheduler}: {type(error).__name__}; "
            "it is written as tcp://HOST:8786"
        ) from error
    try:
        yield client
    finally:
        _close(made)


def _apart(make: Callable[[], T]) -> Fetch[T]:
    """What is made in a thread of its own: Dask's time-out does not hold where a scheduler is silent."""
    made: Fetch[T] = Fetch()

    def run() -> None:
        try:
            made.set_result(make())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            made.set_exception(error)

    threading.Thread(target=run, name="connect to Dask", daemon=True).start()
    return made


def _close(made: Fetch[Client]) -> None:
    with contextlib.suppress(Exception):
        made.result().close()


# What runs on a worker.


def _do(sealed: Sealed, piece: Slice, known: Known) -> Done:
    return task.do(sealed, piece, known, _given_up())


def _given_up() -> Callable[[], bool]:
    """Whether the scheduler let go of this task, as it does when its client is gone."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def is_given_up() -> bool:
        found = worker.state.tasks.get(key)
        return found is None or found.state == "cancelled"

    return is_given_up


# What runs here.


class _RemoteStep:
    """A step whose chunks are dealt with by workers."""

    def __init__(self, client: Client, spec: Spec, cancel: threading.Event) -> None:
        self._client = client
        self._sealed = spec.sealed()
        self._patience_s = spec.options.patience_s
        self._cancel = cancel
        self._cluster = _Cluster(client)
        self._keys = _keys(spec.run_id)

    def send(self, rows: Rows, halted: Callable[[], str]) -> Answered:
        """Deal with one chunk.

        Raises as a step of this process does, HopelessError when the cluster is gone or has had no
        workers for the patience, and NoAnswerError when it lets go of the task.
        """
        self._look(halted)
        future = self._client.submit(
            task.send_rows, self._sealed, rows, key=next(self._keys), pure=False
        )
        try:
            return self._awaited(future, halted)
        finally:
            if not future.done():
                with contextlib.suppress(Exception):
                    self._client.cancel([future], force=True)
            future.release()

    def _awaited(self, future: Future[Answered], halted: Callable[[], str]) -> Answered:
        fetch = _fetched(self._client, future)
        while not wait([fetch], timeout=LOOK_S).done:
            self._look(halted)
        try:
            return _result(fetch)
        except _LostError as error:
            raise NoAnswerError(str(error)) from error

    def _look(self, halted: Callable[[], str]) -> None:
        """Raise when there is nothing to wait for."""
        if reason := halted() or ("cancelled" if self._cancel.is_set() else ""):
            raise HaltedError(reason)
        if self._client.status in ("closing", "closed"):
            raise HopelessError(CONNECTION_LOST)
        self._cluster.look()
        if trouble := self._cluster.trouble(self._patience_s):
            raise HopelessError(trouble)


@dataclass(slots=True)
class _ClusterPace:
    """How fast it goes, as the last task told."""

    chunk_rows: int = 0
    concurrency: int = 0


@dataclass(slots=True)
class _Cluster:
    """How many threads a cluster has, as far as that is known."""

    client: Client
    threads: int = 0
    _empty_since: float | None = None
    _question: Fetch[dict[str, int]] | None = None
    _asked_at: float = float("-inf")

    def look(self) -> None:
        """Ask the scheduler, now and then; a slow answer is taken by a later look."""
        question = self._question
        if question is None:
            now = time.monotonic()
            if now - self._asked_at < LOOK_AT_CLUSTER_S or self.client.status != "running":
                return
            self._asked_at = now
            self._question = question = _on_loop(self.client, self.client.nthreads)
        if not wait([question], timeout=LOOK_S).done:
            return
        self._question = None
        with contextlib.suppress(Exception):  # as good as no answer yet
            self.threads = sum(question.result().values())
        self._empty_since = None if self.threads else self._empty_since or time.monotonic()

    def trouble(self, patience_s: float) -> str:
        """Why there is nothing to wait for any more; empty while there is something."""
        since = self._empty_since
        if since is not None and time.monotonic() - since > patience_s:
            return f"{NO_WORKERS}, for {patience_s:g} s"
        silence_s = patience_s + CONNECT_S
        return f"{SILENT}, for {silence_s:g} s" if self.is_silent_for(silence_s) else ""

    def is_silent_for(self, seconds: float) -> bool:
        """Whether the scheduler has owed an answer for longer."""
        return self._question is not None and time.monotonic() - self._asked_at > seconds


class _ClusterRun:
    """A run while it is under way."""

    def __init__(
        self,
        job: Job,
        client: Client,
        spec: Spec,
        slices: Slices,
        cluster: DaskCluster,
        wishes: Wishes,
        on_progress: OnProgress | None,
    ) -> None:
        self._job, self._client, self._spec, self._slices = job, client, spec, slices
        self._sealed = spec.sealed()
        self._wishes = wishes
        self._on_progress = on_progress
        self._told_at = time.monotonic()
        self._size = TaskSize(cluster.task_s, cluster.first_rows)
        self._cluster = _Cluster(client)
        self._under_way: dict[Fetch[Done], tuple[Future[Done], Slice]] = {}
        self._settled: queue.SimpleQueue[Fetch[Done]] = queue.SimpleQueue()
        self._refused: list[tuple[Slice, str]] = []
        self._keys = _keys(spec.run_id)
        self._has_accepted = job.counts.ok > 0
        self._answered_at: float | None = None
        self._halted_at: float | None = None
        self._asked_at = float("-inf")
        self._failures = job.counts.failed
        self._witness: Rows | None = None
        self._failure: Exception | None = None
        self.tally: Tally = tally_of(job, None)
        self.pace = _ClusterPace()
        self.figures = Figures()
        self.stopped = ""
        self.has_too_many_failures = False
        self.first_failure: KServeClientError | None = None
        self.is_answered = False
        self.is_waiting = False

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody ended it."""
        return self._wishes.cancel.is_set() and bool(self.stopped)

    def run(self) -> None:
        """Do it, until all is done or it is stopped. Raises what no row is to blame for."""
        try:
            while True:
                self._look()
                self._submit()
                if not self._under_way and self._is_at_end():
                    break
                self._settle()
        finally:
            self._let_go()
        if self._failure is not None:
            raise self._failure
        if self._slices.is_over:  # whatever was wanted, nothing was left to stop
            self.stopped = ""

    def _is_at_end(self) -> bool:
        if self._refused and not self.stopped and self._failure is None:
            self._stop(self._refused[0][1])
            self._put_back([piece for piece, _ in self._refused])
        return bool(self.stopped) or self._failure is not None or self._slices.is_over

    # Tasks go out.

    def _look(self) -> None:
        """See what a person wants, and whether there still is a cluster."""
        self.tally.rows_total = self._slices.total_rows
        if self._wishes.cancel.is_set():
            self._stop("cancelled")
        if self._client.status in ("closing", "closed"):
            self._stop(CONNECTION_LOST)
            self._let_go()
        self._cluster.look()
        if trouble := self._cluster.trouble(self._spec.options.patience_s):
            self._stop(trouble)
            self._let_go()
        if self.stopped or self._failure is not None:
            self._halt()

    def _submit(self) -> None:
        while self._has_room():
            try:
                piece = self._slices.take(self._size.rows)
            except Exception as error:  # noqa: BLE001 - raised when the others are done
                self._failure = error
                return
            if piece is None:
                return
            if self._has_failed_enough():
                self._put_back([piece])
                self._stop_for_failures()
                return
            known = Known(
                self._job.schema,
                self.is_answered,
                self._has_accepted,
                self._failures_left(),
                self._predicted_row(piece),
            )
            future = self._client.submit(
                _do, self._sealed, piece, known, key=next(self._keys), pure=False
            )
            self._watch(future, piece)

    def _has_room(self) -> bool:
        if self.stopped or self._failure or self._refused or self._wishes.pause.is_set():
            return False
        room = TASKS_PER_THREAD * self._cluster.threads
        return len(self._under_way) < room and self._client.status == "running"

    def _predicted_row(self, piece: Slice) -> Rows | None:
        """A row that shows a worker whether the model is there, for rows that others gave back."""
        is_wanted = piece.tries or self.tally.rows_before
        if is_wanted and self._witness is None and self._job.counts.ok:
            self._witness = self._job.predicted_row()
        return self._witness

    def _failures_left(self) -> int | None:
        most = self._spec.options.max_failures
        return None if most is None else max(most - self._failures, 0)

    def _watch(self, future: Future[Done], piece: Slice) -> None:
        fetch = _fetched(self._client, future)
        self._under_way[fetch] = future, piece
        fetch.add_done_callback(self._settled.put)

    # Tasks come back.

    def _settle(self) -> None:
        """Deal with the next task that is done, if one is soon."""
        try:
            fetch = self._settled.get(timeout=LOOK_S)
        except queue.Empty:
            self._tell(is_idle=True)
            return
        if fetch not in self._under_way:
            return
        future, piece = self._under_way.pop(fetch)
        try:
            done = _result(fetch)
        except _LostError as error:
            self._once_more(piece, str(error))
            return
        except Exception as error:  # noqa: BLE001 - raised when the others have ended
            self._failure = self._failure or error
            return
        future.release()
        self._take(piece, done)

    def _take(self, piece: Slice, done: Done) -> None:
        for one in done.parts:
            if self._job.record_part(one):
                self.tally.count(one.part.ok, one.part.failed, one.part.skipped)
                self._failures += one.part.failed
        self._count(done)
        self._note_version(done.answered_version)
        if done.stopped:
            self._judge(piece, done)
        else:
            self._size.took(len(piece), done.elapsed_s)
        self._tell()

    def _stop_for_failures(self) -> None:
        """Asked when there is a task to send: what is done needs no stop."""
        self.has_too_many_failures = True
        most = self._spec.options.max_failures
        self._stop(f"{self._failures:,} rows failed, and {most:,} were allowed")

    def _count(self, done: Done) -> None:
        self.pace = _ClusterPace(
            done.chunk_rows, done.concurrency * min(self._cluster.threads, len(self._under_way) + 1)
        )
        mine, more = self.figures, done.figures
        mine.requests += more.requests
        mine.retried += more.retried
        mine.sent_bytes += more.sent_bytes
        mine.received_bytes += more.received_bytes
        if len(mine.latencies_s) < 100_000:
            mine.latencies_s += more.latencies_s
        add_outside(mine.outside, more.outside)
        self.first_failure = self.first_failure or done.failure
        if more.requests:
            self.is_answered = True
        if more.requests and not done.stopped:
            self._answered_at = time.monotonic()
            self.is_waiting = False
        if done.first_error is not None:
            self.tally.note(*done.first_error, done.last_error)
        if any(one.part.ok for one in done.parts):
            self._accepted()

    def _note_version(self, version: str) -> None:
        """Note at once which version answered first: whoever resumes the job holds on to it."""
        if version and not self._job.manifest.facts.model.answered_version:
            self._job.update(answered_version=version)

    def _accepted(self) -> None:
        """Rows that a task found refused, one and all, are no longer a sign of anything."""
        self._has_accepted = True
        for piece, _ in self._refused:
            self._slices.put_back(piece)
        self._refused = []

    def _judge(self, piece: Slice, done: Done) -> None:
        """A task came back with rows left: either all shall end, or others do these."""
        rest = list(_rest(piece, done))
        if done.is_refused and not self._has_accepted:
            self._refused += [(one, done.stopped) for one in rest]
        elif done.is_halted or done.is_refused or self._has_failed_enough():
            self._put_back(rest)
        else:
            self._missed(rest, done)

    def _has_failed_enough(self) -> bool:
        most = self._spec.options.max_failures
        return most is not None and self._failures > most

    def _missed(self, rest: list[Slice], done: Done) -> None:
        """One worker got no answer for longer than the patience; maybe others do."""
        self.is_waiting = True
        is_hopeless = isinstance(done.failure, AccessError | ConfigurationError | TLSError)
        answered_ago_s = time.monotonic() - self._answered_at if self._answered_at else float("inf")
        is_alone = answered_ago_s < self._spec.options.patience_s
        if is_hopeless or not is_alone or any(one.tries >= TRIES_OF_ONE_TASK for one in rest):
            self._stop(done.stopped)
        self._put_back([replace(one, tries=one.tries + 1) for one in rest])

    def _once_more(self, piece: Slice, why: str) -> None:
        if piece.tries >= TRIES_OF_ONE_TASK:
            self._stop(f"rows {piece.start + 1:,} to {piece.stop:,}: {why}")
        self._put_back([replace(piece, tries=piece.tries + 1)])

    def _put_back(self, pieces: list[Slice]) -> None:
        for piece in pieces:
            self._slices.put_back(piece)

    # The end.

    def _stop(self, why: str) -> None:
        self.stopped = self.stopped or " ".join(why.split())

    def _halt(self) -> None:
        """Ask the tasks to end with what they have, now and then; let go of those that don't."""
        now = time.monotonic()
        self._halted_at = self._halted_at or now
        is_late = now - self._halted_at > GRACE_S + self._spec.endpoint.read_timeout_s
        if is_late or self._cluster.is_silent_for(CONNECT_S):
            self._let_go()
        elif self._under_way and now - self._asked_at > LOOK_AT_CLUSTER_S:
            self._asked_at = now
            ask = threading.Thread(target=self._ask_to_end, name="halt", daemon=True)
            ask.start()

    def _let_go(self) -> None:
        """Wait for no task any more; what they were to do is still to be done."""
        left, self._under_way = list(self._under_way.values()), {}
        self._put_back([piece for _, piece in left])
        with contextlib.suppress(Exception):
            self._client.cancel([future for future, _ in left], force=True)

    def _ask_to_end(self) -> None:
        # A worker that does not answer is none that has to be asked.
        with contextlib.suppress(Exception):
            self._client.run(task.halt, self._spec.run_id, on_error="ignore")

    def _tell(self, *, is_idle: bool = False) -> None:
        if self._on_progress is None:
            return
        now = time.monotonic()
        if not is_idle or now - self._told_at >= IDLE_S:
            self._told_at = now
            self._on_progress(self.tally.progress(self))


class _LostError(Exception):
    """A task did not come to an end; its text says why."""


def _fetched(client: Client, future: Future[T]) -> Fetch[T]:
    """What a task gives, once it is here: to be waited for as long as one likes, by as many.

    `future.result(timeout=…)` is not: Dask asks for the results of all waiters by one request, and
    cancels it for all when the time of one is over.
    """
    ask: Callable[[], Any] = future.result
    return _on_loop(client, ask)


def _on_loop(client: Client, ask: Callable[[], Awaitable[T]]) -> Fetch[T]:
    """The answer to a question of a client, asked on its own loop: nobody has to wait for it there."""

    async def asked() -> T:
        return await ask()

    loop: Any = client.loop
    return asyncio.run_coroutine_threadsafe(asked(), loop.asyncio_loop)


def _result(fetch: Fetch[T]) -> T:
    """What a task gave, or raised. Raises _LostError when nobody can say."""
    from distributed import KilledWorker

    try:
        return fetch.result()
    except CancelledError as error:  # Dask's own is one
        raise _LostError("the cluster let go of the task") from error
    except KilledWorker as error:
        raise ConfigurationError(
            f"the workers that did a task died, {error.allowed_failures + 1} in a row: give them "
            "more memory, or make the partitions smaller"
        ) from error
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"a worker of the cluster can't do the task ({error}): its image needs kserve-client "
            f"{dict(task.versions())['kserve-client']} with the same extras"
        ) from error


def _rest(piece: Slice, done: Done) -> Iterator[Slice]:
    """The rows of a slice that are in no part."""
    start = piece.start
    for one in sorted(done.parts, key=lambda one: one.part.start):
        if one.part.start > start:
            yield replace(piece, start=start, stop=one.part.start)
        start = one.part.stop
    if start < piece.stop:
        yield replace(piece, start=start)


def _keys(run_id: str) -> Iterator[str]:
    """Names of tasks, as the pages of Dask show them."""
    for number in itertools.count():
        yield f"score-{run_id}-{number}"
