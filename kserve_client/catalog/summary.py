"""Summary: what a card says of a model, from what is known already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kserve_client.catalog.facts import Draft
from kserve_client.catalog.models_file import Entry


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of a model without asking anybody; a text that nobody says is "".

    `version` and `aliases` are those of its MLflow model. `is_settled` is false where MLflow alone
    may say the title: it comes later, and another one may come after it.
    """

    title: str
    description: str = ""
    owner: str = ""
    version: str = ""
    aliases: tuple[str, ...] = ()
    is_settled: bool = True


def summarise(name: str, entries: Sequence[Entry], draft: Draft | None) -> Summary:
    """Put together what `entries` say, the strongest first, and after them `draft`, MLflow's."""
    about = draft.about if draft else {}

    def said(setting: str) -> str:
        found = next((text for one in entries if (text := getattr(one, setting))), "")
        return str(found or about.get(setting, ""))

    return Summary(
        said("title") or name,
        said("description"),
        said("owner"),
        str(about.get("version", "")),
        tuple(map(str, about.get("aliases", ()))),
        is_settled=any(one.title for one in entries) or not any(one.mlflow for one in entries),
    )
