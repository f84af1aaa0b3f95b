"""The reader notices where a page is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.documents.pages import ROOT, Block
from tests.unit.documents.pages import blocks as blocks_of
from tests.unit.documents.reader import Reader, comments_of_prints


def read(folder: Path, page: str) -> None:
    """Read a page of which this is the text; fences are written '''."""
    path = folder / "page.md"
    path.write_text(page.replace("'''", "```"))
    Reader(folder).read([_named(block) for block in blocks_of(path)])


def _named(block: Block) -> Block:
    """A page of this test has no place below the root, and needs one in messages."""
    return Block(
        ROOT / block.page.name, block.line, block.language, block.note, block.text, block.file
    )


RIGHT = {
    "a comment": "'''python\nprint(1)  # 1\n'''\n",
    "comments of several prints": "'''python\nprint(1)  # 1\nprint(2)\n# 2\n'''\n",
    "lines below a print": "'''python\nprint('a\\nb')\n# a\n# b\n'''\n",
    "a block after it": "'''python\nfor n in (1, 2):\n    print(n)\n'''\n\n'''text\n1\n2\n'''\n",
    "json after it": "'''python\nprint('[1,2]')\n'''\n\n'''json\n[1, 2]\n'''\n",
    "two blocks after it": (
        "'''python\nprint('n = 1')\nprint('b')\n'''\n'''python\nn = 1\n'''\n'''text\nb\n'''\n"
    ),
    "an ellipsis": "'''python\nprint('in 12 ms')  # in … ms\n'''\n",
    "names of a block before": "'''python\nn = 1\n'''\n\n'''python\nprint(n)  # 1\n'''\n",
    "a file": "`a.csv`:\n\n'''csv\nx\n'''\n\n'''python\nprint(open('a.csv').read())\n'''\n'''text\nx\n'''\n",
    "a command": "'''sh\nkserve-client --version\n'''\n",
    "a command with its output": (
        "`m.yaml`:\n\n'''yaml\nversion: 1\nendpoints: {}\n'''\n\n"
        "'''sh\nkserve-client models --models m.yaml\n'''\n"
        "'''text\nThe models file names no models.\n'''\n"
    ),
    "a command without its output": (
        "'''sh\nkserve-client models --schema\n'''\n'''python\nprint(1)  # 1\n'''\n"
    ),
    "a command that fails as told": "'''sh\nkserve-client models --models no.yaml  # exit status 2\n'''\n",
    "code of another client": "'''python kserve\nimport not_there\n'''\n",
}
WRONG = {
    "another output": ("'''python\nprint(2)  # 1\n'''\n", "line 1: printed was\n2"),
    "another block": ("'''python\nprint(2)\n'''\n'''text\n1\n'''\n", "line 4: printed was\n2"),
    "an output that is not shown": ("'''python\nprint(2)\n'''\n", "does not show\n2"),
    "an output that nothing gave": ("'''text\n1\n'''\n", "nothing printed this"),
    "a print without a comment": (
        "'''python\nprint(1)  # 1\nprint(2)\n'''\n",
        "a print shows nothing",
    ),
    "other json": ("'''python\nprint('[1]')\n'''\n'''json\n[2]\n'''\n", "printed was\n[1]"),
    "a file that an example wrote": (
        "'''python\nn = open('a.csv', 'w').write('y')\n'''\n\n`a.csv`:\n\n'''csv\nx\n'''\n",
        "a.csv differs",
    ),
    "a language": ("'''ruby\n1\n'''\n", "'ruby' is not run"),
    "no language": ("'''\n1\n'''\n", "'' is not run"),
    "a client": ("'''python bentoml\nx = 1\n'''\n", "bentoml is no client we know"),
    "a command that fails": ("'''sh\nkserve-client models --models no.yaml\n'''\n", "no such file"),
    "a printed script": (
        "'''python\nprint('assert 0, 5')\n'''\n'''python\nassert 0, 5\n'''\n",
        "5",
    ),
    "a command of another program": ("'''sh\nrm x\n'''\n", "'rm x' is not run"),
    "a status": ("'''sh\nkserve-client --version  # exit status 1\n'''\n", "line 1: 0,"),
}


@pytest.mark.parametrize("page", RIGHT.values(), ids=RIGHT)
def test_what_is_right_passes(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each form of an example that pages may use."""
    monkeypatch.chdir(tmp_path)
    read(tmp_path, page)


@pytest.mark.parametrize(("page", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_line(
    page: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing slips through as an example that nobody ran."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError) as error:
        read(tmp_path, page)
    assert told in str(error.value)


def test_without_curl_its_output_is_left_out_as_well(tmp_path: Path) -> None:
    """A machine without it can still read the rest."""
    (tmp_path / "page.md").write_text("```sh\ncurl http://h.test\n```\n```text\n200\n```\n")
    page = [_named(block) for block in blocks_of(tmp_path / "page.md")]
    Reader(tmp_path).read(page, with_curl=False)


def test_an_example_that_raises_names_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback counts as the page does."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError) as error:
        read(tmp_path, "# A page\n\n'''python\nn = 1\nn / 0\n'''\n")
    assert error.traceback[-1].lineno == 4  # counted from 0


def test_code_of_another_client_has_to_be_python(tmp_path: Path) -> None:
    """It is not run here, but no nonsense either."""
    with pytest.raises(SyntaxError):
        read(tmp_path, "'''python kserve\nx = = 1\n'''\n")


def test_a_comment_on_another_line_is_no_output() -> None:
    """Comments that explain code are left alone."""
    block = Block(ROOT / "x.md", 1, "python", "", "n = 1  # one\nm = 2\n", "")
    assert comments_of_prints(block) is None
