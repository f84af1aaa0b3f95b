"""Trains the model of the benchmark: `python -m bench.batch.training FOLDER`, in MLServer's environment."""

from __future__ import annotations

import sys
from pathlib import Path

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from examples.repository import save_model


def train(folder: Path) -> None:
    """Write a model repository with one model, the plainest there is, so that little is the model's own time."""
    flowers = load_iris()
    save_model(folder, "iris", LogisticRegression(max_iter=1000).fit(flowers.data, flowers.target))


if __name__ == "__main__":
    train(Path(sys.argv[1]))
