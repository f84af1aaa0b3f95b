"""A form by itself, under a name of its own, whose signature changes while it is filled in."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.reading import named, plain


def script() -> None:
    """Draw one form, or two, of the signature that a test put into the session."""
    import streamlit as st

    from dashboard import forms
    from kserve_client.signature import Signature

    signature = Signature.model_validate(st.session_state["signature"])
    st.session_state["rows"] = {
        name: forms.draw(name, signature) for name in st.session_state["names"]
    }
    st.session_state["issues"] = forms.issues(
        signature, st.session_state["rows"][st.session_state["names"][0]]
    )


def opened(*features: dict[str, Any], names: tuple[str, ...] = ("try.a",)) -> AppTest:
    app = AppTest.from_function(script, default_timeout=20)
    app.session_state["names"] = names
    return given(app, *features)


def given(app: AppTest, *features: dict[str, Any]) -> AppTest:
    """Give the form other features and run it."""
    app.session_state["signature"] = {"layout": "columns", "features": list(features)}
    app.run()
    assert [error.value for error in app.exception] == []
    return app


def row(app: AppTest, name: str = "try.a") -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = app.session_state["rows"]
    return rows[name]


def test_a_form_needs_no_filling_first() -> None:
    """Drawn as it is, it begins with its defaults."""
    app = opened({"name": "x", "min": 0, "max": 10, "default": 3}, {"name": "y", "kind": "text"})
    assert row(app) == {"x": 3.0, "y": None}
    assert app.session_state["issues"] == {"y": "needed"}


def test_two_forms_of_one_model_do_not_share() -> None:
    """Each name has its own values."""
    app = opened({"name": "x", "min": 0, "max": 10, "default": 3}, names=("try.a", "other"))
    named(app.slider, "slider.try.a.x").set_value(7.0).run()
    assert (row(app), row(app, "other")) == ({"x": 7.0}, {"x": 3.0})


def test_what_still_fits_is_kept() -> None:
    """A moved end, another step, another title: the number stays, on a slider that can show it."""
    app = opened({"name": "x", "min": 0, "max": 10, "default": 3})
    named(app.slider, "slider.try.a.x").set_value(7.0).run()
    given(app, {"name": "x", "min": 0, "max": 5, "default": 3, "title": "Length"})
    assert row(app) == {"x": 7.0}
    slider = named(app.slider, "slider.try.a.x")
    assert (plain(slider.label), slider.value) == ("Length · 0 – 5", 5.0)
    given(app, {"name": "x"})
    assert row(app) == {"x": 7.0}
    assert len(app.slider) == 0


CHANGES: dict[str, tuple[dict[str, Any], Any, dict[str, Any], Any]] = {
    "number to text": ({"default": 2.5}, 2.5, {"kind": "text"}, "2.5"),
    "number to integer": ({"default": 2.0}, 2.0, {"kind": "integer", "datatype": "INT32"}, 2),
    "number to integer, no whole one": (
        {"default": 2.5},
        2.5,
        {"kind": "integer", "default": 4},
        4,
    ),
    "integer to text line": (
        {"kind": "integer", "min": 0, "max": 9, "default": 4},
        4,
        {"kind": "integer"},
        4,
    ),
    "text to category": (
        {"kind": "text", "default": "red"},
        "red",
        {"kind": "category", "choices": ["green", "red"]},
        "red",
    ),
    "text to category without it": (
        {"kind": "text", "default": "blue"},
        "blue",
        {"kind": "category", "choices": ["green", "red"]},
        None,
    ),
    "a choice is gone": (
        {"kind": "category", "choices": ["a", "b"], "default": "b"},
        "b",
        {"kind": "category", "choices": ["a", "c"]},
        None,
    ),
    "boolean to number": ({"kind": "boolean", "default": True}, True, {"default": 1.5}, 1.5),
    "boolean to yes or no": (
        {"kind": "boolean", "default": True},
        True,
        {"kind": "boolean", "required": False},
        True,
    ),
    "not known stays so": (
        {"default": None, "required": False},
        None,
        {"default": 3, "required": False, "min": 0, "max": 9},
        None,
    ),
    "text to date": (
        {"kind": "text", "default": "no day"},
        "no day",
        {"kind": "date", "required": False},
        None,
    ),
    "number to tensor": (
        {"default": 1.0},
        1.0,
        {"kind": "tensor", "shape": [2]},
        [0.0, 0.0],
    ),
    "another shape": (
        {"kind": "tensor", "shape": [2]},
        [0.0, 0.0],
        {"kind": "tensor", "shape": [3]},
        [0.0, 0.0, 0.0],
    ),
    "becomes sensitive": ({"default": 2.5}, 2.5, {"sensitive": True}, 2.5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_feature_becomes_another(change: str) -> None:
    """Each run ends well; what the new feature can show is kept, else it begins anew."""
    before, first, after, then = CHANGES[change]
    app = opened({"name": "x", **before})
    assert row(app) == {"x": first}
    given(app, {"name": "x", **after})
    assert row(app) == {"x": then}
    given(app, {"name": "x", **before})


def test_features_come_and_go() -> None:
    """A feature that is left out and comes back is there again."""
    x, y = {"name": "x", "default": 1.0}, {"name": "y", "default": 2.0}
    app = opened(x, y)
    named(app.number_input, "x.try.a.y").set_value(5.0).run()
    assert row(given(app, x)) == {"x": 1.0}
    assert set(row(given(app, y, x))) == {"y", "x"}
    assert list(row(app)) == ["y", "x"]


MANY = [
    {"name": f"f{at}", "title": f"Field {at}", "group": "Even" if at % 2 == 0 else "Odd"}
    for at in range(24)
]


def test_many_fields_can_be_searched() -> None:
    """Others are hidden, not forgotten: every value stays in the row."""
    app = opened(*MANY)
    named(app.number_input, "x.try.a.f3").set_value(8.0).run()
    app.text_input(key="find.try.a").set_value("field 12").run()
    hidden = styles(app)
    assert ".st-key-field-try-a-12-must { display: none; }" not in hidden
    assert ".st-key-field-try-a-3-must { display: none; }" in hidden
    assert ".st-key-section-try-a-1 { display: none; }" in hidden  # nothing odd is looked for
    assert ".st-key-section-try-a-0 { display: none; }" not in hidden
    assert row(app)["f3"] == 8.0
    assert len(row(app)) == 24
    assert [fold.proto.expanded for fold in app.expander] == [True, True]
    app.text_input(key="find.try.a").set_value("").run()
    assert "st-key-field-try-a-3-must { display: none" not in styles(app)


def test_few_fields_need_no_search() -> None:
    """Twenty fields and no box to search in."""
    assert [line.key for line in opened(*MANY[:20]).text_input] == []


def styles(app: AppTest) -> str:
    found = [html.proto.body for html in app.get("html")]
    return "".join(body for body in found if body.startswith("<style>"))


def test_a_long_form_without_groups_has_no_folds() -> None:
    """One group needs no name."""
    app = opened(*({**feature, "group": ""} for feature in MANY))
    assert len(app.expander) == 0
    assert len(app.number_input) == 24
