"""Step four: ten rows for a try, and the button that starts the run."""

from __future__ import annotations

import streamlit as st

from dashboard import gateway, tables, views
from dashboard.batch import choosing, contents, steps
from dashboard.batch.draft import TRIAL_ROWS, Draft, Trial
from dashboard.jobs import StorageTroubleError
from dashboard.shell import Chosen
from dashboard.views import literal
from kserve_client.errors import InputError
from kserve_client.scoring import ScoreOptions
from kserve_client.signature import Signature

NOT_BEGUN = (
    "The table and all choices are still here. It may have begun all the same: look at the list of "
    "jobs before you press the button again"
)


def draw(model: Chosen, signature: Signature, draft: Draft) -> None:
    """What a try said, if there was one, and the two ways on."""
    if draft.trial is not None:
        _tried(draft, draft.trial, signature)
    problem = ""
    options = None
    try:
        options = draft.options(signature)
    except InputError as error:
        problem = str(error)
        st.caption(f":material/edit_note: {literal(problem)}")
    with st.container(horizontal=True):
        is_started = st.button(
            f"Score {_all_rows(draft)}",
            type="primary",
            icon=":material/play_arrow:",
            key="start",
            disabled=options is None,
        )
        is_tried = _is_worth_a_try(draft) and st.button(
            f"Try {TRIAL_ROWS} rows first",
            icon=":material/science:",
            key="try",
            disabled=options is None,
            help="Shows their results and how long all rows will take. Nothing is kept.",
        )
        choosing.another(model)
    if is_started and options is not None:
        _start(model, draft, options)
    if is_tried:
        with st.spinner("Asking the model", show_time=True):
            draft.try_out(gateway.open_model(model.name))
        st.rerun()


def _is_worth_a_try(draft: Draft) -> bool:
    """Whether nobody tried yet, and the table has more rows than a try."""
    rows = _rows(draft)
    return draft.trial is None and (rows is None or rows > TRIAL_ROWS)


def _all_rows(draft: Draft) -> str:
    rows = _rows(draft)
    return "all rows" if rows is None else steps.row_count(rows)


def _rows(draft: Draft) -> int | None:
    """How many rows the table has; None where nobody looked at all of them."""
    look = draft.look
    return look.rows if look is not None and look.is_whole else None


def _start(model: Chosen, draft: Draft, options: ScoreOptions) -> None:
    try:
        job = gateway.jobs().start(
            gateway.open_model(model.name), model.name, draft.source, options, steps.owner()
        )
    except StorageTroubleError as error:
        raise StorageTroubleError(f"{error}. {NOT_BEGUN}", is_away=error.is_away) from None
    steps.drop(model.name, is_used=True)
    steps.upload_in_address(None)
    steps.job_in_address(job)
    st.rerun()


def _tried(draft: Draft, trial: Trial, signature: Signature) -> None:
    """The results of the first rows, and how long all of them will take."""
    summary = trial.summary
    state: steps.State = "done" if summary.ok == summary.rows else "attention"
    with steps.step("Try", _words(draft, trial), state, is_open=True):
        columns = draft.preview.columns
        hidden = tables.hidden_columns(signature, draft.mapping, columns)
        found = tables.result_table(trial.rows, range(trial.rows.num_rows), columns, hidden)
        contents.table(found, "The first rows with their predictions")
        if not summary.is_answered:
            st.caption(literal(f"The server does not answer: {_error(trial, hidden)}"))
            views.health_link()


def _error(trial: Trial, hidden: tuple[int, ...]) -> str:
    return tables.WITHHELD if hidden else trial.summary.first_error


def _words(draft: Draft, trial: Trial) -> str:
    summary = trial.summary
    answered = f"{summary.ok} of {steps.row_count(summary.rows)} predicted"
    rows = _rows(draft)
    seconds = None if rows is None else trial.seconds_for(rows)
    if seconds is None:
        return answered
    rate = f"{trial.timed.rows_per_s:,.0f} rows per second or more"
    at_most = "" if seconds < 1 else "at most "
    return f"{answered} · {rate} · all of it in {at_most}{steps.duration(seconds)}"
