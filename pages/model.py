"""Model: what the server says of it, beside what the catalog adds."""

import pandas as pd
import streamlit as st

from dashboard import gateway, shell, views
from kserve_client.client import TensorMetadata
from kserve_client.signature import Signature

shell.page_guard()


def catalog_side(signature: Signature) -> None:
    features = [
        {
            "Feature": feature.name,
            "Title": feature.label,
            "Kind": feature.kind,
            "Unit": feature.unit or views.NOTHING,
            "Range or choices": allowed(signature, feature.name),
            "Needed": "yes" if feature.required else "no",
        }
        for feature in signature.features
    ]
    st.markdown(f"**Inputs** · {layout(signature)}")
    st.dataframe(pd.DataFrame(features), hide_index=True, alt="Features of the model")
    st.markdown("**Outputs**")
    outputs = [
        {
            "Output": output.name,
            "Meaning": output.kind,
            "Unit": output.unit or views.NOTHING,
            "Classes": ", ".join(output.class_names) or views.NOTHING,
        }
        for output in signature.outputs
    ]
    if outputs:
        st.dataframe(pd.DataFrame(outputs), hide_index=True, alt="Outputs of the model")
    else:
        st.caption("None named: every output the server gives is shown as it is.")


def layout(signature: Signature) -> str:
    if signature.layout == "columns":
        return "one input per column"
    return f"columns of one tensor, {signature.input}, {signature.datatype}"


def allowed(signature: Signature, name: str) -> str:
    feature = signature.feature(name)
    if feature.choices:
        return ", ".join(choice.text for choice in feature.choices)
    if feature.image:
        return f"{feature.image.width} × {feature.image.height} pixels"
    if feature.min is not None and feature.max is not None:
        return views.range_text(feature.min, feature.max)
    return views.NOTHING


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


with shell.page("Details") as model:
    st.title(f"Details · {views.literal(model.title)}")
    st.markdown(views.literal(model.entry.description))
    endpoint = model.catalog.endpoint(model.name)
    owner = f" · owner: {model.entry.owner}" if model.entry.owner else ""
    served = model.entry.model_name or model.name
    st.caption(
        f"`{served}` on {views.literal(endpoint.title)} `{endpoint.url}`{views.literal(owner)}"
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("What the catalog adds")
        with views.explained():
            catalog_side(gateway.open_model(model.name).signature)
    with right:
        st.subheader("What the server says")
        with views.explained(), st.spinner("Asking the server"):
            server_line(model.name)
            server_side(model.name)
