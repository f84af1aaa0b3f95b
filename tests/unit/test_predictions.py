from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kserve_client.errors import InvalidAnswerError
from kserve_client.predictions import Predictions, number_text
from kserve_client.signature import Signature
from kserve_client.tensors import InferResponse, Tensor

LABELS = ["setosa", "versicolor", "virginica"]
PREDICT = {"name": "predict", "kind": "label", "labels": LABELS}
PROBA = {"name": "proba", "kind": "probabilities"}
CHANCES = [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]


def signature(*outputs: dict[str, Any]) -> Signature:
    return Signature.model_validate({"features": [{"name": "a"}], "outputs": outputs})


def predictions(
    outputs: list[dict[str, Any]],
    answer: dict[str, Any],
    *,
    count: int = 2,
    wire: str | None = None,
) -> Predictions:
    tensors = tuple(Tensor.of(name, data, datatype=wire) for name, data in answer.items())
    return Predictions(signature(*outputs), InferResponse(tensors), count)


# Kinds of outputs


@pytest.mark.parametrize(
    "answer",
    [
        [0, 2],
        [[0], [2]],
        [[[0]], [[2]]],
        [0.0, 2.0],
        ["setosa", "virginica"],
        [b"setosa", b"virginica"],
    ],
)
def test_labels(answer: Any) -> None:
    """By index or by name; MLServer answers [n, 1], KServe [n]."""
    found = predictions([PREDICT], {"predict": answer})
    assert [one.label for one in found] == ["setosa", "virginica"]
    assert found[0].headline == "setosa"
    assert found.columns() == {"prediction": ["setosa", "virginica"]}


def test_labels_with_probabilities() -> None:
    """Each class has its chance; the label's own is the confidence."""
    found = predictions([PREDICT, PROBA], {"predict": [0, 2], "proba": CHANCES})
    assert found[1].probabilities == {"setosa": 0.1, "versicolor": 0.2, "virginica": 0.7}
    assert found[1].confidence == 0.7
    assert found.columns() == {
        "prediction": ["setosa", "virginica"],
        "probability_setosa": [0.7, 0.1],
        "probability_versicolor": [0.2, 0.2],
        "probability_virginica": [0.1, 0.7],
    }


def test_the_answer_stands_first() -> None:
    """Whatever the order of the outputs."""
    found = predictions([PROBA, PREDICT], {"predict": [0, 2], "proba": CHANCES})
    assert next(iter(found.columns())) == "prediction"


def test_probabilities_alone_give_the_label() -> None:
    """KServe with PREDICT_PROBA gives nothing else: the likeliest class is the answer."""
    proba = {**PROBA, "labels": LABELS}
    found = predictions([proba], {"proba": CHANCES})
    assert [one.label for one in found] == ["setosa", "virginica"]
    assert found.columns()["prediction"] == ["setosa", "virginica"]


def test_probabilities_without_names() -> None:
    """Classes are numbered."""
    found = predictions([PROBA], {"proba": CHANCES})
    assert found[0].probabilities == {"0": 0.7, "1": 0.2, "2": 0.1}
    assert found[0].label == "0"


@pytest.mark.parametrize("answer", [[0.9, 0.2], [[0.9], [0.2]]])
def test_one_probability_for_two_classes(answer: Any) -> None:
    """It is the chance of the second."""
    proba = {**PROBA, "labels": ["no", "yes"]}
    found = predictions([proba], {"proba": answer})
    assert found[0].probabilities == pytest.approx({"no": 0.1, "yes": 0.9})
    assert [one.label for one in found] == ["yes", "no"]


def test_no_number_has_no_likeliest_class() -> None:
    """NaN is no chance, so there is no answer."""
    found = predictions(
        [{**PROBA, "labels": LABELS}], {"proba": [[math.nan, 0.5, 0.5], CHANCES[0]]}
    )
    assert [one.label for one in found] == [None, "setosa"]
    assert found.columns()["prediction"] == [None, "setosa"]
    assert found[0].confidence is None


@pytest.mark.parametrize("answer", [[1.5, 2.5], [[1.5], [2.5]]])
def test_values(answer: Any) -> None:
    """With unit and digits."""
    value = {"name": "predict", "kind": "value", "unit": "g", "decimals": 2}
    found = predictions([value], {"predict": answer})
    assert (found[1].value, found[1].headline) == (2.5, "2.50 g")
    assert found.columns() == {"prediction": [1.5, 2.5]}


def test_whole_values_stay_exact_in_columns() -> None:
    """A count above 2^53."""
    value = {"name": "predict", "kind": "value"}
    found = predictions([value], {"predict": [2**53 + 1]}, count=1)
    assert found.columns() == {"prediction": [9007199254740993]}


def test_texts() -> None:
    """As the model writes them."""
    text = {"name": "answer", "kind": "text"}
    found = predictions([text], {"answer": ["hello", b"\xc3\xa9"]})
    assert [one.headline for one in found] == ["hello", "\u00e9"]
    assert found.columns() == {"prediction": ["hello", "\u00e9"]}


def test_pictures() -> None:
    """Drawn by the range of the signature; a table holds their numbers."""
    image = {"name": "clean", "kind": "image", "image": {"width": 2, "height": 1, "high": 16}}
    found = predictions([image], {"clean": [[0.0, 16.0], [8.0, math.nan]]})
    assert found[0].picture is not None
    assert found[0].picture.tolist() == [[0, 255]]
    assert found[0].headline == "a picture of 2 \u00d7 1 pixels"
    assert found.columns()["prediction_0"] == [0.0, 8.0]


def test_raw_outputs() -> None:
    """What the signature does not know is shown as it is."""
    found = predictions([], {"x": [1, 2], "y": [["a", "b"], ["c", "d"]]})
    assert found[1].headline == 'x 2; y ["c","d"]'
    assert found[0].raw["y"].tolist() == ["a", "b"]
    assert found.columns() == {"x": [1, 2], "y_0": ["a", "c"], "y_1": ["b", "d"]}


@pytest.mark.parametrize(("width", "columns"), [(1, 1), (2, 2), (64, 64), (65, 1)])
def test_wide_outputs_are_json(width: int, columns: int) -> None:
    """Up to 64 numbers have a column each."""
    found = predictions([], {"x": np.zeros((2, width), dtype=np.float32)})
    assert len(found.columns()) == columns


def test_json_cells_are_json() -> None:
    """Short numbers, and null for what is none."""
    data = np.full((1, 65), 0.1, dtype=np.float32)
    data[0, 0] = math.nan
    cell = predictions([], {"x": data}, count=1).columns()["x"][0]
    assert cell.startswith("[null,0.1,0.1,")


def test_an_output_that_is_not_asked_for_may_be_missing() -> None:
    """`requested: false` takes what the server gives."""
    optional = {**PROBA, "requested": False}
    assert predictions([PREDICT, optional], {"predict": [0, 1]})[0].probabilities is None


def test_the_only_output_may_come_under_another_name() -> None:
    """Seen on MLServer 1.7.1: its MLflow runtime promises output-0 and answers output-1."""
    promised = {**PREDICT, "name": "output-0", "requested": False}
    found = predictions([promised], {"output-1": [0, 2]})
    assert found.columns() == {"prediction": ["setosa", "virginica"]}
    assert found[1].raw["output-1"] == 2


def test_outputs_beside_those_of_the_signature() -> None:
    """They follow, raw."""
    found = predictions([PREDICT], {"more": [7, 8], "predict": [0, 2]})
    assert found.columns() == {"prediction": ["setosa", "virginica"], "more": [7, 8]}


def test_column_names_never_collide() -> None:
    """Nothing is overwritten."""
    names = ["prediction", "prediction_2", "probability_setosa"]
    outputs = [PREDICT, {**PROBA, "labels": LABELS}]
    answer = {"predict": [0, 2], "proba": CHANCES, **{name: [7, 8] for name in names}}
    assert list(predictions(outputs, answer).columns()) == [
        "prediction",
        "probability_setosa",
        "probability_versicolor",
        "probability_virginica",
        "prediction_2",
        "prediction_2_2",
        "probability_setosa_2",
    ]


def test_a_frame_has_one_row_per_prediction() -> None:
    """The columns as a DataFrame."""
    frame = predictions([PREDICT, PROBA], {"predict": [0, 2], "proba": CHANCES}).to_frame()
    assert frame.shape == (2, 4)
    assert frame["prediction"].tolist() == ["setosa", "virginica"]


# A sequence


def test_predictions_are_a_sequence() -> None:
    """Length, index from both ends, slices, walking."""
    found = predictions([PREDICT], {"predict": [0, 1, 2]}, count=3)
    assert len(found) == 3
    assert found[-1].label == "virginica"
    assert [one.label for one in found[1:]] == ["versicolor", "virginica"]
    assert [one.label for one in reversed(found)] == LABELS[::-1]
    for at in (3, -4):
        with pytest.raises(IndexError):
            found[at]


@pytest.mark.parametrize(
    "outputs", [[], [PREDICT], [PROBA], [PREDICT, {**PROBA, "labels": LABELS}]]
)
def test_no_rows_have_no_predictions(outputs: list[dict[str, Any]]) -> None:
    """An empty answer to an empty request."""
    tensors = (
        Tensor.of("predict", [], datatype="INT64"),
        Tensor.of("proba", [], datatype="FP64", shape=[0, 3]),
    )
    found = Predictions(signature(*outputs), InferResponse(tensors), 0)
    assert list(found) == []
    assert all(cells == [] for cells in found.columns().values())
    assert found.to_frame().shape[0] == 0


# Answers that don't fit


@pytest.mark.parametrize(
    ("outputs", "answer", "why"),
    [
        ([PREDICT], {"output-0": [0, 1]}, "lacks the output 'predict'; it has output-0"),
        ([PREDICT], {}, "it has none"),
        ([PREDICT], {"predict": [0]}, "1 rows for the 2"),
        ([PREDICT], {"predict": [0, 1, 2]}, "3 rows for the 2"),
        ([PREDICT], {"predict": [[0, 1]]}, "a label is one per row"),
        ([PREDICT], {"predict": 0}, "a label is one per row"),
        ([PREDICT], {"predict": CHANCES}, "a label is one per row"),
        ([], {"x": 0}, "no rows for the 2"),
        ([PREDICT], {"predict": [0, 1], "more": [1]}, "'more' has 1 rows"),
        ([{"name": "v", "kind": "value"}], {"v": ["1", "2"]}, "holds text"),
        ([PROBA], {"proba": ["{0: 0.1}", "{}"]}, "holds text"),
        (
            [{"name": "i", "kind": "image", "image": {"width": 2, "height": 2}}],
            {"i": [[1, 2, 3], [1, 2, 3]]},
            "3 numbers a row, but the picture of the signature has 4",
        ),
    ],
)
def test_an_answer_that_does_not_fit_is_no_answer(
    outputs: list[dict[str, Any]], answer: dict[str, Any], why: str
) -> None:
    """Before any of it is read."""
    with pytest.raises(InvalidAnswerError, match=why):
        predictions(outputs, answer)


@pytest.mark.parametrize("labels", [["no", "yes"], ["a", "b", "c", "d"]])
def test_as_many_probabilities_as_classes(labels: list[str]) -> None:
    """Three chances for two or four names are a mistake in the signature."""
    found = predictions([{**PROBA, "labels": labels}], {"proba": CHANCES})
    with pytest.raises(InvalidAnswerError, match=f"3 probabilities.*{len(labels)} classes"):
        found[0]
    with pytest.raises(InvalidAnswerError):
        found.columns()


# Numbers for people


@pytest.mark.parametrize(
    ("value", "decimals", "unit", "text"),
    [
        (4207.4, 0, "g", "4,207 g"),
        (4207.4, None, "g", "4,207 g"),
        (1234567.8, None, "", "1,234,568"),
        (12.3456, None, "", "12.35"),
        (0.123456, None, "", "0.1235"),
        (0.00001234, None, "", "1.23e-05"),
        (0.0, None, "", "0"),
        (100.0, None, "%", "100 %"),
        (-2.5, None, "", "-2.5"),
        (2.0, 3, "", "2.000"),
        (math.nan, None, "g", "no number"),
        (math.inf, None, "", "inf"),
        (-math.inf, 2, "", "-inf"),
    ],
)
def test_numbers_as_people_read_them(
    value: float, decimals: int | None, unit: str, text: str
) -> None:
    """Grouped, with about four digits that mean something."""
    assert number_text(value, decimals, unit) == text


def test_what_is_printed_of_predictions() -> None:
    """How many, and the first of them in words; long ones are cut."""
    found = predictions([PREDICT, PROBA], {"predict": [0, 2], "proba": CHANCES})
    assert repr(found) == "Predictions(2 rows, the first: setosa)"
    assert repr(found[1]) == "Prediction(virginica, 70.0% sure)"
    assert repr(predictions([PREDICT], {"predict": [0]}, count=1)) == "Predictions(1 row: setosa)"
    assert repr(predictions([], {"x": np.zeros((0, 1))}, count=0)) == "Predictions(0 rows)"
    long = predictions([], {"x": [[0.5] * 1000] * 2})
    assert repr(long) == f"Predictions(2 rows, the first: x [{'0.5,' * 14}…)"
    assert len(repr(long[0])) < 80


def test_printing_predictions_raises_nothing() -> None:
    """An answer that can't be decoded is told where it is used."""
    three = {**PROBA, "threshold": 0.5}
    found = predictions([three], {"proba": CHANCES})
    assert repr(found) == "Predictions(2 rows)"
    with pytest.raises(InvalidAnswerError, match="a threshold divides two"):
        found[0]
