"""Commands and options. Imports nothing heavy."""

from __future__ import annotations

import argparse
import csv
import math
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

PROGRAM = "kserve-client"
MODELS_VARIABLE = "KSERVE_CLIENT_MODELS"
FORMATS = ("csv", "json-lines", "parquet", "arrow")
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


class _ShowVersion(argparse.Action):
    """Looks for the version when it is asked for, which takes a while."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> NoReturn:
        del namespace, values, option_string
        sys.stdout.write(f"{PROGRAM} {_version()}\n")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser(
        prog=PROGRAM,
        description="Ask models that speak the Open Inference Protocol (V2).",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action=_ShowVersion,
        nargs=0,
        dest=argparse.SUPPRESS,
        default=argparse.SUPPRESS,
        help="show program's version number and exit",
    )
    _add_shared(parser, models=os.environ.get(MODELS_VARIABLE) or None, as_json=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_models(commands)
    _add_metadata(commands)
    _add_describe(commands)
    _add_health(commands)
    _add_doctor(commands)
    _add_predict(commands)
    _add_score(commands)
    _add_jobs(commands)
    _add_job(commands)
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
    rows.add_argument(
        "--file",
        metavar="FILE",
        help='rows of a table such as a CSV file; "-" reads standard input',
    )
    _add_reading(parser, "FILE")


def _add_score(commands: Commands) -> None:
    parser = _command(commands, "score", "predict every row of a table")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument(
        "input",
        metavar="INPUT",
        help='CSV, JSON Lines, Parquet or Arrow file, or a URL; "-" reads standard input',
    )
    parser.add_argument(
        "output", metavar="OUTPUT", help='file or URL to write; "-" writes to standard output'
    )
    parser.add_argument(
        "--errors", metavar="FILE", help="write the rows that failed or were skipped here, too"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress and no summary")
    _add_job_of_a_run(parser)
    _add_pace(parser)
    _add_features(parser)
    _add_urls(_add_reading(parser, "INPUT"))
    _add_writing(parser)


def _add_job_of_a_run(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a run that can go on after anything")
    group.add_argument(
        "--job",
        metavar="DIR",
        help="keep the run in a directory, new or empty, from which it can go on",
    )
    group.add_argument(
        "--resume", action="store_true", help="go on with the job in DIR, if there is one"
    )
    group.add_argument(
        "--retry-failed",
        action="store_true",
        help="go on with the job in DIR, then send the rows once more that failed",
    )


def _add_pace(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how much, how fast")
    group.add_argument(
        "--chunk-rows",
        type=_positive_or_auto,
        default="auto",
        metavar="N|auto",
        help="rows in one request (default: auto, found out as it goes)",
    )
    group.add_argument(
        "--concurrency",
        type=_positive_or_auto,
        default="auto",
        metavar="N|auto",
        help="requests under way at a time (default: auto)",
    )
    group.add_argument("--limit", type=_positive, metavar="N", help="read only the first N rows")
    group.add_argument(
        "--max-failures",
        type=_whole,
        metavar="N",
        help="send nothing more once more than N rows failed (default: no bound)",
    )
    group.add_argument(
        "--wait",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for a model that does not answer any more (default: 60)",
    )
    group.add_argument(
        "--engine",
        choices=["threads", "dask"],
        default="threads",
        help="threads of this process, or an existing Dask cluster, which needs --job "
        "(default: threads)",
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS", help="the cluster's scheduler, such as tcp://host:8786"
    )
    group.add_argument(
        "--partition-mb",
        type=_positive,
        default=16,
        metavar="N",
        help="how much of the table a task of the cluster gets at most (default: 16)",
    )


def _add_features(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "where features come from, if not from the column of their name"
    )
    group.add_argument(
        "--map",
        type=_named,
        action="append",
        default=[],
        metavar="FEATURE=COLUMN",
        help="read a feature from another column",
    )
    group.add_argument(
        "--constant",
        type=_named,
        action="append",
        default=[],
        metavar="FEATURE=VALUE",
        help="give a feature one value in every row",
    )


def _add_reading(parser: argparse.ArgumentParser, name: str) -> argparse._ArgumentGroup:
    group = parser.add_argument_group(f"what {name} is, if not what it looks like")
    group.add_argument("--format", choices=FORMATS, help="its format")
    group.add_argument(
        "--delimiter",
        type=_delimiter,
        metavar="CHARACTER",
        help='between cells of CSV; "tab" is one',
    )
    group.add_argument("--encoding", metavar="NAME", help="of its text, such as windows-1252")
    group.add_argument("--decimal", choices=(".", ","), help="how CSV writes decimals")
    return group


def _add_urls(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--allow-url",
        type=_scheme,
        action="append",
        default=[],
        metavar="SCHEME",
        help="let INPUT, OUTPUT, FILE and DIR be URLs of this kind, such as s3",
    )


def _add_writing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what OUTPUT is, if not what its name says or what INPUT is")
    group.add_argument("--output-format", choices=FORMATS, help="its format")
    group.add_argument(
        "--columns",
        type=_columns,
        metavar="A,B|none",
        help="columns of INPUT to keep beside the results (default: all)",
    )
    group.add_argument(
        "--formulas",
        choices=("keep", "quote"),
        default="keep",
        help="texts that a spreadsheet would run: leave them (default), or put an apostrophe before",
    )


def _add_jobs(commands: Commands) -> None:
    parser = _command(commands, "jobs", "list the jobs in the folders of a folder")
    parser.add_argument(
        "root", metavar="ROOT", nargs="?", default=".", help="folder or URL (default: this folder)"
    )


def _add_job(commands: Commands) -> None:
    parser = _command(commands, "job", "show what a job is of and how far it is")
    parser.add_argument("directory", metavar="DIR", help="directory or URL of the job")
    parser.add_argument("--delete", action="store_true", help="remove the job instead")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _positive_or_auto(text: str) -> int | str:
    return text if text == "auto" else _positive(text)


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _named(text: str) -> tuple[str, str]:
    name, is_there, value = text.partition("=")
    if not name or not is_there or not value:
        raise argparse.ArgumentTypeError(f"{text!r} has not the form FEATURE=…")
    return name, value


def _columns(text: str) -> tuple[str, ...]:
    """Names as in the header of a CSV file: one with a comma stands in quotes."""
    return () if text == "none" else tuple(next(csv.reader([text]), ()))


def _delimiter(text: str) -> str:
    character = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(character) != 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not one character")
    return character


def _scheme(text: str) -> str:
    scheme = text.removesuffix("://").lower()
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        raise argparse.ArgumentTypeError(f"{text!r} is no kind of URL, such as s3")
    return scheme


def _version() -> str:
    import tomllib
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(PROGRAM)
    except PackageNotFoundError:  # run from a checkout
        project = Path(__file__).parents[2] / "pyproject.toml"
        if not project.is_file():
            return "unknown"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
