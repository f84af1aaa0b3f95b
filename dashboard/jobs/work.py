"""A job in this process: the thread that runs it, and what is known of it meanwhile."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from dashboard.jobs.card import Card
from dashboard.jobs.places import Places
from dashboard.jobs.root import Root, why
from dashboard.jobs.view import RECENT_ERRORS, State, Where
from kserve_client.errors import ConfigurationError, KServeClientError
from kserve_client.model import Model
from kserve_client.scoring import (
    ScoreOptions,
    Wishes,
    facts_of,
    retry_failed,
    retry_on_dask,
    run_job,
    score_on_dask,
)
from kserve_client.scoring.doubts import DoubtError
from kserve_client.scoring.job import (
    Counts,
    Facts,
    Job,
    ModelFacts,
    WrittenPart,
    deciding,
    has_job,
)
from kserve_client.scoring.job.lock import Lock
from kserve_client.scoring.job.store import StorageError
from kserve_client.scoring.progress import Progress, Summary
from kserve_client.scoring.rows import Scored
from kserve_client.scoring.sources import Location, NotReadError

# Other processes learn from the card how far a job is.
NOTED_EVERY_S = 5.0
AWAY = "did not answer"
READ_ANEW = "begin anew and choose the decimal sign under Read it differently"
FAULT = "a fault of the dashboard, which its log describes"
ALL: frozenset[State] = frozenset(get_args(State))
ACTIVE: frozenset[State] = frozenset({"waiting", "running"})
PAUSED: frozenset[State] = frozenset({"paused"})
log = logging.getLogger(__name__)
RecentErrors = deque[tuple[int, str]]


class ProcessEnds(BaseException):
    """The process ends: leave everything as it is. No Exception, so that nobody notes it as one."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a run needs, made in its thread. Each may raise, which ends the job with that reason."""

    model: Callable[[], Model]
    source: Callable[[], Location]
    options: Callable[[], ScoreOptions]
    note: Callable[[Card], Card]
    let_go: Callable[[str], None]
    ended: Callable[[Work], None]
    places: Places


class WatchedJob(Job):
    """A job that tells of rows that fail."""

    failures: RecentErrors

    def record(self, chunk: Scored, *, tries: int = 1, elapsed_s: float = 0.0) -> Scored:
        """Keep a chunk, and tell of what failed."""
        return self._told(super().record(chunk, tries=tries, elapsed_s=elapsed_s))

    def replace(self, chunk: Scored) -> Scored:
        """Put a chunk in the place of what was, and tell of what failed again."""
        return self._told(super().replace(chunk))

    def record_part(self, written: WrittenPart) -> bool:
        """Keep a part that a worker wrote, and tell of what failed in it."""
        is_new = super().record_part(written)
        if is_new and written.part.failed:
            self.flush()
            for chunk in self.scored(written.part.start, written.part.stop, is_partial=True):
                self._told(chunk)
        return is_new

    def _told(self, chunk: Scored) -> Scored:
        for at in sorted(chunk.errors)[-RECENT_ERRORS:]:
            self.failures.append((chunk.rows.start + at + 1, chunk.errors[at]))
        return chunk


class Work:
    """One job of this process, from its place in the line to its end. `held` is its lock."""

    def __init__(self, card: Card, root: Root, held: Lock, means: Means) -> None:
        self.card = card
        self.progress: Progress | None = None
        self.failures: RecentErrors = deque(card.failures, maxlen=RECENT_ERRORS)
        self._root, self._held, self._means = root, held, means
        self._wishes = Wishes()
        self._ending = threading.Event()
        self._changing, self._noting = threading.Lock(), threading.Lock()
        self._noted_s = time.monotonic()
        self._whole: Counts | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_begun(self) -> bool:
        """Whether it has a thread."""
        return self._thread is not None

    @property
    def counts(self) -> Counts:
        """What became of the rows of the whole job, up to this moment."""
        said = self.progress
        if said is None:
            return self.card.counts
        if self.card.task == "retry":
            return self._whole or self.card.counts
        return Counts(
            total_rows=said.rows_total, ok=said.ok, failed=said.failed, skipped=said.skipped
        )

    @property
    def rows_total(self) -> int | None:
        """How many rows the job has; None until somebody knows."""
        if self.progress is None or self.card.task == "retry":
            return self.card.rows_total
        return self.progress.rows_total

    def recent_errors(self) -> list[tuple[int, str]]:
        """The last rows that failed, the newest last."""
        return list(self.failures)

    def note(self, **changes: object) -> None:
        """Change the card, here and where it is kept.

        Raises OSError, and ConfigurationError when another process has taken the job over.
        """
        self._note(changes, ALL)

    def _note(self, changes: Mapping[str, object], only_in: frozenset[State]) -> None:
        """Change the card, if its state is one of these."""
        if self._change(changes, only_in):
            self._write()

    def _change(self, changes: Mapping[str, object], only_in: frozenset[State]) -> bool:
        with self._changing:
            if self.card.state not in only_in:
                return False
            self.card = self.card.model_copy(update=changes)
            return True

    def _write(self) -> None:
        """Write the card as it is by now, so that none is written after a newer one."""
        with self._noting:
            self._held.check()
            self._means.note(self.card)

    def go(self) -> None:
        """Run, or run on. Its thread writes that down."""
        self._change({"state": "running", "reason": "", "finished": None}, ACTIVE)
        self._noted_s = -math.inf  # one that is under way does so at its next step
        self._wishes.pause.clear()
        if self._thread is None:
            # The interpreter does not wait for a daemon: what counts is on the disk at any moment.
            name = f"batch-{self.card.id[:6]}"
            self._thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._thread.start()

    def pause(self) -> None:
        """Send nothing more for now."""
        self._wishes.pause.set()
        self._note({"state": "paused"}, ACTIVE)

    def go_on(self) -> None:
        """Be ready to run on."""
        self._note({"state": "waiting"}, PAUSED)

    def cancel(self) -> None:
        """End soon: what is under way is still dealt with."""
        self._wishes.cancel.set()

    def end(self) -> None:
        """Let go of it at once, since the process ends."""
        self._ending.set()

    def wait(self, timeout_s: float) -> None:
        """Wait until its thread is over."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(timeout_s, 0.0))

    def let_go(self) -> None:
        """Give the lock back."""
        self._held.release()
        self._means.let_go(self.card.id)

    def leave(self) -> None:
        """Let go of it before it has begun, since the process ends."""
        with contextlib.suppress(OSError, ConfigurationError):
            self.note(is_left=True)
        self.let_go()

    def _run(self) -> None:
        try:
            # What can't be written now is written later, or the run says why it can't be.
            with contextlib.suppress(OSError, ConfigurationError):
                self._write()
            self._note_end(*self._outcome())
        except ProcessEnds:
            with contextlib.suppress(OSError, ConfigurationError):
                self._note_place(is_left=True)
        except (OSError, ConfigurationError) as error:
            # The card could not be written, or is another's by now; who looks finds it as it was.
            said = why(self._root, error)
            log.warning("the end of job %s could not be noted: %s", self.card.id, said)
        finally:
            self.let_go()
            self._means.ended(self)

    def _outcome(self) -> tuple[State, str]:
        try:
            return self._done()
        except NotReadError as error:
            return self._unread(error)
        except DoubtError as error:
            return "stopped", f"{error.doubt.words}; {READ_ANEW}"
        except KServeClientError as error:
            return "stopped", " ".join(str(error).split())
        except OSError as error:
            return self._refused(error)
        except Exception:  # a bug must end the job too, and stay visible in the log
            if self._ending.is_set():
                raise ProcessEnds from None
            log.exception("job %s broke off", self.card.id)
            return "stopped", FAULT

    def _unread(self, error: NotReadError) -> tuple[State, str]:
        """What becomes of the job when its table can't be read: an upload lies where the job does."""
        said = StorageError(self._root.where, error.kind)
        said.errno = error.errno
        if self.card.file and self._root.is_away(said):
            return self._refused(said)
        return "stopped", " ".join(str(error).split())

    def _refused(self, error: OSError) -> tuple[State, str]:
        """What becomes of the job when it can't be written."""
        if self._root.is_away(error):
            return "waiting", f"goes on by itself: {self._root.where} {AWAY}"
        who = "the disk" if not self._root.is_remote else self._root.where
        who = f"the cluster or {who}" if self.card.where == "cluster" else who
        return "stopped", f"{who} said no: {self._root.words(error)}"

    def _done(self) -> tuple[State, str]:
        model, options = self._means.model(), self._means.options()
        if self.card.task == "retry":
            return self._retried(model, options)
        card, source = self.card, self._means.source()
        facts = facts_of(
            model,
            source,
            options,
            model_name=card.model_name,
            input_name=card.input_name,
            owner=card.owner,
        )
        self._check_end()
        with self._opened(facts) as job:
            job.check(facts)
            if job.counts.done > self.card.counts.done:  # a killed process did not note them
                self.note(counts=job.counts)
            return self._settled(job, self._scored(job, model, source, options))

    def _scored(
        self, job: WatchedJob, model: Model, source: Location, options: ScoreOptions
    ) -> Summary:
        heard = self._hearing(job)
        if self._first_place(job, source, options) == "here":
            return run_job(job, model, source, options, wishes=self._wishes, on_progress=heard)
        return score_on_dask(
            job,
            model,
            source,
            options,
            cluster=self._means.places.cluster,
            wishes=self._wishes,
            on_progress=heard,
        )

    def _retried(self, model: Model, options: ScoreOptions) -> tuple[State, str]:
        """Send what failed again: the cells are in the job, so its table may be gone by now."""
        with self._reopened() as job:
            job.check(_facts_now(job.manifest.facts, model))
            self.failures.clear()
            return self._settled(job, self._scored_again(job, model, options))

    def _scored_again(self, job: WatchedJob, model: Model, options: ScoreOptions) -> Summary:
        heard = self._hearing(job)
        if self._placed(self._means.places.next(self.card.where)) == "here":
            return retry_failed(job, model, options, wishes=self._wishes, on_progress=heard)
        return retry_on_dask(
            job,
            model,
            options,
            cluster=self._means.places.cluster,
            wishes=self._wishes,
            on_progress=heard,
        )

    def _first_place(self, job: Job, source: Location, options: ScoreOptions) -> Where:
        """Where it begins, or goes on when it has begun somewhere."""
        places = self._means.places
        if self.card.where is not None:
            return self._placed(places.next(self.card.where))
        return self._placed(places.first(job.manifest.facts.input, source, options.reading))

    def _placed(self, where: Where) -> Where:
        """Keep the place, so that whoever takes the job up goes on there."""
        if where != self.card.where:
            self.note(where=where)
        return where

    def _opened(self, facts: Facts) -> WatchedJob:
        directory = self._root.job(self.card.id)
        if has_job(directory):
            return self._reopened()
        return WatchedJob.create(directory, facts, job_id=self.card.id, held=self._held)

    def _reopened(self) -> WatchedJob:
        return WatchedJob.open(self._root.job(self.card.id), held=self._held)

    def _hearing(self, job: WatchedJob) -> Callable[[Progress], None]:
        job.failures = self.failures

        def hear(progress: Progress) -> None:
            self._check_end()
            self.progress, self._whole = progress, job.counts
            if time.monotonic() - self._noted_s > NOTED_EVERY_S:
                self._noted_s = time.monotonic()
                with contextlib.suppress(OSError):  # it is only for those who look
                    self._note_place()

        return hear

    def _check_end(self) -> None:
        if self._ending.is_set():
            raise ProcessEnds

    def _settled(self, job: Job, summary: Summary) -> tuple[State, str]:
        counts = job.counts
        total = counts.total_rows or self.rows_total
        self.progress = None
        # Of the few rows of a retry nobody learns how fast the model is.
        is_retry = self.card.task == "retry"
        figures = self.card.figures if is_retry else job.manifest.figures
        self.note(counts=counts, rows_total=total, figures=figures)
        if summary.is_complete and not summary.stopped:
            return "finished", ""
        return ("cancelled", "") if summary.cancelled else ("stopped", summary.stopped)

    def _note_end(self, state: State, reason: str) -> None:
        finished = None if state == "waiting" else datetime.now(UTC)
        self._note_place(state=state, reason=reason, finished=finished)

    def _note_place(self, **changes: object) -> None:
        """Note how far it is, with what changed."""
        seen = {"counts": self.counts, "rows_total": self.rows_total}
        self.note(**seen, failures=tuple(self.failures), **changes)


def _facts_now(before: Facts, model: Model) -> Facts:
    """What a job is of, with the model as it is now."""
    endpoint = model.client.endpoint
    now = ModelFacts(
        name=before.model.name,
        served_name=model.name,
        version=model.version or "",
        endpoint_name=endpoint.title,
        endpoint_url=endpoint.url,
    )
    return before.model_copy(update={"model": now, "signature": deciding(model.signature)})
