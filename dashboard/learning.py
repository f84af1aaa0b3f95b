"""Learn from a sample: a file of usual rows becomes a form to edit, to try and to take along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import pandas as pd
import streamlit as st
from pydantic import ValidationError

from dashboard import forms, gateway, masking, views
from dashboard.settings import upload_mb
from dashboard.shell import Chosen
from dashboard.sketch import (
    USE,
    Row,
    Sketch,
    cells_of,
    classes_of,
    output_cells,
    outputs_of,
)
from dashboard.state import Answered, choose, forget, session, widget_key
from dashboard.views import literal
from kserve_client.catalog import Description, Entry
from kserve_client.catalog.entry_text import annotate_command, annotation_text, entry_text
from kserve_client.catalog.sample import read_sample
from kserve_client.datatypes import DATATYPES
from kserve_client.errors import KServeClientError
from kserve_client.model import PredictionExchange
from kserve_client.predictions import Prediction, Predictions
from kserve_client.signature import (
    FeatureKind,
    OutputKind,
    PartialSignature,
    Signature,
)

TYPES = ["csv", "tsv", "txt", "gz", "parquet"]
SAMPLE_MB = 200
ROW_PX, MOST_ROWS = 35, 14
SCROLL_PX = 640
LAYOUTS = {"tensor": "Columns of one tensor", "columns": "One input per column"}
FILE, KNOWN = "The file", "What was known"
WAYS = ("Models file", "Annotation", "kubectl")
_TEXTS = ("name", "title", "kind", "unit", "group", "help", "default", "problem", "positive")
_FLAGS = (USE, "required", "sensitive")
_FLOATS = ("min", "max", "step", "threshold")


@dataclass(slots=True)
class Learning:
    """What one session learns about one model. `good` is the last signature that made sense.

    `is_second` after another file took the place of the first; edits that found no column in it are
    `waiting`.
    """

    sketch: Sketch | None = None
    good: Signature | None = None
    problem: KServeClientError | None = None
    is_second: bool = False
    waiting: tuple[str, ...] = ()


@st.fragment
def draw(model: Chosen, known: Description) -> None:
    """Draw the section; `known` is what other sources say of the model."""
    learning = _learning(model)
    _invitation(known, learning)
    _upload(model, known, learning)
    sketch = learning.sketch
    if sketch is None:
        return
    _take_edits(model, sketch)
    left, right = st.columns([1.75, 1], gap="large")
    with left:
        _features(model, sketch)
        _outputs(model, sketch)
        _travel(model, sketch)
    _settle(learning, sketch)
    with right:
        _trial(model, learning, sketch)
    if learning.good is not None:
        _take_along(model, learning.good)


def _learning(model: Chosen) -> Learning:
    found = session().sketches.setdefault(model.name, Learning())
    assert isinstance(found, Learning)
    return found


def _settle(learning: Learning, sketch: Sketch) -> None:
    """Keep the last signature that made sense."""
    try:
        learning.good = sketch.signature()
    except ValidationError:
        return


# The file


def _invitation(known: Description, learning: Learning) -> None:
    if known.signature is None and learning.sketch is None:
        why = (
            "What this model takes is not known, since not every source could be asked."
            if known.failures
            else "This model does not say what it takes."
        )
        st.info(
            f"{why} Drop a CSV of usual rows: its columns become "
            "a form, which you can try at once and hand on to others.",
            icon=":material/upload_file:",
        )
    elif learning.sketch is None:
        st.markdown(
            "Drop a file of usual rows: ranges, choices and defaults are proposed from it. "
            "Edit them, try the form, and take it along as an entry of the models file."
        )


def _upload(model: Chosen, known: Description, learning: Learning) -> None:
    name = f"learn.{model.name}"
    sketch = learning.sketch
    label = "CSV or Parquet file of usual rows" if sketch is None else "Another file"
    where = st.container() if sketch is None else _file_line(model, known, learning, sketch)
    with where:
        file = st.file_uploader(
            label,
            type=TYPES,
            key=widget_key(name),
            max_upload_size=upload_mb(SAMPLE_MB),
            help="It is read once, for you alone: it is not kept, and not sent to the model.",
        )
    if learning.problem is not None:
        views.problem(learning.problem)
    if file is not None:
        with st.spinner(f"Reading {literal(file.name)}"):
            _read(learning, known, file)
        for other in (name, _grid(model)):  # what was read of it is enough; its rows are others
            forget(other)
        st.rerun()


def _read(learning: Learning, known: Description, file: Any) -> None:
    """Take a file; the edits of the one before stay, by the names of columns."""
    learning.problem = None
    try:
        sample = read_sample(file, name=file.name)
    except KServeClientError as error:
        learning.problem = error
        return
    if learning.sketch is None:
        learning.sketch = Sketch.begin(sample, known)
    else:
        learning.waiting = tuple(learning.sketch.take(sample))
        learning.is_second = bool(learning.sketch.edited)


def _file_line(model: Chosen, known: Description, learning: Learning, sketch: Sketch) -> Any:
    """Which file this is of, what was left out of it, and the way to another one."""
    sample = sketch.sample
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{literal(sample.name)}** · {sample.rows:,} rows · "
            f"{len(sample.columns)} columns · {literal(sample.form)}",
            width="stretch",
        )
        other = st.popover("Another file", icon=":material/upload_file:")
        st.button(
            "Start over",
            key=f"over.{model.name}",
            icon=":material/restart_alt:",
            help="Forget your edits, which last as long as this window, and propose anew.",
            on_click=_start_over,
            args=(model, known, learning),
        )
    if learning.is_second:
        _edits_line(learning, sketch)
    return other


def _edits_line(learning: Learning, sketch: Sketch) -> None:
    kept = len(sketch.edited) - len(learning.waiting)
    words = f"Your edits of {kept} {'feature' if kept == 1 else 'features'} are kept by name"
    if learning.waiting:
        names = ", ".join(literal(name) for name in learning.waiting)
        words += f"; those of {names} wait for a file that has such a column"
    st.caption(f"{words}.")


def _start_over(model: Chosen, known: Description, learning: Learning) -> None:
    assert learning.sketch is not None
    learning.sketch = Sketch.begin(learning.sketch.sample, known)
    learning.waiting, learning.is_second = (), False
    for name in (_grid(model), _output_grid(model)):
        forget(name)


# The grid of features


def _grid(model: Chosen) -> str:
    return f"grid.learn.{model.name}"


def _features(model: Chosen, sketch: Sketch) -> None:
    rows = sketch.rows()
    sketch.shown = tuple(row.column for row in rows)
    used = sum(row.is_used for row in rows)
    st.markdown(f"**1 · Check the features** · {used} of {len(rows)} are used")
    if sketch.known is not None:
        _which_counts(model, sketch)
    _editor(
        [cells_of(row) for row in rows],
        _feature_columns(),
        name=_grid(model),
        alt="Features of the form, to be edited",
    )
    _problems(rows)
    _positions(sketch, used)
    if sketch.notes:
        with st.expander(f"What was noticed in the file ({len(sketch.notes)})"):
            st.markdown("\n".join(f"- {literal(note)}" for note in sketch.notes))


def _which_counts(model: Chosen, sketch: Sketch) -> None:
    key = f"counts.{model.name}"
    choose({key: KNOWN if sketch.keeps_known else FILE})
    st.segmented_control(
        "Where both say something, take",
        [FILE, KNOWN],
        required=True,
        key=key,
        on_change=_counts_changed,
        args=(key, model, sketch),
    )


def _counts_changed(key: str, model: Chosen, sketch: Sketch) -> None:
    sketch.keeps_known = st.session_state[key] == KNOWN
    forget(_grid(model))


def _feature_columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "name": column.TextColumn(
            "Name", width=120, pinned=True, help="The name that the model was trained with."
        ),
        USE: column.CheckboxColumn("Use", width=65, help="Whether the model takes it."),
        "problem": _check_column(),
        "title": column.TextColumn("Title", width=115, help="What people read in the form."),
        "kind": column.SelectboxColumn(
            "Kind", options=get_args(FeatureKind), required=True, width=85
        ),
        "min": column.NumberColumn("Min", width=70, help="Lower end of the slider."),
        "max": column.NumberColumn("Max", width=70, help="Upper end of the slider."),
        "step": column.NumberColumn("Step", width=75),
        "default": column.TextColumn("Default", width=95, help="Where the form starts."),
        "unit": column.TextColumn("Unit", width=75),
        "choices": column.ListColumn(
            "Choices", width=180, help="Of a category. Write 1 = Male for a value with a label."
        ),
        "group": column.TextColumn("Group", width=90, help="Section of the form."),
        "help": column.TextColumn("Help", width=160, help="A sentence beside the field."),
        "required": column.CheckboxColumn("Needed", width=90),
        "sensitive": column.CheckboxColumn(
            "Sensitive", width=95, help="Kept out of links and histories, hidden on screen."
        ),
    }


def _check_column() -> Any:
    return st.column_config.TextColumn("Check", disabled=True, width=70, help="Why: see below.")


def _editor(
    cells: Sequence[Mapping[str, Any]], columns: dict[str, Any], *, name: str, alt: str
) -> None:
    """A table to edit. Its edits, laid over rows that hold them already, change nothing."""
    st.data_editor(
        _frame(cells, columns),
        key=widget_key(name),
        column_config=columns,
        height=ROW_PX * MOST_ROWS if len(cells) > MOST_ROWS else "content",
        placeholder="",
        hide_index=True,
        alt=alt,
    )


def _frame(cells: Sequence[Mapping[str, Any]], columns: Mapping[str, Any]) -> pd.DataFrame:
    """Columns of the types that the editor wants, whatever a person typed so far."""
    frame = pd.DataFrame(list(cells), columns=list(columns))
    types = dict.fromkeys(_TEXTS, "string") | dict.fromkeys(_FLAGS, "bool")
    types |= dict.fromkeys(_FLOATS, "float64")
    return frame.astype({name: kind for name, kind in types.items() if name in columns})


def _edits(name: str) -> list[tuple[int, dict[str, Any]]]:
    """What was typed into a table: the number of the row, and its cells by column."""
    state = st.session_state.get(widget_key(name)) or {"edited_rows": {}}
    return [(int(at), cells) for at, cells in state["edited_rows"].items()]


def _take_edits(model: Chosen, sketch: Sketch) -> None:
    for at, cells in _edits(_grid(model)):
        if sketch.edit(sketch.shown[at], cells):
            forget(_grid(model))  # what was typed for another kind is history
    for at, cells in _edits(_output_grid(model)):
        sketch.edit_output(at, cells)


def _problems(rows: Sequence[Row]) -> None:
    """What is wrong with the rows, in words, where a screen reader finds it too."""
    for row in rows:
        if row.is_used and row.problem:
            words = literal(f"{row.name or row.column}: {row.problem}")
            st.caption(f":orange[:material/edit_note: {words}]")


def _positions(sketch: Sketch, used: int) -> None:
    """A tensor that names no features takes a number of them."""
    known = sketch.known
    if known is None or known.layout != "tensor" or used == len(known.features):
        return
    takes = len(known.features)
    words = f"The model takes {takes} features, {used} are ticked."
    st.caption(f":orange[:material/edit_note: {words}]")


# Outputs


def _output_grid(model: Chosen) -> str:
    return f"outputs.learn.{model.name}"


def _outputs(model: Chosen, sketch: Sketch) -> None:
    rows = sketch.output_rows()
    st.markdown("**What comes out**")
    if not rows:
        st.caption("Not named: what the server gives is shown as it is. Try the form to see it.")
    else:
        _editor(
            [output_cells(row) for row in rows],
            _output_columns(),
            name=_output_grid(model),
            alt="Outputs of the model, to be edited",
        )
        _problems(rows)
    with st.container(horizontal=True):
        st.button(
            "Add an output",
            key=f"more.{model.name}",
            icon=":material/add:",
            on_click=_output_added,
            args=(model, sketch),
        )
        _take_answer(model, sketch)


def _output_columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "name": column.TextColumn(
            "Name", width=120, pinned=True, help="Name of the tensor in the answer."
        ),
        USE: column.CheckboxColumn("Use", width=65),
        "problem": _check_column(),
        "kind": column.SelectboxColumn(
            "Meaning", options=get_args(OutputKind), required=True, width=110
        ),
        "title": column.TextColumn("Title", width=110),
        "unit": column.TextColumn("Unit", width=75),
        "labels": column.ListColumn(
            "Labels", width=200, help="Names of the classes by index; or answer = name for each."
        ),
        "threshold": column.NumberColumn(
            "Threshold", width=100, help="The probability from which on the answer is the positive."
        ),
        "positive": column.TextColumn(
            "Positive", width=90, help="The label that the threshold is about."
        ),
    }


def _output_added(model: Chosen, sketch: Sketch) -> None:
    sketch.add_output()
    forget(_output_grid(model))


def _take_answer(model: Chosen, sketch: Sketch) -> None:
    """After a try: describe the outputs as they came."""
    last = session().answers.get(_form(model))
    if last is None:
        return
    fresh = outputs_of(last.result.exchange.response.outputs, sketch.sample)
    if {row.name for row in fresh} <= {row.name for row in sketch.outputs}:
        return
    classes = literal(", ".join(classes_of(sketch.sample)))
    st.button(
        "Name the outputs of this answer",
        key=f"name.{model.name}",
        type="primary",
        icon=":material/playlist_add_check:",
        help=f"Labels, in the order of scikit-learn: {classes}." if classes else None,
        on_click=_answer_taken,
        args=(model, sketch, fresh),
    )


def _answer_taken(model: Chosen, sketch: Sketch, fresh: list[Row]) -> None:
    there = {row.name for row in sketch.outputs}
    sketch.outputs += [row for row in fresh if row.name not in there]
    forget(_output_grid(model))


# How the values travel


def _travel(model: Chosen, sketch: Sketch) -> None:
    """The layout; what a person sets of it stays, what they don't follows the features."""
    settings = sketch.travel()
    words = LAYOUTS[settings["layout"]]
    if settings["layout"] == "tensor":
        words += f", {settings['input']}, {settings['datatype']}"
    with st.expander(f"How the values travel: {literal(words)}"):
        st.segmented_control(
            "Layout",
            list(LAYOUTS),
            format_func=LAYOUTS.__getitem__,
            required=True,
            **_setting(model, sketch, "layout", settings),
        )
        if settings["layout"] == "tensor":
            _tensor(model, sketch, settings)
        else:
            st.caption("As a table: MLServer and KServe make a pandas DataFrame of it.")


def _tensor(model: Chosen, sketch: Sketch, settings: Mapping[str, Any]) -> None:
    left, right = st.columns(2)
    with left:
        st.text_input("Name of the tensor", **_setting(model, sketch, "input", settings))
    names = [name for name, one in DATATYPES.items() if one.family in ("float", "integer")]
    with right:
        st.selectbox("Datatype", names, **_setting(model, sketch, "datatype", settings))


def _setting(
    model: Chosen, sketch: Sketch, name: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings of a widget that shows one setting as it is now, and takes what is set."""
    key = f"{name}.{model.name}"
    choose({key: settings[name]})
    return {"key": key, "on_change": _setting_changed, "args": (key, name, sketch)}


def _setting_changed(key: str, name: str, sketch: Sketch) -> None:
    sketch.tensors[name] = st.session_state[key]


# The form beside it


def _form(model: Chosen) -> str:
    return f"learn {model.name}"


def _trial(model: Chosen, learning: Learning, sketch: Sketch) -> None:
    st.markdown("**2 · Try the form**")
    problems = sketch.problems()
    if problems:
        of, words = problems[0]
        st.warning(
            literal(f"{of}: {words}." if of else f"{words[:1].upper()}{words[1:]}."),
            title="Not yet a form"
            if learning.good is None
            else "The form shows what last made sense",
            icon=":material/edit_note:",
        )
    signature = learning.good
    if signature is None:
        return
    is_long = forms.is_long(signature)
    with st.container(height=SCROLL_PX if is_long else "content", border=True):
        row = forms.draw(_form(model), signature)
    issues = forms.issues(signature, row)
    is_asked = st.button(
        "Try it",
        key=f"try.{model.name}",
        type="primary",
        icon=":material/play_arrow:",
        disabled=bool(issues),
        help="Ask the model itself with these values.",
    )
    if issues:
        views.incomplete(signature, issues)
    with views.explained():
        if is_asked:
            _try(model, signature, row)
        _answer(model, signature, row)


def _try(model: Chosen, signature: Signature, row: dict[str, Any]) -> None:
    """Ask with a signature that nobody else has; only what may be seen of it is kept."""
    form = _form(model)
    session().answers.pop(form, None)
    try:
        with st.spinner("Asking the model", show_time=True):
            result = gateway.try_out(model.name, signature, row)
    except KServeClientError as error:
        raise masking.masked_error(signature, error) from None
    shown = masking.masked_exchange(signature, result.exchange)
    session().answers[form] = Answered(
        masking.masked_row(signature, row), PredictionExchange(result.predictions, shown)
    )
    st.rerun()  # the outputs can be named now


def _answer(model: Chosen, signature: Signature, row: dict[str, Any]) -> None:
    last = session().answers.get(_form(model))
    if last is None:
        return
    if last.row != masking.masked_row(signature, row):
        st.caption(":material/history: The form has changed since this answer.")
    views.answer(_read_by(signature, last.result), last.result.exchange, model.title)


def _read_by(signature: Signature, result: PredictionExchange) -> Prediction:
    """The answer by the signature as it is now, so that labels show as they are typed."""
    try:
        return Predictions(signature, result.exchange.response, len(result.predictions))[0]
    except KServeClientError as error:
        st.caption(f":orange[:material/edit_note: {literal(str(error))}]")
        return result.predictions[0]


# Taking it along


def _take_along(model: Chosen, signature: Signature) -> None:
    st.divider()
    st.markdown("**3 · Take it along**")
    entry, name = _entry(model, signature)
    way = st.segmented_control(
        "Take it as", WAYS, default=WAYS[0], required=True, key=f"way.{model.name}"
    )
    with views.explained():
        if way == "Models file":
            _text(
                entry_text(name, entry),
                f"{_word(name)}.yaml",
                "Put it under `models:` in the models file, in the place of the entry that is "
                "there. The dashboard reads the file again by itself.",
            )
        elif way == "Annotation":
            _text(
                annotation_text(entry),
                f"{_word(name)}-annotation.yaml",
                "Put it into the manifest of the InferenceService. The form then goes wherever "
                "the model goes.",
            )
        else:
            _text(
                annotate_command(entry, service=name),
                f"{_word(name)}-annotate.sh",
                "Run it where `kubectl` reaches the cluster, with the namespace of the "
                "InferenceService.",
            )


def _entry(model: Chosen, signature: Signature) -> tuple[Entry, str]:
    """The entry that would say all this, and its key: what is said of the model itself stays."""
    entry = model.entry
    names = {feature.name for feature in signature.features}
    others = gateway.description(model.name).signature
    said = signature.model_dump(exclude_unset=True)
    if others is not None and any(feature.name not in names for feature in others.features):
        said["complete"] = True  # what was left out here stays out, though another source names it
    partial = PartialSignature.model_validate(said)
    examples = tuple(one for one in entry.examples if set(one.row) <= names)
    changes: dict[str, Any] = {"signature": partial, "examples": examples}
    if entry.sample is not None:
        changes["sample"] = entry.sample.model_copy(update={"fills_gaps": True})
    return entry.model_copy(update=changes), model.name.rpartition("/")[2]


def _text(text: str, file: str, how: str) -> None:
    st.caption(how)
    st.download_button(
        f"Download {file}", text, file, on_click="ignore", icon=":material/download:"
    )
    st.code(text, language="yaml", height=SCROLL_PX if text.count("\n") > 26 else "content")


def _word(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)
