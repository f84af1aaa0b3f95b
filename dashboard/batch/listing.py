"""The jobs of whoever asks: what each is, how it stands, and what can be done with it."""

from __future__ import annotations

import streamlit as st

from dashboard import gateway, views
from dashboard.batch import steps
from dashboard.jobs import JobView
from dashboard.state import MODEL_KEY, choose
from dashboard.views import literal
from kserve_client.catalog import Catalog

FEW = 5
REFRESH_S = 2.0
RESUME, RETRY, DELETE = "Do the rest", "Try the failed rows again", "Delete"
_ICONS = {
    "waiting": "schedule",
    "running": "play_circle",
    "paused": "pause_circle",
    "stopped": "warning",
    "cancelled": "stop_circle",
    "finished": "check_circle",
    "damaged": "error",
}


@st.fragment(run_every=REFRESH_S)
def draw(catalog: Catalog) -> None:
    """The list, the newest first; it refreshes by itself."""
    with views.explained():
        mine = gateway.jobs().mine(steps.owner())
        steps.tell_problem()
        if not mine:
            return
        st.subheader("Jobs")
        shows_all = len(mine) > FEW and st.session_state.get("jobs.all", False)
        for view in mine if shows_all else mine[:FEW]:
            _line(catalog, view)
        if len(mine) > FEW:
            st.toggle(f"Show all {len(mine)} jobs", key="jobs.all")


def _line(catalog: Catalog, view: JobView) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        is_known = view.model_name in catalog
        title = catalog.title(view.model_name) if is_known else view.model_name
        st.markdown(
            f":material/{_icon(view)}: **{literal(view.input_name or view.id)}** · "
            f"{literal(title)}  \n:gray[{literal(_facts(view, is_known=is_known))}]",
            width="stretch",
        )
        if is_known and view.state != "damaged":
            is_opened = st.button(
                "Open",
                key=f"open.{view.id}",
                icon=":material/arrow_forward:",
                on_click=open_job,
                args=(view,),
            )
            if is_opened:
                st.rerun()  # not only this part: the whole page is another one now
        options = _options(view, is_known=is_known)
        if options:
            chosen = st.menu_button(
                "More", options, key=f"more.{view.id}", icon=":material/more_horiz:"
            )
            if chosen is not None:
                _do(view, str(chosen))


def _icon(view: JobView) -> str:
    return _ICONS["stopped" if steps.is_all_failed(view) else view.state]


def _facts(view: JobView, *, is_known: bool) -> str:
    parts = [steps.state_words(view), _rows(view), views.day_and_time(view.created)]
    # Of one that was stopped, the reason may be in the server's words: the job itself says it.
    parts += [view.reason] * bool(view.state == "damaged")
    parts += ["its model is not in the catalog any more"] * (not is_known)
    return " · ".join(part for part in parts if part)


def _rows(view: JobView) -> str:
    done = view.counts.done if view.progress is None else view.progress.rows_done
    if view.is_over and view.state == "finished":
        failed = f", {view.counts.failed:,} failed" if view.counts.failed else ""
        return f"{steps.row_count(view.counts.done)}{failed}"
    total = "" if view.rows_total is None else f" of {view.rows_total:,}"
    return f"{done:,}{total} rows"


def _options(view: JobView, *, is_known: bool) -> list[str]:
    resume = [RESUME] * (view.can_resume and is_known)
    retry = [RETRY] * (view.can_retry and is_known)
    return [*resume, *retry, *([DELETE] * view.is_over)]


def open_job(view: JobView) -> None:
    """Let the page be about a job and its model; only in a callback."""
    choose({MODEL_KEY: view.model_name})
    steps.job_in_address(view.id)


def _do(view: JobView, what: str) -> None:
    if what == DELETE:
        confirm_delete(view)
        return
    jobs = gateway.jobs()
    steps.ask(jobs.resume if what == RESUME else jobs.retry, view.id)
    st.rerun()


@st.dialog("Delete this job")
def confirm_delete(view: JobView) -> None:
    """Ask first: what is deleted can't be had again."""
    st.markdown(
        f"**{literal(view.input_name or view.id)}** with its results "
        f"({_rows(view)}) will be gone. This can't be undone."
    )
    with st.container(horizontal=True):
        is_gone = st.button(
            "Delete",
            type="primary",
            icon=":material/delete:",
            key="delete.yes",
            on_click=_delete,
            args=(view.id,),
        )
        if st.button("Keep it", key="delete.no") or is_gone:
            st.rerun()


def _delete(job_id: str) -> None:
    steps.ask(gateway.jobs().delete, job_id)
    if steps.asked_job() == job_id and gateway.jobs().get(job_id, steps.owner()) is None:
        steps.leave_job()
