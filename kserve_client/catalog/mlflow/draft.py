"""What MLflow says of a model → a draft that makes sense as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from kserve_client.catalog.facts import Draft, Settings, Source
from kserve_client.catalog.mlflow.answers import Plain
from kserve_client.catalog.mlflow.example import rows_of
from kserve_client.catalog.mlflow.metadata import Said, said_in
from kserve_client.catalog.mlflow.schema import Schema, schema_of
from kserve_client.catalog.mlflow.settings import checked, joined, problem_of
from kserve_client.errors import InputError
from kserve_client.frames import request_of
from kserve_client.signature import Feature, Output, PartialSignature, Signature

EXAMPLE = "Input example"
_OF_A_COLUMN = ("datatype", "content_type")


@dataclass(frozen=True, slots=True)
class _Form:
    """The tensors, features and outputs of a draft on their way."""

    tensors: Settings
    features: tuple[Settings, ...]
    outputs: tuple[Settings, ...]
    names_features: bool
    notes: tuple[str, ...]

    @property
    def given(self) -> dict[str, Any]:
        return {**self.tensors, "features": self.features, "outputs": self.outputs}


_NO_SIGNATURE = "it was logged with no signature: log one, and its form builds itself"


def draft_of(source: Source, mlmodel: Plain, example: Any, notes: Sequence[str] = ()) -> Draft:
    """What an MLmodel file and an input example say of the form; `about` holds its author's words.

    Whatever they hold, the draft is one that a signature can be made of. `notes` come before its own.
    """
    schema, said = schema_of(mlmodel.get("signature")), said_in(mlmodel.get("metadata"))
    form = _sensible(schema, said, example)
    rows = rows_of(example, _in_tensor(form.features, form.tensors))
    examples, problems = _examples(form, said, rows)
    if mlmodel and not form.features and not problems:
        problems = [_NO_SIGNATURE]
    return Draft(
        source,
        tensors=form.tensors,
        features=form.features,
        outputs=form.outputs,
        names_features=form.names_features,
        about=said.about,
        examples=examples,
        notes=(*notes, *schema.notes, *said.notes, *form.notes, *problems),
    )


def _sensible(schema: Schema, said: Said, example: Any) -> _Form:
    """All that was said; without the author's words when it makes no sense with them; or nothing."""
    problem: str | None = None
    attempts = (
        (schema, said),
        (schema, replace(said, tensors={})),
        (schema, Said()),
        (replace(schema, outputs=(), widths=()), Said()),
    )
    for described, words in attempts:
        form = _form(described, words, example)
        found = problem_of(PartialSignature, form.given)
        if found is None:
            told = f"not all of it makes sense together: {problem}"
            return replace(form, notes=(*form.notes, told)) if problem else form
        problem = problem or found
    return _Form(
        {}, (), (), names_features=True, notes=(f"its signature can't be used: {problem}",)
    )


def _form(schema: Schema, said: Said, example: Any) -> _Form:
    notes: list[str] = []
    tensors, columns, is_named = _columns(schema, said, notes)
    first = (*rows_of(example, _in_tensor(columns, tensors)), {})[0]
    features = []
    for column in columns:
        name, words = column["name"], said.features.get(column["name"], {})
        is_start = isinstance(first.get(name), bool | int | float | str)
        starts = {"default": first[name]} if is_start else {}
        features.append(checked(Feature, column, {**starts, **words}, notes))
    outputs = _outputs(schema, said, notes)
    return _Form(tensors, tuple(features), outputs, is_named, tuple(notes))


# Features


def _columns(
    schema: Schema, said: Said, notes: list[str]
) -> tuple[Settings, tuple[Settings, ...], bool]:
    """The tensors and columns of the signature, under the author's names where it has none.

    Without a signature the author's features are all there is.
    """
    columns = schema.features
    if not columns:
        if said.features and not said.feature_names:
            notes.append("without a signature the features must be a list: a mapping has no order")
        names = dict.fromkeys(said.feature_names)
        return said.tensors, tuple({"name": name} for name in names), True
    is_named = schema.names_features
    if not is_named and len(said.feature_names) == len(columns):
        pairs = zip(columns, said.feature_names, strict=True)
        columns, is_named = tuple({**column, "name": name} for column, name in pairs), True
    tensors = dict(schema.tensors)
    if said.tensors.get("layout", tensors.get("layout")) != tensors.get("layout"):
        # Served by another runtime than MLflow's, which takes one tensor: nothing of inputs.
        tensors, columns = {}, tuple(_without(column, *_OF_A_COLUMN) for column in columns)
    _note_unknown(said, [str(column["name"]) for column in columns], notes)
    return {**tensors, **said.tensors}, columns, is_named


def _in_tensor(columns: Sequence[Settings], tensors: Settings) -> tuple[Settings, ...]:
    """With the datatype that the numbers of one tensor share."""
    shared = {"datatype": tensors["datatype"]} if "datatype" in tensors else {}
    return tuple({**shared, **column} for column in columns)


def _note_unknown(said: Said, names: list[str], notes: list[str]) -> None:
    for name in said.features:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            meant = f"; did its author mean {near[0]}?" if near else ""
            notes.append(f"the model has no feature {name}: what is said of it is left out{meant}")


def _without(settings: Settings, *names: str) -> Settings:
    return {name: value for name, value in settings.items() if name not in names}


# Outputs


def _outputs(schema: Schema, said: Said, notes: list[str]) -> tuple[Settings, ...]:
    """The outputs of the signature with the author's settings, then those only the author names.

    Names that are made up give way to the author's.
    """
    known = {str(output["name"]): output for output in schema.outputs}
    told = [(_base(word, at, schema.outputs, known), word) for at, word in enumerate(said.outputs)]
    taken = {base["name"] for base, _ in told}
    is_replaced = not schema.names_outputs and any(word.get("name") for word in said.outputs)
    rest = [] if is_replaced else [known[name] for name in known if name not in taken]
    outputs = [checked(Output, base, _without(word, "name"), notes) for base, word in told]
    return tuple(_labelled([*outputs, *rest], schema, said, notes))


def _base(
    word: Settings, at: int, outputs: Sequence[Settings], known: Mapping[str, Settings]
) -> Settings:
    """What is known of an output: by the name that the author gives it, else by its place."""
    if word.get("name"):
        name = str(word["name"])
        return known.get(name, {"name": name})
    return outputs[at] if at < len(outputs) else {"name": f"output-{at}", "requested": False}


def _labelled(
    outputs: list[Settings], schema: Schema, said: Said, notes: list[str]
) -> list[Settings]:
    """Give the names of the classes to the output they belong to, unless the author did."""
    labels = said.labels
    if not labels or any("labels" in output for output in outputs):
        return outputs
    if not outputs:
        base: Settings = {"name": "output-0", "requested": False}
        return [checked(Output, base, {"labels": labels}, notes)]
    widths = dict(zip((o["name"] for o in schema.outputs), schema.widths, strict=True))
    at = _place_of_labels(outputs, widths)
    if at is None:
        notes.append(f"it is not clear which output the labels {joined(list(labels))} belong to")
        return outputs
    is_row = widths.get(outputs[at]["name"]) == len(labels)
    kind = "probabilities" if is_row else "label"
    base = _without(outputs[at], "kind")
    outputs[at] = checked(Output, base, {"kind": kind, "labels": labels}, notes)
    return outputs


def _place_of_labels(outputs: Sequence[Settings], widths: Mapping[Any, int | None]) -> int | None:
    """The first output of kind label; else of one value a row; else the only one."""
    by_kind = [at for at, output in enumerate(outputs) if output.get("kind") == "label"]
    one_a_row = [
        at
        for at, output in enumerate(outputs)
        if widths.get(output["name"]) is None and output.get("kind") in (None, "raw", "text")
    ]
    only = [0] if len(outputs) == 1 else []
    return (*by_kind, *one_a_row, *only, None)[0]


# Examples


def _examples(
    form: _Form, said: Said, rows: Sequence[Settings]
) -> tuple[dict[str, Settings], list[str]]:
    """The author's examples, then the rows of the input example: those that can be sent."""
    names = [EXAMPLE, *(f"{EXAMPLE} {at}" for at in range(2, len(rows) + 1))]
    found, problems = {}, []
    for name, row in {**said.examples, **dict(zip(names, rows, strict=False))}.items():
        problem = _row_problem(form, row)
        if problem is None:
            found[name] = row
        else:
            problems.append(f"{name} is left out: {problem}")
    return found, problems


def _row_problem(form: _Form, row: Settings) -> str | None:
    """Why a row could not be sent. Without features nobody can tell."""
    if not form.features:
        return None
    signature = Signature.model_validate(form.given)
    known = {feature.name for feature in signature.features}
    if strays := [name for name in row if name not in known]:
        return f"the model has no {joined(strays)}"
    try:
        request_of(signature, [dict(row)])
    except InputError as error:
        return str(error)
    return None
