"""The command line `kserve-client`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from kserve_client.cli.arguments import UsageError, build_parser
from kserve_client.cli.console import Console
from kserve_client.cli.status import BROKEN_PIPE, INTERRUPTED, OK, USAGE, status_of
from kserve_client.errors import KServeClientError

__all__ = ["main", "run"]


def run() -> None:
    """Run the command line and leave the process with its exit status."""
    sys.exit(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0 all well · 1 some rows or endpoints failed · 2 usage or configuration · 3 nothing answered ·
    130 interrupted · 141 nobody reads the output any more. Errors are one line on stderr, never a
    traceback.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    console = Console(as_json="--json" in words)
    try:
        status = _command(words, console)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return console.fail(KeyboardInterrupt("interrupted"), INTERRUPTED)
    except UsageError as error:
        return console.fail(error, USAGE)
    except (KServeClientError, OSError) as error:
        return console.fail(error, status_of(error))
    return status


def _command(words: Sequence[str], console: Console) -> int:
    try:
        arguments = build_parser().parse_args(words)
    except SystemExit:  # --help and --version end here
        return OK
    from kserve_client.cli import commands

    return commands.execute(arguments, console)


def _drop_stdout() -> None:
    """Let Python flush into nothing at its end, instead of complaining once more."""
    with suppress(OSError, ValueError, io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
