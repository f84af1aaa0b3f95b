"""Tensors, and the requests and answers made of them. An invalid tensor cannot exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kserve_client.datatypes import Datatype, datatype, datatype_of
from kserve_client.errors import InputError

Parameter = str | int | float | bool
Parameters = Mapping[str, Parameter]
NO_PARAMETERS: Parameters = {}
INT64_MAX = 2**63 - 1


@dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    """A named array with the datatype it has on the wire.

    `data` has the tensor's shape (row-major) and the numpy dtype of `datatype`; the elements of
    BYTES are `str` or `bytes`. Make one with `Tensor.of`, which converts without loss or raises
    InputError.
    """

    name: str
    datatype: str
    data: NDArray[Any]
    parameters: Parameters = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = datatype(self.datatype).dtype
        if self.data.dtype != expected:
            raise InputError(
                f"tensor {self.name!r}: {self.datatype} needs numpy dtype {expected}, "
                f"not {self.data.dtype}"
            )
        if expected.kind == "O":
            _check_texts(self.name, self.data)

    @classmethod
    def of(
        cls,
        name: str,
        data: ArrayLike,
        *,
        datatype: str | None = None,
        shape: Sequence[int] | None = None,
        parameters: Parameters = NO_PARAMETERS,
    ) -> Tensor:
        """Make a tensor from nested lists or an array.

        `datatype` defaults to the array's own, or the one that holds every value of the lists;
        `shape` to the shape of `data`. Integers stay exact and are refused outside the datatype's
        limits; a float never becomes an integer. Floats are rounded to the nearest the datatype
        has, and refused where only infinity is left. Raises InputError when values, datatype and
        shape don't fit together.
        """
        array = _typed(name, data, datatype)
        wire = datatype or datatype_of(array).name
        if shape is not None:
            array = _shaped(name, array, shape)
        return cls(name, wire, array, dict(parameters))

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions; the first is the batch dimension by custom."""
        return self.data.shape

    def __repr__(self) -> str:
        return f"Tensor({self.name!r}, {self.datatype}, shape={list(self.shape)})"


@dataclass(frozen=True, eq=False, slots=True)
class RequestedOutput:
    """An output asked for by name (protocol: `$request_output`)."""

    name: str
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class InferRequest:
    """What goes to `POST v2/models/M/infer`. `outputs` empty means: whatever the server gives."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[RequestedOutput, ...] = ()
    id: str | None = None
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class InferResponse:
    """What came back. Fields that servers leave out or send as null are None or empty."""

    outputs: tuple[Tensor, ...]
    model_name: str | None = None
    model_version: str | None = None
    id: str | None = None
    parameters: Parameters = field(default_factory=dict)

    def output(self, name: str) -> Tensor:
        """The output of that name. Raises KeyError, naming the outputs there are."""
        for tensor in self.outputs:
            if tensor.name == name:
                return tensor
        raise KeyError(f"no output {name!r}; the answer has {[t.name for t in self.outputs]}")


def _are_texts(elements: list[Any]) -> bool:
    """Whether all are `str`; joining them is the fastest way to see."""
    try:
        "".join(elements)
    except TypeError:
        return False
    return True


def _check_texts(name: str, array: NDArray[Any]) -> None:
    elements = array.ravel().tolist()
    if _are_texts(elements) or {str, bytes}.issuperset(map(type, elements)):
        return
    for value in elements:
        if not isinstance(value, str | bytes):
            raise InputError(
                f"tensor {name!r}: BYTES holds text or bytes, not {type(value).__name__}; "
                "a missing value has no form in BYTES"
            )


def _typed(name: str, data: ArrayLike, wire: str | None) -> NDArray[Any]:
    array = _as_array(name, data)
    return _cast(name, array, datatype(wire) if wire else _own_datatype(name, array))


def _as_array(name: str, data: ArrayLike) -> NDArray[Any]:
    """Lists become objects first.

    numpy alone would route mixed 64-bit integers through float, write numbers beside texts as texts,
    and cut the zero bytes at the end of a text.
    """
    if isinstance(data, np.ndarray | np.generic):
        return np.asarray(data)
    if hasattr(data, "dtype") and hasattr(data, "__array__"):  # a pandas Series or its like
        return np.asarray(data)
    try:
        array = np.array(data, dtype=object)
    except ValueError:
        array = None
    if array is None or any(isinstance(value, list | tuple) for value in array.ravel()):
        raise InputError(f"tensor {name!r}: nested lists of unequal length")
    return array


def _own_datatype(name: str, array: NDArray[Any]) -> Datatype:
    """The datatype that holds every element of an array of objects."""
    if array.dtype.kind != "O":
        return datatype_of(array)
    kinds = {_kind(value) for value in array.ravel()}
    if kinds == {"integer"}:
        return datatype("INT64" if max(array.ravel()) <= INT64_MAX else "UINT64")
    if kinds <= {"integer", "float"}:
        return datatype("FP64")
    if len(kinds) > 1:
        raise InputError(f"tensor {name!r}: values of different kinds: {', '.join(sorted(kinds))}")
    return datatype("BOOL" if kinds == {"boolean"} else "BYTES")


def _kind(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "boolean"
    if isinstance(value, int | np.integer):
        return "integer"
    return "float" if isinstance(value, float | np.floating) else "text"


def _cast(name: str, array: NDArray[Any], target: Datatype) -> NDArray[Any]:
    if array.dtype == target.dtype:
        return array
    if target.family == "bytes":
        return array.astype(object)
    if array.dtype.kind == "O":
        return _OF_OBJECTS[target.family](name, array, target)
    if target.family == "boolean":
        raise InputError(f"tensor {name!r}: BOOL takes true and false, not {array.dtype}")
    if target.family == "integer":
        _check_integral(name, array, target)
        return array.astype(target.dtype)
    return _floats(name, array, target)


def _floats(name: str, array: NDArray[Any], target: Datatype) -> NDArray[Any]:
    if array.dtype.kind not in "fiu":
        raise InputError(f"tensor {name!r}: {target.name} takes numbers, not {array.dtype}")
    with np.errstate(over="ignore"):
        floats = array.astype(target.dtype)
    if np.isinf(floats).any() and (np.isinf(floats) != np.isinf(array)).any():
        raise InputError(f"tensor {name!r}: a value is too large for {target.name}")
    return floats


def _exact_booleans(name: str, array: NDArray[Any], target: Datatype) -> NDArray[Any]:
    for value in array.ravel():
        if not isinstance(value, bool | np.bool_):
            raise InputError(f"tensor {name!r}: BOOL takes true and false, not {value!r}")
    return array.astype(target.dtype)


def _object_floats(name: str, array: NDArray[Any], target: Datatype) -> NDArray[Any]:
    """None stands for NaN. Texts and booleans are no numbers, whatever numpy says."""
    for value in array.ravel():
        if isinstance(value, str | bytes | bool | np.bool_):
            raise InputError(f"tensor {name!r}: {target.name} takes numbers, not {value!r}")
    try:
        return _floats(name, array.astype(np.float64), target)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"tensor {name!r}: {target.name} takes numbers ({error})") from None


def _limits(target: Datatype) -> tuple[int, int]:
    assert target.minimum is not None
    assert target.maximum is not None
    return target.minimum, target.maximum


def _exact_integers(name: str, array: NDArray[Any], target: Datatype) -> NDArray[Any]:
    low, high = _limits(target)
    for value in array.ravel():
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
            raise InputError(f"tensor {name!r}: {target.name} takes whole numbers, not {value!r}")
        if not low <= value <= high:
            # Python refuses to write very long integers.
            shown = str(value) if abs(int(value)) < 10**40 else "a number"
            raise InputError(f"tensor {name!r}: {shown} is outside {target.name} ({low} to {high})")
    return array.astype(target.dtype)


_OF_OBJECTS = {
    "boolean": _exact_booleans,
    "integer": _exact_integers,
    "float": _object_floats,
}


def _check_integral(name: str, array: NDArray[Any], target: Datatype) -> None:
    if array.dtype.kind not in "iu":
        raise InputError(f"tensor {name!r}: {target.name} takes whole numbers, not {array.dtype}")
    low, high = _limits(target)
    if array.size and (int(array.min()) < low or int(array.max()) > high):
        raise InputError(f"tensor {name!r}: a value is outside {target.name} ({low} to {high})")


def _shaped(name: str, array: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    try:
        return array.reshape(tuple(shape))
    except ValueError:
        raise InputError(
            f"tensor {name!r}: {array.size} values don't fill shape {list(shape)}"
        ) from None
