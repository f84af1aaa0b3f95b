"""Whether a job may go on: what it was of must still be so, or the result would mix two runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kserve_client.errors import ConfigurationError, InputError
from kserve_client.scoring.job.manifest import Facts, ModelFacts
from kserve_client.scoring.sources.fingerprint import Fingerprint

_LONG = 60


def check_unchanged(before: Facts, now: Facts, where: str) -> None:
    """Compare what a job was begun with and what it would go on with.

    Raises InputError when the input is another one, else ConfigurationError when the model, its
    signature or an option that decides the result is; each says all that changed.
    """
    of_input = list(_input_changes(before, now))
    others = [
        *_model_changes(before.model, now.model),
        *_signature_changes(before.signature, now.signature),
        *_option_changes(before, now),
    ]
    if not of_input and not others:
        return
    kind = InputError if of_input else ConfigurationError
    raise kind(
        f"the job in {where} can't go on: {'; '.join([*of_input, *others])}. "
        "Undo the change or start a new job"
    )


def _input_changes(before: Facts, now: Facts) -> Iterator[str]:
    told = _content_change(before.input.fingerprint, now.input.fingerprint)
    if told:
        yield f"the input has changed ({told})"
    if before.input.columns != now.input.columns:
        yield f"the input {_list_change('columns', before.input.columns, now.input.columns)}"


def _content_change(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What has changed of the input; a stream that can be read only once has no fingerprint."""
    if not before or not now:
        return "" if before == now else "it can't be compared with the one of before"
    return Fingerprint.of_json(dict(now)).changes_since(Fingerprint.of_json(dict(before)))


def _model_changes(before: ModelFacts, now: ModelFacts) -> Iterator[str]:
    if before.served_name != now.served_name:
        yield f"the model was {before.served_name!r}, is {now.served_name!r}"
    if before.version != now.version:
        yield f"the model version was {before.version or 'any'}, is {now.version or 'any'}"
    answered = {before.answered_version, now.answered_version}
    if "" not in answered and len(answered) == 2:
        yield (
            f"the server answered as version {before.answered_version}, "
            f"now as {now.answered_version}"
        )
    if before.endpoint_url.rstrip("/") != now.endpoint_url.rstrip("/"):
        yield f"the endpoint was {before.endpoint_url}, is {now.endpoint_url}"
    if before.host != now.host:
        yield f"the host was {_told(before.host or None)}, is {_told(now.host or None)}"


def _signature_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for group in ("features", "outputs"):
        yield from _named_changes(group, before.get(group, ()), now.get(group, ()))
    rest = [{k: v for k, v in s.items() if k not in ("features", "outputs")} for s in (before, now)]
    told = ", ".join(_differences(*rest))
    if told:
        yield f"the signature has changed ({told})"


def _named_changes(
    group: str, before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """What differs between two lists of features or outputs."""
    old, new = ({entry["name"]: entry for entry in entries} for entries in (before, now))
    if list(old) != list(new):
        yield f"the signature {_list_change(group, list(old), list(new))}"
    for name in old.keys() & new.keys():
        told = ", ".join(_differences(old[name], new[name]))
        if told:
            yield f"{group[:-1]} {name!r} of the signature has changed ({told})"


def _option_changes(before: Facts, now: Facts) -> Iterator[str]:
    pairs = {
        "reading": (_reading(before), _reading(now)),
        "mapping": (before.options.mapping, now.options.mapping),
        "treatment": (before.options.treatment, now.options.treatment),
    }
    for name, (old, new) in pairs.items():
        told = ", ".join(_differences(old, new))
        if told:
            yield f"the options of {name} have changed ({told})"
    if before.options.limit != now.options.limit:
        yield f"the limit of rows was {before.options.limit}, is {now.options.limit}"


def _reading(facts: Facts) -> dict[str, Any]:
    """How the table is read; a decimal sign that nobody gave is the one that was found.

    A person who is asked for the sign halfway can give the one by which rows were read until then.
    """
    reading = facts.options.reading
    decimal = reading.get("decimal") or facts.input.found.get("decimal")
    return {**reading, "decimal": decimal}


def _list_change(group: str, before: Sequence[str], now: Sequence[str]) -> str:
    gone = [name for name in before if name not in now]
    added = [name for name in now if name not in before]
    told = [
        *([f"no longer has {', '.join(map(repr, gone))}"] if gone else []),
        *([f"now has {', '.join(map(repr, added))}"] if added else []),
    ]
    return f"{group} have changed: {' and '.join(told) or 'they are in another order'}"


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield _difference(name, before.get(name), now.get(name))


def _difference(name: str, before: Any, now: Any) -> str:
    old, new = _told(before), _told(now)
    return f"{name} differs" if max(len(old), len(new)) > _LONG else f"{name} was {old}, is {new}"


def _told(value: Any) -> str:
    return "not set" if value is None else repr(value)
