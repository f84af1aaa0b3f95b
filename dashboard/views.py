"""Predictions, tensors, ladders and errors → words, charts and tables."""

from __future__ import annotations

import html
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard.monitor import Sample
from kserve_client import images, snippets
from kserve_client.client import Exchange
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    AccessError,
    CatalogError,
    ConfigurationError,
    InputError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerError,
    NotFoundError,
    NotReadyError,
    RowsError,
    ServerError,
)
from kserve_client.health import Ladder, Rung
from kserve_client.predictions import Prediction, number_text
from kserve_client.signature import Signature

MOST_BARS = 6
# What a phone has room for beside the bars.
NAME_LETTERS, NAME_LINES = 22, 3
BAR_PX, LINE_PX = 36, 18
NOTHING = "–"
HIGHEST_CODE = 360
LONGEST_STEP_S = 30
# Streamlit puts columns below each other up to 640 px; wider, the answer is in sight anyway.
NARROW_ONLY = """<style>
@media (min-width: 641px) { [data-testid="stBottom"] { display: none; } }
@media (max-width: 640px) {
  [data-testid="stBottomBlockContainer"] { padding: 0.6rem 1rem; }
  [data-testid="stBottom"] {
    border-top: 1px solid rgba(128, 132, 149, 0.35); box-shadow: 0 -4px 12px rgba(0, 0, 0, 0.14);
  }
  [data-testid="stBottom"]:not(:has([data-testid="stElementContainer"])) { display: none; }
  /* While the answer itself can be read the line has nothing to add. A browser that does not know
     this passes it over: the line stays. */
  .st-key-answer-card { view-timeline-name: --answer; }
  [data-testid="stMain"] { timeline-scope: --answer; }
  [data-testid="stBottom"] {
    animation: answer-in-sight linear both; animation-timeline: --answer;
    animation-range: entry 9rem exit calc(100% - 3rem);
  }
}
@keyframes answer-in-sight {
  0%, 100% { opacity: 1; visibility: visible; }
  0.01%, 99.99% { opacity: 0; visibility: hidden; }
}
/* However long the form is, the answer stays beside it. */
@media (min-width: 641px) {
  [data-testid="stColumn"]:has(> div > [data-testid="stLayoutWrapper"] > .st-key-answer-pane) {
    position: sticky; top: 3.75rem; align-self: flex-start;
    max-height: calc(100vh - 4.5rem); overflow-y: auto;
  }
}
</style>"""
ANSWER_PANE = "answer-pane"
ANSWER_CARD = "answer-card"
_ANSWER_OF = "answer-of-"
STATES: dict[str, tuple[str, str, str]] = {
    "ready": (":material/check_circle:", "green", "Ready"),
    "not ready": (":material/hourglass_top:", "orange", "Not ready"),
    "no access": (":material/lock:", "orange", "No access"),
    "down": (":material/error:", "red", "Down"),
}
# What a browser would be given as a link: addresses, bare hosts, mail.
_ADDRESS = re.compile(
    r"((?:https?://|www\.|(?<![^\s(<`'\"])[^\s(<`'\"@]+@)[^\s)>`'\"]*[^\s)>`'\".,;:])",
    re.IGNORECASE,
)
_HEADLINES: tuple[tuple[type[KServeClientError], str], ...] = (
    (CatalogError, "The models file is wrong"),
    (ConfigurationError, "A setting is wrong"),
    (RowsError, "The input does not fit"),
    (InputError, "The input does not fit"),
    (AccessError, "The server did not let us in"),
    (NotFoundError, "The server does not know this model"),
    (NotReadyError, "The model is not ready"),
    (ServerError, "The server refused"),
    (NoAnswerError, "The server does not answer"),
    (InvalidAnswerError, "The answer is not what was agreed"),
    (KServeClientError, "That did not work"),
)


def literal(text: str) -> str:
    """Text from outside as Markdown that shows it as it is; addresses as code, not as links."""
    parts = _ADDRESS.split(text)
    return "".join(f"`{part}`" if at % 2 else _escaped(part) for at, part in enumerate(parts))


def _escaped(text: str) -> str:
    unindented = re.sub(r"\n[^\S\n]+", "\n", text)
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$:^=-])", r"\\\1", unindented)


@contextmanager
def explained(*, in_sight: bool = False) -> Iterator[None]:
    """Show an error of the client as an explanation, so that only bugs end a page.

    `in_sight` says it in the line at the bottom of a narrow screen as well.
    """
    try:
        yield
    except KServeClientError as error:
        tell(error, in_sight=in_sight)


def tell(error: KServeClientError, *, in_sight: bool = False) -> None:
    """What happened; `in_sight` as for `explained`."""
    problem(error)
    if in_sight:
        with st.bottom:
            st.markdown(f":material/error: {_headline(error)}")


def problem(error: KServeClientError) -> None:
    """What happened, where, and what to do."""
    headline, text = _headline(error), literal(sentence(_words(error)))
    if isinstance(error, InputError):
        st.warning(text, title=headline, icon=":material/edit_note:")
        return
    st.error(text, title=headline, icon=":material/error:")
    if isinstance(error, NoAnswerError | ServerError):
        health_link()


def incomplete(signature: Signature, issues: Mapping[str, str], *, in_sight: bool = False) -> None:
    """What a form still needs before it can be asked; `in_sight` also where a phone shows answers.

    That line may only be drawn by a fragment that draws one in each case.
    """
    fields = [f"{signature.feature(name).label}: {words}" for name, words in issues.items()]
    st.warning(
        literal(sentence("; ".join(fields))),
        title="The form is not complete",
        icon=":material/edit_note:",
    )
    if in_sight:
        with st.bottom:
            st.markdown(f":material/edit_note: {literal(fields[0])}")


def health_link() -> None:
    """The way to the page that names the broken step."""
    st.page_link("pages/health.py", label="See which step fails", icon=":material/monitor_heart:")


def _words(error: KServeClientError) -> str:
    """What the error says; of a single row, without its number."""
    if isinstance(error, RowsError) and not any(issue.row for issue in error.issues):
        return "; ".join(
            f"{issue.column}: {issue.problem}" if issue.column else issue.problem
            for issue in error.issues
        )
    return str(error)


def _headline(error: KServeClientError) -> str:
    return next(words for kind, words in _HEADLINES if isinstance(error, kind))


def sentence(text: str) -> str:
    """A reason as a sentence of its own: with a capital, and an end."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "…", "?")) else f"{text}."


def clock(at: datetime) -> str:
    """The time of day where the person is."""
    return f"{_local(at):%H:%M:%S}"


def day_and_time(at: datetime) -> str:
    """Day and time where the person is."""
    return f"{_local(at):%Y-%m-%d %H:%M}"


def _local(at: datetime) -> datetime:
    try:
        return at.astimezone(ZoneInfo(st.context.timezone or "UTC"))
    except (KeyError, ValueError, OSError):
        return at


def state_text(ladder: Ladder) -> str:
    """The state of a model in words, with its icon and colour."""
    icon, colour, words = STATES[ladder.state]
    words += ladder.state_words.removeprefix(ladder.state)
    return f":{colour}[{icon} {words}]"


def milliseconds(elapsed_ms: float | None) -> str:
    """A duration for people: 0.4 ms, 14 ms, 2.1 s."""
    if elapsed_ms is None:
        return NOTHING
    if elapsed_ms >= 1000:
        return f"{elapsed_ms / 1000:.1f} s"
    if elapsed_ms < 0.1:
        return "< 0.1 ms"
    return f"{elapsed_ms:.1f} ms" if elapsed_ms < 1 else f"{elapsed_ms:.0f} ms"


def range_text(low: float | None, high: float | None) -> str:
    """A range for people, "" without an end.

    Digits are grouped from five on: one of years is none of thousands.
    """
    ends = [
        f"{end:,g}" if abs(end) >= 10_000 else f"{end:g}" for end in (low, high) if end is not None
    ]
    if len(ends) == 2:
        return " – ".join(ends)
    return "".join(f"up to {end}" if low is None else f"from {end}" for end in ends)


def percent(share: float) -> str:
    """A probability for people: 98.4 %, < 0.1 %, never 100 % unless it is."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.1f} %"


# The answer


def answer(prediction: Prediction, exchange: Exchange, title: str) -> None:
    """The answer, biggest thing on the page, and what stands behind it."""
    with st.container(border=True, key=ANSWER_CARD):
        st.caption("Answer")
        if prediction.picture is not None:
            _picture(prediction, title)
        else:
            st.markdown(f"## {literal(prediction.headline)}")
        if prediction.margin is not None:
            st.markdown(distance(prediction))
        if prediction.probabilities:
            if prediction.margin is None:
                st.markdown(certainty(prediction))
            _bars(prediction)
        elif not _says_something(prediction):
            _raw(prediction)
        attempts = "" if exchange.attempts == 1 else f" · {exchange.attempts} attempts"
        st.caption(f":material/schedule: {milliseconds(exchange.elapsed_ms)}{attempts}")


def answer_key(model: str) -> str:
    """The key of the container around all that is said of one ask, with the model's name in it."""
    return f"{_ANSWER_OF}{model.encode().hex()}"  # a class in CSS has no other signs


def hide_other_answers(model: str) -> None:
    """Show no answer, error or line of another model. To be called before the model is asked.

    A browser keeps what a run has not drawn anew until that run is over (Streamlit 1.67): for as
    long as a slow model is asked, the answer of the one before would stand below its title.
    """
    other = f'[class*="st-key-{_ANSWER_OF}"]:not(.st-key-{answer_key(model)})'
    line = f'[data-testid="stApp"]:has({other}) [data-testid="stBottom"]'
    st.html(f"<style>{other}, {line} {{ display: none; }}</style>")


def answer_line(prediction: Prediction, *, is_far: bool = False) -> None:
    """The answer in one line that stays in sight where the answer itself is below the form.

    `is_far` says that it is one about numbers that are not usual.
    """
    if prediction.picture is not None:
        return  # it can't be said in a line
    doubt = " · :orange[:material/warning: outside the usual range]" if is_far else ""
    with st.bottom:
        st.markdown(f"**{literal(prediction.headline)}**{_in_short(prediction)}{doubt}")


def far_off(numbers: Sequence[str]) -> None:
    """Tell, before the answer is read, which numbers it is about that are not usual."""
    st.warning(
        literal(f"Outside the usual range: {'; '.join(numbers)}."), icon=":material/warning:"
    )


def age(*, is_old: bool) -> None:
    """Tell, and show by its paleness, that the answer is about an earlier form.

    To be called in each run: a style of before stays until another one takes its place.
    """
    if is_old:
        st.info("The form has changed since this answer.", icon=":material/history:")
    st.html(f"<style>.st-key-{ANSWER_CARD} {{ opacity: {0.5 if is_old else 1}; }}</style>")


def _in_short(prediction: Prediction) -> str:
    """How sure, or how likely the class is that the threshold is about."""
    if prediction.positive is not None and prediction.margin is not None:
        chance = (prediction.probabilities or {})[prediction.positive]
        name = "" if prediction.label == prediction.positive else f"{literal(prediction.positive)} "
        return f" · {name}{percent(chance)}"
    confidence = prediction.confidence
    return f" · {percent(confidence)} sure" if confidence is not None else ""


def distance(prediction: Prediction) -> str:
    """How far the answer is from its threshold."""
    margin, threshold = prediction.margin, prediction.threshold
    if margin is None or threshold is None:
        return ""
    side = "above" if margin > 0 else "below"
    if prediction.positive is None:
        mark = number_text(threshold, prediction.decimals, prediction.unit)
        gap = number_text(abs(margin), prediction.decimals, prediction.unit)
        return literal(f"{f'{gap} {side}' if margin else 'At'} the threshold of {mark}")
    chance = (prediction.probabilities or {})[prediction.positive]
    points = "At" if not margin else f"{abs(margin) * 100:.1f} points {side}"
    name = literal(prediction.positive)
    return f"**{percent(chance)}** {name} · {points} the threshold of {percent(threshold)}"


def certainty(prediction: Prediction) -> str:
    """How sure the model is, and what comes next."""
    ranked = _ranked(prediction)
    sure = prediction.confidence if prediction.confidence is not None else ranked[0][1]
    others = [(name, share) for name, share in ranked if name != prediction.label]
    following = f" · next: {literal(others[0][0])} ({percent(others[0][1])})" if others else ""
    return f"**{percent(sure)}** sure{following}"


def _ranked(prediction: Prediction) -> list[tuple[str, float]]:
    return sorted((prediction.probabilities or {}).items(), key=lambda item: -item[1])


def _bars(prediction: Prediction) -> None:
    shown = _ranked(prediction)[:MOST_BARS]
    names, shares = [name for name, _ in shown], [share for _, share in shown]
    ticks = bar_names(names)
    lines = max(tick.count("<br>") for tick in ticks) + 1
    # Plotly reads HTML in what it writes.
    places = [html.escape(name, quote=False) for name in names]
    accent, quiet = _accent()
    figure = go.Figure(
        go.Bar(
            x=shares,
            y=places,
            orientation="h",
            text=[percent(share) for share in shares],
            textposition="outside",
            cliponaxis=False,
            marker_color=[accent if name == prediction.label else quiet for name in names],
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_layout(
        height=max(BAR_PX, LINE_PX * (lines + 1)) * len(shown) + 24,
        margin={"l": 0, "r": 64, "t": 8, "b": 8},
        xaxis={"visible": False, "range": [0, 1], "fixedrange": True},
        yaxis={
            "autorange": "reversed",
            "fixedrange": True,
            "type": "category",
            "tickvals": places,
            "ticktext": ticks,
            "ticksuffix": "  ",
        },
        bargap=0.35,
        showlegend=False,
    )
    told = "; ".join(f"{name} {percent(share)}" for name, share in shown)
    if prediction.positive is not None and prediction.threshold is not None:
        _threshold_line(figure, names.index(prediction.positive), prediction.threshold)
        told += f"; threshold of {prediction.positive} {percent(prediction.threshold)}"
    st.plotly_chart(
        figure, key="probabilities", config={"displayModeBar": False}, alt=f"Probabilities: {told}"
    )
    hidden = len(prediction.probabilities or {}) - len(shown)
    if hidden > 0:
        st.caption(f"and {hidden} less likely")


def bar_names(names: Sequence[str]) -> list[str]:
    """Names in lines for a chart, as the HTML of Plotly, which would cut off their beginnings.

    A long one ends in "…", unless two would read the same then.
    """
    cut = [textwrap.wrap(n, NAME_LETTERS, max_lines=NAME_LINES, placeholder="…") for n in names]
    is_told_apart = len({"".join(lines) for lines in cut}) == len(names)
    found = cut if is_told_apart else [textwrap.wrap(name, NAME_LETTERS) for name in names]
    return ["<br>".join(html.escape(line, quote=False) for line in lines) for lines in found]


def _threshold_line(figure: go.Figure, bar: int, threshold: float) -> None:
    """A line across the bar of the class that the threshold is about, with its words below."""
    colour = _theme_colour("textColor", "#1C2024")
    figure.add_shape(
        type="line",
        x0=threshold,
        x1=threshold,
        y0=bar - 0.48,
        y1=bar + 0.48,
        line={"color": colour, "width": 2, "dash": "dot"},
    )
    figure.add_annotation(
        x=threshold,
        y=bar + 0.5,
        text=f"threshold {percent(threshold)}",
        showarrow=False,
        yanchor="middle",
        xanchor="left" if threshold < 0.5 else "right",
        font={"size": 11},
    )


def _theme_colour(name: str, otherwise: str) -> str:
    kind = st.context.theme.type or "light"
    return str(st.get_option(f"theme.{kind}.{name}") or otherwise)


def accent() -> str:
    """The accent of the theme in use, for a chart."""
    return _accent()[0]


def _accent() -> tuple[str, str]:
    """The accent of the theme in use, and a quieter tone of it."""
    accent = _theme_colour("primaryColor", "#3451B2")
    red, green, blue = (int(accent[at : at + 2], 16) for at in (1, 3, 5))
    return accent, f"rgba({red}, {green}, {blue}, 0.45)"


def _picture(prediction: Prediction, title: str) -> None:
    assert prediction.picture is not None
    png = images.png_of(prediction.picture, enlarge_to=320)
    st.image(png, width=320, alt=f"The answer of {title}: {prediction.headline}")


def _says_something(prediction: Prediction) -> bool:
    given = (prediction.label, prediction.value, prediction.text, prediction.picture)
    return any(part is not None for part in given)


def _raw(prediction: Prediction) -> None:
    rows = [
        {
            "output": name,
            "shape": str(list(cell.shape)),
            "value": json.dumps(cell.tolist(), default=str),
        }
        for name, cell in prediction.raw.items()
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="The outputs of the model")


def wire(exchange: Exchange, endpoint: Endpoint) -> None:
    """Request and answer as they went over the wire, and how to send the same from elsewhere."""
    call = snippets.Call.of(endpoint, exchange)
    request, response, shell, python = st.tabs(
        ["Request (JSON)", "Answer (JSON)", "curl", "Python"]
    )
    with request:
        asked = f"`POST {endpoint.url}{exchange.path}`"
        _json(asked, exchange.request_json, exchange.request_body)
    with response:
        size = f"{len(exchange.response_body):,} bytes"
        _json(size, exchange.response_json, exchange.response_body)
    with shell:
        _body_file(call, "curl")
        _script(snippets.curl(call), "bash")
    with python:
        _body_file(call, "python")
        st.caption("With this client")
        _script(snippets.python_client(call), "python")
        st.caption("With requests alone")
        _script(snippets.python_requests(call), "python")


def _json(what: str, head: bytes, body: bytes) -> None:
    hidden = len(body) - len(head)
    more = f" · and {hidden:,} bytes of numbers, which travelled binary" if hidden else ""
    st.caption(what + more)
    st.code(snippets.json_text(head), language="json", height=HIGHEST_CODE)


def _script(text: str, language: str) -> None:
    is_long = text.count("\n") > 15 or len(text) > 1000
    height: Any = HIGHEST_CODE if is_long else "content"
    st.code(text, language=language, height=height, wrap_lines=language == "bash")


def _body_file(call: snippets.Call, where: str) -> None:
    if call.body_file is not None:
        st.download_button(
            f"Download {call.body_file}",
            call.body,
            call.body_file,
            key=f"body.{where}",
            on_click="ignore",
            icon=":material/download:",
        )


# Health


def ladder_steps(ladder: Ladder) -> None:
    """The rungs as a timeline; the broken one open, what was not reached said once."""
    for rung in ladder.rungs:
        if rung.state in ("ok", "failed"):
            _step(rung)
    unreached = [rung.name for rung in ladder.rungs if rung.state == "unreached"]
    if unreached:
        st.caption(f"Not reached: {' · '.join(unreached)}")
    for rung in ladder.rungs:
        if rung.state == "skipped":
            st.caption(literal(f"{rung.name}: not made, {rung.detail}"))


def _step(rung: Rung) -> None:
    is_broken = rung.state == "failed"
    detail = literal(rung.detail)
    words = f":red[{detail}]" if is_broken else detail
    label = f"**{rung.name}** · {words} · :gray[{milliseconds(rung.elapsed_ms)}]"
    state: Any = "error" if is_broken else "complete"
    with st.status(label, state=state, type="step", expanded=is_broken):
        if rung.command:
            st.caption("Prove it from a shell:")
            st.code(rung.command, language="bash", wrap_lines=True)


def latency_chart(samples: Sequence[Sample], *, longest_step_s: float) -> None:
    """The time of each ready check, a cross for one that failed, a band where nobody looked.

    Nobody looked where more than `longest_step_s` lies between two checks, and half a minute.
    """
    figure = go.Figure(
        go.Scatter(
            **_line(samples, longest_step_s),
            mode="lines+markers",
            line={"color": accent(), "width": 2},
            marker={"size": 4},
            connectgaps=False,
            hovertemplate="%{y:.1f} ms at %{x|%H:%M:%S}<extra></extra>",
        )
    )
    failed = [sample.at for sample in samples if not sample.is_ready]
    if failed:
        _crosses(figure, failed)
    gaps = _gaps(samples, longest_step_s)
    for start, end in gaps:
        figure.add_vrect(
            x0=_local(start), x1=_local(end), fillcolor="rgba(128, 132, 149, 0.18)", line_width=0
        )
    figure.update_layout(
        height=220,
        margin={"l": 0, "r": 8, "t": 8, "b": 8},
        yaxis={"title": "ms", "rangemode": "tozero", "fixedrange": True},
        xaxis={"fixedrange": True},
        showlegend=False,
    )
    st.plotly_chart(
        figure,
        key="latency",
        config={"displayModeBar": False},
        alt=f"Time of the ready check in milliseconds: {_told(samples)}",
    )
    _marks(is_any_failed=bool(failed), is_any_gap=bool(gaps))


def _told(samples: Sequence[Sample]) -> str:
    ready = sum(sample.is_ready for sample in samples)
    return f"{ready} of {len(samples)} checks found it ready"


def _marks(*, is_any_failed: bool, is_any_gap: bool) -> None:
    """What the marks of the chart mean, those that are there."""
    failed = [":red[:material/close:] the model was not ready, or did not answer"] * is_any_failed
    gap = [":gray[:material/rectangle:] nobody looked at Models or Health, so nothing was checked"]
    if marks := failed + gap * is_any_gap:
        st.caption(" · ".join(marks))


def _crosses(figure: go.Figure, failed: Sequence[datetime]) -> None:
    """The failed checks on the ground line: their shape tells them from answers in no time."""
    figure.add_scatter(
        x=[_local(at) for at in failed],
        y=[0] * len(failed),
        mode="markers",
        marker={"symbol": "x", "size": 8, "color": _theme_colour("redColor", "#C62A2F")},
        cliponaxis=False,
        hovertemplate="not ready, or no answer, at %{x|%H:%M:%S}<extra></extra>",
    )


def _line(samples: Sequence[Sample], longest_step_s: float) -> dict[str, Any]:
    """The measured points; a gap instead of a line where a check failed or nobody looked."""
    points: list[tuple[datetime, float | None]] = [(one.at, one.latency_ms) for one in samples]
    points += [(start, None) for start, _ in _gaps(samples, longest_step_s)]
    # A gap begins at the check before it: the point itself comes first.
    points.sort(key=lambda point: (point[0], point[1] is None))
    return {"x": [_local(at) for at, _ in points], "y": [latency_ms for _, latency_ms in points]}


def _gaps(samples: Sequence[Sample], longest_step_s: float) -> list[tuple[datetime, datetime]]:
    """From when to when nobody looked."""
    longest = timedelta(seconds=max(longest_step_s, LONGEST_STEP_S))
    ends = [(one.at, other.at) for one, other in pairwise(samples)]
    return [(start, end) for start, end in ends if end - start > longest]
