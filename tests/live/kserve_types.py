"""Holds objects against the types that KServe's SDK publishes; run by its own Python.

Reads a JSON list of objects from standard input, and prints a JSON list of what is wrong with each.
"""

import importlib
import json
import pkgutil
import re
import sys
from collections.abc import Iterator
from typing import Any

import kserve.models
import kubernetes.client

PLAIN: dict[str, Any] = {"str": str, "int": int, "bool": bool, "float": (int, float)}
# On the wire it is a text; the SDK describes the parts that Go takes it apart into.
TEXTS = {"KnativeURL", "KnativeVolatileTime", "datetime", "ResourceQuantity"}


def classes() -> dict[str, Any]:
    """The SDK's classes by name, those that it does not export too."""
    found: dict[str, Any] = {}
    for module in pkgutil.iter_modules(kserve.models.__path__):
        found |= vars(importlib.import_module(f"kserve.models.{module.name}"))
    return found


CLASSES = classes()


def class_of(kind: str) -> Any:
    """The class of that name, of the SDK or of Kubernetes; None where it is not published."""
    found = CLASSES.get(kind) or getattr(kubernetes.client, kind, None)
    return found if hasattr(found, "attribute_map") else None


def problems(kind: str, value: Any, where: str) -> Iterator[str]:
    """Walk along the published types; a type that is not published is passed over."""
    inner = re.fullmatch(r"[Ll]ist\[(.*)\]|[Dd]ict[\[(]str, (.*)[\])]", kind)
    if inner and inner[1] and isinstance(value, list):
        for at, one in enumerate(value):
            yield from problems(inner[1], one, f"{where}.{at}")
    elif inner and inner[2] and isinstance(value, dict):
        for name, one in value.items():
            yield from problems(inner[2], one, f"{where}.{name}")
    elif inner or not isinstance(value, PLAIN.get("str" if kind in TEXTS else kind, object)):
        yield f"{where}: {value!r} is no {kind}"
    elif kind not in TEXTS and class_of(kind):
        yield from object_problems(class_of(kind), value, where)


def object_problems(kind: Any, value: Any, where: str) -> Iterator[str]:
    """Unknown fields, fields that lack, and what is wrong within those that there are."""
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no {kind.__name__}"
        return
    names = {wire: name for name, wire in kind.attribute_map.items()}
    for wire, one in value.items():
        if wire not in names:
            yield f"{where}.{wire}: {kind.__name__} has no such field"
        else:
            yield from problems(kind.openapi_types[names[wire]], one, f"{where}.{wire}")
    if kind.__module__.startswith("kserve."):
        try:
            kind(**{names[wire]: one for wire, one in value.items() if wire in names})
        except ValueError as error:
            yield f"{where}: {error}"


if __name__ == "__main__":
    given = json.load(sys.stdin)
    json.dump([list(problems("V1beta1InferenceService", one, "")) for one in given], sys.stdout)
