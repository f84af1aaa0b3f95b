"""Iris species from four measurements of the flower: numbers in, a class and probabilities out."""

from pathlib import Path

import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from examples.repository import save_model

COLUMNS = ["sepal length", "sepal width", "petal length", "petal width"]
SPECIES = ["Iris setosa", "Iris versicolor", "Iris virginica"]


def flowers() -> pd.DataFrame:
    """Return 150 flowers: four measurements in cm and `species`, the true one."""
    data = load_iris()
    table = pd.DataFrame(data.data, columns=COLUMNS)
    return table.assign(species=[SPECIES[number] for number in data.target])


def split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to learn from and the rows held out, three to one."""
    learn, held_out = train_test_split(
        table, test_size=0.25, random_state=0, stratify=table["species"]
    )
    return learn, held_out


def fit(table: pd.DataFrame) -> Pipeline:
    """Train on `table`; the model answers with the position of the species in SPECIES."""
    model = make_pipeline(StandardScaler(), LogisticRegression())
    # The request is a bare tensor without column names, so the model must not learn names either.
    model.fit(table[COLUMNS].to_numpy(), table["species"].map(SPECIES.index))
    return model


def build(models: Path, data: Path) -> None:
    """Write the model below `models` and its sample table below `data`."""
    table = flowers()
    learn, _ = split(table)
    save_model(models, "iris", fit(learn))
    table.to_csv(data / "iris-150.csv", index=False)
