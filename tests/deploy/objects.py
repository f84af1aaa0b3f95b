"""The files of deploy/ as they are with their names filled in."""

from __future__ import annotations

from typing import Any

import yaml

from scripts import deploy

NAMES = deploy.read_names()
FILES = deploy.rendered(NAMES)
Object = dict[str, Any]


def objects_of(name: str) -> list[Object]:
    """The objects of a file."""
    return [one for one in yaml.safe_load_all(FILES[name]) if one]


def object_of(name: str, kind: str) -> Object:
    """The only object of its kind in a file."""
    (found,) = (one for one in objects_of(name) if one["kind"] == kind)
    return found


def values_of(name: str) -> Object:
    """The values of a chart."""
    (found,) = objects_of(name)
    return found


MANIFESTS = sorted(
    name
    for name in FILES
    if name.endswith(".yaml") and all("kind" in one for one in yaml.safe_load_all(FILES[name]))
)
CHART_VALUES = sorted(name for name in FILES if name.endswith("values.yaml"))
EVERY_OBJECT = [(name, one) for name in MANIFESTS for one in objects_of(name)]
