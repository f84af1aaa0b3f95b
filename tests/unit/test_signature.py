from __future__ import annotations

import json
import math
from typing import Any, Required, get_origin, get_type_hints

import pytest
from pydantic import BaseModel, ValidationError

from kserve_client.client import ModelMetadata
from kserve_client.errors import ConfigurationError
from kserve_client.signature import (
    Feature,
    FeatureSettings,
    ImageSpec,
    Output,
    OutputSettings,
    Signature,
    SignatureSettings,
    from_metadata,
)
from tests.unit.recorded_answers import recorded

PICTURE = {"width": 8, "height": 8, "low": 0, "high": 16}


def feature(**given: Any) -> Feature:
    return Feature.model_validate({"name": "a", **given})


def output(**given: Any) -> Output:
    return Output.model_validate({"name": "predict", **given})


def signature(*features: dict[str, Any], **given: Any) -> Signature:
    return Signature.model_validate({"features": features, **given})


# Features


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"kind": "categry"}, "Input should be"),
        ({"mim": 1}, "mim"),
        ({"name": ""}, "at least 1 character"),
        ({"datatype": "FLOAT"}, "unknown datatype"),
        ({"datatype": "INT64"}, "number can't travel as INT64"),
        ({"kind": "text", "datatype": "FP32"}, "text can't travel as FP32"),
        ({"min": 2, "max": 2}, "min .2. must be below max .2."),
        ({"min": 3, "max": 2}, "must be below"),
        ({"min": float("nan")}, "finite"),
        ({"max": float("inf")}, "finite"),
        ({"step": 0}, "greater than 0"),
        ({"default": 9, "max": 8}, "outside min and max"),
        ({"default": "5"}, "not a number"),
        ({"default": True}, "not a number"),
        ({"kind": "integer", "min": 0.5}, "whole numbers"),
        ({"kind": "integer", "step": 0.1}, "whole numbers"),
        ({"kind": "integer", "default": 1.5}, "whole numbers"),
        ({"kind": "category"}, "needs choices"),
        ({"kind": "category", "choices": ["x", "x"]}, "'x' stands twice"),
        (
            {
                "kind": "category",
                "choices": [{"value": 0, "label": "x"}, {"value": 1, "label": "x"}],
            },
            "'x' stands twice",
        ),
        ({"kind": "category", "choices": ["x"], "default": "y"}, "not one of the choices"),
        ({"kind": "category", "choices": ["x"], "min": 1}, "min belongs to kind number or integer"),
        ({"kind": "number", "choices": ["x"]}, "choices belongs to kind category, not number"),
        ({"kind": "number", "shape": [3]}, "shape belongs to kind image or tensor"),
        ({"kind": "tensor", "shape": [64], "image": PICTURE}, "image belongs to kind image"),
        ({"kind": "boolean", "default": "maybe"}, "neither true nor false"),
        ({"kind": "date", "default": "22.11.2026"}, "not a date"),
        ({"kind": "image"}, "an image needs"),
        ({"kind": "image", "image": PICTURE, "shape": [63]}, "does not hold the 64 numbers"),
        ({"kind": "tensor"}, "needs the shape"),
        ({"kind": "tensor", "shape": [0]}, "greater than 0"),
    ],
)
def test_what_is_no_feature(given: dict[str, Any], why: str) -> None:
    """Contradictions are found when the signature is read, not at the first prediction."""
    with pytest.raises(ValidationError, match=why):
        feature(**given)


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        ({}, "FP64"),
        ({"datatype": "FP32"}, "FP32"),
        ({"kind": "integer", "min": 1, "max": 3.0}, "INT64"),
        ({"kind": "integer", "datatype": "FP32"}, "FP32"),
        ({"kind": "category", "choices": ["x", 1, 2.5]}, "BYTES"),
        ({"kind": "category", "choices": [0, 1], "datatype": "INT32"}, "INT32"),
        ({"kind": "boolean", "default": False}, "BOOL"),
        ({"kind": "boolean", "datatype": "INT64"}, "INT64"),
        ({"kind": "text", "default": ""}, "BYTES"),
        ({"kind": "date", "default": "2026-11-22"}, "BYTES"),
        ({"kind": "image", "image": PICTURE}, "FP32"),
        ({"kind": "tensor", "shape": [2, 3], "datatype": "BYTES"}, "BYTES"),
    ],
)
def test_each_kind_has_its_datatype(given: dict[str, Any], wire: str) -> None:
    """Unless the feature names one."""
    assert feature(**given).wire_datatype() == wire


def test_a_choice_may_be_a_plain_value() -> None:
    """`[female, male]` is enough; `{value, label}` gives it other words."""
    made = feature(kind="category", choices=["f", {"value": 1, "label": "male"}])
    assert [(choice.value, choice.text) for choice in made.choices] == [("f", "f"), (1, "male")]


def test_choices_keep_their_types() -> None:
    """1, 1.5, true and "1" are four things."""
    made = feature(kind="category", choices=[1, 1.5, True, "one"])
    assert [choice.value for choice in made.choices] == [1, 1.5, True, "one"]
    assert [type(choice.value) for choice in made.choices] == [int, float, bool, str]


def test_a_picture_has_the_shape_of_its_image() -> None:
    """Height first; channels last where there are some; a flat shape if the model wants one."""
    assert feature(kind="image", image=PICTURE).row_shape == (8, 8)
    assert feature(kind="image", image={**PICTURE, "width": 4, "channels": 3}).row_shape == (
        8,
        4,
        3,
    )
    assert feature(kind="image", image=PICTURE, shape=[64]).row_shape == (64,)
    assert feature().row_shape == ()


@pytest.mark.parametrize(
    "given", [{"low": 1, "high": 1}, {"width": 0}, {"channels": 4}, {"high": float("inf")}]
)
def test_what_is_no_image(given: dict[str, Any]) -> None:
    """No pixels, no range."""
    with pytest.raises(ValidationError):
        ImageSpec.model_validate({**PICTURE, **given})


def test_people_read_the_title() -> None:
    """Or the name."""
    assert feature().label == "a"
    assert feature(title="Age").label == "Age"
    assert output().label == "predict"
    assert output(title="Mass").label == "Mass"


# Outputs


@pytest.mark.parametrize(
    ("labels", "value", "label"),
    [
        (["x", "y"], 1, "y"),
        (["x", "y"], 1.0, "y"),
        (["x", "y"], True, "y"),
        (["x", "y"], 2, "2"),
        (["x", "y"], -1, "-1"),
        (["x", "y"], 0.5, "0.5"),
        (["x", "y"], float("nan"), "nan"),
        (["x", "y"], float("inf"), "inf"),
        (["x", "y"], "Adelie", "Adelie"),
        ([3, 5], 0, "3"),
        ({0: "x", 1: "y"}, 1.0, "y"),
        ({"Adelie": "Ad\u00e9lie"}, "Adelie", "Ad\u00e9lie"),
        ({"Adelie": "Ad\u00e9lie"}, b"Adelie", "Ad\u00e9lie"),
        ({True: "ill", False: "well"}, True, "ill"),
        ({"-1": "low"}, -1, "low"),
        ((), 7, "7"),
        ((), b"\xff", "\ufffd"),
    ],
)
def test_the_words_for_an_answer(labels: Any, value: Any, label: str) -> None:
    """By index, by the model's own answer, or the answer itself."""
    assert output(kind="label", labels=labels).class_label(value) == label


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["b", "a"], ("b", "a")),
        ({2: "c", 0: "a", 1: "b"}, ("a", "b", "c")),
        ({10: "k", 2: "c"}, ("c", "k")),
        ({"y": "Yes", "n": "No"}, ("Yes", "No")),
        ((), ()),
    ],
)
def test_classes_in_order_of_their_index(labels: Any, names: tuple[str, ...]) -> None:
    """The order of probabilities, however the map was written down."""
    assert output(kind="label", labels=labels).class_names == names


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"kind": "image"}, "an image needs"),
        ({"kind": "label", "labels": ["a", "a"]}, "'a' stands twice"),
        ({"kind": "label", "labels": [["a"]]}, "labels are texts"),
        ({"kind": "label", "labels": {"a": None}}, "labels are texts"),
        ({"kind": "label", "labels": "abc"}, "valid"),
        ({"decimals": -1}, "greater than or equal to 0"),
        ({"labls": []}, "labls"),
    ],
)
def test_what_is_no_output(given: dict[str, Any], why: str) -> None:
    """A mistyped word or a list in a list is found at once."""
    with pytest.raises(ValidationError, match=why):
        output(**given)


def test_two_answers_may_mean_the_same() -> None:
    """A map may join classes, but not where their probabilities need a name each."""
    joined = {"name": "predict", "kind": "label", "labels": {0: "no", 1: "no", 2: "yes"}}
    assert signature({"name": "a"}, outputs=[joined]).outputs[0].class_names == ("no", "no", "yes")
    with pytest.raises(ValidationError, match="two classes have the same label"):
        signature({"name": "a"}, outputs=[joined, {"name": "p", "kind": "probabilities"}])


# Signatures


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"features": []}, "at least 1"),
        ({"features": [{"name": "a"}, {"name": "a"}]}, "more than one feature is named a"),
        ({"outputs": [{"name": "p"}, {"name": "p"}]}, "more than one output is named p"),
        ({"datatype": "FP8"}, "unknown datatype"),
        ({"input": ""}, "at least 1 character"),
        ({"layout": "rows"}, "'tensor' or 'columns'"),
        ({"layout": "columns", "datatype": "FP32"}, "datatype belongs to layout tensor"),
        ({"layout": "columns", "input": "x"}, "input belongs to layout tensor"),
        (
            {"features": [{"name": "a", "datatype": "FP64"}]},
            "can't travel as FP64 in a tensor of FP32",
        ),
        ({"features": [{"name": "a", "kind": "text"}]}, "use layout columns"),
        ({"features": [{"name": "a", "kind": "category", "choices": ["x"]}]}, "use layout columns"),
        (
            {
                "features": [{"name": "a", "kind": "category", "choices": [300]}],
                "datatype": "UINT8",
            },
            "300 can't travel as UINT8",
        ),
        ({"features": [{"name": "a", "required": False, "missing": "?"}]}, "can't travel as FP32"),
        (
            {"features": [{"name": "a", "kind": "tensor", "shape": [2]}, {"name": "b"}]},
            "a is a tensor of its own",
        ),
        (
            {
                "layout": "columns",
                "features": [{"name": "a", "kind": "category", "choices": [True, "x"]}],
            },
            "True can't travel as BYTES",
        ),
        (
            {
                "layout": "columns",
                "features": [{"name": "a", "kind": "integer", "required": False, "missing": 1.5}],
            },
            "1.5, sent for missing, can't travel as INT64",
        ),
    ],
)
def test_what_is_no_signature(given: dict[str, Any], why: str) -> None:
    """What could not be sent is refused before anybody tries."""
    with pytest.raises(ValidationError, match=why):
        Signature.model_validate({"features": [{"name": "a"}], **given})


def test_columns_are_pd_unless_said_otherwise() -> None:
    """KServe drops every input but the first without it."""
    assert signature({"name": "a"}, layout="columns").content_type == "pd"
    assert signature({"name": "a"}, layout="columns", content_type=None).content_type is None
    assert signature({"name": "a"}).content_type is None


def test_finds_a_feature_by_name() -> None:
    """Or says which one is missing."""
    assert signature({"name": "a"}).feature("a").name == "a"
    with pytest.raises(KeyError, match="b"):
        signature({"name": "a"}).feature("b")


@pytest.mark.parametrize(
    ("kinds", "main"),
    [
        (["probabilities", "label"], "1"),
        (["probabilities", "raw"], "0"),
        (["raw", "value"], "1"),
        (["raw"], "0"),
        ([], None),
    ],
)
def test_the_main_output(kinds: list[str], main: str | None) -> None:
    """The first that answers in words, a number or a picture."""
    outputs = [{"name": str(at), "kind": kind} for at, kind in enumerate(kinds)]
    found = signature({"name": "a"}, outputs=outputs).main_output
    assert (found.name if found else None) == main


# From metadata


def metadata(name: str) -> ModelMetadata:
    return ModelMetadata.model_validate(json.loads(recorded(name).body))


def test_empty_metadata_is_no_signature() -> None:
    """KServe's and MLServer's sklearn runtimes say nothing."""
    assert from_metadata(metadata("kserve-0.21.0/model_metadata")) is None
    assert from_metadata(metadata("mlserver-1.7.1/model_metadata")) is None


def test_one_matrix_becomes_numbers() -> None:
    """Triton's iris: four numbers in one FP32 tensor, and outputs taken as they come."""
    found = from_metadata(metadata("triton-2.51/model_metadata"))
    assert found is not None
    assert (found.layout, found.input, found.datatype) == ("tensor", "input-0", "FP32")
    assert [f.name for f in found.features] == [f"input-0[{at}]" for at in range(4)]
    assert [(o.name, o.requested) for o in found.outputs] == [
        ("predict", False),
        ("predict_proba", False),
    ]


def test_several_columns_become_features() -> None:
    """MLflow's model through MLServer: whole numbers, text, truth and numbers."""
    found = from_metadata(metadata("mlserver-1.7.1-mixed/meta_mixed-mlflow"))
    assert found is not None
    assert (found.layout, found.content_type) == ("columns", "pd")
    assert [(f.name, f.kind, f.datatype) for f in found.features] == [
        ("age", "integer", "INT64"),
        ("job", "text", "BYTES"),
        ("owner", "boolean", "BOOL"),
        ("income", "number", "FP64"),
    ]


def inputs(*tensors: tuple[str, str, list[int]]) -> ModelMetadata:
    given = [{"name": name, "datatype": wire, "shape": shape} for name, wire, shape in tensors]
    return ModelMetadata.model_validate({"name": "m", "inputs": given})


@pytest.mark.parametrize(
    ("wire", "shape", "kind", "row_shape"),
    [
        ("FP32", [-1, 3, 4], "tensor", (3, 4)),
        ("FP32", [-1, 501], "tensor", (501,)),
        ("BYTES", [-1, 2], "tensor", (2,)),
        ("FP32", [-1, -1], "number", ()),
    ],
)
def test_one_other_input(
    wire: str, shape: list[int], kind: str, row_shape: tuple[int, ...]
) -> None:
    """Blocks and very wide rows become one tensor; a length that varies counts as one."""
    found = from_metadata(inputs(("x", wire, shape)))
    assert found is not None
    assert (found.features[0].kind, found.features[0].row_shape) == (kind, row_shape)


@pytest.mark.parametrize(
    ("tensors", "content_type"),
    [
        ([("a", "FP64", [-1, 1]), ("b", "BYTES", [-1])], "pd"),
        ([("a", "BYTES", [-1])], None),
        ([("a", "FP64", [-1]), ("b", "UINT8", [-1, 2, 2])], None),
    ],
    ids=["a table", "one column", "a block beside a column"],
)
def test_several_columns_are_a_table(
    tensors: list[tuple[str, str, list[int]]], content_type: str | None
) -> None:
    """KServe's metadata has no parameters, and without pd KServe 0.21.0 reads the first input alone."""
    found = from_metadata(inputs(*tensors))
    assert found is not None
    assert found.content_type == content_type


@pytest.mark.parametrize(
    ("datatype", "said", "kept"),
    [
        ("BYTES", {"content_type": "datetime"}, "datetime"),
        ("BYTES", {"content_type": "pd_json"}, "pd_json"),
        # What is sent without being told; and base64, which would change words that look like it.
        ("BYTES", {"content_type": "str"}, None),
        ("BYTES", {"content_type": "base64"}, None),
        ("BYTES", {}, None),
        ("FP64", {"content_type": "np"}, None),
    ],
)
def test_what_a_server_makes_of_its_texts(
    datatype: str, said: dict[str, str], kept: str | None
) -> None:
    """Seen on MLServer 1.7.1 with its MLflow runtime."""
    tensor = {"name": "a", "datatype": datatype, "shape": [-1, 1], "parameters": said}
    found = from_metadata(ModelMetadata.model_validate({"inputs": [tensor]}))
    assert found is not None
    assert found.features[0].content_type == kept


def test_a_content_type_of_a_feature_needs_an_input_of_its_own() -> None:
    """In one tensor it would be taken and thrown away."""
    with pytest.raises(ValueError, match="content_type of a belongs to layout columns"):
        signature({"name": "a", "content_type": "np"})


@pytest.mark.parametrize(
    ("given", "part"),
    [(FeatureSettings, Feature), (OutputSettings, Output), (SignatureSettings, Signature)],
)
def test_type_checkers_know_every_setting(given: Any, part: type[BaseModel]) -> None:
    """What may be given is what there is, and needed is what has no default."""
    hints = get_type_hints(given, include_extras=True)
    assert {name: get_origin(hint) is Required for name, hint in hints.items()} == {
        name: field.is_required() for name, field in part.model_fields.items()
    }


def test_columns_and_blocks_side_by_side() -> None:
    """Each input is a feature."""
    found = from_metadata(inputs(("a", "FP64", [-1]), ("b", "UINT8", [-1, 2, 2])))
    assert found is not None
    assert [(f.kind, f.row_shape) for f in found.features] == [("number", ()), ("tensor", (2, 2))]


@pytest.mark.parametrize(
    "found",
    [
        inputs(("x", "FP8", [-1, 4])),
        inputs(("x", "TYPE_FP32", [-1]), ("y", "FP32", [-1])),
        inputs(("x", "FP32", [-1]), ("x", "FP32", [-1])),
        inputs(("", "FP32", [-1, 2, 2])),
        ModelMetadata.model_validate(
            {
                "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}],
                "parameters": {"content_type": ["pd"]},
            }
        ),
    ],
)
def test_metadata_that_is_of_no_use(found: ModelMetadata) -> None:
    """A datatype that is none, or a name that stands twice, is told in our own words."""
    with pytest.raises(ConfigurationError, match="Describe its features"):
        from_metadata(found)


def test_a_row_too_large_to_send_is_refused() -> None:
    """Metadata may name any shape: nobody's memory is filled to find out."""
    with pytest.raises(ValueError, match="a row of 1,000,000,000,000 numbers is too large to send"):
        Feature(name="x", kind="tensor", shape=(1_000_000, 1_000_000))


@pytest.mark.parametrize(
    ("default", "problem"),
    [
        (10**400, "default 1000.* is outside min and max"),
        (99, "default 99 is outside min and max"),
        (9.5, "min, max, step and default of an integer are whole numbers"),
    ],
)
def test_a_default_beyond_its_range_is_told_however_large(default: float, problem: str) -> None:
    """A number that no float holds is a mistake with words, as any other."""
    with pytest.raises(ValueError, match=problem):
        Feature(name="x", kind="integer", min=0, max=5, default=default)


def test_a_default_that_can_not_travel_is_refused() -> None:
    """The form would start with what no request can hold."""
    with pytest.raises(ValueError, match="x: the default 300 can't travel as INT8"):
        Signature(
            layout="columns",
            features=(Feature(name="x", kind="integer", datatype="INT8", default=300),),
        )
    whole = Feature(name="x", kind="integer", default=4.0)
    assert Signature(features=(whole,), datatype="INT64").features == (whole,)


@pytest.mark.parametrize(
    ("settings", "words", "outside", "inside"),
    [
        ({"min": 0, "max": 10, "unit": "cm"}, "0 to 10 cm", [-0.1, 10.1, math.inf], [0, 10, 5.5]),
        ({"min": -0.5, "unit": "m"}, "-0.5 m and above", [-0.6], [-0.5, 9e9]),
        ({"min": 1}, "1 and above", [0], [1]),
        ({"max": 4.5e6}, "up to 4500000", [4500001], [-9e9, 4.5e6]),
        ({}, "", [], [0, math.inf, math.nan]),
    ],
)
def test_where_numbers_usually_lie(
    settings: Any, words: str, outside: list[float], inside: list[float]
) -> None:
    """In words and as a question; one end may be open, and the ends belong to it."""
    feature = Feature(name="a", **settings)
    assert feature.range_words == words
    assert all(feature.is_outside(number) for number in outside)
    assert not any(feature.is_outside(number) for number in inside)
