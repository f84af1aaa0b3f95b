from __future__ import annotations

from typing import Any

import pytest

from kserve_client.catalog.yaml_lines import parse_yaml
from kserve_client.errors import CatalogError


def value(text: str) -> Any:
    return parse_yaml(f"a: {text}", "m.yaml").values["a"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("2026-11-22", "2026-11-22"),
        ("2026-02-30", "2026-02-30"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("5", 5),
        ("-5", -5),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-1.5e-3", -0.0015),
        (".inf", float("inf")),
        ("null", None),
        ("~", None),
        ("", None),
        ("None", "None"),
        ("1.2.3", "1.2.3"),
        ("v1", "v1"),
        ("'5'", "5"),
        ("=", "="),
    ],
)
def test_words_mean_what_editors_think(text: str, read: Any) -> None:
    """YAML 1.2: no surprise for yes, dates and times of day."""
    assert value(text) == read
    assert type(value(text)) is type(read)


TEXT = """\
base: &base
  url: http://a
  title: A
demo:
  <<: *base
  title: B
list:
  - one
  - two:
      three: 3
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("demo",), 4),
        (("demo", "title"), 6),
        (("demo", "url"), 2),
        (("list", 0), 8),
        (("list", 1, "two", "three"), 10),
        (("list", 1, "two", "four"), 9),
        (("list", 9), 7),
        (("nothing",), 1),
    ],
)
def test_knows_the_line_of_each_value(path: tuple[str | int, ...], line: int) -> None:
    """What is not there has the line of what should hold it; what is merged in, its own."""
    assert parse_yaml(TEXT, "m.yaml").line(path) == line


def test_merge_keys_and_anchors_work() -> None:
    """A mapping's own keys win."""
    assert parse_yaml(TEXT, "m.yaml").values["demo"] == {"url": "http://a", "title": "B"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "m.yaml, line 1: not valid YAML"),
        ("a:\n\tb: 1", "m.yaml, line 2: not valid YAML.*indent with spaces"),
        ("a: 1\nb: 2\na: 3", "m.yaml, line 3: a: this key stands twice"),
        ("a:\n  - b: 1\n    b: 2", "m.yaml, line 3: b: this key stands twice"),
        ("a: *b", "m.yaml, line 1: not valid YAML.*undefined alias"),
        ("? [a]\n: b", "m.yaml, line 1: not valid YAML.*unhashable"),
        ("a: !!int x", "m.yaml: not valid YAML.*invalid literal"),
        ("a: !!bool maybe", "m.yaml: not valid YAML: .maybe."),
        ("a: !!timestamp x", "m.yaml: not valid YAML: "),
        ("a: !!python/object:os.system x", "line 1: not valid YAML: could not determine"),
        ("\x00", "m.yaml: not valid YAML: unacceptable character"),
        ("[" * 5000, "m.yaml: not valid YAML: it is nested too deeply"),
        ("a: 1\n---\nb: 2", "m.yaml, line 2: not valid YAML.*another document"),
        ("a: 'b", "m.yaml, line 1: not valid YAML"),
    ],
)
def test_what_is_no_yaml(text: str, message: str) -> None:
    """One sentence with the line, and never a foreign error."""
    with pytest.raises(CatalogError, match=message) as caught:
        parse_yaml(text, "m.yaml")
    assert "\n" not in str(caught.value)


def test_aliases_of_aliases_take_no_time() -> None:
    """A small text that means a billion values ("billion laughs")."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert len(parse_yaml("\n".join(lines), "m.yaml").values) == 12


def test_a_value_within_itself() -> None:
    """Looked at once."""
    assert parse_yaml("a: &a [*a]", "m.yaml").values.keys() == {"a"}


def test_an_empty_text_is_nothing() -> None:
    """Also one of comments only, or with a byte order mark."""
    for text in ("", "# a\n", "\ufeff", "---\n"):
        assert parse_yaml(text, "m.yaml").values is None
    assert parse_yaml("\ufeffa: 1", "m.yaml").values == {"a": 1}
