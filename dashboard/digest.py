"""What the results of a job add up to, and the rows of it that somebody looks for.

Everything here goes through the parts of a job once, in memory that does not grow with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kserve_client.predictions import ANSWER_COLUMN
from kserve_client.scoring import Rows, Scored
from kserve_client.scoring.drift import Drift, DriftWatch
from kserve_client.scoring.job import SavedJob
from kserve_client.scoring.mapping import Mapping, Origin
from kserve_client.scoring.results import ResultSchema, table
from kserve_client.scoring.sources import Found, nameable
from kserve_client.scoring.sources.surveying import texts
from kserve_client.signature import Signature

MOST_ANSWERS = 200
MOST_REASONS = 200
MOST_SEGMENTS = 12
MOST_VALUES = 10_000
MOST_FOUND = 1_000
BINS = 20
OTHERS = "others"
NO_VALUE = "no value"
Which = Literal["all", "ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Share:
    """So many rows have this."""

    words: str
    rows: int


@dataclass(frozen=True, slots=True)
class Digest:
    """What the results of a job add up to.

    `answers` counts the predictions: by value where they are words or few, else in equal bins, which
    `is_numeric` says. `failures` and `skipped` count rows by the reason, the commonest first.
    """

    answers: tuple[Share, ...] = ()
    is_numeric: bool = False
    failures: tuple[Share, ...] = ()
    skipped: tuple[Share, ...] = ()
    drift: tuple[Drift, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows somebody wants to see: of one outcome, with one answer, with a text in a cell.

    A cell has the text whatever its case. Columns at the positions `hidden` are not looked at.
    """

    which: Which = "all"
    answer: str | None = None
    text: str = ""
    hidden: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Page:
    """Some rows as they are written, with their numbers from 0, which may have gaps."""

    rows: pa.Table
    numbers: tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Matches:
    """The first 1,000 rows that are wanted, with their numbers from 0, and how many there are."""

    rows: pa.Table | None
    numbers: tuple[int, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Segment:
    """The answers among the rows with one value of a column.

    `answers` are rows by answer; `mean` is that of a numeric answer, None for words.
    """

    words: str
    rows: int
    answers: dict[str, int]
    mean: float | None


def mapping_of(saved: SavedJob) -> Mapping:
    """Which column each input was read from."""
    facts = saved.manifest.facts
    if facts.options.mapping:
        return Mapping.model_validate(facts.options.mapping)
    origins = {name: Origin(column=name) for name in nameable(facts.input.columns)}
    return Mapping(origins=origins)


def digest(saved: SavedJob, signature: Signature) -> Digest:
    """Add up the results of a job, those it has so far."""
    facts = saved.manifest.facts.input
    names = nameable(facts.columns)
    watch = DriftWatch(signature, mapping_of(saved), Found(**facts.found).decimal)
    answers, failures, skipped = _Answers(), Counter[str](), Counter[str]()
    for chunk in chunks(saved):
        answers.add(answer_of(chunk))
        _count_some(failures, Counter(chunk.errors.values()), MOST_VALUES)
        _count_some(skipped, Counter(chunk.skipped.values()), MOST_VALUES)
        watch.add(renamed(chunk.rows, names))
    shares = answers.words() if not answers.is_numeric else _histogram(saved, answers)
    return Digest(
        shares,
        answers.is_numeric,
        _shares(failures, MOST_REASONS),
        _shares(skipped, MOST_REASONS),
        watch.found(),
    )


def chunks(saved: SavedJob) -> Iterator[Scored]:
    """The rows that are done, in order."""
    yield from saved.scored(is_partial=True)


def renamed(rows: Rows, names: Iterable[str]) -> Rows:
    """Rows under the names by which people, and mappings, call the columns."""
    cells = pa.RecordBatch.from_arrays(rows.cells.columns, names=list(names))
    return Rows(rows.start, cells, rows.problems)


def answer_of(chunk: Scored) -> pa.Array | None:
    """The column with the answer; None where no row has one."""
    if chunk.results is None or ANSWER_COLUMN not in chunk.results.schema.names:
        return None
    column = chunk.results.column(ANSWER_COLUMN)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _count_some(into: Counter[str], more: Counter[str], most: int) -> None:
    """Count; beyond so many distinct words all new ones are one."""
    for words, rows in more.items():
        into[words if words in into or len(into) < most else OTHERS] += rows


def _shares(counts: Counter[str], most: int) -> tuple[Share, ...]:
    named = counts.most_common(most)
    rest = counts.total() - sum(rows for _, rows in named)
    return tuple(Share(words, rows) for words, rows in [*named, *([(OTHERS, rest)] * bool(rest))])


# Answers


class _Answers:
    """Counts answers: words by their value, numbers by their least and greatest first."""

    def __init__(self) -> None:
        self.is_numeric = False
        self.low, self.high = np.inf, -np.inf
        self._counts: Counter[str] = Counter()

    def add(self, column: pa.Array | None) -> None:
        if column is None:
            return
        if pa.types.is_floating(column.type):
            self.is_numeric = True
            numbers = finite(column)
            if len(numbers):
                self.low = min(self.low, float(numbers.min()))
                self.high = max(self.high, float(numbers.max()))
            return
        _count_some(self._counts, counted(column), MOST_VALUES)

    def words(self) -> tuple[Share, ...]:
        return _shares(self._counts, MOST_ANSWERS)


def finite(column: pa.Array) -> NDArray[np.float64]:
    """The numbers of a column, without gaps, NaN and infinities."""
    numbers = column.drop_null().cast(pa.float64()).to_numpy(zero_copy_only=False)
    found: NDArray[np.float64] = numbers[np.isfinite(numbers)]
    return found


def counted(column: pa.Array) -> Counter[str]:
    """Rows by value in words; rows without one are not counted."""
    found = column.drop_null().value_counts()
    values, rows = found.field("values"), found.field("counts").to_pylist()
    return Counter(dict(zip(texts(values), rows, strict=True)))


def _histogram(saved: SavedJob, answers: _Answers) -> tuple[Share, ...]:
    """Numbers in equal bins from the least to the greatest; each edge belongs to the bin above."""
    if answers.low > answers.high:
        return ()
    if answers.low == answers.high:
        rows = sum(len(finite(a)) for c in chunks(saved) if (a := answer_of(c)) is not None)
        return (Share(f"{answers.low:.4g}", rows),)
    counts, edges = np.zeros(BINS, np.int64), np.linspace(answers.low, answers.high, BINS + 1)
    for chunk in chunks(saved):
        column = answer_of(chunk)
        if column is not None:
            counts += np.histogram(finite(column), edges)[0]
    words = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges.tolist())]
    return tuple(Share(w, rows) for w, rows in zip(words, counts.tolist(), strict=True))


# Rows


def page(saved: SavedJob, start: int, count: int) -> Page | None:
    """Those of some rows of a job, by number, that are done; None when none of them is."""
    found = list(saved.scored(start, start + count, is_partial=True))
    schema = saved.schema
    rows = _joined([_batch(chunk, schema) for chunk in found])
    numbers = (range(chunk.rows.start, chunk.rows.stop) for chunk in found)
    return None if rows is None else Page(rows, tuple(chain.from_iterable(numbers)))


def end(saved: SavedJob) -> int:
    """The number after the last row that is done; after a run that broke off, gaps may be before it."""
    done = saved.counts.done
    # No gap without rows beyond so many: as a rule this reads nothing.
    return max((chunk.rows.stop for chunk in saved.scored(done, is_partial=True)), default=done)


def find(saved: SavedJob, wanted: Wanted) -> Matches:
    """The rows that are wanted."""
    schema = saved.schema
    kept: list[pa.RecordBatch] = []
    numbers: list[int] = []
    total = 0
    for chunk in chunks(saved):
        at = np.flatnonzero(_wanted(chunk, wanted))
        total += len(at)
        at = at[: MOST_FOUND - len(numbers)]
        if len(at):
            kept.append(_batch(chunk, schema).take(pa.array(at)))
            numbers += (at + chunk.rows.start).tolist()
    return Matches(_joined(kept), tuple(numbers), total)


def _batch(chunk: Scored, schema: ResultSchema | None) -> pa.RecordBatch:
    """Rows as they are written."""
    return table(chunk, schema or ResultSchema.without_answers(chunk.rows.cells.schema.names))


def _joined(batches: list[pa.RecordBatch]) -> pa.Table | None:
    """All of them under the schema of the first one; None when there is none."""
    first = batches[0].schema if batches else None
    rows = [batch if batch.schema.equals(first) else batch.cast(first) for batch in batches]
    return pa.Table.from_batches(rows) if rows else None


def _wanted(chunk: Scored, wanted: Wanted) -> NDArray[np.bool_]:
    mask = _of_outcome(chunk, wanted.which)
    if wanted.answer is not None and mask.any():
        mask &= _of_answer(chunk, wanted.answer)
    if wanted.text and mask.any():
        mask &= _with_text(chunk, wanted)
    return mask


def _of_outcome(chunk: Scored, which: Which) -> NDArray[np.bool_]:
    if which == "all":
        return np.ones(len(chunk), dtype=bool)
    mask = np.zeros(len(chunk), dtype=bool)
    if which in ("failed", "ok"):
        mask[list(chunk.errors)] = True
    if which in ("skipped", "ok"):
        mask[list(chunk.skipped)] = True
    return ~mask if which == "ok" else mask


def _of_answer(chunk: Scored, answer: str) -> NDArray[np.bool_]:
    column = answer_of(chunk)
    if column is None:
        return np.zeros(len(chunk), dtype=bool)
    if not pa.types.is_string(column.type):
        column = pa.array(texts(column), pa.string())
    return _mask(pc.equal(column, answer))


def _with_text(chunk: Scored, wanted: Wanted) -> NDArray[np.bool_]:
    """Rows with the text in a cell that is shown, in a result, or in their error."""
    columns = [c for at, c in enumerate(chunk.rows.cells.columns) if at not in wanted.hidden]
    columns += [] if chunk.results is None else chunk.results.columns
    mask = np.zeros(len(chunk), dtype=bool)
    for column in columns:
        mask |= _mask(pc.match_substring(_text(column), wanted.text, ignore_case=True))
    if not wanted.hidden:
        needle = wanted.text.casefold()
        told = {**chunk.errors, **chunk.skipped}
        mask[[at for at, why in told.items() if needle in why.casefold()]] = True
    return mask


def _text(column: pa.Array) -> pa.Array:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column
    return pa.array(texts(column), pa.string())


def _mask(found: pa.Array) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = found.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
    return np.array(mask)


# Segments


def segments(saved: SavedJob, column: int) -> tuple[Segment, ...]:
    """The answers by the value of a source column; the twelve commonest values, then the others."""
    rows: Counter[str] = Counter()
    sums: dict[str, float] = {}
    answers: dict[str, Counter[str]] = {}
    is_numeric = False
    for chunk in chunks(saved):
        found = answer_of(chunk)
        if found is None:
            continue
        is_numeric |= bool(pa.types.is_floating(found.type))
        for value, answer, count, total in _grouped(chunk.rows.cells.column(column), found):
            name = value if value in rows or len(rows) < MOST_VALUES else OTHERS
            rows[name] += count
            sums[name] = sums.get(name, 0.0) + total
            if answer is not None:
                _count_some(answers.setdefault(name, Counter()), Counter({answer: count}), 50)
    return tuple(_segments(rows, sums, answers, is_numeric=is_numeric))


def _grouped(column: pa.Array, answers: pa.Array) -> Iterator[tuple[str, str | None, int, Any]]:
    """Value, answer, rows, sum of numeric answers: one for each pair that occurs."""
    is_numeric = pa.types.is_floating(answers.type)
    values = pa.array([value or NO_VALUE for value in texts(column)], pa.string())
    if is_numeric:
        there = pc.and_(answers.is_valid(), pc.is_finite(answers))
        found = pa.table({"v": values, "a": answers}).filter(there).group_by("v")
        for one in found.aggregate([("a", "count"), ("a", "sum")]).to_pylist():
            yield one["v"], None, one["a_count"], one["a_sum"]
        return
    labels = pa.array(texts(answers), pa.string())
    found = pa.table({"v": values, "a": labels}).filter(answers.is_valid()).group_by(["v", "a"])
    for one in found.aggregate([([], "count_all")]).to_pylist():
        yield one["v"], one["a"], one["count_all"], 0


def _segments(
    rows: Counter[str],
    sums: dict[str, float],
    answers: dict[str, Counter[str]],
    *,
    is_numeric: bool,
) -> Iterator[Segment]:
    named = [name for name, _ in rows.most_common(MOST_SEGMENTS + 1) if name != OTHERS]
    named = named[:MOST_SEGMENTS]
    rest = [name for name in rows if name not in named]
    for words, names in [*((name, [name]) for name in named), *([(OTHERS, rest)] * bool(rest))]:
        count = sum(rows[name] for name in names)
        by_answer = sum((answers.get(name, Counter[str]()) for name in names), Counter[str]())
        mean = sum(sums[name] for name in names) / count if is_numeric and count else None
        yield Segment(words, count, dict(by_answer.most_common()), mean)
