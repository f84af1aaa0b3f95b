"""Tensors, and the requests and answers made of them. An invalid tensor cannot exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kserve_client.datatypes import Datatype, datatype, datatype_of
from kserve_client.errors import InputError, NoSuchOutputError

Parameter = str | int | float | bool
Parameters = Mapping[str, Parameter]
NO_PARAMETERS: Parameters = {}
INT64_MAX = 2**63 - 1
# Python or numpy would make a number of each, and it is none.
NOT_NUMBERS = (bool, np.bool_, np.complexfloating, np.datetime64, np.timedelta64)


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
        data: ArrayLike | Sequence[Any],
        *,
        datatype: str | None = None,
        shape: Sequence[int] | None = None,
        parameters: Parameters = NO_PARAMETERS,
    ) -> Tensor:
        """Make a tensor from nested lists, an array, or a column of pandas, Polars or Arrow.

        `datatype` defaults to the array's own, or the one that holds every value of the lists;
        `shape` to the shape of `data`. Integers stay exact and are refused outside the datatype's
        limits; a float never becomes an integer. Floats are rounded to the nearest the datatype
        has, and refused where only infinity is left. What a mask hides is missing. Raises InputError
        when values, datatype and shape don't fit together.
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

    def __repr__(self) -> str:
        wanted = [f"outputs={[output.name for output in self.outputs]}"] if self.outputs else []
        return f"InferRequest({', '.join([*map(repr, self.inputs), *wanted])})"


@dataclass(frozen=True, eq=False, slots=True)
class InferResponse:
    """What came back. Fields that servers leave out or send as null are None or empty."""

    outputs: tuple[Tensor, ...]
    model_name: str | None = None
    model_version: str | None = None
    id: str | None = None
    parameters: Parameters = field(default_factory=dict)

    def output(self, name: str) -> Tensor:
        """The output of that name.

        Raises NoSuchOutputError, which is a KeyError too, naming the outputs there are.
        """
        for tensor in self.outputs:
            if tensor.name == name:
                return tensor
        there = ", ".join(repr(tensor.name) for tensor in self.outputs)
        raise NoSuchOutputError(f"no output {name!r}; the answer has {there or 'no outputs'}")

    def __repr__(self) -> str:
        told = [f"model_name={self.model_name!r}"] if self.model_name else []
        return f"InferResponse({', '.join([*told, *map(repr, self.outputs)])})"


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


def exact_array(column: Any) -> NDArray[Any]:
    """An array or a column as numpy has it, but with its integers as they are.

    Beside a gap numpy makes floats of integers, and it forgets what a mask hides: such gaps are None
    among objects, NaN among floats, NaT among times.
    """
    if isinstance(column, np.ma.MaskedArray):
        return _unmasked(column)
    array = np.asarray(column)
    # The dtypes of numpy and pandas have a kind, those of Polars and Arrow have none.
    kind = getattr(getattr(column, "dtype", None), "kind", "")
    if array.dtype.kind == "U" and kind != "U" and array.ndim == 1:  # it cuts zero bytes at the end
        return np.array(_listed(column), dtype=object)
    if array.dtype.kind != "f" or kind == "f" or array.ndim != 1:
        return array
    gaps = np.isnan(array)
    if not gaps.any():
        return array
    cells = np.array(_listed(column), dtype=object)
    cells[gaps] = None
    return cells if any(map(_is_integral, _types(cells))) else array


def _listed(column: Any) -> list[Any]:
    """The cells as Python has them: pandas says `tolist`, Polars `to_list`, Arrow `to_pylist`."""
    for name in ("tolist", "to_list", "to_pylist"):
        if hasattr(column, name):
            return list(getattr(column, name)())
    return list(column)


def _unmasked(array: np.ma.MaskedArray[Any, Any]) -> NDArray[Any]:
    if not np.ma.is_masked(array):
        return np.asarray(array)
    cells = array.data.astype(array.dtype if array.dtype.kind in "fcmM" else object)
    cells[np.ma.getmaskarray(array)] = None
    return cells


def _typed(name: str, data: ArrayLike | Sequence[Any], wire: str | None) -> NDArray[Any]:
    array = _as_array(name, data)
    return _cast(name, array, datatype(wire) if wire else _own_datatype(name, array))


def _as_array(name: str, data: ArrayLike | Sequence[Any]) -> NDArray[Any]:
    """Lists become objects first.

    numpy alone would route mixed 64-bit integers through float, write numbers beside texts as texts,
    and cut the zero bytes at the end of a text.
    """
    if isinstance(data, np.ndarray | np.generic) or _is_column(data):
        return exact_array(data)
    try:
        array = np.array(data, dtype=object)
    except ValueError:
        array = None
    if array is None or any(isinstance(value, list | tuple) for value in array.ravel()):
        raise InputError(f"tensor {name!r}: nested lists of unequal length")
    return array


def _is_column(data: Any) -> bool:
    """Whether it is a column of pandas, Polars or Arrow, or an array of another library."""
    is_column = hasattr(data, "dtype") or (hasattr(data, "to_pylist") and hasattr(data, "type"))
    return is_column and hasattr(data, "__array__")


def _own_datatype(name: str, array: NDArray[Any]) -> Datatype:
    """The datatype that holds every element of an array of objects."""
    if array.dtype.kind != "O":
        return datatype_of(array)
    kinds = set(map(_kind, _types(array)))
    if "none" in kinds:
        raise InputError(
            f"tensor {name!r}: a value is missing, which has a form in float datatypes alone"
        )
    if kinds == {"integer"}:
        return datatype("INT64" if max(array.ravel()) <= INT64_MAX else "UINT64")
    if kinds <= {"integer", "float"}:
        _check_floats_hold(name, array)
        return datatype("FP64")
    if len(kinds) > 1:
        raise InputError(f"tensor {name!r}: values of different kinds: {', '.join(sorted(kinds))}")
    return datatype("BOOL" if kinds == {"boolean"} else "BYTES")


def _types(array: NDArray[Any]) -> set[type]:
    """The types of its objects: few, and so asked for once each."""
    return set(map(type, array.ravel()))


def _kind(of: type) -> str:
    if of is type(None):
        return "none"
    if issubclass(of, bool | np.bool_):
        return "boolean"
    if _is_integral(of):
        return "integer"
    return "float" if issubclass(of, float | np.floating) else "text"


def _is_integral(of: type) -> bool:
    return issubclass(of, int | np.integer) and not issubclass(of, NOT_NUMBERS)


def _check_floats_hold(name: str, array: NDArray[Any]) -> None:
    """Refuse an integer that would be rounded beside floats, though nobody named a datatype."""
    integral = set(filter(_is_integral, _types(array)))
    for value in array.ravel():
        if type(value) in integral and not _is_float(int(value)):
            raise InputError(
                f"tensor {name!r}: no datatype holds {_digits(value)} and the floats beside it"
            )


def _is_float(value: int) -> bool:
    try:
        return float(value) == value
    except OverflowError:
        return False


def _digits(value: Any) -> str:
    """Python refuses to write very long integers."""
    return str(value) if abs(int(value)) < 10**40 else "a number"


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


def _refuse(name: str, array: NDArray[Any], is_wrong: Callable[[type], bool], taken: str) -> None:
    """Raise InputError for the first object of a wrong type."""
    wrong = set(filter(is_wrong, _types(array)))
    if wrong:
        value = next(value for value in array.ravel() if type(value) in wrong)
        raise InputError(f"tensor {name!r}: {taken}, not {value!r}")


def _exact_booleans(name: str, array: NDArray[Any], target: Datatype) -> NDArray[Any]:
    _refuse(name, array, lambda of: _kind(of) != "boolean", "BOOL takes true and false")
    return array.astype(target.dtype)


def _object_floats(name: str, array: NDArray[Any], target: Datatype) -> NDArray[Any]:
    """None stands for NaN. Texts, booleans and times are no numbers, whatever numpy says."""
    _refuse(
        name,
        array,
        lambda of: issubclass(of, (str, bytes, *NOT_NUMBERS)),
        f"{target.name} takes numbers",
    )
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
    _refuse(name, array, lambda of: not _is_integral(of), f"{target.name} takes whole numbers")
    for value in array.ravel():
        if not low <= value <= high:
            limits = f"{target.name} ({low} to {high})"
            raise InputError(f"tensor {name!r}: {_digits(value)} is outside {limits}")
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
