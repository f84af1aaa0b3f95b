from __future__ import annotations

from pathlib import Path

import pytest

from kserve_client.catalog.models_file import ModelsFile, parse_models_file
from kserve_client.errors import CatalogError

FILE = """\
version: 1
endpoints:
  demo:
    url: http://${HOST:-localhost}:${PORT}
    read_timeout_s: ${WAIT:-5}
models:
  iris: {endpoint: demo, title: "${TITLE:-}", description: "costs $${5} or $5 {x}"}
"""


def parsed(text: str, **environment: str) -> ModelsFile:
    return parse_models_file(text, source="m.yaml", folder=Path(), environment=environment)


def test_values_come_from_the_environment() -> None:
    """Also where a number is wanted, and in the middle of a text."""
    file = parsed(FILE, HOST="models.example.org", PORT="8080", WAIT="2.5", TITLE="Iris")
    assert file.endpoints["demo"].url == "http://models.example.org:8080"
    assert file.endpoints["demo"].read_timeout_s == 2.5
    assert file.models["iris"].title == "Iris"


def test_a_default_stands_for_what_is_not_set_or_empty() -> None:
    """The empty default is one too."""
    file = parsed(FILE, HOST="", PORT="1")
    assert file.endpoints["demo"].url == "http://localhost:1"
    assert file.endpoints["demo"].read_timeout_s == 5
    assert file.models["iris"].title == ""


def test_two_dollars_are_one() -> None:
    """So that a text may hold the letters; a lone dollar needs nothing."""
    assert parsed(FILE, PORT="1").models["iris"].description == "costs ${5} or $5 {x}"


@pytest.mark.parametrize("environment", [{}, {"PORT": ""}])
def test_a_variable_that_is_not_set_is_a_mistake_with_its_line(
    environment: dict[str, str],
) -> None:
    """An address with a hole in it would be asked otherwise."""
    with pytest.raises(CatalogError) as caught:
        parsed(FILE, **environment)
    assert str(caught.value) == (
        "m.yaml, line 4: endpoints.demo.url: the environment variable PORT is not set; give it, or "
        "${PORT:-default}"
    )


@pytest.mark.parametrize("text", ["${", "${}", "${a b}", "${A:}", "${1A}", "${A:-x"])
def test_what_is_no_variable_is_refused(text: str) -> None:
    """Rather than sent to a server as it stands."""
    with pytest.raises(CatalogError, match=r"line 4: models\.iris\.title: write \$"):
        parsed(
            "version: 1\nendpoints: {demo: {url: http://h}}\nmodels:\n"
            f'  iris: {{endpoint: demo, title: "{text}"}}\n'
        )


def test_keys_and_what_a_variable_holds_are_left_as_they_are() -> None:
    """A value that looks like a variable is not read a second time."""
    text = "endpoints: {'${A}': {url: http://h, title: '${A}'}}\nmodels: {}\n"
    file = parsed(text, A="${B}")
    assert list(file.endpoints) == ["${A}"]
    assert file.endpoints["${A}"].title == "${B}"


def test_the_values_are_not_in_the_error() -> None:
    """What came from the environment may be a secret in the wrong place."""
    with pytest.raises(CatalogError) as caught:
        parsed("endpoints: {demo: {url: '${A}'}}\nmodels: {}\n", A="http://me:s3cret@h")
    assert "s3cret" not in str(caught.value)


def test_aliases_of_aliases_are_not_unfolded() -> None:
    """Nine lists of nine lists, nine times over, would take gigabytes and minutes."""
    levels = "".join(
        f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" if n else "  l0: &l0 ['${A}']\n"
        for n in range(12)
    )
    with pytest.raises(CatalogError, match="is no setting here"):
        parsed(f"lists:\n{levels}", A="x")


@pytest.mark.parametrize(
    "text", ["models: &a {x: *a}\n", "models: {iris: {endpoint: demo, links: &a [*a]}}\n"]
)
def test_an_alias_within_itself_is_refused(text: str) -> None:
    """It has no end."""
    with pytest.raises(CatalogError, match=r"line 1: models.*stands within what it stands for"):
        parsed(text)
