from typing import Any

import numpy as np
import pytest

from kserve_client import InputError, Signature
from kserve_client.doctor.rows import Rows, rows_of

GREY = {"width": 2, "height": 2}


def rows(features: list[dict[str, Any]], *examples: dict[str, Any], **settings: Any) -> Rows:
    signature = Signature.model_validate({"features": features, **settings})
    return rows_of(signature, list(examples))


def cells(found: Rows) -> list[list[Any]]:
    return [tensor.data.tolist() for tensor in found.both.inputs]


def test_examples_come_first() -> None:
    """The first two that make a request, in their order."""
    found = rows([{"name": "x"}], {"x": "no number"}, {"x": 5}, {"x": 7}, {"x": 9})
    assert cells(found) == [[[5.0], [7.0]]]
    assert found.is_known
    assert found.cells == {"x": 5}
    assert found.first.inputs[0].data.tolist() == [[5.0]]
    assert found.second.inputs[0].data.tolist() == [[7.0]]


def test_one_example_gets_company() -> None:
    """The second row is made up, so that there are two."""
    found = rows([{"name": "x", "min": 0, "max": 10}], {"x": 3})
    assert cells(found) == [[[3.0], [5.0]]]
    assert found.is_known


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ({"name": "x"}, [0.0, 1.0]),
        ({"name": "x", "min": 4, "max": 8}, [6.0, 4.0]),
        ({"name": "x", "min": 4, "max": 8, "default": 7}, [7.0, 4.0]),
        ({"name": "x", "min": 4}, [4.0, 5.0]),
        ({"name": "x", "max": 4}, [4.0, 3.0]),
        ({"name": "x", "kind": "integer", "min": 1, "max": 4}, [2, 1]),
        ({"name": "x", "kind": "category", "choices": ["a", "b"]}, ["a", "b"]),
        ({"name": "x", "kind": "category", "choices": ["a"]}, ["a", "a"]),
        ({"name": "x", "kind": "boolean"}, [False, True]),
        ({"name": "x", "kind": "text"}, ["text 1", "text 2"]),
        ({"name": "x", "kind": "date"}, ["2026-01-01", "2026-01-02"]),
    ],
)
def test_every_kind_has_a_row(feature: dict[str, Any], expected: list[Any]) -> None:
    """Where the form starts, and another one."""
    found = rows([feature, {"name": "y"}], layout="columns")
    assert found.both.inputs[0].data.ravel().tolist() == expected
    assert not found.is_known


@pytest.mark.parametrize(
    "feature",
    [
        {"name": "x", "kind": "image", "image": GREY},
        {"name": "x", "kind": "tensor", "shape": [2, 2]},
    ],
)
def test_pictures_and_tensors_are_made_up_too(feature: dict[str, Any]) -> None:
    """Zeros, then ones."""
    found = rows([feature])
    assert found.both.inputs[0].data.tolist() == [
        np.zeros((2, 2)).tolist(),
        np.ones((2, 2)).tolist(),
    ]


def test_made_up_pictures_are_as_dark_and_as_light_as_pictures_are() -> None:
    """Zeros would be no picture here."""
    found = rows([{"name": "x", "kind": "image", "image": {**GREY, "low": 10, "high": 20}}])
    assert found.both.inputs[0].data.tolist() == [[[10, 10]] * 2, [[20, 20]] * 2]


def test_a_row_that_would_be_large_is_not_made_up() -> None:
    """A server may name any shape; an example makes it possible."""
    feature = {"name": "x", "kind": "tensor", "shape": [10_000, 50_000]}
    with pytest.raises(InputError, match="500,000,000 numbers is too large to make up"):
        rows([feature])
