"""The jobs of a process: started, watched, ended and found again."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO

from dashboard.jobs import card as cards
from dashboard.jobs import downloads, keeping
from dashboard.jobs.card import Card, Task
from dashboard.jobs.ending import close_at_end
from dashboard.jobs.folder import PRIVATE_FOLDER, Folder
from dashboard.jobs.line import Line
from dashboard.jobs.offered import Offered
from dashboard.jobs.places import Places
from dashboard.jobs.shelf import Shelf
from dashboard.jobs.uploads import Uploads
from dashboard.jobs.view import (
    JobView,
    NamedSource,
    Spooled,
    State,
    UnknownJobError,
    newest_first,
)
from dashboard.jobs.work import JOB, Means, Work, read_errors
from dashboard.settings import Settings
from kserve_client.errors import ConfigurationError, InputError
from kserve_client.model import Model
from kserve_client.scoring import ReadOptions, ScoreOptions, WriteOptions
from kserve_client.scoring.job import SavedJob, new_job_id
from kserve_client.scoring.job.lock import FileLock
from kserve_client.scoring.job.store import LocalStore
from kserve_client.scoring.sources import Limits, Location

OpenModel = Callable[[str], Model]
CLOSE_WITHIN_S = 2.0
LET_GO_WITHIN_S = 2.0
# Jobs of other processes are looked at this often, whether somebody still has them.
LOOK_S = 15.0
UNATTENDED = "waits for a process of the dashboard to take it up"
log = logging.getLogger(__name__)


class Jobs:
    """The jobs of this process, in threads of their own. May be called from any thread.

    `owner` is who asks; "" where nobody logs in. A job of somebody else is as if it were not there:
    `get` is None, everything else raises UnknownJobError. Raises ConfigurationError when the folder
    for jobs can't be written.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = Folder(settings.jobs_folder)
        limits = Limits(columns=settings.largest_columns, rows=settings.largest_rows)
        self._offered = Offered(settings.sources, limits)
        self._uploads = Uploads(self._folder, settings.largest_upload_mb)
        self._shelf = Shelf(self._folder)
        self._line = Line(settings.jobs_at_once)
        self._places = Places(settings.dask_scheduler, settings.dask_from_mb)
        self._models: dict[str, Model] = {}
        self._open_model: OpenModel | None = None
        self._asking = threading.RLock()
        self._writing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._closed = threading.Event()
        close_at_end(self)

    # Tables.

    def reading(self) -> ReadOptions:
        """How this dashboard reads tables: its limits and the kinds of URL it may open.

        For previews and checks of the page (`dataclasses.replace` it); `start` sees to the limits
        itself.
        """
        return self._offered.reading

    def spool(self, stream: IO[bytes], name: str, owner: str) -> Spooled:
        """Copy an upload to the disk in pieces. Kept until its job starts, or for a day.

        Raises InputError beyond the largest size the settings allow, ConfigurationError when the
        folder can't be written; then nothing stays.
        """
        return self._uploads.spool(stream, name, owner)

    def spooled(self, upload_id: str, owner: str) -> Spooled | None:
        """An upload that is still there; None when it is gone, or somebody else's."""
        return self._uploads.get(upload_id, owner)

    def discard(self, spooled: Spooled) -> None:
        """Remove an upload; one that is gone, or belongs to a job, is left."""
        self._uploads.discard(spooled)

    def sources(self) -> list[NamedSource]:
        """The tables that the setting KSERVE_CLIENT_SOURCES offers, by name."""
        return self._offered.sources()

    def source_problems(self) -> list[str]:
        """What of that setting can't be read, in words; [] when all can."""
        return self._offered.problems()

    def source(self, name: str) -> NamedSource:
        """A table that is offered. Raises InputError for any other name, whatever it looks like."""
        return self._offered.source(name)

    # What there is.

    def get(self, job_id: str | None, owner: str) -> JobView | None:
        """A job; None when there is none, or it is somebody else's."""
        found = self._shelf.get(job_id) if job_id else None
        if found is None or found[0].owner != owner:
            return None
        return self._view(*found)

    def mine(self, owner: str) -> list[JobView]:
        """All jobs of an owner, the newest first. Cheap enough to be called twice a second."""
        found = [(card, held) for card, held in self._shelf.all() if card.owner == owner]
        return newest_first(self._view(card, held) for card, held in found)

    def recent_errors(self, job_id: str, owner: str) -> list[tuple[int, str]]:
        """The last 20 rows that failed, by number from 1, with why; the newest last."""
        self._mine(job_id, owner)
        work = self._line.get(job_id)
        if work is None:
            return read_errors(self._folder.job(job_id))
        return work.recent_errors()

    def results(self, job_id: str, owner: str) -> SavedJob:
        """The rows of a job, also while it runs; close it after use (a context manager).

        Raises InputError while it has not begun, ConfigurationError when it is damaged.
        """
        self._mine(job_id, owner)
        folder = self._folder.job(job_id) / JOB
        if not (folder / "manifest.json").exists():
            raise InputError("no row of this job is done yet")
        return SavedJob.open(folder)

    def download(self, job_id: str, owner: str, writing: WriteOptions) -> Path:
        """The results as a file, written once per form. Of a job that was ended: the rows it has.

        Blocks while it is written: call it from the callable of a download button. Raises InputError
        while the job runs or has no rows yet.
        """
        view = self._mine(job_id, owner)
        with self._writing[job_id], self.results(job_id, owner) as job:
            if not view.is_over:
                raise InputError("the job is under way; wait until it is done, or cancel it")
            return downloads.written(job, self._folder.job(job_id), writing, str(view.finished))

    # What may be asked of it. Each does nothing when there is nothing to do.

    def start(
        self,
        model: Model,
        model_name: str,
        source: Spooled | NamedSource,
        options: ScoreOptions,
        owner: str,
    ) -> str:
        """Begin a job; it runs, or waits for its turn. Returns its id at once.

        An upload is taken from where it was spooled. `model_name` is the one in the catalog, by
        which the job goes on in another process. What is wrong with the table ends the job as
        stopped, with the reason. Raises InputError when the upload is gone, or the table is not
        offered any more.
        """
        self._check_open()
        if isinstance(source, NamedSource):
            self.source(source.name)
        card = Card(
            id=new_job_id(),
            owner=owner,
            model_name=model_name,
            input_name=source.name,
            source=source.name if isinstance(source, NamedSource) else "",
            options=options.of_job(),
            max_failures=options.max_failures,
            patience_s=options.patience_s,
        )
        card, held = self._begun(card, source)
        self._models[model_name] = model
        self._join(card, held, lambda: model)
        self._sweep()
        return card.id

    def pause(self, job_id: str, owner: str) -> None:
        """Send nothing more for now; others may run meanwhile. It stays paused over a restart."""
        with self._asking:
            view = self._mine(job_id, owner)
            work = self._line.get(job_id)
            if work is not None and view.state in ("waiting", "running"):
                self._line.pause(work)
            else:
                _check_here(view)

    def go_on(self, job_id: str, owner: str) -> None:
        """Let a paused job run on."""
        with self._asking:
            view = self._mine(job_id, owner)
            work = self._line.get(job_id)
            if work is not None:
                self._line.go_on(work)
            elif view.state == "paused":
                self._take_up(job_id, ("paused",))

    def cancel(self, job_id: str, owner: str) -> None:
        """End a job; what is done stays, and it can be resumed."""
        with self._asking:
            view = self._mine(job_id, owner)
            work = self._line.get(job_id)
            if work is not None:
                self._cancel(work)
            elif view.state == "paused":
                self._cancel_here(job_id)
            else:
                _check_here(view)

    def resume(self, job_id: str, owner: str) -> None:
        """Do what is left of a job that was stopped or cancelled."""
        with self._asking:
            if self._mine(job_id, owner).can_resume:
                self._take_up(job_id, ("stopped", "cancelled"))

    def retry(self, job_id: str, owner: str) -> None:
        """Send the failed and skipped rows of a finished job once more."""
        with self._asking:
            if self._mine(job_id, owner).can_retry:
                self._take_up(job_id, ("finished",), task="retry")

    def delete(self, job_id: str, owner: str) -> None:
        """Remove a job with its upload and results. Raises InputError while it runs."""
        with self._asking:
            self._mine(job_id, owner)
            work = self._line.get(job_id)
            if work is not None and self._line.drop(work):
                work.let_go()
            if not keeping.remove(self._folder.job(job_id)):
                raise InputError("the job is under way; cancel it before you delete it")
            self._shelf.forget(job_id)

    # The process.

    def recover(self, open_model: OpenModel) -> None:
        """Take up the jobs of processes that are gone, in a thread. Called once per process.

        `open_model` gives a model by its name in the catalog; it is kept for `resume`, `retry` and
        `go_on` of jobs that another process began. A job whose model is gone is stopped, with that
        reason.
        """
        self._open_model = open_model
        threading.Thread(target=self._keep_looking, name="batch-recover", daemon=True).start()

    def close(self) -> None:
        """End all runs within two seconds so that the next process goes on with them."""
        self._closed.set()
        until_s = time.monotonic() + CLOSE_WITHIN_S
        works = self._line.close()
        for work in works:
            work.end()
        for work in works:
            work.wait(until_s - time.monotonic())
            if not work.is_begun:
                work.let_go()

    def _keep_looking(self) -> None:
        """A process that ends while this one is there leaves jobs, too: look now and then."""
        while not self._closed.is_set():
            try:
                self._take_up_all()
                self._sweep()
            except (OSError, ConfigurationError) as error:
                log.warning("the jobs could not be looked through: %s", error)
            except Exception:  # nobody would look any more
                log.exception("the jobs could not be looked through")
            self._closed.wait(LOOK_S)

    def _take_up_all(self) -> None:
        found = sorted(self._shelf.all(), key=lambda one: one[0].created)
        for card, held in found:
            if card.is_active and not held and self._line.get(card.id) is None:
                self._take_up_one(card.id)

    def _take_up_one(self, job_id: str) -> None:
        """Have a job that a process left; what is wrong with it must not keep others waiting."""
        if self._closed.is_set():
            return
        try:
            self._take_up(job_id, ("waiting", "running"))
        except (OSError, ConfigurationError) as error:
            log.warning("job %s could not be taken up: %s", job_id, error)
        except Exception:
            log.exception("job %s could not be taken up", job_id)

    def _begun(self, card: Card, source: Spooled | NamedSource) -> tuple[Card, FileLock]:
        """A folder for a new job, with its upload and its card, held."""
        folder = self._folder.job(card.id)
        folder.mkdir(mode=PRIVATE_FOLDER)
        held = FileLock(LocalStore(folder))
        try:
            if isinstance(source, Spooled):
                file = self._uploads.take(source, folder)
                card = card.model_copy(update={"file": file})
            return self._shelf.put(card), held
        except BaseException:
            held.release()
            keeping.remove(folder)
            raise

    def _take_up(self, job_id: str, states: tuple[State, ...], task: Task | None = None) -> None:
        """Have a job that nobody has, if it is still in one of these states."""
        self._check_open()
        work = self._line.get(job_id)
        if work is not None:  # it has noted its end, and lets go of the job any moment
            work.wait(LET_GO_WITHIN_S)
        held = self._held(job_id)
        if held is None:
            return
        folder = self._folder.job(job_id)
        try:
            card = cards.read(folder)
            if card.state not in states:
                held.release()
                return
            downloads.forget(folder)
            changes = {"state": "waiting", "reason": "", "finished": None}
            card = self._shelf.put(
                card.model_copy(update=changes | ({} if task is None else {"task": task}))
            )
        except BaseException:
            held.release()
            raise
        self._join(card, held, partial(self._model, card.model_name))

    def _held(self, job_id: str) -> FileLock | None:
        """The lock of a job; None when another process, or another window, was first."""
        try:
            return FileLock(LocalStore(self._folder.job(job_id)))
        except (ConfigurationError, FileNotFoundError):
            return None

    def _join(self, card: Card, held: FileLock, model: Callable[[], Model]) -> None:
        folder = self._folder.job(card.id)
        means = Means(
            model,
            partial(self._location, card),
            partial(self._options, card),
            self._shelf.put,
            self._ended,
            self._places,
        )
        work = Work(card, folder, held, means)
        self._line.join(work)
        if self._closed.is_set() and self._line.drop(work):  # closed meanwhile
            work.let_go()

    def _cancel(self, work: Work) -> None:
        work.cancel()
        if self._line.drop(work):
            try:
                work.note(state="cancelled", finished=datetime.now(UTC))
            finally:
                work.let_go()

    def _cancel_here(self, job_id: str) -> None:
        """End a paused job that another process left."""
        held = self._held(job_id)
        if held is not None:
            try:
                card = cards.read(self._folder.job(job_id))
                changes = {"state": "cancelled", "finished": datetime.now(UTC)}
                self._shelf.put(card.model_copy(update=changes))
            finally:
                held.release()

    def _ended(self, work: Work) -> None:
        self._line.leave(work)
        if not self._closed.is_set():
            self._sweep()

    def _model(self, name: str) -> Model:
        if self._open_model is not None:
            return self._open_model(name)
        found = self._models.get(name)
        if found is None:
            raise ConfigurationError(f"the dashboard knows no model {name!r}")
        return found

    def _location(self, card: Card) -> Location:
        if card.file:
            return self._folder.job(card.id) / card.file
        return self.source(card.source).location

    def _options(self, card: Card) -> ScoreOptions:
        options = card.score_options()
        reading = dataclasses.replace(
            options.reading,
            limits=self._offered.reading.limits,
            schemes=self._offered.reading.schemes,
        )
        return dataclasses.replace(options, reading=reading)

    def _mine(self, job_id: str, owner: str) -> JobView:
        view = self.get(job_id, owner)
        if view is None:
            raise UnknownJobError
        return view

    def _view(self, card: Card, is_held: bool) -> JobView:
        work = self._line.get(card.id)
        card = card if work is None else work.card
        state, reason = card.state, card.reason
        if work is None and card.is_active and not is_held:
            state, reason = "waiting", UNATTENDED
        return JobView(
            id=card.id,
            model_name=card.model_name,
            input_name=card.input_name,
            state=state,
            reason=reason,
            counts=card.counts if work is None else work.counts,
            rows_total=card.rows_total if work is None else work.rows_total,
            progress=None if work is None else work.progress,
            figures=card.figures,
            created=card.created,
            finished=card.finished,
            owner=card.owner,
            is_here=work is not None,
            is_retry=card.task == "retry",
            ahead=0 if work is None else self._line.ahead(work),
            where=card.where or "here",
        )

    def _sweep(self) -> None:
        """Remove what is kept no longer; what can't be removed now is the next time."""
        kept, days = self._settings.jobs_kept, self._settings.jobs_kept_days
        with contextlib.suppress(OSError):
            found = [card for card, _ in self._shelf.all()]
            for card in keeping.obsolete(found, kept, days):
                if keeping.remove(self._folder.job(card.id)):
                    self._shelf.forget(card.id)
            keeping.remove_broken(self._folder)

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise ConfigurationError("the dashboard is ending; try again in a moment")


def _check_here(view: JobView) -> None:
    if view.state in ("waiting", "running") and not view.is_here:
        raise InputError(
            "another process of the dashboard has this job; reload the page, and try again"
        )
