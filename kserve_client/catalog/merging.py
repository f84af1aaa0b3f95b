"""Merging: drafts of several sources become one signature that makes sense.

The later draft wins, setting by setting. A merged feature is checked like any other; where two
sources contradict each other in what only fits together, e.g. a kind and a range, the weaker gives
way, with a note that says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from kserve_client.catalog.facts import Description, Draft, Fact, Settings, Source, SourceFailure
from kserve_client.errors import first_problem
from kserve_client.signature import SETTINGS_OF_ALL, SETTINGS_OF_KIND, Feature, Output, Signature

OF_ONE_TENSOR = ("input", "datatype")
# MLflow's input example and a sample hold rows of real people, maybe.
KNOW_ROWS = ("MLflow", "sample")
OF_ROWS = ("default", "reference")


@dataclass(frozen=True, slots=True)
class _Layer:
    """What one source says of one feature or output."""

    source: Source
    settings: Settings


@dataclass(frozen=True, slots=True)
class _Subject:
    """One feature or output with what is said of it, the weakest source first."""

    name: str
    layers: tuple[_Layer, ...]

    def and_(self, source: Source, settings: Settings) -> _Subject:
        """With what one more source says; its name is the one that stays."""
        return _Subject(str(settings["name"]), (*self.layers, _Layer(source, settings)))


@dataclass(frozen=True, slots=True)
class _Features:
    """The features so far, in the order of the training, and the sources of their tensors."""

    subjects: tuple[_Subject, ...] = ()
    is_named: bool = True
    tensors: tuple[Draft, ...] = ()


def merge(drafts: Sequence[Draft], failures: Sequence[SourceFailure] = ()) -> Description:
    """Merge drafts, the later winning, into a description with the source of each fact.

    Drafts that make no signature together give way whole, the first before the last, with a note.
    Without features from any source the description has no signature.
    """
    found, problem = _Merged(), ""
    for kept in _subsets(drafts):
        found = _merged(kept)
        if found.problem is None:
            break
        problem = problem or found.problem
    if problem:
        found = replace(found, notes=(problem, *found.notes))
    return Description(
        signature=found.signature,
        facts=(*_about(drafts), *found.facts),
        examples=_examples(drafts, found.signature),
        notes=(*(note for draft in drafts for note in draft.notes), *dict.fromkeys(found.notes)),
        failures=tuple(failures),
    )


@dataclass(frozen=True, slots=True)
class _Merged:
    signature: Signature | None = None
    facts: tuple[Fact, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str | None = None


def _subsets(drafts: Sequence[Draft]) -> Iterator[tuple[Draft, ...]]:
    """All drafts, then without one of them, then without the weakest ones, then each alone.

    Not every subset: with many features that would take seconds, for sources at odds.
    """
    count = len(drafts)
    yield tuple(drafts)
    yield from (tuple(d for d in drafts if d is not one) for one in drafts)
    yield from (tuple(drafts[first:]) for first in range(2, count - 1))
    yield from ((one,) for one in reversed(drafts))
    yield ()


def _merged(drafts: Sequence[Draft]) -> _Merged:
    notes: list[str] = []
    drafts = [_with_names(draft, notes) for draft in drafts]
    features = _Features()
    for draft in drafts:
        features = _with_features(features, draft, notes)
    tensors = _tensor_facts(features.tensors)
    settings = {fact.setting: fact.value for fact in tensors}
    subjects = [_discreet(_at_home(subject, settings)) for subject in features.subjects]
    inputs = {s.name: _settled(Feature, "features", s, notes) for s in subjects}
    outputs = {s.name: _settled(Output, "outputs", s, notes) for s in _outputs(drafts)}
    facts = (*tensors, *(fact for one in [*inputs.values(), *outputs.values()] for fact in one))
    if not inputs:
        return _Merged(facts=facts, notes=tuple(notes))
    given = {
        **settings,
        "features": [_values(name, said) for name, said in inputs.items()],
        "outputs": [_values(name, said) for name, said in outputs.items()],
    }
    try:
        return _Merged(Signature.model_validate(given), facts, tuple(notes))
    except ValidationError as error:
        said = " and ".join(dict.fromkeys(draft.source.kind for draft in drafts))
        return _Merged(
            facts=facts, problem=f"{said} make no signature together: {first_problem(error)}"
        )


def _with_names(draft: Draft, notes: list[str]) -> Draft:
    """Without what has no name, or the name of another."""
    return replace(
        draft,
        features=_named(draft.features, f"a feature of {draft.source}", notes),
        outputs=_named(draft.outputs, f"an output of {draft.source}", notes),
    )


def _named(parts: Sequence[Settings], what: str, notes: list[str]) -> tuple[Settings, ...]:
    found: dict[str, Settings] = {}
    for settings in parts:
        name = settings.get("name")
        if not isinstance(name, str) or not name:
            notes.append(f"{what} left out: it has no name")
        elif name in found:
            notes.append(f"{what} ({name}) left out: it stands twice")
        else:
            found[name] = settings
    return tuple(found.values())


# Features


def _with_features(so_far: _Features, draft: Draft, notes: list[str]) -> _Features:
    """Lay the features of a draft over those so far."""
    tensors = (*so_far.tensors, draft)
    if not draft.features:
        return replace(so_far, tensors=tensors)
    if not so_far.subjects:
        return _Features(_fresh(draft), draft.names_features, tensors)
    if not so_far.is_named or not draft.names_features:
        return _by_position(so_far, draft, notes)
    return _by_name(so_far, draft, notes)


def _fresh(draft: Draft) -> tuple[_Subject, ...]:
    return tuple(
        _Subject(str(settings["name"]), (_Layer(draft.source, settings),))
        for settings in draft.features
    )


def _by_position(so_far: _Features, draft: Draft, notes: list[str]) -> _Features:
    """One side has numbers for names: the same count is the same features, in their order."""
    tensors = (*so_far.tensors, draft)
    if len(so_far.subjects) != len(draft.features):
        if draft.features[0].get("kind") not in ("image", "tensor"):
            notes.append(
                f"{draft.source.kind} has {len(draft.features)} features, before it there were "
                f"{len(so_far.subjects)}"
            )
        return _Features(_fresh(draft), draft.names_features, tensors)
    pairs = zip(so_far.subjects, draft.features, strict=True)
    subjects = tuple(
        subject.and_(draft.source, settings)
        if draft.names_features
        else subject.and_(draft.source, {**settings, "name": subject.name})
        for subject, settings in pairs
    )
    return _Features(subjects, so_far.is_named or draft.names_features, tensors)


def _by_name(so_far: _Features, draft: Draft, notes: list[str]) -> _Features:
    old = {subject.name: subject for subject in so_far.subjects}
    new = {str(settings["name"]): settings for settings in draft.features}
    if not old.keys() & new.keys():
        notes.append(f"{draft.source.kind} names none of the features that were known before it")
        return _Features(_fresh(draft), is_named=True, tensors=(draft,))
    is_laid_anew = _is_laid_anew(so_far.tensors, draft)
    is_whole = old.keys() <= new.keys() or is_laid_anew or draft.is_complete
    if is_whole and (strays := [name for name in old if name not in new]):
        why = "has another layout" if is_laid_anew else "names all features"
        notes.append(f"{', '.join(strays)} left out: {draft.source.kind} {why}")
    order = [*new] if is_whole else [*dict.fromkeys([*old, *new])]
    subjects = tuple(
        old.get(name, _Subject(name, ())).and_(draft.source, new[name])
        if name in new
        else old[name]
        for name in order
    )
    return _Features(subjects, is_named=True, tensors=(*so_far.tensors, draft))


def _is_laid_anew(before: Sequence[Draft], draft: Draft) -> bool:
    """Whether a draft puts the features into other tensors: an input of their own is no column."""
    layouts = [layout for one in before if (layout := _layout_of(one))]
    return bool(layouts) and _layout_of(draft) not in (None, layouts[-1])


def _layout_of(draft: Draft) -> Any:
    """The layout that a draft says; what is said of the one tensor says that there is one."""
    is_of_one = any(name in draft.tensors for name in OF_ONE_TENSOR)
    return draft.tensors.get("layout", "tensor" if is_of_one else None)


def _tensor_facts(drafts: Sequence[Draft]) -> tuple[Fact, ...]:
    """What holds of the tensors; what is said of another layout than the strongest one does not."""
    layouts = [_layout_of(draft) for draft in drafts]
    last = ([one for one in layouts if one is not None] or [None])[-1]
    layers = [
        _Layer(draft.source, _of_layout(draft.tensors, layout, last))
        for draft, layout in zip(drafts, layouts, strict=True)
    ]
    facts = _folded(("tensors",), layers)
    is_columns = any(fact.setting == "layout" and fact.value == "columns" for fact in facts)
    return tuple(fact for fact in facts if not is_columns or fact.setting not in OF_ONE_TENSOR)


def _of_layout(said: Settings, layout: Any, last: Any) -> Settings:
    if layout is None:
        return said
    return {**said, "layout": layout} if layout == last else {"layout": layout}


def _at_home(subject: _Subject, tensors: Settings) -> _Subject:
    """In one tensor a feature has no datatype and no content type of its own."""
    if tensors.get("layout", "tensor") == "columns":
        return subject
    shared = tensors.get("datatype", Signature.model_fields["datatype"].default)
    layers = tuple(
        replace(layer, settings=_without(layer.settings, *_strays(layer.settings, shared)))
        for layer in subject.layers
    )
    return replace(subject, layers=layers)


def _strays(settings: Settings, shared: Any) -> list[str]:
    is_other = settings.get("datatype") not in (None, shared)
    return ["content_type", *(["datatype"] if is_other else [])]


def _discreet(subject: _Subject) -> _Subject:
    """Of a sensitive feature no value stays that came from somebody's row."""
    said = [one.settings["sensitive"] for one in subject.layers if "sensitive" in one.settings]
    if not said or said[-1] is not True:
        return subject
    layers = tuple(
        replace(layer, settings=_without(layer.settings, *OF_ROWS))
        if layer.source.kind in KNOW_ROWS
        else layer
        for layer in subject.layers
    )
    return replace(subject, layers=layers)


def _without(settings: Settings, *names: str) -> Settings:
    return {name: value for name, value in settings.items() if name not in names}


# Outputs


def _outputs(drafts: Sequence[Draft]) -> list[_Subject]:
    """The outputs of the strongest source that names any, with what the others say of each."""
    naming = [draft for draft in drafts if draft.outputs]
    if not naming:
        return []
    return [_output(settings, naming) for settings in naming[-1].outputs]


def _output(settings: Settings, naming: Sequence[Draft]) -> _Subject:
    name = str(settings["name"])
    layers = [
        _Layer(draft.source, _without(said, "name", "requested"))
        for draft in naming[:-1]
        for said in draft.outputs
        if said["name"] == name or len(draft.outputs) == len(naming[-1].outputs) == 1
    ]
    return _Subject(name, (*layers, _Layer(naming[-1].source, settings)))


# One feature or output


def _settled(
    kind: type[BaseModel], of: str, subject: _Subject, notes: list[str]
) -> tuple[Fact, ...]:
    """The facts of one subject that make sense together."""
    path = (of, subject.name)
    layers = _fitting(subject.layers) if kind is Feature else subject.layers
    for facts in _weaker_and_weaker(path, layers):
        if _is_valid(kind, subject.name, facts):
            _note_dropped(subject, facts, notes)
            return facts
    raise AssertionError("a name alone is always valid")


def _fitting(layers: Sequence[_Layer]) -> tuple[_Layer, ...]:
    """Without settings of another kind than a stronger source says."""
    fitting: list[_Layer] = []
    allowed: frozenset[str] | None = None
    for layer in reversed(layers):
        said = layer.settings.get("kind")
        if allowed is None and said in SETTINGS_OF_KIND:
            allowed = SETTINGS_OF_ALL | SETTINGS_OF_KIND[said]
            fitting.append(layer)
        else:
            strays = set() if allowed is None else set(layer.settings) - allowed
            fitting.append(replace(layer, settings=_without(layer.settings, *strays)))
    return tuple(reversed(fitting))


def _weaker_and_weaker(
    path: tuple[str, ...], layers: Sequence[_Layer]
) -> Iterator[tuple[Fact, ...]]:
    """What all say, then without one weak fact, then without the weakest source, and so on."""
    for first in range(len(layers)):
        facts = _folded(path, layers[first:])
        yield facts
        for layer in layers[first:]:
            for weak in facts:
                if weak.source == layer.source:
                    yield tuple(fact for fact in facts if fact is not weak)
    # Not even the strongest source makes sense by itself: what of it does, one by one.
    kept: tuple[Fact, ...] = ()
    for fact in _folded(path, layers[-1:]):
        if _is_valid(Feature if path[0] == "features" else Output, path[1], (*kept, fact)):
            kept = (*kept, fact)
    yield kept


def _folded(path: tuple[str, ...], layers: Sequence[_Layer]) -> tuple[Fact, ...]:
    """One fact per setting, from the last layer that says it."""
    facts: dict[str, Fact] = {}
    for layer in layers:
        for setting, value in layer.settings.items():
            if setting == "name":
                continue
            before = facts.pop(setting, None) if setting in facts else None
            instead_of = _instead_of(before, value) if before else ()
            facts[setting] = Fact(path, setting, value, layer.source, instead_of)
    return tuple(facts.values())


def _instead_of(before: Fact, value: Any) -> tuple[tuple[Any, Source], ...]:
    """What others said that is not the same."""
    said = ((before.value, before.source), *before.instead_of)
    return tuple(one for one in said if one[0] != value)


def _is_valid(kind: type[BaseModel], name: str, facts: Sequence[Fact]) -> bool:
    try:
        kind.model_validate(_values(name, facts))
    except ValidationError:
        return False
    return True


def _values(name: str, facts: Sequence[Fact]) -> dict[str, Any]:
    return {"name": name} | {fact.setting: fact.value for fact in facts}


def _note_dropped(subject: _Subject, facts: Sequence[Fact], notes: list[str]) -> None:
    """Tell what a source says that does not fit what a stronger one says."""
    kept = {fact.setting for fact in facts}
    for layer in subject.layers:
        dropped = [name for name in layer.settings if name not in kept and name != "name"]
        if dropped:
            notes.append(
                f"{subject.name}: {', '.join(dropped)} of {layer.source} left out; it does not fit "
                "what is known otherwise"
            )


# About the model, and examples


def _about(drafts: Sequence[Draft]) -> tuple[Fact, ...]:
    return _folded(("about",), [_Layer(draft.source, draft.about) for draft in drafts])


def _examples(
    drafts: Sequence[Draft], signature: Signature | None
) -> tuple[tuple[str, Settings, Source], ...]:
    """Examples by name, those of the strongest source first, with the features that there are."""
    known = {feature.name for feature in signature.features} if signature else set()
    found: dict[str, tuple[str, Settings, Source]] = {}
    for draft in reversed(drafts):
        for name, row in draft.examples.items():
            cells = {column: cell for column, cell in row.items() if column in known}
            if cells:
                found.setdefault(name, (name, cells, draft.source))
    return tuple(found.values())
