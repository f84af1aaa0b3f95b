"""Health: does it answer, and if not, which step fails."""

import pandas as pd
import streamlit as st

from dashboard import gateway, shell, views
from dashboard.settings import settings
from kserve_client.errors import ConfigurationError
from kserve_client.health import Ladder

shell.page_guard()


@st.fragment(run_every=settings().refresh_s)
def now(model: shell.Chosen) -> None:
    """The part that refreshes by itself."""
    with views.explained():
        with st.spinner("Checking the models"):
            ladders, ladder = gateway.ladders(), gateway.ladder(model.name)
        verdict(ladder)
        left, right = st.columns([1, 1], gap="large")
        with left:
            st.subheader(views.literal(model.title))
            views.ladder_steps(ladder)
        with right:
            figures(model.name, ladder)
        st.subheader("All models")
        overview(model, ladders)


def verdict(ladder: Ladder) -> None:
    text = views.literal(ladder.verdict)
    if ladder.is_ready:
        st.success(text, icon=":material/check_circle:")
    elif ladder.state == "down":
        st.error(text, icon=":material/error:")
    else:
        st.warning(text, icon=":material/warning:")


def figures(name: str, ladder: Ladder) -> None:
    samples = gateway.monitor().samples(name)
    answered = [sample.latency_ms for sample in samples if sample.latency_ms is not None]
    ready = sum(sample.is_ready for sample in samples)
    with st.grid(3, min_column_width=90):
        st.metric("Ready checks", f"{ready} of {len(samples)}", border=True)
        st.metric("Now", views.milliseconds(ladder.latency_ms), border=True)
        middle = sorted(answered)[len(answered) // 2] if answered else None
        st.metric("Median", views.milliseconds(middle), border=True)
    if answered:
        since = views.clock(samples[0].at)
        st.caption(f"Answer time of the model's ready check in ms, as seen from here since {since}")
        views.latency_chart(samples)


def overview(model: shell.Chosen, ladders: dict[str, Ladder]) -> None:
    rows = [
        {
            "Model": model.catalog.title(name),
            "State": views.STATES[ladder.state][2],
            "Server live": rung(ladder, "Server live"),
            "Server ready": rung(ladder, "Server ready"),
            "Model ready": rung(ladder, "Model ready"),
            "Latency": views.milliseconds(ladder.latency_ms),
            "Endpoint": endpoint_name(model, name),
        }
        for name, ladder in ladders.items()
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Health of all models")
    checked = [ladder.checked_at for ladder in ladders.values()]
    newest = views.clock(max(checked)) if checked else views.NOTHING
    st.caption(f"Checked at {newest}, again every {settings().refresh_s:g} s")


def endpoint_name(model: shell.Chosen, name: str) -> str:
    try:
        return model.catalog.endpoint(name).name
    except ConfigurationError:
        return views.NOTHING  # the state says why


def rung(ladder: Ladder, name: str) -> str:
    found = next((rung.state for rung in ladder.rungs if rung.name == name), "unreached")
    return {"ok": "yes", "failed": "no", "unreached": views.NOTHING}[found]


with shell.page("Health") as model:
    st.title("Health")
    now(model)
