"""Settings that somebody wrote, each taken only if it makes sense beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from kserve_client.catalog.facts import Settings
from kserve_client.errors import first_problem
from kserve_client.signature import Feature, Output

# These only make sense together: a kind, and what it must have.
_TOGETHER = {
    Feature: ("kind", "choices", "image", "shape", "datatype"),
    Output: ("kind", "image"),
}
# A setting that says the kind, where nobody does.
_IMPLIED_KIND = {
    Feature: {"choices": "category", "image": "image"},
    Output: {"labels": "label", "image": "image"},
}
LONGEST_SHOWN = 60


def checked(
    kind: type[Feature | Output], base: Settings, said: Settings, notes: list[str]
) -> Settings:
    """`base`, which is valid, with what of `said` is valid too. The rest goes into notes."""
    found = dict(base)
    for names in _steps(kind, said):
        tried = found | {name: said[name] for name in names if name in said}
        if "kind" not in said:
            tried |= _implied(kind, names)
        problem = problem_of(kind, tried)
        if problem is None:
            found = tried
        else:
            shown = ", ".join(f"{name} {_shown(said[name])}" for name in names)
            notes.append(f"{base['name']}: {shown} left out: {problem}")
    return found


def _implied(kind: type[Feature | Output], names: tuple[str, ...]) -> Settings:
    said = [value for name, value in _IMPLIED_KIND[kind].items() if name in names]
    return {"kind": said[0]} if said else {}


def _steps(kind: type[Feature | Output], said: Settings) -> list[tuple[str, ...]]:
    together = tuple(name for name in _TOGETHER[kind] if name in said)
    known = [*kind.model_fields]
    alone = [name for name in said if name not in together and name != "name"]
    # PyYAML sorts what MLflow writes: min before max, and default after both, is an order of ours.
    alone.sort(key=lambda name: known.index(name) if name in known else len(known))
    return [*([together] if together else []), *((name,) for name in alone)]


def problem_of(kind: type[BaseModel], settings: Any) -> str | None:
    """Why these settings make no Feature, Output or whatever it is to be; None when they do."""
    try:
        kind.model_validate(settings)
    except ValidationError as error:
        return words(error)
    except (OverflowError, RecursionError):
        return "a number of it is too large, or it is nested too deeply"
    return None


def words(error: ValidationError) -> str:
    """The first problem in a sentence."""
    first = error.errors(include_input=False, include_url=False)[0]
    if first["type"] == "extra_forbidden":
        return f"{first['loc'][-1]} is no setting here"
    return first_problem(error)


def texts(value: Any) -> tuple[str, ...]:
    """The texts of a list of texts; () for anything else."""
    is_texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return tuple(value) if is_texts else ()


def joined(names: Sequence[Any], most: int = 10) -> str:
    """A few names in words."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
