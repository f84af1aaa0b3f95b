"""Programs that write down what they are asked, in place of those that need a cluster or an account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts import deploy

# Says its arguments as one line of JSON; answers and fails as ANSWERS says by the words it was called with.
_PROGRAM = """#!{python}
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([pathlib.Path(__file__).name, *sys.argv[1:]]) + "\\n")
for words, said in json.loads(os.environ.get("ANSWERS", "{{}}")).items():
    if words in " ".join(sys.argv):
        sys.exit(said)
"""


class Shims:
    """A folder with the files of deploy/ and stand-ins for programs."""

    def __init__(self, folder: Path, *programs: str) -> None:
        self.out, self._programs = folder / "out", folder / "bin"
        deploy.write(self.out, deploy.read_names())
        self._programs.mkdir()
        for name in programs:
            path = self._programs / name
            path.write_text(_PROGRAM.format(python=sys.executable))
            path.chmod(0o755)

    def run(
        self, script: str, *arguments: str, answers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Run a script of out/; return its exit status and what it said of errors.

        A call that has the words of `answers` in it says what stands there and fails.
        """
        variables = {
            **os.environ,
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "ANSWERS": json.dumps(dict(answers or {})),
        }
        done = subprocess.run(
            ["bash", str(self.out / script), *arguments],
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stderr

    def calls(self) -> list[list[str]]:
        """Return the calls since the last time this was asked, each as its words."""
        path = self._programs / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]
