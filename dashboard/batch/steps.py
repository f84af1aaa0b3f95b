"""What the steps of the page share: their look, who asks, and the state of the session."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, NoReturn, cast

import streamlit as st

from dashboard import gateway
from dashboard.batch.draft import Preparation
from dashboard.jobs import JobView, Spooled, StorageTroubleError
from dashboard.state import session
from dashboard.views import literal
from kserve_client.errors import KServeClientError

JOB, UPLOAD = "job", "upload"
AGAIN_S = 2.0
AGAIN = "This page tries again by itself."
State = Literal["done", "attention", "busy"]
_ICONS = {
    "done": ":material/check_circle:",
    "attention": ":material/edit_note:",
    "busy": ":material/hourglass_top:",
}


def step(title: str, words: str, state: State, *, is_open: bool) -> Any:
    """One step of the timeline: what it is, and how it stands, in a line that opens."""
    label = f"**{title}** · {literal(words)}"
    return st.expander(label, expanded=is_open, type="step", icon=_ICONS[state])


def owner() -> str:
    """Who asks; "" where nobody logs in, so that jobs belong to everyone of this dashboard.

    A login is issuer and subject, which together are never given to somebody else (OpenID Connect
    Core, 5.7). Without these a trusted proxy says who it is (`server.trustedUserHeaders`).
    """
    user = st.user
    issuer, subject, email = user.get("iss"), user.get("sub"), user.get("email")
    if issuer and subject:
        return f"{issuer} {subject}"
    # Some providers, and every header, say it as text.
    if email and str(user.get("email_verified")).lower() != "false":
        return str(email)
    # In a login people choose their name themselves.
    name = "" if user.get("is_logged_in") else user.get("name")
    return str(subject or name or "")


def preparation(model: str) -> Preparation | None:
    """What this session prepares for a model."""
    return cast("Preparation | None", session().drafts.get(model))


def prepare(model: str, made: Preparation) -> None:
    """Take up another table; an upload that was not used goes."""
    drop(model)
    session().drafts[model] = made


def drop(model: str, *, is_used: bool = False) -> None:
    """Forget what was prepared. An upload that no job took is removed."""
    before: Preparation | None = session().drafts.pop(model, None)
    if before is None:
        return
    if before.draft is not None:
        before.draft.forget_look()
    if not is_used:
        gateway.discard(before.source)


def tell_problem() -> None:
    """Say why the jobs can't be read at the moment, if they can't."""
    problem = gateway.jobs().problem()
    if problem:
        _tell(problem, "What is shown may be old; this page tries again by itself.")


def wait_while(problem: Callable[[], str]) -> NoReturn:
    """Tell of a problem, draw nothing else, and draw the page anew once `problem` says ""."""
    _watch(problem)
    st.stop()


@st.fragment(run_every=AGAIN_S)
def _watch(problem: Callable[[], str]) -> None:
    found = problem()
    if not found:
        st.rerun()
    _tell(found, AGAIN)


def try_again(error: StorageTroubleError, then: str = AGAIN) -> None:
    """Tell of what the storage refused, and draw the page anew once it can be read.

    Raises the error where it would not help to try again.
    """
    if not error.is_away:
        raise error
    _try_again(str(error), then, time.monotonic())


@st.fragment(run_every=AGAIN_S)
def _try_again(problem: str, then: str, told_s: float) -> None:
    """Nobody may know yet that the storage is away: the first time, this only tells."""
    if time.monotonic() - told_s > AGAIN_S / 2:
        gateway.jobs().mine(owner())  # has the storage looked at
        if not gateway.jobs().problem():
            st.rerun()
    _tell(problem, then)


def _tell(problem: str, then: str) -> None:
    st.warning(literal(f"{problem[0].upper()}{problem[1:]}. {then}"), icon=":material/cloud_off:")


def upload_in_address(made: Preparation | None) -> None:
    """Let the address lead to the upload in preparation, so that another session can go on."""
    if made is not None and isinstance(made.source, Spooled):
        st.query_params[UPLOAD] = made.source.id
    else:
        st.query_params.pop(UPLOAD, None)


def asked_upload() -> str | None:
    """The upload that the address names, unless this session prepares it already."""
    asked = st.query_params.get(UPLOAD)
    sources = [draft.source for draft in session().drafts.values()]
    is_here = any(isinstance(one, Spooled) and one.id == asked for one in sources)
    return None if is_here else asked or None


def kept_upload() -> Spooled | None:
    """That upload; None when it is gone."""
    asked = asked_upload()
    return gateway.jobs().spooled(asked, owner()) if asked else None


def upload_problem() -> str:
    """Why the upload that the address names can't be read now; "" when it can, or is gone."""
    try:
        kept_upload()
    except StorageTroubleError as error:
        return str(error)
    return ""


def asked_job() -> str | None:
    """The job that the address names."""
    return st.query_params.get(JOB)


def job_in_address(job_id: str | None) -> None:
    """Let the address lead to a job, or to none."""
    if job_id is None:
        st.query_params.pop(JOB, None)
    else:
        st.query_params[JOB] = job_id


def ask(what: Callable[[str, str], None], job_id: str) -> None:
    """Ask something of a job, as the callback of a button; what can't be done is said in passing."""
    try:
        what(job_id, owner())
    except KServeClientError as error:
        st.toast(literal(str(error)), icon=":material/info:")


def leave_job() -> None:
    """Go back to the beginning; the job stays in the list."""
    job_in_address(None)


def state_words(view: JobView) -> str:
    """The state of a job as a word for people."""
    if is_all_failed(view):
        return "all rows failed"
    if view.state == "finished" and view.counts.failed:
        return "finished, some rows failed"
    return view.state if view.is_here or view.state != "running" else "running elsewhere"


def is_all_failed(view: JobView) -> bool:
    """Whether a job is over, and none of its rows has a prediction since they failed."""
    return view.state == "finished" and view.counts.failed == view.counts.done > 0


def duration(seconds: float) -> str:
    """A time for people: 12 s, 3 min, 2 h 5 min."""
    if seconds < 1:
        return "less than a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest and hours < 10 else f"{hours} h"


def row_count(count: int) -> str:
    """A number of rows in words."""
    return "1 row" if count == 1 else f"{count:,} rows"


def size_words(size_bytes: int) -> str:
    """A size for people."""
    size = float(size_bytes)
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
