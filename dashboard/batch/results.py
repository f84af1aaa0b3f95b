"""Step six: what became of every row, what it adds up to, and the files to take along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pandas as pd
import streamlit as st

from dashboard import gateway, tables, views
from dashboard.batch import listing, steps
from dashboard.digest import MOST_FOUND, Share, Wanted, Which, end, mapping_of, page
from dashboard.jobs import JobView
from dashboard.views import literal
from kserve_client.scoring import WriteOptions
from kserve_client.scoring.drift import Drift
from kserve_client.scoring.sources import Found, nameable
from kserve_client.signature import Signature

PAGE_ROWS = 100
MOST_CHARACTERS = 240
REASONS_SHOWN = 20
ROWS, PREDICTIONS, SEGMENTS, SHIFT = "Rows", "Predictions", "By segment", "Usual or not"
EVERY_ANSWER = "Every prediction"
_WHICH: dict[str, Which] = {
    "All rows": "all",
    "Predicted": "ok",
    "Failed": "failed",
    "Left out": "skipped",
}
Format = Literal["csv", "json-lines", "parquet", "arrow"]
_SUFFIXES = {"csv": "csv", "json-lines": "jsonl", "parquet": "parquet", "arrow": "arrow"}
_FORMAT_WORDS = {"csv": "CSV", "json-lines": "JSON Lines", "parquet": "Parquet", "arrow": "Arrow"}
_MIMES = {
    "csv": "text/csv",
    "json-lines": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file",
}


@dataclass(frozen=True, slots=True)
class About:
    """What a page has to know of a job to show its rows.

    `hidden` are the positions of the columns that feed a sensitive input; `added` the names of the
    columns that the result has beside those of the source; `first_error` is that of the first row
    that failed, with its number.
    """

    columns: tuple[str, ...]
    found: Found
    hidden: tuple[int, ...]
    added: tuple[str, ...]
    manifest: bytes

    @property
    def format(self) -> Format:
        """The form of the source, in which the result is written unless somebody says otherwise."""
        return self.found.format


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
    about = _about(view, signature) if counts.done else None
    _next(view, about)
    if about is not None:
        _parts(view, about, signature)


def _about(view: JobView, signature: Signature) -> About:
    with gateway.jobs().results(view.id, view.owner) as saved:
        facts = saved.manifest.facts.input
        hidden = tables.hidden_columns(signature, mapping_of(saved), facts.columns)
        schema = saved.schema
        added = () if schema is None else schema.added
        found = Found(**facts.found)
        return About(facts.columns, found, hidden, added, saved.manifest.to_bytes())


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


def _next(view: JobView, about: About | None) -> None:
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
        if about is not None:
            _download(view, about)
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


def _download(view: JobView, about: About) -> None:
    st.download_button(
        "Download the result",
        partial(_file, view, WriteOptions()),
        file_name=_file_name(view, about.format),
        mime=_MIMES[about.format],
        icon=":material/download:",
        type="secondary" if view.can_resume else "primary",
        on_click="ignore",
        key="download",
    )
    with st.popover("Other downloads", icon=":material/tune:"):
        _other_downloads(view, about)


def _other_downloads(view: JobView, about: About) -> None:
    formats: list[Format] = ["csv", "parquet", "json-lines"]
    formats += [about.format] * (about.format not in formats)
    form = st.segmented_control(
        "Form",
        formats,
        default=about.format,
        key=f"form.{view.id}",
        format_func=_FORMAT_WORDS.__getitem__,
        required=True,
    )
    form = form or about.format
    has_bad = view.counts.failed + view.counts.skipped > 0
    only_bad = has_bad and st.toggle("Only the rows without a prediction", key=f"bad.{view.id}")
    is_quoted = form == "csv" and st.toggle(
        "Safe for spreadsheets",
        key=f"quote.{view.id}",
        help="Puts an apostrophe before a text that a spreadsheet would run as a formula. "
        "Without it every cell comes back as it was.",
    )
    is_packed = form in ("csv", "json-lines") and st.toggle("Compressed (.gz)", key=f"gz.{view.id}")
    writing = WriteOptions(
        format=form,
        compression="gzip" if is_packed else None,
        only="errors" if only_bad else "all",
        formulas="quote" if is_quoted else "keep",
    )
    st.download_button(
        "Download",
        partial(_file, view, writing),
        file_name=_file_name(view, form, only_bad=only_bad, is_packed=is_packed),
        mime="application/gzip" if is_packed else _MIMES[form],
        icon=":material/download:",
        on_click="ignore",
        key="download.other",
    )
    st.download_button(
        "Download the manifest",
        about.manifest,
        file_name=f"{Path(view.input_name).stem or 'job'}-manifest.json",
        mime="application/json",
        icon=":material/receipt_long:",
        help="What was scored: model, version, hashes of file and signature, counts and figures.",
        on_click="ignore",
        key="manifest",
    )
    if about.hidden:
        st.caption("The files hold what is hidden on screen.")


def _file(view: JobView, writing: WriteOptions) -> BinaryIO:
    return gateway.jobs().download(view.id, view.owner, writing).open("rb")


def _file_name(
    view: JobView, form: Format, *, only_bad: bool = False, is_packed: bool = False
) -> str:
    stem = Path(Path(view.input_name).name).stem.removesuffix(".csv") or "result"
    what = "-without-prediction" if only_bad else ""
    suffix = _SUFFIXES[form] + (".gz" if is_packed else "")
    return f"{stem}-{view.model_name}{what}.{suffix}"


# What is in it


@st.fragment
def _parts(view: JobView, about: About, signature: Signature) -> None:
    """The rows and what they add up to; only the part that is open is worked out."""
    with views.explained():
        parts = [ROWS, PREDICTIONS, SEGMENTS]
        parts += [SHIFT] * any(feature.reference for feature in signature.features)
        tabs = dict(zip(parts, st.tabs(parts, key="batch.part", on_change="rerun"), strict=True))
        with tabs[ROWS]:
            if tabs[ROWS].open:
                _rows(view, about)
        with tabs[PREDICTIONS]:
            if tabs[PREDICTIONS].open:
                _predictions(view, about)
        with tabs[SEGMENTS]:
            if tabs[SEGMENTS].open:
                _segments(view, about)
        if SHIFT in tabs:
            with tabs[SHIFT]:
                if tabs[SHIFT].open:
                    _shift(view, signature)


def _rows(view: JobView, about: About) -> None:
    wanted = _filter(view, about)
    is_narrowed = wanted != Wanted(hidden=about.hidden)
    if not is_narrowed:
        _page(view, about)
        return
    with st.spinner("Looking through the rows", show_time=True):
        matches = gateway.find(view, wanted)
    st.caption(_matches_words(matches.total))
    if matches.rows is not None:
        _table(tables.result_table(matches.rows, matches.numbers, about.columns, about.hidden))


def _matches_words(total: int) -> str:
    if total > MOST_FOUND:
        return f"{total:,} rows match; here are the first {MOST_FOUND:,}."
    return (
        f"{steps.row_count(total)} {'matches' if total == 1 else 'match'}."
        if total
        else "No row matches."
    )


def _filter(view: JobView, about: About) -> Wanted:
    counts = view.counts
    there = {"All rows": True, "Predicted": counts.ok < counts.done}
    there |= {"Failed": counts.failed > 0, "Left out": counts.skipped > 0}
    kinds = [name for name, is_there in there.items() if is_there]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which: Any = "All rows"
        if len(kinds) > 1:
            which = st.segmented_control(
                "Show", kinds, default="All rows", key=f"which.{view.id}", required=True
            )
        answer = _answer_filter(view)
        text = st.text_input(
            "Search", key=f"text.{view.id}", placeholder="text in any cell", width=240
        )
    return Wanted(_WHICH[which or "All rows"], answer, text.strip(), about.hidden)


def _answer_filter(view: JobView) -> str | None:
    """One of the predictions, where they are words."""
    with st.spinner("Adding up the results", show_time=True):
        digest = gateway.digest(view)
    if digest.is_numeric or not 1 < len(digest.answers) <= 50:
        return None
    options = [EVERY_ANSWER, *(share.words for share in digest.answers)]
    chosen = st.selectbox("Prediction", options, key=f"answer.{view.id}", width=240)
    return None if chosen == EVERY_ANSWER else chosen


def _page(view: JobView, about: About) -> None:
    """A page of all rows; no more than that is read."""
    number = 1
    where = st.container()
    with gateway.jobs().results(view.id, view.owner) as saved:
        total = end(saved, view.rows_total)
        pages = max(1, -(-total // PAGE_ROWS))
        if pages > 1:
            number = st.pagination(pages, key=f"page.{view.id}")
        found = page(saved, (number - 1) * PAGE_ROWS, PAGE_ROWS)
    with where:
        if found is None:
            st.caption("These rows are not done yet.")
            return
        _table(tables.result_table(found.rows, found.numbers, about.columns, about.hidden))
        if pages > 1:
            first, last = found.numbers[0] + 1, found.numbers[-1] + 1
            st.caption(f"Rows {first:,} to {last:,} of {total:,}")


def _table(found: tables.ResultTable) -> None:
    st.dataframe(
        found.rows,
        column_order=found.order,
        column_config={
            found.error: st.column_config.TextColumn(width="medium"),
            **{name: st.column_config.NumberColumn(format="%.4f") for name in found.probabilities},
        },
        height=420,
        placeholder=views.NOTHING,
        alt="The rows with their predictions",
    )
    if found.cut:
        st.caption(f"{found.cut:,} more columns are in the download.")


def _predictions(view: JobView, about: About) -> None:
    with st.spinner("Adding up the results", show_time=True):
        digest = gateway.digest(view)
    if digest.is_numeric:
        _histogram(digest.answers)
    elif digest.answers:
        _share_table(digest.answers, "Prediction")
    else:
        st.caption("No row has a prediction.")
    for title, shares in (("Why rows failed", digest.failures), ("Left out", digest.skipped)):
        if shares:
            st.markdown(f"**{title}**")
            if about.hidden:
                st.caption(f"{steps.row_count(sum(s.rows for s in shares))} · {tables.WITHHELD}")
            else:
                _share_table(shares[:REASONS_SHOWN], "Reason")


def _share_table(shares: Sequence[Share], what: str) -> None:
    total = sum(share.rows for share in shares)
    frame = pd.DataFrame(
        {
            what: [tables.short(share.words) for share in shares],
            "Rows": [share.rows for share in shares],
            "Share": [100 * share.rows / total for share in shares],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            "Rows": st.column_config.NumberColumn(format="localized"),
            "Share": st.column_config.ProgressColumn(format="%.1f %%", min_value=0, max_value=100),
        },
        alt=f"Rows by {what.lower()}",
    )


def _histogram(shares: Sequence[Share]) -> None:
    if not shares:
        st.caption("No row has a number.")
        return
    frame = pd.DataFrame(
        {"Prediction": [s.words for s in shares], "Rows": [s.rows for s in shares]}
    )
    most = max(shares, key=lambda share: share.rows)
    st.bar_chart(
        frame,
        x="Prediction",
        y="Rows",
        sort=False,
        color=views.accent(),
        height=320,
        alt=f"Rows by predicted number; most are {most.words}",
    )


def _segments(view: JobView, about: About) -> None:
    names = nameable(about.columns)
    at = [place for place in range(len(names)) if place not in about.hidden]
    chosen = st.selectbox(
        "Column",
        at,
        index=None,
        key=f"segment.{view.id}",
        format_func=lambda place: names[place],
        placeholder="Choose a column, such as a region",
    )
    if chosen is None:
        st.caption("Shows the predictions for each value of a column of the table.")
        return
    with st.spinner("Adding up the results", show_time=True):
        found = gateway.segments(view, chosen)
    localized = st.column_config.NumberColumn(format="localized")
    if not found:
        st.caption("No row has a prediction.")
    elif found[0].mean is not None:
        frame = pd.DataFrame(
            {
                names[chosen]: [tables.short(one.words) for one in found],
                "Rows": [one.rows for one in found],
                "Mean prediction": [one.mean for one in found],
            }
        )
        st.dataframe(
            frame,
            hide_index=True,
            column_config={"Rows": localized},
            alt=f"Mean prediction by {names[chosen]}",
        )
    else:
        answers = list(dict.fromkeys(answer for one in found for answer in one.answers))
        frame = pd.DataFrame(
            {
                names[chosen]: [tables.short(one.words) for one in found],
                "Rows": [one.rows for one in found],
                **{a: [100 * one.answers.get(a, 0) / one.rows for one in found] for a in answers},
            }
        )
        bar = st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100)
        st.dataframe(
            frame,
            hide_index=True,
            column_config={"Rows": localized, **dict.fromkeys(answers, bar)},
            alt=f"Predictions by {names[chosen]}",
        )


def _shift(view: JobView, signature: Signature) -> None:
    """How far the inputs lie from the usual rows of the model."""
    with st.spinner("Adding up the results", show_time=True):
        drifts = gateway.digest(view).drift
    if not drifts:
        st.caption("No input that has usual values was read from a column.")
        return
    far = [drift for drift in drifts if drift.shift in ("moderate", "large")]
    names = ", ".join(signature.feature(drift.column).label for drift in far)
    st.markdown(
        f"**{literal(names)}** {'lies' if len(far) == 1 else 'lie'} elsewhere than in the sample "
        "of usual rows: predictions may be less sure than they look."
        if far
        else "The inputs lie where those of the sample of usual rows do."
    )
    frame = pd.DataFrame(
        {
            "Input": [signature.feature(drift.column).label for drift in drifts],
            "What is seen": [_drift_words(drift, signature) for drift in drifts],
            "PSI": [drift.psi for drift in drifts],
            "KS": [drift.ks for drift in drifts],
        }
    )
    number = st.column_config.NumberColumn(format="%.2f")
    st.dataframe(
        frame,
        hide_index=True,
        column_config={"PSI": number, "KS": number},
        alt="How far each input lies from the usual rows",
    )
    st.caption(
        "PSI compares the shares of rows in bins: below 0.1 is usually read as no shift, from 0.25 "
        "on as a large one. KS is the greatest distance between the two cumulated shares."
    )


def _drift_words(drift: Drift, signature: Signature) -> str:
    """What stands out; of a sensitive input not where its values lie."""
    told = drift.words.split("; ")[0] if signature.feature(drift.column).sensitive else drift.words
    return told[:1].upper() + told[1:]
