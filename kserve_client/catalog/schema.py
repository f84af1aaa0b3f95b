"""The published JSON Schema of a models file: what editors complete, explain and underline."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from kserve_client.auth import KINDS as AUTH_KINDS
from kserve_client.catalog.models_file import ModelsFile
from kserve_client.datatypes import DATATYPES
from kserve_client.signature import SETTINGS_OF_ALL, SETTINGS_OF_KIND

CELL = {
    "description": "A value, or {file: PATH} for the bytes of a file.",
    "if": {"type": "object"},
    "then": {
        "properties": {"file": {"type": "string"}},
        "required": ["file"],
        "additionalProperties": False,
    },
}
# Of the settings of each group exactly one says where a name or a secret comes from.
PLACES = {
    "bearer": [["env", "file"]],
    "basic": [["user", "user_env", "user_file"], ["password_env", "password_file"]],
    "cookie": [["env", "file"]],
    "oidc": [
        ["issuer", "token_url"],
        ["client_id", "client_id_env", "client_id_file"],
        ["client_secret_env", "client_secret_file"],
    ],
}
WITHOUT_TLS = {"tls_name": None, "client_cert_file": None, "verify": True}
NEEDED_BY_KIND = {"category": "choices", "image": "image", "tensor": "shape"}


def models_file_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a models file.

    It accepts what the loader accepts, as far as one value can be judged alone: whether an endpoint
    exists or `min` is below `max` only the loader can say.
    """
    schema = _untitled(ModelsFile.model_json_schema())
    kinds = schema["$defs"]
    for name, auth in AUTH_KINDS.items():
        _narrow_auth(kinds[auth.__name__], name, auth)
    kinds["Endpoint"]["properties"]["url"] |= {
        "pattern": r"^https?://[^@?#\s]+$|\$\{",  # or a variable
        "not": {"pattern": "/v2/*$"},
    }
    # An entry says where its model is in one of two ways.
    kinds["Entry"]["oneOf"] = [{"required": [way]} for way in ("endpoint", "inference_service")]
    kinds["Kubernetes"]["properties"]["endpoint"] |= {"allOf": [_without_url(kinds["Endpoint"])]}
    kinds["Endpoint"] |= {
        "dependentRequired": {"client_key_file": ["client_cert_file"]},
        "if": {"properties": {"url": {"pattern": "^http:"}}},
        "then": {"properties": {name: {"const": value} for name, value in WITHOUT_TLS.items()}},
    }
    kinds["Example"]["properties"]["row"]["additionalProperties"] = CELL
    for kind in ("Feature", "PartialSignature"):
        kinds[kind]["properties"]["datatype"]["enum"] = [*DATATYPES]
    kinds["Feature"]["properties"]["datatype"]["enum"].append(None)
    kinds["Feature"]["allOf"] = [_rule_of(kind) for kind in SETTINGS_OF_KIND]
    for kind in ("Feature", "Output"):
        kinds[kind].setdefault("allOf", []).append(_image_rule())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Models file of kserve-client",
        **schema,
    }


def _untitled(schema: Any) -> Any:
    """Without the titles pydantic makes of names: "Ca File" says less than ca_file."""
    if isinstance(schema, list):
        return [_untitled(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _untitled(part)
        for key, part in schema.items()
        if key != "title" or not isinstance(part, str)
    }


def _narrow_auth(auth: dict[str, Any], name: str, kind: type[BaseModel]) -> None:
    """Each secret from exactly one place, which is never the file itself."""
    summary = (kind.__doc__ or "").split("\n\n")[0].strip()
    auth["description"] = " ".join(f"{summary} No secret stands in the file itself.".split())
    if name != "bearer":  # which is what auth is that names no type
        auth["required"] = ["type", *auth.get("required", [])]
    auth["allOf"] = [
        {"oneOf": [{"required": [setting]} for setting in places]} for places in PLACES[name]
    ]


def _without_url(endpoint: dict[str, Any]) -> dict[str, Any]:
    """What can be said of an endpoint before its address is known."""
    of_service = ("url", "title")
    known = {k: v for k, v in endpoint["properties"].items() if k not in of_service}
    return {"properties": known, "additionalProperties": False}


def _rule_of(kind: str) -> dict[str, Any]:
    """A kind of feature has its own settings, and none of the others'."""
    strays = {name for settings in SETTINGS_OF_KIND.values() for name in settings}
    strays -= SETTINGS_OF_KIND[kind] | SETTINGS_OF_ALL
    then: dict[str, Any] = {"properties": dict.fromkeys(sorted(strays), False)}
    if kind in NEEDED_BY_KIND:
        then["required"] = [NEEDED_BY_KIND[kind]]
    is_kind: dict[str, Any] = {"properties": {"kind": {"const": kind}}}
    if kind != "number":  # which is what a feature is that names no kind
        is_kind["required"] = ["kind"]
    return {"if": is_kind, "then": then}


def _image_rule() -> dict[str, Any]:
    is_image = {"properties": {"kind": {"const": "image"}}, "required": ["kind"]}
    return {
        "if": is_image,
        "then": {"required": ["image"], "properties": {"image": {"type": "object"}}},
    }
