"""YAML that remembers the line of each value, so that an error can name it.

Plain words are read by the rules of YAML 1.2, as editors do: only `true` and `false` are booleans,
so that the choices `[yes, no]` are texts, and `2026-11-22`, `12:30` and `1_000` are texts too,
while `1e3` is a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from kserve_client.errors import CatalogError


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the words of YAML 1.2 (its "core schema", section 10.3)."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        text = str(node.value)
        return int(text, 0 if text[:2] in ("0o", "0x") else 10)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole)
for _tag, _words, _first in (
    ("merge", r"<<", "<"),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _pattern = re.compile(f"(?:{_words})$")
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", _pattern, [*_first, *([""] if _tag == "null" else [])]
    )


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """The values of a document and its node tree."""

    values: Any
    root: yaml.Node | None
    source: str

    def line(self, path: Sequence[str | int]) -> int:
        """The line (from 1) of the value at `path`; parts that are not there are passed over."""
        node, line = self.root, 1
        for part in path:
            child = _child(node, part)
            if child is not None:
                line, node = child
        return line

    def field(self, path: Sequence[str | int]) -> str:
        """The dotted form of `path`, without the parts that only pydantic knows."""
        node, parts = self.root, []
        for at, part in enumerate(path):
            child = _child(node, part)
            if child is not None:
                node = child[1]
            is_lacking = at == len(path) - 1 and isinstance(node, yaml.MappingNode)
            if child is not None or (is_lacking and part != "[key]"):
                parts.append(str(part))
        return ".".join(parts)


def parse_yaml(text: str, source: str) -> YamlDocument:
    """Read a YAML text.

    Raises CatalogError, with the line, when it is no YAML or a key stands twice.
    """
    try:
        root, values = _parsed(text, source)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        hint = "; indent with spaces" if "\\t" in str(error.problem) else ""
        raise CatalogError(
            f"not valid YAML: {error.problem}{hint}",
            source=source,
            line=mark.line + 1 if mark else None,
        ) from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
        # The last two: PyYAML, of a tag that does not fit, such as `!!bool maybe`.
        problem = (str(error) or "a tag does not fit its value").splitlines()[0]
        raise CatalogError(f"not valid YAML: {problem}", source=source) from None
    except RecursionError:
        raise CatalogError("not valid YAML: it is nested too deeply", source=source) from None
    return YamlDocument(values, root, source)


def _parsed(text: str, source: str) -> tuple[yaml.Node | None, Any]:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, None
        _refuse_twice(root, source, set())
        return root, loader.construct_document(root)
    finally:
        loader.dispose()


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        # From the end: what `<<` merges in stands before the mapping's own keys.
        for key, value in reversed(node.value):
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        value = node.value[part]
        return value.start_mark.line + 1, value
    return None


def _refuse_twice(node: yaml.Node, source: str, done: set[int]) -> None:
    """Aliases make one node stand in many places, or within itself: look at each once."""
    if id(node) in done:
        return
    done.add(id(node))
    if isinstance(node, yaml.MappingNode):
        _refuse_same_keys(node, source)
        for _, value in node.value:
            _refuse_twice(value, source, done)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_twice(value, source, done)


def _refuse_same_keys(node: yaml.MappingNode, source: str) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in seen and key.value != "<<":
            raise CatalogError(
                "this key stands twice",
                source=source,
                line=key.start_mark.line + 1,
                field=key.value,
            )
        seen.add(str(key.value))
