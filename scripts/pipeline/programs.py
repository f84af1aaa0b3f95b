"""Runs the programs of an environment to their end; what they print is theirs to say."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from scripts.environment import ROOT
from scripts.problem import ScriptError

LONGEST_S = 300.0


class Program:
    """A program that was started and waits for its standard input to begin."""

    def __init__(
        self,
        python: Path,
        module: str,
        *arguments: str | Path,
        variables: Mapping[str, str],
        cwd: Path = ROOT,
    ) -> None:
        """Start `python -m module`; keys travel this way and not by a log file."""
        self.module = module
        self.process = subprocess.Popen(
            [str(word) for word in (python, "-m", module, *arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**variables, "PYTHONPATH": str(ROOT)},
            cwd=cwd,
            # Ctrl-C in the terminal reaches us alone; we end it with all that it started.
            start_new_session=True,
        )

    def finish(self, given: str = "") -> str:
        """Hand over the standard input, wait for the end, return what it printed.

        Raises ScriptError with the last line that it wrote to standard error when it fails.
        """
        try:
            printed, said = self.process.communicate(given, LONGEST_S)
        except subprocess.TimeoutExpired:
            raise ScriptError(f"{self.module} did not end within {LONGEST_S:.0f} s") from None
        finally:
            self.stop()
        if self.process.returncode != 0:
            raise ScriptError(_words(said) or f"{self.module} ended with {self.process.returncode}")
        return printed

    def stop(self) -> None:
        """End it with all that it started, if it runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def call(
    python: Path,
    module: str,
    *arguments: str | Path,
    variables: Mapping[str, str],
    given: str = "",
    cwd: Path = ROOT,
) -> str:
    """Run a program to its end and return what it printed; raises ScriptError when it fails."""
    return Program(python, module, *arguments, variables=variables, cwd=cwd).finish(given)


def _words(said: str) -> str:
    """The last line: before it stand warnings and progress."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else ""
