"""The objects of the unit tests against the types of KServe's own SDK, 0.21.0."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests import needs
from tests.unit.catalog import objects

CHECK = Path(__file__).with_name("kserve_types.py")


def problems(values: list[dict[str, Any]]) -> list[list[str]]:
    """What KServe's types say of each object."""
    ended = subprocess.run(
        [needs.kserve_python(), CHECK],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[list[str]] = json.loads(ended.stdout)
    return found


def test_the_objects_are_such_as_kserve_has() -> None:
    """Every field is known and of its type, down to those of Kubernetes itself."""
    found = dict(zip(objects.NAMES, problems([*map(objects.load, objects.NAMES)]), strict=True))
    assert found == {name: [] for name in objects.NAMES}


def test_the_types_refuse_what_is_wrong() -> None:
    """An unknown field, another type, a field that lacks."""
    unknown, other, lacking, deep = (objects.load("standard") for _ in range(4))
    unknown["spec"]["predictor"]["model"]["storageURI"] = "x"
    other["status"]["url"] = 7
    lacking["spec"].pop("predictor")
    deep["spec"]["predictor"]["model"]["resources"]["limit"] = {}
    assert problems([unknown, other, lacking, deep]) == [
        [".spec.predictor.model.storageURI: V1beta1ModelSpec has no such field"],
        [".status.url: 7 is no KnativeURL"],
        [".spec: Invalid value for `predictor`, must not be `None`"],
        [".spec.predictor.model.resources.limit: V1ResourceRequirements has no such field"],
    ]
