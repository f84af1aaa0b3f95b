"""Predict: move a slider, see the answer change."""

from typing import Any

import streamlit as st

from dashboard import forms, gateway, masking, shell, views
from dashboard.state import Answered, chosen, session
from kserve_client.errors import KServeClientError
from kserve_client.model import PredictionExchange
from kserve_client.signature import Signature

shell.page_guard()


@st.fragment
def form_and_answer(model: shell.Chosen, signature: Signature) -> None:
    """The part that a moved slider runs again."""
    widths = [1.7, 1] if forms.is_long(signature) else [1, 1]
    left, right = st.columns(widths, gap="large")
    with left:
        live = controls(model, signature)
        row = forms.draw(model.name, signature)
        issues = forms.issues(signature, row)
        is_asked = live or ask_button(model, is_ready=not issues)
    with right, st.container(key=views.ANSWER_PANE), views.explained(in_sight=True):
        if is_asked and not issues:
            ask(model, signature, row)
        last = session().answers.get(model.name)
        is_old = last is not None and last.row != masking.masked_row(signature, row)
        with st.container():  # there in any case, so that the answer keeps its place
            if issues:
                views.incomplete(signature, issues, in_sight=True)
            elif last is None:
                st.info("Fill in the form, then press Predict.", icon=":material/arrow_back:")
            if is_old:
                st.info("The form has changed since this answer.", icon=":material/history:")
        if last is not None:
            answer(model, last.result, is_old=is_old)
            if not is_old and (far := forms.outside(signature, row)):
                st.warning(views.literal(f"Outside the usual range: {'; '.join(far)}."))


def controls(model: shell.Chosen, signature: Signature) -> bool:
    """Examples to start from, and whether each change asks at once."""
    examples = gateway.examples(model.name)
    forms.fill_once(model.name, signature, examples)
    if examples:
        rows = {example.name: example.row for example in examples}
        st.pills(
            "Examples",
            list(rows),
            format_func=views.literal,
            persist_state="session",
            wrap=True,
            **forms.watched(
                forms.example_name(model.name), take_example, model.name, signature, rows
            ),
        )
    return st.toggle(
        "Live",
        value=True,
        key=f"live.{model.name}",
        help="Ask the model at each change. Switch it off for a slow model.",
        persist_state="session",
    )


def take_example(name: str, signature: Signature, rows: dict[str, dict[str, Any]]) -> None:
    picked = chosen(forms.example_name(name))
    if picked in rows:
        forms.fill(name, signature, rows[picked])


def ask_button(model: shell.Chosen, *, is_ready: bool) -> bool:
    return st.button(
        "Predict",
        type="primary",
        key=f"ask.{model.name}",
        icon=":material/play_arrow:",
        disabled=not is_ready,
    )


def ask(model: shell.Chosen, signature: Signature, row: dict[str, Any]) -> None:
    """Remember the answer: what moves later asks a slow model only when told to."""
    session().answers.pop(model.name, None)
    try:
        with st.spinner("Asking the model", show_time=True):
            result = gateway.predict(model.name, row)
    except KServeClientError as error:
        raise masking.masked_error(signature, error) from None
    shown = masking.masked_exchange(signature, result.exchange)
    session().answers[model.name] = Answered(
        masking.masked_row(signature, row), PredictionExchange(result.predictions, shown)
    )


def answer(model: shell.Chosen, result: PredictionExchange, *, is_old: bool) -> None:
    prediction = result.predictions[0]
    views.answer(prediction, result.exchange, model.title)
    if not is_old:
        views.answer_line(prediction)
    with st.expander("Request and answer as they were sent"):
        views.wire(result.exchange, model.catalog.endpoint(model.name))


with shell.page("Predict") as model:
    st.title(f"Predict · {views.literal(model.title)}")
    if model.entry.description:
        st.caption(views.literal(model.entry.description))
    form_and_answer(model, gateway.open_model(model.name).signature)
