"""A signature under construction: what is known, what a sample proposes, what a person edited.

Edits are kept by the name of the column, apart from what they change: a new file, or another order
of the sources, leaves them as they are. Nothing here draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from kserve_client.catalog.describing import known_settings
from kserve_client.catalog.facts import Description, Settings
from kserve_client.catalog.sample import Sample, propose, reasons_to_leave_out
from kserve_client.catalog.sample.columns import Column
from kserve_client.datatypes import DATATYPES
from kserve_client.frames import FALSE_TEXTS, TRUE_TEXTS
from kserve_client.signature import (
    DEFAULT_INPUT,
    SETTINGS_OF_ALL,
    SETTINGS_OF_KIND,
    Feature,
    Output,
    Signature,
)
from kserve_client.tensors import Tensor

USE = "use"
IS = " = "  # between a value and its label, in one cell
NUMBERS = frozenset({"min", "max", "step", "threshold"})
FLAGS = frozenset({"required", "sensitive"})
MOST_CLASSES = 50
NUMERIC = ("number", "integer")
_OF_ONE_TENSOR = ("input", "datatype")
_WEAK_FIRST = ("default", "step", "min", "max", "choices", "required", "datatype", "reference")
_WORDS = {
    "string_too_short": "needs a name",
    "missing": "needs a name",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "finite_number": "must be a finite number",
    "greater_than": "must be above 0",
    "literal_error": "needs a kind",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One feature or output of the grid. `column` is its name as long as the sketch lives.

    `settings` may make no sense; `problem` then says why. A feature that `is_in_file` has a column.
    """

    column: str
    is_used: bool
    settings: Settings
    problem: str = ""
    is_in_file: bool = True

    @property
    def name(self) -> str:
        """What the model calls it."""
        return str(self.settings.get("name", ""))


@dataclass(slots=True)
class Sketch:
    """A sample, the signature that was known before, and a person's edits.

    `said` is what other sources say of each feature. `features` are edits by column, `tensors` those
    of how the values travel, `outputs` the outputs as they are now. `keeps_known` lets what is known
    stay as it is where the sample says otherwise. `notes` and `shown` are those of the last `rows`
    and the columns of the grid that a person sees.
    """

    sample: Sample
    known: Signature | None
    said: Mapping[str, Settings] = field(default_factory=dict)
    features: dict[str, dict[str, Any]] = field(default_factory=dict)
    tensors: dict[str, Any] = field(default_factory=dict)
    outputs: list[Row] = field(default_factory=list)
    keeps_known: bool = False
    notes: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    _last: tuple[Any, tuple[Row, ...]] = field(default=(None, ()), repr=False)

    @classmethod
    def begin(cls, sample: Sample, description: Description) -> Sketch:
        """A sketch without edits, of what is known from other sources."""
        known = description.signature
        outputs = known.outputs if known else ()
        rows = [
            Row(output.name, is_used=True, settings=output.model_dump(exclude_unset=True))
            for output in outputs
        ]
        return cls(sample, known, known_settings(description), outputs=rows)

    @property
    def edited(self) -> list[str]:
        """The columns a person changed something of."""
        return [column for column, edits in self.features.items() if edits]

    def take(self, sample: Sample) -> list[str]:
        """Go on with another file; edits stay by name. Return the columns whose edits wait in vain."""
        self.sample = sample
        there = {row.column for row in self.rows()}
        return [column for column in self.edited if column not in there]

    def edit(self, column: str, cells: Mapping[str, Any]) -> bool:
        """Take what was typed into the row of a column. Whether the rest of the row changes with it."""
        edits = self.features.setdefault(column, {})
        kind = next((row.settings.get("kind") for row in self.rows() if row.column == column), None)
        edits.update(cells)
        if cells.get("kind", kind) == kind:
            return False
        fitting = SETTINGS_OF_ALL | {USE}
        self.features[column] = {name: cell for name, cell in edits.items() if name in fitting}
        return True

    def edit_output(self, at: int, cells: Mapping[str, Any]) -> None:
        """Take what was typed into the row of an output."""
        row = self.outputs[at]
        settings = dict(row.settings)
        for name, cell in cells.items():
            if name != USE:
                _set(settings, name, _labels(cell, settings) if name == "labels" else cell)
        self.outputs[at] = Row(row.column, bool(cells.get(USE, row.is_used)), settings)

    def add_output(self) -> None:
        """One more output, to be named."""
        names = {row.name for row in self.outputs}
        name = next(f"output-{n}" for n in range(len(names) + 1) if f"output-{n}" not in names)
        self.outputs.append(Row(name, is_used=True, settings={"name": name, "kind": "raw"}))

    def rows(self) -> tuple[Row, ...]:
        """The features as they are now, with those that are not used."""
        state = (id(self.sample), self.keeps_known, repr(self.features))
        if self._last[0] != state:  # some ten milliseconds for 40 features, several times a run
            base = _known_rows(self) if self.known else _fresh_rows(self)
            self._last = state, tuple(_edited(self, row) for row in base)
        return self._last[1]

    def output_rows(self) -> tuple[Row, ...]:
        """The outputs as they are now, each with what is wrong with it."""
        return tuple(
            Row(row.column, row.is_used, row.settings, problem_of(Output, row.settings))
            for row in self.outputs
        )

    def travel(self) -> dict[str, Any]:
        """How the values travel: the settings of a signature but its features and outputs."""
        proposed = _known_tensors(self.known) if self.known else _fresh_tensors(self)
        layout = self.tensors.get("layout") or proposed.get("layout", "tensor")
        same = {} if layout != proposed.get("layout") else proposed
        if layout == "columns":
            return {"layout": "columns", **same}
        own = {name: self.tensors[name] for name in _OF_ONE_TENSOR if self.tensors.get(name)}
        return {"layout": "tensor", "input": DEFAULT_INPUT, "datatype": "FP64", **same, **own}

    def signature(self) -> Signature:
        """The signature. Raises ValidationError when it makes no sense yet."""
        return Signature.model_validate(self.settings())

    def settings(self) -> dict[str, Any]:
        """The settings of the signature, valid or not."""
        tensors = self.travel()
        features = [dict(row.settings) for row in self.rows() if row.is_used]
        if tensors["layout"] == "tensor":
            features = [_without(settings, "datatype", "content_type") for settings in features]
        outputs = [dict(row.settings) for row in self.outputs if row.is_used]
        return {**tensors, "features": features, "outputs": outputs}

    def problems(self) -> list[tuple[str, str]]:
        """What is wrong: the name of a feature or output, or "", each with words."""
        rows = [row for row in (*self.rows(), *self.output_rows()) if row.is_used and row.problem]
        found = [(row.name or row.column, row.problem) for row in rows]
        if found:
            return found
        try:
            self.signature()
        except ValidationError as error:
            return [("", words_of(error))]
        return []


def problem_of(kind: type[BaseModel], settings: Settings) -> str:
    """What is wrong with the settings of one feature or output, in words; "" when nothing is."""
    try:
        kind.model_validate(dict(settings))
    except ValidationError as error:
        return words_of(error)
    return ""


def words_of(error: ValidationError) -> str:
    """The first thing that is wrong, for people."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "too_short" and first["loc"] == ("features",):
        return "no feature is ticked"
    words = _WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
    settings = [str(part) for part in first["loc"] if isinstance(part, str)]
    is_named = settings and first["type"] in _WORDS and "name" not in words
    return f"{settings[-1]} {words}" if is_named else words


# Features: what is known and what the sample proposes


def _known_rows(sketch: Sketch) -> list[Row]:
    """The features of the model, then the columns that are none."""
    assert sketch.known is not None
    is_tensor = sketch.known.layout == "tensor"
    known = sketch.said
    draft = propose(sketch.sample, known)
    proposed = {str(settings["name"]): settings for settings in draft.features}
    by_position = bool(proposed) and not proposed.keys() & known.keys()
    if by_position:
        known = dict(zip(proposed, known.values(), strict=True))
    sketch.notes = draft.notes
    rows = []
    for name, said in known.items():
        own = _without(said, "datatype") if is_tensor else dict(said)
        settings = _joined(sketch, name, own, proposed.get(name, {}))
        rows.append(Row(name, is_used=True, settings=settings, is_in_file=name in proposed))
    return [*rows, *_strays(sketch, {_alike(name) for name in known})]


def _strays(sketch: Sketch, taken: set[str]) -> list[Row]:
    everything = propose(sketch.sample, take=_names(sketch.sample))
    return [
        Row(str(settings["name"]), is_used=False, settings=settings)
        for settings in everything.features
        if _alike(str(settings["name"])) not in taken
    ]


def _fresh_rows(sketch: Sketch) -> list[Row]:
    """All columns, in the order of the file."""
    everything = propose(sketch.sample, take=_names(sketch.sample))
    draft = _fresh(sketch)
    used = {str(settings["name"]): settings for settings in draft.features}
    left_out = reasons_to_leave_out(sketch.sample)
    sketch.notes = draft.notes
    return [
        Row(name, name not in left_out, used.get(name, settings))
        for name, settings in ((str(one["name"]), one) for one in everything.features)
    ]


def _fresh(sketch: Sketch) -> Any:
    """What the sample says by itself of the columns that are ticked."""
    ticks = {name: edits[USE] for name, edits in sketch.features.items() if USE in edits}
    names = set(_names(sketch.sample))
    return propose(
        sketch.sample,
        take=[name for name, is_used in ticks.items() if is_used],
        leave_out=[name for name, is_used in ticks.items() if not is_used and name in names],
    )


def _fresh_tensors(sketch: Sketch) -> dict[str, Any]:
    """As the sample says, but no text in a tensor of numbers."""
    tensors = dict(_fresh(sketch).tensors)
    used = [row.settings for row in sketch.rows() if row.is_used]
    is_tensor = tensors.get("layout") == "tensor" and all(map(_is_numeric, used))
    return tensors if is_tensor else {"layout": "columns"}


def _is_numeric(settings: Settings) -> bool:
    """Whether its values are numbers on the wire."""
    if settings.get("kind") == "category":
        values = [_choice(one)[0] for one in settings.get("choices", ())]
        return all(isinstance(value, int | float) for value in values)
    return settings.get("kind", "number") in ("number", "integer", "boolean")


def _known_tensors(signature: Signature) -> dict[str, Any]:
    names = (
        ("content_type",) if signature.layout == "columns" else ("content_type", *_OF_ONE_TENSOR)
    )
    found = {name: getattr(signature, name) for name in names}
    return {"layout": signature.layout} | {k: v for k, v in found.items() if v is not None}


def _joined(sketch: Sketch, name: str, known: Settings, proposed: Settings) -> dict[str, Any]:
    """Settings of both; where they differ, those of the sample, or those known before."""
    if not sketch.keeps_known:
        return {**known, **proposed, "name": name}
    added = _without(proposed, *known)
    for weak in (None, *_WEAK_FIRST):
        added.pop(weak or "", None)
        settings = {**known, **added, "name": name}
        if not problem_of(Feature, settings):
            break
    return {**known, **added, "name": name}


def _names(sample: Sample) -> list[str]:
    return [column.name for column in sample.columns]


def _alike(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _without(settings: Settings, *names: str) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}


# Features: what a person edited


def _edited(sketch: Sketch, row: Row) -> Row:
    edits = sketch.features.get(row.column, {})
    kind = edits.get("kind")
    settings = dict(row.settings)
    if kind and kind != settings.get("kind", "number"):
        settings = _of_another_kind(sketch.sample, row, kind)
    for name in ("name", "kind", "title", "unit", "group", "help", *NUMBERS, *FLAGS):
        if name in edits:
            _set(settings, name, edits[name])
    if "choices" in edits:
        is_number = _holds_numbers(sketch.sample, row.column)
        _set(settings, "choices", _choices(edits["choices"], settings, is_number=is_number))
    if "default" in edits:
        _set(settings, "default", _typed(edits["default"], settings))
    if settings.get("sensitive"):
        # What rows of the file say of people does not go into an entry.
        settings = _without(settings, "reference", *(() if "default" in edits else ("default",)))
    is_used = bool(edits.get(USE, row.is_used))
    return Row(row.column, is_used, settings, problem_of(Feature, settings), row.is_in_file)


def _of_another_kind(sample: Sample, row: Row, kind: str) -> dict[str, Any]:
    """What the column says of a feature of that kind; words and groups stay."""
    fitting = SETTINGS_OF_ALL - {"datatype", "reference", "missing"}
    kept = {name: value for name, value in row.settings.items() if name in fitting}
    known = {**kept, "kind": kind}
    if kind == "category" and _holds_numbers(sample, row.column):
        # The model was trained with numbers: so are its choices.
        usual = "INT64" if row.settings.get("kind") == "integer" else "FP64"
        known["datatype"] = row.settings.get("datatype") or usual
    drafted = propose(sample, {row.column: known}).features if row.is_in_file else ()
    proposed = drafted[0] if drafted else {}
    allowed = SETTINGS_OF_ALL | SETTINGS_OF_KIND.get(kind, frozenset())
    return {**known, **{name: value for name, value in proposed.items() if name in allowed}}


def _set(settings: dict[str, Any], name: str, value: Any) -> None:
    """Set what was typed; an empty cell takes the setting away."""
    settings.pop(name, None)
    if name == "name" or value not in (None, "", [], ()):
        settings[name] = "" if value is None else value


def _typed(text: Any, settings: Settings) -> Any:
    """The default that was typed, as its kind takes it; the text itself where it can't be read."""
    if text is None or not isinstance(text, str):
        return text
    text, kind = text.strip(), settings.get("kind", "number")
    if kind == "boolean" and text.casefold() in TRUE_TEXTS | FALSE_TEXTS:
        return text.casefold() in TRUE_TEXTS
    if kind == "category":
        choices = [_choice(one) for one in settings.get("choices", ())]
        found = [value for value, label in choices if text in (str(value), label)]
        return (*found, text)[0]
    if kind not in ("number", "integer"):
        return text
    return _number(text)


def _number(text: str) -> Any:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _holds_numbers(sample: Sample, name: str) -> bool:
    return any(column.name == name and column.family in NUMERIC for column in sample.columns)


def _choices(texts: Any, settings: Settings, *, is_number: bool) -> list[Any]:
    """Choices as they were typed: a value, or value = label. A value stays of the type it was."""
    before = {choice_text(one): one for one in settings.get("choices", ())}
    values = [_choice(one)[0] for one in settings.get("choices", ())]
    if values:
        is_number = all(type(value) in (int, float) for value in values)
    read = _number if is_number else str
    return [before.get(str(text), _new_choice(str(text), read)) for text in texts or ()]


def _new_choice(text: str, read: Any) -> Any:
    value, _, label = text.partition(IS)
    return {"value": read(value.strip()), "label": label.strip()} if label else read(text.strip())


def _choice(given: Any) -> tuple[Any, str]:
    if isinstance(given, Mapping):
        return given["value"], str(given.get("label") or "")
    return given, ""


def choice_text(given: Any) -> str:
    """One choice as it stands in a cell: its value, and its label where it has one."""
    value, label = _choice(given)
    return f"{value}{IS}{label}" if label else str(value)


def _labels(texts: Any, settings: Settings) -> Any:
    """Labels as they were typed: a list by index, or answer = label for each."""
    texts = [str(text).strip() for text in texts or ()]
    is_map = isinstance(settings.get("labels"), Mapping) or any(IS in text for text in texts)
    if not is_map:
        return texts
    pairs = [text.partition(IS) for text in texts]
    return {key.strip(): (label or key).strip() for key, _, label in pairs}


# Cells


def _check(row: Row) -> str:
    if not row.is_used:
        return "left out"
    return "to mend" if row.problem else "fine"


def cells_of(row: Row) -> dict[str, Any]:
    """What the grid shows of a feature."""
    settings = row.settings
    default = settings.get("default")
    return {
        USE: row.is_used,
        "problem": _check(row),
        "name": settings.get("name"),
        "title": settings.get("title"),
        "kind": settings.get("kind", "number"),
        "min": settings.get("min"),
        "max": settings.get("max"),
        "step": settings.get("step"),
        "default": None if default is None else _default_text(default),
        "unit": settings.get("unit"),
        "choices": [choice_text(one) for one in settings.get("choices", ())],
        "group": settings.get("group"),
        "help": settings.get("help"),
        "required": settings.get("required", True),
        "sensitive": settings.get("sensitive", False),
    }


def _default_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def output_cells(row: Row) -> dict[str, Any]:
    """What the grid shows of an output."""
    settings = row.settings
    labels = settings.get("labels", ())
    is_map = isinstance(labels, Mapping)
    return {
        USE: row.is_used,
        "problem": _check(row),
        "name": settings.get("name"),
        "kind": settings.get("kind", "raw"),
        "title": settings.get("title"),
        "unit": settings.get("unit"),
        "labels": [f"{k}{IS}{v}" for k, v in labels.items()] if is_map else list(labels),
        "threshold": settings.get("threshold"),
        "positive": settings.get("positive"),
    }


# Outputs, from an answer


def outputs_of(tensors: Iterable[Tensor], sample: Sample) -> list[Row]:
    """What the outputs of an answer to one row seem to mean."""
    found = [(tensor, _meaning(tensor)) for tensor in tensors]
    classes = classes_of(sample)
    rows = []
    for tensor, kind in found:
        settings: dict[str, Any] = {"name": tensor.name, "kind": kind}
        is_code = kind == "label" and DATATYPES[tensor.datatype].family == "integer"
        if classes and (is_code or (kind == "probabilities" and tensor.data.size == len(classes))):
            settings["labels"] = classes
        rows.append(Row(tensor.name, is_used=True, settings=settings))
    return rows


def _meaning(tensor: Tensor) -> str:
    """A number or text alone is the answer; shares that make one together are probabilities."""
    family = DATATYPES[tensor.datatype].family
    if tensor.data.size == 1:
        return "value" if family == "float" else "label"
    if family == "float" and len(tensor.shape) == 2:
        shares = tensor.data.ravel()
        if shares.min() >= 0 and abs(float(shares.sum()) - 1) < 1e-3:
            return "probabilities"
    return "raw"


def classes_of(sample: Sample) -> list[str]:
    """The values of the column that looks like the answer, ordered as scikit-learn orders classes."""
    names = [name for name, why in reasons_to_leave_out(sample).items() if "answer" in why]
    columns: Sequence[Column] = [sample.column(name) for name in names]
    values = [str(value) for column in columns for value, _ in column.values]
    if not 2 <= len(values) <= MOST_CLASSES or any(c.distinct != len(values) for c in columns):
        return []
    numbers = [_number(value) for value in values]
    if all(isinstance(number, int | float) for number in numbers):
        return [text for _, text in sorted(zip(numbers, values, strict=True))]
    return sorted(values)
