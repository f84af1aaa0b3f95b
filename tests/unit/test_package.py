from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import kserve_client

SOURCE = Path(kserve_client.__file__)


def imports_for_type_checkers() -> dict[str, str]:
    """Which module each public name comes from, as type checkers and editors read it."""
    return {
        name.name: str(node.module)
        for node in ast.walk(ast.parse(SOURCE.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("kserve_client.")
        for name in node.names
    }


def loaded_by(program: str) -> set[str]:
    """The modules that a fresh Python has loaded after a program."""
    code = f"{program}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


def test_the_public_list_is_sorted_and_whole() -> None:
    """What type checkers see is what there is."""
    assert kserve_client.__all__ == sorted(kserve_client.__all__)
    assert set(imports_for_type_checkers()) == set(kserve_client.__all__)
    assert set(dir(kserve_client)) >= set(kserve_client.__all__)


@pytest.mark.parametrize("name", kserve_client.__all__)
def test_each_public_name_is_what_its_module_has(name: str) -> None:
    """Though it is imported only when it is asked for; and what is loaded late stays loaded."""
    module = import_module(imports_for_type_checkers()[name])
    assert getattr(kserve_client, name) is getattr(module, name)
    assert name in vars(kserve_client)


def test_a_star_brings_every_name() -> None:
    """As it would if nothing were late."""
    names: dict[str, object] = {}
    exec("from kserve_client import *", names)
    assert set(kserve_client.__all__) <= set(names)


def test_a_name_that_is_not_there() -> None:
    """The message is Python's own, so that hasattr and IDEs understand it."""
    assert not hasattr(kserve_client, "Modell")
    with pytest.raises(AttributeError, match="module 'kserve_client' has no attribute 'Modell'"):
        kserve_client.Modell  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Modell'"):
        exec("from kserve_client import Modell", {})


def test_the_package_alone_loads_nothing() -> None:
    """A program that may never call a model pays nothing for it."""
    assert not {"numpy", "pydantic", "requests", "yaml"} & loaded_by("import kserve_client")


@pytest.mark.parametrize(
    ("names", "unused"),
    [
        ("InferenceClient, Tensor", {"yaml", "kserve_client.signature", "kserve_client.catalog"}),
        ("Model, Signature", {"yaml", "kserve_client.catalog", "kserve_client.scoring"}),
        ("KServeClientError, ServerError", {"numpy", "pydantic", "requests", "yaml"}),
    ],
)
def test_a_name_loads_what_it_needs(names: str, unused: set[str]) -> None:
    """A client of the protocol needs neither the models file nor its YAML."""
    assert not unused & loaded_by(f"from kserve_client import {names}")


def test_heavy_libraries_are_loaded_late() -> None:
    """All names together start without pandas, Pillow or anything that draws."""
    heavy = {"pandas", "PIL", "matplotlib", "pyarrow", "streamlit", "jsonschema", "hypothesis"}
    program = "from kserve_client import *\nimport kserve_client.frames, kserve_client.images"
    assert not heavy & loaded_by(program)
