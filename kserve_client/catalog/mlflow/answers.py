"""Parts of answers, whatever stands there instead of what was expected."""

from __future__ import annotations

from typing import Any

Plain = dict[str, Any]


def object_in(answer: Any, key: str) -> Plain:
    """The object at a key; an empty one when there is none."""
    found = answer.get(key) if isinstance(answer, dict) else None
    return found if isinstance(found, dict) else {}


def list_in(answer: Any, key: str) -> list[Any]:
    """The list at a key; an empty one when there is none."""
    found = answer.get(key) if isinstance(answer, dict) else None
    return found if isinstance(found, list) else []


def objects_in(answer: Any, key: str) -> list[Plain]:
    """The objects of the list at a key."""
    return [one for one in list_in(answer, key) if isinstance(one, dict)]


def pairs_in(answer: Any, key: str) -> dict[str, Any]:
    """A mapping that MLflow writes as a list of {"key", "value"}."""
    return {str(one["key"]): one.get("value") for one in objects_in(answer, key) if "key" in one}
