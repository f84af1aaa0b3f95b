"""MLmodel files: YAML that anybody who may log a model wrote, read with care.

MLflow writes them with PyYAML, so plain words are read by its rules, those of YAML 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import yaml

from kserve_client.catalog.mlflow.answers import Plain
from kserve_client.errors import InvalidAnswerError

LARGEST_BYTES = 1_000_000
MOST_VALUES = 100_000
DEEPEST = 40
_TOO_MUCH = "its MLmodel holds too much, or is nested too deeply"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader without merge keys: a few lines of them unfold to gigabytes."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, "merge keys are not read here", key.start_mark
                )


def parse_mlmodel(body: bytes) -> Plain:
    """Read an MLmodel file into dicts, lists, texts, numbers, truth values and None.

    Raises InvalidAnswerError when it is no YAML, no mapping, or unfolds to more than 100 000 values.
    """
    try:
        _check_depth(body)
        found = yaml.load(body, _Loader)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1})" if mark else ""
        raise InvalidAnswerError(f"its MLmodel is not valid YAML: {error.problem}{where}") from None
    # PyYAML trusts a tag that is written out: `!!bool maybe` is a KeyError, `!!int ""` an IndexError.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        raise InvalidAnswerError("its MLmodel is not valid YAML") from None
    if not isinstance(found, dict):
        raise InvalidAnswerError("its MLmodel is no mapping")
    plain: Plain = plain_value(found)
    return plain


def _check_depth(body: bytes) -> None:
    """Refuse deep nesting before a tree is made of it: libyaml's loader ends the process by it."""
    depth = 0
    for event in yaml.parse(body, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise InvalidAnswerError(_TOO_MUCH)


def plain_value(value: Any) -> Any:
    """The value with texts for keys and dates, and None for what JSON has no form of.

    Aliases unfold: they may make a small file large. Raises InvalidAnswerError when they do, or when
    one stands within itself.
    """
    return _plain(value, iter(range(MOST_VALUES)), DEEPEST)


def _plain(value: Any, budget: Iterator[int], depth: int) -> Any:
    if next(budget, None) is None or depth == 0:
        raise InvalidAnswerError(_TOO_MUCH)
    if isinstance(value, dict):
        return {
            _key(key): _plain(inner, budget, depth - 1)
            for key, inner in value.items()
            if isinstance(key, bool | int | float | str | date)
        }
    if isinstance(value, list | tuple):
        return [_plain(inner, budget, depth - 1) for inner in value]
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, bool | int | float | str) else None


def _key(key: bool | float | str | date) -> str:
    return key.isoformat() if isinstance(key, date) else str(key)
