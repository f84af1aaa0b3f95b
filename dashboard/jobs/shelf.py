"""The cards of all jobs, read again when another process has changed them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

from dashboard.jobs import card as cards
from dashboard.jobs.card import END, Card
from dashboard.jobs.keeping import is_id
from dashboard.jobs.root import Root, trouble
from kserve_client.errors import InputError

# Other processes may work on the same jobs; their cards are looked at this often.
LOOK_S = 2.0
# So long the first page of a process waits for a storage that is elsewhere.
FIRST_LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A card, and for how long the process that has its job was silent; None when none has it."""

    card: Card
    silence_s: float | None

    @property
    def is_held(self) -> bool:
        """Whether a process has it."""
        return self.silence_s is not None


@dataclass(frozen=True, slots=True)
class _Kept:
    card: Card
    version: str
    silence_s: float | None
    asked_s: float

    def seen(self) -> Seen:
        """As it is now: what was asked some time ago has grown older since."""
        grown = time.monotonic() - self.asked_s if self.silence_s else 0.0
        return Seen(self.card, None if self.silence_s is None else self.silence_s + grown)


class Shelf:
    """All cards. May be shared between threads.

    A look takes one listing, and reads what has changed. In a folder whoever asks takes it; where it
    goes over a network it is taken in the background, and who asks gets what the last one found.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._changed_s: dict[str, float] = {}
        self._looked_s: float | None = None
        self._first = threading.Event()
        self.problem = ""

    def all(self) -> list[Seen]:
        """Every card, as it was when it was last looked at."""
        if self._is_due() and not self._root.is_remote:
            self.look()
        elif self._is_due() and not self._looking.locked():
            threading.Thread(target=self.look, name="batch-look", daemon=True).start()
        if self._root.is_remote and not (self.problem or self._first.wait(FIRST_LOOK_S)):
            self.problem = trouble(self._root, "read", "no answer yet")
        with self._lock:
            return [kept.seen() for kept in self._kept.values()]

    def get(self, job_id: str) -> Seen | None:
        """One card; None when there is no such job."""
        if not is_id(job_id):
            return None
        if self._root.is_remote:
            self.all()
        with self._lock:
            kept = self._kept.get(job_id)
        if not self._root.is_remote or (kept is None and not self.problem):
            kept = self._looked_at(job_id, kept)
        return None if kept is None else kept.seen()

    def put(self, card: Card) -> Card:
        """Keep a new or changed card, of a job that this process holds."""
        card.write(self._root.cards)
        self._take_in(card.id, _Kept(card, "", 0.0, time.monotonic()))
        return card

    def let_go(self, job_id: str) -> None:
        """This process holds the job no longer."""
        with self._lock:
            kept = self._kept.get(job_id)
        if kept is not None:
            self._take_in(job_id, replace(kept, silence_s=None))

    def forget(self, job_id: str) -> None:
        """The job is gone."""
        self._take_in(job_id, None)

    def look(self) -> None:
        """Look at all cards now; `problem` says in words why that can't be done, "" when it can."""
        if not self._looking.acquire(blocking=not self._root.is_remote):
            return
        try:
            begun_s = time.monotonic()
            self._root.check()
            self._replace(self._found(), begun_s)
            self.problem = ""
        except OSError as error:
            self.problem = trouble(self._root, "read", self._root.words(error))
        finally:
            self._looked_s = time.monotonic()
            self._looking.release()
            self._first.set()

    def _is_due(self) -> bool:
        return self._looked_s is None or time.monotonic() - self._looked_s > LOOK_S

    def _take_in(self, job_id: str, kept: _Kept | None) -> None:
        """What this process does counts for more than a look that began before."""
        with self._lock:
            self._changed_s[job_id] = time.monotonic()
            if kept is None:
                self._kept.pop(job_id, None)
            else:
                self._kept[job_id] = kept

    def _replace(self, found: dict[str, _Kept], begun_s: float) -> None:
        with self._lock:
            self._changed_s = {k: s for k, s in self._changed_s.items() if s >= begun_s}
            own = self._changed_s.keys()
            kept = {k: one for k, one in self._kept.items() if k in own}
            self._kept = {k: one for k, one in found.items() if k not in own} | kept

    def _found(self) -> dict[str, _Kept]:
        listed = self._root.cards.marks("")
        marks = {
            name.removesuffix(END): mark
            for name, mark in listed.items()
            if name.endswith(END) and is_id(name.removesuffix(END))
        }
        with self._lock:
            before = dict(self._kept)
        changed = {
            job_id
            for job_id, mark in marks.items()
            if job_id not in before or before[job_id].version != mark.version
        }
        read = self._root.cards.read_all(job_id + END for job_id in changed)
        found: dict[str, _Kept] = {}
        for job_id, mark in marks.items():
            data = read.get(job_id + END)
            if job_id not in changed:
                found[job_id] = self._asked(before[job_id])
            elif data is not None:
                card = cards.parsed(job_id, data, mark.changed_s)
                found[job_id] = self._asked(_Kept(card, mark.version, None, 0.0))
        return found

    def _looked_at(self, job_id: str, before: _Kept | None) -> _Kept | None:
        """One card as it is now; as it was, where that can't be told."""
        begun_s = time.monotonic()
        try:
            card = cards.read(self._root.cards, job_id)
            kept = self._asked(_Kept(card, "", None, 0.0))
        except FileNotFoundError:
            kept = None
        except (OSError, InputError):
            return before
        with self._lock:
            if self._changed_s.get(job_id, 0.0) > begun_s:
                return self._kept.get(job_id)
            if kept is None:
                self._kept.pop(job_id, None)
            else:
                self._kept[job_id] = kept
        return kept

    def _asked(self, kept: _Kept) -> _Kept:
        """The same card, with what is known of the process that has its job."""
        card, now_s = kept.card, time.monotonic()
        if card.is_left or not (card.is_active or card.state == "paused"):
            return replace(kept, silence_s=None)
        age_s = now_s - kept.asked_s
        is_over = kept.silence_s is not None and kept.silence_s + age_s > self._root.taken_over_s
        if kept.asked_s and age_s < self._root.heard_every_s and not is_over:
            return kept
        return replace(kept, silence_s=self._root.silence_s(card.id), asked_s=now_s)
