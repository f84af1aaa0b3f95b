"""What is in a result: its rows, what they add up to, and whether they lie where they usually do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import gateway, tables, views
from dashboard.batch import steps
from dashboard.batch.about import About
from dashboard.digest import MOST_FOUND, Segment, Share, Wanted, Which, end, page
from dashboard.jobs import JobView
from dashboard.views import literal
from kserve_client.scoring.drift import Drift
from kserve_client.scoring.sources import nameable
from kserve_client.signature import Signature

PAGE_ROWS = 100
REASONS_SHOWN = 20
ROWS, PREDICTIONS, SEGMENTS, SHIFT = "Rows", "Predictions", "By segment", "Usual or not"
EVERY_ANSWER = "Every prediction"
_WHICH: dict[str, Which] = {
    "All rows": "all",
    "Predicted": "ok",
    "Failed": "failed",
    "Left out": "skipped",
}


@st.fragment
def draw(view: JobView, about: About, signature: Signature) -> None:
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
        table(tables.result_table(matches.rows, matches.numbers, about.columns, about.hidden))


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
        total = end(saved)
        pages = max(1, -(-total // PAGE_ROWS))
        if pages > 1:
            number = st.pagination(pages, key=f"page.{view.id}")
        found = page(saved, (number - 1) * PAGE_ROWS, PAGE_ROWS)
    with where:
        if found is None:
            st.caption("These rows are not done yet.")
            return
        table(tables.result_table(found.rows, found.numbers, about.columns, about.hidden))
        if pages > 1:
            first, last = found.numbers[0] + 1, found.numbers[-1] + 1
            done = "" if view.state == "finished" else " that are done"
            st.caption(f"Rows {first:,} to {last:,} of {total:,}{done}")


def table(found: tables.ResultTable, alt: str = "The rows with their predictions") -> None:
    """Rows with their predictions, as high as they are many, up to ten."""
    st.dataframe(
        found.rows,
        column_order=found.order,
        column_config={
            found.error: st.column_config.TextColumn(width="large"),
            **{name: st.column_config.NumberColumn(format="%.4f") for name in found.probabilities},
        },
        placeholder=views.NOTHING,
        alt=alt,
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
    if not found:
        st.caption("No row has a prediction.")
    elif found[0].mean is not None:
        _means(names[chosen], found)
    else:
        _shares_of_answers(names[chosen], found)


def _means(column: str, found: Sequence[Segment]) -> None:
    """The mean prediction of each segment."""
    frame = pd.DataFrame(
        {
            column: [tables.short(one.words) for one in found],
            "Rows": [one.rows for one in found],
            "Mean prediction": [one.mean for one in found],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        column_config={"Rows": st.column_config.NumberColumn(format="localized")},
        alt=f"Mean prediction by {column}",
    )


def _shares_of_answers(column: str, found: Sequence[Segment]) -> None:
    """How many in a hundred rows of each segment got which prediction."""
    answers = list(dict.fromkeys(answer for one in found for answer in one.answers))
    frame = pd.DataFrame(
        {
            column: [tables.short(one.words) for one in found],
            "Rows": [one.rows for one in found],
            **{a: [100 * one.answers.get(a, 0) / one.rows for one in found] for a in answers},
        }
    )
    bar = st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100)
    localized = st.column_config.NumberColumn(format="localized")
    st.dataframe(
        frame,
        hide_index=True,
        column_config={"Rows": localized, **dict.fromkeys(answers, bar)},
        alt=f"Predictions by {column}",
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
