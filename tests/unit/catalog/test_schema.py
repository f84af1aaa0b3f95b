from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from kserve_client.catalog import models_file_schema
from kserve_client.catalog.models_file import parse_models_file
from kserve_client.catalog.yaml_lines import parse_yaml
from kserve_client.errors import CatalogError
from tests.unit.catalog.test_models_file import GOOD, MISTAKES

ROOT = Path(__file__).parents[3]
SCHEMA = models_file_schema()
CHECK = Draft202012Validator(SCHEMA)
REFERENCE = ROOT / "docs" / "reference"
# What only the loader can know: it sees the whole file, the folder, and what is no YAML.
ONLY_THE_LOADER = (
    "there is",
    "must be below",
    "must lie below",
    "can't be read",
    "indent with spaces",
    "stands twice",
    "length",
)


def accepts(values: Any) -> bool:
    return bool(CHECK.is_valid(values))


def settings() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each setting: where it stands, its name, its schema."""
    for name, setting in SCHEMA["properties"].items():
        yield "the file", name, setting
    for kind, part in SCHEMA["$defs"].items():
        for name, setting in part["properties"].items():
            yield kind, name, setting


def test_it_is_a_json_schema() -> None:
    """Draft 2020-12 says so."""
    Draft202012Validator.check_schema(SCHEMA)


def test_the_published_file_is_current() -> None:
    """`kserve-client models --schema` prints it anew."""
    published = (REFERENCE / "models-file.schema.json").read_text(encoding="utf-8")
    assert published == json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"


def test_no_secret_may_stand_in_the_file() -> None:
    """An editor does not even suggest it."""
    assert set(SCHEMA["$defs"]["BearerAuth"]["properties"]) == {"type", "env", "file"}


@pytest.mark.parametrize(
    ("where", "name", "setting"), [*settings()], ids=lambda part: str(part)[:20]
)
def test_every_setting_is_explained(where: str, name: str, setting: dict[str, Any]) -> None:
    """In the schema, for editors, and in the reference, for people."""
    assert setting["description"]
    documented = (REFERENCE / "models-file.md").read_text(encoding="utf-8")
    rows = [line for line in documented.splitlines() if line.startswith("|")]
    assert any(f"`{name}`" in row.split("|")[1] for row in rows)


def test_the_reference_explains_no_other_setting() -> None:
    """What was taken out is taken out there too."""
    documented = (REFERENCE / "models-file.md").read_text(encoding="utf-8")
    tables = documented.split("| setting | value | meaning |")[1:]
    cells = [
        line.split("|")[1] for table in tables for line in table.split("\n\n")[0].splitlines()[2:]
    ]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named == {name for _, name, _ in settings()}


def test_every_kind_is_explained() -> None:
    """Of features and of outputs."""
    documented = (REFERENCE / "models-file.md").read_text(encoding="utf-8")
    for part in ("Feature", "Output"):
        for kind in SCHEMA["$defs"][part]["properties"]["kind"]["enum"]:
            assert f"\n| `{kind}` |" in documented


def test_the_examples_of_the_reference_are_models_files() -> None:
    """People will copy it."""
    documented = (REFERENCE / "models-file.md").read_text(encoding="utf-8")
    texts = [
        block
        for block in re.findall(r"```yaml\n(.*?)```", documented, re.DOTALL)
        if "version: 1" in block
    ]
    parsed = [parse_models_file(text, source="m", folder=ROOT) for text in texts]
    assert [list(one.models) for one in parsed] == [["iris"], [], ["iris"]]
    assert all(accepts(parse_yaml(text, "m").values) for text in texts)


def test_accepts_the_demos_models() -> None:
    """The largest models file there is."""
    assert accepts(parse_yaml((ROOT / "examples" / "models.yaml").read_text(), "m").values)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("[setosa, virginica]", "{0: setosa, 1: virginica}"),
        ("[setosa, virginica]", "[0, 1]"),
        ("min: 4, max: 8", "kind: category, choices: [1, 2.5, {value: 3, label: x}]"),
        ("min: 4, max: 8", "min: null, max: 8"),
        ("min: 4, max: 8", "kind: integer, datatype: null, default: 4.0"),
        ("5.1", "{file: x.png}"),
        ("expect: setosa", "expect: 5"),
        ("expect: setosa", "expect:"),
        (
            "8890\n",
            "8890/team\n    auth: {type: bearer, env: TOKEN}\n    host: a.b\n    deadline_s: 5\n",
        ),
        (GOOD, "endpoints:\nmodels:\n"),
    ],
)
def test_accepts_what_the_loader_accepts(tmp_path: Path, old: str, new: str) -> None:
    """An editor underlines nothing that is right."""
    (tmp_path / "x.png").write_bytes(b"x")
    text = GOOD.replace(old, new, 1)
    parse_models_file(text, source="m", folder=tmp_path)
    # As an editor sees it: JSON has texts for keys.
    assert accepts(json.loads(json.dumps(parse_yaml(text, "m").values)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (old, new)
        for old, new, _, field, problem in MISTAKES
        if field != "models.7" and not any(words in problem for words in ONLY_THE_LOADER)
    ],
)
def test_refuses_the_typical_mistakes(old: str, new: str) -> None:
    """Those that can be seen without the rest of the file."""
    assert not accepts(parse_yaml(GOOD.replace(old, new, 1), "m").values)


@pytest.mark.parametrize(
    "feature",
    [
        {"kind": "category"},
        {"kind": "image"},
        {"kind": "image", "image": None},
        {"kind": "tensor"},
        {"kind": "text", "min": 1},
        {"choices": ["a"]},
        {"shape": [3]},
        {"kind": "boolean", "image": {"width": 1, "height": 1}},
        {"step": 0},
        {"datatype": "FLOAT"},
        {"min": "4"},
    ],
)
def test_refuses_settings_of_another_kind(feature: dict[str, Any]) -> None:
    """Each kind of feature has its own."""
    values = yaml.safe_load(GOOD)
    values["models"]["iris"]["signature"]["features"] = [{"name": "length", **feature}]
    assert not accepts(values)


@pytest.mark.parametrize(
    "endpoint",
    [
        {},
        {"url": "localhost"},
        {"url": "http://me:pw@host"},
        {"url": "http://host/v2"},
        {"url": "http://host?a"},
        {"url": "http://h", "auth": {"type": "bearer"}},
        {"url": "http://h", "auth": {"env": "A", "file": "b"}},
        {"url": "http://h", "auth": {"value": "s3cret"}},
        {"url": "http://h", "read_timeout_s": 0},
        {"url": "http://h", "timeout": 5},
    ],
)
def test_refuses_wrong_endpoints(endpoint: dict[str, Any]) -> None:
    """As the loader does."""
    values = yaml.safe_load(GOOD)
    values["endpoints"]["demo"] = endpoint
    assert not accepts(values)
    with pytest.raises(CatalogError):
        parse_models_file(yaml.safe_dump(values), source="m", folder=ROOT)
