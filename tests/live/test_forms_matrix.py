"""Every kind of feature in every layout and datatype: widget → row → bytes → a real MLServer → answer.

The model is an echo, so that what comes back is what was set, or it was lost on the way.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard.forms.field import Field
from dashboard.forms.table import WidgetName, widget_name
from kserve_client.signature import FeatureKind, Signature
from scripts.mlserver import MLServer
from tests import needs
from tests.dashboard.conftest import (  # noqa: F401 - fixtures
    OpenPage,
    no_traceback,
    open_page,
    own_jobs,
    past_the_guard,
)
from tests.dashboard.reading import alert, named, shown_json

BEYOND = 2**53 + 1
TEXT = 'Grüße, 你好 \\ "x"\n2'
INTEGERS = {
    "INT8": -128,
    "INT16": 32767,
    "INT32": -2147483648,
    "INT64": BEYOND,
    "UINT8": 255,
    "UINT16": 65535,
    "UINT32": 4294967295,
    "UINT64": 2**64 - 1,
}


@dataclass(frozen=True)
class Case:
    """A feature, the widget it gets, what is set there, and what must come back for it."""

    kind: str
    datatype: str
    widget: WidgetName
    set: Any
    back: list[Any]
    more: dict[str, Any] = field(default_factory=dict)
    layouts: tuple[str, ...] = ("tensor", "columns")

    def signature(self, layout: str) -> dict[str, Any]:
        """Return a signature of this feature and, where a tensor may have more, one like it."""
        shown: dict[str, Any] = {"name": "x", "kind": self.kind, **self.more}
        if layout == "columns":
            return {"layout": "columns", "features": [{**shown, "datatype": self.datatype}]}
        features = [shown]
        if self.kind not in ("image", "tensor"):
            features = [{**shown, "name": "before"}, shown]
        return {"datatype": self.datatype, "features": features}


def cases() -> dict[str, Case]:
    return {
        "slider": Case("number", "FP64", "slider and box", 0.1, [0.1], {"min": 0, "max": 1}),
        "slider FP32": Case("number", "FP32", "slider and box", 0.25, [0.25], {"min": 0, "max": 1}),
        "box": Case("number", "FP64", "number box", -1234.5678, [-1234.5678]),
        "box FP32": Case("number", "FP32", "number box", 0.5, [0.5]),
        "box FP16": Case("number", "FP16", "number box", 0.5, [0.5]),
        "hidden number": Case("number", "FP64", "hidden line", "0.1", [0.1], {"sensitive": True}),
        "integer slider": Case("integer", "INT64", "slider and box", 7, [7], {"min": 0, "max": 10}),
        **{f"integer {name}": integer(name, number) for name, number in INTEGERS.items()},
        "integer FP64": Case("integer", "FP64", "number box", 2**53 - 1, [2**53 - 1]),
        "integer FP32": Case("integer", "FP32", "number box", 2**24, [2**24]),
        "hidden integer": Case(
            "integer", "INT64", "hidden line", str(BEYOND), [BEYOND], {"sensitive": True}
        ),
        "pills": category("BYTES", ["a", "Ünï"], "Ünï"),
        "pills INT64": category("INT64", [{"value": 4, "label": "four"}, BEYOND], BEYOND),
        "pills FP64": category("FP64", [0.5, 1.5], 1.5),
        "pills BOOL": category("BOOL", [{"value": True, "label": "on"}, False], False),
        "list": Case(
            "category",
            "BYTES",
            "list",
            "Kiel (Ü)",
            ["Kiel (Ü)"],
            {"choices": ["A", "B", "C", "D", "E", "Kiel (Ü)"]},
        ),
        "toggle": Case("boolean", "BOOL", "toggle", True, [True]),
        "toggle INT64": Case("boolean", "INT64", "toggle", True, [1]),
        "toggle FP32": Case("boolean", "FP32", "toggle", True, [1.0]),
        "text": Case("text", "BYTES", "text area", TEXT, [TEXT]),
        "hidden text": Case(
            "text", "BYTES", "hidden line", "Ünï x", ["Ünï x"], {"sensitive": True}
        ),
        "date": Case("date", "BYTES", "calendar", date(2020, 2, 29), ["2020-02-29"]),
        "date long ago": Case("date", "BYTES", "calendar", date(1, 1, 1), ["0001-01-01"]),
        **{f"picture {name}": picture(name) for name in ("FP32", "FP64", "UINT8", "INT64")},
        **{f"tensor {name}": tensor(name, number) for name, number in INTEGERS.items()},
        "tensor FP64": tensor("FP64", 0.1),
        "tensor FP32": tensor("FP32", 0.25),
        "tensor BOOL": tensor("BOOL", True),
        "tensor BYTES": tensor("BYTES", "Grüße, 你好"),
        **missing(),
    }


def integer(datatype: str, number: int) -> Case:
    is_wide = datatype in ("INT64", "UINT64")
    widget: WidgetName = "exact line" if is_wide else "number box"
    return Case("integer", datatype, widget, str(number) if is_wide else number, [number])


def category(datatype: str, choices: list[Any], picked: Any) -> Case:
    return Case("category", datatype, "pills", picked, [picked], {"choices": choices})


def tensor(datatype: str, value: Any) -> Case:
    """Return a tensor of three dimensions with one value that is not zero."""
    zero = {"BOOL": False, "BYTES": ""}.get(datatype, 0)
    flat = [zero] * 7 + [value] + [zero] * 4
    return Case("tensor", datatype, "table", json.dumps(flat), flat, {"shape": [2, 3, 2]})


def picture(datatype: str) -> Case:
    """Return a picture of 2 × 1 pixels, red and a dark blue, as numbers of 0..255."""
    image = Image.new("RGB", (2, 1))
    image.putdata([(255, 0, 0), (0, 0, 51)])
    out = io.BytesIO()
    image.save(out, "PNG")
    spec = {"width": 2, "height": 1, "channels": 3, "low": 0, "high": 255}
    return Case("image", datatype, "upload", out.getvalue(), [255, 0, 0, 0, 0, 51], {"image": spec})


def missing() -> dict[str, Case]:
    """Return an optional field of each kind, emptied, with what is sent instead."""
    empty = {"required": False}

    def instead(value: Any) -> dict[str, Any]:
        return {**empty, "missing": value}

    number = {"min": 0, "max": 1, "default": 0.5}
    choices = {"choices": ["a", "b"], "default": "b"}
    found = {
        "number": Case("number", "FP64", "slider and box", None, [None], {**number, **empty}),
        "number instead": Case(
            "number", "FP32", "slider and box", None, [-1.0], {**number, **instead(-1)}
        ),
        "integer": Case("integer", "INT64", "exact line", "", [BEYOND], instead(BEYOND)),
        "integer null": Case(
            "integer", "FP64", "number box", None, [None], {**empty, "default": 3}
        ),
        "category": Case("category", "BYTES", "pills", None, ["?"], {**choices, **instead("?")}),
        "boolean": Case(
            "boolean", "BOOL", "yes or no", None, [False], {**instead(False), "default": True}
        ),
        "text": Case("text", "BYTES", "text area", "", ["?"], {**instead("?"), "default": "x"}),
        "date": Case(
            "date", "BYTES", "calendar", None, ["?"], {**instead("?"), "default": "2020-01-01"}
        ),
    }
    return {f"missing {name}": case for name, case in found.items()}


CASES = {
    f"{name}, {layout}": (case, layout) for name, case in cases().items() for layout in case.layouts
}


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLServer]:
    """Run a MLServer with the echo."""
    home = tmp_path_factory.mktemp("echo")
    models = home / "models" / "echo"
    models.mkdir(parents=True)
    runtime = Path(__file__).with_name("echo_runtime.py")
    shutil.copy(runtime, home / "models" / runtime.name)
    settings = {"name": "echo", "implementation": "echo_runtime.EchoModel"}
    (models / "model-settings.json").write_text(json.dumps(settings))
    with MLServer(needs.mlserver_python(), home / "models", home / "mlserver.log") as server:
        yield server


@pytest.fixture
def signature(name: str) -> dict[str, Any]:
    """Return the signature of a case."""
    case, layout = CASES[name]
    return case.signature(layout)


@pytest.fixture
def models_file(echo: MLServer, tmp_path: Path, signature: dict[str, Any]) -> Path:
    """Write a models file with the one model "m" of a signature, which asks the echo."""
    entry = {"endpoint": "e", "model_name": "echo", "signature": signature}
    content = {"endpoints": {"e": {"url": echo.url}}, "models": {"m": entry}}
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    return path


def set_widgets(app: AppTest, case: Case, signature: dict[str, Any]) -> None:
    """Set the widget of the feature, and of the one before it, as a person does."""
    for feature in signature["features"]:
        SETTERS[case.widget](app, f"x.m.{feature['name']}", case.set)
    app.run()


def upload(app: AppTest, name: str, data: bytes) -> None:
    named(app.file_uploader, name.replace("x.", "upload.", 1)).upload("x.png", data, "image/png")


SETTERS: dict[WidgetName, Callable[[AppTest, str, Any], Any]] = {
    "slider and box": lambda app, name, value: (
        named(app.slider, name.replace("x.", "slider.", 1)).set_value(value)
        if value is not None
        else named(app.number_input, name).set_value(None)
    ),
    "number box": lambda app, name, value: named(app.number_input, name).set_value(value),
    "exact line": lambda app, name, value: named(app.text_input, name).set_value(value),
    "hidden line": lambda app, name, value: named(app.text_input, name).set_value(value),
    "pills": lambda app, name, value: named(app.pills, name).set_value(value),
    "yes or no": lambda app, name, value: named(app.pills, name).set_value(value),
    "list": lambda app, name, value: named(app.selectbox, name).set_value(value),
    "toggle": lambda app, name, value: named(app.toggle, name).set_value(value),
    "text area": lambda app, name, value: named(app.text_area, name).set_value(value),
    "calendar": lambda app, name, value: named(app.date_input, name).set_value(value),
    "upload": upload,
    "table": lambda app, name, value: named(
        app.text_area, name.replace("x.", "paste.grid.", 1)
    ).input(value),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_set_is_what_comes_back(
    open_page: OpenPage,  # noqa: F811
    signature: dict[str, Any],
    name: str,
) -> None:
    """From the widget to a real server and back, nothing is lost or rounded."""
    case, _ = CASES[name]
    app = open_page("predict", m="m")
    set_widgets(app, case, signature)
    assert [error.value for error in [*app.error, *app.warning]] == []
    (answer,) = shown_json(app, "Answer (JSON)")["outputs"]
    assert answer["datatype"] == case.datatype
    count = len(case.back)
    assert answer["data"][-count:] == case.back
    assert [type(value) for value in answer["data"][-count:]] == [type(v) for v in case.back] or (
        case.datatype.startswith("FP")
    )


@pytest.mark.parametrize("name", CASES)
def test_the_widget_table_decides(signature: dict[str, Any], name: str) -> None:
    """Each case gets the widget that stands beside it here, by hand."""
    found = Field.all_of("f", Signature.model_validate(signature))[-1]
    assert widget_name(found) == CASES[name][0].widget


def test_every_widget_and_kind_has_its_case() -> None:
    """A new widget or kind without a case here fails."""
    assert {case.widget for case, _ in CASES.values()} == set(get_args(WidgetName))
    assert {case.kind for case, _ in CASES.values()} == set(get_args(FeatureKind))


HALF = Case("number", "BF16", "number box", 0.5, [0.5])


@pytest.mark.parametrize("signature", [HALF.signature("columns")], ids=["BF16"])
def test_what_json_can_not_carry_is_refused_in_words(open_page: OpenPage) -> None:  # noqa: F811
    """BF16 has no JSON form, and MLServer no binary one: the person reads so, nothing is sent."""
    said = alert(open_page("predict", m="m"), "warning")
    assert "BF16" in said
    assert "send FP32" in said
