"""The section of a page that says how well a model speaks V2, and how to mend it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import gateway, shell, views
from kserve_client.doctor import CHECKS, Asked, Fix, Report, Result, Verdict

RUN = "conformance.run"
SHOW = "conformance.show"
TO_MEND, ALL = "To mend", "All checks"
VERDICTS: dict[Verdict, tuple[str, str, str]] = {
    "pass": (":material/check_circle:", "green", "Pass"),
    "warn": (":material/warning:", "orange", "Warning"),
    "fail": (":material/error:", "red", "Fail"),
    "skipped": (":material/remove:", "gray", "Skipped"),
}
_GRADE_COLOURS = {"A": "green", "B": "green", "C": "orange", "D": "red", "F": "red"}
_MIMES = {"json": "application/json", "python": "text/x-python", "yaml": "application/yaml"}


@st.fragment
def draw(model: shell.Chosen) -> None:
    """The section: a button that asks, then the grade, and each check with sent, seen, why and fix.

    What anybody asked for within the last hour is shown at once.
    """
    st.subheader("How well it speaks V2")
    with views.explained():
        pressed = st.button("Run the checks", key=RUN, icon=":material/fact_check:")
        if pressed:
            with st.spinner("Asking the model some thirty small questions"):
                gateway.examine(model.name)
        report = gateway.report(model.name)
        if report is None:
            _nothing_yet()
        else:
            _shown(report)


def _nothing_yet() -> None:
    st.caption(
        f"{len(CHECKS)} checks with small requests that only read. Some are wrong on purpose, to see "
        "how they are refused: they show in the log of the server."
    )


def _shown(report: Report) -> None:
    if report.grade is None:
        _unanswered(report)
        return
    with st.container(border=True):
        colour = _GRADE_COLOURS[report.grade]
        st.markdown(f"## :{colour}[Grade {report.grade}]")
        st.markdown(views.literal(report.verdict))
        st.markdown(_counts(report))
        st.caption(
            f"{report.score} of 100 · checked at {views.clock(report.checked_at)} in "
            f"{views.milliseconds(report.elapsed_s * 1000)}"
        )
    for result in _chosen(report):
        _check(result)


def _unanswered(report: Report) -> None:
    """Nobody was there to be judged: why, and where to look."""
    st.warning(views.literal(report.verdict), icon=":material/cloud_off:")
    st.caption(f"Asked at {views.clock(report.checked_at)}. Without an answer there is no grade.")
    views.health_link()


def _counts(report: Report) -> str:
    counted = [(verdict, report.count(verdict)) for verdict in VERDICTS]
    return " · ".join(f"{_words(verdict)} {count}" for verdict, count in counted if count)


def _words(verdict: Verdict) -> str:
    icon, colour, word = VERDICTS[verdict]
    return f":{colour}[{icon} {word}]"


def _chosen(report: Report) -> list[Result]:
    """What to mend, worst first, or every check in its order."""
    bad = [r for verdict in ("fail", "warn") for r in report.results if r.verdict == verdict]
    if not bad:
        return list(report.results)
    shown = st.segmented_control(
        "Show",
        [TO_MEND, ALL],
        default=TO_MEND,
        required=True,
        key=SHOW,
        format_func=lambda name: f"{name} ({len(bad if name == TO_MEND else report.results)})",
        label_visibility="collapsed",
    )
    return bad if shown == TO_MEND else list(report.results)


def _check(result: Result) -> None:
    label = f"{_words(result.verdict)} · **{result.name}** · {views.literal(result.finding)}"
    with st.expander(label):
        must = " A model that fails this is not fit for use." if result.is_must else ""
        st.markdown(f"**Why it matters.** {views.literal(result.why)}{must}")
        for asked in result.asked:
            _asked(asked)
        if result.fix is not None:
            _fix(result.key, result.fix)


def _asked(asked: Asked) -> None:
    st.caption("Sent")
    _code(f"{asked.method} {asked.path}\n{asked.sent}".strip(), None)
    st.caption("Seen" if asked.status is None else f"Seen · {views.milliseconds(asked.elapsed_ms)}")
    _code(_seen(asked), None)


def _seen(asked: Asked) -> str:
    if asked.status is None:
        return asked.problem
    headers = [f"{name}: {value}" for name, value in asked.headers.items()]
    return "\n".join([asked.status_words, *headers, *([asked.seen] if asked.seen else [])])


def _fix(key: str, fix: Fix) -> None:
    st.markdown(f"**Fix.** {views.literal(fix.what)}")
    if not fix.content:
        return
    _code(fix.content.rstrip("\n"), fix.language)
    st.download_button(
        f"Download {fix.file_name}",
        fix.content,
        fix.file_name,
        _MIMES[fix.language],
        key=f"conformance.fix.{key}",
        on_click="ignore",
        icon=":material/download:",
    )


def _code(text: str, language: str | None) -> None:
    is_long = text.count("\n") > 15 or len(text) > 1000
    height: Any = views.HIGHEST_CODE if is_long else "content"
    st.code(text, language=language, height=height, wrap_lines=True)
