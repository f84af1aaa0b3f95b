"""Step six: what became of every row, and what to do next."""

from __future__ import annotations

import streamlit as st

from dashboard import gateway, tables, views
from dashboard.batch import contents, downloads, listing, steps
from dashboard.batch.about import About, about
from dashboard.jobs import JobView, StorageTroubleError
from dashboard.views import literal, sentence
from kserve_client.errors import KServeClientError
from kserve_client.signature import Signature

MOST_CHARACTERS = 240
# Of so many rows that failed it takes a second to say how many can be sent.
MOST_COUNTED = 50_000


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
        downloads.tell(view)
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
            literal(sentence(tables.WITHHELD if is_sensitive else _reason(view)[:MOST_CHARACTERS])),
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


def _reason(view: JobView) -> str:
    return view.reason.strip() or "no reason was noted"


def _first_reason(view: JobView) -> str:
    """Why the first of the rows that failed did, with its number."""
    try:
        found = gateway.first_failure(view)
    except KServeClientError as error:
        if isinstance(error, StorageTroubleError) and error.is_away:
            raise
        return ""  # a damaged part, which the rows below tell of
    if found is None:
        return ""
    at, why = found
    return sentence(f" Row {at + 1:,}: {why[:MOST_CHARACTERS].strip()}")


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
        literal(sentence(_reason(view))),
        title="The files of this job are damaged",
        icon=":material/error:",
    )
    with st.container(horizontal=True):
        _another()
        _delete(view)


# What to do next


def _next(view: JobView, found: About | None) -> None:
    """The one thing that is most likely wanted, then the others."""
    again = _sendable(view) if view.can_retry else 0
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
        if again != 0:
            st.button(
                f"Try {'the failed rows' if again is None else steps.row_count(again)} again",
                icon=":material/replay:",
                key="retry",
                help="Sends the rows once more that failed.",
                on_click=steps.ask,
                args=(gateway.jobs().retry, view.id),
            )
        _another()
        _delete(view)
    unsendable = 0 if again is None else view.counts.failed - again
    if view.can_retry and unsendable > 0:
        what = f"{steps.row_count(unsendable)} can't be sent as {_they(unsendable)}"
        st.caption(f"{what}: correct the table, then score it again.")


def _they(count: int) -> str:
    return "it is" if count == 1 else "they are"


def _sendable(view: JobView) -> int | None:
    """How many of the rows that failed may get a prediction when they are sent once more; None: unknown."""
    if view.counts.failed > MOST_COUNTED:
        return None
    try:
        with st.spinner("Looking at the rows without a prediction", show_time=True):
            return gateway.sendable(view)
    except StorageTroubleError:
        raise
    except KServeClientError:  # of a model that has changed; to try again says how
        return None


def _another() -> None:
    st.button(
        "Score another table", icon=":material/refresh:", key="another", on_click=steps.leave_job
    )


def _delete(view: JobView) -> None:
    if st.button("Delete", icon=":material/delete:", key="delete", type="tertiary"):
        listing.confirm_delete(view)
