"""Models: what there is, and how each is."""

import streamlit as st

from dashboard import gateway, shell, views
from dashboard.settings import settings
from kserve_client.catalog import Catalog
from kserve_client.catalog.inference_services import InferenceService
from kserve_client.errors import ConfigurationError
from kserve_client.health import Ladder

shell.page_guard()

SEARCH_FROM = 7
LONGEST_REASON = 160


@st.fragment(run_every=settings().refresh_s)
def cards(drawn: list[str], wanted: str) -> None:
    """The part that refreshes by itself; `drawn` are the models that the rest of the page knows."""
    with views.explained():
        catalog = gateway.catalog()
        names = list(catalog)
        if names != drawn:
            st.rerun()  # the picker has to learn of it too
        with st.spinner("Checking the models"):
            ladders = gateway.ladders()
        shell.cluster_problems(catalog.found())
        st.caption(" · ".join(counts(catalog, ladders)))
        found = [name for name in names if is_wanted(catalog, name, wanted)]
        if not found:
            st.info("No model has that in its name, description or owner.")
        with st.grid("auto", min_column_width=290):
            for name in found:
                card(catalog, name, ladders.get(name))


def is_wanted(catalog: Catalog, name: str, wanted: str) -> bool:
    entry = catalog.entry(name)
    return wanted in f"{name} {entry.title} {entry.description} {entry.owner}".casefold()


def counts(catalog: Catalog, ladders: dict[str, Ladder]) -> list[str]:
    ready = sum(ladder.is_ready for ladder in ladders.values())
    services = [service_of(catalog, name) for name in catalog]
    alone = [one for one in services if one is not None and gateway.is_left_alone(one)]
    ready += sum(one.state == "ready" for one in alone)
    words = [f"{ready} of {len(services)} ready"]
    words += [f"{len(alone)} not asked, so that they may sleep"] if alone else []
    return [*words, f"checked at {_when(ladders)}"] if ladders else words


def card(catalog: Catalog, name: str, ladder: Ladder | None) -> None:
    entry, service = catalog.entry(name), service_of(catalog, name)
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{views.literal(catalog.title(name))}**")
        st.markdown(state(ladder, service))
        if service is not None:
            where = f"Namespace {service.namespace} · InferenceService {service.name}"
            st.caption(views.literal(where))
        st.caption(views.literal(entry.description) or views.NOTHING)
        st.space("stretch")
        with st.container(horizontal=True, gap="small"):
            # Most people come for the first of these.
            for page, label, icon in DOORS:
                st.page_link(page, label=label, icon=icon, query_params={"m": name})


def state(ladder: Ladder | None, service: InferenceService | None) -> str:
    """How the model answers; of one that is at rest or not there yet, what the cluster says."""
    is_answering = ladder is not None and ladder.is_ready
    if service is not None and not is_answering and service.state != "ready":
        icon = "bedtime" if service.state in gateway.AT_REST else "hourglass_top"
        more = service.readiness.removeprefix(service.state).lstrip(":. ")
        word = f":gray[:material/{icon}: {service.state.capitalize()}]"
        return f"{word} · {views.literal(shortened(more))}" if more else word
    if ladder is None and service is not None:
        return ":green[:material/check_circle: Ready] · as the cluster says"
    if ladder is None:
        return f":gray[{views.NOTHING}]"
    broken = ladder.broken
    more = broken.detail if broken else f"in {views.milliseconds(ladder.latency_ms)}"
    return f"{views.state_text(ladder)} · {views.literal(shortened(more))}"


def shortened(text: str) -> str:
    """As much as a card holds; Health has the rest."""
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1].rstrip()}…"


def service_of(catalog: Catalog, name: str) -> InferenceService | None:
    try:
        return catalog.service(name)
    except ConfigurationError:
        return None  # the ladder says it


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
wanted = ""
if len(names) >= SEARCH_FROM:
    wanted = st.text_input(
        "Search", key="search", placeholder="name, description, owner or namespace"
    ).casefold()
cards(names, wanted)
