"""One field of a form: the names of its widgets, its words, and how they tell of a change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.state import chosen, forget, session, widget_key
from dashboard.views import literal, percent, range_text
from kserve_client.datatypes import Datatype
from kserve_client.signature import Choice, Feature, Signature

NOT_KNOWN = "Not known"
# What a browser counts with: from here on its numbers lose their last digits.
LARGEST_EXACT = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Field:
    """One feature in one form, which has a name of its own.

    `datatype` is what it travels as.
    """

    form: str
    feature: Feature
    datatype: Datatype

    @classmethod
    def all_of(cls, form: str, signature: Signature) -> list[Field]:
        """The fields of a form, in the order of the features."""
        return [
            cls(form, feature, signature.datatype_of(feature)) for feature in signature.features
        ]

    @property
    def name(self) -> str:
        """The name of the widget that holds the value."""
        return f"x.{self.form}.{self.feature.name}"

    @property
    def slider(self) -> str:
        """The name of the slider beside the number box."""
        return f"slider.{self.form}.{self.feature.name}"

    @property
    def upload(self) -> str:
        """The name of the box that takes a picture in place of the value."""
        return f"upload.{self.form}.{self.feature.name}"

    @property
    def grid(self) -> str:
        """The name of the table in which a tensor is edited."""
        return f"grid.{self.form}.{self.feature.name}"

    @property
    def has_slider(self) -> bool:
        """Whether both ends are known and a slider can show every number between them."""
        feature = self.feature
        if feature.kind not in ("number", "integer") or feature.sensitive:
            return False
        return None not in (feature.min, feature.max) and not self.is_wide_integer

    @property
    def is_wide_integer(self) -> bool:
        """Whether it may need more digits than a browser's number has."""
        feature = self.feature
        if feature.kind != "integer":
            return False
        given = [n for n in (feature.min, feature.max, feature.default) if n is not None]
        if any(abs(int(number)) > LARGEST_EXACT for number in given):
            return True
        is_open = None in (feature.min, feature.max) and feature.step is None
        return is_open and self.datatype.name in ("INT64", "UINT64")

    @property
    def persist(self) -> Literal["session"] | None:
        """How long a widget keeps its value when it is not drawn; a sensitive one does not."""
        return None if self.feature.sensitive else "session"

    @property
    def help(self) -> str | None:
        """The words behind the question mark."""
        feature = self.feature
        words = [feature.help] if feature.help else []
        if feature.kind == "boolean" and not feature.sensitive:
            shares = [f"{text} {share}" for text, share in _shares(feature, YES_OR_NO)]
            words += [f"In the sample: {', '.join(shares)}."] * bool(shares)
        if not feature.required and feature.is_scalar:
            words.append("Leave it empty when it is not known.")
        return literal(" ".join(words)) or None

    def label(self, cell: Any) -> str:
        """The label of the widget: title, unit, range, and what a missing value means.

        Plain words: a screen reader is given the label with all its Markdown signs.
        """
        feature = self.feature
        unit = f" ({literal(feature.unit)})" if feature.unit else ""
        usual = range_text(feature.min, feature.max)
        ends = f" · {usual}" if usual else ""
        missing = "" if cell is not None else f" · {'needed' if feature.required else 'not known'}"
        return f"{literal(feature.label)}{unit}{ends}{missing}"


YES_OR_NO = (Choice(value=True, label="Yes"), Choice(value=False, label="No"))


def share_of(feature: Feature, choice: Choice) -> str:
    """How many rows of the sample have a choice, in words; "" where nobody counted."""
    reference = feature.reference
    if reference is None or not reference.rows or feature.sensitive:
        return ""
    texts = {choice.text, str(choice.value), str(choice.value).casefold()}
    counts = [count for value, count in reference.counts.items() if value in texts]
    return percent(counts[0] / reference.rows) if counts else ""


def _shares(feature: Feature, choices: tuple[Choice, ...]) -> list[tuple[str, str]]:
    found = [(choice.text.casefold(), share_of(feature, choice)) for choice in choices]
    return [(text, share) for text, share in found if share]


def example_name(form: str) -> str:
    """The name of the row of examples."""
    return f"example.{form}"


def changed(field: Field) -> None:
    """The row is no example any more, and what could not be taken from it is history."""
    session().notes.pop(field.name, None)
    if chosen(example_name(field.form)) is not None:
        forget(example_name(field.form))


def watched(name: str, told: Callable[..., None], *args: Any) -> dict[str, Any]:
    """The settings by which the widget of a name tells of its changes."""
    key = widget_key(name)
    return {"key": key, "on_change": _tell, "args": (name, key, told, args)}


def _tell(name: str, key: str, told: Callable[..., None], args: tuple[Any, ...]) -> None:
    """Pass a change on, unless it comes from a widget that was replaced meanwhile."""
    if key == widget_key(name):
        told(*args)
