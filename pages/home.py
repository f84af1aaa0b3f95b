"""Models: what there is, and how each is."""

from datetime import UTC, datetime, timedelta

import streamlit as st

from dashboard import gateway, shell, traffic, views
from dashboard.picker import picker_labels
from dashboard.rounds import Look
from dashboard.settings import settings
from dashboard.state import ADDRESS_KEY
from kserve_client.catalog import Catalog, Summary
from kserve_client.catalog.inference_services import InferenceService
from kserve_client.errors import ConfigurationError
from kserve_client.health import Ladder

shell.page_guard()

SEARCH_FROM = 7
LONGEST_REASON = 160
OLD = timedelta(seconds=10)


@st.fragment(run_every=settings().refresh_s)
def cards(drawn: dict[str, str], wanted: str) -> None:
    """The part that refreshes by itself; `drawn` are the models that the picker has, as it shows them."""
    with views.explained():
        gateway.look_beside()
        catalog = gateway.catalog()
        known = catalog.summaries()
        if picker_labels(known) != drawn:
            st.rerun()  # the picker has to learn of it too
        looks = shell.looks()
        ladders = {name: look.ladder for name, look in looks.items() if look.ladder}
        with st.container():  # there in any case, so that the cards keep their place
            st.caption(" · ".join(counts(catalog, ladders)))
            shell.cluster_problems(catalog.found())
        found = [name for name in known if is_wanted(name, known[name], wanted)]
        if not found:
            st.info("No model has that in its name, description or owner.")
        with st.grid("auto", min_column_width=290):
            for name in found:
                card(name, known[name], service_of(catalog, name), looks.get(name))


def is_wanted(name: str, known: Summary, wanted: str) -> bool:
    return wanted in f"{name} {known.title} {known.description} {known.owner}".casefold()


def counts(catalog: Catalog, ladders: dict[str, Ladder]) -> list[str]:
    ready = sum(ladder.is_ready for ladder in ladders.values())
    services = [service_of(catalog, name) for name in catalog]
    alone = [one for one in services if one is not None and gateway.is_left_alone(one)]
    ready += sum(one.state == "ready" for one in alone)
    words = [f"{ready} of {len(services)} ready"]
    words += [f"{len(alone)} not asked, so that they may sleep"] if alone else []
    return [*words, f"checked at {_when(ladders)}"] if ladders else words


def card(name: str, known: Summary, service: InferenceService | None, look: Look | None) -> None:
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{views.literal(known.title)}**")
        st.markdown(state(look.ladder if look else None, service) + age(look))
        if service is not None and traffic.is_split(service):
            st.markdown(f":material/call_split: {traffic.line(service.traffic)}")
        if which := identity(name, known, service):
            st.caption(views.literal(which))
        st.caption(views.literal(known.description) or views.NOTHING)
        st.space("stretch")
        with st.container(horizontal=True, gap="small"):
            # Most people come for the first of these.
            for page, label, icon in DOORS:
                st.page_link(page, label=label, icon=icon, query_params={ADDRESS_KEY: name})


def identity(name: str, known: Summary, service: InferenceService | None) -> str:
    """Which one it is, where two may have the same title."""
    words = []
    if service is not None:
        words = [f"Namespace {service.namespace}", f"InferenceService {service.name}"]
    elif not known.is_settled and known.title != name:
        words = [name]
    aliases = f" ({', '.join(known.aliases)})" if known.aliases else ""
    return " · ".join(
        [*words, *([f"MLflow version {known.version}{aliases}"] if known.version else [])]
    )


def state(ladder: Ladder | None, service: InferenceService | None) -> str:
    """How the model answers; of one that is at rest or not there yet, what the cluster says."""
    is_answering = ladder is not None and ladder.is_ready
    if service is not None and not is_answering and service.state != "ready":
        icon = "bedtime" if service.state in gateway.AT_REST else "hourglass_top"
        more = service.readiness.removeprefix(service.state).lstrip(":. ")
        word = f":gray[:material/{icon}: {service.state.capitalize()}]"
        return f"{word} · {views.literal(shortened(more))}" if more else word
    if ladder is None and service is not None and gateway.is_left_alone(service):
        return ":green[:material/check_circle: Ready] · as the cluster says"
    if ladder is None:
        return ":gray[:material/hourglass_top: Checking]"
    broken = ladder.broken
    more = broken.detail if broken else f"in {views.milliseconds(ladder.latency_ms)}"
    return f"{views.state_text(ladder)} · {views.literal(shortened(more))}"


def age(look: Look | None) -> str:
    """When it was checked last, where the next check takes its time."""
    if look is None or look.ladder is None or not look.is_checking:
        return ""
    at = look.ladder.checked_at
    return f" · at {views.clock(at)}" if datetime.now(UTC) - at > OLD else ""


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
known = catalog.summaries()
wanted = ""
if len(known) >= SEARCH_FROM:
    wanted = st.text_input(
        "Search", key="search", placeholder="name, description, owner or namespace"
    ).casefold()
cards(picker_labels(known), wanted)
