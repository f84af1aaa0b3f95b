"""What the parts of the results have to know of a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dashboard import gateway, tables
from dashboard.digest import mapping_of
from dashboard.jobs import JobView
from kserve_client.scoring.sources import Found
from kserve_client.signature import Signature

Format = Literal["csv", "json-lines", "parquet", "arrow"]


@dataclass(frozen=True, slots=True)
class About:
    """What a page has to know of a job to show its rows.

    `columns` are those of the source, `format` is its form, `hidden` the positions of the columns
    that feed a sensitive input, `manifest` the bytes of the job's own.
    """

    columns: tuple[str, ...]
    format: Format
    hidden: tuple[int, ...]
    manifest: bytes


def about(view: JobView, signature: Signature) -> About:
    """Read it from a job that has rows."""
    with gateway.jobs().results(view.id, view.owner) as saved:
        facts = saved.manifest.facts.input
        hidden = tables.hidden_columns(signature, mapping_of(saved), facts.columns)
        found = Found(**facts.found)
        return About(facts.columns, found.format, hidden, saved.manifest.to_bytes())
