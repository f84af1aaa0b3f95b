"""Executes a notebook: `python -m scripts.pipeline.in_notebook NOTEBOOK EXECUTED`.

The kernel runs in this environment and gets our variables. What was executed, with its outputs, is
written to EXECUTED, also when a cell failed.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

CELL_S = 300


def run(notebook: Path, executed: Path) -> int:
    """Execute; the error of a cell goes to standard error in one line."""
    content = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        content, timeout=CELL_S, kernel_name="python3", resources={"metadata": {"path": "."}}
    )
    try:
        client.execute()
    except CellExecutionError as error:
        print(
            f"a cell failed with {error.ename}: {' '.join(error.evalue.split())}", file=sys.stderr
        )
        return 1
    finally:
        nbformat.write(content, executed)
    return 0


if __name__ == "__main__":
    sys.exit(run(*map(Path, sys.argv[1:])))
