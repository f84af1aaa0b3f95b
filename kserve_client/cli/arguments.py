"""Commands and options. Imports nothing heavy."""

from __future__ import annotations

import argparse
import os
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

PROGRAM = "kserve-client"
MODELS_VARIABLE = "KSERVE_CLIENT_MODELS"
_EPILOG = (
    "Exit status: 0 all well, 1 some rows or endpoints failed, 2 usage or configuration, "
    "3 nothing answered."
)


Commands: TypeAlias = Any  # what add_subparsers gives is a private class of argparse


class UsageError(Exception):
    """The words of the command line make no command."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser(
        prog=PROGRAM,
        description="Ask models that speak the Open Inference Protocol (V2).",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {_version()}")
    _add_shared(parser, models=os.environ.get(MODELS_VARIABLE) or None, as_json=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_models(commands)
    _add_metadata(commands)
    _add_describe(commands)
    _add_health(commands)
    _add_doctor(commands)
    _add_predict(commands)
    _add_score(commands)
    return parser


def _add_shared(
    parser: argparse.ArgumentParser,
    *,
    models: str | None = argparse.SUPPRESS,
    as_json: bool | str = argparse.SUPPRESS,
) -> None:
    """Add the options that may stand before and after the command; after it, without a default."""
    parser.add_argument(
        "--models",
        metavar="FILE",
        default=models,
        help=f"models file (default: the environment variable {MODELS_VARIABLE})",
    )
    parser.add_argument(
        "--json", action="store_true", default=as_json, help="write JSON instead of text"
    )


def _command(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    _add_shared(parser)
    return parser


def _add_models(commands: Commands) -> None:
    parser = _command(commands, "models", "list the models of the models file")
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of a models file instead"
    )


def _add_metadata(commands: Commands) -> None:
    parser = _command(commands, "metadata", "show what a model and its server say of themselves")
    parser.add_argument("model", metavar="MODEL")


def _add_describe(commands: Commands) -> None:
    parser = _command(commands, "describe", "show what goes into a model, and who says so")
    parser.add_argument("model", metavar="MODEL")


def _add_health(commands: Commands) -> None:
    parser = _command(commands, "health", "check the way to models, step by step")
    parser.add_argument("names", metavar="MODEL", nargs="*", help="models to check (default: all)")
    parser.add_argument(
        "--no-inference", action="store_true", help="leave out the test inference at the end"
    )


def _add_doctor(commands: Commands) -> None:
    parser = _command(commands, "doctor", "grade how well a model speaks V2, and how to mend it")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument(
        "--fix",
        action="store_true",
        help="print only the ready-made file that completes the model's metadata",
    )


def _add_predict(commands: Commands) -> None:
    parser = _command(commands, "predict", "predict a few rows")
    parser.add_argument("model", metavar="MODEL")
    rows = parser.add_mutually_exclusive_group(required=True)
    rows.add_argument(
        "--input",
        metavar="JSON",
        help="a row (object), rows (list of objects), or lists of values in the order of the "
        'features; "-" reads standard input, "@FILE" a file; a picture is given as "@picture.png"',
    )
    rows.add_argument("--file", metavar="CSV", help='rows of a CSV file; "-" reads standard input')


def _add_score(commands: Commands) -> None:
    parser = _command(commands, "score", "predict every row of a CSV file")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("input", metavar="INPUT", help='CSV file; "-" reads standard input')
    parser.add_argument(
        "output", metavar="OUTPUT", help='CSV file to write; "-" writes to standard output'
    )
    parser.add_argument(
        "--chunk-rows",
        type=_positive,
        default=1000,
        metavar="N",
        help="rows in one request (default: 1000)",
    )
    parser.add_argument(
        "--concurrency",
        type=_positive,
        default=4,
        metavar="N",
        help="requests under way at a time (default: 4)",
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _version() -> str:
    try:
        return version(PROGRAM)
    except PackageNotFoundError:  # run from a checkout
        project = Path(__file__).parents[2] / "pyproject.toml"
        if not project.is_file():
            return "unknown"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
