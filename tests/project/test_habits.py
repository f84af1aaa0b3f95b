import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def silent_tests(path: Path) -> list[str]:
    """Return the tests of a file that don't say what they are for."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    return [node.name for node in functions if not ast.get_docstring(node)]


def test_every_test_says_what_it_is_for() -> None:
    """A test's docstring is one sentence of behaviour, read when it fails."""
    silent = {path.name: silent_tests(path) for path in TESTS.rglob("test_*.py")}
    assert {name: tests for name, tests in silent.items() if tests} == {}
