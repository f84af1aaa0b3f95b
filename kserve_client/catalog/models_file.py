"""The models file: endpoints and models as a team writes them down (YAML, checked by pydantic)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from kserve_client.auth import KINDS as AUTH_KINDS
from kserve_client.catalog.variables import filled
from kserve_client.catalog.yaml_lines import YamlDocument, parse_yaml
from kserve_client.endpoint import Endpoint
from kserve_client.errors import CatalogError
from kserve_client.signature import Choice, Feature, ImageSpec, Output, PartialSignature, Signature

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
# PyYAML reads some 100 kB a second, while everybody waits. A ConfigMap holds 1 MB.
LARGEST_FILE_BYTES = 4_000_000
# Each is compared with each; a long list of the wrong kind has tens of thousands.
MOST_ERRORS = 500
MLFLOW_REFERENCE = r"^models:/(m-[0-9a-f]{32}|[^/@]+(@[^/@]+|/[0-9]+))$"


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


class Link(_Part):
    """A page about the model, for people."""

    title: str = Field(min_length=1, description="What to click on.")
    url: str = Field(pattern=r"^https?://\S+$", description="Address of the page.")


class SampleFile(_Part):
    """A file of usual rows to learn ranges, choices and distributions from."""

    file: str = Field(
        min_length=1, description="CSV or Parquet file below the models file's folder."
    )
    leave_out: tuple[str, ...] = Field(
        default=(), description="Columns that are no features: the answer, an id."
    )
    fills_gaps: bool = Field(
        default=False, description="Whether it only fills what all other sources leave open."
    )


def _sample(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


class Kubernetes(_Part):
    """Where to look for InferenceServices, and how to reach the models behind them."""

    namespaces: tuple[str, ...] = Field(
        default=(), description="Namespaces to look into; nothing outside of them is ever asked."
    )
    all_namespaces: bool = Field(
        default=False, description="Look into all of them; needs a ClusterRole."
    )
    label_selector: str = Field(default="", description="Only those, e.g. team=flowers.")
    address: Literal["external", "internal"] = Field(
        default="external",
        description="external: status.url. internal: the cluster's own address of the service.",
    )
    gateway: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "Address of the ingress gateway, where DNS does not know the names of the models; they "
            "travel as Host."
        ),
    )
    kubeconfig: str | None = Field(
        default=None,
        min_length=1,
        description="Path of a kubeconfig; the service account of the pod when left out.",
    )
    context: str | None = Field(
        default=None, min_length=1, description="Context of the kubeconfig."
    )
    endpoint: dict[str, Any] = Field(
        default_factory=dict,
        description="Settings of every endpoint found, as under endpoints: auth, TLS, time-outs.",
    )

    @field_validator("endpoint")
    @classmethod
    def _of_any_address(cls, settings: dict[str, Any]) -> dict[str, Any]:
        if strays := {"url", "title", "host"} & set(settings):
            raise ValueError(f"{min(strays)} comes from the InferenceService")
        Endpoint.model_validate({"url": "https://localhost", **settings})
        return settings

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if bool(self.namespaces) == self.all_namespaces:
            raise ValueError("name namespaces, or set all_namespaces: true")
        if self.gateway and self.address == "internal":
            raise ValueError("gateway is a way in from outside: leave out address: internal")
        if self.gateway:
            Endpoint.model_validate({"url": self.gateway, **self.endpoint})
        return self


class Entry(_Part):
    """One model of the catalog."""

    title: str = Field(default="", description="Name for people; the key when left out.")
    description: str = Field(default="", description="One sentence: what the model answers.")
    owner: str = Field(default="", description="Who to ask about it.")
    links: tuple[Link, ...] = Field(default=(), description="Pages about it: {title, url}.")
    endpoint: str | None = Field(default=None, description="Key of an endpoint in this file.")
    inference_service: str | None = Field(
        default=None,
        pattern=r"^([a-z0-9.-]+/)?[a-z0-9-]+$",
        description="An InferenceService, or NAMESPACE/NAME, in place of an endpoint.",
    )
    mlflow: str | None = Field(
        default=None,
        pattern=MLFLOW_REFERENCE,
        description="Its MLflow model: models:/NAME@ALIAS, models:/NAME/VERSION or models:/m-…",
    )
    sample: Annotated[
        SampleFile | None, BeforeValidator(_sample, json_schema_input_type=str | SampleFile | None)
    ] = Field(default=None, description="A file of usual rows.")
    model_name: str | None = Field(
        default=None, min_length=1, description="Name on the server; the key when left out."
    )
    model_version: str | None = Field(
        default=None, min_length=1, description="Version on the server; the newest when left out."
    )
    signature: PartialSignature | None = Field(
        default=None,
        description="Features and outputs; what is left out, other sources say, e.g. the metadata.",
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
    ] = Field(default_factory=dict, description="Where models answer, by a name of your choice.")
    mlflow: Endpoint | None = Field(
        default=None, description="The MLflow tracking server that knows the models."
    )
    kubernetes: Kubernetes | None = Field(
        default=None, description="Where to look for InferenceServices."
    )
    models: Annotated[
        dict[str, Entry],
        BeforeValidator(_filled, json_schema_input_type=dict[str, Entry] | None),
    ] = Field(default_factory=dict, description="The models of the catalog, by name.")


def load_models_file(path: Path) -> ModelsFile:
    """Read and check a models file. Raises CatalogError naming the file, the line and the field."""
    try:
        text = _text_of(path)
    except FileNotFoundError:
        raise CatalogError("there is no such file", source=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"it can't be read: {error}", source=str(path)) from None
    return parse_models_file(text, source=str(path), folder=path.parent)


def _text_of(path: Path) -> str:
    with path.open("rb") as stream:
        data = stream.read(LARGEST_FILE_BYTES + 1)
    if len(data) > LARGEST_FILE_BYTES:
        raise CatalogError(f"it is larger than {LARGEST_FILE_BYTES / 1e6:g} MB", source=str(path))
    return data.decode()


def parse_models_file(
    text: str, *, source: str, folder: Path, environment: Mapping[str, str] = os.environ
) -> ModelsFile:
    """Check the text of a models file; the files it names are looked for below `folder`."""
    document = parse_yaml(text, source)
    if not isinstance(document.values, dict):
        found = "it is empty" if document.values is None else "this is none"
        raise CatalogError(
            f"a models file is a mapping with endpoints and models; {found}", source=source
        )
    document = _with_variables(document, environment)
    try:
        parsed = ModelsFile.model_validate(_with_files(document, folder))
    except ValidationError as error:
        raise catalog_error(error, document) from None
    _check_references(parsed, document)
    _check_samples(parsed, document, folder)
    return parsed


def _with_variables(document: YamlDocument, environment: Mapping[str, str]) -> YamlDocument:
    def refuse(problem: str, where: tuple[str | int, ...]) -> NoReturn:
        _refuse(problem, document, where)

    return replace(document, values=filled(document.values, environment, refuse))


def catalog_error(error: ValidationError, document: YamlDocument) -> CatalogError:
    """Tell the first problem, a mistyped name before all others, and count the rest by field."""
    found = [
        one | {"loc": _without_auth_kind(one["loc"])}
        for one in error.errors(include_input=False, include_url=False)[:MOST_ERRORS]
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
        # Its own name: it is a setting, but of something else.
        near = [one for one in get_close_matches(name, _setting_names(), n=2) if one != name]
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
        path = _path_of(cell["file"], folder, document, where)
        if path.stat().st_size > LARGEST_EXAMPLE_BYTES:
            _refuse("the file is larger than 10 MB", document, where)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        _refuse(f"the file can't be read: {error}", document, where)


def _path_of(name: str, folder: Path, document: YamlDocument, where: tuple[str | int, ...]) -> Path:
    """The path of a file that the models file names, which lies below its folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        _refuse("the file must lie below the folder of the models file", document, where)
    if not path.is_file():
        _refuse(f"there is no file {name}", document, where)
    return path


def _check_samples(parsed: ModelsFile, document: YamlDocument, folder: Path) -> None:
    for name, entry in parsed.models.items():
        if entry.sample is not None:
            where = ("models", name, "sample")
            try:
                _path_of(entry.sample.file, folder, document, where)
            except (OSError, ValueError) as error:
                _refuse(f"the file can't be read: {error}", document, where)


def _check_references(parsed: ModelsFile, document: YamlDocument) -> None:
    for where, endpoint in _endpoints(parsed):
        for setting in endpoint.auth.code_only if endpoint.auth else ():
            if getattr(endpoint.auth, setting) is not None:
                place = (*where, "auth", setting)
                _refuse("a models file holds no secret: use env or file", document, place)
    for name, entry in parsed.models.items():
        if problem := _reference_problem(entry, parsed):
            _refuse(problem[1], document, ("models", name, problem[0]))
        _check_examples(name, entry, document)


def _endpoints(parsed: ModelsFile) -> Iterator[tuple[tuple[str, ...], Endpoint]]:
    """Every endpoint of the file, with its place."""
    for name, endpoint in parsed.endpoints.items():
        yield ("endpoints", name), endpoint
    if parsed.mlflow:
        yield ("mlflow",), parsed.mlflow
    if parsed.kubernetes:
        settings = {"url": "https://localhost", **parsed.kubernetes.endpoint}
        yield ("kubernetes", "endpoint"), Endpoint.model_validate(settings)


def _reference_problem(entry: Entry, parsed: ModelsFile) -> tuple[str, str] | None:
    """The setting of an entry that names what is not in this file, and the problem."""
    if (entry.endpoint is None) == (entry.inference_service is None):
        which = "one of them" if entry.endpoint else "is required: a key under endpoints"
        return "endpoint", f"{which}, or inference_service in its place"
    if entry.endpoint is not None and entry.endpoint not in parsed.endpoints:
        known = ", ".join(parsed.endpoints) or "none"
        return "endpoint", f"there is no endpoint {entry.endpoint!r}; there is {known}"
    if entry.inference_service and parsed.kubernetes is None:
        return "inference_service", "needs kubernetes: {namespaces: […]} at the top of this file"
    if entry.mlflow and parsed.mlflow is None:
        return "mlflow", "needs mlflow: {url: …} at the top of this file"
    return None


def _check_examples(name: str, entry: Entry, document: YamlDocument) -> None:
    if entry.signature is None or not entry.signature.features:
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
