"""Arrow arrays of Python texts and numpy arrays, and back, without pandas.

`pa.array`, `pa.scalar`, `to_numpy` and every function of Arrow that is given a bare Python value look
whether it is one of pandas, and import pandas to find out: for a command that runs a second, a third
of its start. What is here puts buffers together, which Arrow takes as they are. Whatever has no plain
form goes Arrow's own way: nothing depends on pandas being absent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_MOST_BYTES = (1 << 31) - 1
_PLAIN_KINDS = "iuf"


def texts(values: Iterable[str | None]) -> pa.StringArray:
    """Some texts as a `string` array; for the many of a column `pa.array` is faster."""
    cells = list(values)
    encoded = [b"" if cell is None else cell.encode() for cell in cells]
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
    if len(ends) and ends[-1] > _MOST_BYTES:
        return pa.array(cells, pa.string())
    is_there = np.fromiter((cell is not None for cell in cells), np.bool_, len(cells))
    return _strings(np.concatenate([[0], ends]), b"".join(encoded), is_there)


def text(value: str) -> pa.StringScalar:
    """A text as Arrow's functions take one."""
    return texts([value])[0]


def no_text() -> pa.StringScalar:
    """The text that is missing."""
    return pa.nulls(1, pa.string())[0]


def repeated(value: str, count: int) -> pa.StringArray:
    """The same text so many times."""
    one = value.encode()
    if len(one) * count > _MOST_BYTES:
        return pa.repeat(value, count)
    return _strings(np.arange(count + 1) * len(one), one * count, None)


def array(values: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> pa.Array:
    """The values of a numpy array of one dimension, null where `mask` is True."""
    if values.dtype.kind == "b":
        data = pa.py_buffer(_bits(values))
    elif values.dtype.kind in _PLAIN_KINDS and values.dtype.isnative:
        data = pa.py_buffer(np.ascontiguousarray(values))
    else:
        return pa.array(values, mask=mask)
    kind = pa.from_numpy_dtype(values.dtype)
    valid = None if mask is None or not mask.any() else pa.py_buffer(_bits(~mask))
    return pa.Array.from_buffers(kind, len(values), [valid, data])


def values_of(column: pa.Array) -> NDArray[Any]:
    """An array as numpy has it; nulls of numbers are NaN. Read-only where it is not copied."""
    kind = column.type
    if column.null_count or not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        if pa.types.is_boolean(kind) and not column.null_count:
            return _booleans(column)
        return np.asarray(column.to_numpy(zero_copy_only=False))
    width = kind.bit_width // 8
    data = column.buffers()[1] or b""
    letter = "f" if pa.types.is_floating(kind) else _sign(kind)
    return np.frombuffer(data, f"{letter}{width}", len(column), column.offset * width)


def _sign(kind: pa.DataType) -> str:
    return "i" if pa.types.is_signed_integer(kind) else "u"


def _booleans(column: pa.Array) -> NDArray[Any]:
    data = np.frombuffer(column.buffers()[1] or b"", np.uint8)
    end = column.offset + len(column)
    found = np.unpackbits(data, count=end, bitorder="little")
    return found[column.offset :].astype(np.bool_)


def _strings(
    offsets: NDArray[np.int64], data: bytes, is_there: NDArray[np.bool_] | None
) -> pa.StringArray:
    valid = None if is_there is None or is_there.all() else pa.py_buffer(_bits(is_there))
    ends = pa.py_buffer(offsets.astype(np.int32))
    return pa.StringArray.from_buffers(len(offsets) - 1, ends, pa.py_buffer(data), valid)


def _bits(flags: NDArray[Any]) -> NDArray[np.uint8]:
    return np.packbits(flags, bitorder="little")
