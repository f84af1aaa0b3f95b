"""Health: does it answer, and if not, which step fails."""

from datetime import UTC, datetime
from statistics import median

import pandas as pd
import streamlit as st

from dashboard import gateway, shell, views
from dashboard.rounds import Look
from dashboard.settings import settings
from kserve_client.errors import ConfigurationError
from kserve_client.health import Ladder

shell.page_guard()


@st.fragment(run_every=settings().refresh_s)
def now(model: shell.Chosen) -> None:
    """The part that refreshes by itself."""
    with views.explained():
        looks = shell.looks(model.name)
        with st.container():  # there in any case, so that what is below keeps its place
            verdict(model, looks[model.name])
        if ladder := looks[model.name].ladder:
            left, right = st.columns([1, 1], gap="large")
            with left:
                st.subheader("Steps")
                views.ladder_steps(ladder)
            with right:
                figures(model.name, ladder)
        st.subheader("All models")
        overview(model, looks)


def verdict(model: shell.Chosen, look: Look) -> None:
    if look.ladder is None:
        st.info(
            f"The first check of {views.literal(model.title)} is under way.",
            icon=":material/hourglass_top:",
        )
        return
    text = views.literal(look.ladder.verdict)
    if look.ladder.is_ready:
        st.success(text, icon=":material/check_circle:")
    elif look.ladder.state == "down":
        st.error(text, icon=":material/error:")
    else:
        st.warning(text, icon=":material/warning:")
    st.caption(when(look.ladder, is_checking=look.is_checking))


def when(ladder: Ladder, *, is_checking: bool) -> str:
    """When the check was made, and how long ago where the next one takes its time."""
    at = f"Checked at {views.clock(ladder.checked_at)}"
    if not is_checking:
        return f"{at}, again every {settings().refresh_s:g} s"
    ago_s = (datetime.now(UTC) - ladder.checked_at).total_seconds()
    return f"{at}, {ago_s:.0f} s ago · :material/hourglass_top: checking now"


def figures(name: str, ladder: Ladder) -> None:
    samples = gateway.monitor().samples(name)
    times = [sample.latency_ms for sample in samples if sample.latency_ms is not None]
    with st.grid(3, min_column_width=90):
        st.metric("Ready checks", f"{len(times)} of {len(samples)}", border=True)
        st.metric("Last check", views.milliseconds(ladder.latency_ms), border=True)
        middle = median(times) if times else None
        st.metric("Median", views.milliseconds(middle), border=True)
    if samples:
        st.caption(
            "How long the step **Model ready** took, as measured by this dashboard since "
            f"{views.clock(samples[0].at)}"
        )
        views.latency_chart(samples, longest_step_s=3 * settings().refresh_s)


def overview(model: shell.Chosen, looks: dict[str, Look]) -> None:
    rows = [
        {
            "Model": model.catalog.title(name),
            "State": views.STATES[ladder.state][2] if ladder else "Checking",
            "Server live": rung(ladder, "Server live"),
            "Server ready": rung(ladder, "Server ready"),
            "Model ready": rung(ladder, "Model ready"),
            "Ready check": views.milliseconds(ladder.latency_ms if ladder else None),
            "Endpoint": endpoint_name(model, name),
        }
        for name, ladder in ((name, look.ladder) for name, look in looks.items())
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Health of all models")


def endpoint_name(model: shell.Chosen, name: str) -> str:
    try:
        return model.catalog.endpoint(name).name
    except ConfigurationError:
        return views.NOTHING  # the state says why


def rung(ladder: Ladder | None, name: str) -> str:
    rungs = ladder.rungs if ladder else ()
    found = next((rung.state for rung in rungs if rung.name == name), "unreached")
    return {"ok": "yes", "failed": "no", "unreached": views.NOTHING}[found]


with shell.page("Health") as model:
    st.title(f"Health · {views.literal(model.title)}")
    now(model)
