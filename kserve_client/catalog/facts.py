"""Facts: what each source says of a model, merged field by field, each with where it came from.

A source hands over a `Draft`: only what it really says, never a default. Later sources win. What an
earlier source says beside that stays, as long as the whole makes sense: a range of the MLflow model
is dropped, and told, when the models file says the feature is a category.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kserve_client.errors import KServeClientError
from kserve_client.signature import Signature

SourceKind = Literal["server metadata", "MLflow", "Kubernetes", "models file", "sample"]
SOURCE_KINDS: tuple[SourceKind, ...] = (
    "server metadata",
    "MLflow",
    "Kubernetes",
    "models file",
    "sample",
)
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact came from, e.g. MLflow: iris version 3."""

    kind: SourceKind
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


@dataclass(frozen=True, slots=True)
class Draft:
    """What one source says of a model; a setting it does not say is not there.

    `tensors` holds settings of `Signature` (layout, input, datatype, content_type); `features` and
    `outputs` settings of `Feature` and `Output`, each with its name, in the source's order, the
    order of the training. `names_features` is false where the names are made up from positions, as
    for one tensor [-1, 4]; `is_complete` says that there are no other features. `about` holds
    title, description, owner and the like; `examples` rows by their names. `notes` say what the
    source had to leave out, for people.
    """

    source: Source
    tensors: Settings = field(default_factory=dict)
    features: tuple[Settings, ...] = ()
    outputs: tuple[Settings, ...] = ()
    names_features: bool = True
    is_complete: bool = False
    about: Settings = field(default_factory=dict)
    examples: Mapping[str, Settings] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One setting with its source, and the sources that said otherwise.

    `of` is the path of what it belongs to, such as ("features", "sepal length"), ("outputs",
    "predict"), ("tensors",) or ("about",); `instead_of` what other sources said, the strongest first.
    """

    of: tuple[str, ...]
    setting: str
    value: Any
    source: Source
    instead_of: tuple[tuple[Any, Source], ...] = ()


@dataclass(frozen=True, slots=True)
class SourceFailure:
    """A source that could not be asked. The rest works without it."""

    source: Source
    error: KServeClientError


@dataclass(frozen=True, slots=True)
class Description:
    """All that is known of a model: the merged signature, each fact with its source, what went wrong."""

    signature: Signature | None
    facts: tuple[Fact, ...] = ()
    examples: tuple[tuple[str, Settings, Source], ...] = ()
    notes: tuple[str, ...] = ()
    failures: tuple[SourceFailure, ...] = ()

    def said_signature(self) -> Signature | None:
        """The signature; None when every source was asked and none says what the model takes.

        Raises the error of the first source that could not be asked where that may be the reason.
        """
        if self.signature is None and self.failures:
            raise self.failures[0].error
        return self.signature

    def about(self, setting: str) -> Any:
        """The value of a setting such as title or owner; None when no source says it."""
        found = [f.value for f in self.facts if f.of == ("about",) and f.setting == setting]
        return (*found, None)[0]
