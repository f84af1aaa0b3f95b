"""Predict: move a slider, see the answer change."""

from typing import Any

import streamlit as st

from dashboard import forms, gateway, masking, shell, views
from dashboard.state import Answered, chosen, session
from kserve_client.errors import KServeClientError, NoAnswerError, ServerError
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
    with right, st.container(key=views.ANSWER_PANE):
        error = ask(model, signature, row) if is_asked and not issues else None
        with st.container(key=views.answer_key(model.name)), views.explained(in_sight=True):
            if error is None:
                what_is_known(model, signature, row, issues)
            else:
                refusal(model, error, live=live)


def what_is_known(
    model: shell.Chosen, signature: Signature, row: dict[str, Any], issues: dict[str, str]
) -> None:
    """The last answer, and before it how far it is one to what the form shows now."""
    last = session().answers.get(model.name)
    is_old = last is not None and last.row != masking.masked_row(signature, row)
    far = forms.outside(signature, row)
    with st.container():  # there in any case, so that the answer keeps its place
        if issues:
            views.incomplete(signature, issues, in_sight=True)
        elif last is None:
            st.info("Fill in the form, then press Predict.", icon=":material/arrow_back:")
        views.age(is_old=is_old)
        if last is not None and far and not is_old:
            views.far_off(far)
    if last is not None:
        answer(model, last.result, is_old=is_old, is_far=bool(far))


def refusal(model: shell.Chosen, error: KServeClientError, *, live: bool) -> None:
    """Why there is no answer, and where the server may give one later, a way to ask it again."""
    views.tell(error, in_sight=True)
    if live and isinstance(error, NoAnswerError | ServerError):  # else there is Predict
        st.button("Ask again", key=f"again.{model.name}", icon=":material/refresh:")


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


def ask(model: shell.Chosen, signature: Signature, row: dict[str, Any]) -> KServeClientError | None:
    """Remember the answer, or return why there is none.

    What moves later asks a slow model only when told to.
    """
    session().answers.pop(model.name, None)
    try:
        with st.spinner("Asking the model", show_time=True):
            result = gateway.predict(model.name, row)
    except KServeClientError as error:
        return masking.masked_error(signature, error)
    shown = masking.masked_exchange(signature, result.exchange)
    session().answers[model.name] = Answered(
        masking.masked_row(signature, row), PredictionExchange(result.predictions, shown)
    )
    return None


def answer(model: shell.Chosen, result: PredictionExchange, *, is_old: bool, is_far: bool) -> None:
    prediction = result.predictions[0]
    views.answer(prediction, result.exchange, model.title)
    if not is_old:
        views.answer_line(prediction, is_far=is_far)
    with st.expander("Request and answer as they were sent"):
        views.wire(result.exchange, model.catalog.endpoint(model.name))


with shell.page("Predict") as model:
    with st.spinner("Asking the sources"):
        gateway.description(model.name)
    views.hide_other_answers(model.name)
    st.title(f"Predict · {views.literal(model.title)}")
    if description := model.catalog.summary(model.name).description:
        st.caption(views.literal(description))
    form_and_answer(model, gateway.open_model(model.name).signature)
