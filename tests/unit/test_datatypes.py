from __future__ import annotations

import numpy as np
import pytest

from kserve_client.datatypes import DATATYPES, datatype, datatype_of
from kserve_client.errors import InputError

TABLE = {
    "BOOL": "bool",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "object",
}


def test_the_table_is_that_of_the_protocol() -> None:
    """All datatypes, and no other; numpy has no bfloat16, so its values are float32."""
    assert {row.name: str(row.dtype) for row in DATATYPES.values()} == {
        **TABLE,
        "BF16": "float32",
    }


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("INT8", -128, 127),
        ("UINT8", 0, 255),
        ("INT64", -9223372036854775808, 9223372036854775807),
        ("UINT64", 0, 18446744073709551615),
    ],
)
def test_limits_are_exact(name: str, low: int, high: int) -> None:
    """The limits of integers are integers."""
    row = datatype(name)
    assert (row.minimum, row.maximum) == (low, high)
    assert type(row.maximum) is int


@pytest.mark.parametrize("name", ["BOOL", "FP32", "BYTES"])
def test_only_integers_have_limits(name: str) -> None:
    """The others have none."""
    assert datatype(name).minimum is None
    assert datatype(name).maximum is None


@pytest.mark.parametrize("name", ["fp32", "FLOAT", "", "INT"])
def test_an_unknown_name_is_never_guessed(name: str) -> None:
    """The message lists the names there are."""
    with pytest.raises(InputError, match="known are BOOL, INT8, INT16"):
        datatype(name)


@pytest.mark.parametrize(
    ("name", "size"),
    [("BOOL", 1), ("INT64", 8), ("FP16", 2), ("BF16", 2), ("FP32", 4), ("BYTES", 0)],
)
def test_the_size_of_an_element_in_binary(name: str, size: int) -> None:
    """Bytes vary."""
    assert datatype(name).element_bytes == size


@pytest.mark.parametrize(("name", "dtype"), TABLE.items())
def test_the_table_reads_both_ways(name: str, dtype: str) -> None:
    """A numpy array finds its datatype again."""
    assert datatype_of(np.empty(0, dtype=dtype)).name == name


@pytest.mark.parametrize("dtype", [">f4", "<f4", "=f4"])
def test_byte_order_is_no_other_datatype(dtype: str) -> None:
    """Big-endian floats are floats."""
    assert datatype_of(np.empty(0, dtype=dtype)).name == "FP32"


@pytest.mark.parametrize("dtype", ["U3", "S3", "O", np.dtypes.StringDType()])
def test_texts_are_bytes(dtype: object) -> None:
    """All of numpy's kinds of text travel as BYTES."""
    assert datatype_of(np.empty(0, dtype=dtype)).name == "BYTES"  # type: ignore[call-overload]


@pytest.mark.parametrize("dtype", ["complex64", "datetime64[s]", "timedelta64[s]", "V4"])
def test_what_has_no_datatype_is_refused(dtype: str) -> None:
    """There is nothing to cast it to in silence."""
    with pytest.raises(InputError, match="no datatype in the protocol"):
        datatype_of(np.empty(0, dtype=dtype))


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("BOOL", True, True),
        ("BOOL", 1, False),
        ("UINT8", 255, True),
        ("UINT8", 256, False),
        ("UINT8", True, False),
        ("INT64", 1.5, False),
        ("INT64", 1.0, False),
        ("INT64", "1", False),
        ("FP32", 1, True),
        ("FP32", 1e39, False),
        ("FP32", "1", False),
        ("FP32", True, False),
        ("BYTES", "male", True),
        ("BYTES", 3, True),
        ("BYTES", True, False),
    ],
)
def test_what_a_datatype_holds(name: str, value: bool | float | str, holds: bool) -> None:
    """A value travels as itself or not at all."""
    assert datatype(name).holds(value) is holds
