"""A job as it lies in its directory: what it is of, how far it is, and its rows.

Reading needs no lock: parts are never changed and the ledger names those that count, so that a
reader sees a state that was true, while another process works on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import sub
from typing import Self

import pyarrow as pa

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job import ledger as ledgers
from kserve_client.scoring.job import lock, manifest
from kserve_client.scoring.job.changes import check_unchanged
from kserve_client.scoring.job.ledger import Ledger
from kserve_client.scoring.job.manifest import Counts, Facts, Manifest, State
from kserve_client.scoring.job.parts import Part, damaged, decoded, slice_of
from kserve_client.scoring.job.removal import remove_job
from kserve_client.scoring.job.store import Directory, Store, store_at
from kserve_client.scoring.results import ResultSchema, table
from kserve_client.scoring.rows import Rows, Scored


class SavedJob:
    """A job to look at. A context manager; a remote one is as it was when it was opened."""

    def __init__(self, store: Store, about: Manifest, ledger: Ledger) -> None:
        self._store, self._manifest, self._ledger = store, about, ledger
        self._copies: list[Ledger] = []

    @classmethod
    def open(
        cls, directory: Directory, *, storage_options: Mapping[str, object] | None = None
    ) -> Self:
        """Open the job of a directory.

        Raises ConfigurationError when there is none, or it is damaged or of a newer version.
        """
        store = store_at(directory, storage_options)
        return cls(store, read_manifest(store), read_ledger(store))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for ledger in (self._ledger, *self._copies):
            ledger.close()

    @property
    def where(self) -> str:
        """The directory, without secrets."""
        return self._store.where

    @property
    def manifest(self) -> Manifest:
        """What the job is of and how far it was when the manifest was written."""
        return self._manifest

    @property
    def job_id(self) -> str:
        """Its id; who knows it may be let at the results."""
        return self._manifest.job_id

    @property
    def counts(self) -> Counts:
        """The rows whose outcome is saved."""
        return self._ledger.counts()

    @property
    def state(self) -> State:
        """The state; "stopped" when it says it runs, but nobody works on it."""
        return standing(self._manifest, is_running=self.is_running())[0]

    def is_running(self) -> bool:
        """Whether some process works on it now."""
        return lock.is_held(self._store)

    def check(self, facts: Facts) -> None:
        """Raise InputError or ConfigurationError, saying what changed, when the run is of other facts."""
        check_unchanged(self._manifest.facts, facts, self.where)

    @property
    def schema(self) -> ResultSchema | None:
        """The result columns, as a sink takes them; None before the first answer."""
        return self._ledger.results

    @property
    def result_schema(self) -> pa.Schema | None:
        """The names the answers have and their types; None before the first answer."""
        schema = self.schema
        return None if schema is None else schema.results

    def scored(
        self, start: int = 0, stop: int | None = None, *, is_partial: bool = False
    ) -> Iterator[Scored]:
        """The rows from `start` to `stop` in order, a chunk at a time, with what became of them.

        Raises ConfigurationError when a row is missing, unless `is_partial`, and when a part is
        damaged.
        """
        at = start
        for part in self._ledger.parts(start, stop):
            first = max(part.start, start)
            last = part.stop if stop is None else min(part.stop, stop)
            if first > at and not is_partial:
                raise self._missing(at, first)
            for chunk in self._chunks(part, is_checked=not is_partial):
                yield from _cut(chunk, first, last)
            at = last
        if not is_partial:
            self._check_end(at, stop)

    def _check_end(self, at: int, stop: int | None) -> None:
        end = self._ledger.total_rows if stop is None else stop
        if end is None:
            raise ConfigurationError(
                f"the job in {self.where} is not done: {at} rows are, and the end of the input was "
                "not reached; resume it"
            )
        if at < end:
            raise self._missing(at, end)

    def _missing(self, start: int, stop: int) -> ConfigurationError:
        return ConfigurationError(
            f"the job in {self.where} is not done: rows {start + 1} to {stop} are missing; resume it"
        )

    def _chunks(self, part: Part, *, is_checked: bool = True) -> Iterator[Scored]:
        part, data = self._bytes_of(part)
        yield from decoded(part, data, is_checked=is_checked)

    def _bytes_of(self, part: Part) -> tuple[Part, bytes]:
        """The bytes of a part; where it was replaced meanwhile, those of the one in its place."""
        try:
            return part, self._store.read(part.path)
        except FileNotFoundError:
            self._read_again()
        now = next(self._ledger.parts(part.start, part.stop), None)
        if now is None or now.name == part.name:
            raise damaged(part)
        try:
            return now, self._store.read(now.path)
        except FileNotFoundError:
            raise damaged(now) from None

    def _read_again(self) -> None:
        """A remote ledger is a copy; the old one stays open for whoever is in the middle of it."""
        if self._store.path is None:
            self._copies.append(self._ledger)
            self._ledger = read_ledger(self._store)

    def results(self) -> Iterator[pa.RecordBatch]:
        """All rows as a table: original columns, result columns, state and error.

        Batches have one schema; rows from before the first answer have null results. Raises as
        `scored` does. `sinks.opened(..., schema=job.schema)` takes what `scored` gives as well.
        """
        schema, first = self.schema, None
        for chunk in self.scored():
            schema = schema or ResultSchema.without_answers(chunk.rows.cells.schema.names)
            batch = table(chunk, schema)
            first = first or batch.schema
            yield batch if batch.schema.equals(first) else batch.cast(first)

    def failed_rows(self) -> Iterator[Rows]:
        """The rows that failed or were skipped, runs of them that follow each other."""
        for part in self._ledger.parts():
            if not part.is_whole:
                for chunk in self._chunks(part):
                    yield from _not_ok(chunk)

    def first_failure(self) -> tuple[int, str] | None:
        """The first row that failed, from 0, and why; None without one."""
        for part in self._ledger.parts():
            for chunk in self._chunks(part) if part.failed else ():
                if chunk.errors:
                    at = min(chunk.errors)
                    return chunk.rows.start + at, chunk.errors[at]
        return None

    def predicted_row(self) -> Rows | None:
        """A row that has a result; None without one."""
        for part in self._ledger.parts():
            for chunk in self._chunks(part) if part.ok else ():
                if (found := chunk.predicted_row()) is not None:
                    return found
        return None

    def delete(self) -> None:
        """Remove the job from its directory. Raises ConfigurationError while a process works on it."""
        self.close()
        remove_job(self._store)


def read_manifest(store: Store) -> Manifest:
    """The manifest. Raises ConfigurationError when there is none."""
    try:
        data = store.read(manifest.FILE)
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigurationError(
            f"there is no job in {store.where} ({manifest.FILE} is missing)"
        ) from None
    return Manifest.from_bytes(data, store.where)


def read_ledger(store: Store) -> Ledger:
    """The ledger. Raises ConfigurationError when there is none, or it is damaged."""
    if store.path is not None:
        return Ledger.open(store.path / ledgers.FILE, store.where)
    try:
        return Ledger.loaded(store.read(ledgers.FILE), store.where)
    except FileNotFoundError:
        raise ConfigurationError(
            f"the job in {store.where} has no ledger ({ledgers.FILE} is missing)"
        ) from None


def standing(about: Manifest, *, is_running: bool) -> tuple[State, str]:
    """State and reason as they are, though the process that should have noted them is gone."""
    if about.state in ("running", "paused") and not is_running:
        return "stopped", "the process that ran it ended before it was done"
    return about.state, about.reason


def _cut(chunk: Scored, first: int, last: int) -> Iterator[Scored]:
    """What of a chunk lies between two row numbers."""
    start, stop = max(chunk.rows.start, first), min(chunk.rows.stop, last)
    if (start, stop) == (chunk.rows.start, chunk.rows.stop):
        yield chunk
    elif start < stop:
        yield slice_of(chunk, start - chunk.rows.start, stop - start)


def _not_ok(chunk: Scored) -> Iterator[Rows]:
    places = sorted(chunk.errors.keys() | chunk.skipped.keys())
    numbered = enumerate(places)
    for _, run in groupby(numbered, key=lambda pair: sub(*pair)):
        at = [place for _, place in run]
        yield chunk.rows.slice(at[0], len(at))
