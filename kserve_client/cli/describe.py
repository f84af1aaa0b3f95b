"""The command `describe`: what every source says of a model, merged, each fact with its source."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from kserve_client.catalog import Catalog, Description, Fact
from kserve_client.cli.console import Console, table
from kserve_client.cli.status import OK, status_of, status_of_all

LONGEST_VALUE = 60


def describe(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    """Ask all sources of a model; returns the exit status: why nobody says what it takes."""
    description = catalog.describe(arguments.model)
    console.show(_text(description), _object(arguments.model, description))
    for failure in description.failures:
        console.complain(f"{failure.source}: {failure.error}")
    if description.signature is not None:
        return OK
    return status_of_all(status_of(failure.error) for failure in description.failures)


def _text(description: Description) -> str:
    header: tuple[str, ...] = ("OF", "SETTING", "VALUE", "SOURCE", "INSTEAD OF")
    rows = [_row(fact) for fact in description.facts]
    if not any(fact.instead_of for fact in description.facts):
        header, rows = header[:-1], [row[:-1] for row in rows]
    parts = [table(header, rows)] if rows else []
    if description.signature is None:
        parts.append("Nobody says what this model takes: describe its features in the models file.")
    return "\n\n".join([*parts, *_notes(description)])


def _notes(description: Description) -> Iterator[str]:
    if description.notes:
        yield "\n".join(["Notes", *(f"  {note}" for note in description.notes)])


def _row(fact: Fact) -> tuple[str, ...]:
    instead = "; ".join(f"{_short(value)} ({source})" for value, source in fact.instead_of)
    return fact.of[-1], fact.setting, _short(fact.value), str(fact.source), instead


def _short(value: Any) -> str:
    plain = _plain(value)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def _object(name: str, description: Description) -> dict[str, Any]:
    signature = description.signature
    return {
        "model": name,
        "signature": signature and signature.model_dump(mode="json", exclude_defaults=True),
        "facts": [_fact_object(fact) for fact in description.facts],
        "notes": list(description.notes),
        "failures": [
            {"source": str(failure.source), "problem": str(failure.error)}
            for failure in description.failures
        ],
    }


def _fact_object(fact: Fact) -> dict[str, Any]:
    return {
        "of": list(fact.of),
        "setting": fact.setting,
        "value": _plain(fact.value),
        "source": str(fact.source),
        "instead_of": [
            {"value": _plain(value), "source": str(source)} for value, source in fact.instead_of
        ],
    }
