"""A threshold of two classes decides the answer, wherever it is read."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from kserve_client.errors import InvalidAnswerError
from kserve_client.predictions import Predictions
from kserve_client.signature import Signature
from kserve_client.tensors import InferResponse, Tensor

LABEL = {"name": "predict", "kind": "label", "labels": ["stays", "leaves"]}
CHANCES = [[0.8, 0.2], [0.7, 0.3], [0.4, 0.6]]


def signature(*outputs: dict[str, Any]) -> Signature:
    return Signature.model_validate({"features": [{"name": "a"}], "outputs": outputs})


def proba(threshold: float = 0.3, **more: Any) -> dict[str, Any]:
    return {"name": "proba", "kind": "probabilities", "threshold": threshold, **more}


def answers(*outputs: dict[str, Any], **tensors: Any) -> Predictions:
    response = InferResponse(tuple(Tensor.of(name, data) for name, data in tensors.items()))
    return Predictions(signature(*outputs), response, len(next(iter(tensors.values()))))


def test_the_threshold_decides() -> None:
    """From 0.3 on it is the second class, though the model's own label divides at 0.5."""
    found = answers(LABEL, proba(), predict=[0, 0, 1], proba=CHANCES)
    assert [one.label for one in found] == ["stays", "leaves", "leaves"]
    assert [one.headline for one in found] == ["stays", "leaves", "leaves"]
    assert [one.confidence for one in found] == [0.8, 0.3, 0.6]
    assert (found[0].positive, found[0].threshold) == ("leaves", 0.3)
    assert [one.margin for one in found] == pytest.approx([-0.1, 0.0, 0.3])


def test_the_columns_follow() -> None:
    """A batch has the decided label first; the model's own stays under its name."""
    found = answers(LABEL, proba(), predict=[0, 0, 1], proba=CHANCES)
    assert found.columns() == {
        "prediction": ["stays", "leaves", "leaves"],
        "probability_stays": [0.8, 0.7, 0.4],
        "probability_leaves": [0.2, 0.3, 0.6],
        "predict": ["stays", "stays", "leaves"],
    }


def test_the_first_class_may_be_the_positive_one() -> None:
    """The threshold is about the class that is named."""
    found = answers(proba(0.75, positive="stays", labels=["stays", "leaves"]), proba=CHANCES)
    assert [one.label for one in found] == ["stays", "leaves", "leaves"]
    assert [one.margin for one in found] == pytest.approx([0.05, -0.05, -0.35])


def test_one_column_is_the_chance_of_the_second() -> None:
    """A model with one sigmoid at its end."""
    found = answers(proba(0.25, labels=["no", "yes"]), proba=[[0.2], [0.25]])
    assert [one.label for one in found] == ["no", "yes"]


def test_classes_without_names_have_their_numbers() -> None:
    """The second is class 1."""
    found = answers(proba(0.25), proba=CHANCES)
    assert found.columns()["prediction"] == ["0", "1", "1"]


def test_what_is_no_number_is_no_class() -> None:
    """NaN is on neither side."""
    found = answers(LABEL, proba(), predict=[1], proba=[[float("nan"), float("nan")]])
    assert (found[0].label, found[0].margin) == (None, None)
    assert found.columns()["prediction"] == [None]


def test_a_value_is_measured_by_its_mark() -> None:
    """The answer stays the value; how far it is from the mark is said beside it."""
    found = answers({"name": "out", "kind": "value", "threshold": 50}, out=[53.5, 40.0])
    assert [one.value for one in found] == [53.5, 40.0]
    assert [one.margin for one in found] == [3.5, -10.0]
    assert found[0].positive is None
    assert found.columns() == {"prediction": [53.5, 40.0]}


def test_without_a_threshold_there_is_no_margin() -> None:
    """Nothing changes for the others."""
    found = answers(
        LABEL, {"name": "proba", "kind": "probabilities"}, predict=[0], proba=[[0.8, 0.2]]
    )
    assert (found[0].threshold, found[0].positive, found[0].margin) == (None, None, None)


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ([proba(0)], "is a probability: above 0, at most 1"),
        ([proba(1.5)], "is a probability: above 0, at most 1"),
        ([proba(float("nan"))], "finite number"),
        (
            [{"name": "a", "kind": "label", "threshold": 0.5}],
            "belongs to kind probabilities or value",
        ),
        ([{"name": "a", "threshold": 0.5}], "belongs to kind probabilities or value, not raw"),
        ([{"name": "a", "kind": "probabilities", "positive": "x"}], "positive needs a threshold"),
        (
            [{"name": "a", "kind": "value", "threshold": 1, "positive": "x"}],
            "positive belongs to kind probabilities, not value",
        ),
        ([proba(labels=["a", "b", "c"])], "a threshold divides two classes, not 3"),
        ([{**LABEL, "labels": ["a", "b", "c"]}, proba()], "a threshold divides two classes, not 3"),
        ([LABEL, proba(positive="flies")], "positive 'flies' is not one of stays, leaves"),
        ([proba(positive="yes")], "positive 'yes' is not one of 0, 1"),
        ([proba(), {"name": "b", "kind": "value", "threshold": 1}], "only one output may have"),
    ],
)
def test_nonsense_is_refused_when_it_is_read(outputs: list[dict[str, Any]], words: str) -> None:
    """A threshold that can't decide anything never reaches an answer."""
    with pytest.raises(ValidationError, match=words):
        signature(*outputs)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([[0.2, 0.3, 0.5]], "has the classes 0, 1, 2, and a threshold divides two"),
        ([[0.7]], "has the classes 0, and a threshold divides two"),
    ],
)
def test_an_answer_of_other_classes_is_refused(data: list[list[float]], words: str) -> None:
    """Three classes, or one without names: nobody can say which one the threshold is about."""
    found = answers(proba(), proba=data)
    with pytest.raises(InvalidAnswerError, match=re.escape(words)):
        found[0]
    with pytest.raises(InvalidAnswerError, match=re.escape(words)):
        found.columns()
