"""A reader who does what a page says: runs its examples in order and compares what they show.

How the pages are written for him:

- ```python runs, all blocks of a page in one namespace. What it prints stands behind `print(…)` as a
  comment, or in the comment lines below; or in the block that follows the example. A word behind the
  language (```python tritonclient) means another client's code: it is compiled.
- ```sh and ```bash: lines that begin with `kserve-client` go to its `main()` and must end with
  status 0, or the one that a comment names (`# exit status 1`); lines of curl run in a shell. What
  they print may stand in the block that follows.
- ```csv, ```json and ```yaml after a line that ends with "`name`:" are a file: it is written, or
  compared when an example has written it.
- ```text and ```json show what the block before printed; … stands for anything.
- ```console shows the demo's models, or with a word behind it others, and is read by
  tests/live/test_pages.py.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import shlex
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kserve_client.cli import main
from tests.unit.documents.pages import Block

SHELL = ("sh", "bash")
FILES = ("csv", "json", "yaml")
# What may show an output; what a shell printed is no script.
OUTPUTS = {"python": ("text", "json", "bash", "python"), "sh": ("text", "json")}
LANGUAGES = {"python", "text", "console", *SHELL, *FILES}
# Other clients, whose code is compiled here and run in tests/live/test_pages.py where there is one.
PEERS = ("kserve", "mlflow", "mlserver", "tritonclient", "open-inference", "pyspark", "ray")
# Commands that install or start what other tests install and start.
ELSEWHERE = (
    "pip ",
    "python3 -m venv ",
    "./scripts/",
    "streamlit ",
    "export ",
    "bash out/",
    "cp out/",
    ". deploy/",
    "helm ",
    "kubectl ",
    "docker ",
    "mlserver ",
)
_STATUS = re.compile(r"# exit status (\d+)\s*$")


class Reader:
    """Reads one page. Raises AssertionError, naming page and line, where the page is not so."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, Any] = {"__name__": "page"}
        self._unshown = ""
        self._printer = "python"
        self._has_skipped = False
        self._given = {path.name for path in folder.iterdir()}

    def read(self, blocks: list[Block], *, with_curl: bool = True) -> None:
        """Do everything, in order."""
        for block in blocks:
            assert block.language in LANGUAGES, f"{block.where}: {block.language!r} is not run"
            if self._shows(block):
                self._try(block, with_curl=with_curl)
            elif block.language != "console":
                self._do(block, with_curl=with_curl)
        self._check_shown(blocks[-1].where if blocks else "")

    def _shows(self, block: Block) -> bool:
        """Whether the block is what was printed last, or the next part of it."""
        if not self._unshown or block.file or block.language not in OUTPUTS[self._printer]:
            return False
        if block.language == "json":
            shown, printed = json.loads(block.text), json.loads(self._unshown)
            assert printed == shown, f"{block.where}: printed was\n{self._unshown}"
            self._unshown = ""
            return True
        found = re.match(_form(block.text), self._unshown)
        assert found is not None, f"{block.where}: printed was\n{self._unshown}"
        self._unshown = self._unshown[found.end() :].lstrip("\n")
        return True

    def _try(self, block: Block, *, with_curl: bool) -> None:
        """A script that an example printed runs too; what it says is its own matter."""
        left, self._unshown = self._unshown, ""
        if block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(block.text, {"__name__": "__main__"})
        elif block.language in SHELL:
            self._run_shell(block, with_curl=with_curl)
        self._unshown = left

    def _check_shown(self, where: str) -> None:
        is_shown = not self._unshown or self._printer == "sh"
        assert is_shown, f"before {where}: the page does not show\n{self._unshown}"
        self._unshown = ""

    def _do(self, block: Block, *, with_curl: bool) -> None:
        self._check_shown(block.where)
        if block.language == "python":
            self._printer, self._has_skipped = "python", False
            self._run_python(block)
        elif block.language in SHELL:
            self._printer, self._has_skipped = "sh", "curl " in block.text and not with_curl
            self._run_shell(block, with_curl=with_curl)
        elif block.language in FILES and block.file:
            self._take_file(block)
        elif block.language == "json":
            json.loads(block.text)
        else:
            is_shown = block.language != "text" or self._has_skipped
            assert is_shown, f"{block.where}: nothing printed this"
            assert block.language != "csv", f"{block.where}: no line names the file"

    def _run_python(self, block: Block) -> None:
        # Empty lines before it give tracebacks the page's own numbers.
        code = compile("\n" * block.line + block.text, str(block.page), "exec")
        if block.note:
            assert block.note in PEERS, f"{block.where}: {block.note} is no client we know"
            return
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, self._names)
        self._printed(printed.getvalue(), comments_of_prints(block), block)

    def _printed(self, printed: str, expected: str | None, block: Block) -> None:
        text = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
        if expected is None:
            self._unshown = text
        else:
            assert re.fullmatch(_form(expected), text), f"{block.where}: printed was\n{text}"

    def _run_shell(self, block: Block, *, with_curl: bool) -> None:
        printed = "".join(
            self._run_command(line, block, with_curl=with_curl) for line in _commands(block.text)
        )
        self._printed(printed, None, block)

    def _run_command(self, line: str, block: Block, *, with_curl: bool) -> str:
        if line.startswith("kserve-client "):
            return _run_ours(line, block)
        if line.startswith("curl "):
            return self._run_curl(line, block) if with_curl else ""
        assert line.startswith(ELSEWHERE), f"{block.where}: {line!r} is not run"
        return ""

    def _run_curl(self, line: str, block: Block) -> str:
        ended = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, check=False, cwd=self._folder
        )
        assert ended.returncode == 0, f"{block.where}: {ended.stderr}"
        return ended.stdout + "\n" * bool(ended.stdout)

    def _take_file(self, block: Block) -> None:
        path = self._folder / block.file
        if path.exists() and path.name not in self._given:
            assert path.read_text() == block.text, f"{block.where}: {path.name} differs"
        path.write_text(block.text)
        self._given.add(path.name)


def _run_ours(line: str, block: Block) -> str:
    named = _STATUS.search(line)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()) as said:
        status = main(shlex.split(line, comments=True)[1:])
    assert status == int(named[1] if named else 0), f"{block.where}: {status}, {said.getvalue()}"
    return printed.getvalue()


def _commands(text: str) -> Iterator[str]:
    """The commands of a block, one a line once lines that end in a backslash are joined."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


def comments_of_prints(block: Block) -> str | None:
    """What the comments at the `print` calls say is printed; None where there are no comments."""
    comments = _comments(block.text)
    lines = sorted({call.end_lineno or 0 for call in _prints(block.text)})
    shown = [_below(comments, line) for line in lines]
    if not any(shown):
        return None
    assert all(shown), f"{block.where}: a print shows nothing while others do"
    return "".join(f"{text}\n" for texts in shown for text in texts)


def _prints(text: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            yield node


def _comments(text: str) -> dict[int, tuple[bool, str]]:
    """Whether each comment has its line for itself, and its words, by line."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        token.start[0]: (token.line.lstrip().startswith("#"), token.string[1:].strip())
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _below(comments: dict[int, tuple[bool, str]], line: int) -> list[str]:
    """The comment at the end of this line, and those that stand below it."""
    texts = [comments[line][1]] if line in comments else []
    while comments.get(line + 1, (False, ""))[0]:
        line += 1
        texts.append(comments[line][1])
    return texts


def _form(text: str) -> str:
    """A regular expression for an output in which … stands for anything."""
    lines = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    return re.escape(lines).replace("…", r"[^\n]*")
