"""The pages of the documentation, cut into their fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"```(?P<language>\S*) ?(?P<note>.*)")
_NAMED = re.compile(r"`(?P<file>[\w.-]+)`[^`]*:")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    `note` is what stands behind the language, `line` the number of its fence in the page, from 1,
    `file` the name that the line before it ends with, as in "`flowers.csv`:", "" without one.
    """

    page: Path
    line: int
    language: str
    note: str
    text: str
    file: str

    @property
    def where(self) -> str:
        """Page and line."""
        return f"{self.page.relative_to(ROOT)}, line {self.line}"


def pages() -> list[Path]:
    """Every page that a user reads: README.md and all of docs/ but the decisions."""
    found = sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "adr")
    return [ROOT / "README.md", *found]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return list(_blocks(page, page.read_text(encoding="utf-8").splitlines()))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    at = 0
    while at < len(lines):
        fence = _FENCE.fullmatch(lines[at])
        if fence is None:
            at += 1
            continue
        end = lines.index("```", at + 1)
        text = "".join(f"{line}\n" for line in lines[at + 1 : end])
        yield Block(page, at + 1, fence["language"], fence["note"], text, _file(lines[:at]))
        at = end + 1


def _file(before: list[str]) -> str:
    """The last line of the paragraph before the block may end with the name of a file."""
    last = next((line for line in reversed(before) if line.strip()), "")
    named = list(_NAMED.finditer(last))
    return named[-1]["file"] if named and last.rstrip().endswith(":") else ""
