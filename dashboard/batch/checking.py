"""Step three: what is in the table that can't, or should not, be sent."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import views
from dashboard.batch import steps
from dashboard.batch.draft import Draft, Look
from dashboard.batch.mapping import value_field
from dashboard.views import literal
from kserve_client.scoring.checking import Finding, Findings
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
    items = findings.items
    refused = max((item.rows for item in items if item.is_refused), default=0) + findings.ragged
    outside = max((item.rows for item in items if item.trouble == "range"), default=0)
    gaps = any(item.trouble == "missing" and not item.is_refused for item in items)
    repeated = findings.repeated.rows or findings.repeated_keys.rows
    parts = [f"{_at_least(refused, items)} can't be sent"] * bool(refused)
    parts += [f"{_at_least(outside, items)} outside the usual range"] * bool(outside)
    parts += ["some values are missing"] * gaps
    parts += [f"{repeated:,} repeated"] * bool(repeated)
    return " · ".join([where, *(parts or ["nothing wrong"])])


def _at_least(rows: int, items: Sequence[Finding]) -> str:
    """Rows may be in several findings, or each in one: then they are more than in any."""
    return f"{rows:,}" if len(items) < 2 else f"at least {rows:,}"


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
