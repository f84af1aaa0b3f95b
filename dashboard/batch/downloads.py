"""The files of a job that is over: its result in any form, the rows that failed, the manifest."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import BinaryIO

import streamlit as st

from dashboard import gateway
from dashboard.batch import steps
from dashboard.batch.about import About, Format
from dashboard.jobs import JobView, StorageTroubleError
from dashboard.views import literal, sentence
from kserve_client.errors import KServeClientError
from kserve_client.scoring import WriteOptions

_SUFFIXES = {"csv": "csv", "json-lines": "jsonl", "parquet": "parquet", "arrow": "arrow"}
_FORMAT_WORDS = {"csv": "CSV", "json-lines": "JSON Lines", "parquet": "Parquet", "arrow": "Arrow"}
_MIMES = {
    "csv": "text/csv",
    "json-lines": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file",
}


def draw(view: JobView, about: About) -> None:
    """The button for the whole result in the form of its source, and the choice of others."""
    st.download_button(
        "Download the result",
        partial(_file, view, WriteOptions(), _troubles(view)),
        file_name=_file_name(view, about.format),
        mime=_MIMES[about.format],
        icon=":material/download:",
        type="secondary" if view.can_resume else "primary",
        on_click="ignore",
        key="download",
    )
    with st.popover("Other downloads", icon=":material/tune:"):
        _others(view, about)


@st.fragment(run_every=steps.AGAIN_S)
def tell(view: JobView) -> None:
    """Say why the last download did not come: the button itself only says that, for a moment."""
    for trouble in _troubles(view):
        st.warning(literal(trouble), title="The download failed", icon=":material/cloud_off:")


def _others(view: JobView, about: About) -> None:
    formats: list[Format] = ["csv", "parquet", "json-lines"]
    formats += [about.format] * (about.format not in formats)
    form = st.segmented_control(
        "Format",
        formats,
        default=about.format,
        key=f"form.{view.id}",
        format_func=_FORMAT_WORDS.__getitem__,
        required=True,
    )
    form = form or about.format
    has_bad = view.counts.failed + view.counts.skipped > 0
    only_bad = has_bad and st.toggle("Only the rows without a prediction", key=f"bad.{view.id}")
    is_quoted = form == "csv" and st.toggle(
        "Safe for spreadsheets",
        key=f"quote.{view.id}",
        help="Puts an apostrophe before a text that a spreadsheet would run as a formula. "
        "Without it every cell comes back as it was.",
    )
    is_packed = form in ("csv", "json-lines") and st.toggle("Compressed (.gz)", key=f"gz.{view.id}")
    writing = WriteOptions(
        format=form,
        compression="gzip" if is_packed else None,
        only="errors" if only_bad else "all",
        formulas="quote" if is_quoted else "keep",
    )
    st.download_button(
        "Download",
        partial(_file, view, writing, _troubles(view)),
        file_name=_file_name(view, form, only_bad=only_bad, is_packed=is_packed),
        mime="application/gzip" if is_packed else _MIMES[form],
        icon=":material/download:",
        on_click="ignore",
        key="download.other",
    )
    st.download_button(
        "Download the manifest",
        about.manifest,
        file_name=f"{Path(view.input_name).stem or 'job'}-manifest.json",
        mime="application/json",
        icon=":material/receipt_long:",
        help="What was scored: model, version, hashes of file and signature, counts and figures.",
        on_click="ignore",
        key="manifest",
    )
    if about.hidden:
        st.caption("The files hold what is hidden on screen.")


def _troubles(view: JobView) -> list[str]:
    """What this session's last download of a job ended with, in words; [] when it went well."""
    found: list[str] = st.session_state.setdefault(f"troubles.{view.id}", [])
    return found


def _file(view: JobView, writing: WriteOptions, troubles: list[str]) -> BinaryIO:
    """Called in a thread that can draw nothing: what goes wrong is left for the page."""
    troubles.clear()
    try:
        return gateway.jobs().download(view.id, view.owner, writing).open("rb")
    except KServeClientError as error:
        troubles.append(_trouble(error))
        raise


def _trouble(error: KServeClientError) -> str:
    said = sentence(str(error))
    if isinstance(error, StorageTroubleError) and error.is_away:
        said += " Nothing is lost: the result is kept there. Press the button again in a moment."
    return said


def _file_name(
    view: JobView, form: Format, *, only_bad: bool = False, is_packed: bool = False
) -> str:
    stem = Path(Path(view.input_name).name).stem.removesuffix(".csv") or "result"
    what = "-without-prediction" if only_bad else ""
    suffix = _SUFFIXES[form] + (".gz" if is_packed else "")
    return f"{stem}-{view.model_name}{what}.{suffix}"
