"""Proposing: the columns of a sample become settings of features, beside what is known of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from kserve_client.catalog.facts import Draft, Settings, Source
from kserve_client.catalog.sample.columns import Column, Sample
from kserve_client.catalog.sample.features import Proposal, is_exact, note, proposal
from kserve_client.catalog.sample.reading import read_sample
from kserve_client.errors import InputError

TARGETS = frozenset({"target", "label", "labels", "class", "species", "outcome", "y"})
_NUMBERED = re.compile(r".*\[([0-9]+)\]")
_NOTHING: Settings = MappingProxyType({})


def sample_file(folder: Path, file: str) -> Sample:
    """Read a sample that lies below a folder. Raises InputError as `read_sample` does."""
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputError("the file must lie below the folder of the models file")
    return read_sample(path, name=file)


def reasons_to_leave_out(sample: Sample) -> dict[str, str]:
    """The columns that look like no feature, each with the reason in words."""
    reasons = {column.name: "it looks like an id" for column in sample.columns if column.is_id}
    last = sample.columns[-1] if sample.columns else None
    if last is not None and len(sample.columns) > 1 and last.name.casefold() in TARGETS:
        reasons[last.name] = "it looks like the answer"
    return reasons


def propose(
    sample: Sample,
    known: Mapping[str, Settings] = _NOTHING,
    *,
    leave_out: Collection[str] = (),
    take: Collection[str] = (),
) -> Draft:
    """What a sample says of a model whose features are `known`, by name, from other sources.

    A kind or datatype that is known is kept, and what is proposed fits it. Where nothing is known
    each column is a feature, but those of `leave_out` and those that look like an id or the answer,
    unless they are in `take`. Each proposed feature is valid.
    """
    left, notes = _left_out(sample, known, leave_out, take)
    columns = [column for column in sample.columns if column.name not in left]
    if not known:
        return _fresh(sample, columns, notes)
    pairs, strays = _matched(columns, known)
    notes += [note(column.name, "left out, it is no feature of the model") for column in strays]
    there = {name for name, _, _ in pairs}
    absent = [name for name in known if name not in there] if not _are_numbered(known) else []
    notes += [note(name, "the sample has no such column") for name in absent]
    proposals = [proposal(name, column, said) for name, column, said in pairs]
    return _draft(sample, {}, proposals, notes)


# Which columns


def _left_out(
    sample: Sample, known: Mapping[str, Settings], leave_out: Collection[str], take: Collection[str]
) -> tuple[set[str], list[str]]:
    there = {column.name for column in sample.columns}
    notes = [note(name, f"left out, of type {kind}") for name, kind in sample.left_out]
    strays = [name for name in leave_out if name not in there]
    notes += [note(name, "to be left out, but there is no such column") for name in strays]
    guessed = {
        name: reason
        for name, reason in reasons_to_leave_out(sample).items()
        if name not in take and name not in leave_out and _word(name) not in map(_word, known)
    }
    notes += [note(name, f"left out, {reason}") for name, reason in guessed.items()]
    return {*leave_out, *guessed}, notes


def _matched(
    columns: Sequence[Column], known: Mapping[str, Settings]
) -> tuple[list[tuple[str, Column, Settings]], list[Column]]:
    """Features with their columns, in the order of the features, and the columns of none.

    A name counts as the same without regard to case, blanks and underscores, if it is the only
    one. Features that have numbers for names take as many columns as they come.
    """
    if _are_numbered(known) and len(columns) == len(known):
        said = [{**settings, "name": ""} for settings in known.values()]
        return [(c.name, c, s) for c, s in zip(columns, said, strict=True)], []
    exact = {column.name: column for column in columns}
    alike: dict[str, list[Column]] = {}
    for column in columns:
        if column.name not in known:
            alike.setdefault(_word(column.name), []).append(column)
    words = Counter(_word(name) for name in known if name not in exact)
    pairs = []
    for name, settings in known.items():
        near = alike.get(_word(name), []) if words[_word(name)] == 1 else []
        found = exact.get(name) or (near[0] if len(near) == 1 else None)
        if found is not None:
            pairs.append((name, found, settings))
    taken = {column.name for _, column, _ in pairs}
    return pairs, [column for column in columns if column.name not in taken]


def _are_numbered(known: Mapping[str, Settings]) -> bool:
    """Whether the names are made up from positions: input-0[0], input-0[1] and so on."""
    found = [_NUMBERED.fullmatch(name) for name in known]
    return [match and match[1] for match in found] == [str(at) for at in range(len(known))]


def _word(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


# A whole draft


def _draft(
    sample: Sample, tensors: Settings, proposals: Sequence[Proposal], notes: Sequence[str]
) -> Draft:
    of_features = [words for one in proposals for words in one.notes]
    return Draft(
        Source("sample", sample.name),
        tensors=tensors,
        features=tuple(one.settings for one in proposals),
        notes=(*([sample.note] if sample.note else []), *notes, *of_features),
    )


def _fresh(sample: Sample, columns: Sequence[Column], notes: Sequence[str]) -> Draft:
    """A signature from a sample alone: one tensor where all columns are numbers."""
    empty = [column for column in columns if column.family == "empty"]
    notes = [*notes, *(note(column.name, "left out, it has no values") for column in empty)]
    columns = [column for column in columns if column.family != "empty"]
    if not columns:
        return _draft(sample, {}, [], [*notes, "no column is left that could be a feature"])
    if not all(map(_fits_a_float, columns)):
        proposals = [proposal(column.name, column, {}) for column in columns]
        return _draft(sample, {"layout": "columns"}, proposals, notes)
    wire = "FP32" if all(column.datatype == "FP32" for column in columns) else "FP64"
    proposals = [
        _of_one_tensor(proposal(column.name, replace(column, datatype=None), {}))
        for column in columns
    ]
    return _draft(sample, {"layout": "tensor", "datatype": wire}, proposals, notes)


def _fits_a_float(column: Column) -> bool:
    numbers = column.numbers
    if column.family not in ("number", "integer"):
        return False
    return numbers is None or not numbers.is_whole or is_exact(numbers)


def _of_one_tensor(one: Proposal) -> Proposal:
    settings = {name: value for name, value in one.settings.items() if name != "datatype"}
    return replace(one, settings=settings)
