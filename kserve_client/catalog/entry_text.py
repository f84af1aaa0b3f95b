"""An entry of the models file, or the annotation of an InferenceService, as YAML text.

Written as a person would: only what is not usual, one feature per line, quotes where our reader
(`yaml_lines`, YAML 1.2) needs them. What is read back is what was written. A usual value is written
where leaving it out would let another source speak: layout, tensor, `required: true`.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from kserve_client.catalog.annotations import (
    FORM_ANNOTATION,
    FORM_SETTINGS,
    LARGEST_FORM_CHARACTERS,
)
from kserve_client.catalog.models_file import Entry
from kserve_client.errors import ConfigurationError
from kserve_client.signature import Feature, Signature

WIDTH = 110
INDENT = "  "
# A key of PyYAML's flow mappings may have 1024 characters, unless it is marked with "?".
LONGEST_KEY = 500
_WORDS = {"true", "false", "null"}  # in any case; more than YAML 1.2 needs, as people read them so
_PLAIN = re.compile(r"[^\W\d_]([\w ./()%+'-]*[\w.)%+])?")
_PLAIN_LINE = re.compile(r"[^\W\d_]([\w ./()%+',;-]*[\w.)%+])?")
_NEEDS_ESCAPE = re.compile(
    r'[\\"\x00-\x1f\x7f-\xa0\xad\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]'
)
# Settings that are floats whatever is written: 4.0 reads best as 4.
_FLOATS = frozenset({"min", "max", "step", "low", "high", "threshold", "quantiles"})
_LARGEST_PLAIN_FLOAT = 1e15
_ORDER_IN_A_FEATURE = (
    "name",
    "title",
    "kind",
    "unit",
    "group",
    "datatype",
    "content_type",
    "min",
    "max",
    "step",
    "choices",
    "default",
    "required",
    "missing",
    "sensitive",
    "shape",
    "image",
    "help",
    "reference",
)
_OWN_LINE = ("reference:",)
_ORDER = (
    "title",
    "description",
    "owner",
    "links",
    "endpoint",
    "inference_service",
    "model_name",
    "model_version",
    "mlflow",
    "sample",
    "signature",
    "examples",
)


def entry_text(name: str, entry: Entry) -> str:
    """The text to put under `models:` in a models file, indented by two blanks.

    Examples with pictures are left out, with a comment: their files are not known here.
    """
    lines = [f"{_key(name)}:", *_indented(_entry_lines(entry, _ORDER, is_filled=True))]
    return "".join(f"{INDENT}{line}\n" for line in lines)


def form_text(entry: Entry) -> str:
    """The value of the annotation `kserve-client/form`: what an entry says of the model itself.

    Raises ConfigurationError when it is longer than an annotation may be.
    """
    text = "\n".join(_entry_lines(entry, FORM_SETTINGS, is_filled=False)) + "\n"
    if len(text) > LARGEST_FORM_CHARACTERS:
        raise ConfigurationError(
            f"the annotation would have {len(text):,} characters, more than "
            f"{LARGEST_FORM_CHARACTERS:,}; put the entry into a models file"
        )
    return text


def annotation_text(entry: Entry) -> str:
    """YAML to paste into the manifest of an InferenceService. Raises as `form_text` does."""
    head = ["metadata:", f"{INDENT}annotations:", f"{INDENT * 2}{FORM_ANNOTATION}: |"]
    body = [f"{INDENT * 3}{line}" for line in form_text(entry).splitlines()]
    return "\n".join([*head, *body]) + "\n"


def annotate_command(entry: Entry, *, service: str, namespace: str = "") -> str:
    """The shell command that puts the annotation on an InferenceService.

    Raises as `form_text` does.
    """
    where = f" -n {shlex.quote(namespace)}" if namespace else ""
    value = shlex.quote(f"{FORM_ANNOTATION}={form_text(entry)}")
    return f"kubectl annotate inferenceservice {shlex.quote(service)}{where} --overwrite {value}\n"


# Parts of an entry


def _entry_lines(entry: Entry, order: Sequence[str], *, is_filled: bool) -> list[str]:
    text = _Text(is_filled=is_filled)
    lines: list[str] = []
    for setting in order:
        value = getattr(entry, setting)
        if value in (None, "", ()):
            continue
        if setting == "signature":
            lines += ["signature:", *_indented(text.signature(value))]
        elif setting == "examples":
            lines += text.examples(value)
        elif setting == "links":
            lines += ["links:", *_indented(text.items(map(_settings, value)))]
        elif isinstance(value, BaseModel):
            lines += text.setting(setting, _settings(value))
        else:
            lines += text.setting(setting, value)
    return lines


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"{INDENT}{line}" for line in lines]


def _settings(part: BaseModel) -> dict[str, Any]:
    """The settings of a part that are not the usual ones."""
    settings = part.model_dump(exclude_defaults=True)
    if isinstance(part, Feature):
        settings |= (
            {"required": True} if part.required and "required" in part.model_fields_set else {}
        )
        if part.image is not None:  # the usual levels too where they are said: they are checked
            settings["image"] = part.image.model_dump(exclude_unset=True)
        settings = {key: settings[key] for key in _ORDER_IN_A_FEATURE if key in settings}
    return {key: _short(key, value) for key, value in settings.items()}


def _short(key: str, value: Any) -> Any:
    """Plain choices instead of mappings, whole floats without .0."""
    if key == "choices":
        return [choice if choice.get("label") else choice["value"] for choice in value]
    if isinstance(value, Mapping) and key in ("reference", "image"):
        return {name: _short(name, one) for name, one in value.items()}
    if key in _FLOATS:
        return [_whole(one) for one in value] if isinstance(value, tuple) else _whole(value)
    return value


def _whole(number: float) -> int | float:
    is_short = number.is_integer() and abs(number) < _LARGEST_PLAIN_FLOAT
    is_short = is_short and math.copysign(1, number) == (-1 if number < 0 else 1)  # not -0.0
    return int(number) if is_short else number


class _Text:
    """Writes values. `is_filled`: the reader will fill in `${NAME}` in values, so `${` is escaped."""

    def __init__(self, *, is_filled: bool) -> None:
        self._is_filled = is_filled

    def signature(self, signature: Signature) -> list[str]:
        """The lines below `signature:`."""
        said = signature.model_fields_set - {"features", "outputs"}
        if signature.layout == "columns" and signature.content_type == "pd":
            said -= {"content_type"}
        settings = signature.model_dump(include=set(said))
        lines = [line for key, value in settings.items() for line in self.setting(key, value)]
        for key, parts in (("features", signature.features), ("outputs", signature.outputs)):
            if parts:
                lines += [f"{key}:", *_indented(self.items(map(_settings, parts)))]
        return lines or ["{}"]

    def examples(self, examples: Sequence[Any]) -> list[str]:
        """The lines of the examples that can be written."""
        written, left = [], []
        for example in examples:
            if any(isinstance(cell, bytes) for cell in example.row.values()):
                left.append(f"# An example with a picture is left out: {_line(example.name)}")
                continue
            settings = {"name": example.name, "row": example.row}
            expect = example.expect
            if expect is not None:
                settings["expect"] = _whole(expect) if isinstance(expect, float) else expect
            head, *rest = [line for key, one in settings.items() for line in self.setting(key, one)]
            written += [f"- {head}", *_indented(rest)]
        return [*(["examples:"] if written else []), *_indented([*written, *left])]

    def setting(self, key: str, value: Any) -> list[str]:
        """One line, or more where it is long, of a setting in block style."""
        if isinstance(value, str) and self._is_plain(value, _PLAIN_LINE):
            return [f"{_key(key)}: {value}"]
        return self._wrapped(f"{_key(key)}: ", value)

    def items(self, settings: Iterator[Mapping[str, Any]]) -> list[str]:
        """A list with a mapping per line."""
        return [line for one in settings for line in self._wrapped("- ", one)]

    def _wrapped(self, start: str, value: Any) -> list[str]:
        """A value in flow style; where it is long, broken after commas."""
        lines = [start]
        margin = " " * min(len(start) + 1, 6)
        for piece in self._pieces(value):
            is_first = lines[-1] in (start, margin)
            is_long = len(lines[-1]) + 1 + len(piece) > WIDTH or piece.startswith(_OWN_LINE)
            if not is_first and is_long:
                lines.append(margin + piece)
            else:
                lines[-1] += piece if is_first else f" {piece}"
        return lines

    def _pieces(self, value: Any) -> list[str]:
        """What must stay together on a line."""
        if isinstance(value, Mapping):
            pairs = [_glued(f"{_flow_key(str(k))}: ", self._pieces(v)) for k, v in value.items()]
            return _enclosed("{", pairs, "}")
        if isinstance(value, list | tuple):
            return _enclosed("[", [self._pieces(one) for one in value], "]")
        return [self._scalar(value)]

    def _scalar(self, value: Any) -> str:
        if isinstance(value, str):
            return value if self._is_plain(value, _PLAIN) else self._quoted(value)
        if value is None or isinstance(value, bool):
            return {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, float) and not math.isfinite(value):
            return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
        if isinstance(value, int | float):
            return repr(value)
        return self._quoted(str(value))

    def _is_plain(self, text: str, pattern: re.Pattern[str]) -> bool:
        return pattern.fullmatch(text) is not None and text.casefold() not in _WORDS

    def _quoted(self, text: str) -> str:
        return _quoted(text.replace("${", "$${") if self._is_filled else text)


def _enclosed(start: str, parts: Sequence[list[str]], end: str) -> list[str]:
    """Parts between brackets, a comma after each but the last."""
    pieces = [
        f"{piece}," if at == len(part) - 1 and part is not parts[-1] else piece
        for part in parts
        for at, piece in enumerate(part)
    ]
    if not pieces:
        return [start + end]
    pieces[0] = start + pieces[0]
    pieces[-1] += end
    return pieces


def _glued(start: str, pieces: list[str]) -> list[str]:
    return [start + pieces[0], *pieces[1:]]


def _key(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS else _quoted(text)


def _flow_key(text: str) -> str:
    key = _key(text)
    return f"? {key} " if len(key) > LONGEST_KEY else key


def _quoted(text: str) -> str:
    return f'"{_NEEDS_ESCAPE.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    short = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return short.get(found[0], f"\\u{ord(found[0]):04x}")


def _line(text: str) -> str:
    return re.sub(r"[^\w .-]", "?", text)
