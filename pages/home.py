"""Models: what there is, and how each is."""

import streamlit as st

from dashboard import gateway, shell, views
from dashboard.settings import settings
from kserve_client.catalog import Catalog
from kserve_client.health import Ladder

shell.page_guard()

SEARCH_FROM = 7


@st.fragment(run_every=settings().refresh_s)
def cards(catalog: Catalog, names: list[str]) -> None:
    with views.explained():
        with st.spinner("Checking the models"):
            ladders = gateway.ladders()
        ready = sum(ladder.is_ready for ladder in ladders.values())
        st.caption(f"{ready} of {len(catalog)} ready · checked at {_when(ladders)}")
        with st.grid("auto", min_column_width=290):
            for name in names:
                card(catalog, name, ladders.get(name))


def card(catalog: Catalog, name: str, ladder: Ladder | None) -> None:
    entry = catalog.entry(name)
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{views.literal(catalog.title(name))}**")
        if ladder is not None:
            broken = ladder.broken
            more = broken.detail if broken else f"in {views.milliseconds(ladder.latency_ms)}"
            st.markdown(f"{views.state_text(ladder)} · {views.literal(more)}")
        st.caption(views.literal(entry.description) or views.NOTHING)
        st.space("stretch")
        with st.container(horizontal=True, gap="small"):
            # Most people come for the first of these.
            for page, label, icon in DOORS:
                st.page_link(page, label=label, icon=icon, query_params={"m": name})


def _when(ladders: dict[str, Ladder]) -> str:
    return views.clock(max(ladder.checked_at for ladder in ladders.values()))


DOORS = (
    ("pages/predict.py", "**Predict**", ":material/tune:"),
    ("pages/batch.py", "Batch", ":material/table_rows:"),
    ("pages/health.py", "Health", ":material/monitor_heart:"),
)

catalog = shell.models("Models")
st.title("Models")
st.markdown("Choose a model to try it with your own values, to score a file, or to see how it is.")
names = list(catalog)
if len(names) >= SEARCH_FROM:
    wanted = st.text_input(
        "Search", key="search", placeholder="name, description or owner"
    ).casefold()
    entries = {name: catalog.entry(name) for name in names}
    names = [
        name
        for name, e in entries.items()
        if wanted in f"{name} {e.title} {e.description} {e.owner}".casefold()
    ]
    if not names:
        st.info("No model has that in its name, description or owner.")
cards(catalog, names)
