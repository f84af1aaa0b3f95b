"""The table of wire datatypes: name ↔ numpy dtype ↔ limits.

Source: Open Inference Protocol, `inference_rest.md`, "Tensor Data Types". BF16 stands in the
protocol's text and its gRPC form but not in the REST table, and has no JSON form (seen: KServe
0.21.0 and Triton refuse FP16 and BF16 in JSON). numpy has no bfloat16, so its values are float32
here and lose their lower 16 bits on the way out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kserve_client.errors import InputError

Family = Literal["boolean", "integer", "float", "bytes"]


@dataclass(frozen=True, slots=True)
class Datatype:
    """One row of the table. `minimum` and `maximum` are exact integers, None outside the integer family.

    `dtype` is numpy's, `element_bytes` the size of one element in binary, 0 for BYTES, which
    varies.
    """

    name: str
    family: Family
    dtype: np.dtype[Any]

    @property
    def element_bytes(self) -> int:
        """Bytes of one element in a binary tensor; 0 for BYTES."""
        if self.name == "BF16":
            return 2
        return 0 if self.family == "bytes" else self.dtype.itemsize

    @property
    def minimum(self) -> int | None:
        """The least integer."""
        return int(np.iinfo(self.dtype).min) if self.family == "integer" else None

    @property
    def maximum(self) -> int | None:
        """The greatest integer."""
        return int(np.iinfo(self.dtype).max) if self.family == "integer" else None

    def holds(self, value: bool | float | str) -> bool:
        """Whether a value can travel as this datatype without becoming another one.

        Numbers have a form in BYTES, as text; true and false have one in BOOL alone.
        """
        if isinstance(value, bool) or self.family == "boolean":
            return isinstance(value, bool) and self.family == "boolean"
        if self.minimum is not None and self.maximum is not None:
            return isinstance(value, int) and self.minimum <= value <= self.maximum
        if self.family == "float":
            return not isinstance(value, str) and abs(value) <= float(np.finfo(self.dtype).max)
        return True


def _rows() -> Mapping[str, Datatype]:
    integers = [f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
    rows = [Datatype("BOOL", "boolean", np.dtype(np.bool_))]
    rows += [Datatype(name, "integer", np.dtype(name.lower())) for name in integers]
    rows += [Datatype(f"FP{bits}", "float", np.dtype(f"float{bits}")) for bits in (16, 32, 64)]
    rows += [Datatype("BF16", "float", np.dtype(np.float32))]
    rows += [Datatype("BYTES", "bytes", np.dtype(np.object_))]
    return MappingProxyType({row.name: row for row in rows})


DATATYPES: Mapping[str, Datatype] = _rows()
_BY_DTYPE = {row.dtype: row for row in DATATYPES.values() if row.name != "BF16"}


def datatype(name: str) -> Datatype:
    """Look a wire datatype up by its name, e.g. `FP32`.

    Raises InputError for a name that is not in the table; a miss is never guessed.
    """
    try:
        return DATATYPES[name]
    except KeyError:
        known = ", ".join(DATATYPES)
        raise InputError(f"unknown datatype {name!r}; known are {known}.") from None


def datatype_of(array: NDArray[Any]) -> Datatype:
    """The wire datatype of a numpy array: exact, without a cast. Strings, bytes and objects are BYTES."""
    if array.dtype.kind in "USOT":
        return DATATYPES["BYTES"]
    try:
        return _BY_DTYPE[array.dtype.newbyteorder("=")]
    except KeyError:
        raise InputError(f"numpy dtype {array.dtype} has no datatype in the protocol") from None
