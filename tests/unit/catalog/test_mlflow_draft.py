"""MLmodel files and input examples → drafts, without a server."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml

from kserve_client.catalog.facts import Draft, Source
from kserve_client.catalog.mlflow.about import Records, about, framework, metrics_of
from kserve_client.catalog.mlflow.draft import draft_of
from kserve_client.catalog.mlflow.mlmodel import parse_mlmodel
from kserve_client.errors import InvalidAnswerError
from kserve_client.signature import Signature

LABELS = ["setosa", "versicolor"]
ONE_A_ROW = {"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}


def column(name: str, type_: str = "double", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, "required": True, **more}


def tensor(dtype: str, *shape: int, **more: Any) -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}, **more}


def described(
    inputs: list[Any] | None = None,
    outputs: list[Any] | None = None,
    metadata: Any = None,
    example: Any = None,
    params: list[Any] | None = None,
) -> Draft:
    """The draft of a model with these parts, written as MLflow writes them."""
    sides = {"inputs": inputs, "outputs": outputs, "params": params}
    signature = {side: json.dumps(specs) for side, specs in sides.items() if specs is not None}
    mlmodel = {"signature": signature, "metadata": metadata, "flavors": {}}
    return draft_of(Source("MLflow", "m"), parse_mlmodel(yaml.safe_dump(mlmodel).encode()), example)


def ours(**block: Any) -> dict[str, Any]:
    return {"kserve_client": block}


def signature_of(draft: Draft) -> Signature:
    given = {**draft.tensors, "features": draft.features, "outputs": draft.outputs}
    return Signature.model_validate(given)


# The signature


@pytest.mark.parametrize(
    ("type_", "kind", "datatype"),
    [
        ("double", "number", "FP64"),
        ("float", "number", "FP32"),
        ("long", "integer", "INT64"),
        ("integer", "integer", "INT32"),
        ("boolean", "boolean", "BOOL"),
        ("string", "text", "BYTES"),
        ("datetime", "date", "BYTES"),
        ("binary", "text", "BYTES"),
    ],
)
def test_every_type_of_a_column(type_: str, kind: str, datatype: str) -> None:
    """As MLServer's MLflow runtime names the datatypes."""
    draft = described([column("x", type_)])
    said = {"name": "x", "kind": kind, "datatype": datatype, "required": True}
    moment = {"content_type": "datetime"} if type_ == "datetime" else {}
    assert draft.features == ({**said, **moment},)
    assert draft.tensors == {"layout": "columns", "content_type": "pd"}
    assert signature_of(draft).features[0].wire_datatype() == datatype


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "x", "type": "double", "required": False},
        {"name": "x", "type": "double", "optional": True},
    ],
)
def test_a_column_that_may_be_empty(spec: dict[str, Any]) -> None:
    """Today's word, and the one of MLflow before 2.6."""
    assert described([spec]).features[0]["required"] is False


@pytest.mark.parametrize("type_", ["array", "object", "map", "any", "sparkml_vector"])
def test_columns_that_no_field_can_hold(type_: str) -> None:
    """They are left out, which a note says; the others stay."""
    draft = described([column("a"), column("b", type_, items={"type": "long"})])
    assert [feature["name"] for feature in draft.features] == ["a"]
    assert draft.notes == (
        f"b is of type {type_}, which no field of a form can hold: it is left out",
    )


def test_columns_without_names() -> None:
    """Named as MLServer names them; the names are not the model's."""
    draft = described([{"type": "double", "required": True}] * 2)
    assert [feature["name"] for feature in draft.features] == ["input-0", "input-1"]
    assert not draft.names_features


@pytest.mark.parametrize(
    ("spec", "tensors", "feature"),
    [
        (
            tensor("float64", -1, 2),
            {"layout": "tensor", "input": "input-0", "datatype": "FP64"},
            {"name": "input-0[0]", "kind": "number"},
        ),
        (
            tensor("uint8", -1, 2, name="x"),
            {"layout": "tensor", "input": "x", "datatype": "UINT8"},
            {"name": "x[0]", "kind": "integer"},
        ),
        (
            tensor("float32", -1, 28, 28, 1, name="image"),
            {"layout": "tensor", "input": "image", "datatype": "FP32"},
            {"name": "image", "kind": "tensor", "shape": (28, 28, 1), "datatype": "FP32"},
        ),
        (
            tensor("float32", -1, 501),
            {"layout": "tensor", "input": "input-0", "datatype": "FP32"},
            {"name": "input-0", "kind": "tensor", "shape": (501,), "datatype": "FP32"},
        ),
        (
            tensor("str", -1),
            {"layout": "columns", "content_type": "np"},
            {"name": "input-0", "kind": "text", "datatype": "BYTES"},
        ),
    ],
)
def test_one_tensor(spec: dict[str, Any], tensors: dict[str, Any], feature: dict[str, Any]) -> None:
    """A row of numbers, one block, or one value a row."""
    draft = described([spec])
    assert draft.tensors == tensors
    assert draft.features[0] == feature
    assert signature_of(draft).layout == tensors["layout"]


def test_several_tensors() -> None:
    """Each is an input of its own; MLServer's MLflow runtime makes a dict of them."""
    draft = described([tensor("int32", -1, 1, name="a"), tensor("float32", -1, 3, name="b")])
    assert draft.tensors == {"layout": "columns", "content_type": "dict"}
    assert draft.features == (
        {"name": "a", "kind": "integer", "datatype": "INT32"},
        {"name": "b", "kind": "tensor", "shape": (3,), "datatype": "FP32"},
    )


@pytest.mark.parametrize(
    "spec",
    [
        tensor("datetime64[ns]", -1, 2),
        tensor("complex64", -1, 2),
        tensor("float32"),
        {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, "a"]}},
        {"type": "tensor", "tensor-spec": 5},
        {"type": "tensor"},
        tensor("float32", -1, 100_000, 100_000),
    ],
)
def test_a_tensor_that_cannot_be_sent(spec: dict[str, Any]) -> None:
    """No form, and a note that names it."""
    draft = described([spec])
    assert draft.features == ()
    assert "input-0" in draft.notes[0]


def test_an_open_shape_is_told() -> None:
    """One row of a tensor [-1, -1] may be of any length; the form has one number."""
    draft = described([tensor("float32", -1, -1)])
    assert [feature["name"] for feature in draft.features] == ["input-0[0]"]
    assert "is open" in draft.notes[0]


@pytest.mark.parametrize(
    ("spec", "settings"),
    [
        (ONE_A_ROW, {"name": "output-0"}),
        (tensor("float64", -1), {"name": "output-0", "kind": "value"}),
        (tensor("float32", -1, 1, name="y"), {"name": "y", "kind": "value"}),
        (tensor("float64", -1, 3), {"name": "output-0"}),
        (tensor("object", -1), {"name": "output-0", "kind": "text"}),
        (column("score"), {"name": "score", "kind": "value"}),
        (column("answer", "string"), {"name": "answer", "kind": "text"}),
        (column("class", "long"), {"name": "class"}),
    ],
)
def test_outputs(spec: dict[str, Any], settings: dict[str, Any]) -> None:
    """The kind is said only where the type leaves no doubt; no output is asked for by name."""
    assert described([column("x")], [spec]).outputs == ({**settings, "requested": False},)


def test_parameters_are_not_sent() -> None:
    """A note names them."""
    draft = described([column("x")], params=[{"name": "temperature", "default": 0.5}])
    assert draft.notes == (
        "the parameters temperature are not sent: the model uses its own values",
    )


# What its author says


def test_settings_by_name() -> None:
    """Ranges, units and words go to their columns, in any order."""
    features = {"b": {"unit": "cm", "min": 0, "max": 2}, "a": {"title": "First", "group": "G"}}
    draft = described([column("a"), column("b")], metadata=ours(features=features))
    a, b = draft.features
    assert (a["name"], a["title"], a["group"]) == ("a", "First", "G")
    assert (b["name"], b["unit"], b["min"], b["max"]) == ("b", "cm", 0, 2)
    assert draft.notes == ()


def test_an_entry_of_a_models_file_as_it_is() -> None:
    """What stands under a model there may be copied into the metadata."""
    entry = {
        "title": "Flowers",
        "links": [{"title": "Card", "url": "https://example.org/card"}],
        "signature": {
            "layout": "tensor",
            "input": "input-0",
            "datatype": "FP32",
            "features": [{"name": "a", "unit": "cm"}, {"name": "b"}],
            "outputs": [
                {"name": "predict", "kind": "label", "labels": LABELS},
                {"name": "predict_proba", "kind": "probabilities"},
            ],
        },
        "examples": [{"name": "One", "row": {"a": 1, "b": 2}, "expect": "setosa"}],
    }
    draft = described([column("a"), column("b")], [ONE_A_ROW], metadata=ours(**entry))
    assert draft.tensors == {"layout": "tensor", "input": "input-0", "datatype": "FP32"}
    assert draft.features == (
        {"name": "a", "kind": "number", "required": True, "unit": "cm"},
        {"name": "b", "kind": "number", "required": True},
    )
    assert draft.outputs == (
        {"name": "predict", "kind": "label", "labels": LABELS},
        {"name": "predict_proba", "kind": "probabilities"},
    )
    assert draft.about == {
        "title": "Flowers",
        "links": [{"title": "Card", "url": "https://example.org/card"}],
    }
    assert draft.examples == {"One": {"a": 1, "b": 2}}
    assert draft.notes == ()


def test_choices_make_a_category() -> None:
    """Of a column of texts, and of whole numbers."""
    features = {"a": {"choices": ["x", "y"]}, "b": {"choices": [{"value": 0, "label": "no"}, 1]}}
    draft = described(
        [column("a", "string"), column("b", "long")], metadata=ours(features=features)
    )
    assert [feature["kind"] for feature in draft.features] == ["category", "category"]
    assert signature_of(draft).feature("b").choices[0].text == "no"


def test_a_tensor_becomes_a_picture() -> None:
    """Its author says how bright black and white are."""
    image = {"width": 28, "height": 28, "high": 255}
    draft = described(
        [tensor("float32", -1, 28, 28, name="x")], metadata=ours(features={"x": {"image": image}})
    )
    assert draft.features == (
        {"name": "x", "kind": "image", "shape": (28, 28), "datatype": "FP32", "image": image},
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {"features": ["a", "b"]},
        ours(features=[{"name": "a"}, {"name": "b", "unit": "cm"}]),
    ],
)
def test_names_for_a_tensor(metadata: dict[str, Any]) -> None:
    """As many names as numbers are the names of these numbers."""
    draft = described([tensor("float32", -1, 2)], metadata=metadata)
    assert [feature["name"] for feature in draft.features] == ["a", "b"]
    assert draft.names_features


def test_names_that_do_not_fit_the_tensor() -> None:
    """Three names for two numbers are none."""
    draft = described([tensor("float32", -1, 2)], metadata={"features": ["a", "b", "c"]})
    assert [feature["name"] for feature in draft.features] == ["input-0[0]", "input-0[1]"]


def test_an_author_without_a_signature() -> None:
    """Then the author's features are all there is."""
    block = ours(layout="columns", features=[{"name": "a", "kind": "integer"}, {"name": "b"}])
    draft = described(metadata=block)
    assert draft.features == ({"name": "a", "kind": "integer"}, {"name": "b"})
    assert draft.tensors == {"layout": "columns"}


def test_a_mapping_without_a_signature() -> None:
    """MLflow sorts it, so nobody knows the order of the training: a note, and no form."""
    draft = described(metadata=ours(features={"b": {"unit": "cm"}, "a": {}}))
    assert draft.features == ()
    assert "a mapping has no order" in draft.notes[0]


def test_no_signature_at_all() -> None:
    """A note says what to do."""
    draft = described()
    assert draft.features == ()
    assert draft.notes == ("it was logged with no signature: log one, and its form builds itself",)


@pytest.mark.parametrize("word", ["labels", "class_names", "target_names"])
def test_the_usual_words_for_classes(word: str) -> None:
    """They name the classes of the one output, whatever its name."""
    draft = described([column("x")], [ONE_A_ROW], metadata={word: LABELS})
    assert draft.outputs == (
        {"name": "output-0", "requested": False, "kind": "label", "labels": LABELS},
    )


@pytest.mark.parametrize(
    ("outputs", "kinds"),
    [
        ([tensor("float32", -1, 2)], ["probabilities"]),
        ([column("score"), column("class", "long")], ["value", "label"]),
        ([column("class", "string"), column("score")], ["label", "value"]),
        ([tensor("float64", -1)], ["label"]),
        (None, ["label"]),
    ],
)
def test_the_output_that_labels_belong_to(outputs: list[Any] | None, kinds: list[str]) -> None:
    """As many floats as classes are their probabilities; else the class, else the only output."""
    draft = described([column("x")], outputs, metadata={"labels": LABELS})
    assert [output.get("kind") for output in draft.outputs] == kinds
    (labelled,) = [output for output in draft.outputs if "labels" in output]
    assert labelled["kind"] in ("label", "probabilities")


def test_labels_that_belong_nowhere() -> None:
    """Two values are no classes: a note."""
    draft = described([column("x")], [column("a"), column("b")], metadata={"labels": LABELS})
    assert not any("labels" in output for output in draft.outputs)
    assert "not clear which output" in draft.notes[0]


@pytest.mark.parametrize(
    "said",
    [
        [{"kind": "label", "labels": LABELS}],
        [{"labels": {"0": "setosa", "1": "versicolor"}}],
        {"output-0": {"labels": LABELS}},
    ],
)
def test_an_output_told_by_its_place(said: Any) -> None:
    """Without a name, or by the one MLServer gives it; a list of one may be left away."""
    draft = described([column("x")], [ONE_A_ROW], metadata=ours(outputs=said))
    (output,) = draft.outputs
    assert (output["name"], output["kind"], output["requested"]) == ("output-0", "label", False)
    assert draft.notes == ()


def test_outputs_with_names() -> None:
    """Settings go to the output of that name; one that only its author knows comes before the rest."""
    said = [{"name": "score", "unit": "g"}, {"name": "extra", "kind": "text"}]
    draft = described(
        [column("x")], [column("class", "long"), column("score")], metadata=ours(outputs=said)
    )
    assert draft.outputs == (
        {"name": "score", "requested": False, "kind": "value", "unit": "g"},
        {"name": "extra", "kind": "text"},
        {"name": "class", "requested": False},
    )


@pytest.mark.parametrize("word", ["features", "ranges"])
def test_ranges_by_name(word: str) -> None:
    """[min, max], under either word; the words under kserve_client win."""
    metadata = {word: {"a": [0, 5], "b": [1, 2]}, **ours(features={"b": {"max": 3}})}
    a, b = described([column("a"), column("b")], metadata=metadata).features
    assert (a["min"], a["max"]) == (0, 5)
    assert (b["min"], b["max"]) == (1, 3)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (
            ours(features={"a": {"min": 5, "max": 1}}),
            "a: max 1 left out: min (5) must be below max",
        ),
        (ours(features={"a": {"unit": 5}}), "a: unit 5 left out: Input should be a valid string"),
        (ours(features={"a": {"colour": "red"}}), "a: colour 'red' left out: colour is no setting"),
        (ours(features={"a": {"choices": []}}), "a: choices [] left out: a category needs choices"),
        (ours(features={"a": {"kind": "text"}}), "a: kind 'text' left out: a feature of kind text"),
        (
            ours(features={"aa": {"unit": "cm"}}),
            "the model has no feature aa: what is said of it is",
        ),
        (ours(features={"aa": {"unit": "cm"}}), "did its author mean a?"),
        (
            ours(features=["a"]),
            "kserve_client.features: 1 left out, which are no mappings of settings",
        ),
        (ours(features=5), "kserve_client.features: 1 left out, which are no mappings of settings"),
        (ours(signature=5), "metadata kserve_client.signature is no mapping"),
        (
            ours(feature={}),
            "kserve_client has no settings feature; it has title, description, owner,",
        ),
        (ours(title=5), "metadata kserve_client.title is no text"),
        (
            ours(links=[{"title": "x", "url": "javascript:a()"}]),
            "kserve_client.links: one left out: ",
        ),
        (ours(examples=[{"name": "x", "row": {"b": 1}}]), "x is left out: the model has no b"),
        (
            ours(examples=[{"name": "x", "row": {"a": "abc"}}]),
            "x is left out: row 1, a: 'abc' is not",
        ),
        (
            ours(examples=[{"row": {"a": 1}}]),
            "kserve_client.examples: one left out: Field required",
        ),
        (ours(outputs=[{"name": "y", "labels": ["b", "b"]}]), "the label 'b' stands twice"),
        (ours(outputs=[{"name": "y"}, {"name": "y"}]), "more than one output is named y"),
        (ours(layout="rows"), "not all of it makes sense together: Input should be 'tensor' or"),
        (ours(datatype="FP8"), "not all of it makes sense together: unknown datatype"),
        ({"kserve_client": 5}, "metadata kserve_client is no mapping"),
        ({"labels": "setosa"}, "metadata labels is no list of names"),
        ({"ranges": {"a": [1]}}, "metadata ranges.a is no [min, max]"),
        ({"ranges": {"a": [True, False]}}, "metadata ranges.a is no [min, max]"),
    ],
)
def test_what_makes_no_sense_is_left_out_and_told(metadata: Any, words: str) -> None:
    """One bad piece costs itself: the form of the signature stays."""
    draft = described([column("a")], metadata=metadata)
    assert words in " / ".join(draft.notes)
    (feature,) = draft.features
    assert (feature["name"], feature["kind"], feature["datatype"]) == ("a", "number", "FP64")
    assert signature_of(draft).layout == "columns"


def test_good_settings_beside_a_bad_one_stay() -> None:
    """A range that goes down loses its end, and nothing else."""
    said = {"a": {"unit": "cm", "min": 5, "max": 1, "title": "A"}}
    (feature,) = described([column("a")], metadata=ours(features=said)).features
    assert {name: feature.get(name) for name in ("unit", "min", "max", "title")} == {
        "unit": "cm",
        "min": 5,
        "max": None,
        "title": "A",
    }


def test_columns_of_the_same_name() -> None:
    """No signature can be made of them: the form is not known, and that is said."""
    draft = described([column("a"), column("a")])
    assert draft.features == ()
    assert "more than one feature is named a" in draft.notes[0]


# Input examples

TABLE = [column("a"), column("b", "string"), column("d", "datetime", required=False)]


@pytest.mark.parametrize(
    "example",
    [
        {"columns": ["a", "b", "d"], "data": [[1.5, "x", "2020-01-01T00:00:00"]]},
        {"columns": ["b", "a", "d"], "data": [["x", 1.5, "2020-01-01"]]},
        {"dataframe_split": {"columns": ["a", "b", "d"], "data": [[1.5, "x", "2020-01-01"]]}},
        {"columns": [0, 1, 2], "data": [[1.5, "x", "2020-01-01"]]},
        {"a": 1.5, "b": "x", "d": "2020-01-01"},
        {"a": [1.5], "b": ["x"], "d": ["2020-01-01"]},
        [{"a": 1.5, "b": "x", "d": "2020-01-01", "more": 5}],
        {"inputs": [{"a": 1.5, "b": "x", "d": "2020-01-01"}], "params": {"t": 1}},
        [[1.5, "x", "2020-01-01"]],
    ],
)
def test_the_forms_of_an_input_example(example: Any) -> None:
    """A split table, rows, a row, lists by name: its first row starts the form."""
    draft = described(TABLE, example=example)
    assert draft.examples == {"Input example": {"a": 1.5, "b": "x", "d": "2020-01-01"}}
    assert [feature["default"] for feature in draft.features] == [1.5, "x", "2020-01-01"]


@pytest.mark.parametrize(
    "example",
    [None, 5, "x", [], {}, {"data": []}, {"data": [[1]]}, [[]], {"columns": 5, "data": 5}],
)
def test_an_example_that_fits_nothing(example: Any) -> None:
    """No examples and no defaults."""
    draft = described(TABLE, example=example)
    assert draft.examples == {}
    assert not any("default" in feature for feature in draft.features)


def test_a_gap_in_an_example() -> None:
    """Null and NaN are no values; a row that lacks what is required is left out."""
    columns = [column("a"), column("b", required=False)]
    draft = described(columns, example=[[1, None], [float("nan"), 2]])
    assert draft.examples == {"Input example": {"a": 1}}
    assert draft.notes[-1].startswith("Input example 2 is left out: feature missing: 'a'")


def test_three_rows_are_enough() -> None:
    """A long example gives three, with names that say which."""
    draft = described([column("a")], example={"columns": ["a"], "data": [[n] for n in range(9)]})
    assert draft.examples == {
        "Input example": {"a": 0},
        "Input example 2": {"a": 1},
        "Input example 3": {"a": 2},
    }


def test_a_default_outside_of_the_range() -> None:
    """The range is what its author said; the example gives way."""
    draft = described(
        [column("a")], metadata={"ranges": {"a": [0, 1]}}, example={"columns": ["a"], "data": [[5]]}
    )
    assert "default" not in draft.features[0]
    assert draft.features[0]["max"] == 1
    assert "default 5 is outside min and max" in draft.notes[0]


def test_the_authors_default_wins() -> None:
    """The example is only a row that there was."""
    draft = described(
        [column("a")],
        metadata=ours(features={"a": {"default": 2}}),
        example={"columns": ["a"], "data": [[5]]},
    )
    assert draft.features[0]["default"] == 2


def test_an_example_of_a_block() -> None:
    """One tensor is one cell; it starts no field."""
    draft = described([tensor("float32", -1, 2, 2)], example=[[[1, 2], [3, 4]]])
    assert draft.examples == {"Input example": {"input-0": [[1, 2], [3, 4]]}}
    assert "default" not in draft.features[0]


def test_float32_as_it_was_written() -> None:
    """MLflow widens 5.1 to 5.099999904632568."""
    draft = described([column("a", "float")], example=[[5.099999904632568]])
    assert draft.features[0]["default"] == 5.1


# Beside the form


@pytest.mark.parametrize(
    ("flavors", "words"),
    [
        ({"python_function": {}, "sklearn": {"sklearn_version": "1.9.1"}}, "scikit-learn 1.9.1"),
        ({"xgboost": {"xgb_version": "3.0"}, "python_function": {}}, "XGBoost 3.0"),
        ({"pytorch": {"pytorch_version": "2.9"}}, "PyTorch 2.9"),
        ({"onnx": {"onnx_version": "1.19", "providers": []}}, "ONNX 1.19"),
        ({"mine": {"data": 5}}, "mine"),
        (
            {"python_function": {"python_version": "3.11", "cloudpickle_version": "3"}},
            "Python function",
        ),
        ({"sklearn": 5}, "scikit-learn"),
        ({}, ""),
        (5, ""),
    ],
)
def test_what_made_the_model(flavors: Any, words: str) -> None:
    """The library as people write it, and its version."""
    assert framework(flavors) == words


def pairs(**said: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in said.items()]


def test_metrics_that_are_numbers() -> None:
    """Of the run, and over them those of the logged model; no NaN, no text."""
    records = Records(
        run={"data": {"metrics": pairs(a=1, b=2.5, c=float("nan"), d="x", e=True)}},
        logged={"data": {"metrics": pairs(a=3)}},
    )
    assert metrics_of(records) == {"a": 3, "b": 2.5}


def test_garbage_beside_the_form() -> None:
    """Whatever stands there instead of what MLflow says, nothing of it is shown."""
    records = Records(
        version={"version": [], "aliases": 5, "tags": {"a": "b"}, "creation_timestamp": "soon"},
        logged={"info": 5, "data": {"metrics": "x", "params": [5, {"key": "a"}]}},
        run={"data": [], "info": {"user_id": {}}},
    )
    assert about(records, {"flavors": [], "mlflow_version": {}}, {}) == {"params_count": 1}


# The file

BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: v}\n" + "".join(
    f"{new}: &{new} {{<<: [{', '.join([f'*{old}'] * 9)}]}}\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "holds too much"),
        (MERGES, "merge keys"),
        ("a: &a [*a]", "holds too much"),
        ("a: &a {b: *a}", "holds too much"),
        ("a: " + "[" * 60 + "]" * 60, "nested too deeply"),
        ("[" * 900_000, "nested too deeply"),
        ("a:\n" + "".join(" " * n + "- \n" for n in range(1, 1300)), "nested too deeply"),
        ("a: !!bool maybe", "not valid YAML"),
        ("a: !!int ''", "not valid YAML"),
        ("a: !!timestamp soon", "not valid YAML"),
        ("a: 2026-99-99", "not valid YAML"),
        ("a: " + "9" * 5000, "not valid YAML"),
        ("a: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("? [a]\n: b", "unhashable"),
        ("a: *b", "undefined alias"),
        ("a: 1\n---\nb: 2", "found another document"),
        ("", "no mapping"),
        ("text", "no mapping"),
    ],
)
def test_hostile_files(text: str, words: str) -> None:
    """An error of ours, at once: nothing is run, nothing unfolds to gigabytes."""
    started = time.monotonic()
    with pytest.raises(InvalidAnswerError, match=words):
        parse_mlmodel(text.encode())
    assert time.monotonic() - started < 20


def test_bytes_that_are_no_text() -> None:
    """A model's weights under the name of the file, say."""
    with pytest.raises(InvalidAnswerError, match="not valid YAML"):
        parse_mlmodel(bytes(range(256)))


def test_aliases_of_an_honest_file() -> None:
    """PyYAML writes one for a list that stands twice."""
    labels = ["a", "b"]
    text = yaml.safe_dump({"one": labels, "two": labels})
    assert "*id001" in text
    assert parse_mlmodel(text.encode()) == {"one": labels, "two": labels}


def test_values_that_json_has_no_form_of() -> None:
    """Keys become texts, dates texts, and bytes nothing."""
    text = "{0: a, 2026-01-02: 2026-01-03, b: !!binary aGk=, c: !!set {x}, d: 1.5, e: yes, f: null}"
    assert parse_mlmodel(text.encode()) == {
        "0": "a",
        "2026-01-02": "2026-01-03",
        "b": None,
        "c": None,
        "d": 1.5,
        "e": True,
        "f": None,
    }
