"""Signature: what goes into a model and comes out of it, in people's words.

V2 metadata is usually empty and never holds ranges, choices, units or labels, so a signature comes
from the models file, or as much of it as there is from the metadata.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, Required, Self, TypedDict, Unpack

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from kserve_client.client import ModelMetadata, TensorMetadata
from kserve_client.datatypes import DATATYPES, Datatype
from kserve_client.errors import ConfigurationError, first_problem

FeatureKind = Literal["number", "integer", "category", "boolean", "text", "date", "image", "tensor"]
OutputKind = Literal["label", "probabilities", "value", "image", "text", "raw"]
Layout = Literal["tensor", "columns"]
Scalar = bool | int | float | str
DEFAULT_INPUT = "input-0"
_WIRE_OF_KIND: dict[str, str] = {
    "number": "FP64",
    "integer": "INT64",
    "category": "BYTES",
    "boolean": "BOOL",
    "text": "BYTES",
    "date": "BYTES",
    "image": "FP32",
    "tensor": "FP32",
}
_FAMILIES_OF_KIND: dict[str, tuple[str, ...]] = {
    "number": ("float",),
    "integer": ("integer", "float"),
    "category": ("bytes", "integer", "float", "boolean"),
    "boolean": ("boolean", "integer", "float"),
    "text": ("bytes",),
    "date": ("bytes",),
    "image": ("float", "integer"),
    "tensor": ("float", "integer", "boolean", "bytes"),
}
SETTINGS_OF_ALL = frozenset(
    {
        "name",
        "kind",
        "title",
        "help",
        "unit",
        "group",
        "datatype",
        "content_type",
        "required",
        "missing",
        "sensitive",
        "reference",
    }
)
REFERENCE_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SETTINGS_OF_KIND: dict[str, frozenset[str]] = {
    "number": frozenset({"min", "max", "step", "default"}),
    "integer": frozenset({"min", "max", "step", "default"}),
    "category": frozenset({"choices", "default"}),
    "boolean": frozenset({"default"}),
    "text": frozenset({"default"}),
    "date": frozenset({"default"}),
    "image": frozenset({"shape", "image"}),
    "tensor": frozenset({"shape"}),
}
FEATURES_PER_TENSOR = 500
LARGEST_ROW_NUMBERS = 1_000_000_000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Choice(_Part):
    """One value of a category, with the words a person reads."""

    value: Scalar = Field(description="What the model gets.")
    label: str = Field(default="", description="What a person reads; the value when left out.")

    @property
    def text(self) -> str:
        """The words for it."""
        return self.label or str(self.value)


def _choice(value: Any) -> Any:
    return value if isinstance(value, dict | Choice) else {"value": value}


class ImageSpec(_Part):
    """How a picture becomes numbers: resized to width × height, black..white as low..high.

    `channels` is 1 (grey) or 3 (RGB). `invert` makes dark ink on light paper a high number.
    """

    width: int = Field(gt=0, le=4096, description="Pixels from left to right.")
    height: int = Field(gt=0, le=4096, description="Pixels from top to bottom.")
    channels: Literal[1, 3] = Field(default=1, description="1 for grey, 3 for red, green and blue.")
    low: float = Field(default=0.0, description="Number of a black pixel.")
    high: float = Field(default=1.0, description="Number of a white pixel.")
    invert: bool = Field(default=False, description="Dark ink on light paper: swaps low and high.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low must be below high")
        return self

    @property
    def size(self) -> int:
        """Numbers in one picture."""
        return self.width * self.height * self.channels

    @property
    def says_levels(self) -> bool:
        """Whether `low` or `high` was set; the default is no promise that numbers keep to."""
        return not self.model_fields_set.isdisjoint({"low", "high"})


class Reference(_Part):
    """How the values of a feature lie in a sample of its usual rows."""

    rows: int = Field(ge=0, description="Rows that have a value.")
    missing: int = Field(default=0, ge=0, description="Rows that have none.")
    quantiles: tuple[float, ...] = Field(
        default=(),
        description="Of a number: its least, 5 %, 25 %, 50 %, 75 %, 95 % and greatest value.",
    )
    histogram: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(),
        description="Of a number: rows in equal bins from its least to its greatest value.",
    )
    counts: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="Of a category or boolean: rows by value."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.quantiles and len(self.quantiles) != len(REFERENCE_QUANTILES):
            raise ValueError("quantiles are seven numbers: 0, 5, 25, 50, 75, 95 and 100 %")
        if list(self.quantiles) != sorted(self.quantiles):
            raise ValueError("quantiles go up")
        if self.histogram and not self.quantiles:
            raise ValueError("a histogram needs quantiles: they say where it begins and ends")
        return self


class FeatureSettings(TypedDict, total=False):
    """What `Feature` may be given, for type checkers: its fields say what becomes of it."""

    name: Required[str]
    kind: FeatureKind
    title: str
    help: str
    unit: str
    group: str
    datatype: str | None
    content_type: str | None
    min: float | None
    max: float | None
    step: float | None
    default: Scalar | None
    choices: Sequence[Choice | Scalar]
    required: bool
    missing: Scalar | None
    sensitive: bool
    reference: Reference | None
    shape: Sequence[int]
    image: ImageSpec | None


class Feature(_Part):
    """One thing a person can set."""

    if TYPE_CHECKING:

        def __init__(self, **settings: Unpack[FeatureSettings]) -> None: ...

    name: str = Field(min_length=1, description="Column name; what the model was trained with.")
    kind: FeatureKind = Field(default="number", description="What its values are.")
    title: str = Field(default="", description="What a person reads; the name when left out.")
    help: str = Field(default="", description="A sentence shown beside the field of the form.")
    unit: str = Field(default="", description="Unit of its numbers, e.g. cm.")
    group: str = Field(default="", description="Section of the form.")
    datatype: str | None = Field(
        default=None, description="Wire datatype in layout columns; by kind when left out."
    )
    content_type: str | None = Field(
        default=None,
        description=(
            "parameters.content_type of its input in layout columns; str for texts of a table when "
            "left out."
        ),
    )
    min: float | None = Field(default=None, description="Lower end of the slider.")
    max: float | None = Field(default=None, description="Upper end of the slider.")
    step: float | None = Field(default=None, gt=0, description="Step of the slider.")
    default: Scalar | None = Field(default=None, description="Where the form starts.")
    choices: tuple[
        Annotated[Choice, BeforeValidator(_choice, json_schema_input_type=Scalar | Choice)], ...
    ] = Field(default=(), description="Values of a category: plain, or {value, label}.")
    required: bool = Field(default=True, description="Whether each row must have a value.")
    missing: Scalar | None = Field(
        default=None, description="What is sent for a missing value; NaN for floats when left out."
    )
    sensitive: bool = Field(
        default=False,
        description="Its values stay out of links, histories and logs, and are hidden on screen.",
    )
    reference: Reference | None = Field(
        default=None, description="How its values usually lie: drawn faintly behind the slider."
    )
    shape: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        default=(), description="Shape of one row, for image and tensor."
    )
    image: ImageSpec | None = Field(
        default=None, description="How a picture becomes numbers, for kind image."
    )

    @field_validator("datatype")
    @classmethod
    def _known_datatype(cls, name: str | None) -> str | None:
        if name is not None and name not in DATATYPES:
            raise ValueError(f"unknown datatype; known are {', '.join(DATATYPES)}")
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problem = self._problem()
        if problem:
            raise ValueError(problem)
        return self

    @property
    def label(self) -> str:
        """Title, or the name."""
        return self.title or self.name

    @property
    def is_scalar(self) -> bool:
        """Whether one row holds one value."""
        return self.kind not in ("image", "tensor")

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row without the batch dimension; () for scalars."""
        if self.shape or self.image is None:
            return self.shape
        spec = self.image
        return (spec.height, spec.width) + ((spec.channels,) if spec.channels > 1 else ())

    @property
    def range_words(self) -> str:
        """Where its numbers usually lie, such as "4 to 8 cm"; "" where nobody says."""
        low, high = (None if end is None else f"{end:.10g}" for end in (self.min, self.max))
        if low is None and high is None:
            return ""
        if high is None:
            return " ".join(part for part in (low, self.unit, "and above") if part)
        words = f"up to {high}" if low is None else f"{low} to {high}"
        return f"{words} {self.unit}".strip()

    def is_outside(self, number: float) -> bool:
        """Whether a number lies beyond an end of the range; NaN lies nowhere."""
        is_below = self.min is not None and number < self.min
        return is_below or (self.max is not None and number > self.max)

    def wire_datatype(self, tensor_datatype: str | None = None) -> str:
        """The datatype this feature travels as; `tensor_datatype` is that of a shared tensor."""
        return self.datatype or tensor_datatype or _WIRE_OF_KIND[self.kind]

    def _problem(self) -> str | None:
        family = DATATYPES[self.wire_datatype()].family
        if self.datatype and family not in _FAMILIES_OF_KIND[self.kind]:
            return f"a feature of kind {self.kind} can't travel as {self.datatype}"
        if not set(self.model_fields_set) <= SETTINGS_OF_ALL | SETTINGS_OF_KIND[self.kind]:
            return self._stray_setting()
        return (
            self._range_problem()
            or self._choices_problem()
            or self._block_problem()
            or self._default_problem()
        )

    def _range_problem(self) -> str | None:
        if self.min is not None and self.max is not None and not self.min < self.max:
            return f"min ({self.min:g}) must be below max ({self.max:g})"
        if self.kind == "integer" and not self._is_whole():
            return "min, max, step and default of an integer are whole numbers"
        return None

    def _choices_problem(self) -> str | None:
        if self.kind == "category" and not self.choices:
            return "a category needs choices; use kind text for free text"
        twice = _twice([choice.text for choice in self.choices])
        twice = twice or _twice([str(choice.value) for choice in self.choices])
        return f"the choice {twice[0]!r} stands twice" if twice else None

    def _block_problem(self) -> str | None:
        if self.kind == "image" and self.image is None:
            return "an image needs image: {width, height, …}"
        if self.kind == "tensor" and not self.shape:
            return "a tensor needs the shape of one row"
        if math.prod(self.shape) > LARGEST_ROW_NUMBERS:
            return f"a row of {math.prod(self.shape):,} numbers is too large to send"
        if self.image and self.shape and math.prod(self.shape) != self.image.size:
            shape, size = list(self.shape), self.image.size
            return f"shape {shape} does not hold the {size} numbers of the image"
        return None

    def _stray_setting(self) -> str:
        """A setting that this kind would take and throw away."""
        strays = self.model_fields_set - SETTINGS_OF_ALL - SETTINGS_OF_KIND[self.kind]
        name = next(name for name in type(self).model_fields if name in strays)
        kinds = [kind for kind, settings in SETTINGS_OF_KIND.items() if name in settings]
        return f"{name} belongs to kind {' or '.join(kinds)}, not {self.kind}"

    def _is_whole(self) -> bool:
        given = (self.min, self.max, self.step, self.default)
        return all(not isinstance(value, float) or value.is_integer() for value in given)

    def travel_problem(self, wire: Datatype) -> str | None:
        """Say why the choices, or what stands for a missing value, can't travel as a datatype."""
        for choice in self.choices:
            if not wire.holds(choice.value):
                return f"{self.name}: the choice {choice.value!r} can't travel as {wire.name}"
        if self.kind in ("number", "integer") and self.default is not None:
            default = int(self.default) if wire.family == "integer" else self.default
            if not wire.holds(default):
                return f"{self.name}: the default {self.default} can't travel as {wire.name}"
        if self.missing is not None and not wire.holds(self.missing):
            return f"{self.name}: {self.missing!r}, sent for missing, can't travel as {wire.name}"
        return None

    def _default_problem(self) -> str | None:
        value = self.default
        if value is None:
            return None
        if self.kind in ("number", "integer"):
            if isinstance(value, bool | str):
                return f"default {value!r} is not a number"
            low, high = self.min, self.max
            if (low is not None and value < low) or (high is not None and value > high):
                return f"default {_number_text(value)} is outside min and max"
        if self.kind == "category" and value not in [choice.value for choice in self.choices]:
            return f"default {value!r} is not one of the choices"
        if self.kind == "boolean" and not isinstance(value, bool):
            return f"default {value!r} is neither true nor false"
        if self.kind == "date":
            try:
                date.fromisoformat(str(value))
            except ValueError:
                return f"default {value!r} is not a date such as 2026-11-22"
        return None


def _number_text(number: Scalar) -> str:
    """A number for a message; an integer as it is, since a float may not hold it."""
    return f"{number:g}" if isinstance(number, float) else str(number)


def _texts(value: Any) -> Any:
    """YAML reads `0: setosa` as an integer key and `[0, 1]` as numbers; labels are texts."""
    if isinstance(value, dict):
        return dict(zip(map(str, value), _texts(list(value.values())), strict=True))
    if not isinstance(value, list | tuple):
        return value
    if not all(isinstance(label, Scalar) for label in value):
        raise ValueError("labels are texts")
    return [str(label) for label in value]


def _twice(texts: Sequence[str]) -> list[str]:
    return sorted(text for text, count in Counter(texts).items() if count > 1)


class OutputSettings(TypedDict, total=False):
    """What `Output` may be given, for type checkers."""

    name: Required[str]
    kind: OutputKind
    title: str
    unit: str
    decimals: int | None
    labels: Sequence[Scalar] | Mapping[Any, Scalar]
    threshold: float | None
    positive: str | None
    image: ImageSpec | None
    requested: bool


class Output(_Part):
    """One output of the model, by its tensor name, and what it means."""

    if TYPE_CHECKING:

        def __init__(self, **settings: Unpack[OutputSettings]) -> None: ...

    name: str = Field(min_length=1, description="Name of the output tensor.")
    kind: OutputKind = Field(default="raw", description="What it means.")
    title: str = Field(default="", description="What a person reads; the name when left out.")
    unit: str = Field(default="", description="Unit of a value, e.g. g.")
    decimals: int | None = Field(default=None, ge=0, le=12, description="Digits shown of a value.")
    labels: Annotated[
        dict[str, str] | tuple[str, ...],
        BeforeValidator(_texts, json_schema_input_type=list[Scalar] | dict[str, Scalar]),
    ] = Field(
        default=(),
        description="Names of the classes: a list by index, or a map from the model's answer.",
    )
    threshold: float | None = Field(
        default=None,
        description=(
            "Of two classes: the probability from which on the answer is `positive`. Of a value: a "
            "mark to measure it by."
        ),
    )
    positive: str | None = Field(
        default=None,
        min_length=1,
        description="Label of the class that the threshold is about; the second when left out.",
    )
    image: ImageSpec | None = Field(
        default=None, description="How its numbers become a picture, for kind image."
    )
    requested: bool = Field(
        default=True,
        description="Whether it is asked for by name; false takes what the server gives.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "image" and self.image is None:
            raise ValueError("an image needs image: {width, height, …}")
        if not isinstance(self.labels, dict) and _twice(self.labels):
            raise ValueError(f"the label {_twice(self.labels)[0]!r} stands twice")
        if problem := self._threshold_problem():
            raise ValueError(problem)
        return self

    def _threshold_problem(self) -> str | None:
        if self.threshold is None:
            return "positive needs a threshold" if self.positive else None
        if self.kind == "value":
            return "positive belongs to kind probabilities, not value" if self.positive else None
        if self.kind != "probabilities":
            return f"threshold belongs to kind probabilities or value, not {self.kind}"
        if not 0 < self.threshold <= 1:
            return f"threshold ({self.threshold:g}) is a probability: above 0, at most 1"
        return None

    @property
    def label(self) -> str:
        """Title, or the name."""
        return self.title or self.name

    def class_label(self, value: Any) -> str:
        """The words for an answer such as 0, 2.0 or "Adelie"; else the answer itself."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        if isinstance(self.labels, dict):
            return self.labels.get(str(value), str(value))
        if isinstance(value, int) and 0 <= value < len(self.labels):
            return self.labels[value]
        return str(value)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The labels in order of their index; as they stand where a map has other keys."""
        if not isinstance(self.labels, dict):
            return self.labels
        if all(key.isdecimal() for key in self.labels):
            return tuple(self.labels[key] for key in sorted(self.labels, key=int))
        return tuple(self.labels.values())


class SignatureSettings(TypedDict, total=False):
    """What `Signature` may be given, for type checkers."""

    layout: Layout
    input: str
    datatype: str
    content_type: str | None
    features: Required[Sequence[Feature]]
    outputs: Sequence[Output]


class Signature(_Part):
    """Features and outputs of a model, and how they lie in tensors.

    Layout `tensor`: the features are the columns of one tensor `input`, [rows, features], or one
    image or tensor feature is that tensor. Layout `columns`: one input per feature, [rows, 1];
    `content_type: pd` tells MLServer and KServe to make a DataFrame of them (KServe ignores every
    input but the first without it).
    """

    if TYPE_CHECKING:

        def __init__(self, **settings: Unpack[SignatureSettings]) -> None: ...

    layout: Layout = Field(
        default="tensor",
        description=(
            "tensor: the features are columns of one tensor. columns: one input per feature."
        ),
    )
    input: str = Field(
        default=DEFAULT_INPUT, min_length=1, description="Name of the one tensor (layout tensor)."
    )
    datatype: str = Field(default="FP32", description="Datatype of the one tensor (layout tensor).")
    content_type: str | None = Field(
        default=None, description="parameters.content_type of the request; pd for layout columns."
    )
    features: tuple[Feature, ...] = Field(
        min_length=1, description="What goes in, in the order the model was trained with."
    )
    outputs: tuple[Output, ...] = Field(
        default=(), description="What comes out; whatever the server gives when left out."
    )

    @model_validator(mode="before")
    @classmethod
    def _columns_are_pd(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("layout") == "columns":
            return {"content_type": "pd", **given}
        return given

    @field_validator("datatype")
    @classmethod
    def _known_datatype(cls, name: str) -> str:
        if name not in DATATYPES:
            raise ValueError(f"unknown datatype; known are {', '.join(DATATYPES)}")
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for names, what in (
            ([feature.name for feature in self.features], "feature"),
            ([output.name for output in self.outputs], "output"),
        ):
            if twice := _twice(names):
                raise ValueError(f"more than one {what} is named {', '.join(twice)}")
        self._check_layout()
        for feature in self.features:
            if problem := feature.travel_problem(self.datatype_of(feature)):
                advice = "; use layout columns" if self.layout == "tensor" else ""
                raise ValueError(problem + advice)
        if len([output for output in self.outputs if output.threshold is not None]) > 1:
            raise ValueError("only one output may have a threshold")
        for output in self.outputs:
            if output.kind == "probabilities" and _twice(self.labels_of(output)):
                raise ValueError(f"output {output.name}: two classes have the same label")
            if problem := self._threshold_problem(output):
                raise ValueError(f"output {output.name}: {problem}")
        return self

    def _threshold_problem(self, output: Output) -> str | None:
        if output.kind != "probabilities" or output.threshold is None:
            return None
        names = self.labels_of(output) or ("0", "1")
        if len(names) != 2:
            return f"a threshold divides two classes, not {len(names)}"
        if output.positive not in (None, *names):
            return f"positive {output.positive!r} is not one of {', '.join(names)}"
        return None

    def _check_layout(self) -> None:
        if self.layout == "tensor":
            self._check_tensor()
        elif strays := self.model_fields_set & {"input", "datatype"}:
            raise ValueError(
                f"{min(strays)} belongs to layout tensor; in layout columns each feature is an "
                "input and has its own datatype"
            )

    def _check_tensor(self) -> None:
        whole = [feature.name for feature in self.features if not feature.is_scalar]
        if whole and len(self.features) > 1:
            raise ValueError(
                f"{whole[0]} is a tensor of its own: with other features beside it the layout is "
                "columns"
            )
        for feature in self.features:
            if feature.content_type is not None:
                raise ValueError(
                    f"content_type of {feature.name} belongs to layout columns; in layout tensor the "
                    "features have one input"
                )
            if feature.datatype not in (None, self.datatype):
                raise ValueError(
                    f"{feature.name} can't travel as {feature.datatype} in a tensor of "
                    f"{self.datatype}; use layout columns"
                )
            family = DATATYPES[self.datatype].family
            if family not in _FAMILIES_OF_KIND[feature.kind]:
                raise ValueError(
                    f"{feature.name} is of kind {feature.kind} and can't travel in a tensor of "
                    f"{self.datatype}; use layout columns"
                )

    def feature(self, name: str) -> Feature:
        """The feature of that name. Raises KeyError."""
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(name)

    def datatype_of(self, feature: Feature) -> Datatype:
        """The wire datatype that a feature of this signature travels as."""
        shared = self.datatype if self.layout == "tensor" else None
        return DATATYPES[feature.wire_datatype(shared)]

    @property
    def main_output(self) -> Output | None:
        """The output that is the answer: the first label, value, text or image, else the first.

        Probabilities with a threshold go before all: they decide, not the model's own label.
        """
        deciding = [o for o in self.outputs if o.kind == "probabilities" and o.threshold]
        telling = [o for o in self.outputs if o.kind in ("label", "value", "text", "image")]
        return (*deciding, *telling, *self.outputs, None)[0]

    def labels_of(self, output: Output) -> tuple[str, ...]:
        """Class names for a probabilities output: its own, or those of the label output."""
        if output.class_names:
            return output.class_names
        return next((o.class_names for o in self.outputs if o.kind == "label"), ())


class PartialSignature(Signature):
    """As much of a signature as one source says: maybe outputs alone."""

    features: tuple[Feature, ...] = Field(
        default=(),
        description=(
            "What goes in, in the order the model was trained with; what other sources say of the "
            "model when left out."
        ),
    )
    complete: bool = Field(
        default=False,
        description="Whether these are all features: others that a source names are left out.",
    )

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if self.complete and not self.features:
            raise ValueError("complete: true needs features")
        return self


def from_metadata(metadata: ModelMetadata) -> Signature | None:
    """As much of a signature as V2 metadata holds; None when it names no inputs.

    One input [-1, k] becomes k numbers; several inputs [-1] or [-1, 1] become columns; anything
    else a tensor. Raises ConfigurationError when its inputs are nothing this client can send, e.g.
    FP8.
    """
    try:
        return _from_metadata(metadata) if metadata.inputs else None
    except ValidationError as error:
        problem = first_problem(error)
        raise ConfigurationError(
            f"the metadata of model {metadata.name!r} can't be used ({problem}). "
            "Describe its features under signature in the models file"
        ) from None


def _from_metadata(metadata: ModelMetadata) -> Signature:
    content_type = metadata.parameters.get("content_type")
    outputs = tuple(Output(name=o.name, requested=False) for o in metadata.outputs)
    only = metadata.inputs[0]
    if len(metadata.inputs) == 1 and not _is_column(only):
        return Signature(
            layout="tensor",
            input=only.name,
            datatype=only.datatype,
            content_type=content_type,
            features=_tensor_features(only),
            outputs=outputs,
        )
    return Signature(
        layout="columns",
        content_type=content_type or _content_type_of(metadata.inputs),
        features=tuple(_column_feature(tensor) for tensor in metadata.inputs),
        outputs=outputs,
    )


def _content_type_of(inputs: Sequence[TensorMetadata]) -> str | None:
    """Several columns are a table, though the metadata of KServe 0.21.0 can't say so.

    It reads the first of them alone when the request does not say it either.
    """
    return "pd" if len(inputs) > 1 and all(map(_is_column, inputs)) else None


def _is_column(tensor: TensorMetadata) -> bool:
    return len(tensor.shape) < 2 or tensor.shape[1:] == [1]


def _tensor_features(tensor: TensorMetadata) -> tuple[Feature, ...]:
    shape = _row_shape(tensor)
    family = DATATYPES[tensor.datatype].family if tensor.datatype in DATATYPES else "bytes"
    if len(shape) == 1 and shape[0] <= FEATURES_PER_TENSOR and family in ("float", "integer"):
        kind: FeatureKind = "number" if family == "float" else "integer"
        return tuple(Feature(name=f"{tensor.name}[{i}]", kind=kind) for i in range(shape[0]))
    return (Feature(name=tensor.name, kind="tensor", shape=shape, datatype=tensor.datatype),)


def _column_feature(tensor: TensorMetadata) -> Feature:
    if not _is_column(tensor):
        return Feature(
            name=tensor.name, kind="tensor", shape=_row_shape(tensor), datatype=tensor.datatype
        )
    kinds: dict[str, FeatureKind] = {"boolean": "boolean", "integer": "integer", "bytes": "text"}
    kind = (
        kinds.get(DATATYPES[tensor.datatype].family, "number")
        if tensor.datatype in DATATYPES
        else "text"
    )
    return Feature(
        name=tensor.name,
        kind=kind,
        datatype=tensor.datatype,
        **_content_type_of_text(tensor),
    )


def _content_type_of_text(tensor: TensorMetadata) -> dict[str, Any]:
    """What the server makes of the texts of a column: a datetime of MLflow's is no str.

    Not where MLServer 1.7.1 would look for base64 in them: a word that happens to be some arrives
    as other bytes.
    """
    found = tensor.parameters.get("content_type")
    is_own = tensor.datatype == "BYTES" and found not in (None, "", "str", "base64")
    return {"content_type": found} if is_own else {}


def _row_shape(tensor: TensorMetadata) -> tuple[int, ...]:
    return tuple(max(length, 1) for length in tensor.shape[1:]) or (1,)
