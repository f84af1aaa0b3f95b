"""Who a job of the page Batch belongs to, by what a login or a proxy says of a person."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

LOGIN = {"is_logged_in": True, "iss": "https://login.example.org", "sub": "7"}


def told() -> None:
    """Tell who asks, as a page."""
    import streamlit as st

    from dashboard.batch import steps

    st.text(f"<{steps.owner()}>")


def owner(user: dict[str, Any]) -> str:
    app = AppTest.from_function(told)
    app.user.clear()
    app.user.update(user)
    (text,) = app.run().text
    return str(text.value)


@pytest.mark.parametrize(
    "email",
    [{}, {"email": "me@example.org"}, {"email": "boss@example.org", "email_verified": False}],
)
def test_a_login_is_named_by_issuer_and_subject(email: dict[str, Any]) -> None:
    """Whatever address it brings along: only these two are never somebody else's."""
    assert owner(LOGIN | email) == "<https://login.example.org 7>"


def test_the_same_subject_of_another_issuer_is_somebody_else() -> None:
    """Subjects are unique per issuer only."""
    other = LOGIN | {"iss": "https://other.example.org"}
    assert owner(other) == "<https://other.example.org 7>"


@pytest.mark.parametrize("verified", [{}, {"email_verified": True}])
def test_a_proxy_names_people_by_e_mail(verified: dict[str, Any]) -> None:
    """A trusted header has no issuer, and says nothing of a check, or that there was one."""
    assert owner({"email": "me@example.org"} | verified) == "<me@example.org>"


@pytest.mark.parametrize("verified", [False, "false"])
def test_an_address_that_nobody_checked_names_nobody(verified: object) -> None:
    """What else is known of the person counts then; a header comes as text."""
    unchecked = {"email": "boss@example.org", "email_verified": verified}
    assert owner(unchecked) == "<>"
    assert owner(unchecked | {"sub": "7"}) == "<7>"
    assert owner(unchecked | {"name": "me"}) == "<me>"


def test_a_proxy_may_give_a_name_alone() -> None:
    """A trusted header that is read as name; one that is not there is None."""
    assert owner({"email": None, "name": "me"}) == "<me>"


def test_a_name_of_a_login_names_nobody() -> None:
    """People choose it themselves."""
    assert owner({"is_logged_in": True, "name": "boss"}) == "<>"


def test_without_a_login_nobody_is_named() -> None:
    """Then jobs belong to everyone of the dashboard."""
    assert owner({}) == "<>"
