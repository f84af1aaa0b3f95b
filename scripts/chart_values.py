"""Writes the table of the chart's values into its README: `python -m scripts.chart_values [--check]`.

The comment above each value in values.yaml says what it means. Needs PyYAML.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.environment import ROOT

CHART = ROOT / "charts" / "kserve-client"
BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"
_KEY = re.compile(r"(?P<indent> *)(?P<name>[A-Za-z]\w*):(?P<rest>.*)")


@dataclass(frozen=True)
class Value:
    """A value that may be set: where it stands, what it means, what it is when nobody sets it."""

    path: str
    meaning: str
    default: Any


def values(text: str) -> list[Value]:
    """Return the values of a values.yaml, in its order: every key that has a comment."""
    content = yaml.safe_load(text)
    return [Value(path, meaning, _at(content, path)) for path, meaning in _commented(text)]


def _commented(text: str) -> Iterator[tuple[str, str]]:
    """Each key with the comment lines right above it, joined."""
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        found = _KEY.match(line)
        if line.lstrip().startswith("#"):
            comment.append(line.lstrip("# ").rstrip())
            continue
        if found:
            path = [*path[: len(found["indent"]) // 2], found["name"]]
            if comment:
                yield ".".join(path), " ".join(comment)
        comment = []


def _at(content: Any, path: str) -> Any:
    for name in path.split("."):
        content = content[name]
    return content


def table(listed: Sequence[Value]) -> str:
    """Return the values as a table in Markdown."""
    lines = ["| value | meaning | default |", "|---|---|---|"]
    lines += [f"| `{one.path}` | {one.meaning} | {_shown(one.default)} |" for one in listed]
    return "\n".join(lines)


def _shown(default: Any) -> str:
    return "" if default in ("", [], {}) else f"`{json.dumps(default, ensure_ascii=False)}`"


def filled(readme: str, listed: Sequence[Value]) -> str:
    """Return the README with the table in its place."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{table(listed)}\n{END}{rest.split(END)[1]}"


def run(arguments: Sequence[str], chart: Path = CHART) -> int:
    """Write the table, or with --check say whether it is as it should be."""
    readme = chart / "README.md"
    before = readme.read_text(encoding="utf-8")
    after = filled(before, values((chart / "values.yaml").read_text(encoding="utf-8")))
    if "--check" in arguments:
        return int(before != after)
    readme.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
