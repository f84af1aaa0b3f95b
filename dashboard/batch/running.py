"""Step five: a job under way. It runs whether or not somebody looks."""

from __future__ import annotations

import streamlit as st

from dashboard import gateway, tables, views
from dashboard.batch import steps
from dashboard.jobs import JobView
from dashboard.views import literal
from kserve_client.scoring import Progress

REFRESH_S = 0.7
# Requests grow while they are answered quickly: before that, the time left is several times too long.
SETTLED_S = 4.0
ERRORS_SHOWN = 5
GOES_ON = "You may close this page: the job goes on, and is in the list when you return."
STAYS = (
    "You may close this page: the job stays as it is, in the list, until somebody lets it go on."
)
MOST_CHARACTERS = 240


@st.fragment(run_every=REFRESH_S)
def draw(job_id: str, *, is_sensitive: bool) -> None:
    """The part that refreshes by itself; once the job is over the whole page is drawn again."""
    with views.explained():
        view = gateway.jobs().get(job_id, steps.owner())
        if view is None or view.is_over:
            st.rerun()
        _progress(view)
        steps.tell_problem()
        _buttons(view)
        st.caption(STAYS if view.state == "paused" else GOES_ON)
        _errors(view, is_sensitive=is_sensitive)


def _progress(view: JobView) -> None:
    now = view.progress
    done = view.counts.done if now is None else now.rows_done
    share = done / view.rows_total if view.rows_total else 0.0
    words = f"{_state(view)} · {_counted(view, done)}{_place(view)}"
    st.progress(min(share, 1.0), text=literal(words))
    if view.reason:
        st.caption(literal(f"{view.reason[0].upper()}{view.reason[1:]}."))
    facts = _facts(view, now)
    if facts:
        st.markdown(" · ".join(facts))


def _state(view: JobView) -> str:
    if view.state == "waiting" and view.ahead:
        return f"Waits for {view.ahead} other job{'s' if view.ahead > 1 else ''}"
    if view.progress is not None and view.progress.is_waiting and view.state == "running":
        return "Waits for the model, which does not answer"
    turn = "Waits" if view.reason else "Waits for its turn"
    words = {"waiting": turn, "paused": "Paused"}
    again = "Once more: the rows that failed" if view.is_retry else "Running"
    return words.get(view.state, again if view.is_here else "Running elsewhere")


def _counted(view: JobView, done: int) -> str:
    total = "" if view.rows_total is None else f" of {view.rows_total:,}"
    failed = view.counts.failed if view.progress is None else view.progress.failed
    return f"{done:,}{total} rows" + (f" · {failed:,} failed" if failed else "")


def _place(view: JobView) -> str:
    return " · on the cluster" if view.state == "running" and view.where == "cluster" else ""


def _facts(view: JobView, now: Progress | None) -> list[str]:
    """Rate, time left, and how the rows travel; nothing of it while the model does not answer."""
    if now is None or view.state != "running" or now.is_waiting or not now.rows_per_s:
        return []
    facts = [f"**{now.rows_per_s:,.0f}** rows per second"]
    if now.eta_s is not None and now.elapsed_s >= SETTLED_S:
        facts.append(f"**{steps.duration(now.eta_s)}** left")
    at_a_time = "one request" if now.concurrency == 1 else f"{now.concurrency} requests"
    facts.append(f"{at_a_time} at a time, up to {steps.row_count(now.chunk_rows)} in each")
    return facts


def _buttons(view: JobView) -> None:
    jobs = gateway.jobs()
    with st.container(horizontal=True):
        if view.state == "paused":
            st.button(
                "Go on",
                type="primary",
                icon=":material/play_arrow:",
                key="go_on",
                on_click=steps.ask,
                args=(jobs.go_on, view.id),
            )
        else:
            st.button(
                "Pause",
                icon=":material/pause:",
                key="pause",
                on_click=steps.ask,
                args=(jobs.pause, view.id),
            )
        st.button(
            "Cancel",
            icon=":material/stop:",
            key="cancel",
            help="What is done stays, and the rest can be done later.",
            on_click=steps.ask,
            args=(jobs.cancel, view.id),
        )


def _errors(view: JobView, *, is_sensitive: bool) -> None:
    """The last rows that failed, with why."""
    errors = gateway.jobs().recent_errors(view.id, steps.owner())
    if not errors:
        return
    st.markdown("**The last rows that failed**")
    for number, why in reversed(errors[-ERRORS_SHOWN:]):
        told = tables.WITHHELD if is_sensitive else why[:MOST_CHARACTERS]
        st.caption(f"Row {number:,} · {literal(told)}")
