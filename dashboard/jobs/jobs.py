"""The jobs of a process: started, watched, ended and found again."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from dashboard.jobs import card as cards
from dashboard.jobs import downloads, keeping
from dashboard.jobs.bucket import Bucket
from dashboard.jobs.card import Card, Task
from dashboard.jobs.ending import close_at_end
from dashboard.jobs.folder import Folder
from dashboard.jobs.line import Line
from dashboard.jobs.offered import Offered
from dashboard.jobs.places import Places
from dashboard.jobs.root import Root, told, why
from dashboard.jobs.shelf import Seen, Shelf
from dashboard.jobs.uploads import Uploads
from dashboard.jobs.view import (
    OVER,
    JobView,
    NamedSource,
    Spooled,
    State,
    UnknownJobError,
    UploadGoneError,
    newest_first,
)
from dashboard.jobs.work import Means, Work
from dashboard.settings import Settings
from kserve_client.errors import ConfigurationError, InputError
from kserve_client.model import Model
from kserve_client.scoring import ReadOptions, ScoreOptions, WriteOptions
from kserve_client.scoring.job import SavedJob, has_job, new_job_id
from kserve_client.scoring.job.lock import Lock
from kserve_client.scoring.sources import Limits, Location

OpenModel = Callable[[str], Model]
CLOSE_WITHIN_S = 2.0
LET_GO_WITHIN_S = 2.0
# Jobs of other processes are looked at this often, whether somebody still has them.
LOOK_S = 15.0
# What broke off is looked for this often where that costs requests.
BROKEN_S = 3600.0
# A process that was not heard of so many times is probably gone.
MISSED = 3
UNATTENDED = "waits for a process of the dashboard to take it up"
IN_USE = (
    "a job is just being begun with this upload, maybe in another window; look whether it is in the "
    "list, or try again in some minutes"
)
log = logging.getLogger(__name__)


class Jobs:
    """The jobs of this process, in threads of their own. May be called from any thread.

    `owner` is who asks; "" where nobody logs in. A job of somebody else is as if it were not there:
    `get` is None, everything else raises UnknownJobError. Raises ConfigurationError when the folder
    for jobs can't be written, or the URL for them can't be used; a storage that does not answer is
    told by `problem`, and the calls that need it raise StorageTroubleError.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = _root(settings)
        limits = Limits(columns=settings.largest_columns, rows=settings.largest_rows)
        self._offered = Offered(settings.sources, limits)
        self._uploads = Uploads(self._root, settings.largest_upload_mb)
        self._shelf = Shelf(self._root)
        self._line = Line(settings.jobs_at_once)
        self._places = Places(settings.dask_scheduler, settings.dask_from_mb)
        self._models: dict[str, Model] = {}
        self._open_model: OpenModel | None = None
        self._asking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._writing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        # This process has let go of these, though a storage that is away may not have taken it down.
        self._had: set[str] = set()
        self._closed = threading.Event()
        self._swept_s: float | None = None
        close_at_end(self)

    # Tables.

    def reading(self) -> ReadOptions:
        """How this dashboard reads tables: its limits and the kinds of URL it may open.

        For previews and checks of the page (`dataclasses.replace` it); `start` sees to the limits
        itself.
        """
        return self._offered.reading

    def spool(self, stream: IO[bytes], name: str, owner: str) -> Spooled:
        """Keep an upload, in pieces, until its job starts, or for a day.

        Raises InputError beyond the largest size the settings allow, StorageTroubleError when it
        can't be written; then nothing stays.
        """
        return self._uploads.spool(stream, name, owner)

    def spooled(self, upload_id: str, owner: str) -> Spooled | None:
        """An upload that is still there, whichever replica took it; None when it is gone.

        Somebody else's is as if it were gone.
        """
        with told(self._root, "read"):
            return self._uploads.get(upload_id, owner)

    def discard(self, spooled: Spooled) -> None:
        """Remove an upload; one that is gone, or belongs to a job, is left.

        What can't be removed now goes after a day, as if nobody had discarded it.
        """
        with contextlib.suppress(OSError):
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

    def problem(self) -> str:
        """Why the list of jobs may be old or empty, in words; "" when all is well."""
        return self._shelf.problem

    def get(self, job_id: str | None, owner: str) -> JobView | None:
        """A job; None when there is none, or it is somebody else's."""
        found = self._shelf.get(job_id) if job_id else None
        if found is None or found.card.owner != owner:
            return None
        return self._view(found)

    def mine(self, owner: str) -> list[JobView]:
        """All jobs of an owner, the newest first. Cheap enough to be called twice a second."""
        return newest_first(self._view(one) for one in self._shelf.all() if one.card.owner == owner)

    def recent_errors(self, job_id: str, owner: str) -> list[tuple[int, str]]:
        """The last 20 rows that failed, by number from 1, with why; the newest last."""
        self._mine(job_id, owner)
        work = self._line.get(job_id)
        if work is not None:
            return work.recent_errors()
        found = self._shelf.get(job_id)
        return [] if found is None else list(found.card.failures)

    def results(self, job_id: str, owner: str) -> AbstractContextManager[SavedJob]:
        """The rows of a job, also while it runs; a context manager.

        Raises InputError while it has not begun, ConfigurationError when it is damaged,
        StorageTroubleError when it can't be read.
        """
        self._mine(job_id, owner)
        directory = self._root.job(job_id)
        with told(self._root, "read"):
            if not has_job(directory):
                raise InputError("no row of this job is done yet")
            return self._reading(SavedJob.open(directory))

    @contextlib.contextmanager
    def _reading(self, saved: SavedJob) -> Iterator[SavedJob]:
        with saved, told(self._root, "read"):
            yield saved

    def download(self, job_id: str, owner: str, writing: WriteOptions) -> Path:
        """The results as a file of this machine, written once per form.

        Of a job that was ended: the rows it has. Blocks while it is written: call it from the
        callable of a download button. Raises InputError while the job runs or has no rows yet.
        """
        view = self._mine(job_id, owner)
        with self._writing[job_id], self.results(job_id, owner) as job:
            if not view.is_over:
                raise InputError("the job is under way; wait until it is done, or cancel it")
            return downloads.written(job, self._root.near(job_id), writing, str(view.finished))

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
        stopped, with the reason. Raises InputError when the upload is gone or just being taken, or
        the table is not offered any more.
        """
        self._check_open()
        if isinstance(source, NamedSource):
            self.source(source.name)
        card = Card(
            id=source.id if isinstance(source, Spooled) else new_job_id(),
            owner=owner,
            model_name=model_name,
            input_name=source.name,
            source=source.name if isinstance(source, NamedSource) else "",
            options=options.of_job(),
            max_failures=options.max_failures,
            patience_s=options.patience_s,
        )
        with told(self._root, "written"):
            self._root.check()
            card, held = self._begun(card, source)
        self._models[model_name] = model
        self._join(card, held, lambda: model)
        return card.id

    def pause(self, job_id: str, owner: str) -> None:
        """Send nothing more for now; others may run meanwhile. It stays paused over a restart."""
        with self._asked(job_id, owner) as view:
            work = self._line.get(job_id)
            if work is not None and view.state in ("waiting", "running"):
                self._line.pause(work)
            else:
                _check_here(view)

    def go_on(self, job_id: str, owner: str) -> None:
        """Let a paused job run on."""
        with self._asked(job_id, owner) as view:
            work = self._line.get(job_id)
            if work is not None:
                self._line.go_on(work)
            elif view.state == "paused":
                self._take_up(job_id, ("paused",))

    def cancel(self, job_id: str, owner: str) -> None:
        """End a job; what is done stays, and it can be resumed."""
        with self._asked(job_id, owner) as view:
            work = self._line.get(job_id)
            if work is not None:
                self._cancel(work)
            elif not view.is_over and not self._cancel_here(job_id):
                _check_here(view)

    def resume(self, job_id: str, owner: str) -> None:
        """Do what is left of a job that was stopped or cancelled."""
        with self._asked(job_id, owner) as view:
            if view.can_resume:
                self._take_up(job_id, ("stopped", "cancelled"))

    def retry(self, job_id: str, owner: str) -> None:
        """Send the failed rows of a finished job once more."""
        with self._asked(job_id, owner) as view:
            if view.can_retry:
                self._take_up(job_id, ("finished",), task="retry")

    def delete(self, job_id: str, owner: str) -> None:
        """Remove a job with its upload and results. Raises InputError while it runs."""
        with self._asked(job_id, owner):
            work = self._line.get(job_id)
            if work is not None and self._line.drop(work):
                work.let_go()
            if not keeping.remove(self._root, job_id):
                raise InputError("the job is under way; cancel it before you delete it")
            self._shelf.forget(job_id)

    @contextlib.contextmanager
    def _asked(self, job_id: str, owner: str) -> Iterator[JobView]:
        """A job of which one thing at a time is asked; what the storage refuses is told in words."""
        with self._asking[job_id], told(self._root, "written"):
            yield self._mine(job_id, owner)

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
        # A storage that does not answer must not keep the others, or the process.
        leaving = [
            threading.Thread(target=work.leave, name="batch-leave", daemon=True)
            for work in works
            if not work.is_begun
        ]
        for thread in leaving:
            thread.start()
        for work in works:
            work.end()
        for work in works:
            work.wait(until_s - time.monotonic())
        for thread in leaving:
            thread.join(max(until_s - time.monotonic(), 0.0))

    def _keep_looking(self) -> None:
        """A process that ends while this one is there leaves jobs, too: look now and then."""
        told_last = ""
        while not self._closed.is_set():
            try:
                self._shelf.look()
                if self.problem() not in ("", told_last):
                    log.warning("%s", self.problem())
                told_last = self.problem()
                if not told_last:
                    self._take_up_all()
                    self._sweep()
            except (OSError, ConfigurationError) as error:
                log.warning("the jobs could not be looked through: %s", why(self._root, error))
            except Exception:  # nobody would look any more
                log.exception("the jobs could not be looked through")
            self._closed.wait(min(LOOK_S, self._root.heard_every_s or LOOK_S))

    def _take_up_all(self) -> None:
        for one in sorted(self._shelf.all(), key=lambda one: one.card.created):
            if one.card.is_active and not one.is_held and self._line.get(one.card.id) is None:
                self._take_up_one(one.card.id)

    def _take_up_one(self, job_id: str) -> None:
        """Have a job that a process left; what is wrong with it must not keep others waiting."""
        if self._closed.is_set():
            return
        try:
            self._take_up(job_id, ("waiting", "running"))
        except (OSError, ConfigurationError, UnknownJobError) as error:
            log.warning("job %s could not be taken up: %s", job_id, why(self._root, error))
        except Exception:
            log.exception("job %s could not be taken up", job_id)

    def _begun(self, card: Card, source: Spooled | NamedSource) -> tuple[Card, Lock]:
        """A new job, with its upload and its card, held."""
        if isinstance(source, Spooled):
            return self._begun_with(card, source)
        self._root.near(card.id)
        held = self._root.hold(card.id)
        try:
            return self._shelf.put(card), held
        except BaseException:
            held.release()
            keeping.remove(self._root, card.id)
            raise

    def _begun_with(self, card: Card, spooled: Spooled) -> tuple[Card, Lock]:
        """The same with an upload, whose id the job has: nothing of it moves."""
        self._uploads.file_of(spooled)
        try:
            held = self._root.hold(card.id)
        except FileNotFoundError:
            raise UploadGoneError from None
        except ConfigurationError:
            raise InputError(IN_USE) from None
        try:
            # Another window may have begun the job, and ended it, a moment ago.
            card = card.model_copy(update={"file": self._uploads.file_of(spooled)})
            card = self._shelf.put(card)
            self._uploads.taken(spooled)
            self._root.drop_copies(card.id)
        except BaseException:
            held.release()
            raise
        return card, held

    def _take_up(self, job_id: str, states: tuple[State, ...], task: Task | None = None) -> None:
        """Have a job that nobody has, if it is still in one of these states."""
        self._check_open()
        work = self._line.get(job_id)
        if work is not None:  # it has noted its end, and lets go of the job any moment
            work.wait(LET_GO_WITHIN_S)
        held = self._held(job_id)
        if held is None:
            return
        try:
            card = self._card(job_id)
            if card.state not in states:
                held.release()
                return
            downloads.forget(self._root.near(job_id))
            is_lost = card.is_lost and job_id not in self._had
            card = self._shelf.put(card.lost_again() if is_lost else card.begun_anew(task))
            self._had.discard(job_id)
        except BaseException:
            held.release()
            raise
        if card.state in OVER:
            held.release()
            self._shelf.let_go(job_id)
        else:
            self._join(card, held, partial(self._model, card.model_name))

    def _card(self, job_id: str) -> Card:
        """The card as it is now: another process may have removed it."""
        try:
            return cards.read(self._root.cards, job_id)
        except FileNotFoundError:
            raise UnknownJobError from None

    def _held(self, job_id: str) -> Lock | None:
        """The lock of a job; None when another process, or another window, was first."""
        try:
            return self._root.hold(job_id)
        except (ConfigurationError, FileNotFoundError):
            return None

    def _join(self, card: Card, held: Lock, model: Callable[[], Model]) -> None:
        means = Means(
            model,
            partial(self._location, card),
            partial(self._options, card),
            self._shelf.put,
            self._shelf.let_go,
            self._ended,
            self._places,
        )
        work = Work(card, self._root, held, means)
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

    def _cancel_here(self, job_id: str) -> bool:
        """End a job that no process has; False when one has it."""
        held = self._held(job_id)
        if held is None:
            return False
        try:
            card = self._card(job_id)
            if card.state not in OVER:
                changes = {"state": "cancelled", "finished": datetime.now(UTC), "reason": ""}
                self._shelf.put(card.model_copy(update=changes))
        finally:
            held.release()
            self._shelf.let_go(job_id)
        return True

    def _ended(self, work: Work) -> None:
        self._had.add(work.card.id)
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
            return self._root.kept(card.id, card.file)
        return self.source(card.source).location

    def _options(self, card: Card) -> ScoreOptions:
        options, offered = card.score_options(), self._offered.reading
        reading = dataclasses.replace(
            options.reading, limits=offered.limits, schemes=offered.schemes
        )
        if card.file:
            reading = dataclasses.replace(reading, schemes=self._root.schemes)
        return dataclasses.replace(options, reading=reading)

    def _mine(self, job_id: str, owner: str) -> JobView:
        view = self.get(job_id, owner)
        if view is None:
            raise UnknownJobError
        return view

    def _view(self, seen: Seen) -> JobView:
        work = self._line.get(seen.card.id)
        if work is None and seen.card.is_active:
            # It may have ended here since it was looked at.
            seen = self._shelf.get(seen.card.id) or seen
        card = seen.card if work is None else work.card
        state, reason = card.state, card.reason
        if work is None and card.is_active:
            state, reason = self._standing(seen)
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

    def _standing(self, seen: Seen) -> tuple[State, str]:
        """State and reason of a job that is not here: of one whose process says nothing, too."""
        silent_s, root = seen.silence_s, self._root
        if silent_s is None:
            return "waiting", seen.card.reason or UNATTENDED
        if silent_s > MISSED * root.heard_every_s > 0:
            return "waiting", (
                f"nothing was heard for {silent_s:.0f} s of the process that has it; after "
                f"{root.taken_over_s:.0f} s another one takes it up"
            )
        return seen.card.state, seen.card.reason

    def _sweep(self) -> None:
        """Remove what is kept no longer; what can't be removed now is the next time."""
        kept, days = self._settings.jobs_kept, self._settings.jobs_kept_days
        with contextlib.suppress(OSError):
            found = [one.card for one in self._shelf.all()]
            for card in keeping.obsolete(found, kept, days):
                if keeping.remove(self._root, card.id):
                    self._shelf.forget(card.id)
            self._sweep_broken()

    def _sweep_broken(self) -> None:
        now_s = time.monotonic()
        if self._swept_s is None or not self._root.is_remote or now_s - self._swept_s > BROKEN_S:
            self._swept_s = now_s
            keeping.remove_broken(self._root)
            self._uploads.sweep()
            self._root.tidy()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise ConfigurationError("the dashboard is ending; try again in a moment")


def _root(settings: Settings) -> Root:
    """The folder of the settings, or what their URL leads to."""
    place = settings.jobs_folder
    if isinstance(place, str) and place.startswith("file://"):
        place = Path(unquote(urlsplit(place).path))
    if isinstance(place, str):
        return Bucket(place, settings.jobs_taken_over_s)
    return Folder(place)


def _check_here(view: JobView) -> None:
    if view.state in ("waiting", "running") and not view.is_here:
        raise InputError(
            "another process of the dashboard has this job; reload the page, and try again"
        )
