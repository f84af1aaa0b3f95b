"""Whatever stands in an MLmodel file or an input example: an error of ours, or a draft that makes sense."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client.catalog.facts import Draft, Source
from kserve_client.catalog.merging import merge
from kserve_client.catalog.mlflow.about import Records, about
from kserve_client.catalog.mlflow.draft import draft_of
from kserve_client.catalog.mlflow.mlmodel import parse_mlmodel
from kserve_client.errors import InvalidAnswerError
from kserve_client.signature import Feature, Output, PartialSignature

NAMES = st.sampled_from(["a", "b", "", "input-0", "input-0[0]", "output-0", "ü x"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**300, 10**400),
    st.floats(),
    st.text(max_size=5),
    NAMES,
)
_WORDS = """
name type required optional tensor-spec dtype shape kind min max choices labels image width height
default unit title features outputs examples row signature layout input datatype kserve_client ranges
class_names columns data inputs missing reference step a b
"""
WORDS = st.sampled_from(_WORDS.split())
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | NAMES, inner, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from(
    ["double", "float", "long", "boolean", "string", "datetime", "binary", "array"]
)
COLUMNS = st.fixed_dictionaries(
    {"name": NAMES, "type": TYPES | ANYTHING}, optional={"required": ANYTHING}
)
SHAPES = st.lists(st.integers(-2, 4), max_size=4) | ANYTHING
TENSORS = st.fixed_dictionaries(
    {
        "type": st.just("tensor"),
        "tensor-spec": st.fixed_dictionaries(
            {
                "dtype": st.sampled_from(["float32", "int64", "bool", "str"]) | ANYTHING,
                "shape": SHAPES,
            }
        ),
    },
    optional={"name": NAMES},
)
SIDES = st.lists(COLUMNS, max_size=4) | st.lists(TENSORS, max_size=3) | ANYTHING
SETTINGS = st.dictionaries(WORDS, ANYTHING, max_size=5)
LISTED = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"kind": ANYTHING, "labels": ANYTHING}),
    max_size=3,
)
BLOCKS = st.fixed_dictionaries(
    {},
    optional={
        "features": st.dictionaries(NAMES, SETTINGS, max_size=3) | LISTED | ANYTHING,
        "outputs": LISTED | st.lists(SETTINGS, max_size=3) | ANYTHING,
        "examples": st.lists(st.fixed_dictionaries({"name": NAMES, "row": ANYTHING}), max_size=2)
        | ANYTHING,
        "layout": st.sampled_from(["tensor", "columns"]) | ANYTHING,
        "datatype": st.sampled_from(["FP32", "BYTES"]) | ANYTHING,
        "signature": SETTINGS | ANYTHING,
        "title": ANYTHING,
    },
)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "kserve_client": BLOCKS | ANYTHING,
        "labels": st.lists(NAMES, max_size=3) | ANYTHING,
        "features": ANYTHING,
        "ranges": st.dictionaries(NAMES, st.lists(SCALARS, min_size=2, max_size=2), max_size=2)
        | ANYTHING,
    },
)
EXAMPLES = ANYTHING | st.fixed_dictionaries(
    {
        "columns": st.lists(NAMES, max_size=3),
        "data": st.lists(st.lists(ANYTHING, max_size=3), max_size=3),
    }
)


def check(draft: Draft) -> None:
    """Every part is valid by itself and beside the others, and a signature can be made of it."""
    for feature in draft.features:
        Feature.model_validate(feature)
    for output in draft.outputs:
        Output.model_validate(output)
    PartialSignature.model_validate(
        {**draft.tensors, "features": draft.features, "outputs": draft.outputs}
    )
    assert (merge([draft]).signature is not None) == bool(draft.features)
    assert all(draft.notes)
    names = {feature["name"] for feature in draft.features}
    assert not draft.features or all(set(row) <= names for row in draft.examples.values())


@settings(deadline=None, max_examples=100)
@given(SIDES, SIDES, ANYTHING, METADATA | ANYTHING, EXAMPLES, st.booleans())
def test_any_model_gives_a_sensible_draft(
    inputs: Any, outputs: Any, params: Any, metadata: Any, example: Any, is_text: bool
) -> None:
    """Whatever its parts hold, what makes sense of them is a form, and the rest is told."""
    signature = {
        side: json.dumps(given) if is_text else given
        for side, given in (("inputs", inputs), ("outputs", outputs), ("params", params))
    }
    mlmodel = {"signature": signature, "metadata": metadata}
    check(draft_of(Source("MLflow", "m"), mlmodel, example))


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(["signature", "metadata", "flavors"]) | NAMES, ANYTHING))
def test_any_yaml_of_ours_comes_back(content: dict[str, Any]) -> None:
    """What PyYAML writes is read, and described without an exception."""
    try:
        mlmodel = parse_mlmodel(yaml.safe_dump(content).encode())
    except InvalidAnswerError:  # whole numbers of more than 4300 digits, say
        return
    check(draft_of(Source("MLflow", "m"), mlmodel, None))


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="ab:[]{}&*!<>|-?'\"%@,\n \t#~1.", max_size=60) | st.binary(max_size=40))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    """A file that is no YAML is an error of ours."""
    body = text.encode() if isinstance(text, str) else text
    try:
        mlmodel = parse_mlmodel(body)
    except InvalidAnswerError:
        return
    check(draft_of(Source("MLflow", "m"), mlmodel, None))


@settings(deadline=None, max_examples=60)
@given(
    *[
        st.dictionaries(
            st.sampled_from(["info", "data", "tags", "metrics", "params", "aliases", "version"]),
            ANYTHING,
        )
    ]
    * 4
)
def test_any_records_are_shown(version: Any, registered: Any, logged: Any, run: Any) -> None:
    """What the API says beside the form is shown where it is what it should be."""
    records = Records(version, registered, "m-1", logged, run)
    for name, value in about(records, {"flavors": run}, {}).items():
        assert name
        json.dumps(value)
