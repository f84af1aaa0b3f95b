"""What a table holds that can't, or should not, be sent: found in one pass, before a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kserve_client.decimals import Decimal
from kserve_client.errors import InputError
from kserve_client.scoring.mapping import Mapping as ColumnMapping
from kserve_client.scoring.repeats import Repeated, Repeats
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.treatment import (
    COMMA_NUMBER,
    Action,
    Trouble,
    can_fix,
    has_range,
    mended,
    short,
    troubles,
    usual_value,
)
from kserve_client.scoring.verdicts import (
    NUMERIC_KINDS,
    OK,
    UNREAD,
    Judge,
    decoded,
    is_text,
)
from kserve_client.signature import Feature, Signature

EXAMPLES = 5
BLOCKS_READ = 1000
CHOICES_NAMED = 8
_THOUSANDS = r"^[ \t]*[-+]?[1-9][0-9]{0,2}(,[0-9]{3})+[ \t]*$"
_KIND_WORDS = {
    "number": "hold no number",
    "integer": "hold no whole number that fits",
    "boolean": "are neither true nor false",
    "date": "hold no date such as 2026-11-22",
    "text": "hold no text",
    "image": "hold no picture that can be read",
    "tensor": "hold no list of numbers that fits",
}


@dataclass(frozen=True, slots=True)
class Example:
    """A row (from 0) and what its cell holds, "" where that is not to be seen."""

    row: int
    cell: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be done about a finding, in words."""

    action: Action
    words: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows with the same trouble in the same feature.

    `words` say what it is, without the feature; `is_refused` that these rows would fail. `mendable`
    counts the rows that the offer to fix would mend.
    """

    feature: str
    trouble: Trouble
    rows: int
    words: str
    is_refused: bool
    examples: tuple[Example, ...] = ()
    offers: tuple[Offer, ...] = ()
    mendable: int = 0

    @property
    def where(self) -> str:
        """The first of the rows, counted from 1, with their cells."""
        told = [f"row {e.row + 1:,}" + (f" ({e.cell!r})" if e.cell else "") for e in self.examples]
        return ", ".join(told) + (", …" if self.rows > len(told) else "")


@dataclass(frozen=True, slots=True)
class Findings:
    """What a table holds.

    Of its rows `refused` can't be sent, for one reason or several, and `outside` hold a number out of
    range. `ragged` counts the rows that don't fit under the header, which are in no other finding.
    `repeated` are whole rows that occurred before, `repeated_keys` cells of the key column.
    `unread` names images and tensors of which only the first 1,000 were read.
    """

    rows: int
    items: tuple[Finding, ...] = ()
    ragged: int = 0
    ragged_examples: tuple[Example, ...] = ()
    repeated: Repeated = field(default_factory=lambda: Repeated(0))
    key: str | None = None
    repeated_keys: Repeated = field(default_factory=lambda: Repeated(0))
    unread: tuple[str, ...] = ()
    refused: int = 0
    outside: int = 0

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it in words; rows are counted from 1."""
        told = [
            f"{item.feature}: {item.rows:,} of {_rows(self.rows)} {item.words} ({item.where})"
            for item in self.items
        ]
        if self.ragged:
            told.append(self._ragged_words())
        told += _repeats_words(self.repeated, "same as an earlier row")
        told += _repeats_words(self.repeated_keys, f"same in {self.key!r} as an earlier row")
        told += [f"{name}: the first {BLOCKS_READ:,} cells were read" for name in self.unread]
        return tuple(told)

    def _ragged_words(self) -> str:
        first = self.ragged_examples[0]
        return (
            f"{self.ragged:,} of {_rows(self.rows)} don't fit under the header "
            f"(row {first.row + 1:,}: {first.cell})"
        )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _repeats_words(repeated: Repeated, what: str) -> list[str]:
    if not repeated.rows:
        return []
    about = "" if repeated.is_exact else "about "
    verb = "is" if repeated.rows == 1 else "are"
    told = f"{about}{_rows(repeated.rows)} {verb} the {what}"
    pairs = ", ".join(f"row {row + 1:,} as row {first + 1:,}" for row, first in repeated.pairs)
    return [f"{told} ({pairs})" if pairs else told]


def check(
    signature: Signature,
    mapping: ColumnMapping,
    batches: Iterable[Rows],
    decimal: Decimal = ".",
    *,
    key: str | None = None,
) -> Findings:
    """Look through a whole table, in one pass and in memory that does not grow with it.

    A row that `encode` refuses is counted as missing or wrong, and no other. `key` names a column
    whose cells should differ. Raises InputError when the table has no such column.
    """
    checker = Checker(signature, mapping, decimal, key=key)
    for rows in batches:
        checker.add(rows)
    return checker.findings()


class Checker:
    """Takes a table in batches and counts what is wrong with it; for one thread."""

    def __init__(
        self,
        signature: Signature,
        mapping: ColumnMapping,
        decimal: Decimal = ".",
        *,
        key: str | None = None,
    ) -> None:
        self._mapping = mapping
        self._decimal: Decimal = decimal
        self._key = key
        self._counted = [
            _Counted(f, Judge(f, signature.datatype_of(f), decimal, blocks=BLOCKS_READ))
            for f in signature.features
            if mapping.of(f.name).column is not None
        ]
        self._repeats, self._repeated_keys = Repeats(), Repeats()
        self._rows = self._ragged = self._refused = self._outside = 0
        self._ragged_examples: list[Example] = []

    def add(self, rows: Rows) -> None:
        """Count some rows."""
        self._rows += len(rows)
        self._add_ragged(rows)
        cells = rows.cells
        numbers = np.arange(rows.start, rows.stop)
        if rows.problems:
            whole = np.ones(len(rows), dtype=bool)
            whole[list(rows.problems)] = False
            cells, numbers = cells.filter(pa.array(whole)), numbers[whole]
        is_refused, is_outside = np.zeros((2, len(numbers)), dtype=bool)
        for counted in self._counted:
            column = self._mapping.column(counted.feature, cells, None, self._decimal)
            if column is None:
                continue
            for trouble, where in counted.add(decoded(column), numbers, self._decimal).items():
                if counted.is_refused(trouble):
                    is_refused |= where
                elif trouble == "range":
                    is_outside |= where
        self._refused += int(is_refused.sum()) + len(rows.problems)
        self._outside += int(is_outside.sum())
        self._repeats.add(cells.columns, numbers)
        if self._key is not None:
            self._repeated_keys.add([self._key_column(cells)], numbers)

    def findings(self) -> Findings:
        """What was found so far."""
        items = [item for counted in self._counted for item in counted.findings(self._decimal)]
        return Findings(
            self._rows,
            tuple(items),
            self._ragged,
            tuple(self._ragged_examples),
            self._repeats.found(),
            self._key,
            self._repeated_keys.found(),
            tuple(counted.feature.name for counted in self._counted if counted.is_unread),
            self._refused,
            self._outside,
        )

    def _add_ragged(self, rows: Rows) -> None:
        self._ragged += len(rows.problems)
        for at, why in sorted(rows.problems.items())[: EXAMPLES - len(self._ragged_examples)]:
            self._ragged_examples.append(Example(rows.start + at, why))

    def _key_column(self, cells: pa.RecordBatch) -> pa.Array:
        at = cells.schema.get_field_index(self._key)
        if at < 0:
            raise InputError(f"there is no (one) column {self._key!r}")
        return cells.column(at)


@dataclass(slots=True)
class _Tally:
    """Rows in one trouble, and the first of them."""

    rows: int = 0
    examples: list[Example] = field(default_factory=list)

    def add(
        self, where: NDArray[np.bool_], column: pa.Array, numbers: NDArray[np.int64], *, hide: bool
    ) -> None:
        at = np.flatnonzero(where)
        self.rows += len(at)
        for i in at[: EXAMPLES - len(self.examples)].tolist():
            cell = "" if hide else _shown(column[i].as_py())
            self.examples.append(Example(int(numbers[i]), cell))


def _shown(cell: Any) -> str:
    return "" if cell is None else short(cell)


class _Counted:
    """What is wrong with one feature."""

    def __init__(self, feature: Feature, judge: Judge) -> None:
        self.feature = feature
        self._judge = judge
        self._tallies: dict[Trouble, _Tally] = {}
        self._mendable = 0
        self._like_thousands = 0
        self.is_unread = False

    def add(
        self, column: pa.Array, numbers: NDArray[np.int64], decimal: Decimal
    ) -> Mapping[Trouble, NDArray[np.bool_]]:
        """Count the cells of some rows, which have these numbers; returns which are in trouble."""
        verdicts = self._judge.of(column)
        self.is_unread |= bool(verdicts.at(UNREAD).any())
        if not verdicts.states.any() and not has_range(self.feature):
            return {}
        found = troubles(self.feature, verdicts)
        for trouble, where in found.items():
            if where.any():
                tally = self._tallies.setdefault(trouble, _Tally())
                tally.add(where, column, numbers, hide=self.feature.sensitive)
        if found["wrong"].any():
            self._count_mendable(column.filter(pa.array(found["wrong"])), decimal)
        return found

    def is_refused(self, trouble: Trouble) -> bool:
        """Whether rows in this trouble would fail."""
        return trouble == "wrong" or (trouble == "missing" and self._judge.refuses_missing)

    def findings(self, decimal: Decimal) -> list[Finding]:
        found = []
        for trouble in ("missing", "wrong", "range"):
            tally = self._tallies.get(trouble)
            if tally is not None:
                found.append(self._finding(trouble, tally, decimal))
        return found

    def _count_mendable(self, wrong: pa.Array, decimal: Decimal) -> None:
        better = mended(self.feature, wrong, decimal)
        if better is wrong:
            return
        self._mendable += int((self._judge.of(better).at(OK)).sum())
        if self.feature.kind in NUMERIC_KINDS and is_text(wrong.type):
            alike = pc.match_substring_regex(wrong, _THOUSANDS)
            numbers = pc.match_substring_regex(wrong, COMMA_NUMBER)
            self._like_thousands += int(pc.sum(pc.and_(alike, numbers)).as_py() or 0)

    def _finding(self, trouble: Trouble, tally: _Tally, decimal: Decimal) -> Finding:
        is_refused = self.is_refused(trouble)
        mendable = tally.rows if trouble != "wrong" else self._mendable
        fix = self._fix_words(trouble, tally.rows)
        return Finding(
            self.feature.name,
            trouble,
            tally.rows,
            self._words(trouble, decimal),
            is_refused,
            tuple(tally.examples),
            _offers(fix, is_refused=is_refused),
            mendable if fix else 0,
        )

    def _words(self, trouble: Trouble, decimal: Decimal) -> str:
        if trouble == "missing":
            return "have no value"
        if trouble == "range":
            return f"are outside {self.feature.range_words}"
        if self.feature.kind == "category":
            texts = [choice.text for choice in self.feature.choices]
            more = ", …" if len(texts) > CHOICES_NAMED else ""
            return f"are not one of {', '.join(texts[:CHOICES_NAMED])}{more}"
        comma = " with a decimal comma" if decimal == "," and self._has_decimals() else ""
        return _KIND_WORDS[self.feature.kind] + comma

    def _has_decimals(self) -> bool:
        return self.feature.kind in NUMERIC_KINDS

    def _fix_words(self, trouble: Trouble, rows: int) -> str:
        """How the trouble can be fixed; "" where it can't."""
        if not can_fix(self.feature, trouble):
            return ""
        if trouble == "missing":
            usual = usual_value(self.feature)
            return f"fill in {usual[0]}, {usual[1]}" if usual else "fill in a value"
        if trouble == "range":
            return f"take the nearer end of {self.feature.range_words}"
        # "1,234" alone may be a thousand and more: then nobody can say what a comma means.
        if not self._mendable or self._mendable == self._like_thousands:
            return ""
        how = "read 5,1 as 5.1" if self._has_decimals() else "take the choice of the same letters"
        return how if self._mendable == rows else f"{how} (mends {self._mendable:,} of {rows:,})"


def _offers(fix: str, *, is_refused: bool) -> tuple[Offer, ...]:
    send = "keep these rows: they come back with their error" if is_refused else "send as they are"
    offers = [Offer("send", send), Offer("drop", "leave these rows out")]
    return (*offers, Offer("fix", fix)) if fix else tuple(offers)
