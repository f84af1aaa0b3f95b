"""A signature under construction, without a page around it."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import pytest

from dashboard.sketch import USE, Row, Sketch, cells_of, classes_of, output_cells, outputs_of
from kserve_client.catalog import Description, Draft, Source
from kserve_client.catalog.merging import merge
from kserve_client.catalog.sample import Sample, read_sample
from kserve_client.signature import Signature
from kserve_client.tensors import Tensor

FLOWERS = "id,length,width,wet,species\n" + "".join(
    f"{n},{1 + n % 50 / 10:.1f},{n % 4},{'yes' if n % 3 else 'no'},{'ab'[n % 2]}\n"
    for n in range(1, 61)
)


def sample(text: str = FLOWERS, name: str = "flowers.csv") -> Sample:
    return read_sample(io.BytesIO(text.encode()), name=name)


def fresh(text: str = FLOWERS) -> Sketch:
    """Return a sketch of a model that nobody describes."""
    return Sketch.begin(sample(text), Description(None))


def known(signature: Mapping[str, object]) -> Description:
    """Return what a models file says."""
    read = Signature.model_validate(signature)
    tensors = {name: getattr(read, name) for name in read.model_fields_set & {"layout", "datatype"}}
    features = tuple(feature.model_dump(exclude_unset=True) for feature in read.features)
    return merge([Draft(Source("models file"), tensors=tensors, features=features)])


def row(sketch: Sketch, column: str) -> Row:
    return next(one for one in sketch.rows() if one.column == column)


# What is proposed


def test_every_column_is_a_row_and_some_are_left_out() -> None:
    """An id and the answer are there, not ticked."""
    ticked = {one.column: one.is_used for one in fresh().rows()}
    assert ticked == {"id": False, "length": True, "width": True, "wet": True, "species": False}


def test_a_ticked_column_is_a_feature() -> None:
    """A person knows better which columns the model takes; they keep the order of the file."""
    sketch = fresh()
    sketch.edit("id", {USE: True})
    sketch.edit("wet", {USE: False})
    assert [feature.name for feature in sketch.signature().features] == ["id", "length", "width"]


def test_numbers_alone_travel_as_one_tensor() -> None:
    """With a text among them each column is an input; without it they are one tensor."""
    sketch = fresh()
    assert sketch.signature().layout == "columns"
    sketch.edit("wet", {USE: False})
    signature = sketch.signature()
    assert (signature.layout, signature.input, signature.datatype) == ("tensor", "input-0", "FP64")


def test_what_others_say_stays_beside_what_the_file_says() -> None:
    """Title and unit of the models file, range of the sample; the features are those of the model."""
    said = {"features": [{"name": "Length", "title": "Long", "unit": "cm", "min": 0, "max": 99}]}
    sketch = Sketch.begin(sample(), known(said))
    (feature,) = sketch.signature().features
    assert (feature.name, feature.title, feature.unit) == ("Length", "Long", "cm")
    assert (feature.min, feature.max) == (1, 6)
    assert [one.column for one in sketch.rows() if not one.is_used] == [
        "id",
        "width",
        "wet",
        "species",
    ]


def test_what_was_known_can_stay_as_it_is() -> None:
    """The file then only fills gaps."""
    said = {"features": [{"name": "length", "min": 0, "max": 99}]}
    sketch = Sketch.begin(sample(), known(said))
    sketch.keeps_known = True
    (feature,) = sketch.signature().features
    assert (feature.min, feature.max, feature.default) == (0, 99, 2.9)


def test_a_feature_without_a_column_stays() -> None:
    """The model takes it, whatever the file lacks."""
    said = {
        "layout": "columns",
        "features": [{"name": "length"}, {"name": "colour", "kind": "category", "choices": ["r"]}],
    }
    sketch = Sketch.begin(sample(), known(said))
    assert [feature.name for feature in sketch.signature().features] == ["length", "colour"]
    assert row(sketch, "colour").settings["choices"] == ({"value": "r"},)


def test_positions_take_the_names_of_the_columns() -> None:
    """Metadata of one tensor [-1, 2] names nothing: the file does."""
    said = {"features": [{"name": "x[0]"}, {"name": "x[1]"}]}
    sketch = Sketch.begin(sample("a,b\n1.5,2\n2.5,3\n"), known(said))
    assert [feature.name for feature in sketch.signature().features] == ["a", "b"]


# Edits


def test_an_edit_holds_until_it_is_taken_back() -> None:
    """What was typed wins over the file; an emptied cell takes the setting away."""
    sketch = fresh()
    sketch.edit("length", {"min": 0.0, "title": "Petal length", "unit": "cm"})
    feature = sketch.signature().feature("length")
    assert (feature.min, feature.title, feature.unit) == (0, "Petal length", "cm")
    sketch.edit("length", {"title": None})
    assert "title" not in row(sketch, "length").settings


def test_a_wrong_edit_is_told_at_its_row() -> None:
    """In the words of the models file, and only while the row is used."""
    sketch = fresh()
    sketch.edit("length", {"min": 9.0})
    assert row(sketch, "length").problem == "min (9) must be below max (6)"
    assert sketch.problems() == [("length", "min (9) must be below max (6)")]
    assert cells_of(row(sketch, "length"))["problem"] == "to mend"
    sketch.edit("length", {USE: False})
    assert sketch.problems() == []


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"name": None}, "needs a name"),
        ({"step": -1.0}, "step must be above 0"),
        ({"default": "much"}, "default 'much' is not a number"),
        ({"default": "99"}, "default 99 is outside min and max"),
        ({"kind": "tensor"}, "a tensor needs the shape of one row"),
        ({"kind": "image"}, "an image needs image: {width, height, …}"),
    ],
)
def test_what_makes_no_sense_is_said_in_words(cells: dict[str, object], said: str) -> None:
    """No edit ends in an exception."""
    sketch = fresh("length,width\n" + "".join(f"{n / 7:.2f},1\n" for n in range(300)))
    sketch.edit("length", cells)
    assert row(sketch, "length").problem == said


def test_two_features_of_one_name_are_told() -> None:
    """What is wrong with the whole has no row."""
    sketch = fresh()
    sketch.edit("width", {"name": "length"})
    assert sketch.problems() == [("", "more than one feature is named length")]


def test_no_feature_at_all_is_told() -> None:
    """Everything un-ticked is no form."""
    sketch = fresh()
    for column in ("length", "width", "wet"):
        sketch.edit(column, {USE: False})
    assert sketch.problems() == [("", "no feature is ticked")]


def test_another_kind_asks_the_file_again() -> None:
    """Choices come from the file; a range that was typed is history, a title stays."""
    sketch = fresh()
    sketch.edit("width", {"min": -5.0, "title": "Width"})
    assert sketch.edit("width", {"kind": "category"})
    settings = row(sketch, "width").settings
    assert settings["choices"] == [0, 1, 2, 3]
    assert "min" not in settings
    assert settings["title"] == "Width"
    assert row(sketch, "width").problem == ""
    assert sketch.signature().datatype_of(sketch.signature().feature("width")).name == "INT64"
    assert not sketch.edit("width", {"kind": "category"})


@pytest.mark.parametrize(
    ("column", "typed", "value"),
    [
        ("length", "2.5", 2.5),
        ("width", "2", 2),
        ("wet", "no", "no"),
        ("wet", "maybe", "maybe"),
    ],
)
def test_a_default_is_read_as_its_kind(column: str, typed: str, value: object) -> None:
    """Cells of the grid are texts; the signature has numbers."""
    sketch = fresh()
    sketch.edit(column, {"default": typed})
    found = row(sketch, column).settings["default"]
    assert (found, type(found)) == (value, type(value))


def test_long_integers_keep_every_digit() -> None:
    """2^53 + 1 is no float on its way through the grid."""
    sketch = fresh("n,m\n" + "".join(f"{2**53 + n},{n}\n" for n in range(3)))
    sketch.edit("n", {USE: True, "min": None, "max": None, "default": "9007199254740993"})
    assert row(sketch, "n").settings["default"] == 9007199254740993
    assert cells_of(row(sketch, "n"))["default"] == "9007199254740993"


def test_choices_are_typed_with_their_labels() -> None:
    """`1 = Male` is the value 1 with a label; a value stays of the type that it was."""
    sketch = fresh()
    sketch.edit("width", {"kind": "category"})
    sketch.edit("width", {"choices": ["0 = none", "1", "7"]})
    assert row(sketch, "width").settings["choices"] == [{"value": 0, "label": "none"}, 1, 7]
    assert cells_of(row(sketch, "width"))["choices"] == ["0 = none", "1", "7"]


def test_flags_are_taken() -> None:
    """Sensitive and not needed."""
    sketch = fresh()
    sketch.edit("length", {"sensitive": True, "required": False})
    feature = sketch.signature().feature("length")
    assert feature.sensitive
    assert not feature.required


# Another file


def test_a_sensitive_feature_takes_nothing_of_the_rows_along() -> None:
    """Neither a distribution nor a default: an entry is read by others. A typed default stays."""
    sketch = fresh()
    assert row(sketch, "length").settings["reference"].keys()
    sketch.edit("length", {"sensitive": True})
    assert row(sketch, "length").settings.keys().isdisjoint({"reference", "default"})
    sketch.edit("length", {"sensitive": True, "default": "2.5"})
    assert row(sketch, "length").settings["default"] == 2.5


def test_edits_stay_by_name_with_another_file() -> None:
    """What has no column there waits."""
    sketch = fresh()
    sketch.edit("length", {"title": "Long"})
    sketch.edit("wet", {"title": "Wet"})
    waiting = sketch.take(sample("length,width\n5.5,1\n7.5,2\n", "other.csv"))
    assert waiting == ["wet"]
    assert row(sketch, "length").settings["title"] == "Long"
    assert row(sketch, "length").settings["default"] == 5.5
    sketch.take(sample())
    assert row(sketch, "wet").settings["title"] == "Wet"


# How the values travel


def test_a_person_names_the_tensor() -> None:
    """Name and datatype of the one tensor are theirs to set."""
    sketch = fresh()
    sketch.edit("wet", {USE: False})
    sketch.tensors |= {"input": "x", "datatype": "FP32"}
    assert (sketch.signature().input, sketch.signature().datatype) == ("x", "FP32")


def test_a_text_in_a_tensor_is_told() -> None:
    """A layout that was chosen stays, with what is wrong with it."""
    sketch = fresh()
    sketch.tensors |= {"layout": "tensor"}
    said = "wet: the choice 'yes' can't travel as FP64; use layout columns"
    assert sketch.problems() == [("", said)]


# Outputs


def tensors() -> list[Tensor]:
    return [
        Tensor.of("predict", np.array([1]), datatype="INT64"),
        Tensor.of("predict_proba", np.array([[0.25, 0.75]]), datatype="FP64"),
        Tensor.of("distance", np.array([[3.5]]), datatype="FP64"),
        Tensor.of("vector", np.array([[3.5, 1.0, 2.0]]), datatype="FP64"),
        Tensor.of("word", np.array(["b"], dtype=object), datatype="BYTES"),
    ]


def test_outputs_are_named_by_an_answer() -> None:
    """Codes are labels, shares that make one are probabilities, a float is a value."""
    rows = outputs_of(tensors(), sample())
    kinds = {one.name: one.settings["kind"] for one in rows}
    assert kinds == {
        "predict": "label",
        "predict_proba": "probabilities",
        "distance": "value",
        "vector": "raw",
        "word": "label",
    }
    assert rows[0].settings["labels"] == ["a", "b"]
    assert rows[1].settings["labels"] == ["a", "b"]
    assert "labels" not in rows[4].settings


def test_classes_are_ordered_as_scikit_learn_does() -> None:
    """Numbers by size, texts by letter; a file without an answer has none."""
    text = "x,class\n" + "".join(f"{n},{n % 3 + 9}\n" for n in range(30))
    assert classes_of(sample(text)) == ["9", "10", "11"]
    assert classes_of(sample("x,y1\n1,2\n3,4\n")) == []


def test_an_output_is_edited() -> None:
    """Labels by index or by answer, a threshold, a title."""
    sketch = fresh()
    sketch.add_output()
    sketch.edit_output(0, {"name": "p", "kind": "probabilities", "labels": ["no", "yes"]})
    sketch.edit_output(0, {"threshold": 0.3, "positive": "yes"})
    (output,) = sketch.signature().outputs
    assert (output.name, output.labels, output.threshold) == ("p", ("no", "yes"), 0.3)
    sketch.edit_output(0, {"labels": ["A = Apple", "B = Pear"], "positive": "Pear"})
    assert sketch.signature().outputs[0].labels == {"A": "Apple", "B": "Pear"}
    assert output_cells(sketch.output_rows()[0])["labels"] == ["A = Apple", "B = Pear"]


def test_a_wrong_output_is_told_at_its_row() -> None:
    """A threshold of a label makes no sense."""
    sketch = fresh()
    sketch.add_output()
    sketch.edit_output(0, {"kind": "label", "threshold": 0.3})
    assert "threshold belongs to kind" in sketch.output_rows()[0].problem
    sketch.edit_output(0, {USE: False})
    assert sketch.problems() == []
