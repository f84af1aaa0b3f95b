"""The models file: endpoints and models as a team writes them down (YAML, checked by pydantic)."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from kserve_client.auth import KINDS as AUTH_KINDS
from kserve_client.catalog.yaml_lines import YamlDocument, parse_yaml
from kserve_client.endpoint import Endpoint
from kserve_client.errors import CatalogError
from kserve_client.signature import Choice, Feature, ImageSpec, Output, Signature

_WANTED = {
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "a text (in quotes, if it looks like a number)",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}
LARGEST_EXAMPLE_BYTES = 10_000_000


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), hide_input_in_errors=True
    )


def _filled(value: Any) -> Any:
    """`models:` with nothing below it, or all of it in comments, is null in YAML."""
    return {} if value is None else value


class Example(_Part):
    """A row to start from.

    A cell `{file: digit.png}` stands for the bytes of a file beside the models file.
    """

    name: str = Field(min_length=1, description="Name for people.")
    row: dict[str, Any] = Field(description="A value for each feature, by its name.")
    expect: Annotated[float, Field(strict=True)] | str | None = Field(
        default=None, description="The answer the model should give: a label or a number."
    )


class Entry(_Part):
    """One model of the catalog."""

    title: str = Field(default="", description="Name for people; the key when left out.")
    description: str = Field(default="", description="One sentence: what the model answers.")
    owner: str = Field(default="", description="Who to ask about it.")
    endpoint: str = Field(description="Key of an endpoint in this file.")
    model_name: str | None = Field(
        default=None, min_length=1, description="Name on the server; the key when left out."
    )
    model_version: str | None = Field(
        default=None, min_length=1, description="Version on the server; the newest when left out."
    )
    signature: Signature | None = Field(
        default=None, description="Features and outputs; from the model's metadata when left out."
    )
    examples: tuple[Example, ...] = Field(
        default=(), description="Rows to start from, and to test the model with."
    )


class ModelsFile(_Part):
    """The whole file."""

    version: Literal[1] = Field(default=1, description="Version of this format.")
    endpoints: Annotated[
        dict[str, Endpoint],
        BeforeValidator(_filled, json_schema_input_type=dict[str, Endpoint] | None),
    ] = Field(description="Where models answer, by a name of your choice.")
    models: Annotated[
        dict[str, Entry],
        BeforeValidator(_filled, json_schema_input_type=dict[str, Entry] | None),
    ] = Field(default_factory=dict, description="The models of the catalog, by name.")


def load_models_file(path: Path) -> ModelsFile:
    """Read and check a models file. Raises CatalogError naming the file, the line and the field."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CatalogError("there is no such file", source=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"it can't be read: {error}", source=str(path)) from None
    return parse_models_file(text, source=str(path), folder=path.parent)


def parse_models_file(text: str, *, source: str, folder: Path) -> ModelsFile:
    """Check the text of a models file; files of examples are looked for below `folder`."""
    document = parse_yaml(text, source)
    if not isinstance(document.values, dict):
        found = "it is empty" if document.values is None else "this is none"
        raise CatalogError(
            f"a models file is a mapping with endpoints and models; {found}", source=source
        )
    try:
        parsed = ModelsFile.model_validate(_with_files(document, folder))
    except ValidationError as error:
        raise _catalog_error(error, document) from None
    _check_references(parsed, document)
    return parsed


def _catalog_error(error: ValidationError, document: YamlDocument) -> CatalogError:
    """Tell the first problem, a mistyped name before all others, and count the rest by field."""
    found = [
        one | {"loc": _without_auth_kind(one["loc"])}
        for one in error.errors(include_input=False, include_url=False)
    ]
    # A list that lost a wrong item is then told to be too short, which helps nobody.
    wheres = [one["loc"] for one in found]
    found = [one for one in found if not any(_is_above(one["loc"], where) for where in wheres)]
    first = min(found, key=lambda one: one["type"] != "extra_forbidden")
    field = document.field(first["loc"])
    of_field = [one for one in found if document.field(one["loc"]) == field]
    more = len({document.field(one["loc"]) for one in found}) - 1
    return CatalogError(
        f"{_problem(of_field)}{f' (and {more} more)' if more else ''}",
        source=document.source,
        line=document.line(first["loc"]),
        field=field,
    )


def _without_auth_kind(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The place of a setting, without the kind of auth that pydantic puts in it."""
    is_tagged = loc[:1] == ("endpoints",) and loc[2:3] == ("auth",) and len(loc) > 3
    return loc[:3] + loc[4:] if is_tagged else loc


def _is_above(loc: tuple[str | int, ...], other: tuple[str | int, ...]) -> bool:
    return len(loc) < len(other) and other[: len(loc)] == loc


def _problem(found: Sequence[ErrorDetails]) -> str:
    """Say it in words of YAML. What may be of several types has one error for each of them."""
    kind, name = found[0]["type"], str(found[0]["loc"][-1])
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        near = get_close_matches(name, _setting_names(), n=1)
        return f"is no setting here{f'; did you mean {near[0]}?' if near else ''}"
    wanted = dict.fromkeys(_WANTED[one["type"]] for one in found if one["type"] in _WANTED)
    return (
        f"must be {' or '.join(wanted)}"
        if wanted
        else found[0]["msg"].removeprefix("Value error, ")
    )


def _setting_names() -> list[str]:
    kinds = (ModelsFile, Entry, Example, Endpoint, Signature, Feature, Output, Choice, ImageSpec)
    names = [name for kind in kinds for name in kind.model_fields]
    return names + [
        name
        for kind in AUTH_KINDS.values()
        for name in kind.model_fields
        if name not in kind.code_only
    ]


def _with_files(document: YamlDocument, folder: Path) -> dict[str, Any]:
    """The document with each `{file: …}` cell of an example replaced by the bytes of that file."""
    values: dict[str, Any] = document.values
    for name, entry in _items(values.get("models")):
        for at, example in enumerate(_list(entry, "examples")):
            for column, cell in _items(example.get("row") if isinstance(example, dict) else None):
                if isinstance(cell, dict):
                    where = ("models", name, "examples", at, "row", column)
                    example["row"][column] = _file(cell, folder, document, where)
    return values


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _file(
    cell: dict[str, Any], folder: Path, document: YamlDocument, where: tuple[str | int, ...]
) -> bytes:
    if set(cell) != {"file"} or not isinstance(cell["file"], str):
        _refuse("write a value, or {file: PATH}", document, where)
    try:
        path = (folder / cell["file"]).resolve()
        if not path.is_relative_to(folder.resolve()):
            _refuse("the file must lie below the folder of the models file", document, where)
        if not path.is_file():
            _refuse(f"there is no file {cell['file']}", document, where)
        if path.stat().st_size > LARGEST_EXAMPLE_BYTES:
            _refuse("the file is larger than 10 MB", document, where)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        _refuse(f"the file can't be read: {error}", document, where)


def _check_references(parsed: ModelsFile, document: YamlDocument) -> None:
    for name, endpoint in parsed.endpoints.items():
        for setting in endpoint.auth.code_only if endpoint.auth else ():
            if getattr(endpoint.auth, setting) is not None:
                where: tuple[str | int, ...] = ("endpoints", name, "auth", setting)
                _refuse("a models file holds no secret: use env or file", document, where)
    for name, entry in parsed.models.items():
        if entry.endpoint not in parsed.endpoints:
            known = ", ".join(parsed.endpoints) or "none"
            where = ("models", name, "endpoint")
            _refuse(f"there is no endpoint {entry.endpoint!r}; there is {known}", document, where)
        _check_examples(name, entry, document)


def _check_examples(name: str, entry: Entry, document: YamlDocument) -> None:
    if entry.signature is None:
        return
    known = [feature.name for feature in entry.signature.features]
    for at, example in enumerate(entry.examples):
        for column in example.row:
            if column not in known:
                where = ("models", name, "examples", at, "row", column)
                _refuse(
                    f"the signature has no such feature; it has {', '.join(known)}", document, where
                )


def _refuse(problem: str, document: YamlDocument, where: tuple[str | int, ...]) -> NoReturn:
    raise CatalogError(
        problem,
        source=document.source,
        line=document.line(where),
        field=".".join(map(str, where)),
    )
