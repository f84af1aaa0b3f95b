"""What a person reads on a page of AppTest, without the layout around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

W = TypeVar("W", bound=Widget)

ALERTS = ("error", "warning", "info", "success")


def plain(markdown: str) -> str:
    """Return Markdown as it reads: no directives, emphasis, backticks and escapes."""
    shown = re.sub(r":[a-z-]+\[([^\[\]]*)\]", r"\1", markdown)
    shown = re.sub(r":[a-z-]+\[([^\[\]]*)\]", r"\1", shown)
    shown = re.sub(r":material/\w+:", "", shown)
    shown = re.sub(r"(?<!\\)(\*\*|`|^#+ )", "", shown)
    return re.sub(r"\\(.)", r"\1", shown).strip()


def words(app: AppTest) -> str:
    """Return all texts of the page, one a line: titles, texts, captions, alerts and metrics."""
    kinds = ("title", "subheader", "markdown", "caption", *ALERTS, "metric")
    found = [plain(str(element.value)) for kind in kinds for element in getattr(app, kind)]
    return "\n".join([*found, *(plain(e.title) for kind in ALERTS for e in getattr(app, kind))])


def title(app: AppTest) -> str:
    """Return the one title of the page."""
    (found,) = app.title
    return plain(found.value)


def alert(app: AppTest, kind: str) -> str:
    """Return title and text of the one alert of a kind."""
    (found,) = getattr(app, kind)
    return f"{plain(found.title)}: {plain(found.value)}" if found.title else plain(found.value)


def answer(app: AppTest) -> str:
    """Return the big answer of the Predict page."""
    (found,) = [m.value for m in app.markdown if m.value.startswith("## ")]
    return plain(found)


def named(widgets: Iterable[W], name: str) -> W:
    """Return the widget of the form whose key is a name, whether or not it was renewed."""
    (found,) = [w for w in widgets if w.key == name or str(w.key).startswith(f"{name}~")]
    return found


def pick(app: AppTest, name: str) -> None:
    """Choose a model in the sidebar."""
    app.selectbox(key="model").select(name).run()


def links(app: AppTest) -> list[str]:
    """Return the labels of the links on the page itself."""
    return [plain(link.proto.label) for link in app.main.page_link]


def shown_json(app: AppTest, tab: str) -> Any:
    """Return the JSON in one of the tabs."""
    (found,) = [found for found in app.tabs if found.label == tab]
    return json.loads(found.code[0].value)
