from __future__ import annotations

from pathlib import Path

from scripts import chart_values
from scripts.chart_values import Value

VALUES = """# About the file.

# A name.
name: ""
image:
  # Where it lies,
  # as text.
  repository: x  # of ours
  tag: ""
# Ports.
ports: [80]
jobs:
  size:
    # How large.
    most: 5
"""


def test_a_comment_says_what_a_value_means() -> None:
    """Lines right above a key, joined; a key without one is not listed, a heading is no comment of one."""
    assert chart_values.values(VALUES) == [
        Value("name", "A name.", ""),
        Value("image.repository", "Where it lies, as text.", "x"),
        Value("ports", "Ports.", [80]),
        Value("jobs.size.most", "How large.", 5),
    ]


def test_the_table_stands_between_its_marks(tmp_path: Path) -> None:
    """What is around it stays; --check tells whether it is as it should be, and writes nothing."""
    (tmp_path / "values.yaml").write_text(VALUES)
    readme = tmp_path / "README.md"
    before = "# Chart\n<!-- values: begin -->\nold\n<!-- values: end -->\nMore.\n"
    readme.write_text(before)
    assert chart_values.run(["--check"], tmp_path) == 1
    assert readme.read_text() == before
    assert chart_values.run([], tmp_path) == 0
    assert chart_values.run(["--check"], tmp_path) == 0
    assert readme.read_text() == (
        "# Chart\n<!-- values: begin -->\n"
        "| value | meaning | default |\n|---|---|---|\n"
        "| `name` | A name. |  |\n"
        '| `image.repository` | Where it lies, as text. | `"x"` |\n'
        "| `ports` | Ports. | `[80]` |\n"
        "| `jobs.size.most` | How large. | `5` |\n"
        "<!-- values: end -->\nMore.\n"
    )
