"""The signature of an MLflow model → features, outputs and the tensors they travel in.

Its inputs are columns of a table ("double", "string", …) or tensors (dtype and shape), never both.
Columns travel one by one with content type pd, as MLServer's and KServe's runtimes take them; names
and datatypes are those of MLServer's MLflow runtime 1.7.1, where `input-0` and `output-0` stand for
what has no name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kserve_client.catalog.facts import Settings
from kserve_client.datatypes import DATATYPES
from kserve_client.errors import InvalidAnswerError
from kserve_client.signature import FEATURES_PER_TENSOR
from kserve_client.wire.json import parse_value

Spec = Mapping[str, Any]
KIND_OF_TYPE = {
    "double": ("number", "FP64"),
    "float": ("number", "FP32"),
    "long": ("integer", "INT64"),
    "integer": ("integer", "INT32"),
    "boolean": ("boolean", "BOOL"),
    "string": ("text", "BYTES"),
    "datetime": ("date", "BYTES"),
    "binary": ("text", "BYTES"),
}
_KIND_OF_FAMILY = {"float": "number", "integer": "integer", "boolean": "boolean", "bytes": "text"}
_WIRE_OF_DTYPE = {
    row.dtype.name: row.name
    for row in DATATYPES.values()
    if row.family != "bytes" and row.name != "BF16"
}
_TEXT_DTYPE = re.compile(r"object|O|str\d*|bytes\d*|[<>=|]?[US]\d*")
_MOST_NUMBERS_A_ROW = 100_000_000


@dataclass(frozen=True, slots=True)
class Schema:
    """What a signature says.

    `names_features` and `names_outputs` are false where the names are made up. `widths` are the
    floats of a row of each output, as those of one tensor [-1, 3]; None for other outputs.
    """

    tensors: Settings = field(default_factory=dict)
    features: tuple[Settings, ...] = ()
    outputs: tuple[Settings, ...] = ()
    names_features: bool = True
    names_outputs: bool = True
    widths: tuple[int | None, ...] = ()
    notes: tuple[str, ...] = ()


def schema_of(signature: Any) -> Schema:
    """Read `signature` of an MLmodel file; what can't be read is told in notes."""
    notes: list[str] = []
    if not isinstance(signature, dict):
        signature = {}
    inputs = _specs(signature.get("inputs"), "inputs", notes)
    outputs = _specs(signature.get("outputs"), "outputs", notes)
    if params := [spec.get("name") for spec in _specs(signature.get("params"), "params", notes)]:
        notes.append(
            f"the parameters {', '.join(map(str, params))} are not sent: the model uses its own values"
        )
    tensors, features, is_named = _inputs(inputs, notes)
    return Schema(
        tensors,
        features,
        tuple(_output(spec, at) for at, spec in enumerate(outputs)),
        is_named,
        all(map(_name, outputs)),
        tuple(map(_width, outputs)),
        tuple(notes),
    )


def _specs(given: Any, of: str, notes: list[str]) -> list[Spec]:
    """The columns or tensors of one side; MLflow writes them as a text of JSON."""
    try:
        found = parse_value(given.encode(errors="replace")) if isinstance(given, str) else given
    except InvalidAnswerError:
        found = given
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(spec, dict) for spec in found):
        notes.append(f"the {of} of the signature are no list of columns or tensors")
        return []
    return found


def _inputs(
    specs: Sequence[Spec], notes: list[str]
) -> tuple[dict[str, Any], tuple[Settings, ...], bool]:
    """Settings of the tensors, the features, and whether they have names of their own."""
    if any(spec.get("type") == "tensor" for spec in specs):
        return _tensor_inputs(specs, notes)
    features = [_column(spec, at, notes) for at, spec in enumerate(specs)]
    kept = tuple(feature for feature in features if feature)
    tensors = {"layout": "columns", "content_type": "pd"} if kept else {}
    return tensors, kept, all(map(_name, specs))


def _column(spec: Spec, at: int, notes: list[str]) -> Settings | None:
    name, type_ = _name(spec) or f"input-{at}", spec.get("type")
    # Before MLflow 2.6 a column said optional instead.
    needed = {"required": spec.get("required", not spec.get("optional", False)) is not False}
    if not isinstance(type_, str) or type_ not in KIND_OF_TYPE:
        notes.append(
            f"{name} is of type {type_}, which no field of a form can hold: it is left out"
        )
        return None
    if type_ == "datetime":
        notes.append(f"{name} is a datetime: what is chosen travels as the text of a date")
    if type_ == "binary":
        notes.append(f"{name} is binary: what is written into its field travels as text")
    kind, wire = KIND_OF_TYPE[type_]
    # MLServer 1.7.1 gives the model a moment then, as MLflow wants it; without it a text.
    travels = {"content_type": "datetime"} if type_ == "datetime" else {}
    return {"name": name, "kind": kind, "datatype": wire, **travels, **needed}


def _tensor_inputs(
    specs: Sequence[Spec], notes: list[str]
) -> tuple[dict[str, Any], tuple[Settings, ...], bool]:
    tensors = [_tensor(spec, f"input-{at}", notes) for at, spec in enumerate(specs)]
    known = [tensor for tensor in tensors if tensor]
    if not known:
        return {}, (), True
    only = known[0]
    if len(specs) == 1 and not only.is_column:
        settings = {"layout": "tensor", "input": only.name, "datatype": only.wire}
        if only.is_row_of_numbers:
            return settings, only.numbers(), False
        return settings, (only.block(),), bool(_name(specs[0]))
    is_named = all(map(_name, specs))
    # MLServer's MLflow runtime makes a dict of named tensors, an array of one without a name.
    settings = {"layout": "columns", "content_type": "dict" if is_named else "np"}
    return settings, tuple(tensor.column() for tensor in known), is_named


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor of the signature; `row` is the shape of one row."""

    name: str
    wire: str
    row: tuple[int, ...]

    @property
    def kind(self) -> str:
        return _KIND_OF_FAMILY[DATATYPES[self.wire].family]

    @property
    def is_column(self) -> bool:
        return self.row == ()

    @property
    def is_row_of_numbers(self) -> bool:
        is_number = self.kind in ("number", "integer")
        return is_number and len(self.row) == 1 and self.row[0] <= FEATURES_PER_TENSOR

    def numbers(self) -> tuple[Settings, ...]:
        """One feature per number, named as those of V2 metadata are."""
        return tuple({"name": f"{self.name}[{at}]", "kind": self.kind} for at in range(self.row[0]))

    def block(self) -> Settings:
        """The whole of it as one feature."""
        return {"name": self.name, "kind": "tensor", "shape": self.row, "datatype": self.wire}

    def column(self) -> Settings:
        if self.row not in ((), (1,)):
            return self.block()
        return {"name": self.name, "kind": self.kind, "datatype": self.wire}


def _tensor(spec: Spec, name: str, notes: list[str]) -> _Tensor | None:
    name, (dtype, shape) = _name(spec) or name, _dtype_and_shape(spec)
    wire = _wire(dtype)
    if wire is None or not shape or not all(type(length) is int for length in shape):
        notes.append(f"the tensor {name} ({dtype}, {shape}) can't be sent")
        return None
    row = tuple(max(length, 1) for length in shape[1:])
    if any(length < 1 for length in shape[1:]):
        notes.append(f"the shape of {name}, {shape}, is open; one row is taken to be {list(row)}")
    numbers = 1
    for length in row:
        numbers *= length
    if numbers > _MOST_NUMBERS_A_ROW:
        notes.append(f"the tensor {name} has {numbers:,} numbers a row, too many for a form")
        return None
    return _Tensor(name, wire, row)


def _dtype_and_shape(spec: Spec) -> tuple[str, list[Any]]:
    said = spec.get("tensor-spec")
    if not isinstance(said, dict):
        return "", []
    shape = said.get("shape")
    return str(said.get("dtype")), shape if isinstance(shape, list) else []


def _wire(dtype: str) -> str | None:
    """The datatype on the wire of a numpy dtype by its name; None for one that has none."""
    return "BYTES" if _TEXT_DTYPE.fullmatch(dtype) else _WIRE_OF_DTYPE.get(dtype)


def _output(spec: Spec, at: int) -> Settings:
    """An output with the kind that its type leaves no doubt of: a number may also be a class."""
    settings: dict[str, Any] = {"name": _name(spec) or f"output-{at}", "requested": False}
    dtype, shape = _dtype_and_shape(spec)
    is_one_a_row = spec.get("type") != "tensor" or shape[1:] in ([], [1])
    if is_one_a_row and (spec.get("type") in ("double", "float") or dtype.startswith("float")):
        settings["kind"] = "value"
    if is_one_a_row and (spec.get("type") == "string" or _wire(dtype) == "BYTES"):
        settings["kind"] = "text"
    return settings


def _width(spec: Spec) -> int | None:
    dtype, shape = _dtype_and_shape(spec)
    is_row = dtype.startswith("float") and len(shape) == 2
    return shape[1] if is_row and isinstance(shape[1], int) else None


def _name(spec: Spec) -> str:
    name = spec.get("name")
    return name if isinstance(name, str) else ""
