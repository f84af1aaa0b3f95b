"""The options of demo.sh."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.problem import ScriptError
from scripts.processes import is_taken

DASHBOARD_PORT = 8501
SERVER_PORT = 8890
HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Options:
    """What the person at the terminal asked for."""

    port: int
    server_port: int
    is_check: bool

    def require_free_ports(self) -> None:
        """Raise ScriptError when another program listens on one of the two ports."""
        wanted = [("the dashboard", self.port, "--port")]
        wanted += [("the model server", self.server_port, "--server-port")]
        for what, port, option in wanted:
            if is_taken(port):
                raise ScriptError(
                    f"Port {port}, meant for {what}, is taken by another program: stop that one, "
                    f"or choose another port with {option} {_next(port)}."
                )
        if self.port == self.server_port:
            raise ScriptError("The dashboard and the model server need two different ports.")


def _next(port: int) -> int:
    """Return a port to propose: the next one that is free."""
    return next((p for p in range(port + 1, HIGHEST_PORT) if not is_taken(p)), port + 1)


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; print help or a complaint and exit as argparse does."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo.sh",
        description="Trains small models, serves them with a real MLServer and opens the dashboard "
        "on them, all on this machine. Everything it makes lies in .demo/.",
        epilog="The environment variable PYTHON chooses the Python to use (3.11 or newer), "
        "KSERVE_CLIENT_ENVS the folder for virtual environments.",
    )
    parser.add_argument(
        "--port", type=port, default=DASHBOARD_PORT, help="dashboard (default: %(default)s)"
    )
    parser.add_argument(
        "--server-port", type=port, default=SERVER_PORT, help="MLServer (default: %(default)s)"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="no dashboard: ask each model for its examples through kserve_client, print the "
        "answers and exit with 0, or 1 if one is not as expected",
    )
    read = parser.parse_args(arguments)
    return Options(read.port, read.server_port, read.check)


def port(text: str) -> int:
    """Read a port; the error that argparse wants for anything else."""
    if not text.isdigit() or not 0 < int(text) <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to {HIGHEST_PORT})")
    return int(text)
