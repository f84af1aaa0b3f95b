from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kserve_client.errors import InputError, NoSuchOutputError
from kserve_client.tensors import InferRequest, InferResponse, RequestedOutput, Tensor


def test_a_tensor_of_nested_lists_has_their_shape() -> None:
    """Two rows of three."""
    tensor = Tensor.of("x", [[1, 2, 3], [4, 5, 6]], datatype="INT32")
    assert tensor.shape == (2, 3)
    assert tensor.data.dtype == np.int32


def test_a_tensor_of_flat_data_takes_a_shape() -> None:
    """Row by row."""
    assert Tensor.of("x", [1, 2, 3, 4], shape=[2, 2]).data.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("shape", [[2, 3], [5], []])
def test_values_must_fill_the_shape(shape: list[int]) -> None:
    """An invalid tensor cannot exist."""
    with pytest.raises(InputError, match="4 values don't fill"):
        Tensor.of("x", [1, 2, 3, 4], shape=shape)


@pytest.mark.parametrize("data", [[[1, 2], [3]], [[1], 2], [[[1]], [2]]])
def test_ragged_lists_are_refused(data: list[Any]) -> None:
    """Nested lists of unequal length are no tensor."""
    with pytest.raises(InputError, match="unequal length"):
        Tensor.of("x", data, datatype="FP32")


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        ([True, False], "BOOL"),
        ([1, -2], "INT64"),
        ([2**63], "UINT64"),
        ([2**53 + 1, 2**63 - 1], "INT64"),
        ([1, 2.5], "FP64"),
        (["a", b"b"], "BYTES"),
        (np.array([1.5], dtype=np.float32), "FP32"),
        (np.array(["a"]), "BYTES"),
        (np.array([1], dtype=">i2"), "INT16"),
        (pd.Series([1.5]), "FP64"),
        (pd.Series(["a"]), "BYTES"),
        (3.5, "FP64"),
        (np.uint8(3), "UINT8"),
    ],
)
def test_the_datatype_is_that_of_the_data(data: Any, wire: str) -> None:
    """Unless one is named."""
    assert Tensor.of("x", data).datatype == wire


@pytest.mark.parametrize(
    "data", [["a", 1], [True, 2], [None, "a"], [2**64 - 1, -1], [2**64], [None]]
)
def test_values_without_one_datatype_are_refused(data: list[Any]) -> None:
    """Nothing is turned into text, or into a float, to make it fit."""
    with pytest.raises(InputError):
        Tensor.of("x", data)


GAPS = (
    pd.array([2**62 + 1, None], dtype="Int64"),
    pd.Series([2**62 + 1, None], dtype="Int64"),
    pd.array([2**62 + 1, None], dtype="int64[pyarrow]"),
    pd.Categorical([2**62 + 1, None]),
    pa.array([2**62 + 1, None]),
    pa.chunked_array([[2**62 + 1], [None]]),
    pa.array([2**62 + 1, None]).dictionary_encode(),
    np.ma.array([2**62 + 1, 5], mask=[False, True]),
)


class PolarsColumn:
    """What a Series of Polars is to numpy: floats, once there is a null among integers."""

    dtype = "Int64"

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([2.0**62, np.nan], dtype)

    def to_list(self) -> list[int | None]:
        """Return the cells as Python has them."""
        return [2**62 + 1, None]


class PolarsTexts:
    """What a Series of Polars without gaps is to numpy: texts of one width, which cuts zero bytes."""

    dtype = "String"

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        return np.array(self.to_list())

    def to_list(self) -> list[str]:
        """Return the cells as Python has them."""
        return ["a", "bc\0"]


@pytest.mark.parametrize("data", [*GAPS, PolarsColumn()], ids=lambda data: type(data).__name__)
def test_integers_with_a_gap_are_no_floats(data: Any) -> None:
    """Unless a float datatype is named, which has a form for what is missing."""
    with pytest.raises(InputError, match="a value is missing, which has a form in float datatypes"):
        Tensor.of("x", data)
    with pytest.raises(InputError, match="INT64 takes whole numbers, not None"):
        Tensor.of("x", data, datatype="INT64")
    floats = Tensor.of("x", data, datatype="FP64").data.tolist()
    assert floats[0] == 2.0**62
    assert math.isnan(floats[1])


@pytest.mark.parametrize(
    ("data", "wire", "values"),
    [
        (pa.array([1, -2], pa.int32()), "INT32", [1, -2]),
        (pa.array([True, False]), "BOOL", [True, False]),
        (pa.array(["a", "b"]), "BYTES", ["a", "b"]),
        (PolarsTexts(), "BYTES", ["a", "bc\0"]),
        (np.ma.array([1, 5], mask=False), "INT64", [1, 5]),
    ],
)
def test_columns_without_a_gap_are_what_they_are(data: Any, wire: str, values: list[Any]) -> None:
    """Each with its own datatype."""
    tensor = Tensor.of("x", data)
    assert (tensor.datatype, tensor.data.tolist()) == (wire, values)


@pytest.mark.parametrize(
    "data",
    [
        pa.array([1.5, None]),
        pd.array([1.5, None], dtype="Float64"),
        np.ma.array([1.5, 9.5], mask=[False, True]),
    ],
)
def test_floats_with_a_gap_have_nan_there(data: Any) -> None:
    """They have it anyway."""
    first, second = Tensor.of("x", data).data.tolist()
    assert first == 1.5
    assert math.isnan(second)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([2**53 + 1, 1.5], "no datatype holds 9007199254740993 and the floats beside it"),
        ([1.5, np.int64(2**53 + 1)], "no datatype holds 9007199254740993 and the floats beside it"),
        ([10**400, 1.5], "no datatype holds a number and the floats beside it"),
        ([1, None], "a value is missing"),
        ([True, None], "a value is missing"),
        (["a", None], "a value is missing"),
    ],
)
def test_a_list_that_no_datatype_holds_whole_is_refused(data: list[Any], told: str) -> None:
    """Rounding is for those who name a datatype."""
    with pytest.raises(InputError, match=f"^tensor 'x': {told}"):
        Tensor.of("x", data)


def test_the_value_that_is_wrong_is_the_one_that_is_named() -> None:
    """Truth values are integers to Python, and right where BOOL is wanted."""
    with pytest.raises(InputError, match="BOOL takes true and false, not 5"):
        Tensor.of("x", [True, 5], datatype="BOOL")


def test_a_named_float_datatype_rounds() -> None:
    """To the nearest."""
    data: list[float] = [2**53 + 1, 1.5]
    assert Tensor.of("x", data, datatype="FP64").data.tolist() == [2.0**53, 1.5]


@pytest.mark.parametrize("wire", ["FP64", "INT64"])
@pytest.mark.parametrize(
    "value",
    [
        np.complex128(1 + 2j),
        np.timedelta64(1, "s"),
        np.timedelta64(1, "ns"),
        np.datetime64("2026-01-02", "ns"),
    ],
)
def test_what_numpy_alone_takes_for_a_number_is_refused(value: Any, wire: str) -> None:
    """In a list as in an array of its own."""
    for data in ([value], np.array([value])):
        with pytest.raises(InputError, match=f"{wire} takes (whole )?numbers, not"):
            Tensor.of("x", data, datatype=wire)
        with pytest.raises(InputError):
            Tensor.of("x", data)


def test_zero_bytes_at_the_end_of_a_text_are_kept() -> None:
    """A text array of numpy would cut them."""
    texts: Any = [b"a\0", "b\0"]
    assert Tensor.of("x", texts).data.tolist() == texts


@pytest.mark.parametrize(
    "value", [2**53 + 1, 2**63 - 1, -(2**63), 0], ids=["2^53+1", "2^63-1", "-2^63", "0"]
)
def test_64_bit_integers_stay_exact(value: int) -> None:
    """Also beside one that only a float could hold with it."""
    assert Tensor.of("x", [value, 1], datatype="INT64").data.tolist() == [value, 1]


def test_the_largest_unsigned_integer_stays_exact() -> None:
    """2^64-1 in UINT64."""
    assert Tensor.of("x", [2**64 - 1, 0], datatype="UINT64").data.tolist() == [2**64 - 1, 0]


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        ([256], "UINT8"),
        ([-1], "UINT64"),
        ([2**63], "INT64"),
        ([1.0], "INT64"),
        ([True], "INT8"),
        (["1"], "INT32"),
        ([None], "INT32"),
        (np.array([300]), "INT8"),
        (np.array([-1]), "UINT8"),
        (np.array([2**64 - 1], dtype=np.uint64), "INT64"),
        (np.array([1.0]), "INT64"),
        (np.array([True]), "INT64"),
        ([1, 0], "BOOL"),
        (np.array([1]), "BOOL"),
        (["true"], "BOOL"),
        (["1.5"], "FP32"),
        ([True], "FP32"),
        (np.array([True]), "FP32"),
        (np.array(["1.5"]), "FP64"),
        (np.array(["1.5", True], dtype=object), "FP32"),
        ([1e39], "FP32"),
        ([70000.0], "FP16"),
        (np.array([1e39]), "FP32"),
        ([10**400], "FP64"),
        ([1j], "FP64"),
        ([1], "BYTES"),
        ([None], "BYTES"),
        ([math.nan], "BYTES"),
        (np.array(["2026-11-22"], dtype="datetime64[D]"), "INT64"),
    ],
)
def test_what_does_not_fit_is_refused(data: Any, wire: str) -> None:
    """Nothing is cut, rounded to a whole number, wrapped around or guessed."""
    with pytest.raises(InputError, match="tensor 'x'"):
        Tensor.of("x", data, datatype=wire)


def test_floats_take_the_nearest_value() -> None:
    """0.1 has no exact FP32; whole numbers are fine in a float."""
    tensor = Tensor.of("x", [0.1, 2], datatype="FP32")
    assert tensor.data.tolist() == [0.10000000149011612, 2.0]


def test_infinity_and_nan_are_floats() -> None:
    """None stands for NaN."""
    values: Any = [math.inf, None, math.nan]
    data = Tensor.of("x", values, datatype="FP32").data
    assert np.isinf(data[0])
    assert np.isnan(data[1:]).all()


def test_a_tensor_cannot_be_made_with_the_wrong_dtype() -> None:
    """Not even by its constructor."""
    with pytest.raises(InputError, match="FP32 needs numpy dtype float32, not float64"):
        Tensor("x", "FP32", np.zeros(1))
    with pytest.raises(InputError, match="missing value"):
        Tensor("x", "BYTES", np.array([None]))
    with pytest.raises(InputError, match="unknown datatype"):
        Tensor("x", "FP8", np.zeros(1))


def test_a_repr_shows_no_data() -> None:
    """Name, datatype and shape are enough for a log."""
    assert repr(Tensor.of("x", [[1.5]])) == "Tensor('x', FP64, shape=[1, 1])"


def test_an_answer_finds_its_outputs_by_name() -> None:
    """A miss names what there is, as an error of this package that is a KeyError too."""
    response = InferResponse((Tensor.of("predict", [0]),))
    assert response.output("predict").data.tolist() == [0]
    with pytest.raises(KeyError) as caught:
        response.output("proba")
    assert isinstance(caught.value, NoSuchOutputError)
    assert str(caught.value) == "no output 'proba'; the answer has 'predict'"
    with pytest.raises(NoSuchOutputError, match="the answer has no outputs"):
        InferResponse(()).output("predict")


def test_requests_and_answers_show_names_and_shapes() -> None:
    """A million numbers don't stand in a repr, nor do parameters, which may hold anything."""
    x, y = Tensor.of("x", [[1.5]]), Tensor.of("y", [[2.5]])
    request = InferRequest((x,), (RequestedOutput("y"),), parameters={"key": "s3cret"})
    assert repr(request) == "InferRequest(Tensor('x', FP64, shape=[1, 1]), outputs=['y'])"
    assert repr(InferRequest((x,))) == "InferRequest(Tensor('x', FP64, shape=[1, 1]))"
    response = InferResponse((y,), model_name="m", parameters={"key": "s3cret"})
    assert repr(response) == "InferResponse(model_name='m', Tensor('y', FP64, shape=[1, 1]))"
    assert repr(InferResponse(())) == "InferResponse()"
