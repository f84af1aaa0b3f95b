"""The free `metadata` of a logged model: what its author says of the form.

`kserve_client` holds what an entry of the models file may say of a model: title, description, owner,
links, signature and examples; `features` and `outputs` may also stand there without `signature`, and
be mappings by name. (MLflow sorts the keys of a mapping: there is an order only in lists.) Beside it
these words, which many use, are understood:

    labels, class_names, target_names    the names of the classes
    features                             names of the columns, or {name: [min, max]}
    ranges                               {name: [min, max]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kserve_client.catalog.facts import Settings
from kserve_client.catalog.mlflow.settings import joined, texts, words
from kserve_client.catalog.models_file import Example, Link

OURS = "kserve_client"
LABEL_WORDS = ("labels", "class_names", "target_names")
OF_SIGNATURE = ("layout", "input", "datatype", "content_type")
_TEXTS = ("title", "description", "owner")
_KNOWN = (*_TEXTS, "links", "signature", "features", "outputs", "examples", *OF_SIGNATURE)
_EXAMPLE = TypeAdapter(Example)
_LINK = TypeAdapter(Link)


@dataclass(frozen=True, slots=True)
class Said:
    """What an author says, read but not yet checked against the model's signature.

    `features` are settings by name; `feature_names` those names where the author lists them in
    order. An output without a name is told by its place.
    """

    tensors: Settings = field(default_factory=dict)
    features: Mapping[str, Settings] = field(default_factory=dict)
    feature_names: tuple[str, ...] = ()
    outputs: tuple[Settings, ...] = ()
    labels: Sequence[Any] | Mapping[str, Any] = ()
    about: Settings = field(default_factory=dict)
    examples: Mapping[str, Settings] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def said_in(metadata: Any) -> Said:
    """Read `metadata` of an MLmodel file; what can't be read is told in notes."""
    notes: list[str] = []
    if not isinstance(metadata, dict):
        return Said()
    block = _block(metadata.get(OURS), notes)
    signature = block.get("signature", {})
    if not isinstance(signature, dict):
        notes.append(f"metadata {OURS}.signature is no mapping")
        signature = {}
    given = {**block, **signature}
    features, names = _features(given.get("features"), notes)
    ranges, listed = _shorthands(metadata, notes)
    return Said(
        {name: given[name] for name in OF_SIGNATURE if given.get(name) is not None},
        {n: {**ranges.get(n, {}), **features.get(n, {})} for n in [*features, *ranges]},
        names or listed,
        _outputs(given.get("outputs"), notes),
        _labels(metadata, notes),
        _about(block, notes),
        _examples(block.get("examples"), notes),
        tuple(notes),
    )


def _block(given: Any, notes: list[str]) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        notes.append(f"metadata {OURS} is no mapping")
        return {}
    if strays := [name for name in given if name not in _KNOWN]:
        notes.append(f"metadata {OURS} has no settings {joined(strays)}; it has {joined(_KNOWN)}")
    return given


def _features(given: Any, notes: list[str]) -> tuple[Mapping[str, Settings], tuple[str, ...]]:
    """Settings by name, and the names where they are listed."""
    if isinstance(given, dict):
        kept = {name: said for name, said in given.items() if name and isinstance(said, dict)}
        _note_strays(len(given) - len(kept), "features", notes)
        return kept, ()
    listed = [one for one in _list(given, "features", notes) if one.get("name")]
    named = {str(one["name"]): one for one in listed}
    return named, tuple(named)


def _outputs(given: Any, notes: list[str]) -> tuple[Settings, ...]:
    if isinstance(given, dict):
        kept = [{**said, "name": name} for name, said in given.items() if isinstance(said, dict)]
        _note_strays(len(given) - len(kept), "outputs", notes)
        return tuple(kept)
    return tuple(_list(given, "outputs", notes))


def _list(given: Any, of: str, notes: list[str]) -> list[dict[str, Any]]:
    if given is None:
        return []
    found = given if isinstance(given, list) else [given]
    kept = [one for one in found if isinstance(one, dict)]
    _note_strays(len(found) - len(kept), of, notes)
    return kept


def _note_strays(count: int, of: str, notes: list[str]) -> None:
    if count:
        notes.append(f"metadata {OURS}.{of}: {count} left out, which are no mappings of settings")


def _labels(metadata: Mapping[str, Any], notes: list[str]) -> list[Any] | dict[str, Any]:
    for word in LABEL_WORDS:
        found = metadata.get(word)
        if found and isinstance(found, list | dict):
            return found
        if found is not None:
            notes.append(f"metadata {word} is no list of names")
    return []


def _shorthands(
    metadata: Mapping[str, Any], notes: list[str]
) -> tuple[dict[str, Settings], tuple[str, ...]]:
    """Ranges by name, and the names of the columns where `features` lists them."""
    features, ranges = metadata.get("features"), metadata.get("ranges")
    found: dict[str, Settings] = {}
    for word, given in (("features", features), ("ranges", ranges)):
        for name, said in given.items() if isinstance(given, dict) else ():
            if _is_range(said):
                found[name] = {"min": said[0], "max": said[1]}
            else:
                notes.append(f"metadata {word}.{name} is no [min, max]")
    return found, texts(features)


def _is_range(said: Any) -> bool:
    if not isinstance(said, list) or len(said) != 2:
        return False
    return all(isinstance(end, int | float) and not isinstance(end, bool) for end in said)


def _about(block: Settings, notes: list[str]) -> Settings:
    about: dict[str, Any] = {}
    for name in _TEXTS:
        if isinstance(block.get(name), str) and block[name].strip():
            about[name] = block[name].strip()
        elif block.get(name) not in (None, ""):
            notes.append(f"metadata {OURS}.{name} is no text")
    links = [
        _valid(_LINK, link, "links", notes) for link in _list(block.get("links"), "links", notes)
    ]
    if kept := [{"title": link.title, "url": link.url} for link in links if link]:
        about["links"] = kept
    return about


def _examples(given: Any, notes: list[str]) -> dict[str, Settings]:
    found = [_valid(_EXAMPLE, one, "examples", notes) for one in _list(given, "examples", notes)]
    return {example.name: example.row for example in found if example}


def _valid(adapter: TypeAdapter[Any], given: Any, of: str, notes: list[str]) -> Any:
    try:
        return adapter.validate_python(given)
    except ValidationError as error:
        notes.append(f"metadata {OURS}.{of}: one left out: {words(error)}")
        return None
