"""Task: what one worker of a cluster does, whichever scheduler sent it there.

A worker gets a `Sealed` spec (the same for all tasks of a run), and which rows of which partition to
do. It reads them itself, sends them as one machine would, and writes parts to the storage of the
job. What it gives back is small: where the parts are and what it took.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from kserve_client.client import InferenceClient
from kserve_client.decimals import Decimal
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError, InputError, KServeClientError
from kserve_client.model import Model
from kserve_client.scoring.cutter import Cutter
from kserve_client.scoring.doubts import Doubts
from kserve_client.scoring.job import PartWriter, WrittenPart
from kserve_client.scoring.job.beginning import software_version
from kserve_client.scoring.job.saved import read_manifest
from kserve_client.scoring.job.store import store_at
from kserve_client.scoring.mapping import Mapping as ColumnMapping
from kserve_client.scoring.options import ScoreOptions
from kserve_client.scoring.paces import Paces
from kserve_client.scoring.results import ResultSchema
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.run import Figures, Run, RunOptions
from kserve_client.scoring.sources import (
    Fingerprint,
    Found,
    Partition,
    fingerprint,
    is_url,
    label,
    opened,
)
from kserve_client.scoring.step import AllRefusedError, Answered, Step
from kserve_client.signature import Signature

RUNS_KEPT = 8
LATENCIES_TOLD = 200
_HALTED: set[str] = set()


@dataclass(frozen=True, slots=True)
class Spec:
    """What a worker must know of a run.

    The endpoint says how to get in by naming a variable or a file, which the worker reads itself.
    `fingerprint` is that of the source, {} for a run that does not read it; `changed_ns` is when a
    local one was changed last (st_mtime_ns), None for a URL. `answered_version` is the version of the
    model that the job holds on to, "" while none is known.
    Secrets that do travel: `token`, the bearer token of one call, and the storage options of
    reading and writing.
    """

    run_id: str
    endpoint: Endpoint
    model_name: str
    model_version: str | None
    signature: Signature
    columns: tuple[str, ...]
    mapping: ColumnMapping
    decimal: Decimal
    options: ScoreOptions
    source: Path | str
    fingerprint: Mapping[str, Any]
    writer: PartWriter
    job_id: str
    changed_ns: int | None = None
    answered_version: str = ""
    token: str | None = field(default=None, repr=False)

    def sealed(self) -> Sealed:
        """As it travels. Raises ConfigurationError for a secret that was given in code."""
        return Sealed(pickle.dumps(self), versions())


@dataclass(frozen=True, slots=True)
class Sealed:
    """A spec on its way. Schedulers log arguments of tasks; of this one they can show nothing."""

    data: bytes = field(repr=False)
    versions: tuple[tuple[str, str], ...]

    def spec(self) -> Spec:
        """What was sealed. Raises ConfigurationError where other versions would read it."""
        check_versions(dict(self.versions), dict(versions()))
        opened_spec = pickle.loads(self.data)  # noqa: S301 - a task is code already
        assert isinstance(opened_spec, Spec)
        return opened_spec


def versions() -> tuple[tuple[str, str], ...]:
    """What has to be the same on both sides of a cluster: Python (3.x), this package, Arrow."""
    python = ".".join(platform.python_version_tuple()[:2])
    return (("Python", python), ("kserve-client", software_version()), ("pyarrow", pa.__version__))


def check_versions(sender: Mapping[str, str], worker: Mapping[str, str]) -> None:
    """Raise ConfigurationError when a worker has other versions than who sends it tasks."""
    other = [
        f"{name} {worker.get(name, 'none')} instead of {version}"
        for name, version in sender.items()
        if worker.get(name) != version
    ]
    if other:
        raise ConfigurationError(
            f"a worker of the cluster has {', '.join(other)}: its image must have the same versions"
        )


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows `start` to `stop` (excluded) of a partition; `tries` counts earlier attempts."""

    partition: Partition
    start: int
    stop: int
    tries: int = 0

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Known:
    """What the run has learnt by the time a task is sent.

    `results` are its result columns. `max_failures` is how many more rows may fail. `witness` is a row
    that was predicted.
    """

    results: ResultSchema | None = None
    has_answered: bool = False
    is_accepted: bool = False
    max_failures: int | None = None
    witness: Rows | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Done:
    """What became of a task.

    `parts` hold the rows that were done in `elapsed_s`, opening and writing left out. `stopped` says
    why others were not; `failure` is the first error of a request then, if there was one.
    `first_error` has the number of its row. `answered_version` is the version that the server said it
    was, "" when it said none.
    """

    parts: tuple[WrittenPart, ...]
    figures: Figures
    elapsed_s: float
    chunk_rows: int
    concurrency: int
    stopped: str = ""
    is_refused: bool = False
    is_halted: bool = False
    is_answered: bool = True
    failure: KServeClientError | None = None
    first_error: tuple[int, str] | None = None
    last_error: str = ""
    answered_version: str = ""

    @property
    def rows(self) -> int:
        """How many rows were done."""
        return sum(one.part.stop - one.part.start for one in self.parts)


def halt(run_id: str) -> None:
    """Have the tasks of a run in this process come to an end with what they have."""
    _HALTED.add(run_id)


class Workplace:
    """What a worker process keeps between the tasks of a run: one client, and how fast to go."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        client = InferenceClient(spec.endpoint)
        self.model = Model(
            client, spec.model_name, version=spec.model_version, signature=spec.signature
        )
        self.paces = Paces(spec.options)
        self._head: Rows | None = None
        _check_job(spec)
        if spec.fingerprint and is_url(spec.source):
            _check_url(spec)

    def step(self, *, is_accepted: bool) -> Step:
        """What sends chunks."""
        spec = self.spec
        return Step(
            self.model,
            spec.columns,
            spec.mapping,
            treatment=spec.options.treatment,
            decimal=spec.decimal,
            token=spec.token,
            is_accepted=is_accepted,
            answered_version=spec.answered_version,
        )

    def doubts(self, found: Found) -> Doubts:
        """What finds doubts in a partition; the start of the table has settled what it settles."""
        spec = self.spec
        reading = spec.options.reading
        doubts = Doubts(spec.signature, spec.mapping, spec.columns, found, reading)
        if doubts.are_possible and self._head is None:
            with opened(spec.source, reading) as table:
                self._head = next(table.read(), None)
        if self._head is not None:
            doubts.find(self._head)
        return doubts


@lru_cache(maxsize=RUNS_KEPT)
def workplace(sealed: Sealed) -> Workplace:
    """The workplace of a run in this process. Raises ConfigurationError or InputError."""
    return Workplace(sealed.spec())


def _check_job(spec: Spec) -> None:
    """A folder of the same name on another disk would take parts that nobody finds again."""
    store = store_at(spec.writer.directory, spec.writer.storage_options)
    try:
        found = read_manifest(store).job_id
    except ConfigurationError:
        found = ""
    if found != spec.job_id:
        raise ConfigurationError(
            f"a worker does not find the job in {store.where}: its directory has to be on storage that "
            "all workers share, by the same path or URL"
        )


def _check_url(spec: Spec) -> None:
    """The same for the table; its store is asked once a process."""
    try:
        now = fingerprint(spec.source, spec.options.reading)
    except OSError as error:
        raise _unreadable(spec, error) from None
    _check_same(spec, now.changes_since(Fingerprint.of_json(dict(spec.fingerprint))))


def _check_file(spec: Spec) -> None:
    """The same for a table that is a file, before each reading; its hash would take long."""
    if not spec.fingerprint or is_url(spec.source):
        return
    before = Fingerprint.of_json(dict(spec.fingerprint))
    try:
        now = Path(spec.source).stat()
    except OSError as error:
        raise _unreadable(spec, error) from None
    changed = dataclasses.replace(before, size_bytes=now.st_size).changes_since(before)
    if not changed and spec.changed_ns not in (None, now.st_mtime_ns):
        changed = "its size is the same, its time of change is another"
    _check_same(spec, changed)


def _check_same(spec: Spec, changed: str) -> None:
    if changed:
        raise InputError(f"a worker finds another table in {label(spec.source)}: {changed}")


def _unreadable(spec: Spec, error: OSError) -> InputError:
    return InputError(
        f"a worker can't read {label(spec.source)} ({error.strerror or error}): it has to be on "
        "storage that all workers share, by the same path or URL"
    )


class _Wish(threading.Event):
    """Whether a task shall end: its run was halted, or nobody waits for the task any more."""

    def __init__(self, run_id: str, is_given_up: Callable[[], bool]) -> None:
        super().__init__()
        self._run_id = run_id
        self._is_given_up = is_given_up

    def is_set(self) -> bool:
        """Look whether it is so by now."""
        return self._run_id in _HALTED or self._is_given_up()


class _Noting:
    """A step that notes when the model refused all."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self.is_refused = False

    def send(self, rows: Rows, halted: Callable[[], str]) -> Answered:
        """Deal with one chunk."""
        try:
            return self._step.send(rows, halted)
        except AllRefusedError:
            self.is_refused = True
            raise


def do(
    sealed: Sealed, piece: Slice, known: Known, is_given_up: Callable[[], bool] = lambda: False
) -> Done:
    """Do a slice of a partition; called on a worker.

    Raises what the run raises when no row is to blame: ConfigurationError, InputError for a source
    that can't be read, OSError when a part can't be written.
    """
    place = workplace(sealed)
    spec = place.spec
    wish = _Wish(spec.run_id, is_given_up)
    _check_file(spec)
    sends = place.step(is_accepted=known.is_accepted)
    step = _Noting(sends)
    reading = opened(spec.source, spec.options.reading, partition=piece.partition)
    with reading as table, place.paces.lent() as pace:
        before = [(piece.partition.start, piece.start)] if piece.start else []
        rows = place.doubts(table.found).none_in(table.read())
        cutter = Cutter(rows, done=before, limit=piece.stop)
        with contextlib.closing(cutter):
            began = time.monotonic()
            run = Run(step, cutter, pace, _run_options(spec, known), cancel=wish)
            chunks = sorted(run, key=lambda chunk: chunk.rows.start)
            elapsed_s = time.monotonic() - began
        _check_count(piece, chunks, run.stopped)
        written = () if is_given_up() else tuple(_written(spec, chunks, known, elapsed_s))
        return Done(
            parts=written,
            figures=_told(run.figures),
            elapsed_s=elapsed_s,
            chunk_rows=pace.chunk_rows,
            concurrency=pace.concurrency,
            stopped=run.stopped,
            is_refused=step.is_refused and bool(run.stopped),
            is_halted=run.is_cancelled,
            is_answered=run.is_answered or run.first_failure is None,
            failure=run.first_failure,
            answered_version=sends.answered_version,
            **_errors(chunks),
        )


def send_rows(sealed: Sealed, rows: Rows) -> Answered:
    """Send rows that come with the task, and give back what became of them; called on a worker."""
    return workplace(sealed).step(is_accepted=True).send(rows)


def _run_options(spec: Spec, known: Known) -> RunOptions:
    return RunOptions(
        spec.options.patience_s,
        known.max_failures,
        has_answered=known.has_answered or known.witness is not None,
        witness=lambda: known.witness,
    )


def _check_count(piece: Slice, chunks: Sequence[Scored], stopped: str) -> None:
    done = sum(map(len, chunks))
    if not stopped and done != len(piece):
        raise InputError(
            f"the input has changed: rows {piece.start + 1:,} to {piece.stop:,} are {done:,} rows "
            "now; start a new job"
        )


def _written(
    spec: Spec, chunks: Sequence[Scored], known: Known, elapsed_s: float
) -> Iterator[WrittenPart]:
    """One part for each run of rows without a gap; there is one run unless the task was stopped."""
    for run in _without_gaps(chunks):
        yield spec.writer.write(run, known.results, elapsed_s=elapsed_s)


def _without_gaps(chunks: Sequence[Scored]) -> Iterator[list[Scored]]:
    run = list(chunks[:1])
    for before, after in pairwise(chunks):
        if before.rows.stop != after.rows.start:
            yield run
            run = []
        run.append(after)
    if run:
        yield run


def _told(figures: Figures) -> Figures:
    """The same with fewer latencies, evenly taken."""
    seen = figures.latencies_s
    few = seen[:: max(len(seen) // LATENCIES_TOLD, 1)][:LATENCIES_TOLD]
    return dataclasses.replace(figures, latencies_s=few)


def _errors(chunks: Sequence[Scored]) -> dict[str, Any]:
    bad = [chunk for chunk in chunks if chunk.errors]
    if not bad:
        return {}
    at = min(bad[0].errors)
    return {
        "first_error": (bad[0].rows.start + at, bad[0].errors[at]),
        "last_error": bad[-1].errors[max(bad[-1].errors)],
    }
