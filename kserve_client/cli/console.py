"""Console: what the command line writes, as text for people or as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from kserve_client.cli.arguments import PROGRAM
from kserve_client.predictions import number_text

NOTHING = "–"
STDIO = "-"
_ERROR_FIELDS = ("line", "field", "status", "server_message", "attempts")


class Console:
    """Writes results to standard output, and errors and progress to standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def show(self, text: str, payload: Any) -> None:
        """Write a result: the payload with --json, else the text."""
        sys.stdout.write(_json(payload) if self.as_json else f"{text}\n")

    def note(self, text: str, payload: Any) -> None:
        """Write a result where standard output is taken: to standard error."""
        sys.stderr.write(_json(payload) if self.as_json else f"{text}\n")

    def complain(self, message: str) -> None:
        """Write one line to standard error."""
        sys.stderr.write(f"{PROGRAM}: {' '.join(message.split())}\n")

    def fail(self, error: BaseException, status: int) -> int:
        """Say what went wrong: to people, and with --json to programs too; returns the status."""
        self.complain(_message(error))
        if self.as_json:
            sys.stdout.write(_json({"error": _error_object(error, status)}))
        return status


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _error_object(error: BaseException, status: int) -> dict[str, Any]:
    fields = {name: getattr(error, name) for name in _ERROR_FIELDS if hasattr(error, name)}
    return {
        "kind": type(error).__name__,
        "message": _message(error),
        **fields,
        "exit_status": status,
    }


def _json(payload: Any) -> str:
    """JSON in which NaN is null."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    try:
        return orjson.dumps(payload, option=options, default=str).decode()
    except orjson.JSONEncodeError:  # a server's number of more than 64 bits
        plain = json.loads(json.dumps(payload, default=str), parse_constant=lambda _: None)
        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns aligned with blanks; numbers to the right, "–" for nothing."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [
        bool(cells) and all(_is_number(row[at]) for row in cells) for at in range(len(header))
    ]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    lines = [header, *cells]
    return "\n".join(_line(line, widths, numeric) for line in lines)


def failed_words(failed: int, rows: int, first_error: str) -> str:
    """How many rows failed, and why the first one did."""
    return f"{failed:,} of {rows_words(rows)} failed; the first is {first_error}"


def rows_words(count: int) -> str:
    """A number of rows in words."""
    return "1 row" if count == 1 else f"{count:,} rows"


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if is_number else cell.ljust(width)
        for cell, width, is_number in zip(cells, widths, numeric, strict=True)
    ]
    return "  ".join(padded).rstrip()


def _cell(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, float):
        return number_text(value)
    return " ".join(str(value).split())


def _is_number(cell: str) -> bool:
    first = cell.partition(" ")[0].replace(",", "")
    return cell == NOTHING or first.replace(".", "").replace("-", "").replace("e", "").isdigit()
