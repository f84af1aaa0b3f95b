"""A job that is worked on: chunks come in as they are done, in any order, and are kept.

What counts as done is a line of the ledger whose part exists with its size; the part is durable
before the line is. So a process killed at any moment loses what it had not written yet, at most,
and the rows of that are done again.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from kserve_client.errors import ConfigurationError, InputError
from kserve_client.scoring.job import ledger as ledgers
from kserve_client.scoring.job import lock, manifest
from kserve_client.scoring.job.beginning import (
    check_free,
    new_ledger,
    new_manifest,
    put_in_order,
    remove_unnamed,
)
from kserve_client.scoring.job.group_writer import GroupWriter
from kserve_client.scoring.job.ledger import Ledger
from kserve_client.scoring.job.listing import check_job_id, new_job_id
from kserve_client.scoring.job.manifest import (
    Counts,
    Facts,
    Figures,
    Manifest,
    ResultColumn,
    State,
    now,
)
from kserve_client.scoring.job.part_writer import PartWriter, first_results
from kserve_client.scoring.job.parts import (
    FOLDER,
    Part,
    WrittenPart,
    decoded,
    encoded,
    overlaid,
    slice_of,
)
from kserve_client.scoring.job.removal import remove_job
from kserve_client.scoring.job.saved import SavedJob, read_ledger, read_manifest
from kserve_client.scoring.job.spans import Spans
from kserve_client.scoring.job.store import Directory, Store, store_at
from kserve_client.scoring.results import ResultSchema
from kserve_client.scoring.rows import Scored

MEGABYTE = 1 << 20
GROUP_S = 0.25
REMOTE_GROUP_S = 2.0
GROUP_BYTES = 64 * MEGABYTE
# A page of a table reads a whole part.
PART_BYTES = 8 * MEGABYTE
MANIFEST_S = 5.0


@dataclass(frozen=True, eq=False, slots=True)
class _New:
    chunk: Scored
    tries: int
    elapsed_s: float


@dataclass(frozen=True, eq=False, slots=True)
class _Newer:
    chunk: Scored


_Item = _New | _Newer | WrittenPart


class Job(SavedJob):
    """A job that this process works on; a context manager. Call it from one thread.

    What `record` and `replace` take is written within a quarter of a second (two seconds in a remote
    directory), or by `flush`. They raise OSError when that could not be done, such as on a full disk;
    nothing that was saved is lost by that, and `flush` tries again.
    """

    def __init__(
        self,
        store: Store,
        about: Manifest,
        ledger: Ledger,
        held: lock.Lock,
        writer: PartWriter,
    ) -> None:
        super().__init__(store, about, ledger)
        self._held = held
        self._part_writer = writer
        self._recorded = Spans((part.start, part.stop) for part in ledger.parts())
        self._results = ledger.results
        self._saved = self._committed = ledger.counts()
        self._obsolete: list[Part] = []
        self._is_changed = self._is_closed = False
        self._kind: type = _New
        self._manifest_lock = threading.Lock()
        self._manifest_at = time.monotonic()
        self._group: GroupWriter[_Item] = GroupWriter(
            self._write,
            self._publish,
            interval_s=REMOTE_GROUP_S if store.path is None else GROUP_S,
            most_bytes=GROUP_BYTES,
        )

    @classmethod
    def create(
        cls,
        directory: Directory,
        facts: Facts,
        *,
        job_id: str | None = None,
        storage_options: Mapping[str, object] | None = None,
        held: lock.Lock | None = None,
    ) -> Self:
        """Begin a job in a directory that is new, or empty.

        `held` is the lock of a caller who has the directory already, and keeps it. Raises
        ConfigurationError when there is a job already, or other files are.
        """
        store = store_at(directory, storage_options)
        check_free(store)
        about = new_manifest(facts, check_job_id(job_id or new_job_id()))
        if store.path is not None:
            (store.path / FOLDER).mkdir(parents=True, exist_ok=True)
        held = lock.acquire(store) if held is None else lock.Lent(held)
        try:
            check_free(store)
            ledger = new_ledger(store)
            # There is a job as soon as there is a manifest.
            store.put(manifest.FILE, about.to_bytes())
            return cls(store, about, ledger, held, PartWriter(directory, storage_options))
        except BaseException:
            held.release()
            raise

    @classmethod
    def open(
        cls,
        directory: Directory,
        *,
        storage_options: Mapping[str, object] | None = None,
        held: lock.Lock | None = None,
        check_parts: bool = False,
    ) -> Self:
        """Go on with a job: what a killed process left half done is put in order.

        With `check_parts` every part is read and compared with its checksum; rows of a damaged one
        are to be done again. `held` is the lock of a caller who has the job already, and keeps it.
        Raises ConfigurationError when there is no job, when it is damaged, or another process works
        on it.
        """
        store = store_at(directory, storage_options)
        read_manifest(store)
        held = lock.acquire(store) if held is None else lock.Lent(held)
        try:
            ledger = read_ledger(store)
            ledger.check()
            put_in_order(store, ledger, held, check_parts=check_parts)
            about = read_manifest(store)
            return cls(store, about, ledger, held, PartWriter(directory, storage_options))
        except BaseException:
            held.release()
            raise

    def close(self) -> None:
        """Save what is left, and let others work on the job. Raises OSError when that fails."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._group.close()
            self._note()
        finally:
            self._held.release()
            super().close()

    def __exit__(self, *raised: object) -> None:
        """Close; an error that is on its way already goes before one of closing."""
        if raised[0] is None:
            self.close()
            return
        with contextlib.suppress(OSError, ConfigurationError):
            self.close()

    # What is done.

    def record(self, chunk: Scored, *, tries: int = 1, elapsed_s: float = 0.0) -> Scored:
        """Keep what became of rows that are not recorded yet; return it as it is kept.

        The first chunk with results fixes the result columns; what does not fit under them later is
        an error of its rows. `tries` is how often the chunk was sent, `elapsed_s` how long its
        requests took. Raises ValueError when some of the rows are recorded already; OSError when
        writing failed, maybe that of rows before.
        """
        if not len(chunk):
            return chunk
        if self._recorded.touches(chunk.rows.start, chunk.rows.stop):
            raise _recorded_already(chunk.rows.start, chunk.rows.stop)
        self._take_up(_New)
        chunk = self._fitted(chunk)
        self._group.add(_New(chunk, tries, elapsed_s), _size(chunk))
        self._recorded.add(chunk.rows.start, chunk.rows.stop)
        return chunk

    def record_part(self, written: WrittenPart) -> bool:
        """Keep a part that a `PartWriter` wrote. False when its rows are recorded already.

        A part with other result columns than the job's is written anew, as `record` would have it.
        Raises ValueError when only some of its rows are recorded.
        """
        part = written.part
        if self._recorded.touches(part.start, part.stop):
            self._drop_twin(part)
            return False
        self._take_up(WrittenPart)
        self._results = self._results or written.results
        if written.results not in (None, self._results):
            written = self._written_anew(part)
        self._group.add(written, 0)
        self._recorded.add(part.start, part.stop)
        return True

    def replace(self, chunk: Scored) -> Scored:
        """Put what became of rows that were tried again in the place of what was recorded of them.

        Each part is replaced whole: after a crash it is the old or the new one. The cells stay what
        they were. Returns and raises as `record` does; ValueError for rows that are not recorded.
        """
        if not len(chunk):
            return chunk
        if not self._recorded.covers(chunk.rows.start, chunk.rows.stop):
            raise ValueError(f"rows {chunk.rows.start} to {chunk.rows.stop} are not recorded")
        self._take_up(_Newer)
        chunk = self._fitted(chunk)
        self._group.add(_Newer(chunk), _size(chunk))
        return chunk

    def source_ended(self, total_rows: int) -> None:
        """Say how many rows the source has, once that is known.

        Raises InputError when another number was said before, or more rows are recorded.
        """
        known = self._ledger.total_rows
        if known not in (None, total_rows) or self._recorded.end > total_rows:
            more = known if known is not None else self._recorded.end
            raise InputError(
                f"the input has changed: it has {total_rows} rows, and had {more} when the job in "
                f"{self.where} was begun; start a new job"
            )
        self.flush()
        self._ledger.commit(total_rows=total_rows)
        self._committed = self._committed.model_copy(update={"total_rows": total_rows})
        self._is_changed = True
        self._publish()

    def flush(self) -> None:
        """Wait until all that was recorded is saved. Raises OSError when that can't be done."""
        self._group.flush()

    def update(
        self,
        state: State | None = None,
        *,
        reason: str = "",
        figures: Figures | None = None,
        answered_version: str = "",
    ) -> None:
        """Save all, and note a new state, why, what the run took, or which version answers.

        Raises ValueError for "finished" when rows are still to be done.
        """
        self.flush()
        if state == "finished" and not self.counts.is_complete:
            raise ValueError("a job is finished when all its rows are dealt with")
        changes: dict[str, Any] = {} if state is None else _state_changes(self._manifest, state)
        changes |= {} if state is None else {"reason": reason}
        changes |= {} if figures is None else {"figures": figures}
        if answered_version:
            changes["facts"] = _with_version(self._manifest.facts, answered_version)
        self._note(changes)

    def remaining(self) -> list[range]:
        """The row numbers still to be done; the last span ends at `UNKNOWN_END` without a total."""
        return self._recorded.gaps(self._ledger.total_rows)

    def tidy(self) -> None:
        """Save all, and remove parts that do not count: of tasks that were run twice.

        No row is forgotten: the listing of a storage may be behind what was written to it.
        """
        self.flush()
        remove_unnamed(self._store, self._ledger, self._store.sizes(FOLDER))

    def part_writer(self) -> PartWriter:
        """What a worker on another machine writes parts with."""
        return self._part_writer

    @property
    def schema(self) -> ResultSchema | None:
        """The result columns, as a sink takes them; None before the first answer."""
        return self._results

    @property
    def counts(self) -> Counts:
        """The rows whose outcome is saved."""
        return self._saved

    def delete(self) -> None:
        """Close the job and remove it."""
        with contextlib.suppress(OSError):
            self.close()
        remove_job(self._store)

    # How it is kept. `_write` and `_publish` run in the thread of the group writer.

    def _take_up(self, kind: type) -> None:
        """A group is of one kind, so that what is replaced is in the ledger before."""
        if kind is not self._kind:
            self.flush()
            self._kind = kind

    def _fitted(self, chunk: Scored) -> Scored:
        self._results = self._results or first_results([chunk])
        return chunk if self._results is None else self._results.fit(chunk)

    def _written_anew(self, part: Part) -> WrittenPart:
        chunks = list(self._chunks(part))
        again = self._part_writer.write(
            chunks, self._results, tries=part.tries, elapsed_s=part.elapsed_s
        )
        self._store.remove(part.path)
        return again

    def _drop_twin(self, part: Part) -> None:
        self.flush()
        known = list(self._ledger.parts(part.start, part.stop))
        if [(p.start, p.stop) for p in known] != [(part.start, part.stop)]:
            raise _recorded_already(part.start, part.stop)
        if known[0].name != part.name:
            self._store.remove(part.path)

    def _read_again(self) -> None:
        """The ledger of the one who works on a job is the newest."""

    def _write(self, items: list[_Item]) -> None:
        self._held.check()
        added: list[Part] = []
        try:
            dropped = list(self._write_parts(items, added))
            self._store.settle(FOLDER)
            self._ledger.commit(added, dropped, results=self._results)
        except BaseException:
            self._take_back(added, items)
            raise
        self._committed = _after(self._committed, added, dropped)
        self._obsolete += dropped
        self._is_changed = True

    def _write_parts(self, items: Sequence[_Item], added: list[Part]) -> Iterator[Part]:
        """Write the files, note their parts in `added`, give the parts they replace."""
        added += [item.part for item in items if isinstance(item, WrittenPart)]
        for run in _runs([item for item in items if isinstance(item, _New)]):
            self._add(added, [item.chunk for item in run], *_cost(run))
        newer = [item.chunk for item in items if isinstance(item, _Newer)]
        for part, chunks in self._touched(newer):
            old = list(decoded(part, self._store.read(part.path)))
            self._add(
                added, [overlaid(old, chunks, self.result_schema)], part.tries + 1, part.elapsed_s
            )
            yield part

    def _add(
        self, added: list[Part], chunks: Sequence[Scored], tries: int, elapsed_s: float
    ) -> None:
        part, data = encoded(chunks, self.result_schema, tries=tries, elapsed_s=elapsed_s)
        added.append(part)
        self._store.add(part.path, data)

    def _touched(self, chunks: Sequence[Scored]) -> list[tuple[Part, list[Scored]]]:
        """The parts that hold these rows, each with the rows that it holds."""
        found: dict[int, tuple[Part, list[Scored]]] = {}
        for chunk in chunks:
            for part in self._ledger.parts(chunk.rows.start, chunk.rows.stop):
                start, stop = max(part.start, chunk.rows.start), min(part.stop, chunk.rows.stop)
                piece = slice_of(chunk, start - chunk.rows.start, stop - start)
                found.setdefault(part.start, (part, []))[1].append(piece)
        return list(found.values())

    def _take_back(self, added: Sequence[Part], items: Sequence[_Item]) -> None:
        """Remove files that no ledger will name; what a worker wrote is still to be recorded."""
        given = {item.part.name for item in items if isinstance(item, WrittenPart)}
        for part in added:
            if part.name not in given:
                with contextlib.suppress(OSError):
                    self._store.remove(part.path)

    def _publish(self) -> None:
        """Make saved what is committed, then remove what it replaced."""
        self._held.check()
        if self._is_changed and self._store.path is None:
            lock.put_over(self._store, self._held, ledgers.FILE, self._ledger.dump())
        self._is_changed = False
        self._saved = self._committed
        obsolete, self._obsolete = self._obsolete, []
        for part in obsolete:
            # What stays is removed when the job is opened the next time.
            with contextlib.suppress(OSError):
                self._store.remove(part.path)
        if time.monotonic() - self._manifest_at >= MANIFEST_S:
            self._note()

    def _note(self, changes: Mapping[str, Any] | None = None) -> None:
        """Write the manifest."""
        with self._manifest_lock:
            columns = [
                ResultColumn(name=f.name, type=str(f.type)) for f in self.result_schema or ()
            ]
            update = {"counts": self._saved, "results": tuple(columns), "updated": now()}
            about = self._manifest.model_copy(update={**update, **(changes or {})})
            lock.put_over(self._store, self._held, manifest.FILE, about.to_bytes())
            self._manifest = about
            self._manifest_at = time.monotonic()


def _state_changes(about: Manifest, state: State) -> dict[str, Any]:
    moment = now()
    started = about.started or (moment if state == "running" else None)
    is_over = state in ("stopped", "cancelled", "finished")
    return {"state": state, "started": started, "finished": moment if is_over else None}


def _with_version(facts: Facts, answered_version: str) -> Facts:
    model = facts.model.model_copy(update={"answered_version": answered_version})
    return facts.model_copy(update={"model": model})


def _recorded_already(start: int, stop: int) -> ValueError:
    return ValueError(f"some of the rows {start} to {stop} are recorded already")


def _size(chunk: Scored) -> int:
    batches = (chunk.rows.cells, chunk.results)
    return sum(int(batch.nbytes) for batch in batches if batch is not None)


def _runs(items: Sequence[_New]) -> Iterator[list[_New]]:
    """Chunks that follow each other, at most about `PART_BYTES` together."""
    run: list[_New] = []
    size = 0
    for item in sorted(items, key=lambda item: item.chunk.rows.start):
        if run and (size >= PART_BYTES or not _follows(run[-1].chunk, item.chunk)):
            yield run
            run, size = [], 0
        run.append(item)
        size += _size(item.chunk)
    if run:
        yield run


def _follows(before: Scored, after: Scored) -> bool:
    is_next = before.rows.stop == after.rows.start
    return is_next and bool(before.rows.cells.schema.equals(after.rows.cells.schema))


def _cost(run: Sequence[_New]) -> tuple[int, float]:
    return max(item.tries for item in run), sum(item.elapsed_s for item in run)


def _after(counts: Counts, added: Sequence[Part], dropped: Sequence[Part]) -> Counts:
    def change(name: str) -> int:
        gained = sum(getattr(part, name) for part in added)
        return int(gained - sum(getattr(part, name) for part in dropped))

    names = ("ok", "failed", "skipped")
    return counts.model_copy(update={name: getattr(counts, name) + change(name) for name in names})
