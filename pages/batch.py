"""Batch: a CSV goes up, every row comes back with its prediction or its error."""

import io
from typing import Any

import streamlit as st

from dashboard import gateway, shell, tables, views
from dashboard.jobs import Job
from dashboard.state import session
from kserve_client.errors import InputError, KServeClientError
from kserve_client.frames import check_columns
from kserve_client.scoring import CsvTable, read_csv
from kserve_client.signature import Signature

shell.page_guard()

JOB = "job"
ROWS_SHOWN = 1000
REFRESH_S = 0.5
MOST_CHARACTERS = 240


def upload(model: shell.Chosen, signature: Signature) -> None:
    """Step one: a file, and what will become of it."""
    file = st.file_uploader(
        "CSV file with a header line",
        type=["csv", "tsv", "txt"],
        key=f"csv.{model.name}",
        help="Comma, semicolon, tab or bar between the cells; UTF-8.",
    )
    if file is None:
        nothing_yet(model, signature)
        return
    table = read_csv(io.BytesIO(file.getvalue()))
    preview(signature, table, file.name)
    check_columns(signature, table.names)
    if not table.row_count:
        raise InputError("the file has a header, but no rows")
    warn(signature, table)
    if st.button(
        f"Score {table.row_count:,} rows", type="primary", icon=":material/play_arrow:", key="start"
    ):
        job = gateway.jobs().start(
            gateway.open_model(model.name), model.name, file.name, file.getvalue()
        )
        open_job(job)


def open_job(job: Job) -> None:
    """Let the address lead to a job, and this session remember it."""
    session().jobs[job.model_name] = job.id
    st.query_params[JOB] = job.id
    st.rerun()


def nothing_yet(model: shell.Chosen, signature: Signature) -> None:
    last = gateway.jobs().get(session().jobs.get(model.name))
    if last is not None and st.button(
        f"Back to {views.literal(last.file_name)}", icon=":material/history:", key="last"
    ):
        open_job(last)
    st.markdown(tables.needed_columns(signature))
    st.download_button(
        "Download a template",
        tables.template(signature, model.entry.examples),
        file_name=f"{model.name}-template.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="template",
    )


def preview(signature: Signature, table: CsvTable, file_name: str) -> None:
    """What was read, and what will be sent."""
    st.caption(
        views.literal(
            f"{file_name} · {table.row_count:,} rows · {len(table.columns)} columns · "
            f"{table.delimiter_name} between cells · {table.encoding}"
        )
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("What is in the file")
        rows = tables.shown(table.columns, table.first_rows)
        st.dataframe(rows, hide_index=True, height=300, alt="The first rows of the file")
    with right:
        st.subheader("What will be sent")
        st.dataframe(
            tables.plan(signature, table),
            hide_index=True,
            height=300,
            alt="Each input of the model and the column it comes from",
        )


def warn(signature: Signature, table: CsvTable) -> None:
    """What can be seen of errors before anything is sent."""
    if table.ragged_lines:
        lines = ", ".join(map(str, table.ragged_lines[:5]))
        st.warning(
            f"Some lines have more or fewer cells than the header (line {lines}). "
            "They come back with an error, the other rows with a prediction."
        )
    issues = tables.first_issues(signature, table)
    if issues:
        rows = len({issue.row for issue in issues})
        told = f"{rows} of the first {len(table.first_rows)} rows can't be sent: {issues[0]}."
        st.warning(views.literal(told), icon=":material/warning:")


@st.fragment(run_every=REFRESH_S)
def running(job: Job) -> None:
    """A job under way; once it is over the whole page is drawn again."""
    if job.is_over:
        st.rerun()
    done = job.progress
    total = done.rows_total if done else None
    share = done.rows_done / total if done and total else 0.0
    counted = f"{done.rows_done:,} of {total:,} rows" if done and total else "Starting"
    failed = f" · {done.failed:,} failed" if done and done.failed else ""
    st.progress(min(share, 1.0), text=f"{counted}{failed}")
    st.caption("You may leave this page; its address leads back here while the dashboard runs.")
    if st.button("Stop", icon=":material/stop:", key="stop"):
        job.cancel.set()


def result(job: Job) -> None:
    """Every row with its prediction or its error."""
    summary = job.summary
    if summary is None:
        broken(job)
        return
    verdict(job)
    with st.grid(3, min_column_width=90):
        st.metric("Rows", f"{summary.rows:,}", border=True)
        st.metric("Predicted", f"{summary.ok:,}", border=True)
        st.metric("Failed", f"{summary.failed:,}", border=True)
    download(job)
    table = tables.result_table(job.result, ROWS_SHOWN, with_error=summary.failed > 0)
    rows = table.rows
    if summary.failed and st.toggle("Only the rows that failed", key="only_failed"):
        rows = table.failed
    st.dataframe(
        rows,
        hide_index=True,
        column_order=table.order,
        column_config={table.error: st.column_config.TextColumn(width="large")},
        alt="The rows with their predictions",
    )
    if summary.rows > ROWS_SHOWN:
        st.caption(
            f"Here are the first {ROWS_SHOWN:,} rows; the download holds all {summary.rows:,}."
        )


def broken(job: Job) -> None:
    """The job ended without a result: why, and the way back."""
    if isinstance(job.error, KServeClientError):
        views.problem(job.error)
    else:
        why = job.error.strerror if isinstance(job.error, OSError) else None
        told = why or "a fault of the dashboard, which its log describes"
        st.error(
            views.literal(f"No result was written: {told}."),
            title="The job broke off",
            icon=":material/error:",
        )
    another(job)


def verdict(job: Job) -> None:
    summary = job.summary
    assert summary is not None
    if summary.cancelled:
        st.warning(
            f"Stopped. {summary.unsent:,} rows were not sent.", icon=":material/stop_circle:"
        )
    elif not summary.is_answered:
        st.error(
            views.literal(f"Nothing was predicted. {summary.first_error[:MOST_CHARACTERS]}"),
            title="The server does not answer",
            icon=":material/error:",
        )
        views.health_link()
    elif summary.failed:
        first = summary.first_error[:MOST_CHARACTERS]
        told = f"{summary.failed:,} of {summary.rows:,} rows failed. The first: {first}"
        st.warning(views.literal(told), icon=":material/warning:")
    else:
        rate = f"{summary.rows_per_s:,.0f} rows per second"
        st.success(
            f"All {summary.rows:,} rows have a prediction · {rate}", icon=":material/check_circle:"
        )


def download(job: Job) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Download the result",
            job.result.read_bytes,
            file_name=job.result_name,
            mime="text/csv",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
            key="download",
        )
        another(job)


def another(job: Job) -> None:
    if st.button("Score another file", icon=":material/refresh:", key="another"):
        st.query_params.pop(JOB, None)
        session().jobs.pop(job.model_name, None)
        st.rerun()


def known_job(model: shell.Chosen) -> Job | None:
    """The job that the address names, if it is one of this model."""
    asked: Any = st.query_params.get(JOB)
    job = gateway.jobs().get(asked)
    if asked and job is None:
        st.info("The dashboard knows no job of this link (any more). Score the file again.")
    return job if job is not None and job.model_name == model.name else None


with shell.page("Batch") as model:
    st.title(f"Batch · {views.literal(model.title)}")
    st.caption(
        "Score a whole file: every row comes back once, in order, with its prediction or its error."
    )
    job = known_job(model)
    if job is None:
        upload(model, gateway.open_model(model.name).signature)
    elif job.is_over:
        result(job)
    else:
        running(job)
