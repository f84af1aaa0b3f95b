"""Every page goes through app.py, whoever asks for it first.

Until `st.navigation` ran once in a process, Streamlit 1.67 serves each file in pages/ by itself.
"""

import ast
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.servers import ROOT, Dashboard, start_dashboard, wait_for
from tests.v2_server import V2Server, v2_server

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
ADDRESSES = {"home": ""}  # every other page has the address of its file's name
LINK = {"m": ["other"]}
GUARD = "shell.page_guard()"
DRAWS_NOTHING = (ast.Import, ast.ImportFrom)
AT_ONCE = 3


@pytest.fixture(scope="module")
def server() -> Iterator[V2Server]:
    with v2_server(flower=lambda _: {"outputs": []}) as running:
        yield running


@pytest.fixture(scope="module")
def models(server: V2Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("guard") / "models.yaml"
    path.write_text(
        f"endpoints: {{test: {{url: '{server.url}'}}}}\n"
        "models:\n"
        "  flower: {endpoint: test, title: Flower, signature: {features: [{name: a}]}}\n"
        "  other: {endpoint: test, title: Other, signature: {features: [{name: a}]}}\n"
    )
    return path


@contextmanager
def fresh(count: int, models: Path, logs: Path, root: Path = ROOT) -> Iterator[list[Dashboard]]:
    """Start several dashboards at once; in none of them did app.py run yet."""
    with ExitStack() as stack:
        running = []
        for number in range(count):
            dashboard = start_dashboard(models, logs / f"dashboard-{number}.log", root=root)
            stack.callback(dashboard.child.stop)
            running.append(dashboard)
        for dashboard in running:
            wait_for(dashboard)
        yield running


def guard_lines(source: str) -> list[int]:
    """Return which statements of a page call the guard."""
    body = ast.parse(source).body
    return [at for at, statement in enumerate(body) if ast.unparse(statement) == GUARD]


@pytest.mark.parametrize("name", PAGES)
def test_each_page_begins_with_the_guard(name: str) -> None:
    """Before the guard a page has its docstring and imports, nothing that draws or asks."""
    source = (ROOT / "pages" / f"{name}.py").read_text()
    found = guard_lines(source)
    assert found, f"pages/{name}.py lacks {GUARD}"
    docstring, *before = ast.parse(source).body[: found[0]]
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)
    assert [ast.unparse(line) for line in before if not isinstance(line, DRAWS_NOTHING)] == []


@pytest.mark.slow
@pytest.mark.parametrize("names", [PAGES[:AT_ONCE], PAGES[AT_ONCE:]], ids=" ".join)
def test_a_page_asked_for_first_goes_through_app(
    names: list[str], models: Path, tmp_path: Path
) -> None:
    """In a fresh process, a page's own address is the first request: frame, title, link kept."""
    with fresh(len(names), models, tmp_path) as dashboards:
        for name, dashboard in zip(names, dashboards, strict=True):
            seen = dashboard.interact(page=ADDRESSES.get(name, name), query_params=LINK)
            assert seen.content["status"] == "ready", name
            assert seen.has_frame, f"{name} was drawn without the frame of app.py"
            assert seen.elements("title", "main"), name
            for picker in seen.elements("selectbox", "sidebar"):
                assert picker["value"] == "Other", f"{name} lost the model of the link"


@pytest.mark.slow
def test_without_the_guard_a_page_passes_app_by(models: Path, tmp_path: Path) -> None:
    """The proof that the guard does it: the same pages without their guard have no frame."""
    copy = tmp_path / "unguarded"
    for part in ("pages", "dashboard", "kserve_client", ".streamlit"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", copy)
    for page in (copy / "pages").glob("*.py"):
        source, count = re.subn(rf"(?m)^{re.escape(GUARD)}$", "", page.read_text())
        assert count == 1
        page.write_text(source)
    with fresh(1, models, tmp_path, root=copy) as (dashboard,):
        seen = dashboard.interact(page="batch")
        assert seen.elements("title", "main"), "the page is there"
        assert not seen.has_frame, "the page has the frame without its guard"
        # Somebody opens the front door: from then on Streamlit knows app.py's pages.
        assert dashboard.interact().has_frame
