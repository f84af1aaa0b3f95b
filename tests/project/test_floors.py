import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# import-linter reads packages, and app.py is a single file: this is its share of the contract.
ROOMS = {"app", "pages", "dashboard", "kserve_client", "scripts", "examples", "tests"}


def imported_rooms(path: Path) -> set[str]:
    """Return the top-level rooms of this project that a file imports from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found & ROOMS


def test_the_app_stands_on_the_dashboard_only() -> None:
    """app.py is the registry of pages; everything else is one floor down."""
    assert imported_rooms(ROOT / "app.py") <= {"dashboard"}


@pytest.mark.parametrize("room", ["pages", "dashboard", "kserve_client"])
def test_nothing_below_knows_what_is_above(room: str) -> None:
    """No room imports app.py, a script, an example or a test."""
    above = {"app", "scripts", "examples", "tests"}
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    assert {path.name: imported_rooms(path) & above for path in files} == {
        path.name: set() for path in files
    }
