"""Arrays put together by hand are those that Arrow makes itself."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpys

from kserve_client.scoring.arrays import array, no_text, repeated, text, texts, values_of

KINDS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
KINDS += ["float16", "float32", "float64", "bool"]
whole = st.integers(0, 40)


@given(st.lists(st.none() | st.text()))
def test_texts_are_those_of_arrow(values: list[str | None]) -> None:
    """Any letters, empty ones and missing ones."""
    found = texts(values)
    found.validate(full=True)
    assert found.equals(pa.array(values, pa.string()))


@given(st.text(), whole)
def test_a_repeated_text_is_that_of_arrow(value: str, count: int) -> None:
    """Also none of it, and of nothing."""
    found = repeated(value, count)
    found.validate(full=True)
    assert found.equals(pa.repeat(value, count))
    assert text(value).as_py() == value
    assert no_text().as_py() is None


@given(st.data(), st.sampled_from(KINDS), whole, st.integers(1, 3))
def test_numbers_go_in_and_come_out_as_with_arrow(
    data: st.DataObject, kind: str, count: int, step: int
) -> None:
    """Of every width, strided, with and without missing ones, cut off."""
    values = data.draw(numpys.arrays(np.dtype(kind), count * step))[::step]
    mask = data.draw(st.none() | numpys.arrays(np.bool_, count))
    found = array(values, mask)
    found.validate(full=True)
    expected = pa.array(values, mask=mask)
    assert found.type == expected.type
    assert found.is_null().equals(expected.is_null())
    start = data.draw(st.integers(0, count))
    for mine, its in ((found, expected), (found[start:], expected[start:])):
        got, wanted = values_of(mine), its.to_numpy(zero_copy_only=False)
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    "values", [np.array(["a", None], object), np.array(["2026-01-01"], "datetime64[D]")]
)
def test_what_has_no_plain_form_goes_the_way_of_arrow(values: Any) -> None:
    """Objects and times."""
    assert array(values).equals(pa.array(values))
    np.testing.assert_array_equal(values_of(pa.array(values)), values)


def test_they_load_no_pandas() -> None:
    """In a process that has none yet."""
    code = (
        "import sys, numpy as np; from kserve_client.scoring import arrays as a;"
        "a.texts(['x', None]); a.text('x'); a.no_text(); a.repeated('x', 3);"
        "[a.values_of(a.array(v, v > 0)[:0]) for v in (np.arange(3), np.ones(3), np.ones(3) > 0)];"
        "[a.values_of(a.array(v)) for v in (np.arange(3), np.ones(3), np.ones(3) > 0)];"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
