"""Step three: what is in the table that can't, or should not, be sent."""

from __future__ import annotations

import streamlit as st

from dashboard import views
from dashboard.batch import choosing, steps
from dashboard.batch.draft import Draft, Look
from dashboard.batch.mapping import value_field
from dashboard.views import literal
from kserve_client.scoring.checking import Finding, Findings
from kserve_client.scoring.doubts import Doubt
from kserve_client.scoring.treatment import Action, usual_value
from kserve_client.signature import Signature

SLICE_S = 0.4
NO_KEY = "Whole rows"
_SINGULAR = {"hold ": "holds ", "have ": "has ", "are ": "is "}


def draw(draft: Draft, signature: Signature) -> bool:
    """The check; whether it is over and the table can be read to its end."""
    if draft.look is None:
        draft.look = Look(signature, draft)
    look = draft.look
    look.go_on(SLICE_S)
    if not look.is_over:
        _under_way(look)
    if look.problem is not None:
        views.problem(look.problem)
        return False
    if look.doubt is not None:
        _ask(draft, look.doubt)
        return False
    _found(draft, signature, look)
    return True


def _under_way(look: Look) -> None:
    """The check goes on as long as the page is looked at; it may be left at what it has."""
    with steps.step("Check", "under way", "busy", is_open=True):
        told = st.empty()
        st.button("Skip the rest of the check", key="skip", on_click=look.stop)
    while not look.is_over:
        told.markdown(f"{steps.row_count(look.rows)} looked at")
        look.go_on(SLICE_S)
    st.rerun()


def _ask(draft: Draft, doubt: Doubt) -> None:
    """Nobody but a person can say how the table writes decimals."""
    key = f"doubt.{draft.id}"
    small, large = doubt.readings
    words = {".": f"{small}: the point parts decimals", ",": f"{large}: the point parts thousands"}

    def take() -> None:
        st.session_state[choosing.decimal_key(draft.name)] = st.session_state[key]

    with steps.step("Check", "how are decimals written?", "attention", is_open=True):
        st.radio(
            f"{literal(doubt.column)} holds numbers such as {literal(doubt.cell)} (first in row "
            f"{doubt.row + 1:,}), and nothing in the column shows how to read them. Which number "
            "is this?",
            list(words),
            index=None,
            key=key,
            format_func=words.get,
            on_change=take,
        )


def _found(draft: Draft, signature: Signature, look: Look) -> None:
    findings = look.findings
    is_quiet = not (findings.items or findings.ragged)
    words = summary(findings, is_whole=look.is_whole)
    with steps.step("Check", words, "done" if is_quiet else "attention", is_open=not is_quiet):
        for item in findings.items:
            _item(draft, signature, item)
        rest = findings.sentences[len(findings.items) :]
        if rest:
            st.markdown("\n".join(f"- {literal(sentence)}" for sentence in rest))
        _key(draft)


def summary(findings: Findings, *, is_whole: bool) -> str:
    """What was found, in a line."""
    rows = steps.row_count(findings.rows)
    where = rows if is_whole else f"the first {rows}"
    gaps = any(item.trouble == "missing" and not item.is_refused for item in findings.items)
    repeated = findings.repeated.rows or findings.repeated_keys.rows
    at_least = "" if is_whole and not findings.unread else "at least "
    parts = [f"{at_least}{findings.refused:,} can't be sent"] * bool(findings.refused)
    parts += [f"{at_least}{findings.outside:,} outside the usual range"] * bool(findings.outside)
    parts += ["some values are missing"] * gaps
    parts += [f"{repeated:,} repeated"] * bool(repeated)
    return " · ".join([where, *(parts or ["nothing wrong"])])


def _item(draft: Draft, signature: Signature, item: Finding) -> None:
    """One finding, and what to do about it."""
    feature = signature.feature(item.feature)
    offers = {offer.action: offer.words for offer in item.offers}
    actions: list[Action] = [offer.action for offer in item.offers]
    now = draft.actions.get(item.feature, {}).get(item.trouble, "send")
    key = f"act.{draft.id}.{item.feature}.{item.trouble}"
    icon = ":material/error:" if item.is_refused else ":material/info:"
    chosen = st.selectbox(
        f"{icon} **{literal(feature.label)}** · {literal(told(item))}",
        actions,
        index=actions.index(now) if now in actions else 0,
        key=key,
        format_func=lambda action: _capital(offers[action]),
    )
    draft.act(item.feature, item.trouble, chosen)
    if chosen == "fix" and item.trouble == "missing" and usual_value(feature) is None:
        value = value_field(
            f"Value to fill in for {literal(feature.label)}",
            feature,
            f"{key}.fill",
            draft.fills.get(item.feature),
        )
        draft.fill(item.feature, value)


def told(item: Finding) -> str:
    """A finding in words, with the first of its rows."""
    words = item.words
    if item.rows == 1:
        for many, one in _SINGULAR.items():
            words = words.replace(many, one, 1) if words.startswith(many) else words
    rows = f"{steps.row_count(item.rows)} {words}"
    return f"{rows} ({item.where})" if item.where else rows


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _key(draft: Draft) -> None:
    """A column whose cells should differ, such as a number of customers."""
    options = [NO_KEY, *dict.fromkeys(draft.preview.names)]
    chosen = st.selectbox(
        "Look for repeats in",
        options,
        index=0 if draft.key is None else options.index(draft.key),
        key=f"key.{draft.id}",
        help="Choose a column with a number or name of its own for each row.",
    )
    key = None if chosen == NO_KEY else str(chosen)
    if key != draft.key:
        draft.take_key(key)
        st.rerun()
