from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client.catalog.facts import (
    SOURCE_KINDS,
    Description,
    Draft,
    Fact,
    Source,
    SourceFailure,
)
from kserve_client.catalog.merging import merge
from kserve_client.errors import NoAnswerError
from kserve_client.signature import Feature, Output, Signature

METADATA = Source("server metadata")
MLFLOW = Source("MLflow", "iris version 3")
CLUSTER = Source("Kubernetes", "flowers/iris")
FILE = Source("models file")
SAMPLE = Source("sample", "iris.csv")


def draft(source: Source, *features: Mapping[str, Any], **more: Any) -> Draft:
    return Draft(source, features=features, **more)


def signature_of(description: Description) -> Signature:
    assert description.signature is not None
    return description.signature


def names(description: Description) -> list[str]:
    return [feature.name for feature in signature_of(description).features]


def fact(description: Description, *path: str) -> Fact:
    (found,) = [f for f in description.facts if (*f.of, f.setting) == path]
    return found


# The settings of one feature


def test_each_fact_remembers_its_source() -> None:
    """Three sources make one feature; each setting says where it came from."""
    merged = merge(
        [
            draft(METADATA, {"name": "length", "kind": "number", "datatype": "FP64"}),
            draft(MLFLOW, {"name": "length", "unit": "cm", "required": True}),
            draft(FILE, {"name": "length", "min": 4, "max": 8}),
        ]
    )
    (feature,) = signature_of(merged).features
    assert feature == Feature(name="length", kind="number", unit="cm", min=4, max=8, required=True)
    assert fact(merged, "features", "length", "kind").source == METADATA
    assert fact(merged, "features", "length", "unit").source == MLFLOW
    assert fact(merged, "features", "length", "max").source == FILE
    assert merged.notes == ()


def test_the_later_source_wins_and_tells_what_the_others_said() -> None:
    """The strongest of the others first."""
    merged = merge(
        [
            draft(MLFLOW, {"name": "a", "max": 5, "unit": "mm"}),
            draft(CLUSTER, {"name": "a", "max": 6}),
            draft(FILE, {"name": "a", "max": 7}),
            draft(SAMPLE, {"name": "a", "max": 7.9}),
        ]
    )
    assert fact(merged, "features", "a", "max") == Fact(
        ("features", "a"), "max", 7.9, SAMPLE, ((7, FILE), (6, CLUSTER), (5, MLFLOW))
    )
    assert signature_of(merged).features[0].max == 7.9
    assert signature_of(merged).features[0].unit == "mm"


def test_sources_that_agree_are_no_contradiction() -> None:
    """30 and 30.0 are the same; the strongest is named."""
    merged = merge(
        [draft(MLFLOW, {"name": "a", "max": 30}), draft(FILE, {"name": "a", "max": 30.0})]
    )
    assert fact(merged, "features", "a", "max") == Fact(("features", "a"), "max", 30.0, FILE)


def test_a_range_gives_way_to_a_category() -> None:
    """The stronger says the kind; what does not fit it is left out, and that is told."""
    merged = merge(
        [
            draft(MLFLOW, {"name": "grade", "min": 1, "max": 3, "unit": "points"}),
            draft(
                FILE,
                {"name": "grade", "kind": "category", "choices": ["low", "high"]},
                tensors={"layout": "columns"},
            ),
        ]
    )
    (feature,) = signature_of(merged).features
    assert (feature.kind, feature.unit, feature.min) == ("category", "points", None)
    assert merged.notes == (
        "grade: min, max of MLflow: iris version 3 left out; it does not fit what is known otherwise",
    )


def test_a_guessed_kind_gives_way_to_a_range_that_was_written() -> None:
    """A range means a number, though the metadata says text."""
    merged = merge(
        [
            draft(METADATA, {"name": "a", "kind": "text", "datatype": "BYTES"}),
            draft(FILE, {"name": "a", "min": 0, "max": 1}),
        ]
    )
    assert signature_of(merged).features == (Feature(name="a", min=0, max=1),)
    assert "kind" in merged.notes[0]


def test_a_default_outside_the_range_of_the_sample_gives_way() -> None:
    """The form could not start there."""
    merged = merge(
        [
            draft(FILE, {"name": "a", "default": 99}),
            draft(SAMPLE, {"name": "a", "min": 0, "max": 10}),
        ]
    )
    assert signature_of(merged).features == (Feature(name="a", min=0, max=10),)
    assert merged.notes == (
        "a: default of models file left out; it does not fit what is known otherwise",
    )


def test_nonsense_of_one_source_spares_the_rest() -> None:
    """Even of the only source, setting by setting."""
    merged = merge([draft(MLFLOW, {"name": "a", "min": "low", "unit": "cm", "colour": 7})])
    assert signature_of(merged).features == (Feature(name="a", unit="cm"),)
    assert merged.notes == (
        "a: min, colour of MLflow: iris version 3 left out; it does not fit what is known otherwise",
    )


# Which features there are


def test_the_order_of_the_training_stays() -> None:
    """A source that knows some of the features does not move them."""
    merged = merge(
        [
            draft(METADATA, {"name": "a"}, {"name": "b"}, {"name": "c"}),
            draft(FILE, {"name": "c"}, {"name": "a"}),
        ]
    )
    assert names(merged) == ["a", "b", "c"]


def test_a_source_that_names_all_features_sets_the_order() -> None:
    """And may add some."""
    merged = merge(
        [
            draft(METADATA, {"name": "a"}, {"name": "b"}),
            draft(FILE, {"name": "c"}, {"name": "b"}, {"name": "a"}),
        ]
    )
    assert names(merged) == ["c", "b", "a"]


def test_a_source_that_is_complete_leaves_the_others_out() -> None:
    """A column of the metadata that the model can do without; people are told."""
    merged = merge(
        [
            draft(METADATA, {"name": "a", "kind": "integer"}, {"name": "b"}),
            draft(FILE, {"name": "a"}, is_complete=True),
        ]
    )
    assert signature_of(merged).features == (Feature(name="a", kind="integer"),)
    assert merged.notes == ("b left out: models file names all features",)


def test_features_of_one_tensor_get_their_names_by_position() -> None:
    """Metadata [-1, 2] knows no names; what it says of kind and datatype stays."""
    metadata = draft(
        METADATA,
        {"name": "x[0]", "kind": "integer"},
        {"name": "x[1]", "kind": "integer"},
        tensors={"layout": "tensor", "input": "x", "datatype": "INT64"},
        names_features=False,
    )
    merged = merge([metadata, draft(FILE, {"name": "rooms", "max": 9}, {"name": "floors"})])
    assert signature_of(merged) == Signature(
        layout="tensor",
        input="x",
        datatype="INT64",
        features=(
            Feature(name="rooms", kind="integer", max=9),
            Feature(name="floors", kind="integer"),
        ),
    )


def test_numbers_without_names_take_those_that_are_known() -> None:
    """The other way round, too."""
    merged = merge(
        [
            draft(METADATA, {"name": "a", "kind": "number"}, {"name": "b", "kind": "number"}),
            draft(MLFLOW, {"name": "x[0]", "unit": "cm"}, {"name": "x[1]"}, names_features=False),
        ]
    )
    assert names(merged) == ["a", "b"]
    assert signature_of(merged).features[0].unit == "cm"


def test_another_number_of_features_replaces_them_and_is_told() -> None:
    """The later source knows better; people are told."""
    metadata = draft(METADATA, {"name": "x[0]"}, {"name": "x[1]"}, names_features=False)
    merged = merge([metadata, draft(FILE, {"name": "a"}, {"name": "b"}, {"name": "c"})])
    assert names(merged) == ["a", "b", "c"]
    assert merged.notes == ("models file has 3 features, before it there were 2",)


def test_a_picture_takes_the_place_of_its_numbers() -> None:
    """64 numbers of one tensor are one picture, on the same input; nothing to remark."""
    pixels = [{"name": f"image[{n}]", "kind": "number"} for n in range(64)]
    metadata = draft(
        METADATA,
        *pixels,
        tensors={"layout": "tensor", "input": "image", "datatype": "FP32"},
        names_features=False,
    )
    picture = {"name": "digit", "kind": "image", "image": {"width": 8, "height": 8}, "shape": (64,)}
    merged = merge([metadata, draft(FILE, picture)])
    assert names(merged) == ["digit"]
    assert signature_of(merged).input == "image"
    assert merged.notes == ()


def test_names_that_have_nothing_in_common_replace_what_was_known() -> None:
    """With the way they lie in tensors."""
    merged = merge(
        [
            draft(
                METADATA,
                {"name": "a", "datatype": "INT64", "kind": "integer"},
                tensors={"layout": "columns"},
            ),
            draft(FILE, {"name": "b"}, {"name": "c"}),
        ]
    )
    assert signature_of(merged) == Signature(features=(Feature(name="b"), Feature(name="c")))
    assert merged.notes == ("models file names none of the features that were known before it",)


def test_features_without_a_name_or_with_that_of_another_are_left_out() -> None:
    """They could not be told apart."""
    merged = merge(
        [draft(MLFLOW, {"name": "a", "max": 1}, {"name": "a", "max": 2}, {"max": 3}, {"name": ""})]
    )
    assert signature_of(merged).features == (Feature(name="a", max=1),)
    assert merged.notes == (
        "a feature of MLflow: iris version 3 (a) left out: it stands twice",
        "a feature of MLflow: iris version 3 left out: it has no name",
    )


# Tensors


def test_columns_have_no_tensor_of_their_own() -> None:
    """Settings of layout tensor give way to a later layout columns, and the other way round."""
    tensor = draft(
        METADATA,
        {"name": "a", "kind": "number"},
        tensors={"layout": "tensor", "input": "x", "datatype": "FP64"},
    )
    columns = draft(FILE, {"name": "a", "datatype": "FP32"}, tensors={"layout": "columns"})
    first = signature_of(merge([tensor, columns]))
    assert first == Signature(layout="columns", features=(Feature(name="a", datatype="FP32"),))
    second = signature_of(merge([columns, tensor]))
    assert (second.layout, second.datatype, second.features[0].datatype) == ("tensor", "FP64", None)


def test_one_tensor_has_no_inputs_to_say_the_content_of() -> None:
    """What a column of texts is to the server goes with its column."""
    columns = draft(
        METADATA,
        {"name": "a", "kind": "number", "datatype": "FP64", "content_type": "np"},
        tensors={"layout": "columns"},
    )
    tensor = draft(FILE, {"name": "a"}, tensors={"layout": "tensor", "input": "x"})
    merged = merge([columns, tensor])
    assert signature_of(merged).features == (Feature(name="a", kind="number"),)
    assert merged.notes == ()


def test_what_is_said_of_another_layout_does_not_hold() -> None:
    """A table is no content type for one tensor, nor NumPy's one for columns."""
    columns = draft(
        METADATA,
        {"name": "a", "kind": "number", "datatype": "FP64"},
        tensors={"layout": "columns", "content_type": "pd"},
    )
    tensor = draft(FILE, {"name": "a"}, tensors={"layout": "tensor", "input": "x"})
    merged = merge([columns, tensor])
    assert signature_of(merged) == Signature(
        layout="tensor", input="x", features=(Feature(name="a", kind="number"),)
    )
    assert fact(merged, "tensors", "layout").instead_of == (("columns", METADATA),)
    numbers = draft(
        METADATA, {"name": "a"}, tensors={"layout": "tensor", "input": "x", "content_type": "np"}
    )
    wanted = draft(FILE, {"name": "a"}, tensors={"layout": "columns"})
    assert signature_of(merge([numbers, wanted])).content_type == "pd"


def test_the_name_of_the_one_tensor_says_the_layout() -> None:
    """Who names it need not say that there is one."""
    columns = draft(METADATA, {"name": "a", "kind": "number"}, tensors={"layout": "columns"})
    merged = merge([columns, draft(FILE, {"name": "a"}, tensors={"input": "x"})])
    assert signature_of(merged) == Signature(
        layout="tensor", input="x", features=(Feature(name="a", kind="number"),)
    )


def test_an_input_of_its_own_is_no_column_of_one_tensor() -> None:
    """Metadata that lists columns adds none to the tensor that the file describes."""
    columns = draft(METADATA, {"name": "a"}, {"name": "id"}, tensors={"layout": "columns"})
    merged = merge([columns, draft(FILE, {"name": "a"}, tensors={"layout": "tensor"})])
    assert names(merged) == ["a"]
    assert merged.notes == ("id left out: models file has another layout",)


def test_of_a_sensitive_feature_no_row_is_repeated() -> None:
    """An input example holds a person's values; what an author wrote stays."""
    rows = {"name": "a", "default": 987, "max": 1000, "reference": {"rows": 3}}
    file = draft(FILE, {"name": "a", "sensitive": True, "default": 0})
    merged = merge([draft(MLFLOW, rows), file])
    assert signature_of(merged).features == (
        Feature(name="a", sensitive=True, default=0, max=1000),
    )
    assert "987" not in str(merged)
    assert merged.notes == ()


def test_sources_that_make_no_signature_together_give_way() -> None:
    """The weaker one, with the reason; the file works as it does without a server."""
    metadata = draft(
        METADATA, {"name": "a"}, {"name": "b"}, tensors={"layout": "tensor", "datatype": "FP32"}
    )
    file = draft(
        FILE,
        {"name": "a", "kind": "text"},
        {"name": "b", "kind": "number"},
        tensors={"layout": "columns"},
    )
    assert signature_of(merge([metadata, file])).layout == "columns"
    words = draft(MLFLOW, {"name": "a", "kind": "text"}, {"name": "b"})
    merged = merge([words, draft(FILE, {"name": "a"}, {"name": "b"})])
    assert signature_of(merged) == Signature(features=(Feature(name="a"), Feature(name="b")))
    assert merged.notes[0].startswith(
        "MLflow and models file make no signature together: a is of kind text"
    )


# Outputs


def test_the_strongest_source_that_names_outputs_decides_which_there_are() -> None:
    """The others add what they know of them."""
    merged = merge(
        [
            draft(
                METADATA, {"name": "a"}, outputs=({"name": "p", "requested": False}, {"name": "q"})
            ),
            draft(MLFLOW, outputs=({"name": "p", "kind": "label", "labels": ["x", "y"]},)),
            draft(FILE, outputs=({"name": "p", "title": "Species"}, {"name": "r"})),
        ]
    )
    assert signature_of(merged).outputs == (
        Output(name="p", kind="label", labels=("x", "y"), title="Species"),
        Output(name="r"),
    )
    assert fact(merged, "outputs", "p", "labels").source == MLFLOW


def test_the_only_output_is_the_same_under_any_name() -> None:
    """MLflow knows its labels, the file its name on the server."""
    merged = merge(
        [
            draft(
                MLFLOW, {"name": "a"}, outputs=({"name": "out", "kind": "label", "labels": ["x"]},)
            ),
            draft(FILE, outputs=({"name": "predict"},)),
        ]
    )
    assert signature_of(merged).outputs == (Output(name="predict", kind="label", labels=("x",)),)


def test_outputs_alone_make_no_signature() -> None:
    """Nobody says what goes in; what is known otherwise is still told."""
    merged = merge([Draft(FILE, outputs=({"name": "p"},), about={"title": "Iris"})])
    assert merged.signature is None
    assert merged.about("title") == "Iris"


# About, examples, failures


def test_what_is_said_about_the_model() -> None:
    """Title, owner and the like are merged in the same way."""
    merged = merge(
        [
            Draft(MLFLOW, about={"title": "iris", "owner": "ann"}),
            Draft(FILE, about={"title": "Iris species"}),
        ]
    )
    assert merged.about("title") == "Iris species"
    assert merged.about("owner") == "ann"
    assert merged.about("links") is None
    assert fact(merged, "about", "title").instead_of == (("iris", MLFLOW),)


def test_examples_of_the_strongest_source_come_first() -> None:
    """Without cells of features that there are not."""
    merged = merge(
        [
            draft(
                MLFLOW, {"name": "a"}, examples={"Input example": {"a": 1, "id": 7}, "x": {"id": 1}}
            ),
            draft(FILE, examples={"Big": {"a": 9}}),
        ]
    )
    assert merged.examples == (("Big", {"a": 9}, FILE), ("Input example", {"a": 1}, MLFLOW))


def test_failures_and_notes_are_kept() -> None:
    """The rest works; the page says why it is less than it could be."""
    failure = SourceFailure(MLFLOW, NoAnswerError("it is down"))
    merged = merge([draft(FILE, {"name": "a"}, notes=("b was left out",))], [failure])
    assert merged.failures == (failure,)
    assert merged.notes == ("b was left out",)
    assert names(merged) == ["a"]


@pytest.mark.parametrize(
    "drafts", [[], [Draft(METADATA)], [Draft(FILE, tensors={"layout": "columns"})]]
)
def test_nothing_is_no_signature(drafts: list[Draft]) -> None:
    """And no error."""
    assert merge(drafts).signature is None


# Properties

NAMES = st.sampled_from(["a", "b", "c", "d e", ""])
CELLS = st.integers(0, 3) | st.text(max_size=2) | st.booleans()
CHOICES = CELLS | st.fixed_dictionaries({"value": CELLS}, optional={"label": st.text(max_size=2)})
COUNTS = st.integers(-1, 9)
REFERENCES = st.none() | st.fixed_dictionaries(
    {"rows": COUNTS},
    optional={
        "quantiles": st.lists(st.integers(-5, 5), max_size=8).map(sorted),
        "histogram": st.lists(COUNTS, max_size=3),
        "counts": st.dictionaries(NAMES, COUNTS, max_size=2),
    },
)
SETTINGS = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "kind": st.sampled_from(["number", "integer", "category", "text", "image", "nonsense"]),
        "min": st.integers(-5, 5) | st.floats() | st.text(max_size=2),
        "max": st.integers(-5, 5) | st.floats(),
        "default": st.integers(-9, 9) | st.booleans() | st.text(max_size=2),
        "choices": st.lists(CHOICES, max_size=3) | st.dictionaries(NAMES, CELLS, max_size=2),
        "datatype": st.sampled_from(["FP32", "INT64", "BYTES", "FP8"]),
        "shape": st.lists(st.integers(-1, 4), max_size=2),
        "unit": st.text(max_size=2) | st.none(),
        "required": st.booleans(),
        "missing": CELLS | st.none(),
        "sensitive": st.booleans(),
        "reference": REFERENCES,
        "image": st.fixed_dictionaries({"width": COUNTS, "height": COUNTS}) | st.none(),
    },
)
OUTPUTS = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "kind": st.sampled_from(["label", "value", "image", "probabilities"]),
        "labels": st.lists(NAMES, max_size=3) | st.dictionaries(NAMES, CELLS, max_size=3),
        "threshold": st.floats(-1, 2) | st.none(),
        "positive": NAMES | st.none(),
        "decimals": COUNTS,
    },
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "layout": st.sampled_from(["tensor", "columns", "heap"]),
        "input": st.text(max_size=3),
        "datatype": st.sampled_from(["FP32", "INT64", "BYTES", "FP8"]),
        "content_type": st.sampled_from(["pd", "np", None]),
    },
)


@st.composite
def drafts_of_any_kind(pick: st.DrawFn) -> list[Draft]:
    kinds = [kind for kind in SOURCE_KINDS if pick(st.booleans())]
    return [
        Draft(
            Source(kind),
            tensors=pick(TENSORS),
            features=tuple(pick(st.lists(SETTINGS, max_size=3))),
            outputs=tuple(pick(st.lists(OUTPUTS, max_size=2))),
            names_features=pick(st.booleans()),
        )
        for kind in kinds
    ]


@settings(max_examples=150, deadline=None)
@given(drafts_of_any_kind())
def test_whatever_sources_say_there_is_a_valid_signature_or_none(drafts: Sequence[Draft]) -> None:
    """Never an error; and each fact of a feature that is told is the one that holds."""
    merged = merge(drafts)
    if merged.signature is None:
        return
    assert merged.signature.features
    for feature in merged.signature.features:
        told = [f for f in merged.facts if f.of == ("features", feature.name)]
        assert (
            Feature.model_validate({"name": feature.name} | {f.setting: f.value for f in told})
            == feature
        )


@settings(max_examples=100, deadline=None)
@given(drafts_of_any_kind())
def test_merging_is_the_same_each_time(drafts: Sequence[Draft]) -> None:
    """Nothing hangs on the order of a set."""
    assert merge(drafts) == merge(drafts)


@settings(max_examples=100, deadline=None)
@given(st.lists(SETTINGS, max_size=4), TENSORS)
def test_a_source_alone_is_itself(features: list[dict[str, Any]], tensors: dict[str, Any]) -> None:
    """What makes a signature by itself is that signature."""
    try:
        expected = Signature.model_validate({**tensors, "features": features})
    except ValueError:
        return
    assert merge([Draft(FILE, tensors=tensors, features=tuple(features))]).signature == expected
