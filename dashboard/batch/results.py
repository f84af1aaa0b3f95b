"""Step six: what became of every row, and what to do next."""

from __future__ import annotations

import streamlit as st

from dashboard import gateway, tables, views
from dashboard.batch import contents, downloads, listing, steps
from dashboard.batch.about import About, about
from dashboard.jobs import JobView
from dashboard.views import literal
from kserve_client.signature import Signature

MOST_CHARACTERS = 240


def draw(signature: Signature, view: JobView) -> None:
    """A job that is over: how it ended, what to do next, its rows and what they add up to."""
    if view.state == "damaged":
        _damaged(view)
        return
    _verdict(view, is_sensitive=any(feature.sensitive for feature in signature.features))
    counts = view.counts
    if counts.done:
        with st.grid(4 if counts.skipped else 3, min_column_width=90):
            st.metric("Rows", f"{counts.done:,}", border=True)
            st.metric("Predicted", f"{counts.ok:,}", border=True)
            st.metric("Failed", f"{counts.failed:,}", border=True)
            if counts.skipped:
                st.metric("Left out", f"{counts.skipped:,}", border=True)
    found = about(view, signature) if counts.done else None
    _next(view, found)
    if found is not None:
        contents.draw(view, found, signature)


# How it ended


def _verdict(view: JobView, *, is_sensitive: bool) -> None:
    counts = view.counts
    if view.state == "cancelled":
        kept = "What is done is here; the rest can be done later." if counts.done else ""
        st.warning(
            f"Cancelled after {_of_total(view)}. {kept}",
            icon=":material/stop_circle:",
        )
    elif view.state == "stopped":
        st.error(
            literal(_sentence(tables.WITHHELD if is_sensitive else view.reason[:MOST_CHARACTERS])),
            title=f"Stopped after {_of_total(view)}",
            icon=":material/error:",
        )
        views.health_link()
    elif counts.failed:
        first = "" if is_sensitive else _first_reason(view)
        told = f"{counts.failed:,} of {steps.row_count(counts.done)} failed.{first}"
        st.warning(literal(told), icon=":material/warning:")
    else:
        st.success(_success(view), icon=":material/check_circle:")


def _of_total(view: JobView) -> str:
    total = view.rows_total if view.counts.total_rows is None else view.counts.total_rows
    return f"{view.counts.done:,}" + (f" of {total:,}" if total is not None else "") + " rows"


def _sentence(text: str) -> str:
    text = text.strip() or "no reason was noted"
    return text if text.endswith((".", "?")) else f"{text}."


def _first_reason(view: JobView) -> str:
    """Why one of the rows failed, with its number."""
    errors = gateway.jobs().recent_errors(view.id, view.owner)
    if not errors:
        return ""
    number, why = errors[0]
    return f" Row {number:,}: {_sentence(why[:MOST_CHARACTERS])}"


def _success(view: JobView) -> str:
    counts = view.counts
    all_rows = f"All {counts.ok:,} rows have" if counts.ok != 1 else "The row has"
    left_out = f" · {steps.row_count(counts.skipped)} left out" if counts.skipped else ""
    if counts.skipped:
        all_rows = f"{steps.row_count(counts.ok)} {'has' if counts.ok == 1 else 'have'}"
    rate = view.figures.rows_per_s
    fast = f" · {rate:,.0f} rows per second" if rate else ""
    return f"{all_rows} a prediction{left_out}{fast}"


def _damaged(view: JobView) -> None:
    st.error(
        literal(_sentence(view.reason)),
        title="The files of this job are damaged",
        icon=":material/error:",
    )
    with st.container(horizontal=True):
        _another()
        _delete(view)


# What to do next


def _next(view: JobView, found: About | None) -> None:
    """The one thing that is most likely wanted, then the others."""
    with st.container(horizontal=True):
        if view.can_resume:
            st.button(
                "Do the rest",
                type="primary",
                icon=":material/play_arrow:",
                key="resume",
                on_click=steps.ask,
                args=(gateway.jobs().resume, view.id),
            )
        if found is not None:
            downloads.draw(view, found)
        if view.can_retry:
            again = view.counts.failed + view.counts.skipped
            st.button(
                f"Try {steps.row_count(again)} again",
                icon=":material/replay:",
                key="retry",
                help="Sends the rows once more that failed or were left out.",
                on_click=steps.ask,
                args=(gateway.jobs().retry, view.id),
            )
        _another()
        _delete(view)


def _another() -> None:
    st.button(
        "Score another table", icon=":material/refresh:", key="another", on_click=steps.leave_job
    )


def _delete(view: JobView) -> None:
    if st.button("Delete", icon=":material/delete:", key="delete", type="tertiary"):
        listing.confirm_delete(view)
