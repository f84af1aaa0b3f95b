"""A run that is being prepared: the table, which column is what, what is wrong with it, a trial.

Knows no Streamlit; one session has one draft per model.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Self

import pyarrow as pa

from dashboard.digest import renamed
from dashboard.jobs import NamedSource, Spooled
from kserve_client.errors import InputError, KServeClientError
from kserve_client.model import Model
from kserve_client.scoring import ReadOptions, Rows, Scored, ScoreOptions, Summary, scored
from kserve_client.scoring.checking import Checker, Finding, Findings
from kserve_client.scoring.doubts import Doubt, Doubts
from kserve_client.scoring.mapping import Mapping, suggest
from kserve_client.scoring.results import ResultSchema, table
from kserve_client.scoring.sources import Location, Preview, opened, preview
from kserve_client.scoring.treatment import Action, Treatment, Trouble
from kserve_client.signature import Scalar, Signature

TRIAL_ROWS = 10
TIMED_ROWS = 1_000
# When ten rows take longer than this, a thousand would keep a person waiting.
QUICK_S = 0.5
TRIAL_PATIENCE_S = 5.0


class Look:
    """The check of a whole table, some of it at a time: a script may end at any moment.

    It ends at a `doubt`, which a person has to settle.
    """

    def __init__(self, signature: Signature, draft: Draft) -> None:
        names, decimal = draft.preview.names, draft.preview.found.decimal
        self._checker = Checker(signature, draft.mapping, decimal, key=draft.key)
        found = draft.preview.found
        self._doubts = Doubts(signature, draft.mapping, names, found, draft.reading)
        self._batches = _batches(draft.location, draft.reading, names)
        self.doubt: Doubt | None = None
        self.rows = 0
        self.is_over = False
        self.is_whole = False
        self.problem: KServeClientError | None = None
        self._found: Findings | None = None

    def go_on(self, seconds: float) -> None:
        """Look at more of the table for about so long; `problem` says where it can't be read."""
        until = time.monotonic() + seconds
        try:
            while not self.is_over and time.monotonic() < until:
                self._add_batch()
        except KServeClientError as error:
            self.problem, self.is_over = error, True

    def _add_batch(self) -> None:
        rows = next(self._batches, None)
        if rows is None:
            self.is_over = self.is_whole = True
            return
        self.doubt = self._doubts.find(rows)
        if self.doubt is not None:
            self.stop()
            return
        self._checker.add(rows)
        self.rows += len(rows)

    def stop(self) -> None:
        """Leave it at what was found so far."""
        self.is_over = True
        self._batches = iter(())

    @property
    def findings(self) -> Findings:
        """What was found; only once it is over."""
        if self._found is None:
            self._found = self._checker.findings()
        return self._found


def _batches(location: Location, reading: ReadOptions, names: tuple[str, ...]) -> Iterator[Rows]:
    with opened(location, reading) as source:
        for rows in source.read():
            yield renamed(rows, names)


@dataclass(frozen=True, eq=False, slots=True)
class Trial:
    """What became of the first rows. `rows` are as they would be written; rates are of `timed` rows."""

    rows: pa.Table
    summary: Summary
    timed: Summary

    def seconds_for(self, rows: int) -> float | None:
        """How long so many rows take at the rate of the trial; None when nothing was answered."""
        rate = self.timed.rows_per_s
        return rows / rate if rate and self.timed.ok else None


@dataclass(slots=True)
class Preparation:
    """What one session prepares: a table, how it is read, and its draft or why there is none."""

    source: Spooled | NamedSource
    reading: ReadOptions
    draft: Draft | None = None
    problem: KServeClientError | None = None

    def read(self, signature: Signature) -> None:
        """Look at the start of the table; what was prepared before is forgotten."""
        if self.draft is not None:
            self.draft.forget_look()
        self.draft = self.problem = None
        try:
            self.draft = Draft.begin(self.source, self.reading, signature)
        except KServeClientError as error:
            self.problem = error


@dataclass(slots=True)
class Draft:
    """A table on its way to become a job.

    `mapping` is as it stands now, `is_mapped` once nothing about it is open. `actions` and `fills`
    are what is to be done about what `look` found; `key` is the column whose cells should differ.
    """

    source: Spooled | NamedSource
    reading: ReadOptions
    preview: Preview
    first_rows: Rows | None
    suggested: Mapping
    mapping: Mapping
    is_mapped: bool = False
    key: str | None = None
    look: Look | None = None
    actions: dict[str, dict[Trouble, Action]] = field(default_factory=dict)
    fills: dict[str, Scalar] = field(default_factory=dict)
    trial: Trial | None = None

    @classmethod
    def begin(
        cls, source: Spooled | NamedSource, reading: ReadOptions, signature: Signature
    ) -> Self:
        """Look at the start of a table, and propose which column is what.

        Raises InputError when it can't be read, ConfigurationError when an extra is missing.
        """
        location = location_of(source)
        found = preview(location, reading)
        first = next(iter(islice(_batches(location, reading, found.names), 1)), None)
        if first is None or not len(first):
            raise InputError("the file has a header, but no rows")
        proposed = suggest(signature, found.names, first)
        draft = cls(source, reading, found, first, proposed, proposed)
        draft.is_mapped = not proposed.unsure and draft.mapping_problem(signature) == ""
        return draft

    @property
    def location(self) -> Path | str:
        """Where the table is."""
        return location_of(self.source)

    @property
    def name(self) -> str:
        """What people call the table."""
        return self.source.name

    @property
    def id(self) -> str:
        """What tells this draft from another one; for the keys of widgets."""
        return self.source.id if isinstance(self.source, Spooled) else self.source.name

    def mapping_problem(self, signature: Signature) -> str:
        """Why the mapping can't be used; "" when it can."""
        try:
            self.mapping.check(signature, self.preview.names)
        except InputError as error:
            return str(error)
        return ""

    def take_mapping(self, mapping: Mapping, *, is_mapped: bool) -> None:
        """Use another mapping; what was found by the one before says nothing any more."""
        if mapping != self.mapping:
            self.forget_look()
        self.mapping, self.is_mapped = mapping, is_mapped

    def take_key(self, key: str | None) -> None:
        """Look for repeated cells in another column."""
        if key != self.key:
            self.key = key
            self.forget_look()

    def forget_look(self) -> None:
        """Check the table anew."""
        if self.look is not None:
            self.look.stop()
        self.look, self.trial = None, None

    def act(self, feature: str, trouble: Trouble, action: Action) -> None:
        """Choose what to do about a finding."""
        chosen = self.actions.setdefault(feature, {})
        if chosen.get(trouble, "send") != action:
            chosen[trouble] = action
            self.trial = None

    def fill(self, feature: str, value: Scalar | None) -> None:
        """Choose what stands for a missing value."""
        if self.fills.get(feature) != value:
            self.trial = None
        if value is None:
            self.fills.pop(feature, None)
        else:
            self.fills[feature] = value

    def options(self, signature: Signature) -> ScoreOptions:
        """How the table is to be scored. Raises InputError when a fix lacks its value."""
        known = {item.feature: set[Trouble]() for item in self._items}
        for item in self._items:
            known[item.feature].add(item.trouble)
        chosen = {
            name: {t: a for t, a in found.items() if t in known.get(name, ())}
            for name, found in self.actions.items()
        }
        treatment = Treatment.of(
            signature, chosen, {n: v for n, v in self.fills.items() if n in chosen}
        )
        return ScoreOptions(reading=self.reading, mapping=self.mapping, treatment=treatment)

    @property
    def _items(self) -> tuple[Finding, ...]:
        return self.look.findings.items if self.look is not None and self.look.is_over else ()

    def try_out(self, model: Model) -> Trial:
        """Score the first ten rows; where that is quick, a thousand more to learn the rate."""
        options = replace(self.options(model.signature), patience_s=TRIAL_PATIENCE_S)
        chunks, summary = _scored(model, self.location, replace(options, limit=TRIAL_ROWS))
        timed = summary
        if summary.ok and summary.elapsed_s < QUICK_S:
            _, timed = _scored(model, self.location, replace(options, limit=TIMED_ROWS))
        self.trial = Trial(_table(chunks), summary, timed)
        return self.trial


def location_of(source: Spooled | NamedSource) -> Path | str:
    """Where a table is."""
    return source.path if isinstance(source, Spooled) else source.location


def _scored(
    model: Model, location: Location, options: ScoreOptions
) -> tuple[list[Scored], Summary]:
    run = scored(model, location, options)
    chunks: list[Scored] = []
    while True:
        try:
            chunks.append(next(run))
        except StopIteration as end:
            summary: Summary = end.value
            return chunks, summary


def _table(chunks: list[Scored]) -> pa.Table:
    """The rows as they would be written."""
    answered = [chunk for chunk in chunks if chunk.results is not None]
    if answered:
        schema = ResultSchema.of(answered[0])
    else:
        schema = ResultSchema.without_answers(chunks[0].rows.cells.schema.names)
    batches = [table(chunk, schema) for chunk in chunks]
    return pa.Table.from_batches([batch.cast(batches[0].schema) for batch in batches])
