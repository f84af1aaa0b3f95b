"""What the annotations of an InferenceService say of its model.

    kserve-client/form     what an entry of the models file may say of a model, as YAML or JSON
    kserve-client/mlflow   its MLflow model, such as models:/iris@champion

Whoever may write the InferenceService wrote them, so they are read with care: they name no host, no
file and no secret, and are of a limited size. What is wrong in them is left out and told in a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml
from pydantic import ValidationError

from kserve_client.catalog.models_file import MLFLOW_REFERENCE, Entry, catalog_error
from kserve_client.catalog.yaml_lines import YamlDocument, parse_yaml
from kserve_client.errors import CatalogError

FORM_ANNOTATION = "kserve-client/form"
MLFLOW_ANNOTATION = "kserve-client/mlflow"
# Kubernetes takes 256 KiB for all annotations of an object together.
LARGEST_FORM_CHARACTERS = 100_000
FORMS_KEPT = 200
LONGEST_NOTE = 500
FORM_SETTINGS = (
    "title",
    "description",
    "owner",
    "links",
    "model_name",
    "model_version",
    "signature",
    "examples",
)


@dataclass(frozen=True, slots=True)
class Annotations:
    """Settings of an entry that could be read, and notes on what could not."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_annotations(given: Mapping[str, Any], of: str) -> Annotations:
    """Read ours among the annotations of an object; `of` names it for the notes."""
    form = _form(given.get(FORM_ANNOTATION), f"annotation {FORM_ANNOTATION} of {of}")
    reference = given.get(MLFLOW_ANNOTATION)
    if reference is None:
        return form
    if isinstance(reference, str) and re.fullmatch(MLFLOW_REFERENCE, reference.strip()):
        return Annotations({**form.settings, "mlflow": reference.strip()}, form.notes)
    wanted = "must be models:/NAME@ALIAS, models:/NAME/VERSION or models:/m-…"
    note = f"annotation {MLFLOW_ANNOTATION} of {of}: {wanted}"
    return Annotations(form.settings, (*form.notes, note))


def _form(text: Any, source: str) -> Annotations:
    if text is None:
        return Annotations()
    if not isinstance(text, str):
        return Annotations(notes=(f"{source}: is no text",))
    return _read_form(text, source)


# Controllers write an object again and again, its annotations stay; a long one takes a second.
@lru_cache(maxsize=FORMS_KEPT)
def _read_form(text: str, source: str) -> Annotations:
    try:
        document = _document(text, source)
    except CatalogError as error:
        return Annotations(notes=(_note(error),))
    settings: dict[str, Any] = {}
    notes: list[str] = []
    for name, value in document.values.items():
        try:
            settings[name] = _checked(str(name), value, document)
        except CatalogError as error:
            notes.append(_note(error))
    return Annotations(settings, tuple(notes))


def _note(error: CatalogError) -> str:
    """The error, which may repeat what the annotation holds, cut to a length one reads."""
    text = str(error)
    return text if len(text) <= LONGEST_NOTE else f"{text[:LONGEST_NOTE]}…"


def _document(text: str, source: str) -> YamlDocument:
    if len(text) > LARGEST_FORM_CHARACTERS:
        raise CatalogError(f"is longer than {LARGEST_FORM_CHARACTERS} characters", source=source)
    if text.lstrip().startswith("{"):  # JSON may be indented with tabs, YAML may not
        text = re.sub(r"^[\t ]+", lambda found: " " * len(found[0]), text, flags=re.MULTILINE)
    document = parse_yaml(text, source)
    if not isinstance(document.values, dict):
        raise CatalogError(f"is no mapping of {', '.join(FORM_SETTINGS)}", source=source)
    # A few aliases of aliases would unfold to gigabytes.
    if "*" in text and any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
        raise CatalogError("aliases (*) are not allowed here", source=source)
    return document


def _checked(setting: str, value: Any, document: YamlDocument) -> Any:
    """Check one setting by itself, so that a mistake in one leaves the others."""
    if setting not in FORM_SETTINGS:
        problem = f"is no setting here; there are {', '.join(FORM_SETTINGS)}"
        raise _error(problem, document, setting)
    if setting == "examples":
        _refuse_files(value, document)
    try:
        return getattr(Entry.model_validate({setting: value}), setting)
    except ValidationError as error:
        raise catalog_error(error, document) from None


def _refuse_files(examples: Any, document: YamlDocument) -> None:
    for at, example in enumerate(examples if isinstance(examples, list) else ()):
        row = example.get("row") if isinstance(example, dict) else None
        for column, cell in row.items() if isinstance(row, dict) else ():
            if isinstance(cell, dict):
                problem = "an annotation holds values, no files"
                raise _error(problem, document, "examples", at, "row", column)


def _error(problem: str, document: YamlDocument, *where: str | int) -> CatalogError:
    return CatalogError(
        problem,
        source=document.source,
        line=document.line(where),
        field=".".join(map(str, where)),
    )
