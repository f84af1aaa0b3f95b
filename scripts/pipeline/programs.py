"""Runs the programs of an environment to their end; what they print is theirs to say."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from scripts.environment import ROOT
from scripts.problem import ScriptError

LONGEST_S = 300.0


def call(
    python: Path,
    module: str,
    *arguments: str | Path,
    variables: Mapping[str, str],
    given: str = "",
    cwd: Path = ROOT,
) -> str:
    """Run `python -m module` and return what it printed; keys travel this way and not by a log file.

    Raises ScriptError with the last line that it wrote to standard error when it fails.
    """
    command = [str(word) for word in (python, "-m", module, *arguments)]
    try:
        ended = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            env={**variables, "PYTHONPATH": str(ROOT)},
            cwd=cwd,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ScriptError(f"{module} did not end within {LONGEST_S:.0f} s") from None
    if ended.returncode != 0:
        raise ScriptError(_words(ended.stderr) or f"{module} ended with {ended.returncode}")
    return ended.stdout


def _words(said: str) -> str:
    """The last line: before it stand warnings and progress."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else ""
