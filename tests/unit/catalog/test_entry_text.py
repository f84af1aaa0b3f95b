from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kserve_client.catalog.annotations import read_annotations
from kserve_client.catalog.entry_text import (
    annotate_command,
    annotation_text,
    entry_text,
    form_text,
)
from kserve_client.catalog.models_file import Entry, parse_models_file
from kserve_client.errors import ConfigurationError
from kserve_client.signature import PartialSignature

HOSTILE = [
    "yes",
    "no",
    "true",
    "Null",
    "~",
    "0123",
    "1e3",
    "0x1F",
    ".5",
    "",
    " a",
    "a ",
    "a: b",
    "a #b",
    "#a",
    "- a",
    "? a",
    "[a]",
    "{a}",
    "a, b",
    "'a'",
    '"a"',
    "a\\b",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "<<",
    "=",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "`a`",
    "|",
    ">",
    "---",
    "...",
    "\ufeffa",
    "a\x00b",
    "a\x7fb",
    "a\x85b",
    "a\u2028b",
    "a\xa0b",
    "Ä ö ß",
    "\U0001f600",
    "${HOME}",
    "$${HOME}",
    "a ${",
    "$",
    "2026-11-22",
    "12:30",
    "x" * 2000,
]


def entry(**given: Any) -> Entry:
    return Entry.model_validate({"endpoint": "demo", **given})


def read_back(text: str, name: str = "m") -> Entry:
    whole = "endpoints: {demo: {url: 'http://a'}}\nmodels:\n" + text
    parsed = parse_models_file(whole, source="m.yaml", folder=Path(), environment={})
    return parsed.models[name]


def said(part: Any) -> Any:
    """The settings that were written, with the types they have."""
    return part.model_dump(exclude_none=True)


IRIS = """\
  iris:
    title: Iris species
    description: Which of three irises is it, judged by its petals.
    owner: Team Flowers
    links:
      - {title: Runbook, url: "https://wiki.example.org/iris"}
    endpoint: demo
    model_version: "1"
    mlflow: "models:/iris@champion"
    sample: {file: data/iris.csv, leave_out: [species]}
    signature:
      layout: tensor
      datatype: FP64
      features:
        - {name: petal length, title: Petal length, unit: cm, min: 1, max: 7, step: 0.1, default: 4.3,
           reference: {rows: 150, quantiles: [1, 1.3, 1.6, 4.3, 5.1, 6.1, 6.9], histogram: [4, 33]}}
        - {name: "petal: width", min: 0.1}
      outputs:
        - {name: predict, kind: label, labels: [Iris setosa, "no, none", yes]}
        - {name: predict_proba, kind: probabilities}
    examples:
      - name: Setosa
        row: {petal length: 5.1, "petal: width": 3}
        expect: Iris setosa
      - name: Large
        row: {petal length: 7.2}
        expect: 3
"""


def test_an_entry_is_written_as_a_person_would() -> None:
    """Only what is not usual, a feature per line, quotes where they are needed."""
    made = entry(
        title="Iris species",
        description="Which of three irises is it, judged by its petals.",
        owner="Team Flowers",
        links=[{"title": "Runbook", "url": "https://wiki.example.org/iris"}],
        model_version="1",
        mlflow="models:/iris@champion",
        sample={"file": "data/iris.csv", "leave_out": ["species"]},
        signature={
            "layout": "tensor",
            "datatype": "FP64",
            "features": [
                {
                    "name": "petal length",
                    "kind": "number",
                    "help": "",
                    "min": 1.0,
                    "max": 7.0,
                    "step": 0.1,
                    "default": 4.3,
                    "title": "Petal length",
                    "unit": "cm",
                    "reference": {
                        "rows": 150,
                        "missing": 0,
                        "quantiles": [1, 1.3, 1.6, 4.3, 5.1, 6.1, 6.9],
                        "histogram": [4, 33],
                    },
                },
                {"name": "petal: width", "min": 0.1},
            ],
            "outputs": [
                {
                    "name": "predict",
                    "kind": "label",
                    "labels": ["Iris setosa", "no, none", "yes"],
                },
                {"name": "predict_proba", "kind": "probabilities"},
            ],
        },
        examples=[
            {
                "name": "Setosa",
                "row": {"petal length": 5.1, "petal: width": 3},
                "expect": "Iris setosa",
            },
            {"name": "Large", "row": {"petal length": 7.2}, "expect": 3.0},
        ],
    )
    assert entry_text("iris", made) == IRIS


def test_the_demo_file_can_be_written_back() -> None:
    """Each entry reads back as it was; pictures of examples are left out, with a comment."""
    demo = Path(__file__).parents[3] / "examples" / "models.yaml"
    text = demo.read_text(encoding="utf-8")
    values = yaml.safe_load(text)["models"]
    for name, settings_of in values.items():
        settings_of.pop("examples")
        settings_of.pop("sample", None)  # a file beside it, made by the demo
        made = Entry.model_validate(settings_of)
        assert said(read_back(entry_text(name, made), name)) == said(made)


def test_pictures_of_examples_are_left_out() -> None:
    """Their bytes are known here, not their file."""
    features = [{"name": "a", "kind": "image", "image": {"width": 1, "height": 1}}]
    made = entry(
        signature={"features": features}, examples=[{"name": "A: three", "row": {"a": b"\x89PNG"}}]
    )
    text = entry_text("m", made)
    assert "# An example with a picture is left out: A? three" in text
    assert read_back(text).examples == ()


def test_what_other_sources_must_not_overrule_is_written() -> None:
    """A usual value that was said on purpose: layout, tensor and that a value is required."""
    made = entry(
        signature={
            "layout": "tensor",
            "datatype": "FP32",
            "features": [{"name": "a", "required": True}],
        }
    )
    back = read_back(entry_text("m", made)).signature
    assert back is not None
    assert back.model_fields_set == {"layout", "datatype", "features"}
    assert "required" in back.features[0].model_fields_set


def test_levels_of_a_picture_are_written_where_they_were_said() -> None:
    """Though they are the usual ones: numbers are checked by them, and are not without."""
    size = {"width": 1, "height": 1}
    for image in (size, size | {"low": 0, "high": 1}):
        features = [{"name": "a", "kind": "image", "image": image}]
        back = read_back(entry_text("m", entry(signature={"features": features}))).signature
        assert back is not None
        assert back.features[0].model_dump(exclude_unset=True)["image"] == image


def test_columns_say_pd_by_themselves() -> None:
    """Only another content type, or none, is worth a line."""
    for content, line in (
        ({}, None),
        ({"content_type": None}, "null"),
        ({"content_type": "x"}, "x"),
    ):
        made = entry(signature={"layout": "columns", **content, "features": [{"name": "a"}]})
        text = entry_text("m", made)
        assert (f"content_type: {line}" in text) == (line is not None)
        assert read_back(text) == made


def test_a_signature_may_have_outputs_alone() -> None:
    """And an entry nothing but an endpoint."""
    made = entry(signature={"outputs": [{"name": "predict", "kind": "value"}]})
    assert read_back(entry_text("m", made)) == made
    assert entry_text("m", entry()) == "  m:\n    endpoint: demo\n"
    assert read_back(entry_text("m", entry(signature={}))).signature == PartialSignature()


def test_choices_keep_their_types() -> None:
    """3, 3.0, "3" and true are four things on the wire; whole ends of a slider are short."""
    features: list[dict[str, Any]] = [
        {"name": "a", "kind": "category", "choices": [3, "4", {"value": 5, "label": "five"}]},
        {"name": "b", "kind": "category", "choices": [1.0, True, "true", 1e22, 2**60]},
        {"name": "c", "min": 1e300, "default": 4.0e300},
    ]
    features[1]["choices"] = [1.0, "true", 1e22, 2**60]
    made = entry(signature={"layout": "columns", "features": features})
    text = entry_text("m", made)
    assert 'choices: [3, "4", {value: 5, label: five}]' in text
    assert 'choices: [1.0, "true", 1e+22, 1152921504606846976]' in text
    back = read_back(text)
    assert [repr(said(f)) for f in back.signature.features] == [  # type: ignore[union-attr]
        repr(said(f))
        for f in made.signature.features  # type: ignore[union-attr]
    ]


@pytest.mark.parametrize("text", HOSTILE, ids=repr)
def test_hostile_texts_come_back(text: str) -> None:
    """As a name, a label, a choice, a key and a line; also where variables are filled in."""
    name = text[:100] or "empty"
    features: list[dict[str, Any]] = [
        {"name": name, "title": text, "kind": "category", "choices": [text, "other"]},
        {"name": f"{name} 2", "kind": "text", "default": text},
    ]
    features[0]["reference"] = {"rows": 1, "counts": {text: 1}}
    made = entry(
        title=text,
        description=f"a {text}",
        signature={
            "layout": "columns",
            "features": features,
            "outputs": [
                {"name": "a", "kind": "label", "labels": [text, "other"]},
                {"name": "b", "kind": "label", "labels": {text: text}},
            ],
        },
        examples=[{"name": name, "row": {name: text}, "expect": text}],
    )
    assert read_back(entry_text(name, made), name) == made
    form = read_annotations({"kserve-client/form": form_text(made)}, "m")
    assert form.notes == ()
    assert form.settings["signature"] == made.signature
    assert form.settings["examples"] == made.examples


def test_numbers_of_examples() -> None:
    """Not only those that models take."""
    row = {"a": [1, 2.5, [True, None]], "b": math.inf, "c": -math.inf, "d": 1e-7, "e": -3}
    made = entry(examples=[{"name": "x", "row": row}])
    assert read_back(entry_text("m", made)).examples[0].row == row
    nan = entry(examples=[{"name": "x", "row": {"a": math.nan}}])
    assert math.isnan(read_back(entry_text("m", nan)).examples[0].row["a"])


def test_no_line_is_much_too_long() -> None:
    """Long lists go on below."""
    choices = [f"choice number {i}" for i in range(50)]
    made = entry(
        signature={
            "features": [{"name": "a", "kind": "category", "choices": choices}],
            "layout": "columns",
        }
    )
    text = entry_text("m", made)
    assert max(map(len, text.splitlines())) <= 120
    assert read_back(text) == made


# The annotation


def test_the_annotation_is_ready_to_paste() -> None:
    """What is said of the model itself, not where it answers; nothing is filled in there."""
    made = entry(title="Iris", signature={"features": [{"name": "a's", "min": 0, "max": 1}]})
    text = annotation_text(made)
    assert text == (
        "metadata:\n"
        "  annotations:\n"
        "    kserve-client/form: |\n"
        "      title: Iris\n"
        "      signature:\n"
        "        features:\n"
        "          - {name: a's, min: 0, max: 1}\n"
    )
    annotations = yaml.safe_load(text)["metadata"]["annotations"]
    assert read_annotations(annotations, "m").settings == {
        "title": "Iris",
        "signature": made.signature,
    }
    assert '"${HOME}"' in form_text(entry(title="${HOME}"))


def test_the_command_says_the_same() -> None:
    """Quoted for a shell, with the namespace if there is one."""
    made = entry(title="It's iris", signature={"features": [{"name": "a's; rm -rf $HOME"}]})
    words = shlex.split(annotate_command(made, service="iris", namespace="models"))
    assert words == [
        "kubectl",
        "annotate",
        "inferenceservice",
        "iris",
        "-n",
        "models",
        "--overwrite",
        f"kserve-client/form={form_text(made)}",
    ]
    assert " -n " not in annotate_command(made, service="iris").splitlines()[0]


def test_an_annotation_has_a_limit() -> None:
    """Kubernetes takes no books."""
    with pytest.raises(ConfigurationError, match="more than 100,000; put the entry into a models"):
        annotation_text(entry(description="long " * 20_001))


# Properties

TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=12),
)
NAMES = TEXTS.filter(bool)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.one_of(TEXTS, st.integers(-(2**64), 2**64), FLOATS)


@st.composite
def features(draw: st.DrawFn) -> dict[str, Any]:
    settings: dict[str, Any] = {"name": draw(NAMES)}
    for name, values in (
        ("kind", st.sampled_from(["number", "integer", "category", "boolean", "text", "date"])),
        ("title", TEXTS),
        ("help", TEXTS),
        ("unit", TEXTS),
        ("group", TEXTS),
        ("min", FLOATS),
        ("max", FLOATS),
        ("step", FLOATS),
        ("default", SCALARS),
        ("choices", st.lists(st.one_of(SCALARS, CHOICES), max_size=4)),
        ("required", st.booleans()),
        ("missing", SCALARS),
        ("sensitive", st.booleans()),
        ("reference", REFERENCES),
    ):
        if draw(st.integers(0, 2)) == 0:
            settings[name] = draw(values)
    return settings


CHOICES = st.fixed_dictionaries({"value": SCALARS, "label": TEXTS})
REFERENCES = st.fixed_dictionaries(
    {"rows": st.integers(0, 10**12)},
    optional={
        "missing": st.integers(0, 5),
        "quantiles": st.lists(FLOATS, min_size=7, max_size=7).map(sorted),
        "counts": st.dictionaries(TEXTS, st.integers(0, 9), max_size=3),
    },
)
OUTPUTS = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "kind": st.sampled_from(["label", "probabilities", "value", "text", "raw"]),
        "title": TEXTS,
        "unit": TEXTS,
        "decimals": st.integers(0, 12),
        "labels": st.one_of(st.lists(TEXTS, max_size=3), st.dictionaries(TEXTS, TEXTS, max_size=3)),
        "requested": st.booleans(),
    },
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.fixed_dictionaries(
        {
            "layout": st.sampled_from(["tensor", "columns"]),
            "features": st.lists(features(), max_size=3),
            "outputs": st.lists(OUTPUTS, max_size=2),
        },
        optional={"content_type": st.one_of(st.none(), TEXTS)},
    ),
    TEXTS,
)
def test_what_is_read_back_is_what_was_written(given_signature: dict[str, Any], title: str) -> None:
    """For every valid signature, in a models file and in an annotation."""
    kept: list[dict[str, Any]] = []
    for one in given_signature["features"]:
        try:
            PartialSignature.model_validate(
                {**given_signature, "features": [*kept, one], "outputs": []}
            )
        except ValidationError:
            continue
        kept.append(one)
    try:
        made = entry(title=title, signature={**given_signature, "features": kept})
    except ValidationError:
        return
    back = read_back(entry_text("m", made))
    assert repr(back.model_dump()) == repr(made.model_dump())
    form = read_annotations({"kserve-client/form": form_text(made)}, "m")
    assert form.notes == ()
    assert form.settings.get("signature") == made.signature
