"""What the servers of the demo and the tests begin with."""

import subprocess
import sys
from pathlib import Path

from scripts.model_server import MODULE

PROGRAM = """
import gc, sys

if __name__ == "__main__":
    print(sys.argv[1:], gc.isenabled(), gc.get_threshold()[0])
"""


def test_a_server_starts_as_a_module_does_and_python_collects_seldom(tmp_path: Path) -> None:
    """The program sees its own arguments and is the main one; memory in cycles is still given back."""
    (tmp_path / "served.py").write_text(PROGRAM)
    command = [sys.executable, "-c", MODULE, "served", "--port", "1"]
    ran = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.split() == ["['--port',", "'1']", "True", "50000"]
