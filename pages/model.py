"""Details: what is known of a model and who says so; a form learned from a sample; checks."""

import pandas as pd
import streamlit as st

from dashboard import conformance_card, facts_table, gateway, learning, shell, traffic, views
from dashboard.facts_table import Facts, SourceState
from dashboard.traffic import Versions
from kserve_client.catalog import Description
from kserve_client.catalog.inference_services import InferenceService
from kserve_client.client import TensorMetadata

shell.page_guard()


def header(
    model: shell.Chosen,
    facts: Facts,
    service: InferenceService | None,
    versions: Versions,
    states: list[SourceState],
) -> None:
    """What it is, who is asked about it, where it answers, and who gets the requests."""
    owner = facts.about("owner")
    description = facts.about("description")
    if description:
        st.markdown(views.literal(str(description)))
    if service is not None:
        served_line(facts, service, versions)
    endpoint = model.catalog.endpoint(model.name)
    served = model.catalog.served_name(model.name)
    by = f" · owner: {owner}" if owner else ""
    # A name may come from an annotation, which anybody may have written.
    st.caption(views.literal(f"{served} on {endpoint.title} {endpoint.url}{by}"))
    facts_table.draw_about(facts)
    facts_table.draw_links(facts)
    facts_table.failures_line(states)


def versions_served(
    name: str, service: InferenceService | None, description: Description
) -> Versions:
    """The versions to name beside the paths that are served; an MLflow that is away is let be."""
    is_away = any(failure.source.kind == "MLflow" for failure in description.failures)
    if service is None or is_away or not traffic.names_versions(service):
        return {}
    return gateway.versions(name)


def served_line(facts: Facts, service: InferenceService, versions: Versions) -> None:
    """A canary, and a form of another version than the one that is served."""
    if traffic.is_split(service):
        words = traffic.line(service.traffic, versions)
        st.markdown(f":material/call_split: Requests: {words}")
    if other := traffic.other_version(service, str(facts.about("model_id") or ""), versions):
        described = f"version {facts.about('version')}" if facts.about("version") else "another one"
        st.warning(
            views.literal(
                f"The form is of {described} in MLflow, and {other} is served: move the alias or "
                "the storageUri."
            ),
            icon=":material/call_split:",
        )


def inputs_and_outputs(facts: Facts, description: Description, states: list[SourceState]) -> None:
    signature = description.signature
    if signature is None:
        st.info(
            "No source says what this model takes. Learn it from a CSV of usual rows, or describe "
            "it in the models file.",
            icon=":material/upload_file:",
        )
    else:
        facts_table.draw_signature(facts, signature)
    if description.notes:
        with st.expander(f"What was left out, and why ({len(description.notes)})"):
            st.markdown("\n".join(f"- {views.literal(note)}" for note in description.notes))
    with st.expander("Where each fact comes from", expanded=signature is None):
        facts_table.draw_sources(states)
        if description.facts:
            facts_table.draw_every_fact(description)


def server_side(name: str) -> None:
    metadata = gateway.model_metadata(name)
    facts = {
        "Name": metadata.name,
        "Platform": metadata.platform,
        "Versions": ", ".join(metadata.versions),
    }
    st.markdown(" · ".join(f"{k} {views.literal(v) or views.NOTHING}" for k, v in facts.items()))
    for what, tensors in (("Inputs", metadata.inputs), ("Outputs", metadata.outputs)):
        st.markdown(f"**{what}**")
        if tensors:
            st.dataframe(tensor_table(tensors), hide_index=True, alt=f"{what} as the server says")
        else:
            st.caption("The server names none. That is usual: many runtimes leave them empty.")
    with st.expander("Metadata as JSON"):
        st.code(metadata.model_dump_json(indent=2), language="json", height=300)


def tensor_table(tensors: list[TensorMetadata]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"Name": t.name, "Datatype": t.datatype, "Shape": str(t.shape)} for t in tensors]
    )


def server_line(name: str) -> None:
    server = gateway.server_metadata(name)
    extensions = ", ".join(server.extensions) or "none named"
    st.caption(views.literal(f"{server.name} {server.version} · extensions: {extensions}"))


def what_is_known(
    facts: Facts,
    description: Description,
    service: InferenceService | None,
    versions: Versions,
    states: list[SourceState],
) -> None:
    inputs_and_outputs(facts, description, states)
    if service is not None:
        traffic.draw_service(service, versions)


def what_the_server_says(model: shell.Chosen) -> None:
    with views.explained(), st.spinner("Asking the server"):
        server_line(model.name)
        server_side(model.name)


def learn(model: shell.Chosen, known: Description) -> None:
    with views.explained():
        learning.draw(model, known)


with shell.page("Details") as model:
    with st.spinner("Asking the sources"):
        description = gateway.description(model.name)
        service = model.catalog.service(model.name)
        versions = versions_served(model.name, service, description)
    facts = Facts(description)
    states = facts_table.source_states(description, model.catalog, model.name, service)
    st.title(f"Details · {views.literal(model.title)}")
    header(model, facts, service, versions, states)
    known, learned, checks, server = st.tabs(
        [shell.KNOWN, shell.LEARN, shell.CHECKS, shell.SERVER],
        key=shell.PART_KEY,
        bind="query-params",
        default=shell.LEARN if description.signature is None else shell.KNOWN,
    )
    with known:
        if known.open:
            what_is_known(facts, description, service, versions, states)
    with learned:
        if learned.open:
            learn(model, description)
    with checks:
        if checks.open:
            conformance_card.draw(model)
    with server:
        if server.open:
            what_the_server_says(model)
