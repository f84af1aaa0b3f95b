"""Facts: what is known of a model, each with the source that says it, and how the sources are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import streamlit as st

from dashboard.views import NOTHING, literal, range_text
from kserve_client.catalog import Catalog, Description, Fact
from kserve_client.catalog.facts import SOURCE_KINDS, SourceKind
from kserve_client.catalog.inference_services import InferenceService
from kserve_client.predictions import number_text
from kserve_client.signature import Choice, Feature, Output, Reference, Signature

State = Literal["says", "says nothing", "not asked", "failed"]
ICONS: dict[State, tuple[str, str]] = {
    "says": (":material/check_circle:", "green"),
    "says nothing": (":material/remove:", "gray"),
    "not asked": (":material/radio_button_unchecked:", "gray"),
    "failed": (":material/error:", "orange"),
}
_HOW: dict[SourceKind, str] = {
    "server metadata": "",
    "MLflow": "name the model under `mlflow` in the models file",
    "Kubernetes": "name the InferenceService in the models file",
    "models file": "the model was found in the cluster; an entry in the models file adds to it",
    "sample": "name a file of usual rows under `sample`, or learn from one here",
}
# On a phone the tables keep their width, and scroll in a box of their own.
STYLE = """<style>
.st-key-facts [data-testid="stTable"] { overflow-x: auto; }
.st-key-facts [data-testid="stTable"] td * { overflow-wrap: break-word; }
@media (max-width: 640px) { .st-key-facts table { min-width: 46rem; } }
</style>"""
NO_BREAK = "\N{NO-BREAK SPACE}"
MOST_CHOICES = 6
MOST_ROWS = 200
MOST_METRICS = 6
LONGEST_CELL = 300
_ABOUT: dict[str, str] = {
    "version": "Version",
    "aliases": "Alias",
    "framework": "Framework",
    "platform": "Platform",
    "runtime": "Runtime",
    "protocol": "Protocol",
    "deployment_mode": "Deployment mode",
    "storage_uri": "Storage",
    "created": "Created",
    "user": "By",
}
_OF: dict[str, str] = {"features": "", "outputs": "output ", "tensors": "request", "about": "model"}


@dataclass(frozen=True, slots=True)
class SourceState:
    """How it is with one source: what it says, or why it says nothing."""

    kind: SourceKind
    state: State
    words: str


class Facts:
    """The facts of a description, to be asked one by one."""

    def __init__(self, description: Description) -> None:
        self.signature = description.signature
        self._found = {(fact.of, fact.setting): fact for fact in description.facts}

    def of(self, of: tuple[str, ...], *settings: str) -> list[Fact]:
        """The facts of these settings that some source says."""
        return [self._found[of, name] for name in settings if (of, name) in self._found]

    def about(self, setting: str) -> Any:
        """The value of a fact about the model; None when nobody says it."""
        return next((fact.value for fact in self.of(("about",), setting)), None)


# The sources


def source_states(
    description: Description, catalog: Catalog, name: str, service: InferenceService | None
) -> list[SourceState]:
    """How it is with each source of a model, in the order of their strength."""
    failed = {failure.source.kind: str(failure.error) for failure in description.failures}
    said = _said(description)
    entry = catalog.entry(name)
    asked: dict[SourceKind, bool] = {
        "server metadata": True,
        "MLflow": bool(entry.mlflow or (service and service.mlflow)),
        "Kubernetes": service is not None,
        "models file": service is None or entry is not service.entry,
        "sample": entry.sample is not None,
    }
    return [
        _state(kind, failed.get(kind), said.get(kind, 0), asked=asked[kind])
        for kind in SOURCE_KINDS
    ]


def _said(description: Description) -> dict[SourceKind, int]:
    """How many facts come from each source; one that is overruled everywhere says none."""
    found: dict[SourceKind, int] = {}
    for fact in description.facts:
        found[fact.source.kind] = found.get(fact.source.kind, 0) + 1
    return found


def _state(kind: SourceKind, failure: str | None, said: int, *, asked: bool) -> SourceState:
    if failure:
        return SourceState(kind, "failed", failure)
    if said:
        return SourceState(kind, "says", f"{said} {'fact' if said == 1 else 'facts'}")
    if asked:
        usual = ": that is usual, many runtimes name no inputs" if kind == "server metadata" else ""
        return SourceState(kind, "says nothing", f"asked, nothing to take from it{usual}")
    return SourceState(kind, "not asked", f"not set up: {_HOW[kind]}")


def draw_sources(states: Sequence[SourceState]) -> None:
    """One line per source, the weakest first; what failed is told with its reason."""
    with st.container(gap="xsmall"):
        for source in states:
            icon, colour = ICONS[source.state]
            words = source.words if source.state == "not asked" else literal(source.words)
            st.caption(f":{colour}[{icon}] **{source.kind}** · {words}")
    st.caption("Where several say something, the lower one in this list counts.")


def failures_line(states: Iterable[SourceState]) -> None:
    """A calm line about sources that could not be asked."""
    failed = [source.kind for source in states if source.state == "failed"]
    if failed:
        names = " and ".join(failed)
        st.caption(
            f":orange[:material/error: {names[:1].upper()}{names[1:]} could not be asked; "
            "the rest is here.] The reason stands in the part Inputs and outputs, under "
            "Where each fact comes from."
        )


# The model


def draw_about(facts: Facts) -> None:
    """Version, framework and the like, and the metrics of its training."""
    words = [
        f"{label} {literal(_about_text(facts, setting))}"
        for setting, label in _ABOUT.items()
        if facts.about(setting)
    ]
    if words:
        st.caption(" · ".join(words))
    metrics = facts.about("metrics")
    if isinstance(metrics, Mapping):
        numbers = {str(name): one for name, one in metrics.items() if isinstance(one, int | float)}
        if numbers:
            _draw_metrics(numbers)


def _about_text(facts: Facts, setting: str) -> str:
    """A fact about the model; of the framework all that is said: trained with, and served as."""
    (fact,) = facts.of(("about",), setting)
    if setting == "created":
        return str(fact.value).partition("T")[0]
    others = [value for value, _ in fact.instead_of] if setting == "framework" else []
    return " / ".join(dict.fromkeys(map(text_of, [*reversed(others), fact.value])))


def _draw_metrics(metrics: Mapping[str, float]) -> None:
    with st.container(horizontal=True, gap="large"):
        for name, value in list(metrics.items())[:MOST_METRICS]:
            st.metric(literal(name), number_text(value), width="content")
    more = len(metrics) - MOST_METRICS
    st.caption(f"Metrics of the training, from MLflow{f' · and {more} more' if more > 0 else ''}")


def draw_links(facts: Facts) -> None:
    """Pages about the model, for people."""
    links = [_link(one) for one in facts.about("links") or ()]
    found = [(title, url) for title, url in links if url.startswith(("http://", "https://"))]
    if found:
        with st.container(horizontal=True, gap="small"):
            for title, url in found:
                st.link_button(literal(title), url, icon=":material/open_in_new:")


def _link(given: Any) -> tuple[str, str]:
    if isinstance(given, Mapping):
        return str(given.get("title", "")), str(given.get("url", ""))
    return str(getattr(given, "title", "")), str(getattr(given, "url", ""))


# Inputs and outputs, each fact with its source


def draw_signature(facts: Facts, signature: Signature) -> None:
    """One row per feature and output; each cell with a small mark of its source."""
    st.html(STYLE)
    with st.container(key="facts"):
        _draw_features(facts, signature)
        _draw_outputs(facts, signature)
    st.caption("A cell without a source is assumed: nobody says it.")


def _draw_features(facts: Facts, signature: Signature) -> None:
    mark = _mark(facts.of(("tensors",), "layout", "input", "datatype"))
    count = len(signature.features)
    st.markdown(f"**Inputs** · {count} · {literal(layout_text(signature))}{mark}")
    shown = signature.features[:MOST_ROWS]
    rows = [_feature_cells(facts, signature, feature) for feature in shown]
    _table(rows, "Inputs of the model with the source of each fact")
    if count > MOST_ROWS:
        st.caption(f"and {count - MOST_ROWS:,} more: all stand under Where each fact comes from")


def _draw_outputs(facts: Facts, signature: Signature) -> None:
    st.markdown("**Outputs**")
    if not signature.outputs:
        st.caption("None named: every output the server gives is shown as it is.")
        return
    rows = [_output_cells(facts, output) for output in signature.outputs]
    _table(rows, "Outputs of the model with the source of each fact")


def _table(rows: list[dict[str, str]], alt: str) -> None:
    st.table(pd.DataFrame(rows), border="horizontal", alt=alt)


def layout_text(signature: Signature) -> str:
    """How the features lie in tensors."""
    if signature.layout == "columns":
        return "one input per column"
    return f"columns of one tensor, {signature.input}, {signature.datatype}"


def _feature_cells(facts: Facts, signature: Signature, feature: Feature) -> dict[str, str]:
    of = ("features", feature.name)
    wire = signature.datatype_of(feature).name
    return {
        "Feature": _name_cell(feature.name, feature.title, facts.of(of, "title")),
        "Range or choices": _allowed_cell(facts, feature),
        "Unit": _cell(feature.unit, facts.of(of, "unit")),
        "Default": _cell(feature.default, facts.of(of, "default")),
        "Needed": _needed_cell(facts, feature),
        "Kind": _cell(feature.kind, facts.of(of, "kind")),
        "Travels as": _cell(wire, facts.of(of, "datatype") or _shared(facts, signature)),
    }


def _shared(facts: Facts, signature: Signature) -> list[Fact]:
    return facts.of(("tensors",), "datatype") if signature.layout == "tensor" else []


def _allowed_cell(facts: Facts, feature: Feature) -> str:
    of = ("features", feature.name)
    lines = [_cell(allowed_text(feature), facts.of(of, "min", "max", "choices", "shape", "image"))]
    usual = usual_text(feature.reference)
    if usual and not feature.sensitive:
        lines.append(_cell(usual, facts.of(of, "reference")))
    return "  \n".join(line for line in lines if line != NOTHING) or NOTHING


def _needed_cell(facts: Facts, feature: Feature) -> str:
    of = ("features", feature.name)
    needed = _cell("yes" if feature.required else "no", facts.of(of, "required"))
    return (
        f"{needed}  \n{_cell('sensitive', facts.of(of, 'sensitive'))}"
        if feature.sensitive
        else needed
    )


def _output_cells(facts: Facts, output: Output) -> dict[str, str]:
    of = ("outputs", output.name)
    labels = _few([str(label) for label in output.class_names])
    mark = None if output.threshold is None else number_text(output.threshold)
    return {
        "Output": _name_cell(output.name, output.title, facts.of(of, "title")),
        "Meaning": _cell(output.kind, facts.of(of, "kind")),
        "Unit": _cell(output.unit, facts.of(of, "unit")),
        "Labels": _cell(labels, facts.of(of, "labels")),
        "Threshold": _cell(mark, facts.of(of, "threshold", "positive")),
    }


def allowed_text(feature: Feature) -> str:
    """The range or choices of a feature, in words; "" where it has none."""
    if feature.choices:
        return _few([choice.text for choice in feature.choices])
    if feature.image:
        return f"{feature.image.width} × {feature.image.height} pixels"
    if feature.shape:
        return " × ".join(map(str, feature.shape))
    return range_text(feature.min, feature.max)


def usual_text(reference: Reference | None) -> str:
    """Where nine in ten values of a sample lie; "" where that is not known."""
    if reference is None or not reference.quantiles:
        return ""
    return f"usually {range_text(reference.quantiles[1], reference.quantiles[5])}"


def _few(texts: list[str]) -> str:
    more = len(texts) - MOST_CHOICES
    return ", ".join(texts[:MOST_CHOICES]) + (f" and {more} more" if more > 0 else "")


def _name_cell(name: str, title: str, facts: list[Fact]) -> str:
    name, title = text_of(name), text_of(title)
    if not title or title == name:
        return f"**{literal(name)}**{_mark(facts)}"
    return f"**{literal(title)}**{_mark(facts)}  \n:small[{literal(name)}]"


def _cell(value: Any, facts: list[Fact]) -> str:
    text = "" if value is None else text_of(value)
    return f"{literal(text)}{_mark(facts)}" if text else NOTHING


def _mark(facts: Sequence[Fact]) -> str:
    """The sources of a cell, small and grey, in words."""
    kinds = dict.fromkeys(fact.source.kind for fact in facts)
    words = ", ".join(kinds).replace(" ", NO_BREAK)
    return f" :gray[:small[·{NO_BREAK}{words}]]" if kinds else ""


# Every fact


def draw_every_fact(description: Description) -> None:
    """A table of all facts: what, of what, from where, and what others said."""
    rows = [
        {
            "Of": _of(fact.of),
            "Setting": fact.setting,
            "Value": text_of(fact.value),
            "Source": str(fact.source),
            "Instead of": "; ".join(f"{text_of(v)} ({s.kind})" for v, s in fact.instead_of),
        }
        for fact in description.facts
        if fact.value is not None
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Every fact with its source")


def _of(of: tuple[str, ...]) -> str:
    return " ".join([_OF.get(of[0], of[0]), *of[1:]]).strip()


def text_of(value: Any) -> str:
    """A value of any setting as people read it, cut where it is long."""
    text = _text(value)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e15 else repr(value)
    if isinstance(value, Reference):
        return _reference_text(value)
    if isinstance(value, Choice):
        return value.text
    if isinstance(value, Mapping):
        return _mapping_text(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value)


def _mapping_text(value: Mapping[str, Any]) -> str:
    if "rows" in value:
        return _reference_text(Reference.model_validate(dict(value)))
    if set(value) <= {"value", "label"} and "value" in value:
        return str(value.get("label") or value["value"])
    if set(value) == {"title", "url"}:
        return str(value["title"])
    if all(isinstance(one, str | int | float) for one in value.values()):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    return json.dumps(dict(value), default=str, ensure_ascii=False)


def _reference_text(reference: Reference) -> str:
    usual = usual_text(reference)
    counts = _few([f"{name} {count:,}" for name, count in reference.counts.items()])
    return " · ".join(filter(None, [f"{reference.rows:,} rows", usual, counts]))
