"""Step one: a table comes up, or is picked from those the settings offer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard import gateway, tables, views
from dashboard.batch import steps
from dashboard.batch.draft import Draft, Preparation
from dashboard.jobs import NamedSource, Spooled, StorageTroubleError
from dashboard.settings import upload_mb
from dashboard.shell import Chosen
from dashboard.state import forget, session, widget_key
from dashboard.views import literal
from kserve_client.scoring.sources import DELIMITERS
from kserve_client.signature import Signature

FORMATS = {"csv": "CSV", "json-lines": "JSON Lines", "parquet": "Parquet", "arrow": "Arrow"}
UPLOAD, OFFERED = "Upload a file", "Choose a table that is there"
ANYHOW = "Automatic"
GONE = "The upload that this address leads to is not there any more; choose the file again."
# Reads may work where writes fail: a file is not sent without end.
MOST_TRIES = 5
STILL_HERE = "The file is still here; this page tries again by itself."
ENCODINGS = ("utf-8", "cp1252", "iso-8859-1", "utf-16")
DECIMALS = {".": "point: 5.1", ",": "comma: 5,1"}


def draw(model: Chosen, signature: Signature) -> None:
    """Nothing is chosen yet: the upload, what a file needs, and a template."""
    offered = gateway.jobs().sources()
    problems = gateway.jobs().source_problems()
    way = UPLOAD
    if offered:
        way = st.segmented_control(
            "Where the table is", [UPLOAD, OFFERED], default=UPLOAD, key="batch.way", required=True
        )
    if way == OFFERED:
        _offered(model, signature, offered)
    else:
        _upload(model, signature)
    for problem in problems:
        st.caption(literal(f"Not every table can be offered: {problem}"))
    _needs(model, signature)


def kept(model: Chosen, signature: Signature) -> Preparation | None:
    """What was uploaded before this window was loaded anew, or another replica answered it."""
    try:
        upload = steps.kept_upload()
    except StorageTroubleError:
        steps.wait_while(steps.upload_problem)
    if upload is not None:
        with st.spinner(f"Reading {literal(upload.name)}"):
            _take(model, signature, upload)
    elif steps.asked_upload():
        st.info(GONE, icon=":material/link_off:")
    return steps.preparation(model.name)


def _upload(model: Chosen, signature: Signature) -> None:
    name = f"table.{model.name}"
    file = st.file_uploader(
        "Table to score: CSV, Parquet, JSON Lines or Arrow",
        key=widget_key(name),
        max_upload_size=upload_mb(),
        help="Delimiter, encoding and decimal sign are found out; .gz and .zst are unpacked. "
        "The file is kept with the jobs of this dashboard for as long as its results.",
    )
    if file is None:
        return
    with st.spinner(f"Reading {literal(file.name)}"):
        is_kept = True
        try:
            spooled = _spooled(file)
        except StorageTroubleError as error:
            tries = session().refused[file.file_id] = session().refused.get(file.file_id, 0) + 1
            is_kept = not error.is_away or tries == MOST_TRIES
            if is_kept:
                raise
            steps.try_again(error, STILL_HERE)
            return
        finally:
            if is_kept:
                _release(file)
                forget(name)
        _take(model, signature, spooled)
    st.rerun()


def _spooled(file: Any) -> Spooled:
    file.seek(0)  # a storage that was away may have had some of it
    return gateway.jobs().spool(file, file.name, steps.owner())


def _release(file: Any) -> None:
    """Let Streamlit forget an upload at once: it would hold it in memory while the session lasts."""
    context = get_script_run_ctx()
    if runtime.exists() and context is not None:
        manager = runtime.get_instance().uploaded_file_mgr
        if isinstance(manager, MemoryUploadedFileManager):
            manager.remove_file(context.session_id, file.file_id)


def _take(model: Chosen, signature: Signature, source: Spooled | NamedSource) -> None:
    made = Preparation(source, gateway.jobs().reading())
    made.read(signature)
    steps.prepare(model.name, made)


def _offered(model: Chosen, signature: Signature, offered: list[NamedSource]) -> None:
    about = {source.name: source for source in offered}
    name = st.selectbox(
        "Table",
        list(about),
        index=None,
        key=f"offered.{model.name}",
        placeholder="Choose a table",
        format_func=lambda name: _offer_words(about[name]),
    )
    is_asked = st.button(
        "Use this table",
        type="primary",
        icon=":material/arrow_forward:",
        key="use",
        disabled=name is None,
    )
    if is_asked and name is not None:
        with st.spinner("Reading the table"):
            _take(model, signature, gateway.jobs().source(name))
        st.rerun()


def _offer_words(source: NamedSource) -> str:
    parts = [source.name]
    parts += [] if source.size_bytes is None else [steps.size_words(source.size_bytes)]
    parts += [] if source.changed is None else [f"{source.changed:%Y-%m-%d %H:%M}"]
    return " · ".join(parts)


def _needs(model: Chosen, signature: Signature) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(tables.needed_columns(signature), width="stretch")
        st.download_button(
            "Download a template",
            tables.template(signature, model.entry.examples),
            file_name=f"{model.name}-template.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="template",
        )


def line(signature: Signature, made: Preparation) -> None:
    """The table that was chosen: what it is, and its first rows."""
    draft = made.draft
    words = made.source.name if draft is None else _found_words(draft)
    state: steps.State = "attention" if draft is None else "done"
    with steps.step("Table", words, state, is_open=draft is None):
        if made.problem is not None:
            views.problem(made.problem)
        if draft is not None:
            _first_rows(draft, signature)
        _reading(made, signature)


def another(model: Chosen) -> None:
    """The way back to the choice of a table."""
    st.button(
        "Another table",
        icon=":material/refresh:",
        key="another",
        type="tertiary",
        on_click=_begin_anew,
        args=(model.name,),
    )


def _begin_anew(model: str) -> None:
    steps.drop(model)
    steps.upload_in_address(None)


def _found_words(draft: Draft) -> str:
    found = draft.preview.found
    parts = [draft.name, _counted_columns(len(draft.preview.columns))]
    if found.format == "csv":
        encoding = found.encoding.upper() if found.encoding != "utf-8" else "UTF-8"
        parts += [f"{draft.preview.delimiter_name} between cells", encoding]
        parts += ["decimal comma"] * (found.decimal == ",")
    else:
        parts.append(FORMATS[found.format])
    parts += [found.compression] * bool(found.compression)
    return " · ".join(parts)


def _counted_columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count:,} columns"


def _first_rows(draft: Draft, signature: Signature) -> None:
    columns = draft.preview.columns
    hidden = tables.hidden_columns(signature, draft.mapping, columns)
    st.dataframe(
        tables.shown(columns, draft.preview.first_rows, hidden),
        height=250,
        alt="The first rows of the table",
    )
    if hidden:
        st.caption("What is marked as sensitive is hidden here; the download will hold it.")


def _reading(made: Preparation, signature: Signature) -> None:
    """How a text is read, where the guess was wrong."""
    is_text = made.draft is None or made.draft.preview.found.format in ("csv", "json-lines")
    if not is_text:
        return
    key = f"read.{made.source.name}"
    with st.popover("Read it differently", icon=":material/tune:"):
        encoding = st.selectbox("Encoding", [ANYHOW, *ENCODINGS], key=f"{key}.encoding")
        delimiter = st.selectbox(
            "Between cells",
            [ANYHOW, *DELIMITERS],
            key=f"{key}.delimiter",
            format_func=lambda sign: DELIMITERS.get(sign, sign),
        )
        decimal: Any = st.selectbox(
            "Decimal sign",
            [ANYHOW, *DECIMALS],
            key=decimal_key(made.source.name),
            format_func=lambda sign: DECIMALS.get(sign, sign),
        )
    wanted = replace(
        made.reading,
        encoding=_or_none(encoding),
        delimiter=_or_none(delimiter),
        decimal=_or_none(decimal),
    )
    if wanted != made.reading:
        made.reading = wanted
        made.read(signature)
        st.rerun()


def decimal_key(name: str) -> str:
    """The key of the choice of a decimal sign for a table of that name."""
    return f"read.{name}.decimal"


def _or_none(chosen: Any) -> Any:
    return None if chosen == ANYHOW else chosen
