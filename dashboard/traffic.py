"""Traffic: which revision of an InferenceService gets which share, what it serves, how it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pandas as pd
import streamlit as st

from dashboard.views import NOTHING, literal
from kserve_client.catalog.inference_services import InferenceService, TrafficTarget
from kserve_client.catalog.mlflow import ModelVersion

# By the id of the logged model, which is a part of the path that MLflow stores it below.
Versions = Mapping[str, ModelVersion]
_MODEL_ID = re.compile(r"(?<![\w-])m-[0-9a-f]{32}(?![\w-])")
# On a phone a long path scrolls in the table's own box.
_STYLE = '<style>.st-key-traffic [data-testid="stTable"] { overflow-x: auto; }</style>'
_STATES: dict[bool | None, str] = {
    True: ":green[:material/check_circle: ready]",
    False: ":orange[:material/hourglass_top: not ready]",
}


def is_split(service: InferenceService) -> bool:
    """Whether requests go to more than one place."""
    return len(service.traffic) > 1


def names_versions(service: InferenceService) -> bool:
    """Whether a logged model of MLflow is served, as far as the paths say."""
    paths = [service.storage_uri, *(target.storage_uri for target in service.traffic)]
    return any(map(_model_id, paths))


def line(targets: Iterable[TrafficTarget], versions: Versions | None = None) -> str:
    """Where the requests go, in one line of Markdown: the share, to whom, and a canary's state."""
    return " · ".join(_part(one, versions or {}) for one in targets)


def _part(target: TrafficTarget, versions: Versions) -> str:
    share = "" if target.percent is None else f"**{target.percent} %** "
    version = _version(target.storage_uri, versions)
    serves = f" ({literal(version)})" if version else ""
    is_worth_saying = target.is_latest or target.is_ready is False
    state = f" {_STATES.get(target.is_ready, '')}" if is_worth_saying else ""
    return f"{share}{literal(target.revision)}{serves}{state}"


def draw_service(service: InferenceService, versions: Versions) -> None:
    """The InferenceService behind the model: how it is, and which revisions get the requests."""
    st.subheader("InferenceService")
    st.markdown(literal(f"{service.key} · {service.readiness}"))
    if service.traffic:
        rows = [_row(service, target, versions) for target in service.traffic]
        st.html(_STYLE)
        with st.container(key="traffic"):
            st.table(
                pd.DataFrame(rows), width="content", border="horizontal", alt="Traffic by revision"
            )
    for words in _remarks(service):
        st.caption(literal(words))


def _row(service: InferenceService, target: TrafficTarget, versions: Versions) -> dict[str, str]:
    role = _role(service, target)
    serves = _version(target.storage_uri, versions) or target.storage_uri
    return {
        "Requests": NOTHING if target.percent is None else f"{target.percent} %",
        "Revision": literal(target.revision) + (f" :gray[:small[{role}]]" if role else ""),
        "State": _STATES.get(target.is_ready, NOTHING),
        "Serves": literal(serves) or NOTHING,
    }


def _role(service: InferenceService, target: TrafficTarget) -> str:
    if service.deployment_mode == "Standard":
        return "canary" if target.is_latest else ""
    if target.is_latest or target.revision == service.latest_ready_revision:
        return "newest"
    return "rolled out before" if target.revision == service.previous_revision else ""


def _remarks(service: InferenceService) -> Iterable[str]:
    for target in service.traffic:
        if target.failure:
            yield f"{target.revision}: {target.failure}"
    newest = service.latest_created_revision
    if newest and newest not in {target.revision for target in service.traffic}:
        why = "" if newest == service.latest_ready_revision else ": it is not ready yet"
        yield f"{newest} was created after these and gets no requests{why}."
    if service.traffic and service.deployment_mode != "Standard":
        yield "A revision is a rollout of the InferenceService, not a version of the model."
    if service.canary_percent is not None:
        yield f"Canary: {service.canary_percent} % are wanted for the newest revision."
    parts = {"a transformer": service.has_transformer, "an explainer": service.has_explainer}
    if there := [name for name, is_there in parts.items() if is_there]:
        yield f"Beside the predictor: {' and '.join(there)}."


def other_version(service: InferenceService, model_id: str, versions: Versions) -> str:
    """What is served in place of the model that MLflow describes; "" where it is that one.

    The alias moves the form, the path moves what is served: one of them may be forgotten.
    """
    served = _model_id(service.storage_uri)
    if not model_id or not served or served == model_id:
        return ""
    return _version(service.storage_uri, versions) or served


def _version(storage_uri: str, versions: Versions) -> str:
    found = versions.get(_model_id(storage_uri))
    if found is None:
        return ""
    aliases = f", {', '.join(found.aliases)}" if found.aliases else ""
    return f"version {found.version}{aliases}"


def _model_id(storage_uri: str) -> str:
    found = _MODEL_ID.search(storage_uri)
    return found[0] if found else ""
