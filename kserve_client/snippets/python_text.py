"""Python as text: literals, calls and imports, laid out as people write them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH = 88
OURS = "from kserve_client import "
PATH = "from pathlib import Path"


@dataclass(frozen=True, slots=True)
class Code:
    """Code that stands as it is, and the import it needs."""

    text: str
    needs: str = ""

    def followed_by(self, text: str) -> Code:
        """This code and more behind it."""
        return Code(self.text + text, self.needs)


@dataclass(frozen=True, slots=True)
class Called:
    """A call of a function or class. A name with a capital is one of kserve_client's."""

    name: str
    positional: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)


_COMPOSITES = (Called, dict, list, tuple)


def path_code(path: str) -> Code:
    """The path of a file."""
    return Code(f"Path({word(path)})", PATH)


def script(values: Sequence[Any], lines: Sequence[str], *imports: str) -> str:
    """Put the imports that the values need before the lines, in the usual groups."""
    needed = {need for value in values for need in _needs(value)} | set(imports)
    public = sorted(need.removeprefix(OURS) for need in needed if need.startswith(OURS))
    inner = sorted(need for need in needed if need.startswith("from kserve_client."))
    foreign = sorted(needed & {"import requests"})
    standard = sorted(needed & {"import json", "import os"}) + sorted(needed & {PATH})
    ours = [_import(public), *inner] if public else inner
    groups = ["\n".join(group) for group in (standard, foreign, ours) if group]
    return "\n\n".join([*groups, "\n".join(lines)])


def _import(names: Sequence[str]) -> str:
    line = OURS + ", ".join(names)
    rows = [f"    {name}," for name in names]
    return line if len(line) <= WIDTH else "\n".join([f"{OURS}(", *rows, ")"])


def _needs(value: Any) -> Iterator[str]:
    if isinstance(value, Code) and value.needs:
        yield value.needs
    if isinstance(value, Called) and value.name[0].isupper():
        yield OURS + value.name.partition(".")[0]
    if isinstance(value, _COMPOSITES):
        for _, part in _parts(value)[1]:
            yield from _needs(part)


def _parts(value: Any) -> tuple[str, list[tuple[str, Any]], str]:
    """What opens a composite value, its parts with the text before each, and what closes it."""
    if isinstance(value, dict):
        return "{", [(f"{word(key)}: ", part) for key, part in value.items()], "}"
    if isinstance(value, Called):
        named = [(f"{key}=", part) for key, part in value.keywords.items()]
        return f"{value.name}(", [("", part) for part in value.positional] + named, ")"
    opening, closing = "[]" if isinstance(value, list) else "()"
    return opening, [("", part) for part in value], closing


def written(value: Any, *, indent: int = 0, used: int = 0) -> str:
    """Write a value on one line where it fits, else a part on each, plain values as many as fit.

    `indent` is that of its line, `used` how much of the line stands before it.
    """
    if not isinstance(value, _COMPOSITES):
        return _plain(value)
    line = _one_line(value, WIDTH - indent - used)
    if line is not None:
        return line
    opening, parts, closing = _parts(value)
    if isinstance(value, list) and not any(isinstance(part, _COMPOSITES) for part in value):
        rows = _filled([_plain(part) for part in value], indent + 4)
    else:
        rows = [
            f"{before}{written(part, indent=indent + 4, used=len(before) + 1)},"
            for before, part in parts
        ]
    inner = "\n" + " " * (indent + 4)
    return f"{opening}{inner}{inner.join(rows)}\n{' ' * indent}{closing}"


def _filled(words: Sequence[str], indent: int) -> list[str]:
    rows: list[str] = []
    for text in words:
        if rows and indent + len(rows[-1]) + len(text) + 2 <= WIDTH:
            rows[-1] += f" {text},"
        else:
            rows.append(f"{text},")
    return rows


def _one_line(value: Any, room: int) -> str | None:
    """The value on one line of at most `room` signs; None as soon as it is longer."""
    if not isinstance(value, _COMPOSITES):
        return _plain(value)
    opening, parts, closing = _parts(value)
    words: list[str] = []
    left = room - len(opening) - len(closing) + len(", ")
    for before, part in parts:
        text = _one_line(part, left - len(before))
        left -= len(f"{before}{text}, ")
        if text is None or left < 0:
            return None
        words.append(before + text)
    comma = "," if isinstance(value, tuple) and len(parts) == 1 else ""
    line = f"{opening}{', '.join(words)}{comma}{closing}"
    return line if len(line) <= room else None


def _plain(value: Any) -> str:
    return value.text if isinstance(value, Code) else word(value)


def word(value: Any) -> str:
    """A literal of a plain value. Signs that don't show, and those that turn text around, are escaped."""
    if isinstance(value, str) and value.isprintable() and not set(value) & {'"', "\\"}:
        return f'"{value}"'
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)
