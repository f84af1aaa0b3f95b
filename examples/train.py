"""Trains the demo's models: `python -m examples.train MODELS DATA`, in MLServer's environment.

MODELS becomes a model repository for MLServer, DATA a folder of sample tables and pictures. Both
must not exist yet. The same versions of the libraries give the same models each time.
"""

import sys
from pathlib import Path

from examples import digits, iris, penguins


def train(models: Path, data: Path) -> None:
    """Train all models and write their samples."""
    models.mkdir(parents=True)
    data.mkdir(parents=True)
    for room in (iris, penguins, digits):
        room.build(models, data)


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]))
